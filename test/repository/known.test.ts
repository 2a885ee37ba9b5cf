import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { LifeboatError } from '../../src/error.ts'
import { idOf as snapshotIdOf, snapshotKeys } from '../../src/repository/catalog.ts'
import { loadKnown } from '../../src/repository/known.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { chunkId, chunkSum } from '../../src/repository/sums.ts'
import { chunkKey, DamagedSnapshot } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, changed, noise } from '../support/bytes.ts'
import { backUp, keys, nextTime, otherKeys, through, writeKeys } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-known-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshStore = (): FileStore => new FileStore(path.join(folder, `${++count}`))

const contentOf = (name: string): Buffer => noise(name, 200_000)
const idOf = (name: string): string => chunkId(chunkSum(contentOf(name)), keys)

async function known(store: Store, set = 'app', by = keys) {
  const damaged: LifeboatError[] = []
  return { chunks: await loadKnown(store, by, set, (error) => damaged.push(error)), damaged }
}

test('a new store, or a set without snapshots, has nothing to build on', async () => {
  const store = freshStore()
  expect((await known(store)).chunks.get(idOf('a'))).toBeUndefined()
  await backUp({ store, set: 'app2' }, { app: contentOf('a') })
  expect((await known(store)).chunks.get(idOf('a'))).toBeUndefined()
  expect((await known(store, 'app2')).chunks.get(idOf('a'))).toMatchObject({ size: 200_000, base: undefined, spent: 0 })
})

test('the newest three snapshots are built on', async () => {
  const store = freshStore()
  for (const name of ['one', 'two', 'three', 'four']) await backUp({ store }, { app: contentOf(name) })
  const { chunks } = await known(store)
  expect(['one', 'two', 'three', 'four'].map((name) => chunks.get(idOf(name)) !== undefined)).toEqual([false, true, true, true])
})

/** The requests to a store, and the store. */
function watching(store: Store): { asked: string[]; watched: Store } {
  const asked: string[] = []
  const watched = through(store, (operation, key, perform) => {
    asked.push(`${operation} ${key}`)
    return perform()
  })
  return { asked, watched }
}

test('to know them takes one request for each, and three listings that do not grow with the chunks; the chunks are looked for when the first is met, each once', async () => {
  const store = freshStore()
  for (const name of ['one', 'two', 'three']) await backUp({ store }, { app: contentOf(name) })
  const { asked, watched } = watching(store)
  const { chunks } = await known(watched)
  const snapshots = await snapshotKeys(store, 'app')
  expect(asked).toEqual(['list snapshots/app/', ...snapshots.map((key) => `get ${key}`), 'list proofs/app/', 'list trash/'])
  asked.length = 0
  for (const name of ['one', 'two', 'one']) expect(await chunks.find(idOf(name))).toBe(chunks.get(idOf(name)))
  await chunks.close()
  const objects = (await all(store.list('chunks/'))).map(({ key }) => `head ${key}`)
  expect(asked.toSorted()).toEqual(objects.toSorted())
})

test('a chunk that is gone, or cut short, is not found, and neither is what differs from it', async () => {
  const store = freshStore()
  const content = noise('similar', 500_000)
  const later = changed(content, 200_000, 'changed')
  await backUp({ store }, { app: content, gone: contentOf('gone'), short: contentOf('short'), there: contentOf('there') })
  await backUp({ store }, { app: later, gone: contentOf('gone'), short: contentOf('short'), there: contentOf('there') })
  const { chunks } = await known(store)
  const keyOf = (id: string): string => chunkKey(id, chunks.get(id)!.mark)
  await store.delete(keyOf(chunkId(chunkSum(content), keys)))
  await store.delete(keyOf(idOf('gone')))
  await store.put(keyOf(idOf('short')), (await store.get(keyOf(idOf('short')), ANY_SIZE)).subarray(0, -1))
  const found = await Promise.all([chunkId(chunkSum(content), keys), chunkId(chunkSum(later), keys), idOf('gone'), idOf('short'), idOf('there')].map(async (id) => (await chunks.find(id)) !== undefined))
  expect(found).toEqual([false, false, false, false, true])
})

test('a chunk that a proof names as damaged is not known, whichever snapshot of the set was verified since the oldest that is built on', async () => {
  const store = freshStore()
  for (const name of ['one', 'two', 'three', 'four']) await backUp({ store }, { app: contentOf(name) })
  const [newest, , , oldest] = (await snapshotKeys(store, 'app')).map(snapshotIdOf)
  const { chunks } = await known(store)
  const proof = (snapshot: string, name: string, time: Date) => {
    const chunk = chunks.get(idOf(name))!
    return writeProof(store, keys, { snapshot, set: 'app', time, level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged: [chunkKey(chunk.id, chunk.mark)], problems: [], versions: {}, run: null })
  }
  await proof(oldest!, 'two', nextTime())
  await proof(newest!, 'three', new Date('2020-01-01'))
  await proof(oldest!, 'four', new Date('2020-01-01'))
  const after = (await known(store)).chunks
  expect(['two', 'three', 'four'].map((name) => after.get(idOf(name)) !== undefined)).toEqual([false, false, true])
})

test('a proof of damage that a clock which is behind dates before the oldest snapshot that is built on counts', async () => {
  const store = freshStore()
  for (const name of ['one', 'two', 'three', 'four']) await backUp({ store }, { app: contentOf(name) })
  const [, , builtOn, older] = (await snapshotKeys(store, 'app')).map(snapshotIdOf)
  const chunk = (await known(store)).chunks.get(idOf('four'))!
  const time = new Date(builtOn!.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*/, '$1-$2-$3T$4:$5:$6Z'))
  await writeProof(store, keys, { snapshot: older!, set: 'app', time: new Date(time.getTime() - 3600_000), level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged: [chunkKey(chunk.id, chunk.mark)], problems: [], versions: {}, run: null })
  expect((await known(store)).chunks.get(chunk.id)).toBeUndefined()
})

test('a difference is known with its base and what was spent, and found by its anchors', async () => {
  const store = freshStore()
  const content = noise('similar', 500_000)
  const later = changed(content, 200_000, 'changed')
  await backUp({ store }, { app: content })
  const { writer } = await backUp({ store }, { app: later })
  expect(writer.deltaChunks).toBe(1)
  const { chunks } = await known(store)
  const chunk = chunks.get(chunkId(chunkSum(later), keys))!
  expect(chunk).toMatchObject({ spent: writer.added, base: { id: chunkId(chunkSum(content), keys), base: undefined } })
  expect(chunk.base).toBe(chunks.get(chunkId(chunkSum(content), keys)))
  expect((await known(store, 'app', writeKeys)).chunks.get(chunk.id)).toMatchObject({ id: chunk.id, anchors: '', storedSize: chunk.storedSize })
})

test('a damaged snapshot is reported and not built on; the others are', async () => {
  const store = freshStore()
  for (const name of ['one', 'two']) await backUp({ store }, { app: contentOf(name) })
  const [newest] = await snapshotKeys(store, 'app')
  await store.put(newest!, (await store.get(newest!, ANY_SIZE)).subarray(0, -5))
  const { chunks, damaged } = await known(store)
  expect(damaged.map((error) => error instanceof DamagedSnapshot && error.message.startsWith(newest!))).toEqual([true])
  expect([chunks.get(idOf('one')) !== undefined, chunks.get(idOf('two'))]).toEqual([true, undefined])
})

test('a snapshot that a prune deletes meanwhile is passed over; those of another key are counted', async () => {
  const store = freshStore()
  for (const name of ['one', 'two']) await backUp({ store }, { app: contentOf(name) })
  const [newest] = await snapshotKeys(store, 'app')
  const pruned = through(store, async (operation, key, perform) => {
    if (operation === 'get' && key === newest) await store.delete(key)
    return perform()
  })
  const { chunks, damaged } = await known(pruned)
  expect(damaged).toEqual([])
  expect(chunks.get(idOf('one'))).toBeDefined()
  const ofAnother = await known(store, 'app', otherKeys)
  expect(ofAnother.chunks.get(idOf('one'))).toBeUndefined()
  expect(ofAnother.damaged).toEqual([])
  expect(ofAnother.chunks.otherKey).toEqual({ snapshots: 1, fingerprints: [keys.fingerprint] })
  expect(chunks.otherKey).toBeUndefined()
})
