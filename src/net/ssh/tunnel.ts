import { once } from 'node:events'
import { createServer } from 'node:net'
import { LifeboatError } from '../../error.ts'
import { targetText } from './address.ts'
import type { SshAccess, SshTarget } from './connection.ts'
import type { HostAddress } from './known-hosts.ts'
import { lostError } from './failure.ts'
import type { SshContext } from './login.ts'
import { endWithin, openSsh, type SshProgram } from './program.ts'

/** A free port is anyone's until ssh has it. */
const ATTEMPTS = 5
/** How long the end of ssh may take to be seen after that of a connection through it. */
const END_MS = 1000

/** Ports of loopback that lead, through an SSH server, to others that it reaches; opened when it is first asked for one. */
export class Tunnel {
  readonly #target: SshTarget
  readonly #access: SshAccess
  readonly #servers: readonly HostAddress[]
  readonly #context: SshContext
  #opening: Promise<{ ssh: SshProgram; ports: ReadonlyMap<string, number> }> | undefined
  #closed = false

  /** `servers`: all that it has to lead to. */
  constructor(target: SshTarget, access: SshAccess, servers: readonly HostAddress[], context: SshContext) {
    this.#target = target
    this.#access = access
    this.#servers = servers
    this.#context = context
  }

  /** The port of loopback for each of `servers`. Throws a LifeboatError when no connection can be made. */
  async ports(servers: readonly HostAddress[]): Promise<number[]> {
    this.#opening ??= this.#open()
    const { ports } = await this.#opening
    return servers.map((server) => ports.get(addressOf(server))!)
  }

  /** The reason why a connection through the tunnel failed: the tunnel was lost, or leads nowhere, or just this error. */
  async explain(error: unknown): Promise<unknown> {
    const ssh = await this.#connection()
    if (ssh === undefined || this.#closed || this.#context.signal.aborted) return error
    const end = await endWithin(ssh, END_MS)
    if (end) return lostError(`the SSH tunnel through ${targetText(this.#target)}`, end, error)
    const [, why] = /channel \d+: open failed: (.*)/.exec(ssh.said()) ?? []
    if (why === undefined) return error
    return new LifeboatError(`${targetText(this.#target)} cannot connect to ${this.#servers.map(addressOf).join(' or ')}: ${why.trim()}`, {
      cause: error,
      hint: /prohibited/.test(why)
        ? 'The SSH server forbids it: see AllowTcpForwarding and PermitOpen in its sshd_config, and permitopen in authorized_keys.'
        : 'Host and port of the database URL are those that the SSH server knows: try them there.',
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const ssh = await this.#connection()
    await ssh?.close()
  }

  async #connection(): Promise<SshProgram | undefined> {
    try {
      return (await this.#opening)?.ssh
    } catch {
      return undefined // The caller of `ports` got the error.
    }
  }

  async #open(): Promise<{ ssh: SshProgram; ports: ReadonlyMap<string, number> }> {
    for (let attempt = 1; ; attempt++) {
      const addresses = new Set(this.#servers.map(addressOf))
      const free = await freePorts(addresses.size)
      const ports = new Map([...addresses].map((address, index) => [address, free[index]!]))
      const forwards = [...ports].flatMap(([address, port]) => ['-L', `127.0.0.1:${port}:${address}`])
      try {
        return { ssh: await openSsh(this.#target, this.#access, forwards, this.#context), ports }
      } catch (error) {
        if (attempt >= ATTEMPTS || !(error instanceof LifeboatError) || !/forward/.test(error.message)) throw error
      }
    }
  }
}

function addressOf({ host, port }: HostAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** All of them at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a port was asked for')
    return address.port
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
