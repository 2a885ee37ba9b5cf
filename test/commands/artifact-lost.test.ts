import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { newestBefore } from '../../src/commands/backup/newest.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { refusal } from '../support/dispatched.ts'
import { GitHub } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'
import { plantBackups } from '../support/github/many-backups.ts'
import { filesIn } from '../support/github/zip.ts'
import { quiet } from '../support/quiet.ts'
import { recover } from '../support/recover-script.ts'

const DAY = 86_400_000

let github: GitHub
let jobs: Jobs
const ids: string[] = []

/** Four backups: the second depends on the first; the third stores everything again, because the first will expire too soon; the fourth depends on the third. */
beforeAll(async () => {
  github = await GitHub.start()
  jobs = new Jobs(github, 'octo/shop')
  for (const day of [0, 1, 62, 63]) {
    github.offset = day * DAY
    jobs.change()
    const { status, result } = await jobs.run('backup')
    expect(status).toBe(0)
    ids.push(result.snapshot)
  }
})
afterAll(async () => {
  jobs?.close()
  await github?.stop()
})

test('the artifact that the newest depends on is deleted: no command calls it good, and each names the newest that is whole', async () => {
  expect((await jobs.run('check', { 'max-age': '2d' })).result.problems).toEqual([])
  const third = github.artifacts.findIndex(({ created, name }) => name === 'lifeboat-default' && created.getTime() - Date.now() > 61 * DAY)
  github.artifacts.splice(third, 1)

  const check = await jobs.run('check', { 'max-age': '2d' })
  expect(check.status).toBe(1)
  expect(check.result.problems.join('\n')).toMatch(new RegExp(`snapshot ${ids[3]} is damaged: \\d+ of its \\d+ objects are missing.*the newest that is whole and verified is ${ids[1]}, 62 days old`))
  const list = await jobs.run('list')
  expect(list.result.restorable).toBe(ids[1])
  expect(list.text).toContain(`Snapshot ${ids[3]} is DAMAGED: an artifact that it needs has expired or was deleted`)
  expect([list.result.lost, check.result.lost]).toEqual([[ids[3]], [ids[3]]])
  expect(await refusal(jobs.restore())).toMatch(/was in artifact lifeboat-default \(\d+\), which has expired or was deleted/)
  expect((await jobs.run('verify', { level: 'list' })).status).toBe(1)
  // In the summary of a backup that failed.
  const raw = { destination: 'artifact', 'encryption-key': jobs.key, token: github.token('read'), volumes: `files=${jobs.data}` }
  const variables = github.startRun()
  const newest = await newestBefore(parseInputs('backup', raw, variables), github.now(), { variables, temporary: `${jobs.folder}/failed`, signal: new AbortController().signal, report: quiet, now: () => github.now() })
  expect(newest).toMatchObject({ set: 'default', snapshot: ids[1], unsound: [{ snapshot: ids[3] }] })
  // The next backup does not depend on what is gone.
  const again = await jobs.run('backup')
  expect(again).toMatchObject({ status: 0, result: { verified: 'read', destinations: [{ lost: [ids[3]] }] } })
  expect(again.warnings.join('\n')).toContain(`1 snapshot is lost, because an artifact that it needs has expired or was deleted: ${ids[3]}.`)
  await jobs.restore()
  // It stays named, although a newer one is whole.
  const later = await jobs.run('list')
  expect(later.result.snapshots.find(({ id }) => id === ids[3])).toMatchObject({ verified: false, damage: 'an artifact that it needs has expired or was deleted' })
  expect((await jobs.run('check', { 'max-age': '2d' })).text).toContain(`1 snapshot is lost`)
  // A prune keeps it as long as it would keep a whole one of that age, and not in the place of one.
  const pruned = async (retention: string) => (await jobs.run('prune', { retention, 'dry-run': 'true', 'max-delete': '100%' })).result.snapshots
  expect((await pruned('last=3')).filter(({ keep }) => keep).map(({ id }) => id)).toContain(ids[0])
  expect((await pruned('last=2')).find(({ id }) => id === ids[3])).toMatchObject({ keep: true, reasons: ['has lost a part, and goes when the retention keeps none of its age and a newer one that is as complete is verified'] })
  expect((await pruned('last=1')).find(({ id }) => id === ids[3])).toMatchObject({ keep: false, reasons: ['has lost a part', 'not of the last 1'] })
})

test('all artifacts extracted into one folder are a store that recover.sh reads', async () => {
  const store = path.join(jobs.folder, 'extracted')
  for (const artifact of jobs.artifacts()) {
    for (const [name, bytes] of Object.entries(await filesIn(await github.content(artifact)))) {
      mkdirSync(path.dirname(path.join(store, name)), { recursive: true })
      writeFileSync(path.join(store, name), bytes)
    }
  }
  const key = path.join(jobs.folder, 'identity.txt')
  writeFileSync(key, jobs.key)
  const [newest] = (await jobs.run('list')).result.snapshots
  const { status, stdout } = recover(store, ['extract', newest!.id, 'files/files.list', '-i', key])
  expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('\tfirst\t')])
})

test('after a verification that found a lost artifact, a list makes about as few requests as before', async () => {
  await plantBackups(github, 20, { set: 'many' })
  await jobs.run('backup', { set: 'many' })
  const requests = async (): Promise<number> => {
    const before = github.calls.length
    await jobs.run('list', { set: 'many' })
    return github.calls.slice(before).filter((call) => call.path.startsWith('/repos/')).length
  }
  github.artifacts.splice(github.artifacts.findIndex(({ name }) => name === 'lifeboat-many'), 1)
  const few = await requests()
  const [, lost] = (await jobs.run('list', { set: 'many' })).result.snapshots
  expect((await jobs.run('verify', { set: 'many', snapshot: lost!.id })).result).toMatchObject({ result: 'failed' })
  expect(await requests()).toBeLessThanOrEqual(few + 2)
})
