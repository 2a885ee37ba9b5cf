import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { listening } from './free-port.ts'

export interface Recorded {
  method: string
  path: string
  headers: IncomingHttpHeaders
  body: string
}

/** An HTTP server on loopback that records what it is sent, and answers as the test says: by default with 200. */
export interface Recorder {
  readonly url: string
  readonly seen: Recorded[]
  /** Answers from now on. */
  answer: (response: ServerResponse, request: Recorded, index: number) => void
  close(): Promise<void>
}

export async function startRecorder(): Promise<Recorder> {
  const record = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: await text(request) }
    recorder.seen.push(one)
    recorder.answer(response, one, recorder.seen.length)
  }
  const server = http.createServer((request, response) => void record(request, response))
  const port = await listening(server)
  const recorder: Recorder = {
    url: `http://127.0.0.1:${port}`,
    seen: [],
    answer: (response) => void response.end('ok'),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return recorder
}
