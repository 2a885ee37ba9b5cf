import { LifeboatError } from '../../error.ts'
import type { Answer } from '../../net/http.ts'
import { Transient } from '../../net/retry.ts'

const MINUTE = 60_000

/**
 * The error for a refusal that asks for fewer requests (GitHub's documentation, "Rate limits for the REST API"); undefined for every other
 * answer. The primary limit lasts until its reset. The secondary one is a `Transient`: it is waited for as long as GitHub says, and if it
 * does not say, for a minute, and twice as long each further time. `met`: how often this call has been refused like that before.
 */
export function rateLimited({ status, headers, body }: Answer, met: number): LifeboatError | undefined {
  if (status !== 403 && status !== 429) return undefined
  const after = Number(headers.get('retry-after')) * 1000
  if (after > 0) return new Transient(EXHAUSTED, { hint: runAgain(headers), after })
  if (headers.get('x-ratelimit-remaining') === '0') return new LifeboatError(EXHAUSTED, { hint: runAgain(headers) })
  const isSecondary = status === 429 || headers.has('retry-after') || SECONDARY.test(body.toString('utf8'))
  if (!isSecondary) return undefined
  return new Transient(`GitHub asks for fewer requests at a time: its secondary rate limit is reached (status ${status})`, {
    hint: 'Run it again in some minutes, with fewer jobs at the same time. With a longer timeout it waits longer.',
    after: MINUTE * 2 ** met,
  })
}

/** The requests that a token has left, as the last answer had it (GitHub's documentation, "Rate limits for the REST API"). */
export class Allowance {
  #left: number | undefined
  #headers = new Headers()

  note({ headers }: Pick<Answer, 'headers'>): void {
    const left = headers.get('x-ratelimit-remaining')
    if (left === null || !/^\d{1,9}$/.test(left)) return
    this.#left = Number(left)
    this.#headers = headers
  }

  /** Throws unless so many requests are left, so that a command which would not come to its end does not begin. */
  require(requests: number): void {
    if (this.#left === undefined || this.#left >= requests) return
    const few = `GitHub allows only ${this.#left} more requests with this token for now, and this command may need ${requests}`
    throw new LifeboatError(few, { hint: `${runAgain(this.#headers)} Nothing was changed.` })
  }
}

/** GitHub's words for it, today's and those before 2022. */
const SECONDARY = /\bsecondary rate limit|\babuse detection\b/i
const EXHAUSTED = 'GitHub allows no more requests with this token for now'

function runAgain(headers: Headers): string {
  const reset = Number(headers.get('x-ratelimit-reset'))
  return `Run it again ${reset > 0 ? `after ${new Date(reset * 1000).toISOString()}` : 'later'}.`
}
