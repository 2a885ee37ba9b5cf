import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { marked } from '../../src/marks.ts'
import { snapshotKeys } from '../../src/repository/catalog.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, identity, restored } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-sets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const from = new FileStore(path.join(folder, 'from'))
beforeAll(async () => {
  await openOrMakeRepository(from)
  for (const set of ['v', 'production', 'v2', 'production']) await backUp({ store: from, set }, { app: noise(set, 2000) })
})

let count = 0
let to: FileStore
beforeEach(() => (to = new FileStore(path.join(folder, `${++count}`))))
const copy = (more: Record<string, string> = {}) => dispatched('copy', { from: from.name, destination: to.name, 'encryption-key': identity, ...more })
const hint = expect.objectContaining({ hint: expect.stringContaining(marked`Give ‹set›, production for instance.`) })

test('copy without a set copies every set', async () => {
  const { result } = await copy()
  expect(result.snapshots.map(({ set, outcome }) => `${set} ${outcome}`).toSorted()).toEqual(['production copied', 'production copied', 'v copied', 'v2 copied'])
  expect(await snapshotKeys(to)).toEqual(await snapshotKeys(from))
  for (const set of ['production', 'v', 'v2']) expect(await restored(to, undefined, set)).toEqual(await restored(from, undefined, set))
})

test('copy of the newest takes the newest of each set, or of the one given', async () => {
  expect((await copy({ snapshot: 'latest' })).result.snapshots.map(({ set }) => set).toSorted()).toEqual(['production', 'v', 'v2'])
  expect((await copy({ snapshot: 'latest', set: 'v' })).result.snapshots).toMatchObject([{ set: 'v', outcome: 'was there' }])
})

test.each(['all', 'latest'])('copy of a set that is not there (snapshot: %s) fails, and names those there are', async (snapshot) => {
  const copying = copy({ set: 'prod', snapshot })
  await expect(copying).rejects.toThrow(`${from.name} has no set prod; it has production, v, v2`)
  await expect(copying).rejects.toEqual(hint)
  await expect(copy({ from: from.name, set: 'v' })).resolves.toBeDefined()
})

test.each(['', '/', '?mounted=false'])('copy of a store to itself is refused (with %j after its name)', async (more) => {
  await expect(copy({ destination: `${from.name}${more}` })).rejects.toMatchObject({ message: `from and destination are the same store, ${from.name}; nothing was copied`, status: 2 })
})

test('copy of a store without snapshots fails', async () => {
  const empty = new FileStore(path.join(folder, 'empty'))
  await openOrMakeRepository(empty)
  await expect(copy({ from: empty.name })).rejects.toThrow('has no snapshot to copy')
})

test.each(['false', 'true'])('prune of a set that is not there (dry-run: %s) fails, and names those there are', async (dryRun) => {
  const pruning = dispatched('prune', { destination: from.name, 'encryption-key': identity, retention: 'last=1', 'dry-run': dryRun })
  await expect(pruning).rejects.toThrow(`${from.name} has no set default; it has production, v, v2`)
  await expect(pruning).rejects.toEqual(hint)
})
