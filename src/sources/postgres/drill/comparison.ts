import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { startChild } from '../../../process/child.ts'
import { BadSource } from '../../source.ts'
import { type ArchiveContext, readContents, sqlOf } from '../archive.ts'
import { programOf } from '../clients.ts'
import { clientEnvironment, type Connection } from '../connection.ts'
import { corrected, type Entry } from '../contents.ts'
import { type DatabaseSettings, databaseSettings } from '../database-settings.ts'
import { argumentsAgain } from '../dump-arguments.ts'
import { clientError } from '../errors.ts'
import { type Difference, differences, type Digests, entryName } from './digests.ts'
import { firstDifference } from './first-difference.ts'
import { isRange } from './large-objects.ts'
import { textShapes } from './shape.ts'

/** A restored database, and the archive that it was restored from. */
export interface RestoredCopy {
  connection: Connection
  /** Why the settings of its sessions are not those of the backup. */
  unlike: string | undefined
  reading: ArchiveContext
  archive: () => AsyncIterable<Buffer>
  /** The arguments of the dump that the archive is. */
  again: readonly string[]
  /** Whether `archive` is corrected: pg_dump writes the SQL as it is. */
  groups: boolean
  /** Of the database itself. */
  settings: DatabaseSettings | undefined
  database: string
}

const MOST_NAMED = 10
const ARCHIVE = ['--format=custom', '--compress=0']
const CHOICE = { noOwner: false, noPrivileges: false, noTablespaces: true }

/** Dumps a restored database, and compares it with the archive. A problem for each difference, up to a number. */
export async function comparison(restored: RestoredCopy, before: Digests, wording: boolean): Promise<unknown[]> {
  const archive = (): AsyncIterable<Buffer> => sqlOf(restored.archive(), restored.reading)
  const found = await redumped(restored, (after) => differences(before, after, wording, archive))
  const problems: unknown[] = []
  for (const difference of found.slice(0, MOST_NAMED)) {
    const text = await told(difference, restored, problems.length === 0)
    problems.push(isSure(difference, restored) ? new BadSource(text) : unsure(text, restored))
  }
  if (found.length > MOST_NAMED) {
    const more = `${(found.length - MOST_NAMED).toLocaleString('en-US')} more entries differ after the restore`
    problems.push(found.slice(MOST_NAMED).some((one) => isSure(one, restored)) ? new BadSource(more) : new LifeboatError(more))
  }
  if (wording && restored.settings) problems.push(...(await comparedSettings(restored, restored.settings)))
  return problems
}

/** With other settings than those of the backup, texts of equal data may differ; numbers do not. */
function isSure({ header, what, rows }: Difference, { unlike }: RestoredCopy): boolean {
  return unlike === undefined || what !== 'changed' || rows !== undefined || /; Type: (?:SEQUENCE SET|BLOBS?); /.test(header)
}

function unsure(text: string, { unlike }: RestoredCopy): LifeboatError {
  return new LifeboatError(`${text}, perhaps because of settings of the session of the backup, ${unlike}`, {
    hint: marked`Drill a newer snapshot, or give a scratch server that is like the one of the backup, in ‹scratch-url›.` })
}

/** `place`: also where an entry begins to differ, for which both archives are read once more. */
async function told({ header, what, rows }: Difference, restored: RestoredCopy, place: boolean): Promise<string> {
  const name = entryName(header)
  if (what === 'missing') return `${name} is missing after the restore`
  if (what === 'added') return `${name} is not in the backup, and is there after the restore`
  const [was, is] = (rows ?? []).map((count) => count.toLocaleString('en-US'))
  const counted = rows ? `: ${is} ${isRange(header) ? 'objects' : 'rows'} instead of ${was}` : ''
  const differs = `${name} differs after the restore${counted}`
  if (!place) return differs
  const found = await placeOf(header, restored).catch(() => restored.reading.signal?.throwIfAborted())
  return found === undefined ? differs : `${differs}; ${found}`
}

function placeOf(header: string, restored: RestoredCopy): Promise<string | undefined> {
  return redumped(restored, (after) => firstDifference(header, sqlOf(restored.archive(), restored.reading), after))
}

/**
 * The SQL of a restored database, made as that of the archive was: arguments may mean nothing for an archive, but something for SQL
 * (`--no-owner`, `--create`).
 */
function redumped<T>(restored: RestoredCopy, read: (sql: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
  const { again, groups, reading } = restored
  if (again.length === 0 && !groups) return dumped(restored, ['--format=plain', '--no-tablespaces'], read)
  return dumped(restored, ARCHIVE, (archive) => read(sqlOf(groups ? corrected(archive) : archive, reading)), argumentsAgain(again))
}

/** The settings, owner, privileges and comment of the database itself, of which the SQL of an archive tells nothing. */
async function comparedSettings(restored: RestoredCopy, settings: DatabaseSettings): Promise<unknown[]> {
  const parameters = [...ARCHIVE, '--schema-only', '--exclude-schema=*']
  const { entries } = await dumped(restored, parameters, (archive) => readContents(archive, restored.reading, [], () => false))
  const now = settingsIn(entries, restored.database)
  const [was, is] = [statementsOf(settings), now ? statementsOf(now) : []]
  const missing = was.find((statement) => !is.includes(statement))
  const added = is.find((statement) => !was.includes(statement))
  if (missing === undefined && added === undefined) return []
  return [new BadSource(`the settings of the database differ after the restore: ${textShapes(missing, added)}`)]
}

/** The settings of a database that an archive brings to a scratch server. */
export function settingsIn(entries: readonly Entry[], database: string): DatabaseSettings | undefined {
  return databaseSettings(entries, database, CHOICE)
}

function statementsOf({ options, early, late }: DatabaseSettings): string[] {
  return [...options.map((option) => JSON.stringify(option)), ...early, ...late]
}

/** Runs pg_dump on the restored database, and reads what it writes. */
async function dumped<T>(
  { connection, reading: { client, variables, signal } }: RestoredCopy,
  parameters: readonly string[],
  read: (output: AsyncIterable<Buffer>) => Promise<T>,
  more: readonly string[] = [],
): Promise<T> {
  const child = startChild(
    programOf(client, 'pg_dump'),
    [...parameters, ...more, '--no-password', `--dbname=${connection.parameters}`],
    { environment: clientEnvironment(connection, variables), ...(signal && { signal }) },
  )
  child.end()
  try {
    return await read(child.stdout)
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof LifeboatError ? error : clientError(error, 'dump', connection)
  } finally {
    await child.stop()
  }
}
