import { formatTime } from '../format.ts'

/** Places on a drawing that is as wide as the page gives it: percentages of its width. */
export interface TimeScale {
  from: number
  to: number
  timeZone: string
}

const DAY = 86_400_000
/** Left and right of the first and the last mark, in percent. */
const MARGIN = 1.5

/** `snapshots`: at least one. */
export function timeScale(times: readonly string[], made: string, timeZone: string): TimeScale {
  const all = [...times, made].map((time) => Date.parse(time))
  const to = all.reduce((a, b) => Math.max(a, b))
  return { from: Math.min(to - DAY / 4, all.reduce((a, b) => Math.min(a, b))), to, timeZone }
}

/** 0 to 1. */
export function shareOf({ from, to }: TimeScale, time: string): number {
  return (Date.parse(time) - from) / (to - from)
}

export function placeOf(scale: TimeScale, time: string): number {
  return MARGIN + shareOf(scale, time) * (100 - 2 * MARGIN)
}

/** `12.3%`. */
export function percent(value: number): string {
  return `${Number(value.toFixed(2))}%`
}

/** Days between two labels, of which the smallest is taken that gives few enough. */
const STEPS = [1 / 24, 1 / 8, 1 / 4, 1, 2, 7, 14]
const MONTHS = [1, 2, 3, 6, 12, 24, 60]
const MOST_TICKS = 7

/** Moments to label, with their labels: whole months, days or hours of the time zone. */
export function ticks(scale: TimeScale): { at: string; label: string }[] {
  const { from, to, timeZone } = scale
  const days = (to - from) / DAY
  const step = STEPS.find((one) => days / one <= MOST_TICKS)
  // A whole day of the time zone begins so much later than one in UTC; a change of it on the way moves labels by an hour.
  const offset = offsetOf(new Date(from), timeZone)
  const moments = step === undefined ? months(from, to, days) : multiples(from, to, step * DAY, offset)
  return moments.map((moment) => ({ at: new Date(moment).toISOString(), label: labelOf(new Date(moment), timeZone, step) }))
}

function offsetOf(time: Date, timeZone: string): number {
  const local = Date.parse(`${formatTime(time.toISOString(), timeZone).slice(0, 19).replace(' ', 'T')}Z`)
  return local - Math.floor(time.getTime() / 1000) * 1000
}

function multiples(from: number, to: number, step: number, offset: number): number[] {
  const first = Math.ceil((from + offset) / step) * step - offset
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step)
}

function months(from: number, to: number, days: number): number[] {
  const step = MONTHS.find((one) => days / 30.4 / one <= MOST_TICKS) ?? MONTHS.at(-1)!
  const found: number[] = []
  const first = new Date(from)
  for (let month = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / step) * step; ; month += step) {
    const moment = Date.UTC(Math.floor(month / 12), month % 12)
    if (moment > to) return found
    if (moment >= from) found.push(moment)
  }
}

function labelOf(time: Date, timeZone: string, step: number | undefined): string {
  if (step !== undefined && step < 1) return new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(time)
  if (step !== undefined) return new Intl.DateTimeFormat('en-GB', { timeZone, day: 'numeric', month: 'short' }).format(time)
  const month = new Intl.DateTimeFormat('en-GB', { month: 'short', timeZone: 'UTC' }).format(time)
  return time.getUTCMonth() === 0 ? `${month} ${time.getUTCFullYear()}` : month
}
