import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { marked } from '../../src/marks.ts'
import { failureOf } from '../../src/report/failure.ts'
import { openOrMakeRepository, openRepository } from '../../src/repository/repository.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { all, ANY_SIZE } from '../support/bytes.ts'
import { through } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-repository-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshStore = (): FileStore => new FileStore(path.join(folder, `${++count}`))

test('a new store gets the recovery instructions, then its marker, and nothing the second time', async () => {
  const store = freshStore()
  const puts: string[] = []
  const watched = through(store, (operation, key, perform) => {
    if (operation === 'put') puts.push(key)
    return perform()
  })
  await openOrMakeRepository(watched)
  await openOrMakeRepository(watched)
  expect(puts.toSorted()).toEqual(['RECOVERY.md', 'lifeboat.json', 'recover.sh'])
  expect(puts.at(-1)).toBe('lifeboat.json')
  expect((await store.get('lifeboat.json', ANY_SIZE)).toString()).toBe('{"format":"lifeboat/1"}\n')
  await openRepository(store)
})

test('two that make it at the same time both succeed', async () => {
  const store = freshStore()
  await Promise.all([openOrMakeRepository(store), openOrMakeRepository(store)])
  expect(await all(store.list(''))).toHaveLength(3)
})

test('a folder that is not a store is not taken for one, and nothing is made', async () => {
  const store = freshStore()
  const { message, hint } = failureOf(await openRepository(store).catch((error: unknown) => error))
  expect(message).toBe(`there is no Lifeboat store in ${store.name} (lifeboat.json is missing)`)
  expect(hint).toContain(marked`Check ‹destination›`)
  expect(await all(store.list(''))).toEqual([])
})

test('snapshots without a marker are left alone: a backup does not make the store again around them', async () => {
  const store = freshStore()
  await store.put('snapshots/app/20261120T020000Z-5f3a9c1e.json.zst', Buffer.from('x'))
  await expect(openOrMakeRepository(store)).rejects.toThrow('holds snapshots/app/20261120T020000Z-5f3a9c1e.json.zst but no lifeboat.json')
  expect(await all(store.list(''))).toHaveLength(1)
})
