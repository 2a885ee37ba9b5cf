import type { Store } from '../stores/store.ts'
import { labelsKey } from './labels.ts'
import { proofKeys } from './proofs.ts'
import { snapshotKey } from './snapshot.ts'

/**
 * Deletes a snapshot with its proofs and labels. Its chunks stay until a prune finds that no other snapshot needs them. A proof or a pin
 * without a snapshot would say that the snapshot was lost, so these are deleted first; proofs once more afterwards, because a verification
 * may just have ended.
 */
export async function forgetSnapshot(store: Store, set: string, id: string): Promise<void> {
  const deleteProofs = async (): Promise<void> => {
    for (const key of (await proofKeys(store, { set, wanted: (snapshot) => snapshot === id })).get(id) ?? []) await store.delete(key)
  }
  await deleteProofs()
  await store.delete(labelsKey(set, id))
  await store.delete(snapshotKey(set, id))
  await deleteProofs()
}
