import { constants as system } from 'node:os'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { DamagedObject } from '../store.ts'

/** How a system says that there is no such file; the name may be a folder's, or lead through a file. */
export const ABSENT = ['ENOENT', 'ENOTDIR', 'EISDIR']

export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && (codes.length === 0 || codes.includes(error.code))
}

const MAKE_ROOM =
  'Free some space or choose another destination; the backups already there are whole. The chunks of a failed backup stay, and the next ' +
  marked`one reuses them. To delete them: ‹lifeboat prune; grace: 1h› an hour later, and again after another hour, while no backup runs.`

const HINTS: Record<string, string> = {
  ENOSPC: `The disk is full. ${MAKE_ROOM}`,
  EDQUOT: `The quota is used up. ${MAKE_ROOM}`,
  EACCES: 'Give the user this runs as the right to read and write there.',
  EPERM: 'Give the user this runs as the right to read and write there.',
  ENOENT: 'The folder cannot be made there. Check the path, and that the disk is mounted.',
  EROFS: 'The file system is mounted read-only; remount it or choose another destination.',
  EEXIST: 'There is a file where a folder should be; name a folder.',
  ENOTDIR: 'A part of the path is a file; name a folder.',
  EFBIG: 'The file system or a limit (ulimit -f) allows no file of this size. Choose another destination.',
  EIO: 'The disk reports a hardware error; do not rely on it, and use another destination.',
}

/** Node has no name for a quota that is used up. */
const isQuota = (error: NodeJS.ErrnoException): boolean => error.errno === -system.errno.EDQUOT

export function isFull(error: unknown): boolean {
  return isErrno(error) && (error.code === 'ENOSPC' || isQuota(error))
}

export function fileError(message: string, cause: unknown): unknown {
  if (!isErrno(cause)) return cause
  const quota = isQuota(cause)
  return new LifeboatError(`${message}: ${quota ? `EDQUOT: disk quota exceeded, ${cause.syscall}` : cause.message}`, {
    cause,
    hint: HINTS[quota ? 'EDQUOT' : (cause.code ?? '')],
  })
}

/** An object in whose place someone put a link, a FIFO or a device. */
export function notPlain(key: string, store: string, cause?: unknown): DamagedObject {
  return new DamagedObject(`${key} in ${store} is not a plain file`, {
    cause,
    hint: 'Someone put a link, a FIFO or a device in its place. Put the object back from a copy of the store, or delete what is there.',
  })
}

export function linkedFolder(folder: string, store: string): LifeboatError {
  return new LifeboatError(`${folder} in ${store} is a link, not a folder`, {
    hint:
      'Links in a store are not followed: files elsewhere would be read, replaced or deleted. Put the folder itself there; for one on ' +
      'another disk, mount that disk here.',
  })
}
