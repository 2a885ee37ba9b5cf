import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { growthOf } from '../../src/commands/stats/stats.ts'
import { type ChunkEntry, chunkKey } from '../../src/repository/snapshot.ts'
import { Totals } from '../../src/repository/statistics.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { all, changed, noise, rows } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { entriesOf, identity, otherKeys } from '../support/engine.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-stats-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const stats = (raw: Record<string, string> = {}) => dispatched('stats', { destination: `file:${folder}`, 'encryption-key': identity, ...raw })

test('each chunk counts once, by set and over the whole store, and the bytes are those in the store', async () => {
  const first = rows('stats', 3_000_000)
  const encryptionKey = identity
  await backUp({ folder, encryptionKey, set: 'app', time: new Date('2026-11-19T02:00:00Z'), sources: { shop: [{ name: 'shop.dump', bytes: first }] } })
  const { id, deltaChunks } = await backUp({ folder, encryptionKey, set: 'app', time: new Date('2026-11-20T02:00:00Z'), sources: { shop: [{ name: 'shop.dump', bytes: changed(first, 3_000_000, 'XXXX') }] } })
  await backUp({ folder, encryptionKey, set: 'other', time: new Date('2026-11-20T02:00:00Z'), sources: { n: [{ name: 'n.dump', bytes: noise('stats', 10_000) }] } })
  expect(deltaChunks).toBeGreaterThan(0)

  const { result, text } = await stats()
  const [app, other] = result.sets
  expect([app!.set, app!.snapshots, app!.size, other!.set, other!.snapshots, other!.size]).toEqual(['app', 2, 6_000_000, 'other', 1, 10_000])
  const stored = await all(new FileStore(folder).list('chunks/'))
  expect([result.total.objects, result.total.stored]).toEqual([stored.length, stored.reduce((sum, { size }) => sum + size, 0)])
  expect([app!.objects + other!.objects, app!.stored + other!.stored]).toEqual([result.total.objects, result.total.stored])

  // The same from the list of chunks, the slow way.
  const entries = await entriesOf(new FileStore(folder), id)
  const differences = entries.filter(([, , , base]) => base !== null)
  const sizes = new Map(stored.map(({ key, size }) => [key, size]))
  expect(app!.differences.objects).toBe(deltaChunks)
  expect(app!.differences.stored).toBe(differences.reduce((sum, [chunk, , , , mark]) => sum + sizes.get(chunkKey(chunk, mark))!, 0))
  expect(app!.differences.alone).toBeGreaterThan(app!.differences.stored)
  expect(app!.unique).toBeGreaterThan(3_000_000)
  expect(app!.unique).toBeLessThan(6_000_000)
  expect(text).toContain('Set app: 2 snapshots, from 2026-11-19 02:00:00 UTC to 2026-11-20 02:00:00 UTC')
  expect(text).toMatch(/in \d+ chunks, \d+\.\d % of it\n/)
})

test('chunks that are kept only as bases are counted apart from what was backed up, if the key can read', async () => {
  const first = rows('bases', 3_000_000)
  const backup = (day: string, bytes: Buffer) => backUp({ folder, encryptionKey: identity, time: new Date(`2026-11-${day}T02:00:00Z`), sources: { shop: [{ name: 'shop.dump', bytes }] } })
  const { id } = await backup('19', first)
  const { deltaChunks } = await backup('20', changed(first, 3_000_000, 'XXXX'))
  const before = (await stats()).result
  expect(before.total.bases).toEqual({ objects: 0, stored: 0 })
  expect((await stats()).text).not.toContain('bases')

  await dispatched('forget', { destination: `file:${folder}`, 'encryption-key': identity, snapshots: id })
  const { result: { total }, text } = await stats()
  expect([total.size, total.unique, total.objects]).toEqual([3_000_000, 3_000_000, before.total.objects])
  // Each difference has its base, and several may have the same.
  expect(total.bases!.objects).toBeGreaterThan(0)
  expect(total.bases!.objects).toBeLessThanOrEqual(deltaChunks)
  expect(total.bases!.stored).toBeGreaterThan(total.differences.stored)
  expect(text).toMatch(/deduplicated +0 B \(0\.0 %\)/)
  expect(text).toMatch(/bases +\d+ chunks? in \S+ kB (is|are) kept only because others are differences from (it|them)\n/)

  const unread = await stats({ 'encryption-key': '' })
  expect(unread.result.total.bases).toBeUndefined()
  expect(unread.result.total.unique).toBeGreaterThan(3_000_000)
  expect(unread.text).toMatch(/deduplicated +at least 0 B /)
})

test('content that two sets store each for itself is not told as saved', async () => {
  const sources = { n: [{ name: 'n.dump', bytes: noise('stats', 10_000) }] }
  for (const set of ['app', 'other']) await backUp({ folder, encryptionKey: identity, set, sources })
  const { result: { sets, total }, text } = await stats()
  expect(sets.map(({ unique }) => unique)).toEqual([10_000, 10_000])
  expect(total).toMatchObject({ size: 20_000, unique: 20_000, objects: 2 })
  expect(text.match(/deduplicated .*/g)).toEqual(Array(3).fill(expect.stringContaining('0 B (0.0 %)')))
})

test('snapshots of another key are told apart, and without a key all are counted', async () => {
  const sources = { n: [{ name: 'n.dump', bytes: noise('stats', 10_000) }] }
  await backUp({ folder, encryptionKey: identity, sources })
  await backUp({ folder, encryptionKey: otherKeys.identity!, set: 'theirs', sources })
  expect((await stats()).result).toMatchObject({ total: { snapshots: 1 }, others: 1 })
  expect((await stats({ 'encryption-key': '' })).result).toMatchObject({ total: { snapshots: 2 }, others: 0 })
  expect((await stats({ set: 'theirs', 'encryption-key': otherKeys.identity! })).result.sets.map(({ set }) => set)).toEqual(['theirs'])
})

test('a set that does not exist is an error that names the sets of the store', async () => {
  await backUp({ folder, encryptionKey: identity, set: 'app', sources: { shop: [{ name: 'shop.dump', bytes: noise('stats', 10_000) }] } })
  await expect(stats({ set: 'nope' })).rejects.toThrow(/has no set nope; it has app$/)
})

test('an empty store has figures too', async () => {
  await backUp({ folder, encryptionKey: identity, set: 'x', sources: { empty: [{ name: 'e.dump', bytes: Buffer.alloc(0) }] } })
  expect((await stats()).text).toContain('1 snapshot of 0 B takes 0 B')
})

test('a chunk that one snapshot lists twice, under two marks, is two objects of one chunk', () => {
  const totals = new Totals()
  const id = 'a'.repeat(64)
  totals.add({ size: 100, chunks: [[id, 100, 40, null, '00000001'], ['b'.repeat(64), 50, 10, 0, '00000002']] })
  totals.add({ size: 100, chunks: [[id, 100, 60, null, '00000003'], [id, 100, 40, null, '00000001']] })
  expect(totals.sum).toEqual({ snapshots: 2, size: 200, unique: 150, stored: 110, objects: 3, differences: { objects: 1, stored: 10, alone: 20 } })
})

test('a chunk is a base alone until a snapshot is found whose streams have it, under its own mark or another', () => {
  const base: ChunkEntry = ['a'.repeat(64), 100, 40, null, '00000001']
  const difference: ChunkEntry = ['b'.repeat(64), 50, 10, 0, '00000002']
  const totals = new Totals()
  totals.add({ size: 50, chunks: [base, difference] }, new Set([1]))
  expect(totals.sum).toMatchObject({ unique: 50, stored: 50, objects: 2, bases: { objects: 1, stored: 40 } })
  totals.add({ size: 100, chunks: [['a'.repeat(64), 100, 60, null, '00000003']] }, new Set([0]))
  expect(totals.sum).toMatchObject({ unique: 150, stored: 110, objects: 3, bases: { objects: 1, stored: 40 } })
  totals.add({ size: 150, chunks: [base, difference] }, new Set([0, 1]))
  expect(totals.sum).toMatchObject({ unique: 150, stored: 110, objects: 3, bases: { objects: 0, stored: 0 } })
})

const at = (time: string, size: number) => ({ time, size, stored: size, added: 1 })

test('growth is told by day within a month and by month beyond, in the time zone asked for', () => {
  expect(growthOf([at('2026-11-19T23:30:00.000Z', 3), at('2026-11-19T02:00:00.000Z', 2), at('2026-11-18T02:00:00.000Z', 1)], 'Europe/Berlin')).toEqual([
    { period: '2026-11-18', snapshots: 1, size: 1, stored: 1, added: 1 },
    { period: '2026-11-19', snapshots: 1, size: 2, stored: 2, added: 1 },
    { period: '2026-11-20', snapshots: 1, size: 3, stored: 3, added: 1 },
  ])
  expect(growthOf([at('2026-11-19T23:30:00.000Z', 3), at('2026-11-01T02:00:00.000Z', 2), at('2026-09-18T02:00:00.000Z', 1)], 'UTC')).toEqual([
    { period: '2026-09', snapshots: 1, size: 1, stored: 1, added: 1 },
    { period: '2026-11', snapshots: 2, size: 3, stored: 3, added: 2 },
  ])
  expect(growthOf([], 'UTC')).toEqual([])
})
