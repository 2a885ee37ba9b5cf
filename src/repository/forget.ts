import type { Store } from '../stores/store.ts'
import { labelsKey } from './labels.ts'
import { proofKeys } from './proofs.ts'
import { snapshotKey } from './snapshot.ts'

/**
 * Deletes a snapshot with its proofs and labels. Its chunks stay, for other snapshots may need them, until a prune finds that none does. A proof without
 * a snapshot would say that the snapshot was lost, so proofs are deleted first, and once more afterwards, for a verification may just have ended.
 */
export async function forgetSnapshot(store: Store, set: string, id: string): Promise<void> {
  const deleteProofs = async (): Promise<void> => {
    for (const key of (await proofKeys(store, { set, wanted: (snapshot) => snapshot === id })).get(id) ?? []) await store.delete(key)
  }
  await deleteProofs()
  await store.delete(snapshotKey(set, id))
  await deleteProofs()
  // The pin goes last, so that nothing is ever without its pin that is still there.
  await store.delete(labelsKey(set, id))
}
