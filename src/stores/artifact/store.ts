import { createHash } from 'node:crypto'
import { LifeboatError } from '../../error.ts'
import { type Authenticator, type Candidates, checkSize, DamagedObject, type Groups, NotFound, type Released, type Store, type StoredObject } from '../store.ts'
import { DamagedArtifact } from './archive.ts'
import { Catalog, type Held, nameOf } from './catalog.ts'
import { Gone, RestApi, RunService } from './github.ts'
import { encodeParts, type Holding, LARGEST_PARTS, PARTS, type Parts, snapshotsOf, unneeded, wholeness } from './parts.ts'
import { Publisher, type PublishOptions } from './publish.ts'
import { Staging } from './staging.ts'

const DAY = 86_400_000

export type ArtifactStoreOptions = PublishOptions

/**
 * A store in the artifacts of a repository: one artifact per backup with the objects that it put, and parts.json, which says where the other
 * objects its snapshot needs are, and is signed. What is put is staged on disk and uploaded by `commit`; until then nothing of it exists for others.
 */
export class ArtifactStore implements Store {
  readonly name: string
  readonly groups: Groups
  readonly #options: ArtifactStoreOptions
  readonly #rest: RestApi | undefined
  readonly #run: RunService | undefined
  readonly #catalog: Catalog
  readonly #staging: Staging
  /** What every artifact of a backup has, so that it can be read by itself: the mark of the store, keys, how to recover. */
  readonly #common = new Map<string, Uint8Array>()
  readonly #replaced = new Set<number>()
  #authenticator: Authenticator | undefined

  /** Throws where artifacts do not exist, and where neither a token nor a workflow run gives access to any. */
  constructor(options: ArtifactStoreOptions) {
    const { token, variables, set } = options
    refuseOtherServers(variables['GITHUB_SERVER_URL'])
    this.#options = options
    this.#rest = token ? new RestApi(token, options) : undefined
    this.#run = RunService.of(options)
    this.#catalog = new Catalog(options, this.#rest, this.#run)
    this.#staging = new Staging(options.temporary)
    this.name = `artifact:${variables['GITHUB_REPOSITORY'] || 'this run'}/${nameOf(set ?? '*', 1)}`
    this.groups = {
      exist: async () => (await this.#catalog.listed()).length > 0,
      candidates: (prefix, most) => this.#candidates(prefix, most),
      authenticate: (authenticator) => {
        this.#authenticator = authenticator
        this.#catalog.authenticate(authenticator)
      },
      ofSet: (one) => (one === set ? this : this.#ofSet(one)),
    }
    if (!this.#rest && !this.#run) {
      throw new LifeboatError('artifacts cannot be read: there is no token, and this is not a step of a workflow', {
        hint: 'At a terminal, set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN to a token that may read its actions.',
        status: 2,
      })
    }
    if (!this.#rest) options.report.warning('without a token only the artifacts of this run are seen, so a backup cannot build on earlier ones', 'Give the input token, and the job `permissions: actions: read`.')
  }

  #ofSet(set: string): ArtifactStore {
    const store = new ArtifactStore({ ...this.#options, set })
    if (this.#authenticator) store.groups.authenticate(this.#authenticator)
    return store
  }

  /** A backup may lean only on objects that are there at least until then. */
  neededUntil(): Date {
    return new Date(this.#options.now().getTime() + this.#options.retention.snapshot * DAY)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (!this.#run || this.#options.set === undefined) {
      throw new LifeboatError('artifacts can be written only by a step of a workflow', { hint: 'Elsewhere, back up to another destination: file:PATH, for instance.', status: 2 })
    }
    await this.#staging.put(key, bytes)
    if (isCommon(key)) this.#common.set(key, bytes)
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
    if (!this.#replaced.has(id)) this.#options.report.warning(`${message}; artifact ${other.name} (${other.id}) has it too, and is read instead`, hint)
    this.#replaced.add(id)
  }

  async head(key: string): Promise<StoredObject> {
    const staged = this.#staging.objects.get(key)
    if (staged) return { key, size: staged.size, modified: this.#options.now() }
    const held = await this.#catalog.held()
    const holder = held.find(({ entries }) => entries.has(key))
    if (!holder) throw this.#notFound(key, held)
    return described(key, holder)
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
        yield described(key, holder)
      }
    }
  }

  async *#candidates(prefix: string, most: number): Candidates {
    for (const [key, staged] of this.#staging.objects) if (key.startsWith(prefix)) yield { key, read: () => this.#staging.read(staged) }
    for (const { key, size, read } of await this.#catalog.candidates(prefix)) {
      if (size > most) continue
      yield {
        key,
        read: async () => {
          try {
            return await read()
          } catch (error) {
            if (error instanceof DamagedObject || error instanceof Gone) return undefined
            throw error
          }
        },
      }
    }
  }

  /** Forgets what is staged. What is in an artifact goes with it: see `release`. */
  async delete(key: string): Promise<void> {
    this.#common.delete(key)
    await this.#staging.delete(key)
    if ((await this.#catalog.held()).some(({ entries }) => entries.has(key))) {
      throw new LifeboatError(`${key} cannot be deleted from ${this.name} by itself`, { hint: 'An artifact is deleted as a whole, once no snapshot that is kept needs anything of it.' })
    }
  }

  /**
   * Uploads what was put as one artifact, and compares what GitHub then has with what was put. `needs`: keys put by earlier runs that these rely on.
   * When it throws, what it may have added is not to be counted on.
   */
  async commit(needs: readonly string[]): Promise<void> {
    const { set, variables, retention: { short, snapshot, artifact }, report } = this.#options
    const [authenticator, run, staging] = [this.#authenticator, this.#run, this.#staging]
    const content = [...staging.objects.keys()].filter((key) => !isCommon(key))
    if (content.length === 0 || !run || set === undefined) return
    if (!authenticator) throw new Error(`${this.name}: commit before authenticate`)
    // Proofs alone are worth nothing without the artifacts of their snapshots, which have all this.
    const proofsAlone = content.every((key) => key.startsWith('proofs/'))
    for (const [key, bytes] of this.#common) await (proofsAlone ? staging.delete(key) : staging.put(key, bytes))
    const objects = [...staging.objects].map(([key, { size, sha256 }]): Parts['objects'][number] => [key, size, sha256])
    const parts = { run: Number(variables['GITHUB_RUN_ID']), set, objects, needs: await this.#locate(needs) }
    if (short > 0 && !proofsAlone) {
      report.warning(
        `this snapshot is sure to be whole for ${snapshot} days, ${short} fewer than the retention asks for: GitHub keeps artifacts for ${artifact}, and later backups share its parts`,
        'Ask for a shorter retention, raise the limit in the settings of the repository (Actions, "Artifact and log retention"), or use another destination.',
      )
    }
    const publisher = new Publisher(this.#options, { rest: this.#rest, run }, this.#catalog, staging)
    const added = await publisher.publish(set, (name) => signedParts(name, parts, authenticator))
    const entries = new Map(objects.map(([key, , sha256]) => [key, { ...added.entries.get(key)!, sha256 }]))
    this.#catalog.add({ ...added, set, entries, needs: parts.needs })
    await staging.clear()
  }

  /** Discards what was not committed. */
  async close(): Promise<void> {
    await this.#staging.clear()
    await this.#catalog.close()
  }

  /** Which snapshots have lost a part (an artifact expired or was deleted), and which is the newest that has not; by key, newest first. */
  async wholeness(): Promise<{ lost: string[]; newestWhole: string | undefined }> {
    return wholeness((await this.#catalog.held()).map(holding))
  }

  /** Deletes the artifacts that no snapshot in `kept` needs, nor a backup that is running may need. Without `actions: write` nothing can be deleted: `permitted` is then false. */
  async release(kept: ReadonlySet<string>, dryRun = false): Promise<Released> {
    const held = await this.#catalog.held()
    // A name like lifeboat-app.2 may be another set's: what is not of this set is not judged by what this set keeps.
    const own = held.filter(({ set }) => this.#options.set === undefined || set === this.#options.set)
    const going = new Set(unneeded(held.map(holding), kept, this.#options.now()).map(({ id }) => id))
    const [artifacts, others] = [true, false].map((goes) => own.filter(({ artifact }) => going.has(artifact.id) === goes))
    const leaning = others!.map((one) => ({ needs: new Set(one.needs.map(({ artifact }) => artifact)), snapshots: snapshotsOf(holding(one)).filter((key) => kept.has(key)) }))
    const staying = others!
      .filter((one) => snapshotsOf(holding(one)).length > 0 && !snapshotsOf(holding(one)).some((key) => kept.has(key)))
      .map((one) => ({ ...briefly(one), neededBy: leaning.filter(({ needs }) => needs.has(one.artifact.id)).flatMap(({ snapshots }) => snapshots) }))
    const released: Released = { artifacts: artifacts!.map(briefly), staying, deleted: 0, permitted: true }
    for (const { id } of dryRun ? [] : released.artifacts) {
      if (!(await this.#rest?.delete(id))) return { ...released, permitted: false }
      released.deleted++
      this.#catalog.remove(id)
    }
    return released
  }

  /** Where each object is, after another look whether its artifact is still there. */
  async #locate(needs: readonly string[]): Promise<Parts['needs']> {
    if (needs.length === 0) return []
    const held = await this.#catalog.held()
    const there = new Set((await this.#catalog.listedNow()).map(({ id }) => id))
    const found = new Map<Held, [string, number][]>()
    for (const key of needs) {
      if (this.#staging.objects.has(key)) continue
      const holder = held.find(({ artifact, entries }) => entries.has(key) && there.has(artifact.id))
      if (!holder) {
        throw new LifeboatError(`${key}, which this backup builds on, was deleted while it ran`, { hint: 'Run the backup again: it will store it anew. Nothing was lost.' })
      }
      const objects = found.get(holder) ?? []
      objects.push([key, holder.entries.get(key)!.size])
      found.set(holder, objects)
    }
    return [...found].map(([{ artifact: { id, name, run, expires } }, objects]) => ({ artifact: id, name, run: run ?? null, expires: expires?.toISOString() ?? null, objects }))
  }

  #notFound(key: string, held: readonly Held[]): NotFound {
    const need = held.flatMap(({ needs }) => needs).find(({ objects }) => objects.some(([needed]) => needed === key))
    return need ? new LostPart(key, this.name, need, wholeness(held.map(holding))) : new NotFound(key, this.name)
  }
}

/** An object that was in an artifact that has expired or was deleted. */
export class LostPart extends NotFound {
  constructor(key: string, store: string, { artifact, name, expires }: Parts['needs'][number], { lost, newestWhole }: ReturnType<typeof wholeness>) {
    super(key, store)
    const ids = lost.map((snapshot) => snapshot.slice(snapshot.lastIndexOf('/') + 1, -'.json.zst'.length))
    const end = expires === null ? '' : `; it was to expire on ${expires}`
    const whole = newestWhole === undefined ? 'no snapshot is whole' : `the newest whole snapshot is ${newestWhole.slice(newestWhole.lastIndexOf('/') + 1, -'.json.zst'.length)}`
    this.message = `${key} was in artifact ${name} (${artifact}), which has expired or was deleted${end}. Snapshots lost with it: ${ids.join(', ')}; ${whole}`
    this.name = 'LostPart'
  }
}

/** Not of one backup: these are in every artifact. */
function isCommon(key: string): boolean {
  return key !== PARTS && /^(keys\/)?[^/]+$/.test(key)
}

function signedParts(name: string, parts: Omit<Parts, 'format' | 'name'>, { sign }: Authenticator): Buffer {
  const file = sign(encodeParts({ name, ...parts }))
  if (file.length <= LARGEST_PARTS) return file
  throw new LifeboatError(`this backup needs too many objects for one artifact: its ${PARTS} has ${file.length} bytes, more than ${LARGEST_PARTS}`, { hint: 'Use another destination, or back up fewer sources at a time.' })
}

function briefly({ artifact: { id, name, size } }: Held): { id: number; name: string; size: number } {
  return { id, name, size }
}

function described(key: string, { artifact: { created, expires }, entries }: Held): StoredObject {
  return { key, size: entries.get(key)!.size, modified: created, expires }
}

function holding({ artifact: { id, name, created }, entries, needs }: Held): Holding {
  return { id, name, created, objects: new Set(entries.keys()), needs }
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
