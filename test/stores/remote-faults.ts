import { setTimeout as sleep } from 'node:timers/promises'
import { LifeboatError } from '../../src/error.ts'
import { DamagedObject, NotFound, type Store } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { type Asked, type HttpProxy, startHttpProxy } from '../support/http-proxy.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

export interface Patience {
  /** Milliseconds for one operation with all its tries. */
  timeout: number
  /** Milliseconds of the first pause between tries. */
  pause: number
  signal: AbortSignal
}

/** A real server, and stores on it. */
export interface FaultyPlace {
  /** Of loopback, where the server listens. */
  port: number
  /** A store of that server, reached through this port instead. Every call means the same, and at first empty, place. */
  open(port: number, patience: Patience): Promise<Store>
  close(): Promise<void>
}

const MIB = 1024 * 1024
const PATIENT = { timeout: 30_000, pause: 10 }

/** The error that was thrown, which must be one of ours that says what to do. */
export async function failure(work: Promise<unknown>): Promise<LifeboatError> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof LifeboatError)) throw error
  expect(error.message).toMatch(/^(?:rclone )?cannot |^there /)
  expect(error.hint).toMatch(/\w{3}/)
  return error
}

/** The five things a store is asked for, each with what is true once it is done. `whole`: the server's own view of the place. */
const operations: Record<string, (store: Store, whole: Store, key: string) => Promise<void>> = {
  put: async (store, whole, key) => {
    await store.put(key, noise(key, 3000))
    expect(noise(key, 3000).equals(await whole.get(key, ANY_SIZE))).toBe(true)
  },
  get: async (store, whole, key) => {
    await whole.put(key, noise(key, 3000))
    expect(noise(key, 3000).equals(await store.get(key, ANY_SIZE))).toBe(true)
  },
  head: async (store, whole, key) => {
    await whole.put(key, noise(key, 3000))
    expect(await store.head(key)).toMatchObject({ key, size: 3000 })
  },
  list: async (store, whole, key) => {
    await whole.put(`${key}/one`, noise(key, 3000))
    expect(await all(store.list(`${key}/`))).toMatchObject([{ key: `${key}/one`, size: 3000 }])
  },
  delete: async (store, whole, key) => {
    await whole.put(key, noise(key, 3000))
    await store.delete(key)
    await expect(whole.get(key, ANY_SIZE)).rejects.toThrow(NotFound)
  },
}
export const eachOperation = Object.entries(operations)

/** Faults of TCP that every remote store gets over: each ends well after some attempts, or in one clear error, within its time. */
export function tcpFaults(name: string, start: () => Promise<FaultyPlace>): void {
  describe(`${name}, when connections fail:`, () => {
    let place: FaultyPlace
    let proxy: TcpProxy
    let whole: Store
    let count = 0
    const signal = new AbortController().signal
    const opened: Store[] = []
    const open = async (patience: Partial<Patience> = {}): Promise<Store> => {
      const store = await place.open(proxy.port, { ...PATIENT, signal, ...patience })
      opened.push(store)
      return store
    }
    /** One that has been used, so that what it does first is behind it. */
    const used = async (patience: Partial<Patience> = {}): Promise<Store> => {
      const store = await open(patience)
      await store.put('used', Buffer.from('used'))
      return store
    }
    beforeAll(async () => {
      place = await start()
      whole = await place.open(place.port, { ...PATIENT, signal })
    })
    afterAll(async () => {
      await whole.close()
      await place.close()
    })
    beforeEach(async () => {
      proxy = await startTcpProxy(place.port)
      count++
    })
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close()
      await proxy.close()
    })

    test('a server that is away for a moment is asked again', async () => {
      const store = await used({ pause: 100 })
      await proxy.refuse()
      const put = store.put(`away-${count}`, noise('away', 1000))
      await sleep(150)
      await proxy.accept()
      await put
      expect(noise('away', 1000).equals(await whole.get(`away-${count}`, ANY_SIZE))).toBe(true)
    })

    test.each(eachOperation)('a server that is not there ends %s in one error', async (_, operation) => {
      const store = await open()
      await proxy.refuse()
      const error = await failure(operation(store, whole, `nowhere-${count}`))
      expect(error.message).toContain('ECONNREFUSED')
    })

    test('a reset in the middle of a put leaves the old object until the new one is whole', async () => {
      const store = await used()
      await whole.put('reset/put', noise('old', 100_000))
      proxy.resetAfter(MIB, 'up', 2)
      await store.put('reset/put', noise('new', 3 * MIB))
      expect(noise('new', 3 * MIB).equals(await whole.get('reset/put', ANY_SIZE))).toBe(true)
      expect((await all(whole.list('reset/'))).map(({ key }) => key)).toEqual(['reset/put'])
    })

    test('a put that never succeeds leaves the old object', async () => {
      const store = await used()
      await whole.put('never/put', noise('old', 100_000))
      proxy.resetAfter(MIB, 'up', 1000)
      await failure(store.put('never/put', noise('new', 3 * MIB)))
      expect(noise('old', 100_000).equals(await whole.get('never/put', ANY_SIZE))).toBe(true)
      expect((await all(whole.list('never/'))).map(({ key, size }) => [key, size])).toEqual([['never/put', 100_000]])
    })

    test.each(['reset', 'end'] as const)('a get that ends half way (%s) is made again', async (how) => {
      const store = await used()
      await whole.put('half', noise('half', 3 * MIB))
      if (how === 'reset') proxy.resetAfter(MIB, 'down', 2)
      else proxy.endAfter(MIB, 'down', 2)
      expect(noise('half', 3 * MIB).equals(await store.get('half', ANY_SIZE))).toBe(true)
    })

    test.each(['up', 'down'] as const)('a connection on which nothing moves any more (%s) is given up, and the work goes on over another', async (direction) => {
      const store = await used({ timeout: 5000 })
      await whole.put('stalled', noise('stalled', 3 * MIB))
      proxy.stallAfter(MIB, direction)
      if (direction === 'up') await store.put('stalled', noise('stalled', 3 * MIB))
      else expect(noise('stalled', 3 * MIB).equals(await store.get('stalled', ANY_SIZE))).toBe(true)
      expect(noise('stalled', 3 * MIB).equals(await whole.get('stalled', ANY_SIZE))).toBe(true)
    })

    test('a server that never says a word ends in one error within its time', async () => {
      const store = await open({ timeout: 2000 })
      proxy.stallAfter(1, 'down', 1000)
      const started = performance.now()
      await failure(store.get('silent', ANY_SIZE))
      expect(performance.now() - started).toBeLessThan(10_000)
    })

    test('connections that were closed while idle are no trouble', async () => {
      const store = await used()
      for (const [, operation] of eachOperation) {
        proxy.endAll()
        await operation(store, whole, `idle-${count}-${Math.random()}`)
      }
    })

    test('an interruption ends a wait at once, and for good', () => expectInterruptible(proxy, (signal) => used({ signal })))
  })
}

/** Of a store that has the object `used`, through a proxy that can hold its answers back. */
export async function expectInterruptible(proxy: Pick<TcpProxy, 'stallAfter'>, open: (signal: AbortSignal) => Promise<Store>): Promise<void> {
  const controller = new AbortController()
  const store = await open(controller.signal)
  proxy.stallAfter(1, 'down', 1000)
  const got = store.get('used', ANY_SIZE).then(() => 'no error', (error: unknown) => error)
  await sleep(50)
  const started = performance.now()
  const reason = new LifeboatError('interrupted')
  controller.abort(reason)
  expect(await got).toBe(reason)
  await expect(store.put('after', Buffer.from('x'))).rejects.toBe(reason)
  // Without the interruption the stalled answer is waited for as long as the store's time allows, which is 30 s.
  expect(performance.now() - started).toBeLessThan(10_000)
}

export interface HttpTraits {
  /** A get notices bytes that are not those that were put, by a checksum of the service. */
  checksums: boolean
}

const reads = (asked: Asked): boolean => ['GET', 'HEAD', 'PROPFIND', 'OPTIONS'].includes(asked.method)
const objectOf = (key: string) => (asked: Asked): boolean => asked.method === 'GET' && asked.url.split('?')[0]!.endsWith(`/${key}`)
/** The body of an object of the tests below, and not a listing. */
const large = 400_000

/** Faults of a service that every store over HTTP gets over, beside `tcpFaults`. */
export function httpFaults(name: string, { checksums }: HttpTraits, start: () => Promise<FaultyPlace>): void {
  describe(`${name}, when the service fails:`, () => {
    let place: FaultyPlace
    let proxy: HttpProxy
    let whole: Store
    let store: Store
    let count = 0
    const signal = new AbortController().signal
    beforeAll(async () => {
      place = await start()
      proxy = await startHttpProxy(place.port)
      whole = await place.open(place.port, { ...PATIENT, signal })
      store = await place.open(proxy.port, { ...PATIENT, signal })
      await store.put('used', Buffer.from('used'))
    })
    afterAll(async () => {
      await store.close()
      await whole.close()
      await proxy.close()
      await place.close()
    })
    beforeEach(async () => {
      count++
      proxy.reset()
    })

    test.each([500, 502, 503, 504, 429])('a storm of status %s passes', async (status) => {
      for (const [, operation] of eachOperation) {
        proxy.on(() => true, { status, body: Buffer.from('<html>in trouble</html>') }, 3)
        await operation(store, whole, `storm-${count}-${status}-${proxy.seen.length}`)
      }
    })

    test.each(eachOperation)('a service that stays in trouble ends %s in one error', async (_, operation) => {
      proxy.on(() => true, { status: 503, body: Buffer.from('<html>in trouble</html>') }, 1000)
      const error = await failure(operation(store, whole, `trouble-${count}`))
      expect(error.message).toContain('503')
    })

    test('a service that says when to come back is not asked before', async () => {
      proxy.on(() => true, { status: 429, headers: { 'retry-after': '1' } })
      const started = performance.now()
      await store.put(`later-${count}`, noise('later', 1000))
      expect(performance.now() - started).toBeGreaterThan(990)
      expect(noise('later', 1000).equals(await whole.get(`later-${count}`, ANY_SIZE))).toBe(true)
    })

    test.each([1, 2, 3])('a put of which the answer (of its request %s that changes something) was lost is made again', async (which) => {
      const key = `lost-${count}/object`
      let changes = 0
      proxy.on((asked) => !reads(asked) && ++changes === which, { lose: true })
      await store.put(key, noise('lost', large))
      expect(noise('lost', large).equals(await whole.get(key, ANY_SIZE))).toBe(true)
      expect((await all(whole.list(`lost-${count}/`))).map(({ key, size }) => [key, size])).toEqual([[key, large]])
    })

    test('a delete of which the answer was lost has been made', async () => {
      await whole.put(`gone-${count}`, Buffer.from('x'))
      proxy.on((asked) => !reads(asked), { lose: true })
      await store.delete(`gone-${count}`)
      await expect(whole.get(`gone-${count}`, ANY_SIZE)).rejects.toThrow(NotFound)
    })

    test('a get that is cut off is made again', async () => {
      const key = `cut-${count}`
      await whole.put(key, noise('cut', large))
      proxy.on(objectOf(key), { cut: large / 2 }, 2)
      expect(noise('cut', large).equals(await store.get(key, ANY_SIZE))).toBe(true)
    })

    test('an answer that is not the object at all is not taken for it, nor for a listing', async () => {
      const key = `page-${count}`
      await whole.put(key, noise('page', large))
      const page = { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<!doctype html><html><body>Please log in</body></html>') }
      if (checksums) {
        proxy.on(objectOf(key), page, 2)
        expect(noise('page', large).equals(await store.get(key, ANY_SIZE))).toBe(true)
        proxy.reset()
      }
      proxy.on(() => true, page, 1000)
      await failure(all(store.list('')))
      await failure(store.put(`${key}-other`, noise('other', 1000)))
    })

    test('an object that does not end is read as far as it may go, whatever length was announced', async () => {
      const key = `endless-${count}`
      await whole.put(key, noise('endless', 1000))
      proxy.on(objectOf(key), { endless: true })
      const error = await store.get(key, 1000).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(DamagedObject)
      expect(error).toMatchObject({ message: expect.stringContaining(`${key} in ${store.name} has more than the 1,000 bytes`) })
      // The rest is in the buffers of both sides.
      expect(proxy.poured).toBeLessThan(32 * MIB)
    })

    if (checksums) {
      test.each(['changed', 'shortened'] as const)('bytes that were %s on their way are noticed, and read again', async (how) => {
        const key = `wrong-${count}`
        await whole.put(key, noise('wrong', large))
        proxy.on(objectOf(key), {
          change: ({ status, headers, body }) => {
            const other = Buffer.from(how === 'changed' ? body : body.subarray(0, large - 1000))
            other[1000]! ^= 1
            return { status, headers: { ...headers, 'content-length': other.length }, body: other }
          },
        })
        expect(noise('wrong', large).equals(await store.get(key, ANY_SIZE))).toBe(true)
      })
    }
  })
}
