// npm run bench:streams -- [megabytes of a table] [rounds] [MB/s]: a first backup of four equal tables behind a link with a limit for each connection (20 MB/s), by
// one pg_dump and by four, in turn.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { clientDirectory, startServer } from '../test/support/postgres-server.ts'
import { startTcpProxy } from '../test/support/tcp-proxy.ts'
import { measure, type Measurement } from './measure.ts'
import { median } from './statistics.ts'

/** Bytes a second of each connection. */
const LINK = Number(process.argv[4] ?? 20) * 1e6
/** Bytes of a row in the archive, about. */
const ROW = 245
const [megabytes, rounds] = [Number(process.argv[2] ?? 150), Number(process.argv[3] ?? 3)]
const lifeboat = path.join(import.meta.dirname, '../dist/cli.js')
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-bench-'))
const { identity } = await newIdentity()
const server = await startServer(17, { settings: { autovacuum: 'off', wal_level: 'minimal', max_wal_senders: '0' } })
const proxy = await startTcpProxy(server.port)
try {
  await server.createDatabase('shop')
  for (let table = 1; table <= 4; table++) {
    await server.sql(
      `CREATE TABLE t${table} AS SELECT i, md5((i * ${table})::text) || md5((i * 3)::text) || repeat(md5((i / 40)::text), 5) AS filler
       FROM generate_series(1, ${Math.round((megabytes * 1e6) / ROW)}) AS i`,
      'shop',
    )
  }
  await server.sql('ANALYZE', 'shop')
  proxy.slow(LINK, 0)
  const environment = {
    ...process.env, PATH: [clientDirectory(17), process.env['PATH']].join(path.delimiter), TMPDIR: folder, LIFEBOAT_ENCRYPTION_KEY: identity,
    DATABASE_URL: server.url('shop').replace(`:${server.port}/`, `:${proxy.port}/`),
  }
  const backup = (jobs: number, round: number): Promise<Measurement> => {
    const store = path.join(folder, `store-${jobs}-${round}`)
    const command = [process.execPath, lifeboat, 'backup', '--create', '--dump-jobs', `${jobs}`, '--verify', 'none', '--set', 'shop', '--destination', `file:${store}`]
    return measure(command, environment, folder).finally(() => rmSync(store, { recursive: true, force: true }))
  }
  const ratios: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const [one, four] = [await backup(1, round), await backup(4, round)]
    ratios.push(one.seconds / four.seconds)
    const memory = Math.round(Math.max(one.peakOwn, four.peakOwn) / 1024 / 1024)
    console.log(
      `round ${round}: one pg_dump ${one.seconds.toFixed(1)} s, four ${four.seconds.toFixed(1)} s: ${ratios.at(-1)!.toFixed(2)} times as fast; ` +
        `CPU ${one.cpuSeconds.toFixed(1)} and ${four.cpuSeconds.toFixed(1)} s, at most ${memory} MiB; load ${os.loadavg()[0]!.toFixed(1)}`,
    )
  }
  console.log(`4 streams are ${median(ratios).toFixed(2)} times as fast (median of ${rounds}; 3.3 are asked for)`)
} finally {
  await proxy.close()
  await server.stop()
  rmSync(folder, { recursive: true })
}
