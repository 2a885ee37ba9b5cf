// Which artifacts a prune deletes when not everything can be read, found or known.
import { encodeParts } from '../../src/stores/artifact/parts.ts'
import type { Groups } from '../../src/stores/store.ts'
import { sha256 } from '../support/bytes.ts'
import type { GitHub, StoredArtifact } from '../support/github/emulator.ts'
import { type ArtifactStores, authenticator, withArtifacts } from '../support/github/store.ts'

const HOUR = 3_600_000
let github: GitHub
let stores: ArtifactStores

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

const snapshot = (day: number) => `snapshots/shop/202611${String(day).padStart(2, '0')}T020000Z-${day.toString(16).padStart(8, '0')}.json.zst`

/** An artifact of a run with this object, signed. */
async function plant(name: string, run: number, key: string, needs: StoredArtifact[] = []): Promise<StoredArtifact> {
  const content = Buffer.from(key)
  const needed = needs.map((need) => ({ artifact: need.id, name: need.name, run: need.run.id, expires: null, objects: [[`chunks/aa/${need.id}`, 1]] as [string, number][] }))
  const parts = encodeParts({ name, run, set: 'shop', objects: [[key, content.length, sha256(content)]], needs: needed })
  return github.plant({ name, run, files: { [key]: content, 'parts.json': authenticator.sign(parts) } })
}

const backup = (day: number, run = day, name = 'lifeboat-shop', needs: StoredArtifact[] = []): Promise<StoredArtifact> => plant(name, run, snapshot(day), needs)
const part = (run: number, number = 1): Promise<StoredArtifact> => plant(`lifeboat-shop+${number}`, run, `chunks/aa/${run}-${number}`)

const state = (day: number, standing: string, command = 'backup'): Promise<StoredArtifact> => plant('lifeboat-shop', day, `states/shop/${command}.202611${day}T020000Z-5f3a9c1e.${standing}.0123456789abcdef0123456789abcdef.json`)

/** Backups of one run, with these numbers in their names. */
async function numbered(run: number, numbers: number[]): Promise<StoredArtifact[]> {
  const made: StoredArtifact[] = []
  for (const number of numbers) made.push(await backup(10 * run + number, run, number === 1 ? 'lifeboat-shop' : `lifeboat-shop.${number}`))
  return made
}

/** The names of what a prune with a grace of a day deletes. */
async function pruned(kept: number[], given: Parameters<ArtifactStores['open']>[0] = {}): Promise<string[]> {
  const { groups }: { groups: Groups } = stores.open({ token: github.token('write'), ...given })
  const { artifacts, deleted } = await groups.release({ kept: new Set(kept.map((day) => snapshot(day))), grace: 24 * HOUR, builtOn: 0, dryRun: false })
  expect(deleted).toBe(artifacts.length)
  return artifacts.map(({ name, id }) => `${name} ${id}`).toSorted()
}

const named = (...artifacts: StoredArtifact[]): string[] => artifacts.map(({ name, id }) => `${name} ${id}`).toSorted()

test('while a backup cannot be read, nothing is deleted: it may need any of it', async () => {
  const old = await part(1)
  await backup(2, 2, 'lifeboat-shop', [await part(2)])
  github.offset += 30 * HOUR
  for (const match of ['/zip', '/blobs/']) {
    github.faults.push({ match, method: 'GET', kind: 404, times: 2 })
    await expect(pruned([2])).rejects.toThrow(/^artifact lifeboat-shop \(\d+\) could not be read at first, and now can: nothing was deleted/)
    github.faults.push({ match, method: 'GET', kind: 404, times: 20 })
    await expect(pruned([2])).rejects.toThrow(/^artifact lifeboat-shop \(\d+\) is listed by GitHub, but cannot be read: nothing was deleted/)
    github.faults.length = 0
  }
  expect(github.live()).toHaveLength(3)
  expect(await pruned([2])).toEqual(named(old))
})

test('of a run whose backup is damaged the parts stay; an artifact that is no backup, of another run, stops nothing', async () => {
  const [own, other] = [await part(1), await part(2)]
  const damaged = await backup(1, 1, 'lifeboat-shop', [own])
  await github.replace(damaged, Buffer.alloc(damaged.size, 'x'))
  await github.plant({ name: 'lifeboat-shop', files: { 'anything.txt': Buffer.from('x') } })
  github.offset += 30 * HOUR
  expect(await pruned([])).toEqual(named(other))
})

test('of a run with a backup that is not found by its name, because one before it is missing, the parts stay', async () => {
  await backup(3, 3)
  await backup(1, 1, 'lifeboat-shop.4', [await part(1)])
  const left = await part(2)
  github.offset += 30 * HOUR
  expect(await pruned([3])).toEqual(named(left))
})

test('parts of a run that goes on stay, however old they are', async () => {
  const [goesOn, ended] = [await part(1), await part(2)]
  github.running.add(1)
  github.offset += 30 * HOUR
  expect(await pruned([])).toEqual(named(ended))
  github.running.clear()
  expect(await pruned([])).toEqual(named(goesOn))
})

test('on a machine whose clock is ahead nothing counts as older than it is', async () => {
  const left = await part(1)
  expect(await pruned([], { now: () => new Date(github.now().getTime() + 30 * HOUR) })).toEqual([])
  github.offset += 30 * HOUR
  expect(await pruned([])).toEqual(named(left))
})

test.each([['right', 0], ['ahead', 30 * HOUR]])('a prune that takes longer than the grace deletes nothing that a backup may need which ended meanwhile: its clock is %s', async (_, ahead) => {
  const left = await part(1)
  await backup(2)
  const { groups } = stores.open({ token: github.token('write'), now: () => new Date(github.now().getTime() + ahead) })
  expect(await groups.exist()).toBe(true)
  await backup(3, 3, 'lifeboat-shop', [left])
  github.offset += 30 * HOUR
  expect(await groups.release({ kept: new Set([snapshot(2)]), grace: 24 * HOUR, builtOn: 0, dryRun: false })).toMatchObject({ artifacts: [], deleted: 0 })
})

test('names of one run stay as long as a higher one does, those of other runs do not', async () => {
  const first = await numbered(1, [1, 2, 3])
  const second = await numbered(2, [1, 2, 3, 4])
  github.offset += 30 * HOUR
  expect(await pruned([24])).toEqual(named(...first, second[0]!))
  const found: string[] = []
  for await (const { key } of stores.open().list('snapshots/')) found.push(key)
  expect(found).toContain(snapshot(24))
})

test('of a run whose first part is not signed no other part is looked at', async () => {
  for (let number = 1; number <= 30; number++) await github.plant({ name: `lifeboat-shop+${number}`, run: 7, files: { x: Buffer.from('x'), 'parts.json': Buffer.from('nobody signed this') } })
  const left = await part(8)
  github.offset += 30 * HOUR
  expect(await pruned([])).toEqual(named(left))
  expect(github.calls.filter(({ name }) => name === 'GET artifacts/N/zip').length).toBeLessThan(6)
})

test('an artifact with a state alone goes when another has a newer one of the same set and command, and the grace is over', async () => {
  const old = await state(10, 'failed')
  await state(11, 'failed', 'verify')
  await backup(12)
  github.offset += 30 * HOUR
  expect(await pruned([12])).toEqual([])
  const newer = await state(13, 'good')
  expect(await pruned([12])).toEqual(named(old))
  const young = await state(14, 'failed')
  expect(await pruned([12])).toEqual([])
  github.offset += 30 * HOUR
  expect(await pruned([12])).toEqual(named(newer))
  expect(github.live().map(({ id }) => id)).toContain(young.id)
})
