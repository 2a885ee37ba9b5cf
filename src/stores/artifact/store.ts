import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { LifeboatError, messageOf } from '../../error.ts'
import { retry, Transient } from '../retry.ts'
import { checkSize, NotFound, type Released, type Store, type StoredObject } from '../store.ts'
import type { Archive } from './archive.ts'
import { Catalog, type CatalogOptions, type Held, nameOf } from './catalog.ts'
import { Gone, RestApi, RunService, type ServiceArtifact } from './github.ts'
import { encodeParts, type Holding, objectKey, PARTS, type Parts, snapshotsOf, unneeded, wholeness } from './parts.ts'
import type { ArtifactRetention } from './retention.ts'
import { NameTaken, uploadArtifact, type Uploaded } from './upload.ts'
import type { ZipEntry } from './zip.ts'

const DAY = 86_400_000
/** Of the small objects that every artifact has. */
const LARGEST_CARRIED = 1024 * 1024

export interface ArtifactStoreOptions extends CatalogOptions {
  retention: ArtifactRetention
  now(): Date
}

interface Staged {
  file: string
  size: number
  crc: number
}

/**
 * A store in the artifacts of a repository: one artifact per backup with the objects that it put, and parts.json, which says where the other
 * objects its snapshot needs are. What is put is staged on disk and uploaded by `commit`; until then nothing of it exists for others.
 */
export class ArtifactStore implements Store {
  readonly name: string
  readonly #options: ArtifactStoreOptions
  readonly #rest: RestApi | undefined
  readonly #run: RunService | undefined
  readonly #catalog: Catalog
  readonly #folder: string
  readonly #staged = new Map<string, Staged>()
  #made = false

  /** Throws where artifacts do not exist, and where neither a token nor a workflow run gives access to any. */
  constructor(options: ArtifactStoreOptions) {
    const { token, variables, set } = options
    refuseOtherServers(variables['GITHUB_SERVER_URL'])
    this.#options = options
    this.#rest = token ? new RestApi(token, options) : undefined
    this.#run = RunService.of(options)
    this.#catalog = new Catalog(options, this.#rest, this.#run)
    this.#folder = path.join(options.temporary, `artifact-${randomUUID()}`)
    this.name = `artifact:${variables['GITHUB_REPOSITORY'] || 'this run'}/${nameOf(set ?? '*', 1)}`
    if (!this.#rest && !this.#run) {
      throw new LifeboatError('artifacts cannot be read: there is no token, and this is not a step of a workflow', {
        hint: 'At a terminal, set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN to a token that may read its actions.',
        status: 2,
      })
    }
    if (!this.#rest) options.report.warning('without a token only the artifacts of this run are seen, so a backup cannot build on earlier ones', 'Give the input token, and the job `permissions: actions: read`.')
  }

  /** A backup may lean only on objects that are there at least until then. */
  neededUntil(): Date {
    return new Date(this.#options.now().getTime() + this.#options.retention.snapshot * DAY)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (!this.#run || this.#options.set === undefined) {
      throw new LifeboatError('artifacts can be written only by a step of a workflow', { hint: 'Elsewhere, back up to another destination: file:PATH, for instance.', status: 2 })
    }
    const file = path.join(this.#folder, 'objects', objectKey.parse(key))
    const written = path.join(this.#folder, randomUUID())
    const staged = { file, size: bytes.length, crc: crc32(bytes) }
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
      this.#made = true
      await writeFile(written, bytes, { mode: 0o600 })
      await rename(written, file)
    } catch (cause) {
      throw new LifeboatError(`cannot stage ${key} in ${this.#folder}: ${messageOf(cause)}`, { cause, hint: 'What a backup adds is gathered there before it is uploaded: free some space, or set RUNNER_TEMP to a larger disk.' })
    }
    this.#staged.set(key, staged)
  }

  async get(key: string, most: number): Promise<Buffer> {
    const staged = this.#staged.get(key)
    if (staged) {
      checkSize(staged.size, most, key, this.name)
      return readFile(staged.file)
    }
    const held = await this.#catalog.held()
    const holder = held.find(({ entries }) => entries.has(key))
    if (!holder) throw this.#notFound(key, held)
    const entry = holder.entries.get(key)!
    // Deflated bytes that are more than the file (by 5 for each 16 KiB at most, RFC 1951, section 3.2.4) were not packed by a zip program.
    checkSize(Math.max(entry.size, entry.packed - entry.size / 1024 - 1024), most, key, this.name)
    try {
      return await holder.archive.read(entry)
    } catch (error) {
      if (error instanceof Gone) throw new NotFound(key, this.name, { cause: error })
      throw error
    }
  }

  async head(key: string): Promise<StoredObject> {
    const staged = this.#staged.get(key)
    if (staged) return { key, size: staged.size, modified: this.#options.now() }
    const held = await this.#catalog.held()
    const holder = held.find(({ entries }) => entries.has(key))
    if (!holder) throw this.#notFound(key, held)
    return described(key, holder)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const seen = new Set<string>()
    for (const [key, { size }] of this.#staged) {
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

  /** Forgets what is staged. What is in an artifact goes with it: see `release`. */
  async delete(key: string): Promise<void> {
    const staged = this.#staged.get(key)
    this.#staged.delete(key)
    if (staged) await rm(staged.file, { force: true })
    if ((await this.#catalog.held()).some(({ entries }) => entries.has(key))) {
      throw new LifeboatError(`${key} cannot be deleted from ${this.name} by itself`, { hint: 'An artifact is deleted as a whole, once no snapshot that is kept needs anything of it.' })
    }
  }

  /**
   * Uploads what was put as one artifact, and compares what GitHub then has with what was put. `needs`: keys put by earlier runs that these rely on.
   * When it throws, what it may have added is not to be counted on.
   */
  async commit(needs: readonly string[]): Promise<void> {
    if (this.#staged.size === 0) return
    const held = await this.#catalog.held()
    // Proofs alone are worth nothing without the artifacts of their snapshots, which have all this.
    const proofsAlone = [...this.#staged.keys()].every((key) => key.startsWith('proofs/'))
    if (!proofsAlone) await this.#carry(held)
    const parts = { objects: [...this.#staged].map(([key, { size }]): [string, number] => [key, size]), needs: await this.#locate(needs, held) }
    await this.put(PARTS, encodeParts(parts))
    const { short, snapshot, artifact } = this.#options.retention
    if (short > 0 && !proofsAlone) {
      this.#options.report.warning(
        `this snapshot is sure to be whole for ${snapshot} days, ${short} fewer than the retention asks for: GitHub keeps artifacts for ${artifact}, and later backups share its parts`,
        'Ask for a shorter retention, raise the limit in the settings of the repository (Actions, "Artifact and log retention"), or use another destination.',
      )
    }
    const uploaded = await this.#upload()
    const added = await this.#confirm(uploaded)
    this.#catalog.replace([{ ...added, needs: parts.needs }, ...held])
    this.#staged.clear()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Discards what was not committed. */
  async close(): Promise<void> {
    this.#staged.clear()
    if (this.#made) await rm(this.#folder, { recursive: true, force: true })
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
    const { set } = this.#options
    const foreign = (one: Holding) => set !== undefined && [...one.objects].some((key) => /^(snapshots|proofs)\//.test(key) && key.split('/')[1] !== set)
    const own = held.filter((one) => !foreign(holding(one)))
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
      this.#catalog.replace((await this.#catalog.held()).filter(({ artifact }) => artifact.id !== id))
    }
    return released
  }

  /** The small objects that every artifact has, so that each can be read by itself: the mark of the store, keys, how to recover. */
  async #carry(held: readonly Held[]): Promise<void> {
    const carried = new Set(held.flatMap(({ entries }) => [...entries.keys()]).filter((key) => key !== PARTS && /^(keys\/)?[^/]+$/.test(key)))
    for (const key of carried) if (!this.#staged.has(key)) await this.put(key, await this.get(key, LARGEST_CARRIED))
  }

  /** Where each object is, after another look whether its artifact is still there. */
  async #locate(needs: readonly string[], held: readonly Held[]): Promise<Parts['needs']> {
    const there = new Set((needs.length > 0 ? await this.#catalog.listed() : []).map(({ id }) => id))
    const found = new Map<Held, [string, number][]>()
    for (const key of needs) {
      if (this.#staged.has(key)) continue
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

  /** Under the first name that this run has not used yet. */
  async #upload(): Promise<Uploaded & { name: string }> {
    const { set, variables, signal, timeout, retention } = this.#options
    const files = [...this.#staged.values()].map(({ file }) => file)
    for (let number = 1; ; number++) {
      const name = nameOf(set!, number)
      try {
        return { name, ...(await uploadArtifact({ name, root: path.join(this.#folder, 'objects'), files, retentionDays: retention.artifact }, { variables, signal, timeout })) }
      } catch (error) {
        if (!(error instanceof NameTaken) || number === 100) throw error
        // Either another backup of this run has the name, or the answer to our own upload was lost.
        const taken = (await this.#run!.list()).find((artifact) => artifact.name === name)
        if (taken?.digest && (await this.#compare(taken)).wrong.length === 0) return { name, id: taken.id, size: taken.size, digest: taken.digest }
      }
    }
  }

  /** What of that put is not in an artifact of this run as it was put. */
  async #compare(artifact: ServiceArtifact): Promise<{ archive: Archive; entries: Map<string, ZipEntry>; wrong: string[] }> {
    const archive = this.#catalog.archive({ ...artifact, own: true })
    const entries = new Map((await archive.open(() => false)).entries.map((entry) => [entry.name, entry]))
    const wrong = [...this.#staged].filter(([key, { size, crc }]) => entries.get(key)?.size !== size || entries.get(key)?.crc !== crc).map(([key]) => key)
    return { archive, entries, wrong }
  }

  /** Compares what GitHub says it has, and the directory of the stored zip file, with what was put. */
  async #confirm(uploaded: Uploaded & { name: string }): Promise<Omit<Held, 'needs'>> {
    const { name, id, size, digest } = uploaded
    const hint = 'Do not count on this backup; run it again. Earlier backups are whole.'
    const unchecked = (cause: unknown): never => {
      this.#options.signal.throwIfAborted()
      throw new LifeboatError(`artifact ${name} (${id}) was uploaded, but what GitHub has could not be checked: ${messageOf(cause)}`, { cause, hint })
    }
    const look = async (): Promise<ServiceArtifact> => {
      const found = (await this.#run!.list().catch(unchecked)).find((artifact) => artifact.id === id)
      if (!found) throw new Transient(`artifact ${name} (${id}) was uploaded, but GitHub does not list it`, { hint })
      return found
    }
    const stored = await retry(look, { signal: this.#options.signal, budget: this.#options.timeout })
    if (stored.size !== size || (stored.digest !== undefined && stored.digest !== digest)) {
      throw new LifeboatError(`artifact ${name} (${id}) is not what was uploaded: GitHub has ${stored.size} bytes, ${stored.digest}; sent were ${size} bytes, ${digest}`, { hint })
    }
    const { archive, entries, wrong } = await this.#compare(stored).catch(unchecked)
    if (wrong.length > 0) {
      throw new LifeboatError(`artifact ${name} (${id}) lacks ${wrong.length} of the ${this.#staged.size} objects put, ${wrong[0]} among them`, { hint: `Something removes files from ${this.#options.temporary} while the backup runs. ${hint}` })
    }
    entries.delete(PARTS)
    return { artifact: { ...stored, expires: await this.#expiry(uploaded) }, archive, entries }
  }

  /** What GitHub grants may be less than what was asked for: repositories and organisations set a limit. */
  async #expiry({ id, name }: { id: number; name: string }): Promise<Date | undefined> {
    const { retention } = this.#options
    let expires: Date | undefined
    try {
      expires = (await this.#rest?.get(id))?.expires
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      // The backup is stored and checked; that this could not be read does not make it fail.
      this.#options.report.warning(`how long GitHub keeps artifact ${name} could not be read: ${error.message}`)
    }
    if (!expires) return undefined
    const days = Math.round((expires.getTime() - this.#options.now().getTime()) / DAY)
    if (days < retention.artifact) {
      this.#options.report.warning(`GitHub keeps artifact ${name} for ${days} days, not for the ${retention.artifact} asked for`, 'Settings, Actions, "Artifact and log retention" of the repository or its organisation has the limit.')
    }
    return expires
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
