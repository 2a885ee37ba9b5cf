// Writes src/commands/init/examples.ts out of the examples that `lifeboat init` adapts, so that the bundle carries them. `npm run generate`
// runs it; a test compares.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')
const target = path.join(root, 'src/commands/init/examples.ts')

/** The examples by the names that the program has for them. */
const EXAMPLES = { backup: 'scheduled-backup', drill: 'weekly-drill', restore: 'restore', freshness: 'freshness' } as const

/** The text of src/commands/init/examples.ts. */
export function examplesModule(): string {
  return [
    '// Made by `npm run generate` out of workflows-examples; change the files there.',
    'export const examples = {',
    ...Object.entries(EXAMPLES).flatMap(([name, file]) => [`  ${name}: [`, ...quotedLines(file), "  ].join('\\n'),"]),
    '} as const',
    '',
  ].join('\n')
}

function quotedLines(file: string): string[] {
  const lines = readFileSync(path.join(root, 'workflows-examples', `${file}.yml`), 'utf8').split('\n')
  return lines.map((line) => `    '${line.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}',`)
}

if (import.meta.main) writeFileSync(target, examplesModule())
