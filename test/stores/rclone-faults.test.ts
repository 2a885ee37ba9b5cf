import { setTimeout as sleep } from 'node:timers/promises'
import { parseRclone } from '../../src/stores/rclone/destination.ts'
import { RcloneStore } from '../../src/stores/rclone/store.ts'
import { NotFound, type Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { type Ceph, startCeph } from '../support/ceph.ts'
import { type HttpProxy, startHttpProxy } from '../support/http-proxy.ts'
import { destinationOf, newBucket, openBucket } from '../support/s3-place.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { eachOperation, expectInterruptible, failure } from './remote-faults.ts'

// rclone's remote is a bucket, reached through a proxy of ours. One thing cannot be asked here: that wrong bytes are noticed, since rclone's server compares
// no checksums (the reader does: every chunk is authenticated, and every byte of a snapshot); that a Retry-After is kept to, since rclone paces itself; and that
// a connection between us and rclone fails, since it is loopback (that rclone ends is in rclone.test.ts).

let ceph: Ceph
let bucket: string
let whole: Store
beforeAll(async () => {
  ceph = await startCeph()
  bucket = await newBucket(ceph)
  whole = openBucket(destinationOf(ceph, `${bucket}/store`))
})
afterAll(async () => {
  await whole.close()
  await ceph.stop()
})

const refusal = (status: number, code: string) => ({ status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>so it is</Message></Error>`) })

const MIB = 1024 * 1024
const opened: Store[] = []
let count = 0

interface Given {
  timeout?: number
  pause?: number
  signal?: AbortSignal
  place?: string
}

function open(port: number, { timeout = 30_000, pause = 10, signal = new AbortController().signal, place = `${bucket}/store` }: Given = {}): RcloneStore {
  const destination = parseRclone(`rclone:away:${place}`)
  const remote = { TYPE: 's3', PROVIDER: 'Ceph', ENDPOINT: `http://127.0.0.1:${port}`, ACCESS_KEY_ID: ceph.accessKey, SECRET_ACCESS_KEY: ceph.secretKey }
  const variables = {
    ...Object.fromEntries(Object.entries(remote).map(([name, value]) => [`RCLONE_CONFIG_AWAY_${name}`, value])),
    PATH: process.env['PATH'],
    RCLONE_CONFIG: '',
    // Changes on the server are seen at once, and trouble is reported after two requests.
    RCLONE_DIR_CACHE_TIME: '0s',
    RCLONE_LOW_LEVEL_RETRIES: '1',
  }
  const store = new RcloneStore(destination, { timeout, pause, signal, variables })
  opened.push(store)
  return store
}

/** One that has been used, so that rclone serves. */
async function used(port: number, given: Given = {}): Promise<RcloneStore> {
  const store = open(port, given)
  await store.put('used', Buffer.from('used'))
  return store
}

const listed = async (prefix: string) => (await all(whole.list(prefix))).map(({ key, size }) => [key, size])

beforeEach(() => void count++)
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

describe('when connections fail:', () => {
  let proxy: TcpProxy
  beforeEach(async () => void (proxy = await startTcpProxy(Number(new URL(ceph.endpoint).port))))
  afterEach(() => proxy.close())

  test('a service that is away for a moment is asked again', async () => {
    const store = await used(proxy.port, { pause: 100 })
    await proxy.refuse()
    const put = store.put(`away-${count}`, noise('away', 1000))
    await sleep(150)
    await proxy.accept()
    await put
    expect(noise('away', 1000).equals(await whole.get(`away-${count}`, ANY_SIZE))).toBe(true)
  })

  test('a service that is not there ends everything in one error each', async () => {
    const store = await used(proxy.port, { timeout: 2000 })
    await proxy.refuse()
    const errors = await Promise.all(eachOperation.map(([name, operation]) => failure(operation(store, whole, `nowhere-${count}-${name}`))))
    // All of them are with one rclone, whose log is the reason of each.
    expect(errors.map(({ message }) => message)).toEqual(eachOperation.map(() => expect.stringMatching(/connection refused/)))
  })

  test('a reset in the middle of a put leaves the old object until the new one is whole', async () => {
    const store = await used(proxy.port)
    await whole.put('reset/put', noise('old', 100_000))
    proxy.resetAfter(MIB, 'up', 2)
    await store.put('reset/put', noise('new', 3 * MIB))
    expect(noise('new', 3 * MIB).equals(await whole.get('reset/put', ANY_SIZE))).toBe(true)
    expect(await listed('reset/')).toEqual([['reset/put', 3 * MIB]])
  })

  test('a put that never succeeds leaves the old object', async () => {
    const store = await used(proxy.port)
    await whole.put('never/put', noise('old', 100_000))
    proxy.resetAfter(MIB, 'up', 1000)
    await failure(store.put('never/put', noise('new', 3 * MIB)))
    expect(noise('old', 100_000).equals(await whole.get('never/put', ANY_SIZE))).toBe(true)
    expect(await listed('never/')).toEqual([['never/put', 100_000]])
  })

  test.each(['reset', 'end'] as const)('a get that ends half way (%s) is made again', async (how) => {
    const store = await used(proxy.port)
    await whole.put('half', noise('half', 3 * MIB))
    if (how === 'reset') proxy.resetAfter(MIB, 'down', 2)
    else proxy.endAfter(MIB, 'down', 2)
    expect(noise('half', 3 * MIB).equals(await store.get('half', ANY_SIZE))).toBe(true)
  })

  test.each(['up', 'down'] as const)('a connection on which nothing moves any more (%s) is given up, and the work goes on over another', async (direction) => {
    const store = await used(proxy.port, { timeout: 9000 })
    await whole.put('stalled', noise('stalled', 3 * MIB))
    proxy.stallAfter(MIB, direction)
    if (direction === 'up') await store.put('stalled', noise('stalled', 3 * MIB))
    else expect(noise('stalled', 3 * MIB).equals(await store.get('stalled', ANY_SIZE))).toBe(true)
    expect(noise('stalled', 3 * MIB).equals(await whole.get('stalled', ANY_SIZE))).toBe(true)
  })

  test.each(['that is open', 'that is opened'])('a service that never says a word ends a store %s in one error within its time', async (which) => {
    const store = which === 'that is open' ? await used(proxy.port, { timeout: 2000 }) : open(proxy.port, { timeout: 2000 })
    proxy.stallAfter(1, 'down', 1000)
    proxy.endAll()
    const started = performance.now()
    await failure(store.get('silent', ANY_SIZE))
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('an interruption ends a wait at once, and for good', () => expectInterruptible(proxy, (signal) => used(proxy.port, { signal })))
})

describe('when the service fails:', () => {
  let proxy: HttpProxy
  let store: RcloneStore
  beforeAll(async () => void (proxy = await startHttpProxy(Number(new URL(ceph.endpoint).port))))
  afterAll(() => proxy.close())
  beforeEach(async () => {
    proxy.reset()
    store = await used(proxy.port)
  })

  test.each([[500, 'InternalError', 3], [503, 'SlowDown', 1]])('a storm of %s %s passes', async (status, code, times) => {
    // SlowDown costs a second each time.
    for (const [, operation] of code === 'SlowDown' ? eachOperation.slice(0, 2) : eachOperation) {
      proxy.on(() => true, refusal(status, code), times)
      await operation(store, whole, `storm-${count}-${proxy.seen.length}`)
    }
  })

  // rclone's server has 404 for this too, and writes an error after the end of a list: neither may pass for an object or a folder that is not there.
  test.each(eachOperation)('a service that stays in trouble ends %s in one error', async (_, operation) => {
    proxy.on(() => true, refusal(400, 'InTrouble'), 1000)
    const { message } = await failure(operation(store, whole, `trouble-${count}`))
    expect(message).toMatch(/InTrouble|\(status 405\)/)
    expect(message).not.toContain('127.0.0.1')
  })

  test('a list of which a part cannot be had is no list', async () => {
    await whole.put(`part-${count}/here/object`, Buffer.from('x'))
    await whole.put(`part-${count}/there/object`, Buffer.from('x'))
    proxy.on(({ url }) => url.includes('there'), refusal(400, 'InTrouble'), 1000)
    await failure(all(store.list(`part-${count}/`)))
  })

  test.each([1, 2, 3])('a put of which the answer (of its request %s that changes something) was lost is made again', async (which) => {
    const key = `lost-${count}/object`
    let changes = 0
    proxy.on(({ method }) => !['GET', 'HEAD'].includes(method) && ++changes === which, { lose: true })
    await store.put(key, noise('lost', 400_000))
    expect(noise('lost', 400_000).equals(await whole.get(key, ANY_SIZE))).toBe(true)
    expect(await listed(`lost-${count}/`)).toEqual([[key, 400_000]])
  })

  test('a delete of which the answer was lost has been made', async () => {
    await whole.put(`gone-${count}`, Buffer.from('x'))
    proxy.on(({ method }) => method === 'DELETE', { lose: true })
    await store.delete(`gone-${count}`)
    await expect(whole.get(`gone-${count}`, ANY_SIZE)).rejects.toThrow(NotFound)
  })

  test('a get that is cut off is made again', async () => {
    const key = `cut-${count}`
    await whole.put(key, noise('cut', 400_000))
    proxy.on(({ method, url }) => method === 'GET' && url.includes(key), { cut: 200_000 }, 2)
    expect(noise('cut', 400_000).equals(await store.get(key, ANY_SIZE))).toBe(true)
  })

  test.each([
    ['ExpiredToken', 400],
    ['RequestTimeTooSkewed', 403],
  ])('%s in the middle of a backup ends it in one error that says so, without a signature', async (code, status) => {
    await whole.put(`before-${count}`, Buffer.from('x'))
    proxy.on(() => true, refusal(status, code), 1000)
    for (const work of [store.put(`after-${count}`, noise('x', 1000)), store.get(`before-${count}`, ANY_SIZE), all(store.list(''))]) {
      const { message } = await failure(work)
      expect(message).toContain(code)
      expect(message).not.toMatch(/Signature|Credential/)
    }
    proxy.reset()
    expect(await listed(`after-${count}`)).toEqual([])
  })

  test.each([
    ['list', (method: string, url: string) => method === 'GET' && url.includes('delimiter'), () => all(store.list(''))],
    ['put', (method: string) => method === 'PUT' || method === 'POST', () => store.put(`forbidden-${count}`, noise('x', 1000))],
    ['delete', (method: string) => method === 'DELETE', () => store.delete(`kept-${count}`)],
  ])('no permission to %s is one error, and what is there stays', async (_, matches, work) => {
    await whole.put(`kept-${count}`, Buffer.from('x'))
    proxy.on(({ method, url }) => matches(method, url), refusal(403, 'AccessDenied'), 1000)
    await failure(work())
    expect((await whole.get(`kept-${count}`, ANY_SIZE)).toString()).toBe('x')
    await expect(whole.get(`forbidden-${count}`, ANY_SIZE)).rejects.toThrow(NotFound)
  })

  test('a bucket that is not there holds nothing, and is made by the first put', async () => {
    const place = `new-bucket-${count}`
    const other = open(proxy.port, { place })
    expect(await all(other.list(''))).toEqual([])
    await expect(other.get('object', ANY_SIZE)).rejects.toThrow(NotFound)
    await other.put('object', Buffer.from('x'))
    const direct = openBucket(destinationOf(ceph, place))
    expect((await direct.get('object', ANY_SIZE)).toString()).toBe('x')
    await direct.close()
  })
})
