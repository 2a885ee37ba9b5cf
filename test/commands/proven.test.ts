import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterFailedDrill, rowsOf } from '../../src/commands/back-up-again.ts'
import type { Command } from '../../src/commands/all.ts'
import { check as checkDefinition } from '../../src/commands/check/command.ts'
import { checkSummary } from '../../src/commands/check/report.ts'
import { listSummary } from '../../src/commands/list/report.ts'
import { pageFacts } from '../../src/commands/page-facts.ts'
import { setsIn } from '../../src/report/page/health.ts'
import { markOf } from '../../src/report/page/words.ts'
import { type Verification, writeProof } from '../../src/repository/proofs.ts'
import { readAuthentic } from '../../src/repository/catalog.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { chunkKey, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, identity, keys } from '../support/engine.ts'

const HOUR = 3_600_000
const now = new Date('2026-12-01T12:00:00Z')
const ago = (hours: number): Date => new Date(now.getTime() - hours * HOUR)
const figures = {
  entries: 154, rows: 2_651_188, bytes: 1_000_000, seconds: { download: 52, restore: 200, compare: 60, checks: 3 }, machine: 'linux x64, 4 CPUs, 16.8 GB of memory',
}

let folder: string
let store: FileStore
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-proven-'))
  store = new FileStore(path.join(folder, 'store'))
  await openOrMakeRepository(store)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A snapshot made so many hours ago that its backup verified. */
async function snapshot(hours: number): Promise<string> {
  const { id } = await backUp({ store, set: 'shop', time: ago(hours) }, { app: noise('app', 1000) })
  await prove(id, hours - 0.1, {})
  return id
}

async function prove(id: string, hours: number, proof: Partial<Verification>): Promise<void> {
  await writeProof(store, keys, {
    snapshot: id, set: 'shop', time: ago(hours), level: 'list', result: 'verified', seconds: 1, bytes: 1000, damaged: [], problems: [], versions: {}, run: null, ...proof,
  })
}

const drill = { level: 'drill', drill: figures } as const
const run = <C extends Command>(command: C, raw: Record<string, string> = {}) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...raw }, now)

test('list, check and show say what the last drill proved', async () => {
  const id = await snapshot(79)
  await prove(id, 72, drill)
  await snapshot(1)
  const proven = '4 min 12 s, 2,651,188 rows equal'
  expect((await run('list')).text).toContain(`drill 3 days ago (${proven})`)
  expect((await run('list', { format: 'markdown' })).text).toMatch(/drill.3.days.ago.+2,651,188/)
  const checked = await run('check', { 'max-proof-age': '4d', 'proof-level': 'drill' })
  expect([checked.result.problems, checked.text]).toEqual([[], expect.stringContaining(`last drill: ${id}, 3 days ago: ${proven}`)])
  const shown = (await run('show', { set: 'shop', snapshot: id })).text
  expect(shown).toContain('recovery took 4 min 12 s, of which 52 s for reading the store; comparing and checking')
  expect(shown).toContain('the snapshot was 7 h old; on linux x64, 4 CPUs')
  expect(shown).not.toMatch(/wording|conditions? asked/)
  await prove(id, 71, { ...drill, drill: { ...figures, wording: false, assertions: 2 } })
  expect((await run('show', { set: 'shop', snapshot: id })).text).toMatch(
    /154 entries equal \(1.00 MB\), but not the wording of definitions, because the scratch server had another version; 2 conditions asked; recovery/)
})

test('a drill that could not be completed hides neither the one before it nor its figures', async () => {
  const id = await snapshot(79)
  await prove(id, 72, drill)
  await prove(id, 1, { level: 'drill', result: 'could not verify' })
  const { text, result } = await run('list', { retention: 'drilled=1' })
  expect(text).toContain('drill COULD NOT VERIFY 60 min ago, drill 3 days ago (4 min 12 s, 2,651,188 rows equal), list')
  expect(result.snapshots[0]!.retention!.reasons).toEqual(expect.arrayContaining([expect.stringContaining('drilled')]))
})

test('a drill whose conditions do not hold is no damage, and no proof at level drill', async () => {
  const id = await snapshot(2)
  await prove(id, 1, { ...drill, result: 'conditions not met', problems: ['assert-sql: orders is not true in the restored database'] })
  const listed = await run('list')
  expect(listed.result).toMatchObject({ restorable: id, snapshots: [{ verified: true, proofs: [{ result: 'conditions not met' }, { result: 'verified' }] }] })
  expect(listed.result.snapshots[0]!.damage).toBeUndefined()
  expect(listed.text).toContain('drill CONDITIONS NOT MET')
  expect((await run('show', { set: 'shop' })).text).toMatch(/CONDITIONS NOT MET +drill[^]*assert-sql: orders is not true/)
  expect((await run('check')).result.problems).toEqual([])
  const checked = await run('check', { 'max-proof-age': '8d', 'proof-level': 'drill' })
  expect([checked.result.problems.length, checked.text]).toEqual([1, expect.stringContaining('found the backup whole, but a condition that was given does not hold')])
})

test.each([
  ['could not verify', 'could not be completed, and says nothing about the backup'],
  ['conditions not met', 'found the backup whole, but a condition'],
] as const)('check tells that the last drill had the outcome %s, also of a proof that is too old', async (result, text) => {
  const id = await snapshot(300)
  await prove(id, 299, drill)
  await snapshot(1)
  await prove(id, 2, { level: 'drill', result })
  const { problems } = (await run('check', { 'max-proof-age': '8d', 'proof-level': 'drill' })).result
  expect(problems).toEqual([expect.stringMatching(new RegExp(`the newest verification at level drill, .* is 12 days old.*; the verification of ${id} 2 h ago ${text}`))])
})

test('check tells that a later drill failed, although an earlier one is new enough', async () => {
  await prove(await snapshot(60), 59, drill)
  const broken = await snapshot(30)
  await prove(broken, 29, { level: 'drill', result: 'failed', problems: ['TABLE DATA orders differs'] })
  await snapshot(1)
  const { problems } = (await run('check', { 'max-proof-age': '8d', 'proof-level': 'drill' })).result
  expect(problems).toEqual([`set shop: the verification of ${broken} 29 h ago failed`])
  expect((await run('check')).result.problems).toEqual([])
})

test('an older snapshot that was verified after the newest does not hide the proof of the newest', async () => {
  const [older, newest] = [await snapshot(30), await snapshot(2)]
  const read = { level: 'read', result: 'verified' } as const
  await prove(newest, 1.5, read)
  await prove(older, 1, read)
  expect((await run('check')).text).toMatch(new RegExp(`${newest}.* last proof: read, [^;]*; after it of ${older}, `))
  await prove(older, 0.5, { ...drill })
  expect((await run('check', { 'max-proof-age': '8d', 'proof-level': 'drill' })).text).toMatch(new RegExp(`last proof: drill of ${older}, `))
})

test('a proof of a snapshot that is damaged does not count, and the last one that does is shown with its own snapshot', async () => {
  const [kept, damaged] = [await snapshot(200), await snapshot(60)]
  await prove(kept, 190, drill)
  await prove(damaged, 50, drill)
  await prove(damaged, 40, { level: 'read', result: 'failed' })
  const newest = await snapshot(1)
  const aged = { 'max-proof-age': '5d', 'proof-level': 'drill' }
  const checked = await run('check', aged)
  expect(checked.result.problems).toEqual([expect.stringMatching(
    new RegExp(`at level drill, of ${kept}, is 7 days old.*; that of ${damaged} does not count: the snapshot is damaged or missing, or failed since`),
  )])
  expect(checked.text).toMatch(new RegExp(`${newest}.* last proof: drill of ${kept}, .* last drill: ${kept}, 7 days ago`))
  await run('forget', { snapshots: kept })
  const none = await run('check', aged)
  expect(none.result.problems).toEqual([expect.stringMatching(/no snapshot that is still in the store and not damaged was verified at level drill; that of .* does not count/)])
  expect(none.text).not.toContain('last drill')
})

test('damage that another snapshot was found to have counts for the drilled one that shares it', async () => {
  const drilled = await snapshot(60)
  await prove(drilled, 50, drill)
  const { chunks } = (await readAuthentic(store, snapshotKey('shop', drilled), keys)).header
  const [id, , , , mark] = chunks[0]!
  await prove(await snapshot(40), 30, { result: 'failed', damaged: [chunkKey(id, mark)] })
  await backUp({ store, set: 'shop', time: ago(1) }, { app: noise('other', 1000) }).then(({ id: newest }) => prove(newest, 0.5, {}))
  const { problems } = (await run('check', { 'max-proof-age': '8d', 'proof-level': 'drill' })).result
  expect(problems).toEqual([expect.stringContaining(`that of ${drilled} does not count`)])
})

test('a snapshot that failed its drill is whole: no text calls it damaged, and each says how its rows come back', async () => {
  const older = await snapshot(20)
  const id = await snapshot(2)
  await prove(id, 1, { ...drill, result: 'failed', problems: ['it cannot be restored: new row violates check constraint'] })
  const why = 'it cannot be restored to what was backed up, and no object of it is known to be damaged'
  const listed = await run('list')
  expect(listed.result).toMatchObject({ restorable: older, unsound: [{ snapshot: id, why, failedDrill: true }], snapshots: [{ id, failedDrill: true, verified: false }, {}] })
  expect(listed.text).toMatch(new RegExp(`DRILL FAILED: ${why}[^]*Snapshot ${id} FAILED ITS DRILL: ${why}\\.[^]*To restore the newest that failed no drill`))
  expect((await run('show', { snapshot: id })).text).toMatch(new RegExp(`DRILL FAILED +${why}`))
  const checked = await run('check')
  expect(checked.result.problems).toEqual([expect.stringContaining(`snapshot ${id} failed its drill: ${why}; the newest that is whole and verified is ${older}`)])
  expect(checked.text).toMatch(new RegExp(`^DRILL FAILED  shop  ${id}; the newest that is whole and verified: ${older}, `))
  expect(checked.result.advice).toEqual([`${afterFailedDrill({ set: 'shop', snapshot: id })} ${rowsOf({ snapshot: id })}`])
  for (const { text } of [listed, checked]) expect(text).toMatch(/restore[^;]*--mode create --only schema.*DROP CONSTRAINT.*restore[^;]*--only data/)
  const page = pageFacts(listed.result, { chosen: false, keyed: true, timeZone: 'UTC', warnings: [], copies: [], destination: 'file:x' }, { variables: {} })
  expect(page.snapshots.map(markOf)).toEqual(['failed', 'verified'])
  const said = [listed.text, checked.text, listSummary(listed.result, { destination: 'file:x', timeZone: 'UTC' }), checkSummary(checked.result, { destination: 'file:x', timeZone: 'UTC' }), ...setsIn(page).flatMap(({ findings }) => findings.map(({ text }) => text))].join('\n')
  expect(said).toContain('The newest backup failed its drill')
  expect(said).toContain('### ❌ Lifeboat: there are backups that failed a drill in ')
  expect([checkDefinition.notice(checked.result).found, checkDefinition.notice({ ...checked.result, sets: [] }).found]).toEqual(['backups that failed a drill', undefined])
  expect(said.replaceAll(why, '')).not.toMatch(/damaged|intact|skip-damaged|nothing wrong/i)
})

test('a snapshot that failed its drill stays as long as no newer one is verified, though a policy keeps none of its age', async () => {
  await snapshot(90)
  const [old, failed] = [await snapshot(60), await snapshot(30)]
  for (const id of [old, failed]) await prove(id, 29, { ...drill, result: 'failed' })
  const broken = await backUp({ store, set: 'shop', time: ago(1) }, { app: noise('other', 1000) })
  await prove(broken.id, 0.5, { result: 'failed' })
  const expected = ['newest', 'newest that is whole, though its drill failed']
  for (const reasons of [
    (await run('list', { retention: 'last=1' })).result.snapshots.slice(0, 2).map(({ retention }) => retention!.reasons[0]),
    (await run('prune', { set: 'shop', retention: 'last=1', 'max-delete': '3' })).result.snapshots.slice(0, 2).map((one) => one.reasons[0]),
  ]) expect(reasons).toEqual(expected)
  expect((await run('list')).result.snapshots.map(({ id }) => id)).toContain(failed)
  const newest = await snapshot(0.2)
  await run('prune', { set: 'shop', retention: 'last=1', 'max-delete': '3' })
  expect((await run('list')).result.snapshots.map(({ id }) => id)).toEqual([newest])
})

test('a policy with drilled=1 never deletes the newest snapshot that was drilled and is whole, so that check finds its proof', async () => {
  const [old, drilled] = [await snapshot(200), await snapshot(150)]
  for (const id of [old, drilled]) await prove(id, 140, drill)
  const unmet = await snapshot(100)
  await prove(unmet, 90, drill)
  await prove(unmet, 80, { ...drill, result: 'conditions not met' })
  const newest = await snapshot(1)
  const aged = { 'max-proof-age': '8d', 'proof-level': 'drill' }
  const listed = await run('list', { retention: 'last=1 drilled=1' })
  expect(listed.result.snapshots.filter(({ retention }) => retention!.keep).map(({ id }) => id)).toEqual([newest, drilled])
  await run('prune', { set: 'shop', retention: 'last=1 drilled=1' })
  expect((await run('list')).result.snapshots.map(({ id }) => id)).toEqual([newest, drilled])
  expect((await run('check', aged)).result.problems).toEqual([])
  await run('prune', { set: 'shop', retention: 'last=1' })
  const without = await run('check', aged)
  expect([without.result.problems.length, without.text]).toEqual([1, expect.stringContaining('drilled=1')])
})
