// npm run bench:streams -- [--rounds 3] [--megabytes 1500] [--tables 40] [--write]: a first backup of so many equal tables behind a link that gives each connection
// 20 MB/s, by one pg_dump, by four, and by four with the fast level, in turn.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { startTcpProxy } from '../test/support/tcp-proxy.ts'
import { bench, cost } from './harness.ts'
import { measure } from './measure.ts'

/** Bytes a second of each connection. */
const LINK = 20e6
/** Bytes of a row in the archive, about. */
const ROW = 245

await bench({ megabytes: 1500, tables: 40 }, ({ rounds, megabytes, tables, work, lifeboat, environment, server: start, table }) => table('streams', async (add) => {
  const server = await start({ wal_level: 'minimal', max_wal_senders: '0' })
  const proxy = await startTcpProxy(server.port)
  try {
    await server.createDatabase('shop')
    for (let number = 1; number <= tables; number++) {
      await server.sql(
        `CREATE TABLE t${number} AS SELECT i, md5((i * ${number})::text) || md5((i * 3)::text) || repeat(md5((i / 40)::text), 5) AS filler
         FROM generate_series(1, ${Math.round((megabytes * 1e6) / tables / ROW)}) AS i`,
        'shop',
      )
    }
    await server.sql('ANALYZE', 'shop')
    proxy.slow(LINK, 0)
    const variables = { ...environment, DATABASE_URL: server.url('shop').replace(`:${server.port}/`, `:${proxy.port}/`) }
    for (let round = 1; round <= rounds; round++) {
      // With the fast level, less of it waits for the cores that the server and the link use as well.
      for (const [jobs, level] of [[1], [4], [4, 'fast']] as const) {
        const store = path.join(work, `store-${jobs}-${level}-${round}`)
        const given = ['--dump-jobs', `${jobs}`, ...(level ? ['--compression-level', level] : []), '--verify', 'none', '--set', 'shop', '--destination', `file:${store}`]
        const program = `Lifeboat, dump-jobs ${jobs}${level ? `, ${level}` : ''}`
        add(`${tables} tables, ${megabytes} MB in all`, program, cost(await measure([process.execPath, lifeboat, 'backup', '--create', ...given], variables, work)))
        rmSync(store, { recursive: true, force: true })
      }
    }
  } finally {
    await proxy.close()
  }
}))
