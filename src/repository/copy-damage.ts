import { LifeboatError, messageOf } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { idOf, snapshotIfAuthentic, snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { isAtLeast, type Level } from './levels.ts'
import { Presence } from './presence.ts'
import { isGood, NO_VERIFICATION, proveSnapshot, type Verdict, writeProofs } from './proofs.ts'
import { checkedObject, DamagedChunk, Reader } from './reader.ts'
import { fingerprintOf } from './references.ts'
import { knownDamage, SetProofs } from './set-proofs.ts'
import { type AuthenticSnapshot, chunkKey, markOf, snapshotKey } from './snapshot.ts'
import { damageIn, failedVerification, objectsOf } from './wholeness.ts'

/** Objects that are checked at the same time: each takes its sealed bytes twice, and its plaintext and that of its base. */
const AT_ONCE = 4

/** The repair of objects of a snapshot that are damaged, or missing, in the store that is copied to. */
export interface Repair {
  /** Keys of those that were put again. */
  put: ReadonlySet<string>
  /** Keys of those that were known to be damaged there, or were missing, and are good: they were read from it, or are `checked`. */
  good: readonly string[]
  /** Why one of them is still damaged there. */
  problem?: string
}

/** A snapshot in the store that is copied from: empty if nothing is known against it. */
export interface AtSource {
  /** Why it is unsound there, and so its copy. */
  damaged?: string
  /** Why it cannot be relied on, of one that is whole and failed a drill there. */
  failedDrill?: string
  /** The level of its last verification there, if that failed without damaged objects, and was no drill. */
  failed?: Level
  /** The level of its last verification there, if that failed, and the objects that it found damaged have been found good since. */
  repairedSince?: Level
}

/** The objects that snapshots of the store that is copied to list; of lost ones, those that the other store has. */
interface Listed {
  /** Fingerprints of their names. */
  objects: ReadonlySet<number>
  /** Ids of one that is there, and of one that proofs name and that is not. */
  there?: string
  lost?: string
}

/** Damage that the proofs of a set name, in the store that is copied from and in the store that is copied to. */
export class CopiedDamage {
  readonly #from: SetProofs
  readonly #to: SetProofs
  /** In the store that is copied from. */
  readonly #damaged: ReadonlySet<string>
  /** The same, without the objects that the other store has found good since. */
  readonly #doubtful: Set<string>
  /** Known in the other store already, or since this copy. */
  readonly #carried: Set<string>
  /** Those of them that a proof of this copy names. */
  readonly #named = new Set<string>()
  /** Those that the other store was found to have damaged during this copy. */
  readonly #found = new Set<string>()
  /** Ids of the snapshots of the set that the other store had when it was first asked, newest first. */
  #there: readonly string[] | undefined
  #listed: Listed | undefined
  /**
   * Known to be damaged in the other store, or missing there under a snapshot, but the same there now as in the one that is copied from,
   * and neither could be checked.
   */
  readonly unchecked = new Set<string>()

  private constructor(
    from: SetProofs,
    to: SetProofs,
    { damaged, doubtful, carried }: { damaged: ReadonlySet<string>; doubtful: Set<string>; carried: Set<string> },
  ) {
    this.#from = from
    this.#to = to
    this.#damaged = damaged
    this.#doubtful = doubtful
    this.#carried = carried
  }

  static async of(from: Store, to: Store, keys: Keys, set: string, onDamaged: (error: LifeboatError) => void): Promise<CopiedDamage> {
    const [source, target] = [await SetProofs.list(from, keys, set, onDamaged), await SetProofs.list(to, keys, set, onDamaged)]
    const [here, there] = [await source.all(), await target.all()]
    return new CopiedDamage(source, target, {
      damaged: knownDamage(here), doubtful: knownDamage([...here, ...there]), carried: knownDamage(there),
    })
  }

  /** Of a snapshot in the store that is copied from. */
  async standing(snapshot: AuthenticSnapshot): Promise<AtSource> {
    const damaged = damageIn(snapshot, this.#damaged)
    if (damaged !== undefined) return { damaged }
    const verdict = await this.#failure(snapshot)
    const failure = failedVerification(verdict)
    if (failure === undefined) return {}
    if (failure.repaired) return { repairedSince: failure.repaired }
    return failure.failedDrill ? { failedDrill: failure.why } : { damaged: failure.why, failed: verdict!.level }
  }

  /**
   * Of the objects that the other store lacks (keys), those that a snapshot lists which it has, or of which it has a proof: verifications
   * of that one have read other bytes. Nothing is read if no such snapshot can list them: an older one lists nothing that this one stored
   * first. The others are read once.
   */
  async beneath(
    snapshot: AuthenticSnapshot, lacking: ReadonlySet<string>, { isThere, from, to }: { isThere: boolean; from: Store; to: Store },
  ): Promise<Set<string>> {
    const { keys, header: { id, set } } = snapshot
    if (lacking.size === 0) return new Set()
    this.#there ??= (await snapshotKeys(to, set)).map(idOf)
    const others = new Set([...this.#there, ...this.#to.ids()])
    const all = isThere || others.has(id)
    const hasNewer = all || [...others].some((other) => other > id)
    const suspects = others.size === 0 && !all ? [] : [...lacking].filter((key) => hasNewer || !key.endsWith(`-${markOf(id)}`))
    // Groups may have what is put again, because it expires soon.
    const lost = to.groups ? await missingIn(to, snapshot, suspects) : suspects
    if (all || lost.length === 0) return new Set(lost)
    const { objects } = (this.#listed ??= await listedBy([...others].map((other) => snapshotKey(set, other)), keys, { from, to }))
    return new Set(lost.filter((key) => objects.has(fingerprintOf(nameIn(key)))))
  }

  /**
   * Names objects `beneath` snapshots in a proof, before they are put without a check: nothing calls a snapshot that lists them good from
   * then on until the identity has read them. Throws if the snapshot `isThere` and is deleted meanwhile.
   */
  async doubt(
    { keys, header: { id, set } }: AuthenticSnapshot, beneath: ReadonlySet<string>,
    { isThere, from, to, now }: { isThere: boolean; from: Store; to: Store; now: Date },
  ): Promise<void> {
    const damaged = [...beneath].filter((key) => !this.#carried.has(key))
    if (damaged.length === 0) return
    const problems = [`missing or cut, and put again from ${from.name} with a write key, which cannot check it`]
    const { there, lost = id }: Partial<Listed> = isThere ? { there: id } : (this.#listed ?? {})
    const proof = { ...NO_VERIFICATION, snapshot: there ?? lost, set, time: now, damaged, problems }
    if (there === undefined || !(await proveSnapshot(to, keys, proof))) {
      if (isThere) throw new LifeboatError(`${snapshotKey(set, id)} was deleted from ${to.name} while it was copied. Copy it again`)
      // Proofs of one that is missing say so already.
      await writeProofs(to, keys, { ...proof, snapshot: lost })
    }
    for (const key of damaged) {
      this.#carried.add(key)
      this.#named.add(key)
    }
  }

  /**
   * Puts objects that the other store lacks, each checked before. Throws a DamagedChunk for one that is damaged in the store that is copied
   * from. Returns their keys.
   */
  async putChecked(
    snapshot: AuthenticSnapshot, objects: ReadonlySet<string>, { from, to, signal }: { from: Store; to: Store; signal: AbortSignal },
  ): Promise<ReadonlySet<string>> {
    await basesFirst(snapshot, (key) => objects.has(key), async (index, key) => {
      signal.throwIfAborted()
      await to.put(key, await goodObject(index, snapshot, { from, to }))
    })
    return objects
  }

  /**
   * Reads and checks objects in the other store, before anything is said of them: those that the proofs of one store call damaged, and
   * those that it lacked under a snapshot that was there (`beneath`). Only an object that cannot be opened is replaced, or put, by one that
   * can be, which is then read back; so a write key replaces nothing. Objects in groups stay as they are. The snapshot must be in the other
   * store, where no prune deletes its objects then. `lacking`: keys of objects that the other store lacked; `checked`: of those among them
   * that `putChecked` put, and that need no other check.
   */
  async repair(
    snapshot: AuthenticSnapshot,
    { lacking, beneath, checked }: { lacking: ReadonlySet<string>; beneath: ReadonlySet<string>; checked: ReadonlySet<string> },
    { from, to, signal }: { from: Store; to: Store; signal: AbortSignal },
  ): Promise<Repair> {
    const { keys, header: { chunks } } = snapshot
    // They come from there: proofs of the other store are about earlier bytes.
    for (const key of lacking) if (this.#damaged.has(key)) this.#doubtful.add(key)
    const put = new Set<string>()
    const good = [...checked].filter((key) => this.#carried.has(key))
    for (const known of [this.#carried, this.#doubtful]) for (const key of checked) known.delete(key)
    let problem: string | undefined
    const isNeeded = (key: string): boolean => beneath.has(key) || (this.#carried.has(key) && !this.#damaged.has(key))
    const isSuspect = (key: string): boolean => isNeeded(key) || (this.#doubtful.has(key) && !this.#carried.has(key))
    const reason = to.groups ? 'that store replaces no objects'
      : keys.identity === undefined ? 'a write key cannot check what it is replaced with: copy once with the identity'
      : undefined
    const check = async (index: number, key: string): Promise<void> => {
      signal.throwIfAborted()
      const needed = isNeeded(key)
      try {
        if (reason !== undefined) {
          if (!needed) return
          if (lacking.has(key) || this.unchecked.has(key) || (await areSame(from, to, key, chunks[index]![2]))) this.unchecked.add(key)
          else problem ??= `chunk ${key} in ${to.name} is known to be damaged, and ${reason}`
          return
        }
        if (await this.#replaced(index, snapshot, { from, to })) put.add(key)
        if (needed) good.push(key)
        this.#carried.delete(key)
        this.#doubtful.delete(key)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof LifeboatError)) throw error
        if (needed || !(error instanceof DamagedChunk)) problem ??= messageOf(error)
        else if (error.key === key) this.#found.add(key)
      }
    }
    await basesFirst(snapshot, isSuspect, check)
    return { put, good, ...(problem !== undefined && { problem }) }
  }

  /** False if the object can be opened as it is. Throws a DamagedChunk unless it can be opened in the end. */
  async #replaced(index: number, snapshot: AuthenticSnapshot, { from, to }: { from: Store; to: Store }): Promise<boolean> {
    const { keys, header: { chunks } } = snapshot
    const [id, , , , mark] = chunks[index]!
    const key = chunkKey(id, mark)
    const open = () => new Reader(to, keys, chunks).chunk(index)
    try {
      await open()
      return false
    } catch (error) {
      // If its base is damaged, nothing is known of the object itself.
      if (!(error instanceof DamagedChunk) || error.key !== key) throw error
    }
    await to.put(key, await goodObject(index, snapshot, { from, to }))
    await open()
    return true
  }

  /**
   * Writes known damage to the other store, after the snapshot: a proof that names the damaged objects that were found damaged there too,
   * or are the same in both stores and could not be checked. A proof that says verified is never copied. It names `good` objects as well,
   * and damage that only proofs of that store name which are older than any that are read for the snapshot (SetProofs.damagedSince).
   * Returns whether a proof was written.
   */
  async carry(
    snapshot: AuthenticSnapshot,
    { transferred, good }: { transferred: ReadonlySet<string>; good: readonly string[] },
    { from, to, now }: { from: Store; to: Store; now: Date },
  ): Promise<boolean> {
    const { id, set } = snapshot.header
    const own = objectsOf(snapshot)
    const known = [...own.keys()].filter((key) => this.#carried.has(key) && !this.#named.has(key))
    const told = known.length === 0 ? new Set() : await this.#to.damagedSince(new Date(snapshot.header.time))
    const untold = known.filter((key) => !told.has(key))
    const damaged: string[] = []
    for (const [key, size] of own) {
      if (!this.#doubtful.has(key) || this.#carried.has(key)) continue
      if (this.#found.has(key) || transferred.has(key) || (await areSame(from, to, key, size))) damaged.push(key)
    }
    const verdict = await this.#failure(snapshot)
    // A proof that names objects says nothing about a store that has better ones.
    const failed = verdict !== undefined && (damaged.length > 0 || (verdict.damaged.length === 0 && (await this.#isNews(verdict))))
    const names = [...damaged, ...untold]
    if (names.length === 0 && good.length === 0 && !failed) return false
    const about = { ...NO_VERIFICATION, snapshot: id, set, time: now, ...(failed && { level: verdict.level, result: 'failed' as const }) }
    const replaced = good.some((key) => transferred.has(key)) ? `, some after they were replaced by those of ${from.name}` : ''
    const found = to.groups ? `put again from ${from.name}, each checked before` : `read again and found good${replaced}`
    const problems = [
      ...(failed || damaged.length > 0 ? [`said by proofs in ${from.name}, from where the snapshot was copied`] : []),
      ...(untold.length > 0 ? [`said before by proofs in ${to.name}`] : []),
      ...(good.length > 0 ? [found] : []),
    ]
    await proveSnapshot(to, snapshot.keys, { ...about, damaged: names, good, problems })
    for (const key of names) {
      this.#carried.add(key)
      this.#named.add(key)
    }
    return true
  }

  /**
   * Whether a failure that names no objects counts in the other store as well: of its proofs of this level, or of a higher one, none says
   * so, and none that says otherwise is newer.
   */
  async #isNews({ snapshot, level, time }: Verdict): Promise<boolean> {
    const known = await this.#to.newest((one) =>
      one.snapshot === snapshot && isAtLeast(one.level, level) && (isGood(one) || one.result === 'failed'))
    return known === undefined || (isGood(known) && known.time < time)
  }

  async #failure({ header: { id } }: AuthenticSnapshot): Promise<Verdict | undefined> {
    const verdict = await this.#from.verdict(id)
    return verdict?.result === 'failed' ? verdict : undefined
  }
}

/** Goes through these objects of a snapshot, differences last: their bases are read with them. */
async function basesFirst(
  { header: { chunks } }: AuthenticSnapshot, wanted: (key: string) => boolean, work: (index: number, key: string) => Promise<void>,
): Promise<void> {
  const chosen = chunks.map(([id, , , base, mark], index) => ({ index, base, key: chunkKey(id, mark) })).filter(({ key }) => wanted(key))
  await inParallel(chosen.filter(({ base }) => base === null), AT_ONCE, ({ index, key }) => work(index, key))
  await inParallel(chosen.filter(({ base }) => base !== null), AT_ONCE, ({ index, key }) => work(index, key))
}

/**
 * The bytes of an object in the store that is copied from, from which its chunk could be opened. Throws a DamagedChunk if they are damaged.
 * The base of a difference is read from the store that is copied to, or, if it is damaged there, from the same.
 */
async function goodObject(
  index: number, { keys, header: { chunks } }: AuthenticSnapshot, { from, to }: { from: Store; to: Store },
): Promise<Buffer> {
  const [, , , base] = chunks[index]!
  const plaintext = base === null ? undefined : await new Reader(to, keys, chunks).chunk(base).catch((error: unknown) => {
    if (error instanceof DamagedChunk) return new Reader(from, keys, chunks).chunk(base)
    throw error
  })
  return checkedObject(from, keys, chunks[index]!, plaintext)
}

async function listedBy(snapshots: readonly string[], keys: Keys, { from, to }: { from: Store; to: Store }): Promise<Listed> {
  const objects = new Set<number>()
  const ids: Pick<Listed, 'there' | 'lost'> = {}
  for (const key of snapshots) {
    const there = await snapshotIfAuthentic(to, key, keys)
    const snapshot = there ?? (await snapshotIfAuthentic(from, key, keys))
    if (!snapshot) continue
    ids[there ? 'there' : 'lost'] ??= snapshot.header.id
    for (const [id, , , , mark] of snapshot.header.chunks) objects.add(fingerprintOf(`${id}-${mark}`))
  }
  return { objects, ...ids }
}

/** `<id>-<mark>` of a chunk object. */
function nameIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

/** Those of the objects of a snapshot that a store does not have, or not with their sizes. */
async function missingIn(store: Store, snapshot: AuthenticSnapshot, objects: readonly string[]): Promise<string[]> {
  const sizes = objectsOf(snapshot)
  return [...(await new Presence(store, new Map(objects.map((key) => [key, sizes.get(key)!]))).wrong()).keys()]
}

async function areSame(from: Store, to: Store, key: string, size: number): Promise<boolean> {
  try {
    return (await from.get(key, size)).equals(await to.get(key, size))
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedObject) return false
    throw error
  }
}
