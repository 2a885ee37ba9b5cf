import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inputsOf } from '../../src/inputs.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { startServer, type Server } from '../support/postgres-server.ts'
import { Runner, type RunningStep } from '../support/runner.ts'

const entry = path.join(import.meta.dirname, 'step.ts')

let server: Server
let key: string
let folder: string
let runner: Runner
beforeAll(async () => {
  key = (await newIdentity()).identity
  server = await startServer(14)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g', 'shop')
})
afterAll(() => server.stop())
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-cancel-'))
  runner = new Runner(folder)
})
afterEach(() => {
  const left = runner.processes()
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true })
  expect(left).toEqual([])
})

function startBackup(): RunningStep {
  const given: Record<string, string> = { 'database-url': server.url('shop'), 'encryption-key': key, destination: `file:${path.join(folder, 'store')}` }
  const inputs = inputsOf('backup').map(([name, input]) => [`INPUT_${name.toUpperCase()}`, given[name] ?? input.default ?? ''])
  return runner.start([entry, 'backup'], { ...Object.fromEntries(inputs), PATH: [path.join(folder, 'bin'), clientDirectory(15), process.env['PATH']].join(path.delimiter) })
}

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

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20)
}

const stored = (): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.startsWith('store/snapshots/') && name.endsWith('.zst'))
/** The archive is written, and bash is at its loop. */
const dumping = (): boolean => runner.processes().some(({ command }) => command === 'sleep 0.1')

test('a backup that is cancelled stops before the runner insists, though pg_dump does not; nothing is left, and the next one succeeds', async () => {
  stubbornDump()
  const step = startBackup()
  await until(dumping)
  expect(await step.cancel()).toEqual(['SIGINT'])
  const { status, log, outputs, summary } = await step.ended
  expect([status, outputs]).toEqual([1, { outcome: 'failed' }])
  expect(log).toContain('::error title=Lifeboat backup failed::interrupted')
  expect(summary).toBe('### ❌ Lifeboat: backup failed\n\n**interrupted**\n')
  expect(readdirSync(runner.temporary)).toEqual([])
  expect(stored()).toEqual([])
  await until(() => runner.processes().length === 0)
  rmSync(path.join(folder, 'bin'), { recursive: true })
  expect((await startBackup().ended).status).toBe(0)
})

test('the post step ends what a killed action left running, removes its staging, and says so', async () => {
  stubbornDump()
  const step = startBackup()
  await until(dumping)
  step.process.kill('SIGKILL')
  const staging = (id: string): string => path.join(runner.temporary, `lifeboat-${id}`)
  await until(() => step.process.signalCode !== null)
  // Its output is still open in the children, so the step's own end is awaited only after the post step.
  const [commands] = readdirSync(folder).filter((name) => name.startsWith('_commands-'))
  const state = runner.stateOf(path.join(folder, commands!))
  mkdirSync(staging(state['run']!))
  writeFileSync(path.join(staging(state['run']!), 'staged'), 'x')
  const post = await runner.start([entry, 'post'], { STATE_run: state['run']! }).ended
  await step.ended
  expect(post.status).toBe(0)
  expect(post.log).toMatch(/^Lifeboat had been killed: \d+ process(es)? of it (was|were) still running and (is|are) stopped\nLifeboat had been killed: its temporary files are removed\n$/)
  expect(runner.processes()).toEqual([])
  expect(readdirSync(runner.temporary)).toEqual([])
})

test('the post step is silent when nothing is left, and touches nothing that is not of its run', async () => {
  const { state, status } = await startBackup().ended
  expect(status).toBe(0)
  const other = path.join(runner.temporary, 'lifeboat-00000000-0000-4000-8000-000000000000')
  mkdirSync(other)
  expect(state['run']).toMatch(/^[0-9a-f-]{36}$/)
  for (const run of [state['run']!, '', '../..', 'x']) expect(await runner.start([entry, 'post'], { STATE_run: run }).ended).toMatchObject({ status: 0, log: '' })
  expect(readdirSync(runner.temporary)).toEqual([path.basename(other)])
})
