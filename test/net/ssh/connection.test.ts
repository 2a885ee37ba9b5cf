import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import ssh2 from 'ssh2'
import { LifeboatError } from '../../../src/error.ts'
import { connectSsh, type SshAccess } from '../../../src/net/ssh/connection.ts'
import { parseKnownHosts } from '../../../src/net/ssh/known-hosts.ts'
import { Transient } from '../../../src/net/retry.ts'
import { portOf } from '../../support/free-port.ts'
import { type SshServer, startSshServer } from '../../support/ssh-server.ts'

let server: SshServer
beforeAll(async () => {
  server = await startSshServer()
})
afterAll(() => server.stop())

/** Connects and ends the connection; the error otherwise. */
async function attempt(access: SshAccess, { port = server.port, user = server.user, variables = {} }: { port?: number; user?: string; variables?: Record<string, string> } = {}): Promise<LifeboatError | undefined> {
  try {
    const client = await connectSsh({ user, host: '127.0.0.1', port }, access, { variables, signal: new AbortController().signal, limit: 10_000 })
    client.end()
    return undefined
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    return error
  }
}

const known = (): SshAccess => ({ knownHosts: parseKnownHosts(server.knownHosts.ed25519) })

test('a key signs in, also with the line ends of Windows or none at its end, and encrypted with its passphrase', async () => {
  expect(await attempt({ ...known(), key: server.key })).toBeUndefined()
  expect(await attempt({ ...known(), key: server.key.trim().replaceAll('\n', '\r\n') })).toBeUndefined()
  const file = path.join(server.folder, 'encrypted')
  writeFileSync(file, server.key, { mode: 0o600 })
  execFileSync('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', 'correct horse', '-f', file])
  const encrypted = readFileSync(file, 'utf8')
  expect(await attempt({ ...known(), key: encrypted, passphrase: 'correct horse' })).toBeUndefined()
  for (const passphrase of [undefined, 'wrong']) {
    const error = await attempt({ ...known(), key: encrypted, passphrase })
    expect(error?.message).toContain('ssh-key cannot be used')
    expect(error?.hint).toContain('ssh-key-passphrase')
  }
})

test('a text that is no key, or the public one, is said before anything is connected', async () => {
  const lines = server.key.split('\n')
  expect((await attempt({ ...known(), key: lines.slice(0, 3).join('\n') }, { port: 1 }))?.message).toContain('ssh-key cannot be used')
  const pub = execFileSync('ssh-keygen', ['-y', '-f', path.join(server.folder, 'user')], { encoding: 'utf8' })
  expect((await attempt({ ...known(), key: pub }, { port: 1 }))?.message).toBe('ssh-key is a public key')
})

test('the agent signs in if there is no key, and a missing agent is an error that says so', async () => {
  const socket = path.join(server.folder, 'agent')
  const started = execFileSync('ssh-agent', ['-a', socket], { encoding: 'utf8' })
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)![1])
  try {
    execFileSync('ssh-add', ['-q', path.join(server.folder, 'user')], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' })
    expect(await attempt(known(), { variables: { SSH_AUTH_SOCK: socket } })).toBeUndefined()
  } finally {
    process.kill(pid)
  }
  expect((await attempt(known(), { variables: { SSH_AUTH_SOCK: path.join(server.folder, 'nothing') } }))?.message).toMatch(/agent|sign in/)
  expect((await attempt(known()))?.message).toContain('no SSH key, password or agent')
})

test('a server is refused that is not known, or known by another key; what is known decides which of its keys it shows', async () => {
  const unknown = await attempt({ key: server.key, knownHosts: [] })
  expect(unknown?.message).toMatch(/^the host key of \[127\.0\.0\.1\]:\d+ is not known/)
  expect(unknown).not.toBeInstanceOf(Transient)
  expect(await attempt({ key: server.key, knownHosts: parseKnownHosts(server.knownHosts.rsa) })).toBeUndefined()
  const foreign = server.knownHosts.ed25519.replace(/^(\S+ ).*/, (_, name: string) => name + execFileSync('ssh-keygen', ['-y', '-f', path.join(server.folder, 'user')], { encoding: 'utf8' }).trim())
  expect((await attempt({ key: server.key, knownHosts: parseKnownHosts(foreign) }))?.message).toContain('another host key')
})

test('without the input, ~/.ssh/known_hosts is read', async () => {
  const home = path.join(server.folder, 'home')
  mkdirSync(path.join(home, '.ssh'), { recursive: true })
  expect((await attempt({ key: server.key }, { variables: { HOME: home } }))?.message).toContain('~/.ssh/known_hosts')
  writeFileSync(path.join(home, '.ssh/known_hosts'), `not a line\n${server.knownHosts.ed25519}\n`)
  expect(await attempt({ key: server.key }, { variables: { HOME: home } })).toBeUndefined()
})

test('a key that the server does not know is refused without a retry', async () => {
  const file = path.join(server.folder, 'stranger')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  const error = await attempt({ ...known(), key: readFileSync(file, 'utf8') })
  expect(error?.message).toBe(`127.0.0.1:${server.port} does not let ${server.user} sign in with the key`)
  expect(error).not.toBeInstanceOf(Transient)
})

// sshd checks passwords of the system's accounts alone, so a server of the library stands in.
test.each(['password', 'keyboard-interactive'] as const)('a server that asks for a password by %s gets it, and a wrong one is refused', async (way) => {
  const hostKey = readFileSync(path.join(server.folder, 'host-ed25519'), 'utf8')
  const passwordServer = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => undefined)
    client.on('authentication', (context) => {
      if (context.method === 'password' && way === 'password' && context.password === 'the password') context.accept()
      else if (context.method === 'keyboard-interactive' && way === 'keyboard-interactive') {
        context.prompt([{ prompt: 'Password: ', echo: false }], (answers) => (answers[0] === 'the password' ? context.accept() : context.reject([way])))
      } else context.reject([way])
    })
  })
  await new Promise<void>((resolve) => passwordServer.listen(0, '127.0.0.1', resolve))
  try {
    const port = portOf(passwordServer)
    const access = { knownHosts: parseKnownHosts(server.knownHosts.ed25519.replace(/^\S+/, `[127.0.0.1]:${port}`)) }
    expect(await attempt({ ...access, password: 'the password' }, { port })).toBeUndefined()
    const error = await attempt({ ...access, password: 'wrong one' }, { port })
    expect(error?.message).toContain('sign in with the password')
    expect(error?.message).not.toContain('wrong one')
  } finally {
    passwordServer.close()
  }
})

test('a host that is not there, and one that says nothing, are failures that may pass or not', async () => {
  expect(await attempt({ ...known(), key: server.key }, { port: 1 })).toBeInstanceOf(Transient)
  const error = await connectSsh({ user: 'x', host: 'no-such-host.invalid', port: 22 }, { ...known(), key: server.key }, { variables: {}, signal: new AbortController().signal, limit: 10_000 }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(LifeboatError)
})
