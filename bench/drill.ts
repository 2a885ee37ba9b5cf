// npm run bench:drill -- [megabytes] [rounds] [dist/cli.js]: drills a database of a shop, and restores and dumps the same archive with pg_restore and
// pg_dump in a scratch server of the same settings, in turn. Prints the time of each, the ratio of each round, and the memory beside the server.
// npm run bench:drill -- 50000tables [rounds] [dist/cli.js]: the same with so many empty tables.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { clientEnvironment, onDatabase } from '../src/sources/postgres/connection.ts'
import { startCluster } from '../src/sources/postgres/drill/cluster.ts'
import { localPrograms } from '../src/sources/postgres/drill/server-programs.ts'
import { loadDataset, loadTables } from '../test/support/dataset.ts'
import { clientDirectory, serverDirectory, startServer } from '../test/support/postgres-server.ts'
import { measure } from './measure.ts'
import { median, ratios } from './statistics.ts'

/** The target: a drill takes at most so many times as long as pg_restore of its archive, and one pg_dump of it. */
const MOST = 1.35

const [size, rounds] = [process.argv[2] ?? '1000', Number(process.argv[3] ?? 3)]
const tables = /^(\d+)tables$/.exec(size)?.[1]
const lifeboat = process.argv[4] ?? path.join(import.meta.dirname, '../dist/cli.js')
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-'))
chmodSync(folder, 0o755) // Root's scratch server runs as another user.
const programs = path.join(serverDirectory(17), 'bin')
const variables = { PATH: [clientDirectory(17), programs, process.env['PATH']].join(path.delimiter) }
const { identity } = await newIdentity()
const environment = { ...process.env, ...variables, TMPDIR: folder, RUNNER_TEMP: folder, LIFEBOAT_ENCRYPTION_KEY: identity }
const command = (name: string, ...more: string[]): string[] => [process.execPath, lifeboat, name, '--destination', `file:${folder}/store`, ...more]
try {
  console.log(`${os.availableParallelism()} cores, load ${os.loadavg()[0]!.toFixed(1)}; ${tables === undefined ? `about ${size} MB` : `${tables} tables`}`)
  await prepare()
  const [restores, dumps, drills]: [number[], number[], number[]] = [[], [], []]
  for (let round = 1; round <= rounds; round++) {
    const { restore, dump } = await reference()
    const drill = await measure(command('verify', '--level', 'drill', '--set', 'bench', '--json'), environment, folder)
    restores.push(restore)
    dumps.push(dump)
    drills.push(drill.seconds)
    console.log(`round ${round}: pg_restore ${restore.toFixed(1)} s, pg_dump ${dump.toFixed(1)} s, drill ${drill.seconds.toFixed(1)} s, ${(drill.peakProcess / 2 ** 20).toFixed(0)} MiB at most in a process`)
  }
  const allowed = restores.map((seconds, round) => MOST * seconds + dumps[round]!)
  console.log(`a drill takes ${median(ratios(drills, allowed)).toFixed(2)} of what it may: ${MOST} × pg_restore + pg_dump (median of ${rounds})`)
} finally {
  rmSync(folder, { recursive: true })
}

/** A backup in a store, and its archive in a file. */
async function prepare(): Promise<void> {
  const server = await startServer(17, {
    settings: { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off', max_locks_per_transaction: `${Math.max(64, Number(tables ?? 0))}` },
  })
  try {
    await server.createDatabase('shop')
    await (tables === undefined ? loadDataset(server, 'shop', { megabytes: Number(size) }) : loadTables(server, 'shop', Number(tables)))
    execFileSync(process.execPath, command('backup', '--set', 'bench', '--json').slice(1), { env: { ...environment, DATABASE_URL: server.url('shop') }, stdio: ['ignore', 'ignore', 'inherit'] })
    execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--compress=0', `--file=${folder}/archive`, `--dbname=${server.url('shop')}`])
  } finally {
    await server.stop()
  }
}

/** Seconds of pg_restore into an empty scratch server, and of pg_dump from it. */
async function reference(): Promise<{ restore: number; dump: number }> {
  const cluster = await startCluster({
    programs: localPrograms({ major: 17, directory: programs }, variables), temporary: path.join(folder, 'reference'), space: 1, superuser: 'postgres', locks: Math.max(100, 3 * Number(tables ?? 0)),
    variables, signal: new AbortController().signal,
  })
  try {
    const connection = onDatabase(cluster.connection, 'postgres')
    const env = { ...clientEnvironment(connection, variables), ...variables }
    const seconds = async (program: string, ...parameters: string[]): Promise<number> =>
      (await measure([path.join(clientDirectory(17), program), ...parameters], env, folder)).seconds
    const restore = await seconds('pg_restore', `--dbname=${connection.parameters}`, `${folder}/archive`)
    return { restore, dump: await seconds('pg_dump', '--format=custom', '--compress=0', `--dbname=${connection.parameters}`) }
  } finally {
    await cluster.close()
  }
}
