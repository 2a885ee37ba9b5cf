import { setTimeout as sleep } from 'node:timers/promises'
import { LifeboatError } from '../error.ts'

/**
 * A failure that may be none the next time: a lost connection, a service that is busy. `after`: milliseconds the other side asked to wait.
 */
export class Transient extends LifeboatError {
  readonly after: number

  constructor(message: string, options: { hint?: string; cause?: unknown; after?: number } = {}) {
    super(message, options)
    this.name = 'Transient'
    this.after = options.after ?? 0
  }
}

/** The time that pauses take. */
export interface Clock {
  /** Milliseconds, from any moment on. */
  now(): number
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

export const MACHINE: Clock = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
}

export interface RetryOptions {
  signal: AbortSignal
  /** Milliseconds for all attempts and pauses together. Default: 60,000. */
  budget?: number
  /** Default: 5. A function is asked after each attempt that failed. */
  attempts?: number | (() => number)
  /** Milliseconds of the first pause; each further one is twice as long. Default: 500. */
  pause?: number
  random?: () => number
  /** Default: that of the machine. */
  clock?: Clock | undefined
  /** Waits, outside of the budget, until an attempt may begin. Its result is called with whether the attempt ended with a `Transient`. */
  turn?: (() => Promise<(transient: boolean) => void>) | undefined
}

/**
 * Calls `attempt` until it ends with anything but a `Transient`, and throws the last one when attempts or time run out. `attempt` is told
 * how many milliseconds it may take: a third of the budget, so that a stalled attempt is repeated, and never more than is left of it
 * (`left`). No attempt begins that would have less than half of that third.
 */
export async function retry<T>(attempt: (limit: number, left: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, budget = 60_000, attempts = 5, pause = 500, random = Math.random, clock = MACHINE, turn } = options
  const most = typeof attempts === 'number' ? () => attempts : attempts
  let end = clock.now() + budget
  const inTurn = async (): Promise<T> => {
    const asked = clock.now()
    const ended = await turn?.()
    end += clock.now() - asked
    let transient = false
    try {
      signal.throwIfAborted()
      const left = Math.max(1, end - clock.now())
      return await attempt(Math.min(budget / 3, left), left)
    } catch (error) {
      transient = error instanceof Transient
      throw error
    } finally {
      ended?.(transient)
    }
  }
  for (let tried = 1; ; tried++) {
    signal.throwIfAborted()
    try {
      return await inTurn()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Transient) || tried >= most()) throw error
      // Half of the pause is chance, so that runs which failed together do not come back together.
      const delay = Math.max(error.after, pause * 2 ** (tried - 1) * (0.5 + random() / 2))
      if (end - clock.now() - delay < budget / 6) throw error
      await clock.sleep(delay, signal)
    }
  }
}
