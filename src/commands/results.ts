import type { Command } from '../inputs.ts'
import type { BackupResult } from './backup/result.ts'
import type { CheckResult } from './check/result.ts'
import type { CopyResult } from './copy/result.ts'
import type { DiffResult } from './diff/result.ts'
import type { DoctorResult } from './doctor/result.ts'
import type { ForgetResult } from './forget/result.ts'
import type { KeyAddResult, KeyListResult, KeyRemoveResult } from './key-files/result.ts'
import type { LabelResult } from './label/result.ts'
import type { ListResult } from './list/result.ts'
import type { PruneResult } from './prune/result.ts'
import type { RestoreResult } from './restore/result.ts'
import type { ShowResult } from './show/result.ts'
import type { StatsResult } from './stats/result.ts'
import type { VerifyResult } from './verify/result.ts'

/** What each command returns: printed by `--json`, put into the outputs and the summary. Sizes are bytes, times ISO 8601. */
export interface Results extends Record<Command, object> {
  backup: BackupResult
  restore: RestoreResult
  verify: VerifyResult
  check: CheckResult
  list: ListResult
  doctor: DoctorResult
  copy: CopyResult
  prune: PruneResult
  show: ShowResult
  diff: DiffResult
  pin: LabelResult
  unpin: LabelResult
  tag: LabelResult
  forget: ForgetResult
  stats: StatsResult
  'key list': KeyListResult
  'key add': KeyAddResult
  'key remove': KeyRemoveResult
}
