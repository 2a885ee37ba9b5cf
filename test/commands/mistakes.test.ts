import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../src/repository/keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { openKeys, writeKeyOf } from '../../src/repository/open-keys.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { dispatched, type ResultOf, refusal } from '../support/dispatched.ts'
import type { Command } from '../../src/commands/all.ts'

/** Mistakes of people who use the program for the first time, and the texts that they read then. */

let folder: string
let identity: string
let other: string
/** Oldest first, two days apart. */
const days = ['2026-11-16', '2026-11-18'].map((day) => new Date(`${day}T02:00:00Z`))
const now = new Date('2026-11-20T12:00:00Z')
const ids: string[] = []
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-mistakes-'))
  ;[identity, other] = [(await newIdentity()).identity, (await newIdentity()).identity]
  mkdirSync(path.join(folder, 'files'))
  writeFileSync(path.join(folder, 'files/a.txt'), 'a')
  for (const day of days) ids.push((await run('backup', { set: 'prod', volumes: `files=${path.join(folder, 'files')}` }, { now: day })).result.snapshot)
})
afterAll(() => rmSync(folder, { recursive: true }))

const store = (): string => `file:${path.join(folder, 'store')}`
const run = <C extends Command>(command: C, raw: Record<string, string> = {}, { now: at = now, key = identity } = {}) =>
  dispatched(command, { destination: store(), 'encryption-key': key, ...raw }, at, { variables: { PATH: process.env['PATH'] }, temporary: path.join(folder, 'tmp') })
const says = (command: Command, raw: Record<string, string>, how: { key?: string } = {}): Promise<string> => refusal(run(command, raw, how))
const idsOf = ({ result }: { result: ResultOf<'list'> }): string[] => result.snapshots.map(({ id }) => id)

test('the only set of the store is found for all its snapshots, as it is for the newest', async () => {
  expect((await run('verify', { snapshot: 'all' })).result.snapshots?.map(({ snapshot }) => snapshot)).toEqual(ids.toReversed())
  expect((await run('show', { snapshot: 'latest' })).result.id).toBe(ids[1])
})

test('a time in the future is refused; minutes are enough; a time without its offset is named as one', async () => {
  expect(await says('show', { snapshot: '2027-01-01' })).toMatch(/^error: 2027-01-01 23:59:59 UTC is in the future: it is 2026-11-20 12:00:00 UTC by the clock of this machine\nhint: Give an earlier time as --snapshot, or latest/)
  expect((await run('show', { snapshot: '2026-11-20' })).result.id).toBe(ids[1])
  expect((await run('show', { snapshot: '2026-11-17T02:00Z' })).result.id).toBe(ids[0])
  expect(idsOf(await run('list', { since: '2026-11-17T02:00+01:00' }))).toEqual([ids[1]])
  expect(await says('show', { snapshot: '2026-11-17 02:00' })).toContain('"2026-11-17 02:00" lacks its offset from UTC: 2026-11-17T02:00Z is that time in UTC')
  expect(await says('list', { since: '2026-11-17T02:00:00' })).toContain('lacks its offset from UTC')
})

test('a snapshot that is more than a day older than the time it was chosen by is told with its age', async () => {
  const told: string[] = []
  const report = { info: (text: string) => void told.push(text), warning: () => undefined, progress: () => undefined, mask: () => undefined }
  const given = { destination: store(), 'encryption-key': identity, snapshot: '2026-11-17' }
  await dispatched('show', given, now, { report })
  expect(told).toEqual([`the newest snapshot not after 2026-11-17T23:59Z is ${ids[0]}, made 45 h 59 min before it`])
  await dispatched('show', { ...given, snapshot: '2026-11-18' }, now, { report })
  expect(told).toHaveLength(1)
})

test('ages of minutes are taken wherever an age is', async () => {
  expect((await run('show', { snapshot: '10m' }, { now: new Date() })).result.id).toBe(ids[1])
  expect((await run('check', { 'max-age': '90m' }, { now: new Date(days[1]!.getTime() + 3_600_000) })).result.problems).toEqual([])
  expect((await run('check', { 'max-age': '30m' }, { now: new Date(days[1]!.getTime() + 3_600_000) })).result.problems).not.toEqual([])
})

test('the sets that a hint offers are those that people chose, without the ones of safety backups', async () => {
  await run('backup', { set: 'side', volumes: `files=${path.join(folder, 'files')}` })
  const at = new FileStore(path.join(folder, 'store'))
  // As a restore into the set would leave it.
  await at.put('snapshots/prod.safety/20261119T020000Z-00000000.json.zst', Buffer.from('x'))
  expect((await run('list', { set: 'nope' })).result.missing).toEqual({ set: 'nope', sets: ['prod', 'side'] })
  expect(await says('stats', { set: 'nope' })).toContain('has no set nope; it has prod, side\n')
  await at.delete('snapshots/prod.safety/20261119T020000Z-00000000.json.zst')
})

test('with the key of other backups, nothing is said of labels, and nothing counts as pinned', async () => {
  const at = new FileStore(path.join(folder, 'store'))
  await putLabels(at, await openKeys(identity, { store: at, create: false }), 'prod', ids[0]!, { pinned: true, tags: ['x'] })
  const { result, warnings } = await run('list', { set: 'prod' }, { key: other })
  expect(warnings).toEqual([expect.stringMatching(/^file:\S+ has 2 snapshots, but none of them was made with the key given \([0-9a-f]{16}\)\. They name the key [0-9a-f]{16}$/)])
  expect(result.snapshots.map(({ pinned }) => pinned)).toEqual([false, false])
  expect((await run('list', { set: 'prod' })).result.snapshots.map(({ pinned }) => pinned)).toEqual([false, true])
})

const missing = (variables: Record<string, string>): Promise<string> => refusal(dispatched('restore', { destination: store(), 'encryption-key': identity }, now, { variables }))

test('hints do not repeat the error, and talk of secrets of a workflow only in one', async () => {
  expect(await says('restore', { mode: 'replace', 'database-url': 'postgres://h/x' })).toBe('error: mode: "replace" is not one of empty, create, clean, overwrite, swap\nhint: For example: swap.')
  expect(await missing({})).toMatch(/^error: database-url, or target for a volume, is not given, and DATABASE_URL is not set\nhint: Expected a PostgreSQL URL; or for a volume its folder, as target; for example: \S+\.$/)
  expect(await missing({ GITHUB_ACTIONS: 'true' })).toContain('there is no secret of that name')
})

test('a destination that is a word, or a path of another shape, is told how a folder is written', async () => {
  for (const text of ['backups', '~/backups', 'backups/app', String.raw`C:\backups`]) expect(await says('list', { destination: text })).toContain('; a folder begins with / or ./\n')
})

test('a volume that is a file is told to be given by its folder', async () => {
  expect(await says('backup', { volumes: `a=${path.join(folder, 'files/a.txt')}` })).toMatch(/a\.txt cannot be backed up: it is not a folder\nhint: Give the folder that it is in, and the name of the file as --include\.$/)
})

test('commands around a backup that fail say so once, and the snapshot that exists all the same is named', async () => {
  const given = { set: 'hooks', volumes: `files=${path.join(folder, 'files')}` }
  expect(await says('backup', { ...given, 'pre-command': 'exit 3' })).toContain('error: pre-command ended with exit status 3, and printed no error\n')
  const { result, text } = await run('backup', { ...given, 'post-command': 'exit 3' })
  expect(text).toContain(`FAILED: snapshot ${result.snapshot} exists, but the steps after reading failed: post-command ended with exit status 3. Undo by hand what pre-command did.`)
})

const damaged = (): string => path.join(folder, 'damaged')

describe('a damaged store', () => {
  beforeAll(async () => {
    const { result } = await run('backup', { destination: `file:${damaged()}`, set: 'one', volumes: `files=${path.join(folder, 'files')}` })
    expect(result.verified).toBe('list')
    const chunks = path.join(damaged(), 'chunks')
    for (const prefix of readdirSync(chunks)) rmSync(path.join(chunks, prefix), { recursive: true })
  })

  test('with one snapshot, no older one is held out, but skip-damaged', async () => {
    const { result: { snapshots: [only] }, text } = await run('list', { destination: `file:${damaged()}` })
    expect(text).toMatch(/\nNone of them is known to be whole\. If .*\nTo restore what is whole of the newest into an empty folder, with LIFEBOAT_ENCRYPTION_KEY set:\n/)
    expect(text.split('\n').at(-1)).toBe(`  lifeboat restore --destination file:${damaged()} --set one --snapshot ${only!.id} --target ./files --skip-damaged`)
  })

  test('with a write key, which does not tell the sources, the set is named', async () => {
    const { text } = await run('list', { destination: `file:${damaged()}`, 'encryption-key': await writeKeyOf(identity, undefined) })
    expect(text).toContain('`lifeboat restore --set one --skip-damaged` brings back what is whole.')
  })

  test('check has the advice for damage, and none about runs that did not start', async () => {
    const { text } = await run('check', { destination: `file:${damaged()}`, 'max-age': '10y' })
    expect(text).toContain('Back up again: the next backup stores again what is damaged, so its snapshot is whole.')
    expect(text).toContain('unless the objects are put back from another store: `lifeboat copy --from OTHER_STORE --set one`, which also brings back snapshots that were deleted here. Then `lifeboat verify --set one --snapshot all --level read` tells.')
    expect(text).not.toContain('did not start')
  })

  test('without its marker it is told to be put back, as a backup tells it, and not that a backup will make the store', async () => {
    const copy = path.join(folder, 'unmarked')
    cpSync(damaged(), copy, { recursive: true })
    rmSync(path.join(copy, 'lifeboat.json'))
    expect(await says('list', { destination: `file:${copy}` })).toMatch(/holds snapshots\/one\/\S+ but no lifeboat\.json, which every Lifeboat store has\nhint: Put lifeboat\.json back/)
  })
})

// Data that is stored now is young for the prunes of a few days.
const inDays = (count: number): { now: Date } => ({ now: new Date(Date.now() + count * 86_400_000) })

test('after forget, the command that it prints deletes what nobody needs, and keeps every snapshot', async () => {
  const at = { destination: `file:${path.join(folder, 'forgotten')}` }
  const volumes = `files=${path.join(folder, 'files')}`
  const older = (await run('backup', { ...at, volumes }, { now: days[0]! })).result
  writeFileSync(path.join(folder, 'files/b.bin'), Buffer.alloc(100_000, 'b'))
  await run('backup', { ...at, volumes }, { now: days[1]! })
  const { text } = await run('forget', { ...at, snapshots: older.snapshot })
  expect(text).toMatch(/--retention none$/)
  expect((await run('stats', at)).result.total.snapshots).toBe(1)
  const first = await run('prune', { ...at, retention: 'none' }, inDays(3))
  expect(first.result).toMatchObject({ kept: 1, deleted: 0 })
  const later = await run('prune', { ...at, retention: 'none' }, inDays(6))
  expect(later.result.chunks!.deleted.objects).toBeGreaterThan(0)
})
