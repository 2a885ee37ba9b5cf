import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { listening } from './free-port.ts'

/** A server that speaks PostgreSQL's protocol (documentation, "Message Formats") and answers whatever a test wants. */
export interface FakePostgres {
  port: number
  url: string
  /** Every statement it was sent. */
  statements: string[]
  /** How many connections asked for a query to be cancelled. */
  cancelled: number
  stop(): Promise<void>
}

/** The messages that answer a statement, in order; a message that is a promise or an endless iterable is awaited. */
export type Answer = Iterable<Buffer> | AsyncIterable<Buffer>

function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.from(`${value}\0`)

/** The heading of rows of one text. */
export const heading = message('T', Buffer.concat([int16(1), text('answer'), Buffer.alloc(6), int32(25), Buffer.from([255, 255, 255, 255, 255, 255, 0, 0])]))
export const row = (value: Buffer | string): Buffer => message('D', Buffer.concat([int16(1), int32(Buffer.byteLength(value)), Buffer.from(value)]))
export const complete = (tag = 'SELECT 1'): Buffer => message('C', text(tag))
/** The head of a row that is to have so many bytes. */
export const beginningOfRow = (size: number): Buffer => Buffer.concat([Buffer.from('D'), int32(size + 10), int16(1), int32(size)])
export const failure = (words: string): Buffer => message('E', Buffer.concat([text('SERROR'), text('C22000'), text(`M${words}`), text(`D${words}`), Buffer.from([0])]))
export const notice = (words: string): Buffer => message('N', Buffer.concat([text('SWARNING'), text('C01000'), text(`M${words}`), text(`H${words}`), Buffer.from([0])]))

export async function startFakePostgres(answer: (statement: string) => Answer, reports: Record<string, string> = {}): Promise<FakePostgres> {
  const statements: string[] = []
  const sockets = new Set<Socket>()
  const fake = { statements, cancelled: 0 }
  const serve = async (socket: Socket): Promise<void> => {
    const send = async (bytes: Buffer): Promise<void> => {
      if (!socket.write(bytes)) await once(socket, 'drain')
    }
    const input = reader(socket)
    for (;;) {
      const length = (await input(4)).readUInt32BE()
      const start = await input(length - 4)
      const code = start.readUInt32BE()
      if (code === 80_877_102) return void (fake.cancelled++, socket.end())
      if (code === 196_608 || code === 196_610) break
      await send(Buffer.from('N')) // Neither TLS nor GSSAPI.
    }
    await send(message('R', int32(0)))
    for (const [name, value] of Object.entries({ server_version: '17.5', server_encoding: 'UTF8', client_encoding: 'UTF8', standard_conforming_strings: 'on', ...reports })) {
      await send(message('S', Buffer.concat([text(name), text(value)])))
    }
    await send(message('K', Buffer.alloc(8, 1)))
    for (;;) {
      await send(message('Z', Buffer.from('I')))
      const type = (await input(1)).toString('latin1')
      const body = await input((await input(4)).readUInt32BE() - 4)
      if (type !== 'Q') return void socket.end()
      const statement = body.toString('utf8', 0, body.length - 1)
      statements.push(statement)
      for await (const bytes of answer(statement)) await send(bytes)
    }
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    // A client may close the connection in the middle of an answer.
    serve(socket).catch(() => socket.destroy())
  })
  const port = await listening(server)
  return Object.assign(fake, {
    port,
    url: `postgres://someone:hunter22@127.0.0.1:${port}/shop?sslmode=disable&gssencmode=disable`,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  })
}

/** Gives so many bytes of a socket; rejects when it ends. */
function reader(socket: Socket): (size: number) => Promise<Buffer> {
  const input: AsyncIterator<Buffer> = socket[Symbol.asyncIterator]()
  let held = Buffer.alloc(0)
  return async (size) => {
    while (held.length < size) {
      const next = await input.next()
      if (next.done) throw new Error('the client has gone')
      held = Buffer.concat([held, next.value])
    }
    const bytes = held.subarray(0, size)
    held = held.subarray(size)
    return bytes
  }
}
