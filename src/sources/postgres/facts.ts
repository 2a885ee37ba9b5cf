import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { MOST_ENTRIES } from './contents-form.ts'
import { OF_USERS, type QueryContext, queryJson } from './query.ts'

const table = z.strictObject({
  schema: z.string(),
  name: z.string(),
  /** The planner's estimate; null if the table was never analysed, and if it is not a number of rows. */
  rows: z.int().min(0).nullable(),
  /**
   * With indexes and TOAST, about, as of the last VACUUM or ANALYZE: exact sizes would wait for locks. A partitioned table has none of its
   * own.
   */
  bytes: z.int().min(0),
  partitioned: z.boolean(),
  rowSecurity: z.boolean(),
  /** Rows in the archive and their bytes, counted while it was made. Absent if the archive has none of this table, or not by COPY. */
  archived: z.strictObject({ rows: z.int().min(0), bytes: z.int().min(0) }).optional(),
})

/** Settings of the session of pg_dump that change what it writes; it sets all others itself (pg_dump.c: setup_connection). */
const session = z.strictObject({
  TimeZone: z.string(), bytea_output: z.string(), lc_monetary: z.string(), quote_all_identifiers: z.string(),
  standard_conforming_strings: z.string(),
})

/** Facts of a server and a database that one query reads. */
const serverFacts = z.strictObject({
  server: z.strictObject({ major: z.int().min(1), version: z.string() }),
  database: z.string(),
  encoding: z.string(),
  collation: z.string(),
  extensions: z.array(z.strictObject({ name: z.string(), version: z.string() })),
  /** The role that made the cluster: privileges of system objects name it. */
  superuser: z.string().optional(),
  /** Whether the role may read pg_authid: passwords of roles. */
  rolePasswords: z.boolean(),
  /** Bytes of all rows, about, as of the last VACUUM or ANALYZE. */
  rowBytes: z.int().min(0),
  session,
})

/** The place of all data in an archive, in its order: the id of the entry, the first byte of its block, and the byte after its last. */
const data = z.array(z.tuple([z.int().min(0), z.int().min(0), z.int().min(0)]))
/** The CRC-32 of all before the data, and of each block in `data`: these are compared where the archive is not read in its order. */
const sums = z.array(z.int().min(0).max(0xffffffff))

/** An archive with the rows of large tables, or the large objects. */
const part = z.strictObject({
  stream: z.string().min(1),
  /** The id of its first entry in the assembled archive: above each that an entry of the main archive has or needs. The others follow. */
  id: z.int().min(1).max(MOST_ENTRIES),
  /** The entries of rows and of large objects in its table of contents. `raw`: the bytes of the entry, as base64. */
  entries: z.array(z.strictObject({ id: z.int().min(1), kind: z.string(), schema: z.string(), name: z.string(), raw: z.base64() })),
  data,
  sums,
})

const addedByTable = z.strictObject({
  most: z.array(z.strictObject({ table: z.string(), added: z.int() })),
  others: z.strictObject({ tables: z.int(), added: z.int() }),
  rest: z.int(),
})

/** The facts of a PostgreSQL source in a snapshot. */
export const postgresFacts = z.strictObject({
  ...serverFacts.omit({ rolePasswords: true, rowBytes: true }).shape,
  /** The server and the database: `db.example.org:5432/app`. Absent in older snapshots. */
  where: z.string().optional(),
  /** Absent in older snapshots. */
  session: session.optional(),
  /** Bytes on the server's disk; null if the role may not ask. */
  databaseSize: z.int().min(0).nullable(),
  tables: z.array(table),
  /** The version of pg_dump that made the archive: `17.5 (Debian 17.5-1)`. */
  dumpVersion: z.string(),
  /** The lines of `pg_restore --list` without its comments; those of the entries of `parts` come last. */
  entries: z.array(z.string()),
  /** Of the main archive. Absent in older snapshots, and if the archive has another form than pg_dump writes. */
  data: data.optional(),
  sums: sums.optional(),
  /** Archives with the rows of the largest tables, and with large objects. Absent: all rows are in the one archive. */
  parts: z.array(part).min(1).optional(),
  /** `globals.sql`: there, with or without the roles' passwords; or why it is not. */
  globals: z.union([z.strictObject({ stream: z.literal(true), passwords: z.boolean() }), z.strictObject({ reason: z.string() })]),
  /** The arguments of pg_dump that were asked for. */
  arguments: z.array(z.string()).optional(),
  /** Warnings of pg_dump and pg_dumpall, though they ended well. */
  warnings: z.array(z.string()).optional(),
  /** Arguments and warnings of pg_dump that tell that a part of the database may be missing. */
  omitted: z.array(z.string()).optional(),
  /** Bytes that the backup added to the store. Absent if it added none, and where the places of tables are not known. */
  addedByTable: addedByTable.optional(),
})

/** The facts that reading the archive back needs. A copy of all facts would double their memory. */
export const archiveFacts = z.object(postgresFacts.pick({ dumpVersion: true, entries: true, parts: true }).shape)

/** The fact with which a part of the data is read. */
export const placeFacts = z.object(postgresFacts.pick({ data: true, sums: true }).shape)

/** The same, of all archives. */
export const archivesFacts = placeFacts.extend({ parts: z.array(placeFacts).optional() })

/** The facts that a restore uses if they are there. */
export const sizeFacts = z.object(postgresFacts.pick({ tables: true, databaseSize: true, server: true }).partial().shape)

/** The facts that a drill needs. */
export const drillFacts = z.object(
  postgresFacts.pick({
    dumpVersion: true, server: true, encoding: true, superuser: true, databaseSize: true, arguments: true, omitted: true,
    session: true,
  }).shape,
)

export type Table = z.infer<typeof table>

/** The rows of a table: those in the archive, or else the server's estimate. */
export interface RowCount {
  rows: number | null
  exact: boolean
}

export function rowCount({ rows, archived }: Pick<Table, 'rows' | 'archived'>): RowCount {
  return archived ? { rows: archived.rows, exact: true } : { rows, exact: false }
}
export type SessionSettings = z.infer<typeof session>
export type ServerFacts = z.infer<typeof serverFacts>
export type PostgresFacts = z.infer<typeof postgresFacts>

/** SQL for the pages of a TOAST table, whose row of pg_class has this name. */
export type ToastPages = (row: string) => string

const LIVE_TUPLES = 'pg_stat_get_live_tuples'

/**
 * Before its first VACUUM, pg_class knows of no pages of a TOAST table, because ANALYZE leaves it out, but the statistics have its tuples,
 * four to a page (EXTERN_TUPLES_PER_PAGE in heaptoast.h).
 */
const estimatedPages: ToastPages = (row) =>
  `CASE WHEN ${row}.relpages > 0 THEN ${row}.relpages ELSE (pg_catalog.${LIVE_TUPLES}(${row}.oid) + 3) / 4 END`
const vacuumedPages: ToastPages = (row) => `greatest(${row}.relpages, 0)`

/**
 * Runs a query whose one value is JSON, again without the statistics of TOAST if the role may not execute their function. The server checks
 * that when a query starts, also for a branch of a CASE that it never takes.
 */
export async function queryPages<T>(sql: (pages: ToastPages) => string, shape: z.ZodType<T>, context: QueryContext): Promise<T> {
  try {
    return await queryJson(sql(estimatedPages), shape, context)
  } catch (error) {
    if (!(error instanceof LifeboatError && error.cause instanceof Error && error.cause.message.includes(LIVE_TUPLES))) throw error
    return queryJson(sql(vacuumedPages), shape, context)
  }
}

/** SQL for a size that comes from statistics, which an owner may set to anything: a number that JSON has exactly; 0 for NULL. */
export const bounded = (size: string): string => `least(greatest(${size}, 0), ${Number.MAX_SAFE_INTEGER})`

const SESSION = Object.keys(session.shape).map((name) => `'${name}', pg_catalog.current_setting('${name}')`).join(', ')

const serverSql = (toastPages: ToastPages): string => `SELECT pg_catalog.json_build_object(
  'server', pg_catalog.json_build_object(
    'major', pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000,
    'version', pg_catalog.current_setting('server_version')),
  'database', d.datname,
  'encoding', pg_catalog.pg_encoding_to_char(d.encoding),
  'collation', d.datcollate,
  'extensions', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]')
    FROM pg_catalog.pg_extension),
  'superuser', (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10),
  'rolePasswords', pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT'),
  'rowBytes', (
    SELECT ${bounded(`pg_catalog.sum(CASE c.relkind WHEN 't' THEN ${toastPages('c')} ELSE greatest(c.relpages, 0) END)
      * pg_catalog.current_setting('block_size')::pg_catalog.int8`)}
    FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 't')),
  'session', pg_catalog.json_build_object(${SESSION}))
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`

export function readServerFacts(context: QueryContext): Promise<ServerFacts> {
  return queryPages(serverSql, serverFacts, context)
}

/** One pass over the catalogs, for any number of tables: every table is joined with its TOAST table and the indexes of both. */
export const tablesSql = (toastPages: ToastPages = estimatedPages): string => `WITH tables AS (
  SELECT c.oid, c.reltoastrelid, n.nspname, c.relname, c.reltuples, c.relpages, c.relkind, c.relrowsecurity
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND ${OF_USERS}
), indexes AS (
  SELECT i.indrelid, pg_catalog.sum(greatest(c.relpages, 0)) AS pages
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid GROUP BY i.indrelid
), sizes AS (
  SELECT t.*, greatest(t.relpages, 0) + coalesce(${toastPages('toast')}, 0) + coalesce(own.pages, 0) + coalesce(others.pages, 0) AS pages
  FROM tables t
  LEFT JOIN pg_catalog.pg_class toast ON toast.oid = t.reltoastrelid
  LEFT JOIN indexes own ON own.indrelid = t.oid
  LEFT JOIN indexes others ON others.indrelid = t.reltoastrelid
)
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', nspname, 'name', relname,
  'rows', CASE WHEN reltuples BETWEEN 0 AND 1e15 THEN reltuples::pg_catalog.int8 END,
  'bytes', CASE relkind WHEN 'p' THEN 0 ELSE ${bounded(`pages * pg_catalog.current_setting('block_size')::pg_catalog.int8`)} END,
  'partitioned', relkind = 'p', 'rowSecurity', relrowsecurity) ORDER BY nspname, relname), '[]')
FROM sizes`

/** The settings of a session of this kind. */
export function readSession(context: QueryContext): Promise<SessionSettings> {
  return queryJson(`SELECT pg_catalog.json_build_object(${SESSION})`, session, context)
}

export function readTables(context: QueryContext): Promise<Table[]> {
  return queryPages(tablesSql, z.array(table), context)
}

/** Apart from the other facts: with 50,000 tables the server takes 0.4 s to look at all files. */
const sizeSql = `SELECT pg_catalog.json_build_array(
  CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END)
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`

export async function readDatabaseSize(context: QueryContext): Promise<PostgresFacts['databaseSize']> {
  const [size] = await queryJson(sizeSql, z.tuple([postgresFacts.shape.databaseSize]), context)
  return size
}
