import { randomBytes } from 'node:crypto'
import { findSnapshot, idOf, snapshotKeys } from '../../src/repository/catalog.ts'
import { type Keys, newIdentity } from '../../src/repository/keys.ts'
import { openKeys, writeKeyOf } from '../../src/repository/open-keys.ts'
import { type KnownChunks, loadKnown } from '../../src/repository/known.ts'
import { Reader } from '../../src/repository/reader.ts'
import { type ChunkEntry, newSnapshotId, openManifest, type SourceRecord, type StreamRecord } from '../../src/repository/snapshot.ts'
import { GRACE } from '../../src/repository/trash.ts'
import { beginRun, type Unfinished } from '../../src/repository/unfinished.ts'
import type { Compression } from '../../src/repository/sealing/stream-level.ts'
import { Writer } from '../../src/repository/writer.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, inPieces, sha256 } from './bytes.ts'

const nowhere = new FileStore('/nowhere/at/all')

/** Keys with a fixed identity, since where streams are cut depends on it; the write key of it; and another's. */
export const identity = 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD3'
export const keys = await openKeys(identity, { store: nowhere, create: false })
export const writeKeys = await openKeys(await writeKeyOf(identity, undefined), { store: nowhere, create: false })
export const otherKeys = await openKeys((await newIdentity()).identity, { store: nowhere, create: false })

let seconds = 0
/** Each later than the one before. */
export const nextTime = (): Date => new Date(Date.UTC(2026, 10, 20) + ++seconds * 1000)

export interface RunOptions {
  store: Store
  keys?: Keys
  set?: string
  time?: Date
  jobs?: number
  /** Default: 3. */
  compression?: Compression
  largestSnapshot?: number
  signal?: AbortSignal
  /** The run uses what interrupted ones left, by this clock. */
  resume?: () => Date
  /** The snapshot is marked as partial. */
  partial?: true
  /** The known chunks that the run reuses. Default: those that the store has now. */
  known?: KnownChunks
}

export interface GivenStream {
  name: string
  format?: StreamRecord['format']
  bytes: Buffer | AsyncIterable<Buffer>
}

/** One run of the engine, between its beginning and its commit. */
export class Run {
  readonly writer: Writer
  readonly id: string
  /** The objects that were reported as damaged. */
  readonly damage: string[]
  readonly #options: Required<Pick<RunOptions, 'store' | 'set' | 'time'>> & Pick<RunOptions, 'partial'>
  readonly #sources: SourceRecord[] = []

  private constructor(options: RunOptions, id: string, time: Date, known: KnownChunks, unfinished: Unfinished | undefined, damage: string[]) {
    const { store, set = 'app', jobs = 2, largestSnapshot, signal = new AbortController().signal, partial } = options
    this.#options = { store, set, time, ...(partial && { partial }) }
    this.damage = damage
    this.id = id
    const onDamaged = (error: Error): void => void damage.push(error.message)
    this.writer = new Writer({ store, keys: options.keys ?? keys, known, ...(unfinished && { unfinished }), compression: options.compression ?? 3, mark: this.id.slice(-8), jobs, ...(largestSnapshot && { largestSnapshot }), signal, onDamaged })
  }

  static async begin(options: RunOptions): Promise<Run> {
    const damage: string[] = []
    const known = options.known ?? (await loadKnown(options.store, options.keys ?? keys, options.set ?? 'app', (error) => void damage.push(error.message)))
    const time = options.time ?? nextTime()
    const id = newSnapshotId(time, randomBytes(4))
    return new Run(options, id, time, known, options.resume && (await unfinishedRuns(options, id, options.resume, damage)), damage)
  }

  /** A source with these streams; or a dump alone. */
  async source(name: string, given: GivenStream[] | GivenStream['bytes'], kind: Pick<SourceRecord, 'kind' | 'facts'> = { kind: 'postgres', facts: {} }): Promise<void> {
    const streams: StreamRecord[] = []
    for (const { name: stream, format = 'pg_dump-custom', bytes } of Array.isArray(given) ? given : [{ name: `${name}.dump`, bytes: given }]) {
      streams.push(await this.writer.stream(stream, format, Buffer.isBuffer(bytes) ? inPieces(bytes) : bytes, () => undefined))
    }
    await this.writer.settled()
    this.#sources.push({ name, ...kind, streams })
  }

  async commit(): Promise<this> {
    const { set, time, partial } = this.#options
    await this.writer.commit({ format: 'lifeboat/1', id: this.id, set, time: time.toISOString(), tags: [], ...(partial && { partial }) }, { sources: this.#sources, description: '', run: null, lifeboat: '0.0.0' })
    return this
  }
}

async function unfinishedRuns({ store, set = 'app', keys: own = keys }: RunOptions, id: string, now: () => Date, damage: string[]): Promise<Unfinished> {
  const snapshots = new Set((await snapshotKeys(store, set)).map(idOf))
  return beginRun(store, own, { set, id, snapshots, grace: GRACE, now, onDamaged: (error) => void damage.push(error.message) })
}

/** A whole backup; one stream for each source. */
export async function backUp(options: RunOptions, sources: Record<string, Buffer>): Promise<Run> {
  const run = await Run.begin(options)
  for (const [name, bytes] of Object.entries(sources)) await run.source(name, bytes)
  return run.commit()
}

/** The SHA-256 of each source's bytes: Jest takes seconds to compare buffers of megabytes. */
export function digests(sources: Record<string, Buffer>): Record<string, string> {
  return Object.fromEntries(Object.entries(sources).map(([name, bytes]) => [name, sha256(bytes)]))
}

/** The digests of every stream of a snapshot, read back whole, by source; of the newest of the set when no id is given. */
export async function restored(store: Store, id?: string, set = 'app'): Promise<Record<string, string>> {
  const snapshot = await findSnapshot(store, keys, set, id === undefined ? { kind: 'latest' } : { kind: 'id', id })
  const { sources } = await openManifest(snapshot)
  const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
  const found: Record<string, Buffer> = {}
  for (const { name, streams } of sources) for (const stream of streams) found[name] = Buffer.concat(await all(reader.stream(stream)))
  return digests(found)
}

export async function entriesOf(store: Store, id: string): Promise<ChunkEntry[]> {
  return (await findSnapshot(store, keys, 'app', { kind: 'id', id })).header.chunks
}

export type Operation = 'put' | 'get' | 'head' | 'list' | 'delete' | 'close'

/** A store between whose caller and itself `intercept` stands: it may look, wait, fail, and decide whether the operation is performed. */
export function through(store: Store, intercept: <T>(operation: Operation, key: string, perform: () => Promise<T>, bytes?: Uint8Array) => Promise<T>): Store {
  return {
    name: store.name,
    put: (key, bytes) => intercept('put', key, () => store.put(key, bytes), bytes),
    get: (key, most) => intercept('get', key, () => store.get(key, most)),
    head: (key) => intercept('head', key, () => store.head(key)),
    delete: (key) => intercept('delete', key, () => store.delete(key)),
    close: () => intercept('close', '', () => store.close()),
    async *list(prefix) {
      yield* await intercept('list', prefix, () => all(store.list(prefix)))
    },
  }
}
