import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { LifeboatError } from '../../src/error.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { type Fault, GitHub, type StoredArtifact } from '../support/github/emulator.ts'
import { ArtifactStores } from '../support/github/store.ts'
import { ANY_SIZE } from '../support/bytes.ts'
import { SkippedTime } from '../support/skipped-time.ts'

let github: GitHub
let stores: ArtifactStores

/** The artifact of the first backup, made once. */
let earlier: StoredArtifact
beforeAll(async () => {
  github = await GitHub.start()
  stores = await ArtifactStores.in(github)
  await backUp(first)
  earlier = github.artifacts[0]!
  await stores.close()
})
afterAll(async () => {
  await github.stop()
})
beforeEach(async () => {
  github.artifacts.length = 0
  github.faults.length = 0
  github.calls.length = 0
  github.shortListings = 0
  stores = await ArtifactStores.in(github)
})
afterEach(async () => {
  await stores.close()
})

const first = 'snapshots/shop/20261101T020000Z-00000001.json.zst'
const second = 'snapshots/shop/20261102T020000Z-00000002.json.zst'

async function backUp(key: string, needs: string[] = [], store: ArtifactStore = stores.open()): Promise<void> {
  await store.put(`chunks/aa/${key.slice(-17, -9)}`, Buffer.alloc(10_000, key))
  await store.put(key, Buffer.from(key))
  await store.groups.commit(needs)
  await store.close()
}

/** A run before this one made the first backup. */
const hasFirst = (): void => void github.artifacts.push({ ...earlier })

async function snapshots(store: ArtifactStore = stores.open()): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('snapshots/')) {
    expect((await store.get(key, ANY_SIZE)).toString()).toBe(key)
    keys.push(key)
  }
  return keys.toSorted()
}

/** Done, or one clear error that holds no signature of a URL; whatever it was, the next run goes on. */
async function endsWell(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    expect(`${error.message} ${error.hint}`).not.toMatch(/[?&]sig=/)
    return error.message
  }
}

const passing: Fault['kind'][] = [500, 502, 429, 'reset', 'slow', 'html']
const readCalls = ['ListArtifacts', '/actions/artifacts', '/zip', '/blobs/']
const uploadCalls = ['CreateArtifact', '/blobs/', 'FinalizeArtifact']
/** The artifact client waits three seconds before it tries again, so not every kind is tried on every call. */
const uploadFaults: [string, Fault['kind']][] = [
  ...passing.map((kind): [string, Fault['kind']] => ['/blobs/', kind]),
  ['CreateArtifact', 'reset'], ['CreateArtifact', 'slow'], ['CreateArtifact', 'html'], ['CreateArtifact', 429],
  ['FinalizeArtifact', 'reset'], ['FinalizeArtifact', 'slow'], ['FinalizeArtifact', 'html'], ['FinalizeArtifact', 502],
]

test.each(readCalls.flatMap((match) => passing.map((kind) => [match, kind] as const)))('reading goes on after %s has failed once with %s', async (match, kind) => {
  hasFirst()
  github.faults.push({ match, kind })
  // The pause after a 429 of the REST API is a minute.
  expect(await snapshots(stores.open({ timeout: 300_000, clock: new SkippedTime() }))).toEqual([first])
  expect(github.faults).toEqual([])
})

test.each(uploadFaults)('a backup goes on after %s has failed once with %s', async (match, kind) => {
  hasFirst()
  const store = stores.open()
  await snapshots(store)
  github.faults.push({ match, kind })
  const end = await endsWell(backUp(second, ['chunks/aa/00000001'], store))
  expect(github.faults).toEqual([])
  expect(end).toBe('done')
  expect(await snapshots()).toEqual([first, second])
})

test.each([...uploadCalls, 'ListArtifacts', '/actions/artifacts'])('a refusal (403) of %s is one clear error, and the next run goes on', async (match) => {
  hasFirst()
  github.faults.push({ match, kind: 403, times: 100, body: { code: 'permission_denied', msg: 'no', message: 'no' } })
  const needs = ['chunks/aa/00000001']
  expect(await endsWell(backUp(second, needs))).toMatch(/403/)
  github.faults.length = 0
  expect(await snapshots()).toEqual([first])
  await backUp(second, needs)
  expect(await snapshots()).toEqual([first, second])
})

test.each([...uploadCalls, 'ListArtifacts', '/actions/artifacts'])('%s that never answers ends with an error within the timeout, and the next run goes on', async (match) => {
  hasFirst()
  const store = stores.open({ timeout: 3000 })
  github.faults.push({ match, kind: 'stall', times: 100 })
  expect(await endsWell(backUp(second, ['chunks/aa/00000001'], store))).toMatch(/has stood still for 1 s|has not answered for/)
  github.faults.length = 0
  await backUp(second)
  expect(await snapshots()).toEqual([first, second])
})

test.each(['/zip', '/blobs/'])('a download whose %s never answers ends with an error within the timeout', async (match) => {
  hasFirst()
  github.faults.push({ match, kind: 'stall', times: 100 })
  expect(await endsWell(snapshots(stores.open({ timeout: 1500 })))).toMatch(/has not answered for/)
  expect(readdirSync(stores.temporary)).toEqual([])
})

/** As in actions/toolkit#2452: Twirp's words for a refusal that did not come from the service. */
const intermediary = (match: string, times = 1): Fault => ({ match, kind: 403, times, body: { code: 'permission_denied', msg: 'Error from intermediary with HTTP status code 403 "Forbidden"' } })
const named = (name: string): number => github.calls.filter((call) => call.name === name).length

test.each(['CreateArtifact', 'FinalizeArtifact', 'ListArtifacts', 'GetSignedArtifactURL'])('a 403 of an intermediary at %s passes', async (match) => {
  github.faults.push(intermediary(match))
  expect(await endsWell(backUp(first))).toBe('done')
  expect(github.faults).toEqual([])
  // The name of an upload that was not completed stays taken.
  expect(github.live().map(({ name }) => name)).toEqual([match === 'FinalizeArtifact' ? 'lifeboat-shop.2' : 'lifeboat-shop'])
  expect(await snapshots()).toEqual([first])
})

test('a page with status 403 at a Twirp call is of an intermediary as well', async () => {
  const store = stores.open({ token: undefined })
  github.faults.push({ match: 'ListArtifacts', kind: 403, page: true })
  expect(await snapshots(store)).toEqual([])
  expect(named('ListArtifacts')).toBe(2)
})

test.each(['CreateArtifact', 'FinalizeArtifact', 'ListArtifacts'])('a 403 of an intermediary at %s that stays is named after a few attempts', async (match) => {
  github.faults.push(intermediary(match, Infinity))
  expect(await endsWell(backUp(first))).toMatch(/intermediary|something between here and GitHub's artifact service refused ListArtifacts/)
  expect(named('PUT blob block')).toBeLessThanOrEqual(3)
})

test.each(['CreateArtifact', 'FinalizeArtifact', 'ListArtifacts'])('a missing permission at %s is one request and one error, with what to look at', async (match) => {
  github.faults.push({ match, kind: 403, times: Infinity, body: { code: 'permission_denied', msg: 'token is not allowed to do this' } })
  const work = match === 'ListArtifacts' ? snapshots() : backUp(first)
  await expect(work).rejects.toMatchObject({ message: expect.stringMatching(/403/), hint: expect.stringMatching(/`permissions` of the job/) })
  expect(named(match)).toBe(1)
})

test('with every completion lost, an upload is tried three times over all names, and the error names the first cause', async () => {
  github.faults.push(intermediary('FinalizeArtifact'), { match: 'FinalizeArtifact', kind: 'reset', times: Infinity })
  const message = await endsWell(backUp(first))
  expect(message).toMatch(/^all 3 attempts to upload this backup failed; the first one with: artifact lifeboat-shop was not uploaded: .*intermediary/)
  expect(named('FinalizeArtifact')).toBe(3)
  expect(github.artifacts.map(({ name, final }) => [name, final])).toEqual([['lifeboat-shop', false], ['lifeboat-shop.2', false], ['lifeboat-shop.3', false]])
  github.faults.length = 0
  await backUp(second)
  expect(await snapshots()).toEqual([second])
})

test.each(['CreateArtifact', 'PUT blob block', 'PUT blob blocklist', 'FinalizeArtifact'])('a backup goes on after one %s that is never answered', async (match) => {
  // Each attempt has a third of it, also on a machine that is busy with other things.
  const store = stores.open({ timeout: 45_000 })
  github.faults.push({ match, kind: 'stall' })
  expect(await endsWell(backUp(first, [], store))).toBe('done')
  expect(github.faults).toEqual([])
  expect(await snapshots()).toEqual([first])
})

test('a backup is made although each call of its upload is lost once', async () => {
  for (const match of ['CreateArtifact', 'PUT blob block', 'PUT blob blocklist', 'FinalizeArtifact', 'ListArtifacts']) github.faults.push({ match, kind: 'reset' })
  expect(await endsWell(backUp(first))).toBe('done')
  expect(github.faults).toEqual([])
  expect(await snapshots()).toEqual([first])
})

test('an upload whose last answer is lost is found to be done, not done again', async () => {
  const store = stores.open()
  await snapshots(store)
  github.loseAnswerOf = 'FinalizeArtifact'
  expect(await endsWell(backUp(first, [], store))).toBe('done')
  expect(github.live().map(({ name }) => name)).toEqual(['lifeboat-shop'])
  expect(await snapshots()).toEqual([first])
})

test('a signed URL that has run out is asked for again', async () => {
  hasFirst()
  const store = stores.open()
  await snapshots(store)
  github.faults.push({ match: '/blobs/', kind: 403 })
  expect((await store.get(first, ANY_SIZE)).toString()).toBe(first)
  expect(github.faults).toEqual([])
})

test('the limit on requests is named, with the time it ends', async () => {
  github.faults.push({ match: '/actions/artifacts', kind: 403, times: 100, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1800000000' } })
  await expect(snapshots()).rejects.toMatchObject({ message: 'GitHub allows no more requests with this token for now', hint: 'Run it again after 2027-01-15T08:00:00.000Z.' })
})

/** As the documentation of GitHub's REST API has it. */
const SECONDARY = { message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.', documentation_url: 'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api' }
const secondaryLimits: [string, Omit<Fault, 'match'>][] = [
  ['403 with its body', { kind: 403, body: SECONDARY, headers: { 'x-ratelimit-remaining': '800' } }],
  ['403 with its body and no header', { kind: 403, body: SECONDARY }],
  ['429', { kind: 429, body: { message: 'Too many requests' } }],
]

test.each(secondaryLimits)('the secondary limit on requests (%s, without retry-after) is waited for, a minute and then longer', async (_, fault) => {
  hasFirst()
  const clock = new SkippedTime()
  github.faults.push({ match: '/actions/artifacts', times: 2, ...fault })
  expect(await snapshots(stores.open({ set: undefined, timeout: 300_000, clock }))).toEqual([first])
  expect(clock.pauses).toEqual([60_000, 120_000])
})

test.each(secondaryLimits)('the secondary limit on requests (%s) that stays is named once the timeout is over', async (_, fault) => {
  const clock = new SkippedTime()
  github.faults.push({ match: '/actions/artifacts', times: Infinity, ...fault })
  const reading = snapshots(stores.open({ set: undefined, timeout: 300_000, clock }))
  await expect(reading).rejects.toMatchObject({ message: expect.stringMatching(/secondary rate limit is reached \(status 4[02][39]\)/), hint: expect.stringMatching(/^Run it again in some minutes/) })
  expect(clock.pauses).toEqual([60_000, 120_000])
})

test('the secondary limit at a delete is not taken for a missing permission', async () => {
  hasFirst()
  const clock = new SkippedTime()
  github.faults.push({ match: '/actions/artifacts', method: 'DELETE', kind: 403, body: SECONDARY })
  const { groups } = stores.open({ token: github.token('write'), timeout: 300_000, clock })
  const released = await groups.release({ kept: new Set(), grace: 0, builtOn: 0, dryRun: false })
  expect(released).toMatchObject({ deleted: 1, permitted: true })
  expect(clock.pauses).toEqual([60_000])
})

test('a limit on requests that says how long to wait is waited for that long', async () => {
  const clock = new SkippedTime()
  github.faults.push({ match: '/actions/artifacts', kind: 403, body: SECONDARY, headers: { 'retry-after': '7' } })
  expect(await snapshots(stores.open({ set: undefined, clock }))).toEqual([])
  expect(clock.pauses).toEqual([7000])
})

test('the primary limit with status 429 is named with the time it ends, and not waited for', async () => {
  const clock = new SkippedTime()
  github.faults.push({ match: '/actions/artifacts', kind: 429, times: Infinity, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1800000000' } })
  await expect(snapshots(stores.open({ clock }))).rejects.toMatchObject({ hint: 'Run it again after 2027-01-15T08:00:00.000Z.' })
  expect(clock.pauses).toEqual([])
})

test('a 403 of an intermediary at the REST API passes', async () => {
  const clock = new SkippedTime()
  github.faults.push({ match: '/actions/artifacts', kind: 403, page: true })
  expect(await snapshots(stores.open({ set: undefined, clock }))).toEqual([])
  expect(clock.pauses).toHaveLength(1)
})

/** So many artifacts of other workflows. */
async function plantForeign(count: number): Promise<void> {
  const one = await github.plant({ name: 'build' })
  for (let number = 1; number < count; number++) github.artifacts.push({ ...one, id: one.id * 1000 + number, name: `build-${number}` })
}

test.each(['shop', undefined])('a list of the set %s that has less than GitHub counts is asked for again', async (set) => {
  hasFirst()
  const clock = new SkippedTime()
  github.shortListings = 1
  expect(await snapshots(stores.open({ set, clock }))).toEqual([first])
  expect(clock.pauses).toEqual([1000])
})

test('a backup that fell between two pages, since another artifact was deleted meanwhile, is found', async () => {
  await plantForeign(50)
  await backUp(first)
  await plantForeign(100)
  // The newest one: the backup, the first of the second page, becomes the last of the first page.
  github.betweenPages = () => void github.artifacts.pop()
  const clock = new SkippedTime()
  expect(await snapshots(stores.open({ set: undefined, clock }))).toEqual([first])
  expect(github.betweenPages).toBeUndefined()
  expect(clock.pauses).toEqual([1000])
})

test('an artifact that is added while pages are read is no gap', async () => {
  hasFirst()
  await plantForeign(150)
  github.betweenPages = () => void github.artifacts.push({ ...github.artifacts.at(-1)!, id: 9, name: 'new' })
  const clock = new SkippedTime()
  expect(await snapshots(stores.open({ set: undefined, clock }))).toEqual([first])
  expect(clock.pauses).toEqual([])
})

test('while a list keeps lacking an artifact nothing counts as missing, no backup builds on it, and a prune deletes nothing', async () => {
  hasFirst()
  await backUp(second)
  github.shortListings = Infinity
  const open = () => stores.open({ token: github.token('write'), clock: new SkippedTime() })
  const gap = 'GitHub counts 2 artifacts lifeboat-shop, but lists 1'
  await expect(snapshots(open())).rejects.toMatchObject({ message: gap, hint: expect.stringMatching(/^Nothing was changed/) })
  await expect(open().get('chunks/aa/00000001', ANY_SIZE)).rejects.toThrow(gap)
  await expect(open().groups.exist()).rejects.toThrow(gap)
  await expect(backUp(second, ['chunks/aa/00000001'], open())).rejects.toThrow(gap)
  await expect(open().groups.release({ kept: new Set([second]), grace: 0, builtOn: 0, dryRun: false })).rejects.toThrow(gap)
  expect(github.live()).toHaveLength(2)
})

test('a list whose total is too low is read to its end, and one that repeats a page is refused', async () => {
  hasFirst()
  for (let id = 1; id <= 150; id++) github.artifacts.push({ ...earlier, id, name: 'build' })
  github.claimedTotal = 1
  expect(await snapshots(stores.open({ set: undefined }))).toEqual([first])
  Object.assign(github, { claimedTotal: 5000, repeatPages: true })
  await expect(snapshots(stores.open({ set: undefined }))).rejects.toMatchObject({ message: 'GitHub answers page 2 of a list of artifacts with those of earlier pages', hint: expect.stringMatching(/^Nothing was changed/) })
  Object.assign(github, { claimedTotal: undefined, repeatPages: false })
})

test('a backup that later runs would not find, because a name before its own was never completed, fails', async () => {
  const variables = github.startRun()
  const open = () => stores.open({ variables, clock: new SkippedTime() })
  github.faults.push(intermediary('FinalizeArtifact', 3))
  expect(await endsWell(backUp(first, [], open()))).toMatch(/^all 3 attempts/)
  expect(await endsWell(backUp(second, [], open()))).toMatch(/^later runs would not find artifact lifeboat-shop\.4 \(\d+\): GitHub never completed lifeboat-shop\.3, which comes before it$/)
  expect(await snapshots()).toEqual([])
})

test.each([
  ['an artifact of an earlier run', {}, (name: string) => name === 'lifeboat-shop', ['chunks/aa/00000001']],
  ['a part of its own', { stagingLimit: 80_000 }, (name: string) => name.includes('+'), []],
])('a backup fails when %s, which it needs, is deleted while its last artifact is uploaded', async (_, given, isNeeded, needs) => {
  hasFirst()
  const store = stores.open(given)
  for (let index = 0; index < 3; index++) await store.put(`chunks/bb/${index}`, Buffer.alloc(9000, `${index}`))
  await store.put(second, Buffer.from(second))
  // That of the last artifact comes after the last part is there.
  const last = (): void => {
    const found = github.live().findIndex(({ name }) => isNeeded(name))
    if (github.artifacts.at(-1)!.name === 'lifeboat-shop') github.artifacts.splice(found, 1)
    else github.before.set('FinalizeArtifact', last)
  }
  github.before.set('FinalizeArtifact', last)
  expect(await endsWell(store.groups.commit(needs))).toMatch(/^artifact lifeboat-shop\S* \(\d+\), which this backup needs, was deleted while it ran$/)
})

test('after a stalled upload nothing keeps the process alive', async () => {
  github.faults.push({ match: '/blobs/', kind: 'stall', times: 100 })
  const program = `
    import { ArtifactStore } from ${JSON.stringify(path.resolve('src/stores/artifact/store.ts'))}
    const { variables, token, temporary } = JSON.parse(process.env.GIVEN)
    const store = new ArtifactStore({ set: 'shop', token, variables, temporary, timeout: 2000, retention: { artifact: 90, snapshot: 30, short: 0 },
      signal: new AbortController().signal, report: { info() {}, warning() {} }, now: () => new Date() })
    store.groups.authenticate({ sign: (body) => Buffer.from(body), authentic: (object) => object })
    await store.put('chunks/aa/x', Buffer.alloc(20_000_000, 'x'))
    await store.groups.commit([]).catch((error) => console.log(error.message))
    await store.close()`
  const given = JSON.stringify({ variables: github.startRun(), token: github.token(), temporary: stores.temporary })
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { env: { PATH: process.env['PATH'], GIVEN: given }, timeout: 50_000 })
  expect(stdout).toBe('all 3 attempts to upload this backup failed; the first one with: the upload of artifact lifeboat-shop has stood still for 0.7 s\n')
})
