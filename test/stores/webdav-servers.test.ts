import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { WebdavStore, type WebdavOptions } from '../../src/stores/webdav/store.ts'
import { ANY_SIZE, noise } from '../support/bytes.ts'
import { startHttpProxy } from '../support/http-proxy.ts'
import { thrownBy } from '../support/thrown.ts'
import { type OpenWebdavServer, startLighttpd, startNginx, startNpmWebdav, startRcloneWebdav } from '../support/webdav-servers.ts'
import { storeContract } from './contract.ts'

let count = 0

const storeAt = (base: string, more: Partial<WebdavOptions> = {}): WebdavStore =>
  new WebdavStore({ text: 'webdav://test', base, user: undefined, password: undefined, token: undefined, timeout: 30_000, signal: new AbortController().signal, ...more })

/** A pause between tries longer than a test may take: what is tried again as a passing failure does not end in time. */
const IMPATIENT = { pause: 600_000, timeout: 3_600_000 }
const asRoot = process.getuid?.() === 0

const servers: Record<string, () => Promise<OpenWebdavServer>> = { nginx: () => startNginx(), lighttpd: startLighttpd, 'webdav-server of npm': startNpmWebdav, 'rclone serve webdav': startRcloneWebdav }

describe.each(Object.entries(servers))('%s', (name, start) => {
  let server: OpenWebdavServer
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.stop())

  storeContract(`a folder of ${name}`, async () => {
    const folder = `store-${++count}`
    const base = `${server.base}${folder}/`
    return {
      store: storeAt(base),
      reopen: async () => storeAt(base),
      close: async () => rmSync(path.join(server.files, folder), { recursive: true, force: true }),
    }
  }, { many: 300, gap: true, throughFiles: name === 'lighttpd' })

  if (asRoot) {
    test('a full disk fails a put, names disk or quota, and leaves nothing of it; what was there stays', async () => {
      const folder = path.join(server.files, 'full')
      mkdirSync(folder)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'lifeboat-test', folder])
      try {
        const store = storeAt(`${server.base}full/`, { pause: 10 })
        await store.put('chunks/aa/earlier', noise('earlier', 100_000))
        const error = await thrownBy(store.put('chunks/aa/large', noise('large', 4_000_000)))
        expect(`${error.message} ${error.hint}`).toMatch(/\b(disk|quota)\b/)
        expect(noise('earlier', 100_000).equals(await store.get('chunks/aa/earlier', ANY_SIZE))).toBe(true)
        await store.close()
        expect(readdirSync(path.join(folder, '.incoming'))).toEqual([])
        expect(readdirSync(path.join(folder, 'chunks/aa'))).toEqual(['earlier'])
      } finally {
        // Some servers keep the file open that they could not write.
        execFileSync('umount', ['--lazy', folder])
      }
    })
  }
})

describe('nginx', () => {
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })
  const started = async (settings: Parameters<typeof startNginx>[0] = {}): Promise<OpenWebdavServer> => {
    const server = await startNginx(settings)
    stops.push(() => server.stop())
    return server
  }

  test('makes each missing folder once, at once, and has no further request for one that is there', async () => {
    const server = await started()
    const proxy = await startHttpProxy(server.port)
    stops.push(() => proxy.close())
    const store = storeAt(`http://127.0.0.1:${proxy.port}/deep/store/`, IMPATIENT)
    const asked = (): string[] => proxy.seen.splice(0).map(({ method, url }) => `${method} ${url.replace(/[0-9a-f-]{36}/, 'temporary')}`)
    await store.put('chunks/aa/one', Buffer.from('x'))
    const [temporary, incoming] = ['/deep/store/.incoming/temporary', '/deep/store/.incoming/']
    // Up to the folder that is there, and down again; its MOVE makes folders by itself.
    expect(asked()).toEqual([`PUT ${temporary}`, ...[incoming, '/deep/store/', '/deep/', '/deep/store/', incoming].map((folder) => `MKCOL ${folder}`), `PUT ${temporary}`, `MOVE ${temporary}`])
    await store.put('chunks/aa/two', Buffer.from('x'))
    expect(asked()).toEqual(['PUT /deep/store/.incoming/temporary', 'MOVE /deep/store/.incoming/temporary'])
    expect((await store.get('chunks/aa/one', ANY_SIZE)).toString()).toBe('x')
  })

  test('that takes no uploads is told at once, also when it has answered before', async () => {
    const server = await started({ methods: 'DELETE' })
    mkdirSync(path.join(server.files, 'store/.incoming'), { recursive: true })
    writeFileSync(path.join(server.files, 'store/there'), 'there')
    const store = storeAt(`${server.base}store/`, IMPATIENT)
    expect((await store.get('there', ANY_SIZE)).toString()).toBe('there')
    const error = await thrownBy(store.put('object', Buffer.from('x')))
    expect(error.message).toContain('refuses (status 405)')
    expect(error.hint).toContain('dav_methods')
  })

  test('with a file where a folder should be is told at once', async () => {
    const server = await started()
    mkdirSync(path.join(server.files, 'store'))
    writeFileSync(path.join(server.files, 'store/.incoming'), '')
    const store = storeAt(`${server.base}store/`, IMPATIENT)
    expect((await thrownBy(store.put('object', Buffer.from('x')))).message).toContain('refuses (status 405)')
  })

  test('with its limit of a megabyte for uploads names the limit', async () => {
    const server = await started({ limit: '1m' })
    const store = storeAt(`${server.base}store/`, { pause: 10 })
    await store.put('small', noise('small', 1_000_000))
    const error = await thrownBy(store.put('large', noise('large', 3_000_000)))
    expect(error.message).toContain('status 413')
    expect(error.hint).toContain('client_max_body_size')
  })
})
