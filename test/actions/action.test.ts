import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import path from 'node:path'
import { builtProgram, keepingCompiled } from '../end-to-end/built.ts'
import { type Command, inputsOf } from '../../src/commands/all.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { portOf } from '../support/free-port.ts'
import { parseFileCommands } from '../support/github/runner.ts'
import { startServer, type Server } from '../support/postgres-server.ts'

let server: Server
let folder: string
let key: string
beforeAll(async () => {
  key = (await newIdentity()).identity
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g', 'shop')
})
afterAll(() => server.stop())
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-action-'))))
afterEach(() => rmSync(folder, { recursive: true }))

interface Step {
  status: number | null
  /** The log as the runner shows it: `::add-mask::` lines taken out, and kept in `masks`. */
  log: string
  masks: string[]
  /** All of it. */
  printed: string
  outputs: Record<string, string>
  summary: string
}

/** A workflow command's data as it was before @actions/core wrote it. */
function unescape(text: string): string {
  return text.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%')
}

/** Starts an action as a runner does: every input of its action.yml by variable, the defaults filled in, and what is misspelled as well. */
async function step(command: Command, inputs: Record<string, string>, variables: Record<string, string> = {}): Promise<Step> {
  const temporary = path.join(folder, '_temp')
  const [output, summary] = [path.join(folder, 'output'), path.join(folder, 'summary')]
  mkdirSync(temporary, { recursive: true })
  for (const file of [output, summary]) writeFileSync(file, '')
  const all = { ...Object.fromEntries(inputsOf(command).map(([name]) => [name, ''])), ...inputs }
  const child = spawn(process.execPath, [path.join(builtProgram(), `${command}.js`)], {
    env: {
      ...keepingCompiled(),
      PATH: process.env['PATH'],
      ...Object.fromEntries(Object.entries(all).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
      RUNNER_TEMP: temporary, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary,
      GITHUB_REPOSITORY: 'someone/something', GITHUB_RUN_ID: '42', GITHUB_RUN_ATTEMPT: '1', GITHUB_WORKFLOW: 'nightly',
      GITHUB_ACTION_REPOSITORY: 'someone/lifeboat', GITHUB_ACTION_REF: 'v9',
      ...variables,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (printed += bytes.toString()))
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  expect(readdirSync(temporary)).toEqual([])
  const lines = printed.split('\n')
  const mask = '::add-mask::'
  return {
    status,
    printed,
    log: lines.filter((line) => !line.startsWith(mask)).join('\n'),
    masks: lines.filter((line) => line.startsWith(mask)).map((line) => unescape(line.slice(mask.length))),
    outputs: parseFileCommands(readFileSync(output, 'utf8')),
    summary: readFileSync(summary, 'utf8'),
  }
}

const destination = (): string => `file:${path.join(folder, 'store')}`
const backup = (more: Record<string, string> = {}): Promise<Step> => step('backup', { 'database-url': server.url('shop'), 'encryption-key': key, destination: destination(), ...more })

/** Nothing anyone can see later holds a secret. */
function expectNoSecret({ log, outputs, summary }: Step, ...secrets: string[]): void {
  const seen = [log, ...Object.values(outputs), summary].join('\n')
  for (const secret of [key, server.url('shop'), server.password, encodeURIComponent(server.password), ...secrets]) expect(seen).not.toContain(secret)
}

test('a backup sets its outputs, writes a summary that says how to restore, and shows no secret', async () => {
  const done = await backup({ set: 'production', timezone: 'Europe/Berlin' })
  expect(done.log).not.toContain('::error')
  expect(done.status).toBe(0)
  const result = JSON.parse(done.outputs['result']!)
  expect(result).toMatchObject({ set: 'production', verified: 'list', sources: [{ name: 'shop' }] })
  expect(done.outputs).toMatchObject({ outcome: 'done', 'snapshot-id': result.snapshot, size: `${result.size}`, added: `${result.added}`, duration: `${result.seconds}`, verified: 'list' })
  expect(done.summary).toContain('### ✅ Lifeboat: 1 database backed up and verified\n')
  expect(done.summary).toContain(`- uses: someone/lifeboat/restore@v9`)
  expect(done.summary).toContain(`snapshot: ${result.snapshot}`)
  expect(done.log).toMatch(/^::group::backing up shop\nbacking up shop: .*\n::endgroup::$/m)
  expect(done.log).toMatch(/^::notice title=Lifeboat backup::1 database backed up and verified: /m)
  const basic = Buffer.from(`postgres:${server.password}`).toString('base64').replace(/=+$/, '')
  expect(done.masks).toEqual(expect.arrayContaining([key, server.url('shop'), server.password, encodeURIComponent(server.password), basic]))
  expect(done.printed.indexOf('::add-mask::')).toBe(0)
  expectNoSecret(done)
})

test('list and verify find what a backup made, and show its description as text', async () => {
  const made = await backup({ description: 'before <the> deployment' })
  const store = { destination: destination(), 'encryption-key': key }
  const listed = await step('list', store)
  expect(listed.outputs).toMatchObject({ outcome: 'done', count: '1', 'snapshot-id': made.outputs['snapshot-id'] })
  expect(listed.summary).toContain('before &#60;the&#62; deployment')
  const verified = await step('verify', { ...store, level: 'read' })
  expect(verified.outputs).toMatchObject({ outcome: 'verified', 'snapshot-id': made.outputs['snapshot-id'] })
  expect([listed.status, verified.status]).toEqual([0, 0])
})

test('outputs that cannot be set cost neither the status nor the summary', async () => {
  await backup()
  const gone = { GITHUB_OUTPUT: path.join(folder, 'gone', 'output') }
  const done = await step('list', { destination: destination(), 'encryption-key': key }, gone)
  expect(done.status).toBe(0)
  expect(done.summary).toContain('Lifeboat')
  expect(done.log).toMatch(/^::warning::the outputs could not be set: /m)
  const failed = await step('list', { destination: `${destination()}-none`, 'encryption-key': key }, gone)
  expect(failed.status).toBe(1)
  expect(failed.summary).toContain('❌')
})

test('a restore restores, and says into what', async () => {
  await backup()
  await server.createDatabase('action_target')
  const inputs = { 'database-url': server.url('action_target'), 'encryption-key': key, destination: destination() }
  const planned = await step('restore', { ...inputs, 'dry-run': 'true' })
  expect(planned.summary).toContain('the action verify with `snapshot: ')
  for (const text of [planned.log, planned.summary]) expect(text).not.toMatch(/[‹›]|&#8249;|&#8250;/)
  const done = await step('restore', inputs)
  expect(done.log).not.toContain('::error')
  expect([done.status, done.outputs['outcome']]).toEqual([0, 'done'])
  expect(done.summary).toContain('### ✅ Lifeboat: `shop` restored\n')
  expect(await server.sql('SELECT count(*) FROM orders', 'action_target')).toBe('1000')
  expectNoSecret(done)
})

test('a verification that finds damage fails the step, and the outputs, the summary and an annotation say so', async () => {
  await backup()
  const chunks = path.join(folder, 'store', 'chunks')
  const chunk = readdirSync(chunks, { recursive: true, withFileTypes: true }).find((entry) => entry.isFile())!
  writeFileSync(path.join(chunk.parentPath, chunk.name), 'not what it was')
  const done = await step('verify', { destination: destination(), 'encryption-key': key })
  expect(done.status).toBe(1)
  expect(done.outputs['outcome']).toBe('failed')
  expect(done.summary).toContain('❌ Lifeboat: the backup is damaged')
  expect(done.log).toContain('::error title=Lifeboat verify failed::')
})

test('a verification that cannot look at a backup does not call it failed', async () => {
  await backup()
  const given = { destination: destination(), 'encryption-key': key }
  const { identity: other } = await newIdentity()
  for (const [wrong, status] of [[{ 'encryption-key': other }, 3], [{ set: 'none' }, 3], [{ level: 'raed' }, 2], [{ 'encryption-key': '' }, 2]] as const) {
    const done = await step('verify', { ...given, ...wrong })
    expect([done.status, done.outputs]).toEqual([status, { outcome: 'could not verify' }])
  }
})

test('a backup that fails says so everywhere, with what to do, and without the password', async () => {
  const url = server.url('shop', 'postgres', 'wrong password')
  const done = await backup({ 'database-url': url })
  expect(done.status).toBe(1)
  expect(done.outputs).toEqual({ outcome: 'failed' })
  expect(done.summary).toMatch(/^### ❌ Lifeboat: backup failed\n/)
  expect(done.summary).toContain('What to do: ')
  expect(done.log).toContain('::error title=Lifeboat backup failed::')
  expectNoSecret(done, url, 'wrong password', encodeURIComponent('wrong password'))
})

test('a backup that fails tells how old the newest good one is, and asks the store only then', async () => {
  const url = server.url('no_such_database')
  const good = await backup()
  expect((await backup({ 'database-url': url, set: 'another' })).summary).toContain('There is no earlier backup of set **another**.')
  const failed = await backup({ 'database-url': url })
  expect(failed.summary).toMatch(new RegExp(`The newest backup of set \\*\\*default\\*\\* before this run is \\*\\*\\d+ s old\\*\\*: \`${good.outputs['snapshot-id']}\``))
  // The secret is gone: a usage error, and the backups get older all the same.
  const unset = await backup({ 'database-url': '' })
  expect([unset.status, unset.summary]).toEqual([2, expect.stringContaining('The newest backup of set **default** before this run is **')])
  // Nothing can be read without the key.
  expect((await backup({ 'database-url': '', 'encryption-key': '' })).summary).not.toContain('newest backup')
  const snapshots = path.join(folder, 'store/snapshots/default')
  for (const name of readdirSync(snapshots)) writeFileSync(path.join(snapshots, name), 'not what it was')
  expect((await backup({ 'database-url': url })).summary).toContain('None of the newest backups of set **default** can be relied on')
})

test('a backup that fails because of the store says so, and that the store could not be asked', async () => {
  const file = path.join(folder, 'a-file')
  writeFileSync(file, '')
  const failed = await backup({ destination: `file:${file}/store` })
  expect([failed.status, failed.outputs]).toEqual([1, { outcome: 'failed' }])
  expect(failed.summary).toContain('### ❌ Lifeboat: backup failed')
  expect(failed.summary).toContain('The age of the newest backup of set **default** could not be found out: there is no Lifeboat store in ')
})

test('a store that does not answer does not hold a failure back', async () => {
  // It takes connections and never says a word.
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const sockets: Socket[] = []
  silent.on('connection', (socket) => void sockets.push(socket.on('error', () => undefined)))
  try {
    const failed = await backup({ 'database-url': server.url('no_such_database'), destination: `webdav://127.0.0.1:${portOf(silent)}/store` })
    expect([failed.status, failed.outputs]).toEqual([1, { outcome: 'failed' }])
    expect(failed.summary).toContain('could not be found out: the store did not answer within 5 s')
    expect(sockets.length).toBeGreaterThan(0)
  } finally {
    for (const socket of sockets) socket.destroy()
    silent.close()
  }
})

test('a misspelled input is refused with the nearest name, and its value, which may be a secret, is not shown', async () => {
  const done = await backup({ 'encryption-ky': 'a secret in the wrong place' })
  expect(done.status).toBe(2)
  expect(done.log).toContain('backup has no input "encryption-ky"; did you mean encryption-key?')
  expectNoSecret(done, 'a secret in the wrong place')
})

test('a value that is not understood is refused before anything is done', async () => {
  const done = await backup({ retention: '7 dayly' })
  expect(done.status).toBe(2)
  expect(done.outputs).toEqual({ outcome: 'failed' })
  expect(done.log).toContain('retention: "7" is not a rule')
  expect(readdirSync(folder).toSorted()).toEqual(['_temp', 'output', 'summary'])
})

test('the secrets may come from the environment of the step, and are masked all the same', async () => {
  const done = await step('backup', { destination: destination() }, { DATABASE_URL: server.url('shop'), LIFEBOAT_ENCRYPTION_KEY: key })
  expect(done.status).toBe(0)
  expect(done.masks).toEqual(expect.arrayContaining([key, server.password]))
  expectNoSecret(done)
})
