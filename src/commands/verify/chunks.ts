import { inParallel } from '../../process/parallel.ts'
import { Presence } from '../../repository/presence.ts'
import { DamagedChunk, Reader } from '../../repository/reader.ts'
import { type AuthenticSnapshot, chunkKey, type SourceRecord } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'

/** Places of chunks in the snapshot's list, with those that they are stored as differences from. */
export function withBases({ header }: AuthenticSnapshot, places: ReadonlySet<number>): number[] {
  return [...places].flatMap((place) => {
    const base = header.chunks[place]![3]
    return base === null ? [place] : [place, base]
  })
}

export function keyAt({ header }: AuthenticSnapshot, place: number): string {
  const [id, , , , mark] = header.chunks[place]!
  return chunkKey(id, mark)
}

export function keysAt(snapshot: AuthenticSnapshot, places: readonly number[]): Set<string> {
  return new Set(places.map((place) => keyAt(snapshot, place)))
}

/** Throws if the store does not allow for as many requests as it takes to read these sources of a snapshot. */
export async function requireRequests(store: Store, snapshot: AuthenticSnapshot, sources: readonly SourceRecord[]): Promise<void> {
  const places = new Set(sources.flatMap(({ streams }) => streams.flatMap(({ chunks }) => chunks)))
  await store.groups?.requireRequests(keysAt(snapshot, withBases(snapshot, places)), { withNeeds: false })
}

/** Looks for these, by their places in the list of chunks, but for what is known. */
export async function missingChunks(
  { header }: AuthenticSnapshot,
  store: Store,
  places: readonly number[],
  known: ReadonlySet<string>,
): Promise<DamagedChunk[]> {
  const unread = places.map((place) => header.chunks[place]!)
  const expected = new Map(unread.map(([chunk, , storedSize, , mark]) => [chunkKey(chunk, mark), storedSize]))
  for (const key of known) expected.delete(key)
  const wrong = await new Presence(store, expected).wrong()
  return [...wrong].map(([key, size]) =>
    new DamagedChunk(
      key,
      size === undefined
        ? `chunk ${key} is missing from ${store.name}`
        : `chunk ${key} in ${store.name} has ${size} bytes instead of ${expected.get(key)}`,
    ),
  )
}

/** Reads these chunks, by their places. Throws what says nothing about them. */
export async function damagedAmong(reader: Reader, places: readonly number[]): Promise<DamagedChunk[]> {
  const found = await inParallel(places, 2, async (place) => {
    try {
      await reader.chunk(place)
      return undefined
    } catch (error) {
      if (error instanceof DamagedChunk) return error
      throw error
    }
  })
  return [...new Map(found.filter((error) => error !== undefined).map((error) => [error.key, error])).values()]
}
