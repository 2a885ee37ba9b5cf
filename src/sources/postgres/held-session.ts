import { LifeboatError } from '../../error.ts'
import { ChildError, startChild } from '../../process/child.ts'
import { programOf } from './clients.ts'
import { clientEnvironment } from './connection.ts'
import { clientError } from './errors.ts'
import { encodingOf, type QueryContext } from './query.ts'

/** Asked every few seconds: psql notices the end of its session only when it asks, and a proxy does not take the session for idle. */
const ASK = Buffer.from('SELECT WHERE false;\n')
const EVERY = 5000

export interface HeldSession {
  /** The one line that its statements print. */
  answer: string
  /** Ends the session, after one more statement if that is given. False if it had ended before. */
  release: (last?: string) => Promise<boolean>
  /** Aborted when the session ends before the release. */
  lost: AbortSignal
}

/**
 * Runs statements, the last of which prints one line, and the others nothing, in a session that stays. They reach the server as they are:
 * psql takes no part of them for a command of its own. `lost` makes the reason of `HeldSession.lost`.
 */
export async function holdSession(
  statements: readonly string[], { connection, client, variables, signal, codes }: QueryContext, lost: (where: string) => LifeboatError,
): Promise<HeldSession> {
  const child = startChild(
    programOf(client, 'psql'),
    [
      '-X', '-q', '-A', '-t', '-w', '-b', '-v', 'ON_ERROR_STOP=1', ...(codes ? ['-v', 'VERBOSITY=verbose'] : []),
      `--dbname=${connection.parameters}`, ...statements.map((statement) => `--command=${statement}`), '-f', '-',
    ],
    { environment: { ...clientEnvironment(connection, variables), PGCLIENTENCODING: encodingOf(statements) }, ...(signal && { signal }) },
  )
  const { promise: answer, resolve, reject } = Promise.withResolvers<string>()
  const reading = (async () => {
    let printed = ''
    for await (const piece of child.stdout) {
      if (printed.includes('\n')) continue // After the answer, nothing is kept.
      printed += piece.toString()
      if (printed.includes('\n')) resolve(printed.trim())
    }
    reject(new LifeboatError(`${connection.where} ended the session`))
  })()
  reading.catch(reject)
  const losing = new AbortController()
  const asking = setInterval(() => void child.write(ASK).catch(() => undefined), EVERY).unref() // The end of the session is noticed below.
  let released = false
  void (async () => {
    await reading.catch(() => undefined)
    clearInterval(asking)
    if (!released) losing.abort(lost(connection.where))
  })()
  const release = async (last?: string): Promise<boolean> => {
    released = true
    clearInterval(asking)
    // The server notices the end of a session only after a while.
    await child.write(last === undefined ? ASK : Buffer.from(`${last};\n`)).catch(() => undefined)
    child.end()
    return reading.then(() => true, () => false)
  }
  try {
    return { answer: await answer, release, lost: losing.signal }
  } catch (error) {
    await release()
    throw error instanceof ChildError ? clientError(error, 'query', connection) : error
  }
}
