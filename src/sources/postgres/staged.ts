import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'

/** Writes a file of a restore into its folder. Throws `LifeboatError` if there is no room for it, or it cannot be written otherwise. */
export async function staged<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new LifeboatError(`cannot stage the archive in ${folder}: ${cause.message}`, {
      hint:
        'A parallel restore needs room for the table of contents of the archive, or for the whole of an older one: free some, point ' +
        marked`TMPDIR (RUNNER_TEMP) elsewhere, or set ‹jobs: 1›.`,
      cause,
    })
  }
}
