import { type LifeboatError, messageOf } from '../../error.ts'
import type { Report, Variables } from '../../environment.ts'
import type { Clock } from '../../net/retry.ts'
import { inParallel } from '../../process/parallel.ts'
import type { Authenticator, HiddenSnapshots } from '../store.ts'
import { Archive, DamagedArtifact } from './archive.ts'
import { ContentGone, Gone, type ServiceArtifact } from './github.ts'
import type { RestApi, Which } from './rest-api.ts'
import type { RunService } from './run-service.ts'
import { INDEX } from './index-file.ts'
import { artifactName, isNameOf, isPartName, LAST_NAME, NAMES_AT_ONCE, numberIn, partName } from './names.ts'
import { LARGEST_PARTS, NewerParts, PARTS, parseParts, type Parts } from './parts.ts'
import { LeftOutArtifacts, OtherKeyArtifact } from './left-out.ts'
import { unreadable } from './unreadable.ts'
import type { ZipEntry } from './zip.ts'

/** Artifacts with a directory or a parts.json of more than these bytes are looked into one after the other. */
const SMALL = 256 * 1024
/** So many artifacts' ends are remembered from one look to the next, 256 KiB each. */
const ENDS_KEPT = 100
/** Key files of one artifact that are tried. */
const CANDIDATES_OF_ONE = 4
/**
 * By these numbers runs are found that left parts behind: the first name that a run tries may be one that it could not complete. Where they
 * are only of use and need not be found, the first alone saves a request.
 */
const FIRST_PARTS = { all: [1, 2], most: [1] } as const
/** A command makes about so many requests at most after it has listed the artifacts, if an index tells what is in them. */
export const LEAST_REQUESTS = 10

export interface CatalogOptions {
  /** The set whose artifacts are read and written; undefined reads those of every set, and cannot put. */
  set: string | undefined
  /** With `actions: read`, and `actions: write` to delete. Undefined: only the artifacts of this run are seen. */
  token: string | undefined
  /** GITHUB_*, ACTIONS_*. */
  variables: Variables
  /** A folder for staging, private to this run, made on first use. */
  temporary: string
  /** Milliseconds without progress after which a request or an upload is given up. */
  timeout: number
  /** For the pauses that GitHub asks for. */
  clock?: Clock | undefined
  signal: AbortSignal
  report: Pick<Report, 'info' | 'warning'>
}

export type HeldEntry = ZipEntry & { sha256: string }

/** An artifact whose content is known. */
export interface Held {
  artifact: ServiceArtifact
  archive: Archive
  set: string
  entries: ReadonlyMap<string, HeldEntry>
  needs: Parts['needs']
  /** Its index of earlier artifacts. */
  index?: HeldEntry | undefined
}

/** `own`: of this run, and not available from the REST API. */
export type Listed = ServiceArtifact & { own?: true }

/** The signatures of the keys given: an artifact that was looked into counts only with one of them. */
export type Signatures = Pick<Authenticator, 'authentic'> & Partial<Pick<Authenticator, 'otherKey'>>

/** A file of an artifact that anyone may have made. */
export interface CandidateFile {
  key: string
  size: number
  read: () => Promise<Buffer>
}

/** Which artifacts there are, listed once, and how to look into one. */
export class Catalog {
  readonly #options: CatalogOptions
  readonly #rest: RestApi | undefined
  readonly #run: RunService | undefined
  readonly #leftOut: LeftOutArtifacts
  readonly #archives = new Map<number, Archive>()
  /** By id, the artifacts whose parts.json could not be read, and why. */
  readonly #unread = new Map<number, { artifact: Listed; error?: LifeboatError }>()
  /** Listed artifacts that GitHub does not give: those that are to be looked for in a new list, and those that it has. */
  readonly #missing: Listed[] = []
  readonly #withheld = new Set<Listed>()
  #listed: Promise<Listed[]> | undefined
  /** Artifacts beside the parts of a run with names of backups, as the run was listed. */
  readonly #beside = new Map<number, ServiceArtifact>()
  /** Ids of workflow runs whose parts are listed. */
  readonly #runsWithParts = new Set<number>()
  /** The last of those that are read alone. */
  #alone: Promise<unknown> = Promise.resolve()

  constructor(options: CatalogOptions, rest: RestApi | undefined, run: RunService | undefined) {
    this.#options = options
    this.#rest = rest
    this.#run = run
    this.#leftOut = new LeftOutArtifacts(options.report)
  }

  async close(): Promise<void> {
    for (const archive of this.#archives.values()) await archive.close()
  }

  /** Throws if the token does not allow so many requests any more. */
  requireRequests(count: number): void {
    this.#rest?.allowance.require(count)
  }

  /** The snapshots in artifacts that were looked into and claim to be of other keys, by set. */
  ofOtherKeys(): HiddenSnapshots[] {
    return this.#leftOut.ofOtherKeys()
  }

  /** Says which artifacts count as not there. One that GitHub does not give is among them for as long as a new list has it. */
  async tellLeftOut(): Promise<void> {
    const missing = this.#missing.splice(0)
    const gone = new Set(missing.length > 0 ? await this.goneOf(missing) : [])
    for (const artifact of missing.filter((one) => !gone.has(one))) {
      this.#withheld.add(artifact)
      this.#leftOut.add(artifact, new ContentGone(artifact.name, artifact.id))
    }
    this.#leftOut.tell()
  }

  /** Artifacts of backups that GitHub lists and did not give: nobody knows what is in them. */
  withheld(): Listed[] {
    return [...this.#withheld].filter(({ name }) => !isPartName(name))
  }

  /** The artifacts of this repository whose names are those of the set, or of any; newest first. Asked for once. */
  listed(): Promise<Listed[]> {
    this.#listed ??= this.listedNow().catch((error: unknown) => {
      this.#listed = undefined
      throw error
    })
    return this.#listed
  }

  /** Those of backups and proofs, not their parts. */
  async backups(): Promise<Listed[]> {
    return (await this.listed()).filter(({ name }) => !isPartName(name))
  }

  /** The parts that are listed: those of runs that were asked for. */
  async parts(): Promise<Listed[]> {
    return (await this.listed()).filter(({ name }) => isPartName(name))
  }

  /** Of these artifacts, those that are not listed any more. */
  async goneOf<T extends Pick<ServiceArtifact, 'id' | 'name' | 'run'>>(artifacts: readonly T[]): Promise<T[]> {
    const there = new Set(((await this.#run?.list()) ?? []).map(({ id }) => id))
    const others = artifacts.filter(({ id }) => !there.has(id))
    const [parts, backups] = [others.filter(({ name }) => isPartName(name)), others.filter(({ name }) => !isPartName(name))]
    const names = [...new Set(backups.map(({ name }) => name))]
    const runs = [...new Set(backups.map(({ run }) => run))]
    const fewer = runs.length < names.length && !runs.includes(undefined)
    const lists: Which[] = fewer ? runs.map((run) => ({ run })) : names.map((name) => ({ name }))
    const listed = await inParallel(lists, NAMES_AT_ONCE, async (which) => (this.#rest ? this.#rest.list(which) : []))
    const listedParts = await this.#partsOf([...new Set(parts.flatMap(({ run }) => run ?? []))])
    for (const { id } of [...listed.flat(), ...listedParts]) there.add(id)
    return artifacts.filter(({ id }) => !there.has(id))
  }

  /** After this run itself has deleted one, or found that it is gone. */
  remove(id: number): void {
    this.#listed &&= this.#listed.then((listed) => listed.filter((one) => one.id !== id))
  }

  async listedNow(): Promise<Listed[]> {
    const artifacts = new Map<number, Listed>()
    for (const artifact of (await this.#run?.list()) ?? []) artifacts.set(artifact.id, { ...artifact, own: true })
    // Also in the run of a fork's pull request its own steps see what it made.
    for (const artifact of await this.#fromRepository()) {
      artifacts.set(artifact.id, { ...artifact, foreign: artifact.foreign && !artifacts.has(artifact.id) })
    }
    const ours = [...artifacts.values()].filter(({ name }) => isNameOf(this.#options.set, name))
    this.#leftOut.foreign(ours.filter(({ foreign }) => foreign))
    return ours.filter(({ foreign }) => !foreign).toSorted((a, b) => b.created.getTime() - a.created.getTime() || b.id - a.id)
  }

  async #fromRepository(): Promise<ServiceArtifact[]> {
    const { set } = this.#options
    if (!this.#rest) return []
    if (set === undefined) return this.#rest.list()
    const found = await this.#partsOf([...this.#runsWithParts])
    for (let number = 1; number <= LAST_NAME; number += NAMES_AT_ONCE) {
      const names = Array.from({ length: NAMES_AT_ONCE }, (_, index) => artifactName(set, number + index))
      const group = await inParallel(names, NAMES_AT_ONCE, (name) => this.#rest!.list({ name }))
      found.push(...group.flat())
      const last = group.at(-1)!.filter(({ foreign }) => !foreign)
      // Of a run with a higher name, this one is there as well.
      const runs = [...new Set(last.flatMap(({ run }) => run ?? []))]
      if (runs.length <= NAMES_AT_ONCE) return [...found, ...(await this.#furtherOf(runs))]
    }
    return found
  }

  /** All backups and proofs of runs that made many. */
  async #furtherOf(runs: readonly number[]): Promise<ServiceArtifact[]> {
    const { set } = this.#options
    if (set === undefined) return []
    const found = await inParallel(this.#rest ? runs : [], NAMES_AT_ONCE, (run) => this.#rest!.list({ run }))
    return found.flat().filter(({ name }) => isNameOf(set, name) && !isPartName(name) && numberIn(name, set) <= LAST_NAME)
  }

  /** Adds artifacts of these runs that are not found by their names, because one before them is missing. */
  async listFurther(runs: readonly number[]): Promise<Listed[]> {
    const listed = await this.listed()
    const added = (await this.#furtherOf(runs)).filter(({ id, foreign }) => !foreign && !listed.some((one) => one.id === id))
    this.#listed = Promise.resolve([...listed, ...added])
    return added
  }

  /** Parts are listed by their run: they may be many, and GitHub finds artifacts by exact names only. */
  async #partsOf(runs: readonly number[]): Promise<ServiceArtifact[]> {
    const found = await inParallel(this.#rest ? runs : [], NAMES_AT_ONCE, (run) => this.#rest!.list({ run }))
    for (const one of found.flat()) if (isNameOf(this.#options.set, one.name) && !isPartName(one.name)) this.#beside.set(one.id, one)
    return found.flat().filter(({ name }) => isPartName(name))
  }

  /** Artifacts with names of backups that are not found by their names: one before them is missing. */
  async hidden(): Promise<ServiceArtifact[]> {
    const listed = new Set((await this.listed()).map(({ id }) => id))
    return [...this.#beside.values()].filter(({ id, foreign }) => !foreign && !listed.has(id))
  }

  /** Adds the parts of these runs to what is listed. Without a set or a token, everything that can be seen is listed already. */
  async listParts(runs: readonly number[]): Promise<void> {
    const { set } = this.#options
    const unknown = [...new Set(runs)].filter((run) => !this.#runsWithParts.has(run))
    if (set === undefined || !this.#rest || unknown.length === 0) return
    const listed = await this.listed()
    const added = (await this.#partsOf(unknown)).filter(({ id, name, foreign }) => {
      return !foreign && isNameOf(set, name) && !listed.some((one) => one.id === id)
    })
    for (const run of unknown) this.#runsWithParts.add(run)
    this.#listed = Promise.resolve([...listed, ...added])
  }

  /** The first parts of each run, or of most runs, by their names. */
  async firstParts(which: keyof typeof FIRST_PARTS): Promise<ServiceArtifact[]> {
    const { set } = this.#options
    if (set === undefined || !this.#rest) return this.parts()
    const numbers = FIRST_PARTS[which]
    const found = await inParallel(numbers, numbers.length, (number) => this.#rest!.list({ name: partName(set, number) }))
    return found.flat().filter(({ foreign }) => !foreign)
  }

  /** The files of an artifact whose names begin with `prefix`, whoever made it. Undefined for one that is damaged, or gone. */
  files(artifact: Listed, prefix: string): Promise<CandidateFile[] | undefined> {
    return this.#inspect(artifact, { quiet: false }, async (archive, entries) => {
      const named = entries.filter(({ name }) => name.startsWith(prefix)).slice(0, CANDIDATES_OF_ONE)
      return named.map((entry): CandidateFile => ({ key: entry.name, size: entry.size, read: () => archive.read(entry) }))
    })
  }

  /**
   * The content of an artifact; undefined for one that is damaged, not a backup or not signed, and for one that is gone by now; `quiet`:
   * nothing is said of it. Without `signatures` nothing has to be signed. The end of its archive is kept in memory until `forget`.
   */
  look(artifact: Listed, signatures: Signatures | undefined, { quiet = false } = {}): Promise<Held | undefined> {
    this.#unread.set(artifact.id, { artifact })
    return this.#inspect(artifact, { quiet }, async (archive, entries, large) => {
      const parts = partsIn(artifact, entries)
      const read = async (): Promise<Held> => {
        const partsFile = await archive.read(parts)
        this.#unread.delete(artifact.id)
        return heldIn({ artifact, archive, entries, partsFile }, signatures)
      }
      return !large && parts.size > SMALL ? this.#byItself(read) : read()
    })
  }

  /**
   * Looks once more into the artifacts that could not be read in this run: what they need is not known, and could be deleted. Throws if one
   * can be read by now, and if GitHub still lists one and does not give it; the result is those that are damaged.
   */
  async damaged(signatures: Signatures | undefined): Promise<Listed[]> {
    const unread = [...this.#unread.values()].map(({ artifact }) => artifact)
    if (unread.length === 0) return []
    this.requireRequests(unread.length + LEAST_REQUESTS)
    for (const artifact of unread) {
      await this.#archives.get(artifact.id)?.close()
      this.#archives.delete(artifact.id)
      if (await this.look(artifact, signatures, { quiet: true })) throw unreadable(artifact, 'could not be read at first, and now can')
    }
    const still = [...this.#unread.values()]
    const missing = still.filter(({ error }) => error instanceof Gone).map(({ artifact }) => artifact)
    const gone = new Set(missing.length > 0 ? await this.goneOf(missing) : [])
    const listed = missing.find((artifact) => !gone.has(artifact))
    if (listed) throw unreadable(listed, 'is listed by GitHub, but cannot be read')
    return still.filter(({ error }) => !(error instanceof Gone)).map(({ artifact }) => artifact)
  }

  async #inspect<T>(
    artifact: Listed,
    { quiet }: { quiet: boolean },
    work: (archive: Archive, entries: ZipEntry[], large: boolean) => Promise<T>,
  ): Promise<T | undefined> {
    const archive = this.#archives.get(artifact.id) ?? this.archive(artifact)
    this.#archives.set(artifact.id, archive)
    try {
      const directory = await archive.directory()
      const large = directory.length > SMALL
      const inspect = async (): Promise<T> => work(archive, await archive.entries(directory), large)
      return await (large ? this.#byItself(inspect) : inspect())
    } catch (error) {
      if (!(error instanceof DamagedArtifact || error instanceof Gone)) throw error
      const unread = this.#unread.get(artifact.id)
      if (unread) unread.error = error
      if (!quiet && error instanceof Gone) this.#missing.push(artifact)
      else if (!quiet) this.#leftOut.add(artifact, error)
      archive.forget()
      return undefined
    } finally {
      if (this.#archives.size > ENDS_KEPT) archive.forget()
    }
  }

  /** Large ones are read one at a time, so that many of them take no more memory than one. */
  #byItself<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#alone.then(work)
    this.#alone = result.catch(() => undefined)
    return result
  }

  archive(artifact: Listed): Archive {
    const { signal, timeout, temporary } = this.#options
    const source = artifact.own || !this.#rest ? this.#run! : this.#rest
    return new Archive({ artifact, locate: () => source.location(artifact), temporary, signal, timeout })
  }
}

const UNSIGNED = 'Was it made with another key? Otherwise somebody else uploaded it: look at the workflow run that it is of.'

/** A snapshot by its key: the only objects whose set is known without a signature. */
const SNAPSHOT = /^snapshots\/[A-Za-z0-9._-]+\/[A-Za-z0-9-]+\.json\.zst$/

function partsIn({ name, id }: ServiceArtifact, entries: readonly ZipEntry[]): ZipEntry {
  const parts = entries.find((entry) => entry.name === PARTS)
  if (!parts) throw new DamagedArtifact(`artifact ${name} (${id}) is not a backup: it has no ${PARTS}`)
  if (parts.size > LARGEST_PARTS) {
    throw new DamagedArtifact(`${PARTS} in artifact ${name} (${id}) has ${parts.size} bytes, more than the ${LARGEST_PARTS} it may have`)
  }
  // As it was uploaded; one that is packed may be many times as large as the artifact itself.
  if (parts.method !== 'stored') throw new DamagedArtifact(`${PARTS} in artifact ${name} (${id}) is compressed, which no backup's is`)
  return parts
}

/** Checks parts.json, its signature first, and compares the files of the artifact with it. */
function heldIn(
  { artifact, archive, entries, partsFile }: { artifact: Listed; archive: Archive; entries: readonly ZipEntry[]; partsFile: Buffer },
  signatures: Signatures | undefined,
): Held {
  const { name, id, run } = artifact
  const label = `artifact ${name} (${id})`
  // Without a key nothing of it is more than a claim.
  const body = signatures ? signatures.authentic(partsFile) : partsFile.subarray(partsFile.indexOf('\n') + 1)
  if (!body) {
    const other = signatures?.otherKey?.(partsFile)
    const problem = `${label} counts as not there: it is not signed with the key given`
    if (!other) throw new DamagedArtifact(problem, undefined, UNSIGNED)
    throw new OtherKeyArtifact(problem, { ...other, snapshots: entries.map((entry) => entry.name).filter((file) => SNAPSHOT.test(file)) })
  }
  let parts: Parts
  try {
    parts = parseParts(body)
  } catch (cause) {
    if (cause instanceof NewerParts && signatures) throw cause
    throw new DamagedArtifact(`${PARTS} in ${label} is damaged: ${messageOf(cause)}`, cause)
  }
  // The run's own service lists no run: it has those of this run alone.
  if (parts.name !== name || (!artifact.own && parts.run !== run)) {
    const made = `artifact ${parts.name} of run ${parts.run}`
    const why = run === undefined ? `GitHub tells of no run that made it; it may be a copy of ${made}` : `it is a copy of ${made}`
    throw new DamagedArtifact(`${label}${run === undefined ? '' : ` of run ${run}`} counts as not there: ${why}`, undefined, UNSIGNED)
  }
  const found = new Map(entries.map((entry) => [entry.name, entry]))
  const wrong = parts.objects.find(([key, size]) => found.get(key)?.size !== size)
  if (wrong) throw new DamagedArtifact(`${label} does not have ${wrong[0]} with ${wrong[1]} bytes, which its ${PARTS} lists`)
  const all = new Map(parts.objects.map(([key, , sha256]) => [key, { ...found.get(key)!, sha256 }]))
  const index = all.get(INDEX)
  all.delete(INDEX)
  return { artifact, archive, set: parts.set, entries: all, needs: parts.needs, index }
}
