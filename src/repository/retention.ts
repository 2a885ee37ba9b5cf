import { timeText } from './snapshot.ts'

/** Which snapshots to keep: so many of each kind, and all not older than `within` milliseconds. Empty: all of them. */
export interface RetentionPolicy {
  last?: number
  daily?: number
  weekly?: number
  monthly?: number
  yearly?: number
  drilled?: number
  within?: number
}

/** The properties of a snapshot that a policy looks at. */
export interface Candidate {
  id: string
  set: string
  time: Date
  /** Of a safety backup: it is kept until then, goes afterwards, and counts for no rule. */
  until?: Date
  /** It is pinned: no policy deletes it. */
  pinned: boolean
  /** It was read back and found good. */
  verified: boolean
  /** It lacks a part of what was backed up. */
  partial?: true
  /** It is known not to be whole, or failed verification. */
  damaged: boolean
  /** It is damaged in that alone that it failed a drill: everything that was backed up is there. */
  failedDrill?: true
  /** It was restored and found equal. */
  drilled: boolean
}

export interface Decision<T extends Candidate> {
  snapshot: T
  keep: boolean
  /** Every rule that keeps it; or, if it goes, the reason of each rule against it. */
  reasons: string[]
}

/** Why a damaged snapshot stays that no rule keeps: what is left of it may be all there is. */
export const NOT_REPLACED = {
  damaged: 'damaged, and none that is verified and whole can replace it',
  failedDrill: 'its drill failed, and none that is verified and whole can replace it',
} as const

const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const
type Period = (typeof PERIODS)[number]

/**
 * Which snapshots a policy keeps (grandfather, father, son), each set by itself; newest first within a set. The newest snapshot of a day,
 * an ISO week, a month or a year in `timeZone` (IANA) stands for it, and only periods that have a snapshot count: a month without backups
 * costs no older one. The newest snapshot of a set, the newest verified one, the newest verified one that is not partial and every pinned
 * one always stay; with an empty policy all stay. Snapshots dated after `now` stay and do not count: they come from a clock that was wrong.
 * A safety backup stays until its time. A damaged one stays as long as none is verified, and if it is not partial, as long as none is that
 * is not partial either; and as long as none is verified, so does the newest that is not damaged. So do the newest that failed a drill, and
 * the newest of them that is not partial, unless a newer one is verified: they have what no other has.
 */
export function retain<T extends Candidate>(snapshots: readonly T[], policy: RetentionPolicy, timeZone: string, now: Date): Decision<T>[] {
  const periods = periodsIn(timeZone)
  return [...Map.groupBy(snapshots, ({ set }) => set).values()].flatMap((ofSet) =>
    retainSet(ofSet.toSorted(newestFirst), policy, periods, now),
  )
}

/** By whole seconds, with which ids begin, as everywhere (catalog.ts). */
function newestFirst(a: Candidate, b: Candidate): number {
  return a.id < b.id ? 1 : -1
}

function retainSet<T extends Candidate>(
  sorted: readonly T[], policy: RetentionPolicy, periodsOf: (time: Date) => Record<Period, string>, now: Date,
): Decision<T>[] {
  const endless = Object.keys(policy).length === 0
  const counted = sorted.filter(({ time, until }) => time <= now && until === undefined)
  const newestVerified = counted.find(({ verified }) => verified)
  const newestComplete = counted.find(({ verified, partial }) => verified && !partial)
  const newestWhole = [counted, counted.filter(({ partial }) => !partial)]
    .map((some) => some.find(({ verified, failedDrill }) => verified || failedDrill))
  const newestUndamaged = newestVerified ? undefined : counted.find(({ damaged }) => !damaged)
  const taken: Record<Period, Set<string>> = { daily: new Set(), weekly: new Set(), monthly: new Set(), yearly: new Set() }
  let rank = 0
  let drills = 0
  return sorted.map((snapshot) => {
    const kept: string[] = []
    const against: string[] = []
    if (endless) kept.push('no policy')
    if (snapshot.pinned) kept.push('pinned')
    if (snapshot.time > now) return { snapshot, keep: true, reasons: [...kept, 'dated in the future'] }
    if (snapshot.until !== undefined) return ofSafety(snapshot, snapshot.until, kept, now)
    if (rank++ === 0) kept.push('newest')
    if (snapshot === newestVerified) kept.push('newest verified')
    else if (snapshot === newestComplete) kept.push('newest complete')
    else if (snapshot.failedDrill && rank > 1 && newestWhole.includes(snapshot)) kept.push('newest that is whole, though its drill failed')
    else if (snapshot === newestUndamaged && rank > 1) kept.push('newest not known to be damaged')
    if (policy.last !== undefined)
      (rank <= policy.last ? kept : against).push(rank <= policy.last ? `last ${rank} of ${policy.last}` : `not of the last ${policy.last}`)
    const periods = periodsOf(snapshot.time)
    for (const period of PERIODS) {
      const most = policy[period]
      if (most === undefined) continue
      const name = periods[period]
      if (taken[period].has(name)) against.push(`${name} has a newer one`)
      else if (taken[period].size >= most) against.push(`beyond ${period}=${most}`)
      else kept.push(`${period} ${name}`)
      taken[period].add(name)
    }
    if (policy.drilled !== undefined) {
      const counts = snapshot.drilled && ++drills <= policy.drilled
      ;(counts ? kept : against).push(counts ? `drilled ${drills} of ${policy.drilled}` : `not of the last ${policy.drilled} drilled`)
    }
    if (policy.within !== undefined) {
      const young = now.getTime() - snapshot.time.getTime() <= policy.within
      ;(young ? kept : against).push(`${young ? 'within' : 'older than'} ${days(policy.within)}`)
    }
    if (snapshot.damaged && (snapshot.partial ? newestVerified : newestComplete) === undefined)
      kept.push(NOT_REPLACED[snapshot.failedDrill ? 'failedDrill' : 'damaged'])
    return { snapshot, keep: kept.length > 0, reasons: kept.length > 0 ? kept : against }
  })
}

function ofSafety<T extends Candidate>(snapshot: T, until: Date, kept: readonly string[], now: Date): Decision<T> {
  const reasons = [...kept, ...(now < until ? [`safety backup, kept until ${timeText(until)}`] : [])]
  return { snapshot, keep: reasons.length > 0, reasons: reasons.length > 0 ? reasons : ['safety backup whose time is over'] }
}

function days(milliseconds: number): string {
  const hours = milliseconds / 3_600_000
  return hours % 24 === 0 ? `${hours / 24}d` : `${hours}h`
}

/** The names of the periods a time lies in: `2026-11-20`, `2026-W47` (ISO 8601), `2026-11`, `2026`. */
function periodsIn(timeZone: string): (time: Date) => Record<Period, string> {
  const format = new Intl.DateTimeFormat('en', {
    timeZone, calendar: 'gregory', numberingSystem: 'latn', year: 'numeric', month: 'numeric', day: 'numeric',
  })
  return (time) => {
    const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    const day = new Date(Date.UTC(part['year']!, part['month']! - 1, part['day']))
    const daily = day.toISOString().slice(0, 10)
    return { daily, weekly: isoWeek(day), monthly: daily.slice(0, 7), yearly: daily.slice(0, 4) }
  }
}

/** A week belongs to the year that its Thursday is in. `day` is a midnight of UTC. */
function isoWeek(day: Date): string {
  const thursday = new Date(day)
  thursday.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7))
  const year = thursday.getUTCFullYear()
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * 86_400_000)) + 1
  return `${year}-W${String(week).padStart(2, '0')}`
}

/** Days that a policy keeps the longest-lived snapshot, if there is a backup a day; undefined for a policy that keeps all. Pure. */
export function daysWanted({ last = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0, within = 0 }: RetentionPolicy): number | undefined {
  const days = Math.max(last, daily, weekly * 7, monthly * 31, yearly * 366, within / 86_400_000)
  return days > 0 ? days : undefined
}
