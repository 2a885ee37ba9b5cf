import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { openKeys } from '../../src/repository/open-keys.ts'
import { openRepository, openOrMakeRepository } from '../../src/repository/repository.ts'
import { SNAPSHOTS_BUILT_ON } from '../../src/repository/known.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { GRACE } from '../../src/repository/trash.ts'
import { parseParts } from '../../src/stores/artifact/parts.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { ANY_SIZE, noise, sha256 } from '../support/bytes.ts'
import { digests, identity, restored, Run } from '../support/engine.ts'
import type { GitHub, StoredArtifact } from '../support/github/emulator.ts'
import { type ArtifactStores, withArtifacts } from '../support/github/store.ts'
import { filesIn } from '../support/github/zip.ts'
import { recover } from '../support/recover-script.ts'
import { thrownBy } from '../support/thrown.ts'
import { until } from '../support/until.ts'

const MB = 1024 * 1024
const HOUR = 3_600_000
let github: GitHub
let stores: ArtifactStores

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})
afterEach(() => {
  expect(github.faults.splice(0)).toEqual([])
})

const open = (given: Parameters<ArtifactStores['open']>[0] = {}): ArtifactStore => stores.open({ set: 'app', stagingLimit: 16 * MB, ...given })
const names = (artifacts: readonly StoredArtifact[] = github.live()): string[] => artifacts.map(({ name }) => name)
const shop = { shop: noise('shop', 10 * MB) }

/** A backup that is not committed yet. */
async function begin(sources: Record<string, Buffer>, store: ArtifactStore): Promise<Run> {
  await openOrMakeRepository(store)
  const run = await Run.begin({ store, time: github.now(), resume: () => github.now() })
  for (const [name, bytes] of Object.entries(sources)) await run.source(name, bytes)
  return run
}

/** A backup that is killed when the source has ended and so many parts are there, and no snapshot. */
async function interrupted(sources: Record<string, Buffer>, parts = 3): Promise<void> {
  const store = open()
  const before = names().length
  await begin(sources, store)
  await until(() => names().length >= before + parts)
  await store.close()
}

async function release(kept: string[], grace = GRACE): Promise<string[]> {
  const store = open({ token: github.token('write') })
  const { artifacts, permitted } = await store.groups.release({ kept: new Set(kept.map((id) => snapshotKey('app', id))), grace, builtOn: SNAPSHOTS_BUILT_ON, dryRun: false })
  expect(permitted).toBe(true)
  return artifacts.map(({ name }) => name).toSorted()
}

test('a backup that is larger than the disk may hold is uploaded in parts, and the last artifact, with the snapshot, names them', async () => {
  const run = await begin(shop, open())
  await run.commit()
  const all = github.live()
  expect(all.length).toBeGreaterThan(3)
  expect(names()).toEqual([...all.slice(1).map((_, index) => `lifeboat-app+${index + 1}`), 'lifeboat-app'])
  const files = await Promise.all(all.map(async (artifact) => filesIn(await github.content(artifact))))
  const keys = files.map((content) => Object.keys(content))
  expect(keys.map((found) => found.some((key) => key.startsWith('snapshots/')))).toEqual([...all.slice(1).map(() => false), true])
  const needs = files.map((content) => parseParts(content['parts.json']!.subarray(content['parts.json']!.indexOf('\n') + 1)).needs)
  expect(needs.slice(0, -1).flat()).toEqual([])
  expect(needs.at(-1)!.map(({ artifact, objects }) => [artifact, objects.map(([key]) => key).toSorted()])).toEqual(
    all.slice(0, -1).map(({ id }, index) => [id, keys[index]!.filter((key) => key.startsWith('chunks/')).toSorted()]),
  )
  expect(await restored(open())).toEqual(digests(shop))
  expect(await restored(open({ set: undefined }))).toEqual(digests(shop))
  // By hand: all of them extracted into one folder.
  const folder = path.join(stores.temporary, 'extracted')
  for (const [name, bytes] of files.flatMap((content) => Object.entries(content))) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    writeFileSync(path.join(folder, name), bytes)
  }
  writeFileSync(path.join(folder, 'identity.txt'), identity)
  const byHand = recover(folder, ['extract', run.id, 'shop/shop.dump', '-i', path.join(folder, 'identity.txt')])
  expect([byHand.status, sha256(byHand.stdout)]).toEqual([0, sha256(shop.shop)])
  // The next backup reuses what is in the parts, and needs no part of its own.
  const next = await (await begin({ ...shop, more: noise('more', 1000) }, open())).commit()
  expect(next.writer.newChunks).toBe(1)
  expect(names().at(-1)).toBe('lifeboat-app')
  expect(await restored(open())).toEqual(digests({ ...shop, more: noise('more', 1000) }))
})

test('parts without their last artifact are no backup: they are neither listed nor read, and no store is found', async () => {
  await interrupted(shop)
  expect(names()[0]).toBe('lifeboat-app+1')
  for (const set of ['app', undefined]) {
    const store = open({ set })
    expect((await thrownBy(openRepository(store))).message).toMatch(/^there is no Lifeboat store/)
    for await (const { key } of store.list('snapshots/')) expect(key).toBe('none')
    expect(await store.groups.wholeness()).toEqual({ lost: [], newestWhole: undefined })
  }
})

test('the next run uses what an interrupted one uploaded, and a prune keeps what is used and deletes the rest after the grace', async () => {
  await (await begin({ earlier: noise('earlier', 5 * MB) }, open())).commit()
  github.offset += HOUR
  const complete = names().length
  await interrupted({ other: noise('other', 5 * MB) }, 1)
  const unused = names().length - complete
  github.offset += HOUR
  await interrupted(shop)
  const left = github.live().length
  github.offset += HOUR
  const run = await begin(shop, open())
  expect(run.writer.adopted.chunks).toBeGreaterThan(2)
  expect(run.writer.added).toBeLessThan(10 * MB - run.writer.adopted.bytes + 100_000)
  await run.commit()
  expect(await restored(open())).toEqual(digests(shop))
  const before = names()
  expect(await release([run.id])).toEqual([])
  github.offset += GRACE - 2 * HOUR + 1000
  const gone = await release([run.id])
  expect(gone).toHaveLength(unused)
  expect(names()).toHaveLength(before.length - unused)
  github.offset += GRACE
  expect(await release([run.id])).toEqual([])
  expect(names().length).toBeGreaterThanOrEqual(left - unused + 1)
  expect(await restored(open())).toEqual(digests(shop))
})

test('parts of a backup that is running are not deleted by a prune, nor those of a backup that a kept snapshot reuses', async () => {
  await (await begin(shop, open())).commit()
  github.offset += 40 * HOUR
  const running = await begin({ other: noise('other', 5 * MB) }, open())
  github.offset += GRACE - HOUR
  expect(await release([])).toEqual([])
  await running.commit()
  github.offset += 10 * GRACE
  const reusing = await (await begin({ ...shop, more: noise('more', 1000) }, open())).commit()
  for (let more = 0; more < 3; more++) {
    github.offset += 2 * GRACE
    await (await begin({ small: noise(`small ${more}`, 1000) }, open())).commit()
  }
  github.offset += 2 * GRACE
  const going = await release([reusing.id])
  expect(going).toContain('lifeboat-app')
  expect(going.filter((name) => name.startsWith('lifeboat-app+')).length).toBeGreaterThan(0)
  expect(await restored(open(), reusing.id)).toEqual(digests({ ...shop, more: noise('more', 1000) }))
})

test('a part that is refused ends the backup at once, with the first cause; the next backup goes on', async () => {
  const store = open()
  github.faults.push({ match: 'CreateArtifact', kind: 403, skip: 1, body: { code: 'permission_denied', msg: 'token is not allowed to do this' } })
  const error = await thrownBy(begin({ shop: noise('endless', 40 * MB) }, store))
  expect(error.message).toMatch(/^artifact lifeboat-app\+2 was not uploaded: GitHub refused it/)
  expect(names()).toEqual(['lifeboat-app+1'])
  await store.close()
  await (await begin(shop, open())).commit()
  expect(await restored(open())).toEqual(digests(shop))
})

test('a part whose upload fails once is uploaded again, under the next name where GitHub keeps the first', async () => {
  github.faults.push({ match: 'FinalizeArtifact', kind: 403, body: { code: 'permission_denied', msg: 'Error from intermediary with HTTP status code 403 "Forbidden"' } })
  await interrupted(shop)
  expect(names()[0]).toBe('lifeboat-app+2')
  // The next run looks for first names only, to save a request; a prune finds these parts, too.
  const left = names()
  const run = await (await begin(shop, open())).commit()
  expect(run.writer.adopted.chunks).toBe(0)
  expect(await restored(open())).toEqual(digests(shop))
  github.offset += 2 * GRACE
  expect(await release([run.id])).toEqual(left.toSorted())
  expect(await restored(open())).toEqual(digests(shop))
})

test('a part that GitHub does not have as it was sent fails the backup', async () => {
  const store = open()
  github.claimedDigest = `sha256:${'ab'.repeat(32)}`
  const error = await thrownBy(begin({ shop: noise('endless', 40 * MB) }, store).then((run) => run.commit()))
  github.claimedDigest = undefined
  expect(error.message).toMatch(/^artifact lifeboat-app\+1 \(\d+\) is not what was uploaded/)
  for await (const { key } of open().list('snapshots/')) expect(key).toBe('none')
})

test('a lost part: the snapshots that need it are not whole, and the next backup stores again what was in it', async () => {
  const first = await (await begin(shop, open())).commit()
  const lost = github.artifacts.findIndex(({ name }) => name === 'lifeboat-app+2')
  github.artifacts.splice(lost, 1)
  expect(await open().groups.wholeness()).toEqual({ lost: [snapshotKey('app', first.id)], newestWhole: undefined })
  await expect(restored(open())).rejects.toThrow(/was in artifact lifeboat-app\+2 \(\d+\), which has expired or was deleted/)
  github.offset += 1000
  const second = await (await begin(shop, open())).commit()
  expect(second.writer.newChunks).toBeGreaterThan(0)
  expect(second.writer.newChunks).toBeLessThan(first.writer.newChunks)
  expect(await restored(open())).toEqual(digests(shop))
  expect((await open().groups.wholeness()).newestWhole).toBe(snapshotKey('app', second.id))
})

test('with a passphrase, the parts of a first backup that was interrupted open with the key that the next backup takes', async () => {
  const passphrase = 'five words that nobody guesses'
  const keysOf = (store: ArtifactStore) => openKeys(passphrase, { store, create: true })
  const fingerprints: string[] = []
  for (let attempt = 0; attempt < 2; attempt++) {
    const store = open({ key: null })
    await openOrMakeRepository(store)
    const keys = await keysOf(store)
    fingerprints.push(keys.fingerprint)
    const run = await Run.begin({ store, keys, time: github.now(), resume: () => github.now() })
    await run.source('shop', shop.shop)
    if (attempt === 0) await until(() => names().length >= 3)
    if (attempt === 1) expect(run.writer.adopted.chunks).toBeGreaterThan(2)
    await store.close()
    github.offset += 1000
  }
  expect(fingerprints[0]).toBe(fingerprints[1])
})

test('an object of a part can be read while later parts are uploaded', async () => {
  const store = open()
  const run = await begin(shop, store)
  for (const key of run.writer.listed().keys()) expect((await store.get(key, ANY_SIZE)).length).toBe(run.writer.listed().get(key))
})
