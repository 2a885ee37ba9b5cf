import { LifeboatError } from '../../error.ts'
import { holdSession } from './held-session.ts'
import type { QueryContext } from './query.ts'

/** The two numbers of an advisory lock: one for the purpose, and one for the thing. Each has 32 bits and a sign. */
export type LockKey = readonly [purpose: number, thing: number]

/** A server that ends idle sessions must not end this one. */
const keepSql = `SELECT WHERE CASE WHEN pg_catalog.current_setting('idle_session_timeout', true) IS NULL THEN false
  ELSE pg_catalog.set_config('idle_session_timeout', '0', false) IS NULL END`
const lockSql = ([purpose, thing]: LockKey): string =>
  `SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(${purpose}, ${thing}) THEN 'taken' ELSE 'busy' END`
const unlockSql = ([purpose, thing]: LockKey): string => `SELECT WHERE pg_catalog.pg_advisory_unlock(${purpose}, ${thing}) IS NULL`

export interface SessionLock {
  release: () => Promise<void>
  /** Aborted when the session ends before the release: another run may have the lock then. */
  lost: AbortSignal
}

/**
 * Holds a lock of a database in a session of its own; undefined if another session has it. A run that is killed loses the lock with the
 * session; an interruption does not end it. `others`: who is kept away, for the message of a lock that is lost.
 */
export async function lockSession(key: LockKey, others: string, context: QueryContext): Promise<SessionLock | undefined> {
  const { connection, client, variables } = context
  const statements = [keepSql, lockSql(key)]
  const { answer, lost, release } = await holdSession(statements, { connection, client, variables }, (where) => lostError(others, where))
  if (answer === 'taken') return { release: async () => void (await release(unlockSql(key))), lost }
  await release()
  return undefined
}

function lostError(others: string, where: string): LifeboatError {
  return new LifeboatError(`the lock that keeps ${others} away was lost: its session at ${where} ended`, {
    hint: 'Look into the log of the server, and at proxies or poolers on the way that end sessions. Then try again.' })
}
