import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../../error.ts'
import { ChildError, collect, feed, startChild } from '../../../process/child.ts'
import type { SourceContext } from '../../source-kind.ts'
import { type ArchiveContext, type ArchiveReading, listIds } from '../archive.ts'
import { programOf } from '../clients.ts'
import { clientEnvironment, type Connection } from '../connection.ts'
import { clientError } from '../errors.ts'
import { parseRestoreOutput } from '../restore-output.ts'
import type { Head } from './head.ts'

/** Connections that make indexes and constraints at the same time. */
const MOST_JOBS = 4

export interface DrillRestore {
  /** Its definitions. */
  head: Head
  /** The whole archive. */
  archive: AsyncIterable<Buffer>
  reading: ArchiveContext
  /** To the new database: as the superuser of the scratch server, and as the role that only loads rows. */
  superuser: Connection
  loader: Connection
  /** Entries that are restored with the definitions, although they come with the rows: large objects, which get their owners at once. */
  owned: readonly number[]
  /** Gets the whole archive while its rows are loaded. */
  sql: ArchiveReading<unknown>
  context: SourceContext
}

/**
 * Restores an archive in three steps: definitions as the superuser, rows as a role that may do nothing else, then constraints, indexes and
 * privileges as the superuser. Gives the errors of the first step that had any; the steps after it are left out.
 */
export async function restoreInSteps(restore: DrillRestore): Promise<string[]> {
  const { head, archive, superuser, loader, sql } = restore
  const { definitions, rows, rest } = await stepsOf(restore)
  const before = await pgRestore(definitions, superuser, restore, { input: head.bytes() })
  if (before.length > 0) return before
  const loading = await pgRestore(rows, loader, restore, { input: tapped(archive, sql), whole: true })
  if (loading.length > 0) return loading
  // Several connections need a file. They read no more than the table of contents, because the rows are loaded.
  const jobs = Math.min(availableParallelism(), MOST_JOBS)
  return pgRestore(rest, superuser, restore, { input: [], parameters: [`--jobs=${jobs}`, head.file] })
}

/** The ids of the entries of each step, in the order of the archive, which pg_restore keeps to. */
async function stepsOf({ head, reading, owned }: DrillRestore): Promise<Record<'definitions' | 'rows' | 'rest', number[]>> {
  const first = new Set([...(await listIds(head.bytes(), reading, ['--section=pre-data', '--no-privileges'])), ...owned])
  const second = new Set(await listIds(head.bytes(), reading, ['--section=data', '--no-privileges']))
  const steps: { definitions: number[]; rows: number[]; rest: number[] } = { definitions: [], rows: [], rest: [] }
  for (const id of await listIds(head.bytes(), reading, []))
    steps[first.has(id) ? 'definitions' : second.has(id) ? 'rows' : 'rest'].push(id)
  return steps
}

/** Each piece is given to two programs at the same time. */
async function* tapped(archive: AsyncIterable<Buffer>, sql: ArchiveReading<unknown>): AsyncGenerator<Buffer> {
  for await (const piece of archive) {
    const pushed = sql.push(piece)
    yield piece
    await pushed
  }
}

interface RestoreInput {
  input: AsyncIterable<Buffer> | Iterable<Buffer>
  /** It is read to its end. */
  whole?: boolean
  parameters?: readonly string[]
}

async function pgRestore(
  ids: readonly number[],
  connection: Connection,
  { reading: { client, variables }, context: { signal, temporary } }: DrillRestore,
  { input, whole = false, parameters = [] }: RestoreInput,
): Promise<string[]> {
  const list = path.join(temporary, `list-${randomBytes(4).toString('hex')}`)
  await writeFile(list, ids.map((id) => `${id};\n`).join(''), { mode: 0o600, flag: 'wx' })
  const child = startChild(
    programOf(client, 'pg_restore'),
    ['--no-password', '--no-tablespaces', `--use-list=${list}`, `--dbname=${connection.parameters}`, ...parameters],
    { environment: clientEnvironment(connection, variables), signal, stderrLimit: 1024 * 1024 },
  )
  const ended = collect(child).then(() => undefined, (error: unknown) => error)
  await feed(child, input, { toTheEnd: whole })
  const error = await ended
  await rm(list)
  const { errors, finished } = parseRestoreOutput((await child.exit).stderr)
  if (error === undefined || (error instanceof ChildError && finished)) return errors.map(withoutValues)
  if (error instanceof ChildError && errors.length > 0) return errors.map(withoutValues)
  throw error instanceof LifeboatError ? error : clientError(error, 'restore', connection)
}

/** The first line of an error of the server, without values of rows, which follow a colon or are in the lines after it. */
function withoutValues(error: string): string {
  const [line = ''] = error.split('\n')
  return line.replace(/(syntax for type [^:]+|value too long[^:]*|violates [^:]+|out of range[^:]*): .*$/, '$1')
}
