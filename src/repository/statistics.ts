import type { ChunkEntry, SnapshotHeader } from './snapshot.ts'

/** Sums over several snapshots, in bytes. */
export interface Statistics {
  snapshots: number
  /** Raw bytes, each snapshot counted whole. */
  size: number
  /** Raw bytes of the chunks, each counted once. */
  unique: number
  /** The chunk objects they need, each counted once, as stored. */
  stored: number
  objects: number
  /** Of these, the ones stored as differences: their bytes, and an estimate of their bytes without bases, by how their bases compress. */
  differences: { objects: number; stored: number; alone: number }
}

/** Adds up snapshots one after the other; remembers each chunk object, and nothing else. */
export class Totals {
  /** The marks of each chunk's objects, one after the other: most have one. */
  readonly #marks = new Map<string, string>()
  readonly #sum: Statistics = { snapshots: 0, size: 0, unique: 0, stored: 0, objects: 0, differences: { objects: 0, stored: 0, alone: 0 } }

  add({ size, chunks }: Pick<SnapshotHeader, 'size' | 'chunks'>): void {
    this.#sum.snapshots++
    this.#sum.size += size
    for (const entry of chunks) this.#addChunk(entry, chunks)
  }

  #addChunk([id, size, stored, base, mark]: ChunkEntry, chunks: readonly ChunkEntry[]): void {
    const marks = this.#marks.get(id)
    if (marks?.includes(mark)) return
    this.#marks.set(id, marks === undefined ? mark : `${marks} ${mark}`)
    this.#sum.objects++
    this.#sum.stored += stored
    if (marks === undefined) this.#sum.unique += size
    if (base === null) return
    const [, baseSize, baseStored] = chunks[base]!
    const { differences } = this.#sum
    differences.objects++
    differences.stored += stored
    differences.alone += Math.max(stored, Math.round((size * baseStored) / baseSize))
  }

  get sum(): Statistics {
    return structuredClone(this.#sum)
  }
}
