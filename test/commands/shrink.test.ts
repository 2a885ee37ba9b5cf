import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type CommandOutcome, outputValues, problemsOf, statusOf } from '../../src/commands/run-command.ts'
import type { BackupResult } from '../../src/commands/backup/result.ts'
import { backupSummary } from '../../src/commands/backup/summary.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { warnOfShrinking } from '../../src/commands/backup/warnings.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'

let folder: string
let server: Server
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-shrink-'))
  server = await startServer(15)
  await server.createDatabase('shop')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

let root: string
let count = 0
beforeEach(() => mkdirSync((root = path.join(folder, `${++count}`))))

const context = { action: 'a/b', reference: 'v1', destination: 'file:/b', timeZone: 'UTC', now: new Date('2026-11-20T05:00:00Z') }
const backup = (raw: Record<string, string>, now = new Date()) =>
  dispatched('backup', { destination: `file:${root}/store`, 'encryption-key': identity, set: 'app', ...raw }, now, { variables: process.env, temporary: path.join(folder, 'tmp') })
const ago = (hours: number): Date => new Date(Date.now() - hours * 3_600_000)
const outcomeOf = (result: BackupResult): CommandOutcome<'backup'> => ({ command: 'backup', result, shown: { destination: '', timeZone: 'UTC' } })

function fill(files: number): void {
  rmSync(`${root}/volume`, { recursive: true, force: true })
  mkdirSync(`${root}/volume`, { recursive: true })
  for (let file = 0; file < files; file++) writeFileSync(`${root}/volume/${file}`, `content of ${file}`)
}

const volumes = () => ({ volumes: `uploads=${root}/volume`, 'client-install': 'never' })

test('a volume of 200 files that became empty is a warning, in the log, the result and the summary', async () => {
  fill(200)
  expect((await backup(volumes())).result.shrunk).toEqual([])
  fill(0)
  const { result, text, warnings } = await backup(volumes())
  expect(result.shrunk).toEqual([{ source: 'uploads', kind: 'directory', measure: 'files', before: 200, now: 0 }])
  expect(warnings).toEqual(['compared with the previous backup: the volume uploads has 0 files, and had 200 files in the backup before'])
  expect(text).toContain('the volume uploads has 0 files, and had 200 files in the backup before')
  expect(statusOf(outcomeOf(result))).toBe(0)
  expect(backupSummary(result, context)).toMatch(/^### ⚠️ Lifeboat: 1 volume backed up and verified, but something shrank\n[^]*- the volume uploads has 0 files, and had 200 files in the backup before/)
  expect((await backup(volumes())).result.shrunk).toEqual([])
})

test('of a large file of short lines, a line more adds little: what stays is found anywhere in its chunks', async () => {
  fill(0)
  const lines = Array.from({ length: 600_000 }, (_, line) => `${line}\tabc\n`)
  const write = () => writeFileSync(`${root}/volume/log`, lines.join(''))
  write()
  const first = await backup(volumes())
  lines.splice(300_000, 0, 'one more\n')
  write()
  const { result } = await backup(volumes())
  expect(result.deltaChunks).toBeGreaterThan(0)
  expect(result.added * 50).toBeLessThan(first.result.added)
})

test('files that patterns leave out of a volume are told in the result, the summary and by show; the backup is not partial', async () => {
  fill(4)
  writeFileSync(`${root}/volume/.lifeboatignore`, '0\n1\n')
  const { result, text, warnings } = await backup({ ...volumes(), exclude: '2' })
  const [own, input] = ['2 files (24 B) by .lifeboatignore (2 patterns)', '1 file (12 B) by exclude']
  expect(result.sources).toMatchObject([{ leftOut: [input, own], amount: { count: 2 } }])
  expect(result.sources[0]).not.toHaveProperty('partial')
  expect(text).toContain(`\n  uploads: left out: ${input}\n  uploads: left out: ${own}\n`)
  expect(warnings).toEqual([])
  expect(backupSummary(result, context)).toMatch(/^### ✅ [^]*\nuploads.*left out.*1 file .*exclude\n\nuploads.*left out.*2 files/)
  const shown = await dispatched('show', { destination: `file:${root}/store`, 'encryption-key': identity, set: 'app' }, new Date(), { variables: process.env })
  expect(shown.text).toMatch(/uploads: left out: 2 files \(24 B\) by \.lifeboatignore[^]*patterns of exclude: 2\n {2}patterns of \.lifeboatignore: 0, 1\n/)
})

test('with on-shrink fail the step fails, says that the backup exists, keeps it, and prunes nothing', async () => {
  fill(200)
  for (let before = 0; before < 3; before++) await backup(volumes())
  fill(50)
  const { result, text } = await backup({ ...volumes(), 'on-shrink': 'fail', retention: 'last=2', 'prune-min-size': '0%' })
  expect(statusOf(outcomeOf(result))).toBe(1)
  expect(problemsOf(outcomeOf(result))[0]).toMatch(new RegExp(`^the backup exists \\(snapshot ${result.snapshot}\\), but has lost more than half`))
  expect(outputValues(outcomeOf(result))).toMatchObject({ outcome: 'failed', 'snapshot-id': result.snapshot, verified: 'list', shrunk: '1' })
  expect(text).toContain('so this step FAILED; the backup exists all the same')
  expect(backupSummary(result, context)).toMatch(/^### ❌ Lifeboat: .* backed up and verified, but something shrank\n[^]*the step fails, but the snapshot is kept/)
  expect(result.destinations[0]!.prune).toEqual({ skipped: 'something lost more than half of what it had, or is gone' })
  expect(readdirSync(`${root}/store/snapshots/app`)).toHaveLength(4)
  expect((await dispatched('list', { destination: `file:${root}/store`, 'encryption-key': identity })).result.restorable).toBe(result.snapshot)
})

test.each([
  ['lost more than half', { from: 200, to: 50 }],
  ['is gone from the set', { from: 200, to: 'gone' }],
] as const)('a backup in which a volume %s prunes nothing, and says so; the next one prunes by the policy again', async (_, { from, to }) => {
  fill(from)
  mkdirSync(`${root}/other`)
  writeFileSync(`${root}/other/file`, 'of another volume')
  const both = { ...volumes(), volumes: `uploads=${root}/volume\nother=${root}/other`, retention: 'last=2', 'prune-min-size': '0%' }
  for (const hoursAgo of [4, 3]) await backup(both, ago(hoursAgo))
  if (to !== 'gone') fill(to)
  const less = to === 'gone' ? { ...both, volumes: `other=${root}/other` } : both
  const { result, text, warnings } = await backup(less, ago(2))
  expect(result.destinations[0]!.prune).toEqual({ skipped: 'something lost more than half of what it had, or is gone' })
  expect(text).toContain('Nothing was pruned: something lost more than half of what it had, or is gone')
  expect(warnings).toEqual([expect.stringMatching(/^compared with the previous backup: the volume uploads /), 'nothing was pruned: something lost more than half of what it had, or is gone'])
  expect(readdirSync(`${root}/store/snapshots/app`)).toHaveLength(3)
  expect((await backup(less, ago(1))).result.destinations[0]!.prune).toMatchObject({ deleted: 2 })
})

test('a volume that is no longer backed up counts, and with a write key the size of the whole', async () => {
  fill(20)
  mkdirSync(`${root}/large`)
  writeFileSync(`${root}/large/file`, Buffer.alloc(3_000_000, 'large'))
  await backup({ ...volumes(), volumes: `uploads=${root}/volume\nlarge=${root}/large` })
  const { result } = await backup({ ...volumes(), 'encryption-key': await writeKeyOf(identity, undefined), verify: 'none' })
  expect(result.shrunk).toEqual([{ source: 'app', kind: 'set', measure: 'bytes', before: expect.any(Number), now: result.size }])
  await backup({ ...volumes(), volumes: `uploads=${root}/volume\nlarge=${root}/large` })
  expect((await backup(volumes())).warnings).toEqual([expect.stringMatching(/^compared with the previous backup: the volume large is missing, because this run was not given it; it had 3.\d\d MB in the backup before$/)])
})

test('tables that were truncated or dropped are named, of few rows too; a partition that was dropped and a table that was renamed are not', async () => {
  await server.sql(`
    CREATE TABLE orders AS SELECT g AS id, repeat(md5(g::text), 8) AS note FROM generate_series(1, 8000) g;
    CREATE TABLE customers AS SELECT g AS id FROM generate_series(1, 3000) g;
    CREATE TABLE few AS SELECT g AS id FROM generate_series(1, 20) g;
    CREATE TABLE photos AS SELECT repeat(md5(g::text), 3000) AS photo FROM generate_series(1, 40) g;
    CREATE TABLE renamed AS SELECT g AS id, 'renamed' AS note FROM generate_series(1, 30) g;
    CREATE TABLE events (day int, what text) PARTITION BY LIST (day);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1); CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2);
    INSERT INTO events SELECT 1, 'x' FROM generate_series(1, 2000)`, 'shop')
  const database = { 'database-url': server.url('shop') }
  await backup(database)
  await server.sql('TRUNCATE orders, photos; DROP TABLE customers, few, events_1; ALTER TABLE renamed RENAME TO other', 'shop')
  const { result, warnings } = await backup(database)
  expect(warnings.join()).toContain('the table public.orders of shop has 0 rows, and had 8,000 rows in the backup before')
  expect(warnings.join()).toContain('the table public.photos of shop has 0 B, and had 3.84 MB in the backup before')
  expect(warnings.join()).toContain('the table public.few of shop is missing; it had 20 rows in the backup before')
  const tables = result.shrunk.filter(({ table }) => table !== undefined)
  expect(tables.map(({ source, table, now }) => [source, table, now])).toEqual([['shop', 'public.customers', null], ['shop', 'public.few', null], ['shop', 'public.orders', 0], ['shop', 'public.photos', 0]])
  expect(result.shrunk.filter(({ table }) => table === undefined)).toMatchObject([{ source: 'shop', kind: 'postgres', measure: 'bytes' }])
})

test('several losses have one hint, below all of them, that names the backup to keep', () => {
  const told: (string | undefined)[] = []
  const report = { info: () => undefined, warning: (_: string, hint?: string) => void told.push(hint), progress: () => undefined, mask: () => undefined }
  const lost = ['orders', 'items'].map((table) => ({ source: 'shop', kind: 'postgres', table, measure: 'rows' as const, before: 50_000, now: 0, exact: true as const }))
  warnOfShrinking(lost, '20261122T120000Z-0000000b', { id: '20261121T120000Z-0000000a', damaged: false, set: 'app', places: [{ text: 'file:/one' }, { text: 'artifact', immutable: true }, { text: 's3://b' }] }, { report })
  expect(told).toEqual([undefined, expect.any(String)])
  const hint = spelled(told[1]!, atTerminal('lifeboat'))
  for (const place of ['file:/one', 's3://b']) expect(hint).toContain(`\`lifeboat pin 20261121T120000Z-0000000a --destination ${place} --set app\``)
  expect(hint).not.toContain('--destination artifact')
  expect(hint).toContain('`lifeboat diff 20261121T120000Z-0000000a 20261122T120000Z-0000000b --destination file:/one --set app`')
  expect(told[1]).not.toContain('DAMAGED')
})

const inBoth = () => ({ ...volumes(), destination: `file:${root}/one\nfile:${root}/other`, retention: 'last=1', 'prune-min-size': '0%' })
const snapshotsIn = (place: string): string[] => readdirSync(`${root}/${place}/snapshots/app`)

describe('with two destinations, of which one is new, lost its backups, or has only older ones', () => {
  test.each([['one', 'other'], ['other', 'one']])('%s is new: the backup is compared with the newest of the other, nothing is pruned, and the step fails', async (lost, kept) => {
    fill(200)
    const { result: { snapshot: full } } = await backup(inBoth(), ago(3))
    rmSync(`${root}/${lost}`, { recursive: true })
    fill(0)
    const { result, text, warnings } = await backup({ ...inBoth(), 'on-shrink': 'fail' }, ago(2))
    expect(result.shrunk).toEqual([{ source: 'uploads', kind: 'directory', measure: 'files', before: 200, now: 0 }])
    expect(statusOf(outcomeOf(result))).toBe(1)
    expect(result.destinations).toMatchObject([{ prune: { skipped: expect.any(String) } }, { prune: { skipped: expect.any(String) } }])
    expect(snapshotsIn(kept)).toEqual([`${full}.json.zst`, `${result.snapshot}.json.zst`])
    expect(text).toContain(`set app, the first of its set in file:${root}/${lost}\n`)
    expect(warnings[0]).toBe(`file:${root}/${lost} has no earlier backup of set app, and file:${root}/${kept} has: this one stores everything again in each`)
    expect(warnings).toContainEqual(expect.stringContaining('the volume uploads has 0 files, and had 200 files in the backup before'))
    expect(result.recent.map(({ snapshot }) => snapshot)).toEqual([result.snapshot, full])
  })

  test('one has only an older snapshot: the newest of the other is compared with', async () => {
    fill(4)
    await backup(inBoth(), ago(4))
    fill(200)
    await backup({ ...inBoth(), destination: `file:${root}/other`, retention: '' }, ago(3))
    fill(50)
    const { result, text } = await backup(inBoth(), ago(2))
    expect(result.shrunk).toMatchObject([{ before: 200, now: 50 }])
    expect(snapshotsIn('other')).toHaveLength(3)
    expect(text).not.toContain('the first of its set')
  })

  test('a destination whose earlier snapshots cannot be read prunes nothing, as nothing was compared', async () => {
    fill(200)
    const { result: { snapshot: full } } = await backup({ ...inBoth(), destination: `file:${root}/one` }, ago(3))
    const object = `${root}/one/snapshots/app/${full}.json.zst`
    const bytes = readFileSync(object)
    writeFileSync(object, 'damaged')
    fill(0)
    const { result, warnings } = await backup(inBoth(), ago(2))
    expect(result.destinations).toMatchObject([{ prune: { skipped: expect.stringContaining('no earlier backup could be read') } }, { first: true, prune: { deleted: 0 } }])
    expect(warnings).toContainEqual(expect.stringMatching(/^nothing was pruned in file:.*one: no earlier backup could be read/))
    writeFileSync(object, bytes)
    expect(snapshotsIn('one')).toHaveLength(2)
  })
})
