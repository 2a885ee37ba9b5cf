import { parseProofKey } from '../../src/repository/proofs.ts'
import { isSafetySet } from '../../src/repository/safety-set.ts'
import { chunkKey, decodeSnapshot, snapshotKey } from '../../src/repository/snapshot.ts'
import { sha256 } from './bytes.ts'
import { keys } from './engine.ts'
import { Violation } from './world.ts'

/** Facts that the models of several stores share. */
export class Announced {
  /** The SHA-256 of each stream of the snapshots that backups are about to put, by key. */
  readonly snapshots = new Map<string, Record<string, string>>()
  /** The SHA-256 of each chunk object as its backup put it, and of those that a disk has changed. */
  readonly sums = new Map<string, string>()
  readonly damagedSums = new Set<string>()
}

/** Objects that nobody deletes: those of the store itself, and those that are only ever replaced. */
const STAYING = /^(lifeboat\.json|RECOVERY\.md|recover\.sh|(keys|runs|restores)\/.*)$/

/** The plain model of a store: which snapshots exist, what each lists, and what it must give back. */
export class StoreModel {
  readonly chunks = new Set<string>()
  readonly snapshots = new Map<string, { lists: string[]; content: Record<string, string> }>()
  chunksDeleted = 0
  readonly forgotten = new Set<string>()
  readonly reappeared = new Set<string>()
  /** Moved away by someone, to be put back; not deleted. */
  readonly moved = new Set<string>()
  readonly proven = new Set<string>()
  /** When each was pinned, and when every byte of it was last found good. */
  readonly pinned = new Map<string, number>()
  readonly verified = new Map<string, number>()
  /** Chunk objects that the disk has changed, and since when a proof says so. */
  readonly damaged = new Set<string>()
  readonly knownDamage = new Map<string, number>()
  /** Deleted by a prune, with the bytes they had, to be put back. */
  readonly deleted: { key: string; bytes: Uint8Array; time: number }[] = []
  readonly #objects = new Map<string, Uint8Array>()
  readonly #announced: Announced
  readonly #stale: number
  #checks: Promise<void>[] = []

  /** `stale`: milliseconds that a listing lags behind. */
  constructor(announced: Announced, stale: number) {
    this.#announced = announced
    this.#stale = stale
  }

  put(key: string, bytes: Uint8Array): void {
    this.#prove(key, true)
    if (key.startsWith('chunks/')) this.#chunk(key, sha256(bytes))
    else if (key.startsWith('snapshots/')) {
      this.#objects.set(key, bytes)
      this.#checks.push(this.#snapshot(key, bytes))
    }
  }

  /** A copy brings damage along, and a put of the same object repairs it. */
  #chunk(key: string, sum: string): void {
    const { sums, damagedSums } = this.#announced
    this.chunks.add(key)
    if (damagedSums.has(sum)) {
      this.damaged.add(key)
      return
    }
    if ((sums.get(key) ?? sum) !== sum) throw new Violation(`${key} is replaced by something else`)
    sums.set(key, sum)
    this.damaged.delete(key)
    this.knownDamage.delete(key)
  }

  async #snapshot(key: string, bytes: Uint8Array): Promise<void> {
    const { header } = await decodeSnapshot(key, Buffer.from(bytes), keys)
    const lists = header.chunks.map(([id, , , , mark]) => chunkKey(id, mark))
    this.snapshots.set(key, { lists, content: this.#announced.snapshots.get(key)! })
    const missing = lists.find((chunk) => !this.chunks.has(chunk))
    if (missing !== undefined) throw new Violation(`${key} exists, but ${missing}, which it lists, does not`)
  }

  /** Of the chunks that a snapshot lists, one that a proof said was damaged, long enough ago for each listing to show it at this time. */
  knownDamaged(key: string, time: number): string | undefined {
    const lists = this.snapshots.get(key)?.lists ?? []
    return lists.find((chunk) => (this.knownDamage.get(chunk) ?? Infinity) < time - 2 * this.#stale)
  }

  /** Throws what was found wrong with what was put. */
  async settle(): Promise<void> {
    await Promise.all(this.#checks.splice(0))
  }

  #prove(key: string, proven: boolean): void {
    const proof = parseProofKey(key)
    if (!proof) return
    if (proven) this.proven.add(snapshotKey(proof.set, proof.snapshot))
    else {
      this.proven.delete(snapshotKey(proof.set, proof.snapshot))
      this.verified.delete(snapshotKey(proof.set, proof.snapshot))
    }
  }

  /** Moved away, and deleted meanwhile by itself or by a policy: nobody puts it back. */
  isGivenUp(key: string): boolean {
    return this.moved.has(key) && (this.forgotten.has(key) || !this.proven.has(key))
  }

  /** Whether someone other than a backup or a prune has done something to it. */
  isTouched(key: string): boolean {
    return [this.moved, this.forgotten, this.reappeared].some((touched) => touched.has(key))
  }

  bytesOf(key: string): Uint8Array {
    return this.#objects.get(key)!
  }

  delete(key: string, time: number): void {
    if (STAYING.test(key)) throw new Violation(`${key} is deleted`)
    this.#prove(key, false)
    const labelled = key.replace(/^labels\/(.*)\.json$/, 'snapshots/$1.json.zst')
    if (labelled !== key && this.snapshots.has(labelled) && !this.isTouched(labelled)) {
      throw new Violation(`${key} is deleted, but its snapshot exists`)
    }
    const snapshot = this.snapshots.get(key)
    if (snapshot) {
      const newer = [...this.snapshots.keys()].some((other) => other.split('/')[1] === key.split('/')[1] && other > key)
      if (!newer && !isSafetySet(key.split('/')[1]!)) throw new Violation(`${key}, the newest of its set, is deleted`)
      this.snapshots.delete(key)
      this.pinned.delete(key)
      this.verified.delete(key)
      if (!this.forgotten.has(key)) this.deleted.push({ key, bytes: this.#objects.get(key)!, time })
    }
    if (!this.chunks.delete(key)) return
    this.chunksDeleted++
    this.damaged.delete(key)
    this.knownDamage.delete(key)
    const needing = [...this.snapshots].find(([other, { lists }]) => lists.includes(key) && !this.isGivenUp(other))
    if (needing) throw new Violation(`${key} is deleted, but ${needing[0]} lists it`)
  }
}
