import { problemOf, WorkflowRuns } from './workflow-runs.ts'

let runs: WorkflowRuns
beforeAll(async () => {
  runs = await WorkflowRuns.open()
  await runs.server.createDatabase('target')
})
afterAll(() => runs.close())

// The first sends nothing any more, the second and the third have it all sent: then the backup may or may not be there.
test.each(['PUT blob block', 'FinalizeArtifact', 'GetSignedArtifactURL'])('an upload cancelled at %s ends before the runner insists, and the next run goes on', async (call) => {
  const repository = runs.copy()
  runs.github.faults.push({ match: call, repository, kind: 'stall', times: Infinity })
  const step = await runs.start('backup', repository)
  await runs.called(call, repository)
  const signals = step.cancel()
  const ending = await step.result
  // SIGTERM would come after 7.5 s.
  expect(signals).toEqual(['SIGINT'])
  expect(problemOf(ending)).toMatch(/^interrupted: (?:no snapshot was made|snapshot \S+ of set default may have been stored)/)
  expect(runs.added(repository)).toBe(call === 'GetSignedArtifactURL' ? 1 : 0)
  runs.github.faults.length = 0
  await runs.expectHealthy(repository)
})

test('a restore cancelled while it downloads ends before the runner insists, leaves the database as it was, and goes through the next time', async () => {
  const { server, github } = runs
  const repository = runs.copy()
  const given = { 'database-url': server.url('target') }
  const downloads = () => github.calls.filter((call) => call.name === 'GET blob' && call.repository === repository).length
  expect(problemOf(await runs.run('restore', repository, { ...given, 'verify-only': 'true' }))).toBeUndefined()
  // A restore does all that first; what is read after it is on its way to pg_restore.
  const some = downloads()
  github.faults.push({ match: 'GET blob', repository, kind: 'stall', skip: some, times: Infinity })
  const step = await runs.start('restore', repository, given)
  await runs.called('GET blob', repository, 2 * some + 1)
  const signals = step.cancel()
  const ending = await step.result
  expect(signals).toEqual(['SIGINT'])
  expect(problemOf(ending)).toBe('interrupted: nothing was restored, and nothing was changed')
  expect(await server.sql(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`, 'target')).toBe('0')
  github.faults.length = 0
  expect(problemOf(await runs.run('restore', repository, given))).toBeUndefined()
  expect(await server.sql('SELECT count(*) FROM orders', 'target')).toBe('2000')
})
