import type { SelectionReport } from '../../sources/postgres/restore-plan.ts'
import type { RestoreOutcome } from '../../sources/postgres/restore.ts'
import type { Remarks } from '../../sources/remarks.ts'

export interface RestoreResult {
  snapshot: string
  set: string
  time: string
  /** Its name in the snapshot; a restore is of one or the other. */
  database?: string
  volume?: string
  /** Host, port and database of the target, without secrets; or the folder or Docker volume. */
  target: string
  mode: 'empty' | 'create' | 'clean' | 'overwrite' | 'verify-only'
  /** Raw bytes of the archive. */
  size: number
  /** Archive entries selected, and of these restored without an error; with verify-only, those of the archive. */
  entries: number
  restored: number
  /** Of a database: what the target has now. */
  left?: RestoreOutcome['left']
  /** Of a database of which only schemas or tables were selected: what came with them, and what was left out and why. */
  selection?: SelectionReport
  /** Owner, privileges, comment and settings of the archived database itself; absent where they were not asked for and only a part was restored. */
  databaseSettings?: 'applied' | 'left as they are'
  /** Of what is restored, what the backup lacks and what it warned of. */
  backup?: Remarks
  /** Materialized views that were filled after the rows were loaded. */
  refreshed?: string[]
  /** Of a bucket: objects that the target had already, and those deleted from it. */
  unchanged?: number
  deleted?: number
  /** Every error that pg_restore or tar printed. */
  errors: string[]
  seconds: number
}
