import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { argumentsOfParts, excludedTables, largeObjectsIn } from '../dump-arguments.ts'
import { formatCount } from '../../../report/format.ts'
import { bounded, queryPages, type ServerFacts, type ToastPages } from '../facts.ts'
import { freeConnections } from '../free-connections.ts'
import { isAscii, literal, OF_USERS, type QueryContext, withoutTransaction } from '../query.ts'
import { EXCLUDED, type Exclusion, exclusionOf } from './exclusions.ts'

export interface LargeTable {
  schema: string
  name: string
}

/** An archive with the rows of large tables. `largeObjects`: has those of the database as well. */
export interface PartPlan {
  tables: readonly LargeTable[]
  largeObjects: boolean
}

/** The parts beside the main archive. All pg_dump run at the same time. */
export interface DumpPlan {
  parts: readonly PartPlan[]
}

/** Why all rows are in one archive; undefined if nobody asked for more. */
export interface OneArchive {
  why: string | undefined
}

const MIB = 1024 * 1024
/** Bytes of rows: below, one pg_dump takes seconds. */
const SMALL = 256 * MIB
/** Bytes of rows that are worth a process and a connection, and the same where `dump-jobs` is given. */
const WORTH = { automatic: 64 * MIB, given: MIB }
/** Each pg_dump reads the catalogs of all tables. Bytes of rows that it could read in the time for a table. */
const CATALOG = 10 * 1024
/** More would find each other waiting for the store and for this machine. */
const MOST = 8
/** The most tables in parts: each is looked up by two pg_dump. */
const MOST_TABLES = 500
/** The most large objects in a part: up to pg_dump 16 each has an entry of its own, and the snapshot records them. */
const MOST_OBJECTS = 20_000
/** Of the share of one pg_dump: the smallest tables together, up to this, stay in the main archive, in which they change least. */
const TAIL = 1 / 8
/** Characters of all patterns of tables that are left out: they are an argument of psql. */
const LONGEST_PATTERNS = 10_000
/** Sessions beside those of pg_dump: the one with the snapshot, whose end the server may notice late, and one that asks for facts. */
const OTHERS = 2
/** The newest pg_dump whose archives are known well enough to put several together. */
const NEWEST_CLIENT = 18

const sizes = z.strictObject({
  /** When the server started. */
  start: z.string(),
  /** Whether rows may be refused if those of another table are not there yet. */
  needsOrder: z.boolean(),
  /** Sessions that this role may still open in the database. */
  free: z.int(),
  /** The number of all tables. */
  tables: z.int().min(0),
  /** Tables that were never analysed: the server does not know their sizes, but for TOAST. */
  unknown: z.int().min(0),
  /** Of all rows that are not left out. */
  bytes: z.int().min(0),
  largest: z.array(z.strictObject({ schema: z.string(), name: z.string(), bytes: z.int().min(0) })),
  /** Bytes of the large objects, and the same if these may be in a part: there are some, and not more than MOST_OBJECTS. */
  objects: z.int().min(0),
  largeObjects: z.int().min(0),
})

/** `bytes`: of all rows and large objects that are dumped. `largeObjects`: bytes of those that may be in a part. */
export type Sizes = Omit<z.infer<typeof sizes>, 'start' | 'objects'>

/**
 * CHECK constraints and generated columns that call functions, other than those of the server and of extensions: they may look into other
 * tables. pg_dump does not order rows by that (PostgreSQL documentation, "Check Constraints"), but a restore of its archive, by schema and
 * name, may succeed where one with other tables last does not.
 */
const FUNCTIONS = `SELECT FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid
  LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
  LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid = d.objid
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
WHERE d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass) AND d.refobjid >= 16384
  AND (k.contype = 'c' OR c.relkind IN ('r', 'p') OR pg_catalog.to_jsonb(a) ->> 'attgenerated' <> '')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')`

/**
 * Rows and TOAST, about, as of the last VACUUM or ANALYZE. Only ordinary tables and partitions that are not part of an extension, and
 * whose rows a standby has too. Names in other encodings than UTF8 are converted on the way to pg_dump, which compares them with those of
 * the database. Tables that pg_dump may be told to leave out stay in the main archive, so that none may be missing in a part.
 */
const sizesSql = (exclusions: readonly Exclusion[]) => (toastPages: ToastPages): string => `WITH RECURSIVE excluded AS (
  SELECT found.oid, pattern.descendants
  FROM pg_catalog.json_to_recordset(${literal(JSON.stringify(exclusions))}) AS pattern (schema text, name text, descendants bool),
  LATERAL (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND ${EXCLUDED}
    OFFSET 0) AS found
  UNION
  SELECT i.inhrelid, true FROM excluded JOIN pg_catalog.pg_inherits i ON i.inhparent = excluded.oid WHERE excluded.descendants
), tables AS (
  SELECT c.oid, n.oid AS namespace, n.nspname, c.relname, c.relpersistence, c.oid IN (SELECT oid FROM excluded) AS left_out,
    c.reltuples < 0 AS unknown, ${bounded(`(greatest(c.relpages, 0)::pg_catalog.int8 + coalesce(${toastPages('t')}, 0))
      * pg_catalog.current_setting('block_size')::pg_catalog.int8`)} AS bytes
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
  WHERE c.relkind = 'r' AND ${OF_USERS}
), largest AS (
  SELECT * FROM tables
  WHERE relpersistence = 'p' AND bytes > 0 AND NOT left_out
    AND (pg_catalog.getdatabaseencoding() = 'UTF8' OR pg_catalog.concat(nspname, relname) ~ '^[ -~]*$')
    AND oid NOT IN (
      SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'e' AND classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
    AND namespace NOT IN (
      SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'e' AND classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
  ORDER BY bytes DESC, nspname, relname LIMIT ${MOST_TABLES}
), objects AS (
  SELECT greatest(relpages, 0)::pg_catalog.int8 * pg_catalog.current_setting('block_size')::pg_catalog.int8 AS bytes,
    (SELECT pg_catalog.count(*) FROM (SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT ${MOST_OBJECTS + 1}) AS counted) AS number
  FROM pg_catalog.pg_class WHERE oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
)
SELECT pg_catalog.json_build_object(
  'start', extract(epoch FROM pg_catalog.pg_postmaster_start_time())::pg_catalog.text,
  'needsOrder', EXISTS (${FUNCTIONS}),
  'free', (SELECT least(of_server, of_role, of_database) FROM ${freeConnections(true)} AS f),
  'tables', (SELECT pg_catalog.count(*) FROM tables),
  'unknown', (SELECT pg_catalog.count(*) FROM tables WHERE unknown AND NOT left_out),
  'bytes', (SELECT ${bounded('pg_catalog.sum(bytes)')} FROM tables WHERE NOT left_out),
  'objects', (SELECT bytes FROM objects),
  'largeObjects', (SELECT CASE WHEN number BETWEEN 1 AND ${MOST_OBJECTS} THEN bytes ELSE 0 END FROM objects),
  'largest', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', nspname, 'name', relname, 'bytes', bytes)
    ORDER BY bytes DESC, nspname, relname), '[]') FROM largest))`

export interface PlannedDump {
  /** How many pg_dump may run at the same time. Default: by the size of the database and the processors here. */
  jobs: number | undefined
  dumpArguments: readonly string[]
  allowPooler: boolean
  server: ServerFacts
}

/** The plan of a dump, and when the server that was asked had started. */
export async function planDump(given: PlannedDump, context: QueryContext): Promise<OneArchive | (DumpPlan & { start: string })> {
  const { jobs, server: { rowBytes } } = given
  if (jobs === 1 || (jobs === undefined && rowBytes < SMALL)) return { why: undefined }
  const obstacle = obstacleTo(given, context)
  if (obstacle !== undefined) return { why: obstacle }
  const { start, ...found } = await readSizes(given.dumpArguments, context)
  const largest = await nameable(found.largest, context)
  const plan = divide({ ...found, largest }, jobs, availableParallelism())
  return 'why' in plan ? plan : { ...plan, start }
}

/** Of all that these arguments of pg_dump do not leave out, and when the server had started. */
export async function readSizes(dumpArguments: readonly string[], context: QueryContext): Promise<Sizes & { start: string }> {
  const { objects, ...found } = await queryPages(sizesSql(excludedTables(dumpArguments).map(exclusionOf)), sizes, context)
  const named = largeObjectsIn(dumpArguments)
  return { ...found, bytes: named === false ? found.bytes : found.bytes + objects, ...(named !== undefined && { largeObjects: 0 }) }
}

/** Those whose names pg_dump takes as arguments: it compares their bytes with names in the client encoding of its session. */
async function nameable<T extends LargeTable>(tables: readonly T[], context: QueryContext): Promise<T[]> {
  const ascii = tables.filter(({ schema, name }) => isAscii(schema + name))
  if (ascii.length === tables.length) return ascii
  const encoding = await withoutTransaction("SELECT pg_catalog.current_setting('client_encoding')", { ...context, encodingOfDump: true })
  return encoding.toString().trim() === 'UTF8' ? [...tables] : ascii
}

function obstacleTo(
  { dumpArguments, allowPooler, server: { encoding } }: PlannedDump, { connection: { environment }, client }: QueryContext,
): string | undefined {
  if (argumentsOfParts(dumpArguments) === undefined) return `pg_dump runs with ${dumpArguments.join(' ')}`
  const excluded = excludedTables(dumpArguments).map(({ pattern }) => pattern).join('')
  if (excluded.length > LONGEST_PATTERNS) return 'pg_dump runs with very many patterns of tables'
  // pg_dump compares the bytes of such a pattern.
  if (encoding !== 'UTF8' && !isAscii(excluded)) return `pg_dump runs with ${excluded} in a database in ${encoding}`
  if (allowPooler) return 'a pooler in transaction mode is allowed'
  if ((environment.PGHOST ?? '').includes(',')) return 'the URL names several servers'
  if (client.major > NEWEST_CLIENT) return `the archives of pg_dump ${client.major} are not known yet`
  return undefined
}

/**
 * The parts of an archive; pure. `given` may take the free connections but one; half of them are left to others where nobody asked for
 * more. `processors`: of this machine.
 */
export function divide(found: Sizes, given: number | undefined, processors: number): OneArchive | DumpPlan {
  if (found.needsOrder) return { why: 'CHECK constraints or generated columns call functions, which may look into other tables' }
  const wanted = given ?? Math.min(MOST, Math.max(2, processors))
  const left = given === undefined ? Math.ceil(found.free / 2) : 1
  const most = Math.min(wanted, found.free - left - OTHERS)
  if (most < 2) return { why: `the server has only ${formatCount(Math.max(0, found.free), 'free connection')}` }
  const least = CATALOG * found.tables + (given === undefined ? WORTH.automatic : WORTH.given)
  for (let jobs = most; jobs > 1; jobs--) {
    const parts = partsOf(found, jobs - 1)
    if (parts.every(({ bytes }) => bytes >= least)) return { parts: parts.map(({ tables, largeObjects }) => ({ tables, largeObjects })) }
  }
  return { why: given === undefined ? undefined : tooSmall(found.unknown) }
}

function tooSmall(unknown: number): string {
  if (unknown === 0) return 'no tables are large enough for an archive of their own'
  const tables = formatCount(unknown, 'table', 'tables')
  return `the server does not know the size of ${tables} (VACUUM ANALYZE finds it out), and no others are large enough`
}

interface SizedPart extends PartPlan {
  bytes: number
  /** The same, of rounded sizes. */
  load: number
  tables: LargeTable[]
}

/**
 * Distributes the largest tables, each to the archive that has least so far, the main archive among them (longest processing time first:
 * Graham, "Bounds on multiprocessing timing anomalies", 1969). Sizes are rounded, and equal ones are in the order of their names: at the
 * ends of a table that moves, chunks are new. Of 40 equal tables of which half grow by up to 1 % a day, two of three would move else.
 */
function partsOf({ largest, largeObjects, bytes: all }: Sizes, count: number): SizedPart[] {
  const parts = Array.from({ length: count }, () => emptyPart(0))
  const tables = largest.map(({ bytes, ...table }) => ({ bytes, table })).toSorted((a, b) => (keyOf(a.table) < keyOf(b.table) ? -1 : 1))
  const items = (largeObjects > 0 ? [...tables, { bytes: largeObjects, table: undefined }] : tables)
    .toSorted((a, b) => rounded(b.bytes) - rounded(a.bytes))
  const tail = (all / (count + 1)) * TAIL
  let rest = all
  const large = items.filter(({ bytes }) => {
    const taken = rest > tail
    if (taken) rest -= bytes
    return taken
  })
  const main = emptyPart(rounded(rest))
  for (const { bytes, table } of large) {
    const least = [...parts, main].reduce((least, one) => (one.load < least.load ? one : least))
    least.bytes += bytes
    least.load += rounded(bytes)
    if (table) least.tables.push(table)
    else least.largeObjects = true
  }
  return parts
}

function emptyPart(load: number): SizedPart {
  return { bytes: 0, load, tables: [], largeObjects: false }
}

/** The nearest power of the root of two. */
function rounded(bytes: number): number {
  return bytes < 1 ? 0 : 2 ** (Math.round(2 * Math.log2(bytes)) / 2)
}

function keyOf({ schema, name }: LargeTable): string {
  return `${schema}\0${name}`
}
