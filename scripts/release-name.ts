// Gives the repository its place on GitHub: `npm run release:name -- owner/name` replaces the placeholder in every file.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')

/** Not written by hand, or not part of the repository; `npm run build` brings the name into dist. */
const LEFT = new Set(['.git', '.cache', 'build', 'coverage', 'dist', 'node_modules'])

/** In a regular expression, the slash has a backslash before it. */
const PLACEHOLDER = new RegExp(String.raw`${'OWNER'}(\\?/)lifeboat`, 'g')

/** The sentence of the README about the placeholder. */
const EXPLANATION = /`OWNER` in these pages[^.]*\. ?/g

/** The same text with the name in place of the placeholder. Throws for a name that GitHub does not have. */
export function named(text: string, name: string): string {
  const [, owner, repository] = /^([A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?)\/([A-Za-z0-9._-]{1,100})$/.exec(name) ?? []
  if (owner === undefined || repository === undefined) throw new Error(`${name} is not of the form owner/name`)
  return text
    .replaceAll(new RegExp(`@${PLACEHOLDER.source}(?=[ @"])`, 'g'), (_, slash: string) => `@${owner}${slash}${repository}`.toLowerCase())
    .replaceAll(new RegExp(`${PLACEHOLDER.source} && cd lifeboat`, 'g'), (_, slash: string) => `${owner}${slash}${repository} && cd ${repository}`)
    .replaceAll(PLACEHOLDER, (_, slash: string) => `${owner}${slash}${repository}`)
    .replaceAll(EXPLANATION, '')
}

/** Every file of the repository that may have the placeholder, from its top. */
export function filesOf(folder: string): string[] {
  const tops = readdirSync(folder).filter((name) => !LEFT.has(name))
  return tops.flatMap((top) => {
    if (!statSync(path.join(folder, top)).isDirectory()) return [top]
    const entries = readdirSync(path.join(folder, top), { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
  })
}

/** Replaces the placeholder in the files of a folder; the files that changed. A file that is not UTF-8 is left alone. */
export function giveName(folder: string, name: string): string[] {
  return filesOf(folder).filter((file) => {
    const bytes = readFileSync(path.join(folder, file))
    const text = bytes.toString('utf8')
    const changed = named(text, name)
    if (changed === text || !Buffer.from(text).equals(bytes)) return false
    writeFileSync(path.join(folder, file), changed)
    return true
  })
}

if (import.meta.main) {
  const [name] = process.argv.slice(2)
  if (name === undefined) throw new Error('usage: npm run release:name -- owner/name')
  const changed = giveName(root, name)
  console.log(changed.length === 0 ? 'No file has the placeholder.' : `${changed.join('\n')}\n\nRun npm run generate and npm run build next.`)
}
