import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { statusOf, summaryOf, textOf } from '../../src/commands/run-command.ts'
import { runDocumented } from '../support/documented.ts'
import type { Environment } from '../../src/environment.ts'
import { failureOf, failureText } from '../../src/report/failure.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { type Verification, writeProof } from '../../src/repository/proofs.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { ANY_SIZE, noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, identity, keys, writeKeys } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'

const hour = 3_600_000
const now = new Date('2026-12-01T12:00:00Z')
const ago = (hours: number): Date => new Date(now.getTime() - hours * hour)

let github: GitHub
let folder: string
let store: FileStore
let warnings: string[]
beforeAll(async () => (github = await GitHub.start()))
afterAll(() => github.stop())
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-check-'))
  store = new FileStore(path.join(folder, 'store'))
  warnings = []
  github.issues.issues.length = 0
  github.issues.workflows.length = 0
  github.issues.enabled = true
  github.calls.length = 0
  await openOrMakeRepository(store)
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  expect(github.faults.splice(0)).toEqual([])
})

/** A snapshot made so many hours ago, with the proofs of it. */
async function snapshot(set: string, hours: number, proofs: Partial<Verification>[] = [{}], by = keys): Promise<string> {
  const { id } = await backUp({ store, set, time: ago(hours) }, { app: noise('app', 1000) })
  for (const proof of proofs) {
    await writeProof(store, by, { snapshot: id, set, time: ago(hours - 0.1), level: 'list', result: 'verified', seconds: 1, bytes: 1000, damaged: [], problems: [], versions: {}, run: null, ...proof })
  }
  return id
}

async function check(raw: Record<string, string> = {}, variables: Record<string, string> = {}, at = now, { signal } = new AbortController()) {
  const report = { info: (message: string) => void warnings.push(`info: ${message}`), warning: (message: string) => void warnings.push(message), progress: () => undefined, mask: () => undefined, redacted: (text: string) => text.replaceAll('hunter22', '***') }
  const run = { repository: 'octo/shop', workflow: 'watch', id: '7', attempt: '1', url: 'https://github.com/octo/shop/actions/runs/7' }
  const environment: Environment = { variables, signal, report, temporary: path.join(folder, 'tmp'), now: () => at, ...(variables['GITHUB_REPOSITORY'] && { run }) }
  const outcome = await runDocumented('check', { destination: store.name, 'encryption-key': identity, ...raw }, environment)
  return { ...outcome.result, status: statusOf(outcome), text: textOf(outcome, 'lifeboat'), summary: summaryOf(outcome, { action: 'a/b', reference: 'v1', now: at }) }
}

const inRepository = (token = github.token('read', 'octo/shop', 'write')) => ({ GITHUB_REPOSITORY: 'octo/shop', GITHUB_API_URL: github.url, GITHUB_TOKEN: token })

test('a verified snapshot of today is fresh, one of the day before yesterday is not', async () => {
  const id = await snapshot('app', 25)
  expect(await check()).toMatchObject({ status: 0, problems: [], sets: [{ set: 'app', newest: id, verified: { snapshot: id, time: ago(25).toISOString(), level: 'list' } }] })
  const stale = await check({}, {}, new Date(now.getTime() + 2 * hour))
  expect(stale).toMatchObject({ status: 1, problems: [`set app: the newest verified snapshot, ${id}, is 27 h old, more than 26 h`] })
  expect(stale.text).toMatch(/^STALE +app +\S+, [^]*If the source is gone on purpose, [^]*forget ID.*force/)
  expect(stale.summary).toMatch(/^### ❌ Lifeboat: backups are not fresh/)
  expect(await check({ 'max-age': '3d' }, {}, new Date(now.getTime() + 2 * hour))).toMatchObject({ status: 0 })
})

test('a store in which no backup has finished says so, as does a list of it', async () => {
  const { status, text } = await check()
  expect([status, text]).toEqual([1, 'no backup has finished here yet; run backup again'])
  const { text: listed } = await dispatched('list', { destination: store.name })
  expect(listed).toMatch(/ has no backups yet: `lifeboat backup[^`]*` makes the first\.$/)
  await snapshot('app', 1)
  expect((await dispatched('list', { destination: store.name, set: 'other' })).text).toBe(`${store.name}: set other has no snapshots; there is: app.`)
})

test('a newest snapshot of another key does not make the check fail, and is told of', async () => {
  await snapshot('app', 20)
  const other = await openKeys((await newIdentity()).identity, { store, create: false })
  const { id } = await backUp({ store, set: 'app', time: ago(1), keys: other }, { app: noise('app', 1000) })
  const { status, summary } = await check()
  expect([status, warnings]).toEqual([0, [expect.stringMatching(`^set app: the newest snapshot, ${id}, cannot be read, and is not checked: .*${other.fingerprint}.*${keys.fingerprint}`)]])
  expect(summary).toContain(`the newest snapshot, ${id}, cannot be read`)
  await snapshot('app', 0.5)
  warnings.length = 0
  expect([(await check()).status, warnings]).toEqual([0, []])
})

const both = () => ({ destination: `${store.name}\n${store.name}-b` })
const other = () => new FileStore(path.join(folder, 'store-b'))

describe('of several destinations, each is looked at', () => {
  test('all that are fresh are fresh, and each has its line', async () => {
    await snapshot('app', 2)
    cpSync(path.join(folder, 'store'), path.join(folder, 'store-b'), { recursive: true })
    const { status, text, sets, stores, summary } = await check(both())
    expect([status, sets.map((one) => one.store), stores]).toEqual([0, [store.name, other().name], [{ name: store.name, problems: 0 }, { name: other().name, problems: 0 }]])
    expect(text.split('\n')).toEqual([store.name, other().name].map((name) => expect.stringMatching(new RegExp(`^ok +${name} +app `))))
    expect(summary).toContain(`### ✅ Lifeboat: backups are fresh in \`${store.name}\` and \`${other().name}\``)
    expect((await check()).sets[0]).not.toHaveProperty('store')
  })

  test.each([[0, 1], [1, 0]])('one that was deleted fails the check, and what is known of the other is told (order %s %s)', async (one, another) => {
    await snapshot('app', 2)
    const names = [store.name, other().name]
    const { status, text, problems, summary } = await check({ destination: `${names[one]}\n${names[another]}` })
    expect([status, problems]).toEqual([1, [expect.stringContaining(`${other().name} could not be looked at: `)]])
    expect(text).toMatch(new RegExp(`^ok +${store.name} +app `))
    expect(summary.split('\n')[0]).toBe(`### ❌ Lifeboat: backups are not fresh in \`${other().name}\``)
  })

  test('one without a set that the other has, or with an older snapshot of it, fails the check; advice names the store', async () => {
    cpSync(path.join(folder, 'store'), path.join(folder, 'store-b'), { recursive: true })
    await snapshot('app', 30)
    const lacking = await check({ ...both(), 'max-age': '2d' })
    expect([lacking.status, lacking.problems]).toEqual([1, [`${other().name}: set app: there is no snapshot, and ${store.name} has some`]])
    expect(spelled(lacking.text, atTerminal('lifeboat'))).toContain(`lifeboat copy --from ${store.name} --destination ${other().name} --set app`)
    rmSync(path.join(folder, 'store-b'), { recursive: true })
    cpSync(path.join(folder, 'store'), path.join(folder, 'store-b'), { recursive: true })
    await snapshot('app', 2)
    const { status, text, problems, advice } = await check(both())
    expect([status, problems]).toEqual([1, [expect.stringContaining(`${other().name}: set app: the newest verified snapshot, `)]])
    expect(text).toMatch(new RegExp(`^ok +${store.name} +app [^]*\nSTALE +${other().name} +app `))
    expect(spelled(advice.join(), atTerminal('lifeboat'))).toContain(`In ${other().name}, with --destination ${other().name}: Run the backup now.`)
  })

  test('where none can be looked at, the first says why, as the only one would', async () => {
    rmSync(path.join(folder, 'store'), { recursive: true })
    await expect(check(both())).rejects.toThrow(store.name)
  })
})

test('a damaged newest snapshot is called damaged', async () => {
  await snapshot('app', 20)
  const id = await snapshot('app', 1)
  writeFileSync(path.join(folder, 'store', snapshotKey('app', id)), 'x')
  const { status, text } = await check()
  expect([status, text]).toEqual([1, expect.stringMatching(/^DAMAGED +app /)])
})

test.each<[string, Partial<Verification>[]]>([
  ['without a proof', []],
  ['that did not verify', [{ result: 'failed' }]],
  ['that verified once and failed later', [{ time: ago(0.5) }, { result: 'failed', time: ago(0.2) }]],
  ['that could only be looked at with a write key', [{ result: 'could not verify' }]],
])('a snapshot %s does not count: the verified one before it does', async (_, proofs) => {
  const good = await snapshot('app', 20)
  await snapshot('app', 1, proofs)
  expect((await check()).sets[0]!.verified!.snapshot).toBe(good)
})

test('a set of which nothing was verified, as in a copy, is not proven; it is stale only if the newest snapshot is too old', async () => {
  await snapshot('app', 2, [])
  const { status, text, problems, summary } = await check()
  expect([status, problems]).toEqual([1, [expect.stringContaining('set app: no snapshot is verified and whole; the newest is ')]])
  expect(spelled(text, atTerminal('lifeboat'))).toMatch(/^NOT PROVEN +app +no verified snapshot[^]*\n\nVerify the snapshots: \S+ verify [^\n]*--set app --snapshot all --level read/)
  expect(text).not.toContain('Run the backup now')
  expect(summary).toMatch(/^### ❌ Lifeboat: backups are not proven/)
  expect((await check({ 'max-age': '1h' })).text).toMatch(/^STALE +app [^]*Run the backup now/)
})

test('a snapshot dated in the future does not count, nor does list recommend it', async () => {
  const good = await snapshot('app', 20)
  const ahead = await snapshot('app', -48)
  expect(await check()).toMatchObject({ status: 0, sets: [{ newest: good, verified: { snapshot: good } }] })
  expect(warnings).toEqual([expect.stringContaining(`${ahead}.json.zst does not count: it is dated in the future`)])
  expect((await dispatched('list', { destination: store.name, 'encryption-key': identity }, now)).result.restorable).toBe(good)
})

test('a write key will do; a proof that failed to find out anything takes nothing away; one that was edited is told of and does not count', async () => {
  const id = await snapshot('app', 2, [{}, { result: 'could not verify', time: ago(1) }], writeKeys)
  expect(await check()).toMatchObject({ status: 0, sets: [{ verified: { snapshot: id } }] })
  const forged = await writeProof(store, keys, { snapshot: id, set: 'app', time: ago(0.5), level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
  await store.put(forged.replace('-failed', '-verified'), Buffer.from((await store.get(forged, ANY_SIZE)).toString().replace('"failed"', '"verified"')))
  await store.delete(forged)
  expect(await check({ 'max-proof-age': '8d' })).toMatchObject({ status: 1, problems: ['set app: no snapshot that is still in the store was verified at level read'] })
  expect(warnings).toEqual([expect.stringContaining('its signature (MAC) does not verify')])
})

test('the newest proof of a level, or a higher one, is looked for over all snapshots of the set', async () => {
  const old = await snapshot('app', 200, [{ level: 'drill', time: ago(190) }, { level: 'read', time: ago(180), result: 'could not verify' }])
  for (const hours of [40, 20, 1]) await snapshot('app', hours)
  expect(await check({ 'max-proof-age': '8d' })).toMatchObject({ status: 0, sets: [{ proof: { snapshot: old, level: 'drill' } }] })
  expect(await check({ 'max-proof-age': '7d' })).toMatchObject({ status: 1, problems: [`set app: the newest verification at level read, of ${old}, is 7 days old, more than 7 days; the verification of ${old} 7 days ago could not be completed, and says nothing about the backup`] })
  expect(await check({ 'max-proof-age': '2h', 'proof-level': 'list' })).toMatchObject({ status: 0 })
  const undrilled = await check({ 'max-proof-age': '7d' })
  expect(undrilled.text).toMatch(/^NOT PROVEN +app /)
  expect(undrilled.summary).toMatch(/^### ❌ Lifeboat: backups are not proven in /)
  expect((await check({ 'max-proof-age': '7d', 'max-age': '30m' })).text).toMatch(/^STALE +app /)
})

test('of several sets each is looked at, or the one that is named; a set without snapshots is not fresh', async () => {
  await snapshot('app', 1)
  await snapshot('old', 100)
  expect(await check()).toMatchObject({ status: 1, problems: [expect.stringContaining('set old: the newest verified snapshot')] })
  expect(await check({ set: 'app' })).toMatchObject({ status: 0, sets: [{ set: 'app' }] })
  expect(await check({ set: 'none' })).toMatchObject({ status: 1, problems: ['set none: there is no snapshot; there are snapshots in app, old'] })
})

test('one issue is opened, kept up to date, and closed when all is fresh again', async () => {
  const id = await snapshot('app', 30)
  const variables = inRepository()
  github.issues.add({ title: 'something else', body: 'hello', user: { login: 'octocat', type: 'User' }, author_association: 'OWNER' })
  expect(await check({ issue: 'true' }, variables)).toMatchObject({ status: 1, issue: { number: 2, url: 'https://github.com/octo/shop/issues/2', state: 'opened' } })
  const issue = github.issues.issues[1]!
  expect(issue).toMatchObject({ state: 'open', title: 'Backups are not fresh' })
  expect(issue.body).toMatch(/^<!-- lifeboat check [0-9a-f]{16} -->\n/)
  expect(issue.body).toContain(id)
  expect(issue.body).toContain('https://github.com/octo/shop/actions/runs/7')

  for (let number = 0; number < 120; number++) github.issues.add({ body: 'others', ...(number % 2 && { pull_request: {} }) })
  expect(await check({ issue: 'true' }, variables, new Date(now.getTime() + 70 * hour))).toMatchObject({ issue: { number: 2, state: 'updated' } })
  expect(issue.body).toContain('4 days old')
  await snapshot('app', 1)
  expect(await check({ issue: 'true' }, variables)).toMatchObject({ status: 0, issue: { number: 2, state: 'closed' } })
  expect(issue).toMatchObject({ state: 'closed', state_reason: 'completed', body: expect.stringContaining('fresh again') })
  expect((await check({ issue: 'true' }, variables)).issue).toBeUndefined()
  expect((await check({ issue: 'true', set: 'none' }, variables)).issue).toMatchObject({ state: 'opened' })
})

test('an issue whose answer was lost is not opened twice, and what a stranger opened is not taken for it', async () => {
  await snapshot('app', 30)
  const variables = inRepository()
  await check({ issue: 'true' }, variables)
  const { body } = github.issues.issues.pop()!
  github.issues.add({ body, user: { login: 'stranger', type: 'User' }, author_association: 'NONE' })
  github.loseAnswerOf = 'POST /repos/octo/shop/issues'
  github.faults.push({ match: '/issues', method: 'GET', kind: 502 })
  expect(await check({ issue: 'true' }, variables)).toMatchObject({ issue: { number: 2, state: 'updated' } })
  expect(github.loseAnswerOf).toBeUndefined()
  expect(github.issues.open().map(({ user }) => user.login)).toEqual(['stranger', 'github-actions[bot]'])
})

test('a token without a permission is an error that names the missing permission', async () => {
  await snapshot('app', 30)
  expect(await failure({ issue: 'true' }, inRepository(github.token()))).toMatch(/the token may not write .*\/issues on GitHub \(status 403\)\nhint: .*issues: write/)
  github.issues.enabled = false
  expect(await failure({ issue: 'true' }, inRepository())).toContain('has no issues: they are switched off')
  expect((await check({ issue: 'true' })).status).toBe(1)
  expect(warnings.at(-1)).toContain('no issue is opened or closed')
})

const failure = async (...given: Parameters<typeof check>): Promise<string> => failureText(failureOf(await check(...given).catch((error: unknown) => error)))

describe('a store that cannot be looked at', () => {
  test('keeps the one issue open, which says why, and is closed when all is well again', async () => {
    await snapshot('app', 1)
    const variables = inRepository()
    const place = path.join(folder, 'store')
    renameSync(place, `${place}-away`)
    const said = await failure({ issue: 'true' }, variables)
    expect(said).toMatch(/^error: .*\nhint: /)
    expect(warnings.at(-1)).toBe('info: issue opened: https://github.com/octo/shop/issues/1')
    const issue = github.issues.issues[0]!
    expect(issue).toMatchObject({ state: 'open', title: 'Backups cannot be checked', body: expect.stringMatching(/^<!-- lifeboat check [0-9a-f]{16} -->\nWhether the backups in/) })
    expect(issue.body).toContain('What to do: ')
    expect(issue.body).toContain('/actions/runs/7')
    expect(await failure({ issue: 'true' }, variables)).toBe(said)
    expect(warnings.at(-1)).toBe('info: issue updated: https://github.com/octo/shop/issues/1')
    renameSync(`${place}-away`, place)
    expect(await check({ issue: 'true' }, variables, new Date(now.getTime() + 70 * hour))).toMatchObject({ status: 1, issue: { number: 1, state: 'updated' } })
    expect(issue.body).toContain('are not as fresh as they should be')
    expect(await check({ issue: 'true' }, variables)).toMatchObject({ status: 0, issue: { number: 1, state: 'closed' } })
    expect(github.issues.issues).toHaveLength(1)
  })

  test('as it is out of reach: no secret is in the issue', async () => {
    const destination = 'webdav://backup:hunter22@127.0.0.1:1/hunter22/'
    expect(await failure({ issue: 'true', destination, timeout: '1s' }, inRepository())).toContain('ECONNREFUSED')
    expect(github.issues.issues[0]!.body).toContain('ECONNREFUSED')
    expect(github.issues.issues[0]!.body).toMatch(/What to do: Run it again/)
    expect(JSON.stringify(github.issues.issues)).not.toContain('hunter22')
  })

  test('as the key is wrong: the issue names it', async () => {
    await snapshot('app', 1)
    const variables = inRepository()
    expect(await failure({ issue: 'true', 'encryption-key': 'a passphrase of another store' }, variables)).toContain('nothing there can be read with a passphrase')
    expect(github.issues.issues[0]!.body).toContain('nothing there can be read with a passphrase')
    const { identity: other } = await newIdentity()
    const problem = /^(?:error: )?set app: its snapshot was not made with the key given: snapshots\/app\/.* was written with the key [0-9a-f]{16}; the key given is [0-9a-f]{16}/
    expect(await failure({ issue: 'true', 'encryption-key': other }, variables)).toMatch(problem)
    await backUp({ store, set: 'theirs', keys: await openKeys(other, { store, create: false }), time: ago(1) }, { app: noise('app', 1000) })
    expect(await check({ issue: 'true', 'encryption-key': other }, variables)).toMatchObject({ status: 1, problems: [expect.stringMatching(problem), expect.stringMatching(/^set theirs: no snapshot is verified and whole; the newest is /)] })
    expect(github.issues.open()).toEqual([expect.objectContaining({ number: 1, body: expect.stringContaining('was written with the key') })])
  })

  test('as its newest snapshot is damaged: what is said of that has no secret in it either', async () => {
    const id = await snapshot('hunter22', 1)
    const key = `snapshots/hunter22/${id}.json.zst`
    await store.put(key, Buffer.from('x'))
    const { problems, summary } = await check({ issue: 'true' }, inRepository())
    expect(problems).toEqual([expect.stringContaining('is damaged: snapshots/***/'), expect.stringContaining('no snapshot is verified and whole')])
    for (const text of [summary, github.issues.issues[0]!.body]) expect(text).not.toContain('snapshots/hunter22')
  })

  test('is told also where the issue cannot be written; after an interruption there is none', async () => {
    const raw = { issue: 'true', destination: `file:${folder}/nothing` }
    expect(await failure(raw, inRepository(github.token()))).toContain(`${folder}/nothing`)
    expect(warnings).toEqual([expect.stringMatching(/^no issue was opened: the token may not write .* \(status 403\)$/)])
    const interrupted = new AbortController()
    interrupted.abort(new Error('interrupted'))
    expect(await failure(raw, inRepository(), now, interrupted)).toContain('interrupted')
    expect(github.issues.issues).toEqual([])
  })
})

test('a schedule that GitHub has switched off is a warning', async () => {
  await snapshot('app', 1)
  github.issues.workflows.push({ name: 'backup', path: '.github/workflows/backup.yml', state: 'disabled_inactivity' }, { name: 'ci', path: '.github/workflows/ci.yml', state: 'active' })
  const result = await check({}, inRepository())
  expect(result).toMatchObject({ status: 0, inactive: [{ name: 'backup', path: '.github/workflows/backup.yml' }] })
  expect(warnings).toEqual([expect.stringContaining('switched off the schedule of the workflow backup (.github/workflows/backup.yml)')])
  expect(result.summary).toContain('switched off the schedule of backup')
  await check({}, { ...inRepository(), GITHUB_REPOSITORY: 'octo/other' })
  expect(warnings.at(-1)).toMatch(/^info: whether GitHub has switched off a schedule could not be found out: the token may not read/)
})
