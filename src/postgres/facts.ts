import { z } from 'zod'
import { type QueryContext, queryJson } from './query.ts'

const table = z.strictObject({
  schema: z.string(),
  name: z.string(),
  /** The planner's estimate; null where the table was never analysed. */
  rows: z.int().min(0).nullable(),
  /** With indexes and TOAST, as of the last VACUUM or ANALYZE: exact sizes would wait for locks. A partitioned table has none of its own. */
  bytes: z.int().min(0),
  partitioned: z.boolean(),
  rowSecurity: z.boolean(),
})

/** What one query tells of a server and a database. */
export const serverFacts = z.strictObject({
  server: z.strictObject({ major: z.int().min(1), version: z.string() }),
  database: z.string(),
  encoding: z.string(),
  collation: z.string(),
  /** Bytes on the server's disk; null where the role may not ask. */
  databaseSize: z.int().min(0).nullable(),
  extensions: z.array(z.strictObject({ name: z.string(), version: z.string() })),
  tables: z.array(table),
  /** Whether the role may read pg_authid: passwords of roles. */
  rolePasswords: z.boolean(),
})

/** What a snapshot's manifest keeps of a PostgreSQL source. */
export const postgresFacts = z.strictObject({
  ...serverFacts.omit({ rolePasswords: true }).shape,
  /** The version of pg_dump that made the archive: `17.5 (Debian 17.5-1)`. */
  dumpVersion: z.string(),
  /** The lines of `pg_restore --list` without its comments. */
  entries: z.array(z.string()),
  /** `globals.sql`: there, with or without the roles' passwords; or why it is not. */
  globals: z.union([z.strictObject({ stream: z.literal(true), passwords: z.boolean() }), z.strictObject({ reason: z.string() })]),
})

export type ServerFacts = z.infer<typeof serverFacts>
export type PostgresFacts = z.infer<typeof postgresFacts>

const sql = `
SELECT json_build_object(
  'server', json_build_object('major', current_setting('server_version_num')::int / 10000, 'version', current_setting('server_version')),
  'database', d.datname,
  'encoding', pg_encoding_to_char(d.encoding),
  'collation', d.datcollate,
  'databaseSize', CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END,
  'extensions', (SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]') FROM pg_extension),
  'tables', (
    SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname,
      'rows', CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
      'bytes', CASE c.relkind WHEN 'p' THEN 0 ELSE current_setting('block_size')::bigint * (
        SELECT coalesce(sum(greatest(p.relpages, 0)), 0) FROM pg_class p WHERE p.oid IN (c.oid, c.reltoastrelid)
          OR p.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN (c.oid, c.reltoastrelid))) END,
      'partitioned', c.relkind = 'p', 'rowSecurity', c.relrowsecurity) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
  'rolePasswords', has_table_privilege('pg_catalog.pg_authid', 'SELECT'))
FROM pg_database d WHERE d.datname = current_database();
`

/** Asks the server once for everything the manifest records of it. */
export function readServerFacts(context: QueryContext): Promise<ServerFacts> {
  return queryJson(sql, serverFacts, context)
}
