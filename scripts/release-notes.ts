// Prints the text of a release: `release-notes.ts vX.Y.Z`. Its changes are those of CHANGELOG.md; the SHA-256 sums are of the files in this checkout.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')

/** The section of CHANGELOG.md about a version. Throws if there is none. */
export function changesOf(changelog: string, version: string): string {
  const section = changelog.split(/^## /m).find((part) => part.split(/\s/)[0] === version)
  if (section === undefined) throw new Error(`CHANGELOG.md has no section ${version}`)
  return section.split('\n').slice(1).join('\n').trim()
}

export function releaseNotes(tag: string): string {
  const dist = readdirSync(path.join(root, 'dist'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = dist.map((entry) => path.relative(root, path.join(entry.parentPath, entry.name))).toSorted()
  return [
    changesOf(readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8'), tag.replace(/^v/, '')),
    '',
    '## SHA-256',
    '',
    'Compare `recover.sh` of your store with this before you run it (docs/recovery.md, "Is the script in the store ours?").',
    '`sha256sum --check` in a checkout of this tag takes these lines. `gh attestation verify FILE --repo OWNER/lifeboat` proves that this repository built a file.',
    '',
    '```text',
    ...['src/repository/recovery/recover.sh', ...files].map((file) => `${sha256(file)}  ${file}`),
    '```',
    '',
  ].join('\n')
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(path.join(root, file))).digest('hex')
}

if (import.meta.main) {
  const [tag] = process.argv.slice(2)
  if (tag === undefined || !/^v\d+\.\d+\.\d+$/.test(tag)) throw new Error('usage: release-notes.ts vX.Y.Z')
  process.stdout.write(releaseNotes(tag))
}
