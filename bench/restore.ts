// npm run bench:restore -- [megabytes] [rounds] [part in megabytes] [dist/cli.js]: restores a shop with pg_restore of one archive, with pg_restore --jobs=2 of the same, and
// with `lifeboat restore --jobs 2` out of a store in a folder, in turn, and prints the ratios of each round; then restores one table of the given size.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { clientEnvironment, parseDatabaseUrl } from '../src/sources/postgres/connection.ts'
import { loadDataset } from '../test/support/dataset.ts'
import { clientDirectory, startServer } from '../test/support/postgres-server.ts'
import { measure } from './measure.ts'
import { median, ratios } from './statistics.ts'

/** Of the time of one pg_restore, and of one with two jobs, that a restore with two jobs may take. */
const MOST = { single: 0.8, jobs: 1 } as const

const [megabytes, rounds, part] = [Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 3), Number(process.argv[4] ?? 50)]
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-'))
const programs = clientDirectory(17)
const cli = process.argv[5] ?? path.join(import.meta.dirname, '../dist/cli.js')
const { identity } = await newIdentity()
const settings = { shared_buffers: '256MB', max_wal_size: '4GB', maintenance_work_mem: '128MB', autovacuum: 'off' }
const server = await startServer(17, { settings })
try {
  console.log(`${os.availableParallelism()} cores, load ${os.loadavg()[0]!.toFixed(1)}; about ${megabytes} MB`)
  await server.createDatabase('shop')
  await loadDataset(server, 'shop', { megabytes })
  await server.sql(`CREATE TABLE one_part AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS text FROM generate_series(1, ${Math.round(part * 1e6 / 72)}) g`, 'shop')
  const environment = { ...process.env, ...clientEnvironment(parseDatabaseUrl(server.url('shop')), {}), PATH: `${programs}:${process.env['PATH']}`, TMPDIR: folder, LIFEBOAT_ENCRYPTION_KEY: identity }
  const lifeboat = (command: string, database: string, ...more: string[]): string[] =>
    ['env', `DATABASE_URL=${server.url(database)}`, process.execPath, cli, command, '--destination', `file:${folder}/store`, '--json', ...more]
  const [program, ...given] = lifeboat('backup', 'shop')
  execFileSync(program!, given, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
  const archive = path.join(folder, 'archive')
  execFileSync(path.join(programs, 'pg_dump'), ['--format=custom', '--compress=0', `--file=${archive}`], { env: environment })

  const restored = async (command: readonly string[], creates: boolean): Promise<number> => {
    await server.sql('DROP DATABASE IF EXISTS again')
    if (creates) await server.createDatabase('again')
    await server.sql('CHECKPOINT')
    return (await measure(command, environment, folder)).seconds
  }
  const restore = [path.join(programs, 'pg_restore'), '--dbname=again']
  const taken = { single: [] as number[], jobs: [] as number[], lifeboat: [] as number[] }
  for (let round = 1; round <= rounds; round++) {
    taken.single.push(await restored([...restore, archive], true))
    taken.jobs.push(await restored([...restore, '--jobs=2', archive], true))
    taken.lifeboat.push(await restored(lifeboat('restore', 'again', '--mode', 'create', '--jobs', '2'), false))
    console.log(`round ${round}: pg_restore ${last(taken.single)}, with two jobs ${last(taken.jobs)}, lifeboat with two jobs ${last(taken.lifeboat)}; load ${os.loadavg()[0]!.toFixed(1)}`)
  }
  for (const than of ['single', 'jobs'] as const)
    console.log(`lifeboat took ${median(ratios(taken.lifeboat, taken[than])).toFixed(2)} × pg_restore ${than === 'single' ? 'of one archive' : 'with two jobs'} (target: ${MOST[than]})`)

  await server.sql('DROP DATABASE again')
  const [start, ...rest] = lifeboat('restore', 'again', '--mode', 'create', '--tables', 'one_part')
  const began = performance.now()
  const result: { read: number; size: number } = JSON.parse(execFileSync(start!, rest, { env: environment, encoding: 'utf8' }))
  console.log(`a table of ${part} MB: ${((performance.now() - began) / 1000).toFixed(1)} s, ${(result.read / 1e6).toFixed(1)} of ${(result.size / 1e6).toFixed(0)} MB read`)
} finally {
  await server.stop()
  rmSync(folder, { recursive: true })
}

function last(seconds: readonly number[]): string {
  return `${seconds.at(-1)!.toFixed(1)} s`
}
