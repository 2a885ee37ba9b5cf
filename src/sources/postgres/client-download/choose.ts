import { LifeboatError, messageOf } from '../../../error.ts'
import { type Client, type ClientChoice, clientForDump, clientForRestore, newestClient } from '../clients.ts'
import type { ProvideOptions } from './options.ts'
import { provideClient } from './provide.ts'

/** Gets client programs of a major that is not installed; throws `LifeboatError` if they are not available. */
export type Provide = (major: number | 'newest') => Promise<Client>

/** `provideClient`, once for each major in a run, also if it fails. */
export function providerOf(options: ProvideOptions): Provide {
  const provided = new Map<number | 'newest', Promise<Client>>()
  return (major) => {
    const promise = provided.get(major) ?? provideClient(major, options)
    provided.set(major, promise)
    return promise
  }
}

// Without `provide` these three choose among the installed clients, as the functions of clients.ts do.

/** For work that every version can do. */
export async function anyClient(clients: readonly Client[], provide?: Provide): Promise<Client> {
  return clients.length > 0 || !provide ? newestClient(clients) : provide('newest')
}

/** For pg_dump: the server's own major, installed or provided; or else an installed one that is good enough, with a warning. */
export async function dumpClient(clients: readonly Client[], serverMajor: number, provide?: Provide): Promise<ClientChoice> {
  return choose(clients, serverMajor, (among) => clientForDump(among, serverMajor), provide)
}

/**
 * For pg_restore: the choice of `clientForRestore` if every major were installed. If an archive is only read, every major that can read it
 * is good.
 */
export async function restoreClient(
  clients: readonly Client[],
  dumpMajor: number,
  serverMajor?: number,
  provide?: Provide,
): Promise<ClientChoice> {
  const best = Math.max(dumpMajor, serverMajor ?? dumpMajor)
  const enough = serverMajor === undefined && clients.some(({ major }) => major >= dumpMajor)
  return choose(clients, best, (among) => clientForRestore(among, dumpMajor, serverMajor), enough ? undefined : provide)
}

async function choose(
  clients: readonly Client[],
  wanted: number,
  among: (clients: readonly Client[]) => ClientChoice,
  provide?: Provide,
): Promise<ClientChoice> {
  if (!provide || clients.some(({ major }) => major === wanted)) return among(clients)
  let failure: unknown
  try {
    return among([...clients, await provide(wanted)])
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    failure = error
  }
  try {
    const { client, warning } = among(clients)
    return { client, warning: [warning, messageOf(failure)].filter((text) => text !== undefined).join('; ') }
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    throw new LifeboatError(`${error.message}; ${messageOf(failure)}`, { hint: error.hint, cause: failure })
  }
}
