import type { SelectionReport } from './restore-plan.ts'

export interface RestoreOutcome {
  /** Archive entries to restore, and of these restored; every error counts as an entry that is not restored. */
  entries: number
  restored: number
  /** Every error pg_restore printed; the restore has failed unless there is none. */
  errors: string[]
  hint?: string
  /** The content of the target now: everything selected, a part of it, the old content; or the new database was dropped. */
  left: 'everything' | 'part' | 'unchanged' | 'dropped'
  /** Set if only a part of the archive was selected. */
  selection?: SelectionReport
  /** Of the archived database itself: owner, privileges, comment, ALTER DATABASE … SET. Absent if the archive has none. */
  databaseSettings?: 'applied' | 'left as they are'
  /** Materialized views that were filled after the rows were loaded. */
  refreshed?: string[]
}
