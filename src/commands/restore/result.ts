import type { Left } from '../../error.ts'
import type { RestoreMode } from '../../sources/settings.ts'
import type { Restored } from '../../sources/restored.ts'
import type { Remarks, SelectedPart } from '../../sources/source-kind.ts'
import type { Safety } from './safety.ts'
import type { Took } from './took.ts'

/** When all data of a snapshot was last read, and found good. */
export interface LastRead {
  level: 'read' | 'drill'
  /** ISO 8601. */
  time: string
}

/** How long a recovery took when it was last drilled, or done. */
export interface Expected {
  of: 'drill' | 'restore'
  /** Of a restore: scaled to the bytes of this one. */
  seconds: number
  /** When that ended, ISO 8601. */
  time: string
  /** The snapshot that was drilled or restored, and where. */
  snapshot: string
  machine: string
  /** Of a restore. */
  mode?: string
}

/** With verify-only, `entries` are those of the archive, and nothing is restored. */
export interface RestoreResult extends Omit<Restored, 'mode' | 'phases'> {
  snapshot: string
  set: string
  time: string
  /** Its name in the snapshot; a restore is of one or the other. */
  database?: string
  volume?: string
  mode: RestoreMode | 'verify-only'
  /** The part of the source that the inputs select, in words: `table public.orders`. Absent: all of it. */
  part?: string
  /** With verify-only, if only a part was selected: its members of the archive, and its tables and views, or paths. */
  selected?: SelectedPart
  /** The other sources of the snapshot, which this restore leaves alone. */
  others?: { databases: string[]; volumes: string[] }
  /** Remarks of the backup on the source: gaps and warnings. */
  backup?: Remarks
  /** Why newer snapshots that were wanted are not the one restored: damaged, of another key, or dated in the future. */
  passedOver?: string[]
  /** With `missing`: the snapshot that has all of the source. */
  elsewhere?: string
  /** Of a dry run, which changes nothing: the work of a restore, in order. */
  steps?: string[]
  /** Of a dry run: the last verification that read the data, and the time of the last drill or restore, if they are known. */
  lastRead?: LastRead
  expected?: Expected
  /** The backup of what the target had before, where this restore replaced it. */
  safety?: Safety
  /** Why post-command failed, and what to do. */
  notResumed?: string
  /** The target now, and before. Absent if nothing was to be restored. */
  after?: Afterwards
  seconds: number
  /** Seconds of the parts. */
  took?: Took
}

/** The result of a restore of every source of a snapshot, in its order. */
export interface RestoreAllResult {
  mode: RestoreMode | 'verify-only'
  snapshot: string
  set: string
  time: string
  sources: RestoredPart[]
  /** Nothing was changed: each source has the steps of its restore. */
  dryRun?: true
  lastRead?: LastRead
  expected?: Expected
  passedOver?: string[]
  notResumed?: string
  seconds: number
}

export type RestoredPart = RestoreResult | FailedPart

/** One of them whose restore failed: `problem` tells why, and `state` what it left, if it was begun. */
export interface FailedPart extends Omit<Left, 'source'> {
  database?: string
  volume?: string
  problem: string
  hint?: string
  seconds: number
}

/** The target after a restore, in sentences. */
export interface Afterwards {
  /** Its content. */
  now: string
  /** Its content before, and the place of that. */
  before: string
  /** The way back to it. */
  back: string
  /** Everything that the inputs left out. */
  leftOut: string[]
}
