import { rmSync, truncateSync } from 'node:fs'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { copySnapshot } from '../../src/repository/copy.ts'
import { CopiedDamage } from '../../src/repository/copy-damage.ts'
import { snapshotKeys } from '../../src/repository/catalog.ts'
import { collectGarbage } from '../../src/repository/garbage.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { LifeboatError } from '../../src/error.ts'
import { labelsOf, putLabels } from '../../src/repository/labels.ts'
import { readReferences } from '../../src/repository/references.ts'
import { SetProofs } from '../../src/repository/set-proofs.ts'
import { chunkKey, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { GRACE } from '../../src/repository/trash.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { backUp, digests, entriesOf, keys, otherKeys, restored, through, writeKeys } from '../support/engine.ts'
import type { GitHub } from '../support/github/emulator.ts'
import { type ArtifactStores, withArtifacts } from '../support/github/store.ts'
import { MemoryStore } from '../support/memory-store.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-copy-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const fresh = (): FileStore => new FileStore(path.join(folder, `${++count}`))

const first = noise('first', 3_000_000)
/** A little changed, so that some of it is stored as differences. */
const second = Buffer.concat([first.subarray(0, 1_000_000), Buffer.from('a row more'), first.subarray(1_000_000)])

async function twoBackups(): Promise<{ from: FileStore; to: FileStore; older: string; newer: string }> {
  const from = fresh()
  const older = await backUp({ store: from }, { app: first })
  const newer = await backUp({ store: from }, { app: second })
  expect(newer.writer.deltaChunks).toBeGreaterThan(0)
  return { from, to: fresh(), older: snapshotKey('app', older.id), newer: snapshotKey('app', newer.id) }
}

const { signal } = new AbortController()
let now = () => new Date()
afterEach(() => (now = () => new Date()))
const damageOf = (from: Store, to: Store, withKeys = keys): Promise<CopiedDamage> => CopiedDamage.of(from, to, withKeys, 'app', () => undefined)
const copy = async (key: string, from: Store, to: Store, withKeys = keys, damage?: CopiedDamage) => copySnapshot(key, { damage: damage ?? (await damageOf(from, to, withKeys)), from, to, keys: withKeys, signal, now, grace: GRACE, onDamaged: (error) => expect(error).toBeUndefined(), onBytes: () => undefined })
const idIn = (key: string): string => key.slice(key.lastIndexOf('/') + 1, -'.json.zst'.length)
const objectsIn = async (store: Store): Promise<string[]> => (await all(store.list(''))).map(({ key, size }) => `${key} ${size}`).toSorted()

test('a copy restores as the original does, and what is there is not transferred again', async () => {
  const { from, to, older, newer } = await twoBackups()
  const whole = await copy(older, from, to)
  expect(whole.bytes).toBeGreaterThan(2_900_000)
  const more = await copy(newer, from, to)
  expect(more.bytes).toBeLessThan(100_000)
  expect(await objectsIn(to)).toEqual(await objectsIn(from))
  expect(await restored(to, idIn(older))).toEqual(digests({ app: first }))
  expect(await restored(to, idIn(newer))).toEqual(digests({ app: second }))
  expect(await copy(newer, from, to)).toEqual({ isNew: false, bytes: 0, chunks: 0, repaired: 0 })
})

test('a write key copies, and another key copies nothing', async () => {
  const { from, to, older } = await twoBackups()
  await expect(copy(older, from, to, otherKeys)).rejects.toThrow('was written with the key')
  expect(await objectsIn(to)).toEqual([])
  await copy(older, from, to, writeKeys)
  expect(await restored(to, idIn(older))).toEqual(digests({ app: first }))
})

test.each(['missing', 'truncated'])('a snapshot of which a chunk is %s is not put, and the error names the chunk', async (how) => {
  const { from, to, older } = await twoBackups()
  const [id, , , , mark] = (await entriesOf(from, idIn(older)))[1]!
  const key = chunkKey(id, mark)
  if (how === 'missing') await from.delete(key)
  else truncateSync(path.join(from.name.slice('file:'.length), key), 1000)
  await expect(copy(older, from, to)).rejects.toThrow(key)
  expect(await snapshotKeys(to)).toEqual([])
})

test('an object that was damaged in the copy later is put there again', async () => {
  const { from, to, older } = await twoBackups()
  await copy(older, from, to)
  const [id, , , , mark] = (await entriesOf(from, idIn(older)))[0]!
  truncateSync(path.join(to.name.slice('file:'.length), chunkKey(id, mark)), 1000)
  expect(await copy(older, from, to)).toMatchObject({ chunks: 1 })
  expect(await restored(to, idIn(older))).toEqual(digests({ app: first }))
})

const tell = (store: Store, snapshot: string, damaged: string[], time = new Date()): Promise<unknown> =>
  writeProof(store, keys, { snapshot: idIn(snapshot), set: 'app', time, level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged, problems: [], versions: {}, run: null })

/** The key of a chunk object of both snapshots. */
async function sharedBy({ from, older, newer }: Awaited<ReturnType<typeof twoBackups>>): Promise<string> {
  const [ofOlder, ofNewer] = await Promise.all([older, newer].map(async (key) => (await entriesOf(from, idIn(key))).map(([id, , , , mark]) => chunkKey(id, mark))))
  return ofNewer!.find((key) => ofOlder!.includes(key))!
}

/** A chunk object of both snapshots is damaged in the copy of the older, and known to be. */
async function damagedCopy(): Promise<Awaited<ReturnType<typeof twoBackups>> & { shared: string }> {
  const backups = await twoBackups()
  await copy(backups.older, backups.from, backups.to)
  const shared = await sharedBy(backups)
  await backups.to.put(shared, Buffer.from(await backups.from.get(shared, ANY_SIZE)).fill(0, 100, 200))
  await tell(backups.to, backups.older, [shared])
  return { ...backups, shared }
}

/** Keys of a difference of the newer snapshot, which is listed before its base, and of this base. */
async function difference(from: Store, newer: string): Promise<[difference: string, base: string]> {
  const entries = await entriesOf(from, idIn(newer))
  const [id, , , base, mark] = entries.find((entry, index) => entry[3] !== null && entry[3] > index)!
  return [chunkKey(id, mark), chunkKey(entries[base!]![0], entries[base!]![4])]
}

describe('an object that is known to be damaged in the copy', () => {
  test('and cannot be replaced keeps no newer snapshot out of it', async () => {
    const { from, to, newer, shared } = await damagedCopy()
    const unchangeable = through(to, (operation, key, perform) => {
      if (operation === 'put' && key === shared) throw new LifeboatError('it is immutable')
      return perform()
    })
    expect(await copy(newer, from, unchangeable)).toMatchObject({ repaired: 0, problem: 'it is immutable' })
    expect(await snapshotKeys(to)).toContain(newer)
  })

  test('and cannot be replaced is told, though the source knows of old damage to it', async () => {
    const { from, to, older, shared } = await damagedCopy()
    for (const { key } of await all(to.list('proofs/'))) await to.delete(key)
    await tell(from, older, [shared])
    const unchangeable = through(to, (operation, key, perform) => (operation === 'put' && key === shared ? Promise.reject(new LifeboatError('it is immutable')) : perform()))
    expect(await copy(older, from, unchangeable)).toMatchObject({ repaired: 0, problem: 'it is immutable' })
  })

  test('is replaced only by bytes that were checked', async () => {
    const { from, to, newer, shared } = await damagedCopy()
    const good = await from.get(shared, ANY_SIZE)
    let asked = 0
    const unsteady: Store = { ...through(from, (_, __, perform) => perform()), get: async (key, most) => {
      const bytes = await from.get(key, most)
      return key === shared && ++asked > 1 ? Buffer.from(bytes).fill(1, 300, 400) : bytes
    } }
    expect([await copy(newer, unsteady, to), good.equals(await to.get(shared, ANY_SIZE))]).toMatchObject([{ repaired: 1 }, true])
  })

  test('counts as repaired only once it was read back', async () => {
    const { from, to, older, shared } = await damagedCopy()
    const forgetful: Store = { ...through(to, (_, __, perform) => perform()), put: async (key, bytes) => (key === shared ? undefined : to.put(key, bytes)) }
    expect(await copy(older, from, forgetful)).toMatchObject({ repaired: 0, problem: expect.stringContaining(`chunk ${shared}`) })
    expect(await copy(older, from, to)).toMatchObject({ repaired: 1, chunks: 1 })
  })

  test('is repaired after its base, which is damaged as well', async () => {
    const { from, to, newer } = await twoBackups()
    await copy(newer, from, to)
    const both = await difference(from, newer)
    for (const key of both) await to.put(key, Buffer.from(await from.get(key, ANY_SIZE)).fill(0, 100, 200))
    await tell(to, newer, both)
    expect(await copy(newer, from, to)).toMatchObject({ repaired: 2, chunks: 2 })
    expect(await restored(to, idIn(newer))).toEqual(digests({ app: second }))
  })

  test('is replaced though its base is damaged in the store that is copied from', async () => {
    const { from, to, newer } = await twoBackups()
    await copy(newer, from, to)
    const [key, base] = await difference(from, newer)
    for (const [store, one] of [[to, key], [from, base]] as const) await store.put(one, Buffer.from(await store.get(one, ANY_SIZE)).fill(0, 100, 120))
    await tell(to, newer, [key])
    expect(await copy(newer, from, to)).toMatchObject({ repaired: 1, chunks: 1 })
    expect(await restored(to, idIn(newer))).toEqual(digests({ app: second }))
  })

  test('is not overwritten if only its base turns out to be damaged', async () => {
    const { from, to, newer } = await twoBackups()
    await copy(newer, from, to)
    const [key, base] = await difference(from, newer)
    await to.put(base, Buffer.from(await from.get(base, ANY_SIZE)).fill(0, 100, 200))
    await tell(to, newer, [key])
    const untouched = through(to, (operation, name, perform) => (operation === 'put' && name === key ? Promise.reject(new Error('overwritten')) : perform()))
    expect(await copy(newer, from, untouched)).toMatchObject({ repaired: 0, problem: expect.stringContaining(`chunk ${base}`) })
  })
})

describe('in artifacts', () => {
  let github: GitHub
  let stores: ArtifactStores
  withArtifacts((emulated, opened) => ([github, stores] = [emulated, opened]))
  const open = (): ArtifactStore => stores.open({ set: 'app' })
  /** Records that a verification of the artifacts found an object of a snapshot damaged. */
  const tellThere = async (snapshot: string, key: string, time: Date): Promise<void> => {
    const verified = open()
    await tell(verified, snapshot, [key], time)
    await verified.groups.commit([])
  }

  test.each([
    ['the same as in the source is not called a failure', true],
    ['another than in the source fails the copy', false],
  ])('an object that is known to be damaged is not put again; one that is %s; either is known in the new snapshot', async (_, same) => {
    const backups = await twoBackups()
    const { from, older, newer } = backups
    await copy(older, from, open())
    const key = await sharedBy(backups)
    await tellThere(older, key, new Date(Date.UTC(2026, 10, 17)))
    if (!same) await from.put(key, Buffer.from(await from.get(key, ANY_SIZE)).fill(0, 100, 200))
    const problem = `chunk ${key} in artifact:octo/shop/lifeboat-app is known to be damaged, and that store replaces no objects`
    expect((await copy(newer, from, open())).problem).toBe(same ? undefined : problem)
    const proofs = await SetProofs.list(open(), keys, 'app', () => undefined)
    expect([...(await proofs.damagedSince(new Date(Date.UTC(2026, 10, 20))))]).toEqual([key])
  })

  test('an object that was in a lost artifact, and that a snapshot of another one needs, is checked before it is put, or named as not checked', async () => {
    const backups = await twoBackups()
    const { from, older, newer } = backups
    for (const key of [older, newer]) await copy(key, from, open())
    github.artifacts.splice(0, 1)
    const third = snapshotKey('app', (await backUp({ store: from }, { app: second })).id)
    const key = await sharedBy(backups)
    const good = await from.get(key, ANY_SIZE)
    await from.put(key, Buffer.from(good).fill(0, 100, 200))
    for (const one of [third, newer]) await expect(copy(one, from, open())).rejects.toThrow(`chunk ${key} in ${from.name} is damaged`)
    await from.put(key, good)
    const known = async (): Promise<number> => (await (await SetProofs.list(open(), keys, 'app', () => undefined)).damagedSince(new Date(0))).size
    const { chunks } = await copy(third, from, open())
    expect([chunks > 0, await known()]).toEqual([true, 0])
    expect(await restored(open(), idIn(third))).toEqual(digests({ app: second }))
    github.artifacts.splice(1, 1)
    expect(await copy(third, from, open(), writeKeys)).toMatchObject({ isNew: true, chunks })
    expect(await known()).toBe(chunks)
  })

  test.each([
    ['was found damaged there', false],
    ['was found damaged in both stores', true],
  ])('an object of a lost artifact that %s, and is checked before it is put again, is known to be good', async (_, both) => {
    const backups = await twoBackups()
    const { from, older, newer } = backups
    for (const key of [older, newer]) await copy(key, from, open())
    const key = await sharedBy(backups)
    const time = new Date(Date.now() - 60_000)
    await tellThere(older, key, time)
    if (both) await tell(from, older, [key], time)
    github.artifacts.splice(0, 1)
    const damage = await damageOf(from, open())
    expect(await copy(newer, from, open(), keys, damage)).toMatchObject({ isNew: false, repaired: 1 })
    expect([...damage.unchecked]).toEqual([])
    const proofs = await SetProofs.list(open(), keys, 'app', () => undefined)
    expect([...(await proofs.damagedSince(new Date(0)))]).toEqual([])
    expect(await copy(newer, from, open())).toMatchObject({ bytes: 0, chunks: 0, repaired: 0 })
    expect(await restored(open(), idIn(newer))).toEqual(digests({ app: second }))
  })
})

test('a copy that breaks off leaves no snapshot, and the next one transfers the rest', async () => {
  const { from, to, older } = await twoBackups()
  let puts = 0
  const breaking = through(to, (operation, _, perform) => (operation === 'put' && ++puts === 2 ? Promise.reject(new Error('the line is cut')) : perform()))
  await expect(copy(older, from, breaking)).rejects.toThrow('the line is cut')
  expect(await snapshotKeys(to)).toEqual([])
  const there = (await objectsIn(to)).length
  const { chunks } = await copy(older, from, to)
  expect(chunks).toBe((await entriesOf(from, idIn(older))).length - there)
  expect(await restored(to, idIn(older))).toEqual(digests({ app: first }))
})

test('a copy that took as long as a prune may is given up when a chunk it needs was deleted meanwhile', async () => {
  const { from, to, older } = await twoBackups()
  const [id, , , , mark] = (await entriesOf(from, idIn(older)))[0]!
  const key = chunkKey(id, mark)
  await to.put(key, await from.get(key, ANY_SIZE))
  // A prune deletes what the copy found there, while 13 hours pass.
  let hours = 0
  now = () => new Date(Date.now() + hours * 3_600_000)
  const slow = through(to, async (operation, _, perform) => {
    if (operation === 'put' && hours === 0) {
      hours = 13
      await to.delete(key)
    }
    return perform()
  })
  await expect(copy(older, from, slow)).rejects.toThrow(key)
  expect(await snapshotKeys(to)).toEqual([])
})

describe('a snapshot that differs in the other store', () => {
  test.each([
    ['verifies under the key', (_: Buffer, other: Buffer) => other],
    ['claims to be of another key', (own: Buffer) => Buffer.from(own.toString('latin1').replace(/ [0-9a-f]{16} /, ' 0123456789abcdef '), 'latin1')],
  ])('is not overwritten if it %s, and nothing is transferred', async (_, change) => {
    const { from, to, older, newer } = await twoBackups()
    const there = change(await from.get(older, ANY_SIZE), await from.get(newer, ANY_SIZE))
    await to.put(older, there)
    await expect(copy(older, from, to)).rejects.toThrow(`has another ${older}: it is of another key, or was edited`)
    expect([await objectsIn(to), await to.get(older, ANY_SIZE)]).toEqual([[`${older} ${there.length}`], there])
  })

  test.each([
    ['a changed byte', (own: Buffer) => Buffer.concat([own.subarray(0, -1), Buffer.from([own.at(-1)! ^ 1])])],
    ['no bytes', () => Buffer.alloc(0)],
  ])('is replaced if it is damaged: it has %s; a write key is enough', async (_, change) => {
    const { from, to, older } = await twoBackups()
    await copy(older, from, to)
    await to.put(older, change(await from.get(older, ANY_SIZE)))
    expect(await copy(older, from, to, writeKeys)).toMatchObject({ isNew: false, chunks: 0, repaired: 1 })
    expect(await restored(to, idIn(older))).toEqual(digests({ app: first }))
    expect(await copy(older, from, to)).toEqual({ isNew: false, bytes: 0, chunks: 0, repaired: 0 })
  })
})

test.each(['missing', 'truncated'])('an object that is %s under a snapshot that was there is put only after it was checked', async (how) => {
  const { from, to, older } = await twoBackups()
  await copy(older, from, to)
  const [id, , , , mark] = (await entriesOf(from, idIn(older)))[0]!
  const key = chunkKey(id, mark)
  if (how === 'missing') await to.delete(key)
  else truncateSync(path.join(to.name.slice('file:'.length), key), 1000)
  const there = await objectsIn(to)
  const good = await from.get(key, ANY_SIZE)
  // Nobody knows of it.
  await from.put(key, Buffer.from(good).fill(0, 100, 200))
  expect(await copy(older, from, to)).toMatchObject({ bytes: 0, repaired: 0, problem: expect.stringContaining(`chunk ${key} in ${from.name} is damaged`) })
  expect(await objectsIn(to)).toEqual(there)
  await from.put(key, good)
  expect(await copy(older, from, to)).toMatchObject({ chunks: 1, repaired: 1 })
  expect(await restored(to, idIn(older))).toEqual(digests({ app: first }))
})

test('a difference and its base that another snapshot lost are put, checked, before the snapshot that brings them', async () => {
  const { from, to, older, newer } = await twoBackups()
  const third = await backUp({ store: from }, { app: Buffer.concat([second, noise('more', 2_000_000)]) })
  await copy(newer, from, to)
  const both = await difference(from, newer)
  for (const key of both) await to.delete(key)
  const brings = snapshotKey('app', third.id)
  const good = await from.get(both[1], ANY_SIZE)
  await from.put(both[1], Buffer.from(good).fill(0, 100, 200))
  const there = await objectsIn(to)
  await expect(copy(brings, from, to)).rejects.toThrow(`chunk ${both[1]} in ${from.name} is damaged`)
  expect(await objectsIn(to)).toEqual(there)
  await from.put(both[1], good)
  const put: string[] = []
  const watched = through(to, (operation, key, perform) => {
    if (operation === 'put') put.push(key)
    return perform()
  })
  expect(await copy(brings, from, watched)).toMatchObject({ isNew: true, repaired: 2 })
  expect([put[0], put[1], put.at(-2)]).toEqual([both[1], both[0], brings])
  expect(Object.keys(await restored(to, third.id))).toEqual(['app'])
  expect(await snapshotKeys(to)).not.toContain(older)
})

test('with a write key, objects that another snapshot lost are named as not checked before they are put', async () => {
  const { from, to, newer } = await twoBackups()
  const third = snapshotKey('app', (await backUp({ store: from }, { app: second })).id)
  await copy(newer, from, to)
  const both = await difference(from, newer)
  for (const key of both) await to.delete(key)
  const put: string[] = []
  const watched = through(to, (operation, key, perform) => {
    if (operation === 'put') put.push(key)
    return perform()
  })
  await copy(third, from, watched, writeKeys)
  expect(put.map((key) => key.split('/')[0])).toEqual(['proofs', 'chunks', 'chunks', 'snapshots'])
  const known = await (await SetProofs.list(to, keys, 'app', () => undefined)).damagedSince(new Date(0))
  expect([...known].toSorted()).toEqual(both.toSorted())
})

test.each([
  ['another snapshot, they are named in one of the snapshot that is copied', false],
  ['the snapshot itself, nothing is put', true],
])('with a write key, if a prune deletes the snapshot whose proof names objects as not checked: of %s', async (_, itself) => {
  const { from, to, newer } = await twoBackups()
  const third = snapshotKey('app', (await backUp({ store: from }, { app: second })).id)
  await copy(newer, from, to)
  const both = await difference(from, newer)
  for (const key of both) await to.delete(key)
  const put: string[] = []
  const pruned = through(to, async (operation, key, perform) => {
    if (operation === 'put') put.push(key.split('/')[0]!)
    if (operation === 'put' && key.includes(idIn(newer))) await to.delete(newer)
    return perform()
  })
  const copied = copy(itself ? newer : third, from, pruned, writeKeys)
  if (itself) await expect(copied).rejects.toThrow(`${newer} was deleted from ${to.name} while it was copied`)
  else await expect(copied).resolves.toMatchObject({ isNew: true, chunks: 2 })
  expect(put).toEqual(itself ? ['proofs'] : ['proofs', 'proofs', 'chunks', 'chunks', 'snapshots'])
  const proofs = await SetProofs.list(to, keys, 'app', () => undefined)
  expect([[...proofs.ids()], [...(await proofs.damagedSince(new Date(0)))].toSorted()]).toEqual(itself ? [[], []] : [[idIn(third)], both.toSorted()])
})

test('a newer snapshot that lacks only what it stored first is copied without a look into the older ones', async () => {
  const { from, to, older, newer } = await twoBackups()
  await copy(older, from, to)
  const read: string[] = []
  const watched: Store = { ...through(to, (_, __, perform) => perform()), get: async (key, most) => (read.push(key), to.get(key, most)) }
  await copy(newer, from, watched)
  expect(read).toEqual([])
})

test('the snapshots that are newer than those that are copied beside them are read once', async () => {
  const { from, to, older, newer } = await twoBackups()
  const damage = await damageOf(from, to)
  const third = await backUp({ store: to, time: new Date(Date.now() + 3_600_000) }, { app: noise('newest', 3000) })
  const read: string[] = []
  const watched: Store = { ...through(to, (_, __, perform) => perform()), get: async (key, most) => (read.push(key), to.get(key, most)) }
  for (const key of [older, newer]) await copySnapshot(key, { damage, from, to: watched, keys, signal, now, grace: GRACE, onDamaged: (error) => expect(error).toBeUndefined(), onBytes: () => undefined })
  expect(read.filter((key) => key === snapshotKey('app', third.id))).toHaveLength(1)
})

test('a pin goes along, before its snapshot', async () => {
  const { from, to, older } = await twoBackups()
  await putLabels(from, keys, 'app', idIn(older), { pinned: true, tags: ['kept'] })
  const put: string[] = []
  const watched = through(to, (operation, key, perform) => {
    if (operation === 'put') put.push(key)
    return perform()
  })
  await copy(older, from, watched)
  expect(put.slice(-2)).toEqual([`labels/app/${idIn(older)}.json`, older])
  expect(await labelsOf(to, keys, 'app', idIn(older))).toMatchObject({ pinned: true, tags: ['kept'] })
})

describe('beside a prune of the other store', () => {
  let clock: number
  const pruning = { signal, parallel: 4, now: () => new Date(clock), grace: GRACE, dryRun: false, onDamaged: (error: Error) => expect(error).toBeUndefined() }
  const prune = async (store: Store, going: string[] = []) => collectGarbage(store, keys, await readReferences(store, keys, pruning), new Set(going), pruning)
  /** A snapshot of one chunk, copied and pruned again, so that its chunk is in the trash. */
  async function pruned(): Promise<{ from: MemoryStore; to: MemoryStore; id: string; key: string; chunk: string }> {
    clock = Date.UTC(2026, 10, 20, 12)
    now = pruning.now
    const [from, to] = [new MemoryStore(now), new MemoryStore(now)]
    const { id } = await backUp({ store: from, time: now() }, { app: noise('in the trash', 3000) })
    const key = snapshotKey('app', id)
    await copy(key, from, to)
    clock += GRACE
    await prune(to, [key])
    return { from, to, id, key, chunk: [...to.objects.keys()].find((one) => one.startsWith('chunks/'))! }
  }

  test('a snapshot whose chunks are about to be deleted is not copied, and is once they are', async () => {
    const { from, to, id, key } = await pruned()
    clock += GRACE / 2
    await expect(copy(key, from, to)).rejects.toThrow(/^chunk chunks\/\S+ that it needs is about to be deleted from .* names it$/)
    expect(to.objects.has(key)).toBe(false)
    clock += GRACE / 2
    await prune(to)
    expect(await copy(key, from, to)).toMatchObject({ chunks: 1 })
    expect(Object.keys(await restored(to, id))).toEqual(['app'])
  })

  test('nor while a prune deletes them', async () => {
    const { from, to, key } = await pruned()
    clock += GRACE + 1000
    const ended: unknown[] = []
    await prune(through(to, async (operation, at, perform) => {
      if (operation === 'delete' && at.startsWith('chunks/')) ended.push(await copy(key, from, to).catch(String))
      return perform()
    }))
    expect(ended).toEqual([expect.stringContaining('about to be deleted')])
    expect(to.objects.has(key)).toBe(false)
  })

  test('young trash is no reason not to copy, and no later prune deletes what the copy needs', async () => {
    const { from, to, id, key } = await pruned()
    clock += GRACE / 2 - 1000
    await copy(key, from, to)
    clock += GRACE
    await prune(to)
    clock += GRACE
    await prune(to)
    expect(Object.keys(await restored(to, id))).toEqual(['app'])
  })

  test('an object that a late delete removes is put again', async () => {
    const { from, to, id, key, chunk } = await pruned()
    clock += GRACE + 1000
    await prune(to)
    // Of another prune that listed the chunk before.
    await copy(key, from, through(to, async (operation, at, perform) => {
      if (operation === 'put' && at === key) await to.delete(chunk)
      return perform()
    }))
    expect(Object.keys(await restored(to, id))).toEqual(['app'])
  })
})
