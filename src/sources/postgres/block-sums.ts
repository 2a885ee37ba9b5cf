import { crc32 } from 'node:zlib'
import type { Extent } from '../../repository/extent.ts'
import { DamagedSnapshot } from '../../repository/snapshot.ts'
import type { Block } from './data-blocks.ts'
import { archivesFacts, placeFacts } from './facts.ts'

/** A part of an archive, and its CRC-32. */
export interface Summed extends Extent {
  sum: number
}

/** The places that facts record of an archive, if each block begins where the one before ends, and the last one ends with the archive. */
export function placesOf(facts: unknown, size: number): Block[] | undefined {
  const blocks = placeFacts.safeParse(facts).data?.data?.map(([id, start, end]) => ({ id, start, end }))
  if (!blocks) return undefined
  const follow = blocks.every(({ start, end }, at) => start < end && (at === 0 ? start > 0 : start === blocks[at - 1]!.end))
  const end = blocks.at(-1)?.end ?? size
  return follow && end === size && new Set(blocks.map(({ id }) => id)).size === blocks.length ? blocks : undefined
}

/** The blocks of an archive, and the bytes before them, with the sums that facts record; undefined if there is another number of sums. */
export function summedOf<B extends Extent>(
  facts: unknown, blocks: readonly B[], size: number,
): { head: Summed; blocks: (B & Summed)[] } | undefined {
  const [head, ...sums] = placeFacts.safeParse(facts).data?.sums ?? []
  if (head === undefined || sums.length !== blocks.length) return undefined
  return {
    head: { start: 0, end: blocks[0]?.start ?? size, sum: head },
    blocks: blocks.map((block, at) => ({ ...block, sum: sums[at]! })),
  }
}

/**
 * By which equal data in another backup is known, as surely as a figure for people needs: the length of the block, and the sum that it
 * would have with the id 0, because each pg_dump gives entries other ids. CRC-32 is linear: a difference of first bytes changes the sum by
 * its own, times x to the number of bits that follow.
 */
export function contentOf({ id, start, end, sum }: Summed & Block): string {
  const head = Buffer.alloc(HEAD)
  head.writeUInt32LE(id, HEAD - 4)
  const difference = crc32(head) ^ crc32(Buffer.alloc(HEAD))
  return `${end - start} ${(sum ^ times(difference, powerOfX(8 * (end - start - HEAD)))) >>> 0}`
}

/** Bytes of a block up to the id of its entry, of four bytes: its type, and a sign. */
const HEAD = 6
/** The polynomial of CRC-32, and the polynomials 1 and x; their highest bit is that of x to the power of 0. */
const [CRC_32, ONE, X] = [0xedb88320, 0x80000000, 0x40000000]

/** The product of two polynomials over GF(2), modulo that of CRC-32. */
function times(one: number, other: number): number {
  let [product, shifted] = [0, other]
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (one & bit) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ CRC_32 : shifted >>> 1
  }
  return product
}

function powerOfX(exponent: number): number {
  let [power, square] = [ONE, X]
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = times(power, square)
    square = times(square, square)
  }
  return power
}

/** Of all blocks of all archives that facts record; empty if they have no sums. */
export function contentsIn(facts: unknown): Set<string> {
  const { parts = [], ...main } = archivesFacts.safeParse(facts).data ?? {}
  return new Set([main, ...parts].flatMap(({ data = [], sums = [] }) =>
    data.flatMap(([id, start, end], at) => (sums[at + 1] === undefined ? [] : [contentOf({ id, start, end, sum: sums[at + 1]! })]))))
}

/**
 * The same bytes, which are these parts of an archive, one after the other. Throws DamagedSnapshot for a part with another sum before it
 * gives the piece with the last bytes of it: pg_restore cannot complete rows of which it is not given the end.
 */
export async function* compared(name: string, bytes: AsyncIterable<Buffer>, parts: readonly Summed[]): AsyncGenerator<Buffer, void, void> {
  let [next, done, sum] = [0, 0, 0]
  for await (const piece of bytes) {
    for (let from = 0; from < piece.length && next < parts.length;) {
      const part = parts[next]!
      const took = Math.min(part.end - part.start - done, piece.length - from)
      sum = crc32(piece.subarray(from, from + took), sum)
      from += took
      done += took
      if (done < part.end - part.start) continue
      if (sum !== part.sum) throw unlike(name, part)
      ;[next, done, sum] = [next + 1, 0, 0]
    }
    yield piece
  }
  if (next < parts.length) throw unlike(name, parts[next]!)
}

function unlike(name: string, { start, end }: Extent): DamagedSnapshot {
  return new DamagedSnapshot(`bytes ${start} to ${end} of stream ${name} do not have the CRC-32 recorded at backup time`)
}
