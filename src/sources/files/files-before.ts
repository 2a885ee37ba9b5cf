import { feed } from '../../process/child.ts'
import { displayName, shownName } from './file-list.ts'
import { type ScannedPath, selecting } from './selection.ts'
import type { Site } from './site.ts'
import { inTurns } from './sorted-texts.ts'
import { terminated } from './terminated.ts'

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
  const child = site.start('xargs', ['-0', 'sh', '-euc', KINDS, site.root], { signal })
  const feeding = feed(child, terminated(wanted))
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  let kinds = ''
  for await (const piece of child.stdout) kinds += piece.toString('latin1')
  await feeding
  const select = selecting((one: ScannedPath) => one, { include: patterns, exclude: [] })
  const added: string[] = []
  let [some, index] = [false, 0]
  let absent: string | undefined
  await inTurns(wanted, (path) => {
    if (path.includes('\0')) return
    const kind = kinds[index++]
    // Folders around selected files are not selected themselves.
    if (kind === 'd' || kind === 'f') some ||= select({ path: displayName(path), directory: kind === 'd' }).length > 0
    else if (absent === undefined || !path.startsWith(absent)) {
      absent = `${path}/`
      added.push(shownName(path))
    }
  })
  return { some, added }
}

/** A letter for each path: `d` a folder, `f` anything else, `-` nothing. */
const KINDS = String.raw`
cd -P -- "$0"
for path; do
  if [ -L "./$path" ]; then printf f; elif [ -d "./$path" ]; then printf d; elif [ -e "./$path" ]; then printf f; else printf -- -; fi
done
`
