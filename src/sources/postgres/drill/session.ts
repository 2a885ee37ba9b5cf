import { type Connection, withOptions } from '../connection.ts'
import type { Entry } from '../contents.ts'
import { readSession, type SessionSettings } from '../facts.ts'
import { literal, query, type QueryContext } from '../query.ts'

/** Settings for the sessions of a drill. */
export interface DrillSession {
  /** Those of the backup that the server takes. */
  taken: [name: string, value: string][]
  /** Why sessions are not like that of the backup: then equal data may be written otherwise. */
  unlike?: string
}

/** Gives sessions the encoding of the archive, which pg_dump takes from its session, too. */
export function encodedAs(entries: readonly Entry[], connection: Connection): Connection {
  const text = entries.find(({ kind }) => kind === 'ENCODING')?.definition
  const PGCLIENTENCODING = /'(\w+)'/.exec(text ?? '')?.[1]
  return PGCLIENTENCODING === undefined ? connection : { ...connection, environment: { ...connection.environment, PGCLIENTENCODING } }
}

/** The settings that the session of the backup had, as far as the server takes them. */
export async function likeBackup(session: SessionSettings | undefined, context: QueryContext): Promise<DrillSession> {
  if (!session) return { taken: [], unlike: 'which the snapshot does not tell' }
  const found = new Map(Object.entries(await readSession(context)))
  const taken: DrillSession['taken'] = []
  for (const [name, value] of Object.entries(session))
    // An empty locale is that of the machine.
    if (value !== '' && (found.get(name) === value || (await takes(name, value, context)))) taken.push([name, value])
  const connection = withOptions(context.connection, taken)
  const now = new Map(Object.entries(await readSession({ ...context, connection })))
  const refused = Object.entries(session).filter(([name, value]) => value === '' || now.get(name) !== value)
  if (refused.length === 0) return { taken }
  const named = refused.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(', ')
  return { taken, unlike: `which the scratch server does not take: ${named}` }
}

async function takes(name: string, value: string, context: QueryContext): Promise<boolean> {
  try {
    await query(`SELECT pg_catalog.set_config(${literal(name)}, ${literal(value)}, true)`, context)
    return true
  } catch {
    context.signal?.throwIfAborted()
    return false
  }
}
