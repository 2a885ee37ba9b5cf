import { feed } from '../../process/child.ts'
import { parentOf } from './entry.ts'
import { displayName, shownName } from './file-list.ts'
import { type ScannedPath, selected } from './selection.ts'
import type { Site } from './site.ts'

/** The selected files before a restore of these over others. */
export interface FilesBefore {
  /** Whether the target had any of them. */
  some: boolean
  /** Names of those that it did not have, without those in a folder that it did not have either. */
  added: readonly string[]
}

/**
 * Compares a folder with the paths (latin1, folders first) that are to be restored into it, which these patterns selected. In the folder,
 * nothing else is in the place of a folder.
 */
export async function filesBefore(
  site: Site, wanted: ReadonlySet<string>, patterns: readonly string[], signal: AbortSignal,
): Promise<FilesBefore> {
  const paths = [...wanted].filter((path) => !path.includes('\0'))
  const child = site.start('xargs', ['-0', 'sh', '-euc', KINDS, site.root], { signal })
  const feeding = feed(child, paths.map((path) => Buffer.from(`${path}\0`, 'latin1')))
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  let kinds = ''
  for await (const piece of child.stdout) kinds += piece.toString('latin1')
  await feeding
  const absent = new Set<string>()
  const had: ScannedPath[] = []
  const added: string[] = []
  for (const [index, path] of paths.entries()) {
    const parent = parentOf(path)
    const kind = kinds[index]
    if (kind === 'd' || kind === 'f') had.push({ path: displayName(path), directory: kind === 'd' })
    else {
      absent.add(path)
      if (!absent.has(parent)) added.push(shownName(path))
    }
  }
  // Folders around selected files are not selected themselves.
  return { some: !selected(had, (one) => one, { include: patterns, exclude: [] }).next().done, added }
}

/** A letter for each path: `d` a folder, `f` anything else, `-` nothing. */
const KINDS = String.raw`
cd -P -- "$0"
for path; do
  if [ -L "./$path" ]; then printf f; elif [ -d "./$path" ]; then printf d; elif [ -e "./$path" ]; then printf f; else printf -- -; fi
done
`
