/**
 * Finds, for a chunk, the chunk seen before that shares most anchors with it (resemblance by a bottom-k sketch: Broder, "On the
 * resemblance and containment of documents", 1997). Hash chains in typed arrays: 16 bytes an anchor, so a terabyte fits into memory.
 */
const HEADS = 1 << 16
/**
 * An anchor that more chunks have than this tells nothing: it is a phrase that repeats all over the data. The versions of one chunk that
 * the snapshots built on hold are fewer.
 */
const MOST_OWNERS = 8
/**
 * With fewer shared anchors a difference hardly ever pays: of 347 chunks of a changed shop 341 shared more and all but one became
 * differences, of 86 that shared something in a first backup none did, and 62 of them shared less.
 */
const LEAST_SHARED = 1 / 4
/**
 * Of many copies of the same files no anchor tells. The latest chunk that shares nearly all of such anchors is similar then: of 23 chunks
 * of a changed source tree that had been stored whole, 22 became differences.
 */
const LEAST_COMMON = 3 / 4

export class SimilarityIndex<Owner> {
  readonly #heads = new Int32Array(HEADS).fill(-1)
  readonly #owners: Owner[] = []
  #values = new Uint32Array(1024)
  #ownerOf = new Uint32Array(1024)
  #next = new Int32Array(1024)
  #length = 0

  add(anchors: Uint32Array, owner: Owner): void {
    if (anchors.length === 0) return
    this.#owners.push(owner)
    for (const anchor of anchors) {
      if (this.#length === this.#values.length) this.#grow()
      const head = anchor & (HEADS - 1)
      this.#values[this.#length] = anchor
      this.#ownerOf[this.#length] = this.#owners.length - 1
      this.#next[this.#length] = this.#heads[head]!
      this.#heads[head] = this.#length++
    }
  }

  /**
   * The owner with most telling anchors in common, the latest among equals; if none has enough, one with nearly all of those that do not
   * tell; otherwise undefined.
   */
  mostSimilar(anchors: Uint32Array): Owner | undefined {
    const telling = new Map<number, number>()
    const common = new Map<number, number>()
    for (const anchor of anchors) {
      const owners = this.#having(anchor)
      const shared = owners.length > MOST_OWNERS ? common : telling
      for (const owner of owners) shared.set(owner, (shared.get(owner) ?? 0) + 1)
    }
    return this.#best(telling, anchors.length * LEAST_SHARED) ?? this.#best(common, anchors.length * LEAST_COMMON)
  }

  #best(shared: ReadonlyMap<number, number>, least: number): Owner | undefined {
    let best = -1
    let most = 0
    for (const [owner, count] of shared) {
      if (count > most || (count === most && owner > best)) [best, most] = [owner, count]
    }
    return most > 0 && most >= least ? this.#owners[best] : undefined
  }

  /** Those that have an anchor, or one more than tell anything. */
  #having(anchor: number): number[] {
    const owners: number[] = []
    for (let slot = this.#heads[anchor & (HEADS - 1)]!; slot >= 0 && owners.length <= MOST_OWNERS; slot = this.#next[slot]!) {
      if (this.#values[slot] === anchor) owners.push(this.#ownerOf[slot]!)
    }
    return owners
  }

  #grow(): void {
    this.#values = copied(this.#values, new Uint32Array(this.#length * 2))
    this.#ownerOf = copied(this.#ownerOf, new Uint32Array(this.#length * 2))
    this.#next = copied(this.#next, new Int32Array(this.#length * 2))
  }
}

function copied<A extends Uint32Array | Int32Array>(from: A, to: A): A {
  to.set(from)
  return to
}

export function encodeAnchors(anchors: Uint32Array): string {
  const bytes = Buffer.alloc(anchors.length * 4)
  anchors.forEach((anchor, index) => bytes.writeUInt32LE(anchor, index * 4))
  return bytes.toString('base64')
}

export function decodeAnchors(text: string): Uint32Array {
  const bytes = Buffer.from(text, 'base64')
  const anchors = new Uint32Array(Math.floor(bytes.length / 4))
  // Not with Uint32Array.from, which takes five times as long: a terabyte has ten million of them.
  for (let index = 0; index < anchors.length; index++) anchors[index] = bytes.readUInt32LE(index * 4)
  return anchors
}
