/** Seconds since `started`, a reading of performance.now(), to the millisecond. */
export function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000
}
