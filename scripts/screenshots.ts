// Makes a picture of every summary and report that the tests know, light and dark, in build/screenshots; with the word docs, the two that
// the README shows, in docs. Needs Chromium.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { reportPage } from '../src/report/page/page.ts'
import { pages } from '../test/support/example-pages.ts'
import { summaries } from '../test/support/example-summaries.ts'
import { openReport } from '../test/support/report-page.ts'
import { Browser } from '../test/support/summary-page.ts'

const root = path.join(import.meta.dirname, '..')
const folder = path.join(root, 'build/screenshots')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

const browser = await Browser.start()
try {
  if (process.argv[2] === 'docs') await showTo(path.join(root, 'docs'))
  else await showAll()
} finally {
  await browser.close()
}

/** The top of a report. */
async function showTo(docs: string): Promise<void> {
  const html = path.join(folder, 'report.html')
  writeFileSync(html, reportPage(pages['several sets']!))
  for (const theme of ['light', 'dark'] as const) {
    const { page } = await openReport(browser.context, html, theme)
    await page.screenshot({ path: path.join(docs, `report-${theme}.png`), clip: { x: 0, y: 0, width: 1280, height: 720 } })
    await page.close()
  }
}

async function showAll(): Promise<void> {
  for (const [name, markdown] of Object.entries(summaries)) {
    for (const theme of ['light', 'dark'] as const) {
      const { page, problems } = await browser.show(markdown, theme)
      const file = path.join(folder, `${name.replaceAll(/[^a-z]+/g, '-')}-${theme}.png`)
      await page.screenshot({ path: file, fullPage: true })
      await page.close()
      for (const problem of problems) console.error(`${file}: ${problem}`)
    }
  }
  for (const [name, facts] of Object.entries(pages)) {
    const file = path.join(folder, `report-${name.replaceAll(/[^a-z]+/g, '-')}`)
    writeFileSync(`${file}.html`, reportPage(facts))
    for (const [theme, width] of [['light', 'wide'], ['dark', 'wide'], ['light', 'phone']] as const) {
      const { page, problems } = await openReport(browser.context, `${file}.html`, theme, width)
      await page.screenshot({ path: `${file}-${width === 'phone' ? width : theme}.png`, fullPage: true })
      await page.close()
      for (const problem of problems) console.error(`${file}: ${problem}`)
    }
  }
  console.log(`${Object.keys(summaries).length} summaries and ${Object.keys(pages).length} reports, light and dark, are in ${folder}.`)
}
