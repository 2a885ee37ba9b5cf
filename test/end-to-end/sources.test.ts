import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { clientDirectory } from '../support/client-programs.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { contentOf, expectFailure, expectNoBackup, type Given, holding, mounting, Sandbox } from './sandbox.ts'
import { until } from '../support/until.ts'

let server: Server
let sandbox: Sandbox
let before: Record<string, string>
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql(
    `CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) AS filler FROM generate_series(1, 9000) i; CREATE SEQUENCE numbers;
     CREATE ROLE reader LOGIN PASSWORD 'reads only'; GRANT SELECT ON big TO reader; CREATE TABLE closed AS SELECT 1 AS id`,
    'shop',
  )
  await server.createDatabase('accounts')
  await server.sql('CREATE TABLE accounts AS SELECT g AS id, md5(g::text) FROM generate_series(1, 500) g', 'accounts')
  sandbox = await Sandbox.open(server.url('shop'))
  await sandbox.backup()
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})
beforeEach(() => (before = contentOf(sandbox.store)))
const both = ['terminal', 'action'] as const

async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('not a port')
  return address.port
}

/** Backs up until pg_dump has written every table and waits for a sequence, does something then, and lets it go on. */
async function inMidDump(given: Given, act: (pgDump: number) => Promise<void>): ReturnType<Sandbox['run']> {
  const lock = await holding(server, 'shop', 'ALTER SEQUENCE numbers RENAME TO renamed')
  const run = sandbox.start('backup', given)
  await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock' AND query LIKE '%FROM public.numbers%'`)) === '1')
  const [dump, ...more] = sandbox.processes().filter((line) => line.includes('--format=custom'))
  expect(more).toEqual([])
  await act(Number.parseInt(dump!, 10))
  await lock.letGo()
  return run.ended
}

describe.each(both)('a source that is out of reach (%s)', (as) => {
  test.each<[what: string, url: () => string | Promise<string>, message: RegExp, hint: RegExp]>([
    ['a wrong password', () => server.url('shop', 'postgres', 'wr0ng/pass'), /127\.0\.0\.1:\d+\/shop refused the password of user "postgres"/, /percent-encoded/],
    ['an unknown host', () => 'postgres://me:wr0ng%2Fpass@no-such-host.invalid/shop', /unknown host "no-such-host\.invalid"/, /Check the host of the URL/],
    ['a port that nobody listens on', async () => `postgres://me:wr0ng%2Fpass@127.0.0.1:${await closedPort()}/shop`, /cannot connect to 127\.0\.0\.1:\d+\/shop: connection refused/, /No server listens there/],
    ['an unknown database', () => server.url('shoop'), /there is no database "shoop" at 127\.0\.0\.1/, /Check the end of the URL/],
    ['a socket that is not there', () => `postgres://me@/shop?host=${encodeURIComponent(sandbox.temporary)}`, /there is no such socket/, /socket directory/],
    ['encryption that the server does not offer', () => `${server.url('shop')}?sslmode=require`, /does not offer encryption, and the URL requires it/, /Enable SSL/],
  ])('%s', async (_, url, message, hint) => {
    const ending = await sandbox.run('backup', { 'database-url': await url() }, { as })
    expectFailure(ending, 1, message, hint)
    expect(JSON.stringify(ending)).not.toMatch(/wr0ng(?:\/|%2F)pass/)
    expect(contentOf(sandbox.store)).toEqual(before)
  })

  test('the first of several databases is fine, another is not: none is backed up', async () => {
    const ending = await sandbox.run('backup', { 'database-url': `${server.url('accounts')}\n${server.url('shoop')}` }, { as })
    expectFailure(ending, 1, /there is no database "shoop"/, /Check the end of the URL/)
    expect(contentOf(sandbox.store)).toEqual(before)
  })
})

/** The client programs of the distribution are hidden, except those of 15. */
const only15 = (folder: string): string[] =>
  mounting('mount --rbind "$1" "$2/15"; [ ! -d /usr/lib/postgresql ] || mount --rbind "$2" /usr/lib/postgresql', path.dirname(clientDirectory(15)), folder)

describe('a server newer than every client', () => {
  let newer: Server
  let distribution: string
  beforeAll(async () => {
    newer = await startServer(18)
    await newer.createDatabase('shop')
    distribution = path.join(sandbox.folder, 'distribution')
    mkdirSync(path.join(distribution, '15'), { recursive: true })
  })
  afterAll(() => newer.stop())

  test.each(both)('is refused with the package to install (%s)', async (as) => {
    const variables = { PATH: `${sandbox.folder}/bin:${clientDirectory(15)}:/usr/bin:/bin` }
    const ending = await sandbox.run('backup', { 'database-url': newer.url('shop'), 'client-install': 'never' }, { as, variables, under: only15(distribution) })
    expectFailure(ending, 1, /the server is PostgreSQL 18, and no pg_dump here is that new: found 15 in \S*\/15\/bin/, /sudo apt-get install -y postgresql-client-18/)
    expect(contentOf(sandbox.store)).toEqual(before)
  })

  test('is backed up where its client is, and a machine without it can say so when it verifies, with status 3', async () => {
    const made = await sandbox.backup({ 'database-url': newer.url('shop'), set: 'newer' })
    const variables = { PATH: `${sandbox.folder}/bin:${clientDirectory(15)}:/usr/bin:/bin` }
    const options = { variables, under: only15(distribution) }
    const verified = await sandbox.run('verify', { set: 'newer', json: 'true', 'client-install': 'never' }, options)
    expect(JSON.parse(verified.out)).toMatchObject({ snapshot: made.snapshot, result: 'could not verify', problems: [expect.stringContaining('the archive was made by pg_dump 18, and no pg_restore here is that new')] })
    expect(verified.status).toBe(3)
    expectFailure(await sandbox.run('restore', { set: 'newer', 'database-url': server.url('brand_new'), mode: 'create', 'client-install': 'never' }, options), 3, /could not be verified, so nothing was restored: .*no pg_restore here is that new/, /./)
    expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'brand_new'`)).toBe('0')
  })

  test('a machine without any client is told what to install', async () => {
    const variables = { PATH: `${sandbox.folder}/bin:/usr/bin:/bin` }
    const under = mounting('[ ! -d /usr/lib/postgresql ] || mount -t tmpfs none /usr/lib/postgresql')
    expectFailure(await sandbox.run('backup', { 'client-install': 'never' }, { variables, under }), 1, /no PostgreSQL client programs \(pg_dump, pg_dumpall, pg_restore, psql\) were found/, /apt-get install -y postgresql-client/)
    expect(contentOf(sandbox.store)).toEqual(before)
  })
})

describe('a dump that ends badly', () => {
  afterEach(async () => {
    expectNoBackup(sandbox.store, before)
    await sandbox.backup({ verify: 'read' })
  })
  afterAll(() => sandbox.expectHealthy())

  test.each(both)('permission is denied on one table (%s)', async (as) => {
    const ending = await sandbox.run('backup', { 'database-url': server.url('shop', 'reader', 'reads only') }, { as })
    expectFailure(ending, 1, /permission denied for table closed at 127\.0\.0\.1:\d+\/shop/, /GRANT pg_read_all_data/)
  })

  test.each(both)('a table stays locked (%s)', async (as) => {
    const lock = await holding(server, 'shop', 'LOCK TABLE closed')
    const ending = await sandbox.run('backup', { 'lock-timeout': '1s' }, { as })
    await lock.letGo()
    expectFailure(ending, 1, /a table at 127\.0\.0\.1:\d+\/shop stayed locked by another session for longer than (?:--|the input )lock-timeout.*public\.closed/, /raise (?:--|the input )lock-timeout/)
  })

  test('the connection is cut in mid-dump', async () => {
    const ending = await inMidDump({}, async () => void (await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'`)))
    expectFailure(ending, 1, /the connection to 127\.0\.0\.1:\d+\/shop was cut/, /look into its log and try again/)
  })

  test('the connection is cut in mid-dump of the second of two databases', async () => {
    const both = { 'database-url': `${server.url('accounts')}\n${server.url('shop')}` }
    const ending = await inMidDump(both, async () => void (await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'`)))
    expectFailure(ending, 1, /the connection to 127\.0\.0\.1:\d+\/shop was cut/, /look into its log and try again/)
  })

  test.each([
    ['SIGKILL', /dumping 127\.0\.0\.1:\d+\/shop: pg_dump was ended by SIGKILL/],
    ['SIGTERM', /dumping 127\.0\.0\.1:\d+\/shop: pg_dump ended with exit status 1\npg_dump: terminated by user/],
  ] as const)('pg_dump is ended by %s in mid-dump', async (signal, message) => {
    const ending = await inMidDump({}, async (pid) => void process.kill(pid, signal))
    expectFailure(ending, 1, message, /memory/)
  })
})
