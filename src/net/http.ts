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
  /** Path and query as they are sent, for those that a URL would not leave as they are: it resolves `..`. */
  path?: string
}

export interface RequestOptions {
  signal: AbortSignal
  /** Milliseconds without a byte after which the request is given up. */
  silence: number
  /** Bytes of a good answer that are read; one that goes on is a `TooLong`. Other answers may have as many as an error page has. */
  maximum: number
  /** Statuses from 500 on that are an answer like others. */
  final?: readonly number[]
  /** Takes the body of a good answer piece by piece; it is then not kept. */
  sink?: (piece: Uint8Array, answer: Pick<Answer, 'status' | 'headers'>) => Promise<void>
}

const PIECE = 64 * 1024
/** Of an answer that says why there is no good one. */
const LARGEST_REFUSAL = 1024 * 1024

/** An answer that went on after the bytes it may have; the rest was not read. */
export class TooLong extends LifeboatError {}

/**
 * One HTTP request, through the proxy if there is one (src/process/proxy.ts), redirects not followed. Throws a `Transient` for a lost or silent
 * connection, and for the statuses that ask to come back later (408, 429, 5xx). Messages name the host alone: the rest of a signed URL is a secret.
 */
export async function request(url: URL, asked: Asked, options: RequestOptions): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      return await requestOnce(url, asked, options)
    } catch (error) {
      // A POST may have been carried out before the connection went: its caller looks first.
      if (!(error instanceof Stale) || tries === 5 || asked.method === 'POST') throw error
    }
  }
}

/** A kept connection that the server gave up just when it was used again: nothing is wrong, and no pause needed. */
class Stale extends Transient {}

async function requestOnce(url: URL, asked: Asked, options: RequestOptions): Promise<Answer> {
  const { signal, silence, maximum, sink, final = [] } = options
  signal.throwIfAborted()
  const { method = 'GET', headers = {} } = asked
  const body = asked.body === undefined ? undefined : bytesOf(asked.body)
  const sized = body && { 'content-length': `${body.length}` }
  const sent = (url.protocol === 'https:' ? https : http).request(url, { method, headers: { ...sized, ...headers }, ...(asked.path !== undefined && { path: asked.path }) })
  let stalled = false
  let responded = false
  const interrupt = (): void => void sent.destroy()
  const timer = setTimeout(() => {
    stalled = true
    sent.destroy()
  }, silence)
  signal.addEventListener('abort', interrupt)
  const lost = (cause: unknown): unknown => {
    if (signal.aborted) return signal.reason
    if (stalled) return new Transient(`${url.host} has not answered for ${Math.round(silence / 100) / 10} s`, { hint: `${AGAIN} If it is only slow, raise the timeout.` })
    if (CERTIFICATE.test(reasonOf(cause))) {
      return new LifeboatError(`the certificate of ${url.host} cannot be verified: ${reasonOf(cause)}`, { cause, hint: 'If an authority of your own signed it, set NODE_EXTRA_CA_CERTS to the file with its certificate.' })
    }
    const Lost = sent.reusedSocket && !responded && ['ECONNRESET', 'EPIPE'].includes(reasonOf(cause)) ? Stale : Transient
    return new Lost(`the connection to ${url.host} failed: ${reasonOf(cause)}`, { hint: isRefusedByProxy(cause) ? PROXY : AGAIN })
  }
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    sent.on('response', resolve)
    sent.on('error', (cause) => reject(lost(cause)))
    // In pieces, each of which shows that the other side still takes some.
    for (const piece of piecesOf(body)) sent.write(piece, () => timer.refresh())
    sent.end()
    const response = await promise
    responded = true
    const [status, answered] = [response.statusCode!, headersOf(response)]
    const isGood = status >= 200 && status < 300
    const most = isGood ? maximum : Math.max(maximum, LARGEST_REFUSAL)
    const taken: Uint8Array[] = []
    let size = 0
    for await (const piece of received(response, lost)) {
      timer.refresh()
      size += piece.length
      if (size > most) throw new TooLong(`${url.host} answered with more than the ${most} bytes expected`)
      if (sink && isGood) await sink(piece, { status, headers: answered })
      else taken.push(piece)
    }
    const answer = { status, headers: answered, body: Buffer.concat(taken) }
    if (status === 408 || status === 429 || (status >= 500 && !final.includes(status))) throw busy(url, answer)
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

function* piecesOf(bytes: Buffer = Buffer.alloc(0)): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE)
}

function bytesOf(body: string | Uint8Array): Buffer {
  return typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length)
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!)
  return headers
}

function busy(url: URL, { status, headers }: Answer): Transient {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return new Transient(`${url.host} answered with status ${status}`, { hint: AGAIN, after: Number.isFinite(seconds) ? seconds * 1000 : 0 })
}

/** Codes of OpenSSL's verification, and of Node's for names. */
const CERTIFICATE = /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID)/

/** What a proxy said, else the code: Node's messages are no shorter, and some are for programmers. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (!('code' in cause) || typeof cause.code !== 'string') return cause.message
  return isRefusedByProxy(cause) ? cause.message : cause.code
}

function isRefusedByProxy(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_PROXY_TUNNEL'
}

const PROXY = 'HTTPS_PROXY names the proxy; hosts to be reached without it belong into NO_PROXY.'
/** What to do about trouble that may pass. */
export const AGAIN = 'Run it again. If that does not help, see whether the service has trouble, or what lies between it and this machine: a proxy, a firewall.'
