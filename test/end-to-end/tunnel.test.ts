import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Server, startServer } from '../support/postgres-server.ts'
import { type SshServer, startSshServer } from '../support/ssh-server.ts'
import { expectFailure, expectNoBackup, type Given, holding, type Options, Sandbox } from './sandbox.ts'
import { until } from '../support/until.ts'

let folder: string
let server: Server
let bastion: SshServer
let sandbox: Sandbox
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-tunnel-'))
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'certificate.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  if (process.getuid?.() === 0) for (const file of [folder, key, certificate]) chownSync(file, 65534, 65534)
  server = await startServer(17, { settings: { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key } })
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 3000) g', 'shop')
  bastion = await startSshServer({ settings: [`PermitOpen 127.0.0.1:${server.port} localhost:${server.port} 127.0.0.1:1`] })
})
afterAll(async () => {
  await bastion.stop()
  await server.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  sandbox = await Sandbox.open(server.url('shop'))
})
// Throws when a run left a process behind.
afterEach(() => sandbox.close())

const through = (to = bastion): Given => ({ 'ssh-tunnel': `${to.user}@127.0.0.1:${to.port}` })
const access = (to = bastion): Options => ({ variables: { LIFEBOAT_SSH_KEY: to.key, LIFEBOAT_SSH_KNOWN_HOSTS: to.knownHosts.ed25519 } })
const verified = (host: string): string => `${server.url('shop').replace('127.0.0.1', host)}?sslmode=verify-full&sslrootcert=${folder}/certificate.pem`

test('databases are backed up and restored through it, each host by a forward of its own, and certificates are still checked against their names', async () => {
  const urls = [`one=${verified('localhost')}`, `two=${server.url('shop')}`]
  const { sources } = await sandbox.backup({ ...through(), 'database-url': urls.join('\n'), verify: 'read' }, access())
  expect(sources.map(({ name }) => name)).toEqual(['one', 'two'])
  expect(bastion.log()).toContain('Accepted publickey')
  const restored = await sandbox.restore({ ...through(), 'database-url': server.url('again'), database: 'two', mode: 'create' }, access())
  expect(restored).toMatchObject({ target: `127.0.0.1:${server.port}/again`, errors: [] })
  expect(await server.sql('SELECT count(*) FROM orders', 'again')).toBe('3000')
  expectFailure(await sandbox.run('backup', { ...through(), 'database-url': verified('127.0.0.1') }, access()), 1, /cannot trust the certificate/, /sslrootcert/)
})

test('the doctor looks at databases through it', async () => {
  const { status, out } = await sandbox.run('doctor', { ...through(), 'database-url': server.url('shop') }, access())
  expect([status, out]).toEqual([0, expect.stringMatching(/ok +session +one session, one server process/)])
})

test('an address that the SSH server cannot or may not reach is named as the reason', async () => {
  const refused = await sandbox.run('backup', { ...through(), 'database-url': server.url('shop').replace(String(server.port), '1') }, access())
  expectFailure(refused, 1, new RegExp(`${bastion.user}@127.0.0.1:${bastion.port} cannot connect to 127.0.0.1:1: connect failed: Connection refused`), /that the SSH server knows/)
  const forbidden = await sandbox.run('backup', { ...through(), 'database-url': server.url('shop').replace('127.0.0.1', '127.0.0.2') }, access())
  expectFailure(forbidden, 1, /cannot connect to 127\.0\.0\.2:\d+: administratively prohibited/, /PermitOpen/)
  expectFailure(await sandbox.run('backup', { ...through(), 'database-url': `postgres:///shop?host=${server.socketDirectory}` }, access()), 2, /cannot be reached by ssh-tunnel: it is a socket/, /host:5432/)
})

test('a server that is not known is refused', async () => {
  const ending = await sandbox.run('backup', through(), { variables: { ...access().variables, LIFEBOAT_SSH_KNOWN_HOSTS: bastion.knownHosts.ed25519.replace('127.0.0.1', '127.0.0.9') } })
  expectFailure(ending, 1, /the host key of .* is not known: it shows ssh-/, /add this line/)
})

/** Does something once pg_dump waits for a table. */
async function whileDumping(act: (child: ReturnType<Sandbox['start']>['child']) => unknown, options: Options = {}) {
  const lock = await holding(server, 'shop', 'LOCK TABLE orders')
  try {
    const { child, ended } = sandbox.start('backup', through(), { ...access(), ...options })
    await until(async () => (await server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'pg_dump'")) === '1')
    await act(child)
    return await ended
  } finally {
    await lock.letGo()
  }
}

describe('in mid-dump', () => {
  test('a lost tunnel fails the backup and is named', async () => {
    const ending = await whileDumping(async () => {
      // The key is read by now, and no argument of a process shows a secret.
      expect(readdirSync(sandbox.temporary, { recursive: true }).filter((name) => /key|askpass|known/.test(String(name)))).toEqual([])
      const running = sandbox.processes().join('\n')
      expect(running).toContain(` -L 127.0.0.1:`)
      for (const secret of [server.password, encodeURIComponent(server.password), bastion.key.split('\n')[1]!]) expect(running).not.toContain(secret)
      await bastion.cut()
    })
    expectFailure(ending, 1, new RegExp(`^error: the SSH tunnel through ${bastion.user}@127.0.0.1:${bastion.port} was lost`, 'm'), /network/)
    expectNoBackup(sandbox.store, {})
  })

  test.each(['SIGINT', 'SIGKILL'] as const)('%s leaves no ssh behind', async (signal) => {
    const { status } = await whileDumping((child) => child.kill(signal), { killed: true })
    expect(status).toBe(signal === 'SIGINT' ? 130 : null)
    expectNoBackup(sandbox.store, {})
  })
})
