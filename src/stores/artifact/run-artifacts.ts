import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Authenticator } from '../store.ts'
import type { Catalog, Held, Listed } from './catalog.ts'
import { type Contents, unlessDamaged } from './contents.ts'
import { hasSnapshot, isProof, mayTellOf, provenBy, snapshotsOf } from './holdings.ts'
import { encodeIndex, INDEX } from './index-file.ts'
import type { Known } from './known.ts'
import { artifactName, LAST_NAME, LAST_PART, partName } from './names.ts'
import { LARGEST_SHARE, PartUploads } from './part-uploads.ts'
import { encodeParts, LARGEST_PARTS, PARTS, type Parts, sha256Of } from './parts.ts'
import { type Published, Publisher, type PublishOptions, type Sent, type Shipment } from './publish.ts'
import type { RestApi } from './rest-api.ts'
import type { RunService } from './run-service.ts'
import type { Staged, Staging } from './staging.ts'

/** Bytes that may be staged by default: a hosted runner has 14 GB, which the job needs for other things, too. */
const STAGING_LIMIT = 2 * 1024 ** 3

/** Bytes of earlier proofs that the artifact of a new one has: some dozens. */
const MOST_CARRIED = 32 * 1024

/** The parts of a store of artifacts that read and write them. */
export interface ArtifactServices {
  rest: RestApi | undefined
  run: RunService | undefined
  catalog: Catalog
  contents: Contents
  staging: Staging
}

/** The artifacts of one run: parts while objects are put, and a last one, which makes the backup exist. */
export class RunArtifacts {
  readonly #name: string
  readonly #options: PublishOptions
  readonly #services: ArtifactServices
  readonly #authenticator: () => Authenticator | undefined
  /** Cards of snapshots that were put, by their keys. */
  readonly #cards = new Map<string, string>()
  readonly #parts: PartUploads<Held>
  /** Ends uploads of parts when the store is closed. */
  readonly #closing = new AbortController()
  /** The numbers of the last part, and of the last other artifact. */
  #lastPart = 0
  #lastName = 0
  /** Whether GitHub was asked when the first artifact of this run expires, and its answer. */
  #asked = false
  #expires: Date | undefined

  /** `name`: of the store; `authenticator`: known before anything is uploaded. */
  constructor(name: string, options: PublishOptions, services: ArtifactServices, authenticator: () => Authenticator | undefined) {
    this.#name = name
    this.#options = options
    this.#services = services
    this.#authenticator = authenticator
    this.#parts = new PartUploads(services.staging, options.stagingLimit ?? STAGING_LIMIT, (keys) => this.#uploadPart(keys))
  }

  /** Stages an object for the next `commit`; waits while parts of what was staged before are uploaded, if there is no room for it. */
  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#parts.put(key, bytes)
  }

  describe(key: string, card: string): void {
    this.#cards.set(key, card)
  }

  /** Discards what was not committed. */
  async close(): Promise<void> {
    this.#closing.abort(new LifeboatError('the store was closed'))
    await this.#parts.end()
  }

  /**
   * Uploads what was put and is not in a part yet as one artifact, which needs these parts, and compares what GitHub then has with what was
   * put. When it throws, what it may have added is not to be counted on.
   */
  async commit(needs: readonly string[]): Promise<void> {
    const { set } = this.#options
    const { run, contents, staging } = this.#services
    if (staging.content.length === 0 || !run || set === undefined) return
    const parts = await this.#parts.finish()
    // Proofs alone are worth nothing without the artifacts of their snapshots, which have the common objects.
    const proofsAlone = staging.content.every(isProof)
    if (proofsAlone) await this.#carryProofs()
    const needed = [...(await this.#locate(needs)), ...parts.map(needOfPart)]
    const { index, ids } = await contents.index({ short: proofsAlone })
    const encoded = index.artifacts.length > 0 ? await encodeIndex(index) : undefined
    if (encoded) await staging.put(INDEX, encoded)
    const objects = await staging.select(staging.content, { common: !proofsAlone })
    if (!proofsAlone) this.#warnOfShortRetention()
    const publisher = this.#publisher(set, run)
    const nameOf = (number: number): string => artifactName(set, number)
    const names = { nameOf, first: this.#lastName + 1, last: LAST_NAME, what: 'this backup' } as const
    const sent = await publisher.upload(this.#shipment(set, objects, needed, names))
    this.#lastName = sent.number
    // Its lists have this artifact, too, which saves the request that `confirm` would make for it.
    await this.#requireThere(sent, needed)
    const published = await this.#confirm(publisher, sent)
    await publisher.requireFound(sent, nameOf)
    contents.add(heldOf(set, sent, published, needed), this.#cards, encoded && ids)
    this.#cards.clear()
    await staging.clear()
  }

  /** A part has no snapshot: no backup exists by it. It has the notes of this run, by which the next one finds what is in it. */
  async #uploadPart(keys: readonly string[]): Promise<() => Promise<Held>> {
    const { set } = this.#options
    const { run, contents, staging } = this.#services
    if (!run || set === undefined) throw new Error(`${this.#name}: a part outside of a workflow`)
    if (this.#lastPart === LAST_PART) throw tooManyParts(this.#options.stagingLimit ?? STAGING_LIMIT)
    const publisher = this.#publisher(set, run)
    const objects = await staging.select([...staging.notes, ...keys], { common: true })
    const first = this.#lastPart + 1
    const names = { nameOf: (number: number) => partName(set, number), first, last: LAST_PART, what: 'a part of this backup' } as const
    const sent = await publisher.upload(this.#shipment(set, objects, [], names))
    this.#lastPart = sent.number
    return async () => {
      const held = heldOf(set, sent, await this.#confirm(publisher, sent), [])
      contents.add(held, new Map(), undefined)
      return held
    }
  }

  /** The artifacts of a run expire one after the other, and no other run reads any of them if it is of a fork: one request tells both. */
  async #confirm(publisher: Publisher, sent: Sent): Promise<Published> {
    const askExpiry = !this.#asked
    this.#asked = true
    const published = await publisher.confirm(sent, { askExpiry })
    this.#expires ??= published.artifact.expires
    return { ...published, artifact: { ...published.artifact, expires: this.#expires } }
  }

  #publisher(set: string, run: RunService): Publisher {
    const { rest, catalog, staging } = this.#services
    const signal = AbortSignal.any([this.#options.signal, this.#closing.signal])
    return new Publisher({ ...this.#options, set, signal }, { rest, run }, catalog, staging)
  }

  #shipment(
    set: string,
    objects: ReadonlyMap<string, Staged>,
    needs: Parts['needs'],
    names: Omit<Shipment, 'objects' | 'partsFor'>,
  ): Shipment {
    const authenticator = this.#authenticator()
    if (!authenticator) throw new Error(`${this.#name}: an upload before authenticate`)
    const listed = [...objects].map(([key, { size, sha256 }]): Parts['objects'][number] => [key, size, sha256])
    const parts = { run: Number(this.#options.variables['GITHUB_RUN_ID']), set, objects: listed, needs }
    return { ...names, objects, partsFor: (name) => signedParts(name, parts, authenticator) }
  }

  /**
   * Adds the proofs of the newest artifact that has no snapshot, and of others that were looked into, so that a prune can delete these; up
   * to a limit, so that many proofs are not uploaded again each time. A backup has none of others: they would keep it from being deleted.
   */
  async #carryProofs(): Promise<void> {
    const { contents } = this.#services
    const known = await contents.known()
    const snapshots = known.flatMap(snapshotsOf)
    const alone = known.filter((one) => !hasSnapshot(one) && [...one.objects.keys()].some(isProof))
    const elsewhere = new Set<string>()
    let left = MOST_CARRIED
    for (const one of alone) {
      const counts = (key: string): boolean => isProof(key) && (snapshots.includes(provenBy(key)) || mayTellOf(snapshots, key))
      const missing = [...one.objects].filter(([key]) => counts(key) && !elsewhere.has(key))
      const bytes = missing.reduce((sum, [, size]) => sum + size, 0)
      for (const [key] of missing) elsewhere.add(key)
      // One more request at most.
      if (bytes === 0 || bytes > left || !(one.held || one === alone[0])) continue
      const held = await contents.open(one)
      for (const [key] of held ? missing : []) await this.#carry(key, held!)
      left -= bytes
    }
  }

  async #carry(key: string, { archive, entries }: Held): Promise<void> {
    const entry = entries.get(key)!
    const bytes = await unlessDamaged(() => archive.read(entry))
    if (bytes && sha256Of(bytes) === entry.sha256) await this.#services.staging.put(key, bytes)
  }

  /** The artifact of each object. The artifacts are listed again, since some may have been deleted meanwhile. */
  async #locate(needs: readonly string[]): Promise<Parts['needs']> {
    if (needs.length === 0) return []
    const { catalog, contents, staging } = this.#services
    let found = new Map<Known, [string, number][]>()
    for (;;) {
      found = new Map()
      for (const key of needs) {
        if (staging.objects.has(key)) continue
        const located = await contents.locate(key)
        if (!located) {
          throw new LifeboatError(`${key}, which this backup builds on, was deleted while it ran`, {
            hint: 'Run the backup again: it will store it again. Nothing was lost.',
          })
        }
        const objects = found.get(located.known) ?? []
        objects.push([key, located.size])
        found.set(located.known, objects)
      }
      const gone = await catalog.goneOf([...found.keys()].map(({ artifact }) => artifact))
      if (gone.length === 0) break
      for (const { id } of gone) await contents.remove(id)
    }
    return [...found].map(([{ artifact }, objects]) => needOf(artifact, objects))
  }

  /** Throws if something that the backup needs was deleted while its last artifact was uploaded. */
  async #requireThere({ name, id }: Sent, needs: Parts['needs']): Promise<void> {
    if (needs.length === 0) return
    const needed = needs.map((need) => ({ id: need.artifact, name: need.name, run: need.run ?? undefined }))
    const [gone] = await this.#services.catalog.goneOf(needed)
    if (!gone) return
    await this.#services.contents.remove(gone.id)
    throw new LifeboatError(`artifact ${gone.name} (${gone.id}), which this backup needs, was deleted while it ran`, {
      hint:
        `Run the backup again: it will store again what was in that one. Do not count on this backup, artifact ${name} (${id}): ` +
        'it is listed as damaged until a prune deletes it.',
    })
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

function heldOf(set: string, { objects }: Sent, { artifact, archive, entries }: Published, needs: Parts['needs']): Held {
  const own = [...objects].filter(([key]) => key !== PARTS && key !== INDEX)
  return { artifact, archive, set, entries: new Map(own.map(([key, { sha256 }]) => [key, { ...entries.get(key)!, sha256 }])), needs }
}

function needOf({ id, name, run, expires }: Listed, objects: [key: string, size: number][]): Parts['needs'][number] {
  return { artifact: id, name, run: run ?? null, expires: expires?.toISOString() ?? null, objects }
}

/** All chunks of a part. */
function needOfPart({ artifact, entries }: Held): Parts['needs'][number] {
  return needOf(artifact, [...entries].flatMap(([key, { size }]) => (key.startsWith('chunks/') ? [[key, size]] : [])))
}

function tooManyParts(limit: number): LifeboatError {
  const part = Math.floor(limit / LARGEST_SHARE / 1024 ** 2)
  return new LifeboatError(`this backup adds too much for artifacts: more than ${LAST_PART} parts of ${part} MiB`, {
    hint: marked`Raise ‹staging-limit›, a quarter of which is the size of a part, as far as the disk has room; or use another destination.`,
  })
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
