import { messageOf } from '../../error.ts'
import { shownName, type ListedFile } from '../files/file-list.ts'
import { BadTar, type TarEntry, TarHeaders } from '../files/tar-headers.ts'
import type { BucketAccess, MultipartUpload } from './bucket.ts'
import { keyOfPath } from './keys.ts'
import { type Metadata, metadataIn } from './metadata.ts'
import { Transfers } from './transfers.ts'

/**
 * Objects up to this size, in bytes, are put in one piece, larger ones in parts of this size. Most clients do the same, so that ETags are
 * equal.
 */
const PART = 8 * 1024 * 1024
/** Amazon S3, "Multipart upload limits". */
const MOST_PARTS = 10_000

/** An object on its way from an archive to a bucket. */
interface Moving {
  key: string
  metadata: Metadata
  partSize: number
  /** Bytes still to come. */
  left: number
  pieces: Buffer[]
  held: number
  /** Number of parts so far, of an object in several parts. */
  parts: number
  upload?: MultipartUpload
}

/** Puts the needed objects of archives into a bucket, while the archives are read. */
export class Putting {
  readonly #bucket: BucketAccess
  readonly #needed: ReadonlyMap<string, ListedFile>
  readonly #headers: TarHeaders
  readonly #transfers = new Transfers()
  /** Members that begin (undefined: not needed) and bytes of content, in order. */
  #events: (Moving | undefined | Buffer)[] = []
  #moving: Moving | undefined
  /** Number of needed objects so far. */
  taken = 0

  /** `needed`: files of the list, by path. */
  constructor(bucket: BucketAccess, needed: ReadonlyMap<string, ListedFile>) {
    this.#bucket = bucket
    this.#needed = needed
    this.#headers = new TarHeaders(
      (entry, _, attributes) => this.#events.push(this.#moved(entry, attributes)),
      (bytes) => this.#events.push(bytes),
    )
  }

  /** Takes the next bytes of the archives, which follow one another. Throws BadTar, and errors of puts. */
  async push(bytes: Buffer): Promise<void> {
    this.#events = []
    this.#headers.push(bytes)
    for (const event of this.#events) {
      if (Buffer.isBuffer(event)) await this.#take(event)
      else {
        this.#moving = event
        if (event && event.left > event.partSize) event.upload = await this.#bucket.begin(event.key, event.metadata)
        if (event?.left === 0) await this.#finish(event)
      }
    }
  }

  /** To be called at the end of each archive. */
  endArchive(): void {
    this.#headers.end()
  }

  /** Resolves when all objects have been put. */
  settled(): Promise<void> {
    return this.#transfers.settled()
  }

  /** Aborts the upload that is not complete. */
  async abort(tell: (message: string) => void): Promise<void> {
    await this.settled().catch(() => undefined) // The caller has thrown it already.
    try {
      await this.#moving?.upload?.abort()
    } catch (error) {
      tell(`parts of an upload are left in ${this.#bucket.name}: ${messageOf(error)}`)
    }
  }

  #moved({ name, type, size }: TarEntry, attributes: ReadonlyMap<string, string>): Moving | undefined {
    const path = name.replace(/^\.\//, '')
    const file = this.#needed.get(path)
    if (file === undefined) return undefined
    const [key, metadata] = [keyOfPath(path), metadataIn(attributes)]
    if (type !== 'file' || size !== file.size || metadata['key'] !== key)
      throw new BadTar(`the archive has something else than its list where that has ${shownName(path)}`)
    this.taken++
    return { key, metadata, partSize: Math.max(PART, Math.ceil(size / MOST_PARTS)), left: size, pieces: [], held: 0, parts: 0 }
  }

  /** Takes content, and the padding after it. */
  async #take(bytes: Buffer): Promise<void> {
    const moving = this.#moving
    if (!moving) return
    for (let rest = bytes.subarray(0, moving.left); rest.length > 0; ) {
      const piece = rest.subarray(0, moving.partSize - moving.held)
      rest = rest.subarray(piece.length)
      moving.pieces.push(piece)
      moving.held += piece.length
      moving.left -= piece.length
      if (moving.left === 0) await this.#finish(moving)
      else if (moving.held === moving.partSize) await this.#part(moving, moving.upload!)
    }
  }

  async #part(moving: Moving, upload: MultipartUpload): Promise<void> {
    const [number, bytes] = [++moving.parts, heldBy(moving)]
    await this.#transfers.begin(bytes.length, () => upload.part(number, bytes))
  }

  async #finish(moving: Moving): Promise<void> {
    const { key, metadata, upload } = moving
    if (upload === undefined) {
      const bytes = heldBy(moving)
      return this.#transfers.begin(bytes.length, () => this.#bucket.put(key, bytes, metadata))
    }
    await this.#part(moving, upload)
    await this.#transfers.settled()
    await upload.complete()
    this.#moving = undefined
  }
}

function heldBy(moving: Moving): Buffer {
  const bytes = Buffer.concat(moving.pieces)
  moving.pieces = []
  moving.held = 0
  return bytes
}
