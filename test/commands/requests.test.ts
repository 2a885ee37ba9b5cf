import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { proveSnapshot } from '../../src/repository/proofs.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, identity, keys } from '../support/engine.ts'
import { type HttpProxy, startHttpProxy } from '../support/http-proxy.ts'
import { startApache, type WebdavServer } from '../support/webdav-server.ts'

let server: WebdavServer
let proxy: HttpProxy
let folder: string
beforeAll(async () => {
  server = await startApache()
  proxy = await startHttpProxy(server.port)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-requests-'))
  mkdirSync(path.join(folder, 'uploads'))
  writeFileSync(path.join(folder, 'uploads/file'), noise('file', 10_000))
})
afterAll(async () => {
  await proxy.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

const START = Date.UTC(2026, 9, 1)
const DAY = 86_400_000

/** A store on the server with so many nightly snapshots, each with its proof. */
async function storeOf(nights: number): Promise<Record<string, string>> {
  const root = path.join(server.files, `${nights}`)
  const store = new FileStore(root)
  await openOrMakeRepository(store)
  for (let night = 0; night < nights; night++) {
    const time = new Date(START + night * DAY)
    const { id } = await backUp({ store, time }, { app: noise(`night ${night}`, 500) })
    await proveSnapshot(store, keys, { snapshot: id, set: 'app', time, level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
  }
  // By chance a new chunk needs a folder that is not there yet, which costs two requests more.
  for (let first = 0; first < 256; first++) mkdirSync(path.join(root, 'chunks', first.toString(16).padStart(2, '0')), { recursive: true })
  execFileSync('chmod', ['-R', 'a+rwX', root])
  const destination = `webdav://${encodeURIComponent(server.user)}:${encodeURIComponent(server.password)}@127.0.0.1:${proxy.port}/dav/${nights}`
  return { destination, 'encryption-key': identity, set: 'app' }
}

/** Requests that read. A put takes two more where the folder of the object is not there yet, which depends on random names. */
async function requestsOf(work: () => Promise<unknown>): Promise<number> {
  proxy.reset()
  await work()
  return proxy.seen.filter(({ method }) => !['PUT', 'MKCOL'].includes(method)).length
}

const counts: Record<number, { list: number; check: number; backup: number }> = {}
let given: Record<string, string>
beforeAll(async () => {
  for (const nights of [22, 32]) {
    given = await storeOf(nights)
    const now = new Date(START + nights * DAY)
    counts[nights] = {
      list: await requestsOf(() => dispatched('list', given, now)),
      check: await requestsOf(() => dispatched('check', { ...given, 'max-age': '2d' }, now)),
      backup: await requestsOf(() => dispatched('backup', { ...given, volumes: `uploads=${path.join(folder, 'uploads')}` }, now, { temporary: folder })),
    }
  }
})

test('list asks once for each snapshot more, whatever proofs there are', () => {
  expect(counts[32]!.list - counts[22]!.list).toBe(10)
  expect(counts[22]!.list).toBeLessThan(22 + 10)
})

test('backup and check ask no more of a store with more snapshots', () => {
  expect([counts[32]!.check, counts[32]!.backup]).toEqual([counts[22]!.check, counts[22]!.backup])
})

test('a restore with credentials that only read is as good as another, and asks for nothing again', async () => {
  const now = new Date(START + 40 * DAY)
  const into = (target: string) => dispatched('restore', { ...given, volume: 'uploads', target: path.join(folder, target) }, now, { temporary: folder, variables: { PATH: process.env['PATH'] } })
  const plain = await requestsOf(() => into('first'))
  expect(proxy.seen.filter(({ method, status }) => method === 'MOVE' && status === 201).length).toBe(1)
  proxy.reset()
  proxy.on(({ method }) => ['PUT', 'MKCOL', 'MOVE', 'DELETE'].includes(method), { status: 403 }, 100)
  const { result, warnings } = await into('second')
  expect([result.errors, warnings]).toEqual([[], []])
  const { length } = proxy.seen.filter(({ method }) => !['PUT', 'MKCOL'].includes(method))
  expect(length).toBeLessThanOrEqual(plain)
  expect(proxy.seen.filter(({ status }) => status === 403).length).toBeLessThanOrEqual(5)
})
