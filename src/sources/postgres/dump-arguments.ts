import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'

// pg_dump 14 to 18. A letter that takes an argument is followed by a colon.
const letters = 'abBcCd:e:E:f:F:h:j:n:N:Op:RsS:t:T:U:vVwWxXZ:?'
const takesArgument = [
  'encoding', 'exclude-extension', 'exclude-schema', 'exclude-table', 'exclude-table-and-children', 'exclude-table-data',
  'exclude-table-data-and-children', 'extension', 'extra-float-digits', 'filter', 'include-foreign-data', 'restrict-key', 'role',
  'rows-per-insert', 'schema', 'section', 'snapshot', 'superuser', 'sync-method', 'table', 'table-and-children',
]

const connects = marked`the connection comes from ‹database-url›`
const streams = 'the backup is one custom-format stream without compression, which Lifeboat makes and stores itself'
const refused: { letter?: string; long: string; why: string }[] = [
  { letter: 'f', long: 'file', why: streams },
  { letter: 'F', long: 'format', why: streams },
  { letter: 'j', long: 'jobs', why: streams },
  { letter: 'Z', long: 'compress', why: marked`${streams}; see ‹compression-level›` },
  { letter: 'd', long: 'dbname', why: connects },
  { letter: 'h', long: 'host', why: connects },
  { letter: 'p', long: 'port', why: connects },
  { letter: 'U', long: 'username', why: connects },
  { letter: 'w', long: 'no-password', why: connects },
  { letter: 'W', long: 'password', why: `${connects}; nobody is there to type a password` },
  { letter: 'v', long: 'verbose', why: 'it prints a line per object' },
  { letter: 'V', long: 'version', why: 'it makes no dump' },
  { letter: '?', long: 'help', why: 'it makes no dump' },
  { long: 'lock-wait-timeout', why: marked`set ‹lock-timeout› instead` },
]

/**
 * Splits `pg-dump-args` like a shell would (quotes and backslashes; nothing is expanded) and refuses what would break the stream or change
 * the connection, in every spelling getopt_long takes: `-f x`, `-fx`, `-Ofx`, `--file x`, `--file=x`, `--fil x`.
 */
export function parseDumpArguments(text: string): string[] {
  const words = splitWords(text)
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    const next = word.startsWith('--') ? checkLong(word) : checkLetters(word)
    if (next && ++at === words.length) throw wrong(`${word} needs a value`)
  }
  return words
}

/** Options that leave nothing of the database out: they change how the archive is written, or add to it. */
const COMPLETE = new Set([
  '--attribute-inserts',
  '--blobs',
  '--clean',
  '--column-inserts',
  '--create',
  '--disable-dollar-quoting',
  '--disable-triggers',
  '--encoding',
  '--if-exists',
  '--include-foreign-data',
  '--inserts',
  '--large-objects',
  '--load-via-partition-root',
  '--no-statistics',
  '--no-sync',
  '--on-conflict-do-nothing',
  '--quote-all-identifiers',
  '--restrict-key',
  '--role',
  '--rows-per-insert',
  '--sequence-data',
  '--serializable-deferrable',
  '--snapshot',
  '--statistics',
  '--strict-names',
  '--superuser',
  '--sync-method',
  '--use-set-session-authorization',
])
const COMPLETE_LETTERS = new Set(['b', 'c', 'C', 'E', 'S'])

/**
 * The arguments of `parseDumpArguments` by which pg_dump may leave something out, with their values: all that are not known to be harmless.
 */
export function omissionsOf(words: readonly string[]): string[] {
  const omissions: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    const takesNext = word.startsWith('--') ? checkLong(word) : checkLetters(word)
    const text = takesNext ? written(word, words[++at]!) : written(word)
    if (word.startsWith('--') ? !COMPLETE.has(word.split('=')[0]!) : !harmless(word)) omissions.push(text)
  }
  return omissions
}

/** An argument for a person: a value that a shell would take apart is in quotes. */
function written(word: string, ...values: string[]): string {
  return [word, ...values].map((one) => (/[\s'"\\]/.test(one) ? `'${one.replaceAll("'", `'\\''`)}'` : one)).join(' ')
}

/** The same arguments for a dump of the restored database, where no other role and no snapshot of the server are. */
export function argumentsAgain(words: readonly string[]): string[] {
  const again: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    const takesNext = word.startsWith('--') ? checkLong(word) : checkLetters(word)
    const own = takesNext ? [word, words[++at]!] : [word]
    if (!/^--(?:role|snapshot)(?:=|$)/.test(word)) again.push(...own)
  }
  return again
}

/** Options that say nothing about rows or large objects: archives that have only these need them not. */
const ABOUT_OTHERS = new Set([
  '--blobs', '--clean', '--create', '--disable-dollar-quoting', '--disable-triggers', '--if-exists', '--large-objects', '--no-blobs',
  '--no-large-objects', '--no-owner', '--no-policies', '--no-publications', '--no-statistics', '--no-subscriptions', '--no-sync',
  '--no-table-access-method', '--no-tablespaces', '--no-toast-compression', '--no-unlogged-table-data', '--statistics', '--strict-names',
  '--use-set-session-authorization',
])
const LETTERS_ABOUT_OTHERS = /^-[bBcCO]+$/

/** Options that change what is read in the same way wherever they are: of large objects, privileges and comments are left out. */
const OF_ALL = new Set(['--no-acl', '--no-comments', '--no-privileges', '--no-security-labels', '--quote-all-identifiers'])
const LETTERS_OF_ALL = /^-[bBcCOx]+$/

/** By these, pg_dump leaves tables or their rows out wherever it is told to dump them. */
const EXCLUDES = /^(?:-T|--exclude-table(?:-data)?(-and-children)?(?:=|$))(.*)/s

/**
 * Of the arguments of `parseDumpArguments`, those for a part of an archive; undefined if one of them may select tables in another way, or
 * change how rows are read or written, so that several archives might not be the same as one.
 */
export function argumentsOfParts(words: readonly string[]): string[] | undefined {
  const own: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (ABOUT_OTHERS.has(word) || LETTERS_ABOUT_OTHERS.test(word)) continue
    if (LETTERS_OF_ALL.test(word)) {
      own.push('-x')
      continue
    }
    if (!OF_ALL.has(word) && !EXCLUDES.test(word)) return undefined
    const takesNext = word.startsWith('--') ? checkLong(word) : checkLetters(word)
    own.push(word, ...(takesNext ? [words[++at]!] : []))
  }
  return own
}

/** By these, pg_dump leaves schemas out with everything in them. */
const EXCLUDES_SCHEMAS = /^(?:-N|--exclude-schema(?:=|$))()(.*)/s

/** A pattern of pg_dump. `descendants`: of tables, and of all tables that inherit from them. */
export interface Pattern {
  /** The argument, as `omissionsOf` gives it. */
  text: string
  pattern: string
  descendants: boolean
}

/** The tables that arguments of `argumentsOfParts` leave out, or whose rows. */
export function excludedTables(words: readonly string[]): Pattern[] {
  return patternsOf(EXCLUDES, words)
}

/** The schemas that arguments of `parseDumpArguments` leave out. */
export function excludedSchemas(words: readonly string[]): Pattern[] {
  return patternsOf(EXCLUDES_SCHEMAS, words)
}

function patternsOf(option: RegExp, words: readonly string[]): Pattern[] {
  const excluded: Pattern[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    const takesNext = word.startsWith('--') ? checkLong(word) : checkLetters(word)
    const next = takesNext ? [words[++at]!] : []
    const match = option.exec(word)
    if (!match) continue
    const [, descendants, pattern = ''] = match
    excluded.push({ text: written(word, ...next), pattern: next[0] ?? pattern, descendants: descendants !== undefined })
  }
  return excluded
}

/** Whether arguments of `argumentsOfParts` say that large objects are dumped, or are not; undefined if none does. */
export function largeObjectsIn(words: readonly string[]): boolean | undefined {
  if (words.some((word) => /^(?:-[bBcCOx]*B|--no-(?:blobs|large-objects)$)/.test(word))) return false
  return words.some((word) => /^(?:-[bBcCOx]*b|--(?:blobs|large-objects)$)/.test(word)) || undefined
}

function harmless(word: string): boolean {
  for (const letter of word.slice(1)) {
    if (!COMPLETE_LETTERS.has(letter)) return false
    if (letters[letters.indexOf(letter) + 1] === ':') return true // The rest is its value.
  }
  return true
}

/** True if the option takes the next word as its argument. */
function checkLong(word: string): boolean {
  const [name = '', value] = word.slice(2).split(/=(.*)/s)
  if (name === '') throw wrong('-- ends the options, and pg_dump takes nothing after them here')
  if (!takesArgument.includes(name)) {
    // getopt_long takes every unambiguous beginning of a name.
    const forbidden = refused.find(({ long }) => long.startsWith(name))
    if (forbidden) throw wrong(`${word} is not allowed: ${forbidden.why}`)
  }
  return value === undefined && takesArgument.some((long) => long.startsWith(name))
}

function checkLetters(word: string): boolean {
  if (!/^-./.test(word)) throw wrong(`${JSON.stringify(word)} is not an option`, 'Quote a value with spaces: --exclude-table="my table".')
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]!
    const known = letters.indexOf(letter)
    if (letter === ':' || known < 0) throw wrong(`pg_dump has no option -${letter}`)
    const forbidden = refused.find((option) => option.letter === letter)
    if (forbidden) throw wrong(`-${letter} (--${forbidden.long}) is not allowed: ${forbidden.why}`)
    if (letters[known + 1] === ':') return at === word.length - 1
  }
  return false
}

function splitWords(text: string): string[] {
  const words: string[] = []
  const token = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy
  let word: string | undefined
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at
    const match = token.exec(text)
    if (!match) throw wrong(`a quote or a backslash at its end is not closed: ${text.slice(at)}`)
    const [, single, double, escaped, plain] = match
    const piece = single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? escaped ?? plain
    if (piece !== undefined) word = (word ?? '') + piece
    else if (word !== undefined) {
      words.push(word)
      word = undefined
    }
  }
  return word === undefined ? words : [...words, word]
}

function wrong(problem: string, hint = 'An example: --exclude-table-data=audit.* --no-comments.'): LifeboatError {
  return new LifeboatError(`pg-dump-args: ${problem}`, { hint, status: 2 })
}
