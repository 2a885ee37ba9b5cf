import { GitHub } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'
import { type Recorder, startRecorder } from '../support/recorder.ts'

let github: GitHub
let jobs: Jobs
let server: Recorder
beforeAll(async () => {
  github = await GitHub.start()
  jobs = new Jobs(github, 'octo/shop')
  server = await startRecorder()
})
afterAll(async () => {
  jobs.close()
  await server.close()
  await github.stop()
})

/** Requests that count against the limit of the token, and the messages. */
async function night(notify: string, raw: Record<string, string> = {}): Promise<{ requests: number; told: string[] }> {
  github.offset += 3_600_000
  jobs.change()
  const [before, sent] = [github.calls.length, server.seen.length]
  await jobs.run('backup', { notify, ...raw }).catch(() => undefined)
  const requests = github.calls.slice(before).filter(({ path }) => path.startsWith('/repos/')).length
  return { requests, told: server.seen.slice(sent).map(({ body }) => /"status":"([^"]*)"/.exec(body)![1]!) }
}

test('in artifacts a recovery is known to the next runner, at no further request of a good backup', async () => {
  const recovered = `webhook:${server.url}/hook on failure, recovered`
  const failing = { volumes: `files=${jobs.folder}/gone` }
  await night('')
  const usual = await night('')
  const before = github.artifacts.length
  const good = await night(recovered)
  // The backup, and the proof of its verification.
  const each = github.artifacts.length - before
  expect(good).toEqual({ requests: expect.any(Number), told: [] })
  expect(good.requests).toBeLessThanOrEqual(usual.requests + 1)
  const artifacts = github.artifacts.length
  expect((await night(recovered, failing)).told).toEqual(['failure'])
  expect((await night(recovered, failing)).told).toEqual(['failure'])
  // Only the change is uploaded.
  expect(github.artifacts.length).toBe(artifacts + 1)
  const back = await night(recovered)
  expect(back.told).toEqual(['recovered'])
  // It looks into the artifact of the failed run, which no index has yet.
  expect(back.requests).toBeLessThanOrEqual(good.requests + 3)
  expect((await night(recovered)).told).toEqual([])
  // It is kept beside the snapshot, in its artifact.
  expect(github.artifacts.length).toBe(artifacts + 1 + 2 * each)
  expect((await jobs.run('check', { set: 'default' })).status).toBe(0)
  expect((await jobs.run('prune', { set: 'default', retention: 'last=1', 'max-delete': '10' })).status).toBe(0)
  expect((await jobs.restore({})).status).toBe(0)
}, 60_000)
