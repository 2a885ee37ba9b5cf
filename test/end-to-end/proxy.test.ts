import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CERTIFICATE, type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts'
import { problemOf, WorkflowRuns } from './workflow-runs.ts'

const login = 'runner:pa%24%24'

let runs: WorkflowRuns
let proxy: ConnectProxy
let folder: string
let trusting: Record<string, string>
beforeAll(async () => {
  runs = await WorkflowRuns.open()
  proxy = await startConnectProxy(decodeURIComponent(login), (socket) => runs.github.accept(socket))
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-proxy-'))
  writeFileSync(path.join(folder, 'certificate.pem'), CERTIFICATE)
  trusting = { NODE_EXTRA_CA_CERTS: path.join(folder, 'certificate.pem') }
})
afterAll(async () => {
  await Promise.all([runs.close(), proxy.stop()])
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  proxy.asked.length = 0
})
afterEach(() => {
  runs.github.address = undefined
})

const through = (given: string): string => proxy.url.replace(decodeURIComponent(login), given)

test('behind a proxy, services that only it can reach are used for everything: upload, check, download', async () => {
  const repository = runs.copy()
  runs.github.address = 'https://github.test'
  const variables = { ...trusting, HTTPS_PROXY: through(login) }
  const backup = await runs.run('backup', repository, { verify: 'read', timeout: '20s' }, variables)
  expect(problemOf(backup)).toBeUndefined()
  const verification = await runs.run('verify', repository, { snapshot: runs.first, level: 'read', timeout: '20s' }, variables)
  expect(problemOf(verification)).toBeUndefined()
  expect(new Set(proxy.asked)).toEqual(new Set(['github.test:443']))
  expect([backup.log, verification.log].join()).not.toContain('pa%24%24')
})

test('a proxy that refuses is an error that names it', async () => {
  const repository = runs.copy()
  runs.github.address = 'https://github.test'
  const problem = problemOf(await runs.run('backup', repository, { timeout: '2s' }, { ...trusting, https_proxy: through('runner:wrong') }))
  expect(problem).toMatch(/^the connection to github\.test failed: .*127\.0\.0\.1:\d+.*407/)
  expect(problem).toContain('hint: HTTPS_PROXY names the proxy')
  expect(problem).not.toContain('wrong')
})

test('this machine itself is reached without the proxy', async () => {
  expect(problemOf(await runs.run('list', runs.copy(), {}, { HTTP_PROXY: through(login) }))).toBeUndefined()
  expect(proxy.asked).toEqual([])
})

test('something else than the URL of a proxy is refused', async () => {
  const problem = problemOf(await runs.run('list', runs.copy(), {}, { HTTPS_PROXY: 'socks5://user:hidden@proxy' }))
  expect(problem).toBe('HTTPS_PROXY does not name a proxy\nhint: It should be like http://proxy.example.com:3128.')
})
