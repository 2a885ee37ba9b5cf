import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { oneLine } from '../../report/format.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { ArchiveStreams } from '../files/archive-streams.ts'
import { emptyFacts, MOST_NAMED, remember, type VolumeFacts } from '../files/facts.ts'
import { displayName, listedEntry, someNames } from '../files/file-list.ts'
import { linkArchive } from '../files/link-headers.ts'
import type { FileBackupSettings } from '../files/settings.ts'
import type { Site } from '../files/site.ts'
import { changedError, requireAllOf, requireUnchanged, timeAt } from './everything.ts'
import { output, requireTar } from './output.ts'
import { withoutWork } from './replacement.ts'
import { metaOf, pathOf } from '../files/entry.ts'
import { type Scan, scan } from './scan.ts'
import { SegmentReading } from './segment-reading.ts'
import { hardLinksIn, type Segment, segmentsOf } from '../files/segments.ts'
import { type Patterns, type ScannedPath, selected } from '../files/selection.ts'
import type { Json, Source, SourceStream } from '../source.ts'

export interface VolumeSourceOptions extends FileBackupSettings {
  name: string
  kind: 'directory' | 'docker'
  /** Reaches the site; `release` is awaited when the source is closed. */
  reach(signal: AbortSignal): Promise<{ site: Site; release?: () => Promise<void> }>
  patterns: Patterns
  /** Record only the numbers of owners: their names mean nothing there. */
  numericOwners: boolean
  signal: AbortSignal
  report: Report
}

const IGNORE_FILE = '.lifeboatignore'
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
    const { entries, unreadable, recent, skipped, left } = await this.#scan(site)
    if (everything) requireAllOf({ skipped, left }, site)
    const facts: VolumeFacts = { ...emptyFacts(site.where), skipped, unreadable: unreadable.slice(0, MOST_NAMED) }
    const { contents, links } = hardLinksIn(entries)
    const archive = new ArchiveStreams(this.name, facts, this.#options.rescan ? undefined : before)
    for (const segment of segmentsOf(contents)) {
      const { read, whole } = yield* this.#segment(site, segment, archive.next(segment.digest), facts)
      const certain = whole && (recent.size === 0 || !segment.entries.some((entry) => recent.has(entry)))
      archive.add(read.map(({ entry, size }) => listedEntry(entry, { size })), certain ? segment.digest : '')
    }
    if (links.length > 0) {
      facts.links = links.length
      yield { ...archive.next(), bytes: fromArray(linkArchive(links)) }
      archive.add(links.map(({ entry, target }) => listedEntry(entry, { type: 'h', size: 0, target })), '')
    }
    if (everything) await requireUnchanged(begun, site, this.#signal)
    yield archive.list()
    this.#facts = facts
    this.#warn(facts)
  }

  async measure(): Promise<number> {
    if (!this.#reached) throw new Error(`${this.name}: measured before open()`)
    const { entries } = await this.#scan(this.#reached.site)
    return hardLinksIn(entries).contents.reduce((sum, entry) => sum + metaOf(entry).size, 0)
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
  async #scan(site: Site): Promise<Omit<Scan, 'unreadable'> & { unreadable: string[] }> {
    const scanned = this.#withoutWork(await scan(site, this.#signal), site)
    const selected = await this.#select(scanned.entries, site)
    const closed = selected.filter((entry) => scanned.unreadable.has(entry))
    const unreadable = closed.map((entry) => displayName(pathOf(entry)) || '.')
    // Without the volume's own folder, nothing would be left.
    if (closed.length > 0 && (this.#options.onUnreadable === 'fail' || unreadable[0] === '.')) throw unreadableError(site, unreadable)
    return { ...scanned, entries: withoutAll(selected, closed), unreadable }
  }

  /** Before anything is selected: while a restore moves things, only a part of the selection may be there. */
  #withoutWork(scanned: Scan, site: Site): Scan {
    const { entries, left } = withoutWork(scanned, site)
    if (left.length > 0 && this.#options.everything) {
      throw new LifeboatError(`a restore works in ${site.where}, or left this when it was killed: ${someNames(left.map(displayName))}`, {
        hint: 'Wait for its end, or remove that folder.' })
    }
    if (left.length > 0) {
      this.#options.report.warning(
        `${this.name}: not in this backup, as a restore works there, or left it when it was killed: ${someNames(left.map(displayName))}`,
        'The next restore into that folder removes it; or remove it yourself.',
      )
    }
    if (metaOf(entries[0]!).type === 'd') return { ...scanned, entries }
    const hint = marked`A volume is a folder; name the one the file is in, and the file with ‹include›.`
    throw new LifeboatError(`${site.where} is not a folder`, { hint, status: 2 })
  }

  /** By the patterns of the inputs, and those of the volume itself. */
  async #select(entries: readonly string[], site: Site): Promise<string[]> {
    const { include, exclude } = this.#options.patterns
    const ignores = !this.#options.everything && entries.some((entry) => pathOf(entry) === IGNORE_FILE && 'fl'.includes(metaOf(entry).type))
    return selected(entries, candidateOf, { include, exclude: [...(ignores ? await this.#ignored(site) : []), ...exclude] })
  }

  /** Patterns of the volume's own. */
  async #ignored(site: Site): Promise<string[]> {
    try {
      // A link can lead to a pipe or a device, which would never end.
      const script = '[ -f "$1" ] || { echo "it is not a file" >&2; exit 1; }; exec cat "$1"'
      return (await output(site, 'sh', ['-euc', script, 'sh', `${site.root}/${IGNORE_FILE}`], this.#signal)).split(/\r?\n/)
    } catch (cause) {
      if (!(cause instanceof ChildError)) throw cause
      throw new LifeboatError(`${IGNORE_FILE} of ${site.where} could not be read: ${cause.exit.stderr.trim() || cause.message}`, {
        cause,
        hint: 'It has patterns of files to leave out; without it, too much would be backed up.',
      })
    }
  }

  /** Yields a segment until it was read without changes, or taken from the snapshot before. Changed files are read a second time. */
  async *#segment(
    site: Site,
    segment: Segment,
    { same, ...stream }: Omit<SourceStream, 'bytes'>,
    facts: VolumeFacts,
  ): AsyncGenerator<SourceStream, { read: SegmentReading['read']; whole: boolean }> {
    let { entries } = segment
    const options = { numeric: this.#options.numericOwners, signal: this.#signal }
    for (let attempt = 1; ; attempt++) {
      const reading = new SegmentReading(site, entries, { ...options, last: attempt >= ATTEMPTS })
      yield { ...stream, bytes: reading.bytes(), ...(same && attempt === 1 && { same }) }
      if (!reading.begun) return { read: entries.map((entry) => ({ entry, size: metaOf(entry).size })), whole: true }
      if (!reading.again) {
        if (this.#options.everything && reading.changed.length > 0) throw changedError(site, reading.changed)
        for (const path of reading.changed) remember(facts.changed, path)
        return { read: reading.read, whole: reading.changed.length === 0 && entries.length === segment.entries.length }
      }
      if (reading.unreadable.length > 0) {
        const names = reading.unreadable.map((entry) => displayName(pathOf(entry)))
        if (this.#options.onUnreadable === 'fail') throw unreadableError(site, names)
        for (const path of names) remember(facts.unreadable, path)
        entries = entries.filter((entry) => !reading.unreadable.includes(entry))
      }
    }
  }

  #warn({ changed, unreadable, skipped }: VolumeFacts): void {
    const { report } = this.#options
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

/** Without the entries that are `closed`, and everything in those that are folders. */
function withoutAll(entries: readonly string[], closed: readonly string[]): string[] {
  if (closed.length === 0) return [...entries]
  const left = new Set(closed)
  const folders = closed.filter((entry) => metaOf(entry).type === 'd').map((entry) => `${pathOf(entry)}/`)
  return entries.filter((entry) => !left.has(entry) && !folders.some((folder) => pathOf(entry).startsWith(folder)))
}

function unreadableError({ where }: Site, names: readonly string[]): LifeboatError {
  const files = names.length === 1 ? 'a file' : `${names.length} files`
  const shown = `${names.slice(0, 5).map(oneLine).join(', ')}${names.length > 5 ? ', …' : ''}`
  return new LifeboatError(`${where} has ${files} that could not be read: ${shown}`, {
    hint: marked`Run as a user who may read everything, leave it out with ‹exclude›, or set ‹on-unreadable: warn›.`,
  })
}

async function* fromArray(pieces: Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield* pieces
}
