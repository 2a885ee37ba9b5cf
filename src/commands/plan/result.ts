import type { LeftOutServerDatabase } from '../sets/left-out.ts'

export interface PlanResult {
  /** The id of the plan, which the snapshots of its run have as a tag, and its time. */
  plan: string
  time: string
  jobs: PlannedJob[]
  /** Bytes of all. */
  size: number
  /** Databases that no job backs up, and why. */
  leftOut: LeftOutServerDatabase[]
  /** Databases that the input databases does not choose. */
  notChosen: number
}

export interface PlannedJob {
  /** `3 of 6`. */
  job: string
  size: number
  items: PlannedItem[]
}

export interface PlannedItem {
  set: string
  noun: 'database' | 'volume'
  /** Of a database, if there are several servers. */
  server?: string
  name: string
  /** Bytes where it is; 0 if unknown. */
  size: number
}
