// npm run bench:restore -- [--rounds 3] [--megabytes 600] [--write]: restores a shop with pg_restore of one archive, with pg_restore --jobs=2 of the same, and with
// `lifeboat restore --jobs 2` out of a store in a folder, in turn; then one table of 50 MB.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { loadDataset } from '../test/support/dataset.ts'
import { clientEnvironment } from '../test/support/postgres-server.ts'
import { bench, cost } from './harness.ts'
import { measure } from './measure.ts'

const PART = 50

await bench({ megabytes: 600 }, ({ rounds, megabytes, work, lifeboat, environment, server: start, table }) => table('restore', async (add) => {
  const server = await start({ maintenance_work_mem: '128MB' })
  await server.createDatabase('shop')
  await loadDataset(server, 'shop', { megabytes })
  await server.sql(`CREATE TABLE one_part AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS text FROM generate_series(1, ${Math.round((PART * 1e6) / 72)}) g`, 'shop')
  const variables = { ...environment, ...clientEnvironment(server, 'shop') }
  const ours = (command: string, database: string, ...more: string[]): string[] =>
    ['env', `DATABASE_URL=${server.url(database)}`, process.execPath, lifeboat, command, '--destination', `file:${work}/store`, '--json', ...more]
  await measure(ours('backup', 'shop'), variables, work)
  const archive = path.join(work, 'archive')
  execFileSync('pg_dump', ['--format=custom', '--compress=0', `--file=${archive}`], { env: variables })

  const restored = async (scenario: string, program: string, command: readonly string[], { creates = false, after = () => ({}) } = {}): Promise<void> => {
    await server.sql('DROP DATABASE IF EXISTS again')
    if (!creates) await server.createDatabase('again')
    await server.sql('CHECKPOINT')
    const figures = cost(await measure(command, variables, work))
    add(scenario, program, { ...figures, ...after() })
  }
  for (let round = 1; round <= rounds; round++) {
    await restored('the whole', 'pg_restore', ['pg_restore', '--dbname=again', archive])
    await restored('the whole', 'pg_restore --jobs=2', ['pg_restore', '--dbname=again', '--jobs=2', archive])
    await restored('the whole', 'Lifeboat', ours('restore', 'again', '--mode', 'create', '--jobs', '2'), { creates: true })
  }
  const said = path.join(work, 'said')
  const one = ours('restore', 'again', '--mode', 'create', '--tables', 'one_part')
  const read = (): { read: number } => {
    const result: { read: number } = JSON.parse(readFileSync(said, 'utf8'))
    return { read: result.read }
  }
  for (let round = 1; round <= rounds; round++) await restored(`one table of ${PART} MB`, 'Lifeboat', ['sh', '-c', 'out=$1; shift; "$@" >"$out"', 'sh', said, ...one], { creates: true, after: read })
}))
