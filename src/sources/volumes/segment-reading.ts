import { ChildError, feed } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { ReadAgain } from '../source.ts'
import { displayName, listedEntry, type ListedFile, shownName } from '../files/file-list.ts'
import { isAlike } from '../files/compare.ts'
import type { HardLink } from '../files/hard-links.ts'
import { listedMember, nameOf } from '../files/listed-member.ts'
import type { Segment } from '../files/segments.ts'
import type { Site } from '../files/site.ts'
import { metaOf, pathOf } from '../files/entry.ts'
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
  /** The entry of the same file when it was read, of which the other names are still names. Undefined: it may be another file. */
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
    const headers = new TarHeaders((entry, head, attributes) => {
      next = this.#take(listedMember(entry, head, attributes), next)
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
    this.#readComplaints(said)
  }

  /** Compares a member of the archive with what was asked for; gives the place of the next one. */
  #take(file: ListedFile, next: number): number {
    for (let index = next; index < this.#entries.length; index++) {
      const entry = this.#entries[index]!
      // A folder may be a file or a link by now, and the reverse.
      if (pathOf(entry) !== file.path) continue
      const asListed = isAlike(listedEntry(entry), file)
      this.read.push({ entry, file, asListed, now: asListed ? entry : undefined })
      return index + 1
    }
    throw new BadTar(`tar in ${this.#site.where} wrote ${shownName(nameOf(file))}, which it was not asked for`)
  }

  /** Looks for the files of several names that have changed: their inodes tell whether they are the same. */
  async #recognize(): Promise<void> {
    const changed = this.read.filter(({ entry, file, asListed }) => !asListed && file.type === 'f' && severalNames([entry]).size > 0)
    if (changed.length === 0) return
    const entries = await listAgain(this.#site, changed.map(({ file }) => file.path), this.#signal)
    for (const one of changed) {
      const now = entries.get(one.file.path)
      if (now === undefined || !isAlike(listedEntry(now), one.file)) continue
      const { inode, links } = metaOf(one.entry)
      // With as many names as before, they are the same names.
      if (metaOf(now).inode === inode && metaOf(now).links === links) one.now = now
    }
  }

  #readComplaints(said: string): void {
    const byName = new Map<string, string>()
    if (said !== '') for (const entry of this.#entries) byName.set(toldName(memberName(entry)), entry)
    const changed = new Set<string>()
    for (const line of said.split('\n')) {
      if (line === '' || line === 'tar: Exiting with failure status due to previous errors' || /: Warning: /.test(line)) continue
      const [, name = '', what = ''] =
        /^tar: ((?:[^\\:]|\\.)+): ((?:file changed|File shrank|File removed|Cannot |Read error|read error|Unexpected end).*)$/.exec(line) ??
        []
      const entry = byName.get(name) ?? byName.get(`${name}/`)
      if (entry === undefined) throw new LifeboatError(`${this.#site.where} could not be read: ${line}`, { hint: 'GNU tar said so.' })
      if (/^(file changed|File shrank|File removed)|(No such file or directory|Not a directory)$/.test(what)) changed.add(entry)
      else this.unreadable.push(entry)
    }
    const accounted = new Set([...changed, ...this.unreadable])
    const doubtful: string[] = []
    const gone: string[] = []
    const isOutside = outside(gone)
    let inGone = false
    let place = 0
    for (const entry of this.#entries) {
      const read = this.read[place]?.entry === entry ? this.read[place++] : undefined
      if (!read && !accounted.has(entry))
        throw new BadTar(`tar in ${this.#site.where} left out ${shownName(pathOf(entry))} without a word`)
      const isLeft = isOutside(entry)
      inGone ||= read !== undefined && !isLeft
      if (read?.now !== undefined && isLeft) continue
      doubtful.push(entry)
      const { type } = metaOf(entry)
      if (read && !/^[fdlp]$/.test(read.file.type)) this.unreadable.push(entry)
      else if (read && (type === 'd') !== (read.file.type === 'd')) changed.add(entry)
      if (type === 'd' && read?.file.type !== 'd') gone.push(entry)
    }
    this.changed = [...changed].map((entry) => displayName(pathOf(entry)))
    const paths = new Set(doubtful.map((entry) => pathOf(entry)))
    const lost = severalNames(this.#links.filter(({ target }) => paths.has(target)).map(({ entry }) => entry))
    this.again = this.unreadable.length > 0 || inGone || lost.size > 0 || (changed.size > 0 && !this.#last)
    // The next attempt reads what was missing for a moment.
    if (this.#last) [this.gone, this.lost] = [gone, lost]
    if (this.again) throw new ReadAgain(`${this.#site.where} changed while it was read`)
  }
}

/** As tar writes it: directories end with a slash. */
function memberName(entry: string): string {
  const path = pathOf(entry)
  return metaOf(entry).type === 'd' ? `./${path}${path === '' ? '' : '/'}` : `./${path}`
}

/**
 * As tar's messages have a name with `--quoting-style=escape` (gnulib's quotearg, locale C): in one line, and with no colon of its own, so
 * that no name can look like a message about another file.
 */
function toldName(name: string): string {
  return name.replace(ESCAPED, (character) => `\\${ESCAPES[character] ?? character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

// oxlint-disable-next-line no-control-regex -- control characters are escaped
const ESCAPED = /[\u0000-\u001f\u007f-\u00ff\\:]/g

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  ':': ':',
  '\u0007': 'a',
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\v': 'v',
}

const FED_AT_ONCE = 1000

function* namesOf(entries: readonly string[]): Generator<Buffer, void, void> {
  for (let start = 0; start < entries.length; start += FED_AT_ONCE) {
    const names = entries.slice(start, start + FED_AT_ONCE).map((entry) => `./${pathOf(entry)}\0`)
    yield Buffer.from(names.join(''), 'latin1')
  }
}
