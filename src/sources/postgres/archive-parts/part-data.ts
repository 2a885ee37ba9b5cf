import { BadSource } from '../../source.ts'
import { intBytes } from '../contents-form.ts'
import type { PartData } from './archive-part.ts'

/** Bytes of an integer in the archives that are put together, without its sign: those of pg_dump on every machine. */
export const INTEGER = 4
/** A block begins with its type, and the id of its entry. */
const HEAD = 1 + 1 + INTEGER

/** The bytes of blocks under their ids in the assembled archive, in pieces that are buffers of their own. Reads them to their end. */
export async function* assembledData({ blocks, bytes }: PartData): AsyncGenerator<Buffer, void, void> {
  let [next, left] = [0, 0]
  let head: Buffer = Buffer.alloc(0)
  for await (const piece of bytes()) {
    const passed: Buffer[] = []
    for (let from = 0; from < piece.length;) {
      const took = Math.min(left > 0 ? left : HEAD - head.length, piece.length - from)
      const taken = piece.subarray(from, from + took)
      from += took
      if (left > 0) {
        left -= took
        passed.push(taken)
        continue
      }
      head = Buffer.concat([head, taken])
      const block = blocks[next]
      if (!block) throw new BadSource('more data follows the rows of a part of the archive')
      if (head.length < HEAD) continue
      passed.push(head.subarray(0, 1), intBytes(block.id, { integer: INTEGER }))
      left = block.end - block.start - HEAD
      head = Buffer.alloc(0)
      next++
    }
    // Its reader may take a buffer over, so that no two pieces share one.
    if (passed.length > 0) yield passed.length === 1 ? passed[0]! : Buffer.concat(passed)
  }
  if (next < blocks.length || left > 0) throw new BadSource('a part of the archive ends too early')
}
