import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { BadSource } from '../../source.ts'
import { GUARDED } from './guard.ts'
import { ABOUT_ROWS } from './row-errors.ts'
import { NAME } from './statements.ts'

/** An error of pg_restore; of the server, in English (`steadySettings`). */
export interface RestoreError {
  told: string
  /** While rows were loaded, which it may quote; or while constraints and indexes were made of them. */
  step: RestoreStep
}

export type RestoreStep = 'definitions' | 'rows' | 'constraints' | 'privileges' | 'views' | 'last'

/** The scratch server, and the pg_dump that made the archive. */
export interface RestoredBy {
  major: number
  dumpMajor: number
  /** Whether the first error is about a missing name that the archive has in a schema, at a server of the backup's major. */
  unqualified?: boolean
}

/**
 * The verdict on a restore with errors. The backup is bad if rows are not as they must be, if the archive cannot be read, or if
 * a name without a schema is not found, because every pg_restore searches in none. Only the first error counts for that: others may follow
 * from it. Every other error may be one of the server, which lacks something, or of the restore: it tells nothing about what was backed up.
 */
export function restoreProblem(errors: readonly RestoreError[], { major, dumpMajor, unqualified = false }: RestoredBy): LifeboatError {
  const more = errors.length > 1 ? `, and ${(errors.length - 1).toLocaleString('en-US')} more errors` : ''
  const damage = errors.find((error) => isAboutRows(error) || isAboutArchive(error))
  if (damage) return new BadSource(`it cannot be restored: ${shown(damage)}${more}`)
  const first = errors[0]!
  if (unqualified) {
    const missing = `${entryOf(first)}${MISSING.exec(first.told)![0]}`
    return new BadSource(`it cannot be restored with pg_restore: ${missing}${more}`, {
      hint: 'A restore searches no schema for names. Name it with its schema in the source database, or let the function that uses it ' +
        'set its search_path, and back up again.' })
  }
  if (major < dumpMajor && /^(?:syntax error|unrecognized )/.test(first.told)) {
    return new LifeboatError(`PostgreSQL ${major} does not take what pg_dump ${dumpMajor} wrote: ${shown(first)}${more}`, {
      hint: marked`Give a scratch server of PostgreSQL ${dumpMajor}, in ‹scratch-url› or ‹scratch-image›.` })
  }
  return new LifeboatError(`the scratch server cannot take this database: ${shown(first)}${more}`, { hint: hintFor(first) })
}

/** Names without a schema. */
const MISSING = /^(?:(?:relation|type) "(?<name>[^".]+)"|(?:function|procedure|aggregate) (?<called>[^".(]+)\([^\n]*\)) does not exist/

/** The name of the relation or type that does not exist, or of the function, up to its arguments: `f(`. */
export function missingIn({ told, step }: RestoreError): string | undefined {
  if ((step !== 'definitions' && step !== 'constraints') || /\nDETAIL: |\nCONTEXT: .*\bat RAISE\b/s.test(told)) return undefined
  const { name, called } = MISSING.exec(told)?.groups ?? {}
  return name ?? (called === undefined ? undefined : `${called}(`)
}

/** The beginning of its statement, which names the entry. */
const ENTRY = new RegExp(`\\nCONTEXT: .*: ((?:CREATE|ALTER) (?:[A-Z]+ )+(?:(?:${NAME})\\.)?(?:${NAME}))[^\\n]*$`, 's')

function entryOf({ told }: RestoreError): string {
  const [, entry] = ENTRY.exec(told) ?? []
  return entry === undefined ? '' : `${entry}: `
}

/** The server took everything of the line before that column. */
const OF_A_VALUE = /\nCONTEXT: .*\bCOPY [^\n]*?, line \d+, column /s

function hintFor({ told, step }: RestoreError): string {
  if (told.includes(GUARDED)) {
    return 'Verify every byte of the backup at level read. For drills, let functions of constraints, indexes and policies change no ' +
      'definitions in the source database.'
  }
  if (step === 'views' && /^(?:permission denied|must be )/.test(told)) {
    return 'A drill fills materialized views of superusers as a role that may read all rows, and has no other rights than those of the ' +
      'ordinary owners. If a view needs more, give it an owner in the source database that has what it needs, and back up again.'
  }
  if (step === 'rows' && OF_A_VALUE.test(told) && !OF_A_FUNCTION.test(told)) {
    return marked`If the scratch server has the versions of PostgreSQL and of the extensions that the backup was made with, that value ` +
      marked`is bad, and so is the backup: look at the row in the source database. If not, give a server that has them, in ‹scratch-url›.`
  }
  return marked`Give a server that is like the one of the backup (image, locales, extensions, room), in ‹scratch-url›. If the error ` +
    'stays, a restore meets it, too: change in the source database what it names, and back up again.'
}

/** An error with that text may come from a function of the database, which can say anything. */
function isAboutRows({ told, step }: RestoreError): boolean {
  if (step !== 'rows' && step !== 'constraints') return false
  return !OF_A_FUNCTION.test(told) && ABOUT_ROWS.some((form) => form.test(messageIn(told)))
}

function isAboutArchive({ told }: RestoreError): boolean {
  return !told.includes('\nCONTEXT: ') && ABOUT_ARCHIVE.test(told)
}

/**
 * The context of an error begins with what was innermost: the function, whatever its language; without one, the server's own work. Not the
 * guard, which is a function of the drill.
 */
const OF_A_FUNCTION = new RegExp(`^(?!(?:.*: {1,2})?${GUARDED}).*\\nCONTEXT: (?! *(?:COPY |JSON data, |parallel worker))`, 's')
const COPY_FAILED = /^COPY failed for table "(?:[^"]|"")*": (?:\w+: {2})?/

function messageIn(told: string): string {
  return told.replace(COPY_FAILED, '')
}

/** Messages of pg_restore about bytes that are no archive (pg_backup_archiver.c, pg_backup_custom.c, compress_io.c). */
const ABOUT_ARCHIVE = new RegExp(
  `^(?:${[
    'could not read from input file', 'unexpected end of file', 'could not find block ID', 'found unexpected block ID',
    'unrecognized data block type', 'could not (?:un|de)compress data', 'did not find magic string', 'entry ID -?\\d+ out of range',
    'input file (?:is too short|does not appear)', 'unexpected data offset flag', 'bad (?:table )?dumpId',
  ].join('|')})`,
)

/** Messages of a server that ends a session, and of clients that lost theirs, in any line. */
const LOST = new RegExp(
  `(?:^|: {1,2})(${[
    'terminating connection(?: due to [\\w -]+)?', 'server closed the connection unexpectedly', 'no connection to the server',
    'SSL connection has been closed unexpectedly', 'could not (?:receive data from|send data to) server',
    'the database system is ', 'connection to server ',
  ].join('|')})`,
  'm',
)

/** Messages while rows were loaded, up to a value in them. */
const FORMS = [
  ...ABOUT_ROWS,
  /^(?:permission denied (?:for|to)|must be|only superusers? can) [\w ]+/,
  /^(?:out of memory|out of shared memory|could not (?:extend|write to) file(?: "[\w./]+": No space left on device)?|role)/,
  new RegExp(`^${GUARDED}`),
]

/** Messages that may quote a value. */
const OF_VALUES = /^(?:invalid|malformed|value|time zone|"|syntax error in|no operand|.*\bout of range)/

/** Whether an error, at whatever step, may quote values of rows, as one of COPY does. */
export function quotesValues(told: string): boolean {
  return told.startsWith('COPY failed for table ') || OF_VALUES.test(told)
}

/** Without values of rows. */
function shown(error: RestoreError): string {
  const { told, step } = error
  const [line = ''] = told.split('\n')
  const entry = step === 'rows' ? '' : entryOf(error)
  // A function that got a value may say it.
  const quotes = step === 'rows' || told.includes('\nCONTEXT: ') || OF_VALUES.test(told)
  if (!quotes) return line.replace(/(syntax for type [^:]+|violates [^:]+): .*$/, '$1')
  return `${entry}${withoutValues(told)}`
}

/** An error that may quote rows: a form that is known, up to a value in it, and the place. */
export function withoutValues(told: string): string {
  const [line = ''] = told.split('\n')
  const message = messageIn(line)
  const forms = OF_A_FUNCTION.test(told) ? [] : FORMS.map((one) => one.exec(message)?.[0])
  const form = forms.find((found) => found !== undefined) ?? (OF_A_FUNCTION.test(told) ? undefined : LOST.exec(told)?.[1]?.trim())
  const where = COPY_FAILED.exec(line)?.[0].replace(/(?:\w+: {2})?$/, '') ?? ''
  const at = /\nCONTEXT: .*?\bCOPY [^\n]*?, (line \d+(?:, column [^:\n]+)?)/s.exec(told)?.[1]
  const text = form?.replace(/^(?:value )?"[^]*" is/, 'a value is').replace(/^time zone$/, 'a time zone is not known')
    .replace(/^role$/, 'a role does not exist')
  return `${where}${text ?? 'an error whose text may quote rows, so that it is not shown'}${at === undefined ? '' : ` (${at})`}`
}
