import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { INDEX } from './index-file.ts'
import { objectKey, PARTS, sha256Of } from './parts.ts'
import { LARGEST_DIRECTORY } from './zip.ts'

export interface Staged {
  file: string
  size: number
  crc: number
  sha256: string
}

/** The objects that wait on disk to be uploaded. */
export class Staging {
  /** The folder that their names in an artifact are relative to. */
  readonly root: string
  readonly #folder: string
  readonly #objects = new Map<string, Staged>()
  /**
   * By key, what is in every artifact of a backup, so that each can be read by itself: the mark of the store, key files, how to recover.
   */
  readonly #common = new Map<string, Uint8Array>()
  #made = false

  constructor(temporary: string) {
    this.#folder = path.join(temporary, `artifact-${randomUUID()}`)
    this.root = path.join(this.#folder, 'objects')
  }

  get objects(): ReadonlyMap<string, Staged> {
    return this.#objects
  }

  /** Keys of the objects that belong to one backup. */
  get content(): string[] {
    return [...this.#objects.keys()].filter((key) => !isCommon(key) && !isNote(key))
  }

  /** Keys of the notes that a run which is interrupted leaves for the next one: they are needed only with its parts. */
  get notes(): string[] {
    return [...this.#objects.keys()].filter(isNote)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#objects.set(key, await this.#write(key, bytes))
    if (isCommon(key)) this.#common.set(key, bytes)
  }

  /** The content of an artifact: objects with these keys and, with `common`, those that are in every artifact of a backup. */
  async select(keys: readonly string[], { common }: { common: boolean }): Promise<Map<string, Staged>> {
    const selected = new Map<string, Staged>()
    let directory = 0
    const add = (key: string, staged: Staged): void => {
      selected.set(key, staged)
      directory += directoryBytes(key)
    }
    if (common) for (const [key, bytes] of this.#common) add(key, this.#objects.get(key) ?? (await this.#write(key, bytes)))
    for (const key of keys) add(key, this.#objects.get(key)!)
    if (directory <= LARGEST_DIRECTORY) return selected
    throw new LifeboatError(`this backup adds too much for one artifact: ${selected.size} objects`, {
      hint: 'Use another destination, or back up fewer sources at a time.',
    })
  }

  /** Writes parts.json, over that of the artifact before. */
  async writeParts(bytes: Uint8Array): Promise<Staged> {
    return this.#write(PARTS, bytes)
  }

  async #write(key: string, bytes: Uint8Array): Promise<Staged> {
    const file = path.join(this.root, objectKey.parse(key))
    const written = path.join(this.#folder, randomUUID())
    const staged = { file, size: bytes.length, crc: crc32(bytes), sha256: sha256Of(bytes) }
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
      this.#made = true
      await writeFile(written, bytes, { mode: 0o600 })
      await rename(written, file)
    } catch (cause) {
      throw new LifeboatError(`cannot stage ${key} in ${this.#folder}: ${messageOf(cause)}`, {
        cause,
        hint:
          marked`A backup stages there what it adds before it uploads it. Free some space, lower ‹staging-limit›, or set RUNNER_TEMP to ` +
          'a larger disk.',
      })
    }
    return staged
  }

  /** Undefined for an object that is not, or no longer, on disk. */
  async read(key: string): Promise<Buffer | undefined> {
    const staged = this.#objects.get(key)
    if (!staged) return undefined
    try {
      return await readFile(staged.file)
    } catch (error) {
      // A part that was uploaded meanwhile.
      if (this.#objects.get(key) !== staged) return undefined
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    this.#common.delete(key)
    const staged = this.#objects.get(key)
    this.#objects.delete(key)
    if (staged) await rm(staged.file, { force: true })
  }

  /** Removes all objects. The common ones are staged again for the next artifact. */
  async clear(): Promise<void> {
    this.#objects.clear()
    if (this.#made) await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Bytes that an object takes in the directory of a zip file, generously counted. */
export function directoryBytes(key: string): number {
  return key.length + 80
}

/** These do not belong to one backup. */
function isCommon(key: string): boolean {
  return key !== INDEX && /^(keys\/)?[^/]+$/.test(key)
}

function isNote(key: string): boolean {
  return key.startsWith('runs/')
}
