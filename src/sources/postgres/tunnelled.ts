import { LifeboatError } from '../../error.ts'
import type { HostAddress } from '../../net/ssh/known-hosts.ts'
import type { Connection } from './connection.ts'

/** How a command reaches its databases. */
export interface Way {
  /** The connection to use in place of one that the way was made for. Throws a LifeboatError when there is no way. */
  to(connection: Connection): Promise<Connection>
  /** What an error of such a connection means; whatever the way has nothing to do with is given back as it is. */
  explain(error: unknown): Promise<unknown>
}

export const straight: Way = { to: async (connection) => connection, explain: async (error) => error }

/** The servers of a connection, in its order: what a tunnel has to lead to. Throws (status 2) where that cannot be known, or is no address. */
export function serversOf({ environment, where }: Connection): HostAddress[] {
  const { PGHOST, PGHOSTADDR, PGPORT, PGSERVICE } = environment
  const refuse = (why: string): never => {
    throw new LifeboatError(`${where} cannot be reached by ssh-tunnel: ${why}`, { hint: 'Name the host and port as the SSH server knows them: postgres://user:password@host:5432/database.', status: 2 })
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

/** The connection by other ports, of loopback, in the order of its servers. Their names stay, for certificates are checked against them. */
export function byLoopback(connection: Connection, ports: readonly number[]): Connection {
  const addresses = ports.map(() => '127.0.0.1').join(',')
  return { ...connection, parameters: `${connection.parameters} hostaddr='${addresses}' port='${ports.join(',')}'`.trim() }
}
