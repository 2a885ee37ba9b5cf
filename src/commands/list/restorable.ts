import { isAhead, readSnapshot } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { snapshotKey } from '../../repository/snapshot.ts'
import { decodeVisible } from '../../repository/survey.ts'
import { firstGood, type Unsound, whyNotWhole } from '../../repository/wholeness.ts'
import { NotFound, type Store } from '../../stores/store.ts'
import type { ListedSnapshot, ListResult } from './result.ts'

/** As many of the newest are looked at, whether all they need is in the store. */
const LOOKED_AT = 5

/**
 * The newest of these that is whole; those of another key cannot be restored with this one, and those dated in the future are of a clock
 * that is wrong.
 */
export async function restorableOf(
  snapshots: readonly ListedSnapshot[],
  store: Store,
  keys: Keys | undefined,
  now: Date,
): Promise<Pick<ListResult, 'restorable' | 'unsound'>> {
  const own = backupsIn(snapshots)
    .filter(({ id, authentic }) => (authentic || !keys) && !isAhead(id, now))
    .toSorted((a, b) => b.time.localeCompare(a.time))
  const { good, unsound } = await firstGood(own, LOOKED_AT, (one) => lookAt(one, store, keys))
  return { ...(good !== undefined && { restorable: good }), unsound }
}

/** Without safety backups, unless there are no others. */
export function backupsIn(snapshots: readonly ListedSnapshot[]): readonly ListedSnapshot[] {
  const others = snapshots.filter(({ until }) => until === undefined)
  return others.length > 0 ? others : snapshots
}

/** The id of a snapshot that is whole, or why it is not; undefined if it was deleted meanwhile. */
async function lookAt(
  { id, set, damage }: ListedSnapshot,
  store: Store,
  keys: Keys | undefined,
): Promise<{ good: string } | Unsound | undefined> {
  if (damage !== undefined) return { snapshot: id, why: damage }
  const key = snapshotKey(set, id)
  try {
    const { snapshot } = await readSnapshot(store, key, (object) => decodeVisible(key, object, keys))
    const why = await whyNotWhole(store, snapshot, new Set())
    return why === undefined ? { good: id } : { snapshot: id, why }
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}
