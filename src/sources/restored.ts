import type { RestoredBucket } from './buckets/restore.ts'
import type { RestoredDatabase } from './postgres/restore-outcome.ts'
import type { RestoreMode } from './settings.ts'

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
}
