import { jest } from '@jest/globals'
import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { BufferPool } from '../../src/repository/chunker.ts'
import { KnownChunks } from '../../src/repository/known.ts'
import { seal } from '../../src/repository/sealing/threads.ts'
import type { Matches } from '../../src/repository/sealing/zstd.ts'
import { chunkKey, decodeSnapshot, listedBytes, openManifest } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, changed, inPieces, noise, rows } from '../support/bytes.ts'
import { backUp, digests, entriesOf, keys, nextTime, restored, Run, through, writeKeys } from '../support/engine.ts'
import { until } from '../support/until.ts'

const MIB = 1024 * 1024

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-writer-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshFolder = (): string => path.join(folder, `store-${++count}`)
const freshStore = (): FileStore => new FileStore(freshFolder())
const chunksIn = async (store: Store): Promise<string[]> => (await all(store.list('chunks/'))).map(({ key }) => key).toSorted()

/** Turns of the event loop enough for whatever can go on to have gone on. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 10))
}

const turnsOf = async function* (size: number, onRead: (bytes: number) => void, piece: (offset: number) => Buffer): AsyncGenerator<Buffer, void, void> {
  for (let offset = 0; offset < size; ) {
    const bytes = piece(offset)
    offset += bytes.length
    onRead(bytes.length)
    yield bytes
  }
}

const dump = rows('dump', 4 * MIB)
/** As the chunker hands them out. */
const shared = (bytes: Buffer): Buffer => Buffer.from(new SharedArrayBuffer(bytes.length)).fill(bytes)

/** Small enough to be one chunk wherever the cuts are. */
const single = noise('single', 500_000)

test('streams come back as they were: text, noise, one byte, nothing', async () => {
  const store = freshStore()
  const given = { app: dump, noise: noise('n', 3 * MIB), byte: Buffer.from('x'), empty: Buffer.alloc(0) }
  const { writer } = await backUp({ store }, given)
  expect(await restored(store)).toEqual(digests(given))
  const objects = await all(store.list('chunks/'))
  expect(writer.newChunks).toBe(objects.length)
  expect(writer.added).toBe(objects.reduce((sum, { size }) => sum + size, 0))
})

test('the writer tells which places of its streams it put, each chunk once', async () => {
  const { writer } = await Run.begin({ store: freshStore() })
  const stored = async (...pieces: Buffer[]) => {
    const record = await writer.stream('a', 'sql', inPieces(Buffer.concat(pieces)), () => undefined)
    await writer.settled()
    return record
  }
  const streams = [await stored(dump, single), await stored(dump, single)]
  const { added, listedObjects } = writer
  const [first, second] = writer.addedSince(0, streams)
  expect(first!.map(({ start }) => start)).toEqual([0, ...first!.map(({ end }) => end).slice(0, -1)])
  expect(first!.at(-1)!.end).toBe(dump.length + single.length)
  expect(first!.reduce((sum, { stored }) => sum + stored, 0)).toBe(added)
  expect(second).toEqual([])
  const third = [await stored(dump, single), await stored(noise('another', 500_000))]
  expect(writer.addedSince(listedObjects, third)).toEqual([[], [{ start: 0, end: 500_000, stored: writer.added - added }]])
})

test('the second time nothing is put but the snapshot', async () => {
  const store = freshStore()
  const first = await backUp({ store }, { app: dump })
  const puts: string[] = []
  const watched = through(store, (operation, key, perform) => {
    if (operation === 'put') puts.push(key)
    return perform()
  })
  const second = await backUp({ store: watched }, { app: dump })
  expect([second.writer.added, second.writer.newChunks, second.writer.deltaChunks]).toEqual([0, 0, 0])
  expect(puts).toEqual([`snapshots/app/${second.id}.json.zst`])
  expect(await entriesOf(store, second.id)).toEqual(await entriesOf(store, first.id))
  expect(second.writer.reused().toSorted()).toEqual(await chunksIn(store))
  expect(await restored(store, second.id)).toEqual(digests({ app: dump }))
})

test('similar content is stored as differences from chunks that are stored whole, and comes back', async () => {
  const store = freshStore()
  const versions = [dump, changed(dump, 200_000, 'changed once'), changed(dump, 150_000, 'changed twice')]
  const runs: Run[] = []
  for (const app of versions) runs.push(await backUp({ store }, { app }))
  expect(runs[0]!.writer.deltaChunks).toBe(0)
  for (const { id, writer } of runs.slice(1)) {
    expect(writer.deltaChunks).toBeGreaterThan(0)
    expect(writer.added * 20).toBeLessThan(runs[0]!.writer.added)
    const entries = await entriesOf(store, id)
    expect(entries.some(([, , , base]) => base !== null)).toBe(true)
    for (const [, , , base] of entries) if (base !== null) expect(entries[base]![3]).toBeNull()
  }
  for (const [index, app] of versions.entries()) expect(await restored(store, runs[index]!.id)).toEqual(digests({ app }))
})

test('with compression fast a difference takes long matches alone, which needs half of the time', async () => {
  const store = freshStore()
  const base = rows('fast', 400_000)
  const app = changed(base, 200, 'changed')
  const sizeWith = async (matches: Matches): Promise<number> => {
    const difference = { base: Buffer.from(base), matches, expected: base.length }
    return (await seal(shared(app), { compression: 'fast', stream: 0, recipients: keys.recipients, threads: 1, difference })).sealed.length
  }
  await backUp({ store, compression: 'fast' }, { app: base })
  const { id, writer } = await backUp({ store, compression: 'fast' }, { app })
  expect([writer.newChunks, writer.deltaChunks]).toEqual([1, 1])
  const long = await sizeWith('long')
  for (const other of ['first', 'search'] as const) expect(await sizeWith(other)).not.toBe(long)
  expect((await entriesOf(store, id)).find(([, , , base]) => base !== null)![2]).toBe(long)
})

test('within one backup, too, later content is stored as a difference from earlier', async () => {
  const store = freshStore()
  const given = { one: single, two: changed(single, 100_000, 'another') }
  const { writer } = await backUp({ store }, given)
  expect([writer.newChunks, writer.deltaChunks]).toEqual([2, 1])
  expect(await restored(store)).toEqual(digests(given))
})

test('the same content in two sources, or twice in one stream, is stored once', async () => {
  const store = freshStore()
  const zeros = Buffer.alloc(12 * MIB)
  const { writer } = await backUp({ store }, { one: single, two: Buffer.from(single), zeros })
  expect(writer.newChunks).toBe(2)
  expect(await restored(store)).toEqual(digests({ one: single, two: single, zeros }))
})

test('a write key builds on what is there, but makes no differences', async () => {
  const store = freshStore()
  await backUp({ store }, { app: single, other: dump })
  const second = await backUp({ store, keys: writeKeys }, { app: changed(single, 100_000, 'changed'), other: dump })
  expect([second.writer.newChunks, second.writer.deltaChunks]).toEqual([1, 0])
  expect(await restored(store)).toEqual(digests({ app: changed(single, 100_000, 'changed'), other: dump }))
  // Nor does it hinder the next with the identity from making some.
  const third = await backUp({ store }, { app: changed(single, 90_000, 'again') })
  expect(third.writer.deltaChunks).toBe(1)
})

test('a chunk that is gone or shorter than listed is not built on but stored again', async () => {
  for (const harm of ['gone', 'truncated']) {
    const root = freshFolder()
    const store = new FileStore(root)
    const first = await backUp({ store }, { app: dump, single })
    const victim = (await entriesOf(store, first.id)).find(([, size]) => size === single.length)!
    const object = chunkKey(victim[0], victim[4])
    if (harm === 'gone') await store.delete(object)
    else truncateSync(path.join(root, object), victim[2] - 1)
    const second = await backUp({ store }, { app: dump, single })
    expect(second.writer.newChunks).toBe(1)
    expect(await restored(store)).toEqual(digests({ app: dump, single }))
  }
})

test('a difference whose base is gone is stored again, with no word of the base', async () => {
  const store = freshStore()
  const first = await backUp({ store }, { app: single })
  const later = changed(single, 100_000, 'changed')
  const second = await backUp({ store }, { app: later })
  expect(second.writer.deltaChunks).toBe(1)
  for (const object of await chunksIn(store)) if (object.endsWith(first.id.slice(-8))) await store.delete(object)
  const third = await backUp({ store }, { app: later })
  expect([third.writer.newChunks, third.writer.deltaChunks]).toEqual([1, 0])
  expect(await restored(store)).toEqual(digests({ app: later }))
})

test('where the base turns out damaged, the chunk is stored whole, with a warning', async () => {
  const store = freshStore()
  await backUp({ store }, { app: single })
  const [object] = await chunksIn(store)
  const bytes = await store.get(object!, ANY_SIZE)
  bytes[bytes.length - 100]! ^= 1
  await store.put(object!, bytes)
  const later = changed(single, 100_000, 'changed')
  const second = await backUp({ store }, { app: later })
  expect([second.writer.newChunks, second.writer.deltaChunks]).toEqual([1, 0])
  expect(second.damage).toEqual([expect.stringContaining(`chunk ${object} in ${store.name} is damaged`)])
  expect(await restored(store)).toEqual(digests({ app: later }))
})

test('a store that cannot be reached for a base fails the backup; it is not taken for damage', async () => {
  const store = freshStore()
  await backUp({ store }, { app: single })
  const run = await Run.begin({
    store: through(store, (operation, key, perform) => (operation === 'get' && key.startsWith('chunks/') ? Promise.reject(new Error('no route to host')) : perform())),
  })
  await expect(run.source('app', changed(single, 100_000, 'changed'))).rejects.toThrow('no route to host')
  expect(run.damage).toEqual([])
})

test('a chunk that zstd -D would take for a structured dictionary is never a base', async () => {
  const store = freshStore()
  const content = Buffer.concat([Buffer.from('37a430ec', 'hex'), single])
  await backUp({ store }, { one: content, two: changed(content, 100_000, 'changed') })
  const later = await backUp({ store }, { one: changed(content, 90_000, 'again') })
  expect(later.writer.deltaChunks).toBe(0)
  expect(later.damage).toEqual([])
  expect(await restored(store)).toEqual(digests({ one: changed(content, 90_000, 'again') }))
})

test('once the differences since add up to a whole copy, a chunk is stored whole again, and is the base from then on', async () => {
  const store = freshStore()
  let [whole, spent, copies] = [0, 0, 0]
  for (let turn = 0; turn < 10; turn++) {
    const app = Buffer.concat([single.subarray(0, 400_000), noise(`turn ${turn}`, 100_000)])
    const { writer } = await backUp({ store }, { app })
    expect(writer.deltaChunks).toBe(spent < whole ? 1 : 0)
    if (writer.deltaChunks === 1) spent += writer.added
    else [whole, spent, copies] = [writer.added, 0, copies + 1]
    expect(await restored(store)).toEqual(digests({ app }))
  }
  expect(copies).toBeGreaterThan(1)
  expect(copies).toBeLessThan(5)
})

test('two runs that store the same chunk in different ways do not touch each other, whichever is deleted', async () => {
  const x = changed(single, 100_000, 'the same in both')
  for (const deleted of ['whole', 'difference']) {
    const store = freshStore()
    await backUp({ store }, { app: single })
    // One builds on the first backup, the other began before it: difference, and whole.
    const [difference, whole] = [await Run.begin({ store }), await Run.begin({ store, known: new KnownChunks() })]
    await Promise.all([difference.source('app', x), whole.source('app', x)])
    await Promise.all([difference.commit(), whole.commit()])
    expect([difference.writer.deltaChunks, whole.writer.deltaChunks]).toEqual([1, 0])
    for (const { id } of [difference, whole]) expect(await restored(store, id)).toEqual(digests({ app: x }))

    const [gone, left] = deleted === 'whole' ? [whole, difference] : [difference, whole]
    await store.delete(`snapshots/app/${gone.id}.json.zst`)
    for (const object of await chunksIn(store)) if (object.endsWith(gone.id.slice(-8))) await store.delete(object)
    expect(await restored(store, left.id)).toEqual(digests({ app: x }))
  }
})

test('a backup on top of both lists each difference with the very object it is a difference from', async () => {
  const x = changed(single, 100_000, 'x')
  const z = changed(x, 80_000, 'z')
  for (const newest of ['whole', 'difference']) {
    const store = freshStore()
    await backUp({ store }, { app: single })
    const times = [nextTime(), nextTime()]
    const runs = { difference: await Run.begin({ store, time: times[newest === 'whole' ? 0 : 1] }), whole: await Run.begin({ store, known: new KnownChunks(), time: times[newest === 'whole' ? 1 : 0] }) }
    // Here x is a difference from the first backup's chunk; there it is whole, and z a difference from it.
    await runs.difference.source('x', x)
    await runs.whole.source('x', x)
    await runs.whole.source('z', z)
    expect([runs.difference.writer.deltaChunks, runs.whole.writer.deltaChunks]).toEqual([1, 1])
    await runs.difference.commit()
    await runs.whole.commit()
    const next: Record<string, Buffer>[] = [{ x, z }, { z, x }, { z, x, last: changed(z, 70_000, 'last') }]
    for (const given of next) {
      const { id } = await backUp({ store }, given)
      expect(await restored(store, id)).toEqual(digests(given))
    }
  }
})

/** A store whose puts wait until they are let go. */
function heldStore(store: Store) {
  const gate = Promise.withResolvers<void>()
  const seen = { bytes: 0, most: 0, puts: 0, mostPuts: 0 }
  const held = through(store, async (operation, _, perform, bytes) => {
    if (operation !== 'put') return perform()
    seen.bytes += bytes!.length
    seen.puts++
    seen.most = Math.max(seen.most, seen.bytes)
    seen.mostPuts = Math.max(seen.mostPuts, seen.puts)
    await gate.promise
    seen.bytes -= bytes!.length
    seen.puts--
    return perform()
  })
  return { held, seen, release: gate.resolve }
}

test('with a store that takes nothing, reading stops: a few buffers and 32 MiB on their way', async () => {
  const store = freshStore()
  const { held, seen, release } = heldStore(store)
  const run = await Run.begin({ store: held, jobs: 2 })
  const bytes = noise('held', 64 * MIB)
  let read = 0
  const running = run.source('app', turnsOf(bytes.length, (count) => (read += count), (offset) => bytes.subarray(offset, offset + 65_536)))
  // Until a second brings nothing more.
  for (let before = -1; before !== read; ) {
    before = read
    for (let turn = 0; turn < 5; turn++) await quiet()
  }
  expect(seen.most).toBeLessThanOrEqual(32 * MIB)
  expect(seen.most).toBeGreaterThan(24 * MIB)
  // Beyond what is being put: two chunks that wait for room, and one that is being filled.
  expect(read).toBeLessThanOrEqual(32 * MIB + 3 * 4 * MIB)
  release()
  await running
  await run.commit()
  expect(seen.most).toBeLessThanOrEqual(32 * MIB)
  expect(await restored(store)).toEqual(digests({ app: bytes }))
})

test('of objects however small, 32 are put at a time', async () => {
  const { held, seen, release } = heldStore(freshStore())
  const run = await Run.begin({ store: held, jobs: 2 })
  // Zeros have no cuts of their own: every 4 MiB another chunk.
  const zeros = Buffer.alloc(MIB)
  const running = run.source('app', turnsOf(45 * 4 * MIB, () => undefined, (offset) => (offset % (4 * MIB) === 0 ? changed(zeros, MIB, `${offset}`) : zeros)))
  await until(() => seen.puts >= 32)
  await quiet()
  expect(seen.mostPuts).toBe(32)
  release()
  await running
  expect(run.writer.newChunks).toBe(45)
})

async function* broken(): AsyncGenerator<Buffer, void, void> {
  yield* turnsOf(3 * MIB, () => undefined, (offset) => dump.subarray(offset, offset + 65_536))
  throw new Error('pg_dump was killed')
}

test('a source that breaks fails the stream with its error, and no put is under way afterwards', async () => {
  const store = freshStore()
  let putting = 0
  const run = await Run.begin({
    store: through(store, async (_, __, perform) => {
      putting++
      await new Promise((resolve) => setTimeout(resolve, 30))
      return perform().finally(() => putting--)
    }),
  })
  await expect(run.source('app', broken())).rejects.toThrow('pg_dump was killed')
  expect(putting).toBe(0)
  expect(await all(store.list('snapshots/'))).toEqual([])
})

test('in a stream of files, what stays is found anywhere in a base', async () => {
  const lines = Array.from({ length: 400_000 }, (_, row) => `${row}\tabc\n`)
  const before = Buffer.from(lines.join(''))
  const after = Buffer.from(lines.toSpliced(350_000, 0, 'more\n').join(''))
  const added = async (longMatches: boolean): Promise<number> => {
    const store = freshStore()
    await backUp({ store }, { app: before })
    const run = await Run.begin({ store })
    await run.writer.stream('app.dump', 'pg_dump-custom', inPieces(after), () => undefined, { longMatches })
    await run.writer.settled()
    return run.writer.added
  }
  expect((await added(true)) * 2).toBeLessThan(await added(false))
})

test('streams that are read at the same time are stored whole, more of them than there are threads, and equal chunks once', async () => {
  const store = freshStore()
  const run = await Run.begin({ store, jobs: 1 })
  const own = Array.from({ length: 6 }, (_, index) => Buffer.concat([dump, noise(`stream ${index}`, 2 * MIB)]))
  const records = await Promise.all(
    own.map((bytes, index) => run.writer.stream(`app.${index}.dump`, 'pg_dump-custom', inPieces(bytes), () => undefined)))
  await run.writer.settled()
  expect(records.map(({ size }) => size)).toEqual(own.map((bytes) => bytes.length))
  for (const [index, bytes] of own.entries())
    expect(await run.writer.stream(records[index]!.name, 'pg_dump-custom', inPieces(bytes), () => undefined)).toEqual(records[index])
  const listed = run.writer.listed()
  expect(await chunksIn(store)).toEqual([...listed.keys()].toSorted())
  for (const [key, size] of listed) expect((await store.head(key)).size).toBe(size)
  expect(run.writer.newChunks).toBe(listed.size)
  expect(new Set(records.flatMap(({ chunks }) => chunks[0]!)).size).toBe(1)
})

test('a store that fails fails the stream, and the commit; the source is closed', async () => {
  const store = freshStore()
  let closed = false
  const endless = async function* () {
    try {
      for (let turn = 0; ; turn++) yield noise(`${turn}`, 65_536)
    } finally {
      closed = true
    }
  }
  let puts = 0
  const run = await Run.begin({
    store: through(store, (operation, _, perform) => (operation === 'put' && ++puts > 2 ? Promise.reject(new Error('the disk is full')) : perform())),
  })
  await expect(run.source('app', endless())).rejects.toThrow('the disk is full')
  expect(closed).toBe(true)
  await expect(run.commit()).rejects.toThrow('the disk is full')
  expect(await all(store.list('snapshots/'))).toEqual([])
})

test('aborted while chunks are compressed and put, a stream ends with the reason, puts nothing more, and cannot be committed', async () => {
  for (const after of [0, 1, 3]) {
    const store = freshStore()
    const controller = new AbortController()
    let puts = 0
    const run = await Run.begin({
      store: through(store, (operation, _, perform) => {
        if (operation === 'put' && puts++ === after) controller.abort(new Error('interrupted'))
        return perform()
      }),
      signal: controller.signal,
    })
    await expect(run.source('app', noise('aborted', 16 * MIB))).rejects.toThrow('interrupted')
    const before = puts
    await quiet()
    expect(puts).toBe(before)
    await expect(run.commit()).rejects.toThrow('interrupted')
    expect(await all(store.list('snapshots/'))).toEqual([])
  }
})

test('a backup whose snapshot would be larger than readers accept fails while it reads, puts no snapshot, and says what to do', async () => {
  const store = freshStore()
  let read = 0
  const endless = turnsOf(1024 * MIB, (bytes) => (read += bytes), (offset) => noise(`${offset}`, MIB))
  const run = await Run.begin({ store, largestSnapshot: 2000 })
  await expect(run.source('app', endless)).rejects.toMatchObject({ message: expect.stringContaining('do not fit into one snapshot'), hint: expect.stringContaining('several sets') })
  expect(read).toBeLessThan(100 * MIB)
  await expect(run.commit()).rejects.toThrow('do not fit')
  expect(await all(store.list('snapshots/'))).toEqual([])
  // The same limit where nothing is new, as for the next backup of a set that is too large.
  const { writer } = await backUp({ store }, { app: noise('enough', 30 * MIB) })
  expect(writer.listed().size).toBeGreaterThan(5)
  const again = await Run.begin({ store, largestSnapshot: 1000 })
  await expect(again.source('app', noise('enough', 30 * MIB))).rejects.toThrow('do not fit into one snapshot')
})

test('the estimate of a snapshot is about what it takes', async () => {
  const store = freshStore()
  const { id, writer } = await backUp({ store }, { app: rows('estimate', 40 * MIB) })
  const object = await store.get(`snapshots/app/${id}.json.zst`, ANY_SIZE)
  const { anchors } = await openManifest(await decodeSnapshot(`snapshots/app/${id}.json.zst`, object, keys))
  expect(writer.listed().size).toBeGreaterThan(20)
  // A signature, an age header and a name have some hundreds of bytes.
  const estimate = 700 + anchors.reduce((sum, one) => sum + listedBytes(one), 0)
  expect(object.length / estimate).toBeGreaterThan(0.85)
  expect(object.length / estimate).toBeLessThan(1.15)
})

test('a difference that would save little is not kept', async () => {
  const store = freshStore()
  await backUp({ store }, { app: single })
  const half = Buffer.concat([single.subarray(0, 130_000), noise('the rest', 370_000)])
  const { writer } = await backUp({ store }, { app: half })
  expect([writer.newChunks, writer.deltaChunks]).toEqual([1, 0])
})

test('chunks are put under their id and the mark of the backup, sealed to every recipient', async () => {
  const store = freshStore()
  const { id } = await backUp({ store }, { app: single })
  const [entry] = await entriesOf(store, id)
  expect(await chunksIn(store)).toEqual([`chunks/${entry![0].slice(0, 2)}/${entry![0]}-${id.slice(-8)}`])
  expect((await store.get(chunkKey(entry![0], entry![4]), ANY_SIZE)).toString('latin1')).toMatch(/^age-encryption\.org\/v1\n-> X25519 /)
  expect(keys.fingerprint).toMatch(/^[0-9a-f]{16}$/)
})

test('a writer that begins again has the buffers of the one before, which keeps no list', async () => {
  const taking = jest.spyOn(BufferPool.prototype, 'take')
  const taken = async (): Promise<number> => new Set(await Promise.all(taking.mock.results.map(({ value }) => value))).size
  try {
    const run = await Run.begin({ store: freshStore() })
    await run.source('app', dump)
    const [buffers, chunks] = [await taken(), run.writer.listed().size]
    expect(chunks).toBeGreaterThan(0)
    const again = run.writer.again('00000000')
    await again.stream('app.dump', 'pg_dump-custom', inPieces(dump), () => undefined)
    await again.settled()
    expect([await taken(), run.writer.listed().size, again.listed().size, again.newChunks]).toEqual([buffers, 0, chunks, run.writer.newChunks])
  } finally {
    taking.mockRestore()
  }
})

test('a snapshot that would need a damaged object is not put', async () => {
  const store = freshStore()
  const known = new KnownChunks(store)
  const run = await Run.begin({ store, known })
  await run.source('app', single)
  const [key] = await chunksIn(store)
  known.lose(key!)
  await expect(run.commit()).rejects.toMatchObject({ message: expect.stringContaining(key!), hint: expect.stringContaining('run the backup again') })
  expect(await all(store.list('snapshots/'))).toEqual([])
})
