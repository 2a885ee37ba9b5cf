import { LifeboatError, messageOf } from '../../error.ts'
import { ChildError } from '../../process/child.ts'
import type { ReadLevel } from '../../repository/levels.ts'
import { factsOf, type SourceRecord, type StreamRecord } from '../../repository/snapshot.ts'
import type { ArchiveContents, SourceContext, SourceVerified, StoredSource } from '../source-kind.ts'
import { BadSource } from '../source.ts'
import { type ArchiveContext, listArchive, parseWholeArchive } from './archive.ts'
import { restoreClient } from './client-download/choose.ts'
import { clientPrograms } from './client-programs.ts'
import { archiveFacts } from './facts.ts'

/** The archive of a database, and the facts that a restore needs. Throws if the record has neither. */
export function archiveOf(source: SourceRecord): { archive: StreamRecord; dumpMajor: number; entries: readonly string[] } {
  const archive = source.streams.find(isArchive)
  if (!archive) throw noArchive(source)
  const { dumpVersion, entries } = factsOf(source, archiveFacts)
  return { archive, dumpMajor: Number.parseInt(dumpVersion, 10), entries }
}

function isArchive({ format }: StreamRecord): boolean {
  return format === 'pg_dump-custom'
}

function noArchive({ name }: SourceRecord): BadSource {
  return new BadSource(`the database ${name} has no archive in this snapshot`)
}

export function contentsOf(source: SourceRecord): ArchiveContents {
  const { archive, entries } = archiveOf(source)
  return { entries: entries.length, size: archive.size }
}

/** Each stream by itself: damage to one says nothing about the others. */
export async function verifyDatabase(stored: StoredSource, level: ReadLevel, context: SourceContext): Promise<SourceVerified> {
  const entries = archiveFacts.safeParse(stored.source.facts).data?.entries.length ?? 0
  const problems: unknown[] = []
  const versions: Record<string, string> = {}
  if (!stored.source.streams.some(isArchive)) problems.push(noArchive(stored.source))
  for (const stream of stored.source.streams) {
    try {
      if (isArchive(stream)) await verifyArchive(stored, stream, level, context, versions)
      else if (level !== 'list') await readWhole(stored.read(stream), context.signal)
    } catch (error) {
      context.signal.throwIfAborted()
      problems.push(error)
    }
  }
  return { entries, problems, versions }
}

/** SQL text has no structure to check; reading compares every chunk, and the whole. */
async function readWhole(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  for await (const _ of bytes) signal.throwIfAborted()
}

/** `list`: pg_restore lists the entries that were recorded. `read`: it parses every byte. `versions` gets the one of pg_restore. */
async function verifyArchive(
  { source, read }: StoredSource,
  stream: StreamRecord,
  level: ReadLevel,
  context: SourceContext,
  versions: Record<string, string>,
): Promise<void> {
  const { variables, signal } = context
  const facts = factsOf(source, archiveFacts)
  const { clients, provide } = await clientPrograms(context)
  const { client } = await restoreClient(clients, Number.parseInt(facts.dumpVersion, 10), undefined, provide)
  versions['pg_restore'] = `${client.major}`
  const entries = await listed(stream, read(stream), level, { client, variables, signal })
  if (entries && (entries.length !== facts.entries.length || entries.some((entry, index) => entry !== facts.entries[index]))) {
    throw new BadSource(`${stream.name} lists ${entries.length} entries that are not the ${facts.entries.length} recorded at backup time`)
  }
}

/** The entries that pg_restore lists; undefined if it parsed the whole archive. Throws BadSource if it refuses the archive. */
async function listed(
  stream: StreamRecord,
  bytes: AsyncIterable<Buffer>,
  level: ReadLevel,
  context: ArchiveContext,
): Promise<string[] | undefined> {
  let unread: unknown
  const input = (async function* (): AsyncGenerator<Buffer, void, void> {
    try {
      yield* bytes
    } catch (error) {
      unread = error
      throw error
    }
  })()
  try {
    if (level === 'list') return (await listArchive(input, context)).entries
    await parseWholeArchive(input, context)
    return undefined
  } catch (error) {
    // An error of the store, or a pg_restore that something ended, says nothing about the archive.
    if (error === unread || wasEnded(error)) throw error
    throw new BadSource(`${stream.name}: ${messageOf(error)}`, { cause: error })
  }
}

/** Whether the program was ended from outside. */
function wasEnded(error: unknown): boolean {
  return error instanceof LifeboatError && error.cause instanceof ChildError && error.cause.exit.status === null
}
