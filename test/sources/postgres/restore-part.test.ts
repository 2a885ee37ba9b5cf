import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { atTerminal } from '../../../src/cli/spelling.ts'
import { spelled } from '../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import type { RestoreOutcome } from '../../../src/sources/postgres/restore-outcome.ts'
import type { RestoreOptions } from '../../../src/sources/postgres/restore-plan.ts'
import { run } from '../../support/client-programs.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { clientDirectory, clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'
import { dump, loadTenants, restoreInto, variables } from '../../support/restoring.ts'
import { thrownBy } from '../../support/thrown.ts'

const told: string[] = []
let temporary: string
beforeEach(() => {
  told.splice(0)
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-part-'))
})
afterEach(() => {
  const left = readdirSync(temporary)
  rmSync(temporary, { recursive: true })
  expect(left).toEqual([])
})

let count = 0
const withoutPublication = (lines: string[]) => lines.filter((line) => !line.startsWith('ALTER PUBLICATION'))

describe.each([15, 18] as const)('PostgreSQL %i', (major) => {
  let server: Server
  let bytes: Buffer
  beforeAll(async () => {
    server = await startServer(major)
    await loadTenants(server, 'shop')
    bytes = dump(server, 'shop', major, ...(major === 18 ? ['--statistics'] : []))
  })
  afterAll(() => server.stop())

  const restore = (database: string, more: Partial<RestoreOptions>): Promise<RestoreOutcome> => restoreInto(server, database, bytes, temporary, told, more)
  const empty = async (): Promise<string> => {
    const database = `empty${++count}`
    await server.createDatabase(database)
    return database
  }
  /** The output of pg_dump for some tables and their parts, rows included. */
  const tablesOf = async (database: string, ...patterns: string[]): Promise<string[]> => {
    const text = await run(path.join(clientDirectory(major), 'pg_dump'), patterns.map((pattern) => `--table=${pattern}`), { env: clientEnvironment(server, database) })
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('--') && !/^\\(un)?restrict /.test(line))
  }
  const missing = async (database: string): Promise<string[]> => compareDatabases({ server, database: 'shop' }, { server, database })

  test('a table comes with everything that belongs to it; a foreign key to another is left out and listed', async () => {
    const database = await empty()
    const outcome = await restore(database, { tables: ['app.orders'] })
    expect(outcome).toMatchObject({ errors: [], left: 'everything' })
    expect(outcome.restored).toBe(outcome.entries)
    const [original, restored] = [await tablesOf('shop', 'app.orders*'), await tablesOf(database, 'app.orders*')]
    const key = ['    ADD CONSTRAINT of_tenant FOREIGN KEY (tenant) REFERENCES app.tenants(id);', '    ADD CONSTRAINT changes']
    // The statement of the key has a line before it that is left out as well, and so has the publication.
    const without = original.filter((line, at) => !key[0]!.startsWith(line) && original[at + 1] !== key[0] && !line.startsWith('ALTER PUBLICATION'))
    expect(restored).toEqual(without)
    expect(outcome.selection!.leftOut).toEqual(expect.arrayContaining([
      { what: 'foreign key app.orders of_tenant', why: 'table app.tenants is not selected' },
      { what: 'publication table changes orders', why: 'publication changes is not selected' },
      { what: 'view app.open', why: 'it reads table app.orders, and is not selected' },
      { what: 'materialized view app.totals', why: 'it reads table app.orders, and is not selected' },
    ]))
    // The policy of a partition reads app.members, without whose rows it would say something else; that table's own key is left out.
    expect(outcome.selection!.added).toEqual(expect.arrayContaining([
      'table app.members', 'type app.status', 'domain app.amount', 'function app.code()', 'function app.sees(integer)', 'function app.stamp()', 'sequence app.shared', 'schema app',
    ]))
    expect(outcome.selection!.added.join()).not.toMatch(/unused|items|invoices|self|other/)
    // Nothing in the restored database is different from the original.
    expect((await missing(database)).filter((line) => line.includes('only in the second') || line.includes('≠') && !line.endsWith('missing'))).toEqual([])
  })

  test('row security of the restored table holds', async () => {
    const database = await empty()
    await restore(database, { tables: ['app.orders'] })
    const seen = (tenant: number) => server.sql(`SET app.tenant = ${tenant}; SET ROLE tenant; SELECT string_agg(DISTINCT tenant::text, ',') FROM app.orders`, database)
    expect([await seen(1), await seen(2), await seen(3)]).toEqual(['1', '2', ''])
  })

  test('with the table that a foreign key needs, the key comes too', async () => {
    const database = await empty()
    const outcome = await restore(database, { tables: ['app.orders', 'tenants'] })
    expect(outcome.errors).toEqual([])
    expect(outcome.selection!.leftOut.map(({ what }) => what).join()).not.toContain('foreign key')
    const patterns = ['app.orders*', 'app.tenants*', 'app.members']
    // The order of objects that do not depend on one another is another.
    expect((await tablesOf(database, ...patterns)).toSorted()).toEqual(withoutPublication(await tablesOf('shop', ...patterns)).toSorted())
    // An identity column and both kinds of sequences go on where they were.
    expect(await server.sql(`INSERT INTO app.tenants (name) VALUES ('c') RETURNING id`, database)).toBe('3')
    expect(await server.sql(`SELECT nextval('app.shared'), nextval('app.orders_id_seq')`, database)).toBe('1400|401')
    if (major === 18) expect(await server.sql(`SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders_2025'`, database)).toBe('t')
  })

  test('a schema comes with everything in it, and with the tables of others that it depends on', async () => {
    const database = await empty()
    const outcome = await restore(database, { schemas: ['app'] })
    expect(outcome.errors).toEqual([])
    expect(withoutPublication(await tablesOf(database, 'app.*')).toSorted()).toEqual(withoutPublication(await tablesOf('shop', 'app.*')).toSorted())
    expect(await server.sql('SELECT app.unused()', database)).toBe('1')
    expect(outcome.selection).toMatchObject({ added: ['extension citext'], kept: [] })
  })

  test('clean replaces a table and keeps what protects it, with its keys and publications, also later ones, and without default privileges', async () => {
    await server.sql(`CREATE DATABASE changed${major} TEMPLATE shop`)
    const database = `changed${major}`
    await server.sql(`
      DROP MATERIALIZED VIEW app.grand, app.totals, app.empty; DROP VIEW app.open; ALTER TABLE app.items DROP CONSTRAINT of_order;`, database)
    // Made after the backup: publications, and default privileges of the role that restores.
    const filter = major >= 15 ? ' (id, tenant, at) WHERE (tenant > 0)' : ''
    await server.sql(`CREATE PUBLICATION "later One" FOR TABLE app.items, app.orders${filter} WITH (publish_via_partition_root, publish = 'insert');
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO tenant WITH GRANT OPTION; ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON SEQUENCES TO PUBLIC;
      ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE INSERT ON TABLES FROM CURRENT_USER`, database)
    const changes = async (): Promise<string> => server.sql(`SELECT json_build_array(
      (SELECT json_agg(t ORDER BY t::text) FROM (SELECT * FROM pg_publication_tables) t),
      (SELECT json_agg(json_build_array(defaclnamespace, defaclobjtype, (SELECT array_agg(e::text ORDER BY e::text) FROM aclexplode(defaclacl) e)) ORDER BY 1, defaclnamespace, defaclobjtype) FROM pg_default_acl))`, database)
    const [settings, before] = [await changes(), await tablesOf(database, 'app.*')]
    await server.sql(`DROP POLICY own ON app.orders; ALTER TABLE app.orders DISABLE ROW LEVEL SECURITY; DELETE FROM app.orders WHERE id % 2 = 0; ALTER TABLE app.orders ADD COLUMN more int;
      REVOKE ALL ON app.orders FROM tenant; ALTER TABLE app.orders DROP CONSTRAINT of_tenant`, database)
    const outcome = await restore(database, { tables: ['app.orders'], mode: 'clean' })
    expect(outcome).toMatchObject({ errors: [], left: 'everything' })
    expect(await tablesOf(database, 'app.*')).toEqual(before)
    expect(await changes()).toEqual(settings)
    expect(outcome.selection!.kept).toEqual(expect.arrayContaining(['type app.status', 'function app.code()', 'schema app', 'table app.members', 'sequence app.shared']))
    expect(await server.sql(`SELECT string_agg(schemaname || '.' || tablename, ',') FROM pg_publication_tables`, database)).toMatch(/app\.orders/)
  })

  test('clean refuses to replace a table that others depend on, names them, and touches nothing', async () => {
    const error = await thrownBy(restore('shop', { tables: ['app.orders'], mode: 'clean' }))
    expect(error.message).toContain('the selected tables cannot be replaced')
    for (const name of ['constraint of_order on table app.items', 'view app.open', 'materialized view app.totals', 'materialized view app.grand']) expect(error.message).toContain(name)
    const hint = spelled(error.hint ?? '', atTerminal('lifeboat'))
    expect(hint).toMatch(/^`Lifeboat extract --format sql` with --snapshot, --source, --table and --into-schema gives .* --mode create\. Or select these tables/i)
    // It fails for a table that others refer to, and with CASCADE it empties them.
    expect(hint).not.toContain('TRUNCATE')
    expect(await server.sql('SELECT count(*) FROM app.orders', 'shop')).toBe('400')
  })

  test('clean replaces a table together with everything that depends on it', async () => {
    const database = `whole${major}`
    await server.sql(`CREATE DATABASE ${database} TEMPLATE shop`)
    await server.sql(`DELETE FROM app.items; DELETE FROM app.orders`, database)
    const tables = ['app.orders', 'app.items', 'app.open', 'app.totals', 'app.grand', 'app.empty']
    expect(await restore(database, { tables, mode: 'clean' })).toMatchObject({ errors: [], left: 'everything', selection: { added: [], leftOut: [] } })
    expect(await missing(database)).toEqual([])
  })
})

describe('on one server', () => {
  let server: Server
  let bytes: Buffer
  let database: string
  beforeAll(async () => {
    server = await startServer(17)
    await loadTenants(server, 'shop')
    bytes = dump(server, 'shop', 17)
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    database = `target${++count}`
    await server.createDatabase(database)
  })
  const restore = (more: Partial<RestoreOptions>): Promise<RestoreOutcome> => restoreInto(server, database, bytes, temporary, told, more)

  /** The columns, constraints, indexes and rows of deep.t. */
  const own = async (of: string): Promise<string> =>
    server.sql(`SELECT json_agg(line ORDER BY line::text) FROM (
      SELECT json_build_array(attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)) AS line FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 'deep.t'::regclass AND attnum > 0
      UNION ALL SELECT json_build_array(conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = 'deep.t'::regclass OR contypid = 'kinds.small'::regtype
      UNION ALL SELECT json_build_array(indexname, indexdef) FROM pg_indexes WHERE tablename = 't'
      UNION ALL SELECT to_json(t) FROM deep.t) lines(line)`, of)

  const expectRestored = async (of: string): Promise<void> => {
    expect(await own(of)).toBe(await own('spread'))
    expect(await server.sql(`INSERT INTO deep.t DEFAULT VALUES RETURNING id || ' ' || serial || ' ' || always`, of)).toMatch(/^520 21 21/)
    expect(await server.sql(`SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$|^public$'`, of)).toBe('deep,ext,kinds,numbers,tools')
    expect(await server.sql(`SELECT to_regclass('deep.other') IS NULL AND to_regtype('unrelated.other') IS NULL`, of)).toBe('t')
  }

  describe('a table whose schema, types, domain, sequence, function and extension are in other schemas', () => {
    let spread: Buffer
    beforeAll(async () => {
      await server.createDatabase('spread')
      await server.sql(`
        CREATE SCHEMA deep; CREATE SCHEMA kinds; CREATE SCHEMA numbers; CREATE SCHEMA tools; CREATE SCHEMA unrelated; CREATE SCHEMA ext;
        CREATE EXTENSION citext SCHEMA ext;
        CREATE TYPE kinds.mood AS ENUM ('so so', 'fine'); CREATE TYPE kinds.pair AS (a int, mood kinds.mood); CREATE TYPE kinds.span AS RANGE (subtype = int);
        CREATE FUNCTION tools.is_small(n int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT n < 100';
        CREATE DOMAIN kinds.small AS int CHECK (tools.is_small(VALUE));
        CREATE SEQUENCE numbers.ids START 500;
        CREATE TABLE deep.t (id bigint DEFAULT nextval('numbers.ids') PRIMARY KEY, mood kinds.mood, pairs kinds.pair[], small kinds.small, span kinds.span, name ext.citext, serial serial, always int GENERATED ALWAYS AS IDENTITY);
        CREATE INDEX on_small ON deep.t ((tools.is_small(small)));
        INSERT INTO deep.t (mood, pairs, small, span, name) SELECT 'fine', ARRAY[ROW(g, 'so so')::kinds.pair], g, kinds.span(g, g + 1), 'Name ' || g FROM generate_series(1, 20) g;
        CREATE TYPE unrelated.other AS ENUM ('x'); CREATE TABLE unrelated.t (x unrelated.other); CREATE TABLE deep.other (id int); INSERT INTO deep.other VALUES (1)`, 'spread')
      spread = dump(server, 'spread', 17)
    })
    test('is restored into an empty database with all of them, and nothing else', async () => {
      expect(await restoreInto(server, database, spread, temporary, told, { tables: ['deep.t'] })).toMatchObject({ errors: [], left: 'everything' })
      await expectRestored(database)
    })

    test('is restored into a database that is made, with all of them, and nothing else', async () => {
      const made = `made${++count}`
      expect(await restoreInto(server, made, spread, temporary, told, { tables: ['deep.t'], mode: 'create' })).toMatchObject({ errors: [], left: 'everything' })
      await expectRestored(made)
    })

    test('gets its rows with only: data if it is empty itself, whatever other tables have', async () => {
      const target = `rows${++count}`
      await server.sql(`CREATE DATABASE ${target} TEMPLATE spread`)
      const rows = (): Promise<RestoreOutcome> => restoreInto(server, target, spread, temporary, told, { tables: ['deep.t'], only: 'data' })
      expect((await thrownBy(rows())).message).toMatch(/deep\.t/)
      await server.sql('TRUNCATE deep.t; INSERT INTO deep.other VALUES (2); INSERT INTO unrelated.t VALUES (\'x\')', target)
      expect(await rows()).toMatchObject({ errors: [], left: 'everything' })
      expect(await own(target)).toBe(await own('spread'))
      expect(await server.sql('SELECT count(*) FROM deep.other', target)).toBe('2')
    })
  })

  test('inherited children come with their parent', async () => {
    await restore({ tables: ['other.parent'] })
    expect(await server.sql('SELECT string_agg(a::text, \',\' ORDER BY a) FROM other.parent', database)).toBe('1,2')
    expect(await server.sql('DELETE FROM other.parent; SELECT count(*) FROM other.parent', database)).toBe('2') // The rule is there.
  })

  test('a partition alone is a table of its own, and that is said', async () => {
    const outcome = await restore({ tables: ['orders_2025'] })
    expect(outcome.errors).toEqual([])
    expect(await server.sql('SELECT count(*) FROM app.orders_2025', database)).toBe(await server.sql('SELECT count(*) FROM app.orders_2025', 'shop'))
    expect(outcome.selection!.leftOut).toContainEqual({ what: 'app.orders_2025 as a partition', why: 'table app.orders is not selected' })
  })

  test('clean replaces a single partition, and attaches it again', async () => {
    await server.sql(`DROP DATABASE ${database}`)
    await server.sql(`CREATE DATABASE ${database} TEMPLATE shop`)
    expect((await thrownBy(restore({ tables: ['orders_2025'], mode: 'clean' }))).message).toContain('items') // Its key needs the rows of the partition.
    const key = await server.sql(`SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'of_order'`, database)
    await server.sql('ALTER TABLE app.items DROP CONSTRAINT of_order; DELETE FROM app.orders_2025', database)
    const outcome = await restore({ tables: ['orders_2025'], mode: 'clean' })
    expect(outcome).toMatchObject({ errors: [], left: 'everything', selection: { added: [], leftOut: [] } })
    await server.sql(`ALTER TABLE app.items ADD CONSTRAINT of_order ${key}`, database)
    expect(await compareDatabases({ server, database: 'shop' }, { server, database })).toEqual([])
  })

  test('clean refuses to replace a table that has partitions which the backup does not have: before anything is changed, or in its transaction', async () => {
    await server.sql(`DROP DATABASE ${database}`)
    await server.sql(`CREATE DATABASE ${database} TEMPLATE shop`)
    await server.sql('DROP MATERIALIZED VIEW app.grand, app.totals, app.empty; DROP VIEW app.open; ALTER TABLE app.items DROP CONSTRAINT of_order', database)
    const late = 'CREATE TABLE other.late PARTITION OF app.orders_2026 FOR VALUES IN (77)'
    const replace = (more: Partial<RestoreOptions> = {}): Promise<RestoreOutcome> => restore({ tables: ['app.orders'], mode: 'clean', ...more })
    const refused = 'partitions that this restore does not replace would be dropped with their tables, with all rows in them: '
    expect(await replace({ backUpTarget: async () => void (await server.sql(late, database)) })).toMatchObject({
      left: 'unchanged', restored: 0, errors: [expect.stringContaining(`${refused}other.late`)], hint: expect.stringContaining('detach') })
    const error = await thrownBy(replace({ dryRun: true }))
    expect(error.message).toMatch(new RegExp(`^the selected tables cannot be replaced at .*: ${refused}other.late$`))
    expect(error.hint).toContain('Select single partitions')
    expect((await thrownBy(restore({ schemas: ['app'], mode: 'clean' }))).message).toContain(`${refused}other.late`)
    expect(await server.sql(`SELECT to_regclass('other.late') IS NOT NULL`, database)).toBe('t')
    await server.sql('ALTER TABLE app.orders_2026 DETACH PARTITION other.late; ALTER TABLE other.late ALTER id DROP DEFAULT', database)
    expect(await replace()).toMatchObject({ errors: [], left: 'everything' })
  })

  test('clean refuses to replace a table of a publication that is not of the role that restores, or that does not fit the table of the backup', async () => {
    await server.sql(`CREATE ROLE lone LOGIN PASSWORD 'lone'; ALTER DATABASE ${database} OWNER TO lone`)
    await server.sql('SET ROLE lone; CREATE SCHEMA own; CREATE TABLE own.t AS SELECT 1 AS a', database)
    const archive = dump(server, database, 17)
    const target = parseDatabaseUrl(server.url(database, 'lone', 'lone'), variables)
    const replace = (): Promise<RestoreOutcome> => restoreInto(server, database, archive, temporary, told, { tables: ['own.t'], mode: 'clean', target })
    const hint = expect.stringContaining('Take the table out of the publication first')
    await server.sql('UPDATE own.t SET a = 2; CREATE PUBLICATION theirs FOR TABLE own.t', database)
    expect(await replace()).toMatchObject({ left: 'unchanged', hint, errors: [expect.stringContaining('own.t (publication theirs): must be owner of the publication')] })
    expect(await server.sql('SELECT a FROM own.t', database)).toBe('2')
    await server.sql('ALTER PUBLICATION theirs OWNER TO lone', database)
    expect(await replace()).toMatchObject({ left: 'everything', errors: [] })
    expect(await server.sql('SELECT count(*), (SELECT a FROM own.t) FROM pg_publication_tables', database)).toBe('1|1')
    await server.sql('ALTER TABLE own.t ADD COLUMN extra int; ALTER PUBLICATION theirs SET TABLE own.t (a, extra)', database)
    expect(await replace()).toMatchObject({ left: 'unchanged', hint, errors: [expect.stringMatching(/own\.t \(publication theirs\): column "extra" of relation "t" does not exist/)] })
  })

  test('clean gives no object of a whole database the default privileges of the target, which stay unless the backup has its own', async () => {
    await server.sql(`CREATE ROLE "Later one"; DROP DATABASE IF EXISTS ${database}`)
    await server.createDatabase(database)
    await server.sql(`CREATE SCHEMA own; CREATE TABLE own.t AS SELECT 1 AS a; CREATE SEQUENCE own.s; CREATE TYPE own.e AS ENUM ('x');
      CREATE FUNCTION own.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE MATERIALIZED VIEW own.m AS SELECT * FROM own.t;
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO tenant`, database)
    const archive = dump(server, database, 17)
    await server.sql(`ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO "Later one"; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
      ALTER DEFAULT PRIVILEGES IN SCHEMA own GRANT ALL ON SEQUENCES TO "Later one" WITH GRANT OPTION; ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC`, database)
    const replace = (more: Partial<RestoreOptions> = {}) => restoreInto(server, database, archive, temporary, told, { mode: 'clean', ...more })
    const given = () => server.sql(`SELECT string_agg(o, ' ' ORDER BY o) FROM (
      SELECT relname || relacl::text AS o FROM pg_class UNION ALL SELECT proname || proacl::text FROM pg_proc UNION ALL SELECT typname || typacl::text FROM pg_type) x
      WHERE o ~ '^[tsefm][{]'`, database)
    const defaults = () => server.sql(`SELECT string_agg(concat_ws('|', defaclnamespace::regnamespace, defaclobjtype, defaclacl), ' ' ORDER BY defaclobjtype::text COLLATE "C") FROM pg_default_acl`, database)
    const ofBackup = '-|r|{postgres=arwdDxtm/postgres,tenant=r/postgres}'
    expect(await replace()).toMatchObject({ errors: [], left: 'everything' })
    expect([await given(), await defaults()]).toEqual(['', `own|S|{"\\"Later one\\"=r*w*U*/postgres"} -|T|{postgres=U/postgres} -|f|{postgres=X/postgres} ${ofBackup}`])
    expect(await replace({ noPrivileges: true })).toMatchObject({ errors: [], left: 'everything' })
    expect(await given()).toContain('t{postgres=')
    expect(await replace({ dropOthers: true })).toMatchObject({ errors: [], left: 'everything' })
    expect([await given(), await defaults()]).toEqual(['', ofBackup])
    await server.sql('DROP OWNED BY "Later one"; DROP ROLE "Later one"', database)
  })

  test('clean replaces a whole database with partitioned tables', async () => {
    await server.sql(`DROP DATABASE ${database}`)
    await server.sql(`CREATE DATABASE ${database} TEMPLATE shop`)
    await server.sql('DELETE FROM app.items; DELETE FROM app.orders_2025', database)
    expect(await restore({ mode: 'clean' })).toMatchObject({ errors: [], left: 'everything' })
    expect(await compareDatabases({ server, database: 'shop' }, { server, database })).toEqual([])
  })

  test('every name can be given: with a comma, a space at its end, a line end, or a dot', async () => {
    const tables = ['odd, name ', 'app.two\nlines', ['dotted.schema', 'a.b']] as const
    expect(await restore({ tables })).toMatchObject({ errors: [], selection: { leftOut: [] } })
    expect(await server.sql(`SELECT (SELECT id FROM app."odd, name "), (SELECT id FROM app."two\nlines"), (SELECT id FROM "dotted.schema"."a.b")`, database)).toBe('1|2|3')
  })

  test('a role that is missing is an error that names it; with no-privileges and no-owner the rest is restored', async () => {
    await server.sql('CREATE ROLE passing')
    await server.sql('CREATE TABLE granted (id int); GRANT SELECT ON granted TO passing', 'shop')
    const archive = dump(server, 'shop', 17)
    await server.sql('DROP TABLE granted', 'shop')
    await server.sql('DROP ROLE passing')
    const outcome = await restoreInto(server, database, archive, temporary, told, { tables: ['granted'] })
    expect(outcome.errors).toEqual(['role "passing" does not exist: GRANT SELECT ON TABLE public.granted TO passing;'])
    expect(outcome).toMatchObject({ left: 'part' })
    await server.sql('DROP TABLE granted', database)
    expect(await restoreInto(server, database, archive, temporary, told, { tables: ['granted'], noPrivileges: true })).toMatchObject({ errors: [], left: 'everything' })
  })

  test.each([
    [{ tables: ['app.ordres'] }, 'the archive has no table app.ordres; did you mean app.orders?'],
    [{ tables: ['other.orders'] }, 'the archive has no table other.orders'],
    [{ tables: [['app', 'odd, name']] }, 'the archive has no table app.odd, name; did you mean app.odd, name ?'],
    [{ schemas: ['App'] }, 'the archive has no entries in schema App'],
    [{ tables: ['app.empty'], only: 'data' }, 'the archive has nothing to restore of app.empty with only: data'],
  ] as [Partial<RestoreOptions>, string][])('%j selects nothing, which is an error that names it', async (options, message) => {
    expect((await thrownBy(restore(options))).message).toBe(message)
    expect(await server.sql(`SELECT count(*) FROM pg_class WHERE relname LIKE 'orders%'`, database)).toBe('0')
  })
})
