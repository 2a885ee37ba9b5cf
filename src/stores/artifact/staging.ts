import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { LifeboatError, messageOf } from '../../error.ts'
import { INDEX } from './index-file.ts'
import { objectKey, PARTS } from './parts.ts'
import { LARGEST_DIRECTORY } from './zip.ts'

export interface Staged {
  file: string
  size: number
  crc: number
  sha256: string
}

/** The objects that wait on disk to be uploaded as one artifact. */
export class Staging {
  /** The folder that their names in the artifact are relative to. */
  readonly root: string
  readonly #folder: string
  readonly #objects = new Map<string, Staged>()
  /**
   * By key, what is in every artifact of a backup, so that each can be read by itself: the mark of the store, key files, how to recover.
   */
  readonly #common = new Map<string, Uint8Array>()
  #made = false
  /** Bytes that the directory of the zip file will have, generously counted. */
  #directory = 0

  constructor(temporary: string) {
    this.#folder = path.join(temporary, `artifact-${randomUUID()}`)
    this.root = path.join(this.#folder, 'objects')
  }

  get objects(): ReadonlyMap<string, Staged> {
    return this.#objects
  }

  /** Keys of the objects that belong to one backup. */
  get content(): string[] {
    return [...this.#objects.keys()].filter((key) => !isCommon(key))
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#stage(key, bytes)
    if (isCommon(key)) this.#common.set(key, bytes)
  }

  /** Stages what is in every artifact of a backup, or takes it away for one without. */
  async stageCommon(wanted: boolean): Promise<void> {
    for (const [key, bytes] of this.#common) await (wanted ? this.#stage(key, bytes) : this.#remove(key))
  }

  async #stage(key: string, bytes: Uint8Array): Promise<void> {
    const file = path.join(this.root, objectKey.parse(key))
    const written = path.join(this.#folder, randomUUID())
    const staged = { file, size: bytes.length, crc: crc32(bytes), sha256: createHash('sha256').update(bytes).digest('hex') }
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
      this.#made = true
      await writeFile(written, bytes, { mode: 0o600 })
      await rename(written, file)
    } catch (cause) {
      throw new LifeboatError(`cannot stage ${key} in ${this.#folder}: ${messageOf(cause)}`, {
        cause,
        hint: 'A backup gathers there what it adds before it uploads it. Free some space, or set RUNNER_TEMP to a larger disk.',
      })
    }
    if (!this.#objects.has(key)) this.#directory += key.length + 80
    this.#objects.set(key, staged)
    if (this.#directory > LARGEST_DIRECTORY) {
      throw new LifeboatError(`this backup adds too much for one artifact: ${this.#objects.size} objects`, {
        hint: 'Use another destination, or back up fewer sources at a time.',
      })
    }
  }

  read(staged: Staged): Promise<Buffer> {
    return readFile(staged.file)
  }

  async delete(key: string): Promise<void> {
    this.#common.delete(key)
    await this.#remove(key)
  }

  async #remove(key: string): Promise<void> {
    const staged = this.#objects.get(key)
    this.#objects.delete(key)
    if (staged) await rm(staged.file, { force: true })
  }

  /** Removes all objects. The common ones are staged again for the next artifact. */
  async clear(): Promise<void> {
    this.#objects.clear()
    this.#directory = 0
    if (this.#made) await rm(this.#folder, { recursive: true, force: true })
  }
}

/** These do not belong to one backup. */
function isCommon(key: string): boolean {
  return key !== PARTS && key !== INDEX && /^(keys\/)?[^/]+$/.test(key)
}
