import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { formatCount } from '../../report/format.ts'
import { RESTORING } from './data-only.ts'
import { literal, queryJson, type QueryContext } from './query.ts'
import { oneTransaction, type RestoreOptions, type RestorePlan } from './restore-plan.ts'
import { hasObjects, tablesWithRows } from './target.ts'

/** Milliseconds for each question to the server after that: a runner soon ends the process. */
const PATIENCE = 1500
const LOOK = 100
/** Partly restored objects block the next restore. */
export const DROP_FIRST = 'Drop and create that database before you restore again.'

/**
 * Runs pg_restore on a database that is there already. If it breaks off, the server is asked what the target has now, which is told as the
 * state that the run leaves.
 */
export async function tellingState<T>(
  options: RestoreOptions, plan: RestorePlan, context: QueryContext, run: () => Promise<T>,
): Promise<T> {
  const { leaves = () => undefined, target: { where } } = options
  const whole = oneTransaction(options)
  const before = options.mode === 'clean' ? await definitionsOf(context) : undefined
  if (whole) leaves(`${where} is as it was before, unless the one transaction of the restore was committed in this moment`)
  else leaves(`${where} may be partly restored`, DROP_FIRST)
  try {
    return await run()
  } catch (error) {
    const { signal: _, ...rest } = context
    const steady = { ...rest, timeLimit: PATIENCE }
    try {
      if (whole) await afterTransaction(where, leaves, () => isUnchanged(options, plan, before, steady), steady)
      else await afterPart(where, leaves, steady)
    } catch (unanswered) {
      // If the server does not answer, what was told before stays true.
      if (!(unanswered instanceof LifeboatError)) throw unanswered
    }
    throw error
  }
}

type Told = NonNullable<RestoreOptions['leaves']>

async function afterTransaction(where: string, leaves: Told, unchanged: () => Promise<boolean>, context: QueryContext): Promise<void> {
  await sessionsEnded(context)
  if (await unchanged()) leaves(`${where} is as it was before: nothing was restored`)
  else leaves(`${where} was changed before the restore was stopped: its transaction seems to be complete`)
}

async function isUnchanged(
  { mode }: RestoreOptions, { selection, entries }: RestorePlan, before: string | null | undefined, context: QueryContext,
): Promise<boolean> {
  if (mode === 'clean') return (await definitionsOf(context)) === before
  return (await tablesWithRows(context, selection && entries.filter(({ kind }) => kind === 'TABLE DATA'))).length === 0
}

async function afterPart(where: string, leaves: Told, context: QueryContext): Promise<void> {
  await sessionsEnded(context)
  if (!(await hasObjects(context))) return leaves(`${where} is as it was before: without objects`)
  const tables = await queryJson(TABLES, z.int(), context)
  leaves(
    `${where} is partly restored: it has ${formatCount(tables, 'table')} now; rows, indexes and constraints may be missing`, DROP_FIRST)
}

/** Waits until no session of pg_restore is left in the database, which may still commit. */
async function sessionsEnded(context: QueryContext): Promise<void> {
  const deadline = performance.now() + PATIENCE
  while ((await queryJson(SESSIONS, z.int(), context)) > 0) {
    if (performance.now() > deadline) throw new LifeboatError('a session of pg_restore is still there')
    await sleep(LOOK)
  }
}

const SESSIONS = `SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM pg_catalog.pg_stat_activity
  WHERE datname = pg_catalog.current_database() AND application_name = ${literal(RESTORING)}`
const TABLES = `SELECT pg_catalog.to_json(pg_catalog.count(*)) FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`

/** A digest of the rows of the catalog for relations and functions, with the transactions that wrote them. Null if there are none. */
function definitionsOf(context: QueryContext): Promise<string | null> {
  return queryJson(
    `SELECT coalesce(pg_catalog.to_json(pg_catalog.md5(pg_catalog.string_agg(
        id::pg_catalog.text || ' ' || written::pg_catalog.text, ',' ORDER BY id))), 'null') FROM (
      SELECT c.oid AS id, c.xmin AS written FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      UNION ALL SELECT p.oid, p.xmin FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_') AS d`,
    z.string().nullable(), context)
}
