import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Command } from '../../../../src/commands/all.ts'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { atTerminal } from '../../../../src/cli/spelling.ts'
import { spelled } from '../../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../../src/sources/postgres/connection.ts'
import { requireExtensions, restoreProblem } from '../../../../src/sources/postgres/drill/requirements.ts'
import { dropRoles } from '../../../../src/sources/postgres/drill/leftovers.ts'
import { createRoles, rolesIn } from '../../../../src/sources/postgres/drill/roles.ts'
import { failureOf } from '../../../../src/report/failure.ts'
import { BadSource } from '../../../../src/sources/source.ts'
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
    ALTER TABLE t OWNER TO auditor; GRANT SELECT ON t TO "odd ""name"`, 'owned')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
  await scratch.stop()
})
afterEach(() => expect(left()).toEqual([]))

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
async function drillBroken(set: string, from: string, to: string, raw: Record<string, string> = {}, major = 17, more: Record<string, Record<string, string>> = {}) {
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

test('settings, owner, privileges and comment of the database are compared as well, under odd names', async () => {
  await server.sql(`
    ALTER DATABASE odd OWNER TO "odd ""name"; COMMENT ON DATABASE odd IS 'a; comment'; REVOKE CONNECT ON DATABASE odd FROM PUBLIC;
    GRANT CONNECT ON DATABASE odd TO auditor; ALTER DATABASE odd SET statement_timeout = '7min'; ALTER ROLE auditor IN DATABASE odd SET work_mem = '9MB';
    ALTER DATABASE odd CONNECTION LIMIT 5`)
  await server.sql(`
    CREATE SCHEMA "a ""b"; SET search_path = "a ""b"; CREATE TABLE "t; x" (id int PRIMARY KEY, "the note" text);
    INSERT INTO "t; x" VALUES (1, E'-- Name: x; Type: TABLE; Schema: s; Owner: o'), (2, E'\\\\.'), (3, repeat('long ', 100000));
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
    result: 'failed', problems: [expect.stringMatching(/^TABLE DATA public.t differs after the restore; row 1: .*instead of 22 bytes$/)],
  })
  const elsewhere = { ...session, TimeZone: 'Mars/Olympus' }
  expect(await drillBroken('moment', '12:00:00+00', '13:00:00+01', {}, 17, { session: elsewhere })).toMatchObject({
    result: 'could not verify', problems: [expect.stringContaining('which the scratch server does not take: TimeZone = "Mars/Olympus"')],
  })
})

test.each([
  '--no-owner --create', '--clean --if-exists --use-set-session-authorization --inserts -x',
])('a backup with %s, which may mean nothing for an archive, is equal', async (args) => {
  const { result } = await drill('owned', { 'pg-dump-args': args })
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test('rows without their tables cannot be drilled', async () => {
  expect((await drill('owned', { 'pg-dump-args': '--data-only' })).result).toMatchObject({
    result: 'could not verify', problems: [expect.stringContaining('has data only')],
  })
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
      result: 'failed', problems: ['TABLE DATA public.t differs after the restore; row 1: column n has a number of 5 digits instead of 6 bytes'],
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

test('a sequence that is behind, a large object that was cut and an invalid index are found, whatever made them so while the backup was restored', async () => {
  await server.createDatabase('harmed')
  await server.sql(`
    CREATE SEQUENCE s; SELECT setval('s', 42); CREATE TABLE t (v int); INSERT INTO t VALUES (1); CREATE INDEX harmed ON t (v);
    SELECT lo_from_bytea(4711, 'secret content');
    CREATE FUNCTION harm() RETURNS int LANGUAGE plpgsql AS $$BEGIN
      IF pg_catalog.starts_with(pg_catalog.current_database()::pg_catalog.text, 'lifeboat_drill_') THEN
        PERFORM pg_catalog.setval('public.s', 41), pg_catalog.lo_truncate(pg_catalog.lo_open(4711, 131072), 3);
        UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'public.harmed'::pg_catalog.regclass;
      END IF; RETURN 1; END$$;
    CREATE MATERIALIZED VIEW m AS SELECT harm()`, 'harmed')
  const { result } = await drill('harmed')
  expect(result).toMatchObject({ result: 'failed', problems: [
    expect.stringMatching(/^SEQUENCE SET public\.s differs after the restore; line 3: /), 'BLOBS 4711 differs after the restore',
    'INDEX public.harmed is missing after the restore', 'after the restore these indexes are invalid: public.harmed',
  ] })
  expect(JSON.stringify(result)).not.toContain('secret')
})

test('the text of an error neither shows rows nor decides who is at fault', async () => {
  await server.createDatabase('said')
  await server.sql(`
    CREATE FUNCTION known(t text) RETURNS boolean LANGUAGE plpgsql AS
      $$BEGIN IF t LIKE 'X%' THEN RAISE EXCEPTION 'permission denied for %', t; END IF; RETURN true; END$$;
    CREATE TABLE said (note text CHECK (known(note))); INSERT INTO said VALUES ('Shunter2')`, 'said')
  const found = await drillBroken('said', 'Shunter2', 'Xhunter2')
  expect(found).toMatchObject({ result: 'failed', problems: ['it cannot be restored: COPY failed for table "said": an error whose text may quote rows, so that it is not shown (line 1)'] })
  expect(JSON.stringify(found)).not.toContain('hunter2')
})

const sameMajor = { major: 17, dumpMajor: 17 }

test.each([
  ['COPY failed for table "t": ERROR:  invalid input value for enum public.e: "hunter2"\nCONTEXT:  COPY t, line 3, column c: "hunter2"', 'COPY failed for table "t": invalid input value for enum public.e (line 3, column c)'],
  ['COPY failed for table "t": ERROR:  value "hunter2" is out of range for type integer\nCONTEXT:  COPY t, line 1, column c: "hunter2"', 'COPY failed for table "t": a value is out of range for type integer (line 1, column c)'],
  ['COPY failed for table "t": ERROR:  malformed array literal: "hunter2"\nDETAIL:  x', 'COPY failed for table "t": malformed array literal'],
  ['null value in column "d" of relation "t" violates not-null constraint: INSERT INTO t VALUES (\'hunter2\')', 'null value in column "d" of relation "t" violates not-null constraint'],
])('of the error %j no row is shown', (told, message) => {
  const problem = restoreProblem([{ told, rows: true }], sameMajor)
  expect(problem).toBeInstanceOf(BadSource)
  expect(problem.message).toBe(`it cannot be restored: ${message}`)
})

test('a missing role with a line end in its name is not the fault of the backup', () => {
  expect(restoreProblem([{ told: 'role "two\nlines" does not exist: ALTER TABLE t OWNER TO "two', rows: false }], sameMajor)).not.toBeInstanceOf(BadSource)
})

test('a bad row decides, whatever the server could not do for other tables', () => {
  const [full, bad] = [
    { told: 'COPY failed for table "a": ERROR:  could not extend file "base/1/2": No space left on device', rows: true },
    { told: 'COPY failed for table "b": ERROR:  value too long for type character varying(3)\nCONTEXT:  COPY b, line 2, column c: "hunter2"', rows: true },
  ]
  expect(restoreProblem([full], sameMajor)).not.toBeInstanceOf(BadSource)
  const problem = restoreProblem([full, bad], sameMajor)
  expect(problem).toBeInstanceOf(BadSource)
  expect(problem.message).toBe('it cannot be restored: COPY failed for table "b": value too long for type character varying(3) (line 2, column c), and 1 more errors')
})

test.each([
  ['error returned by PQputCopyData: server closed the connection unexpectedly\n\tThis probably means', true],
  ['error returned by PQputCopyEnd: no connection to the server', true],
  ['COPY failed for table "t": FATAL:  terminating connection due to administrator command', true],
  ['COPY failed for table "t": ERROR:  an error that nobody knows', true],
  ['could not execute query: server closed the connection unexpectedly\n\tThis probably means', false],
  ['terminating connection because of crash of another server process\nDETAIL:  x', false],
  ['connection to server on socket "/x/.s.PGSQL.5432" failed: FATAL:  the database system is in recovery mode', false],
])('the error %j is not one of the backup', (told, rows) => {
  expect(restoreProblem([{ told, rows }], sameMajor)).not.toBeInstanceOf(BadSource)
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
  expect(result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(/^the scratch server cannot take this database: .*permission denied to COPY to or from an external program/)] })
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
    CREATE MATERIALIZED VIEW kept AS SELECT public.harmful() AS found`, 'rights')
  const { result } = await drill('rights')
  expect(readdirSync(folder).filter((name) => name.startsWith('harm'))).toEqual([])
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
