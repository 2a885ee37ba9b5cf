import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { WebdavStore, type WebdavOptions } from '../../src/stores/webdav/store.ts'
import { NotFound } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { listening, portOf } from '../support/free-port.ts'
import { startApache, type WebdavServer } from '../support/webdav-server.ts'
import { thrownBy } from '../support/thrown.ts'
import { storeContract } from './contract.ts'
import { type FaultyPlace, httpFaults, tcpFaults } from './remote-faults.ts'

let server: WebdavServer
let count = 0
beforeAll(async () => {
  server = await startApache()
})
afterAll(() => server.stop())

const storeAt = (base: string, more: Partial<WebdavOptions> = {}): WebdavStore =>
  new WebdavStore({ text: 'webdav://test', base, user: server.user, password: server.password, token: undefined, timeout: 30_000, signal: new AbortController().signal, ...more })

const urlOf = (folder: string, place = 'dav'): string => `http://127.0.0.1:${server.port}/${place}/${folder}/`

storeContract('a folder on a WebDAV server (mod_dav)', async () => {
  const folder = `store-${++count}`
  return {
    store: storeAt(urlOf(folder)),
    reopen: async () => storeAt(urlOf(folder)),
    close: async () => rmSync(path.join(server.files, folder), { recursive: true, force: true }),
  }
}, { gap: true })

async function faultyPlace(): Promise<FaultyPlace> {
  const folder = `faults-${++count}`
  return {
    port: server.port,
    open: async (port, patience) => storeAt(`http://127.0.0.1:${port}/dav/${folder}/`, patience),
    close: async () => rmSync(path.join(server.files, folder), { recursive: true, force: true }),
  }
}
tcpFaults('a folder on a WebDAV server', faultyPlace)
httpFaults('a folder on a WebDAV server', { checksums: false }, faultyPlace)

test('folders above the store are made, and a put leaves no temporary file', async () => {
  const store = storeAt(urlOf('some/where/below'))
  await store.put('chunks/aa/object', Buffer.from('x'))
  await store.close()
  expect(readdirSync(path.join(server.files, 'some/where/below')).toSorted()).toEqual(['.incoming', 'chunks'])
  expect(readdirSync(path.join(server.files, 'some/where/below/.incoming'))).toEqual([])
})

test('a new store has a place where it is there, or the folder above it is; one in a missing folder is refused, and nothing is made', async () => {
  const error = await thrownBy(storeAt(urlOf('missing/store')).requirePlace())
  expect(error.message).toBe('there is no store in webdav://test yet, and the folder /dav/missing/, where it would be made, is missing')
  expect(readdirSync(server.files)).not.toContain('missing')
  await storeAt(urlOf('not-there-yet')).requirePlace()
  mkdirSync(path.join(server.files, 'there'))
  await storeAt(urlOf('there')).requirePlace()
  // Above /dav/ is no WebDAV.
  await storeAt(`http://127.0.0.1:${server.port}/dav/`).requirePlace()
  await expect(storeAt(urlOf('missing'), { password: 'wrong' }).requirePlace()).rejects.toThrow('401')
})

test('a folder above that says nothing of itself, as it is closed to the user, does not keep a store from being made', async () => {
  const answers: Record<string, number> = { '/shared/mine/': 404, '/shared/': 403, '/': 405 }
  const closed = http.createServer((request, answer) => answer.writeHead(answers[request.url ?? ''] ?? 403).end())
  try {
    const port = await listening(closed)
    await storeAt(`http://127.0.0.1:${port}/shared/mine/`).requirePlace()
  } finally {
    closed.close()
  }
})

test('a token signs in as well', async () => {
  const store = storeAt(urlOf('by-token', 'token'), { user: undefined, password: undefined, token: server.token })
  await store.put('object', Buffer.from('x'))
  expect((await store.get('object', ANY_SIZE)).toString()).toBe('x')
})

test('files that killed runs left are removed by a run that wrote, once they are a day old', async () => {
  const folder = path.join(server.files, 'abandoned')
  const store = storeAt(urlOf('abandoned'))
  await store.put('object', Buffer.from('x'))
  const young = randomUUID()
  // The last is no name of ours.
  for (const [name, hours] of [[randomUUID(), 25], [young, 23], ['letter', 25]] as const) {
    writeFileSync(path.join(folder, '.incoming', name), 'half of an obj')
    utimesSync(path.join(folder, '.incoming', name), Date.now() / 1000 - hours * 3600, Date.now() / 1000 - hours * 3600)
  }
  execFileSync('chmod', ['-R', 'a+rwX', folder])
  await storeAt(urlOf('abandoned')).close()
  expect(readdirSync(path.join(folder, '.incoming'))).toHaveLength(3)
  await store.close()
  expect(readdirSync(path.join(folder, '.incoming')).toSorted()).toEqual([young, 'letter'].toSorted())
})

test('names that are no keys are passed over', async () => {
  const folder = path.join(server.files, 'others')
  const store = storeAt(urlOf('others'))
  await store.put('a/object', Buffer.from('x'))
  mkdirSync(path.join(folder, '@eaDir'))
  for (const name of ['a/a b', 'a/ä&ö', 'a/100%', '@eaDir/thumbnail']) writeFileSync(path.join(folder, name), '')
  expect((await all(store.list(''))).map(({ key }) => key)).toEqual(['a/object'])
})

test('a wrong password, a wrong address and a server that is not WebDAV are told apart', async () => {
  const refused = await thrownBy(storeAt(urlOf('x'), { password: 'wrong' }).get('object', ANY_SIZE))
  expect(refused.message).toMatch(/^cannot read object from webdav:\/\/test: .* wants another sign-in \(status 401, Basic\)$/)
  expect(refused.hint).toContain('Check user and password')
  const moved = await thrownBy(storeAt(`http://127.0.0.1:${server.port}/moved/`).put('object', Buffer.from('x')))
  expect(moved.message).toContain('redirects to https://elsewhere.example (status 301)')
  expect(moved.hint).toContain('webdavs://elsewhere.example')
  const plain = await thrownBy(storeAt(`http://127.0.0.1:${server.port}/`, { user: undefined, password: undefined }).put('object', Buffer.from('x')))
  expect(plain.hint).toContain('does not speak WebDAV')
  for (const { message } of [refused, moved, plain]) expect(message).not.toContain(server.password)
})

test('a file where the folder should be is said', async () => {
  writeFileSync(path.join(server.files, 'a-file'), '')
  const store = storeAt(urlOf('a-file'))
  await expect(store.get('object', ANY_SIZE)).rejects.toThrow(NotFound)
  expect(await all(store.list(''))).toEqual([])
  expect((await thrownBy(store.put('object', Buffer.from('x')))).message).toContain('cannot write object')
})

test('over TLS, a certificate that no authority has signed is refused, and one that NODE_EXTRA_CA_CERTS names is taken', async () => {
  const secured = await startApache({ tls: true })
  try {
    const base = `https://127.0.0.1:${secured.port}/dav/store/`
    const refused = await thrownBy(storeAt(base).put('object', Buffer.from('x')))
    expect(refused.message).toMatch(/^(cannot write .*)?the certificate of 127\.0\.0\.1:\d+ cannot be verified/)
    expect(refused.hint).toContain('NODE_EXTRA_CA_CERTS')
    const module = path.join(import.meta.dirname, '../../src/stores/webdav/store.ts')
    const code = `
      import { WebdavStore } from ${JSON.stringify(module)}
      const store = new WebdavStore({ text: 'webdavs://test', base: process.env.BASE, user: process.env.TEST_USER, password: process.env.PASSWORD, timeout: 10000, signal: new AbortController().signal })
      await store.put('object', Buffer.from('over TLS'))
      console.log(String(await store.get('object')))`
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      env: { ...process.env, NODE_EXTRA_CA_CERTS: secured.certificate, BASE: base, TEST_USER: secured.user, PASSWORD: secured.password },
    })
    expect(printed).toBe('over TLS\n')
  } finally {
    await secured.stop()
  }
})

/** A server that answers each request with the first of these statuses that is left for its method, and from then on with the last one. */
async function serverThatAnswers(statuses: Record<string, number[]>): Promise<{ base: string; stop(): void; asked: string[] }> {
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      asked.push(request.method!)
      const left = statuses[request.method!] ?? [201]
      response.writeHead(left.length > 1 ? left.shift()! : left[0]!).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { base: `http://127.0.0.1:${portOf(server)}/`, stop: () => void server.close(), asked }
}

test.each([
  [507, /refuses \(status 507\)/, 'is full'],
  [403, /refuses \(status 403\)/, 'the right to read and write'],
])('status %i to a put is final, and says what to do', async (status, message, hint) => {
  const busy = await serverThatAnswers({ PUT: [status], MKCOL: [403] })
  try {
    const error = await thrownBy(storeAt(busy.base).put('object', noise('x', 200_000)))
    expect(error.message).toMatch(message)
    expect(error.hint).toContain(hint)
    expect(busy.asked.filter((method) => method === 'PUT')).toHaveLength(1)
  } finally {
    busy.stop()
  }
})

const LOCKED_SEVEN_TIMES = [...Array.from({ length: 7 }, () => 423), 201]

test.each(['PUT', 'MOVE', 'MKCOL', 'DELETE'])('a lock that is released after seven requests, of a server never seen before, does not fail a %s', async (method) => {
  const busy = await serverThatAnswers({ [method]: [...LOCKED_SEVEN_TIMES], ...(method === 'MKCOL' && { PUT: [...LOCKED_SEVEN_TIMES.map(() => 409), 201] }) })
  try {
    const store = storeAt(busy.base, { pause: 1 })
    await (method === 'DELETE' ? store.delete('object') : store.put('object', Buffer.from('x')))
    expect(busy.asked.filter((asked) => asked === method)).toHaveLength(8)
  } finally {
    busy.stop()
  }
})

test.each(['PUT', 'MOVE', 'DELETE'])('a lock that stays ends a %s in one error', async (method) => {
  const busy = await serverThatAnswers({ [method]: [423] })
  try {
    const store = storeAt(busy.base, { pause: 1 })
    const error = await thrownBy(method === 'DELETE' ? store.delete('object') : store.put('object', Buffer.from('x')))
    expect(error.message).toMatch(/^cannot (?:write|delete) object (?:to|from) webdav:\/\/test: .* says that it is locked \(status 423\)$/)
    expect(error.hint).toContain('wait until the lock expires')
    expect(busy.asked.filter((asked) => asked === method)).toHaveLength(8)
  } finally {
    busy.stop()
  }
})

test('a lock and a busy server are tried again', async () => {
  const busy = await serverThatAnswers({ PUT: [503, 201], MOVE: [423, 201] })
  try {
    await storeAt(busy.base).put('object', Buffer.from('x'))
    // Files that failed attempts may have left are removed.
    expect(busy.asked).toEqual(['PUT', 'PUT', 'MOVE', 'PUT', 'MOVE', 'PROPFIND'])
  } finally {
    busy.stop()
  }
})
