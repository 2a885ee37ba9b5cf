import type { Garbage } from '../../repository/garbage.ts'
import type { Released } from '../../stores/store.ts'

export interface PruneResult {
  set: string
  /** Nothing was deleted: this is what would be. */
  dryRun: boolean
  /** Snapshots. */
  kept: number
  deleted: number
  /** All of the set, newest first. */
  snapshots: { id: string; time: string; size: number; keep: boolean; reasons: string[] }[]
  /** What became of chunks that no snapshot needs; in artifacts these go with the artifact. */
  chunks?: Garbage
  artifacts?: Released
  seconds: number
}
