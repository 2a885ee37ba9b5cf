import type { Differences } from '../../sources/source-kind.ts'

export interface DiffResult {
  from: { snapshot: string; set: string; time: string; size: number }
  to: { snapshot: string; set: string; time: string; size: number }
  /**
   * Of the content of `to`, each chunk counted once: all of it, and what `from` has as well. Raw bytes. `deltaChunks`: of the others, those
   * stored as differences from similar ones.
   */
  content: { chunks: number; bytes: number; sharedChunks: number; sharedBytes: number; deltaChunks: number }
  /** By name. */
  sources: SourceDiff[]
}

/** With the members that its kind adds: `database`, `files`. */
export interface SourceDiff extends Differences {
  name: string
  kind: string
  /** Raw bytes; null if the snapshot lacks the source. */
  from: number | null
  to: number | null
  /**
   * Whether all streams are the same bytes. If not, the content may still be equal: two dumps of the same data differ at least in their
   * times.
   */
  identical?: boolean
}
