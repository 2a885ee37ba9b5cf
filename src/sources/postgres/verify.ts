import { LifeboatError, messageOf } from '../../error.ts'
import { ChildError } from '../../process/child.ts'
import type { ReadLevel } from '../../repository/levels.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import type { ArchiveContents, SourceContext, SourceVerified, StoredSource } from '../source-kind.ts'
import { BadSource } from '../source.ts'
import { RecordedEntries } from './archive-parts/recorded-entries.ts'
import { archiveOf, isArchive, readArchive, requireHead, type StoredArchive } from './archive-parts/stored-archive.ts'
import { type ArchiveContext, listArchive, parseWholeArchive } from './archive.ts'
import { restoreClient } from './client-download/choose.ts'
import { clientPrograms } from './client-programs.ts'
import { archiveFacts } from './facts.ts'

export function contentsOf(source: SourceRecord): ArchiveContents {
  const { entries, size } = archiveOf(source)
  return { entries: entries.length, size }
}

/** Each stream by itself: damage to one says nothing about the others. */
export async function verifyDatabase(stored: StoredSource, level: ReadLevel, context: SourceContext): Promise<SourceVerified> {
  const entries = archiveFacts.safeParse(stored.source.facts).data?.entries.length ?? 0
  const versions: Record<string, string> = {}
  const problems = await problemsOf([() => verifyArchive(stored, level, context, versions)], context)
  const others = level === 'list' ? [] : stored.source.streams.filter((stream) => !isArchive(stream))
  problems.push(...(await problemsOf(others.map((stream) => () => readWhole(stored.read(stream), context.signal)), context)))
  return { entries, problems: problems.flatMap((problem) => (problem instanceof Problems ? problem.all : [problem])), versions }
}

/** Several errors of one check. */
class Problems extends Error {
  readonly all: readonly unknown[]

  constructor(all: readonly unknown[]) {
    super('several problems')
    this.all = all
  }
}

/** The errors of checks, one after the other. */
async function problemsOf(checks: readonly (() => Promise<void>)[], { signal }: Pick<SourceContext, 'signal'>): Promise<unknown[]> {
  const problems: unknown[] = []
  for (const check of checks) {
    try {
      await check()
    } catch (error) {
      signal.throwIfAborted()
      problems.push(error)
    }
  }
  return problems
}

/** SQL text has no structure to check; reading compares every chunk, and the whole. */
async function readWhole(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  for await (const _ of bytes) signal.throwIfAborted()
}

/**
 * `list`: pg_restore lists the entries that were recorded, and each part begins with its table of contents. `read`: it parses every
 * byte. `versions` gets the one of pg_restore.
 */
async function verifyArchive(
  stored: StoredSource, level: ReadLevel, context: SourceContext, versions: Record<string, string>,
): Promise<void> {
  const { variables, signal } = context
  const archive = archiveOf(stored.source)
  const { main, parts } = archive
  const { clients, provide } = await clientPrograms(context)
  const { client } = await restoreClient(clients, archive.dumpMajor, undefined, provide)
  versions['pg_restore'] = `${client.major}`
  const reading: ArchiveContext = { client, variables, signal }
  if (level === 'list') {
    const { entries } = await judged(main.name, readArchive(stored, archive), (input) => listArchive(input, reading))
    requireRecorded(archive, entries)
    const problems = await problemsOf(parts.map((part) => () => requireHead(part, stored.read(part.record))), context)
    if (problems.length > 0) throw new Problems(problems)
    return
  }
  const parse = (name: string, bytes: AsyncIterable<Buffer>) => judged(name, bytes, (input) => parseWholeArchive(input, reading))
  try {
    await parse(main.name, readArchive(stored, archive))
  } catch (error) {
    signal.throwIfAborted()
    const each = parts.length > 0 ? [main, ...parts.map(({ record }) => record)] : []
    const problems = await problemsOf(each.map((record) => () => parse(record.name, stored.read(record))), context)
    throw problems.length > 0 ? new Problems(problems) : error
  }
}

function requireRecorded(archive: StoredArchive, listed: readonly string[]): void {
  const recorded = new RecordedEntries(archive)
  for (const line of listed) recorded.passes(line)
  recorded.require()
}

/** Runs pg_restore for the bytes of an archive. Throws BadSource if it refuses them. */
async function judged<T>(name: string, bytes: AsyncIterable<Buffer>, run: (input: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
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
    return await run(input)
  } catch (error) {
    // An error of the store, or a pg_restore that something ended, says nothing about the archive.
    if (error === unread || wasEnded(error)) throw error
    throw new BadSource(`${name}: ${messageOf(error)}`, { cause: error })
  }
}

/** Whether the program was ended from outside. */
function wasEnded(error: unknown): boolean {
  return error instanceof LifeboatError && error.cause instanceof ChildError && error.cause.exit.status === null
}
