import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FileStore } from '../../src/stores/file/store.ts'
import { type Failed, SeveralStores } from '../../src/stores/several.ts'
import { DamagedObject, NotFound, type Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE } from '../support/bytes.ts'
import { type Operation, through } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-several-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const fresh = (): FileStore => new FileStore(path.join(folder, `${++count}`))
const { signal } = new AbortController()
const never = (failed: Failed): never => {
  throw failed.error
}

const keysIn = async (store: Store): Promise<string[]> => (await all(store.list(''))).map(({ key }) => key).toSorted()

/** Two folders, of which the second fails at the `nth` of an operation. */
function withFailing(operation: Operation, nth = 1, controller = new AbortController()) {
  const [one, other] = [fresh(), fresh()]
  let left = nth
  const failing = through(other, (what, _, perform) => (what === operation && --left <= 0 ? Promise.reject(new Error('the disk is gone')) : perform()))
  const failed: Failed[] = []
  return { one, other, failing, failed, store: new SeveralStores([failing, one], controller.signal, (failure) => failed.push(failure)) }
}

test('an object that is put is in each of them, and one that is deleted in none', async () => {
  const [one, other] = [fresh(), fresh()]
  const store = new SeveralStores([one, other], signal, never)
  await store.put('a/b', Buffer.from('x'))
  await store.put('a/c', Buffer.from('yy'))
  await store.delete('a/b')
  for (const each of [one, other, store]) {
    expect(await keysIn(each)).toEqual(['a/c'])
    expect((await each.get('a/c', ANY_SIZE)).toString()).toBe('yy')
    await expect(each.get('a/c', 1)).rejects.toThrow(DamagedObject)
  }
  await store.close()
})

test('only what all have, with one size, is there', async () => {
  const [one, other] = [fresh(), fresh()]
  await one.put('in/one', Buffer.from('x'))
  for (const store of [one, other]) await store.put('in/both', Buffer.from('x'))
  await one.put('of/two-sizes', Buffer.from('x'))
  await other.put('of/two-sizes', Buffer.from('xx'))
  const store = new SeveralStores([one, other], signal, never)
  expect(await keysIn(store)).toEqual(['in/both'])
  expect(await store.head('in/both')).toMatchObject({ size: 1 })
  await expect(store.head('in/one')).rejects.toThrow(NotFound)
  await expect(store.head('of/two-sizes')).rejects.toThrow(NotFound)
  expect(store.name).toBe(`${one.name} and ${other.name}`)
})

test.each(['put', 'get', 'head', 'list'] as const)('one that fails to %s drops out, is named once, and gets nothing any more', async (operation) => {
  const { one, other, failing, failed, store } = withFailing(operation)
  await one.put('a', Buffer.from('x'))
  if (operation === 'put') await store.put('a', Buffer.from('x'))
  else await other.put('a', Buffer.from('x'))
  if (operation === 'get') expect((await store.get('a', ANY_SIZE)).toString()).toBe('x')
  if (operation === 'head') expect(await store.head('a')).toMatchObject({ size: 1 })
  if (operation === 'list') expect(await keysIn(store)).toEqual(['a'])
  await store.put('b', Buffer.from('y'))
  expect(await keysIn(one)).toEqual(['a', 'b'])
  expect(await keysIn(other)).not.toContain('b')
  expect(store.live).toEqual([one])
  expect(failed).toEqual([{ store: failing, error: expect.objectContaining({ message: 'the disk is gone' }) }])
})

test('one that lost an object is not one that failed', async () => {
  const { one, failed, store } = withFailing('delete')
  await one.put('a', Buffer.from('x'))
  await expect(store.get('a', ANY_SIZE)).rejects.toThrow(NotFound)
  await expect(store.head('a')).rejects.toThrow(NotFound)
  expect(failed).toEqual([])
})

test('when the last one fails, its error is thrown', async () => {
  const { one, failed, failing, store } = withFailing('put')
  const alone = new SeveralStores([failing], signal, (failure) => failed.push(failure))
  await expect(alone.put('a', Buffer.from('x'))).rejects.toThrow('the disk is gone')
  await store.put('a', Buffer.from('x'))
  expect(await keysIn(one)).toEqual(['a'])
})

test('an interruption is thrown, and is no failure of a store', async () => {
  const controller = new AbortController()
  const { failed, store } = withFailing('put', 1, controller)
  controller.abort(new Error('interrupted'))
  await expect(store.put('a', Buffer.from('x'))).rejects.toThrow('interrupted')
  expect(failed).toEqual([])
})
