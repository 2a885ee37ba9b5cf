import { performance } from 'node:perf_hooks'
import { ChildError } from '../child.ts'
import type { Environment } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { listArchive, parseWholeArchive } from '../postgres/archive.ts'
import { restoreClient } from '../postgres/client-download/choose.ts'
import { postgresFacts } from '../postgres/facts.ts'
import { findSnapshot } from '../repository/catalog.ts'
import { DamagedChunk, Reader } from '../repository/reader.ts'
import { Presence } from '../repository/presence.ts'
import { type AuthenticSnapshot, chunkKey, DamagedSnapshot, openManifest, sourceSize, type SourceRecord, type StreamRecord } from '../repository/snapshot.ts'
import { inParallel } from '../stores/retry.ts'
import type { Store } from '../stores/store.ts'
import { localPlace } from '../volumes/place.ts'
import { BadTar } from '../volumes/tar-headers.ts'
import { verifyVolume } from '../volumes/verify.ts'
import { VERSION } from '../version.ts'
import { type ClientPrograms, clientPrograms } from './clients.ts'
import { secondsSince } from './elapsed.ts'
import { lookedIn, withStore } from './opened.ts'
import { keepProof } from './proof.ts'
import type { VerifyLevel, VerifyResult } from './results.ts'

/** Reads a snapshot back and says whether it is good. Throws only for what leaves nothing to verify: no store, wrong key, no such snapshot. */
export async function verify(inputs: Inputs['verify'], environment: Environment): Promise<VerifyResult> {
  const place = lookedIn(inputs, inputs.snapshot)
  return withStore(place, environment, async (store, keys) => {
    const snapshot = await findSnapshot(store, keys, inputs.set, inputs.snapshot)
    const result = await verifySnapshot(snapshot, inputs.level, store, await clientPrograms(inputs['client-install'], environment), environment)
    await keepProof(result, place, store, snapshot.keys, environment)
    return result
  })
}

/** The archive was read and is not what was recorded. */
class BadArchive extends LifeboatError {}

/**
 * Verifies a snapshot whose MAC has been checked. `list`: every chunk present with its size, the archives' heads readable. `read`: every byte.
 * `seen`: keys of chunks that this run has found present already. `only`: the name of the source that matters; what others alone need may be missing.
 */
export async function verifySnapshot(
  snapshot: AuthenticSnapshot,
  level: VerifyLevel,
  store: Store,
  programs: ClientPrograms,
  environment: Environment,
  { seen = new Set(), only }: { seen?: ReadonlySet<string>; only?: string } = {},
): Promise<VerifyResult> {
  const started = performance.now()
  const { id, set, time, chunks } = snapshot.header
  const problems: unknown[] = []
  const versions: Record<string, string> = { lifeboat: VERSION }
  const sources: VerifyResult['sources'] = []
  let bytes = 0
  const reader = new Reader(store, snapshot.keys, chunks)
  const needed = new Set<number>()
  try {
    const manifest = await openManifest(snapshot)
    for (const source of manifest.sources) {
      if (only !== undefined && source.name !== only) continue
      for (const { chunks } of source.streams) for (const index of chunks) needed.add(index)
      const read = (stream: StreamRecord) =>
        countBytes(reader.stream(stream), (count) => {
          bytes += count
          environment.report.progress({ activity: `verifying ${source.name}`, done: bytes, ...(level === 'read' && { total: snapshot.header.size }) })
        })
      let entries = postgresFacts.safeParse(source.facts).data?.entries.length ?? 0
      // A volume's streams are one archive; those of a database stand alone.
      for (const streams of source.kind === 'postgres' ? source.streams.map((stream) => [stream]) : [source.streams]) {
        try {
          if (source.kind === 'postgres') await verifyStream(source, streams[0]!, level, read(streams[0]!), programs, environment, versions)
          else entries = await verifyVolume({ source, level, read, place: localPlace('/', environment.variables), signal: environment.signal })
        } catch (error) {
          environment.signal.throwIfAborted()
          problems.push(error)
          if (level === 'read' && error instanceof DamagedChunk) problems.push(...(await otherDamage(reader, streams, problems)))
        }
      }
      sources.push({ name: source.name, kind: source.kind, size: sourceSize(source), entries })
    }
  } catch (error) {
    environment.signal.throwIfAborted()
    problems.push(error)
  }
  try {
    const places = only === undefined ? [...chunks.keys()] : withBases(snapshot, needed)
    problems.push(...(await missingChunks(snapshot, store, places.filter((place) => !reader.opened.has(place)), new Set([...seen, ...damagedKeys(problems)]))))
  } catch (error) {
    environment.signal.throwIfAborted()
    problems.push(error)
  }
  return {
    snapshot: id, set, time, level,
    result: verdict(problems),
    problems: problems.map(messageOf),
    damaged: [...damagedKeys(problems)],
    chunks: chunks.length,
    bytes,
    seconds: secondsSince(started),
    sources,
    versions,
  }
}

function damagedKeys(problems: readonly unknown[]): Set<string> {
  return new Set(problems.filter((problem) => problem instanceof DamagedChunk).map(({ key }) => key))
}

/** Throws unless the verification went well: nothing is restored from what could not be read back. */
export function requireVerified({ snapshot, result, problems }: VerifyResult): void {
  if (result === 'verified') return
  throw new LifeboatError(`snapshot ${snapshot} ${result === 'failed' ? 'does not verify' : 'could not be verified'}, so nothing was restored: ${problems.join('; ')}`, {
    hint: 'Restore an earlier snapshot: `lifeboat list` shows them, and the input snapshot takes an id or a time.',
    status: result === 'failed' ? 1 : 3,
  })
}

function verdict(problems: unknown[]): VerifyResult['result'] {
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
  const found = await inParallel(streams.flatMap(({ chunks }) => chunks), 2, async (index) => {
    try {
      await reader.chunk(index)
      return undefined
    } catch (error) {
      if (error instanceof DamagedChunk) return error
      throw error
    }
  })
  const known = damagedKeys(problems)
  return [...new Map(found.filter((error) => error !== undefined).map((error) => [error.key, error])).values()].filter(({ key }) => !known.has(key))
}

async function* countBytes(stream: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer, void, void> {
  for await (const piece of stream) {
    count(piece.length)
    yield piece
  }
}

async function verifyStream(source: SourceRecord, stream: StreamRecord, level: VerifyLevel, bytes: AsyncIterable<Buffer>, programs: ClientPrograms, environment: Environment, versions: Record<string, string>): Promise<void> {
  if (stream.format === 'pg_dump-custom') return verifyArchive(source, stream, level, bytes, programs, environment, versions)
  if (level === 'list') return
  // The reader compares every chunk and the whole; there is nothing more to ask of plain SQL.
  for await (const _ of bytes) environment.signal.throwIfAborted()
}

async function verifyArchive(source: SourceRecord, stream: StreamRecord, level: VerifyLevel, bytes: AsyncIterable<Buffer>, programs: ClientPrograms, environment: Environment, versions: Record<string, string>): Promise<void> {
  const { variables, signal } = environment
  const facts = postgresFacts.parse(source.facts)
  const { client } = await restoreClient(programs.clients, Number.parseInt(facts.dumpVersion, 10), undefined, programs.provide)
  versions['pg_restore'] = `${client.major}`
  const context = { client, variables, signal }
  let unread: unknown
  const input = (async function* (): AsyncGenerator<Buffer, void, void> {
    try {
      yield* bytes
    } catch (error) {
      unread = error
      throw error
    }
  })()
  let entries: string[]
  try {
    if (level === 'read') return await parseWholeArchive(input, context)
    entries = (await listArchive(input, context)).entries
  } catch (error) {
    // What could not be fetched, or a pg_restore that something ended, says nothing about the archive.
    if (error === unread || !refused(error)) throw error
    throw new BadArchive(`${stream.name}: ${messageOf(error)}`, { cause: error })
  }
  if (entries.length === facts.entries.length && entries.every((entry, index) => entry === facts.entries[index])) return
  throw new BadArchive(`${stream.name} lists ${entries.length} entries that are not the ${facts.entries.length} recorded at backup time`)
}

function refused(error: unknown): boolean {
  return !(error instanceof LifeboatError && error.cause instanceof ChildError && error.cause.exit.status === null)
}
