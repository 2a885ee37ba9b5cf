import type { Environment } from '../environment.ts'
import type { Inputs } from '../inputs.ts'
import { sshAccess } from './store-access.ts'
import type { Connection } from '../sources/postgres/connection.ts'
import { type Route, routeTo as routeThrough } from '../sources/postgres/route.ts'

/** Direct, or through `ssh-tunnel`; then `close` ends it. Throws (status 2) for a connection that no tunnel can lead to. */
export function routeTo(connections: readonly Connection[], inputs: Inputs['backup' | 'restore' | 'doctor'], { variables, temporary, signal }: Environment): Route {
  const target = inputs['ssh-tunnel']
  return routeThrough(connections, target && { target, access: sshAccess(inputs) }, { variables, temporary, signal })
}
