import { LifeboatError, messageOf } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { anyClient } from './client-download/choose.ts'
import { refreshViews, requireLoadable } from './data-only.ts'
import { requireNoSubscriptions } from './clean/drop-all.ts'
import { stillBusy, tryLocks, wasBusy } from './clean/locks.ts'
import { createStatement, type DatabaseSettings, databaseSettings } from './database-settings.ts'
import { dropAgain } from './drop-again.ts'
import { DROP_FIRST, tellingState } from './interruption.ts'
import { change, identifier, type QueryContext } from './query.ts'
import { preflight } from './preflight/preflight.ts'
import { dryRun } from './preflight/steps.ts'
import { checkOptions, isWhole, planRestore, type RestoreOptions, type RestorePlan } from './restore-plan.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { runRestore } from './restore-run.ts'
import {
  createDatabase,
  databaseExists,
  findMaintenance,
  hasObjects,
  readTarget,
  requireEmpty,
  requireNoRows,
} from './target.ts'

/** Restores an archive. Throws `LifeboatError` if it cannot start, or is interrupted; errors of single entries are in the outcome. */
export async function restoreArchive(options: RestoreOptions): Promise<RestoreOutcome> {
  checkOptions(options)
  const { target, clients, provide, variables, signal, mode, only, report } = options
  const context: QueryContext = { connection: target, client: await anyClient(clients, provide), variables, signal }
  if (mode === 'create') return restoreIntoNew(options, context)
  const { major, database } = await readTarget(context)
  const plan = await planRestore(options, major, context)
  const settings = databaseSettings(plan.contents, database, { ...options, lacking: plan.roleless?.roles })
  const wanted = options.databaseSettings === true ? settings : undefined
  const more = only === 'data'
    ? [async () => {
      await requireLoadable(plan.entries, options, context)
      await requireNoRows(context, plan.selection && plan.entries.filter(({ kind }) => kind === 'TABLE DATA'))
    }]
    : mode === 'empty' ? [() => requireEmpty(context, !isWhole(options))]
      : options.dropOthers ? [() => requireNoSubscriptions(context)] : []
  const room = await preflight(plan, { settings: wanted, more }, options, context)
  const first = mode === 'clean' && options.backUpTarget && (await hasObjects(context)) ? options.backUpTarget : undefined
  if (options.dryRun) return dryRun(options, plan, { settings: wanted, backsUp: first !== undefined }, room)
  if (first && plan.replaced) await tryLocks(plan.replaced, options.lockTimeout, context, report)
  await first?.(plan.before)
  await options.makeComing?.()
  const run = await tellingState(options, plan, context, () => runRestore(options, plan))
  if (plan.replaced && wasBusy(run.errors)) {
    options.leaves?.(`${target.where} is as it was before: nothing was restored`)
    throw await stillBusy(plan.replaced, options.lockTimeout, context)
  }
  if (run.errors.length === 0)
    options.leaves?.(`${target.where} has everything that was selected, but what comes last may be missing (materialized views, settings)`)
  else if (run.left === 'part') options.leaves?.(`${target.where} is partly restored`, DROP_FIRST)
  const outcome = await refreshViews(run, options, plan, context)
  if (outcome.left !== 'unchanged')
    tellSubscriptions(plan, report, outcome.errors.length > 0 ? 'is disabled, if it was restored' : undefined)
  if (outcome.errors.length > 0) return outcome
  if (wanted) return applied(outcome, wanted, context)
  return settings === undefined || plan.selection || only !== undefined ? outcome : { ...outcome, databaseSettings: 'left as they are' }
}

async function applied(
  outcome: RestoreOutcome,
  { early, late }: DatabaseSettings,
  context: QueryContext,
): Promise<RestoreOutcome> {
  try {
    await change([...early, ...late], context)
    return { ...outcome, databaseSettings: 'applied' }
  } catch (error) {
    return { ...outcome, errors: [`the settings of the database were not applied: ${messageOf(error)}`], left: 'part' }
  }
}

async function restoreIntoNew(options: RestoreOptions, context: QueryContext): Promise<RestoreOutcome> {
  const { target, signal, report } = options
  const { database } = target
  if (database === undefined)
    throw new LifeboatError('the target URL names no database to create', { hint: 'End it with the name: postgres://…/app.', status: 2 })
  const maintenance = await findMaintenance(context)
  const { major } = maintenance.target
  const plan = await planRestore(options, major, maintenance)
  if (await databaseExists(database, maintenance)) {
    throw new LifeboatError(`${target.where} exists already`, {
      hint: marked`Give another name, or restore with ‹mode: swap›, which exchanges it and keeps the one that is there.` })
  }
  const settings = databaseSettings(plan.contents, database, { ...options, lacking: plan.roleless?.roles })
  if (!settings)
    throw new LifeboatError('the archive does not say how its database was made', {
      hint: marked`Create the database yourself and restore with ‹mode: empty›.`,
    })
  const statement = createStatement(database, settings.options, major)
  const wanted = (options.databaseSettings ?? (!plan.selection && options.only === undefined)) ? settings : undefined
  const room = await preflight(plan, { settings: wanted, creates: settings.options }, options, maintenance)
  if (options.dryRun)
    return dryRun(options, plan, { settings: wanted, creates: { name: database, options: settings.options, major } }, room)
  await options.makeComing?.()
  signal.throwIfAborted()
  // From here to the drop nothing is interrupted, so that a created database is always reported or dropped.
  const { signal: _, ...steady } = maintenance
  options.leaves?.(`the new database ${target.where} may be there, with a part of the backup; nothing else was changed`,
    `If it is there, drop it before you restore again: DROP DATABASE ${identifier(database)};`)
  await createDatabase(target, statement, steady)
  const failure = {
    state: 'nothing else was changed', hint: `Drop it by hand: DROP DATABASE ${identifier(database)}.`, interrupted: signal,
  }
  let outcome: RestoreOutcome
  try {
    if (wanted && wanted.early.length > 0) await change(wanted.early, steady)
    outcome = await runRestore(options, plan)
    if (outcome.errors.length === 0 && wanted && wanted.late.length > 0) await change(wanted.late, steady)
  } catch (error) {
    await dropAgain(database, steady, { ...failure, why: messageOf(error) })
    options.leaves?.(`the new database ${target.where} was dropped again, and nothing else was changed`)
    report.info(`the new database ${target.where} was dropped again`)
    throw error
  }
  if (outcome.errors.length > 0) {
    await dropAgain(database, steady, { ...failure, why: outcome.errors[0]! })
    return { ...outcome, restored: 0, left: 'dropped' }
  }
  options.leaves?.(`the new database ${target.where} is completely restored`)
  tellSubscriptions(plan, report)
  return { ...outcome, databaseSettings: wanted ? 'applied' : 'left as they are' }
}

/** pg_dump writes subscriptions without a connection: nothing is copied, and no slot of the publisher advances. */
export function tellSubscriptions({ entries }: RestorePlan, report: Report, what = 'was restored disabled'): void {
  for (const { name } of entries.filter(({ kind }) => kind === 'SUBSCRIPTION')) {
    report.warning(
      `subscription "${name}" ${what}`,
      'Enable it once its publisher is to be followed from here: ALTER SUBSCRIPTION … ENABLE, then REFRESH PUBLICATION.',
    )
  }
}
