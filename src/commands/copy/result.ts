import type { Level } from '../../repository/levels.ts'

export interface CopyResult {
  from: string
  to: string
  /** Present if this copy made the store. */
  newStore?: true
  /** Oldest first. */
  snapshots: {
    snapshot: string
    set: string
    outcome: 'copied' | 'was there' | 'failed'
    /** Known damage of the snapshot in the store that it comes from. */
    damaged?: string
    /** Why it cannot be relied on, of one that is whole and failed a drill in the store that it comes from. */
    failedDrill?: string
    /** The level of its last verification there, if that failed, and the objects that it found damaged have been found good since. */
    repairedSince?: Level
    /** Objects that were known to be damaged in the store that is copied to, or missing under a snapshot there, and are good there now. */
    repaired?: number
    /** Transferred, and chunks among them. */
    bytes: number
    chunks: number
    problem?: string
  }[]
  bytes: number
  seconds: number
}
