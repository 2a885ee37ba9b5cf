import { Presence } from '../../src/repository/presence.ts'
import { chunkKey } from '../../src/repository/snapshot.ts'
import { type Groups, NotFound, type Store, type StoredObject } from '../../src/stores/store.ts'
import { sha256 } from '../support/bytes.ts'

const described = (key: string, size: number): StoredObject => ({ key, size, modified: new Date() })
const refused = () => Promise.reject(new Error('not to be called'))
const never = (): never => { throw new Error('not to be called') }

const groups: Groups = {
  staging: '', exist: refused, candidates: never, authenticate: never, ofSet: never,
  neededUntil: () => new Date(), reusable: refused, findUnfinished: refused, requireRequests: refused, ofOtherKeys: refused, withheldSince: refused, dependents: refused, describe: never, cards: refused, needing: refused, expiries: refused, commit: refused, wholeness: refused, release: refused,
}

/** Objects and their sizes, and what is asked of them. */
function storeOf(objects: ReadonlyMap<string, number>, more: Partial<Store> = {}) {
  const asked: string[] = []
  let most = 0
  let running = 0
  const turn = async <T>(what: string, answer: () => T): Promise<T> => {
    asked.push(what)
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    return answer()
  }
  const store: Store = {
    name: 'test', put: refused, get: refused, delete: refused, close: refused,
    head: (key) => turn(`head ${key}`, () => {
      const size = objects.get(key)
      if (size === undefined) throw new NotFound(key, 'test')
      return described(key, size)
    }),
    async *list(prefix) {
      yield* await turn(`list ${prefix}`, () => [...objects].filter(([key]) => key.startsWith(prefix)).map(([key, size]) => described(key, size)))
    },
    ...more,
  }
  return { store, asked, most: () => most }
}

const objectsOf = (count: number): Map<string, number> => new Map(Array.from({ length: count }, (_, index) => [chunkKey(sha256(Buffer.from(`${index}`)), '00000000'), index + 1]))

test.each([[10, 10, 'head'], [3000, 256, 'list']] as const)('of %d objects the missing and the short ones are found with %d requests, at most 32 at a time', async (count, requests, operation) => {
  const expected = objectsOf(count)
  const [missing, short] = [...expected.keys()]
  const there = new Map([...objectsOf(5000)].filter(([key]) => key !== missing))
  there.set(short!, 1000)
  const { store, asked, most } = storeOf(there)
  expect(await new Presence(store, expected).wrong()).toEqual(new Map([[missing, undefined], [short, 1000]]))
  expect([new Set(asked).size, asked.length]).toEqual([requests, requests])
  expect(asked.every((one) => one.startsWith(operation))).toBe(true)
  expect(most()).toBe(Math.min(count, 32))
})

test('in a store of many other sets, listings are given up, and the objects are asked for one by one', async () => {
  const expected = objectsOf(1001)
  const [missing, short] = [...expected.keys()]
  const there = new Map([...objectsOf(60_000)].filter(([key]) => key !== missing))
  there.set(short!, 100_000)
  const { store, asked, most } = storeOf(there)
  expect(await new Presence(store, expected).wrong()).toEqual(new Map([[missing, undefined], [short, 100_000]]))
  const heads = asked.filter((one) => one.startsWith('head '))
  expect([new Set(asked).size, asked.length]).toEqual([asked.length, asked.length])
  expect(heads.length).toBeGreaterThan(700)
  expect(asked.length - heads.length).toBeLessThanOrEqual(256)
  expect(most()).toBeLessThanOrEqual(32)
})

test('a store that knows its content without a request is not listed, which would look into every group', async () => {
  const { store, asked } = storeOf(objectsOf(2000), { groups })
  expect((await new Presence(store, objectsOf(2000)).wrong()).size).toBe(0)
  expect(asked.length).toBe(2000)
  expect(asked.every((one) => one.startsWith('head '))).toBe(true)
})

test('a request for one object waits for no other, and the rest is looked for meanwhile, until it is closed', async () => {
  const expected = objectsOf(500)
  const { store, asked } = storeOf(expected)
  const presence = new Presence(store, expected)
  expect(asked).toEqual([])
  const last = [...expected.keys()].at(-1)!
  expect(await presence.has(last)).toBe(true)
  expect(asked.length).toBeGreaterThan(10)
  expect(asked.length).toBeLessThan(100)
  await presence.close()
  expect(asked.length).toBeLessThan(100)
})

test('a store that cannot be asked is told of to whoever asks, and to nobody else', async () => {
  const expected = objectsOf(3)
  const presence = new Presence(storeOf(expected, { head: () => Promise.reject(new Error('out of reach')) }).store, expected)
  await expect(presence.has([...expected.keys()][0]!)).rejects.toThrow('out of reach')
  await expect(presence.wrong()).rejects.toThrow('out of reach')
  await presence.close()
})
