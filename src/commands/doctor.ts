import type { Environment } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { anyClient, dumpClient } from '../postgres/client-download/choose.ts'
import { type Connection, parseDatabaseUrl } from '../postgres/connection.ts'
import { diagnose, judge } from '../postgres/diagnosis.ts'
import type { Way } from '../postgres/tunnelled.ts'
import type { Check } from '../report/checks.ts'
import { snapshotKeys } from '../repository/catalog.ts'
import { openKeys } from '../repository/keys.ts'
import { openRepository } from '../repository/repository.ts'
import { decodeSnapshot } from '../repository/snapshot.ts'
import { destinationText } from '../stores/destination.ts'
import { openStore } from '../stores/open.ts'
import type { Store } from '../stores/store.ts'
import { tryStore } from '../stores/trial.ts'
import { type ClientPrograms, clientPrograms } from './clients.ts'
import type { DoctorResult } from './results.ts'
import { wayTo } from './tunnel.ts'

/** Tries a destination and databases for real, and says what to mend. Throws only when it is interrupted: what fails is what it is here to tell. */
export async function doctor(inputs: Inputs['doctor'], environment: Environment): Promise<DoctorResult> {
  const checks = await tryDestination(inputs, environment)
  const programs = await clientPrograms(inputs['client-install'], environment)
  const databases = (inputs['database-url'] ?? []).map(({ name, url }) => ({ name, connection: parseDatabaseUrl(url, environment.variables) }))
  for (const secret of databases.flatMap(({ connection }) => connection.secrets)) environment.report.mask(secret)
  const way = wayTo(databases.map(({ connection }) => connection), inputs, environment)
  try {
    for (const { name, connection } of databases) checks.push(...(await tryDatabase(`${name} (${connection.where})`, connection, way, programs, environment)))
  } finally {
    await way.close()
  }
  return { checks }
}

async function tryDestination(inputs: Inputs['doctor'], environment: Environment): Promise<Check[]> {
  const about = destinationText(inputs.destination)
  try {
    const store = await openStore(inputs, environment)
    try {
      const checks = await tryStore(store, () => environment.now(), environment.signal)
      if (checks.every(({ state }) => state !== 'bad') && inputs['encryption-key'] !== undefined) checks.push(await tryKey(inputs['encryption-key'], store))
      return checks.map((check) => ({ ...check, about }))
    } finally {
      await store.close()
    }
  } catch (error) {
    environment.signal.throwIfAborted()
    return [failed(about, 'open', error)]
  }
}

/** Whether the key opens the newest snapshot there is. */
async function tryKey(encryptionKey: string, store: Store): Promise<Check> {
  try {
    const [newest] = await snapshotKeys(store)
    if (newest === undefined) return { about: '', check: 'key', state: 'good', says: 'the store is empty: the first backup will use it' }
    await openRepository(store)
    const keys = await openKeys(encryptionKey, { store, create: false })
    await decodeSnapshot(newest, await store.get(newest), keys)
    return { about: '', check: 'key', state: 'good', says: `opens the store${keys.identity === undefined ? ' to write, not to read: it is a write key' : ''}` }
  } catch (error) {
    return failed('', 'key', error)
  }
}

async function tryDatabase(about: string, given: Connection, way: Way, { clients, provide }: ClientPrograms, { variables, signal }: Environment): Promise<Check[]> {
  try {
    const connection = await way.to(given)
    const client = await anyClient(clients, provide)
    const facts = await diagnose({ connection, client, variables, signal })
    const port = Number(connection.environment['PGPORT'] ?? '5432')
    return [...judge(about, facts, Number.isInteger(port) ? port : undefined), await tryClient(about, Number.parseInt(facts.version, 10), { clients, provide })]
  } catch (error) {
    signal.throwIfAborted()
    return [failed(about, 'connection', await way.explain(error))]
  }
}

async function tryClient(about: string, major: number, { clients, provide }: ClientPrograms): Promise<Check> {
  try {
    const { client, warning } = await dumpClient(clients, major, provide)
    return warning === undefined
      ? { about, check: 'client', state: 'good', says: `pg_dump ${client.major} in ${client.directory}` }
      : { about, check: 'client', state: 'warning', says: warning, fix: `Install the client programs of PostgreSQL ${major}, or leave client-install at auto.` }
  } catch (error) {
    return failed(about, 'client', error)
  }
}

function failed(about: string, check: string, error: unknown): Check {
  return { about, check, state: 'bad', says: messageOf(error), ...(error instanceof LifeboatError && error.hint !== undefined && { fix: error.hint }) }
}
