import { LifeboatError } from '../../error.ts'
import {
  type Authenticator,
  type Candidates,
  DamagedObject,
  type Groups,
  type Release,
  type Released,
  type Store,
  type Wholeness,
} from '../store.ts'
import { type Catalog, type Held, holding } from './catalog.ts'
import { Gone } from './github.ts'
import type { RestApi } from './rest-api.ts'
import type { RunService } from './run-service.ts'
import { described, stayingWithout, unneeded, wholeness } from './holdings.ts'
import { encodeParts, LARGEST_PARTS, PARTS, type Parts } from './parts.ts'
import { Publisher, type PublishOptions } from './publish.ts'
import type { Staging } from './staging.ts'

const DAY = 86_400_000

/** The parts of a store of artifacts that read and write them. */
export interface ArtifactServices {
  rest: RestApi | undefined
  run: RunService | undefined
  catalog: Catalog
  staging: Staging
}

/** The artifacts of a store, each the group of what one run put (docs/format.md, section 7). */
export class ArtifactGroups implements Groups {
  readonly staging: string
  readonly #name: string
  readonly #options: PublishOptions
  readonly #services: ArtifactServices
  readonly #open: (set: string) => Store
  #authenticator: Authenticator | undefined

  /** `open`: a store of the same artifacts for a set, which may be the one that these groups belong to. */
  constructor(name: string, options: PublishOptions, services: ArtifactServices, open: (set: string) => Store) {
    this.staging = options.temporary
    this.#name = name
    this.#options = options
    this.#services = services
    this.#open = open
  }

  async exist(): Promise<boolean> {
    return (await this.#services.catalog.listed()).length > 0
  }

  async *candidates(prefix: string, most: number): Candidates {
    const { staging, catalog } = this.#services
    for (const [key, staged] of staging.objects) if (key.startsWith(prefix)) yield { key, read: () => staging.read(staged) }
    for (const { key, size, read } of await catalog.candidates(prefix)) if (size <= most) yield { key, read: () => unlessDamaged(read) }
  }

  authenticate(authenticator: Authenticator): void {
    this.#authenticator = authenticator
    this.#services.catalog.authenticate(authenticator)
  }

  ofSet(set: string): Store {
    const store = this.#open(set)
    if (this.#authenticator && store.groups !== this) store.groups?.authenticate(this.#authenticator)
    return store
  }

  neededUntil(): Date {
    return new Date(this.#options.now().getTime() + this.#options.retention.snapshot * DAY)
  }

  async wholeness(): Promise<Wholeness> {
    return wholeness((await this.#services.catalog.held()).map(holding))
  }

  /**
   * Uploads what was put as one artifact, and compares what GitHub then has with what was put.
   * When it throws, what it may have added is not to be counted on.
   */
  async commit(needs: readonly string[]): Promise<void> {
    const { set, variables } = this.#options
    const { rest, run, catalog, staging } = this.#services
    const authenticator = this.#authenticator
    const { content } = staging
    if (content.length === 0 || !run || set === undefined) return
    if (!authenticator) throw new Error(`${this.#name}: commit before authenticate`)
    // Proofs alone are worth nothing without the artifacts of their snapshots, which have the common objects.
    const proofsAlone = content.every((key) => key.startsWith('proofs/'))
    await staging.stageCommon(!proofsAlone)
    const objects = [...staging.objects].map(([key, { size, sha256 }]): Parts['objects'][number] => [key, size, sha256])
    const parts = { run: Number(variables['GITHUB_RUN_ID']), set, objects, needs: await this.#locate(needs) }
    if (!proofsAlone) this.#warnOfShortRetention()
    const publisher = new Publisher(this.#options, { rest, run }, catalog, staging)
    const added = await publisher.publish(set, (name) => signedParts(name, parts, authenticator))
    const entries = new Map(objects.map(([key, , sha256]) => [key, { ...added.entries.get(key)!, sha256 }]))
    catalog.add({ ...added, set, entries, needs: parts.needs })
    await staging.clear()
  }

  /** Without `actions: write` nothing can be deleted: `permitted` is then false. */
  async release({ kept, grace, builtOn, dryRun }: Release): Promise<Released> {
    const holdings = (await this.#services.catalog.held()).map(holding)
    const going = new Set(unneeded(holdings, this.#options.now(), { kept, grace, builtOn }))
    // A name like lifeboat-app.2 may be another set's: what this set keeps decides nothing about that.
    const own = holdings.filter(({ set }) => this.#options.set === undefined || set === this.#options.set)
    const artifacts = own.filter((one) => going.has(one)).map(described)
    const staying = stayingWithout(
      own.filter((one) => !going.has(one)),
      kept,
    )
    return { artifacts, staying, ...(await this.#delete(dryRun ? [] : artifacts)) }
  }

  async #delete(artifacts: Released['artifacts']): Promise<Pick<Released, 'deleted' | 'permitted'>> {
    const { rest, catalog } = this.#services
    let deleted = 0
    for (const { id } of artifacts) {
      if (!(await rest?.delete(id))) return { deleted, permitted: false }
      deleted++
      catalog.remove(id)
    }
    return { deleted, permitted: true }
  }

  /** The artifact of each object. The artifacts are listed again, since some may have been deleted meanwhile. */
  async #locate(needs: readonly string[]): Promise<Parts['needs']> {
    if (needs.length === 0) return []
    const { catalog, staging } = this.#services
    const held = await catalog.held()
    const listed = new Set((await catalog.listedNow()).map(({ id }) => id))
    const found = new Map<Held, [string, number][]>()
    for (const key of needs) {
      if (staging.objects.has(key)) continue
      const holder = held.find(({ artifact, entries }) => entries.has(key) && listed.has(artifact.id))
      if (!holder) {
        throw new LifeboatError(`${key}, which this backup builds on, was deleted while it ran`, {
          hint: 'Run the backup again: it will store it again. Nothing was lost.',
        })
      }
      const objects = found.get(holder) ?? []
      objects.push([key, holder.entries.get(key)!.size])
      found.set(holder, objects)
    }
    return [...found].map(
      ([
        {
          artifact: { id, name, run, expires },
        },
        objects,
      ]) => {
        return { artifact: id, name, run: run ?? null, expires: expires?.toISOString() ?? null, objects }
      },
    )
  }

  #warnOfShortRetention(): void {
    const {
      report,
      retention: { short, snapshot, artifact },
    } = this.#options
    if (short === 0) return
    report.warning(
      `this snapshot is sure to be whole for ${snapshot} days, ${short} fewer than the retention asks for: ` +
        `GitHub keeps artifacts for ${artifact}, and later backups share its parts`,
      'Ask for a shorter retention, raise the limit in the settings of the repository (Actions, "Artifact and log retention"), or use ' +
        'another destination.',
    )
  }
}

/** Undefined for a file of an artifact that is damaged or gone. */
async function unlessDamaged(read: () => Promise<Buffer>): Promise<Buffer | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof DamagedObject || error instanceof Gone) return undefined
    throw error
  }
}

function signedParts(name: string, parts: Omit<Parts, 'format' | 'name'>, { sign }: Authenticator): Buffer {
  const file = sign(encodeParts({ name, ...parts }))
  if (file.length <= LARGEST_PARTS) return file
  throw new LifeboatError(
    `this backup needs too many objects for one artifact: its ${PARTS} has ${file.length} bytes, more than ${LARGEST_PARTS}`,
    {
      hint: 'Use another destination, or back up fewer sources at a time.',
    },
  )
}
