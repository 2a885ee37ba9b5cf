import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { noise } from '../support/bytes.ts'
import { backUp, digests, restored, type Run } from '../support/engine.ts'
import type { GitHub } from '../support/github/emulator.ts'
import { type ArtifactStores, withArtifacts } from '../support/github/store.ts'

const DAY = 86_400_000
let github: GitHub
let stores: ArtifactStores

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

const shop = noise('shop', 600_000)
const start = Date.UTC(2026, 10, 1)

/** A backup on a day, which has something of its own. */
async function on(day: number, sources: Record<string, Buffer>, store: ArtifactStore = stores.open({ set: 'app', fullEvery: undefined })): Promise<Run> {
  github.offset = start + day * DAY - Date.now()
  await openOrMakeRepository(store)
  return backUp({ store, time: github.now() }, { ...sources, own: noise(`own ${day}`, 1000) })
}

test('a backup stores everything again once what it would reuse is a quarter of the retention old; a lost artifact costs the snapshots before', async () => {
  const runs: Run[] = []
  for (const day of [0, 3, 6, 8, 11, 15.4, 15.6]) runs.push(await on(day, { shop }))
  expect(runs.map(({ writer }) => writer.added > 500_000)).toEqual([true, false, false, true, false, false, true])
  const keys = runs.map(({ id }) => snapshotKey('app', id))
  const groups = await stores.open({ set: 'app' }).groups.dependents()
  expect(groups.map(({ snapshots }) => snapshots.length)).toEqual([3, 3, 1, 1, 1, 1, 1])
  github.artifacts.splice(3, 1)
  expect(await stores.open({ set: 'app' }).groups.wholeness()).toEqual({ lost: [keys[5], keys[4]], newestWhole: keys[6] })
  expect(await restored(stores.open({ set: 'app' }), runs[2]!.id)).toEqual(digests({ shop, own: noise('own 6', 1000) }))
})

test('content that an older chain of backups has is stored again and not reused from there', async () => {
  await on(0, { shop })
  await on(8, { other: noise('other', 600_000) })
  const again = await on(9, { shop })
  expect(again.writer.added).toBeGreaterThan(500_000)
  expect((await on(10, { shop })).writer.added).toBeLessThan(100_000)
})

test('full-every can be another, and never', async () => {
  for (const [fullEvery, again] of [[2 * DAY, [true, false, true, false]], [Infinity, [true, false, false, false]]] as const) {
    github.artifacts.length = 0
    const added: boolean[] = []
    for (const day of [0, 1, 2.1, 3]) added.push((await on(day, { shop }, stores.open({ set: 'app', fullEvery }))).writer.added > 500_000)
    expect(added).toEqual(again)
  }
})
