import { formatLapse } from '../format.ts'

/** `24 h 3 min`, `7 days` of milliseconds. */
export function formatSpan(milliseconds: number): string {
  return formatLapse(new Date(0).toISOString(), new Date(milliseconds).toISOString()).replace(/ 0 (?:min|h)$/, '')
}

/** How often: to the hour, unless it is often. */
export function formatUsual(milliseconds: number): string {
  const unit = milliseconds < 3 * 3_600_000 ? 60_000 : 3_600_000
  return formatSpan(Math.round(milliseconds / unit) * unit)
}
