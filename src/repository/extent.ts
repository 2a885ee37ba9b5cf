/** Bytes of a stream, from `start` up to `end`. */
export interface Extent {
  start: number
  end: number
}

export function touches({ start, end }: Extent, holes: readonly Extent[]): boolean {
  return holes.some((hole) => hole.start < end && hole.end > start)
}

/** The same bytes with as few extents as possible. `parts` are in order. */
export function joined(parts: readonly Extent[]): Extent[] {
  const all: Extent[] = []
  for (const { start, end } of parts) {
    const last = all.at(-1)
    if (end <= start) continue
    if (last?.end === start) last.end = end
    else all.push({ start, end })
  }
  return all
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
