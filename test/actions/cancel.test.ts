import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inputsOf } from '../../src/commands/all.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { builtProgram } from '../end-to-end/built.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { runStep, startStep, tracked, type StartedStep, type StepResult } from '../support/github/runner.ts'
import { startServer, type Server } from '../support/postgres-server.ts'
import { until } from '../support/until.ts'

let server: Server
let key: string
let folder: string
let tracking: string
beforeAll(async () => {
  key = (await newIdentity()).identity
  server = await startServer(14)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g', 'shop')
})
afterAll(() => server.stop())
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-cancel-'))
  tracking = `github_${randomUUID()}`
})
afterEach(() => {
  const left = tracked(tracking)
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true })
  expect(left).toEqual([])
})

const program = (name: string): string => path.join(builtProgram(), `${name}.js`)

function startBackup(): Promise<StartedStep> {
  const given: Record<string, string> = { 'database-url': server.url('shop'), 'encryption-key': key, destination: `file:${path.join(folder, 'store')}` }
  const inputs = Object.fromEntries(inputsOf('backup').map(([name]) => [name, given[name] ?? '']))
  const PATH = [path.join(folder, 'bin'), clientDirectory(15), process.env['PATH']].join(path.delimiter)
  return startStep(folder, { main: program('backup'), inputs, variables: { PATH, RUNNER_TRACKING_ID: tracking } })
}

async function backup(): Promise<StepResult> {
  return (await startBackup()).result
}

const post = (run: string): Promise<StepResult> => runStep(folder, { main: program('post'), state: { run }, variables: { RUNNER_TRACKING_ID: tracking } })

/** Programs of PostgreSQL 14, the server's own, whose pg_dump writes an archive and then neither ends nor heeds SIGTERM. */
function stubbornDump(): void {
  const bin = path.join(folder, 'bin')
  mkdirSync(bin)
  for (const name of ['psql', 'pg_restore', 'pg_dumpall', 'pg_dump']) {
    const program = path.join(clientDirectory(15), name)
    const lasting = name === 'pg_dump' ? `trap '' TERM\n${program} "$@"\nwhile :; do sleep 0.1; done\n` : `exec ${program} "$@"\n`
    writeFileSync(path.join(bin, name), `#!/bin/bash\n[ "$1" != --version ] || { echo '${name} (PostgreSQL) 14.99'; exit; }\n${lasting}`, { mode: 0o755 })
  }
}

const stored = (): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.startsWith('store/snapshots/') && name.endsWith('.zst'))
/** The archive is written, and bash is at its loop. */
const dumping = (): boolean => tracked(tracking).some(({ command }) => command === 'sleep 0.1')

const temporary = (): string[] => readdirSync(path.join(folder, '_temp')).filter((name) => name !== '_runner_file_commands')

test('a backup that is cancelled stops before the runner insists, though pg_dump does not; nothing is left, and the next one succeeds', async () => {
  stubbornDump()
  const step = await startBackup()
  await until(dumping)
  const signals = step.cancel()
  const { status, log, outputs, summary } = await step.result
  expect(signals).toEqual(['SIGINT'])
  expect([status, outputs]).toEqual([130, { outcome: 'failed' }])
  expect(log).toContain('::error title=Lifeboat backup failed::interrupted')
  expect(summary).toBe('### ❌ Lifeboat: backup failed\n\n**interrupted**\n')
  expect(temporary()).toEqual([])
  expect(stored()).toEqual([])
  await until(() => tracked(tracking).length === 0)
  rmSync(path.join(folder, 'bin'), { recursive: true })
  expect((await backup()).status).toBe(0)
})

test('the post step ends what a killed action left running, removes its staging, and says so', async () => {
  stubbornDump()
  const step = await startBackup()
  await until(dumping)
  step.process.kill('SIGKILL')
  await until(() => step.process.signalCode !== null)
  const { run } = await step.saved()
  const staging = path.join(folder, '_temp', `lifeboat-${run}`)
  mkdirSync(staging)
  writeFileSync(path.join(staging, 'staged'), 'x')
  const { status, log } = await post(run!)
  expect(status).toBe(0)
  expect(log).toMatch(/^Lifeboat had been killed: \d+ process(es)? of it (was|were) still running and (is|are) stopped\nLifeboat had been killed: its temporary files are removed\n$/)
  expect(tracked(tracking)).toEqual([])
  expect(temporary()).toEqual([])
  // Its output had been open in what it left running.
  expect((await step.result).signal).toBe('SIGKILL')
})

test('the post step is silent when nothing is left, and touches nothing that is not of its run', async () => {
  const { state, status } = await backup()
  expect(status).toBe(0)
  const other = 'lifeboat-00000000-0000-4000-8000-000000000000'
  mkdirSync(path.join(folder, '_temp', other))
  expect(state['run']).toMatch(/^[0-9a-f-]{36}$/)
  for (const run of [state['run']!, '', '../..', 'x']) expect(await post(run)).toMatchObject({ status: 0, log: '' })
  expect(temporary()).toEqual([other])
})
