import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import type { Variables } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'

/** The file that is found in the working directory. */
export const FILE_NAME = 'lifeboat.yml'

/** Bytes of a configuration file at most: one of a thousand databases has 100 kB. */
const MOST_BYTES = 256 * 1024

/** The text of a file that the user named. Throws (status 2). */
export async function readNamed(path: string): Promise<string> {
  let handle
  try {
    // A pipe in its place does not hold the program up.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw unreadable(path, cause)
  }
  try {
    return await textIn(path, handle)
  } finally {
    await handle.close()
  }
}

/**
 * The text of the file in the working directory; undefined if there is none. Somebody else's is refused (status 2): it would decide where
 * the data goes.
 */
export async function readFound(variables: Variables): Promise<string | undefined> {
  const found = await lstat(FILE_NAME).catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw unreadable(FILE_NAME, cause)
  })
  if (found === undefined) return undefined
  const named = marked`Give ‹config: lifeboat.yml› if you trust it, or ‹config: none›.`
  if (found.isSymbolicLink()) {
    throw new LifeboatError(`${FILE_NAME} of the working directory is a symbolic link, and is only read if it is named`, {
      hint: named, status: 2,
    })
  }
  const handle = await open(FILE_NAME, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw unreadable(FILE_NAME, cause)
  })
  try {
    const { uid, mode } = await handle.stat()
    const open = (mode & 0o002) !== 0
    const reason = isTrusted(uid, variables) ? open && 'can be written by every user' : 'belongs to another user'
    if (reason) {
      throw new LifeboatError(`${FILE_NAME} of the working directory ${reason}, and is only read if it is named`, {
        hint: named, status: 2,
      })
    }
    return await textIn(FILE_NAME, handle)
  } finally {
    await handle.close()
  }
}

/** This user, root, and the user who called sudo. */
function isTrusted(owner: number, variables: Variables): boolean {
  const user = process.getuid?.() ?? owner
  return owner === user || owner === 0 || (user === 0 && String(owner) === variables['SUDO_UID'])
}

async function textIn(path: string, handle: FileHandle): Promise<string> {
  const found = await handle.stat()
  if (!found.isFile()) throw wrong(`${path} is ${found.isDirectory() ? 'a folder' : 'no file'}`)
  // One byte more tells whether there are more; the size of a file may change while it is read.
  const buffer = Buffer.alloc(MOST_BYTES + 1)
  let end = 0
  for (let bytesRead = 1; bytesRead > 0 && end < buffer.length; end += bytesRead) {
    ({ bytesRead } = await handle.read(buffer, end, buffer.length - end))
  }
  if (end > MOST_BYTES) throw wrong(`${path} has more than ${MOST_BYTES / 1024} KiB`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, end))
  } catch {
    // A TypeError is how the decoder says that bytes are invalid.
    throw wrong(`${path} is not UTF-8 text`)
  }
}

function unreadable(path: string, cause: unknown): LifeboatError {
  const code = codeOf(cause)
  const said = PROBLEMS.find(([known]) => known === code)?.[1] ?? messageOf(cause)
  return wrong(`${path} cannot be read: ${said}`, cause)
}

const PROBLEMS = [
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'permission denied'],
  ['EISDIR', 'it is a folder'],
  ['ELOOP', 'its symbolic links lead in a circle'],
] as const

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function wrong(message: string, cause?: unknown): LifeboatError {
  return new LifeboatError(`config: ${message}`, {
    hint: marked`Expected a YAML file with inputs, as docs/configuration.md describes it; for example: ‹config: lifeboat.yml›.`, status: 2,
    ...(cause !== undefined && { cause }),
  })
}
