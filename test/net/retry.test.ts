import http from 'node:http'
import { request } from '../../src/net/http.ts'
import { retry, Transient } from '../../src/net/retry.ts'
import { noise } from '../support/bytes.ts'

const signal = new AbortController().signal

/** Fails so often, then succeeds with the number of the attempt. */
function failing(times: number, error: () => Error = () => new Transient('busy')): { attempt: () => Promise<number>; attempts: () => number } {
  let attempts = 0
  const attempt = async (): Promise<number> => {
    if (++attempts <= times) throw error()
    return attempts
  }
  return { attempt, attempts: () => attempts }
}

test('an attempt that fails for a moment is made again until it succeeds', async () => {
  expect(await retry(failing(3).attempt, { signal, pause: 1 })).toBe(4)
})

test('it gives up after so many attempts, with the last error', async () => {
  const { attempt, attempts } = failing(99)
  await expect(retry(attempt, { signal, pause: 1, attempts: 3 })).rejects.toThrow('busy')
  expect(attempts()).toBe(3)
})

test('an error that will be the same the next time is thrown at once', async () => {
  const { attempt, attempts } = failing(99, () => new Error('wrong password'))
  await expect(retry(attempt, { signal, pause: 1 })).rejects.toThrow('wrong password')
  expect(attempts()).toBe(1)
})

test('it does not begin a pause that would end after the time there is, however long the other side asks to wait', async () => {
  const { attempt, attempts } = failing(99, () => new Transient('come back in an hour', { after: 3_600_000 }))
  await expect(retry(attempt, { signal, budget: 5000 })).rejects.toThrow('come back in an hour')
  expect(attempts()).toBe(1)
})

test('each attempt may take a third of the time', async () => {
  const limits: number[] = []
  await retry(async (limit) => limits.push(limit), { signal, budget: 9000 })
  expect(limits).toEqual([3000])
})

test('an abort ends a pause at once', async () => {
  const controller = new AbortController()
  const waiting = retry(failing(99).attempt, { signal: controller.signal, pause: 1_000_000, budget: 10_000_000 })
  controller.abort(new Error('interrupted'))
  await expect(waiting).rejects.toThrow(/interrupted|aborted/)
})

test('pauses double and half of each is chance', async () => {
  const pauses: number[] = []
  for (const chance of [0, 1]) {
    const started = performance.now()
    await retry(failing(3).attempt, { signal, pause: 10, random: () => chance })
    pauses.push(performance.now() - started)
  }
  expect(pauses[0]).toBeGreaterThanOrEqual(34)
  expect(pauses[1]).toBeGreaterThanOrEqual(69)
})

describe('a request', () => {
  let server: http.Server
  let answer: (response: http.ServerResponse) => unknown
  let base: string
  const url = () => new URL(`${base}/path?sig=secret`)
  const options = { signal, silence: 300, maximum: 1000 }
  beforeAll(async () => {
    server = http.createServer((_, response) => answer(response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  test('that is answered slowly but steadily is not given up', async () => {
    answer = async (response) => {
      for (let piece = 0; piece < 8; piece++) {
        response.write('x')
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
      response.end()
    }
    expect((await request(url(), {}, { ...options, silence: 1500 })).body.toString()).toBe('xxxxxxxx')
  })

  test.each([
    ['nothing', () => undefined],
    ['a beginning only', (response: http.ServerResponse) => response.write('x')],
  ])('that is answered with %s fails after the silence allowed, and names the host alone', async (_, stall) => {
    answer = stall
    const error: unknown = await request(url(), {}, options).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(Transient)
    expect(String(error)).toMatch(/^Transient: 127\.0\.0\.1:\d+ has not answered for 0\.3 s$/)
  })

  test.each([0, 1, 70_000, 300_000])('that is answered with %d bytes gives them, announced or not', async (size) => {
    const body = noise('body', size)
    const [url, more] = [new URL(base), { ...options, maximum: size, silence: 10_000 }]
    for (const headers of [{ 'content-length': size }, {}]) {
      answer = (response) => response.writeHead(200, headers).end(body)
      expect((await request(url, {}, more)).body.equals(body)).toBe(true)
      expect((await request(url, { method: 'HEAD' }, more)).body.length).toBe(0)
    }
  })

  test('that is answered with more than expected is given up', async () => {
    answer = (response) => response.end(Buffer.alloc(1001))
    await expect(request(url(), {}, options)).rejects.toThrow(/more than the 1000 bytes expected/)
  })

  test('to a host that is not there fails as one that may be there later', async () => {
    const gone = url()
    gone.port = '1'
    await expect(request(gone, {}, options)).rejects.toThrow(Transient)
  })

  test.each([[408], [429], [500], [503]])('that is answered with %d may be tried again, when the other side says', async (status) => {
    answer = (response) => response.writeHead(status, { 'retry-after': '7' }).end()
    await expect(request(url(), {}, options)).rejects.toMatchObject({ name: 'Transient', after: 7000 })
  })
})
