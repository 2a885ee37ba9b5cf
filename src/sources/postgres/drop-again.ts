import { LifeboatError, messageOf } from '../../error.ts'
import type { QueryContext } from './query.ts'
import { onceBack } from './restarting.ts'
import { databaseExists, detachSubscriptions, dropDatabase } from './target.ts'

/** The words for a new database that stays. */
export interface FailedRestore {
  /** Why the restore failed. */
  why: string
  /** The state of everything else. */
  state: string
  hint: string
  /** Then it is not tried again. */
  interrupted: AbortSignal
}

/** Drops the new database of a restore that failed, as soon as the server answers. Throws if the database stays. */
export async function dropAgain(
  database: string, maintenance: QueryContext, { why, state, hint, interrupted }: FailedRestore,
): Promise<void> {
  try {
    await onceBack(() => dropped(database, maintenance), interrupted)
  } catch (cause) {
    const left = `the new database "${database}" could not be dropped: ${messageOf(cause)}`
    throw new LifeboatError(`the restore failed (${why}): ${state}, but ${left}`, { hint, cause })
  }
}

async function dropped(database: string, maintenance: QueryContext): Promise<void> {
  if (!(await databaseExists(database, maintenance))) return // An earlier attempt was cut after the drop.
  await detachSubscriptions(database, maintenance)
  await dropDatabase(database, maintenance)
}
