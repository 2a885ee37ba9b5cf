import type { Loss } from './source-kind.ts'

/** Smaller amounts are not compared, because rows and files come and go. */
export const LEAST = { rows: 1000, bytes: 1_000_000, files: 10 } as const

/** A loss if less than half is left. */
export function lost(measure: Loss['measure'], before: number, now: number): Loss[] {
  return before >= LEAST[measure] && now < before / 2 ? [{ measure, before, now }] : []
}
