/**
 * How a day changes rows. `scattered`, the worst case: rows anywhere get new content throughout. `typical`: half are new rows, the rest get
 * another status, amount and date, every second one of them among the newest tenth.
 */
export type Workload = 'scattered' | 'typical'

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
      else this.#update(this.#rows - 1 - (this.#random() % (changed % 4 === 1 ? Math.ceil(this.#rows / 10) : this.#rows)))
    }
  }

  #fill(row: number): void {
    const random = this.#random
    const word = () => this.#word()
    this.#write(row, [row, random(), word(), `${word()} ${word()}`, this.#amount(), this.#date(), random().toString(16) + random().toString(16), `${word()} ${word()} ${word()}`])
  }

  #update(row: number): void {
    const columns = this.#bytes.toString('latin1', row * WIDTH, (row + 1) * WIDTH).trimEnd().split('\t')
    this.#write(row, [...columns.slice(0, 2), this.#word(), columns[3]!, this.#amount(), this.#date(), ...columns.slice(6)])
  }

  #write(row: number, columns: (string | number)[]): void {
    this.#bytes.fill(' ', row * WIDTH, (row + 1) * WIDTH)
    this.#bytes.write(columns.join('\t').slice(0, WIDTH - 1), row * WIDTH, 'latin1')
    this.#bytes[(row + 1) * WIDTH - 1] = 10
  }

  #word(): string {
    return WORDS[this.#random() % WORDS.length]!
  }

  #amount(): number {
    return (this.#random() % 100_000) / 100
  }

  #date(): string {
    return `2026-${1 + (this.#random() % 12)}-${1 + (this.#random() % 28)}`
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
