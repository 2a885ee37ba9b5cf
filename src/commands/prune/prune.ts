import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Pruning } from '../../inputs/pruning.ts'
import { warningOf } from '../../report/warnings.ts'
import { carryDamage } from '../../repository/carry-damage.ts'
import { idOf, noSuchSet, setOf } from '../../repository/catalog.ts'
import { collectGarbage } from '../../repository/garbage.ts'
import type { Keys } from '../../repository/keys.ts'
import { SNAPSHOTS_BUILT_ON } from '../../repository/known.ts'
import type { Level } from '../../repository/levels.ts'
import { readReferences } from '../../repository/references.ts'
import type { RetentionPolicy } from '../../repository/retention.ts'
import { snapshotKey } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { secondsSince } from '../elapsed.ts'
import { withStore } from '../with-store.ts'
import { decide } from './decide.ts'
import { commandOf, type PruneOptions, reasonAgainst, refuseOtherKey, refuseWithoutSnapshots } from './guards.ts'
import type { PruneInputs } from './inputs.ts'
import type { PruneAfterBackup, PruneResult } from './result.ts'

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
  verified: Level | 'none',
  environment: Environment,
): Promise<PruneAfterBackup> {
  const { report, signal } = environment
  const skip = (reason: string, hint: string): { skipped: string } => {
    report.warning(`nothing was pruned: ${reason}`, hint)
    return { skipped: reason }
  }
  const options = { set, policy, timeZone, ...pruning, dryRun: false, most: { part: 0.5 }, force: false, stored: snapshotKey(set, id) }
  if (verified === 'none') {
    return skip('the backup was not verified', marked`Back up with ‹verify: list›, or prune by itself: ${commandOf(store, options)}.`)
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
  if (!options.force) refuseOtherKey(references, set)
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
      () => collectGarbage(store, keys, references, new Set(going), { ...reading, grace, dryRun, beforeGoing, force: options.force }),
      store,
      signal,
    )
    for (const obstacle of result.chunks.obstacles) {
      report.warning(
        `no chunks are deleted as long as it is not known what a snapshot needs: ${obstacle}`,
        'Put the object back from a copy of the store, use the version of Lifeboat that wrote it, or delete it: ' +
        marked`‹lifeboat forget ID›. ` +
          marked`If a snapshot that is not in the store is not needed any more, prune once with ‹force: true›.`,
      )
    }
  }
  return { ...result, seconds: secondsSince(started) }
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
