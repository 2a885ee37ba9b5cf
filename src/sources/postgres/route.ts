import { LifeboatError } from '../../error.ts'
import type { HostAddress } from '../../net/ssh/known-hosts.ts'
import type { SshAccess, SshTarget } from '../../net/ssh/connection.ts'
import type { SshContext } from '../../net/ssh/login.ts'
import { Tunnel } from '../../net/ssh/tunnel.ts'
import type { Connection } from './connection.ts'
import { connectionFailed } from './errors.ts'

/** How a command reaches its databases. */
export interface Route {
  /** The connection to use in place of one that the route was made for. Throws a LifeboatError if the databases cannot be reached by it. */
  to(connection: Connection): Promise<Connection>
  /** The cause of an error of such a connection if it lies on the route; otherwise the error itself. */
  causeOf(error: unknown): Promise<unknown>
  close(): Promise<void>
}

/** An SSH server to pass through. */
export interface TunnelServer {
  readonly target: SshTarget
  readonly access: SshAccess
}

export const direct: Route = { to: async (connection) => connection, causeOf: async (error) => error, close: async () => undefined }

/** A direct route, or one through an SSH server. Throws (status 2) for a connection that no tunnel can lead to. */
export function routeTo(connections: readonly Connection[], through: TunnelServer | undefined, context: SshContext): Route {
  if (through === undefined) return direct
  const tunnel = new Tunnel(through.target, through.access, connections.flatMap(serversOf), context)
  return {
    to: async (connection) => byLoopback(connection, await tunnel.ports(serversOf(connection))),
    causeOf: async (error) => (connectionFailed(error) ? tunnel.explain(error) : error),
    close: () => tunnel.close(),
  }
}

/** The servers of a connection, in its order: the ends of a tunnel. Throws (status 2) if they are unknown, or are no addresses. */
export function serversOf({ environment, where }: Connection): HostAddress[] {
  const { PGHOST, PGHOSTADDR, PGPORT, PGSERVICE } = environment
  const refuse = (why: string): never => {
    throw new LifeboatError(`${where} cannot be reached by ssh-tunnel: ${why}`, {
      hint: 'Name the host and port as the SSH server knows them: postgres://user:password@host:5432/database.', status: 2 })
  }
  if (PGSERVICE !== undefined) return refuse('a service says where it is')
  const hosts = (PGHOSTADDR ?? PGHOST ?? '').split(',')
  const ports = (PGPORT ?? '').split(',')
  return hosts.map((host, index) => {
    if (host === '' || /^[/@]/.test(host)) return refuse('it is a socket of this machine')
    if (!/^[A-Za-z0-9_.:%-]+$/.test(host)) return refuse(`${JSON.stringify(host)} is no name of a host`)
    return { host, port: Number(ports[ports.length === 1 ? 0 : index] || 5432) }
  })
}

/**
 * The connection by other ports, of loopback, in the order of its servers. Their names stay, because certificates are checked against them.
 */
export function byLoopback(connection: Connection, ports: readonly number[]): Connection {
  const addresses = ports.map(() => '127.0.0.1').join(',')
  return { ...connection, parameters: `${connection.parameters} hostaddr='${addresses}' port='${ports.join(',')}'`.trim() }
}
