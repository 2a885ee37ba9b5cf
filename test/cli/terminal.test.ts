import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../src/repository/keys.ts'
import { startServer, type Server } from '../support/postgres-server.ts'
import { type Ended, lifeboatEntry, runLifeboat, type RunOptions } from '../support/terminal-program.ts'

let server: Server
let folder: string
let key: string
beforeAll(async () => {
  key = (await newIdentity()).identity
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql("CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 5000) g", 'shop')
})
afterAll(() => server.stop())
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-cli-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const lifeboat = (args: string[], { variables, ...options }: RunOptions & { variables?: Record<string, string> } = {}): Promise<Ended> =>
  runLifeboat(args, { PATH: process.env['PATH'], TMPDIR: folder, ...variables }, options)

const store = (): string => `file:${path.join(folder, 'store')}`
const secrets = (): Record<string, string> => ({ LIFEBOAT_ENCRYPTION_KEY: key, DATABASE_URL: server.url('shop') })

describe('help', () => {
  test('without a command the help goes to standard error and the status is 2', async () => {
    const { status, out, err } = await lifeboat([])
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain('Usage: lifeboat <command>')
  })

  test('--help, a command with --help and --version print and succeed', async () => {
    expect(await lifeboat(['--help'])).toMatchObject({ status: 0, err: '', out: expect.stringContaining('key write') })
    expect(await lifeboat(['restore', '--help'])).toMatchObject({ status: 0, err: '', out: expect.stringContaining('--verify-only [true|false]') })
    expect(await lifeboat(['help', 'restore'])).toEqual(await lifeboat(['restore', '--help']))
    expect(await lifeboat(['help', 'key', 'list'])).toEqual(await lifeboat(['key', 'list', '--help']))
    expect((await lifeboat(['backup', '--destnation', 'file:/x'])).err).toContain('hint: See lifeboat backup --help.\n')
    for (const word of ['--version', 'version']) expect(await lifeboat([word])).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
})

describe('wrong usage ends with status 2, says what is wrong and touches nothing', () => {
  test.each([
    ['a misspelled command', ['bakcup'], 'error: Unknown command "bakcup"; did you mean backup?'],
    ['a misspelled input', ['backup', '--destnation', 'file:/x'], 'error: backup has no input "destnation"; did you mean destination?'],
    ['a misspelled input with its value', ['backup', '--databse-url=postgres://u:hunter22@h/x'], 'error: backup has no input "databse-url"; did you mean database-url?'],
    ['a value without a name', ['backup', 'postgres://u:hunter22@h/x'], 'error: Unexpected argument 1, which may be a secret and is not shown'],
    ['a name without a value', ['list', '--destination'], 'error: --destination is not followed by a value'],
    ['a name followed by another', ['list', '--set', '--quiet'], 'error: --set is not followed by a value'],
    ['an empty value', ['list', '--destination', ''], 'error: --destination is given an empty value'],
    ['an input given twice', ['list', '--destination', 'file:/a', '--destination', 'file:/b'], 'error: --destination is given 2 times'],
    ['a required input left out', ['list'], 'error: destination is artifact, the artifacts of a repository, but GITHUB_REPOSITORY and a token are not given'],
    ['a value that is not understood', ['backup', '--destination', 'file:/x', '--jobs', 'many'], 'error: jobs: "many" is not a whole number from 1 to 64'],
    ['two values from standard input', ['list', '--destination', '-', '--set', '-'], 'error: destination and set cannot both be read from standard input'],
    ['a key without new or write', ['key'], 'error: key needs a second word'],
    ['a misspelled command of keys', ['key', 'lst'], 'error: Unknown command "key lst"; did you mean key list?'],
    ['a secret as a command', ['postgres://u:hunter22@h/x'], 'error: Unknown command'],
  ])('%s', async (_, args, message) => {
    const { status, out, err } = await lifeboat(args, { variables: secrets() })
    expect([status, out, err.split('\n')[0]]).toEqual([2, '', message])
    expect(err).toMatch(/^hint: ./m)
    expect(err).not.toContain('hunter22')
    expect(readdirSync(folder)).toEqual([])
  })
})

test.each(['--recipients', '--set', '--tags', '--description', '--snapshot'])('a key given as %s is refused, and not printed', async (option) => {
  const { status, out, err } = await lifeboat([option === '--snapshot' ? 'verify' : 'backup', '--destination', store(), '--json', option, key], { variables: secrets() })
  expect([status, JSON.parse(out)]).toMatchObject([2, { schema: 1, error: { status: 2, message: expect.stringContaining(`${option.slice(2)}: the value has a secret key in it`) } }])
  expect(err).toContain(`error: ${option.slice(2)}: the value has a secret key in it`)
  expect(out + err).not.toContain(key.slice(16, 30))
  expect(readdirSync(folder)).toEqual([])
})

describe('a backup from the terminal', () => {
  test('is made, listed, verified and restored with the commands that it suggests itself', async () => {
    const variables = secrets()
    const made = await lifeboat(['backup', '--destination', store(), '--set', 'production', '--tags', 'nightly'], { variables })
    expect(made.err).toBe('')
    expect(made.status).toBe(0)
    expect(made.out).toMatch(/^Backed up shop to file:/)
    const suggested = made.out.trim().split('\n').at(-1)!.trim().split(' ')

    const listed = await lifeboat(['list', '--destination', store()], { variables: { LIFEBOAT_ENCRYPTION_KEY: key } })
    expect(listed).toMatchObject({ status: 0, err: '', out: expect.stringContaining('#nightly') })

    const verified = await lifeboat(['verify', '--destination', store(), '--set', 'production', '--level', 'read'], { variables: { LIFEBOAT_ENCRYPTION_KEY: key } })
    expect(verified).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^Verified\n/) })

    const args = suggested.slice(suggested.indexOf('restore'))
    const before = await server.sql('SELECT count(*), min(id), max(id) FROM orders', 'shop')
    await server.sql('DELETE FROM orders WHERE id > 7', 'shop')
    const restored = await lifeboat(args, { variables })
    expect(restored.err).not.toMatch(/^(?:warning|error|hint):/m)
    expect(restored.status).toBe(0)
    expect(await server.sql('SELECT count(*), min(id), max(id) FROM orders', 'shop')).toBe(before)
    expect(readdirSync(folder)).toEqual(['store'])
  })

  test('with --json prints the result alone on standard output', async () => {
    const { status, out } = await lifeboat(['backup', '--destination', store(), '--json'], { variables: secrets() })
    expect(status).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ schema: 1, set: 'default', verified: 'list', sources: [{ name: 'shop', kind: 'postgres' }] })
    expect(out.trim().split('\n')).toHaveLength(1)
  })

  test('takes the key from standard input without a warning, and from an argument with one', async () => {
    const variables = { DATABASE_URL: server.url('shop') }
    const piped = await lifeboat(['backup', '--destination', store(), '--encryption-key', '-'], { variables, input: `${key}\n` })
    expect([piped.status, piped.err]).toEqual([0, ''])
    const plain = await lifeboat(['list', '--destination', store(), '--encryption-key', key])
    expect(plain.status).toBe(0)
    expect(plain.err).toBe(
      'warning: the value of --encryption-key is on the command line, where other users of this machine can see it\nhint: Set LIFEBOAT_ENCRYPTION_KEY instead, or give - and pass it on standard input.\n',
    )
  })

  test('where - is standard output, nothing is read from standard input', async () => {
    const { err } = await lifeboat(['extract', 'latest', 'app', '--destination', 'file:/nowhere', '--output', '-', '--encryption-key', key])
    expect(err).toMatch(/error: (?!.*standard input)/)
  })

  test('a secret in the value of an option that no variable stands in for is warned about, with standard input as the way out', async () => {
    const { err } = await lifeboat(['copy', '--from', 'webdav://user:hunter22@127.0.0.1:1/a', '--destination', store(), '--set', 'shop'], { variables: secrets() })
    expect(err).toMatch(/^warning: a secret in --from is on the command line, where other users of this machine can see it\nhint: Give - and pass it on standard input\.\n/)
    expect(err).not.toContain('hunter22')
  })

  test('that fails prints the error in place of a result, keeps the password to itself and leaves no snapshot', async () => {
    const wrong = server.url('shop', 'postgres', 'not the password')
    const { status, out, err } = await lifeboat(['backup', '--destination', store(), '--json'], { variables: { ...secrets(), DATABASE_URL: wrong } })
    expect([status, JSON.parse(out)]).toMatchObject([1, { schema: 1, error: { status: 1, message: expect.any(String), causes: expect.any(Array) } }])
    expect(err).toMatch(/^error: /)
    for (const secret of ['not the password', encodeURIComponent('not the password')]) expect(out + err).not.toContain(secret)
    expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).includes('.json.zst'))).toEqual([])
  })

  test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])('that is stopped by %s says so, leaves no snapshot, and the next one succeeds', async (signal) => {
    // A lock on the table holds pg_dump for as long as the test likes.
    const variables = secrets()
    const waitingForLock = async (): Promise<boolean> => (await server.sql("SELECT count(*) FROM pg_locks WHERE NOT granted")) !== '0'
    const holder = server.sql("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60); COMMIT", 'shop').catch((error: unknown) => error)
    const stopped = await lifeboat(['backup', '--destination', store()], {
      variables,
      during: async (kill) => {
        while (!(await waitingForLock())) await new Promise((resolve) => setTimeout(resolve, 50))
        kill(signal)
      },
    })
    await server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()")
    expect(await holder).toBeInstanceOf(Error)
    expect([stopped.status, stopped.out, stopped.err]).toEqual([130, '', 'error: interrupted\n'])
    expect(readdirSync(folder).filter((name) => name !== 'store')).toEqual([])
    expect(JSON.parse((await lifeboat(['list', '--destination', store(), '--json'])).out || '{"snapshots":[]}')).toMatchObject({ snapshots: [] })
    expect((await lifeboat(['backup', '--destination', store()], { variables })).status).toBe(0)
  })
})

describe('keys', () => {
  test('key new prints what age-keygen would, and age itself takes it', async () => {
    const { status, out } = await lifeboat(['key', 'new'])
    expect(status).toBe(0)
    const [, recipient] = /^# created: \S+\n# public key: (age1\w+)\nAGE-SECRET-KEY-1\w+\n$/.exec(out)!
    const file = path.join(folder, 'identity.txt')
    writeFileSync(file, out, { mode: 0o600 })
    expect(execFileSync('age-keygen', ['-y', file], { encoding: 'utf8' }).trim()).toBe(recipient)
  })

  test('key new --post-quantum prints a post-quantum identity', async () => {
    expect((await lifeboat(['key', 'new', '--post-quantum'])).out).toMatch(/\nAGE-SECRET-KEY-PQ-1\w+\n$/)
  })

  test('key new --json prints the identity, which no other result shows', async () => {
    expect(JSON.parse((await lifeboat(['key', 'new', '--json'])).out)).toEqual({ schema: 1, created: expect.any(String), recipient: expect.stringMatching(/^age1/), identity: expect.stringMatching(/^AGE-SECRET-KEY-1/) })
  })

  test('key new warns when the file it is written to is open to others', async () => {
    const file = path.join(folder, 'identity.txt')
    const into = (mode: number): string => {
      writeFileSync(file, '')
      chmodSync(file, mode)
      const target = openSync(file, 'w')
      const errors = path.join(folder, 'errors')
      const errorsTarget = openSync(errors, 'w')
      try {
        execFileSync(process.execPath, [lifeboatEntry(), 'key', 'new'], { stdio: ['ignore', target, errorsTarget] })
      } finally {
        closeSync(target)
        closeSync(errorsTarget)
      }
      return readFileSync(errors, 'utf8')
    }
    expect(into(0o644)).toContain('warning: others can read the file')
    expect(into(0o600)).not.toContain('warning')
  })

  test('a write key backs up, and the identity it came from restores', async () => {
    const identity = (await lifeboat(['key', 'new'])).out
    const printed = await lifeboat(['key', 'write'], { variables: { LIFEBOAT_ENCRYPTION_KEY: identity } })
    expect(printed).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^lifeboat-write:age1\S+\n$/) })
    const variables = { ...secrets(), LIFEBOAT_ENCRYPTION_KEY: printed.out }
    expect(await lifeboat(['backup', '--destination', store()], { variables })).toMatchObject({ status: 0, out: expect.stringMatching(/verified +no: a write key cannot read it back\n/) })
    const read = ['restore', '--destination', store(), '--verify-only']
    expect((await lifeboat(read, { variables })).status).not.toBe(0)
    expect((await lifeboat(read, { variables: { LIFEBOAT_ENCRYPTION_KEY: identity } })).status).toBe(0)
    // A command in a hint has the destination that was an option, and needs none that is in the environment.
    const elsewhere = ['verify', '--set', 'elsewhere']
    expect((await lifeboat([...elsewhere, '--destination', store()], { variables })).err).toMatch(/ list --destination \S+\/store` shows the sets .* snapshots in default: give --set\./)
    expect((await lifeboat(elsewhere, { variables: { ...variables, LIFEBOAT_DESTINATION: store() } })).err).toContain(' list` shows the sets')
  })

  test('the write key of a passphrase needs the store', async () => {
    const variables = { ...secrets(), LIFEBOAT_ENCRYPTION_KEY: 'a passphrase of thirty letters' }
    expect(await lifeboat(['key', 'write'], { variables })).toMatchObject({ status: 2, out: '', err: expect.stringContaining('--destination') })
    await lifeboat(['backup', '--destination', store()], { variables })
    expect((await lifeboat(['key', 'write', '--destination', store()], { variables })).out).toMatch(/^lifeboat-write:age1\S+\n$/)
  })
})
