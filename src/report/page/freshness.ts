import { formatAge, formatCount } from '../format.ts'
import type { PageSnapshot } from './facts.ts'
import { formatUsual } from './spans.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** While it is not known how often backups are made: from these ages on it cannot be told whether one is late, and it is likely. */
const PERHAPS_LATE = 2 * DAY
const LIKELY_LATE = 8 * DAY
/** A backup that expires sooner needs a look, however often backups are made. */
const EXPIRES_SOON = DAY

interface Backups {
  snapshots: readonly PageSnapshot[]
  newest: PageSnapshot
  /** The newest good one. */
  good?: PageSnapshot
  /** Milliseconds between two backups. */
  usual?: number
}

interface FreshnessFinding {
  light: 'unknown' | 'attention' | 'bad'
  text: string
}

/** Whether the newest backup is as new as it should be, and whether a good one will still be there when the next is made. */
export function freshness({ snapshots, newest, good, usual }: Backups, now: Date): FreshnessFinding[] {
  const made = Date.parse(newest.time)
  const age = now.getTime() - made
  const due = usual === undefined ? undefined : made + usual * 1.5 + 2 * HOUR
  const found: FreshnessFinding[] = []
  if (due !== undefined && now.getTime() > due) {
    const text = `The newest backup is ${formatAge(newest.time, now)} old, but usually one is made every ${formatUsual(usual!)}.`
    found.push({ light: 'attention', text })
  }
  if (due === undefined && age > PERHAPS_LATE) {
    const text = `The newest backup is ${formatAge(newest.time, now)} old, and ${formatCount(snapshots.length, 'backup')} ` +
      `${snapshots.length === 1 ? 'does' : 'do'} not tell how often one should be made.`
    found.push({ light: age > LIKELY_LATE ? 'attention' : 'unknown', text })
  }
  if (age < -5 * 60_000) found.push({ light: 'attention', text: 'The newest backup is dated in the future: a clock was wrong.' })
  if (good?.expires === undefined) return found
  const expires = Date.parse(good.expires)
  const which = 'The newest backup that is verified and complete'
  if (expires <= now.getTime()) found.push({ light: 'bad', text: `${which} has expired: it may be gone by now.` })
  else if (expires <= Math.max(due ?? 0, now.getTime() + EXPIRES_SOON)) {
    const left = formatAge(now.toISOString(), new Date(expires))
    found.push({ light: 'attention', text: `${which} expires in ${left}, perhaps before the next one is made.` })
  }
  return found
}
