import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { messageOf } from '../../src/error.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { DamagedChunk, Reader } from '../../src/repository/reader.ts'
import { chunkKey, DamagedSnapshot, openManifest, type StreamRecord } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, changed, noise, sha256 } from '../support/bytes.ts'
import { backUp, keys, type Operation, through } from '../support/engine.ts'
import { until } from '../support/until.ts'

const MIB = 1024 * 1024

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-reader-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const first = noise('first', 6 * MIB)
const second = changed(first, 300_000, 'changed')

type Intercept = <T>(operation: Operation, key: string, perform: () => Promise<T>) => Promise<T>

/** A store with a backup and, where `later`, another of differences; a reader of the newest, and its stream. */
async function opened(later: boolean, intercept?: Intercept): Promise<{ store: Store; reader: Reader; stream: StreamRecord; objects: string[] }> {
  const store = new FileStore(path.join(folder, `${++count}`))
  await backUp({ store }, { app: first })
  if (later) await backUp({ store }, { app: second })
  const { header } = await findSnapshot(store, keys, 'app', { kind: 'latest' })
  const { sources } = await openManifest(await findSnapshot(store, keys, 'app', { kind: 'latest' }))
  const reader = new Reader(intercept ? through(store, intercept) : store, keys, header.chunks)
  const stream = sources[0]!.streams[0]!
  return { store, reader, stream, objects: stream.chunks.map((index) => chunkKey(header.chunks[index]![0], header.chunks[index]![4])) }
}

/** Whole numbers below a limit that look random, the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (state * 48_271) % 0x7fffffff) % below
}

/** The bytes before the error, and the error. */
async function read(chunks: AsyncIterable<Buffer>): Promise<{ bytes: Buffer; error: unknown }> {
  const pieces: Buffer[] = []
  try {
    for await (const chunk of chunks) pieces.push(chunk)
    return { bytes: Buffer.concat(pieces), error: undefined }
  } catch (error) {
    return { bytes: Buffer.concat(pieces), error }
  }
}

test('a stream of differences comes back, each base fetched a few times at most', async () => {
  const gets = new Map<string, number>()
  const { reader, stream } = await opened(true, (_, key, perform) => {
    gets.set(key, (gets.get(key) ?? 0) + 1)
    return perform()
  })
  expect(sha256(Buffer.concat(await all(reader.stream(stream))))).toBe(sha256(second))
  expect(Math.max(...gets.values())).toBe(1)
})

test('parts of a stream are its bytes there, however they lie; only their chunks are read, each once', async () => {
  const gets: string[] = []
  const { reader, stream, objects } = await opened(false, (operation, key, perform) => {
    if (operation === 'get') gets.push(key)
    return perform()
  })
  const draw = numbers(7)
  const sizes: number[] = []
  for await (const chunk of reader.stream(stream)) sizes.push(chunk.length)
  const cuts = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0))
  for (let round = 0; round < 30; round++) {
    // Beside random places, ends of chunks; and empty parts, and some that follow each other.
    const ends = Array.from({ length: 2 * (1 + (round % 4)) }, () => (draw(3) === 0 ? cuts[draw(cuts.length)]! : draw(first.length + 1))).toSorted((a, b) => a - b)
    const parts = ends.flatMap((start, at) => (at % 2 === 1 && round % 3 > 0 ? [] : [{ start, end: ends[at + 1] ?? start }]))
    gets.splice(0)
    const pieces = await all(reader.parts(stream, parts))
    expect(Buffer.concat(pieces).equals(Buffer.concat(parts.map(({ start, end }) => first.subarray(start, end))))).toBe(true)
    const needed = cuts.map((from, at) => [from, from + sizes[at]!] as const).map(([from, to]) => parts.some(({ start, end }) => start < end && start < to && end > from))
    expect(gets).toEqual(objects.filter((_, at) => needed[at]))
  }
})

test('a chunk that is missing, truncated, flipped or another one is named where its turn comes, and no wrong byte before it', async () => {
  const { store, reader, stream, objects } = await opened(false)
  const victim = objects[2]!
  const good = await store.get(victim, ANY_SIZE)
  const flipped = Buffer.from(good)
  flipped[good.length - 20]! ^= 1
  const damages: [Buffer | undefined, RegExp][] = [
    [undefined, /is missing from/],
    [good.subarray(0, -1), /is damaged: it has \d+ bytes instead of \d+/],
    [flipped, /is damaged: /],
    [await store.get(objects[0]!, ANY_SIZE), /is damaged: /],
  ]
  for (const [damage, message] of damages) {
    await (damage ? store.put(victim, damage) : store.delete(victim))
    const { bytes, error } = await read(reader.stream(stream))
    expect(error).toBeInstanceOf(DamagedChunk)
    expect(messageOf(error)).toMatch(message)
    expect(messageOf(error)).toContain(victim)
    expect(bytes.length).toBeGreaterThan(0)
    expect(bytes.equals(first.subarray(0, bytes.length))).toBe(true)
  }
})

test('a chunk that was damaged on its way alone is read again, and then compared by the store', async () => {
  const { store, stream, objects } = await opened(false)
  const asked: unknown[] = []
  const flipping: Store = {
    ...through(store, (_, __, perform) => perform()),
    get: async (key, most, options) => {
      const bytes = await store.get(key, most, options)
      if (key === objects[1]) asked.push(options)
      if (key === objects[1] && asked.length === 1) bytes[bytes.length - 20]! ^= 1
      return bytes
    },
  }
  const { header } = await findSnapshot(store, keys, 'app', { kind: 'latest' })
  expect(sha256(Buffer.concat(await all(new Reader(flipping, keys, header.chunks).stream(stream))))).toBe(sha256(first))
  expect(asked).toEqual([{ authenticated: true }, undefined])
})

test('the last chunk of a stream that is not the one recorded is held back', async () => {
  const { reader, stream } = await opened(false)
  const { bytes, error } = await read(reader.stream({ ...stream, sum: sha256(Buffer.from('another')) }))
  expect(error).toBeInstanceOf(DamagedSnapshot)
  expect(messageOf(error)).toContain('does not have the sum that the backup recorded')
  expect(bytes.length).toBeLessThan(first.length)
  const exchanged = await read(reader.stream({ ...stream, chunks: [stream.chunks[1]!, stream.chunks[0]!, ...stream.chunks.slice(2)] }))
  expect(exchanged.error).toBeInstanceOf(DamagedSnapshot)
  const nothing = await read(reader.stream({ ...stream, size: 0, chunks: [] }))
  expect(nothing.error).toBeInstanceOf(DamagedSnapshot)
})

test('a store that cannot be reached is no damaged chunk', async () => {
  const { reader, stream } = await opened(false, () => Promise.reject(new Error('connection reset')))
  const { error } = await read(reader.stream(stream))
  expect(error).not.toBeInstanceOf(DamagedChunk)
  expect(messageOf(error)).toBe('connection reset')
})

/** Long enough for everything that was started to end. */
async function standStill(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('one chunk is fetched for who wants no more than the head; further on, 12 MiB and a chunk ahead of a reader that stands still, and nothing once it has left', async () => {
  const store = new FileStore(path.join(folder, 'ahead'))
  await backUp({ store }, { app: noise('ahead', 56 * MIB) })
  const snapshot = await findSnapshot(store, keys, 'app', { kind: 'latest' })
  const { sources } = await openManifest(snapshot)
  let running = 0
  let fetched = 0
  let bytes = 0
  const sizeOf = new Map(snapshot.header.chunks.map(([id, size, , , mark]) => [chunkKey(id, mark), size]))
  const watched = through(store, async (_, key, perform) => {
    running++
    fetched++
    bytes += sizeOf.get(key)!
    return perform().finally(() => running--)
  })
  const reader = new Reader(watched, keys, snapshot.header.chunks)
  const chunks = reader.stream(sources[0]!.streams[0]!)
  await chunks.next()
  await standStill()
  expect(fetched).toBe(1)

  const sizes = sources[0]!.streams[0]!.chunks.map((index) => snapshot.header.chunks[index]![1])
  let used = sizes[0]!
  while (used < 24 * MIB) {
    const chunk = await chunks.next()
    used += chunk.value!.length
  }
  const ahead = (): number => sizes.slice(0, fetched).reduce((sum, size) => sum + size, 0) - used
  await until(() => ahead() > 8 * MIB)
  await standStill()
  expect(ahead()).toBeLessThanOrEqual(12 * MIB + 4 * MIB)
  const before = fetched
  await chunks.return()
  expect([running, fetched]).toEqual([0, before])

  // Several streams share them.
  bytes = used = 0
  const several = [1, 2, 3].map(() => reader.stream(sources[0]!.streams[0]!))
  while (used < 3 * 16 * MIB) for (const one of several) used += (await one.next()).value!.length
  await standStill()
  expect(bytes - used).toBeLessThanOrEqual(12 * MIB + several.length * 4 * MIB)
  for (const one of several) await one.return()
})
