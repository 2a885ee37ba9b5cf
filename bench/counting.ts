// npm run bench:counting -- [--rounds 5] [--megabytes 300] [--write]: the CPU time of counting rows while an archive passes, over an archive of pg_dump in memory, beside that of
// the first backup of the same database (Lifeboat and pg_dump, without the server).
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { RowCounter } from '../src/sources/postgres/row-counter.ts'
import { loadDataset } from '../test/support/dataset.ts'
import { bench, cost } from './harness.ts'
import { measure } from './measure.ts'

await bench({ rounds: 5, megabytes: 300 }, ({ rounds, megabytes, work, lifeboat, environment, server: start, table }) => table('counting', async (add) => {
  const server = await start()
  await server.createDatabase('shop')
  await loadDataset(server, 'shop', { megabytes })
  const archive = path.join(work, 'archive')
  const variables = { ...environment, DATABASE_URL: server.url('shop') }
  await measure(['pg_dump', '--format=custom', '--compress=0', `--dbname=${server.url('shop')}`, `--file=${archive}`], variables, work)
  for (let round = 1; round <= rounds; round++) {
    const command = [process.execPath, lifeboat, 'backup', '--create', '--set', `round-${round}`, '--destination', `file:${work}/store-${round}`]
    add(`a shop of ${megabytes} MB`, 'Lifeboat', cost(await measure(command, variables, work)))
    add(`a shop of ${megabytes} MB`, 'counting', { cpuSeconds: cpuOfCounting(readFileSync(archive)) })
  }
}))

/** Of an archive in memory, in the pieces in which a pipe gives it. */
function cpuOfCounting(archive: Buffer): number {
  const counter = new RowCounter()
  const before = process.cpuUsage()
  for (let start = 0; start < archive.length; start += 65_536) counter.push(archive.subarray(start, start + 65_536))
  const { user, system } = process.cpuUsage(before)
  if (counter.finish().length === 0) throw new Error('nothing was counted')
  return (user + system) / 1e6
}
