import { marked } from '../../src/marks.ts'
import { refusal } from '../support/dispatched.ts'
import { GitHub } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'

let github: GitHub
let jobs: Jobs
beforeEach(async () => {
  github = await GitHub.start()
  jobs = new Jobs(github, 'octo/shop')
})
afterEach(async () => {
  jobs?.close()
  await github?.stop()
})

const listing = async () => (await jobs.run('doctor')).result.checks.find(({ check }) => check === 'list')

test('before the first backup, doctor and verify say what to do', async () => {
  expect(await listing()).toMatchObject({ state: 'good', says: 'snapshots: 0', fix: expect.stringContaining(marked`If no backup has finished here yet, run ‹lifeboat backup›.`) })
  expect(await refusal(jobs.run('verify'))).toMatch(/^error: there is no Lifeboat store in artifact:octo\/shop\/lifeboat-default\nhint: If no backup has finished here yet, run `lifeboat backup`\. Otherwise check --set and the repository/)
})

test('when the content of all artifacts is gone, doctor and verify say so and what to do, and the next backup is whole', async () => {
  await jobs.run('backup')
  const listed = github.artifacts.length
  for (const artifact of github.artifacts) artifact.blob = 'gone/gone'
  const gone = /artifacts count as not there: artifact lifeboat-default\S* \(\d+\): GitHub lists it, but no longer has its content.*\(.*Look at/
  const { status, result, warnings } = await jobs.run('doctor')
  expect(listed).toBe(2)
  expect([status, warnings]).toEqual([0, [expect.stringMatching(gone)]])
  expect(result.checks.find(({ check }) => check === 'list')).toMatchObject({ state: 'warning', says: 'there are artifacts of this set, but no snapshot can be read', fix: expect.stringMatching(/^Run backup: it stores everything again/) })
  expect(await refusal(jobs.run('verify'))).toMatch(/has no snapshot in the set default\nhint: .*If no backup has finished here yet, run `lifeboat backup`\./)
  expect(await jobs.run('backup')).toMatchObject({ status: 0, result: { verified: 'read' } })
  expect(await jobs.run('verify')).toMatchObject({ status: 0, result: { result: 'verified' } })
})

test('a backup warns that artifacts do not stay for a drill, if other rules say when they expire', async () => {
  expect((await jobs.run('backup', { retention: 'last=2 drilled=1' })).warnings).toEqual([
    expect.stringMatching(/^in artifact the newest drilled snapshot is not kept by drilled=1 alone: artifacts expire as the other rules say/),
  ])
  expect((await jobs.run('backup', { retention: 'drilled=1' })).warnings).toEqual([])
})
