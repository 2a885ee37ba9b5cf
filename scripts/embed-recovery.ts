// Writes src/repository/recovery/files.ts out of recover.sh and RECOVERY.md beside it, so that the bundle carries them.
// Run it after changing either: `node scripts/embed-recovery.ts`. A test compares.
// The SHA-256 of recover.sh goes into RECOVERY.md and docs/recovery.md.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const folder = path.join(import.meta.dirname, '../src/repository/recovery')

const sha256 = createHash('sha256').update(readFileSync(path.join(folder, 'recover.sh'))).digest('hex')
for (const file of [path.join(folder, 'RECOVERY.md'), path.join(folder, '../../../docs/recovery.md')]) {
  writeFileSync(file, readFileSync(file, 'utf8').replace(/(?<=SHA-256 of `recover\.sh`\S* is\s+`)[0-9a-f]*(?=`)/, sha256))
}

const constant = (name: string, file: string): string => {
  const lines = readFileSync(path.join(folder, file), 'utf8').split('\n')
  const quoted = lines.map((line) => `  '${line.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}',\n`)
  return `export const ${name} = [\n${quoted.join('')}].join('\\n')\n`
}

writeFileSync(
  path.join(folder, 'files.ts'),
  `// Made by scripts/embed-recovery.ts out of the files beside it; change those.\n${constant('script', 'recover.sh')}\n${constant('instructions', 'RECOVERY.md')}`,
)
