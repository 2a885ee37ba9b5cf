import { z } from 'zod'
import { parseDuration } from './duration.ts'

/** Offsets of the zones that Intl gives a name in English; it writes all others as `GMT+1`. */
const NAMED: Readonly<Record<string, string>> = {
  UTC: 'Z', GMT: 'Z', HST: '-10:00', HDT: '-09:00', AKST: '-09:00', AKDT: '-08:00', PST: '-08:00', PDT: '-07:00', MST: '-07:00',
  MDT: '-06:00', CST: '-06:00', CDT: '-05:00', EST: '-05:00', EDT: '-04:00',
}

/** A time, or how long before now in milliseconds. */
export type Moment = { time: Date } | { ago: number }

/**
 * A time with its offset from UTC, as ISO 8601 has it or as the lists of this program print it (`2026-11-20 03:00:00 GMT+1`); a date,
 * which means the first or the last moment of that day in UTC; or an age (`10m`, `3d`). Undefined for any other text.
 */
export function momentIn(text: string, ofDay: 'first' | 'last'): Moment | undefined {
  const ago = parseDuration(text, 'mhdwy')
  if (ago !== undefined) return { ago }
  const iso = isoOf(text, ofDay)
  return z.iso.datetime({ offset: true }).safeParse(iso).success ? { time: new Date(iso) } : undefined
}

export function momentOf(moment: Moment, now: Date): Date {
  return 'time' in moment ? moment.time : new Date(now.getTime() - moment.ago)
}

function isoOf(text: string, ofDay: 'first' | 'last'): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return `${text}T${ofDay === 'first' ? '00:00:00.000' : '23:59:59.999'}Z`
  const [, minutesOnly, offsetOnly] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(Z|[+-]\d\d:\d\d)$/.exec(text) ?? []
  if (minutesOnly !== undefined) return `${minutesOnly}:00${offsetOnly!}`
  const [, date, time, seconds = ':00', zone = '', sign, hours = '', minutes = '00'] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d)(:\d\d)? (?:([A-Z]{3,4})|(?:UTC|GMT)([+-])(\d{1,2})(?::(\d\d))?)$/.exec(text) ?? []
  if (date === undefined) return text
  const offset = sign === undefined ? NAMED[zone] : `${sign}${hours.padStart(2, '0')}:${minutes}`
  return offset === undefined ? text : `${date}T${time}${seconds}${offset}`
}
