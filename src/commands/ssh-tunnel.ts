import type { Environment } from '../environment.ts'
import type { Inputs } from '../inputs.ts'
import type { Connection } from '../sources/postgres/connection.ts'
import { connectionFailed } from '../sources/postgres/errors.ts'
import { byLoopback, serversOf, straight, type Way } from '../sources/postgres/tunnelled.ts'
import { sshAccess } from './store-access.ts'
import { Tunnel } from '../net/ssh/tunnel.ts'

/** Straight, or through `ssh-tunnel`; then `close` ends it. Throws (status 2) for a connection that no tunnel can lead to. */
export function wayTo(connections: readonly Connection[], inputs: Inputs['backup' | 'restore' | 'doctor'], { variables, temporary, signal }: Environment): Way & { close(): Promise<void> } {
  const target = inputs['ssh-tunnel']
  if (target === undefined) return { ...straight, close: async () => undefined }
  const tunnel = new Tunnel(target, sshAccess(inputs), connections.flatMap(serversOf), { variables, temporary, signal })
  return {
    to: async (connection) => byLoopback(connection, await tunnel.ports(serversOf(connection))),
    explain: async (error) => (connectionFailed(error) ? tunnel.explain(error) : error),
    close: () => tunnel.close(),
  }
}
