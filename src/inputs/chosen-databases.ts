import { z } from 'zod'
import { InvalidValue } from '../error.ts'
import type { Input } from './input.ts'
import { parsing, quote } from './schemas.ts'

/** Which databases of the servers. */
export interface DatabaseChoice {
  readonly include: 'all' | readonly DatabasePattern[]
  readonly exclude: readonly DatabasePattern[]
}

export interface DatabasePattern {
  /** Of this server only. */
  readonly server?: string
  readonly text: string
  /** `text` has * or ? in it; otherwise it is a name. */
  readonly glob?: true
}

/** A database by its name, or by the names of its server and its own. */
export type DatabaseName = string | readonly [server: string, name: string]

const SERVER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
const databaseNames = z.array(z.union([z.string().min(1), z.tuple([z.string().regex(SERVER), z.string().min(1)])]))

export const EVERY_DATABASE: DatabaseChoice = { include: 'all', exclude: [] }

/** Patterns separated by commas or line ends, or a JSON array of names. */
export const databaseChoice = parsing((text): DatabaseChoice => {
  if (text.trimStart().startsWith('[')) {
    const names = namesIn(text)
    if (names.length === 0) throw new InvalidValue('there is no name in the array; for all databases, write *')
    return choiceOf(names)
  }
  const words = text.split(/[,\r\n]/).map((word) => word.trim()).filter((word) => word !== '')
  if (words.length === 0) throw new InvalidValue('there is no pattern in it')
  const patterns = words.map(parseWord)
  const [include, exclude] = [false, true].map((not) => patterns.filter((one) => one.not === not).map(({ pattern }) => pattern))
  return { include: include!.length === 0 ? 'all' : include!, exclude: exclude! }
})

/** Exactly these databases; none if there are no names. */
export function choiceOf(names: readonly DatabaseName[]): DatabaseChoice {
  const include = names.map((name) => (typeof name === 'string' ? { text: name } : { server: name[0], text: name[1] }))
  return { include, exclude: [] }
}

function namesIn(text: string): z.infer<typeof databaseNames> {
  try {
    return databaseNames.parse(JSON.parse(text))
  } catch {
    throw new InvalidValue(`${quote(text)} begins with [ and is not a JSON array of names`)
  }
}

/** `app*`, `!test_*`, `eu=app*`, `eu=!test_*`. */
function parseWord(word: string): { not: boolean; pattern: DatabasePattern } {
  const [, server, rest = word] = /^([^=]*)=(.*)$/s.exec(word) ?? []
  if (server !== undefined && !SERVER.test(server)) {
    throw new InvalidValue(`${quote(word)} does not begin with the name of a server before its =; write names with an = as a JSON array`)
  }
  const not = rest.startsWith('!')
  const text = rest.slice(not ? 1 : 0)
  if (text === '') throw new InvalidValue(`${quote(word)} has no pattern`)
  return { not, pattern: { ...(server !== undefined && { server }), text, ...(/[*?]/.test(text) && { glob: true as const }) } }
}

/**
 * `*` is any text, `?` one character. After a mismatch only the last star takes one character more, so that many stars cost no more than
 * the product of the lengths.
 */
function matchesGlob(glob: string, name: string): boolean {
  const [pattern, characters] = [Array.from(glob), Array.from(name)]
  let at = 0
  let star: { after: number; taken: number } | undefined
  for (let next = 0; next < characters.length;) {
    if (pattern[at] === '*') {
      at++
      star = { after: at, taken: next }
    } else if (pattern[at] === '?' || pattern[at] === characters[next]) {
      at++
      next++
    } else {
      if (!star) return false
      at = star.after
      next = ++star.taken
    }
  }
  return pattern.slice(at).every((one) => one === '*')
}

export function isChosen({ include, exclude }: DatabaseChoice, server: string, name: string): boolean {
  const matches = (pattern: DatabasePattern): boolean => isMatch(pattern, server, name)
  return (include === 'all' || include.some(matches)) && !exclude.some(matches)
}

/** Whether the choice has the full name of the database, not only a pattern. */
export function isNamed({ include }: DatabaseChoice, server: string, name: string): boolean {
  return include !== 'all' && include.some((pattern) => !pattern.glob && isMatch(pattern, server, name))
}

export function isMatch({ server: of, text, glob }: DatabasePattern, server: string, name: string): boolean {
  return (of === undefined || of === server) && (glob ? matchesGlob(text, name) : text === name)
}

/** The pattern as it is given. */
export function patternText({ server, text }: DatabasePattern): string {
  return server === undefined ? text : `${server}=${text}`
}

export const databaseChoiceInput = {
  expected: 'patterns such as app* and !test_*, separated by commas or line ends, or a JSON array of names',
  example: 'app*, !app_test*',
  schema: databaseChoice,
  list: true,
} as const satisfies Omit<Input, 'help'>
