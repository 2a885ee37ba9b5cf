import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import type { Server } from './postgres-server.ts'

export interface Pgbouncer {
  /** `postgres://…` of the superuser, through the pooler. */
  url(database: string): string
  port: number
  stop(): Promise<void>
}

const nobody = 65534

/** A real pgbouncer on a free port of loopback, in front of a server that trusts everybody. */
export async function startPgbouncer(server: Server, settings: Record<string, string>): Promise<Pgbouncer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-pgbouncer-'))
  // It refuses to run as root.
  const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
  if ('uid' in identity) chownSync(folder, nobody, nobody)
  const log = path.join(folder, 'log')
  for (let tries = 1; ; tries++) {
    const port = await freePort()
    const config = path.join(folder, 'pgbouncer.ini')
    const lines = Object.entries({ listen_addr: '127.0.0.1', listen_port: String(port), auth_type: 'any', logfile: log, unix_socket_dir: '', ...settings })
    writeFileSync(config, ['[databases]', `* = host=127.0.0.1 port=${server.port} user=postgres`, '[pgbouncer]', ...lines.map(([name, value]) => `${name} = ${value}`), ''].join('\n'))
    const child = spawn('/usr/sbin/pgbouncer', ['--quiet', config], { ...identity, stdio: 'ignore', env: { PATH: process.env['PATH'] } })
    const ended = once(child, 'exit')
    const running = () => child.exitCode === null && child.signalCode === null
    while (running() && !(await answers(port))) await sleep(20)
    if (running()) {
      return {
        port,
        url: (database) => `postgres://postgres@127.0.0.1:${port}/${encodeURIComponent(database)}`,
        stop: async () => {
          child.kill('SIGKILL')
          await ended
          rmSync(folder, { recursive: true })
        },
      }
    }
    if (tries === 5) throw new Error(`pgbouncer did not start:\n${readFileSync(log, 'utf8')}`)
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve((socket.destroy(), true)))
    socket.on('error', () => resolve(false))
  })
}
