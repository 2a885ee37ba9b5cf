import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { BadSource } from '../../source.ts'
import type { Entry } from '../contents.ts'
import { queryJson, type QueryContext } from '../query.ts'
import { GUARDED } from './guard.ts'

/** How an error begins of which the server is the cause: it lacks something that the backup cannot bring. */
const OF_THE_SERVER = new RegExp(
  `^(?:${[
    'extension ".*" is not available', 'could not open extension control file', 'could not access file', 'could not load library',
    'ICU is not supported', 'could not open collator', 'could not create locale', 'invalid locale', 'collation ".*" for encoding',
    'role ".*" does not exist', 'unrecognized configuration parameter', 'security label provider', 'time zone .* not recognized',
    'could not [^:]+: No space left on device', 'permission denied', 'must be (?:superuser|owner|member|able to SET ROLE)',
    'only superusers? can', 'query would be affected by row-level security',
    'out of memory', 'out of shared memory', 'could not extend file', 'temporary file size exceeds', 'canceling statement due to',
    'deadlock detected', 'too many clients', 'sorry, too many', GUARDED,
    '[^\n]* (?:must|can only) be loaded via', '(?:table )?access method ".*" does not exist',
  ].join('|')})`,
  's',
)
/** Messages of a server that ends a session, and of clients that lost theirs, in any line. */
const LOST = new RegExp(
  `(?:^|: {1,2})(${[
    'terminating connection', 'server closed the connection', 'no connection to the server', 'SSL connection has been closed',
    'could not (?:receive data from|send data to) ', 'the database system is ', 'connection to server ',
  ].join('|')})`,
  'm',
)
/** Functions of the database can say anything. */
const OF_A_FUNCTION = new RegExp(`^(?!(?:.*: {1,2})?${GUARDED}).*\\nCONTEXT: .*\\bat RAISE\\b`, 's')

/** Well-known images with extensions that a server does not come with. */
const IMAGES: readonly [extension: RegExp, image: (major: number) => string][] = [
  [/^(?:postgis|address_standardizer|pgrouting)/, (major) => `postgis/postgis:${major}-${major >= 18 ? '3.6' : '3.5'}`],
  [/^vector$/, (major) => `pgvector/pgvector:pg${major}`],
  [/^timescaledb/, (major) => `timescale/timescaledb:latest-pg${major}`],
]

/** Throws if the scratch server lacks an extension. `major`: the wanted one. */
export async function requireExtensions(entries: readonly Entry[], major: number, context: QueryContext): Promise<void> {
  const wanted = entries.filter(({ kind }) => kind === 'EXTENSION').map(({ name }) => name)
  const available = new Set(
    await queryJson('SELECT pg_catalog.json_agg(name) FROM pg_catalog.pg_available_extensions', z.array(z.string()), context),
  )
  const missing = wanted.filter((name) => !available.has(name))
  if (missing.length === 0) return
  throw new LifeboatError(`the scratch server does not have the extension ${missing.join(', ')}`, {
    hint: hintFor(missing, major) })
}

function hintFor(missing: readonly string[], major: number): string {
  const image = IMAGES.find(([extension]) => missing.some((name) => extension.test(name)))?.[1](major)
  if (image === undefined) return marked`Give an image of a server that has it in ‹scratch-image›, or its URL in ‹scratch-url›.`
  return marked`Give ‹scratch-image: ${image}›, or, as a service container of the job with that image, ‹scratch-url›.`
}

/** An error of pg_restore. `rows`: while rows were loaded, which it may quote. */
export interface RestoreError {
  told: string
  rows: boolean
}

/** The scratch server, and the pg_dump that made the archive. */
export interface RestoredBy {
  major: number
  dumpMajor: number
}

/**
 * The verdict on a restore with errors: the backup is bad, unless it is the server that lacks something. When rows are loaded, all
 * definitions are there: each table's error is one of its own, one that tells of bad rows decides, and no other tells of the backup.
 */
export function restoreProblem(errors: readonly RestoreError[], { major, dumpMajor }: RestoredBy): LifeboatError {
  const damage = errors.find((error) => error.rows && isAboutRows(error))
  const own = damage ? undefined : errors.find((error) => error.rows || isOfTheServer(error))
  if (own) {
    return new LifeboatError(`the scratch server cannot take this database: ${shown(own)}`, {
      hint: marked`Give a server that is like the one of the backup (image, locales, extensions, room), in ‹scratch-url›.` })
  }
  const first = damage ?? errors[0]!
  const more = errors.length > 1 ? `, and ${(errors.length - 1).toLocaleString('en-US')} more errors` : ''
  if (major < dumpMajor && !isAboutRows(first)) {
    return new LifeboatError(`PostgreSQL ${major} does not take what pg_dump ${dumpMajor} wrote: ${shown(first)}${more}`, {
      hint: marked`Give a scratch server of PostgreSQL ${dumpMajor}, in ‹scratch-url› or ‹scratch-image›.` })
  }
  return new BadSource(`it cannot be restored: ${shown(first)}${more}`)
}

function isOfTheServer({ told }: Pick<RestoreError, 'told'>): boolean {
  return (OF_THE_SERVER.test(messageIn(told)) || LOST.test(told)) && !isAboutRows({ told })
}

function isAboutRows({ told }: Pick<RestoreError, 'told'>): boolean {
  return OF_A_FUNCTION.test(told) || ABOUT_ROWS.some((form) => form.test(messageIn(told)))
}

const COPY_FAILED = /^COPY failed for table "(?:[^"]|"")*": (?:\w+: {2})?/

function messageIn(told: string): string {
  return told.replace(COPY_FAILED, '')
}

/** Messages about rows that are not as they must be (classes 22 and 23), up to a value in them. */
const ABOUT_ROWS = [
  /^invalid input syntax for type [\w ]+/, /^invalid input value for enum [\w.]+/, /^value too long for type [\w ()]+/,
  /^value "[^]*" is out of range for type [\w ]+/, /^[\w/ ]+ out of range/, /^malformed [\w ]+ literal/,
  /^invalid byte sequence for encoding "\w+"/, /^(?:missing data for column|extra data after last expected column)/,
  /^new row for relation "[^"]+" violates check constraint "[^"]+"/,
  /^check constraint "[^"]+" of relation "[^"]+" is violated by some row/,
  /^null value in column "[^"]+" of relation "[^"]+" violates not-null constraint/,
  /^column "[^"]+" of relation "[^"]+" contains null values/, /^value for domain [\w."]+ violates check constraint "[^"]+"/,
  /^duplicate key value violates unique constraint "[^"]+"/, /^could not create unique index "[^"]+"/,
  /^insert or update on table "[^"]+" violates foreign key constraint "[^"]+"/,
  /^no partition of relation "[^"]+" found for row/, /^new row for relation "[^"]+" violates partition constraint/,
  /^numeric field overflow/, /^bit string (?:length|too long)/, /^unsupported Unicode escape sequence/, /^unquoted [\w ]+ found in data/,
  /^(?:literal [\w ]+ found in data|end-of-copy marker|invalid (?:hexadecimal|XML|regular expression|Unicode|name syntax|end sequence))/,
]

/** Messages while rows were loaded, up to a value in them. */
const FORMS = [
  ...ABOUT_ROWS,
  /^(?:permission denied (?:for|to)|must be|only superusers? can) [\w ]+/,
  /^(?:out of memory|out of shared memory|could not extend file|role)/,
  new RegExp(`^${GUARDED}`),
]

/** Errors that may quote rows, or of functions that got them. */
const QUOTES = /\nCONTEXT: |^(?:invalid (?:input|byte)|malformed|value|.*\bout of range)/

/** Without values of rows. */
function shown({ told, rows }: RestoreError): string {
  const [line = ''] = told.split('\n')
  if (!rows && !QUOTES.test(told)) return line.replace(/(syntax for type [^:]+|violates [^:]+): .*$/, '$1')
  const message = messageIn(line)
  const forms = OF_A_FUNCTION.test(told) ? [] : FORMS.map((one) => one.exec(message)?.[0])
  const form = forms.find((found) => found !== undefined) ?? (isOfTheServer({ told }) ? LOST.exec(told)?.[1]?.trim() : undefined)
  const where = COPY_FAILED.exec(line)?.[0].replace(/(?:\w+: {2})?$/, '') ?? ''
  const at = /\nCONTEXT: .*?\bCOPY [^\n]*?, (line \d+(?:, column [^:\n]+)?)/s.exec(told)?.[1]
  const text = form?.replace(/^value "[^]*" is/, 'a value is').replace(/^role$/, 'a role does not exist')
  return `${where}${text ?? 'an error whose text may quote rows, so that it is not shown'}${at === undefined ? '' : ` (${at})`}`
}
