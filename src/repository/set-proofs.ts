import type { LifeboatError } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import type { Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import { parseProofKey, proofKeys, readVerdict, type Verdict, verdictAt } from './proofs.ts'
import { idTime } from './snapshot.ts'

/** Clocks differ, and listings lag behind: proofs made so many milliseconds before a snapshot may still tell of its objects. */
const MARGIN = 24 * 3600 * 1000
const PARALLEL = 16

/** The proofs of one set: listed once, and each read once, when it is needed. */
export class SetProofs {
  readonly #named: ReadonlyMap<string, readonly string[]>
  readonly #read: (key: string) => Promise<Verdict | undefined>

  private constructor(named: ReadonlyMap<string, readonly string[]>, read: (key: string) => Promise<Verdict | undefined>) {
    this.#named = named
    this.#read = read
  }

  /** `onDamaged` is called for each proof that is damaged or was edited, and is ignored. */
  static async list(store: Store, keys: Keys, set: string, onDamaged: (error: LifeboatError) => void): Promise<SetProofs> {
    const read = new Map<string, Promise<Verdict | undefined>>()
    return new SetProofs(await proofKeys(store, { set }), (key) => {
      const proof = read.get(key) ?? verdictAt(store, key, keys, onDamaged)
      read.set(key, proof)
      return proof
    })
  }

  /** Ids of the snapshots that proofs name. */
  ids(): ReadonlySet<string> {
    return new Set(this.#named.keys())
  }

  /** The newest proof of a snapshot that has a result. */
  verdict(id: string): Promise<Verdict | undefined> {
    return readVerdict(this.#named.get(id) ?? [], this.#read)
  }

  /** All proofs of these snapshots. */
  async of(ids: readonly string[]): Promise<Verdict[]> {
    const keys = ids.flatMap((id) => this.#named.get(id) ?? [])
    return (await inParallel(keys, PARALLEL, this.#read)).filter((proof) => proof !== undefined)
  }

  /** All proofs of the set. */
  all(): Promise<Verdict[]> {
    return this.of([...this.#named.keys()])
  }

  /** The newest proof, of any snapshot, for which `wanted` is true. Proofs whose names say otherwise are not read. */
  async newest(wanted: (proof: Pick<Verdict, 'snapshot' | 'level' | 'result'>) => boolean): Promise<Verdict | undefined> {
    const named = [...this.#named.values()].flat().filter((key) => wanted(parseProofKey(key)!))
    for (const key of named.toSorted((a, b) => (nameOf(a) < nameOf(b) ? 1 : -1))) {
      const proof = await this.#read(key)
      if (proof && wanted(proof)) return proof
    }
    return undefined
  }

  /**
   * Keys of the chunk objects known to be damaged that a snapshot made at `time` may list. Earlier proofs need not be read: a backup does
   * not list what was known to be damaged when it began (known.ts).
   */
  async damagedSince(time: Date): Promise<Set<string>> {
    const since = tellingSince(time)
    const keys = [...this.#named.values()].flat().filter((key) => nameOf(key) >= since)
    return knownDamage((await inParallel(keys, PARALLEL, this.#read)).filter((proof) => proof !== undefined))
  }
}

/** Proofs whose names are not before this can tell of the objects of a snapshot made at `time`. */
export function tellingSince(time: Date): string {
  return idTime(new Date(time.getTime() - MARGIN))
}

/** Its id, which begins with the time. */
function nameOf(key: string): string {
  return parseProofKey(key)!.proof
}

/** Keys of the chunk objects of which the newest of these proofs that names them says that they are damaged. */
export function knownDamage(proofs: Iterable<Verdict>): Set<string> {
  const damaged = new Set<string>()
  for (const proof of [...proofs].toSorted((a, b) => (a.time < b.time ? -1 : 1))) {
    for (const key of proof.damaged) damaged.add(key)
    for (const key of proof.good) damaged.delete(key)
  }
  return damaged
}
