import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import type { Command } from '../../src/commands/all.ts'
import { statusOf } from '../../src/commands/run-command.ts'
import { runDocumented } from '../support/documented.ts'
import { secretsGiven } from '../../src/inputs/secrets.ts'
import { inputsOf } from '../../src/commands/all.ts'
import type { Environment } from '../../src/environment.ts'
import { LifeboatError } from '../../src/error.ts'
import { encodePlan } from '../../src/inputs/plan.ts'
import { failureOf } from '../../src/report/failure.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { keepStanding, readStanding } from '../../src/repository/standing.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { identity, keys, otherKeys } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { startServer } from '../support/postgres-server.ts'
import { type Recorder, startRecorder } from '../support/recorder.ts'

const body = z.object({ command: z.string(), status: z.string(), title: z.string(), message: z.string(), problems: z.array(z.string()), advice: z.array(z.string()), set: z.string().nullable(), snapshot: z.string().nullable(), verified: z.string().nullable(), size: z.int().nullable(), run: z.string().nullable(), sets: z.array(z.looseObject({ set: z.string(), status: z.string() })).nullable() })

let server: Recorder
let folder: string
let warnings: string[]
let clock: number
beforeEach(async () => {
  server = await startRecorder()
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-notify-'))
  mkdirSync(path.join(folder, 'uploads'))
  writeFileSync(path.join(folder, 'uploads/file'), 'content')
  warnings = []
  clock = Date.parse('2026-12-01T02:00:00Z')
})
afterEach(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

const SECRET = 'T0AAAAAAA-cCcCcCcCcCcC'
const target = (on: string): string => `webhook:${server.url}/${SECRET} on ${on}`

interface Ran {
  status: number
  /** The messages that were sent meanwhile. */
  told: z.infer<typeof body>[]
}

async function run(command: Command, raw: Record<string, string>, given: Partial<Environment> = {}): Promise<Ran> {
  server.seen.length = 0
  clock += 60_000
  const redaction = new Redaction()
  for (const secret of secretsGiven(inputsOf(command), raw, {})) redaction.add(secret)
  const report = { info: () => undefined, warning: (message: string) => void warnings.push(message), progress: () => undefined, mask: (secret: string) => redaction.add(secret), redacted: (text: string) => redaction.apply(text) }
  const environment: Environment = {
    variables: { PATH: process.env['PATH'] }, signal: new AbortController().signal, report, temporary: path.join(folder, 'tmp'), now: () => new Date(clock),
    run: { repository: 'octo/shop', workflow: 'nightly', id: '7', attempt: '1', url: 'https://github.com/octo/shop/actions/runs/7' }, ...given,
  }
  const status = await runDocumented(command, raw, environment).then(statusOf, (error: unknown) => failureOf(error).status)
  return { status, told: server.seen.map((one) => body.parse(JSON.parse(one.body))) }
}

const store = (): string => path.join(folder, 'store')
const inputs = (on: string): Record<string, string> => ({ destination: `file:${store()}`, 'encryption-key': identity, set: 'app', notify: target(on) })
const backup = (on: string, raw: Record<string, string> = {}, given: Partial<Environment> = {}): Promise<Ran> => run('backup', { ...inputs(on), volumes: `uploads=${folder}/uploads`, ...raw }, given)
/** A backup that fails: its volume is not there. */
const broken = (on: string): Promise<Ran> => backup(on, { volumes: `uploads=${folder}/gone` })

test('a backup that succeeds is told to those who want to know, with set, snapshot, sizes and run', async () => {
  expect(await backup('failure, stale, recovered')).toEqual({ status: 0, told: [] })
  const { told } = await backup('success')
  expect(told).toEqual([expect.objectContaining({
    command: 'backup', status: 'success', title: 'Lifeboat backup succeeded: set app, octo/shop', set: 'app', snapshot: expect.stringMatching(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
    verified: 'list', problems: [], run: 'https://github.com/octo/shop/actions/runs/7',
  })])
  expect(warnings).toEqual([])
})

test('every failing backup is told, the first good one after it once as recovered, whichever runner it is on', async () => {
  const wanted = 'failure, recovered'
  await backup(wanted)
  for (const night of [1, 2]) {
    const { status, told } = await broken(wanted)
    expect([night, status, told.map((one) => [one.status, one.title])]).toEqual([night, 1, [['failure', 'Lifeboat backup failed: set app, octo/shop']]])
    expect(told[0]!.message).toContain('gone')
  }
  expect(readdirSync(path.join(store(), 'states/app'))).toHaveLength(1)
  expect((await backup(wanted)).told.map(({ status }) => status)).toEqual(['recovered'])
  expect((await backup(wanted)).told).toEqual([])
  // Only the newest is kept.
  expect(readdirSync(path.join(store(), 'states/app'))).toEqual([expect.stringMatching(/^backup\.\d{8}T\d{6}Z-[0-9a-f]{8}\.good\.[0-9a-f]{32}\.json$/)])
  // Success includes recovery: one message, not two.
  await broken('failure, recovered, success')
  expect((await backup('recovered, success')).told.map(({ status }) => status)).toEqual(['recovered'])
})

test('nothing is kept where nobody asks for recovered', async () => {
  await backup('always')
  await broken('always')
  expect(readdirSync(store())).not.toContain('states')
})

test('a state that is lost, forged, of another key, set or command, or of the future suppresses no failure and makes no recovery', async () => {
  const wanted = 'failure, recovered'
  await backup(wanted)
  const disk = new FileStore(store())
  const now = new Date(clock)
  await keepStanding(disk, otherKeys, { set: 'app', command: 'backup', now }, 'failed')
  await keepStanding(disk, keys, { set: 'app', command: 'verify', now }, 'failed')
  await keepStanding(disk, keys, { set: 'other', command: 'backup', now }, 'failed')
  await keepStanding(disk, keys, { set: 'app', command: 'backup', now: new Date(clock + 86_400_000) }, 'failed')
  const states = path.join(store(), 'states')
  // Copied from another set, renamed, and cut.
  for (const name of readdirSync(path.join(states, 'other'))) writeFileSync(path.join(states, 'app', name), readFileSync(path.join(states, 'other', name)))
  const good = readdirSync(path.join(states, 'app')).find((name) => name.startsWith('verify'))!
  writeFileSync(path.join(states, 'app', good.replace('verify', 'backup')), '')
  writeFileSync(path.join(states, 'app', good.replace('failed', 'good')), '')
  expect((await backup(wanted)).told).toEqual([])
  expect((await broken(wanted)).told).toHaveLength(1)
  rmSync(states, { recursive: true })
  expect((await broken(wanted)).told).toHaveLength(1)
  expect(await readStanding(disk, keys, { set: 'app', command: 'backup', now: new Date(clock) })).toBe('failed')
  expect((await backup(wanted)).told.map(({ status }) => status)).toEqual(['recovered'])
})

test('two runs at once: a failure is told although the other one is good, and the state is that of the later', async () => {
  const wanted = 'failure, recovered'
  await backup(wanted)
  const disk = new FileStore(store())
  await Promise.all([keepStanding(disk, keys, at(1), 'failed'), keepStanding(disk, keys, at(2), 'good')])
  expect(await readStanding(disk, keys, at(3))).toBe('good')
  expect((await broken(wanted)).told).toHaveLength(1)
})

const at = (seconds: number): { set: string; command: string; now: Date } => ({ set: 'app', command: 'backup', now: new Date(clock + seconds * 1000) })
const verify = (): Promise<Ran> => run('verify', { ...inputs('failure, recovered'), level: 'read' })
const check = (on: string): Promise<Ran> => run('check', inputs(on))

test('the three outcomes of a verification are told apart, and stale is told by check', async () => {
  const { told: [first] } = await backup('success')
  const snapshot = first!.snapshot!
  expect(await verify()).toEqual({ status: 0, told: [] })
  const [chunks] = readdirSync(path.join(store(), 'chunks')).map((name) => path.join(store(), 'chunks', name))
  const chunk = path.join(chunks!, readdirSync(chunks!)[0]!)
  const bytes = readFileSync(chunk)
  writeFileSync(chunk, Buffer.alloc(bytes.length))
  expect(await verify()).toMatchObject({ status: 1, told: [{ command: 'verify', status: 'failure', title: 'Lifeboat verify failed: set app, octo/shop', snapshot, verified: null }] })
  writeFileSync(chunk, bytes)
  expect(await verify()).toMatchObject({ status: 0, told: [{ status: 'recovered', title: 'Lifeboat verify succeeded again: set app, octo/shop', verified: 'read' }] })
  renameSync(store(), `${store()}.away`)
  writeFileSync(store(), 'a file')
  expect(await verify()).toMatchObject({ status: 3, told: [{ status: 'could not verify', title: 'Lifeboat verify could not verify: set app, octo/shop' }] })
  rmSync(store())
  renameSync(`${store()}.away`, store())

  expect(await check('stale, recovered')).toEqual({ status: 0, told: [] })
  clock += 2 * 86_400_000
  for (const on of ['stale', 'failure', 'always']) {
    expect(await check(on)).toMatchObject({ status: 1, told: [{ command: 'check', status: 'stale', title: 'Lifeboat check found stale backups: set app, octo/shop', advice: [expect.stringContaining('Run the backup now')] }] })
  }
  expect((await check('success, recovered')).told).toEqual([])
  writeFileSync(chunk, '')
  expect(await check('stale')).toMatchObject({ status: 1, told: [{ status: 'stale', title: 'Lifeboat check found damaged backups: set app, octo/shop' }] })
})

test('a run that is refused for its inputs is told, but for bad targets, which nothing begins with; nobody is told who sits at the terminal', async () => {
  const refused = { volumes: 'no volume' }
  expect(await backup('failure', refused)).toMatchObject({ status: 2, told: [{ status: 'failure', message: expect.stringContaining('volumes') }] })
  expect(await backup('failure', { 'encryption-key': '' })).toMatchObject({ status: 2, told: [{ message: expect.stringContaining('encryption-key is not given') }] })
  expect(await backup('failure', refused, { ask: async () => '' })).toEqual({ status: 2, told: [] })
  expect(await backup('failure', { notify: `${target('failure')}\nslakc:https://x.example/y` })).toEqual({ status: 2, told: [] })
  expect(readdirSync(folder)).toEqual(['uploads'])
})

test('a service that is down changes nothing in the outcome, and no warning or message has a secret', async () => {
  server.answer = (response) => response.writeHead(500).end()
  const { status } = await backup('always')
  expect(status).toBe(0)
  expect(warnings).toEqual([expect.stringMatching(/^no message was sent to webhook \(127\.0\.0\.1:\d+\): /)])
  server.answer = (response) => void response.end()
  const password = 'hunter2hunter2'
  const { told } = await run('backup', { ...inputs('failure'), 'database-url': `postgres://me:${password}@127.0.0.1:9/shop`, timeout: '1s' })
  expect(told).toHaveLength(1)
  expect(JSON.stringify(told) + warnings.join('\n')).not.toMatch(new RegExp(`${password}|${SECRET}|AGE-SECRET`))
})

test('an interrupted run is told in the time that is left', async () => {
  const controller = new AbortController()
  const { status, told } = await backup('failure', { 'pre-command': 'sleep 20' }, {
    signal: controller.signal,
    now: () => {
      controller.abort(new LifeboatError('interrupted', { status: 130 }))
      return new Date(clock)
    },
  })
  expect(status).toBe(130)
  expect(told).toMatchObject([{ status: 'interrupted', title: 'Lifeboat backup was interrupted: set app, octo/shop' }])
})

test('of several sets, each that failed is named, and the one that recovers makes the message', async () => {
  mkdirSync(path.join(folder, 'other'))
  const part = JSON.stringify({ plan: '20261120T020000Z-5f3a9c1e', databases: [], volumes: ['uploads', 'other'] })
  const given = { destination: `file:${store()}`, 'encryption-key': identity, part, volumes: `uploads=${folder}/uploads\nother=${folder}/other`, notify: target('always, recovered') }
  expect((await run('backup', given)).told).toMatchObject([{ status: 'success', set: null, sets: [{ status: 'success' }, { status: 'success' }] }])
  renameSync(path.join(folder, 'other'), path.join(folder, 'away'))
  const { status, told } = await run('backup', given)
  expect([status, told[0]!.status, told[0]!.sets!.map((one) => one.status)]).toEqual([1, 'failure', ['success', 'failure']])
  renameSync(path.join(folder, 'away'), path.join(folder, 'other'))
  expect((await run('backup', given)).told).toMatchObject([{ status: 'recovered' }])
  expect((await run('backup', given)).told).toMatchObject([{ status: 'success' }])
})

test('a run without a set has a state of its own: check of every set, verdict and copy', async () => {
  await backup('success')
  const all = (on: string): Record<string, string> => ({ destination: `file:${store()}`, 'encryption-key': identity, notify: target(on) })
  const morning = async (): Promise<Ran['told']> => (await run('check', all('failure, recovered'))).told
  expect(await morning()).toEqual([])
  clock += 2 * 86_400_000
  expect(await morning()).toMatchObject([{ status: 'stale', set: null }])
  await backup('failure')
  expect(await morning()).toMatchObject([{ status: 'recovered', title: 'Lifeboat check succeeded again: octo/shop' }])
  expect(await morning()).toEqual([])

  const plan = encodePlan({ id: '20261201T010000Z-5f3a9c1e', time: '2026-12-01T01:00:00.000Z', jobs: [['app', 'crm']] })
  const { told: [incomplete] } = await run('verdict', { ...all('failure'), plan })
  expect(incomplete).toMatchObject({ command: 'verdict', status: 'failure', title: 'Lifeboat verdict failed: octo/shop', problems: [expect.stringContaining('crm')] })
  const copied = await run('copy', { ...all('success'), from: `file:${store()}`, destination: `file:${folder}/copies` })
  expect(copied).toMatchObject({ status: 0, told: [{ command: 'copy', status: 'success', set: null }] })
})

test('a run of databases that ends before its sets are known, as the server is down, is recovered by the next that succeeds', async () => {
  const postgres = await startServer(17)
  try {
    const given = {
      destination: `file:${store()}`, 'encryption-key': identity, databases: 'app', timeout: '5s', notify: target('always, recovered'),
      'database-url': postgres.url('').replace(/\/$/, ''),
    }
    await postgres.createDatabase('app')
    const environment = { variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` } }
    const night = async (raw: Record<string, string> = {}): Promise<string[]> => (await run('backup', { ...given, ...raw }, environment)).told.map(({ status }) => status)
    const down = { 'database-url': 'postgres://u:p@127.0.0.1:9' }
    expect(await night()).toEqual(['success'])
    expect([await night(down), await night(down)]).toEqual([['failure'], ['failure']])
    // Of another selection nothing is told.
    expect(await night({ databases: 'app, !crm' })).toEqual(['success'])
    expect([await night(), await night()]).toEqual([['recovered'], ['success']])
  } finally {
    await postgres.stop()
  }
})

test('undo is about a database and no set', async () => {
  const { told } = await run('restore', { undo: 'true', 'database-url': 'postgres://u:p@127.0.0.1:9/app', confirm: 'app', timeout: '5s', notify: target('failure') })
  expect(told).toMatchObject([{ command: 'restore', set: null, title: 'Lifeboat undo failed: database app, octo/shop' }])
})

test('a store in which nothing can be written costs the message nothing', async () => {
  await backup('success')
  writeFileSync(path.join(store(), 'states'), 'not a folder')
  expect((await broken('failure, recovered')).told).toHaveLength(1)
  expect((await backup('success, recovered')).told).toMatchObject([{ status: 'success' }])
})

test('an issue is opened by the first failure, updated by the next, and closed by a success', async () => {
  const github = await GitHub.start()
  try {
    const variables = { PATH: process.env['PATH'], GITHUB_REPOSITORY: 'octo/shop', GITHUB_API_URL: github.url }
    const given = { ...inputs('failure'), notify: 'issue', token: github.token('read', 'octo/shop', 'write') }
    const night = (volumes: string): Promise<Ran> => run('backup', { ...given, volumes }, { variables })
    await night(`uploads=${folder}/gone`)
    await night(`uploads=${folder}/gone`)
    expect(github.issues.issues).toMatchObject([{ state: 'open', title: 'Lifeboat backup failed: set app, octo/shop' }])
    await night(`uploads=${folder}/uploads`)
    expect(github.issues.issues).toMatchObject([{ state: 'closed' }])
    expect(warnings).toEqual([])
    await run('backup', { ...given, volumes: `uploads=${folder}/uploads` }, { variables: { PATH: process.env['PATH'] } })
    expect(warnings).toEqual(['no message was sent to issue: GITHUB_REPOSITORY or the token is missing'])
  } finally {
    await github.stop()
  }
})
