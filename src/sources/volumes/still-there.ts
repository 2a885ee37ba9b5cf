import { isIn, metaOf, pathOf } from '../files/entry.ts'
import type { HardLink } from '../files/hard-links.ts'
import type { Segment } from '../files/segments.ts'

type Entries = Pick<Segment, 'entries' | 'links'>

/** Whether an entry is in none of these folders. To be asked in the order of a scan, in which the folders are as well. */
export function outside(folders: readonly string[]): (entry: string) => boolean {
  let next = 0
  let around: string | undefined
  return (entry) => {
    for (; next < folders.length && folders[next]! < entry; next++)
      if (around === undefined || !isIn(folders[next]!, around)) around = folders[next]!
    return around === undefined || !isIn(entry, around)
  }
}

/** The entries and links that are in none of these folders. */
export function withoutFolders({ entries, links }: Entries, folders: readonly string[]): Entries {
  const isLinkOutside = outside(folders)
  return { entries: entries.filter(outside(folders)), links: links.filter(({ entry }) => isLinkOutside(entry)) }
}

/**
 * Of the links to each of the `lost` files, by their inodes, the first gets content of its own, to which the others become links. Of those
 * that were lost `before`, each link gets its own: it may be another file by now, too.
 */
export function withContent({ entries, links }: Entries, lost: ReadonlySet<string>, before: ReadonlySet<string> = new Set()): Entries {
  const own: string[] = []
  const left: HardLink[] = []
  const firsts = new Map<string, string>()
  for (const { entry, target } of links) {
    const { inode } = metaOf(entry)
    const first = before.has(inode) ? undefined : firsts.get(inode)
    if (!lost.has(inode)) left.push({ entry, target })
    else if (first !== undefined) left.push({ entry, target: first })
    else {
      own.push(entry)
      firsts.set(inode, pathOf(entry))
    }
  }
  return { entries: own.length === 0 ? entries : [...entries, ...own].toSorted(), links: left }
}

/** Inodes of those of these entries that are files of several names. */
export function severalNames(entries: Iterable<string>): Set<string> {
  const inodes = new Set<string>()
  for (const entry of entries) {
    const { type, links, inode } = metaOf(entry)
    if (type === 'f' && links > 1) inodes.add(inode)
  }
  return inodes
}
