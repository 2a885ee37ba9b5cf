import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { markOf, newSnapshotId, type SourceRecord, sourceSize, type StreamRecord } from '../../repository/snapshot.ts'
import type { Writer } from '../../repository/writer.ts'
import { addedByTable, addedText } from '../../sources/added.ts'
import { confirmedBy } from '../../sources/nouns.ts'
import { amountOf, leftOutLines, remarksOf } from '../../sources/remarks.ts'
import { ReadAgain, type Source, type SourceStream } from '../../sources/source.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { asTheyCome } from '../../process/parallel.ts'
import type { BackupResult } from './result.ts'
import type { OpenedSources } from './opened-sources.ts'

/** A source as the snapshot records it, and as the result shows it. */
export interface RecordedSource {
  record: SourceRecord
  result: BackupResult['sources'][number]
}

/** A snapshot that is being made: its writer stores what it will list. */
export interface NewSnapshot {
  id: string
  time: Date
  writer: Writer
}

/** The number of times that the sources are read, if damage is found in chunks that the snapshot would list already. */
const MOST_READINGS = 3

/**
 * Stores the sources, and once more under another id as long as chunks that the snapshot would list turn out damaged. If the last reading
 * still found some, `commit` of the writer will throw.
 */
export async function storeUntilSound(
  sources: OpenedSources,
  first: NewSnapshot,
  before: readonly SourceRecord[],
  environment: Environment,
): Promise<{ snapshot: NewSnapshot; stored: RecordedSource[] }> {
  let snapshot = first
  for (let reading = 1; ; reading++) {
    const stored = await storeSources(sources, snapshot.writer, before, environment)
    const [lost] = snapshot.writer.lost()
    if (lost === undefined || reading === MOST_READINGS) return { snapshot, stored }
    environment.report.warning(
      `${lost} was found damaged after this backup had relied on it: the sources are read once more`,
      marked`The content of the damaged object is stored again. ‹lifeboat verify; level: read› looks for more damage.`,
    )
    const id = newSnapshotId(snapshot.time, randomBytes(4))
    snapshot = { ...snapshot, id, writer: snapshot.writer.again(markOf(id)) }
    await sources.openAgain()
  }
}

/**
 * Reads the sources one after the other and stores them. `before`: the sources of the newest snapshot. Throws unless all of them ended
 * well.
 */
async function storeSources(
  sources: Iterable<Source>,
  writer: Writer,
  before: readonly SourceRecord[],
  environment: Environment,
): Promise<RecordedSource[]> {
  const stored: RecordedSource[] = []
  try {
    for (const source of sources) {
      const same = before.find(({ name, kind }) => name === source.name && kind === source.kind)
      stored.push(await storeSource(source, writer, same, environment))
    }
    return stored
  } catch (error) {
    // Chunks of a stream that has ended may be on their way when the source fails.
    await writer.idle()
    throw error
  }
}

async function storeSource(
  source: Source,
  writer: Writer,
  before: SourceRecord | undefined,
  { report }: Environment,
): Promise<RecordedSource> {
  const started = performance.now()
  const addedBefore = writer.added
  const listedBefore = writer.listedObjects
  let read = 0
  const onBytes = (bytes: number): void => {
    read += bytes
    report.progress({
      activity: `backing up ${source.name}`, done: read, stored: writer.added - addedBefore, ...(before && { usual: sourceSize(before) }),
    })
  }
  const store = async ({ name, format, same, bytes, longMatches }: SourceStream): Promise<StreamRecord | undefined> =>
    (same && (await writer.reuse(name, same, onBytes))) ?? (await again(writer.stream(name, format, bytes, onBytes, { longMatches })))
  const stored = await asTheyCome(source.streams(before), () => source.parallel ?? 1, store)
  const streams = stored.filter((record) => record !== undefined)
  await writer.settled()
  const { name, kind } = source
  const added = writer.added - addedBefore
  const tables = streams.map((stream) => source.tablesIn?.(stream.name))
  const byTable = added > 0 ? addedByTable(added, writer.addedSince(listedBefore, streams), tables) : undefined
  const record = { name, kind, streams, facts: source.facts(byTable) }
  const remarks = remarksOf(record)
  const amount = amountOf(record)
  if (byTable) report.detail?.(`${name}: added ${addedText(byTable)}`)
  for (const lack of remarks.partial ?? []) report.info(`${name} is backed up in part: ${lack}`)
  for (const line of leftOutLines([{ name, ...remarks }])) report.info(line)
  return {
    record,
    result: {
      name, kind, size: sourceSize({ streams }), added, seconds: secondsSince(started),
      ...confirmedBy(record), ...(amount && { amount }), ...(byTable && { addedByTable: byTable }), ...remarks,
    },
  }
}

/** Nothing for a stream that its source is about to yield once more. */
async function again(stored: Promise<StreamRecord>): Promise<StreamRecord | undefined> {
  try {
    return await stored
  } catch (error) {
    if (error instanceof ReadAgain) return undefined
    throw error
  }
}
