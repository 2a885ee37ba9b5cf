import { backupSummary } from '../../src/commands/backup/summary.ts'
import { backup, context, HOSTILE, recent, summaries } from '../support/example-summaries.ts'
import { Browser, type ShownPage } from '../support/summary-page.ts'

let browser: Browser
beforeAll(async () => (browser = await Browser.start()))
afterAll(() => browser.close())

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

test('the bars of the chart are as high as their figures are large, down to 0', async () => {
  const { page } = await browser.show(summaries['backup']!)
  const heights = await page.locator('pre.mermaid svg .bar-plot-0 rect').evaluateAll((rects) => rects.map((rect) => rect.getBoundingClientRect().height))
  const [first, second] = heights.map((height, index) => height / recent.toReversed()[index]!.added)
  expect(second! / first!).toBeGreaterThan(0.9)
  expect(second! / first!).toBeLessThan(1.1)
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
