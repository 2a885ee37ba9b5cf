import type { Store } from '../stores/store.ts'
import { labelsKey } from './labels.ts'
import { snapshotKey } from './snapshot.ts'

/**
 * Deletes a snapshot, and then what belongs to it: proofs and labels. Its chunks stay, for other snapshots may need them, until a prune finds
 * that none does. Killed in between, it leaves a few small objects that mean nothing, and that doing it again removes.
 */
export async function forgetSnapshot(store: Store, set: string, id: string): Promise<void> {
  await store.delete(snapshotKey(set, id))
  const proofs: string[] = []
  for await (const { key } of store.list(`proofs/${set}/${id}/`)) proofs.push(key)
  for (const key of proofs) await store.delete(key)
  // The pin goes last, so that nothing is ever without its pin that is still there.
  await store.delete(labelsKey(set, id))
}
