import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { listening } from './free-port.ts'

export interface Line {
  port: number
  /** How often it has dropped. */
  readonly drops: number
  close(): Promise<void>
}

export interface LineOptions {
  /** Resets all connections whenever so many bytes have gone up; or so many seconds have passed. */
  dropAfter: { bytes: number } | { seconds: number }
  /** Bytes a second, for all connections together. */
  rate?: number
}

const PIECE = 16 * 1024
const MOST_QUEUED = 64 * 1024

/** A slow line before a server on loopback, that all connections share fairly, and that drops. */
export async function startDroppingLine(target: number, { dropAfter, rate = Infinity }: LineOptions): Promise<Line> {
  interface Connection {
    client: Socket
    server: Socket
    queue: Buffer[]
    queued: number
  }
  const open = new Set<Connection>()
  let [drops, sent] = [0, 0]
  const closing = new AbortController()
  let woken = Promise.withResolvers<void>()

  const drop = (): void => {
    drops++
    sent = 0
    for (const { client, server } of open) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
    open.clear()
  }
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1')
    const connection: Connection = { client, server, queue: [], queued: 0 }
    open.add(connection)
    client.on('data', (piece: Buffer) => {
      for (let at = 0; at < piece.length; at += PIECE) connection.queue.push(piece.subarray(at, at + PIECE))
      connection.queued += piece.length
      if (connection.queued > MOST_QUEUED) client.pause()
      woken.resolve()
    })
    server.on('data', (piece: Buffer) => void client.write(piece))
    for (const [from, to] of [[client, server], [server, client]] as const) {
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroy()
        open.delete(connection)
      })
    }
  })

  /** A piece of each connection in turn. */
  const pump = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      let carried = 0
      for (const connection of open) {
        const piece = connection.queue.shift()
        if (!piece) continue
        connection.queued -= piece.length
        connection.server.write(piece)
        if (connection.queued < MOST_QUEUED / 2) connection.client.resume()
        carried += piece.length
        sent += piece.length
        if ('bytes' in dropAfter && sent >= dropAfter.bytes) {
          drop()
          break
        }
      }
      if (carried === 0) {
        await woken.promise
        woken = Promise.withResolvers()
      } else if (rate !== Infinity) await sleep((carried / rate) * 1000)
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const timer = 'seconds' in dropAfter ? setInterval(drop, dropAfter.seconds * 1000).unref() : undefined
  const port = await listening(listener.unref())
  const pumping = pump()
  return {
    port,
    get drops() {
      return drops
    },
    close: async () => {
      clearInterval(timer)
      closing.abort()
      woken.resolve()
      listener.close()
      drop()
      await pumping
    },
  }
}
