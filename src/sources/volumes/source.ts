import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { oneLine } from '../../report/format.ts'
import type { Report } from '../../report/report.ts'
import type { SourceRecord, StreamRecord } from '../../repository/snapshot.ts'
import { type VolumeFacts, volumeFacts } from '../files/facts.ts'
import { displayName, encodeFile, Lines } from '../files/file-list.ts'
import { linkArchive } from '../files/link-headers.ts'
import type { Place } from './place.ts'
import { output, requireTar } from './output.ts'
import { withoutWork } from './replacement.ts'
import { metaOf, pathOf, type Scan, scan } from './scan.ts'
import { SegmentReading } from './segment-reading.ts'
import { hardLinksIn, type HardLink, type Segment, segmentsOf } from '../files/segments.ts'
import { type Patterns, selected } from '../files/selection.ts'
import type { Json, Source, SourceStream } from '../source.ts'

export interface VolumeSourceOptions {
  name: string
  kind: 'directory' | 'docker'
  /** Reaches the place; `release` is awaited when the source is closed. */
  reach(signal: AbortSignal): Promise<{ place: Place; release?: () => Promise<void> }>
  patterns: Patterns
  /** What to do about files that this user may not read. */
  onUnreadable: 'fail' | 'warn'
  /** Read everything, whatever it looks like from outside. */
  rescan: boolean
  /** Keep the owners' numbers alone: their names mean nothing there. */
  numericOwners: boolean
  signal: AbortSignal
  report: Report
}

const IGNORE_FILE = '.lifeboatignore'
/** As many paths as anyone reads; the counts are whole. */
export const MOST_NAMED = 1000
const ATTEMPTS = 2

/** A folder as a tar, in segments `<name>.00001.tar`…, and `<name>.list`, which says what is in them. */
export class VolumeSource implements Source {
  readonly name: string
  readonly kind: VolumeSourceOptions['kind']
  readonly #options: VolumeSourceOptions
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  #reached: { place: Place; release?: () => Promise<void> } | undefined
  #facts: VolumeFacts | undefined

  constructor(options: VolumeSourceOptions) {
    this.name = options.name
    this.kind = options.kind
    this.#options = options
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal])
  }

  async open(): Promise<void> {
    this.#reached = await this.#options.reach(this.#signal)
    await requireTar(this.#reached.place, this.#signal)
  }

  async *streams(before?: SourceRecord): AsyncGenerator<SourceStream> {
    if (!this.#reached) throw new Error(`${this.name}: streams are asked for before open()`)
    const { place } = this.#reached
    const { entries, unreadable, recent, skipped } = await this.#scan(place)
    const facts: VolumeFacts = { where: place.where, entries: 0, files: 0, bytes: 0, links: 0, skipped, changed: [], unreadable: unreadable.slice(0, MOST_NAMED), segments: [] }
    const list = new Lines()
    const { contents, links } = hardLinksIn(entries)
    const known = this.#options.rescan ? new Map<string, StreamRecord>() : knownSegments(before)
    for (const segment of segmentsOf(contents)) {
      const name = this.#streamName(facts)
      const settled = yield* this.#segment(place, segment, name, known.get(segment.digest), facts)
      list.add(settled.read.map(({ entry, size }) => listed(entry, size, facts)))
      const certain = settled.whole && (recent.size === 0 || !segment.entries.some((entry) => recent.has(entry)))
      facts.segments.push({ entries: settled.read.length, digest: certain ? segment.digest : '' })
    }
    if (links.length > 0) {
      facts.links = links.length
      yield { name: this.#streamName(facts), format: 'tar', bytes: fromArray(linkArchive(links)) }
      list.add(links.map((link) => listed(link.entry, 0, facts, link)))
      facts.segments.push({ entries: links.length, digest: '' })
    }
    yield { name: `${this.name}.list`, format: 'tar-list', bytes: list.bytes() }
    this.#facts = facts
    this.#warn(facts)
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

  /** What is there and meant, with what may not be read left out. */
  async #scan(place: Place): Promise<Omit<Scan, 'unreadable'> & { unreadable: string[] }> {
    const { patterns, onUnreadable, report } = this.#options
    const scanned = await scan(place, this.#signal)
    // Before anything is chosen: while things are moved, what is meant may be there in part.
    const { entries, left } = withoutWork(scanned, place)
    if (left.length > 0) report.warning(`${this.name}: not in this backup, as a restore works there, or left it when it was killed: ${some(left.map(displayName))}`, 'The next restore into that folder removes it; or remove it yourself.')
    const found = { ...scanned, entries }
    if (metaOf(found.entries[0]!).type !== 'd') throw new LifeboatError(`${place.where} is not a folder`, { hint: 'A volume is a folder; name the one the file is in, and the file with include.', status: 2 })
    const ignoreFile = found.entries.find((entry) => pathOf(entry) === IGNORE_FILE && 'fl'.includes(metaOf(entry).type))
    const exclude = [...(ignoreFile === undefined ? [] : await this.#ignored(place)), ...patterns.exclude]
    const meant = selected(found.entries, (entry) => ({ path: displayName(pathOf(entry)), directory: metaOf(entry).type === 'd' }), { ...patterns, exclude })
    const closed = meant.filter((entry) => found.unreadable.has(entry))
    if (closed.length === 0) return { ...found, entries: meant, unreadable: [] }
    const names = closed.map((entry) => displayName(pathOf(entry)) || '.')
    if (onUnreadable === 'fail' || names[0] === '.') throw unreadableError(place, names)
    const folders = closed.filter((entry) => metaOf(entry).type === 'd').map((entry) => `${pathOf(entry)}/`)
    return { ...found, entries: meant.filter((entry) => !found.unreadable.has(entry) && !folders.some((folder) => pathOf(entry).startsWith(folder))), unreadable: names }
  }

  /** Patterns of the volume's own. */
  async #ignored(place: Place): Promise<string[]> {
    try {
      // A link can lead to a pipe or a device, which would never end.
      const script = '[ -f "$1" ] || { echo "it is not a file" >&2; exit 1; }; exec cat "$1"'
      return (await output(place, 'sh', ['-euc', script, 'sh', `${place.root}/${IGNORE_FILE}`], this.#signal)).split(/\r?\n/)
    } catch (cause) {
      if (!(cause instanceof ChildError)) throw cause
      throw new LifeboatError(`${IGNORE_FILE} of ${place.where} could not be read: ${cause.exit.stderr.trim() || cause.message}`, { cause, hint: 'It says what to leave out; without it more would be backed up than is meant.' })
    }
  }

  /** Yields a segment until it has been read well, or taken from the snapshot before; what changes is read a second time. */
  async *#segment(place: Place, segment: Segment, name: string, same: StreamRecord | undefined, facts: VolumeFacts): AsyncGenerator<SourceStream, { read: SegmentReading['read']; whole: boolean }> {
    let { entries } = segment
    const options = { numeric: this.#options.numericOwners, signal: this.#signal }
    for (let attempt = 1; ; attempt++) {
      const reading = new SegmentReading(place, entries, { ...options, last: attempt >= ATTEMPTS })
      yield { name, format: 'tar', bytes: reading.bytes(), ...(same && attempt === 1 && { same }) }
      if (!reading.begun) return { read: entries.map((entry) => ({ entry, size: metaOf(entry).size })), whole: true }
      if (!reading.again) {
        for (const path of reading.changed) if (facts.changed.length < MOST_NAMED) facts.changed.push(path)
        return { read: reading.read, whole: reading.changed.length === 0 && entries.length === segment.entries.length }
      }
      if (reading.unreadable.length > 0) {
        const names = reading.unreadable.map((entry) => displayName(pathOf(entry)))
        if (this.#options.onUnreadable === 'fail') throw unreadableError(place, names)
        for (const path of names) if (facts.unreadable.length < MOST_NAMED) facts.unreadable.push(path)
        entries = entries.filter((entry) => !reading.unreadable.includes(entry))
      }
    }
  }

  #streamName({ segments }: VolumeFacts): string {
    return `${this.name}.${String(segments.length + 1).padStart(5, '0')}.tar`
  }

  #warn({ changed, unreadable, skipped }: VolumeFacts): void {
    const { report } = this.#options
    if (unreadable.length > 0) report.warning(`${this.name}: not in this backup, as they could not be read: ${some(unreadable)}`, 'Run as a user who may read them, or name them in exclude.')
    if (changed.length > 0) report.warning(`${this.name}: these changed or vanished while they were read, twice: ${some(changed)}`, 'Back up while nothing writes there: pre-command, post-command and stop-containers are for that.')
    if (skipped.sockets + skipped.devices > 0) report.info(`${this.name}: ${skipped.sockets} sockets and ${skipped.devices} devices are left out`)
  }
}

export function some(paths: readonly string[]): string {
  return paths.slice(0, 5).map(oneLine).join(', ') + (paths.length > 5 ? ` and ${paths.length - 5} more` : '')
}

function unreadableError(place: Place, names: readonly string[]): LifeboatError {
  return new LifeboatError(`${place.where} has ${names.length === 1 ? 'a file' : `${names.length} files`} that could not be read: ${names.slice(0, 5).map(oneLine).join(', ')}${names.length > 5 ? ', …' : ''}`, {
    hint: 'Run as a user who may read everything, leave it out with exclude, or set on-unreadable to warn.',
  })
}

/** The segments of the snapshot before, by their digests. */
export function knownSegments(before: SourceRecord | undefined): Map<string, StreamRecord> {
  const facts = volumeFacts.safeParse(before?.facts).data
  const archives = before?.streams.filter(({ format }) => format === 'tar') ?? []
  const known = new Map<string, StreamRecord>()
  if (facts?.segments.length !== archives.length) return known
  for (const [index, { digest }] of facts.segments.entries()) if (digest !== '') known.set(digest, archives[index]!)
  return known
}

/** The line of the list for a member of the archive, which it counts as well. */
function listed(entry: string, size: number, facts: VolumeFacts, link?: HardLink): string {
  const { type, mode, uid, gid, mtime, target } = metaOf(entry)
  facts.entries++
  if (type === 'f' && !link) facts.files++
  facts.bytes += size
  return encodeFile({ type: link ? 'h' : type, mode, uid: Number(uid), gid: Number(gid), size, mtime, path: pathOf(entry), target: link?.target ?? target })
}

async function* fromArray(pieces: Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield* pieces
}
