import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { checkSize, DamagedObject, NotFound, type Store, type StoredObject, type Wholeness } from '../store.ts'
import { DamagedArtifact } from './archive.ts'
import { Catalog, type Held } from './catalog.ts'
import { Contents } from './contents.ts'
import { Gone, type ServiceArtifact } from './github.ts'
import { RestApi } from './rest-api.ts'
import { RunService } from './run-service.ts'
import { ArtifactGroups } from './groups.ts'
import { wholeness } from './holdings.ts'
import { artifactName } from './names.ts'
import { type Parts, sha256Of } from './parts.ts'
import type { PublishOptions } from './publish.ts'
import { Staging } from './staging.ts'

export type ArtifactStoreOptions = PublishOptions

/**
 * A store in the artifacts of a repository: one artifact per backup with the objects that it put, and parts.json, which says where the
 * other objects its snapshot needs are, and is signed. Objects that are put are staged on disk and uploaded by `commit`; until then they
 * do not exist for others. If they are more than the disk is to hold, chunks are uploaded as parts meanwhile, artifacts without a snapshot.
 */
export class ArtifactStore implements Store {
  readonly name: string
  readonly groups: ArtifactGroups
  readonly #options: ArtifactStoreOptions
  readonly #run: RunService | undefined
  readonly #catalog: Catalog
  readonly #contents: Contents
  readonly #staging: Staging
  /** Ids of damaged artifacts that others were read in place of. */
  readonly #replaced = new Set<number>()

  /** Throws where artifacts do not exist, and where neither a token nor a workflow run gives access to any. */
  constructor(options: ArtifactStoreOptions) {
    const { token, variables, set, report } = options
    refuseOtherServers(variables['GITHUB_SERVER_URL'])
    const rest = token ? new RestApi(token, options) : undefined
    this.#options = options
    this.#run = RunService.of(options)
    this.#catalog = new Catalog(options, rest, this.#run)
    this.#contents = new Contents(this.#catalog, report)
    this.#staging = new Staging(options.temporary)
    this.name = `artifact:${variables['GITHUB_REPOSITORY'] || 'this run'}/${artifactName(set ?? '*', 1)}`
    const services = { rest, run: this.#run, catalog: this.#catalog, contents: this.#contents, staging: this.#staging }
    this.groups = new ArtifactGroups(this.name, options, services, (one) =>
      one === set ? this : new ArtifactStore({ ...options, set: one }),
    )
    if (!rest && !this.#run) {
      throw new LifeboatError('artifacts cannot be read: there is no token, and this is not a step of a workflow', {
        hint: 'At a terminal, set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN to a token that may read its actions.',
        status: 2,
      })
    }
    if (!rest) {
      report.warning(
        'without a token only the artifacts of this run are seen, so a backup cannot build on earlier ones',
        marked`Give ‹token›, and the job \`permissions: actions: read\`.`,
      )
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (!this.#run || this.#options.set === undefined) {
      throw new LifeboatError('artifacts can be written only by a step of a workflow', {
        hint: 'Elsewhere, back up to another destination: file:PATH, for instance.',
        status: 2,
      })
    }
    await this.groups.put(key, bytes)
  }

  async get(key: string, most: number): Promise<Buffer> {
    const staged = this.#staging.objects.get(key)
    if (staged) {
      checkSize(staged.size, most, key, this.name)
      const bytes = await this.#staging.read(key)
      if (bytes) return bytes
    }
    const failures: unknown[] = []
    let first: Held | undefined
    for await (const holder of this.#contents.holders(key)) {
      first ??= holder
      try {
        const bytes = await this.#read(key, holder, most)
        if (failures[0] instanceof DamagedObject) this.#tellReplaced(failures[0], first, holder)
        return bytes
      } catch (error) {
        if (!(error instanceof DamagedObject || error instanceof Gone)) throw error
        failures.push(error)
      }
    }
    if (failures.length === 0) throw await this.#notFound(key)
    throw failures.find((error) => error instanceof DamagedObject) ?? new NotFound(key, this.name, { cause: failures[0] })
  }

  async #read(key: string, { artifact: { id, name }, archive, entries }: Held, most: number): Promise<Buffer> {
    const entry = entries.get(key)!
    checkSize(entry.size, most, key, this.name)
    const bytes = await archive.read(entry)
    if (sha256Of(bytes) === entry.sha256) return bytes
    throw new DamagedArtifact(`artifact ${name} (${id}) is damaged: ${key} in it is not what was put: its SHA-256 differs`)
  }

  #tellReplaced({ message, hint }: DamagedObject, { artifact: { id } }: Held, { artifact: other }: Held): void {
    if (!this.#replaced.has(id)) {
      this.#options.report.warning(`${message}; artifact ${other.name} (${other.id}) has it too, and is read instead`, hint)
    }
    this.#replaced.add(id)
  }

  async head(key: string): Promise<StoredObject> {
    const staged = this.#staging.objects.get(key)
    if (staged) return { key, size: staged.size, modified: this.#options.now() }
    const located = await this.#contents.locate(key)
    if (!located) throw await this.#notFound(key)
    return objectOf(key, located.size, located.known.artifact)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const seen = new Set<string>()
    for (const [key, { size }] of this.#staging.objects) {
      if (!key.startsWith(prefix)) continue
      seen.add(key)
      yield { key, size, modified: this.#options.now() }
    }
    // The names of chunks are known only of artifacts that were looked into.
    if (prefix.startsWith(CHUNKS) || CHUNKS.startsWith(prefix)) await this.#contents.held()
    for (const { artifact, objects, held } of await this.#contents.known()) {
      const sizes = held ? [...held.entries].map(([key, { size }]): [string, number] => [key, size]) : objects
      for (const [key, size] of sizes) {
        if (seen.has(key) || !key.startsWith(prefix)) continue
        seen.add(key)
        yield objectOf(key, size, artifact)
      }
    }
  }

  /** Forgets an object that is staged. One in an artifact cannot be deleted by itself: see `release` of `Groups`. */
  async delete(key: string): Promise<void> {
    await this.#staging.delete(key)
    if (await this.#contents.locate(key)) {
      throw new LifeboatError(`${key} cannot be deleted from ${this.name} by itself`, {
        hint: 'An artifact is deleted as a whole, once no snapshot that is kept needs anything of it.',
      })
    }
  }

  /** Discards what was not committed. */
  async close(): Promise<void> {
    await this.groups.close()
    await this.#staging.clear()
    await this.#catalog.close()
  }

  async #notFound(key: string): Promise<NotFound> {
    const needs = (await this.#contents.known()).flatMap(({ held }) => held?.needs ?? [])
    const need = needs.find(({ objects }) => objects.some(([needed]) => needed === key))
    if (!need) return new NotFound(key, this.name)
    return new LostPart(key, this.name, need, wholeness(await this.#contents.holdings(), this.#options.set, need.artifact))
  }
}

const CHUNKS = 'chunks/'

/** An object that was in an artifact that has expired or was deleted. */
export class LostPart extends NotFound {
  constructor(key: string, store: string, { artifact, name, expires }: Parts['needs'][number], { lost, newestWhole }: Wholeness) {
    super(key, store)
    const ids = lost.map((snapshot) => snapshot.slice(snapshot.lastIndexOf('/') + 1, -'.json.zst'.length))
    const end = expires === null ? '' : `; it was to expire on ${expires}`
    const whole =
      newestWhole === undefined
        ? 'no snapshot is whole'
        : `the newest whole snapshot is ${newestWhole.slice(newestWhole.lastIndexOf('/') + 1, -'.json.zst'.length)}`
    const lostWithIt = `Snapshots lost with it: ${ids.join(', ')}; ${whole}`
    this.message = `${key} was in artifact ${name} (${artifact}), which has expired or was deleted${end}. ${lostWithIt}`
    this.name = 'LostPart'
  }
}

function objectOf(key: string, size: number, { created, expires }: ServiceArtifact): StoredObject {
  return { key, size, modified: created, ...(expires && { expires }) }
}

/** Artifacts of this kind exist on github.com and ghe.com only. */
function refuseOtherServers(server: string | undefined): void {
  const host = URL.parse(server || 'https://github.com')?.hostname.toLowerCase() ?? ''
  if (host === 'github.com' || host.endsWith('.ghe.com') || host.endsWith('.localhost')) return
  throw new LifeboatError(`artifacts are not available on GitHub Enterprise Server (${host})`, {
    hint: 'Use another destination: file:, s3:, azblob:, sftp:, webdav: or rclone:.',
    status: 2,
  })
}
