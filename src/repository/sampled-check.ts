import { messageOf } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import type { Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import type { KnownChunk } from './known.ts'
import { DamagedChunk, Reader } from './reader.ts'
import { type ChunkEntry, chunkKey } from './snapshot.ts'

/** Defaults: the part of the reusable bytes that a backup reads back, and the least number of chunks. */
const SAMPLED_SHARE = 0.02
const LEAST_CHUNKS = 8
/** The most bytes that are read, unless a share is given. */
export const MOST_BYTES = 64 * 1024 * 1024
/** Chunks read at the same time: a backup runs beside it, in the same memory and over the same connection. */
const AT_ONCE = 2

/**
 * Random chunks, in the order given: enough for that part of the stored bytes, and at least 8. With the default share one backup of fifty
 * chooses a chunk: within 50 backups with a probability of 64 %, within 100 of 87 %, within 200 of 98 %.
 */
export function sampleOf(
  chunks: readonly KnownChunk[], { share = SAMPLED_SHARE, most = MOST_BYTES }: { share?: number; most?: number }, random: () => number,
): KnownChunk[] {
  if (share === 0) return []
  const wanted = Math.min(most, share * chunks.reduce((sum, { storedSize }) => sum + storedSize, 0))
  const drawn = chunks.map((chunk) => ({ chunk, lot: random() })).toSorted((a, b) => a.lot - b.lot)
  const chosen = new Set<KnownChunk>()
  let bytes = 0
  for (const { chunk } of drawn) {
    if (bytes >= wanted && chosen.size >= LEAST_CHUNKS) break
    chosen.add(chunk)
    bytes += chunk.storedSize
  }
  return chunks.filter((chunk) => chosen.has(chunk))
}

/** Chunks that were read, in all stores together; `bytes` as stored. */
export interface Sampled {
  chunks: number
  bytes: number
}

/** Reads chunks of a store and their bases, beside a backup that may reuse them. */
export class SampledCheck {
  readonly store: Store
  /** Damage found so far. */
  readonly damage: DamagedChunk[] = []
  /** Why chunks could not be read, if that says nothing about them. */
  readonly obstacles: string[] = []
  readonly #entries: readonly ChunkEntry[]
  readonly #reader: Reader
  readonly #reads: ReadonlyMap<string, PromiseWithResolvers<void>>
  readonly #signal: AbortSignal
  readonly #running: Promise<void>
  #closed = false

  constructor(store: Store, keys: Keys, chunks: readonly KnownChunk[], signal: AbortSignal) {
    this.store = store
    this.#signal = signal
    this.#entries = entriesOf(chunks)
    this.#reader = new Reader(store, keys, this.#entries)
    this.#reads = new Map(this.#entries.map(([id, , , , mark]) => [chunkKey(id, mark), Promise.withResolvers<void>()]))
    this.#running = this.#readAll()
  }

  /** False if a chunk is damaged. Waits until a chosen chunk, or a base of one, has been read. */
  async isGood(key: string): Promise<boolean> {
    await this.#reads.get(key)?.promise
    return !this.damage.some((error) => error.key === key)
  }

  /** Waits until all are read. */
  async end(): Promise<Sampled> {
    await this.#running
    const read = [...this.#reader.opened].map((index) => this.#entries[index]![2])
    return { chunks: read.length, bytes: read.reduce((sum, size) => sum + size, 0) }
  }

  /** Reads no more chunks. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #readAll(): Promise<void> {
    await inParallel([...[...this.#reads.values()].entries()], AT_ONCE, async ([index, read]) => {
      try {
        if (!this.#closed && !this.#signal.aborted) await this.#reader.chunk(index)
      } catch (error) {
        if (!(error instanceof DamagedChunk)) this.obstacles.push(messageOf(error))
        else if (!this.damage.some(({ key }) => key === error.key)) this.damage.push(error)
      }
      read.resolve()
    })
  }
}

/** The entries as in a snapshot: each after its base. */
function entriesOf(chunks: readonly KnownChunk[]): ChunkEntry[] {
  const entries: ChunkEntry[] = []
  const places = new Map<string, number>()
  const placeOf = (chunk: KnownChunk): number => {
    const key = chunkKey(chunk.id, chunk.mark)
    const known = places.get(key)
    if (known !== undefined) return known
    const base = chunk.base ? placeOf(chunk.base) : null
    const place = entries.push([chunk.id, chunk.size, chunk.storedSize, base, chunk.mark]) - 1
    places.set(key, place)
    return place
  }
  for (const chunk of chunks) placeOf(chunk)
  return entries
}
