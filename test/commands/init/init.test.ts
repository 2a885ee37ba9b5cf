import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../src/repository/keys.ts'
import { officialImage } from '../../../src/sources/postgres/client-download/official-images.ts'
import { atTerminal, type AtTerminal } from '../../support/pseudo-terminal.ts'
import { clientDirectory } from '../../support/client-programs.ts'
import { FakeGh } from '../../support/fake-gh.ts'
import { startServer, type Server } from '../../support/postgres-server.ts'
import { type Ended, lifeboatEntry, runLifeboat } from '../../support/terminal-program.ts'

let server: Server
let folder: string
let project: string
let entry: string
beforeAll(async () => {
  entry = lifeboatEntry()
  server = await startServer(17)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS item FROM generate_series(1, 20000) g', 'shop')
})
afterAll(() => server.stop())
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-init-'))
  project = path.join(folder, 'project')
  mkdirSync(project)
  execFileSync('git', ['init', '--quiet', project])
  execFileSync('git', ['-C', project, 'remote', 'add', 'origin', 'git@github.com:octo/shop.git'])
})
afterEach(() => rmSync(folder, { recursive: true }))

const ACTION = ['--action', 'octo/lifeboat@v0.1.0']
const store = (): string => path.join(folder, 'store')
const workflow = (name: string): string => path.join(project, '.github/workflows', `lifeboat-${name}.yml`)

function variables(gh?: FakeGh, more: Record<string, string> = {}): Record<string, string> {
  return { PATH: [...(gh ? [gh.bin] : []), clientDirectory(17), process.env['PATH']].join(path.delimiter), HOME: folder, TMPDIR: folder, ...more }
}

function start(args: readonly string[], environment: Record<string, string>): AtTerminal {
  return atTerminal([process.execPath, entry, 'init', ...args], { folder: project, variables: environment })
}

/** Without a terminal. */
function run(args: readonly string[], environment: Record<string, string>): Promise<Ended> {
  return runLifeboat(['init', ...args], environment, { folder: project })
}

/** Has a key made, and no other recipient. */
async function takesNewKeyAlone(terminal: AtTerminal): Promise<void> {
  await terminal.sees('Enter makes a new one')
  terminal.types('')
  await terminal.sees('Enter for none: ')
  terminal.types('')
}

/** Reads the key from the screen that vanishes, and types its end. */
async function saveKey(terminal: AtTerminal): Promise<string> {
  await terminal.sees('type its last 6 characters: ')
  const [key = ''] = /AGE-SECRET-KEY-1[0-9A-Z]+/.exec(terminal.shown()) ?? []
  terminal.types(key.slice(-6).toLowerCase())
  return key
}

/** Nothing was changed in the project, and no store was made. */
function expectUntouched(): void {
  expect(readdirSync(project).filter((name) => name !== '.env')).toEqual(['.git'])
  expect(existsSync(store())).toBe(false)
}

const textsIn = (name: string): string => readFileSync(workflow(name), 'utf8')

test('from an empty repository to a verified backup, secrets and workflows; a second run changes nothing', async () => {
  const gh = new FakeGh(folder)
  const { recipient } = await newIdentity()
  const terminal = start(ACTION, variables(gh))
  await terminal.sees('The URL of the database')
  terminal.types(server.url('shop'))
  await terminal.sees('Destination [artifact, of octo/shop]: ')
  terminal.types(store())
  await terminal.sees('Enter makes a new one')
  terminal.types('')
  await terminal.sees('Recovery recipient, or Enter for none: ')
  terminal.types(recipient)
  const key = await saveKey(terminal)
  await terminal.sees('+++ b/.github/workflows/lifeboat-backup.yml')
  await terminal.sees('Do this? [y/N]')
  expect(readdirSync(project)).toEqual(['.git'])
  expect(gh.calls().filter((call) => call.startsWith('secret set'))).toEqual([])
  terminal.types('y')
  await terminal.sees('every byte read back')
  expect(await terminal.ended).toBe(0)

  // The key was on the screen that vanishes, once, and nowhere else; neither was the password.
  const shown = terminal.shown()
  expect(shown.split(key)).toHaveLength(2)
  const [before = '', after = ''] = shown.split(key)
  expect(before.lastIndexOf('\u001B[?1049h')).toBeGreaterThan(before.lastIndexOf('\u001B[?1049l'))
  expect(after.indexOf('\u001B[?1049l')).toBeGreaterThan(0)
  for (const secret of [server.password, encodeURIComponent(server.password)]) expect(shown).not.toContain(secret)

  // Secrets went through standard input, and no other program's environment has them.
  expect(gh.secret('LIFEBOAT_ENCRYPTION_KEY')).toBe(key)
  expect(gh.secret('DATABASE_URL')).toBe(server.url('shop'))
  expect(`${gh.calls().join('\n')}${gh.environments()}`).not.toMatch(/AGE-SECRET-KEY|postgres:\/\//)

  expect(readdirSync(path.join(project, '.github/workflows')).toSorted()).toEqual(['backup', 'drill', 'freshness', 'restore'].map((name) => `lifeboat-${name}.yml`))
  expect(textsIn('backup')).toContain(`          recipients: ${recipient}\n`)
  expect(textsIn('backup')).toMatch(/- cron: '\d+ 2 \* \* \*'/)
  for (const name of ['backup', 'drill', 'restore', 'freshness']) expect(textsIn(name)).toContain(`          destination: file:${store()}\n`)

  // The backup can be read with the key that was shown.
  const listed = await runLifeboat(['list', '--json'], { ...variables(), LIFEBOAT_ENCRYPTION_KEY: key, LIFEBOAT_DESTINATION: store() })
  expect(JSON.parse(listed.out)).toMatchObject({ snapshots: [{ set: 'production', verified: true }] })

  const files = ['backup', 'drill', 'restore', 'freshness'].map(textsIn)
  const again = await run([...ACTION, '--destination', store(), '--recipients', recipient, '--yes', '--json'], variables(gh, { DATABASE_URL: server.url('shop') }))
  expect(again.err).not.toContain('error: ')
  expect(JSON.parse(again.out)).toMatchObject({
    key: 'kept', first: { state: 'there' },
    files: Array.from({ length: 4 }, () => ({ state: 'unchanged' })), secrets: [{ state: 'kept' }, { state: 'kept' }],
  })
  expect(['backup', 'drill', 'restore', 'freshness'].map(textsIn)).toEqual(files)
  expect(gh.calls().filter((call) => call.startsWith('secret set'))).toHaveLength(2)
})

test('without a terminal it tells everything that is missing at once, and changes nothing', async () => {
  writeFileSync(path.join(folder, '.env'), 'DATABASE_URL=postgres://app:from-a-file@db/app\n')
  const elsewhere = path.join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  const ended = await runLifeboat(['init', '--destination', store()], variables(), { folder: elsewhere })
  expect([ended.status, ended.out]).toEqual([2, ''])
  for (const missing of ['a git repository', '--repository', '--action', '--database-url', 'LIFEBOAT_ENCRYPTION_KEY', '--recipients, or --no-recovery-recipient', '--yes']) expect(ended.err).toContain(missing)
  expect(ended.err).not.toContain('from-a-file')
  expect(readdirSync(elsewhere)).toEqual([])
  expectUntouched()
})

test('a database that cannot be reached stops it, with the hint of doctor; nothing is changed', async () => {
  const { identity } = await newIdentity()
  const ended = await run([...ACTION, '--destination', store(), '--no-recovery-recipient', '--yes'], variables(undefined, { DATABASE_URL: server.url('nowhere'), LIFEBOAT_ENCRYPTION_KEY: identity }))
  expect(ended.status).toBe(1)
  expect(ended.err).toMatch(/error: doctor found what keeps a backup from working: .*there is no database "nowhere"/)
  expect(ended.err).toContain('Nothing was changed.')
  expectUntouched()
})

test('changes that are refused are not made, and the new key is forgotten', async () => {
  const gh = new FakeGh(folder)
  const terminal = start([...ACTION, '--destination', store()], variables(gh, { DATABASE_URL: server.url('shop') }))
  await takesNewKeyAlone(terminal)
  await saveKey(terminal)
  await terminal.sees('Do this? [y/N]')
  terminal.types('n')
  await terminal.sees('the changes were refused')
  expect(await terminal.ended).toBe(1)
  expect(readdirSync(project)).toEqual(['.git'])
  expect(gh.calls().filter((call) => call.startsWith('secret set'))).toEqual([])
})

test('no new key is made for a set that has backups with another one', async () => {
  const { identity } = await newIdentity()
  const given = { DATABASE_URL: server.url('shop') }
  const made = await run([...ACTION, '--destination', store(), '--no-recovery-recipient', '--yes', '--set', 'shop'], variables(undefined, { ...given, LIFEBOAT_ENCRYPTION_KEY: identity }))
  expect(made).toMatchObject({ status: 0 })
  rmSync(path.join(project, '.github'), { recursive: true })
  const terminal = start([...ACTION, '--destination', store(), '--set', 'shop'], variables(undefined, given))
  await takesNewKeyAlone(terminal)
  await terminal.sees('has backups of the set shop, and their key was not given')
  expect(await terminal.ended).toBe(2)
  expect(terminal.shown()).not.toContain('AGE-SECRET-KEY')
  expect(readdirSync(project)).toEqual(['.git'])
})

test('the URL of a .env file is offered by its name, and never shown', async () => {
  writeFileSync(path.join(project, '.env'), `DATABASE_URL=${server.url('shop')}\n`)
  const { identity } = await newIdentity()
  const terminal = start([...ACTION, '--destination', store()], variables(undefined, { LIFEBOAT_ENCRYPTION_KEY: identity }))
  await terminal.sees('Found: .env has DATABASE_URL.')
  await terminal.sees('Enter for DATABASE_URL of .env')
  terminal.types('')
  await terminal.sees('Enter for none: ')
  terminal.types('')
  await terminal.sees('Do this? [y/N]')
  terminal.types('yes')
  expect(await terminal.ended).toBe(0)
  for (const secret of [server.password, encodeURIComponent(server.password), identity]) expect(terminal.shown()).not.toContain(secret)
})

test.each([
  ['pasted together', (first: string, second: string) => `one=${first}\rtwo=${second}\r`],
  ['pasted without an end of the last line', (first: string, second: string) => `one=${first}\ntwo=${second}`],
  ['chosen by number from .env', () => '1, 2\r'],
])('several databases, %s, are all backed up', async (how, keys) => {
  const urls = [server.url('shop'), server.url('postgres')] as const
  if (how.includes('.env')) writeFileSync(path.join(project, '.env'), `SHOP_DATABASE_URL=${urls[0]}\nOTHER_DATABASE_URL=${urls[1]}\n`)
  const { identity } = await newIdentity()
  const terminal = start([...ACTION, '--destination', store(), '--no-recovery-recipient'], variables(undefined, { LIFEBOAT_ENCRYPTION_KEY: identity }))
  if (how.includes('.env')) await terminal.sees('  2. OTHER_DATABASE_URL of .env')
  await terminal.sees('several: paste one per line (your input is not shown): ')
  terminal.presses(keys(...urls))
  if (how.includes('without an end')) {
    // Longer than lines that are pasted together wait for each other.
    await new Promise((resolve) => setTimeout(resolve, 400))
    terminal.presses('\r')
  }
  await terminal.sees('your key alone opens the backups: if it is lost, nobody can read them')
  await terminal.sees(how.includes('.env') ? /Databases (?:shop, postgres)/ : 'Databases one, two')
  await terminal.sees('Do this? [y/N]')
  terminal.types('n')
  expect(await terminal.ended).toBe(1)
  for (const secret of [server.password, encodeURIComponent(server.password)]) expect(terminal.shown()).not.toContain(secret)
  expectUntouched()
})

test('Ctrl-C while the key is shown takes it from the screen, and changes nothing', async () => {
  const gh = new FakeGh(folder)
  const terminal = start([...ACTION, '--destination', store()], variables(gh, { DATABASE_URL: server.url('shop') }))
  await takesNewKeyAlone(terminal)
  await terminal.sees('type its last 6 characters: ')
  terminal.presses('\u0003')
  expect(await terminal.ended).toBe(130)
  expect(terminal.shown().lastIndexOf('\u001B[?1049l')).toBeGreaterThan(terminal.shown().lastIndexOf('AGE-SECRET-KEY'))
  expect(terminal.shown()).toContain('interrupted')
  expectUntouched()
  expect(gh.calls().filter((call) => call.startsWith('secret set'))).toEqual([])
})

test('gh that is not logged in: the secrets to make are named, with the place', async () => {
  const gh = new FakeGh(folder, 'logged out')
  const { identity } = await newIdentity()
  const given = { DATABASE_URL: server.url('shop'), LIFEBOAT_ENCRYPTION_KEY: identity }
  const ended = await run([...ACTION, '--destination', store(), '--no-recovery-recipient', '--yes', '--first-backup=false'], variables(gh, given))
  expect(ended).toMatchObject({ status: 0, err: expect.not.stringMatching(/^error:/m) })
  expect(ended.out).toMatch(/^ {2}secret DATABASE_URL +to make$/m)
  expect(ended.out).toContain('Make these secrets at https://github.com/octo/shop/settings/secrets/actions, unless they are there: DATABASE_URL, LIFEBOAT_ENCRYPTION_KEY.')
  expect(gh.calls()).toEqual(['--version', 'auth status'])
  expect(`${ended.out}${ended.err}`).not.toContain(server.password)

  // The first backup is still to be made, which needs the key.
  const terminal = start([...ACTION, '--destination', store()], variables(gh, { DATABASE_URL: server.url('shop') }))
  await terminal.sees('The key of the repository, to make the first backup now')
  terminal.types(identity)
  await terminal.sees('Do this? [y/N]')
  terminal.types('y')
  await terminal.sees('every byte read back')
  expect(await terminal.ended).toBe(0)
  expect(terminal.shown()).not.toContain(identity)
})

test('a workflow that the user changed stays, unless --force is given; for artifacts the workflow is started once it is pushed', async () => {
  const gh = new FakeGh(folder)
  const { identity } = await newIdentity()
  const given = variables(gh, { DATABASE_URL: server.url('shop'), LIFEBOAT_ENCRYPTION_KEY: identity })
  const first = await run([...ACTION, '--no-recovery-recipient', '--yes', '--json'], given)
  expect(JSON.parse(first.out)).toMatchObject({ destination: 'artifact', first: { state: 'not made', why: 'the workflow has to be pushed first' } })
  expect(textsIn('drill')).toContain(`image: ${officialImage(17)}\n`)
  const mine = textsIn('restore').replace('timeout-minutes: 120', 'timeout-minutes: 240')
  writeFileSync(workflow('restore'), mine)

  gh.pushed()
  const second = await run([...ACTION, '--no-recovery-recipient', '--yes'], given)
  expect(second.err).toContain('-    timeout-minutes: 240\n+    timeout-minutes: 120')
  expect(second.out).toMatch(/lifeboat-restore\.yml +left as it is, with differences/)
  expect(second.out).toMatch(/first backup +the workflow has been started/)
  expect(textsIn('restore')).toBe(mine)
  expect(gh.calls().at(-1)).toBe('workflow run lifeboat-backup.yml --repo octo/shop')

  const forced = await run([...ACTION, '--no-recovery-recipient', '--yes', '--force', '--json'], given)
  expect(JSON.parse(forced.out)).toMatchObject({ first: { state: 'there' } })
  expect(textsIn('restore')).not.toBe(mine)
})
