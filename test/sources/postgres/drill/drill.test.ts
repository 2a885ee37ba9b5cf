import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Command } from '../../../../src/commands/all.ts'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { atTerminal } from '../../../../src/cli/spelling.ts'
import { spelled } from '../../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../../src/sources/postgres/connection.ts'
import { requireExtensions } from '../../../../src/sources/postgres/drill/requirements.ts'
import { dropRoles } from '../../../../src/sources/postgres/drill/leftovers.ts'
import { createRoles, rolesIn } from '../../../../src/sources/postgres/drill/roles.ts'
import { failureOf } from '../../../../src/report/failure.ts'
import { FileStore } from '../../../../src/stores/file/store.ts'
import { backUp } from '../../../support/backup.ts'
import { loadSmall } from '../../../support/dataset.ts'
import { dispatched } from '../../../support/dispatched.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { thrownBy } from '../../../support/thrown.ts'
import { dump, loadTenants } from '../../../support/restoring.ts'

const { identity } = await newIdentity()
const programs = path.join(import.meta.dirname, '../../../../node_modules/pg17/native/bin')
const variables = { PATH: [clientDirectory(17), programs, process.env.PATH].join(path.delimiter), HOME: process.env.HOME ?? '' }
let server: Server
/** Of no value: using it is faster than starting a server for each drill. */
let scratch: Server
let folder: string
beforeAll(async () => {
  server = await startServer(17)
  scratch = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-drill-'))
  chmodSync(folder, 0o777) // Root's scratch server runs as another user, who must get to its folder.
  await server.sql(`CREATE ROLE auditor; CREATE ROLE "odd ""name"`)
  for (const name of ['shop', 'odd', 'parents', 'extended', 'trap']) await server.createDatabase(name)
  await loadSmall(server, 'shop')
  await loadTenants(server, 'tenants')
  await server.createDatabase('owned')
  await server.sql(`CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, NULL); CREATE VIEW w AS SELECT * FROM t;
    ALTER TABLE t OWNER TO auditor; GRANT SELECT ON t TO "odd ""name";
    SELECT lo_from_bytea(4711, 'one'), lo_from_bytea(4712, 'granted'), lo_from_bytea(4713, 'as new'), lo_from_bytea(4714, 'of the auditor');
    ALTER LARGE OBJECT 4714 OWNER TO auditor; GRANT SELECT ON LARGE OBJECT 4712 TO auditor;
    GRANT SELECT ON LARGE OBJECT 4713 TO auditor; REVOKE SELECT ON LARGE OBJECT 4713 FROM auditor`, 'owned')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
  await scratch.stop()
})
afterEach(() => expect(left()).toEqual([]))

const dataset = (name: string): string => readFileSync(path.join(import.meta.dirname, `../../../support/dataset/${name}.sql`), 'utf8')
const temporary = (): string => path.join(folder, 'temporary')
/** Folders and files of scratch servers. */
const left = (): string[] => readdirSync(folder).includes('temporary') ? readdirSync(temporary()) : []
const run = <C extends Command>(command: C, raw: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...raw }, new Date(), { variables, temporary: temporary() })

/** Into the scratch server, unless something else is given. */
async function drill(set: string, raw: Record<string, string> = {}) {
  await run('backup', { set, 'database-url': server.url(set), 'pg-dump-args': raw['pg-dump-args'] ?? '' })
  const { 'pg-dump-args': _, ...rest } = raw
  return run('verify', { set, level: 'drill', 'scratch-url': scratch.url('postgres'), ...rest })
}

/** Drills an archive in which a text is replaced by another of the same length. */
async function drillBroken(set: string, from: string, to: string, raw: Record<string, string> = {}, major = 17, more: Record<string, unknown> = {}) {
  const bytes = Buffer.from(dump(server, set, 17).toString('latin1').replaceAll(from, to), 'latin1')
  const broken = `${set}-broken`
  const listed = execFileSync(path.join(clientDirectory(17), 'pg_restore'), ['--list'], { input: bytes }).toString()
  const entries = listed.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
  const recorded = {
    server: { major, version: `${major}.10` }, database: set, encoding: 'UTF8', collation: 'C.UTF-8', extensions: [], superuser: 'postgres',
    databaseSize: null, tables: [], dumpVersion: '17.5', entries, globals: { reason: 'none' }, arguments: [], ...more,
  }
  await backUp({ folder: path.join(folder, 'store'), encryptionKey: identity, set: broken, sources: { app: [{ name: 'app.dump', bytes }] }, kind: { kind: 'postgres', facts: recorded } })
  return (await run('verify', { set: broken, level: 'drill', 'scratch-url': scratch.url('postgres'), ...raw })).result
}

test('a backup is restored, dumped again, and found equal', async () => {
  const { result, text } = await drill('shop', { 'scratch-url': '' })
  expect(result).toMatchObject({ result: 'verified', problems: [], versions: { 'scratch server': expect.stringMatching(/^17/) } })
  expect(result.sources[0]!.drill).toMatchObject({ rows: 1329, wording: true, assertions: 0 })
  expect(text).toContain('1,329 rows and ')
  expect((await run('show', { set: 'shop' })).text).toMatch(/verified +drill [^]*Drill: 1,329 rows and [^]* equal .*; recovery took .*; the snapshot was .* old; on linux /)
})

test('a backup with drill is drilled at once, and its proof says so', async () => {
  const { result } = await run('backup', { set: 'at-once', 'database-url': server.url('owned'), drill: 'true', 'scratch-url': scratch.url('postgres'), 'assert-sql': 'rows: SELECT count(*) = 2 FROM t' })
  expect(result).toMatchObject({ verified: 'drill' })
  expect((await run('check', { set: 'at-once', 'max-proof-age': '1h', 'proof-level': 'drill' })).result).toMatchObject({ problems: [] })
  const failing = { set: 'at-once', 'database-url': server.url('owned'), drill: 'true', 'scratch-url': scratch.url('postgres'), 'assert-sql': 'never: false' }
  expect((await thrownBy(run('backup', failing))).message).toContain('never is not true in the restored database')
})

test('settings, owner, privileges and comment of the database are compared as well, under odd names', async () => {
  await server.sql(`
    ALTER DATABASE odd OWNER TO "odd ""name"; COMMENT ON DATABASE odd IS 'a; comment'; REVOKE CONNECT ON DATABASE odd FROM PUBLIC;
    GRANT CONNECT ON DATABASE odd TO auditor; ALTER DATABASE odd SET statement_timeout = '7min'; ALTER ROLE auditor IN DATABASE odd SET work_mem = '9MB';
    ALTER DATABASE odd CONNECTION LIMIT 5`)
  await server.sql(`
    CREATE SCHEMA "a ""b"; SET search_path = "a ""b"; CREATE TABLE "t; x" (id int PRIMARY KEY, "the note" text);
    INSERT INTO "t; x" VALUES (1, E'-- Name: x; Type: TABLE; Schema: s; Owner: o'), (2, E'\\\\.'), (3, repeat('long ', 100000));
    CREATE TABLE "two\n7; 1259 1 TABLE lines; -- x" (id int);
    COMMENT ON TABLE "t; x" IS E'two\\nlines'; GRANT SELECT ("the note") ON "t; x" TO auditor;
    CREATE FUNCTION f() RETURNS text LANGUAGE sql AS E'SELECT \\'x\\'\\n--\\n-- Name: y; Type: TABLE; Schema: s; Owner: o\\n--\\n';
    SELECT pg_catalog.lo_from_bytea(4711, pg_catalog.repeat('abc', 20000)::pg_catalog.bytea); GRANT SELECT ON LARGE OBJECT 4711 TO auditor`, 'odd')
  const { result } = await drill('odd')
  expect(result).toMatchObject({ result: 'verified', problems: [] })
  // Each stream is read more than once, and counted once.
  expect(result.bytes).toBe(result.sources[0]!.size)
})

test('a backup that left something out is compared with a dump that leaves out the same', async () => {
  const { result } = await drill('shop', { 'pg-dump-args': '--exclude-table-data=order_items --no-comments --role=postgres' })
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

const MOMENTS = `CREATE TABLE t (at timestamptz, b bytea, m money); INSERT INTO t VALUES ('2026-07-01 12:00+00', '\\x00ff41', 1234.5);
  CREATE TABLE p (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE VIEW v AS SELECT at > '2026-01-01 00:00:00+00' AS late FROM t; COMMENT ON VIEW v IS E'back\\\\slash';
  CREATE TABLE local (at timestamptz CHECK (extract(hour from at) = 14)); INSERT INTO local VALUES ('2026-07-01 12:00+00')`

test('a server with other settings is backed up and drilled, whatever the scratch server has', async () => {
  const settings = { timezone: 'Europe/Berlin', bytea_output: 'escape', quote_all_identifiers: 'on', standard_conforming_strings: 'off', lc_monetary: 'C.UTF-8' }
  const other = await startServer(17, { settings })
  try {
    await other.createDatabase('moments')
    await other.sql(`SET standard_conforming_strings = on; ${MOMENTS}`, 'moments')
    for (const args of ['', '--encoding=LATIN1']) {
      await run('backup', { set: 'moments', 'database-url': other.url('moments'), 'pg-dump-args': args })
      expect((await run('verify', { set: 'moments', level: 'drill', 'scratch-url': scratch.url('postgres') })).result).toMatchObject({ result: 'verified', problems: [] })
    }
  } finally {
    await other.stop()
  }
})

test('a row that differs is found; perhaps by settings of the backup only, if the snapshot does not tell them', async () => {
  await server.createDatabase('moment')
  await server.sql(`CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('2026-07-01 12:00+00')`, 'moment')
  await server.sql(`ALTER ROLE postgres IN DATABASE moment SET timezone = 'UTC'`)
  expect(await drillBroken('moment', '12:00:00+00', '13:00:00+01')).toMatchObject({
    result: 'could not verify', problems: [expect.stringMatching(/^TABLE DATA public.t differs after the restore; row 1: .*, perhaps because of settings of the session of the backup, which the snapshot does not tell/)],
  })
  const session = { TimeZone: 'UTC', bytea_output: 'hex', lc_monetary: 'C', quote_all_identifiers: 'off', standard_conforming_strings: 'on' }
  expect(await drillBroken('moment', '12:00:00+00', '13:00:00+01', {}, 17, { session })).toMatchObject({
    result: 'failed', problems: [expect.stringMatching(/^TABLE DATA public.t differs after the restore; row 1: column at has another value: 22 bytes$/)],
  })
  const elsewhere = { ...session, TimeZone: 'Mars/Olympus' }
  expect(await drillBroken('moment', '12:00:00+00', '13:00:00+01', {}, 17, { session: elsewhere })).toMatchObject({
    result: 'could not verify', problems: [expect.stringContaining('which the scratch server does not take: TimeZone = "Mars/Olympus"')],
  })
})

test.each([
  '', '--no-owner --create', '--clean --if-exists --use-set-session-authorization --inserts -x',
])('a backup with "%s", which may mean nothing for an archive, is equal', async (args) => {
  const { result } = await drill('owned', { 'pg-dump-args': args })
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test('rows without their tables cannot be drilled', async () => {
  expect((await drill('owned', { 'pg-dump-args': '--data-only' })).result).toMatchObject({
    result: 'could not verify', problems: [expect.stringContaining('has data only')],
  })
})

test('large objects need no tables', async () => {
  await server.createDatabase('objects')
  await server.sql(`CREATE TABLE t (n int); SELECT lo_from_bytea(4711, 'one'); GRANT SELECT ON LARGE OBJECT 4711 TO auditor`, 'objects')
  expect((await drill('objects', { 'pg-dump-args': '-T t' })).result).toMatchObject({ result: 'verified', problems: [] })
})

test('partitions by the hash of an enum, whose rows may be in others after a restore, are compared together; unfinished indexes are fine', async () => {
  await server.createDatabase('hashed')
  await server.sql(`CREATE TYPE colour AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'); CREATE TABLE h (c colour, n int) PARTITION BY HASH (c);
    CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO h SELECT (ARRAY['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']::colour[])[1 + g % 8], g FROM generate_series(1, 80) g;
    CREATE INDEX unfinished ON ONLY h (n)`, 'hashed')
  expect((await drill('hashed')).result).toMatchObject({ result: 'verified', problems: [] })
})

test('a difference is found, and shown, however slow the store is', async () => {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object
  const { get } = FileStore.prototype
  await server.createDatabase('slow')
  await server.sql('CREATE TABLE t (n int); INSERT INTO t VALUES (424242)', 'slow')
  const session = { TimeZone: 'GMT', bytea_output: 'hex', lc_monetary: 'C.UTF-8', quote_all_identifiers: 'off', standard_conforming_strings: 'on' }
  FileStore.prototype.get = async function (...parameters) {
    await setTimeout(500)
    return get.apply(this, parameters)
  }
  try {
    // Spaces before a number do not come back.
    expect(await drillBroken('slow', '424242', ' 24242', {}, 17, { session })).toMatchObject({
      result: 'failed', failedDrill: true, problems: ['TABLE DATA public.t differs after the restore; row 1: column n has a number of 5 digits instead of 6 bytes'],
    })
  } finally {
    FileStore.prototype.get = get
  }
})

test('conditions of the user are asked in the restored database', async () => {
  const assertions = 'there are orders: SELECT count(*) > 0 FROM orders;\nnothing is wrong: false'
  const { result, text } = await drill('shop', { 'assert-sql': assertions })
  expect(result).toMatchObject({ result: 'failed', unmet: 'all else verified', problems: ['assert-sql: nothing is wrong is not true in the restored database'] })
  expect(text).toMatch(/^FAILED: the snapshot is whole, but a condition does not hold[^]*The backup is whole, and what was restored from it is equal/)
  expect((await run('list', { set: 'shop' })).result).toMatchObject({ restorable: result.snapshot, unsound: [] })
})

test('a condition about a missing table does not hold; one that is wrong itself hides no other', async () => {
  const missing = 'no table: SELECT true FROM nowhere\nno column: SELECT nothing FROM orders\nno schema: SELECT 1 = CAST(1 AS nowhere.kind)'
  expect((await drill('shop', { 'assert-sql': missing })).result).toMatchObject({ result: 'failed', unmet: 'all else verified', problems: [
    'assert-sql: no table is not true in the restored database: relation "nowhere" does not exist',
    'assert-sql: no column is not true in the restored database: column "nothing" does not exist',
    'assert-sql: no schema is not true in the restored database: schema "nowhere" does not exist',
  ] })
  const wrong = 'a number: SELECT count(*) FROM orders\na typing error: SELEC true'
  const problems = [
    'assert-sql: a number could not be asked: the query must give true or false; this one gives bigint',
    'assert-sql: a typing error could not be asked: syntax error at or near "true". Correct the query',
  ]
  expect((await drill('shop', { 'assert-sql': wrong })).result).toMatchObject({ result: 'could not verify', problems })
  const both = (await drill('shop', { 'assert-sql': `${wrong}\nnothing: false` })).result
  expect(both).toMatchObject({ result: 'failed', unmet: 'all else verified', problems: [...problems, 'assert-sql: nothing is not true in the restored database'] })
})

test('a condition that names a database is asked in that one only; one that the snapshot lacks is said', async () => {
  await run('backup', { set: 'two', 'database-url': `shop=${server.url('shop')}\nowned=${server.url('owned')}` })
  const asked = async (conditions: string) =>
    (await run('verify', { set: 'two', level: 'drill', 'scratch-url': scratch.url('postgres'), 'assert-sql': conditions })).result
  expect(await asked('orders@shop: SELECT count(*) > 0 FROM orders\nhere: true')).toMatchObject({
    result: 'verified', problems: [], sources: [{ name: 'shop', drill: { assertions: 2 } }, { name: 'owned', drill: { assertions: 1 } }],
  })
  expect(await asked('none@elsewhere: true')).toMatchObject({
    result: 'could not verify', problems: ['assert-sql: the snapshot has no database elsewhere of which this could be asked. It has shop, owned.'],
  })
})

test('settings, triggers and policies of the database keep nobody out, and change no answer', async () => {
  await server.sql('CREATE ROLE strict')
  await server.createDatabase('strict')
  await server.sql(`
    CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1), (2); ALTER TABLE kept OWNER TO strict; ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
    CREATE TABLE logins (at timestamptz DEFAULT now());
    CREATE FUNCTION on_login() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN IF NOT pg_is_in_recovery() AND current_setting(''transaction_read_only'') = ''off'' THEN INSERT INTO public.logins DEFAULT VALUES; END IF; END';
    CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION on_login(); ALTER EVENT TRIGGER on_login ENABLE ALWAYS;
    CREATE FUNCTION refused() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no DDL''; END';
    CREATE EVENT TRIGGER refused ON ddl_command_start EXECUTE FUNCTION refused(); ALTER EVENT TRIGGER refused ENABLE ALWAYS`, 'strict')
  await server.sql(`
    REVOKE CONNECT ON DATABASE strict FROM PUBLIC; ALTER DATABASE strict CONNECTION LIMIT 0; ALTER DATABASE strict SET default_transaction_read_only = on`)
  expect((await drill('strict', { 'assert-sql': 'all rows are seen: SELECT count(*) = 2 FROM kept' })).result).toMatchObject({ result: 'verified', problems: [] })
})

test('limits of a database do not end its drill', async () => {
  await server.createDatabase('limited')
  await server.sql(`CREATE TABLE t AS SELECT g::text || repeat('x', 50) AS v FROM generate_series(1, 20000) g; CREATE INDEX ON t (v)`, 'limited')
  for (const setting of [`temp_file_limit = '64kB'`, `maintenance_work_mem = '1MB'`, `transaction_timeout = '1ms'`, `idle_session_timeout = '1ms'`])
    await server.sql(`ALTER DATABASE limited SET ${setting}`)
  const limitless = `${server.url('limited')}?options=-c%20transaction_timeout%3D0%20-c%20idle_session_timeout%3D0`
  await run('backup', { set: 'limited', 'database-url': limitless })
  const { result } = await run('verify', { set: 'limited', level: 'drill', 'scratch-url': scratch.url('postgres'), 'assert-sql': 'rows: SELECT count(*) > 0 FROM t' })
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test('conditions can be in a file', async () => {
  const file = path.join(folder, 'conditions')
  writeFileSync(file, '-- a comment\nthere are orders: SELECT count(*) > 0 FROM orders;\n\nnothing is wrong: false\n')
  expect((await drill('shop', { 'assert-sql': 'two: 2 = 1 + 1', 'assert-sql-file': file })).result).toMatchObject({
    result: 'failed', unmet: 'all else verified', problems: ['assert-sql: nothing is wrong is not true in the restored database'], sources: [{ drill: { assertions: 3 } }],
  })
  const none = { set: 'shop', level: 'drill', 'assert-sql-file': `${folder}/none` }
  expect(failureOf(await thrownBy(run('verify', none)))).toMatchObject({ status: 2, message: expect.stringMatching(/^the file of assert-sql-file cannot be read: ENOENT/) })
})

test('rows that violate a constraint, or that no column takes, are found, and not shown', async () => {
  await server.sql(`
    CREATE TABLE parents (id text PRIMARY KEY, note text); CREATE TABLE children (parent text REFERENCES parents);
    INSERT INTO parents VALUES ('secret1', 'here'); INSERT INTO children VALUES ('secret1')`, 'parents')
  const orphan = await drillBroken('parents', 'secret1\there', 'secret0\there')
  expect(orphan).toMatchObject({ result: 'failed', problems: [expect.stringMatching(/^it cannot be restored: .*violates foreign key constraint "children_parent_fkey"/)] })
  expect(JSON.stringify(orphan)).not.toContain('secret1')
  await server.sql(`CREATE TABLE numbers (n int); INSERT INTO numbers VALUES (1234567)`, 'parents')
  const broken = await drillBroken('parents', '1234567', 'secret2')
  expect(broken).toMatchObject({ result: 'failed', problems: [expect.stringMatching(/^it cannot be restored: .*invalid input syntax for type integer/)] })
  expect(JSON.stringify(broken)).not.toContain('secret2')
})

test('a database whose rows do not meet a constraint any more: nothing is called damaged, and the commands that are given bring the rows back', async () => {
  await server.createDatabase('unmet')
  await server.sql(`CREATE TABLE allowed (v int); INSERT INTO allowed VALUES (1);
    CREATE FUNCTION ok(int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.allowed WHERE v = $1)';
    CREATE TABLE orders (v int CONSTRAINT allowed CHECK (ok(v))); INSERT INTO orders VALUES (1); TRUNCATE allowed`, 'unmet')
  const { result, text } = await drill('unmet')
  expect(result).toMatchObject({ result: 'failed', failedDrill: true, damaged: [], sources: [{ failedDrill: true }] })
  expect(text).toMatch(/^DRILL FAILED: the snapshot is whole, and cannot be restored to what was backed up\n/)
  const { message, hint } = failureOf(await thrownBy(run('backup', { set: 'unmet-again', 'database-url': server.url('unmet'), drill: 'true', 'scratch-url': scratch.url('postgres') })))
  expect(message).toMatch(/was stored, and failed its drill: .*violates check constraint "allowed"/)
  const into = { snapshot: result.snapshot, database: 'unmet', 'database-url': server.url('unmet_rows'), globals: 'none' }
  const whole = await run('restore', { ...into, mode: 'create' })
  expect(whole.warnings.join()).toContain(`snapshot ${result.snapshot} failed its drill: `)
  expect(whole.text).toMatch(/^NOT restored[^]*brings all rows back: `lifeboat restore --snapshot \S+ --database unmet --mode create --only schema`/)
  expect([text, spelled(hint!, atTerminal('lifeboat')), whole.text, ...whole.warnings].join('\n')).not.toMatch(/is damaged|be good|skip-damaged|nothing wrong/)
  expect(text).toMatch(/Correct the source first[^]*`lifeboat verify --set unmet --level drill`[^]*restore --snapshot \S+ --mode create --only schema`[^]*DROP CONSTRAINT[^]*restore --snapshot \S+ --only data`/)
  await run('restore', { ...into, mode: 'create', only: 'schema' })
  await server.sql('ALTER TABLE orders DROP CONSTRAINT allowed', 'unmet_rows')
  expect((await run('restore', { ...into, only: 'data' })).result).toMatchObject({ errors: [], left: 'everything' })
  expect(await server.sql('SELECT v FROM orders', 'unmet_rows')).toContain('1')
})

test('an archive that lacks a table of those that were recorded is found', async () => {
  const entries = Array.from({ length: 9 }, (_, index) => `${index}; 1259 16384 TABLE public t${index} postgres`)
  const result = await drillBroken('owned', 'none', 'none', {}, 17, { entries })
  expect(result).toMatchObject({
    result: 'failed', problems: [expect.stringMatching(/^app\.dump lists \d+ entries that are not the 9 recorded at backup time: missing: .*$/)],
  })
  expect(result).not.toHaveProperty('failedDrill')
})

test('an archive that no pg_restore can read to its end was stored wrongly: the snapshot is not called whole', async () => {
  await server.createDatabase('malformed')
  await server.sql("CREATE TABLE t (v text); INSERT INTO t VALUES ('a value of the only row')", 'malformed')
  const result = await drillBroken('malformed', 'a value of the only row', 'shorter')
  expect(result).toMatchObject({ result: 'failed', damaged: [], sources: [{ result: 'failed' }] })
  expect([result, result.sources[0]]).toEqual([expect.not.objectContaining({ failedDrill: true }), expect.not.objectContaining({ failedDrill: true })])
  expect(result.problems).toContainEqual(expect.stringMatching(/^app\.dump: /))
})

/** Changes of a restored database, and the problems that a drill tells. */
const HARMS: readonly { of: string; problems: (string | RegExp)[]; sql: string[] }[] = [
  {
    of: 'data', problems: [
      'TABLE DATA public.changed differs after the restore; row 1: column note has another value: 10 bytes',
      'TABLE DATA public.fewer differs after the restore: 1 rows instead of 2', 'SEQUENCE SET public.s differs after the restore',
      'BLOBS 0..65535 differs after the restore', 'TABLE public.gone is missing after the restore', 'TABLE DATA public.gone is missing after the restore',
      'INDEX public.harmed is missing after the restore', 'after the restore these indexes are invalid: public.harmed',
    ],
    sql: [
      `UPDATE public.changed SET note = 'secret now' WHERE note <> 'kept'`, `DELETE FROM public.fewer WHERE note <> 'kept'`, `PERFORM pg_catalog.setval('public.s', 41)`,
      'PERFORM pg_catalog.lo_truncate(pg_catalog.lo_open(4711, 131072), 3)', 'DROP TABLE public.gone',
      `UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'public.harmed'::pg_catalog.regclass`,
    ],
  },
  {
    of: 'definitions', problems: [
      /^TABLE public\.checked differs after the restore; line 4: /, 'VIEW public.defined differs after the restore',
      'TABLE public.more is not in the backup, and is there after the restore', 'COMMENT public.TABLE t differs after the restore',
      'TABLE DATA public.more is not in the backup, and is there after the restore',
      'CHECK CONSTRAINT public.checked positive is not in the backup, and is there after the restore', 'CONSTRAINT public.checked one is missing after the restore',
      'ACL public.TABLE t is missing after the restore', 'MATERIALIZED VIEW DATA public.filled is missing after the restore',
      'MATERIALIZED VIEW DATA public.m is missing after the restore',
    ],
    sql: [
      'CREATE OR REPLACE VIEW public.defined AS SELECT 2 AS a', 'REVOKE SELECT ON public.t FROM auditor', `COMMENT ON TABLE public.t IS 'lost'`,
      `UPDATE pg_catalog.pg_constraint SET convalidated = false WHERE conname = 'positive'`, 'ALTER TABLE public.checked DROP CONSTRAINT one',
      `UPDATE pg_catalog.pg_class SET relispopulated = false WHERE oid = 'public.filled'::pg_catalog.regclass`, 'CREATE TABLE public.more (id int)',
    ],
  },
]

test.each(HARMS)('all $of that differ are found, whatever made them so while the backup was restored', async ({ problems, sql }) => {
  await server.createDatabase('harmed')
  try {
    await server.sql(`
      CREATE SEQUENCE s; SELECT setval('s', 42); CREATE TABLE t (v int); INSERT INTO t VALUES (1); CREATE INDEX harmed ON t (v);
      SELECT lo_from_bytea(4711, 'secret content'); GRANT SELECT ON t TO auditor; COMMENT ON TABLE t IS 'secret';
      CREATE TABLE gone (id int); CREATE TABLE changed (note text); INSERT INTO changed VALUES ('secret row'), ('kept');
      CREATE TABLE fewer AS SELECT * FROM changed; CREATE VIEW defined AS SELECT 1 AS a; CREATE MATERIALIZED VIEW filled AS SELECT 1 AS a;
      CREATE TABLE checked (id int CONSTRAINT positive CHECK (id > 0), CONSTRAINT one UNIQUE (id));
      CREATE FUNCTION harm(int) RETURNS int LANGUAGE plpgsql AS $$BEGIN
        IF pg_catalog.starts_with(pg_catalog.current_database()::pg_catalog.text, 'lifeboat_drill_') THEN ${sql.map((one) => `${one};`).join('')} END IF;
        RETURN 1; END$$;
      CREATE MATERIALIZED VIEW m AS SELECT harm(a) FROM filled`, 'harmed')
    const { result } = await drill('harmed')
    expect([result.result, result.problems]).toEqual(['failed', problems.map((one) => typeof one === 'string' ? one : expect.stringMatching(one))])
    expect(JSON.stringify(result)).not.toContain('secret')
  } finally {
    await server.sql('DROP DATABASE harmed')
  }
})

test('a function of an index that names a table without its schema cannot be restored anywhere; the entry is named', async () => {
  await server.createDatabase('named')
  await server.sql(`CREATE TABLE rates (x int); INSERT INTO rates VALUES (2); CREATE TABLE t (a int); INSERT INTO t VALUES (1);
    CREATE FUNCTION f(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN i; END'; CREATE INDEX ti ON t (f(a));
    CREATE OR REPLACE FUNCTION f(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN i * (SELECT max(x) FROM rates); END'`, 'named')
  expect((await drill('named')).result).toMatchObject({
    result: 'failed', failedDrill: true, problems: [expect.stringMatching(/^it cannot be restored with pg_restore: CREATE INDEX ti: relation "rates" does not exist/)],
  })
  await server.sql('ALTER FUNCTION f(int) SET search_path = public; REINDEX INDEX ti', 'named')
  expect((await drill('named')).result).toMatchObject({ result: 'verified', problems: [] })
})

test('the text of a function neither shows rows nor decides who is at fault', async () => {
  await server.createDatabase('said')
  await server.sql(`
    CREATE FUNCTION known(t text) RETURNS boolean LANGUAGE plpgsql AS
      $$BEGIN IF t LIKE 'X%' THEN RAISE EXCEPTION 'permission denied for %', t; END IF; RETURN true; END$$;
    CREATE TABLE said (note text CHECK (known(note))); INSERT INTO said VALUES ('Shunter2')`, 'said')
  const found = await drillBroken('said', 'Shunter2', 'Xhunter2')
  const cannot = /^the scratch server cannot take this database: COPY failed for table "said": an error whose text may quote rows, so that it is not shown \(line 1\)\. /
  expect(found).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(cannot)] })
  expect(JSON.stringify(found)).not.toContain('hunter2')
})

test('a server that ends all sessions while a drill restores tells nothing about the backup', async () => {
  const crashing = await startServer(17)
  try {
    await server.createDatabase('crash')
    await server.sql(`CREATE TABLE t AS SELECT g AS id, repeat('x', 500) AS v FROM generate_series(1, 20000) g`, 'crash')
    const drilled = drill('crash', { 'scratch-url': crashing.url('postgres') })
    const pid = `SELECT pid FROM pg_stat_activity WHERE datname LIKE 'lifeboat_drill_%' AND usename LIKE 'lifeboat_loader_%' LIMIT 1`
    const over = new AbortController()
    const end = (): void => over.abort()
    void drilled.then(end, end)
    for (let found = ''; found === '' && !over.signal.aborted; ) {
      found = (await crashing.sql(pid)).trim()
      if (found !== '') process.kill(Number(found), 'SIGKILL')
    }
    expect((await drilled).result).toMatchObject({ result: 'could not verify' })
  } finally {
    await crashing.stop()
  }
})

test('a function in a constraint cannot run a program while its rows are loaded', async () => {
  await server.sql(`
    CREATE FUNCTION checked(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
    CREATE TABLE trap (id int CHECK (checked(id))); INSERT INTO trap VALUES (1);
    CREATE OR REPLACE FUNCTION checked(int) RETURNS boolean LANGUAGE plpgsql AS
      $$BEGIN COPY (SELECT 1) TO PROGRAM 'touch ${folder}/harm'; RETURN true; END$$`, 'trap')
  const { result } = await drill('trap', { 'scratch-url': '' })
  expect(result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(/^the scratch server cannot take this database: COPY failed for table "trap": /)] })
  expect(readdirSync(folder)).not.toContain('harm')
})

test('nothing that belonged to an ordinary role is made with the rights of a superuser', async () => {
  await server.sql('CREATE ROLE mallory')
  await server.createDatabase('rights')
  await server.sql('GRANT CREATE ON SCHEMA public TO mallory', 'rights')
  const body = (way: string): string => `LANGUAGE plpgsql AS $$BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
      THEN COPY (SELECT 1) TO PROGRAM 'touch ${folder}/harm-${way}'; END IF; RETURN true; END$$`
  await server.sql(`
    SET SESSION AUTHORIZATION mallory;
    CREATE TABLE rows (id int); INSERT INTO rows VALUES (1);
    CREATE FUNCTION of_row(rows) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
    ALTER TABLE rows ADD CHECK (of_row(rows.*)); CREATE OR REPLACE FUNCTION of_row(rows) RETURNS boolean ${body('check')};
    CREATE TYPE e AS ENUM ('a'); CREATE FUNCTION of_enum(e) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE CAST (e AS int) WITH FUNCTION of_enum(e) AS IMPLICIT;
    CREATE TABLE keys (id int PRIMARY KEY); INSERT INTO keys VALUES (1); CREATE TABLE refers (id e REFERENCES keys); INSERT INTO refers VALUES ('a');
    CREATE FUNCTION harmful() RETURNS boolean ${body('cast')};
    CREATE OR REPLACE FUNCTION of_enum(e) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN public.harmful()::int; END';
    CREATE DOMAIN d AS int; CREATE FUNCTION of_domain(d) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
    CREATE TABLE domains (id d); INSERT INTO domains VALUES (1); ALTER DOMAIN d ADD CHECK (of_domain(VALUE));
    CREATE OR REPLACE FUNCTION of_domain(d) RETURNS boolean ${body('domain')};
    CREATE FUNCTION of_int(int) RETURNS boolean ${body('literal')}; CREATE DOMAIN checked AS int CHECK (of_int(VALUE));
    CREATE TABLE defaults (id checked[] DEFAULT '{1}'); CREATE VIEW literals AS SELECT '{1}'::checked[] AS found;
    CREATE FUNCTION of_index(int) RETURNS boolean ${body('index')}; CREATE DOMAIN indexed AS int CHECK (of_index(VALUE));
    CREATE INDEX ON keys ((id = ANY ('{1}'::indexed[])));
    CREATE MATERIALIZED VIEW kept AS SELECT public.harmful() AS found;
    CREATE FUNCTION of_part(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END'; CREATE TABLE part (id int CHECK (of_part(1)));
    RESET SESSION AUTHORIZATION; CREATE TABLE whole (id int) PARTITION BY LIST (id); ALTER TABLE whole ATTACH PARTITION part FOR VALUES IN (1);
    SET SESSION AUTHORIZATION mallory; CREATE OR REPLACE FUNCTION of_part(int) RETURNS boolean IMMUTABLE ${body('part')}`, 'rights')
  const { result } = await drill('rights')
  expect(readdirSync(folder).filter((name) => name.startsWith('harm'))).toEqual([])
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test("a superuser's materialized view runs no code of others as a superuser, and is filled all the same", async () => {
  await server.sql('CREATE ROLE replacer; CREATE ROLE neighbour')
  await server.createDatabase('viewed')
  const harmful = `LANGUAGE plpgsql AS $$BEGIN
    IF (SELECT pg_catalog.bool_or(rolsuper) FROM pg_catalog.pg_roles WHERE rolname IN (session_user, current_user))
      AND pg_catalog.starts_with(pg_catalog.current_database()::text, 'lifeboat_drill_')
      THEN COPY (SELECT 1) TO PROGRAM 'touch ${folder}/harm-view'; END IF; RETURN 1; END$$`
  await server.sql(`
    CREATE SCHEMA theirs AUTHORIZATION replacer; CREATE SCHEMA others AUTHORIZATION neighbour;
    CREATE TABLE others.hidden AS SELECT 7 AS id; ALTER TABLE others.hidden OWNER TO neighbour;
    ALTER TABLE others.hidden ENABLE ROW LEVEL SECURITY; ALTER TABLE others.hidden FORCE ROW LEVEL SECURITY;
    CREATE FUNCTION others.kept() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION others.kept() OWNER TO neighbour;
    REVOKE EXECUTE ON FUNCTION others.kept() FROM PUBLIC;
    SET SESSION AUTHORIZATION replacer; CREATE VIEW theirs.v AS SELECT 1 AS a;
    RESET SESSION AUTHORIZATION; CREATE MATERIALIZED VIEW of_view AS SELECT a FROM theirs.v; CREATE UNIQUE INDEX ON of_view (a);
    GRANT SELECT ON of_view TO replacer; COMMENT ON MATERIALIZED VIEW of_view IS 'kept';
    CREATE MATERIALIZED VIEW "odd ""view" AS SELECT others.kept() AS one, h.id, a FROM others.hidden h, public.of_view;
    CREATE FUNCTION refused() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$;
    SET SESSION AUTHORIZATION replacer; CREATE FUNCTION theirs.f() RETURNS int ${harmful}; CREATE OR REPLACE VIEW theirs.v AS SELECT theirs.f() AS a;
    RESET SESSION AUTHORIZATION;
    CREATE EVENT TRIGGER refused ON ddl_command_start WHEN TAG IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION refused()`, 'viewed')
  const { result } = await drill('viewed', { 'assert-sql': `filled: SELECT (one, id, a) = (1, 7, 1) FROM "odd ""view"` })
  expect(readdirSync(folder)).not.toContain('harm-view')
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

/** Administrators call functions of the schema public, and mallory has an index whose function defines one that fits better. */
const shadowing = (condition: string): string => `
  CREATE FUNCTION public.norm(v varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = public AS 'BEGIN RETURN lower(v); END';
  CREATE TABLE public.people (name varchar); INSERT INTO people VALUES ('Ann'); CREATE INDEX ON people (public.norm(name));
  CREATE SCHEMA m AUTHORIZATION mallory; SET SESSION AUTHORIZATION mallory;
  CREATE FUNCTION m.f(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
  CREATE TABLE m.t (x int); INSERT INTO m.t VALUES (1); CREATE INDEX a ON m.t (m.f(x));
  CREATE OR REPLACE FUNCTION m.f(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN m.g(); END';
  CREATE FUNCTION m.g() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
    IF ${condition} THEN
      CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE plpgsql AS $x$BEGIN
        IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
          THEN COPY (SELECT 1) TO PROGRAM 'touch ${folder}/harm-shadow'; END IF; RETURN pg_catalog.lower($1::text); END$x$;
    END IF; RETURN true; END$$;`

test('an ordinary role can create in no schema in which it has nothing', async () => {
  await server.createDatabase('shadowed')
  await server.sql(shadowing(`pg_catalog.has_schema_privilege(current_user, 'public', 'CREATE')`), 'shadowed')
  const { result } = await drill('shadowed')
  expect(readdirSync(folder)).not.toContain('harm-shadow')
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test('functions cannot change definitions while a drill restores, whatever their owners may', async () => {
  await server.createDatabase('changing')
  await server.sql(`GRANT CREATE ON SCHEMA public TO mallory; ${shadowing('true')} CREATE TABLE public.hers (id int)`, 'changing')
  const { result } = await drill('changing')
  expect(readdirSync(folder)).not.toContain('harm-shadow')
  expect(result).toMatchObject({
    result: 'could not verify', problems: [expect.stringMatching(/: a function of the database may not change definitions while a drill restores it/)],
  })
})

test('materialized views are filled with the rights that their owners had: superusers, members of others, readers of everything', async () => {
  await server.sql(`CREATE ROLE keeper; CREATE ROLE deploy SUPERUSER; CREATE ROLE reporting; CREATE ROLE "Reader" NOINHERIT; CREATE ROLE "all; of it";
    GRANT keeper TO "all; of it"; GRANT "all; of it" TO reporting; GRANT pg_read_all_data TO "Reader"`)
  await server.createDatabase('filled')
  await server.sql(`
    CREATE TABLE t (id int); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO keeper;
    CREATE TABLE hidden (id int); INSERT INTO hidden VALUES (1); ALTER TABLE hidden OWNER TO keeper; ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
    CREATE FUNCTION kept() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION kept() OWNER TO keeper; REVOKE EXECUTE ON FUNCTION kept() FROM PUBLIC;
    CREATE MATERIALIZED VIEW by_superuser AS SELECT kept() FROM hidden; ALTER MATERIALIZED VIEW by_superuser OWNER TO deploy;
    CREATE MATERIALIZED VIEW by_member AS SELECT kept() FROM t; ALTER MATERIALIZED VIEW by_member OWNER TO reporting;
    CREATE MATERIALIZED VIEW by_reader AS SELECT * FROM t; ALTER MATERIALIZED VIEW by_reader OWNER TO "Reader"`, 'filled')
  expect((await drill('filled', { 'assert-sql': 'filled: SELECT count(*) = 1 FROM by_superuser' })).result).toMatchObject({ result: 'verified', problems: [] })
})

test('roles are made without rights beyond reading: nobody may act for those who were superusers', async () => {
  const globals = `CREATE ROLE boss;\nALTER ROLE boss WITH SUPERUSER INHERIT;\nCREATE ROLE "a ""b";\nCREATE ROLE mallory;\nCREATE ROLE known;
    GRANT boss TO mallory WITH INHERIT TRUE GRANTED BY postgres;\nGRANT "a ""b" TO mallory GRANTED BY postgres;\nGRANT mallory TO "a ""b";\nGRANT postgres TO mallory;
    GRANT pg_write_server_files TO mallory;\nGRANT pg_read_all_data TO mallory;\nGRANT SET ON PARAMETER log_statement TO mallory;\nGRANT known TO mallory;\n`
  const { superusers, ...roles } = rolesIn(globals)
  const context = { connection: parseDatabaseUrl(scratch.url('postgres'), variables), client: { major: 17, directory: clientDirectory(17) }, variables }
  await scratch.sql('CREATE ROLE known')
  try {
    await createRoles(roles, new Set([...superusers, 'postgres']), context)
    expect(await scratch.sql(`SELECT roleid::regrole, member::regrole FROM pg_auth_members WHERE member::regrole::text !~ '^pg_' ORDER BY roleid::regrole::text COLLATE "C", member::regrole::text COLLATE "C"`)).toBe(
      ['"a ""b"|boss', '"a ""b"|mallory', 'mallory|boss', 'pg_read_all_data|boss', 'pg_read_all_data|mallory'].join('\n'))
    expect(await scratch.sql(`SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND (rolcanlogin OR rolsuper OR rolcreaterole)`)).toBe('postgres')
    expect(await dropRoles(context)).toEqual([])
    expect(await scratch.sql(`SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1`)).toBe('known\npostgres')
  } finally {
    await scratch.sql('DROP ROLE known')
  }
})

test('without server programs, the way to them is named', async () => {
  const result = await drillBroken('parents', 'none', 'none', { 'scratch-url': '', 'client-install': 'never' }, 99)
  expect(result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(
    /^a drill needs the server programs of PostgreSQL 99 or newer \(initdb, postgres\): (?:none is installed|this machine has those of [\d, ]+)\. Run sudo apt-get install -y postgresql-99; if there is no such package, /,
  )] })
})

test('an extension that the scratch server lacks is found before anything is restored', async () => {
  await server.sql('CREATE EXTENSION hstore; CREATE TABLE h (h hstore)', 'extended')
  const result = await drillBroken('extended', 'hstore', 'hstorx')
  expect(result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(/^the scratch server does not have the extension hstorx\. Give an image of a server that has it in .*scratch-image/)] })
})

test.each([
  ['postgis', 'scratch-image: postgis/postgis:17-3.5'], ['vector', 'scratch-image: pgvector/pgvector:pg17'], ['timescaledb', 'scratch-image: timescale/timescaledb:latest-pg17'],
])('for the extension %s, the image that has it is named', async (extension, image) => {
  const connection = parseDatabaseUrl(server.url('postgres'), variables)
  const context = { connection, client: { major: 17, directory: clientDirectory(17) }, variables }
  const entry = { id: 1, kind: 'EXTENSION', schema: '', name: extension, owner: '', tablespace: '', needs: [], inherits: false }
  const error = await thrownBy(requireExtensions([entry], 17, context))
  expect(spelled(error.hint!, atTerminal('lifeboat'))).toContain(image.replace('scratch-image: ', '--scratch-image '))
})

test('a given server is used, and left as it was', async () => {
  const before = await scratch.sql('SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')
  const { result } = await drill('tenants')
  expect(result).toMatchObject({ result: 'verified', problems: [] })
  expect(await scratch.sql('SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')).toBe(before)
})

test('a given server with data, such as the one that was backed up, is refused before anything is done there', async () => {
  const before = await server.sql('SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')
  const { result } = await drill('shop', { 'scratch-url': server.url('postgres') })
  expect(result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(/^the server of scratch-url, .*, has data: there are tables in its database \w+\. .*Give a server of its own/)] })
  expect(await server.sql('SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')).toBe(before)
})

test('a database whose owners use what others have made is found equal, and tables that were lent belong to their owners again', async () => {
  const several = await startServer(17, { settings: { wal_level: 'logical' } })
  try {
    await several.sql(dataset('owners-roles'))
    await several.createDatabase('owners')
    await several.sql(dataset('owners'), 'owners')
    await run('backup', { set: 'owners', 'database-url': several.url('owners') })
    expect((await run('verify', { set: 'owners', level: 'drill', 'scratch-url': '' })).result).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { wording: true } }] })
  } finally {
    await several.stop()
  }
})

test('roles that only privileges and policies name are made, if the snapshot has no globals', async () => {
  await server.sql(`
    CREATE ROLE "Grantee x"; CREATE ROLE policed; CREATE ROLE "odd; owner"`)
  await server.createDatabase('private')
  await server.sql(`
    CREATE TABLE t (id int); GRANT SELECT ON t TO "Grantee x", policed; ALTER TABLE t ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON t TO policed, "Grantee x" USING (true); ALTER DEFAULT PRIVILEGES FOR ROLE policed GRANT SELECT ON TABLES TO "Grantee x";
    CREATE SCHEMA s AUTHORIZATION "odd; owner"`, 'private')
  expect((await drillBroken('private', 'none', 'none', { 'scratch-url': '' }))).toMatchObject({ result: 'verified', problems: [] })
})

test('a drill does not log in to other servers', async () => {
  await server.createDatabase('remote')
  await server.sql('CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (2)', 'remote')
  await server.createDatabase('foreigner')
  const { environment } = parseDatabaseUrl(server.url('remote'), variables)
  await server.sql(`
    CREATE EXTENSION postgres_fdw; CREATE SERVER rem FOREIGN DATA WRAPPER postgres_fdw
      OPTIONS (host '${environment.PGHOST}', port '${environment.PGPORT ?? 5432}', dbname 'remote');
    CREATE USER MAPPING FOR PUBLIC SERVER rem OPTIONS (user 'postgres', password '${environment.PGPASSWORD ?? 'none'}');
    CREATE FOREIGN TABLE ft (id int) SERVER rem OPTIONS (table_name 'orders'); CREATE TABLE at_first (id int)`, 'foreigner')
  expect((await drill('foreigner', { 'pg-dump-args': '--include-foreign-data=rem' })).result).toMatchObject({
    result: 'could not verify', problems: [expect.stringContaining('the rows of 1 foreign tables, which a restore would write to other servers')],
  })
  expect(await server.sql('SELECT count(*) FROM orders', 'remote')).toBe('2')
  expect((await drill('foreigner')).result).toMatchObject({ result: 'verified', problems: [] })
  await server.sql('CREATE MATERIALIZED VIEW copied AS SELECT * FROM ft', 'foreigner')
  expect((await drill('foreigner')).result.problems).toEqual([expect.stringContaining('user mapping not found for')])
})
