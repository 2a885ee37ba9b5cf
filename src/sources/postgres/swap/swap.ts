import { performance } from 'node:perf_hooks'
import { secondsSince } from '../../../process/elapsed.ts'
import type { Report } from '../../../environment.ts'
import { LifeboatError, messageOf } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatSeconds, oneLine } from '../../../report/format.ts'
import type { SourceRecord } from '../../../repository/snapshot.ts'
import { onDatabase } from '../connection.ts'
import { type DatabaseSettings, databaseSettings } from '../database-settings.ts'
import { change, identifier, literal, type QueryContext, withoutTransaction } from '../query.ts'
import { preflight } from '../preflight/preflight.ts'
import { dryRun, swapSteps } from '../preflight/steps.ts'
import { dropAgain } from '../drop-again.ts'
import { tellSubscriptions } from '../restore.ts'
import type { RestoreOutcome, Swapped } from '../restore-outcome.ts'
import { checkOptions, planRestore, type RestoreOptions, type RestorePlan } from '../restore-plan.ts'
import { runRestore } from '../restore-run.ts'
import { sessionNames } from '../sessions.ts'
import type { SwapSettings } from '../settings.ts'
import { KEEP_OLD } from '../../settings.ts'
import { hasObjects } from '../target.ts'
import { requireMovable } from './belongings.ts'
import { commentOf, databasesOf, type Mark, namedAmong, type NamedDatabase } from './databases.ts'
import { requireComparable, requireEqual } from './equality.ts'
import { exchange, OutcomeUnknown, sessionsIn } from './exchange.ts'
import { keptName, newName } from './names.ts'
import { createBeside, released, removeLeft } from './new-database.ts'
import { type ArchivedRows, requireRows } from './rows.ts'
import { targetEntries } from './target-settings.ts'
import { type Maintenance, withTarget } from './with-target.ts'

/** Read after a state in which the new database may be left. */
const NEXT_DROPS = 'The next restore with mode swap into the same target drops a new database that was left.'

export interface SwapOptions extends Omit<SwapSettings, 'drill'> {
  /** The new database must be equal to this source, entry by entry. */
  equalTo?: SourceRecord
  /** The rows that the new database must have. */
  rows: readonly ArchivedRows[]
  now: () => Date
}

/**
 * Restores into a new database beside the target, checks it, and exchanges the two in one transaction. Until then the target is untouched;
 * if anything fails, the new database is dropped again. The old one is kept under another name.
 */
export async function restoreBySwap(given: RestoreOptions, swap: SwapOptions): Promise<RestoreOutcome> {
  checkOptions(given)
  if (swap.equalTo) requireComparable(swap.equalTo, given)
  return withTarget(given, async (name, maintenance) => {
    const { signal } = maintenance
    const options = { ...given, signal }
    const { target, report } = options
    const { major } = maintenance.target
    const databases = await databasesOf(maintenance)
    const live = namedAmong(databases, name, target.where)
    const plan = await planRestore(options, major, maintenance)
    // Names in the statements are replaced when the new database has one.
    const settingsFor = await settingsOf(options, swap, plan, major)
    const owned = async () => {
      if (!live.owned) throw notOwned(target.where)
    }
    const settingsNow = settingsFor(name)
    const movable = () => requireMovable(live, maintenance, report)
    const used = () => warnOfUse(live, swap, maintenance, report)
    const wanted = { settings: settingsNow, creates: settingsNow.options, more: [owned, movable, used] }
    const room = await preflight(plan, wanted, options, maintenance)
    // With no time to be kept for, the database from before may be dropped at any moment.
    const first = swap.keepOld === 0 && (await hasObjects({ ...maintenance, connection: target })) ? options.backUpTarget : undefined
    const lacks = plan.others ? [...plan.others.stay, ...plan.others.go] : []
    if (options.dryRun) {
      const at = swap.now()
      const until = new Date(at.getTime() + (swap.keepOld ?? KEEP_OLD))
      const kept = { name: keptName(name, at, new Set(databases.map((one) => one.name))), until: until.toISOString() }
      const creates = { name: newName(name), options: settingsNow.options, major }
      const last = swapSteps(target.where, swap.rows.length, { ...swap, drill: swap.equalTo !== undefined, lacks }, kept)
      return dryRun(options, plan, { settings: settingsNow, creates, backsUp: first !== undefined, last }, room)
    }
    await removeLeft(name, databases, maintenance, report)
    await first?.()
    await options.makeComing?.()
    signal.throwIfAborted()
    // From here to the drop nothing is interrupted but pg_restore and the wait for other sessions.
    const { signal: _, interrupted, ...steady } = maintenance
    report.info(`${options.name}: restoring into a new database beside ${target.where}`)
    options.leaves?.(`${target.where} is as it was before; the server may still have the new database that was to take its place`,
      NEXT_DROPS)
    const beside = await createBeside(name, settingsFor(name).options, steady)
    const settings = settingsFor(beside)
    const failure = { state: `${target.where} is as it was before`, hint: NEXT_DROPS, interrupted }
    let outcome: RestoreOutcome
    let swapped: Swapped | undefined
    try {
      outcome = await filled(options, plan, settings, beside, { swap, steady, major })
      if (outcome.errors.length === 0) {
        report.info(`${options.name}: exchanging the new database and ${target.where}`)
        options.leaves?.(`${target.where} is as it was before, or it is completely restored, and then the one from before is kept`,
          `If the server has a database named ${name}_before_… with the time of now, they were exchanged. ${NEXT_DROPS}`)
        const began = performance.now()
        swapped = await exchanged({ live, name: beside, settings, report }, swap, maintenance)
        outcome.phases = { ...outcome.phases, exchange: secondsSince(began) }
      }
    } catch (error) {
      if (error instanceof OutcomeUnknown) throw error
      await dropAgain(beside, steady, { ...failure, why: messageOf(error) })
      options.leaves?.(`${target.where} is as it was before; the new database was dropped again`)
      report.info(`${target.where} is as it was before; the new database was dropped again`)
      throw error
    }
    if (swapped === undefined) {
      await dropAgain(beside, steady, { ...failure, why: outcome.errors[0]! })
      return { ...outcome, restored: 0, left: 'unchanged' }
    }
    options.leaves?.(`${target.where} is completely restored; the database from before is kept as ${swapped.kept}`,
      marked`To go back to it: ‹undo: true›.`)
    tellSubscriptions(plan, report)
    return { ...outcome, databaseSettings: 'applied', swapped, ...(lacks.length > 0 && { removed: lacks }) }
  })
}

/** Restores everything but what the exchange brings, and checks it. */
async function filled(
  options: RestoreOptions,
  plan: RestorePlan,
  { early }: DatabaseSettings,
  name: string,
  { swap, steady, major }: { swap: SwapOptions; steady: QueryContext; major: number },
): Promise<RestoreOutcome> {
  const target = onDatabase(options.target, name)
  const first = early.filter((statement) => !isComment(statement))
  if (first.length > 0) await change(first, steady)
  const outcome = await runRestore({ ...options, target }, plan)
  if (outcome.errors.length > 0) return outcome
  const within: QueryContext = { ...steady, connection: target, signal: options.signal }
  options.report.info(`${options.name}: counting the restored rows`)
  const restored = performance.now()
  await requireRows(swap.rows, within)
  const counted = performance.now()
  if (swap.equalTo) await requireEqual(swap.equalTo, options, { reading: plan.archive, major }, within)
  const compared = performance.now()
  // Without statistics the first queries after the exchange would be slow.
  await withoutTransaction('ANALYZE', { ...within, timeLimit: Infinity })
  const count = Math.round(secondsSince(restored) * 1000 - (compared - counted)) / 1000
  const compare = Math.round(compared - counted) / 1000
  return { ...outcome, phases: { ...outcome.phases, count, ...(swap.equalTo && { compare }) } }
}

async function exchanged(
  { live, name, settings, report }: { live: NamedDatabase; name: string; settings: DatabaseSettings; report: Report },
  { lockTimeout, terminate, keepOld = KEEP_OLD, now }: SwapOptions,
  maintenance: Maintenance,
): Promise<Swapped> {
  // The comment of the target may have changed since, and so may the names of others.
  const databases = await databasesOf(maintenance)
  const incoming = namedAmong(databases, name, name)
  const mark = markOf(databases.find(({ oid }) => oid === live.oid) ?? live, incoming, databases, { at: now(), keepOld })
  const statements = [
    ...released(name), ...settings.early.filter(isComment), ...settings.late,
    `COMMENT ON DATABASE ${identifier(live.name)} IS ${literal(commentOf(mark))}`,
  ]
  const pause = await exchange({ live, incoming, aside: mark.name, statements }, { lockTimeout, terminate, report }, maintenance)
  return { kept: mark.name, until: mark.until, ...(pause !== undefined && { pause }) }
}

/** The mark of a database that another is exchanged for. */
export function markOf(
  live: NamedDatabase,
  incoming: Pick<NamedDatabase, 'oid'>,
  databases: readonly NamedDatabase[],
  { at, keepOld }: { at: Date; keepOld: number },
): Mark {
  return {
    lifeboat: 'kept', oid: live.oid, name: keptName(live.name, at, new Set(databases.map(({ name }) => name))), target: live.name,
    by: incoming.oid, at: at.toISOString(), until: new Date(at.getTime() + keepOld).toISOString(), comment: live.comment,
  }
}

export function notOwned(where: string): LifeboatError {
  return new LifeboatError(`this role may not rename ${where}`, {
    hint: marked`Restore as its owner, with the right to create databases (CREATEDB), or with ‹mode: clean›.` })
}

function isComment(statement: string): boolean {
  return statement.startsWith('COMMENT ON DATABASE ')
}

/** The wait for others comes when everything is restored: who is connected now may be gone by then, or not. */
export async function warnOfUse(
  live: NamedDatabase, { terminate, lockTimeout }: Pick<SwapOptions, 'terminate' | 'lockTimeout'>, context: QueryContext, report: Report,
): Promise<void> {
  const sessions = terminate ? [] : await sessionsIn(live, context)
  if (sessions.length === 0) return
  report.warning(`others are connected to the database ${oneLine(live.name)} now: ${sessionNames(sessions)}`,
    `The exchange waits for them for ${formatSeconds(lockTimeout / 1000)} at most. ` +
    marked`Stop these clients before it, or end their sessions with ‹terminate-connections: true›.`)
}

/** The settings that the new database gets, for the name that it has. */
async function settingsOf(
  options: RestoreOptions,
  { keepSettings }: SwapOptions,
  plan: RestorePlan,
  major: number,
): Promise<(name: string) => DatabaseSettings> {
  const entries = keepSettings === 'target' ? await targetEntries(options, major) : plan.contents
  return (name) => {
    const settings = databaseSettings(entries, name, { ...options, lacking: plan.roleless?.roles })
    if (settings) return settings
    throw new LifeboatError('the archive does not say how its database was made', {
      hint: marked`Restore with the settings of the target, ‹keep-settings: target›.` })
  }
}
