// npm run bench:drill -- [megabytes] [rounds] [dist/cli.js …]: drills a database of a shop, and restores and dumps the same archive with pg_restore and
// pg_dump in a scratch server of the same settings, in turn. Prints time and CPU time (server included) of each, the ratio of each round, and Lifeboat's memory.
// npm run bench:drill -- 50000tables [rounds] [dist/cli.js …]: the same with so many empty tables. Their files belong into memory (TMPDIR=/dev/shm): ext4 does
// not use inodes of deleted files again for some minutes, and looks through all of them for each new file.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { clientEnvironment, onDatabase } from '../src/sources/postgres/connection.ts'
import { startCluster } from '../src/sources/postgres/drill/cluster.ts'
import { localPrograms } from '../src/sources/postgres/drill/server-programs.ts'
import { loadDataset, loadTables } from '../test/support/dataset.ts'
import { clientDirectory, serverDirectory, startServer } from '../test/support/postgres-server.ts'
import { cpuOf, measure, type Measurement } from './measure.ts'
import { median, ratios } from './statistics.ts'

/** The target: a drill takes at most so many times as long as pg_restore of its archive, and one pg_dump of it. */
const MOST = 1.35

const [size, rounds] = [process.argv[2] ?? '1000', Number(process.argv[3] ?? 3)]
const tables = /^(\d+)tables$/.exec(size)?.[1]
/** Builds that are compared, one after the other in each round. */
const builds = process.argv.length > 4 ? process.argv.slice(4) : [path.join(import.meta.dirname, '../dist/cli.js')]
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-'))
chmodSync(folder, 0o755) // Root's scratch server runs as another user.
const programs = path.join(serverDirectory(17), 'bin')
const variables = { PATH: [clientDirectory(17), programs, process.env['PATH']].join(path.delimiter) }
const { identity } = await newIdentity()
const environment = { ...process.env, ...variables, TMPDIR: folder, RUNNER_TEMP: folder, LIFEBOAT_ENCRYPTION_KEY: identity }
const command = (lifeboat: string, name: string, ...more: string[]): string[] => [process.execPath, lifeboat, name, '--destination', `file:${folder}/store`, ...more]
try {
  console.log(`${os.availableParallelism()} cores, load ${os.loadavg()[0]!.toFixed(1)}; ${tables === undefined ? `about ${size} MB` : `${tables} tables`}`)
  await prepare()
  const rows: { lifeboat: string; taken: Cost; allowed: Cost }[] = []
  for (let round = 1; round <= rounds; round++) {
    const { restore, dump } = await reference()
    const allowed = { seconds: MOST * restore.seconds + dump.seconds, cpuSeconds: MOST * restore.cpuSeconds + dump.cpuSeconds }
    console.log(`round ${round}: pg_restore ${shown(restore)}, pg_dump ${shown(dump)}, load ${os.loadavg()[0]!.toFixed(1)}`)
    for (const lifeboat of builds) {
      const drill = await measure(command(lifeboat, 'verify', '--level', 'drill', '--set', 'bench', '--json'), environment, folder)
      rows.push({ lifeboat, taken: drill, allowed })
      console.log(`  ${lifeboat}: drill ${shown(drill)}, ${(drill.peakOwn / 2 ** 20).toFixed(0)} MiB at most in Lifeboat's process, load ${os.loadavg()[0]!.toFixed(1)}`)
    }
  }
  for (const one of builds) {
    const own = rows.filter(({ lifeboat }) => lifeboat === one)
    const part = (of: keyof Cost): string => median(ratios(own.map(({ taken }) => taken[of]), own.map(({ allowed }) => allowed[of]))).toFixed(2)
    console.log(`${one}: a drill takes ${part('seconds')} of the time and ${part('cpuSeconds')} of the CPU time that it may: ${MOST} × pg_restore + pg_dump (median of ${rounds})`)
  }
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
    execFileSync(process.execPath, command(builds[0]!, 'backup', '--set', 'bench', '--json').slice(1), { env: { ...environment, DATABASE_URL: server.url('shop') }, stdio: ['ignore', 'ignore', 'inherit'] })
    execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--compress=0', `--file=${folder}/archive`, `--dbname=${server.url('shop')}`])
  } finally {
    await server.stop()
  }
}

type Cost = Pick<Measurement, 'seconds' | 'cpuSeconds'>

function shown({ seconds, cpuSeconds }: Cost): string {
  return `${seconds.toFixed(1)} s (CPU ${cpuSeconds.toFixed(1)} s)`
}

/** pg_restore into an empty scratch server, and pg_dump from it, with the CPU time of the server. */
async function reference(): Promise<{ restore: Cost; dump: Cost }> {
  const cluster = await startCluster({
    programs: localPrograms({ major: 17, directory: programs }, variables), temporary: path.join(folder, 'reference'), space: 1, superuser: 'postgres', locks: Math.max(100, 3 * Number(tables ?? 0)),
    variables, signal: new AbortController().signal,
  })
  try {
    const connection = onDatabase(cluster.connection, 'postgres')
    const env = { ...clientEnvironment(connection, variables), ...variables }
    const [scratch = ''] = readdirSync(path.join(folder, 'reference'))
    const postmaster = Number(readFileSync(path.join(folder, 'reference', scratch, 'data/postmaster.pid'), 'utf8').split('\n')[0])
    const cost = async (program: string, ...parameters: string[]): Promise<Cost> => {
      const before = cpuOf(postmaster)
      const { seconds, cpuSeconds } = await measure([path.join(clientDirectory(17), program), ...parameters], env, folder)
      return { seconds, cpuSeconds: cpuSeconds + cpuOf(postmaster) - before }
    }
    const restore = await cost('pg_restore', `--dbname=${connection.parameters}`, `${folder}/archive`)
    return { restore, dump: await cost('pg_dump', '--format=custom', '--compress=0', `--dbname=${connection.parameters}`) }
  } finally {
    await cluster.close()
  }
}
