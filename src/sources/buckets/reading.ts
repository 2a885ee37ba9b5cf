import { ReadAgain } from '../source.ts'
import { LifeboatError } from '../../error.ts'
import { metaOf, pathOf } from '../files/entry.ts'
import { CollectedSizes } from '../files/member-sizes.ts'
import { memberHead, paddedSize, TAR_END } from '../files/tar-member.ts'
import type { BucketAccess, ObjectPiece } from './bucket.ts'
import { ChangedObject, ClosedObject } from './changes.ts'
import { entryOf, etagOf, isObjectEntry, keyOf, listedObject } from './entries.ts'
import { type Fetch, inOrder } from './in-order.ts'
import { recordsOf } from './metadata.ts'

/** Larger objects are read in pieces of this size, in bytes. */
const PIECE = 4 * 1024 * 1024
const AHEAD = { most: 16, bytes: 24 * 1024 * 1024 }

interface Fetched {
  entry: string
  /** Where in the object the piece begins. */
  start: number
  piece?: ObjectPiece
  missing?: ChangedObject | ClosedObject
}

/** One attempt to read the objects of a segment as an archive. Its fields tell how it went once `bytes` has been iterated. */
export class BucketReading {
  readonly #bucket: BucketAccess
  readonly #entries: readonly string[]
  begun = false
  /** Entries in the archive; they may be newer than the requested ones. */
  readonly read: string[] = []
  /** The sizes of these. */
  readonly sizes = new CollectedSizes()
  /** Requested entries that vanished or kept changing, and are left out. */
  readonly changed: string[] = []
  /** Entries that cannot be read and are left out, with the reason. */
  readonly unreadable: { entry: string; reason: LifeboatError | undefined }[] = []
  /** The entry of an object that changed after a part of it was read, so that the segment has to be read again. */
  broken: string | undefined

  constructor(bucket: BucketAccess, entries: readonly string[]) {
    this.#bucket = bucket
    this.#entries = entries
  }

  async *bytes(): AsyncGenerator<Buffer, void, void> {
    this.begun = true
    for await (const { entry, start, piece, missing } of inOrder(this.#fetches(), AHEAD)) {
      if (missing) this.#leaveOut(entry, start, missing)
      else {
        if (start === 0) yield this.#head(entry, piece)
        if (piece) yield* padded(piece.bytes, start + piece.bytes.length, metaOf(entry).size)
      }
    }
    yield TAR_END
  }

  /** Throws if a part of the object is in the archive already, or may be. */
  #leaveOut(entry: string, start: number, missing: ChangedObject | ClosedObject): void {
    const isFirst = start === 0
    if (missing instanceof ClosedObject && (isFirst || this.unreadable.at(-1)?.entry === entry)) {
      if (isFirst) this.unreadable.push({ entry, reason: missing.cause instanceof LifeboatError ? missing.cause : undefined })
      return
    }
    if (isFirst && metaOf(entry).size <= PIECE) {
      this.changed.push(entry)
      return
    }
    this.broken = entry
    throw new ReadAgain(`${keyOf(entry)} in ${this.#bucket.name} changed while it was read`)
  }

  #head(entry: string, piece: ObjectPiece | undefined): Buffer {
    this.read.push(entry)
    const { type, size, mode, uid, gid, mtime } = metaOf(entry)
    const path = pathOf(entry)
    const name = type === 'd' ? `./${path}${path === '' ? '' : '/'}` : `./${path}`
    const head = memberHead({
      name,
      type: type === 'd' ? '5' : '0',
      size,
      mode,
      uid,
      gid,
      mtime,
      linked: '',
      ...(piece && { records: recordsOf(piece.metadata) }),
    })
    this.sizes.add(listedObject(entry), head.length)
    return head
  }

  *#fetches(): Generator<Fetch<Fetched>, void, void> {
    for (const entry of this.#entries) {
      const { size } = metaOf(entry)
      if (!isObjectEntry(entry)) yield { size: 0, fetch: async () => ({ entry, start: 0 }) }
      else if (size <= PIECE) yield { size, fetch: () => this.#small(entry) }
      else
        for (let start = 0; start < size; start += PIECE)
          yield { size: Math.min(PIECE, size - start), fetch: () => this.#large(entry, start, Math.min(start + PIECE, size)) }
    }
  }

  /** An object that has changed since it was listed is looked up and read once more. */
  async #small(entry: string): Promise<Fetched> {
    const key = keyOf(entry)
    let current = entry
    for (let attempt = 1; ; attempt++) {
      try {
        const piece = await this.#bucket.read({ key, etag: etagOf(current) })
        if (piece.size !== metaOf(current).size) throw new ChangedObject('it has changed')
        return { entry: current, start: 0, piece }
      } catch (error) {
        if (error instanceof ClosedObject) return { entry, start: 0, missing: error }
        if (!(error instanceof ChangedObject)) throw error
        const now = attempt === 1 ? await this.#bucket.look(key) : undefined
        if (now === undefined || now.size > PIECE) return { entry, start: 0, missing: error }
        current = entryOf(now, pathOf(entry))
      }
    }
  }

  async #large(entry: string, start: number, end: number): Promise<Fetched> {
    try {
      const piece = await this.#bucket.read({ key: keyOf(entry), etag: etagOf(entry), range: { start, end } })
      if (piece.size !== metaOf(entry).size) throw new ChangedObject('it has changed')
      return { entry, start, piece }
    } catch (error) {
      if (error instanceof ChangedObject || error instanceof ClosedObject) return { entry, start, missing: error }
      throw error
    }
  }
}

/** A piece that ends at `end` of an object, filled up to a whole block if it is the last. */
function* padded(bytes: Buffer, end: number, size: number): Generator<Buffer, void, void> {
  yield bytes
  const left = paddedSize(size) - size
  if (left > 0 && end >= size) yield Buffer.alloc(left)
}
