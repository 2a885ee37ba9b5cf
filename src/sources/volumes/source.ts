import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { ArchiveStreams } from '../files/archive-streams.ts'
import { emptyFacts, remember, type VolumeFacts } from '../files/facts.ts'
import { displayName, listedEntry, someNames } from '../files/file-list.ts'
import { type HardLink, HardLinks, NamesOfFiles, type ScannedEntry } from '../files/hard-links.ts'
import { countLeftOut, ignoreFileChange, ignoreFileExclusions, ignoreFileFacts } from '../files/left-out.ts'
import { linkArchive, listedLinks } from '../files/link-headers.ts'
import { CollectedSizes } from '../files/member-sizes.ts'
import type { FileBackupSettings } from '../files/settings.ts'
import type { Site } from '../files/site.ts'
import { changedError, requireAllOf, requireUnchanged, timeAt } from './everything.ts'
import { Meanwhile } from './meanwhile.ts'
import { output, requireTar } from './output.ts'
import { workIn } from './replacement.ts'
import { isIn, metaOf, pathOf, sortKeyOf } from '../files/entry.ts'
import { type Scan, scan } from './scan.ts'
import { severalNames, withContent, withoutFolders } from './still-there.ts'
import { type ReadEntry, SegmentReading } from './segment-reading.ts'
import { type Segment, segmentsOf } from '../files/segments.ts'
import { canMatchIn, type Patterns, type ScannedPath, selecting } from '../files/selection.ts'
import { ChosenTexts, inTurns } from '../files/sorted-texts.ts'
import type { Json, Source, SourceStream } from '../source.ts'

export interface VolumeSourceOptions extends FileBackupSettings {
  name: string
  kind: 'directory' | 'docker'
  /** Reaches the site; `release` is awaited when the source is closed. */
  reach(signal: AbortSignal): Promise<{ site: Site; release?: () => Promise<void> }>
  patterns: Patterns
  /** Patterns of the stores in the volume, which are left out. Default: none. */
  stores?: readonly string[]
  /** Record only the numbers of owners: their names mean nothing there. */
  numericOwners: boolean
  signal: AbortSignal
  report: Report
}

/** An entry, and its place in the scan. */
interface Placed {
  entry: string
  place: number
}

type Chosen = Pick<VolumeFacts, 'patterns' | 'ignoreFile' | 'leftOut'>

/** Files and folders that cannot be read: their number, and the names of some. */
interface Unreadable {
  count: number
  names: string[]
}

const IGNORE_FILE = '.lifeboatignore'
/**
 * Reads $1 of the folder $0: not through a link, even one that is put there meanwhile, because lines of the file are told by `show`; nor
 * from a pipe or a device, which would never end.
 */
const READ_IGNORED = String.raw`
[ ! -L "$0/$1" ] || { echo 'it is a symbolic link, which is not followed' >&2; exit 1; }
[ -f "$0/$1" ] || { echo 'it is not a file' >&2; exit 1; }
exec 3<"$0/$1"
same=$(find -H "$0" -maxdepth 1 -name "$1" -type f -samefile /dev/fd/3 -printf .)
[ "$same" = . ] || { echo 'it changed while it was read' >&2; exit 1; }
exec cat <&3
`
const ATTEMPTS = 2

/** A folder as a tar, in segments `<name>.00001.tar`…, and `<name>.list`, which lists their members. */
export class VolumeSource implements Source {
  readonly name: string
  readonly kind: VolumeSourceOptions['kind']
  readonly #options: VolumeSourceOptions
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  #reached: { site: Site; release?: () => Promise<void> } | undefined
  #facts: VolumeFacts | undefined

  constructor(options: VolumeSourceOptions) {
    this.name = options.name
    this.kind = options.kind
    this.#options = options
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal])
  }

  async open(): Promise<void> {
    this.#reached = await this.#options.reach(this.#signal)
    await requireTar(this.#reached.site, this.#signal)
  }

  async *streams(before?: SourceRecord): AsyncGenerator<SourceStream> {
    if (!this.#reached) throw new Error(`${this.name}: streams are asked for before open()`)
    const { site } = this.#reached
    const { everything = false } = this.#options
    const begun = everything ? await timeAt(site, this.#signal) : ''
    const { entries, unreadable, skipped, left, chosen } = await this.#scan(site)
    if (everything) requireAllOf({ skipped, left }, site)
    const facts: VolumeFacts = { ...emptyFacts(site.where), ...chosen, skipped, unreadable: unreadable.names }
    const links = new HardLinks()
    const archive = new ArchiveStreams(this.name, facts, this.#options.rescan ? undefined : before)
    const meanwhile = new Meanwhile()
    for (const cut of segmentsOf(meanwhile.follow(entries))) {
      const segment = meanwhile.remaining(cut)
      const { read, links: others, whole, sizes } = segment.entries.length === 0
        ? { read: [], links: segment.links, whole: false }
        : yield* this.#segment(site, segment, archive.next(segment.digest), facts)
      const certain = whole && !segment.entries.some((entry) => metaOf(entry).recent)
      if (segment.entries.length > 0) {
        const files = read.map(({ file }) => file)
        await archive.add(files, certain ? segment.digest : '', sizes)
      }
      meanwhile.note(segment.entries, read)
      await inTurns(others, (link) => links.add(meanwhile.asRead(link)))
    }
    if (links.count > 0) {
      facts.links = links.count
      const sizes = new CollectedSizes()
      yield { ...archive.next(), bytes: fromArray(linkArchive(links, sizes)) }
      await archive.add(listedLinks(links), '', sizes)
    }
    if (everything) await requireUnchanged(begun, site, this.#signal)
    yield archive.list()
    this.#facts = facts
    this.#warn(facts, before)
  }

  async measure(): Promise<number> {
    if (!this.#reached) throw new Error(`${this.name}: measured before open()`)
    const { entries } = await this.#scan(this.#reached.site)
    let size = 0
    await inTurns(entries, ({ entry, target }) => {
      if (target === undefined) size += metaOf(entry).size
    })
    return size
  }

  facts(): Json {
    if (!this.#facts) throw new Error(`${this.name}: facts are asked for before all streams have ended`)
    return this.#facts satisfies Json
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const release = this.#reached?.release
    this.#reached = undefined
    await release?.()
  }

  /** The entries to back up. Unreadable ones are left out, with all that is in them, or are an error. */
  async #scan(site: Site): Promise<Omit<Scan, 'entries'> & { entries: Iterable<ScannedEntry>; unreadable: Unreadable; chosen: Chosen }> {
    const { entries, ...scanned } = await scan(site, this.#signal)
    requireFolder(entries, site)
    const { include, exclude } = this.#options.patterns
    const ignoreFile = this.#options.everything ? undefined : ignoreFileType(entries)
    if (ignoreFile === 'd' || ignoreFile === 'p') this.#warnOfNoPatterns(ignoreFile)
    const ignored = ignoreFile === 'f' || ignoreFile === 'l' ? await this.#ignored(site) : []
    const exclusions = [...ignoreFileExclusions(ignored), ...exclude,
      ...(this.#options.stores ?? []).map((pattern) => ({ pattern, mark: 'store' as const }))]
    const leftOut: NonNullable<VolumeFacts['leftOut']> = {}
    const work = new Set<string>()
    const unreadable: Unreadable = { count: 0, names: [] }
    const kept = new ChosenTexts(entries)
    const names = new NamesOfFiles()
    const isWork = workIn(site, work)
    const isReadable = readable(unreadable)
    const select = selecting(({ entry }: Placed) => candidateOf(entry), { include, exclude: exclusions }, ({ entry }, by) => {
      const meta = metaOf(entry)
      // Nobody knows what is in it; `include` may select some of that.
      const isWanted = by === 'include' && meta.type === 'd' && meta.unreadable && canMatchIn(candidateOf(entry).path, include)
      if (!isWanted || isReadable(entry)) countLeftOut(leftOut, by, meta)
    })
    const keep = ({ entry, place }: Placed): void => {
      if (!isReadable(entry)) return
      kept.choose(place)
      names.add(entry)
    }
    let place = 0
    await inTurns(entries, (entry) => {
      const placed = { entry, place: place++ }
      // Work before the patterns: while a restore moves things, only a part of the selection may be there.
      if (!isWork(entry)) for (const one of select(placed)) keep(one)
    })
    if (work.size > 0) this.#warnOfWork([...work].map(displayName), site)
    // Without the volume's own folder, nothing would be left.
    if (unreadable.count > 0 && (this.#options.onUnreadable === 'fail' || unreadable.names[0] === '.'))
      throw unreadableError(site, unreadable)
    const patterns = { include: [...include], exclude: [...exclude] }
    return { ...scanned, entries: await names.targeting(kept), unreadable, chosen: { patterns, ...ignoreFileFacts(ignored), leftOut } }
  }

  #warnOfWork(folders: readonly string[], { where }: Site): void {
    if (this.#options.everything) {
      throw new LifeboatError(`a restore works in ${where}, or left this when it was killed: ${someNames(folders)}`, {
        hint: 'Wait for its end, or remove that folder.' })
    }
    this.#options.report.warning(
      `${this.name}: not in this backup, as a restore works there, or left it when it was killed: ${someNames(folders)}`,
      'The next restore into that folder removes it; or remove it yourself.',
    )
  }

  #warnOfNoPatterns(type: 'd' | 'p'): void {
    this.#options.report.warning(
      `${this.name}: ${IGNORE_FILE} is a ${type === 'd' ? 'folder' : 'pipe'}, and leaves nothing out`,
      'Put a file with patterns in its place, or remove it. Docker makes a folder where the file of a mount is missing.',
    )
  }

  /** Patterns of the volume's own. */
  async #ignored(site: Site): Promise<string[]> {
    try {
      return (await output(site, 'sh', ['-euc', READ_IGNORED, site.root, IGNORE_FILE], this.#signal)).split(/\r?\n/)
    } catch (cause) {
      if (!(cause instanceof ChildError)) throw cause
      throw new LifeboatError(`${IGNORE_FILE} of ${site.where} could not be read: ${cause.exit.stderr.trim() || cause.message}`, {
        cause,
        hint: 'It has patterns of files to leave out; without it, too much would be backed up. Put a file there, or remove it.',
      })
    }
  }

  /**
   * Yields a segment until it was read without changes, or taken from the snapshot before. Changed files are read a second time. Gives what
   * was read, and the links that are left; no sizes if it was taken from there.
   */
  async *#segment(
    site: Site,
    segment: Segment,
    { same, ...stream }: Omit<SourceStream, 'bytes'>,
    facts: VolumeFacts,
  ): AsyncGenerator<SourceStream, { read: readonly ReadEntry[]; links: readonly HardLink[]; whole: boolean; sizes?: CollectedSizes }> {
    let left: Pick<Segment, 'entries' | 'links'> = segment
    const parted = new Set<string>()
    const options = { numeric: this.#options.numericOwners, signal: this.#signal }
    for (let attempt = 1; ; attempt++) {
      const reading = new SegmentReading(site, left, { ...options, last: attempt >= ATTEMPTS })
      yield { ...stream, bytes: reading.bytes(), ...(same && attempt === 1 && { same }) }
      if (!reading.begun) {
        const read = left.entries.map((entry) => ({ entry, file: listedEntry(entry), asListed: true, now: entry }))
        return { read, links: left.links, whole: true }
      }
      const { read, gone, lost } = reading
      for (const folder of gone) rememberOnce(facts.changed, displayName(pathOf(folder)))
      if (gone.length > 0) left = withoutFolders(left, gone)
      if (!reading.again) {
        if (this.#options.everything && reading.changed.length > 0) throw changedError(site, reading.changed)
        // A file of several names that has changed: the others may come back as files of their own.
        const doubtful = read.filter(({ entry, now }) => now === undefined && severalNames([entry]).size > 0)
        for (const path of [...reading.changed, ...doubtful.map(({ file }) => displayName(file.path))]) rememberOnce(facts.changed, path)
        const asListed = read.length === segment.entries.length && read.every((one) => one.asListed)
        return { read, links: left.links, whole: asListed && reading.changed.length === 0, sizes: reading.sizes }
      }
      if (reading.unreadable.length > 0) {
        const names = reading.unreadable.map((entry) => displayName(pathOf(entry)))
        if (this.#options.onUnreadable === 'fail') throw unreadableError(site, { count: names.length, names })
        for (const path of names) remember(facts.unreadable, path)
        const unreadable = new Set(reading.unreadable)
        left = { ...left, entries: left.entries.filter((entry) => !unreadable.has(entry)) }
      }
      const without = new Set([...lost, ...severalNames(reading.unreadable)])
      left = withContent(left, without, parted)
      for (const inode of without) parted.add(inode)
    }
  }

  #warn(facts: VolumeFacts, before: SourceRecord | undefined): void {
    const { changed, unreadable, skipped } = facts
    const { report } = this.#options
    const change = ignoreFileChange(before, facts)
    if (change !== undefined)
      report.warning(
        `${this.name}: ${change}`,
        marked`Every program that may write into the volume can leave out files in this way. ‹lifeboat show› with ‹set› has the ` +
          'patterns. If this is not expected, remove the file and back up again.',
      )
    if (unreadable.length > 0)
      report.warning(
        `${this.name}: not in this backup, as they could not be read: ${someNames(unreadable)}`,
        marked`Run as a user who may read them, or name them in ‹exclude›.`,
      )
    if (changed.length > 0)
      report.warning(
        `${this.name}: these changed or vanished while they were read, twice: ${someNames(changed)}`,
        marked`Back up while nothing writes there: ‹pre-command›, ‹post-command› and ‹stop-containers› are for that.`,
      )
    if (skipped.sockets + skipped.devices > 0)
      report.info(`${this.name}: ${skipped.sockets} sockets and ${skipped.devices} devices are left out`)
  }
}

function candidateOf(entry: string): ScannedPath {
  return { path: displayName(pathOf(entry)), directory: metaOf(entry).type === 'd' }
}

function requireFolder(entries: Iterable<string>, { where }: Site): void {
  const [root] = entries
  if (metaOf(root!).type === 'd') return
  const hint = marked`A volume is a folder; name the one the file is in, and the file with ‹include›.`
  throw new LifeboatError(`${where} is not a folder`, { hint, status: 2 })
}

/** As find prints it; undefined if there is none. */
function ignoreFileType(entries: Iterable<string>): string | undefined {
  for (const entry of entries) {
    if (entry.startsWith(`${IGNORE_FILE}\0`)) return metaOf(entry).type
    if (entry > IGNORE_FILE) return undefined
  }
  return undefined
}

/** Whether an entry can be read: not if it is in a folder that cannot. To be asked in their order. Adds to `unreadable`. */
function readable(unreadable: Unreadable): (entry: string) => boolean {
  let closed: string | undefined
  let key: string | undefined
  return (entry) => {
    // A file system may list a name twice while others are exchanged.
    const previous = key
    key = sortKeyOf(entry)
    if (key === previous || (closed !== undefined && isIn(entry, closed))) return false
    const meta = metaOf(entry)
    if (!meta.unreadable) return true
    unreadable.count++
    remember(unreadable.names, displayName(pathOf(entry)) || '.')
    closed = meta.type === 'd' ? entry : undefined
    return false
  }
}

function rememberOnce(paths: string[], path: string): void {
  if (!paths.includes(path)) remember(paths, path)
}

/** With a zero at its end, and `./` before it (PATH_MAX of Linux). */
const LONGEST_PATH = 4096 - 3

function unreadableError({ where }: Site, { count, names }: Unreadable): LifeboatError {
  const files = count === 1 ? 'a file' : `${count} files`
  const tooLong = names.some((name) => Buffer.byteLength(name) > LONGEST_PATH)
  return new LifeboatError(`${where} has ${files} that could not be read: ${someNames(names)}`, {
    hint: tooLong ? 'Paths of more than 4,096 bytes cannot be opened: move such files, ' +
      marked`leave them out with ‹exclude›, or set ‹on-unreadable: warn›.`
      : marked`Run as a user who may read everything, leave it out with ‹exclude›, or set ‹on-unreadable: warn›.`,
  })
}

async function* fromArray(pieces: Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield* pieces
}
