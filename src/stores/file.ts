import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, statfs, unlink } from 'node:fs/promises'
import { constants as system } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../error.ts'
import { type Mounting, refuseUnmounted } from './mount.ts'
import { checkKey, checkSize, DamagedObject, isKey, NotFound, type Store, type StoredObject } from './store.ts'
import { ABANDONED_AFTER, INCOMING } from './walk.ts'

/** How a system says that there is no such file; the name may be a folder's, or lead through a file. */
const ABSENT = ['ENOENT', 'ENOTDIR', 'EISDIR']

/** A store in a folder. A put writes a temporary file, syncs it, renames it into place and syncs the folder. */
export class FileStore implements Store {
  readonly name: string
  readonly #root: string
  readonly #mounting: Mounting
  /** Folders known to exist durably, so that each is made and its parents synced once. */
  readonly #folders = new Map<string, Promise<void>>()
  /** Or has tried to. */
  #wrote = false

  constructor(root: string, mounting: Mounting = { mounted: undefined }) {
    this.#root = path.resolve(root)
    this.#mounting = mounting
    this.name = `file:${this.#root}`
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const target = this.#path(key)
    const temporary = path.join(this.#root, INCOMING, randomUUID())
    try {
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
      await rm(temporary, { force: true }).catch((error: unknown) => {
        // The disk that refused the write may refuse this too; the file is removed as abandoned later.
        if (!isErrno(error)) throw error
      })
      throw explain(`cannot write ${key} to ${this.name}`, cause)
    }
  }

  async get(key: string, most: number): Promise<Buffer> {
    try {
      return await readUpTo(this.#path(key), most, key, this.name)
    } catch (cause) {
      if (isErrno(cause, ...ABSENT)) throw new NotFound(key, this.name, { cause })
      throw explain(`cannot read ${key} from ${this.name}`, cause)
    }
  }

  async head(key: string): Promise<StoredObject> {
    try {
      const found = await stat(this.#path(key))
      if (found.isFile()) return { key, size: found.size, modified: found.mtime }
    } catch (cause) {
      if (!isErrno(cause, ...ABSENT)) throw explain(`cannot read ${key} from ${this.name}`, cause)
    }
    throw new NotFound(key, this.name)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '') this.#path(folder.slice(0, -1))
    for await (const key of this.#walk(folder, prefix)) {
      if (!key.startsWith(prefix)) continue
      try {
        const { size, mtime } = await stat(this.#path(key))
        yield { key, size, modified: mtime }
      } catch (cause) {
        // Deleted by another run since its folder was read: not there any more.
        if (!isErrno(cause, 'ENOENT')) throw explain(`cannot list ${this.name}`, cause)
      }
    }
  }

  async *#walk(folder: string, prefix: string): AsyncGenerator<string, void, void> {
    let entries
    try {
      entries = await readdir(path.join(this.#root, folder), { withFileTypes: true })
    } catch (cause) {
      if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return
      throw explain(`cannot list ${this.name}`, cause)
    }
    for (const entry of entries) {
      // What no key can name was put there by someone else: a file manager, a NAS.
      if ((entry.name === INCOMING && folder === '') || !isKey(entry.name)) continue
      const inner = `${folder}${entry.name}/`
      if (entry.isDirectory() && (inner.startsWith(prefix) || prefix.startsWith(inner))) yield* this.#walk(inner, prefix)
      else if (entry.isFile()) yield folder + entry.name
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await unlink(this.#path(key))
    } catch (cause) {
      if (!isErrno(cause, ...ABSENT)) throw explain(`cannot delete ${key} from ${this.name}`, cause)
    }
  }

  /** Of the disk that the folder is on, or will be. */
  async free(): Promise<number> {
    for (let folder = this.#root; ; folder = path.dirname(folder)) {
      try {
        const { bavail, bsize } = await statfs(folder)
        return bavail * bsize
      } catch (cause) {
        if (!isErrno(cause, 'ENOENT') || folder === path.dirname(folder)) throw explain(`cannot ask ${this.name} for its free space`, cause)
      }
    }
  }

  /** After a run that wrote, removes what killed runs left behind. */
  async close(): Promise<void> {
    if (this.#wrote) await this.sweep()
  }

  async sweep(): Promise<void> {
    for await (const key of this.#walk(`${INCOMING}/`, '')) {
      const file = path.join(this.#root, key)
      try {
        if (Date.now() - (await stat(file)).mtimeMs > ABANDONED_AFTER) await unlink(file)
      } catch (cause) {
        // Another run finished or removed it, or it is another user's to remove.
        if (!isErrno(cause, 'ENOENT', 'EACCES', 'EPERM', 'EROFS')) throw explain(`cannot clean up ${this.name}`, cause)
      }
    }
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
      await makeFolders(folder)
      // Also where it is there already: who made it may not have come to sync it, or been killed before.
      if (folder !== this.#root) await syncFolder(path.dirname(folder))
    } catch (cause) {
      this.#folders.delete(folder)
      throw cause
    }
  }
}

/** What is no plain file is not opened as one: reading a FIFO would wait for ever, and a link leads out of the store. */
async function readUpTo(file: string, most: number, key: string, store: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw isErrno(cause, 'ELOOP', 'ENXIO') ? notPlain(key, store, cause) : cause
  })
  try {
    const found = await handle.stat()
    if (found.isDirectory()) throw new NotFound(key, store)
    if (!found.isFile()) throw notPlain(key, store)
    checkSize(found.size, most, key, store)
    const bytes = Buffer.alloc(found.size)
    let at = 0
    for (let read = 1; at < bytes.length && read > 0; at += read) read = (await handle.read(bytes, at, bytes.length - at, at)).bytesRead
    return bytes.subarray(0, at)
  } finally {
    await handle.close()
  }
}

function notPlain(key: string, store: string, cause?: unknown): DamagedObject {
  return new DamagedObject(`${key} in ${store} is not a plain file`, { cause, hint: 'Someone put a link, a FIFO or a device in its place. Put the object back from a copy of the store, or delete what is there.' })
}

/**
 * Makes a folder and what is missing above it, each durable in its parent. Node's `recursive` would do for the first half, but
 * it says ENOENT where the disk is full or read-only.
 */
async function makeFolders(folder: string, again = false): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (cause) {
    if (isErrno(cause, 'EEXIST') && (await stat(folder)).isDirectory()) return
    if (again || !isErrno(cause, 'ENOENT')) throw cause
    await makeFolders(path.dirname(folder))
    return makeFolders(folder, true)
  }
  await syncFolder(path.dirname(folder))
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (cause) {
    // Some network file systems have no sync for folders; their rename is as durable as they can make it.
    if (!isErrno(cause, 'EINVAL', 'ENOTSUP')) throw cause
  } finally {
    await handle.close()
  }
}

function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && (codes.length === 0 || codes.includes(error.code))
}

/** Node has no name for the second one. */
function isFull(error: unknown): boolean {
  return isErrno(error) && (error.code === 'ENOSPC' || error.errno === -system.errno.EDQUOT)
}

const HINTS: Record<string, string> = {
  ENOSPC: 'The disk is full. Free some space or choose another destination; the backups already there are whole.',
  EDQUOT: 'The quota is used up. Free some space or choose another destination; the backups already there are whole.',
  EACCES: 'Give the user this runs as the right to read and write there.',
  EPERM: 'Give the user this runs as the right to read and write there.',
  EROFS: 'The file system is mounted read-only; remount it or choose another destination.',
  EEXIST: 'There is a file where a folder should be; name a folder.',
  ENOTDIR: 'A part of the path is a file; name a folder.',
  EFBIG: 'The file system or a limit (ulimit -f) allows no file of this size. Choose another destination.',
  EIO: 'The disk reports a hardware error; do not rely on it, and use another destination.',
}

function explain(message: string, cause: unknown): unknown {
  if (!isErrno(cause)) return cause
  const quota = cause.errno === -system.errno.EDQUOT
  return new LifeboatError(`${message}: ${quota ? `EDQUOT: disk quota exceeded, ${cause.syscall}` : cause.message}`, { cause, hint: HINTS[quota ? 'EDQUOT' : (cause.code ?? '')] })
}
