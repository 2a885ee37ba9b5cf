import { InvalidValue, LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { holdsSeveral, kindAt, locationPatterns, locationSecrets, neitherForm, parseLocation } from '../sources/known-kinds.ts'
import type { Location } from '../sources/source-kind.ts'
import { EMPTY_SECRET } from './input.ts'
import { parsing, quote } from './schemas.ts'

/** A database to read: the name it has in the snapshot, and where it is. */
export type Database = { name: string } & Location

export const databases = parsing((text): Database[] => {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  if (lines.length === 0) throw new InvalidValue('there is no URL in it')
  const databases = lines.map((line, index): Database => {
    const { name, location } = naming(lines.length > 1 ? index + 1 : undefined, () => parseDatabase(line))
    return { name: name ?? sourceNameOf(kindAt(location).defaultName?.(location)), ...location }
  })
  const names = databases.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new InvalidValue(`two databases are named ${quote(twice)}; put a different name= before each URL`)
  return databases
})

export const database = parsing((text): Location => {
  const lines = text.trim().split(/\r?\n/)
  if (lines.length > 1) {
    throw wrong(`there are ${lines.length} lines, and one database is restored at a time`,
      marked`Give one URL. To restore all databases of a backup, give ‹all›, and the URL of their server without the name of a database: ` +
        marked`each is restored under its own name, unless ‹map› names another target.`)
  }
  return parseDatabase(text).location
})

/** The errors of `work` name the line that it reads, by its number: anything else may be a part of a password. */
function naming<T>(line: number | undefined, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (line === undefined) throw error
    if (error instanceof InvalidValue) throw new InvalidValue(`line ${line}: ${error.message}`)
    if (!(error instanceof LifeboatError)) throw error
    const { hint, cause, status } = error
    throw new LifeboatError(error.message.replace(/^database URL:/, `database URL in line ${line}:`), {
      status, ...(hint !== undefined && { hint }), ...(cause !== undefined && { cause }),
    })
  }
}

const QUOTED = 'the URL is in quotation marks. Remove the quotation marks'

/** No part of the line is shown, but a scheme: anything else may be a part of a password. */
function parseDatabase(line: string): { name?: string; location: Location } {
  if (/^\s*["'`]/.test(line)) throw new InvalidValue(QUOTED)
  const { url, ...name } = parseDatabaseLine(line)
  if (/^["'`]/.test(url)) throw new InvalidValue(QUOTED)
  if (url === '') throw wrong('nothing follows the name and =', `Write ${locationPatterns('database')}. ${EMPTY_SECRET}`)
  if (holdsSeveral('database', url, /[,;\s]+(?:[\w.-]+\s*=\s*)?/g)) {
    throw new InvalidValue('there are several URLs in one line. Write one per line')
  }
  const location = parseLocation('database', url)
  if (location) return { ...name, location }
  const [scheme] = /^[a-z][a-z0-9+.-]{0,20}:\/\//i.exec(url) ?? []
  const problem = `${scheme === undefined ? '' : `${scheme} is `}${neitherForm('database')}`
  throw wrong(problem, `Write ${locationPatterns('database')}.`)
}

const NAMED = /^([^=:/?@]*)=(.*)$/s

/** Splits `name=postgres://…` or a bare URL; an empty name is an error. */
export function parseDatabaseLine(line: string): { name?: string; url: string } {
  const trimmed = line.trim()
  const named = NAMED.exec(trimmed)
  if (!named) return { url: trimmed }
  const name = named[1]!.trim()
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) {
    throw wrong(
      'the name before = must be 1 to 100 letters, digits, dots, dashes or underscores',
      'Write app=postgres://user:password@host/app.',
    )
  }
  return { name, url: named[2]!.trim() }
}

/** Every secret part of the text of databases, well-formed or not. */
export function databaseSecrets(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  return lines.flatMap((line) => locationSecrets('database', NAMED.exec(line)?.[2]!.trim() ?? line)).filter((secret) => secret !== '')
}

/** The name of a database whose location has none. */
export const UNNAMED = 'database'

/** The name of a database as a name of a source, which file names and terminals take. */
export function sourceNameOf(database = ''): string {
  return database.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '').slice(0, 100) || UNNAMED
}

function wrong(problem: string, hint: string): LifeboatError {
  return new LifeboatError(`database URL: ${problem}`, { hint, status: 2 })
}
