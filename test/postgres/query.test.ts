import { connectionFromVariables, onDatabase, parseDatabaseUrl } from '../../src/postgres/connection.ts'
import { readServerFacts } from '../../src/postgres/facts.ts'
import { execute, identifier, literal, type QueryContext } from '../../src/postgres/query.ts'
import { clientDirectory, type Server, startServer } from '../support/postgres-server.ts'

const variables = { PATH: process.env.PATH ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
let server: Server
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('my app')
})
afterAll(() => server.stop())

const context = (url: string): QueryContext => ({ connection: parseDatabaseUrl(url, variables), client, variables })
const password = () => encodeURIComponent(server.password)

test.each<[string, () => string]>([
  ['host and port', () => `postgres://postgres:${password()}@127.0.0.1:${server.port}/my%20app`],
  ['a socket directory in the query', () => `postgresql:///my%20app?host=${server.socketDirectory}&port=${server.port}&user=postgres&password=${password()}`],
  ['a socket directory as the host', () => `postgres://postgres:${password()}@${encodeURIComponent(server.socketDirectory)}:${server.port}/my%20app`],
  ['several hosts, the first of them dead', () => `postgres://postgres:${password()}@127.0.0.1:1,127.0.0.1:${server.port}/my%20app?target_session_attrs=read-write`],
  ['parameters with and without a variable', () => `${server.url('my app')}?sslmode=prefer&options=-c%20work_mem%3D7MB&keepalives_idle=30&tcp_user_timeout=60000&connect_timeout=9`],
])('%s in a URL reach the database', async (_, url) => {
  expect(await execute('SELECT current_database()', context(url()))).toBe('my app\n')
})

test('options of a URL are in force', async () => {
  expect(await execute('SHOW work_mem', context(`${server.url('my app')}?options=-c%20work_mem%3D7MB`))).toBe('7MB\n')
})

test('variables alone reach the database, and the same connection another one', async () => {
  const connection = connectionFromVariables({
    PGHOST: server.host, PGPORT: String(server.port), PGUSER: 'postgres', PGPASSWORD: server.password, PGDATABASE: 'my app' })
  expect(await execute('SELECT current_database()', { connection, client, variables })).toBe('my app\n')
  expect(await execute('SELECT current_database()', { connection: onDatabase(connection, 'template1'), client, variables })).toBe('template1\n')
})

test('the first error ends a script', async () => {
  await expect(execute('SELECT 1/0; CREATE TABLE never (id int)', context(server.url('my app')))).rejects.toThrow('division by zero')
  expect(await server.sql(`SELECT count(*) FROM pg_class WHERE relname = 'never'`, 'my app')).toBe('0')
})

test('texts and names are quoted whatever is in them', async () => {
  const text = `it's "a" \\ back $1 é`
  expect(await execute(`SET standard_conforming_strings = off; SELECT ${literal(text)} AS ${identifier(text)}`, context(server.url('my app')))).toBe(`${text}\n`)
})

test('facts are read without waiting for a locked table', async () => {
  await server.sql('CREATE TABLE busy (id int)', 'my app')
  const holding = server.sql(`BEGIN; LOCK TABLE busy; SELECT pg_sleep(100)`, 'my app').catch(() => 'ended by us below')
  try {
    const locked = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'busy'::regclass`
    while ((await server.sql(locked, 'my app')) === '0');
    expect((await readServerFacts(context(server.url('my app')))).tables).toEqual([expect.objectContaining({ name: 'busy' })])
  } finally {
    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)%' AND pid <> pg_backend_pid()`)
    await holding
  }
})
