// Writes src/repository/recovery/files.ts out of recover.sh and RECOVERY.md beside it, so that the bundle carries them.
// Run it after changing either: `node scripts/embed-recovery.ts`. A test compares.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const folder = path.join(import.meta.dirname, '../src/repository/recovery')

const constant = (name: string, file: string): string => {
  const lines = readFileSync(path.join(folder, file), 'utf8').split('\n')
  const quoted = lines.map((line) => `  '${line.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}',\n`)
  return `export const ${name} = [\n${quoted.join('')}].join('\\n')\n`
}

writeFileSync(
  path.join(folder, 'files.ts'),
  `// Made by scripts/embed-recovery.ts out of the files beside it; change those.\n${constant('script', 'recover.sh')}\n${constant('instructions', 'RECOVERY.md')}`,
)
