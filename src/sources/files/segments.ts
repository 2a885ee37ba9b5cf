import { createHash } from 'node:crypto'
import { metaOf, sortKeyOf } from './entry.ts'
import type { HardLink, ScannedEntry } from './hard-links.ts'

/** A part of a volume's archive: consecutive entries of a scan. */
export interface Segment {
  entries: readonly string[]
  /** Between these, further names of files that have their content there or before. */
  links: readonly HardLink[]
  /** SHA-256 of everything that find prints of them: with the same digest they need not be read again. */
  digest: string
}

/** Average content of a segment, in bytes. */
const SEGMENT = 64 * 1024 * 1024
/** A file of this size is a segment of its own. */
const LARGE = 32 * 1024 * 1024
/** Bytes of an entry beside its content: two headers, extended attributes, padding. */
const HEADERS = 2048
/** A segment has at most so many entries, and so many links, because all of them are in memory while it is read. */
const MOST_ENTRIES = 20_000
/** Change it with every change that makes other tar bytes of the same files. */
const VERSION = 'lifeboat tar 2\n'

/**
 * Cuts a scan into segments. Whether a segment begins at an entry depends on a hash of its path, its size, and whether the file before
 * it is large, so that an added or removed entry moves no other such boundary. The probability is the size of the entry divided by that
 * of a segment. A segment of very many small files ends by their number: an entry more moves that boundary, up to the next of the others.
 */
export function* segmentsOf(entries: Iterable<ScannedEntry>): Generator<Segment, void, void> {
  let open: string[] = []
  let links: HardLink[] = []
  let afterLarge = false
  for (const { entry, target } of entries) {
    if (target !== undefined) {
      links.push({ entry, target })
      if (links.length < MOST_ENTRIES) continue
      yield segment(open, links)
      open = []
      links = []
      continue
    }
    const { size } = metaOf(entry)
    const large = size >= LARGE
    const full = open.length === MOST_ENTRIES
    if (open.length > 0 && (large || afterLarge || full || fraction(sortKeyOf(entry)) < (size + HEADERS) / SEGMENT)) {
      yield segment(open, links)
      open = []
      links = []
    }
    open.push(entry)
    afterLarge = large
  }
  if (open.length > 0 || links.length > 0) yield segment(open, links)
}

function segment(entries: readonly string[], links: readonly HardLink[]): Segment {
  const hash = createHash('sha256').update(VERSION)
  for (const entry of entries) hash.update(`${entry}\0`, 'latin1')
  return { entries, links, digest: hash.digest('hex') }
}

/**
 * A number from 0 to 1 out of the sort key of a path: 32-bit FNV-1a, whose high bits depend too little on the end of a text, and the
 * finalizer of MurmurHash3.
 */
function fraction(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
