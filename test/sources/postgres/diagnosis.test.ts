import { startChild } from '../../../src/process/child.ts'
import { clientEnvironment, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { diagnose, judge } from '../../../src/sources/postgres/diagnosis.ts'
import type { QueryContext } from '../../../src/sources/postgres/query.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
let server: Server
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  await server.sql(
    `CREATE TABLE orders (id int); CREATE TABLE "Odd name" (id int); CREATE SCHEMA billing; CREATE TABLE billing.invoices (id serial);
     CREATE TABLE tenants (id int); ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
     CREATE ROLE reader LOGIN PASSWORD 'reader-password'; GRANT SELECT ON orders, tenants TO reader;
     SELECT lo_from_bytea(0, 'x');`,
    'shop',
  )
})
afterAll(() => server.stop())

const context = (url: string): QueryContext => ({ connection: parseDatabaseUrl(url, variables), client, variables })
const at = () => `127.0.0.1:${server.port}`
const statesOf = (checks: ReturnType<typeof judge>): Record<string, string> => Object.fromEntries(checks.map(({ check, state }) => [check, state]))

test('for a superuser all is well, but that the connection is in the clear', async () => {
  const facts = await diagnose(context(server.url('shop')))
  expect(facts).toMatchObject({ user: 'postgres', unreadableLargeObjects: 0, unreadable: [], hidden: [], locks: [], tls: null, local: false, port: server.port, standby: false, pooled: false })
  expect(facts.size).toBeGreaterThan(1e6)
  expect(statesOf(judge('shop', facts, at(), server.port, false))).toEqual({ connection: 'good', encryption: 'warning', session: 'good', connections: 'good', privileges: 'good', 'row security': 'good', locks: 'good', size: 'good' })
})

test('tables that a role may not read, or that row security hides rows of, are named', async () => {
  const facts = await diagnose(context(server.url('shop', 'reader', 'reader-password')))
  expect(facts).toMatchObject({ unreadable: ['billing.invoices', 'billing.invoices_id_seq', 'public."Odd name"'], hidden: ['public.tenants'], unreadableLargeObjects: 1 })
  const checks = judge('shop', facts, at(), server.port, false)
  expect(statesOf(checks)).toMatchObject({ privileges: 'bad', 'row security': 'bad', 'large objects': 'bad' })
  expect(checks.find(({ check }) => check === 'privileges')).toMatchObject({ says: expect.stringContaining('public."Odd name"'), fix: 'GRANT pg_read_all_data TO reader' })
})

test('large objects that a role may not read are a problem until the fix has been run, and not where it is granted them or the server checks none', async () => {
  await server.createDatabase('objects')
  await server.sql(`GRANT pg_read_all_data TO reader; CREATE ROLE keeper; GRANT keeper TO reader; CREATE ROLE other; SELECT lo_create(id) FROM generate_series(1, 6) id;
    ALTER LARGE OBJECT 1 OWNER TO keeper; GRANT SELECT ON LARGE OBJECT 2 TO PUBLIC; GRANT SELECT ON LARGE OBJECT 3 TO keeper; GRANT UPDATE ON LARGE OBJECT 4 TO reader;
    GRANT SELECT ON LARGE OBJECT 5 TO other; ALTER LARGE OBJECT 6 OWNER TO keeper; REVOKE SELECT ON LARGE OBJECT 6 FROM keeper`, 'objects')
  const url = server.url('objects', 'reader', 'reader-password')
  const readable = (await server.sql(`SET ROLE reader;\n\\set ON_ERROR_STOP off\n${[1, 2, 3, 4, 5, 6].map((id) => `SELECT ${id} WHERE lo_get(${id}) IS NOT NULL;`).join('\n')}`, 'objects')).trim()
  expect(readable).toBe('1\n2\n3')
  const found = async () => judge('objects', await diagnose(context(url)), at(), server.port, false).find(({ check }) => check === 'large objects')
  const problem = await found()
  expect(problem).toMatchObject({ state: 'bad', says: 'the role reader may not read 3 large objects' })
  await server.sql('ALTER ROLE reader SET lo_compat_privileges = on')
  expect(await found()).toBeUndefined()
  await server.sql('ALTER ROLE reader RESET lo_compat_privileges')
  await server.sql(/SELECT format.*gexec/.exec(problem!.fix!)![0], 'objects')
  expect(await found()).toBeUndefined()
})

test('a table that another session has locked is named, and asking does not wait for it', async () => {
  const { connection } = context(server.url('shop'))
  const holder = startChild(`${client.directory}/psql`, ['-X', '-q', '-A', '-t', '-w'], { environment: clientEnvironment(connection, variables) })
  const output = holder.stdout[Symbol.asyncIterator]()
  await holder.write(Buffer.from("BEGIN; LOCK TABLE orders; SELECT 'locked';\n"))
  expect((await output.next()).value?.toString()).toContain('locked')
  const facts = await diagnose(context(server.url('shop')))
  await holder.stop()
  expect(facts.locks).toEqual([{ table: 'public.orders', pid: expect.any(Number), seconds: expect.any(Number) }])
  expect(judge('shop', facts, at(), server.port, false)).toContainEqual(expect.objectContaining({ check: 'locks', state: 'warning', says: expect.stringMatching(/^public\.orders has been locked for/) }))
})

test('too few connections for a backup are a problem, and few a warning, with the limit that leaves them', async () => {
  await server.sql("CREATE ROLE few LOGIN PASSWORD 'few-password' CONNECTION LIMIT 2; CREATE DATABASE narrow CONNECTION LIMIT 3")
  const found = async (database: string) => judge(database, await diagnose(context(server.url(database, 'few', 'few-password'))), at(), server.port, false).find(({ check }) => check === 'connections')
  expect(await found('shop')).toMatchObject({ state: 'warning', says: 'the role may have 2 connections now, by the CONNECTION LIMIT of the role, and a backup needs 2' })
  await server.sql('ALTER ROLE few CONNECTION LIMIT -1')
  expect(await found('shop')).toMatchObject({ state: 'good', says: expect.stringMatching(/^\d+ are free$/) })
  expect(await found('narrow')).toMatchObject({ state: 'warning', says: expect.stringMatching(/^the role may have 3 connections now, by the CONNECTION LIMIT of the database,/) })
  const facts = await diagnose(context(server.url('shop')))
  const nearlyTaken = { ...facts, connections: { server: 1, role: null, database: 50 } }
  // A pooler has connections that it shares: the second session got one.
  expect(statesOf(judge('shop', nearlyTaken, at(), server.port, false))).toMatchObject({ connections: 'warning' })
  expect(judge('shop', { ...nearlyTaken, single: true }, at(), server.port, false)).toContainEqual(expect.objectContaining({ check: 'connections', state: 'bad', says: 'the role may have 1 connection now, by max_connections, and a backup needs 2' }))
})

test('through a socket nobody can listen', async () => {
  const url = `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}&user=postgres&password=${encodeURIComponent(server.password)}`
  expect(statesOf(judge('shop', await diagnose(context(url)), at(), server.port, false))).toMatchObject({ encryption: 'good', session: 'good' })
})

test('a pooler in transaction mode is a problem, and another port than the server knows of a warning', async () => {
  const facts = await diagnose(context(server.url('shop')))
  expect(statesOf(judge('shop', { ...facts, pooled: true, direct: 'db:5432' }, at(), server.port, false))).toMatchObject({ session: 'bad' })
  expect(statesOf(judge('shop', facts, at(), server.port + 1, false))).toMatchObject({ session: 'warning' })
  expect(statesOf(judge('shop', { ...facts, standby: true, tls: 'TLSv1.3' }, at(), server.port, false))).toMatchObject({ standby: 'warning', encryption: 'good' })
  expect(statesOf(judge('shop', facts, at(), server.port, true))).toMatchObject({ encryption: 'good' })
})
