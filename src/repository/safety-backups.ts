import type { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import type { Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { safetySetOf } from './safety-set.ts'
import { SetProofs } from './set-proofs.ts'
import { newestGood, type Search } from './wholeness.ts'

/**
 * For a set of which no other snapshot will do: the newest that restores from it made of what they replaced, if that is whole, as a
 * sentence that says which to give. `has`: read after "is whole and has".
 */
export async function safetyBackupHint(
  store: Store, keys: Keys, set: string, { wanted, damaged, has }: Required<Pick<Search, 'wanted' | 'damaged'>> & { has: string },
  onDamaged: (error: LifeboatError) => void,
): Promise<string | undefined> {
  const safety = safetySetOf(set)
  const snapshots = safety === set ? [] : await snapshotKeys(store, safety)
  if (snapshots.length === 0) return undefined
  const proofs = await SetProofs.list(store, keys, safety, onDamaged)
  const { good } = await newestGood(store, keys, snapshots, { proofs, verified: false, wanted, damaged })
  return good && marked`Snapshot ${good.snapshot.header.id} of set ${safety}, which a restore made of what it replaced, is whole and has ` +
    marked`${has}: give it as ‹snapshot›.`
}
