import { once } from 'node:events'
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { listening } from './free-port.ts'

export interface Asked {
  method: string
  /** Path and query. */
  url: string
  headers: IncomingMessage['headers']
  body: Buffer
}

export interface Answered {
  status: number
  headers: OutgoingHttpHeaders
  body: Buffer
}

/** The treatment of a request: answered without the server; or, once the server has done it, `lose` its answer, `cut` the body after so many bytes, `change` it, or have it go on as an `endless` one, of no announced length. */
export type Fault = Partial<Answered> & { status: number } | { lose: true } | { cut: number } | { endless: true } | { change: (answer: Answered) => Answered }

/** A proxy before any HTTP server on loopback, which answers as services in trouble do. The `Host` that was asked is passed on, as signatures cover it. */
export interface HttpProxy {
  readonly port: number
  /** Bytes of endless bodies so far. */
  readonly poured: number
  readonly seen: { method: string; url: string; status: number | undefined }[]
  /** The next so many requests that match suffer this. */
  on(matches: (asked: Asked) => boolean, fault: Fault | ((asked: Asked) => Fault), times?: number): void
  /** No more faults; what was seen is forgotten. */
  reset(): void
  close(): Promise<void>
}

function* endless(onPiece: (bytes: number) => void): Generator<Buffer, void, void> {
  for (const piece = Buffer.alloc(64 * 1024); ; onPiece(piece.length)) yield piece
}

interface Rule {
  matches: (asked: Asked) => boolean
  fault: Fault | ((asked: Asked) => Fault)
  times: number
}

export async function startHttpProxy(target: number): Promise<HttpProxy> {
  let rules: Rule[] = []
  const seen: HttpProxy['seen'] = []
  let poured = 0

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = { method: request.method!, url: request.url!, headers: request.headers, body: await buffer(request) }
    const entry: (typeof seen)[number] = { method: asked.method, url: asked.url, status: undefined }
    seen.push(entry)
    const rule = rules.find((rule) => rule.times > 0 && rule.matches(asked))
    if (rule) rule.times--
    const fault = typeof rule?.fault === 'function' ? rule.fault(asked) : rule?.fault
    if (fault && 'status' in fault) {
      entry.status = fault.status
      return void response.writeHead(fault.status, { 'content-length': fault.body?.length ?? 0, ...fault.headers }).end(asked.method === 'HEAD' ? undefined : fault.body)
    }
    const plain = await forward(target, asked)
    const answer = fault && 'change' in fault ? fault.change(plain) : plain
    entry.status = answer.status
    if (fault && 'lose' in fault) return void response.socket!.resetAndDestroy()
    if (fault && 'endless' in fault) {
      const { 'content-length': _, ...headers } = answer.headers
      response.writeHead(answer.status, headers)
      // Ends when the client has gone away.
      return pipeline(endless((bytes) => (poured += bytes)), response)
    }
    response.writeHead(answer.status, answer.headers)
    if (!fault || !('cut' in fault)) return void response.end(answer.body)
    response.write(answer.body.subarray(0, fault.cut), () => response.socket?.destroy())
  }

  const listener = http.createServer((request, response) => {
    // A client that has gone away is not told anything.
    serve(request, response).catch(() => response.socket?.destroy())
  })
  // A test that fails before it closes this one must not keep the process.
  const port = await listening(listener.unref())
  return {
    port,
    get poured() {
      return poured
    },
    seen,
    on: (matches, fault, times = 1) => void rules.push({ matches, fault, times }),
    reset: () => {
      rules = []
      seen.length = 0
    },
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      listener.closeAllConnections()
      await closed
    },
  }
}

async function forward(port: number, { method, url, headers, body }: Asked): Promise<Answered> {
  const sent = http.request({ host: '127.0.0.1', port, method, path: url, headers, agent: false })
  sent.end(body)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what this event has
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: answer.statusCode!, headers: answer.headers, body: await buffer(answer) }
}
