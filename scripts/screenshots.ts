// Makes a picture of every summary that the tests know, light and dark, in build/screenshots. Needs Chromium.
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { summaries } from '../test/support/example-summaries.ts'
import { Browser } from '../test/support/summary-page.ts'

const folder = path.join(import.meta.dirname, '../build/screenshots')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

const browser = await Browser.start()
try {
  for (const [name, markdown] of Object.entries(summaries)) {
    for (const theme of ['light', 'dark'] as const) {
      const { page, problems } = await browser.show(markdown, theme)
      const file = path.join(folder, `${name.replaceAll(/[^a-z]+/g, '-')}-${theme}.png`)
      await page.screenshot({ path: file, fullPage: true })
      await page.close()
      for (const problem of problems) console.error(`${file}: ${problem}`)
    }
  }
} finally {
  await browser.close()
}
console.log(`${Object.keys(summaries).length} summaries, light and dark, are in ${folder}.`)
