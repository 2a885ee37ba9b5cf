/** How a day changes rows: `scattered` replaces rows anywhere; `recent` adds half of them as new ones and replaces the rest, half among the newest tenth. */
export type Workload = 'scattered' | 'recent'

const WIDTH = 160

/** The text of a table's rows, of about `size` bytes, and changes of a part of them a day: the same ones with each run. */
export class ChangingRows {
  readonly #random = generator(20261120)
  readonly #workload: Workload
  #bytes: Buffer
  #rows = 0

  constructor(size: number, workload: Workload) {
    this.#workload = workload
    this.#bytes = Buffer.alloc(Math.ceil(size * 1.5))
    for (const rows = Math.floor(size / WIDTH); this.#rows < rows; this.#rows++) this.#fill(this.#rows)
  }

  /** A view of the rows as they are, until the next change. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#rows * WIDTH)
  }

  change(part: number): void {
    const count = Math.floor(this.#rows * part)
    for (let changed = 0; changed < count; changed++) {
      if (this.#workload === 'scattered') this.#fill(this.#random() % this.#rows)
      else if (changed % 2 === 0 && (this.#rows + 1) * WIDTH <= this.#bytes.length) this.#fill(this.#rows++)
      else this.#fill(this.#rows - 1 - (this.#random() % (changed % 4 === 1 ? Math.ceil(this.#rows / 10) : this.#rows)))
    }
  }

  #fill(row: number): void {
    const random = this.#random
    const word = () => WORDS[random() % WORDS.length]!
    const text = `${row}\t${random()}\t${word()}\t${word()} ${word()}\t${(random() % 100_000) / 100}\t2026-${1 + (random() % 12)}-${1 + (random() % 28)}\t${random().toString(16)}${random().toString(16)}\t${word()} ${word()} ${word()}`
    this.#bytes.fill(' ', row * WIDTH, (row + 1) * WIDTH)
    this.#bytes.write(text.slice(0, WIDTH - 1), row * WIDTH, 'latin1')
    this.#bytes[(row + 1) * WIDTH - 1] = 10
  }
}

const WORDS = ['pending', 'paid', 'shipped', 'returned', 'Hamburg', 'Lisboa', 'Osaka', 'Toronto', 'blue', 'green', 'small', 'large', 'cotton', 'linen', 'steel', 'oak']

/** xorshift32: whole numbers from 1 to 2^32 - 1. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>>= 0)
  }
}
