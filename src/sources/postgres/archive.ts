import type { Variables } from '../../environment.ts'
import { type Child, ChildError, collect, type Exit, feed, linesOf, startChild } from '../../process/child.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { type Client, programOf } from './clients.ts'
import { clientEnvironment } from './connection.ts'
import { ContentsReader, type Entry, isSetting, ofDatabase, type PassingEntry } from './contents.ts'
import { UnknownFormat } from './contents-form.ts'
import { Ids } from './ids.ts'

/** The output of `pg_restore --list` for a custom-format archive. */
export interface ArchiveListing {
  /** Version of the pg_dump that made it: `17.5 (Debian 17.5-1)`. */
  dumpVersion: string
  dumpMajor: number
  /** Version of the server it was made from. */
  serverVersion: string
  /** The lines of the list without its comments, one per entry. */
  entries: string[]
}

export interface ArchiveContext {
  /** Its pg_restore must be at least the archive's pg_dump version: `clientForRestore`. */
  client: Client
  variables: Variables
  signal?: AbortSignal
}

/** A `pg_restore` that gets an archive while it passes. */
export interface ArchiveReading<T> {
  /** Resolves when pg_restore took the bytes: false when it needs no more of them. */
  readonly push: (bytes: Uint8Array) => Promise<boolean>
  /** Ends the input and gives the result. Throws `LifeboatError` if the bytes are no archive. */
  readonly finish: () => Promise<T>
  readonly stop: () => Promise<void>
  readonly exit: Promise<Exit>
}

/** Needs no more bytes when it has the table of contents. */
export function startListing(context: ArchiveContext): ArchiveReading<ArchiveListing> {
  return startReading(['--list'], context, readListing)
}

const SQL = ['--no-tablespaces', '-f', '-']

/** Writes a whole archive as SQL, for `read`. Tablespaces are left out. */
export function startSql<T>(context: ArchiveContext, read: (sql: AsyncIterable<Buffer>) => Promise<T>): ArchiveReading<T> {
  return startReading(SQL, context, ({ stdout }) => read(stdout))
}

function startReading<T>(parameters: readonly string[], context: ArchiveContext, read: (child: Child) => Promise<T>): ArchiveReading<T> {
  const { child, printed } = startRestore(parameters, context, read)
  return {
    push: child.write,
    finish: async () => {
      child.end()
      return printed()
    },
    stop: child.stop,
    exit: child.exit,
  }
}

/** Lists an archive. Reads little more of `bytes` than the table of contents. */
export async function listArchive(bytes: AsyncIterable<Uint8Array>, context: ArchiveContext): Promise<ArchiveListing> {
  const { child, printed } = startRestore(['--list'], context, readListing)
  await feed(child, bytes)
  return printed()
}

/** Makes pg_restore read and parse a whole archive. `bytes` are read to their end, where they may still throw. */
export async function parseWholeArchive(bytes: AsyncIterable<Uint8Array>, context: ArchiveContext): Promise<void> {
  const { child, printed } = startRestore(['-f', '/dev/null'], context, collect)
  await feed(child, bytes, { toTheEnd: true, spent: true })
  await printed()
}

/**
 * The ids of the entries that pg_restore would restore with `filters`, in its order, without user mappings: a scratch server that has them
 * would log in to other servers, and could write there. Reads as much of `bytes` as listing does. `passes` gets the line of every entry.
 */
export async function listIds(
  bytes: AsyncIterable<Uint8Array>, context: ArchiveContext, filters: readonly string[], passes: (line: string) => void = () => undefined,
): Promise<number[]> {
  const ids: number[] = []
  const take = (id: number, line: string): void => {
    passes(line)
    if (!/^\d+; \d+ \d+ USER MAPPING /.test(line)) ids.push(id)
  }
  const { child, printed } = startRestore(['--list', ...filters], context, (child) => eachId(child, take))
  await feed(child, bytes)
  await printed()
  return ids
}

/** The same SQL, while it is written. The archive is read as far as it is asked for. */
export async function* sqlOf(
  bytes: AsyncIterable<Uint8Array>,
  { client, variables, signal }: ArchiveContext,
): AsyncGenerator<Buffer, void, void> {
  const environment = clientEnvironment({ environment: {} }, variables)
  const child = startChild(programOf(client, 'pg_restore'), SQL, { environment, ...(signal && { signal }) })
  const feeding = feed(child, bytes)
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  try {
    yield* child.stdout
    await feeding
  } catch (error) {
    await child.stop()
    // If the bytes ended with an error, pg_restore only tells that they ended too early.
    await feeding
    throw error
  } finally {
    await child.stop()
    await feeding.catch(() => undefined)
  }
}

/** The entries of an archive that pg_restore would restore. */
export interface Restorable {
  count: number
  has: (entry: Pick<Entry, 'id'>) => boolean
}

/**
 * The entries of an archive's table of contents that `keeps` selects, and those that pg_restore would restore with `filters`, without the
 * settings of its session and the database itself, which it lists too. Reads as much of `bytes` as listing does. `unknown`: the
 * format is one that only pg_restore reads; then there are no entries, and the count includes settings.
 */
export async function readContents(
  bytes: AsyncIterable<Uint8Array>,
  context: ArchiveContext,
  filters: readonly string[],
  keeps: (entry: PassingEntry) => boolean,
): Promise<{ entries: Entry[]; highest: number; restorable: Restorable; unknown?: UnknownFormat }> {
  const { child, printed } = startRestore(['--list', ...filters], context, idsOf)
  const contents = new ContentsReader({ keeps: (entry) => isSetting(entry) || ofDatabase(entry) || keeps(entry) })
  let broken: unknown
  try {
    let [listing, reading] = [true, true]
    for await (const piece of bytes) {
      if (listing) listing = await child.write(piece)
      if (reading && broken === undefined) {
        try {
          reading = contents.push(piece)
        } catch (error) {
          broken = error
        }
      }
      if (!listing && (!reading || broken !== undefined)) break
    }
  } catch (error) {
    await child.stop()
    throw error
  }
  child.end()
  // If neither can read the archive, the message of pg_restore is the one that people look up.
  const ids = await printed()
  if (broken instanceof UnknownFormat)
    return { entries: [], highest: 0, restorable: { count: ids.size, has: ({ id }) => ids.has(id) }, unknown: broken }
  if (broken !== undefined) throw broken
  const entries = contents.finish()
  for (const entry of entries) if (isSetting(entry) || ofDatabase(entry)) ids.delete(entry.id)
  return { entries, highest: contents.highest, restorable: { count: ids.size, has: ({ id }) => ids.has(id) } }
}

async function readListing(child: Child): Promise<ArchiveListing> {
  const comments: string[] = []
  const entries: string[] = []
  for await (const lines of linesOf(child)) {
    for (const line of lines) {
      if (line.startsWith(';')) comments.push(line)
      else if (line !== '') entries.push(line)
    }
  }
  const comment = (name: string) => comments.find((line) => line.includes(`${name}: `))?.split(`${name}: `)[1]?.trim() ?? ''
  const dumpVersion = comment('Dumped by pg_dump version')
  const dumpMajor = Number.parseInt(dumpVersion, 10)
  if (!dumpMajor)
    throw new LifeboatError(`pg_restore --list printed something unexpected: ${[...comments, ...entries].join('\n').slice(0, 200)}`)
  return { dumpVersion, dumpMajor, serverVersion: comment('Dumped from database version'), entries }
}

/** The ids in a list while it is printed, because the lines of 50,000 tables take much memory. */
async function idsOf(child: Child): Promise<Ids> {
  const ids = new Ids()
  await eachId(child, (id) => ids.add(id))
  return ids
}

async function eachId(child: Child, take: (id: number, line: string) => void): Promise<void> {
  for await (const lines of linesOf(child)) {
    for (const line of lines) {
      const id = /^(\d+); /.exec(line)
      if (id) take(Number(id[1]), line)
    }
  }
}

/** Starts a pg_restore that needs no server. `printed` throws if it failed. */
function startRestore<T>(
  parameters: readonly string[],
  { client, variables, signal }: ArchiveContext,
  read: (child: Child) => Promise<T>,
): { child: Child; printed: () => Promise<T> } {
  const environment = clientEnvironment({ environment: {} }, variables)
  const child = startChild(programOf(client, 'pg_restore'), parameters, { environment, ...(signal && { signal }) })
  const output = read(child).then((value) => ({ value }), (error: unknown) => ({ error }))
  return {
    child,
    printed: async () => {
      const ended = await output
      if ('value' in ended) return ended.value
      throw ended.error instanceof ChildError ? unreadable(ended.error, client) : ended.error
    },
  }
}

function unreadable(error: ChildError, client: Client): LifeboatError {
  const told = error.exit.stderr.trim() || messageOf(error)
  const newer = /unsupported version \((\S+)\) in file header/.exec(told)
  if (newer) {
    return new LifeboatError(
      `the archive has format ${newer[1]}, which pg_restore ${client.major} cannot read: it was made by a newer pg_dump`,
      {
        hint: 'Install the client programs of the version that made it, or newer.',
        cause: error,
      },
    )
  }
  return new LifeboatError(`pg_restore ${client.major} cannot read the archive: ${told}`, { cause: error })
}
