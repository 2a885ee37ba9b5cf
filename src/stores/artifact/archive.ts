import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { AGAIN, type Answer, request } from '../../net/http.ts'
import { retry, Transient } from '../../net/retry.ts'
import { DamagedObject } from '../store.ts'
import { ContentGone, Gone, type ServiceArtifact } from './github.ts'
import { BadZip, type Directory, findDirectory, readDirectory, readEntry, type ZipEntry } from './zip.ts'

/** Read at once from the end: in most artifacts this has the directory, parts.json and the snapshot. */
const TAIL = 256 * 1024

export interface ArchiveOptions {
  artifact: ServiceArtifact
  /** Where its zip file can be read for a short time. */
  locate(): Promise<URL>
  /** Folder for an artifact that cannot be read in pieces. */
  temporary: string
  signal: AbortSignal
  /** Milliseconds that one read may take with all its retries. */
  timeout: number
}

/** An artifact that is missing bytes or has wrong ones. */
export class DamagedArtifact extends DamagedObject {
  constructor(message: string, cause?: unknown, hint = marked`Snapshots that need nothing of it are not affected; ‹lifeboat list› ` +
    'shows them.') {
    super(message, { cause, hint })
    this.name = 'DamagedArtifact'
  }
}

/**
 * The zip file of one artifact, read in place: blob storage answers range requests, so that only the bytes needed travel. Where something
 * in between does not answer them, the whole file is fetched once, its SHA-256 compared, and read from disk.
 */
export class Archive {
  readonly #options: ArchiveOptions
  readonly #label: string
  #url: Promise<URL> | undefined
  #tail: { start: number; bytes: Buffer } | undefined
  #file: { handle: FileHandle; path: string } | undefined
  #fetching: Promise<void> | undefined

  constructor(options: ArchiveOptions) {
    this.#options = options
    this.#label = `artifact ${options.artifact.name} (${options.artifact.id})`
  }

  /** Where its directory lies. The bytes read for that serve `entries` and `read` as well, until `forget`. */
  async directory(): Promise<Directory> {
    return this.#checked(async () => {
      const { size } = this.#options.artifact
      const start = Math.max(0, size - TAIL)
      this.#tail ??= { start, bytes: size > 0 ? await this.#fetch(start, size) : Buffer.alloc(0) }
      return findDirectory((from, to) => this.#read(from, to), size)
    })
  }

  async entries(directory: Directory): Promise<ZipEntry[]> {
    return this.#checked(() => readDirectory((start, end) => this.#read(start, end), directory))
  }

  forget(): void {
    this.#tail = undefined
  }

  async read(entry: ZipEntry): Promise<Buffer> {
    return this.#checked(() => readEntry((start, end) => this.#read(start, end), entry))
  }

  async close(): Promise<void> {
    if (!this.#file) return
    await this.#file.handle.close()
    await rm(this.#file.path, { force: true })
  }

  async #checked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof BadZip) throw new DamagedArtifact(`${this.#label} is damaged: ${error.message}`, error.cause)
      throw error
    }
  }

  async #read(start: number, end: number): Promise<Buffer> {
    if (start < 0 || end > this.#options.artifact.size || start > end) throw new BadZip(`it has no bytes ${start} to ${end}`)
    if (start === end) return Buffer.alloc(0)
    // A copy: who gets it may give its memory back.
    if (this.#tail && start >= this.#tail.start) {
      return Buffer.from(this.#tail.bytes.subarray(start - this.#tail.start, end - this.#tail.start))
    }
    return this.#fetch(start, end)
  }

  async #fetch(start: number, end: number): Promise<Buffer> {
    const { signal, timeout } = this.#options
    if (this.#file) return readFrom(this.#file.handle, start, end)
    const read = (): Promise<Buffer | undefined> => retry((limit) => this.#range(start, end, limit), { signal, budget: timeout })
    // A 404 may pass: it is believed when it comes twice.
    const piece = await read().catch((error: unknown) => {
      if (error instanceof Gone) return read()
      throw error
    })
    if (piece) return piece
    await (this.#fetching ??= this.#fetchWhole())
    return readFrom(this.#file!.handle, start, end)
  }

  /** Undefined when ranges are not answered here. */
  async #range(start: number, end: number, limit: number): Promise<Buffer | undefined> {
    const { signal, artifact } = this.#options
    const url = await this.#location()
    const whole = new Whole()
    let answer
    try {
      const sink = async (piece: Uint8Array, { status, headers }: Pick<Answer, 'status' | 'headers'>): Promise<void> => {
        this.#refusePage(url, headers)
        if (status !== 206) throw whole
        pieces.push(piece)
      }
      const pieces: Uint8Array[] = []
      answer = await request(
        url,
        { headers: { range: `bytes=${start}-${end - 1}` } },
        { signal, silence: limit, maximum: Math.max(end - start, 65536), sink },
      )
      answer.body = answer.status === 206 ? Buffer.concat(pieces) : answer.body
    } catch (error) {
      if (error === whole) return undefined
      throw error
    }
    if (answer.status !== 206) throw this.#refused(url, answer.status)
    const range = answer.headers.get('content-range') ?? ''
    const total = Number(/\/(\d+)$/.exec(range)?.[1])
    // RFC 9110, section 14.4: a server need not tell the total.
    if (total !== artifact.size && !range.endsWith('/*')) {
      throw new DamagedArtifact(`${this.#label} is truncated: ${total} bytes are stored instead of ${artifact.size}`)
    }
    if (answer.body.length !== end - start) {
      throw new Transient(`${url.host} sent ${answer.body.length} bytes of ${this.#label} instead of ${end - start}`, { hint: AGAIN })
    }
    return answer.body
  }

  #location(): Promise<URL> {
    this.#url ??= this.#options.locate().catch((error: unknown) => {
      this.#url = undefined
      throw error
    })
    return this.#url
  }

  /** A signed URL is good for a short time only: 403 means that another one is needed, and that it is worth another try. */
  #refused(url: URL, status: number): LifeboatError {
    this.#url = undefined
    if (status === 404) return new ContentGone(this.#options.artifact.name, this.#options.artifact.id)
    if (status === 416) {
      return new DamagedArtifact(`${this.#label} is truncated: it has fewer bytes than the ${this.#options.artifact.size} it should have`)
    }
    return new Transient(`${url.host} answered with status ${status} to the download of ${this.#label}`, { hint: AGAIN })
  }

  /** A proxy or a service in trouble may answer with a page for people, and with status 200. */
  #refusePage(url: URL, headers: Headers): void {
    if (!headers.get('content-type')?.startsWith('text/html')) return
    this.#url = undefined
    throw new Transient(`${url.host} answered with a page for people to the download of ${this.#label}`, { hint: AGAIN })
  }

  async #fetchWhole(): Promise<void> {
    const { signal, timeout, temporary, artifact } = this.#options
    await mkdir(temporary, { recursive: true, mode: 0o700 })
    const file = path.join(temporary, `artifact-${artifact.id}-${randomUUID()}.zip`)
    try {
      await retry((limit) => this.#download(file, limit), { signal, budget: timeout })
      this.#file = { path: file, handle: await open(file, 'r') }
    } catch (error) {
      this.#fetching = undefined
      await rm(file, { force: true })
      throw error
    }
  }

  async #download(file: string, limit: number): Promise<void> {
    const { signal, artifact } = this.#options
    const url = await this.#location()
    const handle = await open(file, 'w', 0o600)
    const hash = createHash('sha256')
    let size = 0
    try {
      const sink = async (piece: Uint8Array, { headers }: Pick<Answer, 'headers'>): Promise<void> => {
        this.#refusePage(url, headers)
        hash.update(piece)
        size += piece.length
        await handle.writeFile(piece)
      }
      const { status } = await request(url, {}, { signal, silence: limit, maximum: artifact.size, sink })
      if (status !== 200) throw this.#refused(url, status)
    } finally {
      await handle.close()
    }
    if (size !== artifact.size) throw new DamagedArtifact(`${this.#label} is truncated: ${size} bytes came instead of ${artifact.size}`)
    const digest = `sha256:${hash.digest('hex')}`
    if (artifact.digest !== undefined && digest !== artifact.digest) {
      throw new DamagedArtifact(
        `${this.#label} is damaged: its digest is ${digest}, GitHub recorded ${artifact.digest} when it was uploaded`,
      )
    }
  }
}

/** Thrown to leave a request whose answer is the whole file. */
class Whole extends LifeboatError {
  constructor() {
    super('the whole file is sent instead of a part of it')
  }
}

async function readFrom(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start)
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
  if (bytesRead !== bytes.length) throw new BadZip(`it has no bytes ${start} to ${end}`)
  return bytes
}
