import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { marked } from '../../src/marks.ts'
import { failureOf } from '../../src/report/failure.ts'
import { findSnapshot, type SnapshotChoice, snapshotKeys, timeAfter } from '../../src/repository/catalog.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { ANY_SIZE } from '../support/bytes.ts'
import { backUp, keys, otherKeys, through } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-catalog-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const store = new FileStore(path.join(folder, 'store'))
const times = ['2026-11-18T02:00:00Z', '2026-11-20T02:00:00Z', '2026-11-19T02:00:00Z']
const ids: string[] = []
let otherSet = ''
beforeAll(async () => {
  for (const time of times) ids.push((await backUp({ store, time: new Date(time) }, { app: Buffer.from(time) })).id)
  otherSet = (await backUp({ store, set: 'app.2', time: new Date('2026-11-21T02:00:00Z') }, { app: Buffer.from('other') })).id
})

test('snapshots are listed newest first, of one set or of all, and nothing else that lies there', async () => {
  await store.put('snapshots/app/notes.txt', Buffer.from('x'))
  await store.put(`snapshots/app/deeper/${ids[0]}.json.zst`, Buffer.from('x'))
  const sorted = [ids[1], ids[2], ids[0]].map((id) => `snapshots/app/${id}.json.zst`)
  expect(await snapshotKeys(store, 'app')).toEqual(sorted)
  expect(await snapshotKeys(store)).toEqual([`snapshots/app.2/${otherSet}.json.zst`, ...sorted])
  expect(await snapshotKeys(store, 'nothing')).toEqual([])
})

const found = async (choice: SnapshotChoice): Promise<string> => (await findSnapshot(store, keys, 'app', choice)).header.id

test('the newest, an id of any set, or the newest not after a time is found', async () => {
  expect(await found({ kind: 'latest' })).toBe(ids[1])
  expect(await found({ kind: 'id', id: ids[0]! })).toBe(ids[0])
  expect(await found({ kind: 'id', id: otherSet })).toBe(otherSet)
  expect(await found({ kind: 'time', time: new Date('2026-11-19T02:00:00Z') })).toBe(ids[2])
  expect(await found({ kind: 'time', time: new Date('2026-11-20T01:59:59Z') })).toBe(ids[2])
  expect(await found({ kind: 'time', time: new Date('2030-01-01T00:00:00Z') })).toBe(ids[1])
})

test('the beginning of an id is enough if it is of one authentic snapshot, whatever else lies there', async () => {
  expect(await found({ kind: 'id', id: '20261119' })).toBe(ids[2])
  expect(await found({ kind: 'id', id: ids[0]!.slice(0, 20) })).toBe(ids[0])
  const second = (await backUp({ store, set: 'alike', time: new Date('2026-11-19T03:00:00Z') }, { app: Buffer.from('alike') })).id
  await expect(found({ kind: 'id', id: '20261119' })).rejects.toThrow(`2 snapshots have an id that begins with 20261119: ${second}, ${ids[2]}`)
  expect(await found({ kind: 'id', id: '20261119T02' })).toBe(ids[2])
  const forged = 'snapshots/alike/20261119T020001Z-00000000.json.zst'
  await store.put(forged, Buffer.from('forged'))
  expect(await found({ kind: 'id', id: '20261119T02' })).toBe(ids[2])
  await store.delete(forged)
  await store.delete(`snapshots/alike/${second}.json.zst`)
})

test('the only set of a store need not be named; with several, it has to be', async () => {
  const single = new FileStore(path.join(folder, 'single'))
  const { id } = await backUp({ store: single, set: 'shop', time: new Date('2026-11-18T02:00:00Z') }, { app: Buffer.from('x') })
  expect((await findSnapshot(single, keys, 'default', { kind: 'latest' })).header).toMatchObject({ id, set: 'shop' })
  await expect(findSnapshot(single, keys, 'other', { kind: 'latest' })).rejects.toThrow('has no snapshot in the set other')
  await backUp({ store: single, set: 'more', time: new Date('2026-11-18T03:00:00Z') }, { app: Buffer.from('y') })
  await expect(findSnapshot(single, keys, 'default', { kind: 'latest' })).rejects.toThrow('has no snapshot in the set default')
})

test('if there is none, the message says what was sought and the hint what there is', async () => {
  const said = async (set: string, choice: SnapshotChoice) => failureOf(await findSnapshot(store, keys, set, choice).catch((error: unknown) => error))
  expect(await said('nothing', { kind: 'latest' })).toMatchObject({ message: `${store.name} has no snapshot in the set nothing`, hint: marked`‹lifeboat list› shows the sets and snapshots there are. There are snapshots in app, app.2: give ‹set›.` })
  expect((await said('app', { kind: 'id', id: '20200101T000000Z-00000000' })).message).toBe(`${store.name} has no snapshot 20200101T000000Z-00000000`)
  const early = await said('app', { kind: 'time', time: new Date('2020-01-01T00:00:00Z') })
  expect(early.message).toBe(`${store.name} has no snapshot as old as 2020-01-01 00:00:00 UTC in the set app`)
  expect(early.hint).toContain(`The oldest of 3 is ${ids[0]}`)
})

test('one that is deleted between listing and reading is not found; one of another key is refused', async () => {
  const pruned = through(store, (operation, key, perform) => (operation === 'get' ? store.get(`${key}.gone`, ANY_SIZE).then(perform) : perform()))
  await expect(findSnapshot(pruned, keys, 'app', { kind: 'latest' })).rejects.toThrow('has no snapshot in the set app')
  await expect(findSnapshot(store, otherKeys, 'app', { kind: 'latest' })).rejects.toThrow('was written with the key')
})

test('a backup is made after the newest there is, unless that is dated further ahead than clocks differ', () => {
  const newest = '20261120T020000Z-ffffffff'
  const at = (time: string, id: string | undefined = newest) => {
    const { time: given, skewed } = timeAfter(id, new Date(time))
    return [given.toISOString(), skewed]
  }
  expect(at('2026-11-20T02:00:01.500Z')).toEqual(['2026-11-20T02:00:01.500Z', false])
  expect(at('2026-11-20T02:00:00.900Z')).toEqual(['2026-11-20T02:00:01.000Z', false])
  expect(at('2026-11-20T01:59:10.000Z')).toEqual(['2026-11-20T02:00:01.000Z', false])
  expect(at('2026-11-20T01:50:00.000Z')).toEqual(['2026-11-20T01:50:00.000Z', true])
  expect(at('2026-11-20T01:50:00.000Z', '20269999T999999Z-00000000')).toEqual(['2026-11-20T01:50:00.000Z', false])
  expect(timeAfter(undefined, new Date(0))).toEqual({ time: new Date(0), skewed: false })
})
