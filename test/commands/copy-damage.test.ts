import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { proofKeys, readProofs, writeProof } from '../../src/repository/proofs.ts'
import { SetProofs } from '../../src/repository/set-proofs.ts'
import { chunkKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { ANY_SIZE, noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, entriesOf, identity, keys } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-copy-damage-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
let [from, to] = [new FileStore(folder), new FileStore(folder)]
/** Two snapshots that share a chunk object, and one that has nothing of it. */
let ids: string[]
let shared: string
let now: number
beforeEach(async () => {
  now = Date.UTC(2026, 10, 25)
  ;[from, to] = [new FileStore(path.join(folder, `${++count}-from`)), new FileStore(path.join(folder, `${count}-to`))]
  await openOrMakeRepository(from)
  ids = []
  for (const content of ['same', 'same', 'other']) ids.push((await backUp({ store: from }, { app: noise(content, 5000) })).id)
  const [id, , , , mark] = (await entriesOf(from, ids[0]!))[0]!
  shared = chunkKey(id, mark)
})

const say = async (store: FileStore, snapshot: string, about: { result: 'verified' | 'failed'; damaged?: string[]; good?: string[] }): Promise<void> =>
  void (await writeProof(store, keys, { snapshot, set: 'app', time: new Date((now += 60_000)), level: 'read', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null, ...about }))

/** In the source, the shared object is damaged, and a proof of the first snapshot says so. */
async function damage(): Promise<void> {
  const bytes = await from.get(shared, ANY_SIZE)
  bytes[bytes.length - 1]! ^= 1
  await from.put(shared, bytes)
  await say(from, ids[0]!, { result: 'failed', damaged: [shared] })
}

const copy = (more: Record<string, string> = {}) => dispatched('copy', { from: from.name, destination: to.name, 'encryption-key': identity, ...more }, new Date((now += 60_000)))
const knownIn = async (store: FileStore): Promise<string[]> => [...(await (await SetProofs.list(store, keys, 'app', () => undefined)).damagedSince(new Date(0)))]
const isThereDamaged = /1 of its 1 objects is known to be damaged/

test('a copy names the snapshots that need a damaged object, and the copied store knows it as well', async () => {
  await damage()
  await say(from, ids[2]!, { result: 'verified' })
  const { result, text, warnings } = await copy()
  expect(result.snapshots.map(({ outcome, damaged }) => [outcome, damaged])).toEqual([['copied', expect.stringMatching(isThereDamaged)], ['copied', expect.stringMatching(isThereDamaged)], ['copied', undefined]])
  expect(warnings).toEqual(ids.slice(0, 2).map((id) => expect.stringContaining(`snapshot ${id} of set app is damaged in ${from.name}: 1 of its 1 objects`)))
  expect(text).toContain('2 known to be DAMAGED')
  expect(await knownIn(to)).toEqual([shared])
  const listed = (await dispatched('list', { destination: to.name, 'encryption-key': identity, set: 'app' }, new Date(now))).result
  expect(listed.snapshots.filter(({ damage }) => damage !== undefined).map(({ id }) => id).toSorted()).toEqual(ids.slice(0, 2))
  // Nothing says of a copy that it is verified.
  expect([...(await readProofs(to, keys, { onDamaged: () => undefined })).values()].flat().map(({ result: said }) => said)).toEqual(['failed'])
})

test('a copy carries known damage with one snapshot only, and once: the next copy writes no more proofs', async () => {
  await damage()
  expect((await copy({ snapshot: ids[1]! })).result.snapshots).toMatchObject([{ snapshot: ids[1], damaged: expect.stringMatching(isThereDamaged) }])
  expect(await knownIn(to)).toEqual([shared])
  expect([...(await proofKeys(to)).keys()]).toEqual([ids[1]])
  await copy({ snapshot: ids[1]! })
  expect((await proofKeys(to)).get(ids[1]!)).toHaveLength(1)
})

test('damage that is found after the copy is not said of objects that are good in it', async () => {
  await copy()
  await damage()
  expect((await copy()).warnings).toHaveLength(2)
  expect(await knownIn(to)).toEqual([])
  expect((await proofKeys(to)).size).toBe(0)
})

test('damage that was copied before it was known is told by the next copy', async () => {
  const good = await from.get(shared, ANY_SIZE)
  const bad = Buffer.from(good)
  bad[0]! ^= 1
  await from.put(shared, bad)
  expect((await copy()).warnings).toEqual([])
  await say(from, ids[0]!, { result: 'failed', damaged: [shared] })
  expect((await copy()).result.snapshots.map(({ outcome }) => outcome)).toEqual(['was there', 'was there', 'was there'])
  expect(await knownIn(to)).toEqual([shared])
  // Put back and verified there.
  await to.put(shared, good)
  await say(to, ids[0]!, { result: 'verified', good: [shared] })
  expect((await copy()).warnings).toHaveLength(2)
  expect(await knownIn(to)).toEqual([])
})
