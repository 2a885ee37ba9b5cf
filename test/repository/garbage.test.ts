import { LifeboatError } from '../../src/error.ts'
import { forgetSnapshot } from '../../src/repository/forget.ts'
import { collectGarbage, type Garbage } from '../../src/repository/garbage.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { lastLook } from '../../src/repository/last-look.ts'
import { readReferences } from '../../src/repository/references.ts'
import { sign } from '../../src/repository/signed.ts'
import { chunkKey, snapshotKey } from '../../src/repository/snapshot.ts'
import { GRACE, putTrash } from '../../src/repository/trash.ts'
import type { Store } from '../../src/stores/store.ts'
import { changed, noise } from '../support/bytes.ts'
import { backUp, digests, entriesOf, keys, otherKeys, restored, Run, through, writeKeys } from '../support/engine.ts'
import { MemoryStore } from '../support/memory-store.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 10, 20, 12)
let clock = START
let store: MemoryStore
let warnings: string[] = []
beforeEach(() => {
  clock = START
  store = new MemoryStore(() => new Date(clock))
  warnings = []
})

const now = (): Date => new Date(clock)
const later = (hours: number): void => void (clock += hours * HOUR)
const reading = { signal: new AbortController().signal, parallel: 4, now, onDamaged: (error: LifeboatError) => void warnings.push(error.message) }
const options = { ...reading, grace: GRACE, dryRun: false }

/** A prune that deletes these snapshots of the set `app`. */
async function prune(ids: string[], through: Store = store, more: Partial<typeof options> & { by?: typeof keys } = {}): Promise<Garbage> {
  const references = await readReferences(through, more.by ?? keys, reading)
  return collectGarbage(through, more.by ?? keys, references, new Set(ids.map((id) => snapshotKey('app', id))), { ...options, ...more })
}

const content = { one: { app: noise('one', 3000), shared: noise('shared', 3000) }, two: { app: noise('two', 3000), shared: noise('shared', 3000) }, three: { app: noise('three', 3000) } }
const objects = (prefix: string): string[] => [...store.objects.keys()].filter((key) => key.startsWith(prefix)).toSorted()
const nameOf = (key: string): string => key.slice('chunks/aa/'.length)
const chunksOf = async (id: string): Promise<string[]> => (await entriesOf(store, id)).map(([chunk, , , , mark]) => chunkKey(chunk, mark))

test('chunks that only a deleted snapshot needed are listed as trash, and deleted by a prune after the grace, not before; then the trash is', async () => {
  const [one, two] = [await backUp({ store }, content.one), await backUp({ store }, content.two)]
  const [only, shared] = await chunksOf(one.id)
  expect(await prune([one.id])).toMatchObject({ trashed: { objects: 1, bytes: store.objects.get(only!)!.bytes.length }, deleted: { objects: 0 }, waiting: { objects: 0 }, obstacles: [] })
  expect(objects('snapshots/')).toEqual([snapshotKey('app', two.id)])
  expect(objects('trash/')).toHaveLength(1)
  later(23.9)
  expect(await prune([])).toMatchObject({ trashed: { objects: 0 }, deleted: { objects: 0 }, waiting: { objects: 1 } })
  expect(objects('chunks/')).toContain(only)
  later(0.1)
  expect(await prune([])).toMatchObject({ deleted: { objects: 1 }, waiting: { objects: 0 } })
  expect(objects('chunks/')).toEqual((await chunksOf(two.id)).toSorted())
  expect(objects('chunks/')).toContain(shared)
  expect(objects('trash/')).toEqual([])
  expect(await restored(store)).toEqual(digests(content.two))
})

test('with dry-run it tells the same and does nothing', async () => {
  const [one] = [await backUp({ store }, content.one), await backUp({ store }, content.two)]
  const before = [...store.objects.keys()]
  const told = await prune([one.id], through(store, (operation, _, perform) => {
    expect(['get', 'list', 'head']).toContain(operation)
    return perform()
  }), { dryRun: true })
  expect([...store.objects.keys()]).toEqual(before)
  expect(await prune([one.id])).toEqual(told)
})

test('with a write key it does the same', async () => {
  const [one, two] = [await backUp({ store }, content.one), await backUp({ store }, content.two)]
  expect(await prune([one.id], store, { by: writeKeys })).toMatchObject({ trashed: { objects: 1 } })
  later(25)
  expect(await prune([], store, { by: writeKeys })).toMatchObject({ deleted: { objects: 1 } })
  expect(await restored(store, two.id)).toEqual(digests(content.two))
})

test('a prune that started before a backup and ends after it leaves the backup whole, now and after the grace', async () => {
  const one = await backUp({ store }, content.one)
  await backUp({ store }, content.three)
  const references = await readReferences(store, keys, reading)
  // It builds on the snapshot that is about to be deleted.
  const during = await backUp({ store }, content.one)
  expect(during.writer.newChunks).toBe(0)
  await collectGarbage(store, keys, references, new Set([snapshotKey('app', one.id)]), options)
  expect(await restored(store, during.id)).toEqual(digests(content.one))
  for (let days = 0; days < 3; days++) {
    later(25)
    await prune([])
    expect(await restored(store, during.id)).toEqual(digests(content.one))
  }
  expect(objects('trash/')).toEqual([])
})

test('a chunk that was trash and is used again stays, and for a whole grace after its second snapshot has gone', async () => {
  const one = await backUp({ store }, content.one)
  await backUp({ store }, content.three)
  const running = await Run.begin({ store })
  await prune([one.id])
  expect(objects('trash/')).toHaveLength(1)
  for (const [name, bytes] of Object.entries(content.one)) await running.source(name, bytes)
  await running.commit()
  expect(running.writer.newChunks).toBe(0)
  later(25)
  // Its chunks are in trash that is old enough; but they are needed until this very prune.
  expect(await prune([running.id])).toMatchObject({ deleted: { objects: 0 }, trashed: { objects: 2 } })
  await store.put(snapshotKey('app', running.id), Buffer.from(''))
  await store.delete(snapshotKey('app', running.id))
  later(23)
  expect(await prune([])).toMatchObject({ deleted: { objects: 0 }, waiting: { objects: 2 } })
  later(2)
  expect(await prune([])).toMatchObject({ deleted: { objects: 2 } })
})

test('a backup does not build on what is in the trash, though a snapshot lists it', async () => {
  const one = await backUp({ store }, content.one)
  const object = store.objects.get(snapshotKey('app', one.id))!
  await prune([one.id])
  await store.put(snapshotKey('app', one.id), object.bytes)
  const two = await backUp({ store }, content.one)
  expect(two.writer.newChunks).toBe(2)
  // Someone deletes the first without a look at the trash, and a prune finds that old enough.
  await forgetSnapshot(store, 'app', one.id)
  later(25)
  expect(await prune([])).toMatchObject({ deleted: { objects: 2 } })
  expect(await restored(store, two.id)).toEqual(digests(content.one))
})

test('a prune killed after deleting snapshots and before writing trash: the next one finds what is left', async () => {
  const [one, two] = [await backUp({ store }, content.one), await backUp({ store }, content.two)]
  await store.delete(snapshotKey('app', one.id))
  // As young as this they may be what a running backup puts.
  expect(await prune([])).toMatchObject({ trashed: { objects: 0 }, waiting: { objects: 1 } })
  later(25)
  expect(await prune([])).toMatchObject({ trashed: { objects: 1 } })
  later(25)
  expect(await prune([])).toMatchObject({ deleted: { objects: 1 } })
  expect(await restored(store, two.id)).toEqual(digests(content.two))
})

test('chunks that a killed backup left are collected, and those of a running one are not', async () => {
  await backUp({ store }, content.two)
  const killed = await Run.begin({ store })
  await killed.source('app', noise('killed', 5000))
  later(25)
  const running = await Run.begin({ store })
  await running.source('app', noise('running', 5000))
  expect(await prune([])).toMatchObject({ trashed: { objects: 1 }, waiting: { objects: 1 } })
  later(25)
  expect(await prune([])).toMatchObject({ deleted: { objects: 1 } })
  await running.commit()
  expect(await restored(store, running.id)).toEqual(digests({ app: noise('running', 5000) }))
})

test.each(['before', 'after'])('killed %s any of its operations, a prune leaves every snapshot whole, and the next ones bring it to its end', async (when) => {
  const first = noise('first', 300_000)
  const contents = [{ app: first }, { app: changed(first, 90_000, 'second') }, { app: changed(first, 90_000, 'third') }]
  for (let at = 1; ; at++) {
    clock = START
    store = new MemoryStore(now)
    const gone = await backUp({ store }, { app: noise('gone', 3000) })
    const ids: string[] = []
    for (const content of contents) ids.push((await backUp({ store }, content)).id)
    await prune([gone.id])
    later(25)
    let operations = 0
    const mortal = through(store, async (_, __, perform) => {
      operations++
      if (operations === at && when === 'after') await perform()
      if (operations >= at) throw new Error('killed')
      return perform()
    })
    const ended = await prune([ids[1]!], mortal).then(() => true, () => false)
    for (const key of objects('snapshots/')) expect(Object.keys(await restored(store, key.slice('snapshots/app/'.length, -'.json.zst'.length)))).toEqual(['app'])
    // Objects that a killed prune deleted do not come back.
    for (let days = 0; days < 3; days++) {
      await prune(objects('snapshots/').includes(snapshotKey('app', ids[1]!)) ? [ids[1]!] : [])
      later(25)
    }
    expect(objects('snapshots/')).toEqual([ids[0]!, ids[2]!].map((id) => snapshotKey('app', id)))
    expect(objects('chunks/')).toEqual([...new Set([...(await chunksOf(ids[0]!)), ...(await chunksOf(ids[2]!))])].toSorted())
    expect(objects('trash/')).toEqual([])
    if (ended) break
  }
})

test('two prunes at the same time do what one does', async () => {
  const backups = []
  for (const name of ['a', 'b', 'c', 'd']) backups.push(await backUp({ store }, { app: noise(name, 3000), shared: content.one.shared }))
  const ids = backups.map(({ id }) => id)
  const slow = through(store, async (_, __, perform) => {
    await new Promise((resolve) => setImmediate(resolve))
    return perform()
  })
  await Promise.all([prune(ids.slice(0, 2), slow), prune(ids.slice(0, 3), slow)])
  later(25)
  await Promise.all([prune([], slow), prune([])])
  later(25)
  await Promise.all([prune([], slow), prune([])])
  expect(objects('chunks/')).toEqual((await chunksOf(ids[3]!)).toSorted())
  expect(objects('trash/')).toEqual([])
  expect(await restored(store)).toEqual(digests({ app: noise('d', 3000), shared: content.one.shared }))
})

test('two hosts that back up under one name at the same time do each other no harm, whichever is pruned', async () => {
  await backUp({ store }, content.one)
  const [left, right] = [await Run.begin({ store }), await Run.begin({ store })]
  for (const run of [left, right]) for (const [name, bytes] of Object.entries(content.two)) await run.source(name, bytes)
  await Promise.all([left.commit(), right.commit()])
  expect(new Set([left.id, right.id]).size).toBe(2)
  await prune([left.id])
  later(25)
  await prune([])
  later(25)
  await prune([])
  expect(await restored(store, right.id)).toEqual(digests(content.two))
})

test('a "deleted" snapshot that reappears within the grace is whole and stays so', async () => {
  const one = await backUp({ store }, content.one)
  await backUp({ store }, content.three)
  const { bytes } = store.objects.get(snapshotKey('app', one.id))!
  later(30)
  await prune([one.id])
  later(20)
  await prune([])
  await store.put(snapshotKey('app', one.id), bytes)
  for (let days = 0; days < 3; days++) {
    await prune([])
    later(25)
  }
  expect(await restored(store, one.id)).toEqual(digests(content.one))
})

const proofOf = (id: string): string => `proofs/app/${id}.20261120T120000Z-00000000.list-verified.${'0'.repeat(32)}.json`

test('proofs and labels go with their snapshot, those of one that is gone already after the grace; those of others stay', async () => {
  const [zero, one, two] = [await backUp({ store }, content.three), await backUp({ store }, content.one), await backUp({ store }, content.two)]
  for (const { id } of [zero, one, two]) {
    await putLabels(store, keys, 'app', id, { pinned: false, tags: ['kept'] })
    await store.put(proofOf(id), Buffer.from('any'))
  }
  await store.delete(snapshotKey('app', zero.id))
  await prune([one.id])
  expect([...objects('labels/'), ...objects('proofs/')].filter((key) => key.includes(one.id))).toEqual([])
  expect(objects('proofs/')).toHaveLength(2)
  later(25)
  await prune([])
  expect([...objects('labels/'), ...objects('proofs/')]).toEqual([`labels/app/${two.id}.json`, proofOf(two.id)])
})

test('chunks that snapshots of other sets and of other keys list are never deleted', async () => {
  const one = await backUp({ store }, content.one)
  const others = [await backUp({ store, set: 'other' }, content.two), await backUp({ store, keys: otherKeys, set: 'theirs' }, content.two)]
  const before = objects('chunks/')
  expect(others).toHaveLength(2)
  await prune([])
  later(25)
  expect(await prune([])).toMatchObject({ trashed: { objects: 0 }, deleted: { objects: 0 }, waiting: { objects: 0 } })
  expect(objects('chunks/')).toEqual(before)
  const { snapshots } = await readReferences(store, keys, reading)
  expect(snapshots.filter(({ authentic }) => authentic).map(({ set }) => set).toSorted()).toEqual(['app', 'other'])
  expect(snapshots.map(({ id }) => id)).toContain(one.id)
})

describe('a snapshot that is not what it should be', () => {
  let good: Run
  let going: Run
  beforeEach(async () => {
    going = await backUp({ store }, content.one)
    good = await backUp({ store }, content.two)
    await prune([going.id])
    later(25)
  })

  test.each<[string, (object: Buffer) => Buffer]>([
    ['cut short', (object) => object.subarray(0, -20)],
    ['empty', () => Buffer.alloc(0)],
    ['something else', () => noise('else', 500)],
  ])('(%s) stops the deletion of chunks, and is named', async (_, spoil) => {
    const key = snapshotKey('app', good.id)
    const whole = store.objects.get(key)!.bytes
    await store.put(key, spoil(whole))
    const before = objects('chunks/')
    expect(await prune([])).toMatchObject({ deleted: { objects: 0 }, trashed: { objects: 0 }, obstacles: [expect.stringMatching(new RegExp(`^${key} cannot be read: `))] })
    expect(objects('chunks/')).toEqual(before)
    await store.put(key, whole)
    expect(await prune([])).toMatchObject({ deleted: { objects: 1 }, obstacles: [] })
    expect(await restored(store, good.id)).toEqual(digests(content.two))
  })

  test('(moved to another set) is a reference all the same, and counts for nothing else', async () => {
    const whole = store.objects.get(snapshotKey('app', good.id))!.bytes
    await store.put(snapshotKey('elsewhere', good.id), whole)
    await store.delete(snapshotKey('app', good.id))
    later(25)
    expect(await prune([])).toMatchObject({ deleted: { objects: 1 }, trashed: { objects: 0 }, obstacles: [] })
    const { snapshots } = await readReferences(store, keys, reading)
    expect(snapshots.map(({ authentic }) => authentic)).toEqual([false])
    await store.put(snapshotKey('app', good.id), whole)
    expect(await restored(store, good.id)).toEqual(digests(content.two))
  })
})

test('trash that someone else wrote deletes nothing that is needed, and nothing but chunks', async () => {
  const one = await backUp({ store }, content.one)
  const running = await Run.begin({ store })
  await running.source('app', noise('running', 3000))
  const all = objects('chunks/').map(nameOf)
  await putTrash(store, keys, '20261120T000000Z-00000009', all)
  const genuine = await store.get('trash/20261120T000000Z-00000009.json')
  await store.delete('trash/20261120T000000Z-00000009.json')
  const text = JSON.stringify({ format: 'lifeboat/1', trash: '20200101T000000Z-00000002', chunks: all })
  const planted = {
    'trash/20200101T000000Z-00000001.json': genuine,
    'trash/20200101T000000Z-00000002.json': text,
    'trash/20200101T000000Z-00000003.json': `lifeboat/1 ${keys.fingerprint} ${'0'.repeat(64)}\n${text}`,
    'trash/20200101T000000Z-00000004.json': sign(text, keys, 'labels'),
    'trash/20200101T000000Z-00000005.json': sign(`{"format":"lifeboat/1","trash":"20200101T000000Z-00000005","chunks":["../snapshots/app/${one.id}.json.zst"]}`, keys, 'trash'),
    // Of another key: nobody can check it, so it deletes nothing.
    'trash/20200101T000000Z-00000006.json': sign(text, otherKeys, 'trash'),
    'trash/../../etc/passwd.json': '{}',
  }
  for (const [key, bytes] of Object.entries(planted)) await store.put(key, Buffer.from(bytes))
  const before = [...objects('chunks/'), ...objects('snapshots/')]
  await prune([])
  expect([...objects('chunks/'), ...objects('snapshots/')]).toEqual(before)
  expect(warnings.toSorted()).toEqual([1, 2, 3, 4, 5].map((number) => expect.stringContaining(`trash/20200101T000000Z-0000000${number}.json in memory: is ignored: `)))
  later(25)
  await prune([])
  expect(await restored(store, one.id)).toEqual(digests(content.one))
})

test('a snapshot that is pinned while a prune runs is not deleted by it, nor any other', async () => {
  const [one, two] = [await backUp({ store }, content.one), await backUp({ store }, content.two)]
  const pinning = through(store, async (operation, key, perform) => {
    if (operation === 'list' && key === 'chunks/') await putLabels(store, keys, 'app', one.id, { pinned: true, tags: null })
    return perform()
  })
  await expect(prune([one.id, two.id], pinning)).rejects.toThrow(`snapshot ${one.id} of set app was pinned while this prune ran, so it deletes no snapshots any more`)
  expect(objects('snapshots/')).toHaveLength(2)
  expect(objects('trash/')).toEqual([])
})

test('the trash of another key that names a chunk which a snapshot lists is deleted: that snapshot may go before the next prune with that key', async () => {
  const one = await backUp({ store }, content.one)
  await putTrash(store, otherKeys, '20261101T000000Z-00000001', [nameOf((await chunksOf(one.id))[0]!)])
  await putTrash(store, otherKeys, '20261101T000000Z-00000002', [`${'0'.repeat(64)}-00000000`])
  await prune([])
  expect(objects('trash/')).toEqual(['trash/20261101T000000Z-00000002.json'])
})

test('a backup does not build on chunks in the trash of another key, which a prune may be deleting', async () => {
  const one = await backUp({ store }, content.one)
  const [app] = await chunksOf(one.id)
  await putTrash(store, otherKeys, '20261120T000000Z-00000001', [nameOf(app!)])
  const two = await backUp({ store }, content.one)
  expect((await chunksOf(two.id)).filter((key) => key === app)).toEqual([])
  await store.delete(app!)
  expect(await restored(store, two.id)).toEqual(digests(content.one))
})

test('a backup that took longer than half the grace puts no snapshot with a chunk in old trash of another key', async () => {
  const run = await Run.begin({ store })
  await run.source('app', noise('running', 3000))
  const [key] = run.writer.listed().keys()
  await putTrash(store, otherKeys, '20261101T000000Z-00000001', [nameOf(key!)])
  await expect(look(run, 13)).rejects.toThrow('that this backup needs was deleted while it ran, or is about to be')
  await look(run, 11)
})

test('a store that refuses deletes is left whole, and the error says what it refused', async () => {
  const [one, two] = [await backUp({ store }, content.one), await backUp({ store }, content.two)]
  const locked = through(store, (operation, key, perform) => {
    if (operation === 'delete') throw new LifeboatError(`cannot delete ${key}: AccessDenied`, { hint: 'The credentials may not delete.' })
    return perform()
  })
  for (let days = 0; days < 3; days++) {
    await expect(prune([one.id], locked)).rejects.toThrow(/cannot delete (snapshots|trash|chunks)\/.*: AccessDenied/)
    later(25)
  }
  expect(await restored(store, one.id)).toEqual(digests(content.one))
  expect(await restored(store, two.id)).toEqual(digests(content.two))
})

const look = (run: Run, hours: number): Promise<void> => lastLook(store, keys, { chunks: run.writer.listed(), elapsed: hours * HOUR, grace: GRACE, now: now() })

describe('the last look of a backup', () => {
  let run: Run
  beforeEach(async () => {
    await backUp({ store }, content.one)
    run = await Run.begin({ store })
    await run.source('app', content.one.app)
    await run.source('new', noise('new', 3000))
  })

  test('asks nothing of the store when it has not taken half of the grace, and lets a longer one pass when all is there', async () => {
    const nothing = through(store, () => {
      throw new Error('asked')
    })
    await lastLook(nothing, keys, { chunks: run.writer.listed(), elapsed: 11.9 * HOUR, grace: GRACE, now: now() })
    await expect(look(run, 12)).resolves.toBeUndefined()
  })

  test.each(['reused', 'own'])('finds that a chunk of its %s ones was deleted', async (which) => {
    const reused = run.writer.reused()
    await store.delete(which === 'reused' ? reused[0]! : [...run.writer.listed().keys()].find((key) => !reused.includes(key))!)
    await expect(look(run, 11)).resolves.toBeUndefined()
    await expect(look(run, 12)).rejects.toThrow(/^chunk chunks\/\S+ that this backup needs was deleted while it ran, or is about to be$/)
  })

  test('finds that a chunk is in trash that is half of the grace old', async () => {
    const [key] = run.writer.reused()
    await putTrash(store, keys, '20261120T120000Z-00000000', [nameOf(key!)])
    later(11)
    await expect(look(run, 30)).resolves.toBeUndefined()
    later(1)
    await expect(look(run, 30)).rejects.toThrow('or is about to be')
  })
})
