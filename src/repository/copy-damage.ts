import { LifeboatError, messageOf } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import type { Level } from './levels.ts'
import { proveSnapshot, type Verdict } from './proofs.ts'
import { checkedObject, DamagedChunk, Reader } from './reader.ts'
import { knownDamage, SetProofs } from './set-proofs.ts'
import { type AuthenticSnapshot, type ChunkEntry, chunkKey } from './snapshot.ts'
import { damageIn, objectsOf } from './wholeness.ts'

/** Objects that are checked at the same time: each takes its sealed bytes twice, and its plaintext and that of its base. */
const AT_ONCE = 4

/** The repair of objects of a snapshot that are damaged, or missing, in the store that is copied to. */
export interface Repair {
  /** Keys of those that were put again. */
  put: ReadonlySet<string>
  /** Keys of those that were known to be damaged there, or were missing, and were read from it and are good. */
  good: readonly string[]
  /** Why one of them is still damaged there. */
  problem?: string
}

/** A snapshot in the store that is copied from: empty if nothing is known against it. */
export interface AtSource {
  /** Why it is unsound there, and so its copy. */
  damaged?: string
  /** The level of its last verification there, if that failed, and the objects that it found damaged have been found good since. */
  repairedSince?: Level
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
    const failure = await this.#failure(snapshot)
    if (failure === undefined) return {}
    const { level } = failure
    return failure.damaged.length > 0 ? { repairedSince: level } : { damaged: `it failed its last verification, at level ${level}` }
  }

  /**
   * Reads and checks objects in the other store, before anything is said of them: those that the proofs of one store call damaged, and
   * those that it lacked under a snapshot that was there (`beneath`). Only an object that cannot be opened is replaced, or put, by one that
   * can be, which is then read back; so a write key replaces nothing. Objects in groups stay as they are. The snapshot must be in the other
   * store, where no prune deletes its objects then. `lacking`: keys of objects that the other store lacked.
   */
  async repair(
    snapshot: AuthenticSnapshot, { lacking, beneath }: { lacking: ReadonlySet<string>; beneath: ReadonlySet<string> },
    { from, to, signal }: { from: Store; to: Store; signal: AbortSignal },
  ): Promise<Repair> {
    const { keys, header: { chunks } } = snapshot
    const put = new Set<string>()
    const good: string[] = []
    let problem: string | undefined
    const isNeeded = (key: string): boolean => beneath.has(key) || (this.#carried.has(key) && !this.#damaged.has(key))
    const isSuspect = (key: string): boolean => isNeeded(key) || (this.#doubtful.has(key) && !this.#carried.has(key))
    const reason = to.groups ? 'that store replaces no objects'
      : keys.identity === undefined ? 'a write key cannot check what it is replaced with: copy once with the identity'
      : undefined
    const check = async ([index, entry]: [number, ChunkEntry]): Promise<void> => {
      signal.throwIfAborted()
      const key = chunkKey(entry[0], entry[4])
      const needed = isNeeded(key)
      try {
        if (reason !== undefined) {
          if (!needed) return
          if (lacking.has(key) || (await areSame(from, to, key, entry[2]))) this.unchecked.add(key)
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
    const suspects = [...chunks.entries()].filter(([, [id, , , , mark]]) => isSuspect(chunkKey(id, mark)))
    // Differences last: their bases are read with them.
    await inParallel(suspects.filter(([, [, , , base]]) => base === null), AT_ONCE, check)
    await inParallel(suspects.filter(([, [, , , base]]) => base !== null), AT_ONCE, check)
    return { put, good, ...(problem !== undefined && { problem }) }
  }

  /** False if the object can be opened as it is. Throws a DamagedChunk unless it can be opened in the end. */
  async #replaced(
    index: number, { keys, header: { chunks } }: AuthenticSnapshot, { from, to }: { from: Store; to: Store },
  ): Promise<boolean> {
    const entry = chunks[index]!
    const [id, , , base, mark] = entry
    const key = chunkKey(id, mark)
    const open = () => new Reader(to, keys, chunks).chunk(index)
    try {
      await open()
      return false
    } catch (error) {
      // If its base is damaged, nothing is known of the object itself.
      if (!(error instanceof DamagedChunk) || error.key !== key) throw error
    }
    const plain = base === null ? undefined : await new Reader(from, keys, chunks).chunk(base)
    await to.put(key, await checkedObject(from, keys, entry, plain))
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
    const failed =
      verdict !== undefined && (damaged.length > 0 || (verdict.damaged.length === 0 && (await this.#to.verdict(id)) === undefined))
    const names = [...damaged, ...untold]
    if (names.length === 0 && good.length === 0 && !failed) return false
    const about = {
      snapshot: id,
      set,
      time: now,
      level: failed ? verdict.level : 'list',
      result: failed ? 'failed' : 'could not verify',
      seconds: 0,
      bytes: 0,
      versions: {},
      run: null,
    } as const
    const replaced = good.some((key) => transferred.has(key)) ? `, some after they were replaced by those of ${from.name}` : ''
    const problems = [
      ...(failed || damaged.length > 0 ? [`said by proofs in ${from.name}, from where the snapshot was copied`] : []),
      ...(untold.length > 0 ? [`said before by proofs in ${to.name}`] : []),
      ...(good.length > 0 ? [`read again and found good${replaced}`] : []),
    ]
    await proveSnapshot(to, snapshot.keys, { ...about, damaged: names, good, problems })
    for (const key of names) {
      this.#carried.add(key)
      this.#named.add(key)
    }
    return true
  }

  async #failure({ header: { id } }: AuthenticSnapshot): Promise<Verdict | undefined> {
    const verdict = await this.#from.verdict(id)
    return verdict?.result === 'failed' ? verdict : undefined
  }
}

async function areSame(from: Store, to: Store, key: string, size: number): Promise<boolean> {
  try {
    return (await from.get(key, size)).equals(await to.get(key, size))
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedObject) return false
    throw error
  }
}
