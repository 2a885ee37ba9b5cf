import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jest } from '@jest/globals'
import { parseInputs } from '../../src/commands/all.ts'
import { reporting, type RunOutcome } from '../../src/commands/reporting.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity, keys } from '../support/engine.ts'

const now = new Date('2026-11-20T12:00:00Z')
const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-report-'))
const place = path.join(folder, 'store')
const file = path.join(folder, 'report.html')
let ids: string[]

/** The facts of a database with one table of so many rows. */
const facts = (rows: number) => ({
  kind: 'postgres',
  facts: { tables: [{ schema: 'public', name: 'invoices', rows, bytes: rows * 100, partitioned: false, rowSecurity: false, archived: { rows, bytes: rows * 90 } }] },
})

beforeAll(async () => {
  ids = []
  for (const [index, day] of ['2026-10-20', '2026-11-17', '2026-11-18', '2026-11-20'].entries()) {
    const time = new Date(`${day}T02:00:00Z`)
    const sources = { ledger: [{ name: 'ledger.dump', bytes: noise(`report ${index}`, 20_000 + index * 1000) }] }
    ids.push((await backUp({ folder: place, encryptionKey: identity, set: 'bookkeeping', time, sources, kind: facts(1000 + index * 500) })).id)
    const proof = { set: 'bookkeeping', snapshot: ids.at(-1)!, seconds: 1, bytes: 100, damaged: [], problems: [], versions: {}, run: null, result: 'verified' as const }
    const drill = { entries: 9, rows: 1000, bytes: 20_000, seconds: { download: 3 + index, restore: 60, compare: 1, checks: 1 }, machine: 'linux x64' }
    await writeProof(new FileStore(place), keys, { ...proof, time: new Date(time.getTime() + 3_600_000), level: 'drill', drill })
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

const raw = { destination: `file:${place}`, 'encryption-key': identity }
const page = (): string => readFileSync(file, 'utf8')

/** How often the store was asked, in each way. */
async function asked(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const spies = (['list', 'get', 'head'] as const).map((name) => [name, jest.spyOn(FileStore.prototype, name)] as const)
  await work()
  const counts = Object.fromEntries(spies.map(([name, spy]) => [name, spy.mock.calls.length]))
  jest.restoreAllMocks()
  return counts
}

test('list writes a page for its owner alone: sizes, recovery times of earlier drills too, tables that grew, retention, recipes', async () => {
  const { result, warnings } = await dispatched('list', { ...raw, report: file, retention: 'last=2' }, now)
  expect(warnings).toEqual([])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(result.changes).toEqual([{
    set: 'bookkeeping', from: '2026-10-20T02:00:00.000Z', to: '2026-11-20T02:00:00.000Z', compared: 1,
    items: [{ source: 'ledger', table: 'public.invoices', before: 90_000, now: 225_000, rows: { before: 1000, now: 2500 } }],
  }])
  expect(result.snapshots.map(({ drill }) => drill?.seconds.download)).toEqual([6, 5, 4, 3])
  for (const text of ['All is well', 'public.invoices', '+135 kB', '2,500', '66 s', '2 of 4 backups', `--snapshot ${ids[3]}`, `lifeboat restore`, 'last=2']) {
    expect(page().replaceAll('1 min 6 s', '66 s')).toContain(text)
  }
  expect(page()).not.toContain(identity)
})

/** The server knows nothing of the rows, as after TRUNCATE. */
const counted = (name: string, rows: number) => ({ schema: 'public', name, rows: null, bytes: rows === 0 ? 0 : 9_999_999, partitioned: false, rowSecurity: false, archived: { rows, bytes: rows * 80 } })

test('tables are compared by what the backups have of them; rows that only backups have which the policy lets go need attention, with the way to keep them', async () => {
  const [set, other] = ['emptied', path.join(folder, 'emptied')]
  const given = { ...raw, destination: `file:${other}` }
  const nights = [{ orders: 20_000, items: 5000, log: 3000 }, { orders: 21_000, items: 6000, log: 3000 }, { orders: 0, items: 6500, log: 100 }, { orders: 0, items: 3000, log: 100 }]
  const made: string[] = []
  for (const [index, tables] of nights.entries()) {
    const sources = { app: [{ name: 'app.dump', bytes: noise(`emptied ${index}`, 20_000) }] }
    const content = { kind: 'postgres', facts: { tables: Object.entries(tables).map(([name, rows]) => counted(name, rows)) } }
    made.push((await backUp({ folder: other, encryptionKey: identity, set, time: new Date(`2026-11-1${index}T02:00:00Z`), sources, kind: content })).id)
  }
  const report = async (retention: string) => (await dispatched('list', { ...given, report: file, retention }, now)).result
  const { changes, leaving } = await report('last=2')
  // A table without rows is there, and its size is that of the archive.
  expect(changes![0]!.items).toEqual([
    { source: 'app', table: 'public.orders', before: 1_600_000, now: 0, rows: { before: 20_000, now: 0 } },
    { source: 'app', table: 'public.log', before: 240_000, now: 8000, rows: { before: 3000, now: 100 } },
    { source: 'app', table: 'public.items', before: 400_000, now: 240_000, rows: { before: 5000, now: 3000 } },
  ])
  const lost = { set, source: 'app', snapshot: made[1], time: '2026-11-11T02:00:00.000Z' }
  expect(leaving).toEqual([{ ...lost, table: 'public.orders', rows: { before: 21_000, now: 0 } }, { ...lost, table: 'public.log', rows: { before: 3000, now: 100 } }])
  expect(page()).toContain(`The table public.orders of app has 0 rows, and had 21,000 in the backup of 2026-11-11 02:00; 1 other table lost rows after it as well. That backup goes with the next prune, and none that stays has these rows. To keep it: lifeboat pin ${made[1]} --destination `)
  expect(page()).not.toContain('>gone<')
  // The rows are in a backup that stays: the policy keeps it, or somebody pinned it.
  expect((await report('last=3')).leaving).toEqual([])
  await dispatched('pin', { ...given, snapshot: made[1]! }, now)
  expect((await report('last=2')).leaving).toEqual([])
  rmSync(other, { recursive: true })
})

test('a list with a report asks the store nothing more, but for the figures of earlier drills; its result is the same without', async () => {
  const without = await asked(() => dispatched('list', raw, now))
  const withReport = await asked(() => dispatched('list', { ...raw, report: file }, now))
  expect(withReport).toEqual({ ...without, get: without['get']! + 3 })
  const { result } = await dispatched('list', raw, now)
  expect(result).not.toHaveProperty('changes')
})

test('check and verify write it as well, with what they found, and ask for little more', async () => {
  const check = { ...raw, set: 'bookkeeping', 'max-age': '2h' }
  const without = await asked(() => dispatched('check', check, now))
  const withReport = await asked(() => dispatched('check', { ...check, report: file }, now))
  for (const way of ['list', 'get', 'head']) expect(withReport[way]! - without[way]!).toBeLessThanOrEqual(20)
  expect(page()).toContain('The last check did not end well')
  expect(page()).toMatch(/the newest verified snapshot, \S+, is 10 h old, more than 2 h/)
  await dispatched('verify', { ...raw, set: 'bookkeeping', report: file }, now)
  expect(page()).toContain('<h1 id="verdict">')
})

test('a backup tells which of its stores have it, and reads no more than the newest', async () => {
  const files = path.join(folder, 'files')
  mkdirSync(files)
  writeFileSync(path.join(files, 'letter.txt'), noise('letter', 3000))
  const given = { 'encryption-key': identity, volumes: `letters=${files}`, set: 'letters', report: file }
  await dispatched('backup', { ...given, destination: `file:${path.join(folder, 'one')}\nfile:${path.join(folder, 'two')}`, create: 'true' }, now)
  for (const store of ['one', 'two']) expect(page()).toMatch(new RegExp(`${path.join(folder, store)}[^]*has it, verified: list`))
  expect(page()).toContain('All is well')
  for (const name of ['files', 'one', 'two']) rmSync(path.join(folder, name), { recursive: true })
})

test('a check of several stores tells what it found in each, and which of them the rest of the page is about', async () => {
  const [one, two] = [path.join(folder, 'first'), path.join(folder, 'second')]
  await backUp({ folder: one, encryptionKey: identity, set: 'letters', time: now, sources: { app: [{ name: 'app', bytes: noise('letters', 3000) }] } })
  await backUp({ folder: two, encryptionKey: identity, set: 'photos', time: now, sources: { app: [{ name: 'app', bytes: noise('photos', 3000) }] } })
  const destination = [path.join(folder, 'none'), one, two].map((store) => `file:${store}`).join('\n')
  await dispatched('check', { 'encryption-key': identity, destination, report: file }, now)
  const copies = page().slice(page().indexOf('id="copies"')).replaceAll(/<[^>]*>/g, ' ')
  expect(copies).toMatch(new RegExp(`${one}.*found 2 problems[^]*${folder}/none.*could not look at it[^]*${two}.*found 2 problems[^]*are those of *file:${one} *alone`))
  for (const store of [one, two]) rmSync(store, { recursive: true })
})

test('with redact no name, address or id is left, and everyone may read it', async () => {
  const before = process.umask(0o022)
  try {
    await dispatched('list', { ...raw, report: file, redact: 'true', retention: 'last=2', timezone: 'Asia/Kolkata' }, now)
  } finally {
    process.umask(before)
  }
  expect(statSync(file).mode & 0o777).toBe(0o644)
  for (const word of ['bookkeeping', 'ledger', 'invoices', place, folder, ...ids, 'file:', 'Asia']) expect([word, page().includes(word)]).toEqual([word, false])
  for (const word of ['set 1', 'database 1', 'table 1', 'store 1']) expect(page()).toContain(word)
})

test('a secret that the run knows is in no text of the page', async () => {
  const report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined, redacted: (text: string) => text.replaceAll('ledger', '***') }
  await dispatched('list', { ...raw, report: file }, now, { report })
  expect(page()).toContain('***')
  expect(page()).not.toContain('ledger')
})

test('an earlier report is replaced as a whole, and nothing else is left beside it', async () => {
  writeFileSync(file, page().slice(0, 2000))
  await dispatched('list', { ...raw, report: file }, now)
  expect(page()).toMatch(/<\/html>\n$/)
  expect(readdirSync(folder).toSorted()).toEqual(['report.html', 'store'])
})

test('a file that is no report is not overwritten, and the folder has to be there: before anything is done', async () => {
  const other = path.join(folder, 'other.html')
  writeFileSync(other, '<!doctype html><p>my page')
  mkdirSync(path.join(folder, 'is-a-folder.html'))
  expect(await refusal(dispatched('list', { ...raw, report: other }, now))).toContain('it exists, and is not a report')
  expect(readFileSync(other, 'utf8')).toBe('<!doctype html><p>my page')
  expect(await refusal(dispatched('list', { ...raw, report: path.join(folder, 'is-a-folder.html') }, now))).toContain('it exists')
  expect(await refusal(dispatched('list', { ...raw, report: path.join(folder, 'nowhere/report.html') }, now))).toContain('cannot be opened')
  rmSync(other)
  rmSync(path.join(folder, 'is-a-folder.html'), { recursive: true })
})

test('a backup is made even if its report cannot be written, and says so before and after; a file that is not a report stays as it is', async () => {
  const files = path.join(folder, 'files')
  mkdirSync(files)
  writeFileSync(path.join(files, 'letter.txt'), 'letter')
  const mine = path.join(files, 'mine.html')
  writeFileSync(mine, 'my page')
  const given = { 'encryption-key': identity, volumes: `letters=${files}`, set: 'letters', destination: `file:${path.join(folder, 'new')}`, create: 'true' }
  for (const [where, problem] of [[path.join(folder, 'nowhere/report.html'), 'cannot be opened'], [mine, 'it exists, and is not a report']] as const) {
    const { result, warnings } = await dispatched('backup', { ...given, report: where }, now)
    expect(result.snapshot).toBeDefined()
    const ofReport = warnings.filter((warning) => warning.includes(problem))
    expect(ofReport).toEqual([expect.stringMatching(/^no report can be written so far: /), expect.stringMatching(/^no report was written: /)])
  }
  expect(readFileSync(mine, 'utf8')).toBe('my page')
  for (const name of ['files', 'new']) rmSync(path.join(folder, name), { recursive: true })
})

test('a named pipe is refused, and not waited for', async () => {
  const pipe = path.join(folder, 'pipe.html')
  execFileSync('mkfifo', [pipe])
  expect(await refusal(dispatched('list', { ...raw, report: pipe }, now))).toContain('it exists, and is not a report')
  expect(await refusal(dispatched('list', { ...raw, report: path.join(pipe, 'report.html') }, now))).toContain('cannot be opened')
  rmSync(pipe)
})

test('a command that fails says so on the page, and fails as it would without', async () => {
  const failing = { ...raw, set: 'bookkeeping', snapshot: '20260101T000000Z-00000000', report: file }
  expect(await refusal(dispatched('verify', failing, now))).toContain('20260101T000000Z-00000000')
  expect(page()).toContain('The last verify could not be finished')
  expect(page()).toContain('20260101T000000Z-00000000')
})

test('of a store out of reach there is no new page, and the error is that of the command', async () => {
  rmSync(file)
  const { warnings } = { warnings: [] as string[] }
  const report = { info: () => undefined, warning: (text: string) => void warnings.push(text), progress: () => undefined, mask: () => undefined }
  expect(await refusal(dispatched('check', { ...raw, destination: `file:${folder}/nothing`, report: file }, now, { report }))).not.toContain('no report was written')
  expect(warnings.join('\n')).toContain('no report was written')
  expect(() => page()).toThrow()
})

test('a run that did its work stays as it ended if it is interrupted while its report is made', async () => {
  const controller = new AbortController()
  const warnings: string[] = []
  const report = { info: () => undefined, warning: (text: string) => void warnings.push(text), progress: () => undefined, mask: () => undefined }
  const variables = {}
  const environment = { variables, signal: controller.signal, report, temporary: folder, now: () => now }
  const inputs = parseInputs('check', { ...raw, destination: `file:${folder}/nothing`, report: file }, variables)
  const ended = (): RunOutcome => {
    controller.abort(new Error('interrupted'))
    return { status: 'success', message: 'done', problems: [], advice: [], copies: [] }
  }
  const result = reporting('check', inputs, environment, () => Promise.resolve({ did: 'its work' }), { ended })
  expect(await result).toEqual({ did: 'its work' })
  expect(warnings.join('\n')).toContain('no report was written')
})
