import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inputsOf } from '../../src/commands/all.ts'
import { builtProgram, keepingCompiled } from '../end-to-end/built.ts'
import { requireDocumented } from '../support/documented.ts'
import { lifeboatEntry } from '../support/terminal-program.ts'

const PASSPHRASE = 'correct horse battery staple'
const PATH = process.env['PATH']

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-configuration-'))
  mkdirSync(path.join(folder, 'uploads'))
  for (const name of ['a.txt', 'b.txt', 'c.tmp']) writeFileSync(path.join(folder, 'uploads', name), `content of ${name}\n`)
})
afterEach(() => rmSync(folder, { recursive: true }))

interface Ended {
  status: number
  out: string
  err: string
}

/** Runs a program in the folder of the test, with nothing but these variables. */
function run(script: string, args: readonly string[], variables: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], { cwd: folder, env: { ...keepingCompiled(), PATH, TMPDIR: folder, ...variables } }, (_, out, err) =>
      resolve({ status: child.exitCode ?? -1, out, err }))
  })
}

const lifeboat = (args: string, variables?: Record<string, string>): Promise<Ended> => run(lifeboatEntry(), args.split(' '), variables)

/** A step of a workflow, which passes every input, empty if it is not given. */
async function step(given: Record<string, string>, variables: Record<string, string> = {}): Promise<Ended & { result: Record<string, unknown> }> {
  const output = path.join(folder, 'output')
  writeFileSync(output, '')
  const inputs = Object.fromEntries(inputsOf('backup').map(([name]) => [`INPUT_${name.toUpperCase()}`, given[name] ?? '']))
  const ended = await run(path.join(builtProgram(), 'backup.js'), [], { ...inputs, GITHUB_OUTPUT: output, RUNNER_TEMP: folder, CI: 'true', GITHUB_ACTIONS: 'true', ...variables })
  const [, json = '{}'] = /^result<<(?:.*)\n(.*)$/m.exec(readFileSync(output, 'utf8')) ?? []
  return { ...ended, result: JSON.parse(json) }
}

function write(text: string, name = 'lifeboat.yml'): void {
  writeFileSync(path.join(folder, name), text)
}

const FILE = `
set: shop
destination: ./store
encryption-key: \${KEY}
volumes:
  uploads: ./uploads
exclude:
  uploads: ['*.tmp']
tags: [nightly, weekly]
commands:
  backup:
    verify: read
`

/** Everything of a result that two backups of the same data have in common. */
function facts({ set, size, chunks, verified, sources, tags }: Record<string, unknown>): unknown {
  const own = ['seconds', 'stored', 'added', 'duration']
  return JSON.parse(JSON.stringify({ set, size, chunks, verified, sources, tags }, (name, value: unknown) => (own.includes(name) ? undefined : value)))
}

test('a step of three lines makes the same backup as one with every input', async () => {
  write(FILE)
  const short = await step({ config: 'lifeboat.yml' }, { KEY: PASSPHRASE })
  expect([short.status, short.err]).toEqual([0, ''])
  renameSync(path.join(folder, 'store'), path.join(folder, 'first'))
  const long = await step({ set: 'shop', destination: './store', 'encryption-key': PASSPHRASE, volumes: 'uploads=./uploads', exclude: 'uploads=*.tmp', tags: 'nightly, weekly', verify: 'read' })
  expect(long.status).toBe(0)
  expect(facts(short.result)).toEqual(facts(long.result))
  expect(facts(short.result)).toMatchObject({ set: 'shop', verified: 'read' })
  expect(short.out).toContain('inputs that are not given are taken from lifeboat.yml')
  expect(short.out).toContain(`::add-mask::${PASSPHRASE}`)
  expect(short.out.split('\n').filter((line) => line.includes(PASSPHRASE) && !line.startsWith('::add-mask::'))).toEqual([])
})

test('an action reads no file that it was not told to read, and says so', async () => {
  write(FILE)
  const { status, out, result } = await step({ set: 'own', destination: './own', 'encryption-key': PASSPHRASE, volumes: 'uploads=./uploads' })
  expect([status, result]).toMatchObject([0, { set: 'own' }])
  expect(out).toContain('lifeboat.yml in the working directory is not read: in a workflow that needs `config: lifeboat.yml`')
})

test('a file with faults fails the step before anything is read, with all of them and their lines', async () => {
  write('sett: shop\nretention: 7 dayly\nvolumes: uploads=./uploads\ndestination: ./store\n')
  const { status, out } = await step({ config: 'lifeboat.yml', 'encryption-key': PASSPHRASE })
  expect(status).toBe(2)
  expect(out).toContain('lifeboat.yml has 2 problems:%0Alifeboat.yml, line 1, column 1: unknown key "sett"; did you mean set?%0Alifeboat.yml, line 2, column 12: retention: "7" is not a rule')
  expect(out).toContain('config check --config lifeboat.yml')
})

test('at a terminal the file of the working directory is read; options and variables precede it', async () => {
  write(FILE)
  const backup = await lifeboat('backup --tags other --json', { KEY: PASSPHRASE })
  expect(backup.status).toBe(0)
  expect(backup.err).toContain('inputs that are not given are taken from lifeboat.yml')
  const list = await lifeboat('list --json', { KEY: PASSPHRASE })
  expect(JSON.parse(list.out)).toMatchObject({ snapshots: [{ set: 'shop', tags: ['other'] }] })
  const elsewhere = await lifeboat('list', { KEY: PASSPHRASE, LIFEBOAT_DESTINATION: './elsewhere' })
  expect(elsewhere.status).not.toBe(0)
  expect(elsewhere.err).toContain('LIFEBOAT_DESTINATION is set, and precedes destination in line 3 of lifeboat.yml')
  expect((await lifeboat('list --destination ./store --config none', { LIFEBOAT_ENCRYPTION_KEY: PASSPHRASE, KEY: 'x' })).err).not.toContain('lifeboat.yml')
})

test('a file that was found is not read in CI, nor if it is of somebody else, or a link, and names no code', async () => {
  write(FILE)
  expect((await lifeboat('list', { KEY: PASSPHRASE, CI: 'true' })).err).toContain('is not read: in a workflow that needs --config lifeboat.yml')
  const file = path.join(folder, 'lifeboat.yml')
  chmodSync(file, 0o666)
  const open = await lifeboat('list', { KEY: PASSPHRASE })
  expect([open.status, open.err]).toEqual([2, expect.stringContaining('lifeboat.yml of the working directory can be written by every user, and is only read if it is named')])
  expect(open.err).toContain('--config lifeboat.yml')
  chmodSync(file, 0o644)
  if (process.getuid!() === 0) {
    chownSync(file, 12_345, 12_345)
    expect((await lifeboat('list', { KEY: PASSPHRASE })).err).toContain('belongs to another user')
    expect((await lifeboat('list', { KEY: PASSPHRASE, SUDO_UID: '12345' })).err).not.toContain('belongs to another user')
    chownSync(file, 0, 0)
  }
  renameSync(file, path.join(folder, 'real.yml'))
  symlinkSync('real.yml', file)
  expect((await lifeboat('list', { KEY: PASSPHRASE })).err).toContain('is a symbolic link')
  rmSync(file)
  write(`${FILE}    pre-command: touch ran\n`)
  const hooked = await lifeboat('backup', { KEY: PASSPHRASE })
  expect([hooked.status, hooked.err]).toEqual([2, expect.stringContaining('lifeboat.yml, line 13, column 5: pre-command names code to run')])
  expect((await lifeboat('backup --config lifeboat.yml', { KEY: PASSPHRASE })).status).toBe(0)
  expect(readFileSync(path.join(folder, 'ran'), 'utf8')).toBe('')
})

test('config check lists inputs, sources, variables and faults, and shows no secret', async () => {
  write(`${FILE}notify: slack:\${HOOK} on failure\ndatabase-url:\n  app: postgres://app:\${PW}@db/app\n`)
  const good = await lifeboat('config check', { KEY: PASSPHRASE })
  expect(good.status).toBe(0)
  for (const line of [/line 2 +set +shop +for \d+ commands/, /line 4 +encryption-key +secret +for/, /line 12 +verify +read +for backup$/m, /databases +app/, /volumes +uploads/, /KEY +set +line 4/, /HOOK +missing +line 13/, /PW +missing +line 15/]) expect(good.out).toMatch(line)
  expect(good.out).not.toContain(PASSPHRASE)
  const { out } = await lifeboat('config check --json', { KEY: PASSPHRASE })
  requireDocumented('config check', out)
  const json = JSON.parse(out)
  expect(json).toMatchObject({ path: 'lifeboat.yml', sources: { databases: ['app'], volumes: ['uploads'] }, problems: [], warnings: [] })
  write('destination: [/one, /two]\n', 'two.yml')
  expect((await lifeboat('config check --config two.yml')).out).toMatch(/destination +\/one, \/two +all for backup, check, doctor; the first for \d+ commands/)
  write('encryption-key: my own passphrase\nsett: x\n', 'bad.yml')
  const bad = await lifeboat('config check --config bad.yml')
  expect(bad.status).toBe(1)
  expect(bad.out).toContain('bad.yml, line 1, column 17: encryption-key is a secret, and is in the file as plain text')
  expect(bad.out).toContain('bad.yml, line 2, column 1: unknown key "sett"; did you mean set?')
  expect(bad.out + bad.err).not.toContain('my own passphrase')
  rmSync(path.join(folder, 'lifeboat.yml'))
  expect(await lifeboat('config check')).toMatchObject({ status: 2, err: expect.stringContaining('there is no lifeboat.yml in the working directory') })
})

test('doctor says where each of its values comes from', async () => {
  write(FILE)
  const { out } = await lifeboat('doctor --timezone Europe/Berlin', { KEY: PASSPHRASE })
  for (const line of [/^ +destination +\.\/store +lifeboat\.yml, line 3$/m, /^ +encryption-key +secret +lifeboat\.yml, line 4$/m, /^ +timezone +Europe\/Berlin +input$/m, /^ +client-install +auto +default$/m]) expect(out).toMatch(line)
  expect(out).not.toContain(PASSPHRASE)
  const variable = await lifeboat('doctor', { LIFEBOAT_ENCRYPTION_KEY: PASSPHRASE, KEY: PASSPHRASE })
  expect(variable.out).toMatch(/encryption-key +secret +environment variable LIFEBOAT_ENCRYPTION_KEY/)
})

