// The invariants of docs/architecture.md. Each test here fails when the invariant it is named after is broken.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { messageOf } from '../../src/error.ts'
import { snapshotKeys } from '../../src/repository/catalog.ts'
import { openOrMakeRepository, openRepository } from '../../src/repository/repository.ts'
import { chunkKey, decodeSnapshot } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, changed, noise } from '../support/bytes.ts'
import { backUp, digests, keys, type Operation, restored, through } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-invariants-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshFolder = (): string => path.join(folder, `store-${++count}`)

const first = noise('first', 700_000)
const contents: Record<string, Buffer>[] = [{ app: first }, { app: changed(first, 200_000, 'second'), small: Buffer.from('small'), one: noise('one', 100_000), two: noise('two', 100_000) }, { app: changed(first, 150_000, 'third'), more: noise('more', 400_000) }]
const last = { app: changed(first, 100_000, 'last') }

/** A store with two snapshots, and their ids. */
const original = freshFolder()
const ids: string[] = []
beforeAll(async () => {
  const store = new FileStore(original)
  await openOrMakeRepository(store)
  for (const content of contents.slice(0, 2)) ids.push((await backUp({ store }, content)).id)
})

function copyOfStore(): FileStore {
  const root = freshFolder()
  cpSync(original, root, { recursive: true })
  return new FileStore(root)
}

/** The engine's part of a backup, the marker of the store included. */
async function wholeBackup(store: Store, content: Record<string, Buffer>): Promise<void> {
  await openOrMakeRepository(store)
  await backUp({ store }, content)
}

/** A store that dies at its n-th operation, before or after it is performed: nothing works from then on. */
function dying(store: Store, at: number, performed: boolean): { mortal: Store; died: () => Operation | undefined } {
  let operations = 0
  let fatal: Operation | undefined
  const mortal = through(store, async (operation, _, perform) => {
    operations++
    if (operations === at) fatal = operation
    if (operations === at && performed) await perform()
    if (operations >= at) throw new Error(`died at ${operation}`)
    return perform()
  })
  return { mortal, died: () => fatal }
}

test.each(['before', 'after'])('1, 2, 4: dying %s any of its operations, a backup leaves no half of a snapshot, all earlier ones whole, and the next one succeeds', async (when) => {
  const died = new Set<Operation>()
  for (let at = 1; ; at++) {
    const store = copyOfStore()
    const { mortal, died: diedAt } = dying(store, at, when === 'after')
    const outcome = await wholeBackup(mortal, contents[2]!).then(() => 'succeeded', () => 'failed')
    const operation = diedAt()
    if (operation === undefined) {
      expect(outcome).toBe('succeeded')
      break
    }
    died.add(operation)
    expect(outcome).toBe('failed')
    for (const [index, id] of ids.entries()) expect(await restored(store, id)).toEqual(digests(contents[index]!))
    const left = await snapshotKeys(store, 'app')
    // Only after the last operation, which puts the snapshot, is there one more; and that one is whole.
    if (left.length > 2) expect([when, await restored(store)]).toEqual(['after', digests(contents[2]!)])
    await wholeBackup(store, last)
    expect(await restored(store)).toEqual(digests(last))
  }
  expect([...died].toSorted()).toEqual(['get', 'head', 'list', 'put'])
})

test('1: a new store that dies at any operation of its first backup takes the next', async () => {
  for (let at = 1; ; at++) {
    const store = new FileStore(freshFolder())
    const { mortal, died } = dying(store, at, at % 2 === 0)
    await wholeBackup(mortal, { small: Buffer.from('small') }).catch(() => 'dead')
    if (died() === undefined) break
    await wholeBackup(store, last)
    expect(await restored(store)).toEqual(digests(last))
  }
})

test('1: when the snapshot is put, every put of a chunk it lists has resolved', async () => {
  const store = copyOfStore()
  const durable = new Set((await all(store.list('chunks/'))).map(({ key }) => key))
  let checked = 0
  const slow = through(store, async (operation, key, perform, bytes) => {
    if (operation === 'put' && key.startsWith('snapshots/')) {
      const { header } = await decodeSnapshot(key, bytes!, keys)
      for (const [id, , , , mark] of header.chunks) expect(durable).toContain(chunkKey(id, mark))
      checked += header.chunks.length
    }
    const result = await perform()
    if (operation === 'put') await new Promise((resolve) => setTimeout(resolve, 60))
    if (operation === 'put') durable.add(key)
    return result
  })
  await backUp({ store: slow }, { ...contents[2]!, fresh: noise('fresh', 3_000_000) })
  expect(checked).toBeGreaterThan(3)
})

test('3: whatever is done to any object a snapshot needs, a restore gives the right bytes or an error that names it', async () => {
  const root = freshFolder()
  cpSync(original, root, { recursive: true })
  const store = new FileStore(root)
  const good = digests(contents[1]!)
  const objects = (await all(store.list(''))).map(({ key }) => key).filter((key) => key.startsWith('chunks/') || key.includes(ids[1]!))
  let refused = 0
  for (const key of objects) {
    const bytes = await store.get(key, ANY_SIZE)
    const flipped = (position: number): Buffer => {
      const copy = Buffer.from(bytes)
      copy[position]! ^= 4
      return copy
    }
    // Another whole object; of the same size where there is one, so that nothing but its content tells.
    const others = await Promise.all(objects.filter((candidate) => candidate !== key).map((candidate) => store.get(candidate, ANY_SIZE)))
    const other = others.find(({ length }) => length === bytes.length) ?? others[0]!
    const damages = [bytes.subarray(0, -1), bytes.subarray(0, bytes.length / 2), Buffer.alloc(0), Buffer.alloc(bytes.length), flipped(30), flipped(Math.floor(bytes.length / 2)), flipped(bytes.length - 1), other, undefined]
    for (const damage of damages) {
      await (damage === undefined ? store.delete(key) : store.put(key, damage))
      try {
        expect(await restored(store, ids[1])).toEqual(good)
      } catch (error) {
        refused++
        expect(messageOf(error)).toContain(damage === undefined && key.startsWith('snapshots/') ? ids[1] : key)
      }
    }
    await store.put(key, bytes)
  }
  expect(await restored(store, ids[1])).toEqual(good)
  expect(refused).toBeGreaterThanOrEqual(8 * 4)
})

test('4: backups that run at the same time delete nothing, replace nothing, and are all whole', async () => {
  const store = copyOfStore()
  const present = new Set((await all(store.list(''))).map(({ key }) => key))
  const watched = through(store, (operation, key, perform) => {
    expect(operation).not.toBe('delete')
    if (operation === 'put') {
      expect(present.has(key)).toBe(false)
      present.add(key)
    }
    return perform()
  })
  const runs = await Promise.all([contents[2]!, contents[2]!, last, contents[1]!].map((content) => backUp({ store: watched }, content)))
  const given = [contents[2]!, contents[2]!, last, contents[1]!]
  for (const [index, { id }] of runs.entries()) expect(await restored(store, id)).toEqual(digests(given[index]!))
  const after = await backUp({ store: watched }, contents[2]!)
  expect(after.writer.added).toBe(0)
  expect(await restored(store, after.id)).toEqual(digests(contents[2]!))
})

test('5: whoever reads while backups run can restore every snapshot that is listed', async () => {
  const store = copyOfStore()
  const reader = copyOfReader(store)
  const finished = new AbortController()
  const write = async (): Promise<void> => {
    try {
      for (let turn = 0; turn < 8; turn++) await backUp({ store }, { app: changed(first, 90_000 + turn * 1000, `turn ${turn}`) })
    } finally {
      finished.abort()
    }
  }
  let seen = 0
  const read = async (): Promise<void> => {
    do {
      const [newest] = await snapshotKeys(reader, 'app')
      await restored(reader, newest!.slice('snapshots/app/'.length, -'.json.zst'.length))
      seen++
    } while (!finished.signal.aborted)
  }
  await Promise.all([write(), read()])
  expect(seen).toBeGreaterThan(0)
  expect(await snapshotKeys(store, 'app')).toHaveLength(10)
})

/** The same folder as another process has it. */
function copyOfReader(store: FileStore): FileStore {
  return new FileStore(store.name.slice('file:'.length))
}

test('8: a store of a newer, other or malformed format is refused by name, and nothing in it is changed', async () => {
  for (const [marker, message] of [
    ['{"format":"lifeboat/2"}', /has the format "lifeboat\/2"; this version of Lifeboat reads lifeboat\/1/],
    ['{"format":1}', /has the format 1/],
    ['[]', /is damaged: it names no format/],
    ['{}', /is damaged: it names no format/],
    ['', /is damaged: it is not JSON/],
    ['{"format":"lifeboat/1","more":1}', /holds more than its format/],
  ] as const) {
    const store = copyOfStore()
    await store.put('lifeboat.json', Buffer.from(marker))
    const before = (await all(store.list(''))).map(({ key, size }) => `${key} ${size}`).toSorted()
    const readOnly = through(store, (operation, _, perform) => {
      expect(['get', 'list']).toContain(operation)
      return perform()
    })
    await expect(wholeBackup(readOnly, last)).rejects.toThrow(message)
    await expect(openRepository(readOnly)).rejects.toThrow(message)
    expect((await all(store.list(''))).map(({ key, size }) => `${key} ${size}`).toSorted()).toEqual(before)
  }
})
