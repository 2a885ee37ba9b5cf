import { GitHub } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'
import { plantBackups, plantForeign } from '../support/github/many-backups.ts'

const BACKUPS = 300
let github: GitHub
let jobs: Jobs

beforeAll(async () => {
  github = await GitHub.start()
  jobs = new Jobs(github, 'octo/shop')
  await plantBackups(github, BACKUPS, { proven: 24 })
  plantForeign(github, 2000, 20)
}, 120_000)
afterAll(async () => {
  jobs?.close()
  await github?.stop()
})

/** Requests that count against the limit of the token: those of the REST API. */
async function requestsOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = github.calls.length
  await work()
  return github.calls.slice(before).filter(({ path }) => path.startsWith('/repos/')).map(({ name }) => name)
}

const set = 'default'

test('with 300 earlier backups and 2,000 foreign artifacts no command makes more requests than it may', async () => {
  jobs.change()
  const rebuilt = await requestsOf(() => jobs.run('backup'))
  expect(rebuilt.length).toBeGreaterThan(BACKUPS)
  jobs.change()
  const count = async (work: () => Promise<unknown>) => {
    const calls = await requestsOf(work)
    console.log(calls.length, Object.fromEntries([...Map.groupBy(calls, (call) => call)].map(([name, these]) => [name, these.length])))
    return calls.length
  }
  const backups = await count(() => jobs.run('backup'))
  const list = await count(async () => expect((await jobs.run('list', { set })).result.snapshots.length).toBe(BACKUPS + 2))
  const check = await count(async () => expect((await jobs.run('check', { set, 'max-age': '2d' })).result.problems).toEqual([]))
  const verify = await count(() => jobs.run('verify', { set }))
  const read = await count(() => jobs.run('verify', { set, level: 'read' }))
  const restore = await count(() => jobs.restore({ set }))
  let deleted = 0
  const prune = await count(async () => {
    const { result } = await jobs.run('prune', { set, retention: 'last=290', 'max-delete': '100' })
    deleted = result.artifacts!.deleted
  })
  console.log({ backups, list, check, verify, read, restore, prune, deleted })
  expect(backups).toBeLessThanOrEqual(16)
  for (const most10 of [list, check, verify, read, restore, prune - deleted]) expect(most10).toBeLessThanOrEqual(10)
  expect(deleted).toBeGreaterThan(10)
}, 120_000)
