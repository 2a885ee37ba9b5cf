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
async function requestsOf(work: () => Promise<unknown>): Promise<number> {
  const before = github.calls.length
  await work()
  return github.calls.slice(before).filter(({ path }) => path.startsWith('/repos/')).length
}

const set = 'default'

test('with 300 earlier backups and 2,000 foreign artifacts no command makes more requests than it may', async () => {
  jobs.change()
  // Without an index every artifact is looked into, once.
  expect(await requestsOf(() => jobs.run('backup'))).toBeGreaterThan(BACKUPS)
  jobs.change()
  let deleted = 0
  const requests = {
    backup: await requestsOf(() => jobs.run('backup')),
    list: await requestsOf(async () => expect((await jobs.run('list', { set })).result.snapshots.length).toBe(BACKUPS + 2)),
    check: await requestsOf(async () => expect((await jobs.run('check', { set, 'max-age': '2d' })).result.problems).toEqual([])),
    verify: await requestsOf(async () => expect((await jobs.run('verify', { set })).result.result).toBe('verified')),
    read: await requestsOf(async () => expect((await jobs.run('verify', { set, level: 'read' })).result.result).toBe('verified')),
    restore: await requestsOf(() => jobs.restore({ set })),
    prune: await requestsOf(async () => (deleted = (await jobs.run('prune', { set, retention: 'last=290', 'max-delete': '100' })).result.artifacts!.deleted)),
  }
  expect(deleted).toBeGreaterThan(10)
  const most: Record<string, number> = { backup: 16, list: 10, check: 10, verify: 10, read: 10, restore: 10, prune: 10 + deleted }
  expect(Object.entries(requests).filter(([command, made]) => made > most[command]!)).toEqual([])
}, 120_000)
