import type { BackupResult } from '../../src/commands/backup/result.ts'
import type { ListResult } from '../../src/commands/list/result.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { listSummary } from '../../src/commands/list/report.ts'
import { backupSummary } from '../../src/commands/backup/summary.ts'
import { newestSentence } from '../../src/commands/backup/newest-found.ts'
import { failureSummary } from '../../src/report/failure.ts'
import { restoreSummary } from '../../src/commands/restore/report.ts'
import { verifySummary } from '../../src/commands/verify/report.ts'
import { Browser, type ShownPage } from '../support/summary-page.ts'

let browser: Browser
beforeAll(async () => (browser = await Browser.start()))
afterAll(() => browser.close())

const context = { action: 'OWNER/lifeboat', reference: 'v0.1.0', destination: 'artifact', timeZone: 'Europe/Berlin', now: new Date('2026-11-20T05:00:00Z') }
const HOSTILE = '<img src=x onerror=alert(1)>|`*_~~[x](javascript:alert(1))![y](z)</td></details><script>alert(2)</script> https://evil.example www.evil.example a@evil.example @someone #1'
const LONG = 'x'.repeat(900)

const DAY = 86_400_000
const recent: BackupResult['recent'] = Array.from({ length: 20 }, (_, index) => ({
  snapshot: `202611${String(20 - index).padStart(2, '0')}T020000Z-5f3a9c1e`,
  time: new Date(Date.parse('2026-11-20T02:00:00Z') - index * DAY).toISOString(),
  size: 1_250_000_000 - index * 9_000_000,
  stored: 212_000_000 - index * 1_000_000,
  added: index === 19 ? 193_000_000 : [3_100_000, 2_500_000, 24_000_000, 900_000][index % 4]!,
}))
const backup: BackupResult = {
  snapshot: recent[0]!.snapshot, set: 'production', time: recent[0]!.time, size: 1_250_000_000, stored: 212_000_000, added: 3_100_000, chunks: 600, newChunks: 12, deltaChunks: 8, seconds: 4.4, shrunk: [], onShrink: 'warn', verified: 'list',
  sources: [{ name: 'shop', kind: 'postgres', size: 1_000_000_000, added: 3_000_000, seconds: 4 }, { name: 'billing', kind: 'postgres', size: 250_000_000, added: 100_000, seconds: 0.4 }],
  recent,
  destinations: [{ name: 's3://backups/production', verified: 'list' }, { name: `file:/mnt/${HOSTILE}`, verified: 'none', problem: HOSTILE }],
  complete: false,
  recentTotal: { snapshots: 20, size: 25_000_000_000, unique: 1_500_000_000, stored: 310_000_000, objects: 800, differences: { objects: 60, stored: 12_000_000, alone: 40_000_000 } },
}
const verify: VerifyResult = { snapshot: backup.snapshot, set: 'production', time: backup.time, level: 'read', result: 'verified', problems: [], damaged: [], good: [], advice: [], versions: {}, chunks: 600, bytes: 1_250_000_000, seconds: 3, sources: [{ name: 'shop', kind: 'postgres', size: 1_000_000_000, entries: 214, result: 'verified', problems: [] }] }
const restore: RestoreResult = {
  snapshot: backup.snapshot, set: 'production', time: backup.time, database: 'shop', target: 'db.example.com:5432/shop_restored', mode: 'empty', size: 1_000_000_000, entries: 214, restored: 212,
  errors: ['pg_restore: error: could not execute query: ERROR:  role "reporting" does not exist', `Command was: GRANT SELECT ON TABLE public.orders TO reporting; ${HOSTILE} ${LONG}`], seconds: 14.2,
}
const listed: ListResult['snapshots'] = recent.flatMap(({ snapshot, ...sizes }, index) => [
  { ...sizes, id: snapshot, set: index % 5 === 4 ? 'before-deploy' : 'production', chunks: 600, tags: ['nightly', 'release=1.4'], key: '0'.repeat(16), description: index === 1 ? `${HOSTILE} ${LONG}` : 'nightly', sources: [{ name: 'shop', kind: 'postgres', size: 1 }],
    pinned: index === 3, authentic: index !== 2, verified: true, proofs: [{ level: 'list', result: index === 4 ? 'failed' : 'verified', time: sizes.time }, { level: 'drill', result: 'verified', time: sizes.time }],
    run: index === 1 ? `https://evil.example/${HOSTILE}` : 'https://github.com/someone/something/actions/runs/1234567', retention: { keep: index % 2 === 0, reasons: ['last 1 of 3', 'daily 2026-11-20'] }, expires: '2026-12-20T05:00:00.000Z' },
])
const unreachable = { message: 'cannot connect to db.abc.example:5432: network unreachable', causes: ['connection to server at "2001:db8::1" failed'], hint: "This host has only an IPv6 address, which hosted runners cannot reach; use the session pooler's URL.", status: 1 as const }

const summaries: Record<string, string> = {
  backup: backupSummary(backup, context),
  'first backup, not verified': backupSummary({ ...backup, verified: 'none', recent: recent.slice(0, 1), sources: backup.sources.slice(0, 1) }, { ...context, destination: 'file:/mnt/backups' }),
  'hostile backup': backupSummary({ ...backup, set: HOSTILE, sources: [{ ...backup.sources[0]!, name: HOSTILE }, { ...backup.sources[1]!, name: LONG }] }, { ...context, destination: `file:${HOSTILE}` }),
  'backup that shrank': backupSummary({ ...backup, checked: { chunks: 12, bytes: 1e7, damaged: 1 }, onShrink: 'fail', shrunk: [{ source: HOSTILE, kind: 'postgres', table: `${HOSTILE}${LONG}`, measure: 'rows', before: 5000, now: null }] }, context),
  'backup failed': failureSummary('backup', unreachable, newestSentence({ set: 'production', snapshot: recent[1]!.snapshot, time: recent[1]!.time }, context)),
  'hostile failure': failureSummary('backup', { message: `${HOSTILE} ${LONG}`, causes: [HOSTILE], hint: HOSTILE, status: 1 }, newestSentence({ set: HOSTILE, unknown: HOSTILE }, context)),
  'could not verify': failureSummary('backup', { message: 'snapshot was stored but could not be verified: no client program of PostgreSQL 19', causes: [], status: 3 }, newestSentence({ set: 'production', none: 'empty' }, context)),
  verified: verifySummary(verify, context),
  damaged: verifySummary({ ...verify, result: 'failed', problems: ['chunk chunks/5f/5f3a is missing', HOSTILE] }, context),
  'all verified, some damaged': verifySummary({ ...verify, result: 'failed', problems: [HOSTILE], advice: [`Back up again. ${HOSTILE}`], snapshots: [{ ...verify, result: 'failed', sources: [{ ...verify.sources[0]!, name: HOSTILE, result: 'failed', problems: [HOSTILE] }] }, verify] }, context),
  'verification in vain': verifySummary({ ...verify, result: 'could not verify', problems: ['no client program of PostgreSQL 19 is installed'] }, context),
  'restore with errors': restoreSummary(restore, context),
  restored: restoreSummary({ ...restore, restored: 214, errors: [] }, context),
  'restored bucket': restoreSummary({ ...restore, volume: HOSTILE, target: `s3://assets/${HOSTILE}`, mode: 'overwrite', restored: 214, unchanged: 211, deleted: 1, errors: [] }, context),
  list: listSummary({ store: 'the artifacts of someone/something', listed: context.now.toISOString(), snapshots: listed.map((one, index) => (index === 0 ? { ...one, damage: HOSTILE } : one)), unsound: [{ snapshot: listed[0]!.id, why: `${HOSTILE}${LONG}` }], restorable: listed[1]!.id }, context),
}

/** The faults of a page: errors, scripts and links that came with names, boxes wider than the page, text that is still markup. */
async function faults({ page, problems }: ShownPage): Promise<string[]> {
  const found: string[] = await page.evaluate(`[
    ...[...document.querySelectorAll('body a:not([href="https://github.com/someone/something/actions/runs/1234567"]), body img, body script:not([src]), body iframe, [onerror]')].filter((e) => e.textContent.includes('evil') || e.tagName !== 'SCRIPT').map((e) => 'element ' + e.outerHTML),
    ...(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ['the page is wider than the window'] : []),
    ...[...document.querySelectorAll('body > *, td svg, pre svg')].filter((e) => e.tagName !== 'SCRIPT' && e.getBoundingClientRect().right > innerWidth).map((e) => 'too wide: ' + e.tagName),
    ...[...document.querySelectorAll('p, h3')].filter((e) => /^\\|.*---|\\*\\*|&#\\d/m.test(e.textContent)).map((e) => 'not rendered: ' + e.textContent),
  ]`)
  return [...problems, ...found]
}

test.each(Object.keys(summaries))('%s is a page without a fault, light and dark', async (name) => {
  for (const theme of ['light', 'dark'] as const) {
    const shown = await browser.show(summaries[name]!, theme)
    expect(await faults(shown)).toEqual([])
    if (process.env['LIFEBOAT_SCREENSHOTS']) await shown.page.screenshot({ path: `${process.env['LIFEBOAT_SCREENSHOTS']}/${name.replaceAll(' ', '-')}-${theme}.png`, fullPage: true })
    await shown.page.close()
  }
})

test('a fault would be found: a script, a link, a diagram that cannot be drawn, a table that is none, a box too wide', async () => {
  const bad = '[a](b)\n\n<img src=x onerror=alert(1)>\n\n```mermaid\nxychart-beta\n  bar [x]\n```\n\n<div style="width: 2000px">wide</div>\n\n| a |\n|:--- b --- |'
  const found = await faults(await browser.show(bad))
  expect(found.join('\n')).toMatch(/Parse error|Lexical error|error/i)
  for (const word of ['a script opened a dialog', '<a href', 'wider than the window', 'not rendered: | a |']) expect(found.join('\n')).toContain(word)
})

test('the chart has a bar for each backup, a line, a label for each, none on another', async () => {
  const { page } = await browser.show(summaries['backup']!)
  const chart = page.locator('pre.mermaid svg')
  expect(await chart.count()).toBe(1)
  expect(await chart.locator('.bar-plot-0 rect').count()).toBe(20)
  expect(await chart.locator('.line-plot-1 path').count()).toBe(1)
  const labels = await chart.locator('.bottom-axis .label text').evaluateAll((texts) => texts.map((text) => text.getBoundingClientRect()).map(({ left, right }) => ({ left, right })))
  expect(labels).toHaveLength(20)
  const inOrder = labels.toSorted((a, b) => a.left - b.left)
  for (const [index, label] of inOrder.entries()) expect(label.left).toBeGreaterThanOrEqual(inOrder[index - 1]?.right ?? 0)
})

test('backups of the same minute are bars of their own', async () => {
  const same = backupSummary({ ...backup, recent: recent.slice(0, 5).map((one) => ({ ...one, time: backup.time })) }, context)
  const { page } = await browser.show(same)
  const bars = await page.locator('pre.mermaid svg .bar-plot-0 rect').evaluateAll((rects) => rects.map((rect) => rect.getBoundingClientRect().left))
  expect(new Set(bars).size).toBe(5)
})

test('the table of sources has its rows, and a hostile name is the text it was', async () => {
  const { page } = await browser.show(summaries['hostile backup']!)
  const cells = await page.locator('table').first().locator('tr').evaluateAll((rows) => rows.map((row) => row.querySelectorAll('td, th').length))
  expect(cells).toEqual([6, 6, 6, 6])
  const name = await page.locator('table').first().locator('td').first().textContent()
  expect(name!.replaceAll('\u200B', '')).toBe(HOSTILE)
})
