import type { Environment } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { formatCount, formatSome } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import { snapshotIfAuthentic } from '../../repository/catalog.ts'
import { newestDrilled } from '../../repository/drills.ts'
import type { Keys } from '../../repository/keys.ts'
import { readLabels } from '../../repository/labels.ts'
import type { References, SnapshotSeen } from '../../repository/references.ts'
import { type Candidate, type Decision, NOT_REPLACED, retain } from '../../repository/retention.ts'
import { safetySetOf } from '../../repository/safety-set.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { damageIn, flawOf, newestGood } from '../../repository/wholeness.ts'
import type { Store } from '../../stores/store.ts'
import { afterFailedDrill } from '../back-up-again.ts'
import type { PruneOptions } from './guards.ts'

/**
 * Which snapshots of the set, and of its safety backups, go. Those that are not of this key count for nothing
 * and stay; those that have lost a part count for nothing either.
 */
export async function decide(
  store: Store,
  keys: Keys,
  references: References,
  { destination, set, policy, timeZone, stored, force }: PruneOptions,
  environment: Environment,
): Promise<Decision<Candidate & SnapshotSeen>[]> {
  const { report } = environment
  const now = environment.now()
  const sets = [set, safetySetOf(set)]
  const ofSet = references.snapshots.filter((one) => sets.includes(one.set) && one.key.startsWith(`snapshots/${one.set}/`))
  const foreign = ofSet.filter(({ authentic }) => !authentic)
  if (foreign.length > 0) {
    const all = `${ofSet.length} snapshots of set ${set}${ofSet.some((one) => one.set !== set) ? ' and its safety backups' : ''}`
    report.warning(
      foreign.length === 1
        ? `1 of ${all}, ${foreign[0]!.id}, has another key or was changed; it is not pruned`
        : `${foreign.length} of ${all}, ${foreign[0]!.id} among them, have another key or were changed; they are not pruned`,
      'To prune those of another key, give that key.',
    )
  }
  const lost = new Set((await store.groups?.wholeness())?.lost)
  // Most sets have no safety backups, and cost no request more.
  const found = [...new Set([set, ...ofSet.map((one) => one.set)])]
  const labels = new Map((await Promise.all(found.map((one) => readLabels(store, keys, one)))).flatMap((ofOne) => [...ofOne]))
  const others = new Set(foreign.map(({ id }) => id))
  for (const [id, { problem }] of labels) {
    if (problem !== undefined && !others.has(id)) report.warning(problem, 'Pin or unpin the snapshot to write them again.')
  }
  const own = ofSet.filter(({ authentic, key }) => authentic && !lost.has(key)).toSorted((a, b) => (a.id < b.id ? 1 : -1))
  const counted = own.filter(({ time, until }) => time <= now && until === undefined)
  let listed: Promise<SetProofs> | undefined
  const proofsOfSet = (): Promise<SetProofs> => (listed ??= SetProofs.list(store, keys, set, warningOf(report)))
  const damaged = new Set<string>()
  const failedDrills = new Set<string>()
  const newestOf = async (snapshots: readonly SnapshotSeen[], which: string): Promise<SnapshotSeen | undefined> => {
    const [first] = snapshots
    if (!first || first.key === stored) return first
    const search = { proofs: await proofsOfSet(), verified: true }
    const { good, unsound } = await newestGood(store, keys, snapshots.map(({ key }) => key), search)
    for (const found of unsound) {
      const { snapshot, why, failedDrill } = found
      damaged.add(snapshot)
      if (failedDrill) failedDrills.add(snapshot)
      report.warning(
        `snapshot ${snapshot} ${flawOf(found)}, and does not count as the ${which}: ${why}`,
        failedDrill ? afterFailedDrill({ destination, set, snapshot })
          : marked`Back up again; ‹lifeboat verify; snapshot: all› tells which others are hit.`,
      )
    }
    return good && snapshots.find(({ id }) => id === good.snapshot.header.id)
  }
  const newestVerified = await newestOf(counted, 'newest verified')
  const newestComplete = newestVerified?.partial
    ? await newestOf(counted.filter(({ id, partial }) => !partial && id < newestVerified.id), 'newest complete')
    : newestVerified
  // A newer one takes the place of a snapshot if it has as much.
  const replacing = ({ partial }: SnapshotSeen): SnapshotSeen | undefined => (partial ? newestVerified : newestComplete)
  const drilled = policy.drilled === undefined ? new Set<string>() : await newestDrilled(store, keys, counted.map(({ key }) => key), {
    proofs: await proofsOfSet(), most: policy.drilled,
  })
  const notReplaced = counted.filter((one) => !damaged.has(one.id) && replacing(one) === undefined)
  if (!force && notReplaced.length > 0) {
    for (const id of await knownToBeDamaged(store, keys, notReplaced, await proofsOfSet())) damaged.add(id)
  }
  const candidateOf = (snapshot: SnapshotSeen): Candidate & SnapshotSeen => ({
    ...snapshot,
    pinned: labels.get(snapshot.id)?.pinned ?? false,
    verified: [newestVerified?.id, newestComplete?.id].includes(snapshot.id),
    damaged: !force && damaged.has(snapshot.id),
    ...(!force && failedDrills.has(snapshot.id) && { failedDrill: true as const }),
    drilled: drilled.has(snapshot.id),
  })
  const candidates = own.map(candidateOf)
  const incomplete = ofSet.filter(({ authentic, key }) => authentic && lost.has(key)).map(candidateOf)
  // They take no place of others. As long as no newer one that has as much is verified, what is left of them may be needed.
  const decidedOnLost = retain([...candidates, ...incomplete], policy, timeZone, now).filter(({ snapshot }) => lost.has(snapshot.key))
    .map(({ snapshot, keep, reasons }) => {
      const instead = replacing(snapshot)
      return keep || instead === undefined || snapshot.id > instead.id
        ? { snapshot, keep: true, reasons: [snapshot.pinned ? 'pinned; has lost a part' : LOST_FOR_NOW] }
        : { snapshot, keep, reasons: ['has lost a part', ...reasons] }
    })
  const decided = retain(candidates, policy, timeZone, now)
  warnOfNotReplaced(decided, set, report)
  return [...decided, ...decidedOnLost]
}

const LOST_FOR_NOW =
  'has lost a part, and goes when the retention keeps none of its age and a newer one that is as complete is verified'

/** Ids of the snapshots that need an object of which a proof says that it is damaged. Reads none if there is no such object. */
async function knownToBeDamaged(store: Store, keys: Keys, snapshots: readonly SnapshotSeen[], proofs: SetProofs): Promise<string[]> {
  const ids: string[] = []
  for (const { id, key, time } of snapshots) {
    const damage = await proofs.damagedSince(time)
    const snapshot = damage.size > 0 ? await snapshotIfAuthentic(store, key, keys) : undefined
    if (snapshot && damageIn(snapshot, damage) !== undefined) ids.push(id)
  }
  return ids
}

/** Warns of snapshots that are damaged or failed a drill, and stay only because there is nothing better. */
function warnOfNotReplaced(decisions: readonly Decision<Candidate>[], set: string, report: Environment['report']): void {
  const words = { damaged: 'damaged snapshot', failedDrill: 'snapshot with a failed drill' } as const
  for (const kind of ['damaged', 'failedDrill'] as const) {
    const [one, reason] = [words[kind], NOT_REPLACED[kind]]
    const staying = decisions.filter(({ reasons }) => reasons.length === 1 && reasons[0] === reason).map(({ snapshot: { id } }) => id)
    if (staying.length === 0) continue
    const [stay, them] = staying.length === 1 ? ['stays', 'it'] : ['stay', 'them']
    report.warning(
      `${formatCount(staying.length, one, one.replace('snapshot', 'snapshots'))} of set ${set} that the policy does not keep ${stay}, ` +
        `because none that is verified and whole can replace ${them}: ${formatSome(staying, 3)}`,
      `Back up everything again; the next prune deletes ${them} then. ` +
        marked`To delete ${them} now, give ‹force: true›, or use ‹lifeboat forget ID›.`,
    )
  }
}
