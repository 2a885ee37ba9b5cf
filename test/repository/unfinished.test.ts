import { LifeboatError } from '../../src/error.ts'
import { chunkId, chunkSum } from '../../src/repository/sums.ts'
import { collectGarbage } from '../../src/repository/garbage.ts'
import type { Keys } from '../../src/repository/keys.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { lastLook } from '../../src/repository/last-look.ts'
import { readReferences } from '../../src/repository/references.ts'
import { chunkKey } from '../../src/repository/snapshot.ts'
import { GRACE, putTrash } from '../../src/repository/trash.ts'
import { runsKey } from '../../src/repository/unfinished.ts'
import { SeveralStores } from '../../src/stores/several.ts'
import type { Store } from '../../src/stores/store.ts'
import { ANY_SIZE, changed, inPieces, noise } from '../support/bytes.ts'
import { backUp, digests, identity, keys, type Operation, otherKeys, restored, Run, through, writeKeys } from '../support/engine.ts'
import { MemoryStore } from '../support/memory-store.ts'

const HOUR = 3_600_000
let clock = Date.UTC(2026, 10, 20, 12)
const now = (): Date => new Date(clock)
const time = now
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore(now)
})

/** Sources of one chunk each. */
const content = Object.fromEntries(['one', 'two', 'three', 'four', 'five'].map((name) => [name, noise(name, 50_000)]))
const objects = (prefix: string): string[] => [...store.objects.keys()].filter((key) => key.startsWith(prefix)).toSorted()
const pruning = { signal: new AbortController().signal, parallel: 4, now, grace: GRACE, dryRun: false, onDamaged: (error: Error) => expect(error).toBeUndefined() }
const prune = async (): Promise<unknown> => collectGarbage(store, keys, await readReferences(store, keys, pruning), new Set(), pruning)
const keyOf = (name: string): string => objects('chunks/').find((key) => key.includes(chunkId(chunkSum(content[name]!), keys)))!

/** A run that is killed after it has stored these. */
async function interrupted(names: string[], more: { set?: string; keys?: Keys; to?: Store } = {}): Promise<Run> {
  const run = await Run.begin({ store: more.to ?? store, time: time(), resume: now, ...more })
  for (const name of names) await run.source(name, content[name]!)
  clock += 60_000
  return run
}

async function next(more: { set?: string; keys?: Keys; to?: Store } = {}): Promise<Run> {
  return backUp({ store: more.to ?? store, time: time(), resume: now, ...more }, content)
}

test('a run stores only what interrupted ones of its set have not, and their objects are its own from then on', async () => {
  await interrupted(['one', 'two'])
  await interrupted(['one', 'three'])
  const run = await next()
  expect([run.writer.adopted.chunks, run.writer.newChunks]).toEqual([3, 2])
  expect(await restored(store, run.id)).toEqual(digests(content))
  expect((await next()).writer).toMatchObject({ newChunks: 0, adopted: { chunks: 0 } })
})

test('a first backup that is interrupted many times comes to its end', async () => {
  const names = Object.keys(content)
  for (let tries = 1; tries <= names.length; tries++) {
    let puts = 0
    const line = through(store, (operation, key, perform) => {
      // Two objects pass before the line is cut.
      if (operation === 'put' && key.startsWith('chunks/') && ++puts > 2) throw new Error('cut')
      return perform()
    })
    const ended = await next({ to: line }).then(() => true, () => false)
    clock += 60_000
    if (ended) {
      expect(tries).toBe(3)
      break
    }
  }
  expect(await restored(store)).toEqual(digests(content))
})

test('without an interrupted run, a note is read and written, and no chunk asked for', async () => {
  await next()
  const asked: string[] = []
  const watched = through(store, (operation, key, perform) => {
    asked.push(`${operation} ${key}`)
    return perform()
  })
  await backUp({ store: watched, time: new Date(clock += 60_000), resume: now }, { new: noise('new', 3000) })
  expect(asked.filter((what) => what.endsWith(runsKey('app')))).toEqual(['get runs/app.json', 'put runs/app.json'])
  expect(asked.filter((what) => what.includes('chunks/'))).toEqual([expect.stringMatching(/^put chunks/)])
})

/** Of the five chunks, so many were used, and the rest stored. */
const untouched = async (run: Run, count: number): Promise<void> => {
  expect([run.writer.adopted.chunks, run.writer.newChunks]).toEqual([count, 5 - count])
  expect(await restored(store, run.id, 'app')).toEqual(digests(content))
}

describe('not used is', () => {
  test.each<[string, (object: Buffer) => Buffer]>([
    ['cut short', (object) => object.subarray(0, -1)],
    ['changed in one bit', (object) => Buffer.from(object.map((byte, at) => (at === object.length >> 1 ? byte ^ 4 : byte)))],
    ['empty', () => Buffer.alloc(0)],
    ['another chunk', () => store.objects.get(keyOf('two'))!.bytes],
  ])('an object that is %s', async (_, spoil) => {
    await interrupted(['one', 'two'])
    await store.put(keyOf('one'), spoil(store.objects.get(keyOf('one'))!.bytes))
    await untouched(await next(), 1)
  })

  test('one that is half of the grace old, and, by the clocks of store and machine, in the future', async () => {
    await interrupted(['one'])
    clock += 13 * HOUR
    await interrupted(['two'])
    clock += 2 * HOUR
    store.objects.get(keyOf('two'))!.modified = new Date(clock + 2 * HOUR)
    await untouched(await next(), 0)
  })

  test('one that is in the trash', async () => {
    await interrupted(['one', 'two'])
    await putTrash(store, keys, '20261120T120000Z-00000000', [keyOf('one').slice('chunks/aa/'.length)])
    await untouched(await next(), 1)
  })

  test('a difference', async () => {
    const base = noise('base', 500_000)
    await backUp({ store, time: time() }, { base })
    clock += 60_000
    const similar = { similar: changed(base, 200_000, 'similar') }
    const run = await Run.begin({ store, time: time(), resume: now })
    await run.source('similar', similar.similar)
    expect(run.writer.deltaChunks).toBe(1)
    clock += 60_000
    const after = await backUp({ store, time: time(), resume: now }, similar)
    expect(after.writer).toMatchObject({ deltaChunks: 1, adopted: { chunks: 0 } })
    expect(await restored(store, after.id)).toEqual(digests(similar))
  })

  test('anything by a write key, which cannot check it; what it leaves, others use', async () => {
    await interrupted(['one'], { keys: writeKeys })
    expect((await next({ keys: writeKeys })).writer.adopted.chunks).toBe(0)
    store = new MemoryStore(now)
    await interrupted(['one'], { keys: writeKeys })
    await untouched(await next(), 1)
  })

  test('chunks that another set left, or another key', async () => {
    await interrupted(['one', 'two'], { set: 'other' })
    await interrupted(['one', 'three'], { keys: otherKeys })
    await untouched(await next(), 0)
  })

  test('chunks that were sealed to fewer recipients than this backup is for', async () => {
    const wider = await openKeys(identity, { store, recipients: [otherKeys.recipients[0]!], create: false })
    await interrupted(['one'])
    await interrupted(['two'], { keys: wider })
    const run = await next({ keys: wider })
    expect([run.writer.adopted.chunks, run.writer.newChunks]).toEqual([1, 4])
  })
})

test.each<[string, (note: Buffer) => Buffer | undefined]>([
  ['forged', (note) => Buffer.from(note.toString('latin1').replace(/ [0-9a-f]{64}\n/, ` ${'0'.repeat(64)}\n`), 'latin1')],
  ['cut short', (note) => note.subarray(0, 60)],
  ['larger than any', () => Buffer.alloc(1024 * 1024)],
  ['missing', () => undefined],
])('a note of earlier runs that is %s is written again, and stops no backup', async (_, spoil) => {
  await interrupted(['one'])
  const spoiled = spoil(store.objects.get(runsKey('app'))!.bytes)
  if (spoiled) await store.put(runsKey('app'), spoiled)
  else await store.delete(runsKey('app'))
  expect((await next()).writer.adopted.chunks).toBe(0)
  expect(await restored(store)).toEqual(digests(content))
})

test('a note of one set is not taken for that of another', async () => {
  await interrupted(['one'])
  await store.put(runsKey('other'), await store.get(runsKey('app'), ANY_SIZE))
  const run = await backUp({ store, set: 'other', time: time(), resume: now }, content)
  expect(run.writer.adopted.chunks).toBe(0)
})

test('of several stores, only what is whole in each of them is used', async () => {
  const [left, right] = [new MemoryStore(now), new MemoryStore(now)]
  const both = (): SeveralStores => new SeveralStores([left, right], new AbortController().signal, ({ error }) => expect(error).toBeUndefined())
  await interrupted(['one', 'two', 'three'], { to: both() })
  const [first, second] = [...right.objects.keys()].filter((key) => key.startsWith('chunks/'))
  right.objects.delete(first!)
  right.objects.get(second!)!.bytes[100]! ^= 1
  const run = await next({ to: both() })
  expect([run.writer.adopted.chunks, run.writer.newChunks]).toEqual([1, 4])
  for (const one of [left, right]) expect(await restored(one)).toEqual(digests(content))
})

test.each<[string, number]>([
  ['is about to delete what an interrupted run left', 49],
  ['is about to write it to trash', 24],
  ['began when it was as old as half of the grace', 12],
])('a run beside a prune that %s puts a snapshot that stays whole', async (_, hours) => {
  await backUp({ store, set: 'other', time: time() }, { other: noise('other', 3000) })
  await interrupted(['one', 'two'])
  const began = clock
  while (clock < began + hours * HOUR) {
    clock = Math.min(clock + 24.5 * HOUR, began + hours * HOUR)
    if (clock < began + hours * HOUR) await prune()
  }
  const references = await readReferences(store, keys, pruning)
  let run: Run | undefined
  // It ends between the prune's look at what snapshots list, and its first change of the store.
  const watched = through(store, async (operation, _, perform) => {
    if (operation === 'put' || operation === 'delete') run ??= await next()
    return perform()
  })
  await collectGarbage(watched, keys, references, new Set(), pruning)
  run ??= await next()
  for (let days = 0; days < 4; days++) {
    clock += 25 * HOUR
    await prune()
    expect(await restored(store, run.id)).toEqual(digests(content))
  }
})

test('a run is as old as the oldest object it has used: it looks again before its snapshot is put', async () => {
  await interrupted(['one'])
  clock += 11 * HOUR
  const run = await Run.begin({ store, time: time(), resume: now })
  for (const [name, bytes] of Object.entries(content)) await run.source(name, bytes)
  const { since } = run.writer.adopted
  clock += 2 * HOUR
  expect(clock - since!.getTime()).toBeGreaterThan(13 * HOUR)
  const asked: Operation[] = []
  const watched = through(store, (operation, _, perform) => {
    asked.push(operation)
    return perform()
  })
  await lastLook(watched, keys, { chunks: run.writer.listed(), elapsed: clock - since!.getTime(), grace: GRACE, now: now() })
  expect(asked).toContain('head')
  expect(run.writer.listed().has(chunkKey(chunkId(chunkSum(content['one']!), keys), keyOf('one').slice(-8)))).toBe(true)
})

test('a store in which nothing may be replaced keeps no note of later runs, and has their backups all the same', async () => {
  await interrupted(['one'])
  const refusing = through(store, (operation, key, perform) => {
    if (operation === 'put' && key === runsKey('app')) throw new LifeboatError('BlobImmutableDueToPolicy')
    return perform()
  })
  const run = await next({ to: refusing })
  expect(run.damage).toEqual([expect.stringContaining('runs/app.json could not be written: BlobImmutableDueToPolicy')])
  expect(await restored(store, run.id)).toEqual(digests(content))
})

test('a chunk that is used counts once if the sources are read again, also one that cannot be a base', async () => {
  const small = Buffer.from('small')
  const left = await Run.begin({ store, time: time(), resume: now })
  await left.source('small', small)
  clock += 60_000
  const { writer } = await Run.begin({ store, time: time(), resume: now })
  const read = async (by: typeof writer): Promise<void> => {
    await by.stream('small.dump', 'pg_dump-custom', inPieces(small), () => undefined)
    await by.settled()
  }
  await read(writer)
  expect(writer.adopted.chunks).toBe(1)
  const again = writer.again('00000000')
  await read(again)
  expect([again.adopted.chunks, again.newChunks, again.listed().size]).toEqual([1, 0, 1])
})
