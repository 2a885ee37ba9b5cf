import { isIn, metaOf } from '../files/entry.ts'
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

/** The links to these files, by their inodes, get content of their own. */
export function withContent({ entries, links }: Entries, lost: ReadonlySet<string>): Entries {
  const own = links.filter(({ entry }) => lost.has(metaOf(entry).inode))
  if (own.length === 0) return { entries, links }
  return {
    entries: [...entries, ...own.map(({ entry }) => entry)].toSorted(),
    links: links.filter(({ entry }) => !lost.has(metaOf(entry).inode)),
  }
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
