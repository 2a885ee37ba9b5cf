import { z } from 'zod'
import { LifeboatError } from '../error.ts'
import { onDatabase, type Connection } from './connection.ts'
import { execute, identifier, literal, queryJson, type QueryContext } from './query.ts'

/** The database a restore goes to. */
export interface Target {
  /** Of its server. */
  major: number
  database: string
}

const target = z.strictObject({ major: z.int(), database: z.string() })

export function readTarget(context: QueryContext): Promise<Target> {
  return queryJson(
    `SELECT json_build_object('major', current_setting('server_version_num')::int / 10000, 'database', current_database())`,
    target,
    context,
  )
}

// Objects of extensions stand for themselves in the extension's name.
const objects = `
  SELECT 'schema ' || quote_ident(nspname) AS object FROM pg_namespace
    WHERE nspname NOT IN ('public', 'information_schema') AND nspname !~ '^pg_'
  UNION ALL SELECT 'extension ' || quote_ident(extname) FROM pg_extension WHERE extname <> 'plpgsql'
  UNION ALL SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence ' ELSE 'table ' END || c.oid::regclass
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
  UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND (t.typtype IN ('e', 'd', 'r')
        OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = t.oid AND deptype = 'e')
  UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata`

/** Throws unless the database has no user objects, naming a few of them. */
export async function requireEmpty(context: QueryContext): Promise<void> {
  const few = `SELECT coalesce(json_agg(object), '[]') FROM (${objects} LIMIT 6) o`
  const found = await queryJson(few, z.array(z.string()), context)
  if (found.length === 0) return
  throw new LifeboatError(`${context.connection.where} is not empty: it has ${found.slice(0, 5).join(', ')}${found.length > 5 ? ' and more' : ''}`, {
    hint: 'restore into a new database with mode create, or replace what the backup has with mode clean',
  })
}

/** Throws unless every table of the database is without rows. */
export async function requireNoRows(context: QueryContext): Promise<void> {
  const tables = `SELECT coalesce(json_agg(c.oid::regclass::text), '[]') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`
  const names = await queryJson(tables, z.array(z.string()), context)
  if (names.length === 0) return
  // The names come quoted from the server.
  const probes = names.map((name) => `SELECT ${literal(name)} AS name WHERE EXISTS (SELECT FROM ONLY ${name})`)
  const full = await queryJson(`SELECT coalesce(json_agg(name), '[]') FROM (${probes.join(' UNION ALL ')}) t`, z.array(z.string()), context)
  if (full.length === 0) return
  throw new LifeboatError(`${context.connection.where} is not empty: ${full.slice(0, 5).join(', ')}${full.length > 5 ? ' and more tables' : ''} have rows`, {
    hint: 'empty these tables first (TRUNCATE), or restore into a new database with mode create',
  })
}

/** A database of the same server that one can be made from: `postgres`, else `template1`. */
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
  return queryJson(`SELECT to_json(EXISTS (SELECT FROM pg_database WHERE datname = ${literal(database)}))`, z.boolean(), maintenance)
}

/** `definition`: what follows CREATE DATABASE's name, as pg_restore prints it: WITH TEMPLATE = template0 ENCODING = … */
export async function createDatabase(connection: Connection, database: string, definition: string, maintenance: QueryContext): Promise<void> {
  try {
    await execute(`CREATE DATABASE ${identifier(database)} ${definition}`, maintenance)
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    const hint = 'create the database yourself, with the locale you want, and restore with mode empty; a role needs CREATEDB for mode create'
    throw new LifeboatError(`cannot create ${connection.where}: ${error.message}`, { hint, cause: error })
  }
}

export async function dropDatabase(database: string, maintenance: QueryContext): Promise<void> {
  await execute(`DROP DATABASE ${identifier(database)} WITH (FORCE)`, maintenance)
}
