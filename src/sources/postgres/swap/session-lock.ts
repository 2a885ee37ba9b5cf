import { LifeboatError } from '../../../error.ts'
import { ChildError, startChild } from '../../../process/child.ts'
import { programOf } from '../clients.ts'
import { clientEnvironment } from '../connection.ts'
import { clientError } from '../errors.ts'
import type { QueryContext } from '../query.ts'
import { numberOf } from './names.ts'

/** The first of the two numbers of the lock; the second is that of the target. */
const CLASS = 0x6c626f74

/** A server that ends idle sessions must not end this one. */
const lockSql = (target: string): string =>
  `SELECT WHERE CASE WHEN pg_catalog.current_setting('idle_session_timeout', true) IS NULL THEN false
    ELSE pg_catalog.set_config('idle_session_timeout', '0', false) IS NULL END;
  SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(${CLASS}, ${numberOf(target)}) THEN 'taken' ELSE 'busy' END;\n`

/**
 * Holds a lock for a target in a session of its own; gives its release. A run that is killed loses the lock with the session. Throws if
 * another run has it.
 */
export async function holdLock(target: string, context: QueryContext): Promise<() => Promise<void>> {
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
  await child.write(Buffer.from(lockSql(target)))
  const release = async (): Promise<void> => {
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
  throw new LifeboatError(`another restore with mode swap is at work on ${target}`, { hint: 'Wait until it has ended.' })
}
