import { connectionFromVariables, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { readLockedTables } from '../../../src/sources/postgres/dump/locked-tables.ts'
import { diagnose } from '../../../src/sources/postgres/diagnosis.ts'
import { readDatabaseSize, readServerFacts, readTables } from '../../../src/sources/postgres/facts.ts'
import { detectPooler } from '../../../src/sources/postgres/pooler.ts'
import { type QueryContext, withoutTransaction } from '../../../src/sources/postgres/query.ts'
import { createDatabase, databaseExists, detachSubscriptions, dropDatabase, findMaintenance, readTarget, requireEmpty, requireNoRows, requireRoles, requireTablespaces } from '../../../src/sources/postgres/target.ts'
import { requireLoadable } from '../../../src/sources/postgres/data-only.ts'
import { TargetObjects } from '../../../src/sources/postgres/target-objects.ts'
import { readDatabases } from '../../../src/sources/postgres/server-databases.ts'
import { PostgresSource } from '../../../src/sources/postgres/source.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { quiet } from '../../support/quiet.ts'
import { namesIn, sqlTexts } from '../../support/sql-texts.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
const names = namesIn(sqlTexts().map(({ text }) => text))

test('every function, type and relation in a query has its schema', () => {
  expect(names.unqualified).toEqual([])
  // The search itself finds what there is.
  expect(names.functions).toEqual(expect.arrayContaining(['json_build_object', 'set_config', 'format', 'pg_backend_pid', 'json_agg']))
  expect(names.operators).toEqual(expect.arrayContaining(['=', '<>', '!~', '||', '>', '>=', '/', '*', '+']))
  expect(names.relations).toEqual(expect.arrayContaining(['pg_class', 'pg_database', 'pg_am']))
  expect(names.types).toEqual(expect.arrayContaining(['regclass', 'int4', 'name']))
  expect(namesIn([`SELECT count(*), a::text, pg_catalog.lower('x(') FROM pg_class JOIN pg_catalog.pg_proc ON a = b WHERE c IN (1)`])).toMatchObject({
    unqualified: ['count', 'text', 'pg_class'], functions: ['lower'], relations: ['pg_proc'], operators: ['='] })
})

const array = (texts: readonly string[]): string => `ARRAY[${texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')}]::text[]`

/**
 * A schema that comes first in every search_path of the database, with an overload of every function and operator that a query uses, and a type and a
 * view of the name of each of their types and relations. A query that reaches one of them runs the code of its owner: here, an error.
 */
const traps = `
CREATE SCHEMA trap;
CREATE FUNCTION trap.step(text, anyelement) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'TRAPPED by an aggregate'; END $$;
CREATE FUNCTION trap.step(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'TRAPPED by an aggregate'; END $$;
CREATE FUNCTION trap.view() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'TRAPPED by a view'; END $$;
DO $make$
DECLARE
  one record;
  made int := 0;
  types text[] := ARRAY['name', 'text', '"char"', 'oid', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'bool'];
  body text := ' LANGUAGE plpgsql AS $b$ BEGIN RAISE EXCEPTION ''TRAPPED by a function''; END $b$';
BEGIN
  FOR one IN SELECT p.proname, p.prokind, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
    FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (${array(names.functions)})
  LOOP
    BEGIN
      IF one.prokind = 'a' THEN EXECUTE format('CREATE AGGREGATE trap.%I(%s) (SFUNC = trap.step, STYPE = text)', one.proname, coalesce(nullif(one.arguments, ''), '*'));
      ELSE EXECUTE format('CREATE FUNCTION trap.%I(%s) RETURNS %s', one.proname, replace(one.arguments, '"any"', 'anycompatiblearray'), one.result) || body;
      END IF;
      made := made + 1;
    EXCEPTION WHEN duplicate_function OR invalid_function_definition OR datatype_mismatch OR undefined_function THEN NULL;
    END;
  END LOOP;
  FOR one IN
    SELECT o.oprname AS operator, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS result
      FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b' AND o.oprname = ANY (${array(names.operators)})
    UNION ALL SELECT operator, l, r, 'bool' FROM unnest(${array(names.operators)}) operator, unnest(types) l, unnest(types) r
  LOOP
    BEGIN
      EXECUTE format('CREATE OR REPLACE FUNCTION trap.%I(%s, %s) RETURNS %s', 'operator ' || one.operator, one.l, one.r, one.result) || body;
      EXECUTE format('CREATE OPERATOR trap.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.%I)', one.operator, one.l, one.r, 'operator ' || one.operator);
      made := made + 1;
    EXCEPTION WHEN duplicate_function OR invalid_function_definition OR datatype_mismatch THEN NULL;
    END;
  END LOOP;
  FOR one IN SELECT unnest(${array(names.types)}) AS name LOOP
    EXECUTE format('CREATE DOMAIN trap.%I AS pg_catalog.int4 CHECK (trap.view())', one.name);
  END LOOP;
  FOR one IN SELECT unnest(${array(names.relations)}) AS name LOOP
    EXECUTE format('CREATE VIEW trap.%I AS SELECT %s, trap.view() FROM pg_catalog.%I', one.name, columns, one.name)
      FROM (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
        -- No view has a column of this type.
        WHERE attrelid = ('pg_catalog.' || one.name)::regclass AND attnum > 0 AND atttypid <> 'anyarray'::regtype) AS c;
  END LOOP;
  RAISE NOTICE '% traps', made;
  EXECUTE format('ALTER DATABASE %I SET search_path = trap, public, pg_catalog', current_database());
END $make$;
GRANT USAGE ON SCHEMA trap TO PUBLIC`

let server: Server
beforeAll(async () => {
  server = await startServer(17)
  for (const database of ['postgres', 'shop']) {
    if (database === 'shop') await server.createDatabase(database)
    await server.sql(traps, database)
  }
  await server.sql(`CREATE TABLE public.orders AS SELECT pg_catalog.generate_series(1, 10) AS id`, 'shop')
})
afterAll(() => server.stop())

const context = (database: string): QueryContext => ({ connection: parseDatabaseUrl(server.url(database), variables), client, variables })

test('the traps catch whoever trusts search_path', async () => {
  for (const statement of ['SELECT count(*) FROM pg_catalog.pg_class', 'SELECT FROM pg_class', `SELECT FROM pg_catalog.pg_class WHERE relname = 'x'`, `SELECT 1::int4, 'x'::text`, `SELECT json_agg(1)`, `SELECT pg_catalog.lower('a') || 'b'`]) {
    await expect(withoutTransaction(statement, context('shop'))).rejects.toThrow(/TRAPPED|invalid input syntax/)
  }
})

test.each<[string, () => Promise<unknown>]>([
  ['the facts of a backup', () => readServerFacts(context('shop'))],
  ['the tables of a backup', () => readTables(context('shop'))],
  ['the size of a backup', () => readDatabaseSize(context('shop'))],
  ['what doctor asks', () => diagnose(context('shop'))],
  ['which tables are locked', () => readLockedTables(true, context('shop'))],
  ['the question for a pooler', () => detectPooler(context('shop'))],
  ['the databases of a server', () => readDatabases(context('postgres'), true)],
  ['the target of a restore', () => readTarget(context('shop'))],
  ['the maintenance database', () => findMaintenance(context('shop'))],
  ['whether a database exists', () => databaseExists('shop', context('postgres'))],
  ['whether a database is empty', () => expect(requireEmpty(context('shop'))).rejects.toThrow('is not empty: it has schema trap')],
  ['whether tables have rows', () => expect(requireNoRows(context('shop'))).rejects.toThrow('public.orders has rows')],
  ['whether roles and tablespaces exist', async () => {
    await requireRoles(['postgres'], [], 'the archive', { roles: '', mode: 'clean', noOwner: false, noPrivileges: false }, context('shop'))
    await requireTablespaces(['pg_default'], 'the archive', context('shop'))
  }],
  ['what a selection would replace, and what depends on it', async () => {
    const objects = await TargetObjects.read(context('shop'))
    const orders = { id: 1, kind: 'TABLE', schema: 'public', name: 'orders', owner: '', tablespace: '', needs: [], inherits: false }
    expect(objects.has(orders)).toBe(true)
    await objects.dependents([orders])
  }],
  ['what would meet rows', () => requireLoadable([], { disableTriggers: false, target: context('shop').connection }, context('shop'))],
  ['a database that is made and dropped', async () => {
    const { connection } = context('made')
    await createDatabase(connection, 'CREATE DATABASE made TEMPLATE template0', context('postgres'))
    await detachSubscriptions('made', context('postgres'))
    await dropDatabase('made', context('postgres'))
  }],
])('%s runs no code of the database', async (_, work) => {
  await work()
})

test('a whole backup runs no code of the database', async () => {
  const { connection } = context('shop')
  const source = new PostgresSource({ name: 'shop', connection, programs: () => ({ clients: [client] }), dumpArguments: [], lockTimeout: 60_000, signal: new AbortController().signal, report: quiet, variables })
  await source.open()
  for await (const { bytes } of source.streams()) for await (const _ of bytes);
  await source.close()
  expect(source.facts()).toMatchObject({ database: 'shop', globals: { stream: true } })
})

test('a search_path of the role or of the connection changes nothing', async () => {
  const { environment } = context('shop').connection
  const connection = connectionFromVariables({ ...environment, PGOPTIONS: '-c search_path=trap,pg_catalog' })
  expect(await readServerFacts({ connection, client, variables })).toMatchObject({ database: 'shop' })
})
