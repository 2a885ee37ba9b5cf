import type { Report } from '../../environment.ts'
import { warningOf } from '../../report/warnings.ts'
import type { Keys } from '../../repository/keys.ts'
import { type ReadLabels, readLabels } from '../../repository/labels.ts'
import { readProofs, type Verdict, verdictOf } from '../../repository/proofs.ts'
import { knownDamage, tellingSince } from '../../repository/set-proofs.ts'
import { chunkKey, type Snapshot, storedBytes } from '../../repository/snapshot.ts'
import { damageIn } from '../../repository/wholeness.ts'
import type { Store } from '../../stores/store.ts'
import type { ListedSnapshot } from './result.ts'

/** The facts about snapshots that other objects hold. */
export interface Known {
  labels: ReadonlyMap<string, ReadLabels>
  proofs: ReadonlyMap<string, readonly Verdict[]>
  /** Keys of chunk objects. */
  damaged: ReadonlySet<string>
}

/**
 * Labels and proofs that cannot be believed are reported. `since`: when the first of those wanted was made; proofs of others made later
 * tell of damage to these as well.
 */
export async function whatIsKnown(
  store: Store,
  keys: Keys | undefined,
  of: { set: string | undefined; wanted: (id: string) => boolean; since: Date | undefined },
  report: Report,
): Promise<Known> {
  const first = of.since ? tellingSince(of.since) : ''
  const [labels, proofs] = await Promise.all([
    readLabels(store, keys, of.set),
    readProofs(
      store,
      keys,
      { set: of.set, wanted: (snapshot, proof) => of.wanted(snapshot) || proof >= first, onDamaged: warningOf(report) },
    ),
  ])
  for (const [id, { problem }] of labels) {
    if (problem !== undefined && of.wanted(id)) report.warning(problem, 'Pin or unpin the snapshot to write them again.')
  }
  return { labels, proofs, damaged: knownDamage([...proofs.values()].flat()) }
}

/** When each object expires, by key, of stores where they do. */
export async function expiries(store: Store): Promise<ReadonlyMap<string, Date>> {
  const found = new Map<string, Date>()
  // Elsewhere nothing expires, and to list every object would take its time.
  if (store.groups) for await (const { key, expires } of store.list('')) if (expires) found.set(key, expires)
  return found
}

type Visible = Pick<ListedSnapshot, 'id' | 'set' | 'time' | 'size' | 'added' | 'partial' | 'tags' | 'stored' | 'chunks' | 'key' | 'expires'>

/** The content of the header, which anyone can read. */
export function visiblePart({ key, header }: Snapshot, expires: ReadonlyMap<string, Date>): Visible {
  const { id, set, time, size, added, partial, chunks, tags } = header
  return {
    id,
    set,
    time,
    size,
    added,
    ...(partial && { partial }),
    tags,
    stored: storedBytes(chunks),
    chunks: chunks.length,
    key: header.key,
    ...expiry([key, ...chunks.map(([chunk, , , , mark]) => chunkKey(chunk, mark))], expires),
  }
}

/** The first of what a snapshot needs that expires takes the whole with it. */
function expiry(needed: readonly string[], expires: ReadonlyMap<string, Date>): Pick<ListedSnapshot, 'expires'> {
  const times = expires.size === 0 ? [] : needed.map((key) => expires.get(key)).filter((time) => time !== undefined)
  return times.length === 0 ? {} : { expires: times.reduce((first, time) => (time < first ? time : first)).toISOString() }
}

/** Whether a snapshot counts as verified, and how it is damaged, by its own proofs and by the chunk objects known to be damaged. */
export function standing(
  snapshot: Snapshot,
  proofs: readonly Verdict[],
  damaged: ReadonlySet<string>,
): Pick<ListedSnapshot, 'verified' | 'damage'> {
  const verdict = verdictOf(proofs)
  const failure = verdict?.result === 'failed' ? `it failed verification at level ${verdict.level}` : undefined
  const damage = damageIn(snapshot, damaged) ?? failure
  return { verified: verdict?.result === 'verified' && damage === undefined, ...(damage !== undefined && { damage }) }
}
