import { LifeboatError, messageOf } from '../../error.ts'
import { retry, Transient } from '../../net/retry.ts'
import type { Archive } from './archive.ts'
import type { Catalog, CatalogOptions } from './catalog.ts'
import type { ServiceArtifact } from './github.ts'
import type { RestApi } from './rest-api.ts'
import type { RunService } from './run-service.ts'
import { namesBefore } from './names.ts'
import { PARTS } from './parts.ts'
import type { ArtifactRetention } from './retention.ts'
import type { Staged, Staging } from './staging.ts'
import { NameTaken, uploadArtifact, type Uploaded } from './upload.ts'
import type { ZipEntry } from './zip.ts'

const DAY = 86_400_000
/** Attempts to upload a backup, over all names that it tries. Each sends everything that is staged. */
const ATTEMPTS = 3

export interface PublishOptions extends CatalogOptions {
  retention: ArtifactRetention
  /** Bytes that may be staged on disk. Default: 2 GiB. */
  stagingLimit?: number | undefined
  /** Milliseconds after which a backup stores everything again. Default: a quarter of the retention, at most 14 days. */
  fullEvery?: number | undefined
  now(): Date
}

/** An artifact to make of staged objects. */
export interface Shipment {
  objects: ReadonlyMap<string, Staged>
  /** The name that it has as number `first`; where that is taken, the next number is tried, up to `last`. */
  nameOf: (number: number) => string
  first: number
  last: number
  /** The signed parts.json of an artifact of this name. */
  partsFor: (name: string) => Buffer
  /** How messages call it. */
  what: 'this backup' | 'a part of this backup'
}

/** An artifact that was uploaded, with parts.json among its objects. */
export interface Sent extends Uploaded {
  name: string
  number: number
  objects: ReadonlyMap<string, Staged>
}

/** An artifact of this run, compared with what was staged. */
export interface Published {
  artifact: ServiceArtifact
  archive: Archive
  entries: ReadonlyMap<string, ZipEntry>
}

/** Names of artifacts that this run is known to have, and names under which an upload has failed, which may have come through. */
interface Names {
  taken: Set<string>
  tried: Set<string>
}

/** Makes artifacts of what is staged, and compares what GitHub then has with it. */
export class Publisher {
  readonly #options: PublishOptions
  readonly #rest: RestApi | undefined
  readonly #run: RunService
  readonly #catalog: Catalog
  readonly #staging: Staging

  constructor(options: PublishOptions, services: { rest: RestApi | undefined; run: RunService }, catalog: Catalog, staging: Staging) {
    this.#options = options
    this.#rest = services.rest
    this.#run = services.run
    this.#catalog = catalog
    this.#staging = staging
  }

  /** The first failure is the cause that matters: the name that it leaves behind is taken, whatever comes then. */
  async upload(shipment: Shipment): Promise<Sent> {
    const { signal } = this.#options
    const failures: unknown[] = []
    const names: Names = { taken: new Set(), tried: new Set() }
    let number = shipment.first
    const attempt = async (): Promise<Sent> => {
      try {
        for (; number <= shipment.last; number++) {
          const sent = names.taken.has(shipment.nameOf(number)) ? undefined : await this.#uploadAs(number, shipment, names)
          if (sent) return sent
        }
        throw noNameLeft(shipment)
      } catch (error) {
        failures.push(error)
        throw error
      }
    }
    try {
      return await retry(attempt, { signal, budget: Infinity, attempts: ATTEMPTS })
    } catch (error) {
      signal.throwIfAborted()
      const [first] = failures
      if (failures.length < 2 || !(first instanceof LifeboatError)) throw error
      const message = `all ${failures.length} attempts to upload ${shipment.what} failed; the first one with: ${first.message}`
      throw new LifeboatError(message, { cause: first, hint: first.hint })
    }
  }

  /** Undefined when this run has another artifact of that name. */
  async #uploadAs(number: number, { objects: content, nameOf, partsFor }: Shipment, { taken, tried }: Names): Promise<Sent | undefined> {
    const { variables, signal, timeout, retention } = this.#options
    const name = nameOf(number)
    const objects = new Map([...content, [PARTS, await this.#staging.writeParts(partsFor(name))]])
    const files = [...objects.values()].map(({ file }) => file)
    const upload = { name, root: this.#staging.root, files, retentionDays: retention.artifact }
    try {
      return { name, number, objects, ...(await uploadArtifact(upload, { variables, signal, silence: timeout / ATTEMPTS })) }
    } catch (error) {
      if (!(error instanceof NameTaken)) {
        tried.add(name)
        throw error
      }
      // Another backup of this run has the name, or an upload that was never completed has, or the answer to our own upload was lost.
      const listed = await this.#run.list()
      const own = tried.has(name) ? listed.find((artifact) => artifact.name === name) : undefined
      for (const artifact of listed) taken.add(artifact.name)
      if (!own?.digest || (await this.#compare(own, objects)).wrong.length > 0) return undefined
      return { name, number, objects, id: own.id, size: own.size, digest: own.digest }
    }
  }

  /** Throws if later runs would not find an artifact of this number: they ask for names only as far as there are any. */
  async requireFound({ number, name, id }: Sent, nameOf: Shipment['nameOf']): Promise<void> {
    const before = namesBefore(number).map(nameOf)
    if (before.length === 0) return
    const look = async (): Promise<void> => {
      const listed = new Set((await this.#run.list()).map((artifact) => artifact.name))
      const missing = before.find((one) => !listed.has(one))
      if (missing === undefined) return
      throw new Transient(`later runs would not find artifact ${name} (${id}): GitHub never completed ${missing}, which comes before it`, {
        hint: 'Do not count on this backup. Back up in a new run of the workflow, or run the job again. Earlier backups are whole.',
      })
    }
    // Another job of this run may be uploading it.
    await retry(look, { signal: this.#options.signal, budget: this.#options.timeout, clock: this.#options.clock })
  }

  /** `wrong`: keys of staged objects that are not in an artifact of this run, or differ there. */
  async #compare(
    artifact: ServiceArtifact,
    objects: ReadonlyMap<string, Staged>,
  ): Promise<{ archive: Archive; entries: Map<string, ZipEntry>; wrong: string[] }> {
    const archive = this.#catalog.archive({ ...artifact, own: true })
    const entries = new Map((await archive.entries(await archive.directory())).map((entry) => [entry.name, entry]))
    archive.forget()
    const wrong = [...objects]
      .filter(([key, { size, crc }]) => entries.get(key)?.size !== size || entries.get(key)?.crc !== crc)
      .map(([key]) => key)
    return { archive, entries, wrong }
  }

  /**
   * Compares what GitHub says it has, and the directory of the stored zip file, with what was staged. `askExpiry`: also asks how long
   * GitHub keeps it, which takes a request of the REST API.
   */
  async confirm({ name, id, size, digest, objects }: Sent, { askExpiry }: { askExpiry: boolean }): Promise<Published> {
    const hint = 'Do not count on this backup; run it again. Earlier backups are whole.'
    const unchecked = (cause: unknown): never => {
      this.#options.signal.throwIfAborted()
      throw new LifeboatError(`artifact ${name} (${id}) was uploaded, but what GitHub has could not be checked: ${messageOf(cause)}`, {
        cause,
        hint,
      })
    }
    const look = async (): Promise<ServiceArtifact> => {
      const found = (await this.#run.list().catch(unchecked)).find((artifact) => artifact.id === id)
      if (!found) throw new Transient(`artifact ${name} (${id}) was uploaded, but GitHub does not list it`, { hint })
      return found
    }
    const stored = await retry(look, { signal: this.#options.signal, budget: this.#options.timeout })
    if (stored.size !== size || (stored.digest !== undefined && stored.digest !== digest)) {
      throw new LifeboatError(
        `artifact ${name} (${id}) is not what was uploaded: GitHub has ${stored.size} bytes, ${stored.digest}; sent were ${size} bytes, ` +
          digest,
        { hint },
      )
    }
    const { archive, entries, wrong } = await this.#compare(stored, objects).catch(unchecked)
    if (wrong.length > 0) {
      throw new LifeboatError(
        `artifact ${name} (${id}) lacks ${wrong.length} of the ${objects.size} objects put, ${wrong[0]} among them`,
        { hint: `Something removes files from ${this.#options.temporary} while the backup runs. ${hint}` },
      )
    }
    return { artifact: { ...stored, expires: askExpiry ? await this.#expiry({ id, name }) : undefined }, archive, entries }
  }

  /** GitHub may keep it for less time than was asked for: repositories and organisations set a limit. */
  async #expiry({ id, name }: { id: number; name: string }): Promise<Date | undefined> {
    const { retention, report } = this.#options
    let described: ServiceArtifact | undefined
    try {
      described = await this.#rest?.get(id)
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      // The backup is stored and checked; that this could not be read does not make it fail.
      report.warning(`how long GitHub keeps artifact ${name} could not be read: ${error.message}`)
    }
    if (described?.foreign) {
      throw new LifeboatError(
        `artifact ${name} (${id}) is of the run of a fork's pull request: no other run will read it, and it is no backup`,
        {
          hint: 'Back up in runs of the repository itself: on a schedule, or when something is pushed.',
        },
      )
    }
    if (!described?.expires) return undefined
    const days = Math.round((described.expires.getTime() - this.#options.now().getTime()) / DAY)
    if (days < retention.artifact) {
      report.warning(
        `GitHub keeps artifact ${name} for ${days} days, not for the ${retention.artifact} asked for`,
        'Settings, Actions, "Artifact and log retention" of the repository or its organisation has the limit.',
      )
    }
    return described.expires
  }
}

function noNameLeft({ nameOf, last, what }: Shipment): LifeboatError {
  return new LifeboatError(`this run has no name left for ${what}: all are taken up to ${nameOf(last)}`, {
    hint: 'Nothing was added by this. Go on in a new run of the workflow.',
  })
}
