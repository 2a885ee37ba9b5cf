import { giveBack } from '../../process/buffers.ts'
import { compress } from './zstd.ts'

/** How much time compression may take: a level of zstd, 1 to 19; `auto`, which tries two of them on each stream; or `fast`. */
export type Compression = number | 'auto' | 'fast'

/** A negative level, the fastest that stores less of a shop than borg does with lz4 (docs/benchmarks.md). Node takes -1 for "not set". */
const FAST = -3

/** The levels that are tried. The higher one is not always the smaller one: rows of short numbers are often smaller at level 1. */
const LOWER = 1
const HIGHER = 3
/**
 * The higher level is worth its time if it makes chunks smaller by 2 %. That time is not measured, so that a busy machine chooses like an
 * idle one: it was 1.4 to 2 times that of the lower level on all data.
 */
const WORTHWHILE = 0.98
const TRIED_CHUNKS = 3
/** A chunk whose ratio differs so much from those that were tried is of another character: of another table, for example. */
const DEPARTURE = 1 / 8
/** The least number of chunks between two trials. A trial without a change doubles it: each costs more than one level alone. */
const SHORTEST_PAUSE = 4
const LONGEST_PAUSE = 64

export interface Compressed {
  /** In a buffer of its own. */
  bytes: Buffer
  level: number
}

/** How many chunks were tried, and their bytes: as they are, and compressed at both levels. */
interface Trial {
  chunks: number
  bytes: number
  lower: number
  higher: number
}

/** Compresses the chunks of one stream, in their order. */
export class StreamLevel {
  readonly #at: (level: number, plaintext: Uint8Array) => Compressed
  readonly #fixed: number | undefined
  #trial: Trial | undefined = { chunks: 0, bytes: 0, lower: 0, higher: 0 }
  #chosen = { level: LOWER, ratio: 0 }
  #pause = SHORTEST_PAUSE / 2
  #chunks = 0

  constructor(compression: Compression, compressed: typeof compress = compress) {
    this.#at = (level, plaintext) => ({ bytes: compressed(plaintext, level), level })
    this.#fixed = compression === 'fast' ? FAST : compression === 'auto' ? undefined : compression
  }

  compress(plaintext: Uint8Array): Compressed {
    if (this.#fixed !== undefined) return this.#at(this.#fixed, plaintext)
    if (this.#trial) return this.#try(plaintext, this.#trial)
    const { level, ratio } = this.#chosen
    const compressed = this.#at(level, plaintext)
    const departed = Math.abs(compressed.bytes.length / plaintext.length - ratio) > ratio * DEPARTURE
    if (++this.#chunks >= this.#pause && departed) this.#trial = { chunks: 0, bytes: 0, lower: 0, higher: 0 }
    return compressed
  }

  /** At both levels; the smaller result. */
  #try(plaintext: Uint8Array, trial: Trial): Compressed {
    const [lower, higher] = [this.#at(LOWER, plaintext), this.#at(HIGHER, plaintext)]
    trial.chunks++
    trial.bytes += plaintext.length
    trial.lower += lower.bytes.length
    trial.higher += higher.bytes.length
    if (trial.chunks === TRIED_CHUNKS) this.#choose(trial)
    const [smaller, larger] = higher.bytes.length < lower.bytes.length ? [higher, lower] : [lower, higher]
    giveBack(larger.bytes.buffer)
    return smaller
  }

  #choose({ bytes, lower, higher }: Trial): void {
    const [level, size] = higher <= lower * WORTHWHILE ? [HIGHER, higher] : [LOWER, lower]
    this.#pause = level === this.#chosen.level ? Math.min(LONGEST_PAUSE, this.#pause * 2) : SHORTEST_PAUSE
    this.#chosen = { level, ratio: size / bytes }
    this.#chunks = 0
    this.#trial = undefined
  }
}
