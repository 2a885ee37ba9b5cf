import { createHash } from 'node:crypto'
import { LifeboatError } from '../../error.ts'
import { checkSize, DamagedObject, NotFound, type Store, type StoredObject, type Wholeness } from '../store.ts'
import { DamagedArtifact } from './archive.ts'
import { Catalog, type Held, holding, nameOf } from './catalog.ts'
import { Gone } from './github.ts'
import { RestApi } from './rest-api.ts'
import { RunService } from './run-service.ts'
import { ArtifactGroups } from './groups.ts'
import { wholeness } from './holdings.ts'
import type { Parts } from './parts.ts'
import type { PublishOptions } from './publish.ts'
import { Staging } from './staging.ts'

export type ArtifactStoreOptions = PublishOptions

/**
 * A store in the artifacts of a repository: one artifact per backup with the objects that it put, and parts.json, which says where the
 * other objects its snapshot needs are, and is signed. Objects that are put are staged on disk and uploaded by `commit`; until then they
 * do not exist for others.
 */
export class ArtifactStore implements Store {
  readonly name: string
  readonly groups: ArtifactGroups
  readonly #options: ArtifactStoreOptions
  readonly #run: RunService | undefined
  readonly #catalog: Catalog
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
    this.#staging = new Staging(options.temporary)
    this.name = `artifact:${variables['GITHUB_REPOSITORY'] || 'this run'}/${nameOf(set ?? '*', 1)}`
    const services = { rest, run: this.#run, catalog: this.#catalog, staging: this.#staging }
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
        'Give ‹token›, and the job `permissions: actions: read`.',
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
    await this.#staging.put(key, bytes)
  }

  async get(key: string, most: number): Promise<Buffer> {
    const staged = this.#staging.objects.get(key)
    if (staged) {
      checkSize(staged.size, most, key, this.name)
      return this.#staging.read(staged)
    }
    const held = await this.#catalog.held()
    const holders = held.filter(({ entries }) => entries.has(key))
    if (holders.length === 0) throw this.#notFound(key, held)
    const failures: unknown[] = []
    for (const holder of holders) {
      try {
        const bytes = await this.#read(key, holder, most)
        if (failures[0] instanceof DamagedObject) this.#tellReplaced(failures[0], holders[0]!, holder)
        return bytes
      } catch (error) {
        if (!(error instanceof DamagedObject || error instanceof Gone)) throw error
        failures.push(error)
      }
    }
    throw failures.find((error) => error instanceof DamagedObject) ?? new NotFound(key, this.name, { cause: failures[0] })
  }

  async #read(key: string, { artifact: { id, name }, archive, entries }: Held, most: number): Promise<Buffer> {
    const entry = entries.get(key)!
    checkSize(entry.size, most, key, this.name)
    const bytes = await archive.read(entry)
    if (createHash('sha256').update(bytes).digest('hex') === entry.sha256) return bytes
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
    const held = await this.#catalog.held()
    const holder = held.find(({ entries }) => entries.has(key))
    if (!holder) throw this.#notFound(key, held)
    return objectIn(holder, key)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const seen = new Set<string>()
    for (const [key, { size }] of this.#staging.objects) {
      if (!key.startsWith(prefix)) continue
      seen.add(key)
      yield { key, size, modified: this.#options.now() }
    }
    for (const holder of await this.#catalog.held()) {
      for (const key of holder.entries.keys()) {
        if (seen.has(key) || !key.startsWith(prefix)) continue
        seen.add(key)
        yield objectIn(holder, key)
      }
    }
  }

  /** Forgets an object that is staged. One in an artifact cannot be deleted by itself: see `release` of `Groups`. */
  async delete(key: string): Promise<void> {
    await this.#staging.delete(key)
    if ((await this.#catalog.held()).some(({ entries }) => entries.has(key))) {
      throw new LifeboatError(`${key} cannot be deleted from ${this.name} by itself`, {
        hint: 'An artifact is deleted as a whole, once no snapshot that is kept needs anything of it.',
      })
    }
  }

  /** Discards what was not committed. */
  async close(): Promise<void> {
    await this.#staging.clear()
    await this.#catalog.close()
  }

  #notFound(key: string, held: readonly Held[]): NotFound {
    const need = held.flatMap(({ needs }) => needs).find(({ objects }) => objects.some(([needed]) => needed === key))
    return need ? new LostPart(key, this.name, need, wholeness(held.map(holding))) : new NotFound(key, this.name)
  }
}

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

function objectIn({ artifact: { created, expires }, entries }: Held, key: string): StoredObject {
  return { key, size: entries.get(key)!.size, modified: created, expires }
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
