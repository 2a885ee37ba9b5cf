import type { SourceContext } from '../source-kind.ts'
import { type Provide, providerOf } from './client-download/choose.ts'
import { type Client, findClients } from './clients.ts'

/** The client programs that a run chooses from: the installed ones, and a way to get others unless that is switched off. */
export interface ClientPrograms {
  clients: readonly Client[]
  provide?: Provide
}

const found = new WeakMap<SourceContext, Promise<ClientPrograms>>()

/** Looks for client programs once in a run, so that none is fetched twice. */
export function clientPrograms(context: SourceContext): Promise<ClientPrograms> {
  const programs = found.get(context) ?? findPrograms(context)
  found.set(context, programs)
  return programs
}

async function findPrograms(context: SourceContext): Promise<ClientPrograms> {
  return { clients: await findClients(context.variables), ...(context.clientInstall === 'auto' && { provide: providerOf(context) }) }
}
