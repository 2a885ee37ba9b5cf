import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { labelsKey, labelsOf, putLabels, readLabels, tagsOf } from '../../src/repository/labels.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { keys, otherKeys, writeKeys } from '../support/engine.ts'

const [a, b] = ['20261120T020000Z-5f3a9c1e', '20261121T020000Z-00000001']
let folder: string
let store: FileStore
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-labels-'))
  store = new FileStore(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

test('labels are read back as they were put, by set or of all sets, and the write key signs as well as the identity', async () => {
  await putLabels(store, keys, 'app', a, { pinned: true, tags: null })
  await putLabels(store, writeKeys, 'other', b, { pinned: false, tags: ['before-2.0'] })
  expect(await readLabels(store, keys)).toEqual(new Map([[a, { pinned: true, tags: null }], [b, { pinned: false, tags: ['before-2.0'] }]]))
  expect([...(await readLabels(store, writeKeys, 'other')).keys()]).toEqual([b])
  expect(await labelsOf(store, keys, 'app', a)).toEqual({ pinned: true, tags: null })
  expect(await labelsOf(store, keys, 'app', b)).toEqual({ pinned: false, tags: null })
})

test('tags in labels stand in place of those of the header, none included', () => {
  const header = { tags: ['nightly'] }
  expect([tagsOf(header, undefined), tagsOf(header, { pinned: true, tags: null }), tagsOf(header, { pinned: false, tags: [] }), tagsOf(header, { pinned: false, tags: ['x'] })]).toEqual([['nightly'], ['nightly'], [], ['x']])
})

test.each<[string, (text: string) => string]>([
  ['edited to unpin', (text) => text.replace('"pinned":true', '"pinned":false')],
  ['truncated', (text) => text.slice(0, 40)],
  ['emptied', () => ''],
  ['with a third line', (text) => `${text}\n`],
  ['of bytes that are no text', () => '\u0000\uFFFF\n"' + 'a'.repeat(64) + '"\n'],
])('labels %s count as a pin, and say why they are not believed', async (_, spoil) => {
  await putLabels(store, keys, 'app', a, { pinned: true, tags: ['x'] })
  const file = path.join(folder, labelsKey('app', a))
  writeFileSync(file, spoil(readFileSync(file, 'utf8')))
  const labels = (await readLabels(store, keys)).get(a)
  expect(labels).toEqual({ pinned: true, tags: null, problem: expect.stringMatching(/^labels\/app\/20261120T020000Z-5f3a9c1e\.json cannot be believed/) })
})

test('labels of another key, and those moved from another snapshot, count as a pin', async () => {
  await putLabels(store, otherKeys, 'app', a, { pinned: false, tags: [] })
  await putLabels(store, keys, 'app', b, { pinned: false, tags: [] })
  const moved = '20261122T020000Z-00000002'
  writeFileSync(path.join(folder, labelsKey('app', moved)), readFileSync(path.join(folder, labelsKey('app', b))))
  const read = await readLabels(store, keys)
  expect([read.get(a)?.pinned, read.get(b)?.pinned, read.get(moved)?.pinned]).toEqual([true, false, true])
  expect(read.get(moved)?.problem).toContain(`it belongs to snapshot ${b} of set app`)
})

test('without a key, labels are what the store claims', async () => {
  await putLabels(store, keys, 'app', a, { pinned: false, tags: ['x'] })
  expect((await readLabels(store, undefined)).get(a)).toEqual({ pinned: false, tags: ['x'] })
})
