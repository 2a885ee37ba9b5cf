import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { type Ceph, startCeph } from '../support/ceph.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { identity } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { type StartedStep, startStep, type StepResult, tracked } from '../support/github/runner.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { destinationOf, newBucket } from '../support/s3-place.ts'
import { until } from '../support/until.ts'
import { actionStep } from '../support/workflow.ts'

const REPOSITORY = 'octo/shop'
const names = Array.from({ length: 40 }, (_, index) => `shop_${String(index).padStart(2, '0')}`)
const matrix = z.strictObject({
  include: z.array(z.strictObject({ job: z.string(), size: z.number(), plan: z.string(), databases: z.array(z.string()), volumes: z.array(z.string()) })),
})
const verdictResult = z.looseObject({ done: z.number(), sets: z.array(z.looseObject({ set: z.string(), job: z.string(), state: z.string(), snapshot: z.string().optional() })) })

let server: Server
let github: GitHub
let ceph: Ceph
let bucket: string
let folder: string
let tracking: string
beforeAll(async () => {
  ;[server, github, ceph] = await Promise.all([startServer(15), GitHub.start(), startCeph()])
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-machines-'))
  tracking = `github_${randomUUID()}`
  bucket = destinationOf(ceph, await newBucket(ceph)).text
  await server.sql(['CREATE TABLE orders AS SELECT 1 AS id', ...names.map((name) => `CREATE DATABASE ${name} TEMPLATE template1`)].join(';\n'), 'template1')
})
afterAll(async () => {
  await Promise.all([server.stop(), github.stop(), ceph.stop()])
  rmSync(folder, { recursive: true })
})

/** A step of a job on a machine of its own. */
function start(action: string, given: Record<string, string>, variables: Record<string, string>): Promise<StartedStep> {
  const { main, inputs } = actionStep(action, { ...(action !== 'plan' && { 'encryption-key': identity }), ...given }, { token: github.token('read', REPOSITORY) })
  const PATH = [clientDirectory(15), process.env['PATH']].join(path.delimiter)
  const { accessKey: AWS_ACCESS_KEY_ID, secretKey: AWS_SECRET_ACCESS_KEY } = ceph
  return startStep(mkdtempSync(path.join(folder, 'machine-')), { main, inputs, variables: { ...variables, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, RUNNER_TRACKING_ID: tracking, PATH } })
}

async function run(action: string, given: Record<string, string>, variables: Record<string, string>): Promise<StepResult> {
  return (await start(action, given, variables)).result
}

test('forty databases over six jobs that write to S3 and to artifacts at once: one is killed, the verdict names exactly what is missing, and its rerun makes it whole', async () => {
  const url = server.url('').replace(/\/$/, '')
  const workflow = github.startRun(REPOSITORY)
  const planned = await run('plan', { 'database-url': url, databases: 'shop_*', 'max-jobs': '6' }, workflow)
  const { include } = matrix.parse(JSON.parse(planned.outputs['matrix'] ?? planned.log))
  expect(include.map(({ job }) => job)).toEqual(['1 of 6', '2 of 6', '3 of 6', '4 of 6', '5 of 6', '6 of 6'])
  expect(include.flatMap(({ databases }) => databases).toSorted()).toEqual(names)
  for (const { databases } of include) expect([6, 7]).toContain(databases.length)
  for (const output of Object.values(planned.outputs)) expect(output).not.toContain(server.password)

  const destinations = [bucket, 'artifact']
  const backup = (item: object, variables = workflow): Promise<StartedStep> => start('', { 'database-url': url, part: JSON.stringify(item), destination: destinations.join('\n') }, variables)
  const verdicts = (): Promise<StepResult[]> => Promise.all(destinations.map((destination) => run('verdict', { plan: planned.outputs['plan']!, destination }, workflow)))

  // The third job stands still at its fourth database.
  const victim = include[2]!
  const [locked, ...later] = victim.databases.toSorted().slice(3)
  const locking = server.sql('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600)', locked).catch(() => undefined)
  await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'orders'::regclass AND granted`, locked)) === '1')
  const jobs = await Promise.all(include.map((item) => backup(item)))
  const others = await Promise.all(jobs.filter((_, index) => index !== 2).map(({ result }) => result))
  expect(others.map(({ status, log }) => (status === 0 ? 0 : log))).toEqual([0, 0, 0, 0, 0])
  await until(async () => (await server.sql(`SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted`, locked)) === '1')
  jobs[2]!.process.kill('SIGKILL')
  expect((await jobs[2]!.result).signal).toBe('SIGKILL')
  await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${locked}' AND pid <> pg_backend_pid()`)
  await locking
  await until(() => tracked(tracking).length === 0)

  // Another run backs up one of the missing databases: that is not this run's.
  const elsewhere = await run('', { 'database-url': url, databases: JSON.stringify(later.slice(0, 1)), destination: destinations.join('\n') }, github.startRun(REPOSITORY))
  expect([elsewhere.status, elsewhere.log]).toEqual([0, expect.any(String)])
  for (const { status, outputs, summary, log } of await verdicts()) {
    expect(status).toBe(1)
    const { done, sets } = verdictResult.parse(JSON.parse(outputs['result'] ?? log))
    const bad = sets.filter(({ state }) => state !== 'done')
    expect(bad.map(({ set, job, state }) => `${set} ${job} ${state}`).toSorted()).toEqual([locked!, ...later].map((set) => `${set} 3 of 6 missing`))
    expect(bad.filter(({ snapshot }) => snapshot !== undefined).map(({ set }) => set)).toEqual([later[0]])
    expect(done).toBe(40 - bad.length)
    expect(outputs).toMatchObject({ outcome: 'incomplete', missing: `${bad.length}`, failed: '0' })
    for (const { set } of bad) expect(summary).toContain(`| \`${set}\` | 3 of 6 | ❌ not backed up by this run |`)
    expect(log.match(/^::error /gm)).toHaveLength(bad.length)
  }

  const again = await (await backup(victim, { ...workflow, GITHUB_RUN_ATTEMPT: '2' })).result
  expect([again.status, again.log]).toEqual([0, expect.any(String)])
  for (const { status, outputs, log } of await verdicts()) {
    expect([status, status === 0 ? '' : log]).toEqual([0, ''])
    expect(outputs).toMatchObject({ outcome: 'complete', done: '40', missing: '0', failed: '0' })
  }
}, 600_000)
