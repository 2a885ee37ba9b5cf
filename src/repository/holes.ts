import type { Extent } from './extent.ts'
import { DamagedChunk, type Reader } from './reader.ts'
import type { ChunkEntry, StreamRecord } from './snapshot.ts'

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

/** The bytes of a stream, with zeros for its holes. Every chunk is checked; the sum of the stream only if it has no hole. */
export async function* readAround(
  stream: StreamRecord, chunks: readonly ChunkEntry[], lost: ReadonlySet<number>, reader: Reader,
): AsyncGenerator<Buffer, void, void> {
  if (!stream.chunks.some((place) => lost.has(place))) yield* reader.stream(stream)
  else for (const place of stream.chunks) yield lost.has(place) ? Buffer.alloc(chunks[place]![1]) : await reader.chunk(place)
}

/** The same where it is not known what is lost: zeros for each damaged or missing chunk, whose extent is added to `holes` before them. */
export async function* readAroundDamage(
  stream: StreamRecord, chunks: readonly ChunkEntry[], reader: Reader, holes: Extent[],
): AsyncGenerator<Buffer, void, void> {
  let start = 0
  for (const place of stream.chunks) {
    const end = start + chunks[place]![1]
    yield await reader.chunk(place).catch((error: unknown) => {
      if (!(error instanceof DamagedChunk)) throw error
      holes.push({ start, end })
      return Buffer.alloc(end - start)
    })
    start = end
  }
}
