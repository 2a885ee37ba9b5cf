import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../../src/error.ts'
import { until } from '../../support/until.ts'
import { runningIn } from '../../support/ssh-processes.ts'
import { type SshServer, startSshServer } from '../../support/ssh-server.ts'
import { contentsOf, Volumes } from '../../support/volume.ts'
import { thrownBy } from '../../support/thrown.ts'

let server: SshServer
beforeAll(async () => {
  server = await startSshServer()
})
afterAll(() => server.stop())

let folder: string
let root: string
let volumes: Volumes
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-ssh-volume-'))
  root = path.join(folder, "it's a folder")
  mkdirSync(root)
  volumes = new Volumes(folder)
})
afterEach(async () => {
  await until(async () => runningIn(folder).length === 0)
  expect(existsSync(`${folder}/staging`) ? readdirSync(`${folder}/staging`) : []).toEqual([])
  rmSync(folder, { recursive: true })
})

const at = (where: string, port = server.port) => `ssh://${server.user}@127.0.0.1:${port}${encodeURI(where)}`
const access = () => ({ 'ssh-key': server.key, 'ssh-known-hosts': server.knownHosts.ed25519 })

test('a folder of another machine comes back there and here, and adds nothing unchanged', async () => {
  for (const name of ['a', 'b c', "d'e$(f)", 'ü', 'new\nline']) writeFileSync(path.join(root, name), `content of ${name}`)
  mkdirSync(path.join(root, 'sub/deep'), { recursive: true })
  writeFileSync(path.join(root, 'sub/deep/random'), randomBytes(3_000_000), { mode: 0o640 })
  writeFileSync(path.join(root, 'sub/secret.tmp'), 'not wanted')
  symlinkSync('/etc/passwd', path.join(root, 'link'))
  const given = { volumes: `data=${at(root)}`, exclude: '*.tmp', ...access() }
  const first = await volumes.backup({ ...given, verify: 'read' })
  expect(first).toMatchObject({ sources: [{ name: 'data', kind: 'directory' }] })
  expect(await volumes.backup(given)).toMatchObject({ added: 0, newChunks: 0, size: first.size })

  rmSync(path.join(root, 'sub/secret.tmp'))
  const there = path.join(folder, 'made/there')
  expect(await volumes.restore({ target: at(there), ...access() })).toMatchObject({ target: at(there), entries: 10, restored: 10, errors: [] })
  await volumes.restore({ target: path.join(folder, 'here') })
  expect(contentsOf(path.join(folder, 'here'))).toEqual(contentsOf(there))
  expect(readFileSync(path.join(there, 'sub/deep/random')).equals(readFileSync(path.join(root, 'sub/deep/random')))).toBe(true)
  expect(readdirSync(there).toSorted()).toEqual(readdirSync(root).toSorted())

  writeFileSync(path.join(there, 'more'), '')
  expect((await thrownBy(volumes.restore({ target: at(there), ...access() }))).message).toContain('is not empty')
  await volumes.restore({ target: at(there), mode: 'clean', ...access() })
  expect(contentsOf(there)).toEqual(contentsOf(path.join(folder, 'here')))
  rmSync(path.join(there, "d'e$(f)"))
  const { after } = await volumes.restore({ target: at(there), mode: 'overwrite', paths: 'sub/deep/random\nd*', ...access() })
  expect(after!.back).toMatch(/\. Files that it did not have stay: remove them by hand \(d'e\$\(f\)\)\.$/)
  // The time of the folder itself is that of the removal.
  expect(contentsOf(there).slice(1)).toEqual(contentsOf(path.join(folder, 'here')).slice(1))
})

test('a server that is not known, or known by another key, is refused with its fingerprint and the line to add', async () => {
  const given = { volumes: `data=${at(root)}`, ...access() }
  const unknown = await thrownBy(volumes.backup({ ...given, 'ssh-known-hosts': 'elsewhere.example ' + server.knownHosts.ed25519.split(' ').slice(1).join(' ') }))
  const fingerprint = execFileSync('ssh-keygen', ['-lf', path.join(server.folder, 'host-ed25519.pub')], { encoding: 'utf8' }).split(' ')[1]!
  expect(unknown.message).toContain(`the host key of [127.0.0.1]:${server.port} is not known: it shows ssh-ed25519 ${fingerprint}`)
  expect(unknown.hint).toContain(server.knownHosts.ed25519)
  const foreign = execFileSync('ssh-keygen', ['-y', '-f', path.join(server.folder, 'user')], { encoding: 'utf8' }).trim()
  const other = await thrownBy(volumes.backup({ ...given, 'ssh-known-hosts': `[127.0.0.1]:${server.port} ${foreign}` }))
  expect(other.message).toContain('shows another host key')
  expect(existsSync(`${volumes.store}/snapshots`)).toBe(false)
})

test('a key that is refused, a host that is not there and a closed port are told apart', async () => {
  const file = path.join(folder, 'stranger')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  const given = { volumes: `data=${at(root)}`, ...access() }
  expect((await thrownBy(volumes.backup({ ...given, 'ssh-key': readFileSync(file, 'utf8') }))).message).toBe(`127.0.0.1:${server.port} does not let ${server.user} sign in with the key`)
  expect((await thrownBy(volumes.backup({ ...given, volumes: 'data=ssh://x@no-such-host.invalid/x' }))).message).toBe('there is no host no-such-host.invalid')
  const closed = await thrownBy(volumes.backup({ ...given, volumes: `data=${at(root, 1)}` }))
  expect(closed.message).toMatch(/cannot connect to .*Connection refused/)
  expect(closed.hint).toContain('port')
  expect((await thrownBy(volumes.backup({ volumes: given.volumes }))).message).toContain('no SSH key, password or agent')
  expect((await thrownBy(volumes.backup({ ...given, volumes: `data=${at(path.join(folder, 'missing'))}` }))).message).toMatch(/could not be listed: .*No such file/)
})

test('an encrypted key is opened with its passphrase, which no argument shows', async () => {
  const file = path.join(folder, 'encrypted')
  writeFileSync(file, server.key, { mode: 0o600 })
  execFileSync('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', 'correct horse', '-f', file])
  const given = { volumes: `data=${at(root)}`, ...access(), 'ssh-key': readFileSync(file, 'utf8') }
  await volumes.backup({ ...given, 'ssh-key-passphrase': 'correct horse' })
  expect((await thrownBy(volumes.backup({ ...given, 'ssh-key-passphrase': 'wrong' }))).hint).toContain('ssh-key-passphrase')
})

test('the agent signs in if there is no key, and ~/.ssh/known_hosts is read; a path may begin where a login starts', async () => {
  const [socket, home] = [path.join(folder, 'agent'), path.join(folder, 'home')]
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(execFileSync('ssh-agent', ['-a', socket], { encoding: 'utf8' }))![1])
  try {
    execFileSync('ssh-add', ['-q', path.join(server.folder, 'user')], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' })
    mkdirSync(path.join(home, '.ssh'), { recursive: true })
    writeFileSync(path.join(home, '.ssh/known_hosts'), server.knownHosts.rsa)
    const signedIn = new Volumes(folder, { SSH_AUTH_SOCK: socket, HOME: home })
    writeFileSync(path.join(root, 'a'), 'a')
    const relative = path.relative(userInfo().homedir, root)
    // Neither . nor .. may be in it: the home and the folder have to share their beginning.
    const where = relative.startsWith('..') ? at(root) : at(`/~/${relative}`)
    expect(await signedIn.backup({ volumes: `data=${where}` })).toMatchObject({ sources: [{ name: 'data' }] })
  } finally {
    process.kill(pid)
  }
})

test('a machine without ssh is told what to install', async () => {
  const programs = path.join(folder, 'programs')
  mkdirSync(programs)
  for (const name of ['sh', 'cat', 'head', 'rm']) symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), path.join(programs, name))
  const bare = new Volumes(folder, { PATH: programs })
  expect(await thrownBy(bare.backup({ volumes: `data=${at(root)}`, ...access() }))).toMatchObject({ message: 'there is no ssh on this machine', hint: expect.stringContaining('openssh-client') })
})

describe('a server whose programs are not as they should be', () => {
  test.each([
    ['has no tar', 'PATH=/nowhere; eval "$SSH_ORIGINAL_COMMAND"', /there is no GNU tar for ssh:/],
    ['prints something else first', 'echo Welcome; eval "$SSH_ORIGINAL_COMMAND"', /print more than their own output: Welcome/],
    ['runs none', 'echo This account is for mail only. >&2; exit 1', /there is no GNU tar for ssh:.*This account is for mail only/],
  ])('%s', async (_, script, message) => {
    const other = await startSshServer({ settings: [`ForceCommand ${script}`] })
    try {
      const given = { volumes: `data=${at(root, other.port)}`, 'ssh-key': other.key, 'ssh-known-hosts': other.knownHosts.rsa }
      expect((await thrownBy(volumes.backup(given))).message).toMatch(message)
    } finally {
      await other.stop()
    }
  })
})

/** Resolves when the first bytes of something large are read. */
function begun(): Promise<void> {
  writeFileSync(path.join(root, 'large'), randomBytes(16_000_000))
  return new Promise((resolve) => (volumes.onProgress = () => resolve()))
}

describe('a backup that ends in mid-read puts no snapshot and leaves nothing', () => {
  test('when the connection is cut', async () => {
    const reading = begun()
    const running = thrownBy(volumes.backup({ volumes: `data=${at(root)}`, ...access() }))
    await reading
    await server.cut()
    expect((await running).message).toMatch(new RegExp(`^the connection to ${server.user}@127.0.0.1:${server.port} was lost`))
    expect(existsSync(`${volumes.store}/snapshots`)).toBe(false)
  })

  test('when it is interrupted', async () => {
    const reading = begun()
    const controller = new AbortController()
    const running = volumes.backup({ volumes: `data=${at(root)}`, ...access() }, controller.signal)
    void reading.then(() => controller.abort(new LifeboatError('interrupted')))
    await expect(running).rejects.toThrow('interrupted')
    expect(existsSync(`${volumes.store}/snapshots`)).toBe(false)
  })
})

test.each([
  ['interrupted', () => undefined, /^interrupted$/],
  ['cut off', () => server.cut(), /^the connection to .* was lost/],
])('a restore in place of what is there, %s, leaves that as it was', async (how, cut, message) => {
  writeFileSync(path.join(root, 'large'), randomBytes(16_000_000))
  await volumes.backup({ volumes: `data=${root}` })
  const there = path.join(folder, 'there')
  mkdirSync(there)
  writeFileSync(path.join(there, 'old'), 'old')
  const controller = new AbortController()
  const restoring = new Promise<void>((resolve) => (volumes.onProgress = (activity) => activity.startsWith('restoring') && resolve()))
  const running = thrownBy(volumes.restore({ target: at(there), mode: 'clean', ...access() }, controller.signal))
  await restoring
  if (how === 'interrupted') controller.abort(new LifeboatError('interrupted'))
  await cut()
  expect((await running).message).toMatch(message)
  expect(readFileSync(path.join(there, 'old'), 'utf8')).toBe('old')
  const [left] = readdirSync(there).filter((name) => name !== 'old')
  expect(volumes.warnings.join()).toContain(left ?? '')
  expect(left === undefined).toBe(how === 'interrupted')
})
