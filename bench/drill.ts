// npm run bench:drill -- [--only drill,drill-tables] [--rounds 2] [--megabytes 1000] [--write]: drills a shop, or a database of 10,000 empty tables, and restores and
// dumps the same archive with pg_restore and pg_dump in a scratch server of the same settings, in turn. CPU times include those of scratch servers. The files of many
// tables belong into memory (--folder /dev/shm): ext4 does not use inodes of deleted files again for some minutes, and looks through all of them for each new file.
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { clientEnvironment, onDatabase } from '../src/sources/postgres/connection.ts'
import { startCluster } from '../src/sources/postgres/drill/cluster.ts'
import { localPrograms } from '../src/sources/postgres/drill/server-programs.ts'
import { loadDataset, loadTables } from '../test/support/dataset.ts'
import { clientDirectory, serverDirectory } from '../test/support/postgres-server.ts'
import { type Add, bench, cost, MAJOR } from './harness.ts'
import { cpuOf, measure } from './measure.ts'

/** The target: a drill takes at most so many times as long as pg_restore of its archive, and one pg_dump of it. */
const MOST = 1.35
const TABLES = 10_000

await bench({ rounds: 2 }, async ({ rounds, megabytes, work, lifeboat, environment, server: start, table }) => {
  const programs = path.join(serverDirectory(MAJOR), 'bin')
  const variables = { PATH: [clientDirectory(MAJOR), programs, process.env['PATH']].join(path.delimiter) }
  chmodSync(work, 0o755) // Root's scratch server runs as another user.
  await table('drill', (add) => drills('shop', add))
  await table('drill-tables', (add) => drills('tables', add))

  async function drills(kind: 'shop' | 'tables', add: Add): Promise<void> {
    const folder = path.join(work, kind)
    mkdirSync(folder)
    const given = { ...environment, ...variables, TMPDIR: folder, RUNNER_TEMP: folder }
    const ours = (command: string, ...more: string[]): string[] => [process.execPath, lifeboat, command, '--destination', `file:${folder}/store`, '--set', 'bench', '--json', ...more]
    const server = await start({ max_locks_per_transaction: `${TABLES}` })
    await server.createDatabase(kind)
    await (kind === 'shop' ? loadDataset(server, kind, { megabytes }) : loadTables(server, kind, TABLES))
    await measure(ours('backup'), { ...given, DATABASE_URL: server.url(kind) }, folder)
    await measure(['pg_dump', '--format=custom', '--compress=0', `--file=${folder}/archive`, `--dbname=${server.url(kind)}`], given, folder)
    await server.stop()
    for (let round = 1; round <= rounds; round++) {
      const { restore, dump } = await reference(folder)
      add('once', 'pg_restore', restore)
      add('once', 'pg_dump', dump)
      add('once', `${MOST} × pg_restore + pg_dump`, { seconds: MOST * restore.seconds + dump.seconds, cpuSeconds: MOST * restore.cpuSeconds + dump.cpuSeconds })
      const drill = await measure(ours('verify', '--level', 'drill'), given, folder)
      add('once', 'Lifeboat', { ...cost(drill), peak: drill.peakOwn })
    }
  }

  /** pg_restore into an empty scratch server, and pg_dump from it, with the CPU time of the server. */
  async function reference(folder: string): Promise<Record<'restore' | 'dump', { seconds: number; cpuSeconds: number }>> {
    const temporary = path.join(folder, 'reference')
    const cluster = await startCluster({
      programs: localPrograms({ major: MAJOR, directory: programs }, variables), temporary, space: 1, superuser: 'postgres', locks: 3 * TABLES, variables, signal: new AbortController().signal,
    })
    try {
      const connection = onDatabase(cluster.connection, 'postgres')
      const env = { ...clientEnvironment(connection, variables), ...variables }
      const [scratch = ''] = readdirSync(temporary)
      const postmaster = Number(readFileSync(path.join(temporary, scratch, 'data/postmaster.pid'), 'utf8').split('\n')[0])
      const costOf = async (...command: string[]): Promise<{ seconds: number; cpuSeconds: number }> => {
        const before = cpuOf(postmaster)
        const { seconds, cpuSeconds } = await measure(command, env, folder)
        return { seconds, cpuSeconds: cpuSeconds + cpuOf(postmaster) - before }
      }
      const restore = await costOf('pg_restore', `--dbname=${connection.parameters}`, `${folder}/archive`)
      return { restore, dump: await costOf('pg_dump', '--format=custom', '--compress=0', `--dbname=${connection.parameters}`) }
    } finally {
      await cluster.close()
    }
  }
})
