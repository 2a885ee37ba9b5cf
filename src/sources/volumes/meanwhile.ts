import { metaOf, pathOf } from '../files/entry.ts'
import type { ScannedEntry } from '../files/hard-links.ts'
import type { Segment } from '../files/segments.ts'
import type { ReadEntry } from './segment-reading.ts'
import { outside, severalNames, withContent, withoutFolders } from './still-there.ts'

/** Changes between the listing of a volume and the reading of one segment of it that matter for the segments after it. */
export class Meanwhile {
  /**
   * By inode: files of which a name was not read as it was listed, so that it may be another file by now. The other names have not changed:
   * the next of them, whose path this is, gets the content, and those after it become links to that.
   */
  readonly #firsts = new Map<string, string | undefined>()
  /** Entries of folders that are none any more: what was in them might be read through a link. */
  readonly #gone: string[] = []

  /** Notes how the entries of a segment were read. */
  note(entries: readonly string[], read: readonly ReadEntry[]): void {
    if (read.length === entries.length && read.every(({ entry, asListed }, index) => asListed && entry === entries[index])) return
    const asListed = new Set(read.filter((one) => one.asListed).map(({ entry }) => entry))
    const folders = new Set(read.filter(({ file }) => file.type === 'd').map(({ entry }) => entry))
    for (const inode of severalNames(entries.filter((entry) => !asListed.has(entry)))) this.#firsts.set(inode, undefined)
    for (const entry of entries) if (metaOf(entry).type === 'd' && !folders.has(entry)) this.#gone.push(entry)
    for (const entry of asListed) {
      const { inode } = metaOf(entry)
      if (this.#firsts.has(inode)) this.#firsts.set(inode, pathOf(entry))
    }
  }

  /** The entries, as they follow. One that ends a segment is taken before that segment is read. */
  *follow(entries: Iterable<ScannedEntry>): Generator<ScannedEntry, void, void> {
    for (const item of entries) {
      const { entry, target } = item
      const inode = target === undefined || this.#firsts.size === 0 ? '' : metaOf(entry).inode
      if (!this.#firsts.has(inode)) {
        yield item
        continue
      }
      const first = this.#firsts.get(inode)
      if (first === undefined) this.#firsts.set(inode, pathOf(entry))
      yield first === undefined ? { entry } : { entry, target: first }
    }
  }

  /** The next segment, without what was in folders that are none any more. */
  remaining(segment: Segment): Segment {
    if (this.#gone.length === 0) return segment
    const left = withoutFolders(segment, this.#gone)
    const isOutside = outside(this.#gone)
    const lost = severalNames(segment.entries.filter((entry) => !isOutside(entry)))
    for (const inode of lost) this.#firsts.set(inode, undefined)
    return { ...withContent(left, lost), digest: left.entries.length === segment.entries.length ? segment.digest : '' }
  }
}
