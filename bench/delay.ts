import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** One request that came by: when its first byte did (milliseconds since 1970), its method, path and query. */
export interface Seen {
  time: number
  request: string
}

/** A proxy before an HTTP server on loopback, in a process of its own: whatever a client sends arrives so many milliseconds later, at any bandwidth. */
export interface Delay {
  readonly port: number
  /** The requests since the last call. */
  seen(): Promise<Seen[]>
  stop(): Promise<void>
}

export async function startDelay(target: number, milliseconds: number): Promise<Delay> {
  const child = fork(import.meta.filename, ['serve', `${target}`, `${milliseconds}`])
  const port = Number(await answered(child))
  return {
    port,
    seen: async () => {
      child.send('seen')
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `serve` sends
      return (await answered(child)) as Seen[]
    },
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

async function answered(child: ChildProcess): Promise<unknown> {
  const over = new AbortController()
  try {
    const [message]: unknown[] = await Promise.race([
      once(child, 'message', { signal: over.signal }),
      once(child, 'exit', { signal: over.signal }).then(() => {
        throw new Error(`the proxy ended with status ${child.exitCode}`)
      }),
    ])
    return message
  } finally {
    over.abort()
  }
}

/** HTTP/1.1 without pipelining: what comes after an answer begins a request. */
function serve(target: number, milliseconds: number): void {
  let seen: Seen[] = []
  const listener = createServer({ allowHalfOpen: true }, (client: Socket) => {
    const server = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, server]) socket.setNoDelay(true)
    let answering = true
    client.on('data', (piece: Buffer) => {
      if (answering) seen.push({ time: Date.now(), request: /^([A-Z]+ \S+) HTTP\/1\.1\r\n/.exec(piece.toString('latin1', 0, 4096))?.[1] ?? 'unknown' })
      answering = false
      if (milliseconds === 0) server.write(piece)
      else setTimeout(() => server.write(piece), milliseconds)
    })
    server.on('data', (piece: Buffer) => {
      answering = true
      client.write(piece)
    })
    client.on('end', () => void sleep(milliseconds).then(() => server.end()))
    server.on('end', () => client.end())
    client.on('error', () => server.destroy())
    server.on('error', () => client.destroy())
    client.on('close', () => void sleep(milliseconds).then(() => server.destroy()))
    server.on('close', () => client.destroy())
  })
  process.on('message', () => {
    process.send!(seen)
    seen = []
  })
  process.on('disconnect', () => process.exit())
  listener.listen(0, '127.0.0.1', () => {
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    process.send!(address.port)
  })
}

if (process.argv[2] === 'serve' && process.argv[1] === import.meta.filename) serve(Number(process.argv[3]), Number(process.argv[4]))
