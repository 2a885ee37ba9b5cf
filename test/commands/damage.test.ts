import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newestSentence } from '../../src/commands/backup/newest-found.ts'
import { newestBackup } from '../../src/commands/backup/newest.ts'
import { listSummary } from '../../src/commands/list/report.ts'
import { statusOf } from '../../src/commands/run-command.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { failureOf, failureSummary } from '../../src/report/failure.ts'
import { verifySummary } from '../../src/commands/verify/report.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { type ChunkEntry, chunkKey, encodeSnapshot, openManifest } from '../../src/repository/snapshot.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { NOT_REPLACED } from '../../src/repository/retention.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { entriesOf, identity, keys } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'
import { inWorkflow } from '../../src/actions/spelling.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'

const HOUR = 3_600_000
const start = Date.parse('2026-11-20T02:00:00Z')
/** Every command is a minute after the one before. */
let minutes = 0
const now = (): Date => new Date(start + 3 * HOUR + ++minutes * 60_000)

let folder: string
/** Three snapshots of two volumes, oldest first: both share what is in `large`; `small` is another each time. */
let original: string
let ids: string[]
let shared: ChunkEntry
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-damage-'))
  original = path.join(folder, 'original')
  for (const name of ['large', 'small']) mkdirSync(path.join(folder, name))
  writeFileSync(path.join(folder, 'large/file'), noise('large', 3_000_000))
  ids = []
  for (const hour of [0, 1, 2]) {
    writeFileSync(path.join(folder, 'small/file'), noise(`small ${hour}`, 5000))
    const { result } = await dispatched('backup', { ...to(original), volumes: `large=${folder}/large\nsmall=${folder}/small`, set: 'app', 'client-install': 'never' }, new Date(start + hour * HOUR), { variables: process.env, temporary: path.join(folder, 'tmp') })
    ids.push(result.snapshot)
  }
  const listed = await Promise.all(ids.map((id) => entriesOf(new FileStore(original), id)))
  // In the middle of the large file, where level list does not look.
  shared = listed[0]!.find((entry) => entry[1] > 500_000 && entry !== listed[0]!.find(([, size]) => size > 500_000) && listed.every((entries) => entries.some(([id, , , , mark]) => id === entry[0] && mark === entry[4])))!
})
afterAll(() => rmSync(folder, { recursive: true }))

let root: string
let count = 0
beforeEach(() => {
  root = path.join(folder, `store-${++count}`)
  cpSync(original, root, { recursive: true })
})

const to = (store: string) => ({ destination: `file:${store}`, 'encryption-key': identity })
const given = (): Record<string, string> => ({ ...to(root), set: 'app' })
const run = <C extends 'verify' | 'check' | 'list' | 'show' | 'prune' | 'forget' | 'restore'>(command: C, raw: Record<string, string> = {}) =>
  dispatched(command, { ...(command === 'forget' ? to(root) : given()), ...raw }, now(), { variables: { ...process.env }, temporary: path.join(folder, 'tmp') })
const fileOf = ([id, , , , mark]: ChunkEntry, store = root): string => path.join(store, chunkKey(id, mark))
const keyOf = ([id, , , , mark]: ChunkEntry): string => chunkKey(id, mark)
const ownChunk = async (id: string): Promise<ChunkEntry> => (await entriesOf(new FileStore(root), id)).find(([, , , , mark]) => mark === id.slice(-8))!

function flipBit(file: string): void {
  const bytes = readFileSync(file)
  bytes[bytes.length - 100]! ^= 1
  writeFileSync(file, bytes)
}

describe('a chunk that three snapshots need has a flipped bit, and one of them was verified', () => {
  beforeEach(async () => {
    flipBit(fileOf(shared))
    const { result, text } = await run('verify', { snapshot: ids[1]!, level: 'read' })
    expect(result).toMatchObject({ result: 'failed', damaged: [keyOf(shared)] })
    expect(result.sources.map((source) => [source.name, source.result])).toEqual([['large', 'failed'], ['small', 'verified']])
    expect(result.advice).toEqual([expect.stringMatching(/^Back up again: the next backup stores again what is damaged/), 'No other snapshot of set app with large is known to be whole.'])
    expect(text).toMatch(/large +FAILED/)
    expect(text).toMatch(/small +verified/)
    expect(verifySummary(result, { action: 'a/b', reference: 'v1', destination: 'file:/b', timeZone: 'UTC', now: now() })).toMatch(/\| ❌ FAILED \| `large` \|[^]*\| ✅ verified \| `small` \|/)
  })

  test('then check is not ok, whichever snapshot it looks at', async () => {
    const { result } = await run('check')
    expect(result.sets[0]!.verified).toBeUndefined()
    expect(result.problems).toHaveLength(4)
    expect(result.problems[0]).toContain(`set app: snapshot ${ids[2]} is damaged: 1 of its 8 objects is known to be damaged: ${keyOf(shared)}`)
    expect(statusOf({ command: 'check', result, shown: { destination: '', timeZone: 'UTC' } })).toBe(1)
    expect((await run('check', { 'encryption-key': await writeKeyOf(identity, undefined) })).result.problems).toEqual(result.problems)
  })

  test('then list marks each, recommends none, and show says the same', async () => {
    const { result, text } = await run('list')
    expect(result.snapshots.map(({ verified, damage }) => [verified, damage?.includes(keyOf(shared))])).toEqual([[false, true], [false, true], [false, true]])
    expect(result.restorable).toBeUndefined()
    expect(text).toMatch(new RegExp(`what is whole of the newest into empty folders, .*:\\n {2}lifeboat restore .* --snapshot ${ids[2]} .* --skip-damaged$`))
    // No older one can be whole.
    expect(text).toContain('None of them is known to be whole. If objects were put back since, `lifeboat verify --set app --snapshot all --level read` tells.')
    expect(text).toContain(`Snapshot ${ids[2]} is DAMAGED`)
    expect((await run('list', { since: new Date(start + 1.5 * HOUR).toISOString() })).result.snapshots).toMatchObject([{ id: ids[2], verified: false, damage: expect.stringContaining(keyOf(shared)) }])
    const shown = await run('show', { snapshot: ids[2]! })
    expect(shown.result).toMatchObject({ verified: false, damage: expect.stringContaining(keyOf(shared)) })
    expect(shown.text).toContain('DAMAGED')
  })

  test('then a restore of that volume is refused at once, and one of the other volume is warned about', async () => {
    expect(await refusal(run('restore', { volume: 'large', target: path.join(folder, `target-${count}`) }))).toMatch(new RegExp(`snapshot ${ids[2]} does not verify, so nothing was restored: chunk ${keyOf(shared)} in .* is damaged[^]*No other snapshot of set app is whole and has large`))
    const warnings: (string | undefined)[] = []
    const { result } = await dispatched('restore', { ...given(), volume: 'small', target: path.join(folder, `target-${count}`) }, now(), {
      variables: process.env, temporary: path.join(folder, 'tmp'), report: { ...quiet, warning: (...told) => void warnings.push(...told) } })
    expect(result).toMatchObject({ volume: 'small', restored: result.entries })
    // Nothing is wrong with this volume: no other snapshot is named.
    expect(warnings).toEqual([expect.stringContaining(`snapshot ${ids[2]} is damaged, though not in small`), expect.stringMatching(/^To find out which sources of it are hit: /)])
  })

  test('then prune counts none of them as the newest verified', async () => {
    const { result, warnings } = await run('prune', { retention: 'last=1', force: 'true', 'dry-run': 'true' })
    expect(result.snapshots.map(({ reasons }) => reasons.includes('newest verified'))).toEqual([false, false, false])
    expect(warnings).toEqual([expect.stringContaining(`snapshot ${ids[2]} is damaged`), expect.stringContaining(ids[1]!), expect.stringContaining(ids[0]!)])
  })

  test('then prune deletes none of them, and says why, as long as no newer one is verified and whole; forced, it does', async () => {
    const { result, text, warnings } = await run('prune', { retention: 'last=1', 'max-delete': '100%' })
    expect(result).toMatchObject({ deleted: 0, kept: 3, snapshots: [{ reasons: ['newest', 'last 1 of 1', NOT_REPLACED.damaged] }, { reasons: [NOT_REPLACED.damaged] }, { reasons: [NOT_REPLACED.damaged] }] })
    expect(text).toMatch(new RegExp(`keep +${ids[0]} .* ${NOT_REPLACED.damaged}`))
    expect(warnings.at(-1)).toContain(`2 damaged snapshots of set app that the policy does not keep stay, because none that is verified and whole can replace them: ${ids[1]}, ${ids[0]}`)
    expect((await run('list', { retention: 'last=1' })).result.snapshots.map(({ retention }) => retention!.reasons.at(-1))).toEqual([NOT_REPLACED.damaged, NOT_REPLACED.damaged, NOT_REPLACED.damaged])
    expect((await run('prune', { retention: 'last=1', force: 'true' })).result).toMatchObject({ deleted: 2, kept: 1 })
  })

  test('and a whole snapshot without that volume is not named as the one to restore instead', async () => {
    const { result } = await dispatched('backup', { ...given(), volumes: `small=${folder}/small`, 'client-install': 'never' }, now(), { variables: process.env, temporary: path.join(folder, 'tmp') })
    expect((await run('verify', { snapshot: ids[2]!, level: 'read' })).result.advice.at(-1)).toBe('No other snapshot of set app with large is known to be whole.')
    const restoring = (volume: string) => run('restore', { snapshot: ids[2]!, volume, target: path.join(folder, `target-${count}`) })
    expect(await refusal(restoring('large'))).toContain('No other snapshot of set app is whole and has large')
    const [warning] = (await restoring('small')).warnings
    expect(warning).toContain(`snapshot ${ids[2]} is damaged, though not in small`)
    expect(result.snapshot).not.toBe(ids[2])
  })

  test('then a failed backup names none of them to fall back on', async () => {
    const environment = { variables: {}, signal: new AbortController().signal, report: quiet, temporary: path.join(folder, 'tmp'), now }
    const newest = await newestBackup(parseInputs('backup', { ...given(), volumes: 'a=/b' }, {}), now(), environment)
    expect(newest).toMatchObject({ none: 'unsound', unsound: ids.toReversed().map((snapshot) => ({ snapshot })) })
    expect(failureSummary('backup', { message: 'm', causes: [], status: 1 }, newestSentence(newest, { timeZone: 'UTC', now: now() }))).toMatch(new RegExp(`None of the newest backups of set .*app.* can be relied on[^]*${ids[2]}.* is damaged`))
  })

  test.each([
    ['a prune', async () => void (await run('prune', { retention: 'last=1', force: 'true' }))],
    ['forget', async () => void (await run('forget', { snapshots: ids.slice(0, 2).join(','), force: 'true' }))],
    ['someone, and a forced prune its proofs,', async () => {
      for (const id of ids.slice(0, 2)) rmSync(path.join(root, `snapshots/app/${id}.json.zst`))
      await run('prune', { retention: 'last=5', force: 'true' })
      expect(readdirSync(path.join(root, 'proofs/app')).filter((name) => !name.startsWith(ids[2]!))).toEqual([])
    }],
  ])('then it stays known when %s deletes the snapshot whose verification found it', async (_, remove) => {
    await remove()
    expect((await run('list')).result.snapshots).toMatchObject([{ id: ids[2], verified: false, damage: expect.stringContaining(keyOf(shared)) }])
    expect((await run('check')).result.problems).toEqual([expect.stringContaining(ids[2]!), expect.stringContaining('no snapshot is verified and whole')])
    // It was not verified itself.
    for (const command of ['list', 'show'] as const) expect((await run(command)).text).not.toMatch(/could not verify|said before/i)
  })

  test('the next backup stores it again, and all commands name that backup from then on', async () => {
    const { result } = await dispatched('backup', { ...given(), volumes: `large=${folder}/large\nsmall=${folder}/small`, 'client-install': 'never', verify: 'read' }, now(), { variables: process.env, temporary: path.join(folder, 'tmp') })
    expect((await run('check')).result).toMatchObject({ problems: [], sets: [{ verified: { snapshot: result.snapshot } }] })
    const listed = (await run('list')).result
    expect(listed.restorable).toBe(result.snapshot)
    expect(listed.snapshots.map(({ damage }) => damage === undefined)).toEqual([true, false, false, false])
    expect((await run('verify', { snapshot: ids[0]!, level: 'read' })).result.advice).toEqual([
      `The newest snapshot, ${result.snapshot}, is not affected; a new backup is not needed.`,
      `To restore now, use snapshot ${result.snapshot}, the newest with large that is whole and not known to be damaged.`,
    ])
    expect(await refusal(run('forget', { snapshots: result.snapshot, force: 'false' }))).toContain('no other verified snapshot of set app is whole')
  })

  test('once the object is put back from a copy, a verification of any level that needs it clears them all', async () => {
    cpSync(fileOf(shared, original), fileOf(shared))
    expect((await run('check')).result.problems).toHaveLength(4)
    expect((await run('verify', { snapshot: ids[2]! })).result).toMatchObject({ result: 'verified', good: [keyOf(shared)] })
    const { result } = await run('list')
    expect(result.snapshots.map(({ verified, damage }) => [verified, damage])).toEqual([[true, undefined], [false, 'it failed verification at level read'], [true, undefined]])
    expect((await run('check')).result.problems).toEqual([])
  })

  test('a verification of level list reads it again, and does not call good what is damaged', async () => {
    expect((await run('verify', { snapshot: ids[2]! })).result).toMatchObject({ result: 'failed', damaged: [keyOf(shared)], good: [] })
  })
})

const offered = (id: string): string => `Snapshot ${id} has all of small (its large is damaged): \`lifeboat restore --set app --snapshot ${id} --volume small\`.`
const restoringSmall = (raw: Record<string, string>) => run('restore', { volume: 'small', target: path.join(folder, `target-${count}`), ...raw })

describe('one volume is damaged in all snapshots, and the other in the newest alone', () => {
  beforeEach(async () => {
    flipBit(fileOf(shared))
    flipBit(fileOf(await ownChunk(ids[2]!)))
  })

  test('then verify, restore and list name the newest that has all of it, and a restore from there gives its file back', async () => {
    const refused = await refusal(restoringSmall({}))
    expect(refused).not.toContain('No other snapshot')
    expect((await run('verify', { snapshot: 'all', level: 'read' })).text).toContain(`No snapshot of set app with large, small is known to be whole. ${offered(ids[1]!)}`)
    expect((await run('verify', { snapshot: ids[2]!, level: 'read' })).text).toContain(`No other snapshot of set app with large, small is known to be whole. ${offered(ids[1]!)}`)
    const { result, text } = await run('list')
    expect(result.parts).toEqual([{ snapshot: ids[1], whole: [{ name: 'small', kind: 'directory' }], damaged: ['large'] }])
    expect(text).toMatch(new RegExp(`\nSnapshot ${ids[1]} has all of small \\(its large is damaged\\): \`lifeboat restore .*--set app --snapshot ${ids[1]} --volume small\`\\.\nTo restore what is whole of the newest`))
    expect(spelled(listSummary(result, { destination: 'file:x', timeZone: 'UTC' }), inWorkflow)).toContain(
      `\n\nSnapshot \`${ids[1]}\` has all of \`small\` (its \`large\` is damaged): the action restore with \`destination: file:x\`, \`set: app\`, \`snapshot: ${ids[1]}\`, \`volume: small\`.\n\n`,
    )
    const said = await refusal(restoringSmall({}))
    expect(said).toContain(offered(ids[1]!))
    expect(said.indexOf(offered(ids[1]!))).toBeLessThan(said.indexOf('--skip-damaged'))
    expect(said).not.toContain('No other snapshot')
    await restoringSmall({ snapshot: ids[1]! })
    expect(readFileSync(path.join(folder, `target-${count}/file`))).toEqual(noise('small 1', 5000))
  })

  test('then one that failed for no object is not named, nor one that lacks a chunk of it', async () => {
    await run('verify', { snapshot: 'all', level: 'read' })
    await writeProof(new FileStore(root), keys, { snapshot: ids[1]!, set: 'app', time: now(), level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged: [], problems: ['unlike its sum'], versions: {}, run: null })
    expect(await refusal(restoringSmall({}))).toContain(offered(ids[0]!))
    expect((await run('list')).result.parts).toMatchObject([{ snapshot: ids[0] }])
    const others = new Set((await entriesOf(new FileStore(root), ids[1]!)).map(keyOf))
    for (const entry of await entriesOf(new FileStore(root), ids[0]!)) if (!others.has(keyOf(entry))) rmSync(fileOf(entry))
    expect(await refusal(restoringSmall({}))).toMatch(/No other snapshot of set app is whole and has small/)
    expect((await run('list')).result.parts).toBeUndefined()
  })
})

const backUp = () => dispatched('backup', { ...given(), volumes: `large=${folder}/large\nsmall=${folder}/small`, 'check-reused': '0%', 'client-install': 'never' }, now(), { variables: process.env, temporary: path.join(folder, 'tmp') })

test.each<[string, () => Promise<unknown>]>([
  ['a restore', () => run('restore', { volume: 'large', target: path.join(folder, `target-${count}`) })],
  ['a restore of everything', () => run('restore', { all: 'true', map: `large=${folder}/target-${count}/large\nsmall=${folder}/target-${count}/small` })],
  ['a restore that only verifies', () => run('restore', { volume: 'large', 'verify-only': 'true' })],
  ['a restore that skips it', () => run('restore', { volume: 'large', target: path.join(folder, `target-${count}`), 'skip-damaged': 'true' })],
  ['extract', () => dispatched('extract', { ...given(), snapshot: 'latest', source: 'large', output: path.join(folder, `extracted-${count}`) }, now())],
])('damage that %s meets is known to list, check and the next backup, which stores the content again', async (_, meet) => {
  flipBit(fileOf(shared))
  await meet().catch((error: unknown) => expect(String(error)).toContain(`chunk ${keyOf(shared)} in file:${root} is damaged`))
  const expectKnown = async (): Promise<void> => {
    expect((await run('list')).result.snapshots.filter(({ id }) => ids.includes(id)).map(({ verified, damage }) => [verified, damage !== undefined])).toEqual([[false, true], [false, true], [false, true]])
  }
  await expectKnown()
  expect((await run('check')).result.problems[0]).toContain(`set app: snapshot ${ids[2]} is damaged`)
  const shown = await run('show', { snapshot: ids[2]! })
  expect(shown.result.proofs[0]).toMatchObject({ result: 'failed', damaged: [keyOf(shared)], problems: [expect.stringContaining(keyOf(shared))] })
  expect(shown.text).toMatch(/^ {2}read of \d{4}-.* UTC: failed:\n {4}.*chunk \S+ .*is damaged/m)
  // A command that meets it again records nothing, and says nothing of it.
  const extract = (to: string): Promise<unknown> => dispatched('extract', { ...given(), snapshot: 'latest', source: 'large', output: path.join(folder, `${to}-${count}`) }, now(), { report: { ...quiet, info: (text) => void told.push(text) } })
  const told: string[] = []
  await refusal(extract('once'))
  const proofs = readdirSync(path.join(root, 'proofs/app')).length
  told.length = 0
  await refusal(extract('twice'))
  expect(told.filter((text) => text.includes('is recorded'))).toEqual([])
  await refusal(run('restore', { volume: 'large', target: path.join(folder, `again-${count}`) }))
  expect(readdirSync(path.join(root, 'proofs/app'))).toHaveLength(proofs)
  const { result: { snapshot, newChunks, repaired }, text } = await backUp()
  expect(newChunks).toBeGreaterThan(0)
  expect(repaired).toMatchObject({ chunks: 1 })
  expect(text).toMatch(/ repaired +1 chunk \(\S+ \S+\) stored again, as the earlier copy is known to be damaged; snapshots before this one/)
  expect((await backUp()).result.repaired).toBeUndefined()
  await expectKnown()
  expect((await run('verify', { snapshot, level: 'read' })).result.result).toBe('verified')
  expect((await run('check')).result.problems).toEqual([])
})

test.each<[string, (from: string, to: string) => Promise<unknown>]>([
  ['diff', (from, to) => dispatched('diff', { ...given(), from, to }, now())],
  ['show of the files', (_, snapshot) => run('show', { snapshot, files: 'true' })],
])('so is damage that %s meets', async (_, meet) => {
  for (const entry of await entriesOf(new FileStore(root), ids[2]!)) if (entry[4] === ids[2]!.slice(-8)) flipBit(fileOf(entry))
  for (let times = 0; times < 2; times++) expect(await refusal(meet(ids[1]!, ids[2]!))).toMatch(/chunk \S+ in \S+ is damaged/)
  expect((await run('list')).result.snapshots.map(({ verified }) => verified)).toEqual([false, true, true])
  expect((await run('show', { snapshot: ids[2]! })).result.proofs.filter(({ result }) => result === 'failed')).toHaveLength(1)
})

test.each([['', false], [', and where a verification failed for an object that was put back since', true]])('so is a stream that has another sum than its snapshot says, though none of its objects is damaged%s', async (_, before) => {
  if (before) {
    flipBit(fileOf(shared))
    expect((await run('verify', { snapshot: ids[2]!, level: 'read' })).result.damaged).toEqual([keyOf(shared)])
    cpSync(fileOf(shared, original), fileOf(shared))
    expect((await run('verify', { snapshot: ids[1]!, level: 'read' })).result.good).toEqual([keyOf(shared)])
  }
  const store = new FileStore(root)
  const snapshot = await findSnapshot(store, keys, 'app', { kind: 'latest' })
  const content = await openManifest(snapshot)
  const sources = content.sources.map((source) => ({ ...source, streams: source.streams.map((stream) => ({ ...stream, sum: 'e'.repeat(64) })) }))
  writeFileSync(path.join(root, snapshot.key), await encodeSnapshot(snapshot.header, { ...content, sources }, keys))
  expect(await refusal(dispatched('extract', { ...given(), snapshot: ids[2]!, source: 'large', output: path.join(folder, `unlike-${count}`) }, now()))).toContain('does not have the sum')
  expect((await run('list')).result.snapshots.map(({ id, damage }) => [id, damage])).toEqual([[ids[2], 'it failed verification at level read'], [ids[1], undefined], [ids[0], undefined]])
  expect((await run('show', { snapshot: ids[2]! })).result.proofs[0]).toMatchObject({ result: 'failed', damaged: [], problems: [expect.stringContaining('does not have the sum')] })
})

test('damage that cannot be recorded, in a store that takes no proof, is the same error, with a warning that says what to do before the next backup', async () => {
  flipBit(fileOf(shared))
  rmSync(path.join(root, 'proofs'), { recursive: true, force: true })
  writeFileSync(path.join(root, 'proofs'), '')
  const warnings: string[] = []
  const report = { ...quiet, warning: (message: string, hint?: string) => void warnings.push(spelled(`${message} ${hint}`, atTerminal('lifeboat'))) }
  const said = await refusal(dispatched('extract', { ...given(), snapshot: 'latest', source: 'large', output: path.join(folder, 'not there') }, now(), { report }))
  expect(said).toMatch(new RegExp(`^error: chunk ${keyOf(shared)} in file:${root} is damaged[^]*level read.* records it: a backup after that stores damaged chunks again`))
  expect(warnings).toEqual([expect.stringMatching(new RegExp(`the damage of snapshot ${ids[2]} was not recorded in file:${root}: .*before you back up again, run \`lifeboat verify --set app --snapshot ${ids[2]} --level read\` where the store can be written to`))])
})

test('a proof that someone forged makes no snapshot damaged', async () => {
  flipBit(fileOf(shared))
  await run('verify', { snapshot: ids[1]!, level: 'read' })
  const store = new FileStore(root)
  for await (const { key } of store.list(`proofs/app/${ids[1]}.`)) {
    const text = readFileSync(path.join(root, key), 'latin1')
    if (text.includes('"failed"')) writeFileSync(path.join(root, key), text.replace('"level":"read"', '"level":"list"'), 'latin1')
  }
  expect((await run('check')).result.problems).toEqual([])
})

test.each([['deleted', (file: string) => rmSync(file)], ['truncated', (file: string) => truncateSync(file, 100)]])(
  'a chunk of the newest snapshot is %s behind our back: check is not ok, and the snapshot before is named everywhere',
  async (_, spoil) => {
    const chunk = await ownChunk(ids[2]!)
    spoil(fileOf(chunk))
    const { result } = await run('check')
    expect(result.problems).toEqual([expect.stringMatching(new RegExp(`^set app: snapshot ${ids[2]} is damaged: 1 of its 8 objects is missing or truncated: ${keyOf(chunk)} .*; the newest that is whole and verified is ${ids[1]}, \\d h old$`))])
    spoil(fileOf(shared))
    expect((await run('check')).result.problems[0]).toMatch(/2 of its 8 objects are missing or truncated: .*(is missing|has 100 bytes), and others/)
    cpSync(fileOf(shared, original), fileOf(shared))
    const listed = await run('list')
    expect(listed.result).toMatchObject({ restorable: ids[1], unsound: [{ snapshot: ids[2] }] })
    expect(listed.text).toMatch(new RegExp(`restore the newest that is whole into[^]*--snapshot ${ids[1]}`))
    expect(await refusal(run('restore', { volume: 'small', target: path.join(folder, `target-${count}`) }))).toContain(`Snapshot ${ids[1]} is the newest other one that is whole`)
    expect((await run('prune', { retention: 'last=1', force: 'true', 'dry-run': 'true' })).result.snapshots.map(({ reasons }) => reasons.includes('newest verified'))).toEqual([false, true, false])
    const environment = { variables: {}, signal: new AbortController().signal, report: quiet, temporary: path.join(folder, 'tmp'), now }
    expect(await newestBackup(parseInputs('backup', { ...given(), volumes: 'a=/b' }, {}), now(), environment)).toMatchObject({ snapshot: ids[1], unsound: [{ snapshot: ids[2] }] })
    expect((await run('verify')).result).toMatchObject({ result: 'failed', sources: [{ name: 'large', result: 'verified' }, { name: 'small', result: 'failed' }] })
  },
)

test.each([['empty', Buffer.alloc(0)], ['truncated', 'half'], ['something else', Buffer.from('<html>not found</html>')]] as const)(
  'the newest snapshot object is %s: check says so and is not ok, and list warns and recommends the one before',
  async (_, bytes) => {
    const file = path.join(root, `snapshots/app/${ids[2]}.json.zst`)
    const whole = readFileSync(file)
    writeFileSync(file, bytes === 'half' ? whole.subarray(0, whole.length / 2) : bytes)
    const { result } = await run('check')
    expect(result.problems).toEqual([expect.stringMatching(new RegExp(`^set app: snapshot ${ids[2]} is damaged: .* is not a whole snapshot: .*; the newest that is whole and verified is ${ids[1]}, \\d h old$`))])
    const listed = await run('list')
    expect(listed.warnings).toEqual([expect.stringContaining(ids[2]!)])
    expect(listed.result.restorable).toBe(ids[1])
    // The list may be in a file, without the warnings.
    expect(listed.text).toMatch(new RegExp(`Snapshot ${ids[2]} is DAMAGED: .*\nTo restore the newest that is whole into .*:\n.*--snapshot ${ids[1]}`))
    const all = (await run('verify', { snapshot: 'all' })).result
    expect(all.snapshots!.map(({ snapshot, result }) => [snapshot, result])).toEqual([[ids[2], 'failed'], [ids[1], 'verified'], [ids[0], 'verified']])
  },
)

test('a newest snapshot that is cut short fails a verification of the latest, which looks at the one before it as well', async () => {
  truncateSync(path.join(root, 'snapshots/app', `${ids[2]}.json.zst`), 200)
  const { result, text } = await run('verify')
  expect(result).toMatchObject({ result: 'failed', snapshot: ids[2], snapshots: [{ snapshot: ids[2], result: 'failed' }, { snapshot: ids[1], result: 'verified' }] })
  expect(text).toMatch(/^Of 2 snapshots: 1 FAILED, 1 verified\n/)
  expect(result.advice).toEqual([expect.stringMatching(/^Back up again: the next backup stores again what is damaged/), expect.stringContaining(`use snapshot ${ids[1]}`)])
  expect((await run('verify', { snapshot: ids[1]! })).result).toMatchObject({ result: 'verified' })
})

test('an obstacle to a verification is no damage, and a snapshot that cannot be read is', async () => {
  const statusFor = async (raw: Record<string, string>) => failureOf(await run('verify', raw).catch((error: unknown) => error)).status
  const { identity: other } = await newIdentity()
  expect(await statusFor({ set: 'none' })).toBe(3)
  expect(await statusFor({ destination: `file:${root}-none` })).toBe(3)
  expect(await statusFor({ destination: 's3://127.0.0.1:1/bucket?tls=false', timeout: '1s' })).not.toBe(1)
  expect(await statusFor({ 'encryption-key': other })).toBe(3)
  expect(await statusFor({ level: 'all' })).toBe(2)
  truncateSync(path.join(root, 'snapshots/app', `${ids[0]}.json.zst`), 200)
  expect(await statusFor({ snapshot: ids[0]! })).toBe(1)
  const error = await run('verify', { set: 'none' }).catch((thrown: unknown) => thrown)
  expect(failureOf(error)).toMatchObject({ causes: [], hint: expect.stringContaining('There are snapshots in app') })
})

test('verify can look at every snapshot of a set, and says of each what is hit', async () => {
  const kept = new Set((await entriesOf(new FileStore(root), ids[1]!)).map(keyOf))
  for (const entry of await entriesOf(new FileStore(root), ids[0]!)) if (!kept.has(keyOf(entry)) && entry[1] > 5000) rmSync(fileOf(entry))
  const { result, text } = await run('verify', { snapshot: 'all', level: 'read' })
  expect(result).toMatchObject({ result: 'failed', snapshot: ids[2], snapshots: [{ result: 'verified' }, { result: 'verified' }, { result: 'failed', snapshot: ids[0], sources: [{ result: 'verified' }, { name: 'small', result: 'failed' }] }] })
  expect(text).toMatch(/^Of 3 snapshots: 1 FAILED, 2 verified\n/)
  expect(text).toMatch(new RegExp(`FAILED +${ids[0]} .* small\n`))
  expect(result.advice[0]).toContain('is not affected; a new backup is not needed')
  expect((await run('list')).result.snapshots.map(({ proofs }) => proofs[0]!.level)).toEqual(['read', 'read', 'read'])
  expect(verifySummary(result, { action: 'a/b', reference: 'v1', destination: 'file:/b', timeZone: 'UTC', now: now() })).toContain('there are damaged backups')
})
