import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatSome } from '../../report/format.ts'
import { clientEnvironment } from './connection.ts'
import type { Entry } from './contents.ts'
import { change, identifier, type QueryContext, queryJson } from './query.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { safely } from './restore-output.ts'
import type { RestoreOptions, RestorePlan } from './restore-plan.ts'

const MOST_NAMED = 10

const relation = z.tuple([z.string(), z.string()])
const inTheWay = z.strictObject({
  /** Other objects with the name of a table. */
  others: z.array(z.strictObject({ name: relation, kind: z.string() })),
  /** `root`: the oid of the table that these are partitions of, at the top. */
  partitions: z.array(z.strictObject({ name: relation, root: z.string() })),
  /**
   * Triggers that fire for each INSERT or COPY. `mode` is that of the catalog: O fires unless session_replication_role is replica, A and R
   * fire then too.
   */
  triggers: z.array(z.strictObject({ table: relation, root: z.string(), name: z.string(), mode: z.enum(['O', 'A', 'R']) })),
  /** Rules for INSERT, enabled like triggers. */
  rules: z.array(z.strictObject({ table: relation, root: z.string(), name: z.string(), mode: z.enum(['O', 'A', 'R']) })),
  /** Foreign keys that are checked at once. `target`: the partitions that have the rows, if the table has any. */
  keys: z.array(z.strictObject({ table: relation, name: z.string(), target: z.array(relation) })),
})

/**
 * Throws if the target has something else in place of a table: a view or partitions may lose its rows without an error. Throws, too, if
 * triggers or foreign keys would fire for the rows of a restore with `only: data`, in which pg_restore loads the tables in the order of the
 * archive. Keys are harmless if the referenced rows come first, if they are checked at the end of the transaction, or if they are within
 * one table.
 */
export async function requireLoadable(
  entries: readonly Entry[],
  { disableTriggers, target }: Pick<RestoreOptions, 'disableTriggers' | 'target'>,
  context: QueryContext,
): Promise<void> {
  const found = await queryJson(IN_THE_WAY, inTheWay, context)
  requireTables(entries, found, target.where)
  const roots = rootsOf(entries, found)
  const places = new Map(
    entries.flatMap(({ kind, schema, name }, place) => (kind === 'TABLE DATA' ? [[keyOf([schema, name]), place]] : [])),
  )
  const fires = ({ table, root, mode }: InTheWay['rules'][number]) =>
    (places.has(keyOf(table)) || roots.has(root)) && (mode === 'A' || (mode === 'R') === disableTriggers)
  const rules = entries.some(({ inserts }) => inserts) ? found.rules : []
  const triggers = [...found.triggers, ...rules].filter(fires)
  const keys = disableTriggers ? [] : found.keys.filter(({ table, target }) => {
    const own = places.get(keyOf(table))
    return own !== undefined && target.some((other) => (places.get(keyOf(other)) ?? -1) > own)
  })
  if (triggers.length + keys.length > 0) throw refusal(triggers, keys, target.where, disableTriggers)
  if (disableTriggers)
    await requireReplica(target.where, {
      ...context,
      connection: { ...context.connection, environment: replica(context.connection.environment) },
    })
}

type InTheWay = z.infer<typeof inTheWay>

function requireTables(entries: readonly Entry[], { others, partitions }: InTheWay, where: string): void {
  const kinds = new Map(others.map(({ name, kind }) => [keyOf(name), kind]))
  const parts = new Set(partitions.map(({ name }) => keyOf(name)))
  const wrong = entries.filter(({ kind }) => kind === 'TABLE DATA').flatMap(({ schema, name, throughRoot }) => {
    const kind = kinds.get(keyOf([schema, name])) ?? (throughRoot && !parts.has(keyOf([schema, name])) ? 'no partition' : undefined)
    return kind === undefined ? [] : [`${schema}.${name} is ${kind}`]
  })
  if (wrong.length === 0) return
  throw new LifeboatError(`only: data cannot be restored into ${where}: it has something else in place of tables: ` +
    formatSome(wrong, MOST_NAMED), {
    hint:
      marked`Rows go into tables as the backup has them. Restore into a new database with ‹mode: create›, and move the rows from there.` })
}

/** Tables whose partitions may each get rows. */
function rootsOf(entries: readonly Entry[], { partitions }: InTheWay): Set<string> {
  const through = new Set(entries.flatMap(({ schema, name, throughRoot }) => (throughRoot ? [keyOf([schema, name])] : [])))
  return new Set(through.size === 0 ? [] : partitions.flatMap(({ name, root }) => (through.has(keyOf(name)) ? [root] : [])))
}

function namesOf(ofTables: readonly { table: readonly string[]; name: string }[]): string {
  return formatSome(ofTables.map(({ table, name }) => `${name} of ${table.join('.')}`), MOST_NAMED)
}

function refusal(triggers: InTheWay['triggers'], keys: InTheWay['keys'], where: string, disabled: boolean): LifeboatError {
  const parts = [
    ...(triggers.length > 0
      ? [`triggers would fire for the restored rows: ${namesOf(triggers)}`]
      : []),
    ...(keys.length > 0
      ? [`foreign keys need rows that come later in the archive: ${namesOf(keys)}`]
      : []),
  ]
  return new LifeboatError(`only: data cannot be restored into ${where}: ${parts.join('; ')}`, {
    hint: disabled
      ? 'These triggers are enabled ALWAYS or for REPLICA and fire all the same: ALTER TABLE … DISABLE TRIGGER (or RULE), and enable ' +
        'them afterwards.'
      : marked`Set ‹disable-triggers: true›, as a superuser: the rows are then loaded without triggers and foreign keys; check ` +
        'constraints apply all the same. Or drop the keys and disable the triggers first.',
  })
}

async function requireReplica(where: string, context: QueryContext): Promise<void> {
  try {
    await queryJson(`SELECT pg_catalog.to_json(pg_catalog.current_setting('session_replication_role'))`, z.literal('replica'), context)
  } catch (cause) {
    throw new LifeboatError(`disable-triggers is not possible at ${where}: session_replication_role cannot be set (${messageOf(cause)})`, {
      hint: 'It needs a superuser or the right to set session_replication_role (GRANT SET, PostgreSQL 15), and a direct connection.',
      cause,
    })
  }
}

/** The sessions of pg_restore have this name: those of this run, whatever name the URL gives to sessions. */
export const RESTORING = `pg_restore of Lifeboat ${randomBytes(4).toString('hex')}`

/**
 * For pg_restore, with `disable-triggers` too. Its own --disable-triggers enables every trigger afterwards, also those that were disabled
 * before; this setting changes nothing at the server.
 */
export function restoreEnvironment({ target, variables, disableTriggers }: RestoreOptions): Record<string, string> {
  const { environment } = disableTriggers ? { environment: replica(target.environment) } : target
  return clientEnvironment({ environment: { ...environment, PGAPPNAME: RESTORING } }, variables)
}

function replica(environment: Readonly<Record<string, string>>): Record<string, string> {
  return { ...environment, PGOPTIONS: `${environment.PGOPTIONS ?? ''} -c session_replication_role=replica`.trim() }
}

/** Fills the materialized views that had rows when the backup was made, each after those that it reads. */
export async function refreshViews(
  outcome: RestoreOutcome,
  { only, report }: RestoreOptions,
  { contents, selection }: RestorePlan,
  context: QueryContext,
): Promise<RestoreOutcome> {
  if (only !== 'data' || outcome.errors.length > 0) return outcome
  // The archive has them in the order of their dependencies.
  const filled = (selection?.entries ?? contents).filter(({ kind }) => kind === 'MATERIALIZED VIEW DATA')
  if (filled.length === 0) return outcome
  const there = new Set((await queryJson(VIEWS, z.array(relation), context)).map(keyOf))
  const refreshed: string[] = []
  const errors: string[] = []
  for (const { schema, name } of filled) {
    if (!there.has(keyOf([schema, name]))) {
      report.warning(`the target has no materialized view ${schema}.${name}: it was not filled`)
      continue
    }
    try {
      await change(`REFRESH MATERIALIZED VIEW ${identifier(schema)}.${identifier(name)}`, { ...context, timeLimit: Infinity })
      refreshed.push(`${schema}.${name}`)
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      const [, told] = /^[^\s:]+: {2}([^]+)/m.exec(error.message) ?? []
      errors.push(`materialized view ${schema}.${name} could not be filled: ${told === undefined ? error.message : safely(told, '')}`)
    }
  }
  const total = refreshed.length + errors.length
  return {
    ...outcome, refreshed, errors, entries: outcome.entries + total, restored: outcome.restored + refreshed.length,
    ...(errors.length > 0 && { left: 'part', hint: 'The rows are restored. Fill the views with REFRESH MATERIALIZED VIEW.' }),
  }
}

const keyOf = ([schema, name]: readonly [string, string]): string => `${schema}\0${name}`

const named = (oid: string): string =>
  `(SELECT pg_catalog.json_build_array(n.nspname, c.relname) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${oid})`

const VIEWS = `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(n.nspname, c.relname)), '[]')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm'`

const rootOf = (oid: string): string => `coalesce(pg_catalog.pg_partition_root(${oid}), ${oid})::pg_catalog.oid::pg_catalog.text`

// The trigger of a key is internal and enabled like any other. So is, before PostgreSQL 15, the copy of a trigger that each partition has.
const IN_THE_WAY = `SELECT pg_catalog.json_build_object(
  'others', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', pg_catalog.json_build_array(n.nspname, c.relname), 'kind', CASE c.relkind
      WHEN 'p' THEN 'a partitioned table' WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
      WHEN 'f' THEN 'a foreign table' WHEN 'S' THEN 'a sequence' ELSE 'no table' END)), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind <> 'r'),
  'partitions', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', pg_catalog.json_build_array(n.nspname, c.relname), 'root', ${rootOf('c.oid')})), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relispartition),
  'triggers', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'table', ${named('t.tgrelid')}, 'root', ${rootOf('t.tgrelid')}, 'name', t.tgname, 'mode', t.tgenabled)), '[]')
    FROM pg_catalog.pg_trigger t WHERE t.tgenabled <> 'D' AND (t.tgtype & 4) <> 0
      AND (NOT t.tgisinternal OR NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype <> 't'))),
  'rules', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'table', ${named('r.ev_class')}, 'root', ${rootOf('r.ev_class')}, 'name', 'rule ' || r.rulename, 'mode', r.ev_enabled)), '[]')
    FROM pg_catalog.pg_rewrite r WHERE r.ev_type = '3' AND r.ev_enabled <> 'D'),
  'keys', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('table', ${named('k.conrelid')}, 'name', k.conname, 'target',
      coalesce((SELECT pg_catalog.json_agg(${named('p.relid')}) FROM pg_catalog.pg_partition_tree(k.confrelid) p WHERE p.isleaf),
        pg_catalog.json_build_array(${named('k.confrelid')})))), '[]')
    FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND NOT k.condeferred AND k.conrelid <> k.confrelid
      AND EXISTS (SELECT FROM pg_catalog.pg_trigger t
        WHERE t.tgconstraint = k.oid AND t.tgrelid = k.conrelid AND t.tgenabled IN ('O', 'A'))))`
