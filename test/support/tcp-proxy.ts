import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { listening } from './free-port.ts'

/** `up`: what the client sends. `down`: what the server answers. */
export type Direction = 'up' | 'down'

/** A proxy before any server on loopback, which does to connections what networks do. */
export interface TcpProxy {
  readonly port: number
  /** Connections accepted so far. */
  readonly connections: number
  /** Bytes that clients sent so far. */
  readonly carried: number
  /** From now on, on each connection and in each direction: bytes a second, and milliseconds that each byte is on its way. */
  slow(rate: number, latency: number): void
  /** Takes no connections any more, and resets those there are; until `accept`. */
  refuse(): Promise<void>
  accept(): Promise<void>
  /** Resets the connection that carries the next so many bytes, counted from now; so often, each time after as many more. */
  resetAfter(bytes: number, direction: Direction, times?: number): void
  /** As `resetAfter`, but nothing moves any more on that connection, which stays open. */
  stallAfter(bytes: number, direction: Direction, times?: number): void
  /** As `resetAfter`, but the connection is closed in good order. */
  endAfter(bytes: number, direction: Direction, times?: number): void
  /** As `resetAfter`, but one bit of the last of these bytes is another. */
  flipAfter(bytes: number, direction: Direction, times?: number): void
  /** Closes every connection there is, in good order, as servers do with those that are idle. */
  endAll(): void
  close(): Promise<void>
}

type Act = 'reset' | 'stall' | 'end' | 'flip'

interface Rule {
  act: Act
  direction: Direction
  bytes: number
  left: number
  times: number
}

interface Connection {
  client: Socket
  server: Socket
  stalled: boolean
}

/** `target`: the port of the server, or of that for the next connection. */
export async function startTcpProxy(target: number | (() => number)): Promise<TcpProxy> {
  const open = new Set<Connection>()
  const rules: Rule[] = []
  let accepted = 0
  let carried = 0
  let line: { rate: number; latency: number } | undefined

  const carry = (connection: Connection, direction: Direction, piece: Buffer): void => {
    const to = direction === 'up' ? connection.server : connection.client
    if (connection.stalled) return
    const rule = rules.find((rule) => rule.direction === direction && rule.times > 0)
    if (!rule || rule.left > piece.length) {
      if (rule) rule.left -= piece.length
      if (!to.destroyed) to.write(piece)
      return
    }
    const carried = Buffer.from(piece.subarray(0, rule.left))
    const rest = piece.subarray(rule.left)
    rule.times--
    rule.left = rule.bytes
    if (rule.act === 'flip') carried[carried.length - 1]! ^= 0x10
    if (!to.destroyed) to.write(carried)
    if (rule.act === 'flip') carry(connection, direction, rest)
    else if (rule.act === 'stall') connection.stalled = true
    else if (rule.act === 'reset') reset(connection)
    else end(connection)
  }

  const take = (client: Socket): void => {
    accepted++
    const server = connect(typeof target === 'number' ? target : target(), '127.0.0.1')
    const connection = { client, server, stalled: false }
    open.add(connection)
    for (const [from, to, direction] of [[client, server, 'up'], [server, client, 'down']] as const) {
      from.setNoDelay(true)
      let free = 0
      let before = Promise.resolve()
      from.on('data', (piece: Buffer) => {
        if (direction === 'up') carried += piece.length
        if (!line) return carry(connection, direction, piece)
        const now = performance.now()
        free = Math.max(free, now) + (piece.length / line.rate) * 1000
        from.pause()
        setTimeout(() => from.resume(), free - now)
        // Timers alone may exchange two pieces.
        const arrived = sleep(free - now + line.latency)
        before = before.then(() => arrived).then(() => carry(connection, direction, piece))
      })
      from.on('end', () => {
        void before.then(() => (connection.stalled || to.destroyed ? to : to.end()))
      })
      // An error on one side ends the other side.
      from.on('error', () => to.destroy())
      from.on('close', () => {
        if (!connection.stalled) to.destroy()
        if (client.destroyed && server.destroyed) open.delete(connection)
      })
    }
  }

  const listener = createServer({ allowHalfOpen: true }, take)
  // A test that fails before it closes this one must not keep the process.
  const port = await listening(listener.unref())
  const rule = (act: Act) => (bytes: number, direction: Direction, times = 1): void => void rules.push({ act, direction, bytes, left: bytes, times })
  const stopListening = async (): Promise<void> => {
    if (!listener.listening) return
    const closed = once(listener, 'close')
    listener.close()
    for (const connection of open) reset(connection)
    await closed
  }
  return {
    port,
    get carried() {
      return carried
    },
    slow: (rate, latency) => void (line = { rate, latency }),
    get connections() {
      return accepted
    },
    refuse: stopListening,
    accept: async () => {
      await listening(listener, port)
    },
    resetAfter: rule('reset'),
    stallAfter: rule('stall'),
    endAfter: rule('end'),
    flipAfter: rule('flip'),
    endAll: () => open.forEach(end),
    close: stopListening,
  }
}

function reset({ client, server }: Connection): void {
  client.resetAndDestroy()
  server.resetAndDestroy()
}

function end({ client, server }: Connection): void {
  client.end()
  server.end()
}
