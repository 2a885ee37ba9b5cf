import { crc32 } from 'node:zlib'
import type { Summed } from './block-sums.ts'
import { ContentsReader, type Entry } from './contents.ts'
import type { Format } from './contents-form.ts'
import type { Block } from './data-blocks.ts'

/** The rows of a table in an archive, and their bytes as COPY writes them. */
export interface CountedRows {
  rows: number
  bytes: number
}

/** The end of the rows of a table: `\.` and three line ends. */
const END = 5
/** pg_dump 14 to 18 write a block for each row. One that gathers rows writes blocks of at least this size, but for the last. */
const GATHERED = 4096
const LINE_END = 10
/** The sign and the integer before a piece. */
const HEAD = 5

/**
 * Counts the rows of each table in an uncompressed custom-format archive while it passes (pg_backup_custom.c of PostgreSQL). COPY ends each
 * row, and nothing else, with a line end, but for the end of the rows. A table of which this is not certain is not counted, and nothing if
 * the archive has another form: the counts are for people, and no backup fails by them.
 */
export class RowCounter {
  #encoding = ''
  readonly #contents = new ContentsReader({
    keeps: ({ kind, sql }) => {
      if (kind === 'ENCODING') this.#encoding = sql()
      return kind === 'TABLE DATA'
    },
  })
  #blocks: Blocks | undefined
  #broken = false
  /** Bytes of the archive so far. */
  #passed = 0
  /** The CRC-32 of the table of contents. */
  #head = 0

  push(bytes: Buffer): void {
    if (this.#broken) return
    this.#passed += bytes.length
    try {
      if (this.#blocks) this.#blocks.push(bytes)
      else if (this.#contents.push(bytes)) this.#head = crc32(bytes, this.#head)
      else {
        const rest = this.#contents.passed()
        this.#head = crc32(bytes.subarray(0, bytes.length - rest.length), this.#head)
        this.#blocks = new Blocks(this.#contents.integer, this.#passed - rest.length)
        this.#blocks.push(rest)
      }
    } catch {
      this.#broken = true
    }
  }

  /** Whether the table of contents has another form, as far as it has come. */
  get unreadable(): boolean {
    return this.#broken && !this.#blocks
  }

  /**
   * The form of the archive, the SQL that sets its encoding, the highest id that an entry has or depends on, and the entries of rows;
   * undefined if it has another form.
   */
  contents(): { format: Format; encoding: string; highest: number; rows: readonly Entry[] } | undefined {
    return this.#blocks && {
      format: this.#contents.format!, encoding: this.#encoding, highest: this.#contents.highest, rows: this.#contents.finish(),
    }
  }

  /** The place of all data in the archive, in its order; undefined if the archive has another form. */
  places(): Block[] | undefined {
    return this.#broken || !this.#blocks?.ended ? undefined : this.#blocks.places
  }

  /** The places of tables and their CRC-32; undefined as `places`. */
  tables(): (Summed & Block & Pick<Entry, 'schema' | 'name'>)[] | undefined {
    const places = this.places()
    const names = new Map(places && this.#contents.finish().map(({ id, schema, name }) => [id, { schema, name }]))
    const sums = this.#blocks?.sums ?? []
    return places?.flatMap(({ id, start, end }, at) => (names.has(id) ? [{ ...names.get(id)!, id, start, end, sum: sums[at]! }] : []))
  }

  /** The CRC-32 of the table of contents, and of each of these places. */
  sums(): number[] {
    return [this.#head, ...this.#blocks!.sums]
  }

  /** The tables that were counted, by schema and name. */
  finish(): (CountedRows & Pick<Entry, 'schema' | 'name'>)[] {
    if (this.#broken || !this.#blocks?.ended) return []
    const counts = this.#blocks.counts
    return this.#contents.finish().flatMap(({ id, schema, name, inserts }) => {
      const rows = inserts ? undefined : counts.get(id)
      return rows ? [{ schema, name, ...rows }] : []
    })
  }
}

/** A block of data begins with its type and the id of its entry, those of large objects with an oid each. */
const TABLE = 1
const LARGE_OBJECTS = 3

/** The data of an archive: pieces of each table, each with its length before it. A length is a sign and an integer. */
class Blocks {
  /** By the ids of entries. */
  readonly counts = new Map<number, CountedRows>()
  readonly places: Block[] = []
  /** The CRC-32 of each of them, and of the bytes of the next one so far. */
  readonly sums: number[] = []
  #sum = 0
  readonly #integer: number
  /** The place in the archive of the bytes that are read now, and that of the first byte of the block. */
  #offset: number
  #start = 0
  /** The part of a number that has come. */
  #partial: number[] = []
  #state: 'type' | 'entry' | 'object' | 'length' | 'piece' = 'type'
  #type = 0
  #entry = 0
  /** Bytes of the piece, and those that are still to come. */
  #size = 0
  #left = 0
  /** Of the table so far. */
  #rows = 0
  #bytes = 0
  #begun = false
  /** Whether every piece so far was a single row, so that the line ends of the next need not be counted. */
  #single = false
  #certain = true

  constructor(integer: number, offset: number) {
    this.#integer = integer
    this.#offset = offset
  }

  /** Whether the archive ends here. */
  get ended(): boolean {
    return this.#state === 'type'
  }

  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#state === 'piece') at = this.#piece(bytes, at)
      else if (this.#state === 'length' && this.#single && this.#partial.length === 0 && this.#integer === 4) at = this.#singles(bytes, at)
      else this.#byte(bytes, at++)
    }
    this.#addUp(bytes)
    this.#offset += bytes.length
  }

  /** Each block begins where the one before ends. */
  #addUp(bytes: Buffer): void {
    let from = 0
    for (const { end } of this.places.slice(this.sums.length)) {
      this.sums.push(crc32(bytes.subarray(from, end - this.#offset), this.#sum))
      this.#sum = 0
      from = end - this.#offset
    }
    this.#sum = crc32(bytes.subarray(from), this.#sum)
  }

  /** Rows that are whole here, one after the other: nearly all of an archive. */
  #singles(bytes: Buffer, from: number): number {
    let [at, rows, last] = [from, 0, this.#size]
    while (at + HEAD <= bytes.length && bytes[at] === 0 && bytes[at + 3] === 0 && bytes[at + 4] === 0) {
      const size = bytes[at + 1]! | (bytes[at + 2]! << 8)
      const end = at + HEAD + size
      if (size === 0 || size >= GATHERED || end > bytes.length || bytes[end - 1] !== LINE_END) break
      rows++
      at = end
      last = size
    }
    this.#size = last
    this.#rows += rows
    this.#bytes += at - from - rows * HEAD
    if (at === from) this.#byte(bytes, at++)
    return at
  }

  #byte(bytes: Buffer, at: number): void {
    const byte = bytes[at]!
    if (this.#state === 'type') {
      this.#start = this.#offset + at
      if (byte !== TABLE && byte !== LARGE_OBJECTS) throw new Error(`a block has the type ${byte}`)
      this.#type = byte
      this.#state = 'entry'
      return
    }
    this.#partial.push(byte)
    if (this.#partial.length <= this.#integer) return
    const number = this.#partial.slice(1).reduceRight((sum, part) => sum * 256 + part, 0)
    if (this.#partial[0] !== 0) throw new Error('a number is negative')
    this.#partial = []
    this.#number(number, this.#offset + at + 1)
  }

  /** `end`: the place after the number. */
  #number(number: number, end: number): void {
    if (this.#state === 'entry') {
      this.#entry = number
      this.#state = this.#type === TABLE ? 'length' : 'object'
      ;[this.#rows, this.#bytes, this.#begun, this.#single, this.#certain] = [0, 0, false, false, true]
    } else if (this.#state === 'object') {
      this.#state = 'length'
      if (number === 0) this.#end(end)
    } else if (number > 0) {
      this.#size = this.#left = number
      this.#state = 'piece'
    } else if (this.#type === LARGE_OBJECTS) this.#state = 'object'
    else {
      this.#count()
      this.#end(end)
    }
  }

  /** A part of a piece, up to its end or that of the bytes. */
  #piece(bytes: Buffer, from: number): number {
    const to = Math.min(bytes.length, from + this.#left)
    this.#left -= to - from
    if (this.#type === TABLE) {
      if (!this.#single || this.#size >= GATHERED) this.#rows += lineEnds(bytes.subarray(from, to))
      if (this.#left === 0) this.#pieceEnded(bytes[to - 1]!)
    }
    if (this.#left === 0) this.#state = 'length'
    return to
  }

  #pieceEnded(last: number): void {
    this.#bytes += this.#size
    if (!this.#begun) this.#single = this.#rows === 1 && last === LINE_END
    else if (this.#single && this.#size < GATHERED) {
      this.#rows++
      this.#certain &&= last === LINE_END
    }
    this.#begun = true
  }

  /** The end of the rows is a piece of its own if they are, with three line ends that count as one. */
  #count(): void {
    const whole = this.#single ? this.#size === END : this.#bytes >= END
    if (this.#certain && whole) this.counts.set(this.#entry, { rows: this.#rows - (this.#single ? 1 : 3), bytes: this.#bytes - END })
  }

  #end(end: number): void {
    this.places.push({ id: this.#entry, start: this.#start, end })
    this.#state = 'type'
  }
}

function lineEnds(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) count++
  return count
}
