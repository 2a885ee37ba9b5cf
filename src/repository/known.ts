import type { LifeboatError } from '../error.ts'
import { storesOf } from '../stores/several.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { readAuthentic, snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { hiddenIn } from './other-key.ts'
import { Presence } from './presence.ts'
import { readProofs } from './proofs.ts'
import { knownDamage, tellingSince } from './set-proofs.ts'
import { decodeAnchors, SimilarityIndex } from './similarity.ts'
import { type AuthenticSnapshot, chunkKey, DamagedSnapshot, type Manifest, openManifest, OtherKey, type SourceRecord } from './snapshot.ts'
import { inTrash } from './trash.ts'
import { objectsOf } from './wholeness.ts'

/** A chunk that a snapshot of this store lists. */
export interface KnownChunk {
  id: string
  size: number
  storedSize: number
  mark: string
  /** The chunk it is stored as a difference from. */
  base: KnownChunk | undefined
  anchors: string
  /** Bytes of differences stored since its content was last stored whole. */
  spent: number
}

/** A backup builds on so many of the newest snapshots of its set. Older content is rarely met again, and reading costs time. */
export const SNAPSHOTS_BUILT_ON = 3
/** Most snapshots that are looked at to find these: some may be forged or damaged. */
const LOOKED_AT = 20
/** Fewer, once the snapshots read list so many chunks: with a terabyte, older ones take more time and memory than they save. */
const ENOUGH_CHUNKS = 50_000

/** Snapshots of a set that claim to be of another key than the one given. */
export interface OtherKeySnapshots {
  snapshots: number
  /** As many as were looked at: there may be more. */
  atLeast?: true
  /** Of the keys that they name, each once. */
  fingerprints: string[]
}

/** A snapshot that a new one is compared with. */
export interface NewestSnapshot {
  id: string
  sources: readonly SourceRecord[]
  /** Whether an object that it needs was known to be damaged when this backup began. */
  damaged: boolean
}

/** A check of chunk objects by their content. */
export interface ChunkCheck {
  /** False for an object that was found damaged. */
  isGood(key: string): Promise<boolean>
}

/** The chunks that a backup need not store again, or can store differences from. */
export class KnownChunks {
  readonly similar = new SimilarityIndex<KnownChunk>()
  /** The newest snapshot that could be opened, which of its chunks are known, by their places in it, and the bytes its backup stored. */
  newest: (NewestSnapshot & { chunks: readonly (KnownChunk | undefined)[]; added: number }) | undefined
  /** The extra recipients that known chunks are sealed to, by mark. */
  readonly recipients = new Map<string, readonly string[]>()
  /**
   * Chunks of the newest snapshot that are not sealed to every recipient asked for, so that they are stored again: ids, and bytes of
   * content.
   */
  readonly unsealed = { ids: new Set<string>(), bytes: 0 }
  /** Ids of chunks with an object that is known to be damaged. */
  readonly damaged = new Set<string>()
  /** Tags of extra recipients that can open all of the newest snapshot, and that are not asked for now. */
  dropped: readonly string[] = []
  /** Id of the newest snapshot that is authentic. */
  latest: string | undefined
  /** Of the newest snapshots that were looked at, those that claim to be of another key. */
  otherKey: OtherKeySnapshots | undefined
  readonly #byId = new Map<string, KnownChunk>()
  /** Keys and stored sizes of all objects that snapshots list. */
  readonly #listed = new Map<string, number>()
  readonly #store: Store | undefined
  #presence: Presence | undefined
  #checks: readonly ChunkCheck[] = []
  /** Keys of objects found damaged while they were read as bases. */
  readonly #damaged = new Set<string>()

  /** `store`: where the listed objects are looked for; not needed if there is no snapshot. */
  constructor(store?: Store) {
    this.#store = store
  }

  /** The chunk that a snapshot lists under this id; `find` also checks that it is still there. */
  get(id: string): KnownChunk | undefined {
    return this.#byId.get(id)
  }

  /** The chunk, if it is in the store with its size, not found damaged, and its base as well. */
  async find(id: string): Promise<KnownChunk | undefined> {
    const chunk = this.get(id)
    return chunk && (await this.isThere(chunk)) ? chunk : undefined
  }

  /**
   * Whether a chunk and its base are in the store with their sizes and not known to be damaged. Chunks that this run stored are present.
   * The first call for another chunk starts the look at all of them, beside the backup. Throws when the store cannot be asked.
   */
  async isThere({ id, mark, base }: KnownChunk): Promise<boolean> {
    const key = chunkKey(id, mark)
    if (this.#damaged.has(key)) return false
    if (this.#store && this.#listed.has(key)) {
      this.#presence ??= new Presence(this.#store, this.#listed)
      if (!(await this.#presence.has(key))) return false
      for (const check of this.#checks) if (!(await check.isGood(key))) return false
    }
    return base === undefined || (await this.isThere(base))
  }

  /** Objects that these checks find damaged count as missing, and are stored again. To be called before the first look. */
  checkWith(checks: readonly ChunkCheck[]): void {
    this.#checks = checks
  }

  /** Notes that an object was found damaged: from now on it counts as missing. */
  lose(key: string): void {
    this.#damaged.add(key)
    this.damaged.add(chunkOf(key))
  }

  /** Whether the object was lost. */
  isLost(key: string): boolean {
    return this.#damaged.has(key)
  }

  /** Whether the newest snapshot needs an object that is damaged, as was known before, or found since. `found`: keys of such objects. */
  newestIsDamaged(found: ReadonlySet<string>): boolean {
    const isDamaged = ({ id, mark }: KnownChunk): boolean => found.has(chunkKey(id, mark)) || this.isLost(chunkKey(id, mark))
    return this.newest !== undefined && (this.newest.damaged || this.newest.chunks.some((chunk) => chunk && isDamaged(chunk)))
  }

  /** To be called for everything that snapshots list, before the first look. */
  list({ id, mark, storedSize }: KnownChunk): void {
    this.#listed.set(chunkKey(id, mark), storedSize)
  }

  /** A chunk that a snapshot lists, or that this run has stored. */
  add(chunk: KnownChunk): void {
    // One snapshot after the other lists the same objects.
    if (this.#byId.get(chunk.id)?.mark === chunk.mark) return
    this.#byId.set(chunk.id, chunk)
    this.similar.add(decodeAnchors(chunk.anchors), chunk)
  }

  /** Nothing more is asked of the store afterwards. */
  async close(): Promise<void> {
    await this.#presence?.close()
  }
}

/**
 * Reads the newest snapshots of a set (docs/format.md, section 6: a writer takes as known only chunks of snapshots that existed when it
 * started). `keysOfSnapshots`: the keys of all snapshots, newest first. A chunk that a proof names as missing or damaged, that is in the
 * trash, that will expire too early, or that is not sealed to every recipient asked for, is not taken as known: it will be stored again.
 * Snapshots that are damaged or forged are passed to `onDamaged` and not used; those of another key are counted and not used.
 */
export async function loadKnown(
  store: Store, keys: Keys, set: string, onDamaged: (error: LifeboatError) => void, keysOfSnapshots?: readonly string[],
): Promise<KnownChunks> {
  const known = new KnownChunks(store)
  const listed = keysOfSnapshots ?? (await snapshotKeys(store, set))
  const { own, latest, otherKey } = await readNewest(store, keys, set, listed, SNAPSHOTS_BUILT_ON, onDamaged)
  known.otherKey = otherKey
  known.latest = latest
  if (own.length === 0) return known
  const damaged = await damagedChunks(store, keys, set, own.map(({ snapshot }) => snapshot), onDamaged)
  for (const key of damaged) known.damaged.add(chunkOf(key))
  const soonGone = await notToReuse(store, own.map(({ snapshot }) => snapshot))
  // Hundreds of thousands; most stores have no trash of other keys.
  let ids: Set<string> | undefined
  const isListed = (id: string): boolean => {
    ids ??= new Set(own.flatMap(({ snapshot }) => snapshot.header.chunks.map(([id]) => id)))
    return ids.has(id)
  }
  const trash = await inTrash(store, keys, (chunk) => isListed(chunk.split('-', 1)[0]!), onDamaged)
  const usable = (key: string): boolean => !damaged.has(key) && !soonGone.has(key) && !trash.has(key)
  // Oldest first, so that the newest snapshot decides about a chunk, and its chunks are preferred among similar ones.
  for (const { snapshot, content } of own.toReversed()) addSnapshot(known, snapshot, content, keys, { usable, damaged })
  known.dropped = recipientsOf(own[0]!.snapshot).filter((tag) => !keys.recipientTags.includes(tag))
  for (const [id, size, , , mark] of own[0]!.snapshot.header.chunks) {
    if (isSealedToAll(known.recipients.get(mark), keys) || known.get(id) || known.unsealed.ids.has(id)) continue
    known.unsealed.ids.add(id)
    known.unsealed.bytes += size
  }
  return known
}

/**
 * The newest of these snapshots of a set (keys, newest first) that is authentic, of one store, without its chunks. Reports as `loadKnown`.
 */
export async function loadNewest(
  store: Store, keys: Keys, set: string, listed: readonly string[], onDamaged: (error: LifeboatError) => void,
): Promise<Pick<KnownChunks, 'latest' | 'otherKey'> & { newest: NewestSnapshot | undefined }> {
  const { own: [own], latest, otherKey } = await readNewest(store, keys, set, listed, 1, onDamaged)
  if (!own?.content) return { latest, otherKey, newest: undefined }
  const { snapshot, content: { sources } } = own
  const { id, chunks } = snapshot.header
  const damaged = await damagedChunks(store, keys, set, [snapshot], onDamaged)
  return { latest, otherKey, newest: { id, sources, damaged: needsAny(chunks, damaged) } }
}

function needsAny(chunks: AuthenticSnapshot['header']['chunks'], keys: ReadonlySet<string>): boolean {
  return chunks.some(([id, , , , mark]) => keys.has(chunkKey(id, mark)))
}

/** The id of the chunk that an object has. */
function chunkOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).split('-', 1)[0]!
}

function ofOtherKeys(others: readonly OtherKey[]): OtherKeySnapshots | undefined {
  if (others.length === 0) return undefined
  const fingerprints = [...new Set(others.map(({ fingerprint }) => fingerprint))]
  return { snapshots: others.length, ...(others.length === LOOKED_AT && { atLeast: true }), fingerprints }
}

/** Tags of the extra recipients that can open every chunk of a snapshot. */
function recipientsOf({ header: { recipients, chunks } }: AuthenticSnapshot): readonly string[] {
  const byMark = new Map(recipients.map(([mark, ...tags]) => [mark, tags]))
  const [first = [], ...others] = [...new Set(chunks.map(([, , , , mark]) => mark))].map((mark) => byMark.get(mark) ?? [])
  return first.filter((tag) => others.every((tags) => tags.includes(tag)))
}

interface ReadSnapshot {
  snapshot: AuthenticSnapshot
  /** Undefined with a write key. */
  content: Manifest | undefined
}

/**
 * The newest that are authentic, at most so many. `latest`: the id of the first of them. `own`: of this key; under another key of the same
 * passphrase the same content has other ids.
 */
async function readNewest(
  store: Store, keys: Keys, set: string, listed: readonly string[], most: number, onDamaged: (error: LifeboatError) => void,
): Promise<Pick<KnownChunks, 'latest' | 'otherKey'> & { own: ReadSnapshot[] }> {
  const read: ReadSnapshot[] = []
  const others: OtherKey[] = []
  let chunks = 0
  for (const key of listed.slice(0, LOOKED_AT)) {
    if (chunks >= ENOUGH_CHUNKS || read.length === most) break
    try {
      const snapshot = await readAuthentic(store, key, keys)
      read.push({ snapshot, content: snapshot.keys.identity ? await openManifest(snapshot) : undefined })
      chunks += snapshot.header.chunks.length
    } catch (error) {
      if (error instanceof OtherKey) others.push(error)
      else if (error instanceof DamagedSnapshot || error instanceof DamagedObject) onDamaged(error)
      // A prune may delete a snapshot at any moment.
      else if (!(error instanceof NotFound)) throw error
    }
  }
  return {
    own: read.filter(({ snapshot }) => snapshot.keys.fingerprint === keys.fingerprint),
    latest: read[0]?.snapshot.header.id,
    otherKey: ofOtherKeys(others) ?? (read.length === 0 ? await hiddenIn(store, set) : undefined),
  }
}

/**
 * Objects that verifications found missing or damaged: of these snapshots, and of any of the set since the oldest of them, because they
 * share chunks.
 */
async function damagedChunks(
  store: Store, keys: Keys, set: string, snapshots: readonly AuthenticSnapshot[], onDamaged: (error: LifeboatError) => void,
): Promise<Set<string>> {
  const ids = new Set(snapshots.map(({ header }) => header.id))
  const since = tellingSince(new Date(snapshots.at(-1)!.header.time))
  const wanted = (snapshot: string, proof: string): boolean => ids.has(snapshot) || proof >= since
  const proofs = await Promise.all(storesOf(store).map((one) => readProofs(one, keys, { set, wanted, onDamaged })))
  return new Set(proofs.flatMap((ofOne) => [...knownDamage([...ofOne.values()].flat())]))
}

/** Keys of chunks of these snapshots that a new one must not depend on, in a store whose objects lie in groups. */
async function notToReuse(store: Store, snapshots: readonly AuthenticSnapshot[]): Promise<Set<string>> {
  const listed = new Map(snapshots.flatMap((snapshot) => [...objectsOf(snapshot)]))
  const reusable = await Promise.all(storesOf(store).map(async ({ groups }) => groups?.reusable(listed, { few: true })))
  return new Set([...listed.keys()].filter((key) => reusable.some((ofOne) => ofOne && !ofOne.has(key))))
}

/** Whether everybody that a backup with these keys is for can open an object sealed to such extra recipients. */
export function isSealedToAll(recipients: readonly string[] = [], keys: Keys): boolean {
  return keys.recipientTags.every((tag) => recipients.includes(tag))
}

function addSnapshot(
  known: KnownChunks,
  { header: { id: snapshot, recipients, chunks, added } }: AuthenticSnapshot,
  content: Manifest | undefined,
  keys: Keys,
  { usable, damaged }: { usable: (key: string) => boolean; damaged: ReadonlySet<string> },
): void {
  for (const [mark, ...tags] of recipients) known.recipients.set(mark, tags)
  const made: (KnownChunk | undefined)[] = Array.from({ length: chunks.length })
  const make = (index: number): KnownChunk | undefined => {
    const [id, size, storedSize, base, mark] = chunks[index]!
    if (!usable(chunkKey(id, mark)) || !isSealedToAll(known.recipients.get(mark), keys)) return undefined
    const already = known.get(id)
    if (already?.mark === mark) return already
    const baseChunk = base === null ? undefined : (made[base] ??= make(base))
    if (base !== null && !baseChunk) return undefined
    const chunk = { id, size, storedSize, mark, base: baseChunk, anchors: content?.anchors[index] ?? '', spent: content?.spent[index] ?? 0 }
    known.list(chunk)
    return chunk
  }
  for (let index = 0; index < chunks.length; index++) {
    const chunk = (made[index] ??= make(index))
    if (chunk) known.add(chunk)
  }
  if (!content) return
  known.newest = { id: snapshot, sources: content.sources, chunks: made, added, damaged: needsAny(chunks, damaged) }
}
