import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../src/error.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { tryStore } from '../../src/commands/doctor/try-store.ts'
import { all } from '../support/bytes.ts'
import { through } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-trial-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const fresh = (): FileStore => new FileStore(path.join(folder, `${++count}`))

async function states(store: Store, now: () => Date = () => new Date()): Promise<Record<string, string>> {
  const checks = await tryStore(store, now, new AbortController().signal)
  return Object.fromEntries(checks.map(({ check, state }) => [check, state]))
}

test('a good store passes every check, and nothing is left in it', async () => {
  const store = fresh()
  expect(await states(store)).toEqual({ list: 'good', put: 'good', get: 'good', find: 'good', overwrite: 'good', latency: 'good', clock: 'good', delete: 'good' })
  expect(await all(store.list(''))).toEqual([])
})

test('the folder of a new store is gone after the trial, and a folder that was there stays, with what others put into it', async () => {
  const place = path.join(folder, `${++count}`)
  await states(new FileStore(place))
  expect(existsSync(place)).toBe(false)
  const store = new FileStore(place)
  const shared = through(store, async (what, _, perform) => {
    if (what === 'head') writeFileSync(path.join(place, 'of-another'), '')
    return perform()
  })
  await states({ ...shared, removeMade: () => store.removeMade() })
  expect(readdirSync(place)).toEqual(['of-another'])
  await states(new FileStore(place))
  expect(existsSync(path.join(place, 'of-another'))).toBe(true)
})

test('an interrupted trial leaves nothing in a folder', async () => {
  const place = path.join(folder, `${++count}`)
  const controller = new AbortController()
  const store = new FileStore(place)
  const interrupted = through(store, async (what, _, perform) => {
    const answer = await perform()
    if (what === 'get') controller.abort(new Error('interrupted'))
    return answer
  })
  const trial = tryStore({ ...interrupted, removeMade: () => store.removeMade() }, () => new Date(), controller.signal)
  await expect(trial).rejects.toThrow('interrupted')
  expect(existsSync(place)).toBe(false)
})

test.each(['list', 'put', 'get', 'head', 'delete'] as const)('a store that refuses to %s is told so, with its own words and hint', async (operation) => {
  const refusing = through(fresh(), (what, _, perform) => (what === operation ? Promise.reject(new LifeboatError(`no permission to ${what}`, { hint: 'Ask for it.' })) : perform()))
  const checks = await tryStore(refusing, () => new Date(), new AbortController().signal)
  expect(checks.filter(({ state }) => state === 'bad')).toContainEqual(expect.objectContaining({ says: `no permission to ${operation}`, fix: 'Ask for it.' }))
})

test('where nothing can be put, nothing is said of deletion, and no backup is advised', async () => {
  const checks = await tryStore(new FileStore(path.join(folder, 'missing', 'store')), () => new Date(), new AbortController().signal)
  expect(checks.map(({ check, state, fix }) => [check, state, fix === undefined])).toEqual([['list', 'good', true], ['put', 'bad', false]])
})

test('a store that gives back other bytes than it was given is not one to back up to', async () => {
  const real = fresh()
  const store: Store = {
    ...through(real, (_, __, perform) => perform()),
    put: (key, bytes) => real.put(key, Buffer.concat([bytes.subarray(0, 7), Buffer.from([bytes[7]! ^ 1]), bytes.subarray(8)])),
  }
  expect(await states(store)).toMatchObject({ get: 'bad' })
})

test('doctor notices a store that does not list an object at once, or does not delete it', async () => {
  const real = fresh()
  const lagging: Store = { ...through(real, (_, __, perform) => perform()), async *list() {}, delete: async () => undefined }
  expect(await states(lagging)).toMatchObject({ put: 'good', find: 'warning', delete: 'bad' })
})

test('a clock that differs by minutes is a warning that says which way', async () => {
  const ahead = await tryStore(fresh(), () => new Date(Date.now() - 600_000), new AbortController().signal)
  expect(ahead).toContainEqual(expect.objectContaining({ check: 'clock', state: 'warning', says: expect.stringMatching(/^is (599|600|601) s ahead of/) }))
})

test('an interruption ends the trial', async () => {
  const controller = new AbortController()
  controller.abort(new Error('interrupted'))
  await expect(tryStore(fresh(), () => new Date(), controller.signal)).rejects.toThrow('interrupted')
})
