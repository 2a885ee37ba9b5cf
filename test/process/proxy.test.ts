import http from 'node:http'
import https from 'node:https'
import { useProxy } from '../../src/process/proxy.ts'
import { request } from '../../src/net/http.ts'
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts'

const { globalAgent: plain } = http
const { globalAgent: secure } = https

let proxy: ConnectProxy
beforeAll(async () => {
  proxy = await startConnectProxy('no:one', () => undefined)
})
afterAll(() => proxy.stop())
beforeEach(() => {
  proxy.asked.length = 0
})
afterEach(() => {
  http.globalAgent = plain
  https.globalAgent = secure
})

/** The requests that reach the proxy for this one. */
async function askedFor(url: string, variables: Record<string, string>): Promise<string[]> {
  const named = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value.replace('PROXY', new URL(proxy.url).host)]))
  useProxy(named)
  // No such host exists: whether the proxy refuses or there is none makes no difference here.
  const options = { signal: AbortSignal.timeout(10_000), silence: 10_000, maximum: 1000 }
  await request(new URL(url), {}, options).catch(() => undefined)
  return proxy.asked
}

test.each([
  ['https://a.invalid/', { HTTPS_PROXY: 'http://PROXY' }, ['a.invalid:443']],
  ['https://a.invalid/', { https_proxy: 'http://PROXY', HTTPS_PROXY: 'http://192.0.2.1' }, ['a.invalid:443']],
  ['https://a.invalid/', { HTTPS_PROXY: 'PROXY' }, ['a.invalid:443']],
  ['http://a.invalid/', { HTTP_PROXY: 'http://PROXY' }, ['a.invalid']],
  ['http://a.invalid/', { HTTPS_PROXY: 'http://PROXY' }, []],
  ['https://a.invalid/', { HTTPS_PROXY: 'http://PROXY', NO_PROXY: 'b.invalid' }, ['a.invalid:443']],
  ['https://a.invalid/', { HTTPS_PROXY: 'http://PROXY', NO_PROXY: 'b.invalid, a.invalid' }, []],
  ['https://a.b.invalid/', { HTTPS_PROXY: 'http://PROXY', no_proxy: 'b.invalid' }, []],
  ['https://a.b.invalid/', { HTTPS_PROXY: 'http://PROXY', NO_PROXY: '.b.invalid' }, []],
  ['https://a.invalid/', { HTTPS_PROXY: 'http://PROXY', NO_PROXY: '*' }, []],
  ['https://localhost:1/', { HTTPS_PROXY: 'http://PROXY' }, []],
  ['https://127.0.0.1:1/', { HTTPS_PROXY: 'http://PROXY' }, []],
  ['https://[::1]:1/', { HTTPS_PROXY: 'http://PROXY' }, []],
])('%s with %j', async (url, variables: Record<string, string>, expected: string[]) => {
  expect(await askedFor(url, variables)).toEqual(expected)
})

test('without a proxy nothing is changed', () => {
  useProxy({ HTTPS_PROXY: '', NO_PROXY: 'a' })
  expect([http.globalAgent, https.globalAgent]).toEqual([plain, secure])
})

test.each(['socks5://proxy', 'http://', 'http://a b'])('%s is refused', (value) => {
  expect(() => useProxy({ HTTP_PROXY: value })).toThrow('HTTP_PROXY does not name a proxy')
})
