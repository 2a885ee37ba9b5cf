import { randomUUID } from 'node:crypto'
import { lstat, readdir, rename, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import path from 'node:path'
import { makeFolders, readUpTo, refuseLinks, syncFolder, writeDurably } from './disk.ts'
import { ABSENT, fileError, isErrno, isFull, linkedFolder } from './errors.ts'
import { type Mounting, refuseUnmounted } from './mount.ts'
import { noPlace, otherFiles } from '../place.ts'
import { checkKey, isKey, NotFound, type Store, type StoredObject } from '../store.ts'
import { INCOMING, isAbandoned } from '../walk.ts'

/**
 * A store in a folder. A put writes a temporary file, syncs it, renames it into place and syncs the folder. Links below the folder are not
 * followed, and what is no plain file counts as a damaged object.
 */
export class FileStore implements Store {
  readonly name: string
  readonly #root: string
  readonly #mounting: Mounting
  /** Folders known to exist durably, so that each is made and its parents synced once. */
  readonly #folders = new Map<string, Promise<void>>()
  /** Temporary files of puts that failed, as far as they could not be removed at once. */
  readonly #left = new Set<string>()
  /** Folders that were missing, the store's own first. */
  readonly #made: string[] = []
  /** Or has tried to. */
  #wrote = false

  constructor(root: string, mounting: Mounting = { mounted: undefined }) {
    this.#root = path.resolve(root)
    this.#mounting = mounting
    this.name = `file:${this.#root}`
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const target = this.#path(key)
    const name = randomUUID()
    const temporary = path.join(this.#root, INCOMING, name)
    try {
      await this.#refuseLinks(path.dirname(key))
      await this.#refuseLinks(INCOMING)
      await this.#folder(path.dirname(target))
      await this.#folder(path.dirname(temporary))
      this.#wrote = true
      await writeDurably(temporary, bytes).catch(async (error: unknown) => {
        if (!isFull(error)) throw error
        await rm(temporary, { force: true })
        await this.sweep()
        await writeDurably(temporary, bytes)
      })
      await rename(temporary, target)
      await syncFolder(path.dirname(target))
    } catch (cause) {
      this.#left.add(name)
      await this.#discard(name)
      throw fileError(`cannot write ${key} to ${this.name}`, cause)
    }
  }

  async requirePlace(own: readonly string[]): Promise<void> {
    const above = path.dirname(this.#root)
    try {
      await refuseUnmounted(this.#root, this.#mounting)
      await stat(above)
    } catch (cause) {
      throw isErrno(cause, 'ENOENT') ? noPlace(this.name, above) : fileError(`cannot look into ${above}`, cause)
    }
    const names = await namesIn(this.#root)
    if (own.some((name) => names.includes(name))) return
    const others: string[] = []
    for (const name of names) if (isVisible(name) && !(await isEmptyFolder(path.join(this.#root, name)))) others.push(name)
    if (others.length > 0) throw otherFiles(this.name, others)
  }

  async removeMade(): Promise<void> {
    // In a store that was there, another run may be about to write into them.
    if (this.#made[0] !== this.#root) return
    this.#folders.clear()
    for (const folder of this.#made.splice(0).toReversed()) {
      await rmdir(folder).catch((cause: unknown) => {
        if (!isErrno(cause)) throw cause
      })
    }
  }

  async get(key: string, most: number): Promise<Buffer> {
    const file = this.#path(key)
    try {
      await this.#refuseLinks(path.dirname(key))
      return await readUpTo(file, most, key, this.name)
    } catch (cause) {
      if (isErrno(cause, ...ABSENT)) throw new NotFound(key, this.name, { cause })
      throw fileError(`cannot read ${key} from ${this.name}`, cause)
    }
  }

  async head(key: string): Promise<StoredObject> {
    const file = this.#path(key)
    try {
      await this.#refuseLinks(path.dirname(key))
      const found = await lstat(file)
      if (!found.isDirectory()) return { key, size: found.size, modified: found.mtime }
    } catch (cause) {
      if (!isErrno(cause, ...ABSENT)) throw fileError(`cannot read ${key} from ${this.name}`, cause)
    }
    throw new NotFound(key, this.name)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '') this.#path(folder.slice(0, -1))
    for await (const key of this.#walk(folder, prefix)) {
      if (!key.startsWith(prefix)) continue
      try {
        const { size, mtime } = await lstat(this.#path(key))
        yield { key, size, modified: mtime }
      } catch (cause) {
        // Deleted by another run since its folder was read: not there any more.
        if (!isErrno(cause, 'ENOENT')) throw fileError(`cannot list ${this.name}`, cause)
      }
    }
  }

  async *#walk(folder: string, prefix: string): AsyncGenerator<string, void, void> {
    let entries
    try {
      await this.#refuseLinks(folder)
      entries = await readdir(path.join(this.#root, folder), { withFileTypes: true })
    } catch (cause) {
      if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return
      throw fileError(`cannot list ${this.name}`, cause)
    }
    for (const entry of entries) {
      // A name that no key can have was put there by someone else: a file manager, a NAS.
      if ((entry.name === INCOMING && folder === '') || !isKey(entry.name)) continue
      const key = folder + entry.name
      if (entry.isDirectory()) {
        if (key.startsWith(prefix) || prefix.startsWith(`${key}/`)) yield* this.#walk(`${key}/`, prefix)
      } else if (entry.isSymbolicLink() && (await leadsToFolder(path.join(this.#root, key)))) {
        throw linkedFolder(key, this.name)
      } else {
        // Also what is no plain file: left out, a snapshot would seem not to be there, and a prune would delete what it needs.
        yield key
      }
    }
  }

  async delete(key: string): Promise<void> {
    const file = this.#path(key)
    try {
      await this.#refuseLinks(path.dirname(key))
      await unlink(file)
    } catch (cause) {
      if (!isErrno(cause, ...ABSENT)) throw fileError(`cannot delete ${key} from ${this.name}`, cause)
    }
  }

  /** Of the disk that the folder is on, or will be. */
  async free(): Promise<number> {
    for (let folder = this.#root; ; folder = path.dirname(folder)) {
      try {
        const { bavail, bsize } = await statfs(folder)
        return bavail * bsize
      } catch (cause) {
        if (!isErrno(cause, 'ENOENT') || folder === path.dirname(folder)) {
          throw fileError(`cannot ask ${this.name} for its free space`, cause)
        }
      }
    }
  }

  /** Only plain files that are named as ours are, directly in the folder of uploads. */
  async sweep(): Promise<void> {
    for (const name of this.#left) await this.#discard(name)
    try {
      await this.#refuseLinks(INCOMING)
      for (const entry of await readdir(path.join(this.#root, INCOMING), { withFileTypes: true })) {
        if (!entry.isFile() || !isAbandoned(entry.name, (await lstat(path.join(this.#root, INCOMING, entry.name))).mtime)) continue
        await unlink(path.join(this.#root, INCOMING, entry.name))
      }
    } catch (cause) {
      // Another run finished or removed one, or it is another user's to remove.
      if (!isErrno(cause, ...ABSENT, 'EACCES', 'EPERM', 'EROFS')) throw fileError(`cannot clean up ${this.name}`, cause)
    }
  }

  /** After a run that wrote, removes what uploads left behind. */
  async close(): Promise<void> {
    if (this.#wrote) await this.sweep()
  }

  /** Removes a temporary file of this run; where the system refuses, `sweep` tries again. */
  async #discard(name: string): Promise<void> {
    try {
      await this.#refuseLinks(INCOMING)
      await rm(path.join(this.#root, INCOMING, name), { force: true })
      this.#left.delete(name)
    } catch (error) {
      if (!isErrno(error)) throw error
    }
  }

  #refuseLinks(folder: string): Promise<void> {
    return refuseLinks(this.#root, folder, this.name)
  }

  #path(key: string): string {
    return path.join(this.#root, checkKey(key))
  }

  /** Makes a folder of the store, and the store's own with everything above it, each durable in its parent. */
  #folder(folder: string): Promise<void> {
    let made = this.#folders.get(folder)
    if (!made) {
      made = this.#makeFolder(folder)
      this.#folders.set(folder, made)
    }
    return made
  }

  async #makeFolder(folder: string): Promise<void> {
    try {
      if (folder !== this.#root) await this.#folder(path.dirname(folder))
      else await refuseUnmounted(this.#root, this.#mounting)
      if (await makeFolders(folder)) this.#made.push(folder)
      // Also where it is there already: who made it may not have come to sync it, or been killed before.
      if (folder !== this.#root) await syncFolder(path.dirname(folder))
    } catch (cause) {
      this.#folders.delete(folder)
      throw cause
    }
  }
}

/** Whether what a link names is a folder; false for a link that leads nowhere. */
async function leadsToFolder(link: string): Promise<boolean> {
  try {
    return (await stat(link)).isDirectory()
  } catch (cause) {
    if (isErrno(cause)) return false
    throw cause
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    // The first put says why a file cannot be a folder.
    if (isErrno(cause, ...ABSENT)) return []
    throw fileError(`cannot list ${folder}`, cause)
  }
}

/** File systems and their servers make folders of their own: `lost+found`, `.snapshot`, `@eaDir`, `System Volume Information`. */
function isVisible(name: string): boolean {
  return !/^[.@#$]/.test(name) && name !== 'lost+found' && name !== 'System Volume Information'
}

async function isEmptyFolder(file: string): Promise<boolean> {
  try {
    return (await readdir(file)).length === 0
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return true
    if (isErrno(cause, 'ENOTDIR', 'EACCES')) return false
    throw fileError(`cannot list ${file}`, cause)
  }
}
