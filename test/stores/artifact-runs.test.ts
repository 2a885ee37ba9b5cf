// Runs that GitHub repeats, doubles, cancels or loses: each ends with a whole backup or with none, and the next run goes on.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { snapshotKeys } from '../../src/repository/catalog.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { LifeboatError } from '../../src/error.ts'
import { noise } from '../support/bytes.ts'
import { digests, restored, Run } from '../support/engine.ts'
import type { GitHub } from '../support/github/emulator.ts'
import { type ArtifactStores, withArtifacts } from '../support/github/store.ts'
import { thrownBy } from '../support/thrown.ts'
import { until } from '../support/until.ts'

/** Each chunk is larger than a quarter of this: a part of its own. */
const LIMIT = 2 * 1024 * 1024
let github: GitHub
let stores: ArtifactStores

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

const open = (given: Parameters<ArtifactStores['open']>[0] = {}): ArtifactStore => stores.open({ set: 'app', stagingLimit: LIMIT, ...given })
const names = (): string[] => github.live().map(({ name }) => name)
const called = (name: string): number => github.calls.filter((call) => call.name === name).length
const shop = { shop: noise('shop', 4_000_000) }
/** Artifacts of a backup of that. */
const ARTIFACTS = 3

async function begin(store: ArtifactStore, sources: Record<string, Buffer> = shop): Promise<Run> {
  // Ids count whole seconds.
  github.offset += 1000
  await openOrMakeRepository(store)
  const run = await Run.begin({ store, time: github.now(), resume: () => github.now() })
  for (const [name, bytes] of Object.entries(sources)) await run.source(name, bytes)
  return run
}

/** Each snapshot is whole, the next backup is made, and a prune after the grace deletes what nothing needs. */
async function expectHealthy(snapshots: number): Promise<Run> {
  github.faults.length = 0
  const before = await snapshotKeys(open(), 'app')
  expect(before).toHaveLength(snapshots)
  expect((await open().groups.wholeness()).lost).toEqual([])
  const next = await (await begin(open())).commit()
  expect(await restored(open(), next.id)).toEqual(digests(shop))
  github.offset += 48 * 3_600_000
  await open({ token: github.token('write') }).groups.release({ kept: new Set(await snapshotKeys(open(), 'app')), grace: 24 * 3_600_000, builtOn: 3, dryRun: false })
  expect(await restored(open(), next.id)).toEqual(digests(shop))
  const needed = new Set((await open().groups.dependents()).map(({ id }) => id))
  expect(github.live().filter(({ id }) => !needed.has(id))).toEqual([])
  return next
}

test('an attempt that failed half-way is run again: the further attempt uses its parts, and names that both have do no harm', async () => {
  const variables = github.startRun()
  const first = open({ variables })
  await begin(first)
  await until(() => names().length >= 2)
  await first.close()
  const again = await begin(open({ variables: github.startAttempt(variables) }), { shop: Buffer.concat([shop.shop, noise('more', 4_000_000)]) })
  expect(again.writer.adopted.chunks).toBeGreaterThan(0)
  await again.commit()
  expect(names().filter((name) => name === 'lifeboat-app+1')).toHaveLength(2)
  expect(await restored(open())).toEqual(digests({ shop: Buffer.concat([shop.shop, noise('more', 4_000_000)]) }))
  await expectHealthy(1)
})

test('an attempt that ended well is run again: both backups are there, also where the names of the first are still taken', async () => {
  const variables = github.startRun()
  for (const one of [variables, variables, github.startAttempt(variables)]) await (await begin(open({ variables: one }))).commit()
  expect(names().slice(0, ARTIFACTS)).toEqual([...Array.from({ length: ARTIFACTS - 1 }, (_, index) => `lifeboat-app+${index + 1}`), 'lifeboat-app'])
  expect(names().filter((name) => !name.includes('+'))).toEqual(['lifeboat-app', 'lifeboat-app.2', 'lifeboat-app'])
  for (const key of await snapshotKeys(open(), 'app')) expect(await restored(open(), key.slice('snapshots/app/'.length, -'.json.zst'.length))).toEqual(digests(shop))
  await expectHealthy(3)
})

test('two jobs of one run back up the same set at the same time: each has a backup of its own, in artifacts of its own', async () => {
  const variables = github.startRun()
  const sources = ['one', 'two'].map((name) => ({ [name]: noise(name, 4_000_000) }))
  const runs = await Promise.all(sources.map((one) => begin(open({ variables }), one)))
  await Promise.all(runs.map((run) => run.commit()))
  expect(new Set(names()).size).toBe(names().length)
  expect(names().filter((name) => !name.includes('+')).toSorted()).toEqual(['lifeboat-app', 'lifeboat-app.2'])
  for (const [index, run] of runs.entries()) expect(await restored(open(), run.id)).toEqual(digests(sources[index]!))
  await expectHealthy(2)
})

test.each([
  ['a part', 'PUT blob block', 1],
  ['the end of a part', 'FinalizeArtifact', 1],
  ['the last artifact', 'PUT blob block', ARTIFACTS - 1],
])('a run that is cancelled while it uploads %s has no backup, and ends at once', async (_, call, skip) => {
  const controller = new AbortController()
  const store = open({ signal: controller.signal })
  github.faults.push({ match: call, kind: 'stall', skip, times: Infinity })
  const backup = thrownBy(begin(store).then((run) => run.commit()))
  await until(() => called(call) > skip)
  controller.abort(new LifeboatError('interrupted'))
  expect((await backup).message).toBe('interrupted')
  await store.close()
  await expectHealthy(0)
})

test.each([
  ['a part', 'PUT blob block', 1],
  ['the end of a part', 'FinalizeArtifact', 1],
  ['the last artifact', 'FinalizeArtifact', ARTIFACTS - 1],
])('a runner that is lost while it uploads %s leaves no backup, and the next run uses its parts', async (_, call, skip) => {
  github.faults.push({ match: call, kind: 'stall', skip, times: Infinity })
  const program = `
    import { Run } from ${JSON.stringify(path.resolve('test/support/engine.ts'))}
    import { authenticatorOf } from ${JSON.stringify(path.resolve('src/repository/authenticator.ts'))}
    import { keys } from ${JSON.stringify(path.resolve('test/support/engine.ts'))}
    import { noise } from ${JSON.stringify(path.resolve('test/support/bytes.ts'))}
    import { openOrMakeRepository } from ${JSON.stringify(path.resolve('src/repository/repository.ts'))}
    import { ArtifactStore } from ${JSON.stringify(path.resolve('src/stores/artifact/store.ts'))}
    const { variables, token, temporary, time } = JSON.parse(process.env.GIVEN)
    const store = new ArtifactStore({ set: 'app', token, variables, temporary, timeout: 60_000, retention: { artifact: 90, snapshot: 30, short: 0 }, stagingLimit: ${LIMIT},
      signal: new AbortController().signal, report: { info() {}, warning() {} }, now: () => new Date() })
    store.groups.authenticate(authenticatorOf(keys))
    await openOrMakeRepository(store)
    const run = await Run.begin({ store, time: new Date(time), resume: () => new Date() })
    await run.source('shop', noise('shop', 4_000_000))
    await run.commit()`
  const given = JSON.stringify({ variables: github.startRun(), token: github.token(), temporary: stores.temporary, time: github.now() })
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { env: { PATH: process.env['PATH'], GIVEN: given }, stdio: ['ignore', 'inherit', 'inherit'] })
  const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)))
  await until(() => called(call) > skip || child.exitCode !== null)
  child.kill('SIGKILL')
  expect(await ended).toBe('SIGKILL')
  const next = await expectHealthy(0)
  expect(next.writer.adopted.chunks).toBeGreaterThan(0)
})
