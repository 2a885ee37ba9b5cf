import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { atTerminal } from '../../src/cli/spelling.ts'
import { copy as command } from '../../src/commands/copy/command.ts'
import { spelled } from '../../src/marks.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { formatBytes } from '../../src/report/format.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import type { Level } from '../../src/repository/levels.ts'
import { proofDetails, proofKeys, readProof, readProofs, verdictOf, writeProof } from '../../src/repository/proofs.ts'
import { SetProofs } from '../../src/repository/set-proofs.ts'
import { chunkKey, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { ANY_SIZE, noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
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
/** Levels and problems of the proofs of a snapshot that say neither verified nor failed. */
const problemsIn = async (store: FileStore, id: string): Promise<unknown[]> => {
  const proofs = await Promise.all(((await proofKeys(store)).get(id) ?? []).map((key) => readProof(store, key, keys, () => undefined)))
  return Promise.all(proofs.filter((proof) => proof?.result === 'could not verify').map(async (proof) => [proof!.level, (await proofDetails(proof!, keys)).problems]))
}
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

test('a snapshot with a missing object is not copied: the way to what is left of it is told, and an empty copy does not call itself robbed', async () => {
  await from.delete(shared)
  const told: string[] = []
  const report = { info: () => undefined, warning: (text: string, hint = '') => void told.push(text, spelled(hint, atTerminal('lifeboat'))), progress: () => undefined, mask: () => undefined }
  const { result } = await dispatched('copy', { from: from.name, destination: to.name, 'encryption-key': identity, snapshot: ids[1]! }, new Date(now), { report })
  expect(result.snapshots.map(({ outcome }) => outcome)).toEqual(['failed'])
  expect(told).toEqual([
    expect.stringContaining(`snapshot ${ids[1]} of set app is not whole in ${from.name}, and was not copied: chunk ${shared} is missing`),
    expect.stringContaining(`restore --snapshot ${ids[1]} --skip-damaged`),
  ])
  await to.put(shared, noise('of another run', 100))
  const refused = await refusal(dispatched('list', { destination: to.name, 'encryption-key': identity, set: 'app' }))
  expect(refused).toMatch(/lists chunks, but no snapshot[^]*If no backup, and no copy into it, has finished here yet/)
})

test('with a key that opens none of the snapshots, no store is made', async () => {
  const { identity: other } = await newIdentity()
  expect(await refusal(copy({ 'encryption-key': other }))).toMatch(/has 3 snapshots, but none of them was made with the key given [^]*Give the one that they were made with as LIFEBOAT_ENCRYPTION_KEY/)
  expect(existsSync(path.join(folder, `${count}-to`))).toBe(false)
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

test.each([
  ['an earlier copy', true],
  ['this copy', false],
])('damage that the source knows, whose object was put back there since, is not told of the objects of %s', async (_, before) => {
  if (before) await copy()
  const good = await from.get(shared, ANY_SIZE)
  await damage()
  await from.put(shared, good)
  await copy()
  expect(await knownIn(to)).toEqual([])
  expect((await proofKeys(to)).size).toBe(0)
})

test('damage that the source knows, and the copy has in other bytes, is found by reading it; the object is put again if that of the source is good', async () => {
  await copy()
  const good = await from.get(shared, ANY_SIZE)
  await damage()
  const other = Buffer.from(good).fill(0, 100, 200)
  await to.put(shared, other)
  await copy()
  expect(await knownIn(to)).toEqual([shared])
  await to.put(shared, other)
  for (const keysOf of (await proofKeys(to)).values()) for (const key of keysOf) await to.delete(key)
  await from.put(shared, good)
  await copy()
  expect([await knownIn(to), await to.get(shared, ANY_SIZE)]).toEqual([[], good])
})

/** It is damaged and known to be, in the copy alone. */
async function damageCopy(change: (bytes: Buffer) => Promise<void> = async (bytes) => to.put(shared, bytes)): Promise<void> {
  await copy()
  const bytes = await from.get(shared, ANY_SIZE)
  bytes[bytes.length - 1]! ^= 1
  await change(bytes)
  await say(to, ids[0]!, { result: 'failed', damaged: [shared] })
}

/** The first of these snapshots is there and was verified; the object that it needs is lost, and damaged in the source, which nobody knows. */
const HOW_IT_IS_THERE: [how: string, other: number, change: (key: string) => Promise<void>][] = [
  ['an older one', 0, async () => undefined],
  ['a newer one', 1, async () => undefined],
  ['a damaged one', 0, async (key) => to.put(key, Buffer.from('damaged'))],
  ['one that is missing, but has a proof,', 0, async (key) => to.delete(key)],
]
async function lostUnder(there: number, change: (key: string) => Promise<void>): Promise<Buffer> {
  await copy({ snapshot: ids[there]! })
  await say(to, ids[there]!, { result: 'verified' })
  await to.delete(shared)
  await change(snapshotKey('app', ids[there]!))
  const good = await from.get(shared, ANY_SIZE)
  await from.put(shared, Buffer.from(good).fill(0, 100, 200))
  return good
}
const isCheckedGood = async (): Promise<boolean> => (await dispatched('check', { destination: to.name, 'encryption-key': identity, set: 'app' }, new Date(now))).result.problems.length === 0

describe('damage in the store that is copied to', () => {
  const known = '1 object missing or damaged before and good now'

  test.each([
    ['changed', undefined],
    ['missing', () => to.delete(shared)],
  ])('a copy puts an object again that is known to be %s there; only what was verified waits for its next verification', async (_, change) => {
    await damageCopy(change)
    const { result, text } = await copy()
    expect([command.status(result), result.snapshots.map(({ outcome, repaired }) => [outcome, repaired])]).toEqual([0, [['was there', 1], ['was there', undefined], ['was there', undefined]]])
    expect(text).toContain(`0 snapshots copied (0 B), 3 there already, ${known}, ${formatBytes(result.bytes)} put again`)
    expect(result.bytes).toBeGreaterThan(0)
    expect(await to.get(shared, ANY_SIZE)).toEqual(await from.get(shared, ANY_SIZE))
    expect(await knownIn(to)).toEqual([])
    expect(await problemsIn(to, ids[0]!)).toEqual([['list', [`read again and found good, some after they were replaced by those of ${from.name}`]]])
    expect((await copy()).text).not.toContain(known)
    const listed = (await dispatched('list', { destination: to.name, 'encryption-key': identity, set: 'app' }, new Date(now))).result
    expect(listed.snapshots.filter(({ damage }) => damage !== undefined)).toMatchObject([{ id: ids[0], damage: 'it failed verification at level read' }])
    const checked = await dispatched('check', { destination: to.name, 'encryption-key': identity, set: 'app' }, new Date(now))
    expect(checked.result.problems[0]).toContain(`snapshot ${ids[0]} is damaged: it failed verification at level read; its damaged objects have been found good since`)
    expect(checked.text).toContain('The damaged objects have been read again since, and are good. Verify once more: `lifeboat verify --set app --snapshot all --level read`.')
    expect(checked.text).not.toContain('Back up again')
    // Nor does a copy of that store call it damaged.
    const back = await dispatched('copy', { from: to.name, destination: from.name, 'encryption-key': identity }, new Date(now))
    expect(back.result.snapshots.map(({ damaged, repairedSince }) => [damaged, repairedSince])).toEqual([[undefined, 'read'], [undefined, undefined], [undefined, undefined]])
    expect(back.text).toContain(', 3 there already, 1 to be verified again,')
    expect(back.text).toContain(`${ids[0]}  app  was there  failed its last verification, at level read; the objects damaged then are good now`)
    expect(command.summary(back.result)).toMatch(/^### ⚠️ [^]*\| ⚠️ was there, verify again \|/)
    expect(back.warnings).toEqual([`set app: snapshot ${ids[0]} failed verification at level read in ${to.name}; the objects damaged then have been found good since`])
  })

  test('an object that was put back there is read, and not put again', async () => {
    await damageCopy(() => Promise.resolve())
    // The level of this verdict is not that of the proof, which is no verification.
    await say(from, ids[0]!, { result: 'failed', damaged: [shared.replace(/.$/, (mark) => (mark === '0' ? '1' : '0'))] })
    const { result } = await copy()
    expect(result.snapshots[0]).toMatchObject({ outcome: 'was there', repaired: 1, bytes: 0 })
    expect(await knownIn(to)).toEqual([])
    expect(await problemsIn(to, ids[0]!)).toEqual([['list', ['read again and found good']]])
  })

  test('an object that was put back there stays, though the one of the source is damaged, which nobody knows', async () => {
    await damageCopy(() => Promise.resolve())
    const good = await from.get(shared, ANY_SIZE)
    await from.put(shared, Buffer.from(good).fill(0, 100, 200))
    await copy()
    expect(await to.get(shared, ANY_SIZE)).toEqual(good)
  })

  test('if both are damaged, nothing is replaced, and the copy fails and names the object of the source', async () => {
    await damageCopy()
    const bad = await to.get(shared, ANY_SIZE)
    await from.put(shared, Buffer.from(bad).fill(0, 100, 200))
    const { result } = await copy()
    expect(command.status(result)).toBe(1)
    expect(result.snapshots.map(({ outcome, problem }) => [outcome, problem])).toEqual([
      ...[0, 1].map(() => ['failed', expect.stringContaining(`chunk ${shared} in ${from.name} is damaged`)]), ['was there', undefined],
    ])
    expect(await to.get(shared, ANY_SIZE)).toEqual(bad)
    expect(await knownIn(to)).toEqual([shared])
  })

  test('a write key replaces nothing, and the copy fails and says that it takes the identity', async () => {
    await damageCopy()
    const bad = await to.get(shared, ANY_SIZE)
    const { result } = await copy({ 'encryption-key': await writeKeyOf(identity, undefined) })
    expect([command.status(result), result.snapshots[0]!.problem]).toEqual([1, expect.stringContaining('a write key cannot check')])
    expect(await to.get(shared, ANY_SIZE)).toEqual(bad)
  })
  test('an object that was missing there and is put again by a write key is not checked: a warning says so, until the identity has read it', async () => {
    await damageCopy(() => to.delete(shared))
    const writeKey = { 'encryption-key': await writeKeyOf(identity, undefined) }
    for (const chunks of [1, 0]) {
      const { result, warnings } = await copy(writeKey)
      expect([command.status(result), result.snapshots[0]]).toEqual([0, expect.objectContaining({ outcome: 'was there', chunks })])
      expect(warnings).toEqual([`set app: 1 object that ${to.name} lacked, or knows to be damaged, is the same there as in ${from.name} now, and was not checked`])
      expect(await knownIn(to)).toEqual([shared])
    }
    expect((await copy()).result.snapshots[0]).toMatchObject({ repaired: 1, bytes: 0 })
    expect((await copy(writeKey)).warnings).toEqual([])
  })

  test('nor is one that nobody knew to be missing', async () => {
    await copy()
    await to.delete(shared)
    for (const chunks of [1, 0]) {
      const { result, warnings } = await copy({ 'encryption-key': await writeKeyOf(identity, undefined) })
      expect(result.snapshots[0]).toMatchObject({ outcome: 'was there', chunks })
      expect(warnings).toEqual([expect.stringContaining('and was not checked')])
      expect(await knownIn(to)).toEqual([shared])
    }
    expect(await problemsIn(to, ids[0]!)).toEqual([['list', [`missing or cut, and put again from ${from.name} with a write key, which cannot check it`]]])
    expect((await proofKeys(to)).size).toBe(1)
    expect((await copy()).result.snapshots[0]).toMatchObject({ repaired: 1, bytes: 0 })
    expect(await knownIn(to)).toEqual([])
  })

  test.each(HOW_IT_IS_THERE)('an object that is lost there under %s is checked before another snapshot brings it', async (_, there, change) => {
    const good = await lostUnder(there, change)
    const other = { snapshot: ids[1 - there]! }
    const { result, warnings } = await copy(other)
    expect([command.status(result), result.snapshots]).toEqual([1, [expect.objectContaining({ outcome: 'failed', problem: expect.stringContaining(`chunk ${shared} in ${from.name} is damaged`) })]])
    expect(warnings).toEqual([expect.stringContaining(`is not whole in ${from.name}, and was not copied`)])
    expect((await copy({})).result.snapshots.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'copied'])
    expect([existsSync(path.join(folder, `${count}-to`, shared)), await isCheckedGood()]).toEqual([false, false])
    await from.put(shared, good)
    expect((await copy(other)).result.snapshots).toMatchObject([{ outcome: 'copied', chunks: 1, repaired: 1 }])
    expect([await to.get(shared, ANY_SIZE), await knownIn(to)]).toEqual([good, []])
  })

  test.each(HOW_IT_IS_THERE)('an object that is lost there under %s, and that a write key puts, is named as not checked before', async (_, there, change) => {
    await lostUnder(there, change)
    const { result, warnings } = await copy({ snapshot: ids[1 - there]!, 'encryption-key': await writeKeyOf(identity, undefined) })
    expect([command.status(result), result.snapshots]).toEqual([0, [expect.objectContaining({ outcome: 'copied', chunks: 1 })]])
    expect(warnings).toEqual([expect.stringContaining('and was not checked')])
    expect(await knownIn(to)).toEqual([shared])
    // Verified or not, the snapshots that need it are not called good.
    await copy({ snapshot: ids[there]! })
    expect(await isCheckedGood()).toBe(false)
  })

  test.each<[what: string, older: Level[], newer: Level[], isCarried: boolean]>([
    ['a lower level there', [], ['list'], true],
    ['an older drill there', ['drill'], [], true],
    ['a newer drill there', [], ['drill'], false],
    ['a newer drill there, and then a lower level', [], ['drill', 'list'], false],
  ])('a drill that failed in the source, beside %s, counts in the copy unless a newer one disproves it', async (_, older, newer, isCarried) => {
    await copy({ snapshot: ids[0]! })
    const prove = (store: FileStore, level: Level, result: 'verified' | 'failed') =>
      writeProof(store, keys, { snapshot: ids[0]!, set: 'app', time: new Date((now += 60_000)), level, result, seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
    for (const level of older) await prove(to, level, 'verified')
    await prove(from, 'drill', 'failed')
    for (const level of newer) await prove(to, level, 'verified')
    const before = (await proofKeys(to)).get(ids[0]!)?.length ?? 0
    for (const turn of [1, 2]) {
      const told: string[] = []
      const report = { info: () => undefined, warning: (_text: string, hint = '') => void told.push(spelled(hint, atTerminal('lifeboat'))), progress: () => undefined, mask: () => undefined }
      await dispatched('copy', { from: from.name, destination: to.name, 'encryption-key': identity, snapshot: ids[0]! }, new Date((now += 60_000)), { report })
      expect([turn, told]).toEqual([turn, [expect.stringContaining('--level drill')]])
    }
    const proofs = (await readProofs(to, keys, { onDamaged: () => undefined })).get(ids[0]!)!
    expect([proofs.length - before, verdictOf(proofs)!.result]).toEqual(isCarried ? [1, 'failed'] : [0, 'verified'])
  })

  test('an object that is known to be damaged in the source is so in the copy, though the other store has called earlier bytes of it good', async () => {
    await damage()
    await copy({ snapshot: ids[2]! })
    await say(to, ids[2]!, { result: 'verified', good: [shared] })
    expect((await copy({ snapshot: ids[1]! })).text).toContain('1 snapshot copied')
    expect(await knownIn(to)).toEqual([shared])
  })

  /** Proofs of a store that are older than a snapshot by more than a day are not read for it: a backup does not list what they name. */
  test.each([
    ['a write key cannot replace', async () => ({ 'encryption-key': await writeKeyOf(identity, undefined) })],
    ['both stores know', async () => (await say(from, ids[0]!, { result: 'failed', damaged: [shared] }), {})],
  ])('a snapshot that comes to lie beside an old damaged object that %s is known to be damaged there', async (_, prepare) => {
    await damageCopy()
    const { id } = await backUp({ store: from, time: new Date((now += 3 * 24 * 3_600_000)) }, { app: noise('same', 5000) })
    const more = await prepare()
    const toldOf = async (): Promise<boolean> => (await (await SetProofs.list(to, keys, 'app', () => undefined)).damagedSince(new Date(now - 3_600_000))).has(shared)
    expect(await toldOf()).toBe(false)
    await copy(more)
    expect(await toldOf()).toBe(true)
    const inCopy = { destination: to.name, 'encryption-key': identity, set: 'app' }
    expect((await dispatched('verify', { ...inCopy, snapshot: id, level: 'list' }, new Date(now))).result).toMatchObject({ result: 'failed' })
    const written = (await proofKeys(to)).size
    await copy(more)
    expect((await proofKeys(to)).size).toBe(written)
  })
})
