import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../src/error.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { failureOf } from '../../src/report/failure.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { DamagedObject, type Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE } from '../support/bytes.ts'
import { thrownBy } from '../support/thrown.ts'

/** A store in a folder that someone else can write to as well. */

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
let root: string
let outside: string
let store: FileStore
beforeEach(async () => {
  root = path.join(folder, `${++count}`)
  outside = path.join(folder, `${count}-outside`)
  store = new FileStore(root)
  await store.put('chunks/aa/one', Buffer.from('one'))
  await store.put('snapshots/app/one', Buffer.from('two'))
})

const at = (key: string): string => path.join(root, key)
/** Moves the object of this key elsewhere, and puts a link to it in its place. */
function moveAway(key: string): void {
  mkdirSync(path.dirname(outside), { recursive: true })
  renameSync(at(key), outside)
  symlinkSync(outside, at(key))
}
const old = (file: string): void => utimesSync(file, 1, 1)

const operations: Record<string, (store: Store) => Promise<unknown>> = {
  put: (store) => store.put('chunks/aa/two', Buffer.from('x')),
  get: (store) => store.get('chunks/aa/one', ANY_SIZE),
  head: (store) => store.head('chunks/aa/one'),
  list: (store) => all(store.list('chunks/')),
  delete: (store) => store.delete('chunks/aa/one'),
}

describe.each(['chunks', 'chunks/aa'])('a store in which %s is a link', (key) => {
  test.each(Object.entries(operations))('refuses to %s', async (_, operation) => {
    moveAway(key)
    const before = execFileSync('find', [outside], { encoding: 'utf8' })
    for (const each of [store, new FileStore(root)]) {
      const error = await thrownBy(operation(each))
      expect(error.message).toBe(`${key} in ${store.name} is a link, not a folder`)
      expect(error.hint).toContain('not followed')
    }
    expect(execFileSync('find', [outside], { encoding: 'utf8' })).toBe(before)
  })
})

test('a link in place of a folder is not taken for an empty one by a listing of what is above it', async () => {
  moveAway('snapshots/app')
  expect((await thrownBy(all(store.list('snapshots/')))).message).toContain('snapshots/app in')
  rmSync(at('snapshots/app'))
  // It leads nowhere: an object of that name, which cannot be read.
  symlinkSync(path.join(outside, 'nowhere'), at('snapshots/app'))
  expect((await all(store.list('snapshots/'))).map(({ key }) => key)).toEqual(['snapshots/app'])
})

test('the folder that the user names may be a link itself', async () => {
  const link = path.join(folder, `${count}-link`)
  symlinkSync(root, link)
  const linked = new FileStore(link)
  for (const operation of Object.values(operations)) await operation(linked)
  await linked.close()
})

test('a linked folder of uploads is refused, and nothing is deleted where it leads', async () => {
  rmSync(at('.incoming'), { recursive: true })
  mkdirSync(outside)
  const names = ['letter.txt', randomUUID()]
  for (const name of names) {
    writeFileSync(path.join(outside, name), 'precious')
    old(path.join(outside, name))
  }
  symlinkSync(outside, at('.incoming'))
  expect((await thrownBy(store.put('chunks/aa/two', Buffer.from('x')))).message).toContain('.incoming in')
  for (const each of [store, new FileStore(root)]) expect((await thrownBy(each.sweep())).message).toContain('.incoming in')
  expect(readdirSync(outside).toSorted()).toEqual(names.toSorted())
})

test('of the folder of uploads only plain files are removed that are named as ours are, and old', async () => {
  mkdirSync(outside)
  const names = { abandoned: randomUUID(), young: randomUUID(), folder: randomUUID(), link: randomUUID(), fifo: randomUUID() }
  for (const name of [names.abandoned, names.young, 'letter.txt', `${names.abandoned}.txt`]) writeFileSync(at(`.incoming/${name}`), 'x')
  writeFileSync(path.join(outside, randomUUID()), 'precious')
  mkdirSync(at(`.incoming/${names.folder}`))
  writeFileSync(at(`.incoming/${names.folder}/${names.abandoned}`), 'precious')
  symlinkSync(outside, at(`.incoming/${names.link}`))
  execFileSync('mkfifo', [at(`.incoming/${names.fifo}`)])
  for (const name of readdirSync(at('.incoming'))) if (name !== names.young) old(at(`.incoming/${name}`))
  old(at(`.incoming/${names.folder}/${names.abandoned}`))
  await store.sweep()
  const { abandoned, ...staying } = names
  expect(readdirSync(at('.incoming')).toSorted()).toEqual([...Object.values(staying), 'letter.txt', `${abandoned}.txt`].toSorted())
  expect(existsSync(at(`.incoming/${names.folder}/${abandoned}`))).toBe(true)
  expect(readdirSync(outside)).toHaveLength(1)
})

test.each(['link', 'FIFO', 'device', 'socket'])('a %s in place of an object is a damaged object, which is listed, replaced and deleted as one', async (kind) => {
  const key = 'chunks/aa/one'
  const place = (): void => {
    rmSync(at(key))
    if (kind === 'link') symlinkSync('/etc/passwd', at(key))
    else if (kind === 'FIFO') execFileSync('mkfifo', [at(key)])
    else if (kind === 'socket') execFileSync(process.execPath, ['-e', 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))', at(key)], { stdio: 'ignore', killSignal: 'SIGKILL' })
    else if (process.getuid?.() === 0) execFileSync('mknod', [at(key), 'c', '1', '5'])
    else symlinkSync('/dev/zero', at(key))
  }
  try {
    place()
  } catch (error) {
    // The socket stays behind when its program is killed.
    if (kind !== 'socket') throw error
  }
  const error = await store.get(key, ANY_SIZE).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DamagedObject)
  expect(error).toMatchObject({ message: `${key} in ${store.name} is not a plain file`, hint: expect.stringContaining('Put the object back') })
  expect((await all(store.list('chunks/'))).map(({ key }) => key)).toEqual([key])
  expect((await store.head(key)).key).toBe(key)
  await store.put(key, Buffer.from('again'))
  expect((await store.get(key, ANY_SIZE)).toString()).toBe('again')
  rmSync(at(key))
  symlinkSync('/etc/passwd', at(key))
  await store.delete(key)
  expect(readdirSync(at('chunks/aa'))).toEqual([])
  expect(readFileSync('/etc/passwd', 'utf8')).toContain('root')
})

test('the content of a file of others is in no message, whether a link leads to it or it was put there', async () => {
  const secret = 'r00t:$6$secret:19000\n'
  writeFileSync(outside, secret)
  symlinkSync(outside, at('lifeboat.json'))
  const linked = await openRepository(store).catch((error: unknown) => error)
  rmSync(at('lifeboat.json'))
  writeFileSync(at('lifeboat.json'), secret)
  const foreign = await openRepository(store).catch((error: unknown) => error)
  for (const error of [linked, foreign]) {
    expect(error).toBeInstanceOf(LifeboatError)
    expect(JSON.stringify(failureOf(error))).not.toContain('r00t')
  }
})
