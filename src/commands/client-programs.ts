import type { Environment } from '../environment.ts'
import { type Provide, providerOf } from '../sources/postgres/client-download/choose.ts'
import { type Client, findClients } from '../sources/postgres/clients.ts'

/** The client programs a command chooses from: the installed ones, and, unless that is switched off, a way to get others. */
export interface ClientPrograms {
  clients: readonly Client[]
  provide?: Provide
}

export async function clientPrograms(install: 'auto' | 'never', environment: Environment): Promise<ClientPrograms> {
  return { clients: await findClients(environment.variables), ...(install === 'auto' && { provide: providerOf(environment) }) }
}
