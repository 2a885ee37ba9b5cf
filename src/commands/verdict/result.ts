import type { Level } from '../../repository/levels.ts'

export interface VerdictResult {
  store: string
  /** The id of the plan and its time, and when the verdict was made. */
  plan: string
  planned: string
  time: string
  /** In the order of the jobs. */
  sets: SetVerdict[]
  done: number
  unverified: number
  failed: number
  missing: number
  /** The set whose newest snapshot is the oldest of all; absent if no set has a snapshot. */
  oldest?: { set: string; time: string }
  /** Raw bytes of the snapshots of this run. */
  size: number
  added: number
  /** Sets of databases that are on the servers, and not in the plan; absent if no server was asked. */
  unplanned?: string[]
}

export interface SetVerdict {
  set: string
  /** `3 of 6`. */
  job: string
  /**
   * done: this run made a snapshot of it, and nothing says that it is damaged. unverified: it did, and did not verify it as it should.
   * failed: it did, and something says that it is damaged, or that it failed a drill.
   */
  state: 'done' | 'unverified' | 'failed' | 'missing'
  /** Of this run, or, if it is missing, the newest of an earlier one. */
  snapshot?: string
  /** ISO 8601. */
  made?: string
  /** The level at which the snapshot of this run was verified; absent if it was not. */
  verified?: Level
  /** Not everything is in it. */
  partial?: true
  /** It is whole, and failed a drill. */
  failedDrill?: true
  /** Why it is failed or unverified. */
  why?: string
}
