import { LifeboatError } from '../../../src/error.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { diagnose, judge } from '../../../src/sources/postgres/diagnosis.ts'
import { detectPooler, directServer, requireSession, sharesProcesses } from '../../../src/sources/postgres/pooler.ts'
import { query, withoutTransaction } from '../../../src/sources/postgres/query.ts'
import { PostgresSource } from '../../../src/sources/postgres/source.ts'
import { type Pgbouncer, startPgbouncer } from '../../support/pgbouncer.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { quiet } from '../../support/quiet.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
let server: Server
beforeAll(async () => {
  server = await startServer(17, { auth: 'trust' })
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE acc (id int)', 'shop')
})
afterAll(() => server.stop())

const context = (url: string) => ({ connection: parseDatabaseUrl(url, variables), client, variables })
const sourceOf = (url: string, allowPooler: boolean) =>
  new PostgresSource({ name: 'shop', connection: parseDatabaseUrl(url, variables), programs: () => ({ clients: [client] }), dumpArguments: [], lockTimeout: 60_000, allowPooler, signal: new AbortController().signal, report: quiet, variables })

async function backUp(source: PostgresSource): Promise<void> {
  try {
    await source.open()
    for await (const { bytes } of source.streams()) for await (const _ of bytes);
  } finally {
    await source.close()
  }
}

async function through(settings: Record<string, string>, work: (pooler: Pgbouncer) => Promise<void>): Promise<void> {
  const pooler = await startPgbouncer(server, settings)
  try {
    await work(pooler)
  } finally {
    await pooler.stop()
  }
}

test.each(['1', '2', '20'])('a pooler in transaction mode with a pool of %s is refused, with the server to use instead, and keeps its sessions as they were', (size) =>
  through({ pool_mode: 'transaction', default_pool_size: size }, async (pooler) => {
    await expect(backUp(sourceOf(pooler.url('shop'), false))).rejects.toMatchObject({
      message: `127.0.0.1:${pooler.port}/shop is a pooler in transaction mode: what pg_dump sets in a session would stay there for other clients`,
      hint: expect.stringContaining(`127.0.0.1:${server.port} in place of 127.0.0.1:${pooler.port}`),
    })
    for (let session = 0; session < 5; session++) {
      await expect(sessionOf(pooler)).resolves.toBe('0')
    }
  }))

/** The result for an application whose tables are in its search_path. */
const sessionOf = async (pooler: Pgbouncer): Promise<string> => (await withoutTransaction('SELECT count(*) FROM acc', context(pooler.url('shop')))).toString().trim()

test('a query of ours leaves nothing in a pooled session', () =>
  through({ pool_mode: 'transaction', default_pool_size: '1' }, async (pooler) => {
    await query('SELECT pg_catalog.pg_backend_pid()', context(pooler.url('shop')))
    await expect(sessionOf(pooler)).resolves.toBe('0')
  }))

test('a pooler that resets its sessions is accepted where that is asked for', () =>
  through({ pool_mode: 'transaction', server_reset_query_always: '1' }, async (pooler) => {
    await backUp(sourceOf(pooler.url('shop'), true))
    await expect(sessionOf(pooler)).resolves.toBe('0')
  }))

test('a pooler in session mode is as good as the server, however small its pool is', () =>
  through({ pool_mode: 'session', default_pool_size: '2' }, async (pooler) => {
    await backUp(sourceOf(pooler.url('shop'), false))
    await expect(sessionOf(pooler)).resolves.toBe('0')
  }))

test('a server with a single free connection answers for that one', async () => {
  await server.sql("CREATE ROLE single LOGIN CONNECTION LIMIT 1")
  expect(await detectPooler(context(`postgres://single@127.0.0.1:${server.port}/shop`))).toEqual({ pooled: false, single: true })
})

test('a pooler in session mode that has one server connection to give answers for that one', () =>
  through({ pool_mode: 'session', default_pool_size: '1', query_wait_timeout: '1' }, async (pooler) => {
    const facts = await diagnose(context(pooler.url('shop')))
    expect(facts).toMatchObject({ pooled: false, single: true })
    expect(judge('shop', facts, 'db:5432', pooler.port, false)).toContainEqual(expect.objectContaining({ check: 'connections', state: 'warning', says: 'a second session got no connection' }))
  }))

test('after any other failure of the second session the first answers for itself, and the cause is known', async () => {
  const at = context(`postgres://postgres@127.0.0.1:${server.port}/shop`)
  let asked = 0
  // The parameters of the second session are refused by the server.
  const second = { ...at.connection, get parameters() { return asked++ === 0 ? at.connection.parameters : `${at.connection.parameters} options='-c no.such=1 -c work_mem=none'` } }
  const answer = await detectPooler({ ...at, connection: second })
  expect(answer).toEqual({ pooled: false, partial: expect.stringContaining('work_mem') })
  asked = 0
  const reasons: string[] = []
  await requireSession({ ...at, connection: second }, (reason) => reasons.push(reason))
  expect(reasons).toEqual([answer.partial])
  const checks = judge('shop', { ...(await diagnose(at)), ...answer }, at.connection.server, server.port, false)
  expect(checks).toContainEqual(expect.objectContaining({ check: 'session', state: 'warning', says: expect.stringContaining('work_mem') }))
})

test('an interruption during the second session is no answer', async () => {
  const at = context(`postgres://postgres@127.0.0.1:${server.port}/shop`)
  const stop = new AbortController()
  let asked = 0
  const second = { ...at.connection, get parameters() {
    if (asked++ > 0) stop.abort(new LifeboatError('interrupted'))
    return at.connection.parameters
  } }
  await expect(detectPooler({ ...at, connection: second, signal: stop.signal })).rejects.toThrow('interrupted')
})

test('a backup goes on after such a failure, with one warning that names the cause, also if it opens its source twice', async () => {
  const warnings: string[] = []
  const at = parseDatabaseUrl(`postgres://postgres@127.0.0.1:${server.port}/shop`, variables)
  const report = { ...quiet, warning: (message: string) => void warnings.push(message) }
  for (let opened = 0; opened < 2; opened++) {
    let asked = 0
    const failing = { ...at, get parameters() { return ++asked === 2 ? `${at.parameters} options='-c work_mem=none'` : at.parameters } }
    const source = new PostgresSource({ name: 'shop', connection: failing, programs: () => ({ clients: [client] }), dumpArguments: [], lockTimeout: 60_000, allowPooler: false, signal: new AbortController().signal, report, variables })
    await backUp(source)
  }
  expect(warnings).toEqual([expect.stringMatching(/^shop: the check for a pooler is partial, because a second session failed: .*work_mem/s)])
})

test('a pooler in statement mode is told as well', () =>
  through({ pool_mode: 'statement' }, async (pooler) => {
    expect(await detectPooler(context(pooler.url('shop')))).toMatchObject({ pooled: true })
    await expect(query('SELECT 1', context(pooler.url('shop')))).rejects.toThrow('pooler in transaction mode, or in statement mode')
  }))

test('doctor names it, and the server to use instead', () =>
  through({ pool_mode: 'transaction' }, async (pooler) => {
    const at = context(pooler.url('shop'))
    const checks = judge('shop', await diagnose(at), at.connection.server, pooler.port, false)
    expect(checks).toContainEqual(expect.objectContaining({ check: 'session', state: 'bad', fix: expect.stringContaining(`with 127.0.0.1:${server.port} in place of`) }))
  }))

const session = (process: string, ...times: number[]) => times.map((time) => ({ process, time }))

test('sessions at the same time that share a process are pooled, one after the other they are not', () => {
  expect(sharesProcesses([session('1', 0, 5), session('2', 1, 6)])).toBe(false)
  expect(sharesProcesses([session('1', 0, 5), session('1', 6, 9)])).toBe(false)
  expect(sharesProcesses([session('1', 0, 5), session('1', 4, 9)])).toBe(true)
  expect(sharesProcesses([[...session('1', 0), ...session('2', 1)], []])).toBe(true)
  expect(sharesProcesses([[], []])).toBe(false)
})

test.each([
  ['postgres://u:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres', undefined, 'aws-0-eu-central-1.pooler.supabase.com:5432'],
  ['postgres://u:p@ep-cool-name-123-pooler.eu-central-1.aws.neon.tech/db', undefined, 'ep-cool-name-123.eu-central-1.aws.neon.tech:5432'],
  ['postgres://u:p@db-do-user-1.b.db.ondigitalocean.com:25061/db', undefined, 'db-do-user-1.b.db.ondigitalocean.com:25060'],
  ['postgres://u:p@bouncer:6432/db', { address: '10.0.0.5', port: 5432 }, '10.0.0.5:5432'],
  ['postgres://u:p@bouncer:6432/db', { address: 'fd00::5', port: 5432 }, '[fd00::5]:5432'],
  ['postgres://u:p@bouncer:6432/db', { address: '127.0.0.1', port: 5432 }, 'bouncer:5432'],
  ['postgres://u:p@bouncer:6432/db', undefined, undefined],
  ['postgres://u:p@bouncer:6432/db', { address: 'a sentence of a hostile server', port: 5432 }, undefined],
])('instead of %s', (url, seen, direct) => {
  expect(directServer(parseDatabaseUrl(url), seen)).toBe(direct)
})
