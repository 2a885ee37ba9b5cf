import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { dispatched, refusal } from '../support/dispatched.ts'
import { prune, pruneAfterBackup } from '../../src/commands/prune/prune.ts'
import type { Environment } from '../../src/environment.ts'
import { marked, markedCommand } from '../../src/marks.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { type Keys, newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { NOT_REPLACED } from '../../src/repository/retention.ts'
import { chunkKey } from '../../src/repository/snapshot.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { authenticatorOf } from '../../src/repository/authenticator.ts'
import { pruneSummary, pruneText } from '../../src/commands/prune/report.ts'
import { openStore, parseDestination } from '../../src/stores/destination.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { backUp, entriesOf, identity, keys, otherKeys } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-prune-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const DAY = 86_400_000
const NEWEST = Date.UTC(2026, 10, 20, 2)
const ids: string[] = []
/** Ten nightly backups of the set `app`, newest first. */
const original = path.join(folder, 'original')
beforeAll(async () => {
  const store = new FileStore(original)
  await openOrMakeRepository(store)
  for (let night = 9; night >= 0; night--) ids.unshift((await backUp({ store, time: new Date(NEWEST - night * DAY) }, { app: noise(`night ${night}`, 2000) })).id)
})

let root: string
let count = 0
let warnings: string[] = []
let hints: (string | undefined)[] = []
beforeEach(() => {
  warnings = []
  hints = []
  root = path.join(folder, `${++count}`)
  cpSync(original, root, { recursive: true })
})

const environment = (): Environment => ({
  variables: {}, signal: new AbortController().signal, temporary: path.join(folder, 'tmp'), now: () => new Date(NEWEST + 3_600_000),
  report: { info: () => undefined, warning: (message, hint) => void [warnings.push(message), hints.push(hint)], progress: () => undefined, mask: () => undefined },
})
const given = (more: Record<string, string>) => ({ destination: `file:${root}`, 'encryption-key': identity, set: 'app', retention: 'last=6', ...more })
const run = (more: Record<string, string> = {}) => prune(parseInputs('prune', given(more), {}), environment())
const left = (): string[] => readdirSync(path.join(root, 'snapshots/app')).map((name) => name.slice(0, -'.json.zst'.length)).toSorted().toReversed()

test.each(['false', 'true'])('with a key that no snapshot of the set was made with it fails (dry-run: %s): a scheduled prune would look well for ever', async (dryRun) => {
  const { identity: other } = await newIdentity()
  await expect(run({ 'encryption-key': other, 'dry-run': dryRun })).rejects.toThrow('none of the 10 snapshots of set app was made with the key given, so nothing was pruned')
  expect(left()).toEqual(ids)
})

test('deletes what the policy does not keep, and tells what became of each snapshot and why', async () => {
  const result = await run()
  expect(left()).toEqual(ids.slice(0, 6))
  expect(result).toMatchObject({ set: 'app', dryRun: false, kept: 6, deleted: 4, chunks: { trashed: { objects: 4 }, deleted: { objects: 0 }, obstacles: [] } })
  expect(result.snapshots.map(({ id, keep }) => [id, keep])).toEqual(ids.map((id, index) => [id, index < 6]))
  expect(readdirSync(path.join(root, 'trash'))).toHaveLength(1)
  expect(warnings).toEqual([])
})

test('with dry-run shows a table with reasons, and deletes nothing', async () => {
  const result = await run({ 'dry-run': 'true', retention: 'last=2', force: 'true' })
  expect(left()).toEqual(ids)
  const lines = pruneText(result, { timeZone: 'UTC' }).split('\n')
  expect(lines[0]).toMatch(/^set app: 8 snapshots would go, 2 would stay/)
  expect(lines[2]).toMatch(new RegExp(`^  keep +${ids[0]} .* newest, last 1 of 2$`))
  expect(lines[11]).toMatch(new RegExp(`^  delete +${ids[9]} .* not of the last 2$`))
  expect(lines.at(-1)).toMatch(/^ {2}8 chunks \(.*\) would no longer be needed by any snapshot; a later prune deletes them$/)
  expect(pruneSummary(result, { timeZone: 'UTC' })).toContain(`delete | \`${ids[9]}\``)
})

test('deletes nothing when more would go than max-delete allows, unless forced', async () => {
  await expect(run({ retention: 'last=4' })).rejects.toThrow('the policy would delete 6 of the 10 snapshots of set app, more than the 5 that max-delete allows')
  await expect(run({ retention: 'last=4', 'max-delete': '5' })).rejects.toThrow('more than the 5')
  expect(left()).toEqual(ids)
  expect(await run({ retention: 'last=4', 'dry-run': 'true' })).toMatchObject({ deleted: 6 })
  expect(warnings).toEqual([expect.stringContaining('this would be refused: the policy would delete 6 of the 10')])
  expect(hints).toEqual([marked`To delete these 6, run it without ‹dry-run› and with ‹max-delete: 6›. Nothing was deleted.`])
  await run({ retention: 'last=4', 'max-delete': '60%' })
  expect(left()).toEqual(ids.slice(0, 4))
  await run({ retention: 'last=1', force: 'true' })
  expect(left()).toEqual(ids.slice(0, 1))
})

test('deletes nothing by default when the newest backup is much smaller than the one before', async () => {
  const small = (await backUp({ store: new FileStore(root), time: new Date(NEWEST + 60_000) }, { app: noise('small', 900) })).id
  await expect(run()).rejects.toThrow('the newest backup of set app has 900 B, less than 50 % of the 2.00 kB of the one before')
  expect(left()).toEqual([small, ...ids])
  // A dry run names every guard that would refuse, and a way that satisfies them all.
  await run({ retention: 'last=4', 'dry-run': 'true' })
  expect(warnings).toEqual([expect.stringContaining('this would be refused: the policy would delete 7 of the 11'), expect.stringContaining('this would be refused: the newest backup of set app has 900 B')])
  expect(hints[0]).toBe(marked`To delete them all the same, run it with ‹force: true›. Nothing was deleted.`)
  expect(hints[1]).toContain(marked`To delete them all the same, run it with ‹force: true›`)
  expect(await refusal(run({ retention: 'last=4' }))).not.toContain('max-delete: 7')
  await run({ 'prune-min-size': '40%' })
  expect(left()).toEqual([small, ...ids.slice(0, 5)])
})

test('keeps what is pinned, the newest that is known to be good, and what is not of this key', async () => {
  const store = new FileStore(root)
  await putLabels(store, keys, 'app', ids[9]!, { pinned: true, tags: null })
  for (const [place, result] of [[6, 'failed'], [7, 'verified'], [8, 'verified']] as const) {
    await writeProof(store, keys, { snapshot: ids[place]!, set: 'app', level: 'read', result, seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null, time: new Date(NEWEST) })
  }
  const theirs = (await backUp({ store: new FileStore(`${root}-theirs`), keys: otherKeys, time: new Date(NEWEST - 20 * DAY) }, { app: noise('theirs', 2000) })).id
  cpSync(`${root}-theirs`, root, { recursive: true })
  const result = await run({ retention: 'last=6', 'encryption-key': await writeKeyOf(identity, undefined) })
  expect(left()).toEqual([...ids.slice(0, 6), ids[7], ids[9], theirs])
  expect(result.snapshots.filter(({ keep }) => keep).slice(6).map(({ reasons }) => reasons)).toEqual([['newest verified'], ['pinned']])
  expect(warnings).toEqual([expect.stringMatching(new RegExp(`^1 of 11 snapshots of set app, ${theirs}, has another key or was changed; it is not pruned$`)), expect.stringContaining(`snapshot ${ids[6]} is damaged, and does not count as the newest verified`)])
})

test('a newer snapshot of another key takes no place of a policy, in list as in a prune, and its labels are not at fault', async () => {
  const place = `${root}-theirs`
  const theirs = (await backUp({ store: new FileStore(place), keys: otherKeys, time: new Date(NEWEST + 3_600_000) }, { app: noise('theirs', 2000) })).id
  await putLabels(new FileStore(place), otherKeys, 'app', theirs, { pinned: true, tags: null })
  cpSync(place, root, { recursive: true })
  const { snapshots } = await run({ retention: 'last=2', 'dry-run': 'true', 'max-delete': '100%' })
  const kept = snapshots.filter(({ keep }) => keep).map(({ id, reasons }) => [id, reasons])
  expect(kept.map(([id]) => id)).toEqual(ids.slice(0, 2))
  expect(warnings).toEqual([expect.stringContaining(`1 of 11 snapshots of set app, ${theirs}, has another key`)])
  const listed = (await dispatched('list', given({ retention: 'last=2' }), new Date(NEWEST + 7_200_000))).result.snapshots
  expect(listed.filter(({ retention }) => retention!.keep).map(({ id, retention }) => [id, retention!.reasons])).toEqual([[theirs, ['another key: not counted']], ...kept])
})

const verify = (id: string, result: 'verified' | 'failed' = 'verified', damaged: string[] = []): Promise<string> =>
  writeProof(new FileStore(root), keys, { snapshot: id, set: 'app', level: 'list', result, seconds: 1, bytes: 1, damaged, problems: [], versions: {}, run: null, time: new Date(NEWEST) })

test('where none is verified, no damaged one goes, nor the newest that is not known to be damaged; once one is verified, they do', async () => {
  const damaged = await Promise.all([0, 1, 4].map(async (place) => (await entriesOf(new FileStore(root), ids[place]!)).map(([chunk, , , , mark]) => chunkKey(chunk, mark))))
  await verify(ids[0]!, 'failed', damaged.flat())
  await expect(run({ retention: 'last=1' })).rejects.toThrow('would delete 6 of the 10')
  expect((await run({ retention: 'last=1', 'max-delete': '100%' })).snapshots.filter(({ keep }) => keep).map(({ id, reasons }) => [id, reasons.at(-1)])).toEqual([[ids[0], NOT_REPLACED.damaged], [ids[1], NOT_REPLACED.damaged], [ids[2], 'newest not known to be damaged'], [ids[4], NOT_REPLACED.damaged]])
  expect(warnings.at(-1)).toContain(`2 damaged snapshots of set app that the policy does not keep stay, because none that is verified and whole can replace them: ${ids[1]}, ${ids[4]}`)
  await verify(ids[2]!)
  await run({ retention: 'last=1', 'max-delete': '100%' })
  expect(left()).toEqual([ids[0], ids[2]])
})

const partial = async (minute: number): Promise<string> => {
  const { id } = await backUp({ store: new FileStore(root), time: new Date(NEWEST + minute * 60_000), partial: true }, { app: noise(`partial ${minute}`, 2000) })
  await verify(id)
  return id
}

describe('where the newest backups are partial', () => {
  test('the newest complete one that is verified and whole stays, after a backup and by itself; where a newer one is, it goes', async () => {
    await verify(ids[1]!)
    await verify(ids[2]!)
    const parts = [await partial(2), await partial(1)]
    expect(await after({ retention: 'last=8' }, 'list', parts[0])).toMatchObject({ deleted: 4 })
    expect((await run({ retention: 'last=1', force: 'true' })).snapshots.filter(({ keep }) => keep)).toMatchObject([{ id: parts[0], reasons: ['newest', 'newest verified', 'last 1 of 1'] }, { id: ids[1], reasons: ['newest complete'] }])
    const newer = await partial(3)
    expect(await after({ retention: 'last=1', 'prune-min-size': '0%' }, 'list', newer)).toMatchObject({ deleted: 1, kept: 2 })
    const listed = await dispatched('list', { destination: `file:${root}`, 'encryption-key': identity, set: 'app', retention: 'last=1' }, new Date(NEWEST + 3_600_000))
    expect(listed.result.snapshots.map(({ id, retention }) => [id, retention!.reasons.at(-1)])).toEqual([[newer, 'last 1 of 1'], [ids[1], 'newest complete']])
    const complete = (await backUp({ store: new FileStore(root), time: new Date(NEWEST + 240_000) }, { app: noise('complete', 2000) })).id
    await verify(complete)
    await run({ retention: 'last=1', force: 'true' })
    expect(left()).toEqual([complete])
  })

  test('where all are, no more is kept; where the complete one is not whole, it does not count', async () => {
    await verify(ids[1]!)
    await verify(ids[2]!)
    const [entry] = await entriesOf(new FileStore(root), ids[1]!)
    rmSync(path.join(root, chunkKey(entry![0], entry![4])))
    const parts = [await partial(2), await partial(1)]
    expect((await run({ retention: 'last=2', force: 'true' })).snapshots.filter(({ keep }) => keep).map(({ id }) => id)).toEqual([...parts, ids[2]])
    expect(warnings).toEqual([expect.stringContaining(`snapshot ${ids[1]} is damaged, and does not count as the newest complete`)])
    await dispatched('forget', { destination: `file:${root}`, 'encryption-key': identity, snapshots: ids[2]!, force: 'true' })
    await run({ retention: 'last=1', force: 'true' })
    expect(left()).toEqual([parts[0]])
  })
})

test('of several sets it touches the one it is told', async () => {
  const other = await backUp({ store: new FileStore(root), set: 'other', time: new Date(NEWEST - 99 * DAY) }, { app: noise('other', 2000) })
  await run({ retention: '1h', force: 'true' })
  expect(left()).toEqual(ids.slice(0, 1))
  expect(readdirSync(path.join(root, 'snapshots/other'))).toEqual([`${other.id}.json.zst`])
})

test('a policy that is not given is refused before anything is opened; none keeps every snapshot', async () => {
  expect(await run({ retention: 'none' })).toMatchObject({ deleted: 0, kept: ids.length })
  expect(() => parseInputs('prune', given({ retention: '' }), {})).toThrow('retention is not given')
  expect(() => parseInputs('prune', given({ grace: '30m' }), {})).toThrow('grace: "30m" is not a duration from 1h to 30d')
  expect(() => parseInputs('prune', given({ 'max-delete': '120%' }), {})).toThrow('"120%" is neither a number nor a percentage')
})

function after(more: Record<string, string> = {}, verified: 'none' | 'list' = 'list', id = ids[0]!, by: Keys = keys): ReturnType<typeof pruneAfterBackup> {
  const inputs = parseInputs('backup', { ...given(more), 'database-url': 'postgres://u@h/db' }, {})
  return pruneAfterBackup(new FileStore(root), by, { ...inputs, destination: `file:${root}` }, id, verified, environment())
}

describe('after a backup', () => {
  test('that was verified it prunes, and tells which went', async () => {
    expect(await after()).toMatchObject({ deleted: 4, kept: 6, snapshots: ids.slice(6).map((id) => ({ id, keep: false })) })
    expect(left()).toEqual(ids.slice(0, 6))
  })

  test('that was not verified, or where a guard says no, it says why it did not', async () => {
    expect(await after({}, 'none')).toEqual({ skipped: 'the backup was not verified' })
    const { identity: _, ...writing } = keys
    expect(await after({}, 'none', ids[0], writing)).toEqual({ skipped: 'the backup was not verified' })
    expect(hints.pop()).toMatch(/^A write key reads nothing, so prune by itself: /)
    expect(hints).toEqual([expect.stringMatching(/^Back up with .*verify.*, or prune by itself: /)])
    warnings.pop()
    expect(await after({ retention: 'last=1' })).toEqual({ skipped: expect.stringContaining('more than the 5 that a prune after a backup allows') })
    expect(left()).toEqual(ids)
    expect(warnings).toHaveLength(2)
    const given = { destination: `file:${root}`, set: 'app', retention: 'last=1', 'prune-min-size': '50%', grace: '24h' }
    expect(hints[0]).toContain(markedCommand('prune', { ...given, retention: 'last=6' }))
    expect(hints[1]).toContain(markedCommand('prune', { ...given, 'dry-run': 'true' }))
    expect(hints[1]).toContain(marked`with ‹max-delete: 9› in place of ‹dry-run: true›`)
  })
})

test('of artifacts it deletes those that no kept snapshot needs, and tells which stay because a later backup depends on them', async () => {
  const github = await GitHub.start()
  try {
    const steps = async (day: number, tables: Record<string, Buffer>): Promise<void> => {
      github.offset = day * DAY
      const step: Environment = { ...environment(), variables: github.startRun(), now: () => github.now() }
      const store = await openStore(parseDestination('artifact'), { set: 'app', token: github.token(), timeout: 30_000 }, step)
      store.groups!.authenticate(authenticatorOf(keys))
      await openOrMakeRepository(store)
      await backUp({ store, time: github.now() }, tables)
      await store.close()
    }
    const shared = noise('shared', 3000)
    for (const day of [1, 2, 3, 4, 5, 6]) await steps(day, { app: noise(`day ${day}`, 3000), shared })
    github.offset = 20 * DAY
    const terminal: Environment = { ...environment(), variables: { ...github.startRun() }, now: () => github.now() }
    const policy = { destination: 'artifact', token: github.token('write'), retention: 'last=3' }
    // The command in the hint can be given as it is.
    expect(await refusal(prune(parseInputs('prune', given({ ...policy, retention: 'last=1' }), terminal.variables), terminal)))
      .toContain('See what would go: `lifeboat prune --destination artifact --set app --retention last=1 ')
    const told = await prune(parseInputs('prune', given({ ...policy, 'dry-run': 'true' }), terminal.variables), terminal)
    expect(github.live()).toHaveLength(6)
    const result = await prune(parseInputs('prune', given(policy), terminal.variables), terminal)
    expect(result).toMatchObject({ kept: 3, deleted: 2, waiting: 1, artifacts: { deleted: 2, permitted: true, staying: [{ name: 'lifeboat-app' }] } })
    expect(result.artifacts!.staying[0]!.neededBy).toHaveLength(3)
    expect(told.artifacts).toEqual({ ...result.artifacts, deleted: 0 })
    expect(github.live()).toHaveLength(4)
    expect(result.snapshots.map(({ keep, waiting }) => (keep ? 'keep' : waiting ? 'later' : 'delete'))).toEqual(['keep', 'keep', 'keep', 'delete', 'delete', 'later'])
    expect(pruneText(result, { timeZone: 'UTC' })).toMatch(/^set app: 3 snapshots to go: 2 deleted, 1 stays for now; 3 kept/)
    // The same again deletes nothing, and does not say that it did.
    const again = await prune(parseInputs('prune', given(policy), terminal.variables), terminal)
    expect(again).toMatchObject({ kept: 3, deleted: 0, waiting: 1 })
    expect(pruneText(result, { timeZone: 'UTC' })).toMatch(/2 artifacts \(.*\) deleted\n {2}lifeboat-app \(\d+\) stays: 3 later backups depend on it$/)
  } finally {
    await github.stop()
  }
})
