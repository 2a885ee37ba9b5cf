import { constants } from 'node:fs'
import { lstat, mkdir, open, stat } from 'node:fs/promises'
import path from 'node:path'
import { checkSize, NotFound } from '../store.ts'
import { isErrno, linkedFolder, notPlain } from './errors.ts'

/**
 * Throws when one of the folders on the way from `root` to `folder`, a path below it, is a link. Missing folders are allowed, and `root`
 * itself may be a link.
 */
export async function refuseLinks(root: string, folder: string, store: string): Promise<void> {
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.')
  for (let depth = 1; depth <= parts.length; depth++) {
    const way = parts.slice(0, depth).join('/')
    try {
      if ((await lstat(path.join(root, way))).isSymbolicLink()) throw linkedFolder(way, store)
    } catch (cause) {
      if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return
      throw cause
    }
  }
}

/** The content of an object. Only plain files are read: a FIFO would keep the reader waiting, and a link leads out of the store. */
export async function readUpTo(file: string, most: number, key: string, store: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((cause: unknown) => {
    // Of a link, and of a socket or a device without a driver.
    throw isErrno(cause, 'ELOOP', 'ENXIO') ? notPlain(key, store, cause) : cause
  })
  try {
    const found = await handle.stat()
    if (found.isDirectory()) throw new NotFound(key, store)
    if (!found.isFile()) throw notPlain(key, store)
    checkSize(found.size, most, key, store)
    const bytes = Buffer.allocUnsafeSlow(found.size)
    let at = 0
    for (let read = 1; at < bytes.length && read > 0; at += read) read = (await handle.read(bytes, at, bytes.length - at, at)).bytesRead
    return bytes.subarray(0, at)
  } finally {
    await handle.close()
  }
}

/**
 * Makes a folder and what is missing above it, each durable in its parent. Node's `recursive` would do for the first half, but
 * it says ENOENT where the disk is full or read-only. Returns whether the folder was missing.
 */
export async function makeFolders(folder: string, again = false): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (cause) {
    if (isErrno(cause, 'EEXIST') && (await stat(folder)).isDirectory()) return false
    if (again || !isErrno(cause, 'ENOENT')) throw cause
    await makeFolders(path.dirname(folder))
    return makeFolders(folder, true)
  }
  await syncFolder(path.dirname(folder))
  return true
}

export async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export async function syncFolder(folder: string): Promise<void> {
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
