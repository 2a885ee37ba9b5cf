import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { idOf, readAuthentic } from './catalog.ts'
import type { Keys } from './keys.ts'
import { proveSnapshot } from './proofs.ts'
import { SetProofs } from './set-proofs.ts'
import { DamagedSnapshot, OtherKey } from './snapshot.ts'
import { objectsOf } from './wholeness.ts'

/**
 * Before snapshots of a set lose their proofs: what these say about chunk objects that other snapshots need is written once more, in proofs of those.
 * So damage stays known for as long as anything needs the object. `going`: ids; `staying`: keys.
 */
export async function carryDamage(store: Store, keys: Keys, set: string, { going, staying }: { going: readonly string[]; staying: readonly string[] }, now: () => Date): Promise<void> {
  const proofs = await SetProofs.list(store, keys, set, ignoreDamaged)
  const said = await proofs.of(going)
  const named = new Set(said.flatMap(({ damaged, good }) => [...damaged, ...good]))
  if (named.size === 0) return
  const damaged = await proofs.damagedSince(new Date(0))
  for (const key of staying) {
    if (named.size === 0) return
    const own = await objectsIn(key, store, keys)
    const carried = [...named].filter((object) => own.has(object))
    if (carried.length === 0) continue
    const about = { snapshot: idOf(key), set, time: now(), level: 'list', result: 'could not verify', seconds: 0, bytes: 0, versions: {}, run: null } as const
    const problems = [`said before by proofs of snapshots that were deleted: ${going.join(', ')}`]
    await proveSnapshot(store, keys, { ...about, damaged: carried.filter((object) => damaged.has(object)), good: carried.filter((object) => !damaged.has(object)), problems })
    for (const object of carried) named.delete(object)
  }
}

/** Whoever deletes snapshots has reported them. */
function ignoreDamaged(): void {}

/** None where the snapshot is gone, damaged, or of another key. */
async function objectsIn(key: string, store: Store, keys: Keys): Promise<ReadonlyMap<string, number>> {
  try {
    return objectsOf(await readAuthentic(store, key, keys))
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedSnapshot || error instanceof OtherKey || error instanceof DamagedObject) return new Map()
    throw error
  }
}
