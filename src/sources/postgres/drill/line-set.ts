import { randomInt } from 'node:crypto'

const NEWLINE = 10
/** Random in each run, so that no data can be made to look equal. */
const [FIRST, SECOND] = [randomInt(2 ** 32) | 0, randomInt(2 ** 32) | 0]

/**
 * A digest of lines that does not depend on their order: sums of two hashes of each line (FNV-1a, and multiplication and shifts, each ended
 * with the mixing of MurmurHash3), and their bytes. A restored table may have its rows in another order: the server puts a small row
 * into the rest of an earlier page.
 */
export class LineSet {
  #first = FIRST
  #second = SECOND
  #sums: [number, number] = [0, 0]
  #bytes = 0

  /** Any piece of the lines. */
  update(piece: Buffer): void {
    let [first, second, [one, other]] = [this.#first, this.#second, this.#sums]
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!
      if (byte === NEWLINE) {
        one = (one + mixed(first)) | 0
        other = (other + mixed(second)) | 0
        first = FIRST
        second = SECOND
      } else {
        first = Math.imul(first ^ byte, 0x01000193)
        second = Math.imul((second + byte) | 0, 0x9e3779b1)
        second ^= second >>> 15
      }
    }
    this.#first = first
    this.#second = second
    this.#sums = [one, other]
    this.#bytes += piece.length
  }

  /** A piece of INSERT statements, whose lines end elsewhere. */
  insert(piece: Buffer, { size, ends }: { size: number; ends: boolean }): void {
    for (let at = 0; at < size; at++) this.#add(piece[at]!)
    if (ends) this.#end()
    this.#bytes += piece.length
  }

  #add(byte: number): void {
    this.#first = Math.imul(this.#first ^ byte, 0x01000193)
    const second = Math.imul((this.#second + byte) | 0, 0x9e3779b1)
    this.#second = second ^ (second >>> 15)
  }

  #end(): void {
    this.#sums = [(this.#sums[0] + mixed(this.#first)) | 0, (this.#sums[1] + mixed(this.#second)) | 0]
    this.#first = FIRST
    this.#second = SECOND
  }

  /** Ends a line without an end. */
  #finish(): void {
    if (this.#first !== FIRST || this.#second !== SECOND) this.#end()
  }

  /** Adds the lines of another set. */
  add(other: LineSet): void {
    other.#finish()
    this.#sums = [(this.#sums[0] + other.#sums[0]) | 0, (this.#sums[1] + other.#sums[1]) | 0]
    this.#bytes += other.#bytes
  }

  digest(): string {
    this.#finish()
    return [...this.#sums.map((sum) => (sum >>> 0).toString(36)), this.#bytes.toString(36)].join('.')
  }
}

function mixed(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return value ^ (value >>> 16)
}
