import type { Share } from '../share.ts'
import type { LeftOutObject } from './selection.ts'

/** The members that are only in the result of the restore of a database. */
export interface RestoredDatabase {
  /** The content of the target now: everything selected, a part of it, the old content; or the new database was dropped. */
  left: 'everything' | 'part' | 'unchanged' | 'dropped'
  /**
   * Bytes of the archive that were read, if that is only its table of contents and the data of the selected entries: every chunk of them
   * was checked, the sum of the whole archive was not.
   */
  read?: number
  /** Set if only a part of the archive was selected. */
  selection?: SelectionReport
  /** Policies, privileges and the like that are left out because the server does not have their roles (no-owner). */
  roleless?: LeftOutObject[]
  /**
   * Owner, privileges, comment and settings of the archived database itself; absent if they were not asked for and only a part was
   * restored, or if the archive has none.
   */
  databaseSettings?: 'applied' | 'left as they are'
  /** Roles and tablespaces of the backup that the server lacked, and that were made. */
  madeGlobals?: { roles: string[]; tablespaces: string[] }
  /** Of mode clean: objects of the target that the backup does not have, and that are gone. */
  removed?: string[]
  /** Materialized views that were filled after the rows were loaded. */
  refreshed?: string[]
  /** Of a restore that exchanged databases. */
  swapped?: Swapped
}

/** The end of an exchange of two databases. */
export interface Swapped {
  /** The name of the database that was there before. */
  kept: string
  /** Until then it is not dropped, ISO 8601. */
  until: string
  /** Milliseconds for which nobody could connect; absent if they are not known. */
  pause?: number
}

/** Seconds. */
export interface Phases {
  /** After the rows: indexes, keys, and what else is made last. */
  indexes?: number
  /** Counting the rows, and ANALYZE. */
  count?: number
  /** The comparison with the backup. */
  compare?: number
  /** The exchange of two databases, with the wait for others. */
  exchange?: number
}

export interface RestoreOutcome extends RestoredDatabase {
  /**
   * Archive entries to restore, as `pg_restore --list` counts them, without those of the database itself; and of these restored: every
   * error of pg_restore counts as an entry that is not restored.
   */
  entries: number
  restored: number
  /** Every error pg_restore printed; the restore has failed unless there is none. */
  errors: string[]
  /** Of a salvage: everything that is left out because data is lost. */
  missing?: string[]
  phases?: Phases
  hint?: string
  /** Of a dry run: the work of a restore, in order, and what it takes. */
  planned?: { steps: string[]; shares: Share[]; server: string }
}

/** The effect of a selection, in words. */
export interface SelectionReport {
  /** Dependencies of the selected tables, restored with them. */
  added: string[]
  /** Dependencies that are left as the target has them. */
  kept: string[]
  leftOut: LeftOutObject[]
}
