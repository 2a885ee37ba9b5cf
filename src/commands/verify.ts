import { performance } from 'node:perf_hooks'
import { ChildError } from '../child.ts'
import type { Environment } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { listArchive, parseWholeArchive } from '../postgres/archive.ts'
import { restoreClient } from '../postgres/client-download/choose.ts'
import { postgresFacts } from '../postgres/facts.ts'
import { findSnapshot } from '../repository/catalog.ts'
import { openKeys } from '../repository/keys.ts'
import { DamagedChunk, Reader } from '../repository/reader.ts'
import { openRepository } from '../repository/repository.ts'
import { type AuthenticSnapshot, chunkKey, DamagedSnapshot, openManifest, type Snapshot, sourceSize, type SourceRecord, type StreamRecord } from '../repository/snapshot.ts'
import { openStore } from '../stores/open.ts'
import type { Store } from '../stores/store.ts'
import { type ClientPrograms, clientPrograms } from './clients.ts'
import { secondsSince } from './elapsed.ts'
import type { VerifyLevel, VerifyResult } from './results.ts'

/** Reads a snapshot back and says whether it is good. Throws only for what leaves nothing to verify: no store, wrong key, no such snapshot. */
export async function verify(inputs: Inputs['verify'], environment: Environment): Promise<VerifyResult> {
  const store = await openStore({ ...inputs, set: inputs.snapshot.kind === 'id' ? undefined : inputs.set }, environment)
  try {
    await openRepository(store)
    const keys = await openKeys(inputs['encryption-key'], { store, create: false })
    const snapshot = await findSnapshot(store, keys, inputs.set, inputs.snapshot)
    return await verifySnapshot(snapshot, inputs.level, store, await clientPrograms(inputs['client-install'], environment), environment)
  } finally {
    await store.close()
  }
}

/** The archive was read and is not what was recorded. */
class BadArchive extends LifeboatError {}

/** Verifies a snapshot whose MAC has been checked. `list`: every chunk present with its size, the archives' heads readable. `read`: every byte. */
export async function verifySnapshot(snapshot: AuthenticSnapshot, level: VerifyLevel, store: Store, programs: ClientPrograms, environment: Environment): Promise<VerifyResult> {
  const started = performance.now()
  const { id, set, time, chunks } = snapshot.header
  const problems: unknown[] = await missingChunks(snapshot, store)
  const sources: VerifyResult['sources'] = []
  let bytes = 0
  try {
    const manifest = await openManifest(snapshot)
    const reader = new Reader(store, snapshot.keys, chunks)
    for (const source of manifest.sources) {
      for (const stream of source.streams) {
        const checked = countBytes(reader.stream(stream), (count) => {
          bytes += count
          environment.report.progress({ activity: `verifying ${source.name}`, done: bytes, ...(level === 'read' && { total: snapshot.header.size }) })
        })
        try {
          await verifyStream(source, stream, level, checked, programs, environment)
        } catch (error) {
          environment.signal.throwIfAborted()
          problems.push(error)
        }
      }
      sources.push({ name: source.name, kind: source.kind, size: sourceSize(source), entries: postgresFacts.safeParse(source.facts).data?.entries.length ?? 0 })
    }
  } catch (error) {
    environment.signal.throwIfAborted()
    problems.push(error)
  }
  return {
    snapshot: id, set, time, level,
    result: verdict(problems),
    problems: problems.map(messageOf),
    chunks: chunks.length,
    bytes,
    seconds: secondsSince(started),
    sources,
  }
}

function verdict(problems: unknown[]): VerifyResult['result'] {
  if (problems.length === 0) return 'verified'
  const bad = problems.some((problem) => problem instanceof DamagedChunk || problem instanceof DamagedSnapshot || problem instanceof BadArchive)
  return bad ? 'failed' : 'could not verify'
}

async function missingChunks({ header }: Snapshot, store: Store): Promise<DamagedChunk[]> {
  const missing = new Map(header.chunks.map(([chunk, , storedSize, , mark]) => [chunkKey(chunk, mark), storedSize]))
  const problems: DamagedChunk[] = []
  for await (const { key, size } of store.list('chunks/')) {
    const expected = missing.get(key)
    if (expected === undefined) continue
    missing.delete(key)
    if (size !== expected) problems.push(new DamagedChunk(`chunk ${key} in ${store.name} has ${size} bytes instead of ${expected}`, undefined))
  }
  for (const key of missing.keys()) problems.push(new DamagedChunk(`chunk ${key} is missing from ${store.name}`, undefined))
  return problems
}

async function* countBytes(stream: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer, void, void> {
  for await (const piece of stream) {
    count(piece.length)
    yield piece
  }
}

async function verifyStream(source: SourceRecord, stream: StreamRecord, level: VerifyLevel, bytes: AsyncIterable<Buffer>, programs: ClientPrograms, environment: Environment): Promise<void> {
  if (stream.format === 'pg_dump-custom') return verifyArchive(source, stream, level, bytes, programs, environment)
  if (level === 'list') return
  // The reader compares every chunk and the whole; there is nothing more to ask of plain SQL.
  for await (const _ of bytes) environment.signal.throwIfAborted()
}

async function verifyArchive(source: SourceRecord, stream: StreamRecord, level: VerifyLevel, bytes: AsyncIterable<Buffer>, programs: ClientPrograms, environment: Environment): Promise<void> {
  const { variables, signal } = environment
  const facts = postgresFacts.parse(source.facts)
  const { client } = await restoreClient(programs.clients, Number.parseInt(facts.dumpVersion, 10), undefined, programs.provide)
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
