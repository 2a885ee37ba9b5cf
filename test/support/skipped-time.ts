import type { Clock } from '../../src/net/retry.ts'

/** A clock that does not wait: it goes forward by each pause at once, and remembers them. */
export class SkippedTime implements Clock {
  readonly pauses: number[] = []
  #skipped = 0

  now(): number {
    return performance.now() + this.#skipped
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.pauses.push(milliseconds)
    this.#skipped += milliseconds
  }
}
