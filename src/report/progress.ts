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

/** A guess after a shorter time would jump about. */
const SECONDS_BEFORE_GUESS = 5

/** `backing up app: 1.20 GB of about 3.00 GB, 40 %, 120 MB stored, 240 MB/s, 5.0 s, 7.5 s left`. */
export function progressLine({ activity, done, total, usual, stored }: Progress, seconds: number): string {
  const all = total ?? usual
  const expected = all === undefined || done > all ? '' : ` of ${total === undefined ? 'about ' : ''}${formatBytes(all)}`
  const percent = expected === '' || all === 0 ? '' : `${Math.floor((done / all!) * 100)} %`
  const guess = percent !== '' && done > 0 && done !== all && seconds >= SECONDS_BEFORE_GUESS
  const left = guess ? `${formatSeconds((all! / done - 1) * seconds)} left` : ''
  const parts = [
    `${formatBytes(done)}${expected}`, percent, stored === undefined ? '' : `${formatBytes(stored)} stored`,
    formatRate(done, seconds), formatSeconds(seconds), left,
  ]
  return `${activity}: ${parts.filter((part) => part !== '').join(', ')}`
}
