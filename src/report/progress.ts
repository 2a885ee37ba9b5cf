import { formatBytes, formatRate, formatSeconds } from './format.ts'
import type { Progress } from '../environment.ts'

/** Decides when progress is worth showing, and says it in one line. Times are milliseconds of `now`. */
export class ProgressPace {
  readonly #interval: number
  readonly #first: number
  readonly #now: () => number
  #activity = ''
  #started = 0
  #shown = 0

  /** A line every `interval`; the first one of an activity after `first`. */
  constructor(interval: number, first: number, now: () => number) {
    this.#interval = interval
    this.#first = first
    this.#now = now
  }

  /** The line to show now, or undefined while the last one is recent enough. */
  line(progress: Progress): string | undefined {
    const now = this.#now()
    if (progress.activity !== this.#activity) {
      this.#activity = progress.activity
      this.#started = now
      this.#shown = now + this.#first - this.#interval
    }
    if (now - this.#shown < this.#interval) return undefined
    this.#shown = now
    return progressLine(progress, (now - this.#started) / 1000)
  }
}

/** `backing up app: 1.20 GB of 3.00 GB, 120 MB stored, 240 MB/s, 5.0 s`. */
export function progressLine(progress: Progress, seconds: number): string {
  const done = formatBytes(progress.done) + (progress.total === undefined ? '' : ` of ${formatBytes(progress.total)}`)
  const stored = progress.stored === undefined ? '' : `${formatBytes(progress.stored)} stored`
  const parts = [done, stored, formatRate(progress.done, seconds), formatSeconds(seconds)].filter((part) => part !== '')
  return `${progress.activity}: ${parts.join(', ')}`
}
