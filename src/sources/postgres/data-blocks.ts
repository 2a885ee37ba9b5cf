import type { Extent } from '../../repository/extent.ts'
import type { Entry } from './contents.ts'

/** The data of one entry in an archive. */
export interface Block extends Extent {
  id: number
}

/** Types of blocks (pg_backup_custom.c of PostgreSQL). */
const DATA = 1
const LARGE_OBJECTS = 3
const TYPES = [DATA, LARGE_OBJECTS]

/**
 * Finds the blocks of data after the table of contents of a custom-format archive that are whole. A block is a type, the id of its entry,
 * and pieces, each after its length, up to a length of zero; large objects each have a number before their pieces. After a hole, the next
 * block begins after a length of zero, at a type and the id of a later entry. Rows are text without zero bytes, so that no row looks like
 * that. Large objects have any bytes: if there are some, only blocks from which all others follow up to the end are accepted.
 */
export class DataBlocks {
  /** The order of the entries, by id. */
  readonly #order: ReadonlyMap<number, number>
  readonly #hasObjects: boolean
  readonly #integer: number
  readonly #holes: readonly Extent[]
  /** Blocks found since the last hole; and those that are accepted. */
  #chain: Block[] = []
  #whole: Block[] = []
  #first = true
  #at: number
  #rest: Buffer = Buffer.alloc(0)
  #step: Step = { kind: 'type' }
  #block: Block | undefined
  #last = -1

  constructor(entries: readonly Entry[], { start, integer, holes }: { start: number; integer: number; holes: readonly Extent[] }) {
    this.#order = new Map(entries.map(({ id }, place) => [id, place]))
    this.#hasObjects = entries.some(({ kind }) => kind === 'BLOBS')
    this.#integer = integer
    this.#holes = holes
    this.#at = start
  }

  push(bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      const position = this.#at + this.#rest.length
      const hole = this.#holes.find(({ end }) => end > position)
      const until = Math.min(bytes.length, from + ((hole?.start ?? Infinity) - position))
      if (hole && hole.start <= position) {
        const skipped = Math.min(bytes.length - from, hole.end - position)
        this.#lose()
        this.#rest = Buffer.alloc(0)
        this.#at = position + skipped
        this.#step = { kind: 'search' }
        from += skipped
      } else {
        this.#rest = Buffer.concat([this.#rest, bytes.subarray(from, until)])
        from = until
        this.#read()
      }
    }
  }

  /** After the last byte: the blocks that are whole, in order. */
  finish(): Block[] {
    if (this.#step.kind === 'type') this.#accept(true)
    else this.#lose()
    return this.#whole
  }

  #lose(): void {
    this.#accept(false)
    this.#block = undefined
  }

  /** Of the blocks since the last hole, those before the first hole are certain. */
  #accept(atEnd: boolean): void {
    const all = this.#chain.at(-1) !== undefined && this.#order.get(this.#chain.at(-1)!.id) === this.#order.size - 1
    const following = this.#chain.length === this.#order.size - (this.#order.get(this.#chain[0]?.id ?? -1) ?? 0)
    if (this.#first || !this.#hasObjects || (atEnd && all && following)) this.#whole.push(...this.#chain)
    this.#first = false
    this.#chain = []
  }

  #read(): void {
    let used = 0
    for (let took = this.#take(used); took > 0; took = this.#take(used)) used += took
    this.#rest = Buffer.from(this.#rest.subarray(used))
    this.#at += used
  }

  /** Does one step; gives the bytes that it used, 0 if there are too few. */
  #take(from: number): number {
    const left = this.#rest.length - from
    const step = this.#step
    if (left === 0) return 0
    if (step.kind === 'search') return this.#search(from)
    if (step.kind === 'skip') {
      const took = Math.min(left, step.bytes)
      this.#step = took === step.bytes ? { kind: 'length', object: step.object } : { ...step, bytes: step.bytes - took }
      return took
    }
    if (step.kind === 'type') return this.#begin(from)
    if (left < 1 + this.#integer) return 0
    const value = this.#rest.readUIntLE(from + 1, this.#integer)
    const negative = this.#rest[from] !== 0
    if (step.kind === 'number') {
      if (value === 0) this.#end(this.#at + from + 1 + this.#integer)
      else this.#step = { kind: 'length', object: true }
    } else if (negative || value > MOST_BYTES) this.#searchAgain()
    else if (value > 0) this.#step = { kind: 'skip', bytes: value, object: step.object }
    else if (step.object) this.#step = { kind: 'number' }
    else this.#end(this.#at + from + 1 + this.#integer)
    return 1 + this.#integer
  }

  #begin(from: number): number {
    if (this.#rest.length - from < 2 + this.#integer) return 0
    const found = this.#blockAt(from)
    if (!found) {
      this.#searchAgain()
      return 1
    }
    this.#last = this.#order.get(found.id)!
    this.#block = { id: found.id, start: this.#at + from, end: 0 }
    this.#step = found.type === LARGE_OBJECTS ? { kind: 'number' } : { kind: 'length', object: false }
    return 2 + this.#integer
  }

  #blockAt(from: number): { type: number; id: number } | undefined {
    const type = this.#rest[from]!
    const id = this.#rest.readUIntLE(from + 2, this.#integer)
    const place = this.#order.get(id)
    return TYPES.includes(type) && this.#rest[from + 1] === 0 && place !== undefined && place > this.#last ? { type, id } : undefined
  }

  #end(end: number): void {
    this.#chain.push({ ...this.#block!, end })
    this.#block = undefined
    this.#step = { kind: 'type' }
  }

  /** Blocks since the last hole are no longer certain: something else follows them. */
  #searchAgain(): void {
    if (!this.#first) this.#chain = []
    this.#lose()
    this.#step = { kind: 'search' }
  }

  /** Skips up to the next block that begins after a length of zero. */
  #search(from: number): number {
    const zeros = Buffer.alloc(1 + this.#integer)
    const needed = zeros.length + 2 + this.#integer
    for (let at = this.#rest.indexOf(zeros, from); at >= 0; at = this.#rest.indexOf(zeros, at + 1)) {
      if (at + needed > this.#rest.length) return at - from
      if (this.#blockAt(at + zeros.length)) {
        this.#step = { kind: 'type' }
        return at + zeros.length - from
      }
    }
    return Math.max(0, this.#rest.length - from - zeros.length + 1)
  }
}

/** More than a row has. */
const MOST_BYTES = 0x7fffffff

type Step =
  | { kind: 'type' }
  | { kind: 'search' }
  | { kind: 'number' }
  | { kind: 'length'; object: boolean }
  | { kind: 'skip'; bytes: number; object: boolean }
