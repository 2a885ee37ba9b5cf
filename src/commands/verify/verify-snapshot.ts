import { performance } from 'node:perf_hooks'
import { LifeboatError } from '../../error.ts'
import type { Progress } from '../../environment.ts'
import { defaultsOf } from '../../inputs/group.ts'
import { conditionsOf, drillOptions } from '../../inputs/kind-options.ts'
import type { Level } from '../../repository/levels.ts'
import { Reader } from '../../repository/reader.ts'
import { type AuthenticSnapshot, openManifest, sourceSize, type StreamRecord } from '../../repository/snapshot.ts'
import { inParallel } from '../../process/parallel.ts'
import { kindIfKnown, kindOf } from '../../sources/known-kinds.ts'
import { isDatabase } from '../../sources/nouns.ts'
import { BadSource, UnaskedCondition } from '../../sources/source.ts'
import type { DrillSettings } from '../../sources/settings.ts'
import type { SourceContext, SourceKind, SourceVerified, StoredSource } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { formatCount, formatSome } from '../../report/format.ts'
import { VERSION } from '../../version.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { databasesAtOnce } from '../at-once.ts'
import { damagedAmong, keyAt, keysAt, missingChunks, withBases } from './chunks.ts'
import { type CheckedSource, damagedChunksIn, damagedKeys, isDamage, outcomeOf } from './outcome.ts'
import type { SnapshotVerified } from './result.ts'

export interface Verifying {
  /** Keys of chunks that this run has found present already. */
  seen?: ReadonlySet<string>
  /** The name of the source that matters; chunks that only others need may be missing. */
  only?: string
  /** Keys of chunks that are known to be damaged: they are read at every level. */
  suspects?: ReadonlySet<string>
  /** For level `drill`. Default: a scratch server is started, and nothing is asserted. */
  drill?: DrillSettings
}

/**
 * Verifies a snapshot whose MAC has been checked. `list`: every chunk present with its size, the archives' heads readable. `read`: every
 * byte. `drill`: every byte, restored and compared.
 */
export async function verifySnapshot(
  snapshot: AuthenticSnapshot,
  level: Level,
  store: Store,
  context: SourceContext,
  how: Verifying = {},
): Promise<SnapshotVerified> {
  const started = performance.now()
  const { id, set, time, chunks } = snapshot.header
  const verification = new Verification(snapshot, level, store, context, how)
  const found = await verification.run()
  return { snapshot: id, set, time, level, chunks: chunks.length, ...found, seconds: secondsSince(started) }
}

const NO_SETTINGS: DrillSettings = defaultsOf(drillOptions)

async function drillSource(
  kind: SourceKind,
  stored: StoredSource,
  settings: DrillSettings,
  context: SourceContext,
): Promise<SourceVerified> {
  if (!kind.drill) throw new LifeboatError(`sources of the kind ${kind.recorded} cannot be drilled`, { hint: 'Verify them at level read.' })
  return kind.drill(stored, settings, context)
}

/** Databases with more tables are drilled alone: a drill takes memory for each entry. */
const MOST_TABLES_TOGETHER = 5000

function drillsBesideOthers({ source }: CheckedSource): boolean {
  return isDatabase(source) && (kindIfKnown(source.kind)?.amount?.(source.facts)?.count ?? 0) <= MOST_TABLES_TOGETHER
}

/** One verification of one snapshot, with the problems found so far. */
class Verification {
  readonly #snapshot: AuthenticSnapshot
  readonly #level: Level
  readonly #store: Store
  readonly #context: SourceContext
  readonly #how: Required<Omit<Verifying, 'only'>> & Pick<Verifying, 'only'>
  readonly #reader: Reader
  readonly #versions: Record<string, string> = { lifeboat: VERSION }
  readonly #sources: CheckedSource[] = []
  /** Problems of the snapshot that are of no source alone. */
  readonly #problems: unknown[] = []
  #bytes = 0

  constructor(
    snapshot: AuthenticSnapshot,
    level: Level,
    store: Store,
    context: SourceContext,
    { only, seen = new Set(), suspects = new Set(), drill = NO_SETTINGS }: Verifying,
  ) {
    this.#snapshot = snapshot
    this.#level = level
    this.#store = store
    this.#context = context
    this.#how = { seen, suspects, drill, ...(only !== undefined && { only }) }
    this.#reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
  }

  async run(): Promise<Omit<SnapshotVerified, 'snapshot' | 'set' | 'time' | 'level' | 'chunks' | 'seconds'>> {
    await this.#collecting([this.#problems], () => this.#checkSources())
    if (this.#level === 'drill') await this.#collecting([this.#problems], async () => this.#findUnasked())
    // If the chunks cannot be looked for, no source is known to be whole.
    await this.#collecting([this.#problems, ...this.#sources.map(({ problems }) => problems)], () => this.#checkChunks())
    const good = [...keysAt(this.#snapshot, [...this.#reader.opened])].filter((key) => this.#how.suspects.has(key))
    return { bytes: this.#bytes, versions: this.#versions, good, ...outcomeOf(this.#sources, this.#problems) }
  }

  /** Does work; an error is one of these lists' problems, and does not end the verification. Throws only when interrupted. */
  async #collecting(lists: readonly unknown[][], work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#context.signal.throwIfAborted()
      for (const problems of lists) problems.push(error)
    }
  }

  async #checkSources(): Promise<void> {
    const { sources } = await openManifest(this.#snapshot)
    if (sources.length === 0) throw new BadSource('the snapshot has no source')
    for (const source of sources) {
      if (this.#how.only !== undefined && source.name !== this.#how.only) continue
      const places = new Set(source.streams.flatMap(({ chunks }) => chunks))
      this.#sources.push({ source, entries: 0, keys: keysAt(this.#snapshot, withBases(this.#snapshot, places)), problems: [] })
    }
    const together = this.#level === 'drill' ? this.#sources.filter(drillsBesideOthers) : []
    const progress = this.#progress(together)
    await inParallel(together, databasesAtOnce(), (checked) => this.#check(checked, progress))
    const others = this.#sources.filter((checked) => !together.includes(checked))
    for (const checked of others) await this.#check(checked, this.#progress([checked]))
    for (const { versions } of this.#sources) Object.assign(this.#versions, versions)
  }

  async #check(checked: CheckedSource, progress: Progress): Promise<void> {
    const { keys, header: { chunks } } = this.#snapshot
    // Each keeps bases of its own: sources that are read at the same time would only displace each other's.
    const reader = new Reader(this.#store, keys, chunks, this.#reader.opened)
    await this.#collecting([checked.problems], () => this.#checkSource(checked, reader, progress))
    if (this.#level !== 'list') await this.#collecting([checked.problems], () => this.#findOtherDamage(checked, reader))
  }

  #progress(checked: readonly CheckedSource[]): Progress {
    const verb = this.#level === 'drill' ? 'drilling' : 'verifying'
    const of = checked.length === 1 ? checked[0]!.source.name : formatCount(checked.length, 'database')
    const total = checked.reduce((sum, { source }) => sum + sourceSize(source), 0)
    return { activity: `${verb} ${of}`, done: 0, ...(this.#level !== 'list' && { total }) }
  }

  async #checkSource(checked: CheckedSource, reader: Reader, progress: Progress): Promise<void> {
    const { source } = checked
    const counted = new Map<StreamRecord, number>()
    const read = (stream: StreamRecord): AsyncIterable<Buffer> => this.#counted(reader.stream(stream), progress, stream, counted)
    const kind = kindOf(source)
    const { entries, problems, versions, drill } = this.#level === 'drill'
      ? await drillSource(kind, { source, read }, this.#how.drill, this.#context)
      : await kind.verify({ source, read }, this.#level, this.#context)
    checked.entries = entries
    if (drill) checked.drill = drill
    if (versions) checked.versions = versions
    checked.problems.push(...problems)
    if (this.#level !== 'drill' || (!drill && !problems.some(isDamage))) return
    // A drill that came to its end has read everything; one whose restore failed may have read definitions alone.
    const unsound = drill ? [] : (await kind.verify({ source, read }, 'read', this.#context)).problems
    if (unsound.length === 0) checked.ofDrill = problems
    checked.problems.push(...unsound)
  }

  /** A condition that nothing could be asked of does not hold: the source that it is about is not in the snapshot. */
  #findUnasked(): void {
    for (const { input, about, names = () => [] } of conditionsOf(this.#how.drill)) {
      const there = this.#sources.filter(({ source }) => kindIfKnown(source.kind)?.noun === about).map(({ source }) => source.name)
      const missing = there.length === 0 ? [about] : names().filter((name) => !there.includes(name)).map((name) => `${about} ${name}`)
      const hint = there.length === 0 ? {} : { hint: `It has ${formatSome(there, 5)}.` }
      for (const one of missing)
        this.#problems.push(new UnaskedCondition(`${input}: the snapshot has no ${one} of which this could be asked`, hint))
    }
  }

  /** A stream is read up to its first damaged chunk. The others must be known as well, so that the next backup stores all of them again. */
  async #findOtherDamage({ source, problems }: CheckedSource, reader: Reader): Promise<void> {
    const known = damagedKeys(problems)
    if (known.size === 0) return
    const unread = source.streams.flatMap(({ chunks }) => chunks).filter((place) => !reader.opened.has(place))
    problems.push(...(await damagedAmong(reader, unread)).filter(({ key }) => !known.has(key)))
  }

  /** Reads the suspects that no source has read, and looks for every other chunk. */
  async #checkChunks(): Promise<void> {
    const { opened } = this.#reader
    const { only, seen, suspects } = this.#how
    const found = damagedChunksIn(this.#sources)
    const needed = new Set(this.#sources.flatMap(({ keys }) => [...keys]))
    const key = (place: number): string => keyAt(this.#snapshot, place)
    const places = [...this.#snapshot.header.chunks.keys()].filter((place) => only === undefined || needed.has(key(place)))
    if (this.#snapshot.keys.identity !== undefined) {
      const suspected = places.filter((place) => suspects.has(key(place)) && !opened.has(place) && !found.has(key(place)))
      this.#problems.push(...(await damagedAmong(this.#reader, suspected)))
    }
    const known = new Set([...seen, ...found.keys(), ...damagedKeys(this.#problems)])
    this.#problems.push(...(await missingChunks(this.#snapshot, this.#store, places.filter((place) => !opened.has(place)), known)))
  }

  /** Counts the bytes of a stream. A drill reads it more than once: `counted` has how much of it was read before. */
  async *#counted(
    bytes: AsyncIterable<Buffer>, progress: Progress, stream: StreamRecord, counted: Map<StreamRecord, number>,
  ): AsyncGenerator<Buffer, void, void> {
    let at = 0
    for await (const piece of bytes) {
      at += piece.length
      const more = at - (counted.get(stream) ?? 0)
      if (more > 0) {
        counted.set(stream, at)
        this.#bytes += more
        progress.done += more
        this.#context.report.progress({ ...progress })
      }
      yield piece
    }
  }
}
