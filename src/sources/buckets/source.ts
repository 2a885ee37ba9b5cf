import { LifeboatError } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import type { BucketAccess, BucketObject } from './bucket.ts'
import { entriesOf, entryOf, etagOf, isObjectEntry, keyOf, listedObject } from './entries.ts'
import { BucketReading } from './reading.ts'
import { ArchiveStreams } from '../files/archive-streams.ts'
import { emptyFacts, remember, type VolumeFacts } from '../files/facts.ts'
import { displayName, someNames } from '../files/file-list.ts'
import { metaOf, pathOf } from '../files/entry.ts'
import { countLeftOut } from '../files/left-out.ts'
import type { CollectedSizes } from '../files/member-sizes.ts'
import { type Segment, segmentsOf } from '../files/segments.ts'
import { type Patterns, type ScannedPath, selected } from '../files/selection.ts'
import type { FileBackupSettings } from '../files/settings.ts'
import type { Json, Source, SourceStream } from '../source.ts'

export interface BucketSourceOptions extends FileBackupSettings {
  name: string
  /** For people, without secrets. */
  where: string
  open(signal: AbortSignal): Promise<BucketAccess>
  patterns: Patterns
  signal: AbortSignal
  report: Report
}

/** Attempts to read an object in pieces that changes meanwhile. */
const ATTEMPTS = 2

/** The objects of a bucket as a tar, in segments `<name>.00001.tar`…, and `<name>.list`, which lists their members. */
export class BucketSource implements Source {
  readonly name: string
  readonly kind = 'bucket'
  readonly #options: BucketSourceOptions
  readonly #closing = new AbortController()
  #bucket: BucketAccess | undefined
  #facts: VolumeFacts | undefined

  constructor(options: BucketSourceOptions) {
    this.name = options.name
    this.#options = options
  }

  async open(): Promise<void> {
    this.#bucket = await this.#options.open(AbortSignal.any([this.#options.signal, this.#closing.signal]))
    await this.#bucket.list(1).next()
  }

  async *streams(before?: SourceRecord): AsyncGenerator<SourceStream> {
    const bucket = this.#bucket
    if (!bucket) throw new Error(`${this.name}: streams are asked for before open()`)
    const { where, patterns, rescan } = this.#options
    const facts: VolumeFacts = { ...emptyFacts(where), patterns: { include: [...patterns.include], exclude: [...patterns.exclude] } }
    const leftOut = facts.leftOut = {}
    const archive = new ArchiveStreams(this.name, facts, rescan ? undefined : before)
    for (const segment of segmentsOf((await this.#entries(bucket, leftOut)).map((entry) => ({ entry })))) {
      const { read, sizes } = yield* this.#segment(bucket, segment, archive.next(segment.digest), facts)
      const certain =
        read.length === segment.entries.length &&
        read.every((entry, index) => entry === segment.entries[index] && (!isObjectEntry(entry) || etagOf(entry) !== ''))
      await archive.add(read.map(listedObject), certain ? segment.digest : '', sizes)
    }
    const { changed } = facts
    if (this.#options.everything && changed.length > 0) {
      throw new LifeboatError(`something writes in ${where}: these vanished or kept changing while they were read: ${someNames(changed)}`, {
        hint: marked`Stop it first; ‹pre-command› and ‹post-command› can do that.` })
    }
    yield archive.list()
    this.#facts = facts
    this.#warn(facts)
  }

  async measure(): Promise<number> {
    if (!this.#bucket) throw new Error(`${this.name}: measured before open()`)
    return (await this.#entries(this.#bucket)).reduce((sum, entry) => sum + metaOf(entry).size, 0)
  }

  facts(): Json {
    if (!this.#facts) throw new Error(`${this.name}: facts are asked for before all streams have ended`)
    return this.#facts satisfies Json
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#bucket?.close()
  }

  /** Counts in `leftOut` what the patterns leave out. */
  async #entries(bucket: BucketAccess, leftOut: NonNullable<VolumeFacts['leftOut']> = {}): Promise<string[]> {
    const objects: BucketObject[] = []
    for await (const object of bucket.list()) objects.push(object)
    const { patterns } = this.#options
    return [...selected(entriesOf(objects), candidateOf, patterns, (entry, by) => countLeftOut(leftOut, by, metaOf(entry)))]
  }

  /** Yields a segment until it was read without changes, or taken from the snapshot before: then it gives no sizes. */
  async *#segment(
    bucket: BucketAccess,
    segment: Segment,
    { same, ...stream }: Omit<SourceStream, 'bytes'>,
    facts: VolumeFacts,
  ): AsyncGenerator<SourceStream, { read: readonly string[]; sizes?: CollectedSizes }> {
    let { entries } = segment
    const begun = new Map<string, number>()
    for (let attempt = 1; ; attempt++) {
      const reading = new BucketReading(bucket, entries)
      yield { ...stream, bytes: reading.bytes(), ...(same && attempt === 1 && { same }) }
      if (!reading.begun) return { read: entries }
      if (reading.broken === undefined) {
        this.#leaveOut(bucket, reading, facts)
        return { read: reading.read, sizes: reading.sizes }
      }
      const [broken, key] = [reading.broken, keyOf(reading.broken)]
      begun.set(key, (begun.get(key) ?? 0) + 1)
      const now = begun.get(key)! < ATTEMPTS ? await bucket.look(key) : undefined
      if (now === undefined) remember(facts.changed, nameOf(broken))
      entries = entries.flatMap((entry) => (entry !== broken ? [entry] : now ? [entryOf(now, pathOf(entry))] : []))
    }
  }

  #leaveOut(bucket: BucketAccess, { changed, unreadable }: BucketReading, facts: VolumeFacts): void {
    if (unreadable.length > 0 && this.#options.onUnreadable === 'fail') {
      const names = unreadable.map(({ entry }) => JSON.stringify(keyOf(entry)))
      const { reason } = unreadable[0]!
      throw new LifeboatError(
        `${bucket.name} has ${objects(names.length)} that could not be read: ${someNames(names)}${reason ? `: ${reason.message}` : ''}`,
        {
          cause: reason,
          hint: marked`${reason?.hint ?? 'Give the credentials s3:GetObject.'} Or leave them out with ‹exclude›, or set ` +
            marked`‹on-unreadable: warn›.`,
        },
      )
    }
    for (const { entry } of unreadable) remember(facts.unreadable, nameOf(entry))
    for (const entry of changed) remember(facts.changed, nameOf(entry))
  }

  #warn({ changed, unreadable }: VolumeFacts): void {
    const { report } = this.#options
    if (unreadable.length > 0)
      report.warning(
        `${this.name}: not in this backup, as they could not be read: ${someNames(unreadable)}`,
        marked`Give the credentials s3:GetObject on them, restore those of archive classes, or name them in ‹exclude›.`,
      )
    if (changed.length > 0)
      report.warning(
        `${this.name}: not in this backup, as they vanished or kept changing while they were read: ${someNames(changed)}`,
        marked`Newer versions will be in the next backup. ‹pre-command› can pause the application meanwhile.`,
      )
  }
}

function candidateOf(entry: string): ScannedPath {
  return { path: displayName(pathOf(entry)), directory: !isObjectEntry(entry) }
}

function nameOf(entry: string): string {
  return displayName(pathOf(entry))
}

function objects(count: number): string {
  return count === 1 ? 'an object' : `${count} objects`
}
