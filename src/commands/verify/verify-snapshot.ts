import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { DamagedChunk, Reader } from '../../repository/reader.ts'
import { Presence } from '../../repository/presence.ts'
import { factsOf, type AuthenticSnapshot, chunkKey, DamagedSnapshot, openManifest, sourceSize, type SourceRecord, type StreamRecord } from '../../repository/snapshot.ts'
import { remarksOf } from '../../sources/remarks.ts'
import { inParallel } from '../../net/retry.ts'
import type { Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import { secondsSince } from '../elapsed.ts'
import type { SnapshotVerified } from './result.ts'
import type { VerifyLevel } from '../../repository/levels.ts'

/** The archive was read and is not what was recorded. */
class BadArchive extends LifeboatError {}

export interface Verifying {
  /** Keys of chunks that this run has found present already. */
  seen?: ReadonlySet<string>
  /** The name of the source that matters; what others alone need may be missing. */
  only?: string
  /** Keys of chunks that are known to be damaged: whatever the level, they are read. */
  suspects?: ReadonlySet<string>
}

/** Verifies a snapshot whose MAC has been checked. `list`: every chunk present with its size, the archives' heads readable. `read`: every byte. */
export async function verifySnapshot(
  snapshot: AuthenticSnapshot,
  level: VerifyLevel,
  store: Store,
  programs: ClientPrograms,
  environment: Environment,
  { seen = new Set(), only, suspects = new Set() }: Verifying = {},
): Promise<SnapshotVerified> {
  const started = performance.now()
  const { id, set, time, chunks } = snapshot.header
  /** Those that are of no source alone. */
  const problems: unknown[] = []
  const versions: Record<string, string> = { lifeboat: VERSION }
  const sources: CheckedSource[] = []
  let bytes = 0
  const reader = new Reader(store, snapshot.keys, chunks)
  try {
    const manifest = await openManifest(snapshot)
    for (const source of manifest.sources) {
      if (only !== undefined && source.name !== only) continue
      const places = new Set(source.streams.flatMap(({ chunks }) => chunks))
      const checked: CheckedSource = { source, entries: archiveFacts.safeParse(source.facts).data?.entries.length ?? 0, keys: keysAt(snapshot, withBases(snapshot, places)), problems: [] }
      sources.push(checked)
      const read = (stream: StreamRecord) =>
        countBytes(reader.stream(stream), (count) => {
          bytes += count
          environment.report.progress({ activity: `verifying ${source.name}`, done: bytes, ...(level === 'read' && { total: snapshot.header.size }) })
        })
      // A volume's streams are one archive; those of a database stand alone.
      for (const streams of source.kind === 'postgres' ? source.streams.map((stream) => [stream]) : [source.streams]) {
        try {
          if (source.kind === 'postgres') await verifyStream(source, streams[0]!, level, read(streams[0]!), programs, environment, versions)
          else checked.entries = await verifyVolume({ source, level, read, site: localSite('/', environment.variables), signal: environment.signal })
        } catch (error) {
          environment.signal.throwIfAborted()
          checked.problems.push(error)
          if (level === 'read' && error instanceof DamagedChunk) checked.problems.push(...(await otherDamage(reader, streams, checked.problems)))
        }
      }
    }
  } catch (error) {
    environment.signal.throwIfAborted()
    problems.push(error)
  }
  try {
    const needed = new Set(sources.flatMap(({ keys }) => [...keys]))
    const places = [...chunks.keys()].filter((place) => only === undefined || needed.has(keyAt(snapshot, place)))
    const found = damageIn(sources)
    if (snapshot.keys.identity !== undefined) problems.push(...(await damagedAmong(reader, places.filter((place) => suspects.has(keyAt(snapshot, place)) && !reader.opened.has(place) && !found.has(keyAt(snapshot, place))))))
    problems.push(...(await missingChunks(snapshot, store, places.filter((place) => !reader.opened.has(place)), new Set([...seen, ...found.keys(), ...damagedKeys(problems)]))))
  } catch (error) {
    environment.signal.throwIfAborted()
    // Of no source it is known then that all it needs is there.
    for (const one of [{ problems }, ...sources]) one.problems.push(error)
  }
  return { snapshot: id, set, time, level, chunks: chunks.length, bytes, seconds: secondsSince(started), versions, good: [...keysAt(snapshot, [...reader.opened])].filter((key) => suspects.has(key)), ...outcomeOf(sources, problems) }
}

interface CheckedSource {
  source: SourceRecord
  entries: number
  /** Of every chunk object it needs. */
  keys: ReadonlySet<string>
  problems: unknown[]
}

/** Each source is hit by all damage to what it needs, also where that was found while another was read. */
function outcomeOf(sources: readonly CheckedSource[], problems: readonly unknown[]): Pick<SnapshotVerified, 'result' | 'problems' | 'damaged' | 'sources'> {
  const damage = damageIn([...sources, { problems }])
  const all = [...new Set([...sources.flatMap((checked) => checked.problems), ...problems])]
  // Two sources can have come upon the same chunk.
  const distinct = all.filter((problem) => !(problem instanceof DamagedChunk) || damage.get(problem.key) === problem)
  return {
    result: verdict(distinct),
    problems: distinct.map(messageOf),
    damaged: [...damage.keys()],
    sources: sources.map(({ source, entries, keys, problems: own }) => {
      const found = [...own.filter((problem) => !(problem instanceof DamagedChunk)), ...[...damage].filter(([key]) => keys.has(key)).map(([, error]) => error)]
      return { name: source.name, kind: source.kind, size: sourceSize(source), entries, result: verdict(found), problems: found.map(messageOf), ...remarksOf(source) }
    }),
  }
}

function damageIn(found: readonly { problems: readonly unknown[] }[]): Map<string, DamagedChunk> {
  const errors = found.flatMap(({ problems }) => problems).filter((problem) => problem instanceof DamagedChunk)
  return new Map(errors.toReversed().map((error) => [error.key, error]))
}

function damagedKeys(problems: readonly unknown[]): Set<string> {
  return new Set(problems.filter((problem) => problem instanceof DamagedChunk).map(({ key }) => key))
}

function verdict(problems: readonly unknown[]): SnapshotVerified['result'] {
  if (problems.length === 0) return 'verified'
  const bad = problems.some((problem) => problem instanceof DamagedChunk || problem instanceof DamagedSnapshot || problem instanceof BadArchive || problem instanceof BadTar)
  return bad ? 'failed' : 'could not verify'
}

/** Places of chunks in the snapshot's list, with those that they are stored as differences from. */
function withBases({ header }: AuthenticSnapshot, places: ReadonlySet<number>): number[] {
  return [...places].flatMap((place) => {
    const base = header.chunks[place]![3]
    return base === null ? [place] : [place, base]
  })
}

function keyAt({ header }: AuthenticSnapshot, place: number): string {
  const [id, , , , mark] = header.chunks[place]!
  return chunkKey(id, mark)
}

function keysAt(snapshot: AuthenticSnapshot, places: readonly number[]): Set<string> {
  return new Set(places.map((place) => keyAt(snapshot, place)))
}

/** Looks for these, by their places in the list of chunks, but for what is known. */
async function missingChunks({ header }: AuthenticSnapshot, store: Store, places: readonly number[], known: ReadonlySet<string>): Promise<DamagedChunk[]> {
  const unread = places.map((place) => header.chunks[place]!)
  const expected = new Map(unread.map(([chunk, , storedSize, , mark]) => [chunkKey(chunk, mark), storedSize]))
  for (const key of known) expected.delete(key)
  const wrong = await new Presence(store, expected).wrong()
  return [...wrong].map(([key, size]) =>
    new DamagedChunk(key, size === undefined ? `chunk ${key} is missing from ${store.name}` : `chunk ${key} in ${store.name} has ${size} bytes instead of ${expected.get(key)}`),
  )
}

/** A stream is read up to its first damaged chunk; that the next backup stores all of them anew, the others must be known as well. */
async function otherDamage(reader: Reader, streams: readonly StreamRecord[], problems: readonly unknown[]): Promise<DamagedChunk[]> {
  const known = damagedKeys(problems)
  return (await damagedAmong(reader, streams.flatMap(({ chunks }) => chunks))).filter(({ key }) => !known.has(key))
}

/** Reads these chunks, by their places. Throws what says nothing about them. */
async function damagedAmong(reader: Reader, places: readonly number[]): Promise<DamagedChunk[]> {
  const found = await inParallel(places, 2, async (place) => {
    try {
      await reader.chunk(place)
      return undefined
    } catch (error) {
      if (error instanceof DamagedChunk) return error
      throw error
    }
  })
  return [...new Map(found.filter((error) => error !== undefined).map((error) => [error.key, error])).values()]
}

async function* countBytes(stream: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer, void, void> {
  for await (const piece of stream) {
    count(piece.length)
    yield piece
  }
}
