import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { BrowserContext, Page } from 'playwright-core'

/** A report in Chromium, with everything that it asked for and complained of. */
export interface OpenPage {
  page: Page
  /** Errors of the console and of scripts, dialogs, and requests. */
  problems: string[]
}

export const WIDTHS = { wide: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } } as const

/** Opens a file of the report, as a person would. */
export async function openReport(context: BrowserContext, file: string, theme: 'light' | 'dark', width: keyof typeof WIDTHS = 'wide'): Promise<OpenPage> {
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => problems.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('dialog', (dialog) => { problems.push(dialog.message()); void dialog.dismiss() })
  page.on('request', (request) => { if (request.url() !== `file://${file}` && !request.url().startsWith('data:image/svg+xml,')) problems.push(`request: ${request.url()}`) })
  await page.setViewportSize(WIDTHS[width])
  await page.emulateMedia({ colorScheme: theme })
  await page.goto(`file://${file}`)
  return { page, problems }
}

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** The findings of axe-core. The script runs in a world that the policy of the page says nothing about. */
export async function axeFindings(page: Page, rules?: readonly string[]): Promise<string[]> {
  await page.evaluate(`globalThis.axe ?? (() => {${readFileSync(axe, 'utf8')}})()`)
  return page.evaluate(`axe.run(document, ${JSON.stringify(rules ? { runOnly: rules } : {})}).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.slice(0, 5).map((node) => id + ': ' + node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? ''))))`)
}
