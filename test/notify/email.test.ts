import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { deliver } from '../../src/notify/deliver.ts'
import type { Notice } from '../../src/notify/notice.ts'
import { parseTargets } from '../../src/notify/targets.ts'
import { type Certificates, makeCertificates, type SmtpServer, startSmtpServer } from '../support/smtp-server.ts'
import { hostile, notice, RUN } from './notices.ts'

let folder: string
let certificates: Certificates
let server: SmtpServer | undefined
let warnings: string[]
const usual = getCACertificates('default')
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-mail-'))
  certificates = makeCertificates(folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => {
  warnings = []
  setDefaultCACertificates([...usual, readFileSync(certificates.authority, 'utf8')])
})
afterEach(async () => {
  await server?.close()
  server = undefined
  setDefaultCACertificates(usual)
})

const PASSWORD = 'pass/word@1234'

async function send(scheme: string, given: Notice = notice(), budget = 15_000, host = '127.0.0.1'): Promise<void> {
  const line = `email:${scheme}://me:${encodeURIComponent(PASSWORD)}@${host}:${server!.port}?from=backup@example.com&to=ops@example.com,dev@example.com`
  const report = { warning: (message: string, hint?: string) => void warnings.push(`${message} | ${hint}`) }
  await deliver(parseTargets(line), given, { secret: undefined, subject: 'x', repository: () => undefined, report }, budget)
}

test.each([['tls', 'smtps'], ['starttls', 'smtp']] as const)('a mail goes out over %s, with the password only inside of it', async (mode, scheme) => {
  server = await startSmtpServer(mode, certificates)
  await send(scheme)
  expect(warnings).toEqual([])
  const [mail] = server.mails
  expect(mail).toMatchObject({ from: 'backup@example.com', to: ['ops@example.com', 'dev@example.com'], login: `me:${PASSWORD}`, encrypted: true })
  expect(mail!.data).toMatch(/^Subject: Lifeboat backup failed: set app, octo\/shop\r$/m)
  expect(mail!.data).toMatch(/^Auto-Submitted: auto-generated\r$/m)
  expect(mail!.data).toContain('What to do: Check that the server runs.')
  expect(mail!.data).toContain(RUN)
  expect(server.inTheClear.filter((line) => !/^(?:EHLO|STARTTLS)/.test(line))).toEqual([])
})

test('a server is found by its name', async () => {
  server = await startSmtpServer('tls', certificates)
  await send('smtps', notice(), 14_999.5, 'localhost')
  expect([warnings, server.mails.length]).toEqual([[], 1])
})

test('nothing is sent to a server without TLS, or with a certificate of an unknown authority', async () => {
  server = await startSmtpServer('plain', certificates)
  await send('smtp')
  expect(server.mails).toEqual([])
  expect(server.inTheClear.filter((line) => !/^(?:EHLO|STARTTLS|QUIT)/.test(line))).toEqual([])
  await server.close()
  setDefaultCACertificates(usual)
  for (const [mode, scheme] of [['tls', 'smtps'], ['starttls', 'smtp']] as const) {
    server = await startSmtpServer(mode, certificates)
    await send(scheme)
    expect(server.mails).toEqual([])
    // Another attempt would not help.
    expect(server.connections).toBeLessThanOrEqual(1)
    await server.close()
  }
  server = undefined
  expect(warnings).toHaveLength(3)
  expect(warnings[0]).toContain('127.0.0.1 offers no TLS, or its TLS failed')
  for (const warning of warnings.slice(1)) expect(warning).toContain('its certificate is not trusted | If an authority of your own signed it, set NODE_EXTRA_CA_CERTS')
})

test('no text from outside becomes a header, a recipient or a command', async () => {
  server = await startSmtpServer('tls', certificates)
  await send('smtps', hostile())
  expect(warnings).toEqual([])
  const [mail, ...others] = server.mails
  expect(others).toEqual([])
  expect(mail!.to).toEqual(['ops@example.com', 'dev@example.com'])
  const [headers = ''] = mail!.data.split('\r\n\r\n')
  const names = [...headers.matchAll(/^([\w-]+):/gm)].map(([, name]) => name!.toLowerCase())
  expect(names.toSorted()).toEqual(['auto-submitted', 'content-transfer-encoding', 'content-type', 'date', 'from', 'message-id', 'mime-version', 'subject', 'to'])
  expect(headers).toMatch(/^Content-Type: text\/plain/m)
})

test('a refusal is told without the words of the server, and a passing one is tried three times', async () => {
  server = await startSmtpServer('tls', certificates)
  const secret = Buffer.from(`\0me\0${PASSWORD}`).toString('base64')
  server.answers.set('AUTH', `535 no: ${secret} ${PASSWORD}`)
  await send('smtps')
  expect(server.connections).toBe(1)
  server.answers.clear()
  server.answers.set('RCPT', `550 unknown; your password is ${PASSWORD}`)
  await send('smtps')
  expect(server.connections).toBe(2)
  server.answers.clear()
  server.answers.set('MAIL', '451 later')
  await send('smtps')
  expect(server.connections).toBe(5)
  const hint = 'Check the user, the password and the addresses in the target.'
  expect(warnings).toEqual([
    `no message was sent to email (127.0.0.1): 127.0.0.1 refused the user or the password (status 535) | ${hint}`,
    `no message was sent to email (127.0.0.1): 127.0.0.1 refused the sender or a recipient (status 550) | ${hint}`,
    'no message was sent to email (127.0.0.1): 127.0.0.1 refused the sender or a recipient (status 451) | The result of this run is not affected.',
  ])
  expect(server.mails).toEqual([])
})

test('a server that says nothing is given up in time', async () => {
  server = await startSmtpServer('tls', certificates)
  server.answers.set('EHLO', '')
  server.answers.set('HELO', '')
  const started = performance.now()
  await send('smtps', notice(), 3000)
  // A loaded machine adds some; a server that is waited for without a limit would never be given up.
  expect(performance.now() - started).toBeLessThan(30_000)
  expect(warnings).toHaveLength(1)
})
