import type { Environment } from '../environment.ts'

/** Seconds since `started`, a reading of performance.now(), to the millisecond. */
export function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000
}

/**
 * Milliseconds since the command began, or since an earlier time, by the clock that says the most: one stands still while a machine
 * sleeps, the other may be set.
 */
export interface Stopwatch {
  (since?: Date): number
  seconds(): number
}

export function stopwatch({ now }: Pick<Environment, 'now'>): Stopwatch {
  const started = performance.now()
  const began = now().getTime()
  const elapsed = (since?: Date): number => Math.max(
    performance.now() - started,
    now().getTime() - Math.min(began, since?.getTime() ?? Infinity),
  )
  return Object.assign(elapsed, { seconds: () => secondsSince(started) })
}
