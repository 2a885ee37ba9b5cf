/** A time, or how long before now. */
export type Moment = { time: Date } | { ago: number }

export function momentOf(moment: Moment, now: Date): Date {
  return 'time' in moment ? moment.time : new Date(now.getTime() - moment.ago)
}
