import { NotFound, type Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { decodeAnchors, SimilarityIndex } from './similarity.ts'
import { type AuthenticSnapshot, chunkKey, DamagedSnapshot, decodeSnapshot, openManifest } from './snapshot.ts'

/** A chunk that a snapshot of this store lists and that is really there. */
export interface KnownChunk {
  id: string
  size: number
  storedSize: number
  mark: string
  /** The chunk it is stored as a difference from. */
  base: KnownChunk | undefined
  anchors: string
  /** Bytes of differences stored since its content was last stored whole. */
  spent: number
}

/** How many of the newest snapshots of the set a backup builds on. Older content is rarely met again, and reading costs time. */
const SNAPSHOTS_BUILT_ON = 3

/** What a backup need not store again, and what it can store differences from. */
export class KnownChunks {
  readonly similar = new SimilarityIndex<KnownChunk>()
  readonly #byId = new Map<string, KnownChunk>()

  get(id: string): KnownChunk | undefined {
    return this.#byId.get(id)
  }

  add(chunk: KnownChunk): void {
    // One snapshot after the other lists the same objects.
    if (this.#byId.get(chunk.id)?.mark === chunk.mark) return
    this.#byId.set(chunk.id, chunk)
    this.similar.add(decodeAnchors(chunk.anchors), chunk)
  }
}

/**
 * Reads the newest snapshots of a set (DESIGN section 6: a writer takes as known only what snapshots list that exist when it starts).
 * A chunk that is listed but not in the store with its size, or will expire too early, is not taken as known: it will be stored again.
 * A damaged snapshot is handed to `onDamaged` and not built on; one in another format or of another key throws.
 */
export async function loadKnown(store: Store, keys: Keys, set: string, onDamaged: (error: DamagedSnapshot) => void): Promise<KnownChunks> {
  const known = new KnownChunks()
  const newest = (await snapshotKeys(store, set)).slice(0, SNAPSHOTS_BUILT_ON)
  if (newest.length === 0) return known
  const present = new Map<string, number>()
  const until = store.neededUntil?.()
  for await (const { key, size, expires } of store.list('chunks/')) {
    if (!until || !expires || expires >= until) present.set(key, size)
  }
  // Oldest first, so that the newest snapshot's word on a chunk counts and its chunks win among the similar ones.
  for (const key of newest.toReversed()) {
    try {
      const snapshot = await decodeSnapshot(key, await store.get(key), keys)
      // Under another key of the same passphrase the same content has other ids.
      if (snapshot.keys.fingerprint === keys.fingerprint) await addSnapshot(known, snapshot, present)
    } catch (error) {
      if (error instanceof DamagedSnapshot) onDamaged(error)
      // A prune may delete a snapshot at any moment.
      else if (!(error instanceof NotFound)) throw error
    }
  }
  return known
}

async function addSnapshot(known: KnownChunks, snapshot: AuthenticSnapshot, present: ReadonlyMap<string, number>): Promise<void> {
  const { header: { chunks }, keys } = snapshot
  const content = keys.identity ? await openManifest(snapshot) : undefined
  const made: (KnownChunk | undefined)[] = Array.from({ length: chunks.length })
  const make = (index: number): KnownChunk | undefined => {
    const [id, size, storedSize, base, mark] = chunks[index]!
    if (present.get(chunkKey(id, mark)) !== storedSize) return undefined
    const already = known.get(id)
    if (already?.mark === mark) return already
    const baseChunk = base === null ? undefined : (made[base] ??= make(base))
    if (base !== null && !baseChunk) return undefined
    return { id, size, storedSize, mark, base: baseChunk, anchors: content?.anchors[index] ?? '', spent: content?.spent[index] ?? 0 }
  }
  for (let index = 0; index < chunks.length; index++) {
    const chunk = (made[index] ??= make(index))
    if (chunk) known.add(chunk)
  }
}
