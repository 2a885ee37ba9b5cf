import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { PageFacts } from '../../../src/report/page/facts.ts'
import { setsIn } from '../../../src/report/page/health.ts'
import { neutral, withNames } from '../../../src/report/page/naming.ts'
import { reportPage } from '../../../src/report/page/page.ts'
import { ticks, timeScale } from '../../../src/report/page/scale.ts'
import { MADE, pages } from '../../support/example-pages.ts'
import { HOSTILE } from '../../support/example-summaries.ts'
import { axeFindings, openReport } from '../../support/report-page.ts'
import { Browser } from '../../support/summary-page.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-report-'))
let browser: Browser
beforeAll(async () => (browser = await Browser.start()))
afterAll(async () => {
  await browser.close()
  rmSync(folder, { recursive: true })
})

function written(facts: PageFacts): string {
  const file = path.join(folder, `${Math.random()}.html`)
  writeFileSync(file, reportPage(facts))
  return file
}

const OPEN = 'document.querySelectorAll("details").forEach((one) => { one.open = true })'
/** Scripts, images, handlers and links that came with names, and boxes wider than the window. */
const FAULTS = `[
  ...[...document.querySelectorAll('script, img, iframe, object, [onerror], [onclick], [style], a:not([href^="#"]):not([href^="https://github.com/someone/something/actions/runs/"])')].map((e) => 'element ' + e.outerHTML.slice(0, 200)),
  ...(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ['wider than the window: ' + document.documentElement.scrollWidth] : []),
]`

test.each(Object.keys(pages))('%s: no error, no request, nothing that is not accessible; light, dark and on a phone', async (name) => {
  const file = written(pages[name]!)
  const { page, problems } = await openReport(browser.context, file, 'light')
  await page.evaluate(OPEN)
  expect(await page.evaluate(FAULTS)).toEqual([])
  // All rows have the same elements; without most of them axe-core takes a tenth of the time.
  await page.evaluate('document.querySelectorAll("tbody tr:nth-child(n+12)").forEach((row) => row.remove())')
  expect(await axeFindings(page)).toEqual([])
  await page.emulateMedia({ colorScheme: 'dark' })
  expect(await axeFindings(page, ['color-contrast'])).toEqual([])
  await page.setViewportSize({ width: 360, height: 740 })
  expect(await page.evaluate(FAULTS)).toEqual([])
  expect(problems).toEqual([])
  await page.close()
})

test('a fault would be found: a script, a request, a contrast, a table wider than the page', async () => {
  const file = path.join(folder, 'faults.html')
  const page = reportPage(pages['the first backup']!)
  const bad = '<script>alert(1)</script><img src="https://evil.example/a.png"><p style="color:#ccc">pale</p><div class="scroll"></div><pre style="width:3000px">wide</pre>'
  writeFileSync(file, page.replace('</main>', `${bad}</main>`))
  const shown = await openReport(browser.context, file, 'light')
  expect(shown.problems.join('\n')).toMatch(/script-src|inline script/)
  expect(shown.problems.join('\n')).toMatch(/img-src|evil\.example/)
  const found = [...await shown.page.evaluate<string[]>(FAULTS), ...await axeFindings(shown.page)].join('\n')
  for (const word of ['<script', '<img', 'image-alt']) expect(found).toContain(word)
  await shown.page.close()
})

test('on paper everything is there, also what is folded on a screen, in dark letters', async () => {
  const { page } = await openReport(browser.context, written(pages['one set, all is well']!), 'dark')
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  const shown: { height: number; colour: string } = await page.evaluate('({ height: document.querySelector("table.history tbody tr:nth-child(100)").getBoundingClientRect().height, colour: getComputedStyle(document.body).color })')
  expect(shown.height).toBeGreaterThan(10)
  expect(shown.colour).toBe('rgb(0, 0, 0)')
  expect((await page.pdf()).length).toBeGreaterThan(10_000)
  await page.close()
})

const shownIn = async (facts: PageFacts): Promise<string> => {
  const { page } = await openReport(browser.context, written(facts), 'light')
  const text = await page.locator('body').innerText()
  await page.close()
  return text
}

test('the first lines answer what matters: whether all is well, since when, how long a restore takes, how much would be lost', async () => {
  const text = await shownIn(pages['several sets']!)
  expect(text).toMatch(/^[^]{0,200}All is well\n+The newest backups of all 3 sets are verified and complete, the oldest of them is 5 h old\. So are all 290 backups since 26 June 2026\./)
  expect(text).toMatch(/A restore takes\n+48 min \d+ s\n+analytics, the slowest set; 141 GB of rows and files compared in a drill/)
  expect(text).toMatch(/A failure now would lose\n+the last 5 h\n+changes since 2026-11-20 03:17/)
})

test('nothing bad is called good: damage, a failed drill, a part that is missing, a set that stopped, a run that failed', async () => {
  const facts = pages['a damaged backup, a failed drill, a part missing, a set that stopped']!
  expect(setsIn(facts).map(({ set, light }) => [set, light])).toEqual([['crm', 'bad'], ['files', 'attention'], ['old-blog', 'attention'], ['production', 'bad']])
  const text = await shownIn(facts)
  expect(text).not.toContain('All is well')
  for (const sentence of [
    'The last backup did not end well', 'set production: post-command failed', 'The newest backup is damaged: 3 of its objects are missing from the store. The newest that is verified and complete is 29 h old.',
    'The last restore drill, 2 days ago, failed.', 'The newest backup does not have everything (home: 2 files could not be read: Permission denied).',
    'The table public.contacts of crm has 0 rows, and had 119,760 in the backup of 2026-11-18 03:17. That backup goes with the next prune, and none that stays has these rows. To keep it: lifeboat pin 20261118T021703Z-5f3a9c1e --destination s3:lifeboat/backups --set crm',
    'The newest backup is 9 days old, but usually one is made every 24 h.', 'is damaged: its signature (MAC) does not verify', 'lacks it: connection refused',
  ]) expect(text).toContain(sentence)
  expect(await shownIn(pages['an empty store']!)).toContain('There are no backups yet')
  const unchecked = await shownIn(pages['without a key']!)
  expect(unchecked).toContain('It cannot be told')
  expect(unchecked).toMatch(/A failure now would lose\n+–\n+Without its key no backup is checked/)
  expect(unchecked).not.toMatch(/all right|restored in a drill/)
})

test('of two backups, the report does not count the older one', () => {
  const facts = pages['one set, all is well']!
  const of = (...damages: (string | undefined)[]) => setsIn({ ...facts, snapshots: damages.map((damage, index) => ({ ...facts.snapshots[index]!, ...(damage !== undefined && { damage }) })) })[0]!.findings.map(({ text }) => text)
  expect(of('gone', 'gone')).toContain('The other backup is damaged as well.')
  expect(of(undefined, 'gone')).toContain('The other backup is damaged.')
  expect(of(undefined, 'gone', 'gone')).toContain('2 older backups of 2 are damaged.')
})

test.each([
  ['not verified', { verified: false, proofs: [] }, 'attention'],
  ['of another key', { authentic: false }, 'unknown'],
  ['in part', { partial: true }, 'attention'],
  ['damaged', { damage: 'gone' }, 'bad'],
  ['drilled, and its data is not as expected', { proofs: [{ level: 'drill', result: 'conditions not met', time: MADE }] }, 'attention'],
  ['drilled without a result', { proofs: [{ level: 'drill', result: 'could not verify', time: MADE }] }, 'attention'],
] as const)('a set whose newest backup is %s is not all right', (_, change, light) => {
  const facts = pages['one set, all is well']!
  const [newest, ...others] = facts.snapshots
  expect(setsIn({ ...facts, snapshots: [{ ...newest!, ...change }, ...others] })[0]!.light).toBe(light)
})

test('with neutral names nothing is left that tells whose backups these are', () => {
  const facts = pages['a damaged backup, a failed drill, a part missing, a set that stopped']!
  const page = reportPage({ ...withNames(facts, neutral(facts)), neutral: true })
  const told = [
    ...facts.snapshots.flatMap(({ id, set, tags, sources = [], run }) => [id, set, ...tags, ...sources.map(({ name }) => name), ...(run ? [run] : [])]),
    ...facts.changes.flatMap(({ items }) => items.flatMap(({ table = '' }) => (table === '' ? [] : [table, table.split('.')[1]!]))),
    ...facts.leaving.flatMap(({ table, snapshot }) => [table, snapshot]), ...facts.copies.map(({ store }) => store), facts.store, facts.destination, 'example.com', 'someone/something', 'github.com', 'Permission denied', 'post-command',
  ]
  // Words that the page has anyhow: a file is a file.
  for (const word of new Set(told)) if (!['files', 'home', 'orders', 'events', 'sessions'].includes(word)) expect([word, page.includes(word)]).toEqual([word, false])
  for (const word of ['set 1', 'set 4', 'database 1', 'volume 1', 'table 1', 'store 2']) expect(page).toContain(word)
  expect(page).not.toMatch(/\b(?:crm|old-blog|production|shop)\b/)
})

function setNames(facts: PageFacts): string[] {
  return withNames(facts, neutral(facts)).snapshots.map(({ set }) => set)
}

test('the oldest set stays set 1 when another is added', () => {
  const facts = pages['several sets']!
  const added = [...facts.snapshots.slice(0, 1).map((one) => ({ ...one, set: 'aaa' })), ...facts.snapshots]
  expect(setNames({ ...facts, snapshots: added }).slice(1)).toEqual(setNames(facts))
})

test('a thousand backups are a page of less than a megabyte', () => {
  expect(pages['a thousand backups']!.snapshots).toHaveLength(1000)
  expect(Buffer.byteLength(reportPage(pages['a thousand backups']!))).toBeLessThan(1_000_000)
})

test('the page is the same for the same facts, and hostile names are text', () => {
  expect(reportPage(pages['hostile names']!)).toBe(reportPage(pages['hostile names']!))
  expect(reportPage(pages['hostile names']!)).not.toContain(HOSTILE.slice(0, 10))
})

test.each([
  [2 * 3600, /^\d\d:\d\d$/], [5 * 86_400, /^\d+ Nov$/], [40 * 86_400, /^\d+ (Oct|Nov)$/], [400 * 86_400, /^[A-Z][a-z]+( 2026)?$/], [3000 * 86_400, /^Jan 20\d\d$/],
])('a time line of %d s has at most 8 labels, in order', (seconds, form) => {
  const from = new Date(Date.parse(MADE) - seconds * 1000).toISOString()
  const found = ticks(timeScale([from], MADE, 'UTC'))
  expect(found.length).toBeGreaterThan(1)
  expect(found.length).toBeLessThanOrEqual(8)
  expect(found.map(({ at }) => at)).toEqual(found.map(({ at }) => at).toSorted())
  for (const { label } of found) expect(label).toMatch(form)
})
