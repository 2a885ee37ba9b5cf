import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { unmarked } from '../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { requireLocale, requireSpace, roomAt } from '../../../src/sources/postgres/preflight/checks.ts'
import { rolesOf } from '../../../src/sources/postgres/named-roles.ts'
import { addNeeded, nothingNeeded } from '../../../src/sources/postgres/preflight/needed.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { clients, dump, restoreInto, variables } from '../../support/restoring.ts'
import { swapInto } from '../../support/swapping.ts'
import { thrownBy } from '../../support/thrown.ts'

const told: string[] = []
let temporary: string
let server: Server
let archive: Buffer
beforeAll(async () => {
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-preflight-'))
  server = await startServer(17)
  await server.sql(`CREATE ROLE owner; CREATE ROLE "the reader"; CREATE ROLE plain LOGIN PASSWORD 'plain'`)
  await server.sql(`SET allow_in_place_tablespaces = on; CREATE TABLESPACE fast LOCATION ''`)
  await server.createDatabase('source')
  await server.sql(`
    CREATE TABLE orders (id int) TABLESPACE fast;
    ALTER TABLE orders OWNER TO owner; ALTER DATABASE source OWNER TO owner;
    GRANT SELECT ON orders TO "the reader" WITH GRANT OPTION;
    CREATE FOREIGN DATA WRAPPER dummy; CREATE SERVER s FOREIGN DATA WRAPPER dummy; CREATE USER MAPPING FOR PUBLIC SERVER s`, 'source')
  archive = dump(server, 'source', 17)
  await server.sql('DROP DATABASE source; DROP TABLESPACE fast; DROP ROLE owner; DROP ROLE "the reader"')
  await server.createDatabase('app')
})
afterAll(async () => {
  rmSync(temporary, { recursive: true })
  await server.stop()
})
beforeEach(() => told.splice(0))

const databases = () => server.sql(`SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate`)
const context = () => ({ connection: parseDatabaseUrl(server.url('app')), client: clients[1]!, variables })

test.each(['create', 'swap', 'clean'] as const)('mode %s names everything that the target lacks at once, before anything is changed', async (mode) => {
  const error = await thrownBy(mode === 'swap' ? swapInto(server, 'app', archive, temporary, told) : restoreInto(server, mode === 'create' ? 'made' : 'app', archive, temporary, told, { mode }))
  expect(error.message).toMatch(/^the restore cannot start, and nothing was changed:\n1\. .*does not have these roles.*: owner, the reader\n(?:2\. the settings of the database name roles that .*: owner\n)?\d\. .*tablespaces of the backup: fast$/)
  // The way without the roles of objects is one without those of the settings, too: one hint for both.
  const [roles, tablespaces] = mode === 'clean' ? ['1', '2'] : ['1 and 2', '3']
  expect(unmarked(error.hint!)).toBe(`For ${roles}: Create the roles first.\nOr restore with ‹no-owner: true› and ‹no-privileges: true›.\n` +
    `For ${tablespaces}: Restore with ‹no-tablespaces: true›, which puts everything into the default tablespace, or create them first.`)
  expect(await databases()).toBe('app postgres')
})

test('mode empty restores what it can: roles that are missing are a warning before', async () => {
  const outcome = await restoreInto(server, 'app', archive, temporary, told, { noTablespaces: true })
  expect(outcome).toMatchObject({ left: 'part' })
  expect(told).toContainEqual(expect.stringMatching(/does not have these roles.*: owner, the reader$/))
  await server.sql('DROP TABLE orders; DROP FOREIGN DATA WRAPPER dummy CASCADE', 'app')
})

test('with no-owner and no-privileges no role is needed', async () => {
  expect(await restoreInto(server, 'app', archive, temporary, told, { noTablespaces: true, noOwner: true, noPrivileges: true, mode: 'clean' })).toMatchObject({ errors: [] })
  await server.sql('DROP TABLE orders; DROP FOREIGN DATA WRAPPER dummy CASCADE', 'app')
})

test('permissions and connections are among the findings', async () => {
  const target = parseDatabaseUrl(server.url('app', 'plain', 'plain'))
  const { message } = await thrownBy(swapInto(server, 'app', archive, temporary, told, {}, { target, jobs: 200, noOwner: true, noPrivileges: true, noTablespaces: true }))
  expect(message).toMatch(/1\. this role may not rename .*app\n2\. this role may not create databases at .*app\n3\. .*app has \d+ free connections, and the restore needs 201/)
  expect(await databases()).toBe('app postgres')
})

test('the limits of connections that a role and a database have are among the findings, and what they leave is enough', async () => {
  await server.sql('CREATE DATABASE narrow OWNER plain CONNECTION LIMIT 2; CREATE DATABASE wide OWNER plain')
  await server.sql('CREATE TABLE a AS SELECT i FROM generate_series(1, 9) i; CREATE TABLE b AS SELECT 1; CREATE TABLE c AS SELECT 2', 'postgres')
  const tables = dump(server, 'postgres', 17)
  const into = (database: string, jobs: number, user = 'plain', password = 'plain') =>
    restoreInto(server, database, tables, temporary, told, { jobs, noOwner: true, noPrivileges: true, target: parseDatabaseUrl(server.url(database, user, password), variables) })
  const tooFew = { message: expect.stringContaining('has 2 free connections, and the restore needs 4') }
  expect(await thrownBy(into('narrow', 3))).toMatchObject({ ...tooFew, hint: expect.stringContaining('Raise the CONNECTION LIMIT of the database, ') })
  await server.sql('ALTER ROLE plain CONNECTION LIMIT 2')
  expect(await thrownBy(into('wide', 3))).toMatchObject({ ...tooFew, hint: expect.stringContaining('Raise the CONNECTION LIMIT of the role, ') })
  await server.sql('ALTER ROLE plain CONNECTION LIMIT 3')
  expect(await into('wide', 2)).toMatchObject({ errors: [] })
  // Both are too low: the lower one is named.
  expect(await thrownBy(into('narrow', 3))).toMatchObject({ ...tooFew, hint: expect.stringContaining('Raise the CONNECTION LIMIT of the database, ') })
  // They do not bind a superuser, and that of a database says nothing of one that is made.
  expect(await into('narrow', 3, 'postgres', server.password)).toMatchObject({ errors: [] })
  const narrow = { ...context(), connection: parseDatabaseUrl(server.url('narrow', 'plain', 'plain'), variables) }
  expect((await roomAt(narrow)).connections).toMatchObject({ role: 3, database: 2 })
  expect((await roomAt(narrow, true)).connections).toMatchObject({ role: 3, database: null })
  await server.sql('ALTER ROLE plain CONNECTION LIMIT -1; DROP DATABASE narrow; DROP DATABASE wide; DROP TABLE a, b, c')
})

const withLocale = (locale: string) => [{ name: 'encoding', value: { text: 'UTF8' } }, { name: 'locale', value: { text: locale } }]

test('a locale that the server does not have is named, and one that it has is not', async () => {
  expect((await thrownBy(requireLocale(withLocale('xx_XX.UTF-8'), 'here', context()))).message).toBe('the server of here does not have the locale xx_XX.UTF-8 of the backup')
  await requireLocale(withLocale('C.UTF-8'), 'here', context())
  await requireLocale(withLocale('C'), 'here', context())
})

test('a server of this machine without room is noticed', async () => {
  const room = await roomAt(context())
  requireSpace(1000, 'here', room)
  expect(() => requireSpace(1e18, 'here', room)).toThrow(/^the disk of here has .* free, and the database needs about/)
})

const named = (kind: string, text: string): string[] => rolesOf({ kind, sql: () => text })

test('the roles that entries name are read from key words outside of names and texts', () => {
  const needed = nothingNeeded()
  const sql = `REVOKE ALL ON FUNCTION public."f TO x;"(a integer) FROM PUBLIC;\nGRANT ALL ON FUNCTION public.f(a integer) TO app WITH GRANT OPTION;\nGRANT SELECT(id) ON TABLE public.t TO "a ""b""";\n`
  addNeeded({ kind: 'ACL', name: 'x', owner: 'o', sql: () => sql }, { noOwner: false, noPrivileges: false }, needed)
  expect([...needed.grantees]).toEqual(['app', 'a "b"'])
  expect(named('ACL', `SET SESSION AUTHORIZATION "FROM x";\nGRANT SELECT ON TABLE public."a\nTO b;" TO c;\nRESET SESSION AUTHORIZATION;\n`)).toEqual(['FROM x', 'c'])
  expect(named('DEFAULT ACL', 'ALTER DEFAULT PRIVILEGES FOR ROLE one IN SCHEMA "TO s" REVOKE ALL ON TABLES  FROM PUBLIC;\nALTER DEFAULT PRIVILEGES FOR ROLE one GRANT SELECT ON TABLES  TO two;\n')).toEqual(['one', 'one', 'two'])
  expect(named('POLICY', `CREATE POLICY "p TO x" ON public.t AS RESTRICTIVE FOR SELECT TO "a, b", c USING ((id IN ( SELECT o.id FROM o)));\n`)).toEqual(['a, b', 'c'])
  expect(named('POLICY', `CREATE POLICY p ON public.t USING ((id IN ( SELECT o.id FROM o)));\n`)).toEqual([])
  expect(named('USER MAPPING', `CREATE USER MAPPING FOR d SERVER s OPTIONS (\n    password 'it''s TO e'\n);\nCREATE USER MAPPING FOR public SERVER s;\n`)).toEqual(['d'])
  expect(named('VIEW', 'CREATE VIEW public.v AS SELECT 1 FROM o;')).toEqual([])
  addNeeded({ kind: 'TABLE', name: 't', owner: 'o', sql: () => '' }, { noOwner: false, noPrivileges: true }, needed)
  addNeeded({ kind: 'EXTENSION', name: 'vector', owner: '', sql: () => '' }, { noOwner: false, noPrivileges: true }, needed)
  expect([[...needed.owners], [...needed.extensions]]).toEqual([['o'], ['vector']])
})

test('a dry run makes the checks, tells the steps in order, and changes nothing', async () => {
  const whole = { noTablespaces: true, noOwner: true, noPrivileges: true, dryRun: true, databaseSize: 8_000_000 }
  const before = await databases()
  const swapped = await swapInto(server, 'app', archive, temporary, told, { rows: [{ schema: 'public', name: 'orders', rows: 1 }], now: () => new Date('2026-11-22T07:32:44Z') }, whole)
  expect(swapped).toMatchObject({ restored: 0, left: 'unchanged' })
  expect(swapped.planned!.steps).toEqual([
    expect.stringMatching(/^Make a database: CREATE DATABASE "lifeboat_new_\w+" WITH TEMPLATE = .* ENCODING = .*UTF8/), 'Apply its owner, privileges and settings.',
    expect.stringMatching(/^Restore \d+ entr.* of the archive, .* with 1 connection; on the server's disk it needs about .* are free\.$/),
    'Count the rows of 1 table, and run ANALYZE.', expect.stringMatching(/^Wait until nobody else is connected to .*app, for .* at most\.$/),
    'Exchange the two in one transaction. The database that is there now is kept as app_before_DATE_TIME, at least until 2026-11-29 07:32:44 UTC.',
  ])
  for (const mode of ['empty', 'clean', 'create'] as const) {
    const { planned } = await restoreInto(server, mode === 'create' ? 'made' : 'app', archive, temporary, told, { ...whole, mode })
    expect(planned!.steps.length).toBeGreaterThan(0)
  }
  await server.sql('CREATE TABLE "made later" (); CREATE VIEW orders AS SELECT 1', 'app')
  const { planned } = await restoreInto(server, 'app', archive, temporary, told, { ...whole, mode: 'clean' })
  expect(planned!.steps.at(-1)).toBe('Leave 1 table or view that the backup does not have as they are: public.made later.')
  await server.sql('DROP TABLE "made later"; DROP VIEW orders', 'app')
  expect(await databases()).toBe(before)
  expect(await server.sql(`SELECT count(*) FROM pg_class WHERE relname = 'orders'`, 'app')).toBe('0')
  // Missing roles fail it as it would fail the restore.
  await expect(restoreInto(server, 'made', archive, temporary, told, { mode: 'create', dryRun: true })).rejects.toThrow('does not have these roles')
})

test.each(['create', 'swap', 'clean', 'empty'] as const)('with no-owner, mode %s leaves out policies, default privileges and settings of roles that the server lacks, and says so', async (mode) => {
  await server.sql(`CREATE ROLE gone; CREATE ROLE "gone, too"`)
  await server.createDatabase('tenants')
  await server.sql(`
    CREATE SCHEMA app; CREATE TABLE app.orders (id int); INSERT INTO app.orders VALUES (1); ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY "of, gone" ON app.orders AS RESTRICTIVE FOR SELECT TO "gone, too", gone USING (true); CREATE POLICY kept ON app.orders TO plain USING (id > 0);
    ALTER DEFAULT PRIVILEGES FOR ROLE gone IN SCHEMA app GRANT SELECT ON TABLES TO plain; ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO "gone, too";
    ALTER TABLE app.orders OWNER TO gone; ALTER ROLE gone IN DATABASE tenants SET work_mem = '9MB'; ALTER ROLE plain IN DATABASE tenants SET work_mem = '8MB'`, 'tenants')
  const bytes = dump(server, 'tenants', 17)
  await server.sql('ALTER TABLE app.orders OWNER TO postgres; ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM "gone, too"; DROP OWNED BY gone, "gone, too"', 'tenants')
  await server.sql('DROP DATABASE tenants; DROP ROLE gone; DROP ROLE "gone, too"; DROP DATABASE app; CREATE DATABASE app')
  const given = { mode, noOwner: true, ...(mode === 'empty' && { databaseSettings: true }) }
  const outcome = mode === 'swap' ? await swapInto(server, 'app', bytes, temporary, told, {}, given) : await restoreInto(server, mode === 'create' ? 'made' : 'app', bytes, temporary, told, given)
  const database = mode === 'create' ? 'made' : 'app'
  expect(outcome.errors).toEqual([])
  expect(outcome.roleless!.map(({ what, why }) => `${what}: ${why}`).toSorted()).toEqual([
    expect.stringMatching(/^default privileges for tables in app: the server does not have the role gone/), expect.stringMatching(/^default privileges for tables in app: the server does not have the role gone/),
    'policy app.orders of, gone: the server does not have the role gone, gone, too',
  ])
  expect(await server.sql('SELECT polname, (SELECT relrowsecurity FROM pg_class WHERE oid = polrelid), (SELECT count(*) FROM app.orders) FROM pg_policy', database)).toBe('kept|t|1')
  if (mode !== 'clean') expect(await server.sql(`SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = '${database}') AND setrole <> 0`)).toBe('1')
  await server.sql(`DROP DATABASE IF EXISTS made; DROP DATABASE app WITH (FORCE); CREATE DATABASE app`)
  for (const name of (await server.sql(`SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'app_before%'`)).split(' ').filter((one) => one !== '')) await server.sql(`DROP DATABASE "${name}"`)
})

test('a role that only a policy names, and a library that the server lacks, are found before', async () => {
  await server.sql('CREATE ROLE watcher')
  await server.createDatabase('watched')
  await server.sql(`CREATE TABLE t (id int); CREATE POLICY p ON t TO watcher USING (true);
    CREATE FUNCTION far(cstring) RETURNS int LANGUAGE c STRICT AS '$libdir/utf8_and_win', 'utf8_to_win';
    CREATE FUNCTION near(cstring) RETURNS int LANGUAGE c AS '$libdir/utf8_and_win', 'win_to_utf8';
    UPDATE pg_proc SET probin = '$libdir/it''s gone' WHERE proname = 'far'`, 'watched')
  const bytes = dump(server, 'watched', 17)
  await server.sql('DROP DATABASE watched')
  await server.sql('DROP ROLE watcher')
  const { message } = await thrownBy(restoreInto(server, 'made', bytes, temporary, told, { mode: 'create' }))
  expect(message).toMatch(/does not have these roles, which own objects of the backup, have privileges on them, or are named by its policies: watcher$/m)
  expect(message).toMatch(/does not have these libraries, which functions of the backup need: \$libdir\/it's gone$/m)
  expect(message).not.toContain('utf8_and_win')
})

test('mode create as a role that cannot give the database to its owner is refused before anything is made', async () => {
  await server.sql(`CREATE ROLE maker LOGIN CREATEDB PASSWORD 'maker'`)
  await server.createDatabase('theirs')
  await server.sql('CREATE TABLE one (id int); ALTER TABLE one OWNER TO maker', 'theirs')
  const bytes = dump(server, 'theirs', 17)
  const target = parseDatabaseUrl(server.url('made', 'maker', 'maker'))
  const error = await thrownBy(restoreInto(server, 'made', bytes, temporary, told, { mode: 'create', target, noPrivileges: true }))
  expect(error.message).toBe('this role is no member of postgres, which owned the database when it was backed up')
  expect(error.hint).toContain('grant it that role')
  expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'made'`)).toBe('0')
  expect(await restoreInto(server, 'made', bytes, temporary, told, { mode: 'create', target, noPrivileges: true, noOwner: true })).toMatchObject({ errors: [] })
  await server.sql('DROP DATABASE made; DROP DATABASE theirs')
})
