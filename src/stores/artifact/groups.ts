import {
  type Authenticator,
  type Candidates,
  type Dependents,
  type Groups,
  type HiddenSnapshots,
  type Release,
  type Released,
  type Store,
  type Wholeness,
} from '../store.ts'
import { unlessDamaged } from './contents.ts'
import { dependents, described, type Holding, oldestNeeded, snapshotsOf, stayingWithout, unneeded, wholeness } from './holdings.ts'
import { markOfKey } from './index-file.ts'
import type { Known } from './known.ts'
import { isNameOf, isPartName, numberIn } from './names.ts'
import type { PublishOptions } from './publish.ts'
import { fullEveryBy } from './retention.ts'
import { type ArtifactServices, RunArtifacts } from './run-artifacts.ts'

const DAY = 86_400_000
/**
 * A snapshot needs at most so many other artifacts, so that it takes few requests to read, and is lost with few of them. Where it would
 * need more, it builds on those alone of which it needs the most bytes, and stores the rest once more: the next ones can build on that.
 */
const MOST_NEEDED = 6
const LEFT = 4

/** The artifacts of a store, each the group of what one run put (docs/format.md, section 7). */
export class ArtifactGroups implements Groups {
  readonly staging: string
  readonly #options: PublishOptions
  readonly #services: ArtifactServices
  readonly #open: (set: string) => Store
  readonly #own: RunArtifacts
  readonly #began: Date
  #authenticator: Authenticator | undefined

  /** `open`: a store of the same artifacts for a set, which may be the one that these groups belong to. */
  constructor(name: string, options: PublishOptions, services: ArtifactServices, open: (set: string) => Store) {
    this.staging = options.temporary
    this.#options = options
    this.#services = services
    this.#open = open
    this.#began = options.now()
    this.#own = new RunArtifacts(name, options, services, () => this.#authenticator)
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#own.put(key, bytes)
  }

  describe(key: string, card: string): void {
    this.#own.describe(key, card)
  }

  commit(needs: readonly string[]): Promise<void> {
    return this.#own.commit(needs)
  }

  close(): Promise<void> {
    return this.#own.close()
  }

  async exist(): Promise<boolean> {
    return (await this.#services.catalog.backups()).length > 0
  }

  async *candidates(prefix: string, most: number, authentic: Authenticator['authentic'] = neverAuthentic): Candidates {
    const { staging, contents } = this.#services
    for (const key of staging.objects.keys()) if (key.startsWith(prefix)) yield { key, read: () => staging.read(key) }
    for await (const { key, size, read } of contents.candidates(prefix, authentic)) {
      if (size <= most) yield { key, read: () => unlessDamaged(read) }
    }
  }

  authenticate(authenticator: Authenticator): void {
    this.#authenticator = authenticator
    this.#services.contents.authenticate(authenticator)
  }

  async ofOtherKeys(): Promise<HiddenSnapshots[]> {
    const known = await this.#services.contents.known()
    const keys = known.flatMap(({ objects }) => [...objects.keys()])
    return this.#services.catalog.ofOtherKeys().filter(({ set }) => !keys.some((key) => key.startsWith(`snapshots/${set}/`)))
  }

  async withheldSince(key: string): Promise<string[]> {
    const { catalog, contents } = this.#services
    const since = (await contents.locate(key))?.known.artifact.id ?? 0
    const withheld = catalog.withheld().filter(({ id, name }) => id > since && isNameOf(key.split('/')[1], name))
    return withheld.map(({ id, name }) => `artifact ${name} (${id})`)
  }

  ofSet(set: string): Store {
    const store = this.#open(set)
    if (this.#authenticator && store.groups !== this) store.groups?.authenticate(this.#authenticator)
    return store
  }

  neededUntil(): Date {
    return new Date(this.#options.now().getTime() + this.#options.retention.snapshot * DAY)
  }

  async reusable(objects: ReadonlyMap<string, number>, { few }: { few: boolean }): Promise<ReadonlySet<string>> {
    const until = this.neededUntil()
    const since = few ? await this.#reusableSince() : undefined
    // The parts of a backup are one with its last artifact: what depends on one of them depends on most.
    const found = new Map<number, string[]>()
    for (const [key, size] of objects) {
      const located = await this.#services.contents.locate(key)
      if (located?.size !== size) continue
      const { id, run, created, expires } = located.known.artifact
      if ((expires && expires < until) || (since && created < since)) continue
      const keys = found.get(run ?? id) ?? []
      found.set(run ?? id, keys)
      keys.push(key)
    }
    const bytes = (keys: readonly string[]): number => keys.reduce((sum, key) => sum + objects.get(key)!, 0)
    const groups = [...found.values()].toSorted((a, b) => bytes(b) - bytes(a))
    return new Set((few && groups.length > MOST_NEEDED ? groups.slice(0, LEFT) : groups).flat())
  }

  /**
   * A new snapshot reuses nothing older: what the newest one depends on, as long as that is younger than `fullEvery`. So a lost artifact
   * costs the snapshots of that time only.
   */
  async #reusableSince(): Promise<Date> {
    const { set, fullEvery = fullEveryBy(this.#options.retention) } = this.#options
    const now = this.#options.now()
    const since = oldestNeeded(await this.#services.contents.holdings(), set)
    return since && now.getTime() - since.getTime() < fullEvery ? since : now
  }

  async dependents(): Promise<Dependents[]> {
    return dependents(await this.#services.contents.holdings(), this.#options.set)
  }

  findUnfinished(since: Date): Promise<void> {
    return this.#services.contents.findParts(since, 'most')
  }

  requireRequests(keys: Iterable<string>, options: { withNeeds: boolean }): Promise<void> {
    return this.#services.contents.requireRequests(keys, options)
  }

  /** An index does not tell which chunks a snapshot needs, but their marks. */
  async needing(objects: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const wanted = new Set([...objects].flatMap((key) => markOfKey(key) ?? []))
    const known = await this.#services.contents.known()
    const found = known.filter(({ marks, needs }) => [...marks, ...needs.flatMap((need) => need.marks)].some((mark) => wanted.has(mark)))
    return new Set(found.flatMap(snapshotsOf))
  }

  async cards(): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.#services.contents.known()).flatMap(({ cards }) => [...cards]))
  }

  async expiries(): Promise<ReadonlyMap<string, Date>> {
    const known = await this.#services.contents.known()
    const byId = new Map(known.map(({ artifact: { id, expires } }) => [id, expires]))
    const found = new Map<string, Date>()
    for (const { artifact, objects, needs } of known) {
      const times = [artifact.id, ...needs.map((need) => need.artifact)].map((id) => byId.get(id)).filter((time) => time !== undefined)
      const [first] = times.toSorted((a, b) => a.getTime() - b.getTime())
      if (first) for (const key of objects.keys()) if (key.startsWith('snapshots/') && !found.has(key)) found.set(key, first)
    }
    return found
  }

  async wholeness(): Promise<Wholeness> {
    return wholeness(await this.#services.contents.holdings(), this.#options.set)
  }

  /** Without `actions: write` nothing can be deleted: `permitted` is then false. Throws if an artifact could not be read. */
  async release({ kept, grace, builtOn, dryRun }: Release): Promise<Released> {
    const { contents } = this.#services
    await contents.findParts(new Date(0), 'all')
    const holdings = await contents.holdings()
    const known = await contents.known()
    const unsettled = await this.#unsettledRuns()
    const chosen = new Set(unneeded(holdings, this.#time, { kept, grace, builtOn }))
    for (const { artifact } of leftParts(known)) {
      const holding = [...chosen].find(({ id }) => id === artifact.id)
      if (holding && (artifact.run === undefined || (await unsettled(artifact.run)))) chosen.delete(holding)
    }
    const going = withoutGaps(chosen, known)
    // A name like lifeboat-app.2 may be another set's: what this set keeps decides nothing about that.
    const own = holdings.filter(({ set }) => this.#options.set === undefined || set === this.#options.set)
    const artifacts = own.filter((one) => going.has(one)).map(described)
    const staying = stayingWithout(
      own.filter((one) => !going.has(one)),
      kept,
    )
    const freed = await this.#delete(dryRun ? [] : artifacts)
    const gone = new Set(artifacts.slice(0, dryRun ? artifacts.length : freed.deleted).map(({ id }) => id))
    const left = [...new Set(own.filter(({ id }) => !gone.has(id)).flatMap(snapshotsOf))]
    return { artifacts, staying, left, ...freed }
  }

  /**
   * When this run began, before artifacts were listed, by the earlier of GitHub's clock and that of this machine: nothing counts as old
   * because a clock is ahead, or because the run takes so long that there is a backup by now which is not listed and needs it.
   */
  get #time(): Date {
    const theirs = this.#services.rest?.began
    return theirs && theirs < this.#began ? theirs : this.#began
  }

  /** Tells of a run whether parts of it may belong to a backup that was not read, or that is not made yet. */
  async #unsettledRuns(): Promise<(run: number) => Promise<boolean>> {
    const { rest, catalog, contents } = this.#services
    const unread = new Set([...(await contents.damaged()), ...(await catalog.hidden())].map(({ run }) => run))
    const asked = new Map<number, Promise<boolean>>()
    return async (run) => {
      if (unread.has(run)) return true
      if (!rest) return true
      const goesOn = asked.get(run) ?? rest.isRunning(run)
      asked.set(run, goesOn)
      return goesOn
    }
  }

  async #delete(artifacts: Released['artifacts']): Promise<Pick<Released, 'deleted' | 'permitted'>> {
    const { rest, contents } = this.#services
    let deleted = 0
    rest?.allowance.require(artifacts.length)
    for (const { id } of artifacts) {
      if (!(await rest?.delete(id))) return { deleted, permitted: false }
      deleted++
      await contents.remove(id)
    }
    return { deleted, permitted: true }
  }
}

/** Parts that no artifact needs. */
function leftParts(known: readonly Known[]): Known[] {
  const needed = new Set(known.flatMap(({ needs }) => needs.map(({ artifact }) => artifact)))
  return known.filter(({ artifact: { id, name } }) => isPartName(name) && !needed.has(id))
}

/** An artifact stays as long as one of the same run has a higher number: names are asked for up to the first that is missing. */
function withoutGaps(going: ReadonlySet<Holding>, known: readonly Known[]): Set<Holding> {
  const ids = new Set([...going].map(({ id }) => id))
  const numbered = known.map(({ artifact: { id, run, name }, set }) => ({ id, run, set, number: numberIn(name, set) }))
  const gone = new Set<number>()
  for (const one of numbered.filter(({ id }) => ids.has(id)).toSorted((a, b) => b.number - a.number)) {
    const others = numbered.filter(({ id, set, run }) => set === one.set && run === one.run && !gone.has(id))
    if (one.number === 1 || others.every(({ number }) => number <= one.number)) gone.add(one.id)
  }
  return new Set([...going].filter(({ id }) => gone.has(id)))
}

function neverAuthentic(): undefined {}
