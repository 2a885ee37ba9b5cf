import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { snapshotKeys } from '../../src/repository/catalog.ts'
import { loadKnown } from '../../src/repository/known.ts'
import { chunkId } from '../../src/repository/reader.ts'
import { DamagedSnapshot } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file.ts'
import type { Store } from '../../src/stores/store.ts'
import { changed, noise } from '../support/bytes.ts'
import { backUp, keys, otherKeys, through, writeKeys } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-known-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshStore = (): FileStore => new FileStore(path.join(folder, `${++count}`))

const contentOf = (name: string): Buffer => noise(name, 200_000)
const idOf = (name: string): string => chunkId(contentOf(name), keys)

async function known(store: Store, set = 'app', by = keys) {
  const damaged: DamagedSnapshot[] = []
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

test('the store is listed once for all of them', async () => {
  const store = freshStore()
  for (const name of ['one', 'two', 'three']) await backUp({ store }, { app: contentOf(name) })
  const lists: string[] = []
  const watched = through(store, (operation, key, perform) => {
    if (operation === 'list') lists.push(key)
    return perform()
  })
  await known(watched)
  expect(lists).toEqual(['snapshots/app/', 'chunks/'])
})

test('a difference is known with its base and what was spent, and found by its anchors', async () => {
  const store = freshStore()
  const content = noise('similar', 500_000)
  const later = changed(content, 200_000, 'changed')
  await backUp({ store }, { app: content })
  const { writer } = await backUp({ store }, { app: later })
  expect(writer.deltaChunks).toBe(1)
  const { chunks } = await known(store)
  const chunk = chunks.get(chunkId(later, keys))!
  expect(chunk).toMatchObject({ spent: writer.added, base: { id: chunkId(content, keys), base: undefined } })
  expect(chunk.base).toBe(chunks.get(chunkId(content, keys)))
  expect((await known(store, 'app', writeKeys)).chunks.get(chunk.id)).toMatchObject({ id: chunk.id, anchors: '', storedSize: chunk.storedSize })
})

test('a damaged snapshot is reported and not built on; the others are', async () => {
  const store = freshStore()
  for (const name of ['one', 'two']) await backUp({ store }, { app: contentOf(name) })
  const [newest] = await snapshotKeys(store, 'app')
  await store.put(newest!, (await store.get(newest!)).subarray(0, -5))
  const { chunks, damaged } = await known(store)
  expect(damaged.map((error) => error instanceof DamagedSnapshot && error.message.startsWith(newest!))).toEqual([true])
  expect([chunks.get(idOf('one')) !== undefined, chunks.get(idOf('two'))]).toEqual([true, undefined])
})

test('a snapshot that a prune deletes meanwhile is passed over; one of another key stops the backup', async () => {
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
  await expect(known(store, 'app', otherKeys)).rejects.toThrow('was written with the key')
})
