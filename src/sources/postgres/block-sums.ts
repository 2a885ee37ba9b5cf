import { crc32 } from 'node:zlib'
import type { Extent } from '../../repository/extent.ts'
import { DamagedSnapshot } from '../../repository/snapshot.ts'

/** A part of an archive, and its CRC-32. */
export interface Summed extends Extent {
  sum: number
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
