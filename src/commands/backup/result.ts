import type { DrillFigures } from '../../repository/drills.ts'
import type { Level } from '../../repository/levels.ts'
import type { OtherKeySnapshots } from '../../repository/known.ts'
import type { Statistics } from '../../repository/statistics.ts'
import type { AddedByTable } from '../../sources/added.ts'
import type { Growth } from '../../sources/growth.ts'
import type { Confirmed } from '../../sources/nouns.ts'
import type { Remarks } from '../../sources/remarks.ts'
import type { Shrunk } from '../../sources/shrink.ts'
import type { Amount } from '../../sources/source-kind.ts'
import type { InArtifacts } from '../artifacts.ts'
import type { PruneAfterBackup } from '../prune/result.ts'

export interface BackupResult {
  snapshot: string
  set: string
  time: string
  /** Raw bytes of all streams. */
  size: number
  /** Everything the snapshot needs, as stored. */
  stored: number
  /** Bytes that this run put. */
  added: number
  chunks: number
  newChunks: number
  deltaChunks: number
  /** Of the new chunks that are no differences: how many have which level of zstd, most first. That of `fast` is negative. */
  levels: { level: number; chunks: number }[]
  seconds: number
  /**
   * Chunks that were stored already, and were stored once more for recipients that could not open them; `bytes` as stored. Absent where
   * there are none.
   */
  forRecipients?: { chunks: number; bytes: number }
  /** Chunks that were stored again because what was stored of them is damaged; `bytes` as stored. Absent where there are none. */
  repaired?: { chunks: number; bytes: number }
  /**
   * Of what it reuses of earlier backups, a part was read back (the destinations together, bytes as stored), and so much found damaged;
   * absent with a write key, which reads nothing.
   */
  checked?: { chunks: number; bytes: number; damaged: number }
  /** Snapshots of the set that were made with another key: this backup cannot be opened with it. Absent where there are none. */
  otherKey?: OtherKeySnapshots
  /** Sources, tables and sets that have less than half of their content in the snapshot before. */
  shrunk: Shrunk[]
  /** Whether that fails the step. */
  onShrink: 'warn' | 'fail'
  /** Of the destinations that have it, the least that each was read back at. */
  verified: Level | 'none'
  /** `amount`: how many tables or files each has. */
  sources: ({
    name: string; kind: string; size: number; added: number; seconds: number; amount?: Amount
    /** Of a database to which something was added: for which of its tables. Not in the result of several sets. */
    addedByTable?: AddedByTable
  } & Confirmed & Remarks)[]
  /** The largest tables and volumes, largest first, with their sizes in the backup before. */
  largest: Growth[]
  /** The newest snapshots of the set, this one first. */
  recent: { snapshot: string; time: string; size: number; stored: number; added: number }[]
  /** The space that these take together; in artifacts only of the newest few. */
  recentTotal: Statistics
  destinations: DestinationResult[]
  /** Whether the backup before failed; absent unless a target of notify asks for that. */
  recovered?: boolean
  /** Why post-command failed, or stopped containers do not run again, and what to do. */
  notResumed?: string
  /** Whether every destination that must have the snapshot has it. */
  complete: boolean
}

/** The outcome of a backup in one of its destinations. */
export interface DestinationResult extends InArtifacts {
  /** `file:/mnt/backups`. */
  name: string
  /** Present if this backup made the store, with the fingerprint of the key that opens it. */
  newStore?: { key: string }
  /** Present if no earlier snapshot of the set was there. */
  first?: true
  verified: Level | 'none'
  /** The figures of the drill, if that was its verification. */
  drill?: DrillFigures
  /** Whether its verification was attested; absent unless that was asked for. */
  attested?: boolean
  /** Why it is not to be counted on there. */
  problem?: string
  /** Bytes that still fitted when the backup began; only where the store tells. */
  free?: number
  /** The result of the retention policy, or why it deleted nothing; absent without a policy. `snapshots` are those that were deleted. */
  prune?: PruneAfterBackup
}

/** Whether no destination had an earlier snapshot of the set, of any key. */
export function isFirst({ destinations, otherKey }: Pick<BackupResult, 'destinations' | 'otherKey'>): boolean {
  return !otherKey && destinations.every(({ first }) => first)
}

/** `, the first of its set in file:/mnt/new`: the destinations are named unless it is the first in all of them. */
export function firstText(result: Pick<BackupResult, 'destinations' | 'otherKey'>, named = (name: string): string => name): string {
  const firsts = result.destinations.filter(({ first, problem }) => first && problem === undefined)
  if (result.otherKey || firsts.length === 0) return ''
  return `, the first of its set${isFirst(result) ? '' : ` in ${firsts.map(({ name }) => named(name)).join(' and ')}`}`
}
