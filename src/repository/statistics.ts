import type { ChunkEntry, SnapshotHeader } from './snapshot.ts'

/** Sums over several snapshots, in bytes. */
export interface Statistics {
  snapshots: number
  /** Raw bytes, each snapshot counted whole. */
  size: number
  /** Raw bytes of the chunks, each counted once, or once for each set; without `bases`. */
  unique: number
  /** The chunk objects they need, each counted once, as stored. */
  stored: number
  objects: number
  /** Of these, the ones stored as differences: their bytes, and an estimate of their bytes without bases, by how their bases compress. */
  differences: { objects: number; stored: number; alone: number }
  /**
   * Of these, the ones that are kept only as bases of differences: no stream has their content any more. Absent if that is not known,
   * because manifests could not be read; `unique` has them then.
   */
  bases?: { objects: number; stored: number }
}

/** Adds up snapshots one after the other; remembers each chunk object, and nothing else. */
export class Totals {
  /** Of each chunk its objects, one after the other: the mark, and whether a stream has it. Most chunks have one. */
  readonly #objects = new Map<string, string>()
  readonly #sum = {
    snapshots: 0, size: 0, unique: 0, stored: 0, objects: 0,
    differences: { objects: 0, stored: 0, alone: 0 }, bases: { objects: 0, stored: 0 },
  }
  #basesKnown = true

  /** `used`: the indexes of the chunks that streams consist of, if they are known. */
  add({ size, chunks }: Pick<SnapshotHeader, 'size' | 'chunks'>, used?: ReadonlySet<number>): void {
    this.#sum.snapshots++
    this.#sum.size += size
    if (used === undefined) this.#basesKnown = false
    for (const [index, entry] of chunks.entries()) this.#addChunk(entry, chunks, used?.has(index) ?? true)
  }

  #addChunk([id, size, stored, base, mark]: ChunkEntry, chunks: readonly ChunkEntry[], used: boolean): void {
    const before = this.#objects.get(id) ?? ''
    const [asBase, inStream] = [`${mark}-`, `${mark}+`]
    const isKnownBase = before.includes(asBase)
    if (before.includes(inStream) || (isKnownBase && !used)) return
    const sum = this.#sum
    if (used && !before.includes('+')) sum.unique += size
    this.#objects.set(id, isKnownBase ? before.replace(asBase, inStream) : `${before}${used ? inStream : asBase}`)
    if (isKnownBase || !used) {
      const sign = isKnownBase ? -1 : 1
      sum.bases.objects += sign
      sum.bases.stored += sign * stored
    }
    if (isKnownBase) return
    sum.objects++
    sum.stored += stored
    if (base === null) return
    const [, baseSize, baseStored] = chunks[base]!
    sum.differences.objects++
    sum.differences.stored += stored
    sum.differences.alone += Math.max(stored, Math.round((size * baseStored) / baseSize))
  }

  get sum(): Statistics {
    const { bases, ...sum } = structuredClone(this.#sum)
    return this.#basesKnown ? { ...sum, bases } : sum
  }
}
