import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asTheyCome } from '../../../src/process/parallel.ts'
import type { SourceRecord, StreamRecord } from '../../../src/repository/snapshot.ts'
import { readArchive } from '../../../src/sources/postgres/archive-parts/stored-archive.ts'
import { listArchive, parseWholeArchive, sqlOf } from '../../../src/sources/postgres/archive.ts'
import type { Client } from '../../../src/sources/postgres/clients.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { type PostgresFacts, postgresFacts } from '../../../src/sources/postgres/facts.ts'
import { readSizes } from '../../../src/sources/postgres/dump/plan.ts'
import { PostgresSource } from '../../../src/sources/postgres/source.ts'
import { all } from '../../support/bytes.ts'
import { clientDirectoryFor, run } from '../../support/client-programs.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { clientDirectory, clientEnvironment, type Major, type Server, startServer, startStandby } from '../../support/postgres-server.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { thrownBy } from '../../support/thrown.ts'
import { until } from '../../support/until.ts'

const variables = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
const clients: Client[] = ([18, 17, 15] as const).map((major) => ({ major, directory: clientDirectory(major) }))
const told: string[] = []
const report = {
  info: (message: string): void => void told.push(message), warning: (message: string): void => void told.push(message), progress: () => undefined, mask: () => undefined,
}
beforeEach(() => void told.splice(0))

interface Overrides {
  jobs?: number | undefined
  dumpArguments?: string[]
  lockTimeout?: number
  signal?: AbortSignal
  clients?: Client[]
  report?: typeof report
}

const sourceOf = (url: string, { clients: own = clients, ...overrides }: Overrides = {}) =>
  new PostgresSource({
    name: 'shop', connection: parseDatabaseUrl(url, variables), programs: () => ({ clients: own }), dumpArguments: [], jobs: 3, lockTimeout: 60_000,
    signal: new AbortController().signal, report, variables, ...overrides,
  })

interface Dumped {
  streams: Map<string, Buffer>
  facts: PostgresFacts
  /** The most streams that were read at the same time. */
  most: number
}

/** Reads the streams as a backup does, so many at a time as the source says. */
async function dump(source: PostgresSource, during: (stream: string) => unknown = () => undefined): Promise<Dumped> {
  const streams = new Map<string, Buffer>()
  let [reading, most] = [0, 0]
  try {
    await source.open()
    await asTheyCome(source.streams(), () => source.parallel, async ({ name, bytes }) => {
      streams.set(name, Buffer.alloc(0))
      most = Math.max(most, ++reading)
      const pieces: Buffer[] = []
      for await (const piece of bytes) {
        pieces.push(Buffer.from(piece))
        await during(name)
      }
      streams.set(name, Buffer.concat(pieces))
      reading--
    })
    return { streams, most, facts: postgresFacts.parse(JSON.parse(JSON.stringify(source.facts()))) }
  } finally {
    await source.close()
  }
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield Buffer.from(bytes.subarray(at, at + 65_536))
}

const tablesOf = ({ parts }: PostgresFacts): string[] => parts!.flatMap(({ entries }) => entries.flatMap(({ kind, name }) => (kind === 'TABLE DATA' ? name : [])))

/** The one archive that the streams are together. */
function assembled({ streams, facts }: Dumped): AsyncIterable<Buffer> {
  const records = [...streams].map(([name, { length }]): StreamRecord =>
    ({ name, format: name.endsWith('.sql') ? 'sql' : 'pg_dump-custom', size: length, sum: '', chunks: [] }))
  const source: SourceRecord = { name: 'shop', kind: 'postgres', streams: records, facts }
  return readArchive({ source, read: ({ name }) => inPieces(streams.get(name)!) })
}

async function restored(dumped: Dumped, server: Server, database: string): Promise<void> {
  await server.createDatabase(database)
  const file = path.join(server.socketDirectory, `${database}.dump`)
  writeFileSync(file, Buffer.concat(await all(assembled(dumped))))
  await run(path.join(clientDirectoryFor(server.major), 'pg_restore'), ['--exit-on-error', `--dbname=${database}`, file], { env: clientEnvironment(server, database) })
  rmSync(file)
}

const leftOver = `SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^(pg_dump|psql)' AND pid <> pg_backend_pid()`

describe.each([14, 18] as Major[])('PostgreSQL %i', (major) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(major)
    await server.createDatabase('shop')
    await server.sql('CREATE ROLE of_objects')
    await server.sql(KINDS, 'shop')
  })
  afterAll(() => server.stop())

  test('large tables of every kind, and large objects, are streams of their own, read side by side, and restored they are the same database', async () => {
    const dumped = await dump(sourceOf(server.url('shop'), { jobs: 6 }))
    const { streams, facts, most } = dumped
    expect(tablesOf(facts).toSorted()).toEqual(['We"ird.Näme $1 * (x)|[a]', 'kept', 'measured_2026', 'parent'])
    expect([...streams.keys()]).toEqual(['shop.dump', ...facts.parts!.map((_, index) => `shop.${index + 1}.dump`), 'globals.sql'])
    expect(facts.parts!.filter(({ entries }) => entries.some(({ kind }) => kind === 'BLOBS'))).toHaveLength(1)
    expect(most).toBe(6)
    const counted = new Map(facts.tables.map(({ name, archived }) => [name, archived?.rows]))
    expect([counted.get('kept'), counted.get('parent'), counted.get('child'), counted.get('measured_2026')]).toEqual([20_000, 20_000, 5, 20_000])
    const context = { client: clients.find((client) => client.major === Math.max(15, major))!, variables }
    await parseWholeArchive(assembled(dumped), context)
    const { entries } = await listArchive(assembled(dumped), context)
    expect(withoutId(entries)).toEqual(withoutId(facts.entries))
    expect(told.filter((line) => !line.includes('restore such a backup'))).toEqual([])
    await restored(dumped, server, 'again')
    expect(await compareDatabases({ server, database: 'shop' }, { server, database: 'again' })).toEqual([])
  })

  test('where functions may look into other tables before rows are accepted, all rows are in the order of pg_dump', async () => {
    await server.createDatabase('ordered')
    const asked = async (): Promise<boolean> => {
      const { facts } = await dump(sourceOf(server.url('ordered'), { jobs: 2 }))
      return facts.parts === undefined
    }
    await server.sql(`CREATE TABLE accounts AS SELECT i AS id, repeat(md5(i::text), 10) AS filler FROM generate_series(1, 30000) i; CREATE TABLE copies AS TABLE accounts;
      CREATE FUNCTION next() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE accounts ALTER id SET DEFAULT next(); CREATE INDEX ON accounts (abs(id));
      CREATE TABLE few (id int CHECK (abs(id) > 0), half numeric GENERATED ALWAYS AS (id / 2) STORED); ANALYZE`, 'ordered')
    expect(await asked()).toBe(false)
    await server.sql(`CREATE FUNCTION has(a int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM public.accounts WHERE id = a)';
      CREATE FUNCTION one(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
      CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)`, 'ordered')
    for (const [make, drop] of [
      ['CREATE TABLE bookings AS SELECT i AS account FROM generate_series(1, 9) i; ALTER TABLE bookings ADD CHECK (has(account))', 'DROP TABLE bookings'],
      ['CREATE DOMAIN account AS int CHECK (has(VALUE))', 'DROP DOMAIN account'],
      ['CREATE TABLE made (a int, b int GENERATED ALWAYS AS (one(a)) STORED)', 'DROP TABLE made'],
      ['CREATE TABLE compared (a int CHECK (a === 1))', 'DROP TABLE compared'],
    ] as const) {
      await server.sql(make, 'ordered')
      expect([make, await asked()]).toEqual([make, true])
      expect(told).toContainEqual('shop: all rows are in one archive: CHECK constraints or generated columns call functions, which may look into other tables')
      await server.sql(drop, 'ordered')
    }
    expect(await asked()).toBe(false)
  })

  test('statistics that cannot be true fail no backup', async () => {
    await server.createDatabase('untrue')
    await server.sql(`CREATE TABLE many (id int, filler text); INSERT INTO many VALUES (1);
      DO $$ BEGIN FOR i IN 1 .. 520 LOOP EXECUTE format('CREATE TABLE t%s (); CREATE INDEX ON many (id)', i); END LOOP; END $$;
      UPDATE pg_class SET relpages = 2147483647 WHERE relkind IN ('r', 'i', 't') AND oid >= 16384;
      UPDATE pg_class SET reltuples = 'Infinity' WHERE relname IN ('t1', 'many');
      UPDATE pg_class SET reltuples = 'NaN' WHERE relname = 't2'; UPDATE pg_class SET reltuples = 1e30 WHERE relname = 't3';
      UPDATE pg_class SET reltuples = -1e30, relpages = -2147483648 WHERE relname = 't4';
      UPDATE pg_class SET reltuples = 7 WHERE relname = 't5'`, 'untrue')
    const { facts } = await dump(sourceOf(server.url('untrue'), { jobs: 2 }))
    expect(facts.parts).toHaveLength(1)
    const { many, t1, t2, t3, t4, t5 } = Object.fromEntries(facts.tables.map((table) => [table.name, table]))
    expect([many, t1, t2, t3, t4, t5].map((table) => table!.rows)).toEqual([null, null, null, null, null, 7])
    expect([many!.bytes, many!.archived?.rows, t4!.bytes]).toEqual([Number.MAX_SAFE_INTEGER, 1, 0])
  })

  test('one archive, where more is not asked for, or arguments for pg_dump select rows', async () => {
    expect((await dump(sourceOf(server.url('shop'), { jobs: undefined }))).facts.parts).toBeUndefined()
    expect(told.filter((line) => line.includes('one archive'))).toEqual([])
    const { facts, most } = await dump(sourceOf(server.url('shop'), { dumpArguments: ['--schema=public'] }))
    expect([facts.parts, most]).toEqual([undefined, 1])
    expect(told).toContain('shop: all rows are in one archive: pg_dump runs with --schema=public')
  })

  test('tables and rows that are left out are in no archive, and all others are restored', async () => {
    const dumped = await dump(sourceOf(server.url('shop'), { jobs: 4, dumpArguments: ['--exclude-table-data=paren?', '-T', 'weird'] }))
    expect(dumped.facts.parts).toHaveLength(3)
    expect(tablesOf(dumped.facts).toSorted()).toEqual(['We"ird.Näme $1 * (x)|[a]', 'kept'])
    expect(dumped.facts.parts!.filter(({ entries }) => entries.length === 0)).toEqual([])
    await restored(dumped, server, 'excluded')
    await server.sql(`CREATE DATABASE without TEMPLATE shop`)
    await server.sql(`DELETE FROM ONLY parent; DROP TABLE weird`, 'without')
    expect(await compareDatabases({ server, database: 'without' }, { server, database: 'excluded' })).toEqual([])
  })

  test('arguments that do not select rows go together with several archives', async () => {
    const dumped = await dump(sourceOf(server.url('shop'), { dumpArguments: ['--quote-all-identifiers', '--clean', '--if-exists', '-O', '--blobs', '--no-comments'] }))
    expect(dumped.facts.parts).toHaveLength(2)
    await restored(dumped, server, 'argued')
    expect(await server.sql(`SELECT count(*) FROM pg_description WHERE classoid = 'pg_largeobject'::regclass`, 'argued')).toBe('0')
    await server.sql(`COMMENT ON LARGE OBJECT 4711 IS 'noted'`, 'argued')
    expect(await compareDatabases({ server, database: 'shop' }, { server, database: 'argued' })).toEqual([])
  })

  test('privileges and comments that are left out are left out of large objects as well', async () => {
    const { facts } = await dump(sourceOf(server.url('shop'), { dumpArguments: ['-Ox', '--no-comments', '--no-security-labels'] }))
    expect(facts.parts!.flatMap(({ entries }) => entries.map(({ kind }) => kind)).filter((kind) => kind !== 'TABLE DATA' && !kind.startsWith('BLOB'))).toEqual([])
    expect(facts.parts!.some(({ entries }) => entries.some(({ kind }) => kind === 'BLOBS'))).toBe(true)
  })
})

function withoutId(lines: string[]): string[] {
  return lines.map((line) => line.replace(/^\d+; /, '')).toSorted()
}

/** Each of the large tables has some megabytes. */
const KINDS = `
  CREATE TABLE kept (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, filler text, twice int GENERATED ALWAYS AS (length(filler) * 2) STORED, parent int REFERENCES kept);
  INSERT INTO kept (filler, parent) SELECT repeat(md5(i::text), 4), CASE WHEN i > 1 THEN 1 END FROM generate_series(1, 20000) i;
  CREATE TABLE parent (id serial, filler text); CREATE TABLE child (more int) INHERITS (parent);
  INSERT INTO parent (filler) SELECT repeat(md5(i::text), 4) FROM generate_series(1, 20000) i; INSERT INTO child (filler, more) SELECT 'child', i FROM generate_series(1, 5) i;
  CREATE TABLE measured (at date, filler text, kept int REFERENCES kept) PARTITION BY RANGE (at);
  CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE TABLE measured_2027 PARTITION OF measured FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
  INSERT INTO measured SELECT date '2026-01-01' + i % 365, repeat(md5(i::text), 4), 1 + i % 20000 FROM generate_series(1, 20000) i;
  INSERT INTO measured SELECT '2027-05-05', 'small', NULL FROM generate_series(1, 7);
  CREATE INDEX ON measured (at);
  CREATE SCHEMA "a ""schema"".x"; CREATE TABLE "a ""schema"".x"."We""ird.Näme $1 * (x)|[a]" ("Cölumn" text, b bytea);
  INSERT INTO "a ""schema"".x"."We""ird.Näme $1 * (x)|[a]" SELECT repeat(md5(i::text), 4) || E'\\t\\n\\\\', decode(md5(i::text), 'hex') FROM generate_series(1, 20000) i;
  CREATE TABLE weird (like "a ""schema"".x"."We""ird.Näme $1 * (x)|[a]"); INSERT INTO weird VALUES ('another', '');
  CREATE VIEW sums AS SELECT count(*) FROM kept JOIN parent USING (id);
  CREATE MATERIALIZED VIEW counted AS SELECT at, count(*) FROM measured GROUP BY at;
  SELECT lo_from_bytea(4711, 'a large object'), lo_from_bytea(4712, string_agg(decode(md5(i::text), 'hex'), '')) FROM generate_series(1, 300000) i; CREATE TABLE empty (id int);
  COMMENT ON LARGE OBJECT 4711 IS 'noted'; ALTER LARGE OBJECT 4712 OWNER TO of_objects; GRANT SELECT ON LARGE OBJECT 4711 TO of_objects;
  ANALYZE;`

describe('while others work', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(17)
    await server.createDatabase('accounts')
    const tables = ['debits', 'credits', 'others'].map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, amount int, filler text);
      INSERT INTO ${name} SELECT i, 100, repeat(md5(i::text), 10) FROM generate_series(1, 12000) i;`)
    await server.sql(`${tables.join('\n')} ANALYZE`, 'accounts')
  })
  afterAll(() => server.stop())

  const accounts = (database: string): Promise<string> => server.sql(`CREATE DATABASE "${database}" TEMPLATE accounts`)

  /** A table with more bytes than fit between the server and a pg_dump that nobody reads. */
  const wide = (database: string): Promise<string> =>
    server.sql('CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 30000) i; ANALYZE wide', database)

  test('two tables in different streams are of the same moment, however much is moved between them', async () => {
    await accounts('moving')
    const stopped = new AbortController()
    const writer = (async () => {
      for (let round = 0; !stopped.signal.aborted; round++) {
        // Each statement is a transaction of its own that keeps the sum.
        const moves = Array.from({ length: 200 }, (_, index) => {
          const id = 1 + ((round * 200 + index) * 61) % 12_000
          return `WITH taken AS (UPDATE debits SET amount = amount - 7 WHERE id = ${id} RETURNING 7 AS amount)
            UPDATE credits SET amount = credits.amount + taken.amount FROM taken WHERE id = ${12_001 - id};`
        })
        await server.sql(moves.join('\n'), 'moving')
      }
    })()
    try {
      const moved = async (): Promise<string> => server.sql('SELECT sum(amount) FROM debits', 'moving')
      for (let round = 0; round < 3; round++) {
        const begun = await moved()
        await until(async () => (await moved()) !== begun)
        const { streams, facts } = await dump(sourceOf(server.url('moving'), { jobs: 4 }), async () => sleep(5))
        expect(tablesOf(facts)).toEqual(expect.arrayContaining(['credits', 'debits']))
        const sums = await Promise.all(facts.parts!.map(async ({ stream, entries }) => (entries.every(({ name }) => name === 'others') ? 0 : sumOf(streams.get(stream)!))))
        expect(sums.reduce((sum, amount) => sum + amount)).toBe(2 * 12_000 * 100)
        expect(await moved()).not.toBe(begun)
      }
    } finally {
      stopped.abort()
      await writer
    }
  })

  const waiting = `SELECT count(*) FROM pg_locks WHERE NOT granted`
  /** The session that has exported the snapshot, and looks for the others. */
  const holder = `pg_stat_activity WHERE application_name = 'psql' AND pid <> pg_backend_pid()
    AND query ~ '^SELECT (pg_catalog.current_setting..lifeboat|WHERE pg_catalog.pg_stat_clear_snapshot|pg_catalog.concat..found)'`
  const sharing = `SELECT count(*) FROM ${holder}`

  test('TRUNCATE, asked for while the backup runs, waits for it, and the backup is good', async () => {
    await accounts('wanted')
    let wanting: Promise<string> | undefined
    const wait = async (): Promise<void> => {
      if (wanting) return
      wanting = server.sql('TRUNCATE debits, credits, others', 'wanted')
      await until(async () => (await server.sql(waiting)) !== '0')
    }
    const { facts } = await dump(sourceOf(server.url('wanted'), { lockTimeout: 1000 }), wait)
    expect(facts.parts).toHaveLength(2)
    expect(facts.tables.map(({ archived }) => archived?.rows)).toEqual([12_000, 12_000, 12_000])
    await wanting
    expect(await server.sql('SELECT count(*) FROM debits', 'wanted')).toBe('0')
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  /** Client programs whose pg_dump runs these commands first. */
  function clientsThat(commands: string): Client[] {
    const directory = mkdtempSync(path.join(server.socketDirectory, 'clients-'))
    for (const program of ['psql', 'pg_restore', 'pg_dumpall', 'pg_dump']) {
      const before = program === 'pg_dump' ? commands : ''
      writeFileSync(path.join(directory, program), `#!/bin/sh\n${before}\nexec ${path.join(clientDirectory(17), program)} "$@"\n`, { mode: 0o755 })
    }
    return [{ major: 17, directory }]
  }
  const beforeRows = (commands: string): Client[] => clientsThat(`case "$*" in *--data-only*) ${commands} ;; esac`)

  /** Backs up with two pg_dump, and does something after the snapshot was shared and before the second begins. */
  async function between(database: string, act: () => Promise<unknown>, at = server, url = at.url(database)): Promise<Dumped> {
    const go = path.join(server.socketDirectory, `${at.port}-${database}.go`)
    const dumping = dump(sourceOf(url, { jobs: 2, lockTimeout: 1000, clients: beforeRows(`until test -e ${go}; do sleep 0.1; done`) }))
    try {
      await Promise.race([dumping, until(async () => (await at.sql(sharing)) === '1')])
      await act()
    } finally {
      writeFileSync(go, '')
    }
    return dumping
  }

  test('TRUNCATE that comes between the snapshot and a pg_dump: one archive is made in place of several', async () => {
    await accounts('between')
    let wanting: Promise<string> | undefined
    const { facts } = await between('between', async () => {
      wanting = server.sql('TRUNCATE credits', 'between')
      await until(async () => (await server.sql(waiting)) !== '0')
    })
    await wanting
    expect(facts.parts).toBeUndefined()
    expect(told).toContain('shop: all rows are in one archive: another session waited for a large table, and kept the others from it')
    expect(facts.tables.map(({ archived }) => archived?.rows)).toEqual([0, 12_000, 12_000])
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  /** Backs up while a session that empties and fills a small table waits for the session with the snapshot; the main pg_dump begins after that. */
  async function refreshing(database: string, lockTimeout?: number): Promise<{ dumping: Promise<Dumped>; wanting: Promise<string> }> {
    await accounts(database)
    await server.sql('CREATE TABLE small AS SELECT 1 AS id; ANALYZE small', database)
    const go = path.join(server.socketDirectory, `${database}.go`)
    const clients = clientsThat(`case "$*" in *--exclude-table-data*) until test -e ${go}; do sleep 0.1; done ;; esac`)
    const dumping = dump(sourceOf(server.url(database), { jobs: 2, clients, ...(lockTimeout !== undefined && { lockTimeout }) }))
    dumping.catch(() => undefined) // The caller awaits it.
    try {
      await Promise.race([dumping, until(async () => (await server.sql(sharing)) === '1')])
      const wanting = server.sql('BEGIN; TRUNCATE small; INSERT INTO small VALUES (2); COMMIT', database)
      await until(async () => (await server.sql(waiting)) !== '0')
      return { dumping, wanting }
    } finally {
      writeFileSync(go, '')
    }
  }

  test('a small table that is emptied and filled again after the snapshot is not empty in the backup', async () => {
    const { dumping, wanting } = await refreshing('refreshed', 1000)
    const { facts } = await dumping
    await wanting
    expect(facts.tables.find(({ name }) => name === 'small')?.archived?.rows).toBe(1)
  })

  test('the session with the snapshot ends while a pg_dump waits for a table that it has locked: the backup fails', async () => {
    const { dumping, wanting } = await refreshing('ended')
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pg_dump' AND wait_event_type = 'Lock'`)) !== '0')
    await server.sql(`SELECT pg_terminate_backend(pid, 60000) FROM ${holder}`)
    await wanting
    expect((await thrownBy(dumping)).message).toMatch(/^the session at .* ended that shares one view of the database among several pg_dump$/)
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  test('a table that is made while the session with the snapshot waits for another one, and is then rewritten, is not empty in the backup', async () => {
    await accounts('made')
    await server.sql('CREATE TABLE small AS SELECT 1 AS id; ANALYZE small', 'made')
    const sleeping = async (key: number, sql: string): Promise<{ ended: Promise<string> }> => {
      const session = server.sql(`BEGIN; ${sql}; SELECT pg_sleep(1000 + ${key})`, 'made').catch(() => 'ended by us below')
      await until(async () => (await server.sql(`SELECT count(*) FROM ${sleeper(key)} AND wait_event = 'PgSleep'`)) === '1')
      return { ended: session }
    }
    const sessions = [await sleeping(1, 'LOCK TABLE small'), await sleeping(2, 'SELECT pg_advisory_lock(8)')]
    const dumping = dump(sourceOf(server.url('made'), { jobs: 2 }))
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'small'::regclass`, 'made')) === '1')
    await server.sql('CREATE TABLE made AS SELECT generate_series(1, 500) AS id', 'made')
    const rewriting = server.sql('BEGIN; ALTER TABLE made ALTER id TYPE bigint; SELECT pg_advisory_lock(8); COMMIT', 'made')
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`)) === '1')
    await server.sql(`SELECT pg_terminate_backend(pid) FROM ${sleeper(1)}`)
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'made'::regclass`, 'made')) !== '0')
    await server.sql(`SELECT pg_terminate_backend(pid) FROM ${sleeper(2)}`)
    const { facts } = await dumping
    expect([facts.parts?.length, facts.tables.find(({ name }) => name === 'made')?.archived?.rows]).toEqual([1, 500])
    await Promise.all([rewriting, ...sessions.map(({ ended }) => ended)])
  })

  test('a table that is emptied and filled again while one pg_dump waits for it is not empty in the backup', async () => {
    await server.createDatabase('reloaded')
    await server.sql('CREATE TABLE daily AS SELECT generate_series(1, 500) AS id; CREATE TABLE other (id int)', 'reloaded')
    const held = server.sql('SELECT pg_advisory_lock(7), pg_sleep(1000)', 'reloaded').catch(() => 'ended by us below')
    const asleep = `pg_stat_activity WHERE datname = 'reloaded' AND wait_event = 'PgSleep'`
    await until(async () => (await server.sql(`SELECT count(*) FROM ${asleep}`)) === '1')
    const loading = server.sql(`BEGIN; TRUNCATE daily; INSERT INTO daily SELECT generate_series(1, 600); ALTER TABLE other ADD more int; SELECT pg_advisory_lock(7); COMMIT`, 'reloaded')
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)) === '1')
    const dumping = dump(sourceOf(server.url('reloaded'), { jobs: 1 }))
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pg_dump' AND wait_event_type = 'Lock'`)) !== '0')
    await server.sql(`SELECT pg_terminate_backend(pid) FROM ${asleep}`)
    await Promise.all([held, loading])
    const { facts } = await dumping
    expect(facts.tables.map(({ name, archived }) => [name, archived?.rows])).toEqual([['daily', 600], ['other', 0]])
    expect([told, facts.omitted]).toEqual([['shop: public.daily was rewritten by another session before pg_dump had locked it: pg_dump begins again'], undefined])
  })

  const psqlIn = (database: string): string =>
    `${path.join(clientDirectory(server.major), 'psql')} -h ${server.socketDirectory} -p ${server.port} -U postgres -d ${database} -qc`

  test('a table that is made and rewritten while one pg_dump begins: pg_dump begins again', async () => {
    await server.createDatabase('sudden')
    const made = path.join(server.socketDirectory, 'sudden.made')
    const [create, rewrite] = ['CREATE TABLE sudden AS SELECT 1 AS id', 'ALTER TABLE sudden ALTER id TYPE bigint'].map((sql) => `${psqlIn('sudden')} '${sql}'`)
    const clients = clientsThat(`case "$*" in *--format=custom*) test -e ${made} || { ${create}; ${rewrite}; touch ${made}; } ;; esac`)
    await dump(sourceOf(server.url('sudden'), { jobs: 1, clients }))
    expect(told).toEqual(['shop: public.sudden was rewritten by another session before pg_dump had locked it: pg_dump begins again'])
  })

  test('where a table is rewritten each time that pg_dump begins, the backup is one in part', async () => {
    await server.createDatabase('restless')
    await server.sql('CREATE TABLE daily AS SELECT generate_series(1, 500) AS id; CREATE TABLE queue AS TABLE daily', 'restless')
    const psql = psqlIn('restless')
    const clients = clientsThat(`case "$*" in *--format=custom*) ${psql} 'TRUNCATE daily, queue; INSERT INTO queue VALUES (1)' ;; esac`)
    for (const dumpArguments of [[], ['--inserts']]) {
      told.splice(0)
      const { facts } = await dump(sourceOf(server.url('restless'), { jobs: 1, clients, dumpArguments }))
      // Rows that are written as INSERT are not counted.
      const tables = dumpArguments.length === 0 ? 'public.daily' : 'public.daily, public.queue'
      const missing = `some rows of ${tables} may be missing: another session rewrote such a table (TRUNCATE, ALTER TABLE) before pg_dump had locked it`
      expect([facts.omitted, told.at(-1)]).toEqual([[missing], `shop: ${missing}`])
      expect(told.filter((line) => line.endsWith('pg_dump begins again'))).toHaveLength(dumpArguments.length === 0 ? 2 : 0)
    }
  })

  test('a pg_dump that gets no connection: one archive is made in place of several', async () => {
    await accounts('crowded')
    const crowded = beforeRows('echo "pg_dump: error: connection to server failed: FATAL:  sorry, too many clients already" >&2; exit 1')
    const { facts } = await dump(sourceOf(server.url('crowded'), { clients: crowded }))
    expect([facts.parts, facts.tables.map(({ archived }) => archived?.rows)]).toEqual([undefined, [12_000, 12_000, 12_000]])
    expect(told).toContain('shop: all rows are in one archive: the server has no free connection for more')
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  test('when nobody reads an archive on, the other pg_dump end as well', async () => {
    await accounts('left')
    const others: string[] = []
    const read = async (stream: string): Promise<void> => {
      if (stream === 'shop.dump') throw new Error('the store failed')
      await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pg_dump'`)) === '0')
      others.push(stream)
    }
    await expect(dump(sourceOf(server.url('left')), read)).rejects.toThrow('the store failed')
    expect(others.toSorted()).toEqual(['shop.1.dump', 'shop.2.dump'])
  })

  test('a large database has several archives by default, and one where the server does not share snapshots', async () => {
    await accounts('default')
    await server.sql(`CREATE ROLE backup LOGIN PASSWORD 'backup'; GRANT pg_read_all_data TO backup`)
    const inPages = `UPDATE pg_class SET relpages = 20000 WHERE relname IN ('debits', 'credits', 'others')`
    await server.sql(inPages, 'default')
    const url = server.url('default', 'backup', 'backup')
    expect((await dump(sourceOf(url, { jobs: undefined }))).facts.parts!.length).toBeGreaterThan(0)
    await server.sql(`${inPages}; REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC`, 'default')
    expect((await dump(sourceOf(url, { jobs: undefined }))).facts.parts).toBeUndefined()
    expect(told).toContainEqual(expect.stringMatching(/all rows are in one archive: .*permission denied for function pg_export_snapshot/s))
    expect((await thrownBy(dump(sourceOf(url)))).message).toMatch(/permission denied for function pg_export_snapshot/)
  })

  test.each([
    ['another table', '--table=*) a="--table=public.tiny"', /shop\.1\.dump, the rows of public\.\w+: pg_dump wrote other rows: TABLE DATA public\.tiny, not public\.\w+$/],
    ['no table', '--data-only) set -- "$@" "--exclude-table-data=public.*"', /shop\.1\.dump, the rows of public\.\w+: pg_dump wrote other rows: not public\.\w+$/],
    ['a table twice', '--exclude-table-data=*) continue', /shop\.1\.dump, the rows of public\.\w+: the main archive has rows of that table, too/],
  ])('archives of a pg_dump that writes the rows of %s are not stored as a backup', async (what, change, message) => {
    const database = what.replaceAll(' ', '_')
    await accounts(database)
    await server.sql('CREATE TABLE tiny AS SELECT 1 AS id', database)
    const clients = clientsThat(`for a; do shift; case "$a" in ${change} ;; esac; set -- "$@" "$a"; done`)
    // Tables that are left out on purpose do not hide others.
    expect((await thrownBy(dump(sourceOf(server.url(database), { clients, dumpArguments: ['-T', 'tin', '--exclude-table-data=other'] })))).message).toMatch(message)
  })

  test('where pg_dump does not take names in UTF-8, large tables with other names than ASCII are in the main archive', async () => {
    await accounts('encoded')
    await server.sql(`ALTER TABLE others RENAME TO "ünï"; CREATE ROLE latin LOGIN PASSWORD 'latin'; GRANT pg_read_all_data TO latin; ALTER ROLE latin SET client_encoding = 'LATIN1'`, 'encoded')
    for (const [url, tables] of [
      [server.url('encoded'), ['credits', 'debits', 'ünï']], [`${server.url('encoded')}?client_encoding=LATIN1`, ['credits', 'debits']],
      [server.url('encoded', 'latin', 'latin'), ['credits', 'debits']], [`${server.url('encoded', 'latin', 'latin')}?client_encoding=UTF8`, ['credits', 'debits', 'ünï']],
    ] as const) {
      const { facts } = await dump(sourceOf(url, { jobs: 4 }))
      expect([url, tablesOf(facts).toSorted()]).toEqual([url, tables])
      expect(facts.tables.map(({ name, archived }) => [name, archived?.rows])).toEqual([['credits', 12_000], ['debits', 12_000], ['ünï', 12_000]])
    }
  })

  test('the plan has no table that pg_dump leaves out, whatever the pattern', async () => {
    const names = ['public.orders', 'public.Orders', 'public.order_items', 'public.a$b', 'public.a.b', 'public.a"b', 'public.arr[]', 'public.x*y', 'public.q?r', 'public.qur', 'public.ünï',
      'audit.log', 'audit.orders', 'Au.dit.log', 'public.parent', 'public.child', 'public.grandchild', 'public.measured', 'public.measured_1']
    const kinds: Record<string, string> = {
      'public.child': 'INHERITS (public.parent)', 'public.grandchild': 'INHERITS (public.child)', 'public.measured': 'PARTITION BY LIST (id)',
      'public.measured_1': 'PARTITION OF public.measured FOR VALUES IN (1)',
    }
    await server.createDatabase('patterns')
    const tables = names.map((name) => `CREATE TABLE ${quoted(name)} ${kinds[name]?.startsWith('PARTITION OF') ? '' : '(id int)'} ${kinds[name] ?? ''};`)
    await server.sql(`SET client_min_messages = error; CREATE SCHEMA audit; CREATE SCHEMA "Au.dit"; ${tables.join('\n')}
      UPDATE pg_class SET relpages = 10 WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'audit', '"Au.dit"')`, 'patterns')
    const all = names.filter((name) => name !== 'public.measured')
    const context = { client: { major: 17, directory: clientDirectory(17) }, connection: parseDatabaseUrl(server.url('patterns'), variables), variables }
    const { bytes } = await readSizes([], context)
    const wrong: unknown[] = []
    const excluded: number[] = []
    for (const words of [
      ['-T', 'orders'], ['-Torder*'], ['-TORDERS'], ['-T', '"Orders"'], ['--exclude-table', 'public.*'], ['--exclude-table=*.log'], ['--exclude-table=audit.*'], ['--exclude-table-data=patterns.audit.log'],
      ['-T', '"Au.dit".log'], ['-T', 'a$b'], ['-T', '"a.b"'], ['-T', 'a"."b'], ['-T', '"a""b"'], ['-T', 'a"""""b'], ['-T', '"a""b'], ['-T', 'arr[]'], ['-T', '"arr[]"'], ['-T', 'x"*"y'], ['-T', 'x*y'],
      ['-T', 'q?r'], ['-T', 'q"?"r'], ['-T', '(orders|order_items)'], ['-T', '[a-o]*'], ['-T', 'ün?'], ['-T', 'Ünï'], ['-T', 'order_{1}items'], ['-T', ''], ['-T', '""'], ['-T', '*'], ['-T', 'public.'],
      ['-T', 'parent'], ['--exclude-table-and-children=parent'], ['--exclude-table-data-and-children', 'measured'], ['--exclude-table-data=measured'], ['-T', 'orders', '-Ox', '-T', 'audit.orders'],
    ]) {
      const dumped = await run(path.join(clientDirectory(17), 'pg_dump'), ['--data-only', ...words], { env: clientEnvironment(server, 'patterns') })
      const left = all.filter((name) => dumped.includes(`\nCOPY ${quoted(name)} (`))
      const sizes = await readSizes(words, context)
      const planned = all.filter((name) => sizes.largest.some((table) => `${table.schema}.${table.name}` === name))
      // Without a schema, only tables in the search path are excluded; the plan leaves out the others as well.
      const hidden = words.includes('-Ox') || words.some((word) => word.includes('.')) ? [] : ['audit.orders', 'audit.log', 'Au.dit.log']
      const differing = left.filter((name) => !planned.includes(name) && !hidden.includes(name))
      if (planned.some((name) => !left.includes(name)) || differing.length > 0 || sizes.bytes !== bytes - (all.length - planned.length) * 10 * 8192) wrong.push({ words, left, planned, sizes })
      excluded.push(all.length - left.length)
    }
    expect(wrong).toEqual([])
    expect(excluded.filter((count) => count > 0).length).toBeGreaterThan(25)
  })

  test('a table that stays locked before the snapshot is an error that names it, unless pg_dump leaves it out', async () => {
    await accounts('locked')
    const holding = server.sql(`BEGIN; LOCK TABLE credits; SELECT pg_sleep(100)`, 'locked').catch(() => 'ended by us below')
    try {
      await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL`, 'locked')) !== '0')
      const error = await thrownBy(dump(sourceOf(server.url('locked'), { lockTimeout: 300 })))
      expect(error.message).toMatch(/^a table at .* stayed locked .*: public\.credits, by postgres \(pid /)
      const without = await dump(sourceOf(server.url('locked'), { lockTimeout: 300, dumpArguments: ['-T', 'credits'] }))
      expect(without.facts.parts ?? []).toEqual([])
      expect(without.streams.size).toBeGreaterThan(0)
    } finally {
      await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)%' AND pid <> pg_backend_pid()`)
      await holding
    }
  })

  test('a table that vanishes before it is locked is left out', async () => {
    await accounts('vanishing')
    const dropping = server.sql(`BEGIN; DROP TABLE credits; SELECT pg_sleep(1); COMMIT`, 'vanishing')
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'debits'::regclass OR relation = 'credits'::regclass`, 'vanishing')) !== '0')
    const { facts } = await dump(sourceOf(server.url('vanishing')))
    await dropping
    expect(facts.tables.map(({ name }) => name)).toEqual(['debits', 'others'])
    expect(tablesOf(facts)).not.toContain('credits')
  })

  test('when the session with the snapshot ends before all have taken it over, the backup fails and says so, and nothing is left', async () => {
    await accounts('lost')
    const error = await thrownBy(between('lost', () => server.sql(`SELECT pg_terminate_backend(pid, 60000) FROM ${holder}`)))
    expect(error.message).toMatch(/the session at .* ended that shares one view/)
    expect(error.hint).toContain('dump-jobs')
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  test('the session with the snapshot ends when all have taken it over, and its loss does no harm then', async () => {
    await accounts('early')
    const begun = new Set<string>()
    const seen: string[] = []
    await dump(sourceOf(server.url('early'), { jobs: 4 }), async (stream) => {
      begun.add(stream)
      if (begun.size === 4 && seen.length === 0) {
        seen.push('all')
        await until(async () => (await server.sql(sharing)) === '0')
      }
    })
    expect(seen).toEqual(['all'])
  })

  test('when one stream loses its connection, the backup fails and the others end', async () => {
    await accounts('cut')
    await wide('cut')
    let ended = 0
    const cut = async (): Promise<void> => {
      if (ended > 0) return
      const found = await server.sql(`SELECT count(pg_terminate_backend(pid, 60000)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name ~ '^pg_dump' AND query ~ '^COPY' AND state = 'active' LIMIT 1)`)
      ended += Number(found)
    }
    const error = await thrownBy(dump(sourceOf(server.url('cut'), { jobs: 4 }), cut))
    expect(ended).toBeGreaterThan(0)
    expect(error.message).toMatch(/the connection to .* was cut/)
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  test('a table that appears after the snapshot is not in the backup', async () => {
    await accounts('appearing')
    const { facts } = await between('appearing', () => server.sql('CREATE TABLE appeared AS SELECT 1', 'appearing'))
    expect(facts.parts).toHaveLength(1)
    expect(facts.entries.filter((entry) => entry.includes(' appeared '))).toEqual([])
  })

  test('of a hot standby, large tables are streams of their own; the backup fails if the standby ends a stream to follow its primary', async () => {
    await accounts('followed')
    await wide('followed')
    const standby = await startStandby(server, { settings: { max_standby_streaming_delay: '0' } })
    try {
      const { facts } = await dump(sourceOf(standby.url('followed')))
      expect([facts.parts?.length, facts.tables.map(({ archived }) => archived?.rows)]).toEqual([2, [12_000, 12_000, 12_000, 30_000]])
      let emptied: Promise<string> | undefined
      const conflict = async (): Promise<void> => {
        await (emptied ??= server.sql('SET synchronous_commit = on; TRUNCATE wide; SELECT pg_current_wal_lsn()', 'followed').then(async (there) => {
          // It waits for a session that cannot be told, or has ended all that were in its way.
          await until(async () => (await standby.sql(waiting)) !== '0' || (await standby.sql(`SELECT pg_last_wal_replay_lsn() >= '${there}'`)) === 't')
          return there
        }))
      }
      const error = await thrownBy(dump(sourceOf(standby.url('followed')), conflict))
      expect(error.message).toMatch(/is a standby, and ended a query of this run to follow its primary|the connection to .* was cut/)
      expect(error.hint).toMatch(/hot_standby_feedback|as a standby does to follow its primary/)
      await until(async () => (await standby.sql(leftOver)) === '0')
    } finally {
      await standby.stop()
    }
  })

  test('the snapshots of two new servers have different names; a pg_dump that comes to the other one: one archive is made in place of several', async () => {
    const [first, other] = await Promise.all([startServer(17), startServer(17)])
    let target = first.port
    const proxy = await startTcpProxy(() => target)
    try {
      for (const [one, rows] of [[first, 12_000], [other, 12_001]] as const) {
        await one.sql(`CREATE ROLE several SUPERUSER LOGIN PASSWORD 'several'; CREATE DATABASE several`)
        const tables = ['credits', 'debits', 'others'].map((name) => `CREATE TABLE ${name} AS SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, ${rows}) i;`)
        await one.sql(`${tables.join('\n')} ANALYZE`, 'several')
      }
      const url = new URL(first.url('several', 'several', 'several'))
      url.port = `${proxy.port}`
      const names: string[] = []
      const { facts } = await between('several', async () => {
        names.push(shownSnapshot(first))
        await between('several', async () => void names.push(shownSnapshot(other)), other)
        target = other.port
      }, first, url.href)
      expect(new Set(names).size).toBe(2)
      expect(facts.parts).toBeUndefined()
      expect(told).toContainEqual(expect.stringMatching(/all rows are in one archive: there are several servers behind its address/))
      expect(facts.tables.map(({ archived }) => archived?.rows)).toEqual([12_001, 12_001, 12_001])
      await until(async () => (await first.sql(leftOver)) === '0')
    } finally {
      await proxy.close()
      await Promise.all([first.stop(), other.stop()])
    }
  })

  test('a lock table that is too small for several pg_dump: one archive is made in place of several', async () => {
    const small = await startServer(17, { settings: { max_locks_per_transaction: '10', max_connections: '20' } })
    const [tables, room] = [300, 360]
    try {
      await small.sql(`CREATE TABLE big AS SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 30000) i; CREATE TABLE large AS TABLE big; ANALYZE`)
      await small.sql(Array.from({ length: tables }, (_, index) => `CREATE TABLE t${index} ();`).join('\n'))
      // There is room for the session with the snapshot, not for a pg_dump beside it.
      const other = small.sql(`DO $$ DECLARE taken int := 0; BEGIN
          LOOP PERFORM pg_advisory_lock(taken); taken := taken + 1; END LOOP;
        EXCEPTION WHEN out_of_memory THEN PERFORM pg_advisory_unlock(taken - i) FROM generate_series(1, ${room}) i;
        END $$; SELECT pg_sleep(1000)`).catch(() => 'ended by us below')
      const asleep = `pg_stat_activity WHERE wait_event = 'PgSleep'`
      await until(() => small.sql(`SELECT count(*) FROM ${asleep}`).then((count) => count === '1', () => false))
      const end = ['--command', `SELECT pg_terminate_backend(pid, 60000) FROM ${asleep}`]
      const ending = { ...report, info: (message: string) => {
        report.info(message)
        if (message.includes('lock table')) execFileSync(path.join(clientDirectory(17), 'psql'), end, { env: clientEnvironment(small, 'postgres') })
      } }
      expect((await dump(sourceOf(small.url('postgres'), { jobs: 3, report: ending }))).facts.parts).toBeUndefined()
      expect(told).toContainEqual('shop: all rows are in one archive: the server has too small a lock table for more (max_locks_per_transaction)')
      await other
    } finally {
      await small.stop()
    }
  })

  test('an interruption ends all pg_dump and the session with the snapshot, with its own reason', async () => {
    await accounts('interrupted')
    const abort = new AbortController()
    await expect(dump(sourceOf(server.url('interrupted'), { signal: abort.signal }), () => abort.abort(new Error('interrupted')))).rejects.toThrow('interrupted')
    await until(async () => (await server.sql(leftOver)) === '0')
  })

  test('a role that may open few sessions gets one archive', async () => {
    await accounts('few')
    await server.sql(`CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 3; GRANT pg_read_all_data TO few`)
    const { facts } = await dump(sourceOf(server.url('few', 'few', 'few')))
    expect(facts.parts).toBeUndefined()
    expect(told).toContainEqual(expect.stringMatching(/^shop: all rows are in one archive: the server has only \d free connections$/))
  })

  test('connections of others count, also for a role that does not see what they are', async () => {
    await accounts('crowd')
    await server.sql(`CREATE ROLE blind LOGIN PASSWORD 'blind'; GRANT pg_read_all_data TO blind; ALTER DATABASE crowd CONNECTION LIMIT 8`)
    const others = Array.from({ length: 4 }, () => server.sql('SELECT pg_sleep(1000)', 'crowd').catch(() => 'ended by us below'))
    const asleep = `pg_stat_activity WHERE datname = 'crowd' AND query LIKE '%pg_sleep(1000)%'`
    try {
      await until(async () => (await server.sql(`SELECT count(*) FROM ${asleep}`)) === '4')
      const { facts } = await dump(sourceOf(server.url('crowd', 'blind', 'blind')))
      expect([facts.parts, told]).toEqual([undefined, expect.arrayContaining(['shop: all rows are in one archive: the server has only 4 free connections'])])
    } finally {
      await server.sql(`SELECT pg_terminate_backend(pid) FROM ${asleep}`)
      await Promise.all(others)
    }
  })
})

const sleeper = (key: number): string => `pg_stat_activity WHERE query LIKE '%pg_sleep(1000 + ${key})%' AND pid <> pg_backend_pid()`

/** The sum of the second column of the rows in an archive. */
async function sumOf(archive: Buffer): Promise<number> {
  const pieces: Buffer[] = []
  for await (const piece of sqlOf(inPieces(archive), { client: clients[0]!, variables })) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces).toString().split('\n').reduce((sum, line) => sum + Number(/^\d+\t(-?\d+)\t/.exec(line)?.[1] ?? 0), 0)
}

const shownSnapshot = (server: Server): string => readdirSync(path.join(server.socketDirectory, 'data/pg_snapshots'))[0]!

/** The schema and the name of a table as pg_dump writes them. */
function quoted(name: string): string {
  const dot = name.startsWith('Au.dit') ? 6 : name.indexOf('.')
  return [name.slice(0, dot), name.slice(dot + 1)].map((part) => (/^[a-z_]\w*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.')
}
