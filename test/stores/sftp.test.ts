import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseKnownHosts } from '../../src/net/ssh/known-hosts.ts'
import { SftpStore, type SftpOptions } from '../../src/stores/sftp/store.ts'
import { NotFound } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { type SshServer, startSshServer } from '../support/ssh-server.ts'
import { thrownBy } from '../support/thrown.ts'
import { storeContract } from './contract.ts'
import { tcpFaults } from './remote-faults.ts'

let server: SshServer
let plain: SshServer
let count = 0
beforeAll(async () => {
  server = await startSshServer()
  // As a server that is not OpenSSH: none of its extensions.
  plain = await startSshServer({ sftp: '-P posix-rename,fsync,statvfs,fstatvfs,hardlink,lsetstat,limits,expand-path,copy-data,home-directory,users-groups-by-id' })
})
afterAll(async () => {
  await server.stop()
  await plain.stop()
})

function storeAt(folder: string, { on = server, ...more }: Partial<SftpOptions> & { on?: SshServer } = {}): SftpStore {
  return new SftpStore({
    text: 'sftp://test',
    target: { user: on.user, host: '127.0.0.1', port: on.port },
    access: { key: on.key, knownHosts: parseKnownHosts(on.knownHosts.ed25519) },
    path: folder,
    timeout: 30_000,
    variables: {},
    signal: new AbortController().signal,
    ...more,
  })
}

const freshFolder = (on: SshServer = server): string => path.join(on.folder, `store-${++count}`)

storeContract('a folder on an SFTP server', async () => {
  const folder = freshFolder()
  const opened: SftpStore[] = []
  const open = (): SftpStore => {
    const store = storeAt(folder)
    opened.push(store)
    return store
  }
  return {
    store: open(),
    reopen: async () => open(),
    close: async () => {
      for (const store of opened) await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})

tcpFaults('a folder on an SFTP server', async () => {
  const folder = freshFolder()
  const knownHosts = parseKnownHosts(server.knownHosts.ed25519.replace(/^\S+/, '127.0.0.1'))
  return {
    port: server.port,
    open: async (port, patience) => storeAt(folder, { ...patience, target: { user: server.user, host: '127.0.0.1', port }, access: { key: server.key, knownHosts } }),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }
})

test('a put leaves no temporary file, and nobody but the owner can read what it wrote', async () => {
  const folder = freshFolder()
  const store = storeAt(folder)
  await store.put('chunks/aa/object', Buffer.from('x'))
  await store.close()
  expect(readdirSync(path.join(folder, '.incoming'))).toEqual([])
  for (const name of ['', 'chunks', 'chunks/aa', '.incoming', 'chunks/aa/object']) expect(statSync(path.join(folder, name)).mode & 0o077).toBe(0)
})

test('a relative path begins where a login starts', async () => {
  const folder = freshFolder()
  const store = storeAt(path.relative(process.env['HOME']!, folder))
  await store.put('object', Buffer.from('x'))
  await store.close()
  expect(existsSync(path.join(folder, 'object'))).toBe(true)
})

test('a server without any extension stores, replaces, lists and deletes, and tells no free space', async () => {
  const folder = freshFolder(plain)
  const store = storeAt(folder, { on: plain })
  const [first, second] = [noise('first', 400_000), noise('second', 300_000)]
  await store.put('a/object', first)
  await store.put('a/object', second)
  expect(second.equals(await store.get('a/object', ANY_SIZE))).toBe(true)
  await Promise.all(Array.from({ length: 6 }, (_, writer) => store.put('a/shared', Buffer.alloc(100_000 + writer, writer))))
  const shared = await store.get('a/shared', ANY_SIZE)
  expect(shared.equals(Buffer.alloc(100_000 + shared[0]!, shared[0]))).toBe(true)
  await store.delete('a/object')
  expect((await all(store.list(''))).map(({ key }) => key)).toEqual(['a/shared'])
  expect(readdirSync(path.join(folder, '.incoming'))).toEqual([])
  expect(await store.free()).toBeUndefined()
  await store.close()
})

test('OpenSSH tells how much room there is', async () => {
  const store = storeAt(server.folder)
  expect(await store.free()).toBeGreaterThan(1_000_000)
  await store.close()
})

test('an operation that runs when the connection is cut is retried over a new one', async () => {
  const store = storeAt(freshFolder())
  const object = noise('large', 16_000_000)
  await store.put('first', object)
  const putting = store.put('second', object)
  const getting = store.get('first', ANY_SIZE)
  await server.cut()
  await putting
  expect(object.equals(await getting)).toBe(true)
  expect(object.equals(await store.get('second', ANY_SIZE))).toBe(true)
  await server.cut()
  expect((await all(store.list(''))).map(({ key }) => key).toSorted()).toEqual(['first', 'second'])
  await store.close()
})

test('files that killed runs left are removed by a run that wrote, once they are a day old', async () => {
  const folder = freshFolder()
  mkdirSync(path.join(folder, '.incoming'), { recursive: true })
  const young = randomUUID()
  // The last is no name of ours.
  for (const [name, hours] of [[randomUUID(), 25], [young, 23], ['letter', 25]] as const) {
    writeFileSync(path.join(folder, '.incoming', name), 'half of an obj')
    utimesSync(path.join(folder, '.incoming', name), Date.now() / 1000 - hours * 3600, Date.now() / 1000 - hours * 3600)
  }
  const reader = storeAt(folder)
  expect(await all(reader.list(''))).toEqual([])
  await reader.close()
  expect(readdirSync(path.join(folder, '.incoming'))).toHaveLength(3)
  const writer = storeAt(folder)
  await writer.put('object', Buffer.from('x'))
  await writer.close()
  expect(readdirSync(path.join(folder, '.incoming')).toSorted()).toEqual([young, 'letter'].toSorted())
})

test('an abort ends a put at once, and the store can be closed', async () => {
  const controller = new AbortController()
  const store = storeAt(freshFolder(), { signal: controller.signal })
  await store.put('object', Buffer.from('x'))
  const putting = store.put('large', noise('large', 16_000_000))
  controller.abort(new Error('interrupted'))
  await expect(putting).rejects.toThrow('interrupted')
  await expect(store.get('object', ANY_SIZE)).rejects.toThrow('interrupted')
  await store.close()
})

test('a key that leads elsewhere is refused', async () => {
  const store = storeAt(freshFolder())
  expect(() => store.put('../outside', Buffer.from('x'))).toThrow('is not a key of an object')
  await expect(all(store.list('../'))).rejects.toThrow('is not a key of an object')
  await store.close()
})

test('a file where the folder should be is an error that tells the server’s word and what to look for', async () => {
  const folder = freshFolder()
  writeFileSync(folder, 'a file')
  const store = storeAt(folder)
  await expect(store.get('object', ANY_SIZE)).rejects.toThrow(NotFound)
  const error = await thrownBy(store.put('object', Buffer.from('x')))
  expect(error.message).toMatch(/^cannot write object to sftp:\/\/test: /)
  expect(error.hint).toContain('a file is where a folder should be')
  await store.close()
})

test('a server without SFTP is told from one that does not answer', async () => {
  const bare = await startSshServer({ sftp: false })
  const store = storeAt(freshFolder(), { on: bare })
  expect((await thrownBy(store.get('object', ANY_SIZE))).message).toContain('offers no SFTP')
  await store.close()
  const port = bare.port
  await bare.stop()
  const late = storeAt('/nowhere', { on: { ...bare, port }, timeout: 2000 })
  const error = await thrownBy(late.get('object', ANY_SIZE))
  expect(error.message).toMatch(/^cannot read object from sftp:\/\/test: the connection to 127\.0\.0\.1:\d+ failed: .*ECONNREFUSED/)
  expect(error.hint).toContain('Check that the SSH server is running')
  await late.close()
})

test('the folder that a trial made is removed, and stays if it was there or has something of another run in it', async () => {
  const folder = freshFolder()
  const trial = async (more = async () => undefined as unknown): Promise<void> => {
    const store = storeAt(folder)
    await store.put('doctor/1', Buffer.from('a trial'))
    await store.delete('doctor/1')
    await more()
    await store.removeMade()
    await store.close()
  }
  await trial()
  expect(existsSync(folder)).toBe(false)
  const other = storeAt(folder)
  await trial(() => other.put('chunks/aa/one', Buffer.from('of another run')))
  expect(readdirSync(folder)).toContain('chunks')
  await other.delete('chunks/aa/one')
  await trial()
  expect(readdirSync(folder)).toContain('chunks')
  await other.close()
})

test('a new store needs the folder above it', async () => {
  const folder = freshFolder()
  const store = storeAt(`${folder}/store`)
  expect((await thrownBy(store.requirePlace())).message).toContain(`the folder ${folder}, where it would be made, is missing`)
  mkdirSync(folder)
  await store.requirePlace()
  await store.close()
  // The folder of the login, and the root.
  for (const path of ['', '/', 'backups', '/backups']) {
    const other = storeAt(path)
    await other.requirePlace()
    await other.close()
  }
})
