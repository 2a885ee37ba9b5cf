import { LifeboatError } from '../../error.ts'
import { ChildError, startChild } from '../../process/child.ts'
import { programOf } from './clients.ts'
import { clientEnvironment } from './connection.ts'
import { clientError } from './errors.ts'
import type { QueryContext } from './query.ts'

/** The two numbers of an advisory lock: one for the purpose, and one for the thing. Each has 32 bits and a sign. */
export type LockKey = readonly [purpose: number, thing: number]

/** A server that ends idle sessions must not end this one. */
const lockSql = ([purpose, thing]: LockKey): string =>
  `SELECT WHERE CASE WHEN pg_catalog.current_setting('idle_session_timeout', true) IS NULL THEN false
    ELSE pg_catalog.set_config('idle_session_timeout', '0', false) IS NULL END;
  SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(${purpose}, ${thing}) THEN 'taken' ELSE 'busy' END;\n`
const unlockSql = ([purpose, thing]: LockKey): string => `SELECT WHERE pg_catalog.pg_advisory_unlock(${purpose}, ${thing}) IS NULL;\n`

/**
 * Holds a lock of a database in a session of its own; gives its release, or undefined if another session has it. A run that is killed
 * loses the lock with the session.
 */
export async function lockSession(key: LockKey, context: QueryContext): Promise<(() => Promise<void>) | undefined> {
  const { connection, client, variables } = context
  const child = startChild(
    programOf(client, 'psql'),
    ['-X', '-q', '-A', '-t', '-w', '-v', 'ON_ERROR_STOP=1', `--dbname=${connection.parameters}`, '-f', '-'],
    { environment: { ...clientEnvironment(connection, variables), PGCLIENTENCODING: 'SQL_ASCII' } },
  )
  const { promise: answer, resolve, reject } = Promise.withResolvers<string>()
  const reading = (async () => {
    for await (const piece of child.stdout) resolve(piece.toString().trim())
    reject(new LifeboatError(`${connection.where} ended the session of the lock`))
  })()
  reading.catch(reject)
  // The text has nothing in it but numbers that were made here: psql finds no command of its own.
  await child.write(Buffer.from(lockSql(key)))
  const release = async (): Promise<void> => {
    // The server notices the end of a session only after a while.
    await child.write(Buffer.from(unlockSql(key))).catch(() => undefined)
    child.end()
    await reading.catch(() => undefined)
  }
  try {
    if ((await answer) === 'taken') return release
  } catch (error) {
    await release()
    throw error instanceof ChildError ? clientError(error, 'query', connection) : error
  }
  await release()
  return undefined
}
