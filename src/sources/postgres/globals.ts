import type { Variables } from '../../environment.ts'
import { collectBytes, startChild } from '../../process/child.ts'
import { type Client, programOf } from './clients.ts'
import { clientEnvironment, type Connection } from './connection.ts'
import { clientError, noConnectionIsFree, refusal } from './errors.ts'
import { unexpectedLine } from './globals-script.ts'
import { withoutTransaction } from './query.ts'
import { warningsOf } from './warnings.ts'

/** A server's roles and tablespaces, as SQL; or why they are not available. */
export type Globals = { bytes: Buffer; passwords: boolean; warnings: string[] } | { reason: string; hint?: string }

export interface GlobalsOptions {
  client: Client
  connection: Connection
  /** Whether to ask for the passwords of roles. */
  passwords: boolean
  variables: Variables
  signal: AbortSignal
}

/** Bytes: roles are a few hundred each. */
const LARGEST = 64 * 1024 * 1024

/** If the server refuses, gives its reason. Throws every other failure. */
export async function readGlobals({ client, connection, passwords, variables, signal }: GlobalsOptions): Promise<Globals> {
  // Without --database pg_dumpall connects to `postgres`. It takes a connection string there too, so the server named nothing of it.
  const parameters = ['--globals-only', '--no-password', `--dbname=${connection.parameters}`, `--database=${connection.parameters}`]
  if (!passwords) parameters.push('--no-role-passwords')
  let bytes: Buffer
  let warnings: string[]
  try {
    const child = startChild(programOf(client, 'pg_dumpall'), parameters, {
      environment: clientEnvironment(connection, variables),
      signal,
      memory: 4 * LARGEST,
    })
    child.end()
    bytes = await collectBytes(child, LARGEST)
    warnings = warningsOf((await child.exit).stderr, 'pg_dumpall', connection.secrets)
  } catch (error) {
    const reason = refusal(error, connection)
    if (reason !== undefined) return { reason }
    const failure = clientError(error, 'dump', connection)
    // pg_dumpall does not say why it could not connect: psql does.
    if (noConnectionIsFree(failure)) await withoutTransaction('SELECT', { client, connection, variables, signal })
    throw failure
  }
  const line = unexpectedLine(bytes)
  if (line === undefined) return { bytes, passwords, warnings }
  return {
    reason: `line ${line.number} of what pg_dumpall ${client.major} wrote could run commands in psql: ${JSON.stringify(line.text)}`,
    hint: 'Look for names and comments with line breaks or backslashes, and update the client programs, which write them safely.',
  }
}
