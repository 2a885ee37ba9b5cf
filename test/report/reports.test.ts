import { problemsOf } from '../../src/commands/run-command.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { atMostTen } from '../../src/report/annotations.ts'
import { progressLine } from '../../src/report/progress.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { restore, verify } from '../support/example-summaries.ts'
import { terminalReport } from '../../src/report/terminal.ts'
import { together } from '../../src/report/together.ts'
import { type WorkflowLog, workflowReport } from '../../src/report/workflow.ts'

function fakeTerminal(isTTY: boolean, columns = 40, more: { coloured?: boolean; debug?: boolean } = {}) {
  let now = 0
  let written = ''
  const redaction = new Redaction()
  const report = terminalReport({ write: (text) => (written += text), isTTY, columns }, redaction, { now: () => now, ...more })
  return { report, at: (time: number) => (now = time), taken: () => [written, (written = '')][0] }
}

test('on a terminal one line updates, and other lines take its place', () => {
  const { report, at, taken } = fakeTerminal(true)
  report.progress({ activity: 'backing up app', done: 0 })
  expect(taken()).toBe('')
  at(150)
  report.progress({ activity: 'backing up app', done: 1_500_000, stored: 400_000 })
  expect(taken()).toBe('\r\u001B[2Kbacking up app: 1.50 MB, 400 kB stored,')
  at(200)
  report.progress({ activity: 'backing up app', done: 1_600_000 })
  expect(taken()).toBe('')
  report.info('done')
  expect(taken()).toBe('\r\u001B[2Kdone\n')
})

test('a terminal that does not know its width gets 79 columns', () => {
  const { report, at, taken } = fakeTerminal(true, 0)
  report.progress({ activity: 'a'.repeat(100), done: 0 })
  at(100)
  report.progress({ activity: 'a'.repeat(100), done: 0 })
  expect(taken()).toBe(`\r\u001B[2K${'a'.repeat(79)}`)
})

test('where standard error is no terminal there is a line every 5 s, and none for what is quick', () => {
  const { report, at, taken } = fakeTerminal(false)
  for (let time = 0; time <= 12_500; time += 500) {
    at(time)
    report.progress({ activity: 'restoring app', done: time * 1000, total: 100_000_000 })
  }
  expect(taken()).toBe(
    'restoring app: 5.00 MB of 100 MB, 5 %, 1.00 MB/s, 5.0 s, 1 min 35 s left\nrestoring app: 10.0 MB of 100 MB, 10 %, 1.00 MB/s, 10 s, 1 min 30 s left\n',
  )
})

test('where only the last backup tells the size, that is said; more than expected has no percentage', () => {
  const lines = [
    { done: 1e9, usual: 2e9 }, { done: 3e9, usual: 2e9 }, { done: 0, usual: 2e9 }, { done: 0, total: 0 }, { done: 1e6, total: 1e6 },
  ].map((amounts) => progressLine({ activity: 'a', ...amounts }, 10))
  expect(lines).toEqual([
    'a: 1.00 GB of about 2.00 GB, 50 %, 100 MB/s, 10 s, 10 s left', 'a: 3.00 GB, 300 MB/s, 10 s', 'a: 0 B of about 2.00 GB, 0 %, 0 B/s, 10 s', 'a: 0 B of 0 B, 0 B/s, 10 s', 'a: 1.00 MB of 1.00 MB, 100 %, 100 kB/s, 10 s',
  ])
})

test('a secret learnt on the way is never printed from then on', () => {
  const { report, taken } = fakeTerminal(false)
  report.mask('hunter22')
  report.warning('wrong password hunter22', 'not hunter22')
  expect(taken()).toBe('warning: wrong password ***\nhint: not ***\n')
  expect(report.redacted?.('in an issue: hunter22')).toBe('in an issue: ***')
})

test('errors, warnings and hints have colours where they are wanted, and texts from outside have none', () => {
  const { report, taken } = fakeTerminal(true, 80, { coloured: true })
  report.warning('DAMAGED \u001B[31mred', 'look')
  expect(taken()).toBe('\u001B[33mwarning:\u001B[39m \u001B[31mDAMAGED\u001B[39m \uFFFD[31mred\n\u001B[36mhint:\u001B[39m look\n')
  report.failure(new Error('gone'))
  expect(taken()?.startsWith('\u001B[31merror:\u001B[39m gone\n\u001B[36mhint:')).toBe(true)
})

test('with less, warnings and errors are told alone; with more, the time of each and where an error comes from', () => {
  const { report, at, taken } = fakeTerminal(false)
  report.tell('less')
  report.info('reading')
  at(60_000)
  report.progress({ activity: 'reading', done: 1 })
  report.warning('slow')
  report.failure(new Error('gone'))
  expect(taken()).toMatch(/^warning: slow\nerror: gone\nhint: [^\n]*\n$/)
  report.tell('more')
  report.info('reading')
  expect(taken()).toMatch(/^\d{4}-\d\d-\d\dT\S+Z reading\n$/)
  report.failure(new Error('gone'))
  expect(taken()).toContain('at Object.<anonymous>')
})

test('text from a database does not move the cursor', () => {
  const { report, taken } = fakeTerminal(true)
  report.info('table \u001B[2J\rgone')
  expect(taken()).toBe('table \uFFFD[2J\uFFFDgone\n')
})

const log = (lines: string[]): WorkflowLog => ({
  line: (text) => lines.push(text), warning: (text) => lines.push(`[warning] ${text}`), startGroup: (title) => lines.push(`[group] ${title}`), endGroup: () => lines.push('[end]'),
})

test('in a workflow, each activity is a group that ends with what it came to', () => {
  const lines: string[] = []
  let now = 0
  const report = workflowReport(log(lines), new Redaction(), () => now)
  for (; now <= 11_000; now += 500) report.progress({ activity: 'backing up shop', done: now * 1000 })
  report.progress({ activity: 'verifying shop\n::error::', done: 5 })
  report.end()
  report.end()
  expect(lines).toEqual([
    '[group] backing up shop', 'backing up shop: 5.00 MB, 1.00 MB/s, 5.0 s', 'backing up shop: 10.0 MB, 1.00 MB/s, 10 s', 'backing up shop: 11.0 MB, 957 kB/s, 12 s', '[end]',
    '[group] verifying shop : :error::', 'verifying shop\n: :error::: 5 B, 0.0 s', '[end]',
  ])
})

test('works that go on at the same time are one group', () => {
  const lines: string[] = []
  const report = workflowReport(log(lines), new Redaction(), () => 0)
  const both = together(report, 'restoring 2 databases', 10)
  for (const done of [1, 2, 4]) for (const name of ['a', 'b']) both.progress({ activity: `restoring ${name}`, done, total: 5 })
  report.end()
  expect(lines).toEqual(['[group] restoring 2 databases', 'restoring 2 databases: 8 B of 10 B, 80 %, 0.0 s', '[end]'])
})

test('in a workflow, warnings are annotations, and text cannot be a command to the runner', () => {
  const lines: string[] = []
  const redaction = new Redaction()
  const report = workflowReport(log(lines), redaction, () => 0)
  report.mask('hunter22')
  report.info('pg_dump said:\n::stop-commands::x\n  ::add-mask::y\n##[error]z')
  report.warning('hunter22 is weak', 'take another')
  expect(lines).toEqual(['pg_dump said:\n: :stop-commands::x\n  : :add-mask::y\n## [error]z', '[warning] *** is weak\ntake another'])
})

test('in a workflow, a problem is annotated once, and at most ten are: the log has the others', () => {
  const lines: string[] = []
  const report = workflowReport(log(lines), new Redaction(), () => 0)
  for (let index = 0; index < 30; index++) report.warning(`problem ${index % 15}`)
  const annotations = lines.filter((line) => line.startsWith('[warning] '))
  expect(annotations).toHaveLength(10)
  expect(annotations.slice(0, 9)).toEqual(Array.from({ length: 9 }, (_, index) => `[warning] problem ${index}`))
  expect(annotations[9]).toBe('[warning] There are more warnings; the log of this step has them.')
  expect(lines.filter((line) => !line.startsWith('[warning] '))).toEqual(Array.from({ length: 6 }, (_, index) => `warning: problem ${index + 9}`))
})

const problems = (count: number): string[] => Array.from({ length: count }, (_, index) => `problem ${index}`)

test('of more than ten problems of a failed step, the last annotation says how many are not shown', () => {
  expect(atMostTen(problems(10))).toEqual(problems(10))
  expect(atMostTen(problems(500))).toEqual([...problems(9), '491 more problems; the summary and the log of this step have them.'])
})

test('each problem makes sense in a list of annotations: it names the backup, the destination or the target', () => {
  const found: VerifyResult = { ...verify, set: 'app', result: 'failed', problems: ['chunk 5f is missing', 'chunk 60 is damaged'] }
  expect(problemsOf({ command: 'verify', result: found, shown: { destination: 'file:/b', timeZone: 'UTC' } })).toEqual([
    'Backup 20261120T020000Z-5f3a9c1e of set app: chunk 5f is missing', 'Backup 20261120T020000Z-5f3a9c1e of set app: chunk 60 is damaged',
  ])
  const restored: RestoreResult = { ...restore, database: 'shop', target: 'db:5432/new', errors: ['role "x" does not exist'] }
  expect(problemsOf({ command: 'restore', result: restored, shown: { destination: 'file:/b', timeZone: 'UTC' } })).toEqual(['shop was restored into db:5432/new with an error: role "x" does not exist'])
})
