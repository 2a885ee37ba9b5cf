import { identity } from '../support/engine.ts'
import type { Fault } from '../support/github/emulator.ts'
import { inParallel } from '../../src/process/parallel.ts'
import { type Action, problemOf, type Ran, WorkflowRuns } from './workflow-runs.ts'

/** Every call that the actions make to the services of artifacts; the first test records them. */
const calls = [
  'ListArtifacts', 'GET artifacts', 'GET artifacts/N/zip', 'GET blob',
  'CreateArtifact', 'PUT blob block', 'PUT blob blocklist', 'FinalizeArtifact', 'GetSignedArtifactURL', 'GET artifacts/N',
]
const PARALLEL = 12

/** They add to a service, so that a failure in them may leave something there. */
const ADDING = new Set(['CreateArtifact', 'PUT blob block', 'PUT blob blocklist', 'FinalizeArtifact', 'GetSignedArtifactURL'])

test('other runs list, verify and restore the backup of a run; the services get no other requests than those that fail below', async () => {
  const runs = await WorkflowRuns.open()
  try {
    await expectRead(runs)
  } finally {
    await runs.close()
  }
})

async function expectRead(runs: WorkflowRuns): Promise<void> {
  const { server, github } = runs
  const repository = runs.copy()
  const backup = await runs.run('backup', repository)
  expect(problemOf(backup)).toBeUndefined()
  const id = backup.outputs['snapshot-id']
  // Its own part is small: the rest is in the artifact of an earlier run.
  expect(Number(backup.outputs['added'])).toBeLessThan(Number(backup.outputs['size']) / 5)
  const [list, verification] = await Promise.all([runs.run('list', repository), runs.run('verify', repository, { level: 'read' })])
  expect([problemOf(list), list.outputs]).toMatchObject([undefined, { count: '2', 'snapshot-id': id }])
  expect([problemOf(verification), verification.outputs]).toMatchObject([undefined, { outcome: 'verified', 'snapshot-id': id }])
  await server.createDatabase('restored')
  const restore = await runs.run('restore', repository, { 'database-url': server.url('restored') })
  expect([problemOf(restore), restore.outputs['snapshot-id']]).toEqual([undefined, id])
  const content = `SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o`
  expect(await server.sql(content, 'restored')).toBe(await server.sql(content, 'shop'))
  for (const { log, summary, outputs } of [backup, list, verification, restore]) {
    for (const secret of [identity, server.password]) expect([log.replaceAll(/^::add-mask::.*$/gm, ''), summary, JSON.stringify(outputs)].join()).not.toContain(secret)
  }
  const made = github.calls.filter((call) => call.repository === repository).map(({ name }) => name)
  expect([...new Set(made)].toSorted()).toEqual(calls.toSorted())
}

// 429 is to the clients what 500 is: once for each call will do.
const lasting: Fault['kind'][] = [500, 403, 'reset', 'stall', 'html']
const cases = calls.flatMap((call) => lasting.map((kind) => [call, kind] as const))
/** Made by a backup that needs no earlier one: for others a list tells as much. */
const ALONE = 'GET artifacts/N'
const unimportant = cases.filter(([call]) => call === ALONE)
const important = cases.filter(([call]) => call !== ALONE)
const ofLater = calls.filter((call) => call !== ALONE)
const passing: Fault['kind'][] = ['slow', 500, 429, 'reset', 'html']
const reading: Fault['kind'][] = [...passing, 'stall']

const fault = (match: string, kind: Fault['kind']): Fault => ({ match, kind, headers: kind === 429 ? { 'retry-after': '1' } : undefined })

describe('calls that go wrong', () => {
  let runs: WorkflowRuns
  const ended = new Map<string, { repository: string; ran: Ran }>()
  const of = (...name: (string | number)[]) => ended.get(name.join(' '))!
  const job = (name: string, action: Action, given: Record<string, string>, faults: Fault[]) => async () => {
    const repository = runs.copy()
    runs.github.faults.push(...faults.map((fault) => ({ ...fault, repository })))
    ended.set(name, { repository, ran: await runs.run(action, repository, given) })
  }

  /** Most steps do nothing but wait until they may try again: many of them at a time. */
  beforeAll(async () => {
    runs = await WorkflowRuns.open('files')
    const jobs = [
      ...passing.map((kind) => job(`once ${kind} backup`, 'backup', { timeout: '30s' }, ofLater.map((call) => fault(call, kind)))),
      ...reading.map((kind) => job(`once ${kind} verify`, 'verify', { level: 'read', timeout: '12s' }, calls.map((call) => fault(call, kind)))),
      ...unimportant.map(([call, kind]) => job(`${call} ${kind}`, 'backup', { timeout: '30s', set: 'alone' }, [{ ...fault(call, kind), times: Infinity }])),
      ...important.map(([call, kind]) => job(`${call} ${kind}`, 'backup', { timeout: '3s' }, [{ ...fault(call, kind), times: Infinity }])),
    ]
    await inParallel(jobs, PARALLEL, (job) => job())
  }, 240_000)
  afterAll(() => runs.close())

  test.each(passing)('every call once: %s: is tried again, and the backup is made', (kind) => {
    const { ran, repository } = of('once', kind, 'backup')
    expect(problemOf(ran)).toBeUndefined()
    expect(runs.github.faults.filter((fault) => fault.repository === repository)).toEqual([])
  })

  test.each(reading)('every call once: %s: is tried again, and the snapshot is read', (kind) => {
    expect(problemOf(of('once', kind, 'verify').ran)).toBeUndefined()
  })

  // That GitHub does not say how long it keeps an artifact is no reason for a backup to fail.
  test.each(unimportant)('%s: %s each time: the backup is made, with a warning', (call, kind) => {
    const { ran } = of(call, kind)
    expect(problemOf(ran)).toBeUndefined()
    expect(ran.log).toMatch(/^::warning title=Lifeboat backup::how long GitHub keeps artifact lifeboat-alone could not be read: /m)
  })

  test.each(important)('%s: %s each time: the backup fails with one error that says what to do', (call, kind) => {
    const { ran, repository } = of(call, kind)
    expect(problemOf(ran)).toMatch(/[^]\nhint: .+\.$/)
    // Only what was uploaded and could not be looked at again may be there.
    expect(runs.added(repository)).toBeLessThanOrEqual(call === 'GetSignedArtifactURL' ? 1 : 0)
  })

  test('once they go well again the next backup is made and verified, and what was there can be read', async () => {
    const { github } = runs
    github.faults.length = 0
    // A service that holds the same is the same to the next run: once for all calls that only read, and for whatever a failure of each other has left there.
    const states = new Map<string, string>()
    for (const [call, kind] of cases) {
      const { repository } = of(call, kind)
      const held = github.artifacts.filter(({ run }) => run.repository === repository).map(({ final }) => final)
      states.set(`${ADDING.has(call) ? call : 'reading'} ${held.join()}`, repository)
    }
    expect(states.size).toBeGreaterThan(ADDING.size)
    await inParallel([...states.values()], PARALLEL, (repository) => runs.expectHealthy(repository))
  })
})
