import { LifeboatError } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, NotFound, type Store, type StoredObject } from '../stores/store.ts'
import { atOnce, idOf, readSnapshot, snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { checkListing } from './listing.ts'
import { type AuthenticSnapshot, DamagedSnapshot, decodeSnapshot, type Snapshot } from './snapshot.ts'

/** Snapshots are read side by side, because most of the time is spent waiting for the store. */
const MOST_AT_ONCE = 16

export interface SurveyOptions {
  /** Undefined looks at every set. */
  set: string | undefined
  /** Which are read at all, by their ids and keys. */
  wanted?: (id: string, key: string) => boolean
  signal: AbortSignal
  /** Told of each snapshot that is damaged or of another format, and is left out. */
  onDamaged: (error: LifeboatError, key: string) => void
}

/** `authentic` is undefined if the header is not authenticated: without keys, and for a snapshot of another key. */
export interface Surveyed {
  snapshot: Snapshot
  authentic: AuthenticSnapshot | undefined
}

/**
 * Reads the snapshots of a store and keeps the results of `work`, newest first. Memory grows with these results alone.
 * Throws if the store does not answer: otherwise a list would say that a snapshot is lost.
 */
export async function survey<T>(
  store: Store, keys: Keys | undefined, options: SurveyOptions, work: (surveyed: Surveyed) => T | Promise<T>,
): Promise<T[]> {
  const { set, wanted = () => true, signal, onDamaged } = options
  const sizes = new Map<string, number>()
  const listed = await snapshotKeys(store, set, ({ key, size }: StoredObject) => sizes.set(key, size))
  const found = listed.filter((key) => wanted(idOf(key), key))
  if (sizes.size === 0) await checkListing(store, set)
  const largest = found.reduce((most, key) => Math.max(most, sizes.get(key)!), 1)
  const results = await inParallel(found, atOnce(MOST_AT_ONCE, largest), async (key) => {
    signal.throwIfAborted()
    try {
      return { result: await work(await readSnapshot(store, key, (object) => decodeVisible(key, object, keys))) }
    } catch (error) {
      // A prune may delete a snapshot at any moment.
      if (error instanceof NotFound) return undefined
      if (!(error instanceof DamagedSnapshot || error instanceof DamagedObject)) throw error
      onDamaged(error, key)
      return undefined
    }
  })
  return results.filter((one) => one !== undefined).map(({ result }) => result)
}

/** Throws for one that is damaged or of another key. */
export async function decodeAuthentic(key: string, object: Buffer, keys: Keys): Promise<Surveyed> {
  const authentic = await decodeSnapshot(key, object, keys)
  return { snapshot: authentic, authentic }
}

/** Decodes a snapshot as far as the keys go. Throws for one that is damaged. */
export async function decodeVisible(key: string, object: Buffer, keys: Keys | undefined): Promise<Surveyed> {
  if (keys) {
    try {
      return await decodeAuthentic(key, object, keys)
    } catch (error) {
      // The snapshot is of another key: it is shown as far as anyone can read it.
      if (error instanceof DamagedSnapshot || !(error instanceof LifeboatError)) throw error
    }
  }
  return { snapshot: await decodeSnapshot(key, object, undefined), authentic: undefined }
}
