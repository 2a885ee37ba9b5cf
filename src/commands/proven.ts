import { formatAge, formatCount, formatSeconds } from '../report/format.ts'
import type { DrillFigures } from '../repository/drills.ts'

/** Seconds that a recovery takes. */
export function recoveryOf({ seconds: { download, restore } }: Pick<DrillFigures, 'seconds'>): number {
  return download + restore
}

/** `4 min 12 s, 2,651,188 rows equal`: the time that a recovery takes, and the amount that was compared. */
export function provenText(drill: DrillFigures): string {
  const amount = drill.rows > 0 ? formatCount(drill.rows, 'row') : formatCount(drill.entries, 'entry', 'entries')
  return `${formatSeconds(recoveryOf(drill))}, ${amount} equal`
}

/** `the snapshot was 7 h old`: changes of that time would have been lost. Undefined if clocks differ. `made`, `drilled`: ISO 8601. */
export function ageThen(made: string, drilled: string): string | undefined {
  return drilled > made ? `the snapshot was ${formatAge(made, new Date(drilled))} old` : undefined
}
