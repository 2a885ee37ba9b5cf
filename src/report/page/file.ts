import { randomUUID } from 'node:crypto'
import { constants, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { BEGINNING } from './page.ts'

/** Throws (status 2) unless a report may be written there: into a folder that exists, in place of nothing or of an earlier report. */
export async function requireReportFile(file: string): Promise<void> {
  const wrong = (what: string, hint: string, cause?: unknown): LifeboatError =>
    new LifeboatError(`the report cannot be written to ${file}: ${what}`, { hint, status: 2, cause })
  const folder = path.dirname(path.resolve(file))
  try {
    await (await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)).close()
  } catch (cause) {
    throw wrong(`the folder ${folder} cannot be opened`, marked`Make the folder, or give ‹report› another one.`, cause)
  }
  const other = marked`Give ‹report› the path of a new file. Nothing was changed.`
  try {
    // A named pipe would be waited for.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const isFile = (await handle.stat()).isFile()
      const beginning = Buffer.alloc(BEGINNING.length)
      if (isFile) await handle.read(beginning, 0, beginning.length, 0)
      if (beginning.toString() !== BEGINNING) throw wrong('it exists, and is not a report', other)
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (cause instanceof LifeboatError) throw cause
    const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    if (!isAbsent) throw wrong('it exists, and cannot be read', other, cause)
  }
}

/** Replaces the file as a whole. If it is readable `by all`, the umask decides. */
export async function writeReport(file: string, page: string, readable: 'by all' | 'by its owner'): Promise<void> {
  const incoming = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}`)
  try {
    const handle = await open(incoming, 'wx', readable === 'by all' ? 0o666 : 0o600)
    try {
      await handle.writeFile(page)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(incoming, file)
  } catch (cause) {
    await rm(incoming, { force: true })
    const hint = 'Check the space and the permissions of its folder.'
    throw new LifeboatError(`the report could not be written to ${file}`, { cause, hint })
  }
}
