/**
 * Content-defined chunking with a gear rolling hash (Xia et al., "Ddelta", 2014; "FastCDC", USENIX ATC 2016): a chunk ends where
 * the hash of the last bytes is zero under a mask, so an insertion moves only the cuts next to it.
 */
export const MINIMUM_CHUNK = 512 * 1024
/**
 * Chunks have 1.5 MiB on average. Larger ones take more memory (a difference needs the chunk, its base and tables for both), smaller ones
 * more time.
 */
export const MAXIMUM_CHUNK = 4 * 1024 * 1024
/** The masks take the hash's high bits, which depend on the most bytes (bit k on the last k + 1). Every cut is also an anchor. */
const CUT_MASK = 0xfffff000 | 0
const ANCHOR_MASK = 0xffff0000 | 0
const ANCHOR_WINDOW = 32
export const MAXIMUM_ANCHORS = 64

export interface Chunk {
  /** A view of a pooled buffer, valid until `release`. */
  readonly bytes: Buffer
  /** At most 64 distinct values in ascending order; chunks that share some are similar (similarity.ts). */
  readonly anchors: Uint32Array
  release(): void
}

/** Finds the end of one chunk after another. `buffer[0, end)` is the current chunk as far as it is known. */
export class Cutter {
  readonly #gear: Int32Array
  #hash = 0
  #anchors = new Set<number>()

  constructor(gear: Int32Array) {
    this.#gear = gear
  }

  /** Looks at `buffer[start, end)`, all before it seen already. Returns the length of the chunk that ends there, or 0 if none does. */
  scan(buffer: Uint8Array, start: number, end: number): number {
    const gear = this.#gear
    let hash = this.#hash
    let position = start
    while (position < end) {
      // Eight bytes at a time until one of them is an anchor; those eight are then gone through singly.
      for (; position + 8 <= end; position += 8) {
        const a = ((hash << 1) + gear[buffer[position]!]!) | 0
        const b = ((a << 1) + gear[buffer[position + 1]!]!) | 0
        const c = ((b << 1) + gear[buffer[position + 2]!]!) | 0
        const d = ((c << 1) + gear[buffer[position + 3]!]!) | 0
        const e = ((d << 1) + gear[buffer[position + 4]!]!) | 0
        const f = ((e << 1) + gear[buffer[position + 5]!]!) | 0
        const g = ((f << 1) + gear[buffer[position + 6]!]!) | 0
        const h = ((g << 1) + gear[buffer[position + 7]!]!) | 0
        if (isAnchor(a) || isAnchor(b) || isAnchor(c) || isAnchor(d) || isAnchor(e) || isAnchor(f) || isAnchor(g) || isAnchor(h)) break
        hash = h
      }
      for (const stop = Math.min(position + 8, end); position < stop; position++) {
        hash = ((hash << 1) + gear[buffer[position]!]!) | 0
        if (!isAnchor(hash)) continue
        const length = position + 1
        if (length >= ANCHOR_WINDOW) this.#anchors.add(anchorValue(buffer, length))
        if (length >= MINIMUM_CHUNK && (hash & CUT_MASK) === 0) return length
      }
    }
    this.#hash = hash
    return end === MAXIMUM_CHUNK ? end : 0
  }

  /** The anchors of the chunk that just ended; the next scan starts another chunk. */
  finish(): Uint32Array {
    const anchors = Uint32Array.from(this.#anchors).toSorted().slice(0, MAXIMUM_ANCHORS)
    this.#anchors = new Set()
    this.#hash = 0
    return anchors
  }
}

function isAnchor(hash: number): boolean {
  return (hash & ANCHOR_MASK) === 0
}

/** FNV-1a (32 bits) of the 32 bytes before `end`: the gear hash itself has only 16 bits left where it is an anchor. */
function anchorValue(buffer: Uint8Array, end: number): number {
  let value = 0x811c9dc5
  for (let position = end - ANCHOR_WINDOW; position < end; position++) value = Math.imul(value ^ buffer[position]!, 0x01000193)
  return value >>> 0
}

/**
 * A limited number of chunk buffers, in memory that threads share: a caller that needs one more waits until one is given back, which bounds
 * the memory of a whole run.
 */
export class BufferPool {
  #free: Buffer[] = []
  #waiting: ((buffer: Buffer) => void)[] = []
  #unmade: number

  constructor(count: number) {
    this.#unmade = count
  }

  /** One more buffer from now on. */
  widen(): void {
    const next = this.#waiting.shift()
    if (next) next(newBuffer())
    else this.#unmade++
  }

  take(): Buffer | Promise<Buffer> {
    const free = this.#free.pop()
    if (free) return free
    if (this.#unmade > 0) {
      this.#unmade--
      return newBuffer()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  give(buffer: Buffer): void {
    const next = this.#waiting.shift()
    if (next) next(buffer)
    else this.#free.push(buffer)
  }
}

function newBuffer(): Buffer {
  return Buffer.from(new SharedArrayBuffer(MAXIMUM_CHUNK))
}

/** Cuts a stream into chunks. Throws what the stream throws; the chunk in progress is then dropped. */
export async function* chunksOf(stream: AsyncIterable<Uint8Array>, gear: Int32Array, pool: BufferPool): AsyncGenerator<Chunk, void, void> {
  const cutter = new Cutter(gear)
  let buffer: Buffer | undefined
  let filled = 0
  const chunk = (): Chunk => {
    const whole = buffer!
    const bytes = whole.subarray(0, filled)
    buffer = undefined
    filled = 0
    return { bytes, anchors: cutter.finish(), release: () => pool.give(whole) }
  }
  try {
    for await (const piece of stream) {
      let offset = 0
      while (offset < piece.length) {
        buffer ??= await pool.take()
        const end = filled + Math.min(piece.length - offset, MAXIMUM_CHUNK - filled)
        // Into shared memory `fill` copies 25 times as fast as `set`.
        buffer.fill(piece.subarray(offset, offset + end - filled), filled, end)
        const length = cutter.scan(buffer, filled, end)
        offset += (length || end) - filled
        filled = length || end
        if (length > 0) yield chunk()
      }
    }
    if (filled > 0) yield chunk()
  } finally {
    if (buffer) pool.give(buffer)
  }
}
