import type { NoticeFacts } from '../notice.ts'
import type { AnyBackupResult } from './sets-result.ts'
import { problemsOfSet } from './sets-report.ts'

/** The facts of a backup, or of those of several sets, that messages tell. */
export function backupNotice(result: AnyBackupResult): NoticeFacts {
  const { size, added } = result
  if (!('sets' in result)) {
    const { set, snapshot, verified, recovered } = result
    return { set, snapshot, size, added, verified, ...(recovered !== undefined && { recovered }) }
  }
  const sets = result.sets.map((one) => {
    const status = problemsOfSet(one).length === 0 ? 'success' as const : 'failure' as const
    return { set: one.set, status, ...(one.backup && { snapshot: one.backup.snapshot }) }
  })
  const looked = result.sets.flatMap(({ backup }) => backup?.recovered ?? [])
  return { size, added, sets, ...(looked.length > 0 && { recovered: looked.includes(true) }) }
}
