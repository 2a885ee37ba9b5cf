import type { Garbage } from '../../repository/garbage.ts'
import type { Released } from '../../stores/store.ts'

export interface PruneResult {
  set: string
  /** Nothing was deleted: this is what would be. */
  dryRun: boolean
  /** Snapshots. */
  kept: number
  /** Safety backups of the set that are kept as well. */
  safetyBackups?: number
  deleted: number
  /** Snapshots to go that are still there, in artifacts that stay for now. */
  waiting?: number
  /** All of the set, newest first. */
  snapshots: { id: string; time: string; size: number; keep: boolean; waiting?: true; reasons: string[] }[]
  /** Unreferenced chunks that were deleted or found; in artifacts they are deleted with the artifact. */
  chunks?: Garbage
  artifacts?: Released
  seconds: number
}

/** Of a prune after a backup: only the snapshots that were deleted, or why nothing was. */
export type PruneAfterBackup = PruneResult | { skipped: string }

/** The obstacles are told in the words of stores. */
export function redactedObstacles(result: PruneResult, apply: (texts: string[]) => string[]): PruneResult {
  const { chunks } = result
  return chunks ? { ...result, chunks: { ...chunks, obstacles: apply(chunks.obstacles) } } : result
}
