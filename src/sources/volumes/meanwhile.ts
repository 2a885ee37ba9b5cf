import { metaOf, pathOf, sortKeyOf } from '../files/entry.ts'
import type { HardLink, ScannedEntry } from '../files/hard-links.ts'
import type { Segment } from '../files/segments.ts'
import type { ReadEntry } from './segment-reading.ts'
import { outside, severalNames, withContent, withoutFolders } from './still-there.ts'

/** Changes between the listing of a volume and the reading of one segment of it that matter for the segments after it. */
export class Meanwhile {
  /**
   * By inode: files of which a name may be another file by now, and the path of another name that got the content. If there is none yet,
   * the next one gets it; those after it become links to that.
   */
  readonly #firsts = new Map<string, string | undefined>()
  /** Entries of folders that are none any more: what was in them might be read through a link. */
  readonly #gone: string[] = []
  /** By path: the entries of files of several names that have changed, as they were read. */
  readonly #changed = new Map<string, string>()

  /** Notes how the entries of a segment were read. */
  note(entries: readonly string[], read: readonly ReadEntry[]): void {
    if (read.length === entries.length && read.every(({ entry, asListed }, index) => asListed && entry === entries[index])) return
    const asListed = new Set(read.filter((one) => one.asListed).map(({ entry }) => entry))
    for (const { entry, now, file } of read) if (now !== undefined && now !== entry) this.#changed.set(file.path, now)
    const folders = new Set(read.filter(({ file }) => file.type === 'd').map(({ entry }) => entry))
    // Even if a changed file was recognized by its names: those in later segments were not looked at.
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

  /** A link, with the properties that its file has in the archive. */
  asRead({ entry, target }: HardLink): HardLink {
    const file = this.#changed.get(target)
    return { entry: file === undefined ? entry : sortKeyOf(entry) + file.slice(file.indexOf('\0')), target }
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
