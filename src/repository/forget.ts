import type { Store } from '../stores/store.ts'
import { labelsKey } from './labels.ts'
import { proofKeys } from './proofs.ts'
import { snapshotKey } from './snapshot.ts'

/**
 * Deletes a snapshot with its proofs and labels. Its chunks stay until a prune finds that no other snapshot needs them. A proof without a
 * snapshot would say that the snapshot was lost, so proofs are deleted first, and once more afterwards, because a verification may just
 * have ended.
 */
export async function forgetSnapshot(store: Store, set: string, id: string): Promise<void> {
  const deleteProofs = async (): Promise<void> => {
    for (const key of (await proofKeys(store, { set, wanted: (snapshot) => snapshot === id })).get(id) ?? []) await store.delete(key)
  }
  await deleteProofs()
  await store.delete(snapshotKey(set, id))
  await deleteProofs()
  // The pin is deleted last, so that the snapshot never exists without its pin.
  await store.delete(labelsKey(set, id))
}
