import { createHash } from 'node:crypto'
import { metaOf, pathOf } from './entry.ts'

/** A part of a volume's archive: consecutive entries of a scan. */
export interface Segment {
  entries: readonly string[]
  /** SHA-256 of everything that find prints of them: with the same digest they need not be read again. */
  digest: string
}

/** Average content of a segment, in bytes. */
const SEGMENT = 64 * 1024 * 1024
/** A file of this size is a segment of its own. */
const LARGE = 32 * 1024 * 1024
/** Bytes of an entry beside its content: two headers, extended attributes, padding. */
const HEADERS = 2048
/** Change it with every change that makes other tar bytes of the same files. */
const VERSION = 'lifeboat tar 2\n'

/**
 * Cuts a scan into segments. Whether a segment begins at an entry depends only on a hash of its path, its size, and whether the file before
 * it is large, so that an added or removed entry moves no other boundary. The probability is the size of the entry divided by that of a
 * segment.
 */
export function* segmentsOf(entries: readonly string[]): Generator<Segment, void, void> {
  let start = 0
  let afterLarge = false
  for (const [index, entry] of entries.entries()) {
    const { size } = metaOf(entry)
    const large = size >= LARGE
    if (index > start && (large || afterLarge || fraction(pathOf(entry)) < (size + HEADERS) / SEGMENT)) {
      yield segment(entries.slice(start, index))
      start = index
    }
    afterLarge = large
  }
  if (start < entries.length) yield segment(entries.slice(start))
}

function segment(entries: readonly string[]): Segment {
  const hash = createHash('sha256').update(VERSION)
  for (const entry of entries) hash.update(`${entry}\0`, 'latin1')
  return { entries, digest: hash.digest('hex') }
}

/**
 * A number from 0 to 1 out of a path: 32-bit FNV-1a, whose high bits depend too little on the end of a path, and the finalizer of
 * MurmurHash3.
 */
function fraction(path: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < path.length; index++) hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

export interface HardLink {
  entry: string
  /** Path of the entry that has the content: the first of the same file. */
  target: string
}

/** Separates the second and later entries of each file that has several names: they become hard links to the first. */
export function hardLinksIn(entries: readonly string[]): { contents: string[]; links: HardLink[] } {
  const first = new Map<string, string>()
  const links: HardLink[] = []
  const contents = entries.filter((entry) => {
    // Most files have one name, and need no further look.
    const { type, links: names, inode } = metaOf(entry)
    if (type !== 'f' || names < 2) return true
    const target = first.get(inode)
    if (target === undefined) {
      first.set(inode, pathOf(entry))
      return true
    }
    links.push({ entry, target })
    return false
  })
  return { contents, links }
}
