import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'
import type { Variables } from '../../environment.ts'
import { ChildError, collectBytes, startChild, TooMuchOutput } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { formatBytes, formatSeconds } from '../../report/format.ts'
import { type Client, programOf } from './clients.ts'
import { clientEnvironment, type Connection } from './connection.ts'
import { clientError } from './errors.ts'

export interface QueryContext {
  connection: Connection
  client: Client
  /** The environment for `PATH` and similar variables. */
  variables: Variables
  /** Aborting it cancels the query on the server too. */
  signal?: AbortSignal
  /** The session begins with the client encoding that one of pg_dump has: that of the connection, the role or the server. */
  encodingOfDump?: true
  /** Errors have SQLSTATE before the message. */
  codes?: true
  /** Milliseconds after which a query is cancelled. Default: five minutes; Infinity for none. */
  timeLimit?: number
}

/**
 * pg_temp comes last: if it is not listed, it is searched first for tables and types (PostgreSQL documentation, `search_path`). Names in
 * SQL_ASCII and MULE_INTERNAL databases cannot be converted to UTF-8: they are sent unchanged.
 */
const settings = (timeLimit: number): string[] => [
  'SET LOCAL search_path = pg_catalog, pg_temp',
  `SET LOCAL statement_timeout = ${timeLimit === Infinity ? 0 : timeLimit}`,
  `SELECT WHERE pg_catalog.set_config('client_encoding', CASE WHEN pg_catalog.getdatabaseencoding()
    OPERATOR(pg_catalog.=) ANY ('{SQL_ASCII,MULE_INTERNAL}'::pg_catalog.name[]) THEN 'SQL_ASCII' ELSE 'UTF8' END, true) IS NULL`,
]

/**
 * Runs statements in one read-only transaction, with settings that end with it, and gives their output, unaligned and without headings.
 * Functions, types and relations in a statement have their schema; text of a user is a `literal` or an `identifier`. Throws
 * `LifeboatError`.
 */
export async function query(statements: string | readonly string[], context: QueryContext): Promise<Buffer> {
  return psql(transaction('BEGIN READ ONLY', statements, context), context)
}

/** Runs statements that change something in one transaction. */
export async function change(statements: string | readonly string[], context: QueryContext): Promise<void> {
  await psql(transaction('BEGIN', statements, context), context)
}

/** The same, with what they print, and then what statements print that are run when the transaction has been committed. */
export async function changing(statements: readonly string[], after: readonly string[], context: QueryContext): Promise<Buffer> {
  return psql([...transaction('BEGIN', statements, context), ...after], context)
}

/** The same; a COPY FROM STDIN among them reads `input`. */
export async function changeBy(input: Buffer, statements: readonly string[], context: QueryContext): Promise<void> {
  await psql(transaction('BEGIN', statements, context), context, undefined, input)
}

/**
 * Runs statements without a transaction: one that cannot run in one (CREATE DATABASE), or each in its own. `onPiece` as in `collectBytes`.
 */
export async function withoutTransaction(
  statements: string | readonly string[],
  context: QueryContext,
  onPiece?: (bytes: Buffer) => Promise<void>,
): Promise<Buffer> {
  return psql([statements].flat(), context, onPiece)
}

/** Runs a query whose one value is JSON. Bytes of a name that are not UTF-8 appear as `\xE9`. */
export async function queryJson<T>(statements: string | readonly string[], shape: z.ZodType<T>, context: QueryContext): Promise<T> {
  const bytes = await query(statements, context)
  try {
    return shape.parse(
      isUtf8(bytes)
        ? JSON.parse(bytes.toString())
        : JSON.parse(bytes.toString('latin1'), (_, value: unknown) => (typeof value === 'string' ? escaped(value) : value)),
    )
  } catch (cause) {
    throw new LifeboatError(`${context.connection.where} sent an unexpected answer: ${bytes.toString('utf8', 0, 200)}`, { cause })
  }
}

/** A quoted name for SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A quoted text for SQL, valid with every `standard_conforming_strings`. */
export const literal = (text: string): string => ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

const transaction = (begin: string, statements: string | readonly string[], { timeLimit = TIME_LIMIT }: QueryContext): string[] => [
  begin, ...settings(timeLimit), ...[statements].flat(), 'COMMIT',
]

/** Milliseconds. */
const TIME_LIMIT = 5 * 60 * 1000
/** Bytes. */
const LARGEST_ANSWER = 64 * 1024 * 1024
/** Bytes that psql may allocate: it keeps a whole answer in memory. */
const PSQL_MEMORY = 4 * LARGEST_ANSWER
/** The server did not answer a query within its time limit; the query was cancelled. */
export class NoAnswerInTime extends LifeboatError {}

/** Bytes of one argument on Linux (MAX_ARG_STRLEN). */
const LONGEST_ARGUMENT = 128 * 1024

/** psql sends the text of `--command` to the server unchanged, unless it begins with a backslash: no part of it is a command of psql. */
async function psql(
  statements: readonly string[], context: QueryContext, onPiece?: (bytes: Buffer) => Promise<void>, input?: Buffer,
): Promise<Buffer> {
  for (const statement of statements) {
    if (!/^[A-Z]/.test(statement)) throw new Error(`not a statement: ${statement.slice(0, 40)}`)
    if (Buffer.byteLength(statement) + 16 > LONGEST_ARGUMENT) throw new Error(`too long for an argument: ${statement.slice(0, 40)}`)
  }
  const { connection, client, variables, signal, codes, encodingOfDump, timeLimit = TIME_LIMIT } = context
  const limit = timeLimit === Infinity ? undefined : AbortSignal.timeout(timeLimit)
  const parameters = [
    '-X',
    '-q',
    '-A',
    '-t',
    '-w',
    '-v',
    'ON_ERROR_STOP=1',
    ...(codes ? ['-v', 'VERBOSITY=verbose'] : []),
    `--dbname=${connection.parameters}`,
    ...statements.map((statement) => `--command=${statement}`),
  ]
  try {
    const child = startChild(programOf(client, 'psql'), parameters, {
      environment: { ...clientEnvironment(connection, variables), ...(!encodingOfDump && { PGCLIENTENCODING: encodingOf(statements) }) },
      signal: AbortSignal.any([signal, limit].filter((one) => one !== undefined)),
      stopSignal: 'SIGINT', // psql asks the server to cancel the query.
      memory: PSQL_MEMORY,
    })
    const fed = (input ? child.write(input) : Promise.resolve(true)).then(() => child.end())
    const answer = await collectBytes(child, LARGEST_ANSWER, onPiece)
    await fed
    return answer
  } catch (error) {
    signal?.throwIfAborted()
    if (limit?.aborted) {
      throw new NoAnswerInTime(`${connection.where} did not answer within ${formatSeconds(timeLimit / 1000)}`, {
        hint: 'The query was cancelled. Look for waiting sessions and for high load at the server, then try again.' })
    }
    if (
      error instanceof TooMuchOutput ||
      (error instanceof ChildError && /^(?:psql: error: )?out of memory|cannot allocate memory for input buffer/m.test(error.exit.stderr))
    ) {
      throw new LifeboatError(`${connection.where} sent an answer of more than ${formatBytes(LARGEST_ANSWER)}`, {
        hint: 'Check that this is your PostgreSQL server.',
        cause: error,
      })
    }
    throw clientError(error, 'query', connection)
  }
}

/**
 * The name of a new database is converted to the encoding of the server's; with all other texts, SQL_ASCII reaches databases of every
 * encoding.
 */
export function encodingOf(statements: readonly string[]): 'SQL_ASCII' | 'UTF8' {
  return statements.every(isAscii) ? 'SQL_ASCII' : 'UTF8'
}

/** SQL for whether the relation `c` of the schema `n` is of users, and not of their session alone. */
export const OF_USERS = "c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

export function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text)
}

/** Text in an unknown encoding: UTF-8 stays, every other byte is written as `\xE9`. `latin1` has a character for each byte. */
function escaped(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1')
  if (isUtf8(bytes)) return bytes.toString()
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((length) => at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)))
    text += length === undefined ? `\\x${bytes[at]!.toString(16).toUpperCase()}` : bytes.toString('utf8', at, at + length)
    at += length ?? 1
  }
  return text
}
