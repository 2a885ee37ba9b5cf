import type { Reader } from './reader.ts'
import type { ChunkEntry, StreamRecord } from './snapshot.ts'

/** Bytes of a stream, from `start` up to `end`. */
export interface Extent {
  start: number
  end: number
}

/** The parts of a stream whose chunks are lost, in order. `lost`: places of chunks in the list of their snapshot. */
export function holesOf({ chunks: places }: StreamRecord, chunks: readonly ChunkEntry[], lost: ReadonlySet<number>): Extent[] {
  const holes: Extent[] = []
  let at = 0
  for (const place of places) {
    const start = at
    at += chunks[place]![1]
    if (!lost.has(place)) continue
    const last = holes.at(-1)
    if (last?.end === start) last.end = at
    else holes.push({ start, end: at })
  }
  return holes
}

/** The bytes of a stream, with zeros for its holes. Every chunk is checked; the SHA-256 of the stream only if it has no hole. */
export async function* readAround(
  stream: StreamRecord, chunks: readonly ChunkEntry[], lost: ReadonlySet<number>, reader: Reader,
): AsyncGenerator<Buffer, void, void> {
  if (!stream.chunks.some((place) => lost.has(place))) yield* reader.stream(stream)
  else for (const place of stream.chunks) yield lost.has(place) ? Buffer.alloc(chunks[place]![1]) : await reader.chunk(place)
}

/** A part of a stream, or bytes in place of one. */
export type Part = Extent | { made: Buffer }

/** These parts of a stream, in its order, one after the other; each piece is a buffer of its own. */
export async function* cutParts(bytes: AsyncIterable<Buffer>, parts: readonly Part[]): AsyncGenerator<Buffer, void, void> {
  let [offset, next] = [0, 0]
  for await (const piece of bytes) {
    const end = offset + piece.length
    const cut: Buffer[] = []
    for (let part = parts[next]; part && ('made' in part || part.start < end); part = parts[next]) {
      cut.push('made' in part ? part.made : piece.subarray(Math.max(0, part.start - offset), Math.min(part.end, end) - offset))
      if (!('made' in part) && part.end > end) break
      next++
    }
    offset = end
    if (cut.length > 0) yield Buffer.concat(cut)
  }
}
