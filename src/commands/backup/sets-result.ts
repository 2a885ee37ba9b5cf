import type { LeftOutServerDatabase } from '../sets/left-out.ts'
import type { BackupResult } from './result.ts'

/** Databases and volumes that were backed up one by one, each into a set of its own. */
export interface SetsResult {
  /** The plan that this is a part of. */
  plan?: string
  sets: SetOutcome[]
  /** Databases of servers that are not backed up here, and why. */
  leftOut: LeftOutServerDatabase[]
  /** Why post-command failed, or stopped containers do not run again, and what to do. */
  notResumed?: string
  /** Bytes read and added, of those that succeeded. */
  size: number
  added: number
  seconds: number
}

export interface SetOutcome {
  set: string
  noun: 'database' | 'volume'
  server?: string
  name: string
  /** Absent if it failed. Without the lists about earlier backups and large tables. */
  backup?: Omit<BackupResult, 'recent' | 'largest' | 'recentTotal'> & { first: boolean }
  /** Why there is no backup. */
  problem?: string
  hint?: string
}

export type AnyBackupResult = BackupResult | SetsResult
