import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LEVELS } from '../../src/repository/levels.ts'
import { proofDetails, readableDetails, readProof, proofKeys, proveSnapshot, readProofs, readVerdict, type Verification, verdictOf, writeProof } from '../../src/repository/proofs.ts'
import { SetProofs } from '../../src/repository/set-proofs.ts'
import { sign } from '../../src/repository/signed.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { ANY_SIZE } from '../support/bytes.ts'
import { keys, otherKeys, writeKeys } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-proofs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshStore = (): FileStore => new FileStore(path.join(folder, `${++count}`))

const [one, two] = ['20261120T020000Z-00000001', '20261121T020000Z-00000002']
const verification = (more: Partial<Verification> = {}): Verification => ({
  snapshot: one, set: 'app', time: new Date('2026-11-22T02:00:00.123Z'), level: 'read', result: 'verified', seconds: 1.5, bytes: 1000, damaged: [], problems: [], versions: { lifeboat: '1.0.0' }, run: null, ...more,
})

async function read(store: Store, by: typeof keys | undefined = keys, set?: string) {
  const damage: string[] = []
  return { proofs: await readProofs(store, by, { set, onDamaged: (error) => void damage.push(error.message) }), damage }
}

test('a proof is read back by the snapshot, newest first, with what only the key tells', async () => {
  const store = freshStore()
  const damaged = [`chunks/aa/${'a'.repeat(64)}-00000001`]
  await writeProof(store, keys, verification())
  await writeProof(store, writeKeys, verification({ time: new Date('2026-11-23T02:00:00Z'), result: 'failed', problems: ['chunk a of shop.dump is damaged', 'long '.repeat(200)], damaged, run: 'https://github.com/octo/shop/actions/runs/1' }))
  await writeProof(store, keys, verification({ snapshot: two, set: 'other' }))
  const { proofs, damage } = await read(store)
  expect(damage).toEqual([])
  expect(proofs.get(one)!.map(({ time, result, damaged }) => [time, result, damaged])).toEqual([['2026-11-23T02:00:00.000Z', 'failed', damaged], ['2026-11-22T02:00:00.000Z', 'verified', []]])
  const [newest, earlier] = await Promise.all(proofs.get(one)!.map(({ object }) => readProof(store, object, keys, (error) => expect(error).toBeUndefined())))
  expect(earlier).toMatchObject({ snapshot: one, set: 'app', time: '2026-11-22T02:00:00.123Z', level: 'read', seconds: 1.5, bytes: 1000 })
  expect(await proofDetails(newest!, keys)).toEqual({ problems: ['chunk a of shop.dump is damaged', `${'long '.repeat(100).slice(0, 499)}…`], versions: { lifeboat: '1.0.0' }, run: 'https://github.com/octo/shop/actions/runs/1' })
  await expect(proofDetails(newest!, writeKeys)).rejects.toThrow('sealed to another key')
  expect([...(await read(store, keys, 'app')).proofs.keys()]).toEqual([one])
})

const RESULTS = ['verified', 'failed', 'could not verify', 'conditions not met'] as const

test.each([
  ['a drill that failed stands after bytes were read', ['drill failed', 'read verified', 'list verified'], 'drill failed'],
  ['a drill that succeeds takes it back', ['drill failed', 'drill verified'], 'drill verified'],
  ['so it does when only bytes were read since', ['drill failed', 'drill verified', 'read verified'], 'read verified'],
  ['an older one counts no more than a newer one', ['drill verified', 'read failed', 'list verified'], 'read failed'],
  ['a drill that could not verify says nothing', ['read failed', 'drill could not verify', 'read verified'], 'read verified'],
  ['a drill whose conditions are not met found the backup good', ['drill failed', 'drill conditions not met'], 'drill conditions not met'],
])('the verdict on a snapshot: %s', async (_, given, expected) => {
  const store = freshStore()
  for (const [hour, text] of given.entries()) {
    const [level, result] = [LEVELS.find((one) => text.startsWith(one))!, RESULTS.find((one) => text.endsWith(one))!]
    await writeProof(store, keys, verification({ time: new Date(Date.UTC(2026, 10, 22, hour)), level, result }))
  }
  const proofs = (await read(store)).proofs.get(one)!
  const told = [verdictOf(proofs), await readVerdict(proofs.map(({ object }) => object), async (key) => proofs.find(({ object }) => object === key))]
  expect(told.map((verdict) => verdict && `${verdict.level} ${verdict.result}`)).toEqual([expected, expected])
})

test('details of a newer version are read as far as they are known, and details that cannot be read are reported', async () => {
  const store = freshStore()
  const drill = { entries: 1, rows: 2, bytes: 3, seconds: { download: 1, restore: 1, compare: 1, checks: 1, later: 1 }, machine: 'm', later: 1 }
  await writeProof(store, keys, { ...verification({ level: 'drill' }), drill, later: 1 } as Verification)
  const { object } = (await read(store)).proofs.get(one)![0]!
  const proof = (await readProof(store, object, keys, (error) => expect(error).toBeUndefined()))!
  expect(await readableDetails(proof, keys, (error) => expect(error).toBeUndefined())).toMatchObject({ drill: { entries: 1, rows: 2 } })
  const reported: string[] = []
  expect(await readableDetails({ ...proof, details: 'AAAA' }, keys, (error) => void reported.push(error.message))).toBeUndefined()
  expect(reported).toEqual([expect.stringContaining(`the details of the proof of snapshot ${one} of `)])
  expect(await readableDetails(proof, writeKeys, (error) => expect(error).toBeUndefined())).toBeUndefined()
})

test('stored proofs show no name of a table, a program or a workflow run without a key', async () => {
  const store = freshStore()
  const key = await writeProof(store, keys, verification({ problems: ['TABLE orders'], versions: { pg_restore: '15.3' }, run: 'https://github.com/octo' }))
  expect((await store.get(key, ANY_SIZE)).toString()).not.toMatch(/orders|pg_restore|octo/)
  expect((await read(store, undefined)).proofs.get(one)).toHaveLength(1)
})

test('two verifications that end in the same second are both kept, and what is said of one is bounded', async () => {
  const store = freshStore()
  const long = Array.from({ length: 50 }, () => 'x'.repeat(5000))
  await Promise.all([writeProof(store, keys, verification({ problems: long })), writeProof(store, keys, verification({ level: 'list' }))])
  const { proofs } = await read(store)
  expect(proofs.get(one)!.map(({ level }) => level).toSorted()).toEqual(['list', 'read'])
  const { object } = proofs.get(one)!.find(({ level }) => level === 'read')!
  const { problems } = await proofDetails((await readProof(store, object, keys, (error) => expect(error).toBeUndefined()))!, keys)
  expect([problems.length, problems[0]!.length]).toEqual([20, 500])
})

test('more objects than a proof names are in several, and none of them stays if the snapshot was deleted', async () => {
  const store = freshStore()
  const objects = Array.from({ length: 45_000 }, (_, index) => `chunks/aa/aa${String(index).padStart(62, '0')}-00000001`)
  const known = async (): Promise<Set<string>> => (await SetProofs.list(store, keys, 'app', (error) => expect(error).toBeUndefined())).damagedSince(new Date(0))
  await proveSnapshot(store, keys, verification({ result: 'failed', damaged: objects }))
  expect((await proofKeys(store)).size).toBe(0)
  await store.put(snapshotKey('app', one), Buffer.from('there'))
  await proveSnapshot(store, keys, verification({ result: 'failed', damaged: objects }))
  expect([(await proofKeys(store)).get(one)!.length, (await known()).size]).toEqual([3, 45_000])
  expect(verdictOf((await read(store)).proofs.get(one)!)).toMatchObject({ result: 'failed', level: 'read' })
  const good = objects.slice(10)
  await proveSnapshot(store, keys, verification({ time: new Date('2026-11-23T02:00:00Z'), good }))
  expect([...(await known())]).toEqual(objects.slice(0, 10))
})

test('of two in one second the newer counts, by its milliseconds', async () => {
  const store = freshStore()
  const milliseconds = Array.from({ length: 8 }, (_, at) => at * 140)
  for (const of of milliseconds.toReversed()) await writeProof(store, keys, verification({ time: new Date(Date.UTC(2026, 10, 22, 2, 0, 0, of)), result: of === 980 ? 'failed' : 'verified' }))
  const proofs = await Promise.all([...(await proofKeys(store)).get(one)!].map((key) => readProof(store, key, keys, (error) => expect(error).toBeUndefined())))
  expect(proofs.map((proof) => new Date(proof!.time).getUTCMilliseconds())).toEqual(milliseconds.toReversed())
})

test('one that was edited, cut short, moved or is of a newer form is ignored and told of; one of another key is passed over in silence', async () => {
  const store = freshStore()
  const good = await writeProof(store, keys, verification({ time: new Date('2026-11-24T02:00:00Z') }))
  const text = (await store.get(good, ANY_SIZE)).toString()
  const place = (name: string): string => `proofs/app/${one}.20261122T02000${name}Z-00000000.read-verified.${'0'.repeat(32)}.json`
  await store.put(place('0'), Buffer.from(text.replace('"verified"', '"failed"')))
  await store.put(place('1'), Buffer.from(text.slice(0, -10)))
  await store.put(place('2'), Buffer.from(text))
  await store.put(place('3'), sign('{}', keys, 'proof'))
  await store.put(place('4'), Buffer.from('not a proof'))
  await store.put(`proofs/app/${one}/notes.txt`, Buffer.from('hello'))
  await writeProof(store, otherKeys, verification())
  const { proofs, damage } = await read(store)
  expect(proofs.get(one)).toHaveLength(1)
  expect(damage.toSorted().map((message) => message.slice(message.indexOf('is ignored')))).toEqual([
    'is ignored: its signature (MAC) does not verify',
    'is ignored: its signature (MAC) does not verify',
    `is ignored: it is of snapshot ${one} of set app, moved here`,
    'is ignored: it is malformed, or of a newer version',
    'is ignored: it does not begin with the line of a signed object',
  ])
  await store.delete(good)
  expect((await read(store)).proofs.size).toBe(0)
})

test('only those wanted are read, by the snapshot and the time in their names', async () => {
  const store = freshStore()
  for (const [snapshot, day] of [[one, '21'], [one, '22'], [two, '23']] as const) await writeProof(store, keys, verification({ snapshot, time: new Date(`2026-11-${day}T02:00:00Z`) }))
  const found = await proofKeys(store, { set: 'app', wanted: (snapshot, proof) => snapshot === two || proof >= '20261122T' })
  expect([...found].map(([snapshot, { length }]) => [snapshot, length])).toEqual([[two, 1], [one, 1]])
})
