import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server as Listening } from 'node:net'
import type { Report } from '../../../src/environment.ts'
import { listArchive, parseWholeArchive } from '../../../src/sources/postgres/archive.ts'
import type { Client } from '../../../src/sources/postgres/clients.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { postgresFacts } from '../../../src/sources/postgres/facts.ts'
import { PostgresSource } from '../../../src/sources/postgres/source.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { until } from '../../support/until.ts'
import { thrownBy } from '../../support/thrown.ts'

const variables = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
const clients: Client[] = ([18, 17, 15] as const).map((major) => ({ major, directory: clientDirectory(major) }))
const warnings: string[] = []
const report = { info: () => undefined, warning: (message: string) => void warnings.push(message), progress: () => undefined, mask: () => undefined }

interface Overrides {
  programs?: () => { clients: readonly Client[] }
  dumpArguments?: string[]
  lockTimeout?: number
  signal?: AbortSignal
  report?: Report
}

const sourceOf = (url: string, overrides: Overrides = {}) =>
  new PostgresSource({
    name: 'app', connection: parseDatabaseUrl(url, variables), programs: () => ({ clients }), dumpArguments: [], lockTimeout: 60_000,
    signal: new AbortController().signal, report, variables, ...overrides,
  })

async function read(source: PostgresSource, during: (name: string, bytes: Buffer) => unknown = () => undefined): Promise<Map<string, Buffer>> {
  const streams = new Map<string, Buffer>()
  try {
    await source.open()
    for await (const { name, bytes } of source.streams()) {
      const pieces: Buffer[] = []
      for await (const piece of bytes) {
        pieces.push(Buffer.from(piece))
        await during(name, piece)
      }
      streams.set(name, Buffer.concat(pieces))
    }
    return streams
  } finally {
    await source.close()
  }
}

async function* piece(bytes: Buffer): AsyncGenerator<Buffer> {
  yield Buffer.from(bytes)
}

beforeEach(() => void warnings.splice(0))

describe.each([14, 15, 16, 17, 18] as const)('PostgreSQL %i', (major) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(major)
    await server.createDatabase('app')
    await server.sql(
      `CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT i, md5(i::text) FROM generate_series(1, 5000) i; ANALYZE items;
       CREATE TABLE measured (at date) PARTITION BY RANGE (at); CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
       CREATE TABLE secret (id int); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; CREATE ROLE "someone else" LOGIN PASSWORD 'their password'`,
      'app',
    )
  })
  afterAll(() => server.stop())

  test('a database is read with the client that fits, its archive is whole, and its facts are recorded', async () => {
    const source = sourceOf(server.url('app'))
    const streams = await read(source)
    expect([...streams.keys()]).toEqual(['app.dump', 'globals.sql'])
    expect(streams.get('globals.sql')!.toString()).toMatch(/CREATE ROLE "someone else"[^]*SCRAM-SHA-256/)

    const facts = postgresFacts.parse(source.facts())
    expect(facts).toMatchObject({ server: { major }, database: 'app', encoding: 'UTF8', collation: 'C.UTF-8', globals: { stream: true, passwords: true } })
    expect(facts.databaseSize).toBeGreaterThan(1e6)
    expect(facts.extensions).toEqual([{ name: 'plpgsql', version: '1.0' }])
    expect(facts.tables.map(({ name, rows, partitioned, rowSecurity }) => [name, rows, partitioned, rowSecurity])).toEqual([
      ['items', 5000, false, false],
      ['measured', null, true, false],
      ['measured_2026', null, false, false],
      ['secret', null, false, true],
    ])
    expect(facts.tables[0]!.bytes).toBeGreaterThan(200_000)

    const used = major === 14 || major === 16 ? major + 1 : major
    expect(Number.parseInt(facts.dumpVersion, 10)).toBe(used)
    expect(warnings).toEqual(used === major ? [] : [`app: dumping a PostgreSQL ${major} server with pg_dump ${used}: restore such a backup with pg_restore ${used} or newer`])
    const context = { client: clients.find((client) => client.major === used)!, variables }
    const dump = streams.get('app.dump')!
    expect((await listArchive(piece(dump), context)).entries).toEqual(facts.entries)
    expect(facts.entries.some((entry) => entry.includes('TABLE DATA public items'))).toBe(true)
    await parseWholeArchive(piece(dump), context)
  })

  test('a role that may not read passwords of roles gets globals without them, and one that may not read statistics a backup', async () => {
    await server.sql(`CREATE ROLE reader LOGIN PASSWORD 'readers password' BYPASSRLS; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
      REVOKE EXECUTE ON FUNCTION pg_stat_get_live_tuples(oid) FROM PUBLIC`, 'app')
    const source = sourceOf(server.url('app', 'reader', 'readers password'))
    const globals = (await read(source)).get('globals.sql')!.toString()
    expect(globals).toContain('CREATE ROLE "someone else"')
    expect(globals).not.toContain('SCRAM-SHA-256')
    expect(postgresFacts.parse(source.facts()).globals).toEqual({ stream: true, passwords: false })
  })
})

describe('failures', () => {
  let server: Server
  let superuser: (text: string) => Promise<string>
  const endHolding = () => superuser(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)%' AND pid <> pg_backend_pid()`)
  beforeAll(async () => {
    server = await startServer(17)
    await server.createDatabase('app')
    superuser = (text) => server.sql(text, 'app')
    await superuser(`
      CREATE TABLE big (id int, filler text); INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 60000) i;
      CREATE ROLE reader LOGIN PASSWORD 'readers password'; CREATE TABLE open (id int); GRANT SELECT ON big, open TO reader; CREATE TABLE closed (id int)`)
  })
  afterAll(() => server.stop())

  const asReader = () => server.url('app', 'reader', 'readers password')

  test('a server newer than every client is an error before anything is read', async () => {
    const error = await thrownBy(read(sourceOf(server.url('app'), { programs: () => ({ clients: clients.filter(({ major }) => major === 15) }) })))
    expect(error.message).toBe(`the server is PostgreSQL 17, and no pg_dump here is that new: found 15 in ${clientDirectory(15)}`)
  })

  test('a table the role may not read is named', async () => {
    const error = await thrownBy(read(sourceOf(asReader())))
    expect(error.message).toBe(`permission denied for table closed at 127.0.0.1:${server.port}/app`)
    expect(error.hint).toContain('GRANT pg_read_all_data')
  })

  test('a large object the role may not read is named', async () => {
    await server.createDatabase('objects')
    await server.sql(`SELECT lo_create(4711)`, 'objects')
    const error = await thrownBy(read(sourceOf(server.url('objects', 'reader', 'readers password'))))
    expect(error.message).toContain('permission denied for large object 4711')
  })

  test('a table whose rows a policy hides from the role is an error, not a backup without them', async () => {
    await server.createDatabase('policies')
    await server.sql(`CREATE TABLE hidden (id int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden TO reader`, 'policies')
    const error = await thrownBy(read(sourceOf(server.url('policies', 'reader', 'readers password'))))
    expect(error.message).toContain('row-level security hides rows of table "hidden" from this role')
    expect(error.hint).toContain('BYPASSRLS')
  })

  test('a table that stays locked is an error after the lock timeout, and one that is left out is not waited for', async () => {
    await server.createDatabase('locked')
    await server.sql('CREATE TABLE busy (id int)', 'locked')
    const holding = server.sql(`BEGIN; LOCK TABLE busy; SELECT pg_sleep(100)`, 'locked').catch(() => 'ended by us below')
    try {
      await until(async () => (await superuser(`SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL`)) !== '0')
      const error = await thrownBy(read(sourceOf(server.url('locked'), { lockTimeout: 200 })))
      expect(error.message).toMatch(/^a table at .* stayed locked .*: public\.busy, by postgres \(pid \d+, psql.*, active, since .*\): SELECT pg_sleep/)
      expect(error.hint).toContain('lock-timeout')
      await read(sourceOf(server.url('locked'), { lockTimeout: 200, dumpArguments: ['--exclude-table=busy'] }))
      // One that waits says for whom, and goes on when that session ends.
      const told: string[] = []
      const waiting = read(sourceOf(server.url('locked'), { lockTimeout: 60_000, report: { ...report, info: (text: string) => void told.push(text) } }))
      await until(() => Promise.resolve(told.some((text) => / waiting for .* at most: public\.busy, by postgres \(pid /.test(text))))
      await endHolding()
      await waiting
    } finally {
      await endHolding()
      await holding
    }
  })

  test('a connection cut in mid-dump is an error, however much was read', async () => {
    let done = false
    const error = await thrownBy(
      read(sourceOf(server.url('app')), async () => {
        if (!done) await superuser(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'`)
        done = true
      }),
    )
    expect(done).toBe(true)
    expect(error.message).toBe(`the connection to 127.0.0.1:${server.port}/app was cut`)
  })

  test('a pg_dump killed in mid-dump is an error', async () => {
    let killed = false
    const error = await thrownBy(
      read(sourceOf(server.url('app')), () => {
        if (!killed) killPgDump()
        killed = true
      }),
    )
    expect(error.message).toBe(`dumping 127.0.0.1:${server.port}/app: pg_dump was ended by SIGKILL`)
  })

  test('an interrupt in mid-dump ends everything, with its own reason', async () => {
    const abort = new AbortController()
    await expect(read(sourceOf(server.url('app'), { signal: abort.signal }), () => abort.abort(new Error('interrupted')))).rejects.toThrow('interrupted')
    await until(async () => (await superuser(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'`)) === '0')
  })

  test('a source that is closed in mid-dump leaves nothing running', async () => {
    const source = sourceOf(server.url('app'))
    await source.open()
    for await (const { bytes } of source.streams()) {
      for await (const _ of bytes) break
      break
    }
    await source.close()
    await until(async () => (await superuser(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'`)) === '0')
    expect(() => source.facts()).toThrow('before all streams have ended')
  })

  test('a server that refuses its globals is a stated reason and a warning', async () => {
    const refuses = await startServer(17)
    try {
      await refuses.createDatabase('app')
      await refuses.sql(`CREATE ROLE reader LOGIN PASSWORD 'readers password'; REVOKE SELECT ON pg_catalog.pg_auth_members FROM PUBLIC`, 'app')
      const source = sourceOf(refuses.url('app', 'reader', 'readers password'))
      const globals = await read(source).then(
        () => postgresFacts.parse(source.facts()).globals,
        (error: unknown) => error,
      )
      expect(globals).toEqual({ reason: expect.stringContaining('permission denied') })
      expect(warnings).toEqual([expect.stringContaining('roles and tablespaces are not in this backup: permission denied')])
    } finally {
      await refuses.stop()
    }
  })

  test.each([
    ['a wrong password', () => server.url('app', 'reader', 'wrong-password'), /refused the password of user "reader"/, 'user name and password'],
    ['an unknown role', () => server.url('app', 'nobody-here', 'x'), /refused the password of user "nobody-here"/, 'user name'],
    ['an unknown database', () => server.url('nowhere'), /there is no database "nowhere" at 127/, 'end of the URL'],
    ['an unknown host', () => 'postgres://u:hunter2@no-such-host.invalid/app', /unknown host "no-such-host.invalid"/, 'Check the host'],
    ['a table of a host that wants SSL', () => `${server.url('app')}?sslmode=require`, /does not offer encryption/, 'sslmode'],
  ])('%s', async (_, url, message, hint) => {
    const error = await thrownBy(read(sourceOf(url())))
    expect(error.message).toMatch(message)
    expect(error.hint).toContain(hint)
    expect(`${error.message} ${String(error.cause)}`).not.toMatch(/hunter2|wrong-password/)
  })

  test('a refused port', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const port = portOf(probe)
    probe.close()
    await once(probe, 'close')
    const error = await thrownBy(read(sourceOf(`postgres://u:hunter2@127.0.0.1:${port}/app`)))
    expect(error.message).toBe(`cannot connect to 127.0.0.1:${port}/app: connection refused`)
  })

  test('a server that never answers', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const port = portOf(silent)
    try {
      const error = await thrownBy(read(sourceOf(`postgres://u@127.0.0.1:${port}/app?connect_timeout=2&sslmode=disable&gssencmode=disable`)))
      expect(error.message).toContain('no answer')
    } finally {
      silent.close()
    }
  })
})

function killPgDump(): void {
  const children = readdirSync('/proc/self/task').flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').trim().split(' '))
  const ours = children.filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--format=custom'))
  expect(ours).toHaveLength(1)
  process.kill(Number(ours[0]), 'SIGKILL')
}

function portOf(listening: Listening): number {
  const address = listening.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}
