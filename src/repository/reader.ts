import { LifeboatError, messageOf } from '../error.ts'
import { marked } from '../marks.ts'
import { isMachineFailure } from '../process/machine-failure.ts'
import { DamagedObject, type GetOptions, NotFound, type Store } from '../stores/store.ts'
import { type Extent, joined } from './extent.ts'
import type { Keys } from './keys.ts'
import { unseal } from './sealing/threads.ts'
import { type ChunkEntry, chunkKey, DamagedSnapshot, type StreamRecord } from './snapshot.ts'
import { StreamSum } from './sums.ts'

/**
 * Bytes of plaintext that are fetched ahead: as many as were used already, because many callers want only the head of a stream, up to this
 * for all streams that are read at the same time. And the number of bases that are kept for later differences.
 */
const PREFETCH_BYTES = 12 * 1024 * 1024
const KEPT_BASES = 3

/** Reads the plaintext of a snapshot's chunks, and checks every byte. */
export class Reader {
  readonly #store: Store
  readonly #keys: Keys
  readonly #chunks: readonly ChunkEntry[]
  readonly #bases = new Map<number, Promise<Buffer>>()
  /** How many streams are being read. */
  #streams = 0
  /** Indexes of the chunks that were read and found good. */
  readonly opened: Set<number>
  readonly #damage: Map<string, DamagedChunk | DamagedSnapshot>

  /** `opened`, and the `damage` that was found, by keys of objects or names of streams: are shared by readers of the same chunks. */
  constructor(
    store: Store, keys: Keys, chunks: readonly ChunkEntry[], opened = new Set<number>(),
    damage = new Map<string, DamagedChunk | DamagedSnapshot>(),
  ) {
    this.#store = store
    this.#keys = keys
    this.#chunks = chunks
    this.opened = opened
    this.#damage = damage
  }

  /** The plaintext of one chunk; throws as `openChunk` does. */
  async chunk(index: number): Promise<Buffer> {
    return (await this.#open(index)).plaintext
  }

  async #open(index: number): Promise<OpenedChunk> {
    const entry = this.#chunks[index]!
    const base = entry[3] === null ? undefined : await this.#base(entry[3])
    try {
      const chunk = await openChunk(this.#store, this.#keys, entry, base)
      this.opened.add(index)
      return chunk
    } catch (error) {
      if (error instanceof DamagedChunk) this.#damage.set(error.key, error)
      throw error
    }
  }

  /** The bytes of a stream, chunk by chunk. The last chunk is yielded only after the sum of the whole was compared. */
  async *stream(record: StreamRecord): AsyncGenerator<Buffer, void, void> {
    const whole = new StreamSum()
    let read = 0
    for await (const { plaintext, sum } of this.#inOrder(record.chunks)) {
      whole.add(sum)
      read++
      if (read === record.chunks.length) this.#checkSum(record, whole.hex())
      yield plaintext
    }
    if (record.chunks.length === 0) this.#checkSum(record, whole.hex())
  }

  /**
   * Parts of a stream, in its order, one after the other: only the chunks that hold them are read, each once. Each is checked; the sum of
   * the stream is not.
   */
  async *parts(record: StreamRecord, parts: readonly Extent[]): AsyncGenerator<Buffer, void, void> {
    const wanted = joined(parts)
    const places: number[] = []
    const pieces: Buffer[] = []
    const starts: number[] = []
    let [at, next] = [0, 0]
    for (const place of record.chunks) {
      const from = at
      at += this.#chunks[place]![1]
      while (next < wanted.length && wanted[next]!.end <= from) next++
      if (next === wanted.length) break
      if (wanted[next]!.start >= at) continue
      places.push(place)
      starts.push(from)
    }
    next = 0
    let read = 0
    for await (const { plaintext: chunk } of this.#inOrder(places)) {
      const from = starts[read++]!
      pieces.splice(0)
      for (; next < wanted.length && wanted[next]!.start < from + chunk.length; next++) {
        const { start, end } = wanted[next]!
        pieces.push(chunk.subarray(Math.max(0, start - from), end - from))
        if (end > from + chunk.length) break
      }
      yield pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    }
  }

  /** These chunks; those that come next are fetched meanwhile. */
  async *#inOrder(places: readonly number[]): AsyncGenerator<OpenedChunk, void, void> {
    const ahead: Promise<OpenedChunk>[] = []
    let next = 0
    let fetching = 0
    let used = 0
    const fetchAhead = () => {
      for (; next < places.length && (ahead.length === 0 || fetching < Math.min(PREFETCH_BYTES / this.#streams, used)); next++) {
        fetching += this.#chunks[places[next]!]![1]
        const chunk = this.#open(places[next]!)
        // The failure is thrown when it is the chunk's turn; until then it must not count as unhandled.
        chunk.catch(() => undefined)
        ahead.push(chunk)
      }
    }
    this.#streams++
    try {
      for (let read = 0; read < places.length; read++) {
        fetchAhead()
        const chunk = await ahead.shift()!
        fetching -= chunk.plaintext.length
        used += chunk.plaintext.length
        yield chunk
      }
    } finally {
      this.#streams--
      await Promise.allSettled(ahead)
    }
  }

  #checkSum(record: StreamRecord, sum: string): void {
    if (sum === record.sum) return
    const error = new DamagedSnapshot(
      `stream ${record.name} does not have the sum that the backup recorded: ${sum} instead of ${record.sum}`,
    )
    this.#damage.set(record.name, error)
    throw error
  }

  #base(index: number): Promise<Buffer> {
    let base = this.#bases.get(index)
    if (!base) {
      base = this.chunk(index)
      this.#bases.set(index, base)
      if (this.#bases.size > KEPT_BASES) this.#bases.delete(this.#bases.keys().next().value!)
    }
    return base
  }
}

/** A chunk that is missing, or differs from what its snapshot lists. */
export class DamagedChunk extends LifeboatError {
  /** Of the chunk's object. */
  readonly key: string

  constructor(key: string, message: string, cause?: unknown) {
    const hint =
      'Check the disk or the transfer. Snapshots that do not need this chunk are not affected; ' +
      marked`‹lifeboat verify; snapshot: all; level: read› with ‹set› tells for each, and records it: a backup after that stores ` +
      'damaged chunks again.'
    super(message, { cause, hint })
    this.name = 'DamagedChunk'
    this.key = key
  }
}

/** A chunk that was checked, and its sum (sums.ts). */
export interface OpenedChunk {
  plaintext: Buffer
  sum: string
}

/**
 * Fetches, unseals and checks one chunk; `base` is the plaintext of the chunk it is a difference from. Throws a DamagedChunk that
 * names the object when it is missing, truncated, damaged or another chunk's, a MachineFailure, and whatever the store throws when it
 * cannot be reached.
 */
export async function openChunk(store: Store, keys: Keys, entry: ChunkEntry, base?: Buffer): Promise<OpenedChunk> {
  const chunk = await opened(await sealedChunk(store, entry, { authenticated: true }), { keys, entry, base }).catch(() => undefined)
  if (chunk) return chunk
  // The bytes may have been damaged on their way. This time the store compares its checksum, if it has one.
  return openedFrom(store, await sealedChunk(store, entry), { keys, entry, base })
}

/** The bytes of a chunk's object, from which the chunk could be opened. Throws as `openChunk` does. */
export async function checkedObject(store: Store, keys: Keys, entry: ChunkEntry, base?: Buffer): Promise<Buffer> {
  const sealed = await sealedChunk(store, entry)
  await openedFrom(store, Buffer.from(sealed), { keys, entry, base })
  return sealed
}

async function sealedChunk(store: Store, [id, , storedSize, , mark]: ChunkEntry, options?: GetOptions): Promise<Buffer> {
  const key = chunkKey(id, mark)
  try {
    return await store.get(key, storedSize, options)
  } catch (error) {
    // A store that knows why an object is gone says so in an error of its own.
    const known = error instanceof NotFound && error.name !== 'NotFound'
    if (error instanceof NotFound)
      throw new DamagedChunk(key, known ? `chunk ${error.message}` : `chunk ${key} is missing from ${store.name}`, error)
    throw error instanceof DamagedObject
      ? new DamagedChunk(key, `chunk ${key} in ${store.name} is damaged: ${error.message}`, error)
      : error
  }
}

interface Opening {
  keys: Keys
  entry: ChunkEntry
  base: Buffer | undefined
}

async function openedFrom(store: Store, sealed: Buffer, opening: Opening): Promise<OpenedChunk> {
  try {
    return await opened(sealed, opening)
  } catch (cause) {
    if (isMachineFailure(cause)) throw cause
    const key = chunkKey(opening.entry[0], opening.entry[4])
    throw new DamagedChunk(key, `chunk ${key} in ${store.name} is damaged: ${messageOf(cause)}`, cause)
  }
}

async function opened(sealed: Buffer, { keys, entry: [id, size, storedSize], base }: Opening): Promise<OpenedChunk> {
  if (sealed.length !== storedSize) throw new Error(`it has ${sealed.length} bytes instead of ${storedSize}`)
  const { plaintext, id: found, sum } = await unseal(sealed, { identity: keys.identity!, idKey: keys.idKey, size, base })
  if (plaintext.length !== size) throw new Error(`its content has ${plaintext.length} bytes instead of ${size}`)
  if (found !== id) throw new Error('its content is not the one its id stands for')
  return { plaintext, sum }
}
