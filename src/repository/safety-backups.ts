import type { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import type { Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { safetySetOf } from './safety-set.ts'
import { SetProofs } from './set-proofs.ts'
import { openDescription, timeText } from './snapshot.ts'
import { newestGood, type Search } from './wholeness.ts'

/** The description of a safety backup. `where`: the target, with its server; `restored`: the id of the snapshot that replaced this. */
export function safetyDescription(where: string, restored: string): string {
  return `${ofTarget(where)} before the restore of ${restored}`
}

/** Whether a description is that of a safety backup of this target. */
export function describesTarget(description: string, where: string): boolean {
  return description.startsWith(`${ofTarget(where)} `)
}

function ofTarget(where: string): string {
  return `what ${where} had`
}

/**
 * For a set of which no other snapshot will do: the newest that restores from it made of what they replaced, if that is whole, with its
 * origin. These targets may be those of trials, and their content was replaced for a reason. `has`: read after "is whole and has".
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
  if (!good) return undefined
  const { header: { id, time }, keys: { identity } } = good.snapshot
  const origin = identity === undefined ? 'what a restore replaced' : (await openDescription(good.snapshot)).description
  return marked`Snapshot ${id} of set ${safety}, made ${timeText(new Date(time))}, is whole and has ${has}: ${origin}. ` +
    marked`That may be another server, and wrong data: give it as ‹snapshot› with a new target first, and look at it.`
}
