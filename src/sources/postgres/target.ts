import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { RestoreMode } from '../settings.ts'
import { onDatabase, type Connection } from './connection.ts'
import { rolesOrWithout } from './restore-output.ts'
import { change, identifier, literal, queryJson, type QueryContext, withoutTransaction } from './query.ts'
import type { ObjectSettings } from './settings.ts'

/** The database to restore into. */
export interface Target {
  /** Major version of its server. */
  major: number
  database: string
}

const target = z.strictObject({ major: z.int(), database: z.string() })

export function readTarget(context: QueryContext): Promise<Target> {
  return queryJson(
    `SELECT pg_catalog.json_build_object('major', pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000,
      'database', pg_catalog.current_database())`,
    target,
    context,
  )
}

/** Whether a schema is one of users. */
export const users = (schema: string): string => `${schema} <> 'information_schema' AND ${schema} !~ '^pg_'`
// Objects of an extension do not count.
export const ofNoExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_catalog.pg_depend
    WHERE classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND objid = ${oid} AND deptype = 'e')`

const objects = `
  SELECT 'schema ' || pg_catalog.quote_ident(nspname) AS object FROM pg_catalog.pg_namespace
  WHERE nspname <> 'public' AND ${users('nspname')}
  UNION ALL SELECT 'extension ' || pg_catalog.quote_ident(extname) FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'
  UNION ALL SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence ' ELSE 'table ' END
      || c.oid::pg_catalog.regclass::pg_catalog.text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${users('n.nspname')} AND ${ofNoExtension('pg_class', 'c.oid')}
  UNION ALL SELECT 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE ${users('n.nspname')} AND ${ofNoExtension('pg_proc', 'p.oid')}
  UNION ALL SELECT 'type ' || t.oid::pg_catalog.regtype::pg_catalog.text
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE ${users('n.nspname')} AND (t.typtype IN ('e', 'd', 'r')
        OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
      AND ${ofNoExtension('pg_type', 't.oid')}
  UNION ALL SELECT 'large object ' || oid::pg_catalog.text FROM pg_catalog.pg_largeobject_metadata`

/** Whether the database has user objects. */
export async function hasObjects(context: QueryContext): Promise<boolean> {
  return (await objectsIn(context)).length > 0
}

/** Some of the user objects of a database. */
function objectsIn(context: QueryContext): Promise<string[]> {
  return queryJson(`SELECT coalesce(pg_catalog.json_agg(object), '[]') FROM (${objects} LIMIT 6) o`, z.array(z.string()), context)
}

/** Throws unless the database has no user objects, naming a few of them. `part`: whether less than the whole backup is restored. */
export async function requireEmpty(context: QueryContext, part = false): Promise<void> {
  const found = await objectsIn(context)
  if (found.length === 0) return
  throw new LifeboatError(
    `${context.connection.where} is not empty: it has ${found.slice(0, 5).join(', ')}${found.length > 5 ? ' and more' : ''}`,
    {
      hint: part ? PART_HINT
        : marked`To replace it, give ‹mode: swap›: the backup is restored beside it, the two are exchanged, and ` +
          marked`‹lifeboat restore; undo: true› takes that back. ${TO_HAVE_BOTH} ` +
          marked`‹mode: clean› drops and makes again every object that is in the backup; objects that only the target has stay. ` +
          'Drop the database first only if an interrupted restore left this.',
    },
  )
}

export const TO_HAVE_BOTH = marked`To have both, change the name at the end of ‹database-url›, and give ‹mode: create›.`

/** A way out that needs no change of the target's own tables. */
export const ROWS_BESIDE =
  marked`‹lifeboat extract; format: sql› with ‹snapshot›, ‹source›, ‹table› and ‹into-schema› gives the rows of one table as SQL that ` +
  'puts them beside those that are there.'

// Mode swap would leave nothing but the part.
const PART_HINT =
  marked`‹mode: clean› drops and makes again what is selected of the backup, in this database, and leaves everything else as it is. ` +
  `${TO_HAVE_BOTH} ${ROWS_BESIDE}`

// A heap without blocks has no rows, and reading its size leaves no lock. The loop ends at the sixth table with rows.
const findRows = `DO LANGUAGE plpgsql $find$
DECLARE
  one record;
  has boolean;
  found_in pg_catalog.text[] := '{}';
BEGIN
  FOR one IN SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE c.relkind = 'r' AND ${users('n.nspname')} AND (a.amname <> 'heap' OR pg_catalog.pg_relation_size(c.oid) > 0)
      AND (pg_catalog.current_setting('lifeboat.tables') = 'all' OR (n.nspname::pg_catalog.text, c.relname::pg_catalog.text) IN (
        SELECT wanted ->> 0, wanted ->> 1 FROM pg_catalog.json_array_elements(
          CASE pg_catalog.current_setting('lifeboat.tables') WHEN 'all' THEN '[]'
          ELSE pg_catalog.current_setting('lifeboat.tables') END::pg_catalog.json) AS wanted))
  LOOP
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM ONLY %I.%I)', one.nspname, one.relname) INTO has;
    IF has THEN found_in := pg_catalog.array_append(found_in, one.oid::pg_catalog.regclass::pg_catalog.text); END IF;
    EXIT WHEN pg_catalog.cardinality(found_in) > 5;
  END LOOP;
  PERFORM pg_catalog.set_config('lifeboat.tables_with_rows', pg_catalog.array_to_json(found_in)::pg_catalog.text, true);
END $find$`

/** Some of the tables that have rows, of the whole database or of those named. */
export async function tablesWithRows(context: QueryContext, tables?: readonly { schema: string; name: string }[]): Promise<string[]> {
  const full: string[] = []
  for (const some of tables ? batchesOf(tables) : ['all']) {
    const found = `SELECT pg_catalog.current_setting('lifeboat.tables_with_rows')`
    full.push(
      ...(await queryJson(
        [`SELECT WHERE pg_catalog.set_config('lifeboat.tables', ${literal(some)}, true) IS NULL`, findRows, found],
        z.array(z.string()),
        context,
      )),
    )
    if (full.length > 5) break
  }
  return full
}

/** Throws unless every table of the database, or of those named, is without rows. */
export async function requireNoRows(context: QueryContext, tables?: readonly { schema: string; name: string }[]): Promise<void> {
  const full = await tablesWithRows(context, tables)
  if (full.length === 0) return
  throw new LifeboatError(
    `${context.connection.where} is not empty: ${full.slice(0, 5).join(', ')}${full.length > 5 ? ' and more tables' : ''} ` +
      `${full.length === 1 ? 'has' : 'have'} rows`,
    {
      hint:
        marked`Restore into a new database with ‹mode: create›. Or empty these tables, after ‹lifeboat backup›: this restore keeps no ` +
        'copy. Use no CASCADE: it also empties all tables that refer to them.',
    },
  )
}

/** As JSON texts, each of which fits into an argument of psql. */
function batchesOf(tables: readonly { schema: string; name: string }[]): string[] {
  const most = 500 // A name has at most 63 bytes, and every one of these may be escaped.
  return Array.from({ length: Math.ceil(tables.length / most) }, (_, part) =>
    JSON.stringify(tables.slice(part * most, (part + 1) * most).map(({ schema, name }) => [schema, name])),
  )
}

/** A database of the same server to run CREATE DATABASE in: `postgres`, or else `template1`. */
export async function findMaintenance(context: QueryContext): Promise<QueryContext & { target: Target }> {
  const on = (database: string) => ({ ...context, connection: onDatabase(context.connection, database) })
  try {
    return { ...on('postgres'), target: await readTarget(on('postgres')) }
  } catch (error) {
    try {
      return { ...on('template1'), target: await readTarget(on('template1')) }
    } catch {
      throw error // The first answer is the one that tells: both fail alike, or `postgres` is the one to repair.
    }
  }
}

export async function databaseExists(database: string, maintenance: QueryContext): Promise<boolean> {
  return queryJson(
    `SELECT pg_catalog.to_json(EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ${literal(database)}))`,
    z.boolean(),
    maintenance,
  )
}

/** `statement`: CREATE DATABASE, as `createStatement` makes it. */
export async function createDatabase(connection: Connection, statement: string, maintenance: QueryContext): Promise<void> {
  try {
    await withoutTransaction(statement, { ...maintenance, timeLimit: Infinity })
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    const hint =
      marked`Create the database yourself, with the locale you want, and restore with ‹mode: empty›. A role needs CREATEDB for ` +
      marked`‹mode: create›.`
    throw new LifeboatError(`cannot create ${connection.where}: ${error.message}`, { hint, cause: error })
  }
}

/** Throws unless all these roles exist, which settings of the database name. `ofObjects`: roles with a check and a hint of their own. */
export async function requireRoles(
  roles: readonly string[],
  ofObjects: readonly string[],
  where: string,
  { roles: toCreate, mode, ...given }: Pick<ObjectSettings, 'noOwner' | 'noPrivileges'> & { roles: string; mode: RestoreMode },
  context: QueryContext,
): Promise<void> {
  if (roles.length === 0) return
  const lacked = await lacking([...new Set([...roles, ...ofObjects])], 'SELECT rolname FROM pg_catalog.pg_roles', context)
  const missing = roles.filter((role) => lacked.includes(role))
  if (missing.length === 0) return
  const settings = mode === 'swap'
    ? marked`take the settings of the target, ‹keep-settings: target›` : marked`leave the settings out with ‹database-settings: false›`
  throw new LifeboatError(`the settings of the database name roles that ${where} does not have: ${missing.join(', ')}`, {
    hint: rolesOrWithout(toCreate, given, ofObjects.some((role) => lacked.includes(role)) ? [] : [settings]),
  })
}

/** Throws unless all these tablespaces exist. */
export async function requireTablespaces(tablespaces: readonly string[], where: string, context: QueryContext): Promise<void> {
  const missing = await lacking(tablespaces, 'SELECT spcname FROM pg_catalog.pg_tablespace', context)
  if (missing.length === 0) return
  throw new LifeboatError(`${where} does not have these tablespaces of the backup: ${missing.join(', ')}`, {
    hint: marked`Restore with ‹no-tablespaces: true›, which puts everything into the default tablespace, or create them first.` })
}

async function lacking(names: readonly string[], all: string, context: QueryContext): Promise<string[]> {
  if (names.length === 0) return []
  const found = new Set(
    await queryJson(`SELECT coalesce(pg_catalog.json_agg(name), '[]') FROM (${all}) AS all_of_them (name)`, z.array(z.string()), context),
  )
  return names.filter((name) => !found.has(name))
}

/** A database with subscriptions cannot be dropped. Their slots belong to the publishers, and are not changed. */
export async function detachSubscriptions(database: string, maintenance: QueryContext): Promise<void> {
  await change(detach, { ...maintenance, connection: onDatabase(maintenance.connection, database) })
}

const detach = `DO LANGUAGE plpgsql $detach$
DECLARE
  one pg_catalog.name;
BEGIN
  FOR one IN SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = pg_catalog.current_database()
  LOOP
    EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I DISABLE', one);
    EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', one);
    EXECUTE pg_catalog.format('DROP SUBSCRIPTION %I', one);
  END LOOP;
END $detach$`

export async function dropDatabase(database: string, maintenance: QueryContext): Promise<void> {
  await withoutTransaction(`DROP DATABASE ${identifier(database)} WITH (FORCE)`, { ...maintenance, timeLimit: Infinity })
}
