import { daysWanted } from '../../repository/retention.ts'
import { isSafetySet } from '../../repository/safety-set.ts'
import type { StoreAccess } from '../../stores/access.ts'
import type { BackupInputs } from './inputs.ts'

/** How a backup opens its stores: for its set, for as long as its policy keeps snapshots, and with its limits for artifacts. */
export function accessOf(inputs: Pick<BackupInputs, 'access' | 'set' | 'retention' | 'artifacts'>): StoreAccess {
  const { access, set, retention, artifacts } = inputs
  return { ...access, ...artifacts, set, keptDays: daysWanted(retention), thenGone: isSafetySet(set) }
}
