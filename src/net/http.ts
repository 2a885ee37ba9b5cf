import type { ClientRequest, IncomingMessage } from 'node:http'
import https from 'node:https'
import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { giveBack } from '../process/buffers.ts'
import { http } from '../process/http.ts'
import { Transient } from './retry.ts'

export interface Answer {
  status: number
  headers: Headers
  body: Buffer
}

export interface Asked {
  /** Default: GET. */
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
  /** Path and query as they are sent. Needed for those that a URL changes: it resolves `..`. */
  path?: string
}

export interface RequestOptions {
  signal: AbortSignal
  /** Milliseconds without a byte after which the request is given up. */
  silence: number
  /** Bytes of a good answer that are read; one that goes on is a `TooLong`. Other answers may have as many as an error page has. */
  maximum: number
  /** Statuses that are an answer like others, although they ask to come back later. */
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
 * One HTTP request, through the proxy if there is one (src/process/proxy.ts), redirects not followed. Throws a `Transient` for a lost or
 * silent connection, and for the statuses that ask to come back later (408, 429, 5xx). Messages name the host alone: the rest of a signed
 * URL is a secret.
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
  options.signal.throwIfAborted()
  const exchange = new Exchange(url, asked, options)
  try {
    const answer = await exchange.receive(await exchange.send(asked.body))
    if (asksToComeBack(answer, options)) throw busy(url, answer)
    return answer
  } finally {
    exchange.close()
  }
}

/** One request and its answer. It is given up after `silence` milliseconds in which no byte moved either way. */
class Exchange {
  readonly #url: URL
  readonly #options: RequestOptions
  readonly #sent: ClientRequest
  readonly #silence: NodeJS.Timeout
  readonly #interrupt = (): void => void this.#sent.destroy()
  #stalled = false
  #responded = false

  constructor(url: URL, { method = 'GET', headers = {}, body, path }: Asked, options: RequestOptions) {
    this.#url = url
    this.#options = options
    const sized = body !== undefined && { 'content-length': `${bytesOf(body).length}` }
    const { request: start } = url.protocol === 'https:' ? https : http
    this.#sent = start(url, { method, headers: { ...sized, ...headers }, ...(path !== undefined && { path }) })
    this.#silence = setTimeout(() => {
      this.#stalled = true
      this.#sent.destroy()
    }, options.silence)
    options.signal.addEventListener('abort', this.#interrupt)
  }

  async send(body: Asked['body']): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    this.#sent.on('response', resolve)
    this.#sent.on('error', (cause) => reject(this.#failure(cause)))
    // In pieces, each of which shows that the other side still takes some.
    for (const piece of piecesOf(body === undefined ? undefined : bytesOf(body))) this.#sent.write(piece, () => this.#silence.refresh())
    this.#sent.end()
    const response = await promise
    this.#responded = true
    return response
  }

  async receive(response: IncomingMessage): Promise<Answer> {
    const { maximum, sink } = this.#options
    const [status, headers] = [response.statusCode!, headersOf(response)]
    const isGood = status >= 200 && status < 300
    const most = isGood ? maximum : Math.max(maximum, LARGEST_REFUSAL)
    const body = sink && isGood ? undefined : new Body(Math.min(most, Number(headers.get('content-length')) || 0))
    let size = 0
    for await (const piece of this.#pieces(response)) {
      this.#silence.refresh()
      size += piece.length
      if (size > most) throw new TooLong(`${this.#url.host} answered with more than the ${most} bytes expected`)
      if (body) body.add(piece)
      else await sink!(piece, { status, headers })
    }
    return { status, headers, body: body?.bytes ?? Buffer.alloc(0) }
  }

  /** Nothing goes on once the request has failed or its answer was refused; after a good end this does nothing. */
  close(): void {
    clearTimeout(this.#silence)
    this.#options.signal.removeEventListener('abort', this.#interrupt)
    this.#sent.destroy()
  }

  async *#pieces(response: IncomingMessage): AsyncGenerator<Buffer, void, void> {
    try {
      yield* response
    } catch (cause) {
      throw this.#failure(cause)
    }
  }

  /** The error for a connection that was lost. */
  #failure(cause: unknown): unknown {
    const { host } = this.#url
    const { signal, silence } = this.#options
    const reason = reasonOf(cause)
    if (signal.aborted) return signal.reason
    if (this.#stalled) {
      return new Transient(`${host} has not answered for ${Math.round(silence / 100) / 10} s`, {
        hint: marked`${AGAIN} If it is only slow, raise ‹timeout›.`,
      })
    }
    if (CERTIFICATE.test(reason)) {
      return new LifeboatError(`the certificate of ${host} cannot be verified: ${reason}`, {
        cause,
        hint: 'If an authority of your own signed it, set NODE_EXTRA_CA_CERTS to the file with its certificate.',
      })
    }
    const isStale = this.#sent.reusedSocket && !this.#responded && ['ECONNRESET', 'EPIPE'].includes(reason)
    const Lost = isStale ? Stale : Transient
    return new Lost(`the connection to ${host} failed: ${reason}`, { hint: isRefusedByProxy(cause) ? PROXY : AGAIN })
  }
}

/** The bytes of an answer. Its pieces are given back: for Node to collect them as garbage takes longer than copying them. */
class Body {
  readonly #expected: number
  #room = Buffer.alloc(0)
  #size = 0

  /** `expected`: bytes that it probably has. */
  constructor(expected: number) {
    this.#expected = expected
  }

  add(piece: Buffer): void {
    const size = this.#size + piece.length
    if (size > this.#room.length) this.#makeRoom(size <= this.#expected ? this.#expected : 2 * size)
    this.#room.set(piece, this.#size)
    this.#size = size
    if (piece.length === piece.buffer.byteLength) giveBack(piece.buffer)
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#size)
  }

  #makeRoom(size: number): void {
    const room = Buffer.allocUnsafeSlow(size)
    room.set(this.bytes)
    this.#room = room
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

function asksToComeBack({ status }: Answer, { final = [] }: RequestOptions): boolean {
  return !final.includes(status) && (status === 408 || status === 429 || status >= 500)
}

function busy(url: URL, { status, headers }: Answer): Transient {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return new Transient(`${url.host} answered with status ${status}`, { hint: AGAIN, after: Number.isFinite(seconds) ? seconds * 1000 : 0 })
}

/** Codes of OpenSSL's verification, and of Node's for host names. */
const CERTIFICATE = /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID)/

/** The words of a proxy, or else the code: Node's messages are no shorter, and some are for programmers. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (!('code' in cause) || typeof cause.code !== 'string') return cause.message
  return isRefusedByProxy(cause) ? cause.message : cause.code
}

function isRefusedByProxy(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_PROXY_TUNNEL'
}

const PROXY = 'HTTPS_PROXY names the proxy; NO_PROXY takes the hosts that are reached without it.'
/** The hint for trouble that may pass. */
export const AGAIN = 'Run it again. If that does not help, check the service, and what is between it and this machine: a proxy, a firewall.'
