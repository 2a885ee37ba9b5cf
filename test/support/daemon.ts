import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

/** A server in the foreground, on a free port of loopback. */
export interface Daemon {
  readonly port: number
  /** Of its own, for configuration and files; removed in the end. */
  readonly folder: string
  /** Its output so far. */
  log(): string
  /** Ends it and everything it started, at once, and starts it again on the same port and files. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface DaemonCommand {
  program: string
  args: string[]
  variables?: Record<string, string>
  /** The user that it runs as. Default: the one of the tests. */
  user?: { uid: number; gid: number } | undefined
}

/** `command` writes the configuration for a port into the folder. */
export async function startDaemon(name: string, command: (port: number, folder: string) => DaemonCommand): Promise<Daemon> {
  const folder = mkdtempSync(path.join(tmpdir(), `lifeboat-${name}-`))
  let log = ''
  const run = async (port: number) => {
    const { program, args, variables, user } = command(port, folder)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, ...variables }, detached: true, ...user })
    const exit = Promise.race([once(child, 'exit'), once(child, 'error').then(([error]) => (log += String(error)))])
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (log += String(text)))
    const end = async (): Promise<void> => {
      try {
        // Its group: most have a process for each connection. A child that is still there after its parent keeps the port.
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
      }
      await exit
    }
    return { up: await answers(port, () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined), end }
  }
  for (let tries = 1; ; tries++) {
    const port = await freePort()
    let running = await run(port)
    const stop = async (): Promise<void> => {
      await running.end()
      rmSync(folder, { recursive: true, force: true })
    }
    const restart = async (): Promise<void> => {
      await running.end()
      running = await run(port)
      if (!running.up) throw new Error(`${name} did not start again: ${log}`)
    }
    if (running.up) return { port, folder, log: () => log, restart, stop }
    // Someone else took the port between looking for it and this.
    if (tries < 5 && /address already in use|could not bind|EADDRINUSE/i.test(log)) continue
    await stop()
    throw new Error(`${name} did not start: ${log}`)
  }
}

async function answers(port: number, hasEnded: () => boolean): Promise<boolean> {
  while (!hasEnded()) {
    const socket = connect(port, '127.0.0.1')
    const up = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
    socket.destroy()
    if (up) return true
    await sleep(20)
  }
  return false
}
