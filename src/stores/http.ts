import { LifeboatError } from '../error.ts'
import { Transient } from './retry.ts'

export interface Answer {
  status: number
  headers: Headers
  body: Buffer
}

export interface RequestOptions {
  signal: AbortSignal
  /** Milliseconds without a byte after which the request is given up. */
  silence: number
  /** Bytes of an answer that are believed; more is an error. */
  maximum: number
  /** Takes the body of a good answer piece by piece; it is then not kept. */
  sink?: (piece: Uint8Array, answer: Response) => Promise<void>
}

/**
 * One HTTP request, redirects not followed. Throws a `Transient` for a lost or silent connection, and for the statuses that
 * ask to come back later (408, 429, 5xx). Messages name the host alone: the rest of a signed URL is a secret.
 */
export async function request(url: URL, init: RequestInit, options: RequestOptions): Promise<Answer> {
  const { signal, silence, maximum, sink } = options
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(), silence)
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.any([signal, stalled.signal]) })
    const taken: Uint8Array[] = []
    let size = 0
    for await (const piece of response.body ?? []) {
      timer.refresh()
      size += piece.length
      if (size > maximum) throw new LifeboatError(`${url.host} answered with more than the ${maximum} bytes expected`)
      if (sink && response.ok) await sink(piece, response)
      else taken.push(piece)
    }
    const answer = { status: response.status, headers: response.headers, body: Buffer.concat(taken) }
    if (response.status === 408 || response.status === 429 || response.status >= 500) throw busy(url, answer)
    return answer
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof LifeboatError) throw cause
    if (stalled.signal.aborted) throw new Transient(`${url.host} has not answered for ${Math.round(silence / 100) / 10} s`)
    // What fetch throws for every trouble with the network.
    if (cause instanceof Error && cause.name === 'TypeError') throw new Transient(`the connection to ${url.host} failed: ${reasonOf(cause)}`)
    throw cause
  } finally {
    clearTimeout(timer)
    // Nothing may go on once the request has failed or its answer was refused.
    stalled.abort()
  }
}

function busy(url: URL, { status, headers }: Answer): Transient {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return new Transient(`${url.host} answered with status ${status}`, { after: Number.isFinite(seconds) ? seconds * 1000 : 0 })
}

/** What fetch hides behind "fetch failed" and "terminated". */
function reasonOf(error: Error): string {
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
}
