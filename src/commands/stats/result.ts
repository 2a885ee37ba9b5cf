import type { Statistics } from '../../repository/statistics.ts'

export interface StatsResult {
  store: string
  /** Of all sets together. */
  total: Statistics
  sets: (Statistics & {
    set: string
    oldest: string
    newest: string
    /**
     * By day (`2026-11-20`) where all are within a month, else by month (`2026-11`); oldest first. `size` and `stored` are those of the
     * last snapshot of the period.
     */
    growth: { period: string; snapshots: number; size: number; stored: number; added: number }[]
  })[]
  /** Snapshots of another key, which are not counted. */
  others: number
}
