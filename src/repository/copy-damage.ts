import type { LifeboatError } from '../error.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import { proveSnapshot, type Verdict } from './proofs.ts'
import { knownDamage, SetProofs } from './set-proofs.ts'
import type { AuthenticSnapshot } from './snapshot.ts'
import { damageIn, objectsOf } from './wholeness.ts'

/** Damage that the proofs of a set name, in the store that is copied from and in the store that is copied to. */
export class CopiedDamage {
  readonly #from: SetProofs
  readonly #to: SetProofs
  /** In the store that is copied from. */
  readonly #damaged: ReadonlySet<string>
  /** The same, without the objects that the other store has found good since. */
  readonly #doubtful: ReadonlySet<string>
  /** Known in the other store already, or since this copy. */
  readonly #carried: Set<string>

  private constructor(
    from: SetProofs,
    to: SetProofs,
    { damaged, doubtful, carried }: { damaged: ReadonlySet<string>; doubtful: ReadonlySet<string>; carried: Set<string> },
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

  /** Why a snapshot is unsound in the store that is copied from; undefined if nothing is known against it. */
  async whyIn(snapshot: AuthenticSnapshot): Promise<string | undefined> {
    const verdict = await this.#failure(snapshot)
    return damageIn(snapshot, this.#damaged) ?? (verdict && `it failed its last verification, at level ${verdict.level}`)
  }

  /**
   * Writes known damage to the other store, after the snapshot: a proof that names the damaged objects that are the same in both stores.
   * Objects that differ are not known to be damaged there, and a proof that says verified is never copied. Returns whether a proof was
   * written.
   */
  async carry(
    snapshot: AuthenticSnapshot, transferred: ReadonlySet<string>, { from, to, now }: { from: Store; to: Store; now: Date },
  ): Promise<boolean> {
    const { id, set } = snapshot.header
    const damaged: string[] = []
    for (const [key, size] of objectsOf(snapshot)) {
      if (!this.#doubtful.has(key) || this.#carried.has(key)) continue
      if (transferred.has(key) || (await areSame(from, to, key, size))) damaged.push(key)
    }
    const verdict = await this.#failure(snapshot)
    // A proof that names objects says nothing about a store that has better ones.
    const failed =
      verdict !== undefined && (damaged.length > 0 || (verdict.damaged.length === 0 && (await this.#to.verdict(id)) === undefined))
    if (damaged.length === 0 && !failed) return false
    const about = {
      snapshot: id,
      set,
      time: now,
      level: verdict?.level ?? 'list',
      result: failed ? 'failed' : 'could not verify',
      seconds: 0,
      bytes: 0,
      versions: {},
      run: null,
    } as const
    await proveSnapshot(to, snapshot.keys, {
      ...about, damaged, problems: [`said by proofs in ${from.name}, from where the snapshot was copied`],
    })
    for (const key of damaged) this.#carried.add(key)
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
