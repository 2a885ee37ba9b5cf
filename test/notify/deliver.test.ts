import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { deliver, deliverBegin, type Means } from '../../src/notify/deliver.ts'
import type { Notice } from '../../src/notify/notice.ts'
import { parseTargets, targetSecrets } from '../../src/notify/targets.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { listening } from '../support/free-port.ts'
import { type Recorder, startRecorder } from '../support/recorder.ts'
import { until } from '../support/until.ts'
import { notice } from './notices.ts'

let server: Recorder
let warnings: string[]
beforeEach(async () => {
  server = await startRecorder()
  warnings = []
})
afterEach(() => server.close())

function means(secret?: string): Means {
  return { secret, subject: 'file:/mnt/backups\napp', repository: () => undefined, report: { warning: (message, hint) => void warnings.push(`${message} | ${hint}`) } }
}

async function send(lines: string, given: Notice = notice(), { budget = 15_000, secret }: { budget?: number; secret?: string } = {}): Promise<number> {
  const started = performance.now()
  await deliver(parseTargets(lines), given, means(secret), budget)
  return performance.now() - started
}

const TOKEN = 'cCcCcCcCcCcCcCcCcCcCcCcC'
const all = (url: string): string => ['webhook', 'slack', 'discord', 'teams', 'ntfy', 'ping'].map((kind) => `${kind}:${url}/${TOKEN}`).join('\n')

test('each service gets its message, and only its own', async () => {
  await send(all(server.url))
  expect(warnings).toEqual([])
  const seen = server.seen.map(({ method, path, headers, body }) => [method, path, headers['content-type'], body.slice(0, 12)])
  expect(seen.toSorted((a, b) => (a.join(' ') < b.join(' ') ? -1 : 1))).toEqual([
    ['POST', '/', 'application/json; charset=utf-8', '{"topic":"cC'],
    ['POST', `/${TOKEN}`, 'application/json', '{"schema":1,'],
    ['POST', `/${TOKEN}`, 'application/json; charset=utf-8', '{"allowed_me'],
    ['POST', `/${TOKEN}`, 'application/json; charset=utf-8', '{"text":"Lif'],
    ['POST', `/${TOKEN}`, 'application/json; charset=utf-8', '{"type":"mes'],
    ['POST', `/${TOKEN}/fail`, 'text/plain; charset=utf-8', 'Lifeboat bac'],
  ])
})

test('a webhook is signed if there is a secret, with one id for all attempts', async () => {
  server.answer = (response, _request, index) => response.writeHead(index < 3 ? 503 : 204).end()
  await send(`webhook:${server.url}/hook`, notice(), { secret: 'shared' })
  expect(server.seen).toHaveLength(3)
  for (const { headers, body } of server.seen) expect(headers['lifeboat-signature-256']).toBe(`sha256=${createHmac('sha256', 'shared').update(body).digest('hex')}`)
  expect(new Set(server.seen.map(({ headers }) => headers['lifeboat-delivery'])).size).toBe(1)
  expect(warnings).toEqual([])
  await send(`webhook:${server.url}/hook`)
  expect(server.seen.at(-1)!.headers).not.toHaveProperty('lifeboat-signature-256')
})

test.each([
  ['ntfy:http://:tk_token@', 'Bearer tk_token'], ['ntfy:http://tk_token@', 'Bearer tk_token'], ['ntfy:http://phil:my%2Fpass@', `Basic ${Buffer.from('phil:my/pass').toString('base64')}`],
])('%s signs in', async (start, authorization) => {
  await send(`${start}${server.url.slice('http://'.length)}/alerts`)
  expect(server.seen.map(({ path, headers }) => [path, headers.authorization])).toEqual([['/', authorization]])
})

test('a service in trouble is asked three times, one that refuses once; each is one warning without the address', async () => {
  server.answer = (response) => response.writeHead(500).end(`no, ${TOKEN}`)
  await send(`slack:${server.url}/${TOKEN}`)
  expect(server.seen).toHaveLength(3)
  server.answer = (response) => response.writeHead(404).end(`unknown: ${TOKEN}`)
  await send(`slack:${server.url}/${TOKEN}`)
  expect(server.seen).toHaveLength(4)
  const { host } = new URL(server.url)
  expect(warnings).toEqual([
    expect.stringContaining(`no message was sent to slack (${host}): ${host} answered with status 500 | `),
    `no message was sent to slack (${host}): ${host} refused the message (status 404) | Check that the address is complete and that the service still knows it.`,
  ])
})

test('a redirect is not followed, wherever it leads', async () => {
  const other = await startRecorder()
  try {
    for (const status of [301, 302, 303, 307, 308]) {
      server.answer = (response) => response.writeHead(status, { location: `${other.url}/metadata` }).end()
      await send(`webhook:${server.url}/hook`)
    }
    expect(other.seen).toEqual([])
    expect(server.seen).toHaveLength(5)
    expect(warnings[4]).toContain('answered with a redirect (status 308), which is not followed')
  } finally {
    await other.close()
  }
})

test('servers that hang, trickle, reset or are away cost no more than the time there is, together', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => void sockets.push(socket))
  const trickling = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const drip = setInterval(() => socket.write('x'), 50)
    socket.on('close', () => clearInterval(drip))
  })
  const resetting = createServer((socket) => socket.resetAndDestroy())
  const servers = [silent, trickling, resetting]
  const ports = [...(await Promise.all(servers.map((one) => listening(one)))), 9]
  try {
    const took = await send(ports.map((port) => `webhook:http://127.0.0.1:${port}/${TOKEN}`).join('\n'), notice(), { budget: 3000 })
    // A loaded machine adds some; four servers one after the other would take 12 s.
    expect(took).toBeLessThan(11_000)
    const told = warnings.map((warning) => warning.replace(/127\.0\.0\.1:\d+/g, 'host'))
    expect(told).toHaveLength(4)
    for (const end of ['ECONNREFUSED', 'ECONNRESET', '(?:it was not taken within 3 s|host has not answered for 1 s)']) {
      expect(told).toContainEqual(expect.stringMatching(new RegExp(`^no message was sent to webhook \\(host\\): .*${end} \\| The result of this run is not affected\\.$`)))
    }
    expect(warnings.join('\n')).not.toContain(TOKEN)
  } finally {
    for (const socket of sockets) socket.destroy()
    for (const one of servers) {
      one.close()
      await once(one, 'close')
    }
  }
})

test('an answer without an end is not read', async () => {
  server.answer = (response) => {
    response.writeHead(200)
    const pour = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
    }
    response.on('drain', pour)
    pour()
  }
  await send(`webhook:${server.url}/hook`)
  expect(warnings[0]).toContain('answered with more than the 65536 bytes expected')
})

test('no warning has a secret, whatever the failure', async () => {
  const lines = `${all('https://127.0.0.1:9')}\nntfy:https://phil:hunter2hunter2@127.0.0.1:9/topic\nemail:smtps://me:hunter2hunter2@127.0.0.1:9?from=a@example.com&to=b@example.com`
  const redaction = new Redaction()
  await send(lines, notice(), { budget: 2000 })
  expect(warnings).toHaveLength(8)
  // Even before it is masked.
  for (const secret of targetSecrets(lines)) expect(warnings.join('\n')).not.toContain(secret)
  for (const secret of targetSecrets(lines)) redaction.add(secret)
  expect(redaction.apply(warnings.join('\n'))).toBe(warnings.join('\n'))
})

test('a ping tells the start at once, and no longer once the run has ended', async () => {
  const end = deliverBegin(parseTargets(`ping:${server.url}/check\nslack:${server.url}/other`), means())
  await until(() => server.seen.length > 0)
  await end()
  expect(server.seen.map(({ path, body }) => [path, body])).toEqual([['/check/start', '']])

  server.answer = () => undefined
  const endAgain = deliverBegin(parseTargets(`ping:${server.url}/check`), means())
  await endAgain()
  expect(warnings).toEqual([])
  server.answer = (response) => void response.end()
  await send(`ping:${server.url}/check`, notice({ status: 'recovered' }))
  await send(`ping:${server.url}/check?rid=1`, notice({ status: 'could not verify' }))
  expect(server.seen.slice(-2).map(({ path }) => path)).toEqual(['/check', '/check/fail?rid=1'])
})
