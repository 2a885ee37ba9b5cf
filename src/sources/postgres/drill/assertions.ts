import { readFileSync } from 'node:fs'
import { LifeboatError, messageOf } from '../../../error.ts'
import { type Assertion, parseAssertions, type ScratchSettings } from '../settings.ts'

/** The given conditions, and those of the file. */
export function allAssertions({ assertions, assertionsFile: file }: ScratchSettings): Assertion[] {
  return file === undefined ? [...assertions] : [...assertions, ...assertionsIn(file)]
}

/** The conditions in a file. Throws `LifeboatError` (status 2) if it cannot be read. */
export function assertionsIn(file: string): Assertion[] {
  try {
    return parseAssertions(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new LifeboatError(`the file of assert-sql-file cannot be read: ${messageOf(cause)}`, {
      hint: 'Give the path of a file with lines of a name, a colon and a query.', cause, status: 2 })
  }
}
