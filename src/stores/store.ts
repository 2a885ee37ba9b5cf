import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'

/** Where objects live. Keys are relative paths of `[A-Za-z0-9._-]` segments joined by `/`, as docs/format.md lists them. */
export interface Store {
  /** How messages name this store; never holds a secret. */
  readonly name: string
  /** Atomic (a reader sees the whole object or none) and durable when it resolves; overwriting is allowed. May be retried. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /**
   * The whole object. Throws `NotFound` when there is none, and `DamagedObject` when it has more than `most` bytes: no more than these are
   * read, whatever the other side announces or sends. The bytes are the caller's, who may give their memory back. May be retried.
   */
  get(key: string, most: number, options?: GetOptions): Promise<Buffer>
  /** One object as `list` describes it, without reading it. Throws `NotFound` when there is none. May be retried. */
  head(key: string): Promise<StoredObject>
  /** Every object whose key starts with `prefix`, in no fixed order. An empty or absent store lists nothing. */
  list(prefix: string): AsyncIterable<StoredObject>
  /** Deleting a missing object is no error. */
  delete(key: string): Promise<void>
  /** Present where objects lie in groups that are made, expire and are deleted as a whole (artifacts). */
  readonly groups?: Groups
  /**
   * Removes what uploads left behind: those of this run that failed, and others that were broken off at least a day ago. Takes no space
   * itself, so that a full store can be freed with it. Stores in which a failed upload leaves nothing have no such method.
   */
  sweep?(): Promise<void>
  /**
   * Throws if the folder above the store is missing; on this machine also if that of the store has files, but none of the `own` names.
   * Asked before a store is made; absent where no folder can be missing.
   */
  requirePlace?(own: readonly string[]): Promise<void>
  /**
   * Removes the store's own folder and those in it, if this object has made them and they are empty. Absent where a folder is only deleted
   * with everything in it (WebDAV), as another run may have written into it by then.
   */
  removeMade?(): Promise<void>
  /** Stores that have an end: bytes that still fit, undefined where the service does not tell. */
  free?(): Promise<number | undefined>
  /** Ends the use of the store. Objects that wait for a `commit` of their group are discarded. */
  close(): Promise<void>
}

export interface GetOptions {
  /**
   * The caller authenticates the bytes, and asks for them again without this before it calls them damaged: checksums of the service, which
   * cost more time than that, need not be compared.
   */
  authenticated?: boolean
}

/** Signs for a store, and checks what was signed, with the keys of a repository. */
export interface Authenticator {
  sign: (body: string) => Buffer
  /** The body, if it was signed with one of these keys. */
  authentic: (object: Buffer) => Buffer | undefined
  /** Of an object that claims to be of another key than these: the fingerprint of that, and of the first of these. */
  otherKey: (object: Buffer) => { claimed: string; given: string } | undefined
  /** The text that `Groups.describe` keeps, of a snapshot that has none; undefined if it cannot be made. */
  card(key: string, snapshot: Buffer): Promise<string | undefined>
}

/** Objects of all groups, whoever made them, in the order to try them. `read` gives nothing for one that is damaged, or gone. */
export type Candidates = AsyncGenerator<{ key: string; read: () => Promise<Buffer | undefined> }, void, void>

/**
 * Objects that lie in groups. The objects that were put become one group with `commit`; a group expires and is deleted as a whole, and an
 * object may depend on those of other groups. Anyone who can add a group can give it any name and content: it counts only if it is signed.
 */
export interface Groups {
  /** The folder of this machine in which objects wait for a `commit`. */
  readonly staging: string
  /** Whether there are any. Each has all that is needed to read it, so there is no marker of a store to look for. */
  exist(): Promise<boolean>
  /**
   * Objects whose key starts with `prefix`, of at most `most` bytes, before the keys of the repository are known. Groups are left out of
   * which an object that is `authentic` meanwhile tells what is in them.
   */
  candidates(prefix: string, most: number, authentic?: Authenticator['authentic']): Candidates
  /** From now on only what is signed counts. Needed before a `commit`. */
  authenticate(authenticator: Authenticator): void
  /** Of each set that has no snapshot in a group that counts: those in groups that claim to be of another key. */
  ofOtherKeys(): Promise<HiddenSnapshots[]>
  /** Groups of the set of a snapshot (key) that are listed and not given: they may have what is newer than it. */
  withheldSince(key: string): Promise<string[]>
  /** A store of the same place that reads and writes this set, and trusts the same keys: itself, or another, which the caller closes. */
  ofSet(set: string): Store
  /** A new snapshot may depend only on objects that exist at least until then. */
  neededUntil(): Date
  /**
   * Of these objects (keys and sizes), those that a new snapshot may depend on: they are there, and will be for as long as it is needed.
   * With `few` none is older than the store wants (`full-every`), and they lie in few groups, so that the snapshot is read with few
   * requests, and depends on few groups.
   */
  reusable(objects: ReadonlyMap<string, number>, options: { few: boolean }): Promise<ReadonlySet<string>>
  /** From now on objects count too that interrupted runs left behind since then, without a snapshot. */
  findUnfinished(since: Date): Promise<void>
  /**
   * Throws unless as many requests are left as it takes to read these objects (keys), `withNeeds` also all that their groups depend on:
   * before anything is read, or changed.
   */
  requireRequests(keys: Iterable<string>, options: { withNeeds: boolean }): Promise<void>
  /** Keeps a text about a snapshot that was put (its card), so that later runs get it without reading the snapshot. */
  describe(key: string, card: string): void
  /** These texts, by the key of the snapshot. Some may be missing. */
  cards(): Promise<ReadonlyMap<string, string>>
  /** Keys of the snapshots that may need one of these objects. */
  needing(objects: ReadonlySet<string>): Promise<ReadonlySet<string>>
  /** When each snapshot, by its key, loses the first object that it needs. */
  expiries(): Promise<ReadonlyMap<string, Date>>
  /**
   * Makes what was put durable, all or none; without it chunks of it may stay, but no snapshot. `needs`: keys put by earlier runs that
   * these objects depend on.
   */
  commit(needs: readonly string[]): Promise<void>
  /** Which snapshots depend on a group that has expired or was deleted, and the newest that does not, by key; newest first. */
  wholeness(): Promise<Wholeness>
  /** Which snapshots are lost with each group; first the groups that most depend on. */
  dependents(): Promise<Dependents[]>
  /** Deletes the groups that no snapshot to keep needs, nor a backup that is running may need. */
  release(choice: Release): Promise<Released>
}

/** Snapshots of a set in groups that are not signed with the key given, but claim to be of other keys. */
export interface HiddenSnapshots {
  set: string
  snapshots: number
  /** Of the keys that they name, each once. */
  fingerprints: string[]
}

/** A group, and the keys of the snapshots that depend on it, with those in it. */
export interface Dependents {
  id: number
  name: string
  /** Bytes. */
  size: number
  created: Date
  snapshots: string[]
}

export interface Wholeness {
  lost: string[]
  newestWhole: string | undefined
}

/** Which groups are to be kept. */
export interface Release {
  /** Keys of the snapshots to keep. */
  kept: ReadonlySet<string>
  /** Milliseconds that unreferenced groups are kept; longer than any backup takes. */
  grace: number
  /** A backup builds on so many of the snapshots that were the newest when it began. */
  builtOn: number
  /** Deletes nothing. */
  dryRun: boolean
}

/** The groups that `release` chose, and how many of them it deleted. */
export interface Released {
  artifacts: { id: number; name: string; size: number }[]
  /**
   * Groups without a snapshot to keep that stay: because these snapshots (keys) need them or have proofs in them, or, if there are none,
   * because a backup that is running may build on them.
   */
  staying: { id: number; name: string; size: number; neededBy: string[]; proves: string[] }[]
  deleted: number
  /** Keys of the snapshots in groups that are left, or would be. */
  left: string[]
  /** Whether the credentials allow for it; if not, nothing more was deleted. */
  permitted: boolean
}

export interface StoredObject {
  key: string
  /** Bytes as stored. */
  size: number
  modified: Date
  /** When the store drops it by itself. */
  expires?: Date
}

const KEY = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/

/** Whether something listed can be an object of ours: names that no key can have were put there by someone else. */
export function isKey(text: string): boolean {
  return KEY.test(text) && !text.split('/').some((part) => part === '.' || part === '..')
}

/** Throws for what is no key of an object, so that no path leads out of the store. */
export function checkKey(key: string): string {
  if (isKey(key)) return key
  throw new Error(`${JSON.stringify(key)} is not a key of an object`)
}

/**
 * An object that is there but cannot be what was put: truncated, too large, or with a wrong checksum. Others of the store are not affected.
 */
export class DamagedObject extends LifeboatError {}

/** Throws for an object of `size` bytes that may have `most`. */
export function checkSize(size: number, most: number, key: string, store: string): void {
  if (size > most) throw tooLarge(most, key, store)
}

export function tooLarge(most: number, key: string, store: string): DamagedObject {
  return new DamagedObject(`${key} in ${store} has more than the ${most.toLocaleString('en')} bytes that it may have`, {
    hint:
      marked`Lifeboat did not write it so: it was damaged or replaced. Put it back from a copy of the store; ‹lifeboat verify› tells ` +
      'which snapshots need it.',
  })
}

export class NotFound extends Error {
  readonly key: string

  constructor(key: string, store: string, options?: ErrorOptions) {
    super(`${key} is not in ${store}`, options)
    this.name = 'NotFound'
    this.key = key
  }
}

/** Whether there is such an object. */
export async function isThere(store: Store, key: string): Promise<boolean> {
  try {
    await store.head(key)
    return true
  } catch (error) {
    if (error instanceof NotFound) return false
    throw error
  }
}
