import { setImmediate } from 'node:timers/promises'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { giveBackLarge } from '../../process/buffers.ts'

/** Characters that are sorted at once, and that are compressed at once. */
const RUN = 2 * 1024 * 1024
const BLOCK = 128 * 1024

interface Block {
  lengths: Uint32Array
  compressed: Buffer
}

/**
 * Any number of texts (latin1), in the order of their bytes, in little memory: sorted runs of them are compressed, and merged whenever they
 * are iterated. Add nothing meanwhile.
 */
export class SortedTexts implements Iterable<string> {
  readonly #runs: Block[][] = []
  #open: string[] = []
  #size = 0
  count = 0

  add(text: string): void {
    this.count++
    this.#open.push(text)
    this.#size += text.length
    if (this.#size >= RUN) this.#seal()
  }

  [Symbol.iterator](): Iterator<string> {
    if (this.#open.length > 0) this.#seal()
    return merged(this.#runs.map(textsOf))
  }

  #seal(): void {
    this.#runs.push([...blocksOf(this.#open.toSorted())])
    this.#open = []
    this.#size = 0
  }
}

/** Some of sorted texts, chosen by their places. */
export class ChosenTexts implements Iterable<string> {
  readonly #all: SortedTexts
  /** A byte for each, not 0 if it is chosen. */
  readonly #chosen: Uint8Array

  constructor(all: SortedTexts) {
    this.#all = all
    this.#chosen = new Uint8Array(all.count)
  }

  choose(place: number): void {
    this.#chosen[place] = 1
  }

  *[Symbol.iterator](): Generator<string, void, void> {
    let place = 0
    for (const text of this.#all) if (this.#chosen[place++]) yield text
  }
}

function* blocksOf(texts: readonly string[]): Generator<Block, void, void> {
  for (let start = 0, end = 0; start < texts.length; start = end) {
    for (let size = 0; end < texts.length && size < BLOCK; end++) size += texts[end]!.length
    const block = texts.slice(start, end)
    const bytes = Buffer.from(block.join(''), 'latin1')
    const compressed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
    giveBackLarge(bytes)
    yield { lengths: Uint32Array.from(block, ({ length }) => length), compressed }
  }
}

function* textsOf(blocks: readonly Block[]): Generator<string, void, void> {
  for (const { lengths, compressed } of blocks) {
    const bytes = zstdDecompressSync(compressed)
    let start = 0
    for (const length of lengths) yield bytes.toString('latin1', start, (start += length))
    giveBackLarge(bytes)
  }
}

/** Items between which other work of the program has a turn. */
const TURN = 1000

/** Does the work for each item, without keeping the program from all else. */
export async function inTurns<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let left = TURN
  for (const item of items) {
    work(item)
    if (--left > 0) continue
    left = TURN
    await setImmediate()
  }
}

function merged(runs: readonly Iterator<string, void>[]): Iterator<string, void> {
  if (runs.length < 2) return runs[0] ?? [].values()
  const middle = runs.length >> 1
  return mergedPair(merged(runs.slice(0, middle)), merged(runs.slice(middle)))
}

function* mergedPair(left: Iterator<string, void>, right: Iterator<string, void>): Generator<string, void, void> {
  let [a, b] = [left.next(), right.next()]
  while (!a.done || !b.done) {
    if (!a.done && (b.done || a.value <= b.value)) {
      yield a.value
      a = left.next()
    } else if (!b.done) {
      yield b.value
      b = right.next()
    }
  }
}
