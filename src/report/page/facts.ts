import type { DrillFigures } from '../../repository/drills.ts'
import type { Level } from '../../repository/levels.ts'
import type { Proof } from '../../repository/proofs.ts'

/** Everything that the page tells. Times are ISO 8601, sizes bytes. */
export interface PageFacts {
  /** When the store was looked at. */
  made: string
  timeZone: string
  /** The name of the store, and its address as the input `destination` takes it. */
  store: string
  destination: string
  /** Newest first. */
  snapshots: readonly PageSnapshot[]
  /** The number of snapshots in the store, if only the newest of them were read. */
  of?: number
  /** Only snapshots that the user chose are shown. */
  chosen?: true
  /** The set that was asked for has no snapshots, but others have. */
  elsewhere?: true
  /** A key was given, so that the facts are authenticated. */
  keyed: boolean
  /** The newest snapshot of all that was found whole now. */
  restorable?: string
  /** The retention policy, as the input takes it. */
  retention?: string
  /** The content of each set's newest snapshot, compared with an earlier one. */
  changes: readonly SetChange[]
  /** Tables that lost rows which no backup has that the policy keeps. */
  leaving: readonly TableLoss[]
  /** The run that made the page; absent of one that only looked. */
  run?: PageRun
  /** Warnings on the way. */
  warnings: readonly string[]
  /** The stores that the run wrote to, or that it checked. */
  copies: readonly PageCopy[]
  /** How a workflow names this action: `owner/repository`, and what follows `@`. */
  action: string
  reference: string
  /** Names were replaced by neutral ones. */
  neutral?: true
}

export interface PageSnapshot {
  id: string
  set: string
  time: string
  size: number
  stored: number
  added: number
  tags: readonly string[]
  pinned: boolean
  authentic: boolean
  verified: boolean
  damage?: string
  /** It is whole, and failed a drill; `damage` says so. */
  failedDrill?: true
  proofs: readonly { level: Level; result: Proof['result']; time: string }[]
  drill?: DrillFigures
  description?: string
  sources?: readonly { name: string; database: boolean; size: number; confirm?: string; partial?: readonly string[] }[]
  partial?: true
  /** Of a safety backup. */
  until?: string
  run?: string | null
  retention?: { keep: boolean; reasons: readonly string[] }
  expires?: string
}

export interface PageRun {
  /** `backup`. */
  command: string
  good: boolean
  /** It could not find out what it was asked. */
  open?: true
  message: string
  problems: readonly string[]
  advice: readonly string[]
}

export interface PageCopy {
  store: string
  /** Why the backup of this run is not to be counted on there, or why the store could not be checked. */
  problem?: string
  verified?: string
  /** The number of problems that a check found there. */
  found?: number
}

export interface SetChange {
  set: string
  /** The times of the earlier snapshot and of the newest. */
  from: string
  to: string
  /** Largest change first. */
  items: readonly ItemChange[]
  /** The number of all that were compared. */
  compared: number
}

/** The rows of a table in its newest snapshot, and in the newest that had more than twice as many, which goes with the next prune. */
export interface TableLoss {
  set: string
  source: string
  table: string
  rows: { before: number; now: number }
  /** The snapshot with more rows, and when it was made. */
  snapshot: string
  time: string
}

/** A table, or a source without tables. */
export interface ItemChange {
  source: string
  table?: string
  /** Null: it was not there, or is gone. */
  before: number | null
  now: number | null
  /** Of tables whose rows were counted. */
  rows?: { before: number; now: number }
}
