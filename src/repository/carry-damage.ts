import type { Store } from '../stores/store.ts'
import { idOf, snapshotIfAuthentic } from './catalog.ts'
import type { Keys } from './keys.ts'
import { NO_VERIFICATION, proveSnapshot } from './proofs.ts'
import { SetProofs } from './set-proofs.ts'
import { objectsOf } from './wholeness.ts'

/**
 * Copies damage from the proofs of snapshots that go into proofs of snapshots that stay, if those need the damaged objects. So damage stays
 * known for as long as a snapshot needs the object. To be called before the proofs are deleted. `going`: ids; `staying`: keys.
 */
export async function carryDamage(
  store: Store, keys: Keys, set: string, { going, staying }: { going: readonly string[]; staying: readonly string[] }, now: () => Date,
): Promise<void> {
  const proofs = await SetProofs.list(store, keys, set, ignoreDamaged)
  const said = await proofs.of(going)
  const named = new Set(said.flatMap(({ damaged, good }) => [...damaged, ...good]))
  if (named.size === 0) return
  const damaged = await proofs.damagedSince(new Date(0))
  for (const key of staying) {
    if (named.size === 0) return
    const snapshot = await snapshotIfAuthentic(store, key, keys)
    if (!snapshot) continue
    const own = objectsOf(snapshot)
    const carried = [...named].filter((object) => own.has(object))
    if (carried.length === 0) continue
    const about = { ...NO_VERIFICATION, snapshot: idOf(key), set, time: now() }
    const problems = [`said before by proofs of snapshots that were deleted: ${going.join(', ')}`]
    await proveSnapshot(store, keys, {
      ...about, damaged: carried.filter((object) => damaged.has(object)), good: carried.filter((object) => !damaged.has(object)), problems,
    })
    for (const object of carried) named.delete(object)
  }
}

/** The caller has reported damaged proofs already. */
function ignoreDamaged(): void {}
