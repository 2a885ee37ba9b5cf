import type { RestoredBucket } from './buckets/restore.ts'
import type { Phases, RestoredDatabase, Swapped } from './postgres/restore-outcome.ts'
import type { RestoreMode } from './settings.ts'
import type { Share } from './share.ts'

/** The result of a restore, with the members that some kinds add. */
export interface Restored extends Partial<RestoredDatabase>, Partial<RestoredBucket> {
  /** Host, port and database of the target, without secrets; or its folder, Docker volume or bucket. */
  target: string
  mode: RestoreMode
  /** Raw bytes of the archive. */
  size: number
  /** Entries selected, and of these restored without an error. */
  entries: number
  restored: number
  /** Every error that a program which restores printed. */
  errors: string[]
  /** Of a restore that skips damage: everything selected that is not restored because its bytes are lost, or depends on that. */
  missing?: string[]
  /** Of a restore that can tell its last parts apart. */
  phases?: Phases
}

export type { Phases, Swapped }

/** A target got back what it had before the last exchange. */
export interface Undone {
  target: string
  /** The name under which it was kept, and when it had been put aside, ISO 8601. */
  back: string
  since: string
  /** Others that earlier exchanges have put aside for it, and when; the newest first. */
  others: { name: string; since: string }[]
  /** Absent from a dry run. */
  swapped?: Swapped
  /** Of a dry run, which changes nothing: the work, in order, as sentences. */
  steps?: string[]
}

/** Databases that were kept for a target: their time was over, or not yet, or they could not be dropped. */
export interface Forgotten {
  target: string
  dropped: string[]
  kept: { name: string; until: string }[]
  errors: string[]
  /** Of a dry run, which changes nothing: the work, in order, as sentences. */
  steps?: string[]
}

/** A restore that was checked and not begun. */
export interface PlannedRestore extends Restored {
  /** The work of the restore, in order, as sentences. */
  steps: string[]
  /** Its target: that of another source must not begin with it, or they would be restored over each other. */
  place: string
  /** Amounts that several targets may take from the same place, for which they have to be enough together. */
  shares: Share[]
}
