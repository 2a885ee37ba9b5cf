import type { RestoreResult } from './result.ts'
import { oneLine } from '../../report/format.ts'
import { remarkLines } from '../../report/remarks.ts'

/** Whether a restore with errors left nothing of the backup in the target. */
export function nothingLeft({ left }: Pick<RestoreResult, 'left'>): boolean {
  return left === 'unchanged' || left === 'dropped'
}

/** More names than anyone reads; the JSON result has them all. */
const MOST = 50

/** What a restore did beside the entries it counts, and what it left out: a paragraph each, with a line for each thing left out. */
export function restoreNotes(result: RestoreResult): string[] {
  const { selection, databaseSettings, refreshed = [], errors, backup } = result
  const { added = [], kept = [], leftOut = [] } = selection ?? {}
  return [
    ...remarkLines(backup ? [{ name: `The backup of ${result.volume ?? result.database ?? ''}`, ...backup }] : []).map(oneLine),
    ...(added.length > 0 ? [`Restored too, as the selection depends on it: ${some(added)}.`] : []),
    ...(kept.length > 0 ? [`Left as the target has it, though the selection depends on it: ${some(kept)}.`] : []),
    ...(leftOut.length > 0 ? [['Left out:', ...leftOut.slice(0, MOST).map(({ what, why }) => `- ${oneLine(`${what}: ${why}`)}`), ...(leftOut.length > MOST ? [`- and ${leftOut.length - MOST} more`] : [])].join('\n')] : []),
    ...(refreshed.length > 0 ? [`Materialized views filled from the restored rows: ${some(refreshed)}.`] : []),
    ...(databaseSettings === 'left as they are' && errors.length === 0
      ? ['Owner, privileges, comment and settings of the database itself are left as the target has them. To apply those of the backup, set database-settings: true.'] : []),
  ]
}

function some(names: readonly string[]): string {
  return `${names.slice(0, MOST).map(oneLine).join(', ')}${names.length > MOST ? ` and ${names.length - MOST} more` : ''}`
}
