// npm run bench:counting -- [megabytes] [rounds]: what counting rows costs while an archive passes: its CPU time over an archive of pg_dump in a file, as a part of the
// CPU time of the first backup of the same database (Lifeboat and pg_dump, without the server).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { RowCounter } from '../src/sources/postgres/row-counter.ts'
import { loadDataset } from '../test/support/dataset.ts'
import { clientDirectory, startServer } from '../test/support/postgres-server.ts'
import { measure } from './measure.ts'
import { median } from './statistics.ts'

const [megabytes, rounds] = [Number(process.argv[2] ?? 300), Number(process.argv[3] ?? 5)]
const lifeboat = path.join(import.meta.dirname, '../dist/cli.js')
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-'))
const { identity } = await newIdentity()
const server = await startServer(17)
try {
  await server.createDatabase('shop')
  await loadDataset(server, 'shop', { megabytes })
  const environment = {
    ...process.env, PATH: [clientDirectory(17), process.env['PATH']].join(path.delimiter), TMPDIR: folder, LIFEBOAT_ENCRYPTION_KEY: identity,
    DATABASE_URL: server.url('shop'),
  }
  const archive = path.join(folder, 'archive')
  await measure([path.join(clientDirectory(17), 'pg_dump'), '--format=custom', '--compress=0', `--dbname=${server.url('shop')}`, `--file=${archive}`], environment, folder)
  const parts: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const { cpuSeconds } = await measure([process.execPath, lifeboat, 'backup', '--create', '--set', `round-${round}`, '--destination', `file:${folder}/store-${round}`], environment, folder)
    const counting = cpuOfCounting(readFileSync(archive))
    parts.push(counting / cpuSeconds)
    console.log(`round ${round}: backup ${cpuSeconds.toFixed(2)} s, counting ${counting.toFixed(2)} s: ${(100 * parts.at(-1)!).toFixed(1)} %`)
  }
  console.log(`counting rows takes ${(100 * median(parts)).toFixed(1)} % of the CPU time of a backup (median of ${rounds}; 3 % are allowed)`)
} finally {
  await server.stop()
  rmSync(folder, { recursive: true })
}

/** Of an archive in memory, in the pieces in which a pipe gives it. */
function cpuOfCounting(archive: Buffer): number {
  const counter = new RowCounter()
  const before = process.cpuUsage()
  for (let start = 0; start < archive.length; start += 65_536) counter.push(archive.subarray(start, start + 65_536))
  const { user, system } = process.cpuUsage(before)
  if (counter.finish().length === 0) throw new Error('nothing was counted')
  return (user + system) / 1e6
}
