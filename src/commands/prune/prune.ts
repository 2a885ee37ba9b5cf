import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Pruning } from '../../inputs/pruning.ts'
import { warningOf } from '../../report/warnings.ts'
import { noSuchSet, setOf } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import type { Level } from '../../repository/levels.ts'
import { readReferences, type References } from '../../repository/references.ts'
import type { RetentionPolicy } from '../../repository/retention.ts'
import { snapshotKey } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { withStore } from '../with-store.ts'
import { decide } from './decide.ts'
import { deleteUnneeded, releaseArtifacts } from './free.ts'
import { commandOf, type PruneOptions, reasonsAgainst, refuse, refuseOtherKey, whyIncomplete } from './guards.ts'
import type { PruneInputs } from './inputs.ts'
import type { PruneAfterBackup, PruneResult } from './result.ts'

/** Requests to the store at the same time. */
const PARALLEL = 16

/**
 * Deletes the snapshots of a set that the policy does not keep, and what nothing needs any more. Throws, and deletes nothing, when a
 * guard says no.
 */
export async function prune(inputs: PruneInputs, environment: Environment): Promise<PruneResult> {
  const { destination, set, retention: policy, timeZone, pruning, dryRun, maxDelete: most, force } = inputs
  const options = { destination: destination.text, set, policy, timeZone, ...pruning, dryRun, most, force }
  return withStore(inputs, environment, (store, keys) => pruneSet(store, keys, options, environment))
}

/** The inputs of a backup that are about pruning. */
export interface PolicyOfBackup {
  /** Where it prunes, as a command is given it. */
  destination: string
  set: string
  retention: RetentionPolicy
  timeZone: string
  pruning: Pruning
}

/**
 * The same after the backup `id`, unless there is a reason not to; that, or what went wrong, is in the result, and reported. The backup is
 * good either way: a later prune deletes the rest.
 */
export async function pruneAfterBackup(
  store: Store,
  keys: Keys,
  { destination, set, retention: policy, timeZone, pruning }: PolicyOfBackup,
  id: string,
  verified: Level | 'none',
  environment: Environment,
): Promise<PruneAfterBackup> {
  const { report, signal } = environment
  const skip = (reason: string, hint: string): { skipped: string } => {
    report.warning(`nothing was pruned: ${reason}`, hint)
    return { skipped: reason }
  }
  const guards = { dryRun: false, most: { part: 0.5 }, force: false, stored: snapshotKey(set, id) }
  const options = { destination, set, policy, timeZone, ...pruning, ...guards }
  if (verified === 'none') {
    const other = keys.identity === undefined ? 'A write key reads nothing, so prune' : marked`Back up with ‹verify: list›, or prune`
    return skip('the backup was not verified', `${other} by itself: ${commandOf(options)}.`)
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
  const { set, dryRun } = options
  const { report, signal } = environment
  const reading = { signal, parallel: PARALLEL, now: () => environment.now(), onDamaged: warningOf(report) }
  // Before anything is written: the disk may be full.
  if (!dryRun) await store.sweep?.()
  const references = await readReferences(store, keys, reading)
  await requireSnapshots(store, references, options, report)
  const decisions = await decide(store, keys, references, options, environment)
  for (const reason of reasonsAgainst(decisions, options)) refuse(reason, options, report)
  const keysWhere = (stays: boolean): string[] => decisions.filter(({ keep }) => keep === stays).map(({ snapshot }) => snapshot.key)
  const [kept, going] = [keysWhere(true), keysWhere(false)]
  const freed: Pick<PruneResult, 'chunks' | 'artifacts'> = store.groups
    ? { artifacts: await releaseArtifacts(store, store.groups, going, options, report) }
    : { chunks: await deleteUnneeded(store, keys, references, going, { ...options, ...reading }, report) }
  // An artifact goes as a whole, and only once nothing that stays may need it.
  const left = new Set(freed.artifacts?.left)
  const safeties = kept.filter((key) => setOf(key) !== set).length
  const deleted = going.filter((key) => !left.has(key)).length
  return {
    set, dryRun,
    kept: kept.filter((key) => setOf(key) === set).length,
    ...(safeties > 0 && { safetyBackups: safeties }),
    deleted,
    ...(deleted < going.length && { waiting: going.length - deleted }),
    snapshots: decisions.map(({ snapshot: { key, id, time, size }, keep, reasons }) => {
      return { id, time: time.toISOString(), size, keep, ...(!keep && left.has(key) && { waiting: true as const }), reasons }
    }),
    ...freed,
    seconds: secondsSince(started),
  }
}

/** Throws if snapshots seem to be missing, and if the set has no snapshot of this key. */
async function requireSnapshots(
  store: Store, references: References, options: PruneOptions, report: Environment['report'],
): Promise<void> {
  const { set, force } = options
  // Forced, a prune also frees what snapshots needed that are all gone.
  if (force) return
  // Artifacts are deleted by what is known to be in them; their snapshots and proofs expire apart.
  if (!store.groups) refuse(await whyIncomplete(store, references, options), options, report)
  if (![...references.snapshots, ...references.unreadable].some(({ key }) => setOf(key) === set)) throw await noSuchSet(store, set)
  refuseOtherKey(references, set)
}
