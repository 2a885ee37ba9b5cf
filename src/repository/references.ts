import type { LifeboatError } from '../error.ts'
import { randomFillSync } from 'node:crypto'
import { markedCommand } from '../marks.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, isThere, NotFound, type Store } from '../stores/store.ts'
import { atOnce, idOf, readSnapshot, setOf, snapshotKeys } from './catalog.ts'
import { type Card, readCards } from './card.ts'
import type { Keys } from './keys.ts'
import { labelled, labelsOf } from './labels.ts'
import { parseProofKey, proofAt, proofKeys } from './proofs.ts'
import { DamagedSnapshot, openHeader, snapshotKey } from './snapshot.ts'

/** A snapshot, as far as a prune needs to know it. */
export interface SnapshotSeen {
  key: string
  id: string
  set: string
  time: Date
  /** Raw bytes. */
  size: number
  /** Of a safety backup. */
  until?: Date
  partial?: true
  /** Its MAC verifies, and its key is its own. Of other snapshots only the list of chunks counts. */
  authentic: boolean
}

/** Which snapshots of a store list which chunks. */
export class References {
  /** The time before anything was read. Ages are as of then: snapshots that were put later are not seen. */
  readonly asOf: Date
  readonly snapshots: SnapshotSeen[] = []
  /** Snapshots whose chunks are not known: damaged, or of a newer format. As long as there is one, no chunk counts as unreferenced. */
  readonly unreadable: { key: string; why: string }[] = []
  /** Keys of missing snapshots that proofs name: they were moved, or deleted by something that leaves proofs. */
  readonly missing: string[] = []
  /** Snapshots that are not there although a proof of another key names them or a pin holds them, and which of these it is. */
  readonly lost: { key: string; why: string }[] = []
  /** Chunks have numbers, because millions of them are listed many times; by fingerprint, because a million names take 100 MB. */
  readonly #numbers = new Map<number, number>()
  readonly #listed = new Map<string, Uint32Array>()

  constructor(asOf: Date) {
    this.asOf = asOf
  }

  add(snapshot: SnapshotSeen, chunks: readonly string[]): void {
    this.snapshots.push(snapshot)
    this.#listed.set(snapshot.key, Uint32Array.from(chunks, (chunk) => this.#numberOf(chunk)))
  }

  /** The number of chunks that snapshots list. */
  get size(): number {
    return this.#numbers.size
  }

  /**
   * Whether any snapshot lists the chunk. Like `without`, always right if it says no. With a million listed chunks, of 10^9 unreferenced
   * ones less than one is taken for another, and stays.
   */
  has(chunk: string): boolean {
    return this.#numbers.has(fingerprintOf(chunk))
  }

  /** Tells whether a snapshot other than these (by key) lists a chunk. */
  without(going: ReadonlySet<string>): (chunk: string) => boolean {
    const needed = new Uint8Array(this.#numbers.size)
    for (const [key, chunks] of this.#listed) if (!going.has(key)) for (const number of chunks) needed[number] = 1
    return (chunk) => needed[this.#numbers.get(fingerprintOf(chunk)) ?? -1] === 1
  }

  #numberOf(chunk: string): number {
    const fingerprint = fingerprintOf(chunk)
    const known = this.#numbers.get(fingerprint)
    if (known !== undefined) return known
    this.#numbers.set(fingerprint, this.#numbers.size)
    return this.#numbers.size - 1
  }
}

/**
 * A random word for each digit at each place of `<id>-<mark>` that counts: the first 13 of the id, which is a MAC, and those of the mark.
 */
const PLACES = [...Array.from({ length: 13 }, (_, index) => index), ...Array.from({ length: 8 }, (_, index) => 65 + index)]
const HIGH = randomFillSync(new Uint32Array(16 * PLACES.length))
const LOW = randomFillSync(new Uint32Array(16 * PLACES.length))

/**
 * 52 bits of `<id>-<mark>`, different in each process. An attacker chooses the ids in a forged snapshot, and a Map hashes numbers in a
 * known way, so that all could fall into one bucket. Simple tabulation: no choice of keys makes it much worse than chance (Pătraşcu and
 * Thorup, 2012).
 */
export function fingerprintOf(chunk: string): number {
  let high = 0
  let low = 0
  for (let index = 0; index < PLACES.length; index++) {
    const code = chunk.charCodeAt(PLACES[index]!)
    const word = 16 * index + (code < 58 ? code - 48 : code - 87)
    high ^= HIGH[word]!
    low ^= LOW[word]!
  }
  return (high >>> 0) * 2 ** 20 + (low >>> 12)
}

/** Most chunks in snapshots that are not authenticated: whoever can write to a store could otherwise take any amount of memory. */
const MOST_UNVOUCHED = 2_000_000

export interface ReadingOptions {
  signal: AbortSignal
  /** Requests at the same time. */
  parallel: number
  now: () => Date
  /** Called for proofs that are ignored. */
  onDamaged: (error: LifeboatError) => void
}

/**
 * Reads every snapshot of a store: those that are listed, and those that proofs or labels name. Where groups of objects are deleted as a
 * whole, the chunks of snapshots decide nothing, and their cards are enough. Passes over snapshots that are deleted meanwhile. Throws if
 * the store does not answer.
 */
export async function readReferences(store: Store, keys: Keys, options: ReadingOptions): Promise<References> {
  const references = new References(options.now())
  const cards = await readCards(store, keys)
  for (const [key, { header }] of cards) references.add({ key, ...seen(header), authentic: true }, [])
  // In artifacts, snapshots and their proofs expire apart.
  const proofs = store.groups ? new Map<string, string[]>() : await provenSnapshots(store)
  let largest = 0
  const listed = await snapshotKeys(store, undefined, ({ size }) => (largest = Math.max(largest, size)))
  const withLabels = new Set((store.groups ? [] : await labelled(store)).map(({ set, id }) => snapshotKey(set, id)))
  const toRead = new Set([...listed, ...proofs.keys(), ...withLabels].filter((key) => !cards.has(key)))
  let unvouched = 0
  await inParallel([...toRead], atOnce(options.parallel, largest), async (key) => {
    options.signal.throwIfAborted()
    try {
      const { snapshot, chunks } = await readSnapshot(store, key, (object) => readPublicPart(key, object, keys))
      options.signal.throwIfAborted()
      if (!snapshot.authentic && (unvouched += chunks.length) > MOST_UNVOUCHED)
        throw new DamagedSnapshot('snapshots that are not of this key list more than 2 million chunks')
      references.add(snapshot, chunks)
    } catch (error) {
      if (error instanceof NotFound) {
        const evidence = await evidenceIn(store, keys, proofs.get(key) ?? [], options.onDamaged)
        if (evidence === 'proven') references.missing.push(key)
        else if (!store.groups && evidence === 'named by another key') {
          references.lost.push({ key, why: 'a proof of another key names it' })
        } else if (withLabels.has(key) && (await isPinned(store, keys, key))) {
          references.lost.push({ key, why: 'it is pinned' })
        }
        return
      }
      if (!(error instanceof DamagedSnapshot || error instanceof DamagedObject)) throw error
      references.unreadable.push({ key, why: error.message })
    }
  })
  references.missing.sort()
  references.lost.sort((a, b) => (a.key < b.key ? -1 : 1))
  return references
}

/**
 * Keys of the snapshots of a set, or of every set, that authentic proofs name and that the store does not have. Reads no snapshot that is
 * listed.
 */
export async function missingSnapshots(
  store: Store, keys: Keys, set: string | undefined, onDamaged: (error: LifeboatError) => void,
): Promise<string[]> {
  // In artifacts, snapshots and their proofs expire apart.
  if (store.groups) return []
  const proofs = await provenSnapshots(store, set)
  const listed = new Set(proofs.size > 0 ? await snapshotKeys(store, set) : [])
  const missing: string[] = []
  for (const [key, named] of proofs) {
    if (listed.has(key) || (await isThere(store, key))) continue
    if ((await evidenceIn(store, keys, named, onDamaged)) === 'proven') missing.push(key)
  }
  return missing.toSorted()
}

export function missingText(store: Store, missing: readonly string[]): string {
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : ''
  return `${store.name} holds proofs of snapshots that it does not have: ${missing[0]}${more}`
}

/** The prune that accepts that snapshots of a set are missing, and deletes none. */
export function acceptLoss(set: string, destination?: string): string {
  return markedCommand('prune', { ...(destination !== undefined && { destination }), set, retention: 'none', force: 'true' })
}

/** The copy that brings snapshots and objects back from another store. */
export function putBack(of: Readonly<Record<string, string>>): string {
  return markedCommand('copy', { from: 'OTHER_STORE', ...of })
}

/** Missing snapshots come back by a copy, of one set or of all; else they are given up. `once`: how to prune nevertheless. */
export function putBackOr(once: string, set?: string, destination?: string): string {
  const copy = putBack({ ...(set !== undefined && { set }), ...(destination !== undefined && { destination }) })
  return `put them back, from another store that has them: ${copy}; or, if they are not needed any more, ${once}`
}

/** The hint about missing snapshots. */
export function missingHint(...how: Parameters<typeof putBackOr>): string {
  const then = putBackOr(...how)
  return `They were moved, or deleted by something other than Lifeboat. ${then.charAt(0).toUpperCase()}${then.slice(1)}.`
}

/** The keys of proofs, by the key of the snapshot. */
async function provenSnapshots(store: Store, set?: string): Promise<Map<string, string[]>> {
  const proven = new Map<string, string[]>()
  for (const proof of [...(await proofKeys(store, { set })).values()].flat()) {
    const { set, snapshot } = parseProofKey(proof)!
    const key = snapshotKey(set, snapshot)
    proven.set(key, [...(proven.get(key) ?? []), proof])
  }
  return proven
}

/** Whether authentic labels pin the snapshot: anyone can put others. */
async function isPinned(store: Store, keys: Keys, snapshot: string): Promise<boolean> {
  const { pinned, problem } = await labelsOf(store, keys, setOf(snapshot), idOf(snapshot))
  return pinned && problem === undefined
}

/**
 * Evidence of a missing snapshot in those of its proofs that are still there: one is authentic, or one claims to be of a key that is not
 * among these. When a snapshot is deleted, its proofs are deleted first.
 */
async function evidenceIn(
  store: Store, keys: Keys, proofs: readonly string[], onDamaged: (error: LifeboatError) => void,
): Promise<'proven' | 'named by another key' | undefined> {
  let named = false
  for (const key of proofs) {
    const proof = await proofAt(store, key, keys, onDamaged)
    if (proof === 'of another key') named = true
    else if (proof) return 'proven'
  }
  return named ? 'named by another key' : undefined
}

/**
 * The public part of a snapshot of any key and set, which is all that a prune needs. If the MAC of a snapshot of this key is invalid, its
 * list may have lost chunks.
 */
async function readPublicPart(key: string, object: Buffer, keys: Keys): Promise<{ snapshot: SnapshotSeen; chunks: string[] }> {
  const { header, signer } = await openHeader(key, object, keys, { others: true })
  const authentic = signer !== undefined && snapshotKey(header.set, header.id) === key
  return { snapshot: { key, ...seen(header), authentic }, chunks: header.chunks.map(([chunk, , , , mark]) => `${chunk}-${mark}`) }
}

function seen({ id, set, time, size, until, partial }: Card['header']): Omit<SnapshotSeen, 'key' | 'authentic'> {
  return { id, set, time: new Date(time), size, ...(until !== undefined && { until: new Date(until) }), ...(partial && { partial }) }
}
