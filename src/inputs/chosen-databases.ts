import { z } from 'zod'
import { InvalidValue } from '../error.ts'
import type { Input } from './input.ts'
import { parsing, quote } from './schemas.ts'

/** Which databases of the servers. */
export interface DatabaseChoice {
  /** All if there are none. */
  readonly include: readonly DatabasePattern[]
  readonly exclude: readonly DatabasePattern[]
}

export interface DatabasePattern {
  /** Of this server only. */
  readonly server?: string
  readonly text: string
  /** Without one, `text` is a name. */
  readonly glob?: RegExp
}

/** A database by its name, or by the names of its server and its own. */
export type DatabaseName = string | readonly [server: string, name: string]

const SERVER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
const databaseNames = z.array(z.union([z.string().min(1), z.tuple([z.string().regex(SERVER), z.string().min(1)])]))

/** Patterns separated by commas or line ends, or a JSON array of names. */
export const databaseChoice = parsing((text): DatabaseChoice => {
  if (text.trimStart().startsWith('[')) return choiceOf(namesIn(text))
  const words = text.split(/[,\r\n]/).map((word) => word.trim()).filter((word) => word !== '')
  if (words.length === 0) throw new InvalidValue('there is no pattern in it')
  const patterns = words.map(parseWord)
  const [include, exclude] = [false, true].map((not) => patterns.filter((one) => one.not === not).map(({ pattern }) => pattern))
  return { include: include!, exclude: exclude! }
})

/** Exactly these databases. */
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
  const glob = /[*?]/.test(text) ? { glob: globOf(text) } : {}
  return { not, pattern: { ...(server !== undefined && { server }), text, ...glob } }
}

/** `*` is any text, `?` one character. */
function globOf(text: string): RegExp {
  const parts = text.replaceAll(/\*+/g, '*').split(/([*?])/)
  const source = parts.map((part) => (part === '*' ? '.*' : part === '?' ? '.' : part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)))
  return new RegExp(`^${source.join('')}$`, 'su')
}

export function isChosen({ include, exclude }: DatabaseChoice, server: string, name: string): boolean {
  const matches = (pattern: DatabasePattern): boolean => isMatch(pattern, server, name)
  return (include.length === 0 || include.some(matches)) && !exclude.some(matches)
}

export function isMatch({ server: of, text, glob }: DatabasePattern, server: string, name: string): boolean {
  return (of === undefined || of === server) && (glob ? glob.test(name) : text === name)
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
