import { type Child, ChildError, collect, type Exit, feed, startChild } from '../child.ts'
import { LifeboatError, messageOf } from '../error.ts'
import { type Client, programOf } from './clients.ts'
import { clientEnvironment } from './connection.ts'

/** What `pg_restore --list` tells of a custom-format archive. */
export interface ArchiveListing {
  /** Of the pg_dump that made it: `17.5 (Debian 17.5-1)`. */
  dumpVersion: string
  dumpMajor: number
  /** Of the server it was made from. */
  serverVersion: string
  /** The lines of the list without its comments, one per entry. */
  entries: string[]
}

export interface ArchiveContext {
  /** Its pg_restore must be at least the archive's pg_dump version: `clientForRestore`. */
  client: Client
  variables: Readonly<Record<string, string | undefined>>
  signal?: AbortSignal
}

/** A `pg_restore --list` that is given an archive's first bytes as they come by. */
export interface Listing {
  /** Resolves when pg_restore took the bytes: false when it has read the table of contents and needs no more. */
  readonly push: (bytes: Uint8Array) => Promise<boolean>
  /** Ends the input and gives the list. Throws `LifeboatError` when the bytes are no archive. */
  readonly finish: () => Promise<ArchiveListing>
  readonly stop: () => Promise<void>
  readonly exit: Promise<Exit>
}

export function startListing(context: ArchiveContext): Listing {
  const { child, printed } = startRestore(['--list'], context)
  return {
    push: child.write,
    finish: async () => {
      child.end()
      return parseListing(await printed())
    },
    stop: child.stop,
    exit: child.exit,
  }
}

/** Lists an archive, or what `filters` (arguments of pg_restore) select of it. Reads no more of `bytes` than the table of contents and what was on its way. */
export async function listArchive(bytes: AsyncIterable<Uint8Array>, context: ArchiveContext, filters: readonly string[] = []): Promise<ArchiveListing> {
  const { child, printed } = startRestore(['--list', ...filters], context)
  await feed(child, bytes)
  return parseListing(await printed())
}

/** Has pg_restore read and parse a whole archive. `bytes` are read to their very end, where they may still throw, and used up. */
export async function parseWholeArchive(bytes: AsyncIterable<Uint8Array>, context: ArchiveContext): Promise<void> {
  const { child, printed } = startRestore(['-f', '/dev/null'], context)
  await feed(child, bytes, { toTheEnd: true, spent: true })
  await printed()
}

/** How the archived database was made: what follows the name in its CREATE DATABASE, as pg_restore prints it. */
export async function databaseDefinition(bytes: AsyncIterable<Uint8Array>, context: ArchiveContext): Promise<string> {
  const { child, printed } = startRestore(['--create', '--schema-only', '-f', '-'], context)
  await feed(child, bytes)
  const definition = /^CREATE DATABASE (?:"(?:[^"]|"")+"|\S+) (WITH [^\n]*);$/m.exec(await printed())?.[1]
  if (definition === undefined) {
    throw new LifeboatError('the archive does not say how its database was made', { hint: 'create the database yourself and restore with mode empty' })
  }
  return definition
}

export function parseListing(text: string): ArchiveListing {
  const lines = text.split('\n')
  const comment = (name: string) => lines.find((line) => line.startsWith(';') && line.includes(`${name}: `))?.split(`${name}: `)[1]?.trim() ?? ''
  const dumpVersion = comment('Dumped by pg_dump version')
  const dumpMajor = Number.parseInt(dumpVersion, 10)
  if (!dumpMajor) throw new LifeboatError(`pg_restore --list printed something unexpected: ${text.slice(0, 200)}`)
  const entries = lines.filter((line) => line !== '' && !line.startsWith(';'))
  return { dumpVersion, dumpMajor, serverVersion: comment('Dumped from database version'), entries }
}

/** A pg_restore that needs no server. `printed` throws when it did not end well; its rejection waits until it is asked for. */
function startRestore(parameters: string[], { client, variables, signal }: ArchiveContext): { child: Child; printed: () => Promise<string> } {
  const environment = clientEnvironment({ environment: {} }, variables)
  const child = startChild(programOf(client, 'pg_restore'), parameters, { environment, ...(signal && { signal }) })
  const output = collect(child).catch((error: unknown) => ({ error }))
  return {
    child,
    printed: async () => {
      const text = await output
      if (typeof text === 'string') return text
      if (text.error instanceof ChildError) throw unreadable(text.error, client)
      throw text.error
    },
  }
}

function unreadable(error: ChildError, client: Client): LifeboatError {
  const told = error.exit.stderr.trim() || messageOf(error)
  const newer = /unsupported version \((\S+)\) in file header/.exec(told)
  if (newer) {
    return new LifeboatError(`the archive has format ${newer[1]}, which pg_restore ${client.major} cannot read: it was made by a newer pg_dump`, {
      hint: 'install the client programs of the version that made it, or newer', cause: error })
  }
  return new LifeboatError(`pg_restore ${client.major} cannot read the archive: ${told}`, { cause: error })
}
