import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import type { Pruning } from '../../inputs/pruning.ts'
import { retentionText } from '../../inputs/retention.ts'
import type { Most } from '../../inputs/schemas.ts'
import { pruneCommand } from '../../report/recipe.ts'
import { warningOf } from '../../report/warnings.ts'
import { carryDamage } from '../../repository/carry-damage.ts'
import { idOf, noSuchSet, setOf } from '../../repository/catalog.ts'
import { collectGarbage } from '../../repository/garbage.ts'
import type { Keys } from '../../repository/keys.ts'
import { SNAPSHOTS_BUILT_ON } from '../../repository/known.ts'
import { readLabels } from '../../repository/labels.ts'
import { checkListing } from '../../repository/listing.ts'
import { missingHint, missingText, readReferences, type References, type SnapshotSeen } from '../../repository/references.ts'
import { type Candidate, type Decision, retain, type RetentionPolicy } from '../../repository/retention.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { snapshotKey } from '../../repository/snapshot.ts'
import { newestGood } from '../../repository/wholeness.ts'
import type { Store } from '../../stores/store.ts'
import { secondsSince } from '../elapsed.ts'
import { withStore } from '../with-store.ts'
import type { BackupResult, DestinationResult } from '../backup/result.ts'
import type { PruneInputs } from './inputs.ts'
import type { PruneResult } from './result.ts'

/** Requests to the store at the same time. */
const PARALLEL = 16

/**
 * Deletes the snapshots of a set that the policy does not keep, and what nothing needs any more. Throws, and deletes nothing, when a
 * guard says no.
 */
export async function prune(inputs: PruneInputs, environment: Environment): Promise<PruneResult> {
  const { set, retention: policy, timeZone, pruning, dryRun, maxDelete: most, force } = inputs
  const options = { set, policy, timeZone, ...pruning, dryRun, most, force }
  return withStore(inputs, environment, (store, keys) => pruneSet(store, keys, options, environment))
}

/** The inputs of a backup that are about pruning. */
export interface PolicyOfBackup {
  set: string
  retention: RetentionPolicy
  timeZone: string
  pruning: Pruning
}

/**
 * The same after the backup `id`, unless there is a reason not to; that, or what went wrong, is in the result, and reported. The backup is
 * good either way: what is not deleted today is deleted another day.
 */
export async function pruneAfterBackup(
  store: Store,
  keys: Keys,
  { set, retention: policy, timeZone, pruning }: PolicyOfBackup,
  id: string,
  verified: BackupResult['verified'],
  environment: Environment,
): Promise<NonNullable<DestinationResult['prune']>> {
  const { report, signal } = environment
  const skip = (reason: string, hint: string): { skipped: string } => {
    report.warning(`nothing was pruned: ${reason}`, hint)
    return { skipped: reason }
  }
  const options = { set, policy, timeZone, ...pruning, dryRun: false, most: { part: 0.5 }, force: false, stored: snapshotKey(set, id) }
  if (verified === 'none') {
    return skip('the backup was not verified', `Prune where it can be: with verify: list, or by itself: ${commandOf(store, options)}.`)
  }
  try {
    const pruned = await pruneSet(store, keys, options, environment)
    return { ...pruned, snapshots: pruned.snapshots.filter(({ keep }) => !keep) }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LifeboatError)) throw error
    return skip(error.message, error.hint ?? 'The backup itself is good.')
  }
}

interface PruneOptions extends Pruning {
  set: string
  policy: RetentionPolicy
  timeZone: string
  dryRun: boolean
  most: Most
  force: boolean
  /** Key of a snapshot that was just stored and verified. */
  stored?: string
}

async function pruneSet(store: Store, keys: Keys, options: PruneOptions, environment: Environment): Promise<PruneResult> {
  const started = performance.now()
  const { set, dryRun, grace } = options
  const { report, signal } = environment
  const reading = { signal, parallel: PARALLEL, now: () => environment.now(), onDamaged: warningOf(report) }
  // Before anything is written: the disk may be full.
  if (!dryRun) await store.sweep?.()
  const references = await readReferences(store, keys, reading)
  await refuseWithoutSnapshots(store, references, options, environment)
  // Forced, a prune also frees what snapshots needed that are all gone.
  if (!options.force && ![...references.snapshots, ...references.unreadable].some(({ key }) => setOf(key) === set)) {
    throw await noSuchSet(store, set)
  }
  const decisions = await decide(store, keys, references, options, environment)
  const going = decisions.filter(({ keep }) => !keep).map(({ snapshot }) => snapshot.key)
  const refusal = reasonAgainst(decisions, store, options)
  if (refusal && !dryRun) throw refusal
  if (refusal) report.warning(`this would be refused: ${refusal.message}`, refusal.hint)

  const result: PruneResult = {
    set, dryRun,
    kept: decisions.length - going.length,
    deleted: going.length,
    snapshots: decisions.map(({ snapshot: { id, time, size }, keep, reasons }) => ({ id, time: time.toISOString(), size, keep, reasons })),
    seconds: 0,
  }
  const beforeGoing = async (gone: readonly string[]): Promise<void> => {
    const staying = references.snapshots.filter(({ authentic, key }) => authentic && !going.includes(key))
    for (const [one, keysOfSet] of Map.groupBy(gone, setOf)) {
      const others = staying.filter((snapshot) => snapshot.set === one).map(({ key }) => key)
      await carryDamage(store, keys, one, { going: keysOfSet.map(idOf), staying: others }, reading.now)
    }
  }
  if (store.groups) {
    const kept = new Set(decisions.filter(({ keep }) => keep).map(({ snapshot }) => snapshot.key))
    result.artifacts = await store.groups.release({ kept, grace, builtOn: SNAPSHOTS_BUILT_ON, dryRun })
    if (!result.artifacts.permitted) {
      report.info('the token may not delete artifacts; they go when they expire, or with `permissions: actions: write`')
    }
  } else {
    result.chunks = await refusing(
      () => collectGarbage(store, keys, references, new Set(going), { ...reading, grace, dryRun, beforeGoing }),
      store,
      signal,
    )
    for (const obstacle of result.chunks.obstacles) {
      report.warning(
        `no chunks are deleted as long as it is not known what a snapshot needs: ${obstacle}`,
        'Put the object back from a copy of the store, use the version of Lifeboat that wrote it, or delete it: `lifeboat forget ID`.',
      )
    }
  }
  return { ...result, seconds: secondsSince(started) }
}

/** Throws where snapshots are missing that must be there: a prune that does not see them would delete their chunks. */
async function refuseWithoutSnapshots(store: Store, references: References, options: PruneOptions, { report }: Environment): Promise<void> {
  const { force, dryRun } = options
  // Artifacts are deleted by what is known to be in them; their snapshots and proofs expire apart.
  if (store.groups || force) return
  const problem = await whyIncomplete(store, references, options)
  if (problem && !dryRun) throw problem
  if (problem) report.warning(`this would be refused: ${problem.message}`, problem.hint)
}

/** `\`lifeboat prune …\``, with what this one was given. */
function commandOf(store: Store, { set, policy, grace, minimumPart }: PruneOptions, ...more: string[]): string {
  const guards = [`--prune-min-size ${Math.round(minimumPart * 100)}%`, `--grace ${grace / 3_600_000}h`]
  return `\`${pruneCommand('lifeboat', { destination: store.name, set, retention: retentionText(policy), more: [...guards, ...more] })}\``
}

/** Signs that a listing of all snapshots does not show them all. */
async function whyIncomplete(
  store: Store,
  { snapshots, unreadable, missing }: References,
  options: PruneOptions,
): Promise<LifeboatError | undefined> {
  const { stored } = options
  const otherwise = 'Nothing was deleted.'
  if (stored !== undefined && ![...snapshots, ...unreadable].some(({ key }) => key === stored)) {
    return new LifeboatError(
      `${store.name} does not list ${stored}, which was just stored`,
      { hint: `Its list of objects cannot be relied on. If it lists it later, the next prune goes on. ${otherwise}` },
    )
  }
  if (missing.length > 0) {
    return new LifeboatError(missingText(store, missing), {
      hint: `${missingHint(`once: ${commandOf(store, options, '--force')}`)} ${otherwise}`,
    })
  }
  if (snapshots.length > 0 || unreadable.length > 0) return undefined
  try {
    await checkListing(store)
    return undefined
  } catch (error) {
    if (error instanceof LifeboatError) {
      return new LifeboatError(
        error.message,
        {
          cause: error,
          hint: `${error.hint} If all that is left in it is not needed any more, once: ${commandOf(store, options, '--force')}.`,
        },
      )
    }
    throw error
  }
}

/** Which snapshots of the set go. Those that are not of this key, or that have lost a part, count for nothing and stay. */
async function decide(
  store: Store,
  keys: Keys,
  references: References,
  { set, policy, timeZone, stored }: PruneOptions,
  environment: Environment,
): Promise<Decision<Candidate & SnapshotSeen>[]> {
  const { report } = environment
  const now = environment.now()
  const ofSet = references.snapshots.filter((snapshot) => snapshot.set === set && snapshot.key.startsWith(`snapshots/${set}/`))
  const foreign = ofSet.filter(({ authentic }) => !authentic)
  if (foreign.length > 0) {
    report.warning(
      `${foreign.length} of the ${ofSet.length} snapshots of set ${set} are of another key, or were edited: they are left alone, ` +
        `${foreign[0]!.id} among them`,
      'To prune those of another key, give that key.',
    )
  }
  const lost = new Set((await store.groups?.wholeness())?.lost)
  const labels = await readLabels(store, keys, set)
  for (const { problem } of labels.values()) {
    if (problem !== undefined) report.warning(problem, 'Pin or unpin the snapshot to write them again.')
  }
  const own = ofSet.filter(({ authentic, key }) => authentic && !lost.has(key)).toSorted((a, b) => (a.id < b.id ? 1 : -1))
  const counted = own.filter(({ time }) => time <= now)
  const newestVerified = stored !== undefined && counted[0]?.key === stored
    ? counted[0].id
    : await findNewestVerified(store, keys, counted, set, report)
  const candidates = own.map((snapshot) => ({
    ...snapshot,
    pinned: labels.get(snapshot.id)?.pinned ?? false,
    verified: snapshot.id === newestVerified,
  }))
  const incomplete = ofSet.filter(({ authentic, key }) => authentic && lost.has(key)).map((snapshot) => ({
    snapshot: { ...snapshot, pinned: false, verified: false },
    keep: true,
    reasons: ['has lost a part, and goes when it expires'],
  }))
  return [...retain(candidates, policy, timeZone, now), ...incomplete]
}

/** Of snapshots, newest first, the id of the first that is verified and whole. */
async function findNewestVerified(
  store: Store,
  keys: Keys,
  snapshots: readonly SnapshotSeen[],
  set: string,
  report: Environment['report'],
): Promise<string | undefined> {
  const proofs = await SetProofs.list(store, keys, set, warningOf(report))
  const { good, unsound } = await newestGood(store, keys, snapshots.map(({ key }) => key), { proofs, verified: true })
  for (const { snapshot, why } of unsound) {
    report.warning(
      `snapshot ${snapshot} is damaged, and does not count as the newest verified: ${why}`,
      'Back up again; `lifeboat verify --snapshot all` tells which others are hit.',
    )
  }
  return good?.snapshot.header.id
}

/** A guard that says no. */
function reasonAgainst(
  decisions: readonly Decision<Candidate & SnapshotSeen>[],
  store: Store,
  options: PruneOptions,
): LifeboatError | undefined {
  const { set, most, minimumPart, force, stored } = options
  if (force) return undefined
  const going = decisions.filter(({ keep }) => !keep).length
  const limit = 'count' in most ? most.count : Math.floor(decisions.length * most.part)
  const look = `See what would go: ${commandOf(store, options, '--dry-run')}`
  const once = 'with --force in place of --dry-run, the same deletes it'
  if (going > limit) {
    return new LifeboatError(
      `the policy would delete ${going} of the ${decisions.length} snapshots of set ${set}, more than the ${limit} that ` +
        `${stored === undefined ? 'max-delete' : 'a prune after a backup'} allows`,
      { hint: `${look}; ${once}. Nothing was deleted.` },
    )
  }
  const [newest, before] = decisions.map(({ snapshot }) => snapshot)
  if (going > 0 && newest && before && newest.size < before.size * minimumPart) {
    return new LifeboatError(`the newest backup of set ${set} has ${newest.size} bytes, less than ${Math.round(minimumPart * 100)} % of the ${before.size} of the one before`, {
      hint:
        'If something is missing from it, the older ones are needed. If not: the next backup of this size prunes; or set another ' +
        `prune-min-size. ${look}; ${once}. Nothing was deleted.`,
    })
  }
  return undefined
}

/** A store may allow for puts and not for deletes: object lock, a missing permission. */
async function refusing<T>(work: () => Promise<T>, store: Store, signal: AbortSignal): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal.throwIfAborted()
    if (!(cause instanceof LifeboatError)) throw cause
    throw new LifeboatError(
      `pruning ${store.name} did not come to its end: ${messageOf(cause)}`,
      { cause, hint: `${cause.hint ?? ''} Every snapshot that is there is whole; run it again when that is fixed.`.trim() },
    )
  }
}
