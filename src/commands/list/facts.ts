import type { Report } from '../../environment.ts'
import { warningOf } from '../../report/warnings.ts'
import type { Card } from '../../repository/card.ts'
import type { Keys } from '../../repository/keys.ts'
import { type ReadLabels, readLabels } from '../../repository/labels.ts'
import { isGood, readProofs, type Verdict, verdictOf } from '../../repository/proofs.ts'
import { knownDamage, tellingSince } from '../../repository/set-proofs.ts'
import { type Snapshot, snapshotKey, storedBytes } from '../../repository/snapshot.ts'
import { damageIn, failedVerification } from '../../repository/wholeness.ts'
import type { Store } from '../../stores/store.ts'
import type { ListedSnapshot } from './result.ts'

/** The facts about snapshots that other objects hold. */
export interface KnownFacts {
  labels: ReadonlyMap<string, ReadLabels>
  proofs: ReadonlyMap<string, readonly Verdict[]>
  /** Keys of chunk objects. */
  damaged: ReadonlySet<string>
}

/**
 * Proofs that cannot be believed are reported. `since`: when the first of those wanted was made; proofs of others made later
 * tell of damage to these as well.
 */
export async function whatIsKnown(
  store: Store,
  keys: Keys | undefined,
  of: { set: string | undefined; wanted: (id: string) => boolean; since: Date | undefined },
  report: Report,
): Promise<KnownFacts> {
  const first = of.since ? tellingSince(of.since) : ''
  const [labels, proofs] = await Promise.all([
    readLabels(store, keys, of.set),
    readProofs(
      store,
      keys,
      { set: of.set, wanted: (snapshot, proof) => of.wanted(snapshot) || proof >= first, onDamaged: warningOf(report) },
    ),
  ])
  return { labels, proofs, damaged: knownDamage([...proofs.values()].flat()) }
}

/** Labels of another key cannot be checked, like their snapshot: nothing is wrong with them. */
export function warnOfLabels(
  { id, authentic }: Pick<ListedSnapshot, 'id' | 'authentic'>, labels: KnownFacts['labels'], keys: Keys | undefined, report: Report,
): void {
  const problem = authentic || !keys ? labels.get(id)?.problem : undefined
  if (problem !== undefined) report.warning(problem, 'Pin or unpin the snapshot to write them again.')
}

/** Labels as far as they can be believed; those of another key are not. */
export function pinOf(labels: ReadLabels | undefined, authentic: boolean, keys: Keys | undefined): boolean {
  return labels !== undefined && (labels.problem === undefined || authentic || !keys) && labels.pinned
}

/** When each snapshot, by its key, loses the first object that it needs, in stores whose objects expire. */
export async function expiries(store: Store): Promise<ReadonlyMap<string, Date>> {
  return (await store.groups?.expiries()) ?? new Map()
}

type Visible = Pick<
  ListedSnapshot, 'id' | 'set' | 'time' | 'size' | 'added' | 'partial' | 'until' | 'tags' | 'stored' | 'chunks' | 'key' | 'expires'
>

/** The public part of a snapshot's card. */
export function sumsOf({ header }: Snapshot): Omit<Card, 'description'> {
  return { header, stored: storedBytes(header.chunks), chunks: header.chunks.length }
}

/** The content of the header, which anyone can read. */
export function visiblePart(
  { header: { id, set, time, size, added, partial, until, tags, key }, stored, chunks }: Omit<Card, 'description'>,
  expires: ReadonlyMap<string, Date>,
): Visible {
  const expiry = expires.get(snapshotKey(set, id))
  const dropped = expiry && { expires: expiry.toISOString() }
  const marks = { ...(partial && { partial }), ...(until !== undefined && { until }) }
  return { id, set, time, size, added, ...marks, tags, stored, chunks, key, ...dropped }
}

/**
 * Whether a snapshot counts as verified, and why it is not to be relied on, by its own proofs and by the chunk objects known to be damaged.
 * Where none is, the snapshot is not needed.
 */
export function standing(
  snapshot: Snapshot | undefined,
  proofs: readonly Verdict[],
  damaged: ReadonlySet<string>,
): Pick<ListedSnapshot, 'verified' | 'damage' | 'failedDrill'> {
  const verdict = verdictOf(proofs)
  const damage = snapshot && damageIn(snapshot, damaged)
  if (damage !== undefined) return { verified: false, damage }
  const failure = failedVerification(verdict)
  if (failure) return { verified: false, damage: failure.why, ...(failure.failedDrill && { failedDrill: true }) }
  return { verified: verdict !== undefined && isGood(verdict) }
}
