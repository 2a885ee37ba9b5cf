import { LifeboatError, messageOf } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { inParallel } from '../../process/parallel.ts'
import { type Authenticator, DamagedObject } from '../store.ts'
import { type CandidateFile, type Catalog, type Held, LEAST_REQUESTS, type Listed, type Signatures } from './catalog.ts'
import { Gone } from './github.ts'
import { hasSnapshot, type Holding } from './holdings.ts'
import { type Index, type Indexed, LARGEST_INDEX, markOfKey, parseIndex } from './index-file.ts'
import { isPartName, NAMES_AT_ONCE, numberIn } from './names.ts'
import { sha256Of } from './parts.ts'
import { type ChunksById, chunksById, holdingOf, inDoubt, indexed, type Known, knownAs, knownFrom, telling } from './known.ts'

/** Artifacts looked into at the same time. */
const PARALLEL = 8
/** Of runs that left parts behind, and of these parts, so many are looked at: anyone may upload artifacts of such names. */
const MOST_LEFT_RUNS = 20
const MOST_LEFT_PARTS = 500
/** Without a key anyone can claim to need parts of any run: no more than these are asked for. */
const CLAIMED_RUNS = 20
/** More artifacts than these are looked into only where an index is missing; of every run there may be some that are newer than it. */
const UNKNOWN = 8

/** By key, the objects that artifacts which were looked into need of others; and what is known of the chunks in artifacts. */
interface Told {
  needed: ReadonlyMap<string, { known: Known; size: number }>
  chunks: ChunksById
}

/**
 * The content of the artifacts of a store. The index of the newest one tells of most; artifacts are looked into when something of them is
 * needed.
 */
export class Contents {
  readonly #catalog: Catalog
  readonly #report: Pick<Report, 'info'>
  #authenticator: Authenticator | undefined
  #known: Promise<Known[]> | undefined
  /** By this run, newest first. */
  #made: Known[] = []
  /** Artifacts whose index names all that were there, and the ids in it. */
  readonly #indexes = new Map<number, ReadonlySet<number>>()
  /** The entries of parts in the indexes that were read, by their ids. */
  readonly #indexedParts = new Map<number, Indexed>()
  /** The entries of backups with higher names that are not listed: they were deleted, or one before them was. */
  readonly #unlisted = new Map<number, Indexed>()
  /** Made again when there is another artifact, or one more was looked into. */
  #told: Told | undefined

  constructor(catalog: Catalog, report: Pick<Report, 'info'>) {
    this.#catalog = catalog
    this.#report = report
  }

  /** Only artifacts that are signed count from now on. Before, all that claim to be backups do. */
  authenticate(authenticator: Authenticator): void {
    this.#authenticator = authenticator
    this.#known = undefined
  }

  /** Every artifact there is that counts, newest first. */
  known(): Promise<Known[]> {
    this.#known ??= this.#load().catch((error: unknown) => {
      this.#known = undefined
      throw error
    })
    return this.#known
  }

  /** The same, each looked into. */
  async held(): Promise<Held[]> {
    const held = await inParallel(await this.known(), PARALLEL, (one) => this.open(one))
    return held.filter((found) => found !== undefined)
  }

  /** Looks into an artifact; undefined for one that turns out not to be there, and does not count any more. */
  async open(one: Known): Promise<Held | undefined> {
    if (one.held) return one.held
    one.opening ??= this.#catalog.look(one.artifact, this.#authenticator)
    one.held = await one.opening
    if (this.#authenticator) one.held?.archive.forget()
    this.#told = undefined
    await this.#catalog.tellLeftOut()
    if (!one.held) await this.remove(one.artifact.id)
    return one.held
  }

  /** Artifacts that have an object: those that were looked into already come first. */
  async *holders(key: string): AsyncGenerator<Held, void, void> {
    const known = await this.known()
    const [opened, others] = [known.filter(({ held }) => held), known.filter(({ held }) => !held)]
    for (const { held } of opened) if (held!.entries.has(key)) yield held!
    // All parts of a backup have the same mark: who needs the object tells in which it is.
    const needed = this.#toldBy(known).needed.get(key)?.known
    const first = needed && (await this.open(needed))
    if (first?.entries.has(key)) yield first
    const mark = markOfKey(key)
    const chunks = mark === undefined ? undefined : await this.#chunksWith(mark)
    for (const one of others) {
      if (one === needed || !(chunks ? chunks.get(one.artifact.id)?.has(key) : one.objects.has(key))) continue
      const held = await this.open(one)
      if (held?.entries.has(key)) yield held
    }
  }

  /** The chunks of the artifacts that have some with this mark. */
  async #chunksWith(mark: string): Promise<ChunksById> {
    for (;;) {
      const known = await this.known()
      const { chunks } = this.#toldBy(known)
      const unknown = known.filter(({ artifact, marks }) => marks.has(mark) && !chunks.has(artifact.id))
      if (unknown.length === 0) return chunks
      await inParallel(telling(unknown, known), PARALLEL, (one) => this.open(one))
    }
  }

  /** All that the artifacts which were looked into tell of chunks. */
  #toldBy(known: readonly Known[]): Told {
    this.#told ??= { needed: neededOf(known), chunks: chunksById(known, this.#indexedParts) }
    return this.#told
  }

  /**
   * The artifact of an object, and its bytes; undefined if there is none. It need not be looked into if another one that was says that it
   * needs the object of this one.
   */
  async locate(key: string): Promise<{ known: Known; size: number } | undefined> {
    const all = await this.known()
    if (markOfKey(key) === undefined) {
      const known = all.find(({ objects }) => objects.has(key))
      return known && { known, size: known.objects.get(key)! }
    }
    for (const known of all) {
      const size = known.held?.entries.get(key)?.size
      if (size !== undefined) return { known, size }
    }
    const needed = this.#toldBy(all).needed.get(key)
    if (needed) return needed
    for await (const { artifact, entries } of this.holders(key)) {
      const known = (await this.known()).find((one) => one.artifact.id === artifact.id)
      if (known) return { known, size: entries.get(key)!.size }
    }
    return undefined
  }

  /** Throws unless the token allows for the requests to look into all artifacts of these objects. One that is lost takes none. */
  async requireRequests(keys: Iterable<string>, { withNeeds }: { withNeeds: boolean }): Promise<void> {
    const all = await this.known()
    const { needed } = this.#toldBy(all)
    const opened = all.filter(({ held }) => held)
    const ids = new Set<number>()
    for (const key of keys) {
      const known = markOfKey(key) === undefined ? all.find(({ objects }) => objects.has(key)) : needed.get(key)?.known
      if (!known || opened.some(({ held }) => held !== known.held && held!.entries.has(key))) continue
      for (const id of [known.artifact.id, ...(withNeeds ? known.needs.map((need) => need.artifact) : [])]) ids.add(id)
    }
    const unread = all.filter(({ artifact, held }) => ids.has(artifact.id) && !held && !artifact.own)
    if (unread.length > 0) this.#catalog.requireRequests(LEAST_REQUESTS + unread.length)
  }

  /** The artifacts as decisions see them. Those about which there is a doubt are looked into first. */
  async holdings(): Promise<Holding[]> {
    for (;;) {
      const known = await this.known()
      const { chunks } = this.#toldBy(known)
      const doubtful = inDoubt(known, this.#indexedParts, chunks)
      const there = new Set(known.map(({ artifact }) => artifact.id))
      if (doubtful.length === 0) return known.map((one) => holdingOf(one, there, chunks))
      await inParallel(doubtful, PARALLEL, (one) => this.open(one))
    }
  }

  /** Those that are damaged. Throws if others could not be read in this run: what these need is not known. */
  damaged(): Promise<Listed[]> {
    return this.#catalog.damaged(this.#authenticator)
  }

  /** After this run itself has made one; GitHub may list it later. `ids`: those in its index, if that names all. */
  add(held: Held, cards: ReadonlyMap<string, string>, ids: ReadonlySet<number> | undefined): void {
    const made = knownAs(held, cards)
    this.#made.unshift(made)
    if (ids) this.#indexes.set(held.artifact.id, ids)
    this.#told = undefined
    this.#known &&= this.#known.then((known) => [made, ...known.filter((one) => one !== made)])
  }

  /** Whether this run has made it: GitHub may not list it yet. */
  isOwn(id: number): boolean {
    return this.#made.some(({ artifact }) => artifact.id === id)
  }

  /** After this run itself has deleted one, or found that it is gone. */
  async remove(id: number): Promise<void> {
    this.#made = this.#made.filter(({ artifact }) => artifact.id !== id)
    this.#told = undefined
    this.#catalog.remove(id)
    this.#known &&= this.#known.then((known) => known.filter(({ artifact }) => artifact.id !== id))
    await this.#known
  }

  /** Looks into the newest, then into those that no index knows, more and more at a time. */
  async #load(): Promise<Known[]> {
    const signatures = this.#authenticator
    const others = (await this.#catalog.backups()).filter(({ id }) => !this.isOwn(id))
    const found = new Map<number, Known | undefined>()
    let looked = 0
    this.#catalog.requireRequests(LEAST_REQUESTS)
    for (let most = 1; found.size < others.length; most = Math.min(2 * most, PARALLEL)) {
      if (most > 1) this.#catalog.requireRequests(LEAST_REQUESTS + others.length - found.size)
      const next = others.filter(({ id }) => !found.has(id)).slice(0, most)
      const held = await inParallel(next, most, (artifact) => this.#catalog.look(artifact, signatures))
      looked += next.length
      for (const [index, one] of held.entries()) found.set(next[index]!.id, one && knownAs(one))
      for (const one of held) if (one && signatures) await this.#readIndexes(one, others, found, signatures)
    }
    const runs = new Set([...this.#unlisted.values()].flatMap(({ run }) => run ?? []))
    const further = await this.#catalog.listFurther([...runs].slice(0, NAMES_AT_ONCE))
    await this.#catalog.tellLeftOut()
    if (signatures && looked > UNKNOWN) {
      this.#report.info(`${looked} artifacts were looked into, as no index tells what is in them; the next backup writes it again`)
    }
    const listed = others.map(({ id }) => found.get(id)).filter((one) => one !== undefined)
    const backups = [...listed, ...(await this.#knownBy(this.#unlisted, further))]
    return [...this.#made, ...backups, ...(await this.#partsOf([...this.#made, ...backups]))]
  }

  /** The parts that these need. Only they are listed and looked at: of interrupted runs there may be many others. */
  async #partsOf(backups: readonly Known[]): Promise<Known[]> {
    const needed = new Set(backups.flatMap(({ needs }) => needs.map(({ artifact }) => artifact)))
    const indexed = [...this.#indexedParts.values()].filter(({ id }) => needed.has(id))
    const named = backups.flatMap(({ held }) => held?.needs ?? []).filter(({ name }) => isPartName(name))
    const runs = [...new Set([...indexed, ...named].flatMap(({ run }) => run ?? []))]
    await this.#catalog.listParts(this.#authenticator ? runs : runs.slice(0, CLAIMED_RUNS))
    const parts = (await this.#catalog.parts()).filter(({ id }) => needed.has(id) && !this.isOwn(id))
    return this.#knownBy(this.#indexedParts, parts)
  }

  /** Those that no index tells of are looked into. Throws if the token does not allow for so many requests. */
  async #knownBy(entries: ReadonlyMap<number, Indexed>, artifacts: readonly Listed[]): Promise<Known[]> {
    const indexed = new Map(artifacts.map((artifact) => [artifact, knownIn(entries, artifact)]))
    const unknown = artifacts.filter((artifact) => !indexed.get(artifact))
    if (unknown.length > 0) this.#catalog.requireRequests(LEAST_REQUESTS + unknown.length)
    const known = await inParallel(artifacts, PARALLEL, async (artifact) => {
      if (indexed.get(artifact)) return indexed.get(artifact)
      const held = await this.#catalog.look(artifact, this.#authenticator)
      return held && knownAs(held)
    })
    await this.#catalog.tellLeftOut()
    return known.filter((one) => one !== undefined)
  }

  /** From now on parts count, too, that runs which were interrupted left behind since then: all of them, or those of most runs. */
  async findParts(since: Date, which: 'all' | 'most'): Promise<void> {
    const known = new Set((await this.known()).map(({ artifact }) => artifact.id))
    const first = (await this.#catalog.firstParts(which)).filter(({ created }) => created >= since)
    await this.#catalog.listParts([...new Set(first.flatMap(({ run }) => run ?? []))].slice(0, MOST_LEFT_RUNS))
    const left = (await this.#catalog.parts()).filter(({ id, created }) => created >= since && !known.has(id)).slice(0, MOST_LEFT_PARTS)
    // Anyone may upload artifacts of such names: of a run whose first one is not signed, no other is looked at.
    const firstOfRuns = [...Map.groupBy(left, ({ run }) => run).values()].map((ofRun) => ofRun.toSorted((a, b) => a.id - b.id)[0]!)
    const found = await this.#knownBy(this.#indexedParts, firstOfRuns)
    const signed = new Set(found.map(({ artifact }) => artifact.run))
    const others = left.filter((part) => signed.has(part.run) && !firstOfRuns.includes(part))
    found.push(...(await this.#knownBy(this.#indexedParts, others)))
    found.sort((a, b) => b.artifact.created.getTime() - a.artifact.created.getTime())
    // Before those of backups: the notes of runs that are read are the newest of those that were interrupted.
    this.#known &&= this.#known.then((all) => [...found, ...all])
    this.#told = undefined
  }

  /** Adds what the index of an artifact knows of those that are listed, and the index that it is based on. */
  async #readIndexes(
    held: Held,
    listed: readonly Listed[],
    found: Map<number, Known | undefined>,
    signatures: Signatures,
  ): Promise<void> {
    const byId = new Map(listed.map((artifact) => [artifact.id, artifact]))
    for (let from: Held | undefined = held; from; ) {
      const index = await this.#indexOf(from)
      from.archive.forget()
      if (!index) return
      for (const entry of index.artifacts) {
        if (isPartName(entry.name)) this.#indexedParts.set(entry.id, entry)
        const artifact = byId.get(entry.id)
        const isHigher = numberIn(entry.name, entry.set) > NAMES_AT_ONCE
        if (!artifact && isHigher && hasSnapshot({ objects: new Map(entry.objects) })) this.#unlisted.set(entry.id, entry)
        const known = artifact && !found.has(entry.id) && knownFrom(entry, artifact)
        if (known) found.set(entry.id, known)
      }
      if (index.base === null) {
        this.#indexes.set(from.artifact.id, new Set(index.artifacts.map(({ id }) => id)))
        return
      }
      const base = byId.get(index.base)
      if (!base || found.get(base.id)?.held) return
      from = await this.#catalog.look(base, signatures)
      found.set(base.id, from && knownAs(from, found.get(base.id)?.cards))
    }
  }

  /** Undefined if there is none, or it is damaged or newer: the artifacts themselves tell the same. */
  async #indexOf({ artifact: { id, name }, archive, index }: Held): Promise<Index | undefined> {
    if (!index) return undefined
    try {
      if (index.size > LARGEST_INDEX) throw new Error(`it has ${index.size} bytes, more than the ${LARGEST_INDEX} it may have`)
      const bytes = await archive.read(index)
      if (sha256Of(bytes) !== index.sha256) throw new Error('its SHA-256 differs')
      return await parseIndex(bytes)
    } catch (error) {
      this.#report.info(`the index in artifact ${name} (${id}) is not used: ${messageOf(error)}`)
      return undefined
    }
  }

  /**
   * The index for an artifact that this run makes. With `short` it has only what the last whole one lacks. `ids`: all that are in it, if it
   * is whole.
   */
  async index({ short }: { short: boolean }): Promise<{ index: Index; ids: ReadonlySet<number> | undefined }> {
    const known = await this.known()
    await inParallel(known, PARALLEL, (one) => this.#describe(one))
    const there = new Set(known.map(({ artifact }) => artifact.id))
    const base = short ? [...this.#indexes].findLast(([id]) => there.has(id)) : undefined
    const needed = new Set(known.flatMap(({ needs }) => needs.map(({ artifact }) => artifact)))
    // Parts that are gone stay in it as long as something needs them: what was in them tells what is lost.
    const gone = [...this.#indexedParts.values()].filter(({ id }) => needed.has(id) && !there.has(id))
    const artifacts = [...known.map(indexed), ...gone].filter(({ id }) => !base?.[1].has(id))
    return { index: { base: base?.[0] ?? null, artifacts }, ids: base ? undefined : there }
  }

  /** Adds the cards of snapshots in an artifact that was looked into. */
  async #describe({ held, objects, cards }: Known): Promise<void> {
    for (const key of held ? objects.keys() : []) {
      if (!key.startsWith('snapshots/') || cards.has(key)) continue
      const card = await unlessDamaged(async () => {
        const entry = held!.entries.get(key)!
        const bytes = await held!.archive.read(entry)
        return sha256Of(bytes) === entry.sha256 ? this.#authenticator?.card(key, bytes) : undefined
      })
      if (card !== undefined) cards.set(key, card)
    }
  }

  /**
   * Files of all artifacts as they are there, whoever made them. Those of the oldest and of the newest artifacts come in turn: someone who
   * uploads artifacts of his own today comes after those that were there before. Those that the index of an artifact which is `authentic`
   * by then knows are left out, if they have no file of a name that is new. Throws if there is none, and one may be in an artifact that
   * could not be read.
   */
  async *candidates(prefix: string, authentic: Authenticator['authentic']): AsyncGenerator<CandidateFile, void, void> {
    const backups = await this.#catalog.backups()
    // Where no backup has finished yet, a part that was left behind has the key that the next backup must take.
    const listed = backups.length > 0 ? backups : await this.#catalog.firstParts('all')
    const found = new Map<number, Known | undefined>()
    const unread = new Set<Listed>()
    const unreadable: Listed[] = []
    /** Ids of artifacts whose files were given. A file of the same name in another one may be somebody else's. */
    const offered = new Set<number>()
    const isOffered = (name: string): boolean => [...offered].some((id) => found.get(id)?.held && found.get(id)!.objects.has(name))
    let none = true
    for (const artifact of inTurn(listed)) {
      const known = found.get(artifact.id)
      if (known && namesIn(known, prefix).every((name) => isOffered(name))) continue
      const files = await this.#catalog.files(artifact, prefix)
      offered.add(artifact.id)
      if (!files) unreadable.push(artifact)
      for (const file of files ?? []) {
        none = false
        yield file
      }
      unread.add(artifact)
      for (const one of unread) {
        const held = await this.#catalog.look(one, { authentic }, { quiet: true })
        if (!held) continue
        unread.delete(one)
        found.set(one.id, knownAs(held))
        await this.#readIndexes(held, listed, found, { authentic })
      }
    }
    if (!none || unreadable.length === 0) return
    const gone = new Set(await this.#catalog.goneOf(unreadable))
    const there = unreadable.filter((one) => !gone.has(one))
    for (const artifact of there) {
      const files = await this.#catalog.files(artifact, prefix)
      if (!files) throw unreadError(artifact, prefix)
      yield* files
    }
  }
}

/** Another file must not be made in place of one that may be there. */
function unreadError({ name, id }: Listed, prefix: string): LifeboatError {
  return new LifeboatError(`artifact ${name} (${id}) cannot be read, and may have the only key file (${prefix}…)`, {
    hint: 'Run it again in some minutes. If the artifact stays like this, its backups are lost: delete it before the next backup.',
  })
}

function knownIn(entries: ReadonlyMap<number, Indexed>, artifact: Listed): Known | undefined {
  const entry = entries.get(artifact.id)
  return entry && knownFrom(entry, artifact)
}

function namesIn({ objects }: Known, prefix: string): string[] {
  return [...objects.keys()].filter((key) => key.startsWith(prefix))
}

function neededOf(all: readonly Known[]): Map<string, { known: Known; size: number }> {
  const there = new Map(all.map((one) => [one.artifact.id, one]))
  const objects = new Map<string, { known: Known; size: number }>()
  for (const { held } of all) {
    for (const need of held?.needs ?? []) {
      const known = there.get(need.artifact)
      if (known && !known.held) for (const [key, size] of need.objects) objects.set(key, { known, size })
    }
  }
  return objects
}

/** First, last, second, last but one, and so on, of a list that is newest first, from its end. */
function inTurn<T>(items: readonly T[]): T[] {
  const left = [...items]
  return items.map((_, index) => (index % 2 === 0 ? left.pop()! : left.shift()!))
}

/** Undefined for a file of an artifact that is damaged or gone. */
export async function unlessDamaged<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof DamagedObject || error instanceof Gone) return undefined
    throw error
  }
}
