import { directoryBytes, type Staging } from './staging.ts'
import { LARGEST_DIRECTORY } from './zip.ts'

/**
 * A part is full at an eighth of the bytes that may be staged: one is filled, one is uploaded, and the others wait. So neither the dump nor
 * the upload waits for the other if they are about as fast. A sixteenth of what was put before is left to upload when the dump has ended,
 * or less: parts of large backups may have up to a quarter, since GitHub takes only so many artifacts.
 */
const SHARE = 8
const OF_ALL = 16
export const LARGEST_SHARE = 4

/** Objects that become an artifact of their own. */
interface Part {
  keys: Set<string>
  bytes: number
  /** Bytes that they take in the directory of a zip file. */
  directory: number
  writing: Promise<void>[]
}

/** Uploads a part. When it resolves, the next upload may begin; the result checks the part, and makes it readable in its artifact. */
export type UploadPart<T> = (keys: readonly string[]) => Promise<() => Promise<T>>

/**
 * Bounds what a backup stages: chunks become parts, which are uploaded one after the other while further chunks are put. A put waits as
 * long as there is no room, and throws as soon as an upload has failed.
 */
export class PartUploads<T> {
  readonly #staging: Staging
  readonly #limit: number
  readonly #upload: UploadPart<T>
  #filling = emptyPart()
  /** Bytes of chunks that were put. */
  #put = 0
  /** Bytes of chunks on disk. */
  #staged = 0
  /** The last upload that was asked for. */
  #queue: Promise<unknown> = Promise.resolve()
  readonly #underWay = new Set<Promise<void>>()
  #uploaded: T[] = []
  #failure: { error: unknown } | undefined

  /** `limit`: bytes that may be staged. */
  constructor(staging: Staging, limit: number, upload: UploadPart<T>) {
    this.#staging = staging
    this.#limit = limit
    this.#upload = upload
  }

  /** Stages an object. Only chunks go into parts: the snapshot, which makes the backup exist, is in the last artifact. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#check()
    if (!key.startsWith('chunks/')) return this.#staging.put(key, bytes)
    // An object that is larger than the limit has all of the room alone.
    while (this.#staged > 0 && this.#staged + bytes.length > this.#limit) await this.#change()
    const part = this.#partFor(key, bytes.length)
    const written = this.#staging.put(key, bytes)
    part.writing.push(written)
    await written
  }

  /** Waits until all parts are uploaded and checked. The objects that are left on disk are for the last artifact of the backup. */
  async finish(): Promise<T[]> {
    await Promise.all(this.#underWay)
    this.#check()
    const uploaded = this.#uploaded
    ;[this.#uploaded, this.#filling, this.#staged] = [[], emptyPart(), 0]
    return uploaded
  }

  /** Waits until nothing is read from disk any more; the uploads must have been stopped. */
  async end(): Promise<void> {
    await this.#queue
  }

  /** Waits until the upload of a part has ended. */
  async #change(): Promise<void> {
    if (this.#underWay.size === 0) this.#close()
    await Promise.race(this.#underWay)
    this.#check()
  }

  /** The part that an object belongs to, which is counted there at once: others are put at the same time. */
  #partFor(key: string, bytes: number): Part {
    const directory = directoryBytes(key)
    const full = Math.max(this.#limit / SHARE, Math.min(this.#limit / LARGEST_SHARE, this.#put / OF_ALL))
    if (this.#filling.bytes + bytes > full || this.#filling.directory + directory > LARGEST_DIRECTORY / 2) this.#close()
    const part = this.#filling
    part.keys.add(key)
    part.bytes += bytes
    part.directory += directory
    this.#put += bytes
    this.#staged += bytes
    return part
  }

  #close(): void {
    const part = this.#filling
    if (part.keys.size === 0) return
    this.#filling = emptyPart()
    const upload = this.#queue.then(async () => {
      await Promise.all(part.writing)
      this.#check()
      return this.#upload([...part.keys])
    })
    this.#queue = upload.catch(() => undefined)
    const done = this.#conclude(part, upload).finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }

  async #conclude(part: Part, upload: Promise<() => Promise<T>>): Promise<void> {
    try {
      this.#uploaded.push(await (await upload)())
      for (const key of part.keys) await this.#staging.delete(key)
      this.#staged -= part.bytes
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error
  }
}

function emptyPart(): Part {
  return { keys: new Set(), bytes: 0, directory: 0, writing: [] }
}
