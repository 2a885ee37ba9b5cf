import { ChildError, feed } from '../../process/child.ts'
import { ReadAgain } from '../source.ts'
import { displayName, listedEntry, type ListedFile, shownName } from '../files/file-list.ts'
import { isAlike } from '../files/compare.ts'
import type { HardLink } from '../files/hard-links.ts'
import { listedMember, nameOf } from '../files/listed-member.ts'
import { CollectedSizes } from '../files/member-sizes.ts'
import type { Segment } from '../files/segments.ts'
import type { Site } from '../files/site.ts'
import { metaOf, pathOf } from '../files/entry.ts'
import { complaintsIn } from './complaints.ts'
import { listAgain } from './scan.ts'
import { outside, severalNames } from './still-there.ts'
import { BadTar, TarHeaders } from '../files/tar-headers.ts'

/**
 * The archive of the same files is the same bytes, whoever makes it, when and where: no times but those of the content, no process id (in
 * the names of extended headers, and in those of sparse files but in this version).
 */
const CREATE = [
  '--create', '--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime', '--sparse', '--sparse-version=0.0',
  '--xattrs', '--xattrs-include=*', '--acls', '--blocking-factor=128', '--no-recursion', '--quoting-style=escape',
  // Hard links of files are separated before; a symbolic link or a pipe that has several names is kept under each of them.
  '--hard-dereference',
]

/** Bytes of the two blocks at the end of an archive. */
const END = 1024

export interface ReadEntry {
  entry: string
  /** As the archive has it: what find saw earlier may differ. */
  file: ListedFile
  asListed: boolean
  /** The entry of the same file when it was read, of which all names in this segment are still names. Undefined: it may be another file. */
  now: string | undefined
}

/** One attempt to read a segment with tar. Its fields tell how it went once `bytes` has been iterated. */
export class SegmentReading {
  readonly #site: Site
  readonly #entries: readonly string[]
  readonly #links: readonly HardLink[]
  readonly #last: boolean
  readonly #signal: AbortSignal
  /** Whether it has to be done again: without those in `unreadable` and what is in `gone`, with content for links to those in `lost`. */
  again = false
  begun = false
  /** Members of the archive. */
  readonly read: ReadEntry[] = []
  /** The sizes of these. */
  readonly sizes = new CollectedSizes()
  /** Paths that changed or vanished meanwhile, as people read them. */
  changed: string[] = []
  /** Entries whose content could not be read. */
  unreadable: string[] = []
  /** After the last attempt, entries of folders that are none any more, or not there. */
  gone: readonly string[] = []
  /** After the last attempt, inodes of the files of several names whose first may be another file by now. */
  lost: ReadonlySet<string> = new Set()

  /** In the `last` attempt what changes is recorded, no longer read again. */
  constructor(
    site: Site, { entries, links }: Pick<Segment, 'entries' | 'links'>, options: { last: boolean; numeric: boolean; signal: AbortSignal },
  ) {
    this.#site = site
    this.#entries = entries
    this.#links = links
    this.#last = options.last
    this.#signal = options.signal
    this.#numeric = options.numeric
  }

  readonly #numeric: boolean

  async *bytes(): AsyncGenerator<Buffer, void, void> {
    this.begun = true
    let next = 0
    const headers = new TarHeaders((entry, head, attributes, content) => {
      next = this.#take(listedMember(entry, head, attributes), next)
      const bytes = head.reduce((sum, piece) => sum + piece.length, 0)
      this.sizes.add(this.read.at(-1)!.file, bytes, attributes.has('GNU.sparse.size') ? { content } : undefined)
    })
    const owners = this.#numeric ? ['--numeric-owner'] : []
    const child = this.#site.start('tar', [...CREATE, ...owners, '--directory', this.#site.root, '--null', '--files-from=-', '--file=-'], {
      signal: this.#signal,
    })
    const feeding = feed(child, namesOf(this.#entries))
    let said = ''
    try {
      for await (const bytes of child.stdout) {
        const before = headers.passed
        headers.push(bytes)
        // Of the zeros to the end of tar's last record, as large as it is for the sake of fewer writes, two blocks are the end of the
        // archive.
        const end = headers.zerosAt === undefined ? bytes.length : headers.zerosAt + END - before
        if (end > 0) yield end < bytes.length ? bytes.subarray(0, end) : bytes
      }
    } catch (error) {
      if (!(error instanceof ChildError) || error.exit.status === null || error.exit.failure) throw error
      said = error.exit.stderr
      if (said === '') throw error
    } finally {
      await feeding
    }
    headers.end()
    await this.#recognize()
    this.#judge(said)
  }

  /** Compares a member of the archive with what was asked for; gives the place of the next one. */
  #take(file: ListedFile, next: number): number {
    for (let index = next; index < this.#entries.length; index++) {
      const entry = this.#entries[index]!
      // A folder may be a file or a link by now, and the reverse.
      if (pathOf(entry) !== file.path) continue
      const listed = listedEntry(entry)
      const asListed = isAlike(listed, file)
      // The equal one, of which nothing keeps the headers in memory.
      this.read.push({ entry, file: asListed ? listed : file, asListed, now: asListed ? entry : undefined })
      return index + 1
    }
    throw new BadTar(`tar in ${this.#site.where} wrote ${shownName(nameOf(file))}, which it was not asked for`)
  }

  /**
   * Looks for the files of several names that have changed: the inodes of all their names tell whether these are the same. If some are not
   * in this segment, that is not known.
   */
  async #recognize(): Promise<void> {
    const changed = this.read.filter(({ entry, file, asListed }) => !asListed && file.type === 'f' && severalNames([entry]).size > 0)
    if (changed.length === 0) return
    const names = new Map(changed.map(({ file }) => [file.path, [file.path]]))
    for (const { entry, target } of this.#links) names.get(target)?.push(pathOf(entry))
    const entries = await listAgain(this.#site, [...names.values()].flat(), this.#signal)
    for (const one of changed) {
      const now = entries.get(one.file.path)
      if (now === undefined || !isAlike(listedEntry(now), one.file)) continue
      const { inode, links } = metaOf(one.entry)
      const same = names.get(one.file.path)!.filter((name) => entries.has(name) && metaOf(entries.get(name)!).inode === inode)
      if (same.length === links) one.now = now
    }
  }

  /** Decides whether it has to be done again. `said`: the messages of tar. */
  #judge(said: string): void {
    const told = complaintsIn(said, this.#entries, this.#site.where)
    const { missing, special, exchanged, gone, inGone, doubtful } = differences(this.#entries, this.read)
    const accounted = new Set([...told.changed, ...told.unreadable])
    const unaccounted = missing.find((entry) => !accounted.has(entry))
    if (unaccounted !== undefined)
      throw new BadTar(`tar in ${this.#site.where} left out ${shownName(pathOf(unaccounted))} without a word`)
    this.unreadable = [...told.unreadable, ...special]
    this.changed = [...new Set([...told.changed, ...exchanged])].map((entry) => displayName(pathOf(entry)))
    const paths = new Set(doubtful.map(pathOf))
    const lost = severalNames(this.#links.filter(({ target }) => paths.has(target)).map(({ entry }) => entry))
    this.again = this.unreadable.length > 0 || inGone || lost.size > 0 || (this.changed.length > 0 && !this.#last)
    // The next attempt reads what was missing for a moment.
    if (this.#last) [this.gone, this.lost] = [gone, lost]
    if (this.again) throw new ReadAgain(`${this.#site.where} changed while it was read`)
  }
}

/** Entries of a segment that were not read as they were listed. */
export interface ReadDifferences {
  missing: string[]
  /** Devices and sockets by now, which no archive has. */
  special: string[]
  /** Folders that are none any more, and the reverse. */
  exchanged: string[]
  /** Folders that are none any more, or not there. */
  gone: string[]
  /** Whether something was read in these, through a link. */
  inGone: boolean
  /** Those that may be other files by now, or are not there. */
  doubtful: string[]
}

/** Compares the entries of a segment with those of them that were read, in the same order. */
export function differences(entries: readonly string[], read: readonly Pick<ReadEntry, 'entry' | 'file' | 'now'>[]): ReadDifferences {
  const found: ReadDifferences = { missing: [], special: [], exchanged: [], gone: [], inGone: false, doubtful: [] }
  const isOutside = outside(found.gone)
  let place = 0
  for (const entry of entries) {
    const one = read[place]?.entry === entry ? read[place++] : undefined
    const isLeft = isOutside(entry)
    found.inGone ||= one !== undefined && !isLeft
    if (one?.now !== undefined && isLeft) continue
    found.doubtful.push(entry)
    const wasFolder = metaOf(entry).type === 'd'
    const isFolder = one?.file.type === 'd'
    if (!one) found.missing.push(entry)
    else if (!/^[fdlp]$/.test(one.file.type)) found.special.push(entry)
    else if (wasFolder !== isFolder) found.exchanged.push(entry)
    if (wasFolder && !isFolder) found.gone.push(entry)
  }
  return found
}

const FED_AT_ONCE = 1000

function* namesOf(entries: readonly string[]): Generator<Buffer, void, void> {
  for (let start = 0; start < entries.length; start += FED_AT_ONCE) {
    const names = entries.slice(start, start + FED_AT_ONCE).map((entry) => `./${pathOf(entry)}\0`)
    yield Buffer.from(names.join(''), 'latin1')
  }
}
