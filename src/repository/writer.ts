import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { inEach } from '../stores/several.ts'
import type { Store } from '../stores/store.ts'
import { encodeCard } from './card.ts'
import { BufferPool, type Chunk, chunksOf } from './chunker.ts'
import type { Extent } from './extent.ts'
import type { Keys } from './keys.ts'
import type { KnownChunk, KnownChunks } from './known.ts'
import { LIMITS } from './limits.ts'
import { PutRoom } from './put-room.ts'
import { DamagedChunk, openChunk } from './reader.ts'
import type { Compression } from './sealing/stream-level.ts'
import type { Sealing } from './sealing/thread.ts'
import { seal } from './sealing/threads.ts'
import { canBeBase } from './sealing/zstd.ts'
import { encodeAnchors } from './similarity.ts'
import {
  type ChunkEntry,
  chunkKey,
  encodeSnapshot,
  listedBytes,
  type Manifest,
  type SealedTo,
  type SnapshotHeader,
  snapshotKey,
  sourceSize,
  storedBytes,
  type StreamRecord,
  tooManyChunks,
} from './snapshot.ts'
import { chunkId, chunkSum, StreamSum } from './sums.ts'
import type { Unfinished } from './unfinished.ts'

/** Data that compresses to at most this part repeats itself (rows, logs, text; not pictures), and needs a search for differences. */
const REPETITIVE = 0.4

export interface WriterOptions {
  store: Store
  keys: Keys
  known: KnownChunks
  /** Chunks of interrupted runs. Default: none are used. */
  unfinished?: Unfinished
  compression: Compression
  /** The mark of this backup's objects: the last 8 digits of its snapshot id. */
  mark: string
  /** How many threads seal chunks. With bases, results and zstd's tables each takes up to 100 MiB. */
  jobs: number
  signal: AbortSignal
  /** Bytes that the snapshot object may have. Default: `LIMITS.snapshot`. */
  largestSnapshot?: number
  /** Called for a chunk in the store that is damaged. */
  onDamaged(error: LifeboatError): void
}

/** A part of a stream, and the bytes that its chunk has in the store. */
export interface StoredExtent extends Extent {
  stored: number
}

/** A stream that is being stored. */
interface OpenStream {
  number: number
  longMatches: boolean
  /** Resolves when all chunks of earlier streams are stored. */
  earlier: Promise<unknown>
}

let streams = 0

/** Stores streams chunk by chunk, and in the end the snapshot that makes them a backup. */
export class Writer {
  readonly #options: WriterOptions
  readonly #pool: BufferPool
  readonly #entries: ChunkEntry[] = []
  readonly #chunks: KnownChunk[] = []
  /** Where in the snapshot an object is listed, and, by id, a chunk that this run stores. The same chunk may be there in two objects. */
  readonly #listed = new Map<string, number>()
  readonly #fresh = new Map<string, number>()
  readonly #running = new Set<Promise<void>>()
  /** About how large the snapshot object will be. */
  #snapshotBytes = 0
  readonly #room = new PutRoom()
  /** Streams that are being read, and the most that were at the same time. */
  #reading = 0
  #mostRead = 1
  #failure: { error: unknown } | undefined
  /** Marks of the objects that this run put: one for each time that it began. */
  readonly #ownMarks = new Set<string>()
  /** Bytes put, objects put, and how many of these are differences. */
  added = 0
  newChunks = 0
  deltaChunks = 0
  /** The number of chunks stored whole at each level of zstd. */
  readonly levels = new Map<number, number>()
  /** Of all these, the chunks that were stored already but not sealed to every recipient; bytes as stored. */
  readonly forRecipients = { chunks: 0, bytes: 0 }
  /** Of all these, the chunks that were stored already in objects known to be damaged; bytes as stored. */
  readonly repaired = { chunks: 0, bytes: 0 }
  /** Objects of interrupted runs that the snapshot will list: how many, their bytes, and when the oldest of them was put. */
  readonly adopted: { chunks: number; bytes: number; since: Date | undefined } = { chunks: 0, bytes: 0, since: undefined }

  /** `pool`: one more buffer is being filled meanwhile, and two are full already when a thread is done. */
  constructor(options: WriterOptions, pool = new BufferPool(options.jobs + 3)) {
    this.#options = options
    this.#ownMarks.add(options.mark)
    this.#pool = pool
  }

  /**
   * Cuts, deduplicates and stores a stream; `onBytes` gets the size of each chunk. Several may be stored at the same time. Unchanged bytes
   * come in long pieces with `longMatches`. Throws as the stream does, and as the store does, perhaps only in a later call.
   */
  async stream(
    name: string, format: StreamRecord['format'], bytes: AsyncIterable<Uint8Array>, onBytes: (read: number) => void,
    { longMatches = false }: { longMatches?: boolean | undefined } = {},
  ): Promise<StreamRecord> {
    const whole = new StreamSum()
    const record: StreamRecord = { name, format, size: 0, sum: '', chunks: [] }
    // Chunks of earlier streams may be bases for this one: its chunks are read meanwhile, but sealed only afterwards.
    const stream: OpenStream = { number: streams++, longMatches, earlier: Promise.all(this.#running) }
    this.#begin()
    try {
      for await (const chunk of chunksOf(bytes, this.#options.keys.gear, this.#pool)) {
        const sum = chunkSum(chunk.bytes)
        whole.add(sum)
        record.size += chunk.bytes.length
        record.chunks.push(await this.#take(chunk, chunkId(sum, this.#options.keys), stream))
        this.#check()
        onBytes(chunk.bytes.length)
      }
    } catch (error) {
      await this.idle()
      throw error
    } finally {
      this.#reading--
    }
    record.sum = whole.hex()
    return record
  }

  /**
   * A stream of the newest snapshot (`KnownChunks.newest`) under another name, without reading it again; undefined unless every chunk of it
   * is still there. `onBytes` as above.
   */
  async reuse(name: string, record: StreamRecord, onBytes: (read: number) => void): Promise<StreamRecord | undefined> {
    const { known } = this.#options
    const chunks = record.chunks.map((index) => known.newest?.chunks[index])
    if (!chunks.every((chunk) => chunk !== undefined)) return undefined
    for (const chunk of chunks) if (!(await known.isThere(chunk))) return undefined
    const indexes = chunks.map((chunk) => this.#reference(chunk))
    this.#check()
    onBytes(record.size)
    return { ...record, name, chunks: indexes }
  }

  /**
   * Keys of objects that this run has listed and found damaged afterwards, while it read them as bases. Their content has passed, so the
   * snapshot would be damaged too: the sources must be read once more, with the writer that `again` gives.
   */
  lost(): string[] {
    return [...this.#listed.keys()].filter((key) => this.#options.known.isLost(key))
  }

  /**
   * A writer that begins again, under another mark; it uses everything that this one stored and that is not damaged. This one must be
   * settled; it keeps none of its memory, and is of no use afterwards.
   */
  again(mark: string): Writer {
    const { known, keys } = this.#options
    const next = new Writer({ ...this.#options, mark }, this.#pool)
    for (const one of this.#ownMarks) {
      next.#ownMarks.add(one)
      known.recipients.set(one, keys.recipientTags)
    }
    for (const listed of this.#fresh.values()) known.add(this.#chunks[listed]!)
    for (const list of [this.#entries, this.#chunks]) list.length = 0
    for (const map of [this.#listed, this.#fresh]) map.clear()
    next.#mostRead = this.#mostRead
    Object.assign(next.forRecipients, this.forRecipients)
    Object.assign(next.repaired, this.repaired)
    Object.assign(next.adopted, this.adopted)
    for (const [level, chunks] of this.levels) next.levels.set(level, chunks)
    return Object.assign(next, { added: this.added, newChunks: this.newChunks, deltaChunks: this.deltaChunks })
  }

  /**
   * Puts the snapshot, after every chunk it lists is durably stored: from then on the backup exists. Throws, and puts nothing, if one of
   * them is `lost`.
   */
  async commit(
    header: Pick<SnapshotHeader, 'format' | 'id' | 'set' | 'time' | 'tags' | 'partial' | 'until'>,
    content: Pick<Manifest, 'sources' | 'description' | 'run' | 'lifeboat'>,
  ): Promise<{ stored: number; chunks: number; size: number }> {
    await this.settled()
    const [lost] = this.lost()
    if (lost !== undefined) throw new LifeboatError(`the new snapshot would need ${lost}, which is damaged: no snapshot was stored`, {
      hint: marked`Check the disk or the service of the store, then run the backup again. ‹lifeboat verify; level: read› looks for ` +
        'more damage.',
    })
    const { keys, store } = this.#options
    const size = content.sources.reduce((sum, source) => sum + sourceSize(source), 0)
    const complete = { ...header, key: keys.fingerprint, size, added: this.added, recipients: this.#recipients(), chunks: this.#entries }
    const object = await encodeSnapshot(
      complete,
      {
        ...content,
        ...this.#earlierMarks(),
        anchors: this.#chunks.map((chunk) => chunk.anchors),
        spent: this.#chunks.map((chunk) => chunk.spent),
      },
      keys,
    )
    this.#check()
    const key = snapshotKey(header.set, header.id)
    await store.put(key, object)
    const reused = this.reused()
    await inEach(store, async ({ groups }) => {
      if (!groups) return
      const card = await encodeCard(complete, content, keys)
      if (card !== undefined) groups.describe(key, card)
      await groups.commit(reused)
    })
    return { stored: storedBytes(this.#entries), chunks: this.#entries.length, size }
  }

  /** The marks of chunks that earlier readings of this run put and that are listed. */
  #earlierMarks(): Pick<Manifest, 'marks'> {
    const listed = new Set(this.#entries.map((entry) => entry[4]))
    const marks = [...this.#ownMarks].filter((mark) => mark !== this.#options.mark && listed.has(mark))
    return marks.length > 0 ? { marks } : {}
  }

  /** The extra recipients of each mark whose objects are sealed to some: those that this run put, and those that it reuses. */
  #recipients(): SealedTo[] {
    const { keys, known } = this.#options
    const marks = [...new Set(this.#entries.map((entry) => entry[4]))].toSorted()
    const tagsOf = (mark: string): readonly string[] => (this.#ownMarks.has(mark) ? keys.recipientTags : (known.recipients.get(mark) ?? []))
    return marks.map((mark): SealedTo => [mark, ...tagsOf(mark)]).filter(({ length }) => length > 1)
  }

  /** Keys and stored sizes of all objects the snapshot needs. */
  listed(): Map<string, number> {
    return new Map(this.#entries.map(([id, , storedSize, , mark]) => [chunkKey(id, mark), storedSize]))
  }

  /** The objects the snapshot needs that this run did not put. */
  reused(): string[] {
    return this.#entries.filter((entry) => !this.#ownMarks.has(entry[4])).map((entry) => chunkKey(entry[0], entry[4]))
  }

  /** One more stream is read: each holds a buffer that is not full, and must not take that of another. */
  #begin(): void {
    if (++this.#reading <= this.#mostRead) return
    this.#mostRead++
    this.#pool.widen()
  }

  /** The chunk's index in the snapshot; starts storing it if it is new. */
  async #take(chunk: Chunk, id: string, stream: OpenStream): Promise<number> {
    const known = this.#fresh.has(id) ? undefined : await this.#options.known.find(id)
    const index = this.#fresh.get(id) ?? (known && this.#reference(known))
    if (index !== undefined) {
      chunk.release()
      return index
    }
    const fresh: KnownChunk = {
      id,
      size: chunk.bytes.length,
      storedSize: 0,
      mark: this.#options.mark,
      base: undefined,
      anchors: encodeAnchors(chunk.anchors),
      spent: 0,
    }
    const listed = this.#reference(fresh)
    this.#fresh.set(id, listed)
    const task = this.#store(fresh, chunk, stream)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#running.delete(task))
    this.#running.add(task)
    return listed
  }

  /** Lists a chunk, after its base, in the snapshot. The backup fails as soon as that would be larger than any reader accepts. */
  #reference(chunk: KnownChunk): number {
    const key = chunkKey(chunk.id, chunk.mark)
    const listed = this.#listed.get(key)
    if (listed !== undefined) return listed
    const base = chunk.base ? this.#reference(chunk.base) : null
    const index = this.#entries.push([chunk.id, chunk.size, chunk.storedSize, base, chunk.mark]) - 1
    this.#chunks.push(chunk)
    this.#listed.set(key, index)
    this.#snapshotBytes += listedBytes(chunk.anchors)
    if (this.#snapshotBytes > (this.#options.largestSnapshot ?? LIMITS.snapshot))
      this.#failure ??= { error: tooManyChunks(this.#entries.length) }
    return index
  }

  async #store(fresh: KnownChunk, chunk: Chunk, stream: OpenStream): Promise<void> {
    const { store, known } = this.#options
    const whole = canBeBase(chunk.bytes)
    let sealed: Buffer
    try {
      await stream.earlier
      this.#check()
      if (await this.#adopt(fresh, whole)) return
      await this.#options.unfinished?.begin()
      sealed = await this.#seal(fresh, chunk, stream)
      await this.#room.take(sealed.length)
    } finally {
      // Only once there is room: as long as the buffer is held, no further chunk is sealed and has to wait.
      chunk.release()
    }
    try {
      this.#check()
      await store.put(chunkKey(fresh.id, fresh.mark), sealed)
    } finally {
      this.#room.give(sealed.length)
    }
    fresh.storedSize = sealed.length
    const entry = this.#entryOf(fresh)
    entry[2] = sealed.length
    entry[3] = fresh.base ? this.#reference(fresh.base) : null
    fresh.spent += fresh.base ? sealed.length : 0
    this.added += sealed.length
    this.newChunks++
    const again = known.unsealed.ids.has(fresh.id) ? this.forRecipients : known.damaged.has(fresh.id) ? this.repaired : undefined
    if (again) {
      again.chunks++
      again.bytes += sealed.length
    }
    if (fresh.base) this.deltaChunks++
    // It is durably stored: only now may others depend on it.
    if (whole && !fresh.base) known.add(fresh)
  }

  /** Lists the object that an interrupted run put of this chunk, if there is one. */
  async #adopt(fresh: KnownChunk, whole: boolean): Promise<boolean> {
    const { known, unfinished } = this.#options
    const found = await unfinished?.find(fresh.id, fresh.size)
    if (!found) return false
    const { mark, storedSize, modified, recipients } = found
    known.recipients.set(mark, recipients)
    Object.assign(fresh, { mark, storedSize })
    const entry = this.#entryOf(fresh)
    entry[2] = storedSize
    entry[4] = mark
    this.#listed.set(chunkKey(fresh.id, mark), this.#fresh.get(fresh.id)!)
    this.adopted.chunks++
    this.adopted.bytes += storedSize
    if (!this.adopted.since || modified < this.adopted.since) this.adopted.since = modified
    if (whole) known.add(fresh)
    return true
  }

  #entryOf(fresh: KnownChunk): ChunkEntry {
    return this.#entries[this.#fresh.get(fresh.id)!]!
  }

  /** The chunk sealed, as a difference if that pays. */
  async #seal(fresh: KnownChunk, chunk: Chunk, { number, longMatches }: OpenStream): Promise<Buffer> {
    const { keys: { recipients }, compression, jobs: threads } = this.#options
    const from = await this.#baseFor(chunk)
    const difference: Sealing['difference'] = from && {
      base: from.plaintext,
      matches: longMatches || compression === 'fast' ? 'long' : ratioOf(from.base) <= REPETITIVE ? 'search' : 'first',
      expected: ratioOf(from.base) * chunk.bytes.length,
    }
    const how = { compression, stream: number, recipients, threads, ...(difference && { difference }) }
    const { sealed, level } = await seal(chunk.bytes, how)
    if (level !== undefined) this.levels.set(level, (this.levels.get(level) ?? 0) + 1)
    else if (from) [fresh.base, fresh.spent] = [from.base, from.spent]
    return sealed
  }

  /**
   * The most similar chunk stored whole, or what the most similar one is a difference from. Differences grow as content drifts away from
   * its base, so once those stored since the last whole copy add up to that copy's size, the chunk is stored whole again.
   */
  async #baseFor(chunk: Chunk): Promise<{ base: KnownChunk; spent: number; plaintext: Buffer } | undefined> {
    const { keys, known } = this.#options
    const similar = keys.identity === undefined ? undefined : known.similar.mostSimilar(chunk.anchors)
    if (!similar) return undefined
    const { spent, base = similar } = similar
    if (spent >= base.storedSize || !(await known.isThere(base))) return undefined
    const plaintext = await this.#plaintextOf(base)
    return plaintext && canBeBase(plaintext) ? { base, spent, plaintext } : undefined
  }

  /** The plaintext of a base in the store; undefined if the base is damaged: the chunk is then stored whole. */
  async #plaintextOf(base: KnownChunk): Promise<Buffer | undefined> {
    try {
      const entry: ChunkEntry = [base.id, base.size, base.storedSize, null, base.mark]
      return (await openChunk(this.#options.store, this.#options.keys, entry)).plaintext
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      if (error instanceof DamagedChunk) this.#options.known.lose(error.key)
      this.#options.onDamaged(error)
      return undefined
    }
  }

  #check(): void {
    this.#options.signal.throwIfAborted()
    if (this.#failure) throw this.#failure.error
  }

  /** How many objects the snapshot lists so far. */
  get listedObjects(): number {
    return this.#entries.length
  }

  /**
   * Of each of these streams, the parts whose chunks this writer put and which it listed after `first` objects; bytes as stored, and each
   * chunk once, at its first place. Only what is `settled` has its bytes.
   */
  addedSince(first: number, streams: readonly StreamRecord[]): StoredExtent[][] {
    const told = new Uint8Array(this.#entries.length - first)
    return streams.map(({ chunks }) => {
      const added: StoredExtent[] = []
      let start = 0
      for (const index of chunks) {
        const [, size, stored, , mark] = this.#entries[index]!
        if (index >= first && mark === this.#options.mark && told[index - first] === 0) {
          told[index - first] = 1
          added.push({ start, end: start + size, stored })
        }
        start += size
      }
      return added
    })
  }

  /** Waits until no chunk is being stored any more, whether that went well or not. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Waits until all chunks that were taken are stored; throws if one could not be. */
  async settled(): Promise<void> {
    await this.idle()
    this.#check()
  }
}

function ratioOf({ storedSize, size }: KnownChunk): number {
  return storedSize / size
}
