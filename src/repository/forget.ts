import type { Store } from '../stores/store.ts'
import { labelsKey } from './labels.ts'
import { proofKeys } from './proofs.ts'
import { snapshotKey } from './snapshot.ts'

/**
 * Deletes a snapshot, and then what belongs to it: proofs and labels. Its chunks stay, for other snapshots may need them, until a prune finds
 * that none does. Killed in between, it leaves a few small objects that mean nothing, and that doing it again removes.
 */
export async function forgetSnapshot(store: Store, set: string, id: string): Promise<void> {
  await store.delete(snapshotKey(set, id))
  for (const key of (await proofKeys(store, { set, wanted: (snapshot) => snapshot === id })).get(id) ?? []) await store.delete(key)
  // The pin goes last, so that nothing is ever without its pin that is still there.
  await store.delete(labelsKey(set, id))
}
