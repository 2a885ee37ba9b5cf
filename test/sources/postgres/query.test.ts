import { readFileSync } from 'node:fs'
import path from 'node:path'
import { connectionFromVariables, onDatabase, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { readTables } from '../../../src/sources/postgres/facts.ts'
import { change, identifier, literal, query, type QueryContext, withoutTransaction } from '../../../src/sources/postgres/query.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'

const variables = { PATH: process.env.PATH ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
let server: Server
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('my app')
})
afterAll(() => server.stop())

const context = (url: string): QueryContext => ({ connection: parseDatabaseUrl(url, variables), client, variables })
const asked = async (...parameters: Parameters<typeof query>): Promise<string> => (await query(...parameters)).toString()
const password = () => encodeURIComponent(server.password)

test.each<[string, () => string]>([
  ['host and port', () => `postgres://postgres:${password()}@127.0.0.1:${server.port}/my%20app`],
  ['a socket directory in the query', () => `postgresql:///my%20app?host=${server.socketDirectory}&port=${server.port}&user=postgres&password=${password()}`],
  ['a socket directory as the host', () => `postgres://postgres:${password()}@${encodeURIComponent(server.socketDirectory)}:${server.port}/my%20app`],
  ['several hosts, the first of them dead', () => `postgres://postgres:${password()}@127.0.0.1:1,127.0.0.1:${server.port}/my%20app?target_session_attrs=read-write`],
  ['parameters with and without a variable', () => `${server.url('my app')}?sslmode=prefer&options=-c%20work_mem%3D7MB&keepalives_idle=30&tcp_user_timeout=60000&connect_timeout=9`],
])('%s in a URL reach the database', async (_, url) => {
  expect(await asked('SELECT pg_catalog.current_database()', context(url()))).toBe('my app\n')
})

test('options of a URL are in force', async () => {
  expect(await asked('SHOW work_mem', context(`${server.url('my app')}?options=-c%20work_mem%3D7MB`))).toBe('7MB\n')
})

test('variables alone reach the database, and the same connection another one', async () => {
  const connection = connectionFromVariables({
    PGHOST: server.host, PGPORT: String(server.port), PGUSER: 'postgres', PGPASSWORD: server.password, PGDATABASE: 'my app' })
  expect(await asked('SELECT pg_catalog.current_database()', { connection, client, variables })).toBe('my app\n')
  expect(await asked('SELECT pg_catalog.current_database()', { connection: onDatabase(connection, 'template1'), client, variables })).toBe('template1\n')
})

test('an error leaves nothing of its transaction', async () => {
  await expect(change(['CREATE TABLE public.never (id int)', 'SELECT 1/0'], context(server.url('my app')))).rejects.toThrow('division by zero')
  expect(await server.sql(`SELECT count(*) FROM pg_class WHERE relname = 'never'`, 'my app')).toBe('0')
})

test('texts and names are quoted whatever is in them', async () => {
  const text = `it's "a" \\ back $1 é`
  expect(await asked(['SET LOCAL standard_conforming_strings = off', `SELECT ${literal(text)} AS ${identifier(text)}`], context(server.url('my app')))).toBe(`${text}\n`)
})

test('the tables are read without waiting for a locked table', async () => {
  await server.sql('CREATE TABLE busy (id int)', 'my app')
  const holding = server.sql(`BEGIN; LOCK TABLE busy; SELECT pg_sleep(100)`, 'my app').catch(() => 'ended by us below')
  try {
    const locked = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'busy'::regclass`
    while ((await server.sql(locked, 'my app')) === '0');
    expect(await readTables(context(server.url('my app')))).toEqual([expect.objectContaining({ name: 'busy' })])
  } finally {
    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)%' AND pid <> pg_backend_pid()`)
    await holding
  }
})

test('nothing of a query stays in its session, and a query that reads cannot write', async () => {
  const at = context(server.url('my app'))
  const settings = `SELECT pg_catalog.concat_ws(' ', pg_catalog.current_setting('search_path'), pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('client_encoding'))`
  const outside = await withoutTransaction(settings, at)
  expect(await asked(settings, at)).toBe('pg_catalog, pg_temp 5min UTF8\n')
  expect((await withoutTransaction(['BEGIN', 'SET LOCAL search_path = pg_catalog', 'COMMIT', settings], at)).toString()).toBe(outside.toString())
  await expect(asked('CREATE TABLE public.never (id int)', at)).rejects.toThrow('read-only transaction')
})

test('a text that psql would take for a command of its own, or that no argument can hold, is not run', async () => {
  for (const text of ['\\! id', ' SELECT 1', '', `SELECT '${'x'.repeat(128 * 1024)}'`]) {
    await expect(query(text, context(server.url('my app')))).rejects.toThrow(/not a statement|too long for an argument/)
  }
})

describe('on the server too', () => {
  const sleep = 'SELECT pg_catalog.pg_sleep(3600)'
  const running = () => server.sql(`SELECT count(*) FROM pg_stat_activity WHERE query = '${sleep}' AND state = 'active'`)

  test('an interrupted query is cancelled', async () => {
    const stop = new AbortController()
    const sleeping = query(sleep, { ...context(server.url('my app')), signal: stop.signal }).catch((error: unknown) => error)
    while ((await running()) === '0');
    stop.abort(new Error('stopped by the test'))
    expect(await sleeping).toMatchObject({ message: 'stopped by the test' })
    expect(await running()).toBe('0')
    expect(readFileSync(path.join(server.socketDirectory, 'log'), 'utf8')).toContain('canceling statement due to user request')
  })

  test('a query that takes too long is cancelled', async () => {
    await expect(query(sleep, { ...context(server.url('my app')), timeLimit: 1000 })).rejects.toThrow('did not answer within 1.0 s')
    expect(await running()).toBe('0')
  })
})

test('names of a database without an encoding are read as they are', async () => {
  for (const encoding of ['SQL_ASCII', 'MULE_INTERNAL']) {
    await server.sql(`CREATE DATABASE "${encoding}" TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`)
    const at = context(server.url(encoding))
    // MULE_INTERNAL writes é of Latin 1 as 81 E9.
    const name = encoding === 'SQL_ASCII' ? `Caf\\351 \\303\\251` : `Caf\\201\\351`
    await change(`DO $make$ BEGIN EXECUTE pg_catalog.format('CREATE TABLE public.%I (id pg_catalog.int4)', E'${name}'); END $make$`, at)
    const tables = await readTables(at)
    expect(tables.map(({ name }) => name)).toEqual([encoding === 'SQL_ASCII' ? 'Caf\\xE9 é' : 'Caf\\x81\\xE9'])
  }
})
