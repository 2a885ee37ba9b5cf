import { idOf, isAhead, readAuthentic, readSnapshot, setOf } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { isSafetySet } from '../../repository/safety-set.ts'
import { type AuthenticSnapshot, DamagedSnapshot, snapshotKey } from '../../repository/snapshot.ts'
import { decodeVisible } from '../../repository/survey.ts'
import { firstGood, MOST_OPENED, partsOf, type Unsound, whyNotWhole } from '../../repository/wholeness.ts'
import { DamagedObject, isThere, NotFound, type Store } from '../../stores/store.ts'
import { type WholeSources, wholeSources } from '../whole-sources.ts'
import type { KnownFacts } from './facts.ts'
import type { ListedSnapshot, ListResult } from './result.ts'

/** As many of the newest are looked at, whether all they need is in the store. */
const LOOKED_AT = 5

/**
 * The newest of these that is whole: that is complete, if there is one; and newer ones that are not, are missing, or cannot be read; if
 * none is whole, where each source is. Those of another key cannot be restored with this one, and those dated in the future are of a clock
 * that is wrong. `unreadable`: why, by key.
 */
export async function restorableOf(
  snapshots: readonly ListedSnapshot[],
  store: Store,
  keys: Keys | undefined,
  { now, known: { proofs, damaged }, unreadable }: { now: Date; known: KnownFacts; unreadable: ReadonlyMap<string, string> },
): Promise<Pick<ListResult, 'restorable' | 'parts' | 'unsound'>> {
  const own = backupsIn(snapshots)
    .filter(({ id, authentic }) => (authentic || !keys) && !isAhead(id, now))
    .toSorted((a, b) => b.time.localeCompare(a.time))
  const search = (among: typeof own): Promise<{ good: ListedSnapshot | undefined; unsound: Unsound[] }> =>
    firstGood(among, LOOKED_AT, (one) => lookAt(one, store, keys))
  const newest = await search(own)
  const older = newest.good?.partial ? own.slice(own.indexOf(newest.good) + 1).filter(({ partial }) => !partial) : []
  const complete = await search(older)
  const { good, unsound } = complete.good ? { ...complete, unsound: [...newest.unsound, ...complete.unsound] } : newest
  const listed = new Map([...Map.groupBy(own, ({ set }) => set)].map(([set, [first]]) => [set, first!.id]))
  const missing = keys ? await missingOf(listed, store, proofs) : []
  // Anyone who can write to the store can plant more of them than anyone reads.
  const isNewest = (set: string, id: string): boolean => (listed.has(set) ? id > listed.get(set)! : !isSafetySet(set))
  const broken = [...unreadable].filter(([key]) => isNewest(setOf(key), idOf(key)) && !isAhead(idOf(key), now))
    .map(([key, why]) => ({ snapshot: idOf(key), why }))
    .toSorted((a, b) => (a.snapshot < b.snapshot ? 1 : -1)).slice(0, LOOKED_AT)
  const parts = good || unsound.length === 0 || listed.size > 1 || keys?.identity === undefined ? []
    : await wholeParts(own, store, keys, { proofs, damaged })
  return {
    ...(good && { restorable: good.id }), ...(parts.length > 0 && { parts }), unsound: [...missing, ...broken, ...unsound],
  }
}

/** For each source of the newest of these (newest first), the newest that has all of it. */
async function wholeParts(
  own: readonly ListedSnapshot[], store: Store, keys: Keys, { proofs, damaged }: Pick<KnownFacts, 'proofs' | 'damaged'>,
): Promise<WholeSources[]> {
  const sought = new Set(own[0]?.sources?.map(({ name }) => name))
  const found: WholeSources[] = []
  for (const { id, set } of own.slice(0, MOST_OPENED)) {
    if (sought.size === 0) break
    const snapshot = await readIfSound(store, snapshotKey(set, id), keys)
    if (!snapshot) continue
    const parts = wholeSources(id, await partsOf(store, snapshot, damaged, proofs.get(id) ?? []), (name) => sought.delete(name))
    if (parts.whole.length > 0) found.push(parts)
  }
  return found
}

/** Undefined for one that is damaged, or was deleted meanwhile. */
async function readIfSound(store: Store, key: string, keys: Keys): Promise<AuthenticSnapshot | undefined> {
  try {
    return await readAuthentic(store, key, keys)
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedSnapshot || error instanceof DamagedObject) return undefined
    throw error
  }
}

/** Those that authentic proofs name and that are missing, newer than the `newest` of their set. In artifacts, both expire apart. */
async function missingOf(newest: ReadonlyMap<string, string>, store: Store, proofs: KnownFacts['proofs']): Promise<Unsound[]> {
  const missing: Unsound[] = []
  for (const [id, [proof]] of store.groups ? [] : proofs) {
    const listed = newest.get(proof!.set)
    if (listed === undefined || id <= listed || (await isThere(store, snapshotKey(proof!.set, id)))) continue
    missing.push({ snapshot: id, why: 'it is missing, and the store has a proof of it' })
  }
  return missing
}

/** Without safety backups, unless there are no others. */
export function backupsIn(snapshots: readonly ListedSnapshot[]): readonly ListedSnapshot[] {
  const others = snapshots.filter(({ until }) => until === undefined)
  return others.length > 0 ? others : snapshots
}

/** A snapshot that is whole, or why it is not; undefined if it was deleted meanwhile. */
async function lookAt(
  one: ListedSnapshot,
  store: Store,
  keys: Keys | undefined,
): Promise<{ good: ListedSnapshot } | Unsound | undefined> {
  const { id, set, damage, failedDrill } = one
  if (damage !== undefined) return { snapshot: id, why: damage, ...(failedDrill && { failedDrill }) }
  const key = snapshotKey(set, id)
  try {
    const { snapshot } = await readSnapshot(store, key, (object) => decodeVisible(key, object, keys))
    const why = await whyNotWhole(store, snapshot, new Set())
    return why === undefined ? { good: one } : { snapshot: id, why }
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}
