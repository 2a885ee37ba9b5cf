import { readFile } from 'node:fs/promises'
import { LifeboatError, messageOf } from '../../../error.ts'
import { type Assertion, parseAssertions, type ScratchSettings } from '../settings.ts'

/** The given conditions, and those of the file. Throws `LifeboatError` if it cannot be read. */
export async function allAssertions({ assertions, assertionsFile: file }: ScratchSettings): Promise<Assertion[]> {
  if (file === undefined) return [...assertions]
  try {
    return [...assertions, ...parseAssertions(await readFile(file, 'utf8'))]
  } catch (cause) {
    throw new LifeboatError(`the file of assert-sql-file cannot be read: ${messageOf(cause)}`, {
      hint: 'Give the path of a file with lines of a name, a colon and a query.', cause })
  }
}
