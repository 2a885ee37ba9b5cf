import type { LifeboatError } from '../error.ts'
import { inParallel } from '../stores/retry.ts'
import { isThere, type Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import { proofKeys, readProof } from './proofs.ts'
import { snapshotKey } from './snapshot.ts'

const AT_ONCE = 16

/**
 * Keys of snapshots that are not there, though proofs name them: snapshots that were moved away, or are not listed. A snapshot that a prune or `forget`
 * deletes loses its proofs first. `present`: keys of those that are there, listed before this is called. Proofs that do not authenticate count for nothing.
 */
export async function lostSnapshots(store: Store, keys: Keys, present: ReadonlySet<string>, onDamaged: (error: LifeboatError) => void): Promise<string[]> {
  const named = new Map<string, string[]>()
  for (const proofs of (await proofKeys(store)).values()) {
    for (const proof of proofs) {
      const [, set, id] = proof.split('/')
      const key = snapshotKey(set!, id!)
      if (!present.has(key)) named.set(key, [...(named.get(key) ?? []), proof])
    }
  }
  const lost = await inParallel([...named], AT_ONCE, async ([key, proofs]) => {
    if (await isThere(store, key)) return undefined
    // Read after the snapshot was looked for: where it was deleted meanwhile, they went before it.
    for (const proof of proofs) if (await readProof(store, proof, keys, onDamaged)) return key
    return undefined
  })
  return lost.filter((key) => key !== undefined).toSorted()
}
