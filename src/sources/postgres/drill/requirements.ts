import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { BadSource } from '../../source.ts'
import type { Entry } from '../contents.ts'
import { queryJson, type QueryContext } from '../query.ts'

/** How an error begins of which the server is the cause: it lacks something that the backup cannot bring. */
const OF_THE_SERVER = new RegExp(
  `^(?:${[
    'extension ".*" is not available', 'could not open extension control file', 'could not access file', 'could not load library',
    'ICU is not supported', 'could not open collator', 'could not create locale', 'invalid locale', 'collation ".*" for encoding',
    'role ".*" does not exist', 'unrecognized configuration parameter', 'security label provider', 'time zone .* not recognized',
    'could not [^:]+: No space left on device', 'permission denied', 'must be (?:superuser|owner|member|able to SET ROLE)',
    'only superusers? can', 'query would be affected by row-level security',
    'out of memory', 'out of shared memory', 'could not extend file',
    '[^\n]* (?:must|can only) be loaded via', '(?:table )?access method ".*" does not exist',
  ].join('|')})`,
  's',
)
/** Functions of the database can say anything. */
const OF_A_FUNCTION = /\nCONTEXT: .*\bat RAISE\b/s

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

/** The verdict on a restore with errors: the backup is bad, unless it is the server that lacks something. */
export function restoreProblem(errors: readonly RestoreError[]): LifeboatError {
  const own = errors.find(({ told }) => OF_THE_SERVER.test(messageIn(told)) && !OF_A_FUNCTION.test(told))
  if (own === undefined) {
    const more = errors.length > 1 ? `, and ${(errors.length - 1).toLocaleString('en-US')} more errors` : ''
    return new BadSource(`it cannot be restored: ${shown(errors[0]!)}${more}`)
  }
  return new LifeboatError(`the scratch server cannot take this database: ${shown(own)}`, {
    hint: marked`Give a server that is like the one of the backup (image, locales, extensions, room), in ‹scratch-url›.` })
}

const COPY_FAILED = /^COPY failed for table "(?:[^"]|"")*": (?:\w+: {2})?/

function messageIn(told: string): string {
  return told.replace(COPY_FAILED, '')
}

/** Messages about rows, up to a value in them. */
const FORMS = [
  /^invalid input syntax for type [\w ]+/, /^invalid input value for enum [\w.]+/, /^value too long for type [\w ()]+/,
  /^value "[^]*" is out of range for type [\w ]+/, /^[\w/ ]+ out of range/, /^malformed [\w ]+ literal/,
  /^invalid byte sequence for encoding "\w+"/, /^(?:missing data for column|extra data after last expected column)/,
  /^(?:permission denied (?:for|to)|must be|only superusers? can) [\w ]+/,
  /^new row for relation "[^"]+" violates check constraint "[^"]+"/,
  /^check constraint "[^"]+" of relation "[^"]+" is violated by some row/,
  /^null value in column "[^"]+" of relation "[^"]+" violates not-null constraint/,
  /^column "[^"]+" of relation "[^"]+" contains null values/, /^value for domain [\w."]+ violates check constraint "[^"]+"/,
  /^duplicate key value violates unique constraint "[^"]+"/, /^could not create unique index "[^"]+"/,
  /^insert or update on table "[^"]+" violates foreign key constraint "[^"]+"/,
  /^(?:out of memory|out of shared memory|could not extend file|role)/,
]

/** Errors that may quote rows, or of functions that got them. */
const QUOTES = /\nCONTEXT: |^(?:invalid (?:input|byte)|malformed|value|.*\bout of range)/

/** Without values of rows. */
function shown({ told, rows }: RestoreError): string {
  const [line = ''] = told.split('\n')
  if (!rows && !QUOTES.test(told)) return line.replace(/(syntax for type [^:]+|violates [^:]+): .*$/, '$1')
  const message = messageIn(line)
  const form = OF_A_FUNCTION.test(told) ? undefined : FORMS.map((one) => one.exec(message)?.[0]).find((found) => found !== undefined)
  const where = COPY_FAILED.exec(line)?.[0].replace(/(?:\w+: {2})?$/, '') ?? ''
  const at = /\nCONTEXT: .*?\bCOPY [^\n]*?, (line \d+(?:, column [^:\n]+)?)/s.exec(told)?.[1]
  const text = form?.replace(/^value "[^]*" is/, 'a value is').replace(/^role$/, 'a role does not exist')
  return `${where}${text ?? 'an error whose text may quote rows, so that it is not shown'}${at === undefined ? '' : ` (${at})`}`
}
