import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { LifeboatError } from '../error.ts'
import { Transient } from './retry.ts'

export interface Answer {
  status: number
  headers: Headers
  body: Buffer
}

export interface Asked {
  /** GET unless told. */
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
}

export interface RequestOptions {
  signal: AbortSignal
  /** Milliseconds without a byte after which the request is given up. */
  silence: number
  /** Bytes of an answer that are believed; more is an error. */
  maximum: number
  /** Takes the body of a good answer piece by piece; it is then not kept. */
  sink?: (piece: Uint8Array, answer: Pick<Answer, 'status'>) => Promise<void>
}

/**
 * One HTTP request, through the proxy if there is one (src/proxy.ts), redirects not followed. Throws a `Transient` for a lost or silent
 * connection, and for the statuses that ask to come back later (408, 429, 5xx). Messages name the host alone: the rest of a signed URL is a secret.
 */
export async function request(url: URL, asked: Asked, options: RequestOptions): Promise<Answer> {
  const { signal, silence, maximum, sink } = options
  signal.throwIfAborted()
  const { method = 'GET', headers = {}, body } = asked
  const sent = (url.protocol === 'https:' ? https : http).request(url, { method, headers })
  let stalled = false
  const interrupt = (): void => void sent.destroy()
  const timer = setTimeout(() => {
    stalled = true
    sent.destroy()
  }, silence)
  signal.addEventListener('abort', interrupt)
  const lost = (cause: unknown): unknown => {
    if (signal.aborted) return signal.reason
    if (stalled) return new Transient(`${url.host} has not answered for ${Math.round(silence / 100) / 10} s`)
    return new Transient(`the connection to ${url.host} failed: ${reasonOf(cause)}`, hintFor(cause))
  }
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    sent.on('response', resolve)
    sent.on('error', (cause) => reject(lost(cause)))
    sent.end(body)
    const response = await promise
    const status = response.statusCode!
    const taken: Uint8Array[] = []
    let size = 0
    for await (const piece of received(response, lost)) {
      timer.refresh()
      size += piece.length
      if (size > maximum) throw new LifeboatError(`${url.host} answered with more than the ${maximum} bytes expected`)
      if (sink && status >= 200 && status < 300) await sink(piece, { status })
      else taken.push(piece)
    }
    const answer = { status, headers: headersOf(response), body: Buffer.concat(taken) }
    if (status === 408 || status === 429 || status >= 500) throw busy(url, answer)
    return answer
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupt)
    // Nothing may go on once the request has failed or its answer was refused; after a good end this does nothing.
    sent.destroy()
  }
}

async function* received(response: IncomingMessage, lost: (cause: unknown) => unknown): AsyncGenerator<Buffer, void, void> {
  try {
    yield* response
  } catch (cause) {
    throw lost(cause)
  }
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!)
  return headers
}

function busy(url: URL, { status, headers }: Answer): Transient {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return new Transient(`${url.host} answered with status ${status}`, { after: Number.isFinite(seconds) ? seconds * 1000 : 0 })
}

/** What a proxy said, else the code: Node's messages are no shorter, and some are for programmers. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (!('code' in cause) || typeof cause.code !== 'string') return cause.message
  return cause.code === 'ERR_PROXY_TUNNEL' ? cause.message : cause.code
}

function hintFor(cause: unknown): { hint?: string } {
  const proxied = cause instanceof Error && 'code' in cause && cause.code === 'ERR_PROXY_TUNNEL'
  return proxied ? { hint: 'HTTPS_PROXY names the proxy; hosts to be reached without it belong into NO_PROXY.' } : {}
}
