import { refusal } from '../support/dispatched.ts'
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
  let deleted = 0
  // One after the other until they depend on as many earlier ones as a backup may: on six.
  const backups: number[] = []
  for (let hour = 0; hour < 8; hour++) {
    github.offset += 3_600_000
    jobs.change()
    backups.push(await requestsOf(() => jobs.run('backup')))
  }
  const requests = {
    backup: Math.max(...backups),
    list: await requestsOf(async () => expect((await jobs.run('list', { set })).result.snapshots.length).toBe(BACKUPS + 9)),
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

test('a command for which too few requests are left says so with the time of the reset, and changes nothing', async () => {
  const reset = Math.ceil(github.now().getTime() / 1000) + 600
  const artifacts = github.artifacts.length
  for (const command of ['backup', 'list', 'check', 'verify', 'prune'] as const) {
    github.allowance = { left: 12, reset }
    const failure = await refusal(jobs.run(command, { set, ...(command === 'prune' && { retention: 'last=1', 'max-delete': '100%' }), ...(command === 'check' && { 'max-age': '2d' }) }))
    expect(failure).toMatch(/GitHub allows only \d+ more requests with this token for now, and this command may need \d+/)
    expect(failure).toContain(`hint: Run it again after ${new Date(reset * 1000).toISOString()}. Nothing was changed.`)
  }
  expect(github.artifacts.length).toBe(artifacts)
  // Enough to look, not to delete all that would go.
  github.allowance = { left: 30, reset }
  expect(await refusal(jobs.run('prune', { set, retention: 'last=1', 'max-delete': '100%' }))).toMatch(/may need \d{3}\n/)
  expect(github.artifacts.length).toBe(artifacts)
  github.allowance = { left: 50, reset }
  expect((await jobs.run('backup', { set })).status).toBe(0)
  github.allowance = undefined
}, 60_000)
