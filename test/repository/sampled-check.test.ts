import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadKnown } from '../../src/repository/known.ts'
import { SampledCheck, sampleOf } from '../../src/repository/sampled-check.ts'
import { chunkKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { changed, rows } from '../support/bytes.ts'
import { backUp, entriesOf, keys, through } from '../support/engine.ts'
import { seeded } from '../support/world.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-sample-'))
afterAll(() => rmSync(folder, { recursive: true }))

const chunk = (index: number, storedSize = 1000) => ({ id: `${index}`.padStart(64, '0'), size: 2000, storedSize, mark: '00000000', base: undefined, anchors: '', spent: 0 })
const many = Array.from({ length: 5000 }, (_, index) => chunk(index))

test('a sample has the part asked for, at least eight chunks, and by default at most 64 MiB', () => {
  const random = seeded(1)
  expect(sampleOf(many, {}, random)).toHaveLength(100)
  expect(sampleOf(many, { share: 0.1, most: Infinity }, random)).toHaveLength(500)
  expect(sampleOf(many.slice(0, 50), {}, random)).toHaveLength(8)
  expect(sampleOf(many.slice(0, 5), {}, random)).toHaveLength(5)
  expect(sampleOf(many, { share: 0 }, random)).toEqual([])
  expect(sampleOf(many, { share: 1, most: Infinity }, random)).toEqual(many)
  const large = Array.from({ length: 10_000 }, (_, index) => chunk(index, 2 ** 20))
  expect(sampleOf(large, {}, random)).toHaveLength(64)
})

test('the sample differs from time to time: nearly all chunks are chosen within 200 backups', () => {
  const random = seeded(2)
  const chosen = new Set(Array.from({ length: 200 }, () => sampleOf(many, {}, random)).flat())
  expect(chosen.size / many.length).toBeGreaterThan(0.96)
  expect(chosen.size / many.length).toBeLessThan(1)
})

async function withDifference() {
  const store = new FileStore(mkdtempSync(path.join(folder, 'store-')))
  const content = rows('base', 1_500_000)
  await backUp({ store }, { app: content })
  const run = await backUp({ store }, { app: changed(content, 200_000, 'something else') })
  const entries = await entriesOf(store, run.id)
  const difference = entries.find(([, , , base]) => base !== null)!
  return { store, base: entries[difference[3]!]!, difference }
}

test('a damaged base is found where a difference from it is read, and neither is taken as known from then on', async () => {
  const { store, base, difference } = await withDifference()
  const file = path.join(store.name.slice('file:'.length), chunkKey(base[0], base[4]))
  const bytes = readFileSync(file)
  bytes[bytes.length - 50]! ^= 1
  writeFileSync(file, bytes)
  const known = await loadKnown(store, keys, 'app', () => undefined)
  const check = new SampledCheck(store, keys, [known.get(difference[0])!], new AbortController().signal)
  known.checkWith([check])
  expect(await known.find(difference[0])).toBeUndefined()
  expect(await known.find(base[0])).toBeUndefined()
  expect(check.damage.map(({ key }) => key)).toEqual([chunkKey(base[0], base[4])])
  expect(await check.end()).toEqual({ chunks: 0, bytes: 0 })
  await known.close()
})

test('a store that does not answer says nothing about the chunks', async () => {
  const { store, difference } = await withDifference()
  const known = await loadKnown(store, keys, 'app', () => undefined)
  const silent = through(store, (operation, key, perform) => (operation === 'get' && key.startsWith('chunks/') ? Promise.reject(new Error('no answer')) : perform()))
  const check = new SampledCheck(silent, keys, [known.get(difference[0])!], new AbortController().signal)
  expect(await check.isGood(chunkKey(difference[0], difference[4]))).toBe(true)
  expect(await check.end()).toEqual({ chunks: 0, bytes: 0 })
  expect([check.damage, check.obstacles]).toEqual([[], ['no answer', 'no answer']])
})
