import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { micromark } from 'micromark'
import { gfm, gfmHtml } from 'micromark-extension-gfm'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

const mermaid = createRequire(import.meta.url).resolve('mermaid/dist/mermaid.min.js')

/** A page as wide as GitHub shows a summary, with the rules of GitHub's style that decide what fits. */
const STYLE = `
  body { margin: 0; padding: 24px; font: 16px/1.5 'Liberation Sans', sans-serif; color: #1f2328; background: #fff; overflow-wrap: break-word }
  body.dark { color: #f0f6fc; background: #0d1117 }
  h3 { font-size: 1.25em; margin: 0 0 16px }
  p, table, pre, details, ul { margin: 0 0 16px }
  table { display: block; width: max-content; max-width: 100%; overflow: auto; border-collapse: collapse }
  th, td { padding: 6px 13px; border: 1px solid #8886 }
  code, pre { font: 13.6px/1.45 'Liberation Mono', monospace; background: #8882; border-radius: 6px }
  code { padding: .2em .4em; white-space: break-spaces }
  pre { padding: 16px; overflow: auto }
  pre code { padding: 0; background: none; white-space: pre }
  pre.mermaid { background: none; padding: 0; text-align: center }
  summary { cursor: pointer }`

/** Chromium, with a profile of its own and nothing to talk to. */
export class Browser {
  /** For pages that are opened in other ways. */
  readonly context: BrowserContext
  readonly #profile: string

  private constructor(context: BrowserContext, profile: string) {
    this.context = context
    this.#profile = profile
  }

  static async start(): Promise<Browser> {
    const profile = mkdtempSync(path.join(tmpdir(), 'lifeboat-chromium-'))
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    const context = await chromium.launchPersistentContext(profile, { executablePath: '/usr/bin/chromium', args, viewport: { width: 960, height: 600 } })
    await context.setOffline(true)
    return new Browser(context, profile)
  }

  async close(): Promise<void> {
    await this.context.close()
    rmSync(this.#profile, { recursive: true, force: true })
  }

  /**
   * A summary as GitHub shows it: its Markdown with the HTML in it left as it is (GitHub would take out what is dangerous; here nothing
   * may need that), its diagrams drawn by Mermaid, every fold open.
   */
  async show(markdown: string, theme: 'light' | 'dark' = 'light'): Promise<ShownPage> {
    const page = await this.context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('dialog', (dialog) => {
      problems.push(`a script opened a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    const body = micromark(markdown, { allowDangerousHtml: true, allowDangerousProtocol: true, extensions: [gfm()], htmlExtensions: [gfmHtml()] })
      .replaceAll('<details>', '<details open>')
      .replaceAll(/<pre><code class="language-mermaid">([\s\S]*?)<\/code><\/pre>/g, '<pre class="mermaid">$1</pre>')
    await page.setContent(`<!doctype html><meta charset="utf-8"><style>${STYLE}</style><body class="${theme}">${body}</body>`)
    if (!body.includes('class="mermaid"')) return { page, problems }
    await page.addScriptTag({ path: mermaid })
    const drawing = `mermaid.initialize({ startOnLoad: false, theme: '${theme === 'dark' ? 'dark' : 'default'}' }); mermaid.run().then(() => '', (error) => String(error.message ?? error))`
    const failure: string = await page.evaluate(drawing)
    if (failure !== '') problems.push(failure)
    return { page, problems }
  }
}

export interface ShownPage {
  page: Page
  /** Complaints of scripts and Mermaid, and actions that they should not have taken. */
  problems: string[]
}
