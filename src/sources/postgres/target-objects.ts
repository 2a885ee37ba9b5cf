import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { formatCount, formatSome } from '../../report/format.ts'
import { KEEP_PARTITIONS, otherPartitions, PARTITIONS_LOST } from './clean/partitions.ts'
import type { Entry } from './contents.ts'
import { type QueryContext, queryJson } from './query.ts'
import { ROWS_BESIDE, TO_HAVE_BOTH } from './target.ts'

/** Objects of the target that a restore may replace, by catalog, schema and name as an archive's table of contents has them. */
export class TargetObjects {
  readonly #context: QueryContext
  readonly #oids: ReadonlyMap<string, number>

  constructor(context: QueryContext, oids: ReadonlyMap<string, number>) {
    this.#context = context
    this.#oids = oids
  }

  static async read(context: QueryContext): Promise<TargetObjects> {
    const found = await queryJson(NAMED, z.array(z.tuple([z.string(), z.string(), z.string(), z.int()])), context)
    return new TargetObjects(context, new Map(found.map(([catalog, schema, name, oid]) => [keyOf(catalog, schema, name), oid])))
  }

  has(entry: Pick<Entry, 'kind' | 'schema' | 'name'>): boolean {
    return this.#oid(entry) !== undefined
  }

  /** Of those that the target has. */
  oids(entries: readonly Pick<Entry, 'kind' | 'schema' | 'name'>[]): number[] {
    return [...new Set(entries.map((entry) => this.#oid(entry)).filter((oid) => oid !== undefined))]
  }

  /** Whether a schema has tables, views or sequences that are not among these. */
  hasOthers(schema: string, entries: readonly Entry[]): boolean {
    const known = new Set(entries.map(objectKey))
    const start = keyOf('class', schema, '')
    return [...this.#oids.keys()].some((key) => key.startsWith(start) && !known.has(key))
  }

  /** Of these tables, the partitions and inheriting children of others among them. */
  async children<E extends Pick<Entry, 'kind' | 'schema' | 'name'>>(tables: readonly E[]): Promise<Set<E>> {
    const oids = new Set(this.oids(tables))
    const found = await queryJson(CHILDREN, z.array(z.tuple([z.int(), z.int()])), this.#context)
    const children = new Set(found.flatMap(([child, parent]) => (oids.has(parent) ? [child] : [])))
    return new Set(tables.filter((table) => children.has(this.#oid(table)!)))
  }

  /** Objects that would prevent the removal of these objects: others that depend on them, by whatever way, as PostgreSQL describes them. */
  async dependents(entries: readonly Entry[]): Promise<string[]> {
    let oids = this.oids(entries.filter(({ kind }) => kind !== 'SCHEMA' && kind !== 'EXTENSION'))
    const known = new Set(oids)
    const names = new Set<string>()
    while (oids.length > 0) {
      const found = (await this.#dependents(oids)).filter(([, owner]) => !known.has(owner))
      for (const [name, owner] of found) {
        names.add(name)
        known.add(owner)
      }
      oids = [...new Set(found.map(([, owner]) => owner))]
    }
    return [...names]
  }

  /** Partitions of these tables that are not among them, and would be dropped with them. */
  async partitions(entries: readonly Entry[]): Promise<string[]> {
    const oids = this.oids(entries.filter(({ kind }) => kind === 'TABLE' || kind === 'FOREIGN TABLE'))
    const dropped = new Set(oids)
    const names: string[] = []
    for (let at = 0; at < oids.length; at += OIDS_AT_ONCE) {
      const found = await queryJson(named(otherPartitions(oids.slice(at, at + OIDS_AT_ONCE))), NAMES, this.#context)
      for (const [name, oid] of found) if (!dropped.has(oid)) names.push(name)
    }
    return names
  }

  #oid({ kind, schema, name }: Pick<Entry, 'kind' | 'schema' | 'name'>): number | undefined {
    const catalog = CATALOGS[kind]
    return catalog === undefined ? undefined : this.#oids.get(keyOf(catalog, schema, name))
  }

  /** All dependents of these objects, each with the object that it belongs to; these objects may be among them. */
  async #dependents(oids: readonly number[]): Promise<[name: string, owner: number][]> {
    const found: [string, number][] = []
    for (let at = 0; at < oids.length; at += OIDS_AT_ONCE)
      for (const one of await queryJson(dependentsOf(oids.slice(at, at + OIDS_AT_ONCE)), NAMES, this.#context)) found.push(one)
    return found
  }
}

/** Of an entry of an archive, to compare it with objects of the target; undefined for a part of another object, such as an index. */
function objectKey({ kind, schema, name }: Pick<Entry, 'kind' | 'schema' | 'name'>): string | undefined {
  const catalog = CATALOGS[kind]
  return catalog === undefined ? undefined : keyOf(catalog, schema, name)
}

/** Kinds of entries that make large objects. */
const LARGE_OBJECTS = ['BLOB', 'BLOB METADATA']

/** The objects of an archive, to be compared with those of a target. Large objects may be millions: it knows whether there are some. */
export class ArchivedObjects {
  readonly #keys = new Set<string>()
  #large = false

  add(entry: Pick<Entry, 'kind' | 'schema' | 'name'>): void {
    this.#large ||= LARGE_OBJECTS.includes(entry.kind)
    const key = objectKey(entry)
    if (key !== undefined) this.#keys.add(key)
  }

  /** Objects of users that the archive does not have: `table later`. */
  async beside(context: QueryContext): Promise<string[]> {
    const found = await queryJson(OF_USERS, z.array(z.tuple([z.string(), z.string(), z.string(), z.string()])), context)
    const large = await queryJson('SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata', z.int(), context)
    return [
      ...found.filter(([catalog, schema, name]) => !this.#keys.has(keyOf(catalog, schema, name))).map(([, , , description]) => description),
      ...(large === 0 ? [] : [`${formatCount(large, 'large object')}${this.#large ? ' in all except those of the backup' : ''}`]),
    ]
  }
}

/** Throws unless these objects can be dropped and created again. Nothing is changed. */
export async function requireReplaceable(entries: readonly Entry[], objects: TargetObjects, where: string): Promise<void> {
  const partitions = await objects.partitions(entries)
  if (partitions.length > 0) {
    throw new LifeboatError(`the selected tables cannot be replaced at ${where}: ${PARTITIONS_LOST}: ${formatSome(partitions, 10)}`, {
      hint: KEEP_PARTITIONS,
    })
  }
  const dependents = await objects.dependents(entries)
  if (dependents.length === 0) return
  throw new LifeboatError(
    `the selected tables cannot be replaced at ${where}: ${formatSome(dependents, 10)} depend${dependents.length === 1 ? 's' : ''} on them`,
    {
      hint:
        `${ROWS_BESIDE} ${TO_HAVE_BOTH} Or select these tables and views too, if all of them are to be as in the backup.`,
    },
  )
}

/** With 11 characters each, this many fit into one argument of psql. */
const OIDS_AT_ONCE = 8000

/** Of objects, with their oids. */
const NAMES = z.array(z.tuple([z.string(), z.int()]))

/** The answer of a query for names and oids, as `NAMES`. */
const named = (of: string): string =>
  `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(o.name, o.oid::pg_catalog.int8) ORDER BY o.name), '[]') FROM (${of}) o`

const keyOf = (...parts: string[]): string => parts.join('\0')

const CATALOGS: Readonly<Record<string, string>> = {
  TABLE: 'class',
  'FOREIGN TABLE': 'class',
  VIEW: 'class',
  'MATERIALIZED VIEW': 'class',
  SEQUENCE: 'class',
  TYPE: 'type',
  DOMAIN: 'type',
  'SHELL TYPE': 'type',
  FUNCTION: 'proc',
  PROCEDURE: 'proc',
  AGGREGATE: 'proc',
  SCHEMA: 'namespace',
  EXTENSION: 'extension',
  PUBLICATION: 'publication',
  COLLATION: 'collation',
  OPERATOR: 'operator',
  'OPERATOR CLASS': 'opclass',
  'OPERATOR FAMILY': 'opfamily',
  SERVER: 'server',
  'FOREIGN DATA WRAPPER': 'wrapper',
  'PROCEDURAL LANGUAGE': 'language',
  'TEXT SEARCH CONFIGURATION': 'tsconfig',
  'TEXT SEARCH DICTIONARY': 'tsdict',
  'TEXT SEARCH PARSER': 'tsparser',
  'TEXT SEARCH TEMPLATE': 'tstemplate',
  'ACCESS METHOD': 'am',
  'EVENT TRIGGER': 'evttrigger',
  CAST: 'cast',
}

const own = `n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`

const inSchema = (catalog: string, table: string, name: string, namespace: string): string =>
  `SELECT '${catalog}' AS catalog, n.nspname::pg_catalog.text AS schema, (${name})::pg_catalog.text AS name, o.oid, o.tableoid AS class
    FROM pg_catalog.${table} o JOIN pg_catalog.pg_namespace n ON n.oid = o.${namespace} WHERE ${own}`

const ofDatabase = (catalog: string, table: string, name: string): string =>
  `SELECT '${catalog}', '', ${name}::pg_catalog.text, oid, tableoid FROM pg_catalog.${table}`

/** The arguments of a function are those that pg_dump writes (dumputils of pg_dump: format_function_signature). */
const signature = `o.proname || '(' || CASE WHEN o.prokind = 'a' AND o.pronargs = 0 THEN '*' ELSE
  pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.format_type(a.type, NULL)
    FROM pg_catalog.unnest(o.proargtypes) WITH ORDINALITY AS a (type, place) ORDER BY a.place), ', ') END || ')'`

const OBJECTS = [
  inSchema('class', 'pg_class', 'o.relname', `relnamespace`).replace(/$/, ` AND o.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')`),
  inSchema('type', 'pg_type', 'o.typname', 'typnamespace').replace(
    /$/,
    ` AND (o.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))`,
  ),
  inSchema('proc', 'pg_proc', signature, 'pronamespace'),
  inSchema('collation', 'pg_collation', 'o.collname', 'collnamespace'),
  inSchema('operator', 'pg_operator', 'o.oprname', 'oprnamespace'),
  inSchema('opclass', 'pg_opclass', 'o.opcname', 'opcnamespace'),
  inSchema('opfamily', 'pg_opfamily', 'o.opfname', 'opfnamespace'),
  inSchema('tsconfig', 'pg_ts_config', 'o.cfgname', 'cfgnamespace'),
  inSchema('tsdict', 'pg_ts_dict', 'o.dictname', 'dictnamespace'),
  inSchema('tsparser', 'pg_ts_parser', 'o.prsname', 'prsnamespace'),
  inSchema('tstemplate', 'pg_ts_template', 'o.tmplname', 'tmplnamespace'),
  ofDatabase('namespace', 'pg_namespace', 'nspname'),
  ofDatabase('extension', 'pg_extension', 'extname'),
  ofDatabase('publication', 'pg_publication', 'pubname'),
  ofDatabase('server', 'pg_foreign_server', 'srvname'),
  ofDatabase('wrapper', 'pg_foreign_data_wrapper', 'fdwname'),
  ofDatabase('language', 'pg_language', 'lanname'),
  ofDatabase('am', 'pg_am', 'amname'),
  ofDatabase('evttrigger', 'pg_event_trigger', 'evtname'),
  ofDatabase('cast', 'pg_cast', `('CAST (' || pg_catalog.format_type(castsource, NULL) || ' AS ' || pg_catalog.format_type(casttarget, NULL)
    || ')')`),
].join('\n  UNION ALL ')

const NAMED = `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(catalog, schema, name, oid::pg_catalog.int8)), '[]')
  FROM (${OBJECTS}) AS objects`

const CHILDREN = `SELECT coalesce(
    pg_catalog.json_agg(pg_catalog.json_build_array(i.inhrelid::pg_catalog.int8, i.inhparent::pg_catalog.int8)), '[]')
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent WHERE c.relkind IN ('r', 'p', 'f')`

/** Those that users made, not of extensions: catalog, schema, name, and how PostgreSQL describes it. Array types go with their types. */
const OF_USERS = `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(o.catalog, o.schema, o.name,
    pg_catalog.pg_describe_object(o.class, o.oid, 0)) ORDER BY o.catalog, o.schema, o.name), '[]') FROM (${OBJECTS}) AS o
  WHERE o.oid >= 16384 AND o.name !~ '^pg_(?:toast_)?temp_' AND NOT (o.catalog = 'namespace' AND o.name = 'public')
    AND NOT (o.catalog IN ('extension', 'language') AND o.name = 'plpgsql')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = o.class AND d.objid = o.oid AND d.refobjid <> d.objid AND d.deptype IN ('e', 'i'))`

/**
 * Each object that makes a DROP without CASCADE fail, with the oid of the object that it belongs to: of a constraint, a default, a rule
 * or a policy the table. A table stands for its row types, its indexes and the sequences that it owns.
 */
const dependentsOf = (
  oids: readonly number[],
): string => `WITH chosen AS (SELECT pg_catalog.unnest('{${oids.join(',')}}'::pg_catalog.oid[]) AS oid),
  parts AS (
    SELECT oid, oid AS part FROM chosen
    UNION SELECT t.typrelid, t.oid FROM pg_catalog.pg_type t JOIN chosen c ON c.oid = t.typrelid
    UNION SELECT e.typrelid, e.typarray FROM pg_catalog.pg_type e JOIN chosen c ON c.oid = e.typrelid WHERE e.typarray <> 0
    UNION SELECT c.oid, t.typarray FROM pg_catalog.pg_type t JOIN chosen c ON c.oid = t.oid WHERE t.typarray <> 0
    UNION SELECT i.indrelid, i.indexrelid FROM pg_catalog.pg_index i JOIN chosen c ON c.oid = i.indrelid
    UNION SELECT k.conrelid, k.oid FROM pg_catalog.pg_constraint k JOIN chosen c ON c.oid = k.conrelid
    UNION SELECT d.refobjid, d.objid FROM pg_catalog.pg_depend d JOIN chosen c ON c.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
        AND EXISTS (SELECT FROM pg_catalog.pg_class s WHERE s.oid = d.objid AND s.relkind = 'S')),
  found AS (SELECT DISTINCT d.classid, d.objid, CASE d.classid
      WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN
        coalesce((SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = d.objid), d.objid)
      WHEN 'pg_catalog.pg_constraint'::pg_catalog.regclass THEN
        (SELECT CASE k.conrelid WHEN 0 THEN k.contypid ELSE k.conrelid END FROM pg_catalog.pg_constraint k WHERE k.oid = d.objid)
      WHEN 'pg_catalog.pg_attrdef'::pg_catalog.regclass THEN (SELECT a.adrelid FROM pg_catalog.pg_attrdef a WHERE a.oid = d.objid)
      WHEN 'pg_catalog.pg_trigger'::pg_catalog.regclass THEN (SELECT t.tgrelid FROM pg_catalog.pg_trigger t WHERE t.oid = d.objid)
      WHEN 'pg_catalog.pg_policy'::pg_catalog.regclass THEN (SELECT p.polrelid FROM pg_catalog.pg_policy p WHERE p.oid = d.objid)
      WHEN 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN (SELECT r.ev_class FROM pg_catalog.pg_rewrite r WHERE r.oid = d.objid)
      WHEN 'pg_catalog.pg_publication_rel'::pg_catalog.regclass THEN
        (SELECT r.prrelid FROM pg_catalog.pg_publication_rel r WHERE r.oid = d.objid)
      WHEN 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass THEN
        (SELECT s.stxrelid FROM pg_catalog.pg_statistic_ext s WHERE s.oid = d.objid)
      WHEN 'pg_catalog.pg_type'::pg_catalog.regclass THEN
        (SELECT CASE t.typrelid WHEN 0 THEN t.oid ELSE t.typrelid END FROM pg_catalog.pg_type t WHERE t.oid = d.objid)
      ELSE d.objid END AS owner
    FROM pg_catalog.pg_depend d JOIN parts p ON p.part = d.refobjid
    WHERE d.deptype = 'n' AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass,
      'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass))
  SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(CASE f.classid
      WHEN 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN
        pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, f.owner, 0)
      ELSE pg_catalog.pg_describe_object(f.classid, f.objid, 0) END, f.owner::pg_catalog.int8)), '[]')
    FROM found f WHERE f.owner NOT IN (SELECT oid FROM parts) AND f.owner NOT IN (SELECT part FROM parts)`
