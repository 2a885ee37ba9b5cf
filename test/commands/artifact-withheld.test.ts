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

async function backUp(): Promise<string> {
  jobs.change()
  const { result } = await jobs.run('backup')
  github.offset += 3_600_000
  return result.snapshot
}

test('a 404 that passes hides neither the newest snapshot nor a proof that it is damaged', async () => {
  const [, newest] = [await backUp(), await backUp()]
  const each = [['/zip', 0], ['/zip', 1], ['/blobs/', 0], ['/blobs/', 1]] as const
  for (const [match, skip] of each) {
    github.faults.splice(0, 1, { match, skip, method: 'GET', kind: 404 })
    expect(await jobs.restore()).toMatchObject({ result: { snapshot: newest }, warnings: [] })
  }
  github.faults.splice(0, 1, { match: '/zip', skip: 1, method: 'GET', kind: 404 })
  expect((await jobs.run('verify', { snapshot: 'all' })).text).toContain('2 verified')
  const first = github.live()[0]!
  const bytes = Buffer.from(await github.content(first))
  bytes.fill(1, 150_000, 151_000)
  await github.replace(first, bytes)
  expect(await jobs.run('verify', { level: 'read' })).toMatchObject({ status: 1 })
  for (const [match, skip] of each) {
    github.faults.splice(0, 1, { match, skip, method: 'GET', kind: 404 })
    expect(await jobs.run('check', { set: 'default' })).toMatchObject({ status: 1 })
  }
})

test('while GitHub lists an artifact and does not give it, nothing older is called the newest', async () => {
  const [older] = [await backUp(), await backUp()]
  const withheld = /^error: what is newest cannot be told: .* lists artifact lifeboat-default.*, and does not give it/
  // The newest proof, and the newest snapshot with it.
  for (const lost of [1, 2]) {
    const ids = github.live().slice(-lost).map(({ id }) => id)
    github.faults.splice(0, 2, ...ids.map((id) => ({ match: `/${id}/zip`, method: 'GET', kind: 404, times: 1000 })))
    for (const command of ['verify', 'check'] as const) expect(await refusal(jobs.run(command))).toMatch(withheld)
    expect(await refusal(jobs.run('verify', { snapshot: 'all' }))).toMatch(withheld)
    expect(await refusal(jobs.restore())).toMatch(withheld)
    expect((await jobs.run('list')).warnings).toEqual([expect.stringMatching(/GitHub lists it, but no longer has its content/)])
    expect(await jobs.run('verify', { snapshot: older })).toMatchObject({ status: 0 })
  }
  expect(await jobs.run('backup')).toMatchObject({ status: 0 })
  expect(await jobs.run('check')).toMatchObject({ status: 0 })
})
