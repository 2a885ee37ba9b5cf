import { messageOf } from '../../error.ts'
import type { Report } from '../../report/report.ts'
import { inParallel } from '../retry.ts'
import { Archive, DamagedArtifact } from './archive.ts'
import { Gone, type RestApi, type RunService, type ServiceArtifact, type Variables } from './github.ts'
import { NewerParts, PARTS, parseParts, type Parts } from './parts.ts'
import type { ZipEntry } from './zip.ts'

const PREFIX = 'lifeboat-'
/** Artifacts looked into at the same time. */
const PARALLEL = 8
/** Names `lifeboat-<set>.2` and so on are asked for in groups of so many, until a group has none. */
const NAMES_AT_ONCE = 3

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
  signal: AbortSignal
  report: Pick<Report, 'info' | 'warning'>
}

/** An artifact whose content is known. */
export interface Held {
  artifact: ServiceArtifact
  archive: Archive
  entries: ReadonlyMap<string, ZipEntry>
  needs: Parts['needs']
}

/** `own`: of this run, and not to be had from the REST API. */
export type Listed = ServiceArtifact & { own?: true }

/** Which artifacts there are, and what each holds; read once. */
export class Catalog {
  readonly #options: CatalogOptions
  readonly #rest: RestApi | undefined
  readonly #run: RunService | undefined
  #held: Promise<Held[]> | undefined

  constructor(options: CatalogOptions, rest: RestApi | undefined, run: RunService | undefined) {
    this.#options = options
    this.#rest = rest
    this.#run = run
  }

  /** Every artifact there is that has parts.json, newest first. */
  held(): Promise<Held[]> {
    this.#held ??= this.#load().catch((error: unknown) => {
      this.#held = undefined
      throw error
    })
    return this.#held
  }

  /** After this program itself has added or deleted some. */
  replace(held: Held[]): void {
    this.#held = Promise.resolve(held)
  }

  async close(): Promise<void> {
    // A failed listing was thrown where it was asked for.
    const held = (await this.#held?.catch(() => [])) ?? []
    for (const { archive } of held) await archive.close()
  }

  async #load(): Promise<Held[]> {
    const held = await inParallel(await this.listed(), PARALLEL, (artifact) => this.#look(artifact))
    return held.filter((found) => found !== undefined)
  }

  /** The artifacts whose names are those of the set, or of any. */
  async listed(): Promise<Listed[]> {
    const artifacts = new Map<number, Listed>()
    for (const artifact of (await this.#run?.list()) ?? []) artifacts.set(artifact.id, { ...artifact, own: true })
    for (const artifact of await this.#fromRepository()) artifacts.set(artifact.id, artifact)
    return [...artifacts.values()].filter(({ name }) => this.#isOurs(name)).toSorted((a, b) => b.created.getTime() - a.created.getTime() || b.id - a.id)
  }

  async #fromRepository(): Promise<ServiceArtifact[]> {
    const { set } = this.#options
    if (!this.#rest) return []
    if (set === undefined) return this.#rest.list()
    const found: ServiceArtifact[] = []
    for (let number = 1; ; number += NAMES_AT_ONCE) {
      const names = Array.from({ length: NAMES_AT_ONCE }, (_, index) => nameOf(set, number + index))
      const group = (await inParallel(names, NAMES_AT_ONCE, (name) => this.#rest!.list(name))).flat()
      found.push(...group)
      if (group.length === 0) return found
    }
  }

  #isOurs(name: string): boolean {
    const { set } = this.#options
    if (set === undefined) return name.startsWith(PREFIX)
    return name.startsWith(nameOf(set, 1)) && /^(\.[1-9]\d*)?$/.test(name.slice(nameOf(set, 1).length))
  }

  /** What an artifact holds; undefined, with a warning, for one that is damaged or not a backup, and for one that has gone meanwhile. */
  async #look(artifact: Listed): Promise<Held | undefined> {
    const archive = this.archive(artifact)
    try {
      const { entries, contents } = await archive.open(({ name, size }) => name === PARTS && size < 512 * 1024 * 1024)
      return { artifact, archive, ...read(artifact, entries, contents.get(PARTS)) }
    } catch (error) {
      if (error instanceof NewerParts || !(error instanceof DamagedArtifact || error instanceof Gone)) throw error
      if (error instanceof DamagedArtifact) this.#options.report.warning(error.message, error.hint)
      return undefined
    }
  }

  archive(artifact: Listed): Archive {
    const { signal, timeout, temporary } = this.#options
    const source = artifact.own || !this.#rest ? this.#run! : this.#rest
    return new Archive({ artifact, locate: () => source.location(artifact), temporary, signal, timeout })
  }
}

/** Compares the files of an artifact with its parts.json. */
function read({ name, id }: ServiceArtifact, entries: readonly ZipEntry[], partsFile: Buffer | undefined): { entries: Map<string, ZipEntry>; needs: Parts['needs'] } {
  if (!partsFile) throw new DamagedArtifact(`artifact ${name} (${id}) is not a backup: it has no ${PARTS}`)
  let parts: Parts
  try {
    parts = parseParts(partsFile)
  } catch (cause) {
    if (cause instanceof NewerParts) throw cause
    throw new DamagedArtifact(`${PARTS} in artifact ${name} (${id}) is damaged: ${messageOf(cause)}`, cause)
  }
  const found = new Map(entries.map((entry) => [entry.name, entry]))
  const wrong = parts.objects.find(([key, size]) => found.get(key)?.size !== size)
  if (wrong) throw new DamagedArtifact(`artifact ${name} (${id}) does not have ${wrong[0]} with ${wrong[1]} bytes, which its ${PARTS} lists`)
  const listed = new Map(parts.objects.map(([key]) => [key, found.get(key)!]))
  return { entries: listed, needs: parts.needs }
}

/** The artifact of a set's first backup in a run, or of a further one. */
export function nameOf(set: string, number: number): string {
  return `${PREFIX}${set}${number === 1 ? '' : `.${number}`}`
}
