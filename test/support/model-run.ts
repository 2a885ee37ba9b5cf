import { BufferPool } from '../../src/repository/chunker.ts'
import { asTheyCome } from '../../src/process/parallel.ts'
import { findSnapshot, idOf, snapshotKeys } from '../../src/repository/catalog.ts'
import type { Environment } from '../../src/environment.ts'
import { loadKnown } from '../../src/repository/known.ts'
import { newIdentity, type Keys } from '../../src/repository/keys.ts'
import { lastLook } from '../../src/repository/last-look.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import type { DamagedChunk } from '../../src/repository/reader.ts'
import { Reader } from '../../src/repository/reader.ts'
import { SampledCheck, sampleOf } from '../../src/repository/sampled-check.ts'
import { newSnapshotId, openManifest, snapshotKey, type SourceRecord, type StreamRecord } from '../../src/repository/snapshot.ts'
import { beginRun } from '../../src/repository/unfinished.ts'
import { Writer } from '../../src/repository/writer.ts'
import { storesOf } from '../../src/stores/several.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, changed, noise, sha256 } from './bytes.ts'
import { identity, keys } from './engine.ts'
import { MemoryStore } from './memory-store.ts'
import type { Runner, World } from './world.ts'

export const HOUR = 3_600_000
export const GRACE = 24 * HOUR
export const SETS = ['app', 'shop']

/** Backups with these can be read by somebody else as well. */
export const keysOfTwo = await openKeys(identity, { store: new MemoryStore(), recipients: [(await newIdentity()).recipient], create: false })

/** Databases whose content changes: tables that change now and then, and one large enough for differences. */
export class Databases {
  readonly #tables = new Map(SETS.map((set) => [set, [noise(`${set}-0`, 900), noise(`${set}-1`, 900), noise(`${set}-2`, 900), noise(`${set}-large`, 200_000)]]))
  readonly #world: World
  #changes = 0

  constructor(world: World) {
    this.#world = world
  }

  /** The tables of one now, since another change. */
  next(set: string): Buffer[] {
    const tables = this.#tables.get(set)!
    const place = Math.floor(this.#world.random() * tables.length)
    tables[place] = place === 3 ? changed(tables[3]!, 60_000, `change ${++this.#changes}`) : noise(`${set} ${++this.#changes}`, 900)
    return [...tables]
  }
}

export interface ModelBackup {
  world: World
  runner: Runner
  own: Keys
  set: string
  tables: readonly Buffer[]
  /** Streams that are stored at the same time: then they are parts of one archive. */
  atOnce: number
  /** Reads back a sample of what it reuses. */
  sampled: boolean
  /** Of a safety backup. */
  until?: Date
  /** Called before the snapshot is put, with the SHA-256 of each stream. */
  announce: (key: string, content: Record<string, string>) => void
}

export interface ModelBackedUp {
  key: string
  writer: Writer
  readings: number
  /** It took so long that it had to look again. */
  looked: boolean
  /** By store, the damage that samples showed. */
  damage: readonly (readonly DamagedChunk[])[]
}

/** A backup as src/commands/backup makes it. */
export async function backUpIn(seen: Store, { world, runner, own, set, tables, atOnce, sampled, until, announce }: ModelBackup): Promise<ModelBackedUp> {
  const { now } = runner
  const started = now()
  const newId = (): string => newSnapshotId(started, Buffer.from(Array.from({ length: 4 }, () => Math.floor(world.random() * 256))))
  const { signal } = new AbortController()
  const known = await loadKnown(seen, own, set, () => undefined)
  const reused = (known.newest?.chunks ?? []).filter((chunk) => chunk !== undefined)
  const checks = sampled ? storesOf(seen).map((one) => new SampledCheck(one, keys, sampleOf(reused, {}, world.random), signal)) : []
  known.checkWith(checks)
  let id = newId()
  const snapshots = new Set((await snapshotKeys(seen, set)).map(idOf))
  const unfinished = await beginRun(seen, own, { set, id, snapshots, grace: GRACE, now, onDamaged: () => undefined })
  let writer = new Writer({ store: seen, keys: own, known, unfinished, compression: 1, mark: id.slice(-8), jobs: 1, signal, onDamaged: () => undefined }, new SmallBuffers())
  const slow = world.random() < 0.2
  const slowly = async function* (table: Buffer): AsyncGenerator<Buffer> {
    await runner.pause(slow ? 40 * HOUR : HOUR / 4)
    yield table
  }
  const store = ([index, table]: [number, Buffer]): Promise<StreamRecord> => writer.stream(`${index}`, 'pg_dump-custom', slowly(table), () => undefined)
  const archives = atOnce > 1 ? [[...tables.entries()]] : [...tables.entries()].map((table) => [table])
  let readings = 1
  let sources: SourceRecord[] = []
  for (; ; readings++) {
    sources = []
    for (const parts of archives) {
      sources.push({ name: `${sources.length}`, kind: 'postgres', streams: await asTheyCome(each(parts), () => atOnce, store), facts: {} })
      await writer.settled()
    }
    if (writer.lost().length === 0 || readings === 3) break
    id = newId()
    writer = writer.again(id.slice(-8))
  }
  for (const check of checks) await check.end()
  runner.hurried = true
  const { since } = writer.adopted
  const elapsed = now().getTime() - Math.min(started.getTime(), since?.getTime() ?? Infinity)
  await lastLook(seen, keys, { chunks: writer.listed(), elapsed, grace: GRACE, now: now() })
  const key = snapshotKey(set, id)
  announce(key, Object.fromEntries(tables.map((table, index) => [`${index}`, sha256(table)])))
  const header = { format: 'lifeboat/1', id, set, time: started.toISOString(), tags: world.random() < 0.5 ? [] : ['nightly'], ...(until && { until: until.toISOString() }) } as const
  await writer.commit(header, { sources, description: '', run: null, lifeboat: '0' })
  runner.hurried = false
  return { key, writer, readings, looked: elapsed >= GRACE / 2, damage: checks.map((check) => check.damage) }
}

/** The SHA-256 of each stream of a snapshot (key), read back. */
export async function readBack(store: Store, key: string): Promise<Record<string, string>> {
  const [, set] = key.split('/')
  const snapshot = await findSnapshot(store, keys, set!, { kind: 'id', id: idOf(key) })
  const { sources } = await openManifest(snapshot)
  const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
  const found: Record<string, string> = {}
  for (const { streams } of sources) for (const stream of streams) found[stream.name] = sha256(Buffer.concat(await all(reader.stream(stream))))
  return found
}

/** The environment of a command; nothing is shown. */
export function environmentOf(now: () => Date): Environment {
  const report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }
  return { variables: {}, signal: new AbortController().signal, report, temporary: '', now }
}

/** For tables of less than 256 KiB: making a buffer for the largest chunk takes more time than all of its other work. */
class SmallBuffers extends BufferPool {
  constructor() {
    super(0)
  }

  override take(): Buffer {
    return Buffer.from(new SharedArrayBuffer(256 * 1024))
  }

  override give(): void {}
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void, void> {
  yield* items
}
