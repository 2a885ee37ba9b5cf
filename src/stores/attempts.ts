import { LifeboatError } from '../error.ts'
import { retry, Transient } from '../net/retry.ts'
import { Uploads } from './uploads.ts'

export interface AttemptOptions {
  signal: AbortSignal
  /** Milliseconds for one operation with all its attempts and pauses. */
  timeout: number
  /** Milliseconds of the first pause. Default: 500. */
  pause?: number
}

/** Attempts with a store that has not answered yet: a wrong address should be reported within minutes. */
const FIRST_TRIES = 4
/** Attempts with one that has: a service that asks to slow down may do so for a minute. */
const TRIES = 8

/** Retries the operations of one store on a network. */
export class Attempts {
  readonly #options: AttemptOptions
  readonly #uploads = new Uploads()
  #answered = false

  constructor(options: AttemptOptions) {
    this.#options = options
  }

  /** The store has answered, even if only with a refusal that may pass. */
  noteAnswer(): void {
    this.#answered = true
  }

  /**
   * Calls `attempt` until it ends with anything but a `Transient`. `what` is read after "cannot", in the error that is left when tries or
   * time run out. `attempt` is told after how many milliseconds without a byte it is to give up: a fifth of the timeout, a minute of the
   * usual five; and how many are left for all attempts. An upload may have to wait for others, for time that does not count.
   */
  async try<T>(what: string, attempt: (silence: number, left: number) => Promise<T>, { upload = false } = {}): Promise<T> {
    const { signal, timeout, pause } = this.#options
    try {
      const turn = upload ? () => this.#uploads.turn() : undefined
      const result = await retry((limit, left) => attempt(Math.min(limit, timeout / 5), left), {
        signal,
        budget: timeout,
        attempts: () => (this.#answered ? TRIES : FIRST_TRIES),
        pause,
        turn,
      })
      this.noteAnswer()
      return result
    } catch (error) {
      if (!(error instanceof Transient)) throw error
      const failure = new LifeboatError(`cannot ${what}: ${error.message}`, {
        cause: error,
        hint:
          error.hint ??
          'All attempts failed. Run it once more when the service is well; check its ' +
            `address${this.#answered ? '' : ', which has not answered at all,'} and the network if it stays like this.`,
      })
      if (upload) this.#uploads.giveUp(failure)
      throw failure
    }
  }
}
