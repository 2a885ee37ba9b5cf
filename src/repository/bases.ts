import { giveBackLarge } from '../process/buffers.ts'
import { MAXIMUM_CHUNK } from './chunker.ts'

/** How many bases are kept that no chunk is being made from. */
const KEPT = 3

interface Base {
  plaintext: Promise<Buffer>
  /** Chunks that are being made from it. */
  users: number
}

/**
 * Bases of differences, in memory that is shared with the thread that opens chunks: otherwise a copy of its base would be sent with each
 * chunk. The memory is used again, as the collector would let too much of it pile up.
 */
export class Bases {
  readonly #open: (index: number) => Promise<Buffer>
  readonly #bases = new Map<number, Base>()
  readonly #free: Buffer[] = []

  /** `open` gives the plaintext of a chunk. */
  constructor(open: (index: number) => Promise<Buffer>) {
    this.#open = open
  }

  /** Calls `use` with the plaintext of a chunk, which is there until `use` has ended. */
  async with<T>(index: number, use: (base: Buffer) => Promise<T>): Promise<T> {
    const base = this.#bases.get(index) ?? { plaintext: this.#shared(index), users: 0 }
    this.#bases.set(index, base)
    base.users++
    try {
      return await use(await base.plaintext)
    } finally {
      base.users--
      this.#dropUnused()
    }
  }

  async #shared(index: number): Promise<Buffer> {
    const plaintext = await this.#open(index)
    const size = plaintext.length
    const free = this.#free.pop()
    const room = free && free.length >= size ? free : Buffer.from(new SharedArrayBuffer(Math.max(size, MAXIMUM_CHUNK)))
    room.set(plaintext)
    giveBackLarge(plaintext)
    return room.subarray(0, size)
  }

  #dropUnused(): void {
    for (const [index, { plaintext, users }] of this.#bases) {
      if (this.#bases.size <= KEPT) return
      if (users > 0) continue
      this.#bases.delete(index)
      plaintext.then((bytes) => this.#free.push(Buffer.from(bytes.buffer)), () => undefined)
    }
  }
}
