import { daysWanted } from '../../repository/retention.ts'
import type { StoreAccess } from '../../stores/access.ts'
import type { BackupInputs } from './inputs.ts'

/** How a backup opens its stores: for its set, and for as long as its policy keeps snapshots. */
export function accessOf({ access, set, retention }: Pick<BackupInputs, 'access' | 'set' | 'retention'>): StoreAccess {
  return { ...access, set, keptDays: daysWanted(retention) }
}
