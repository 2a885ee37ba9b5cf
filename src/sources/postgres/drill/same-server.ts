import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { queryJson, type QueryContext } from '../query.ts'

/** PostgreSQL starts the checkpointer again when it ends all sessions because one of its processes ended. */
const STARTED = `SELECT pg_catalog.json_build_array(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()),
  (SELECT pg_catalog.min(pg_catalog.date_part('epoch', backend_start))
    FROM pg_catalog.pg_stat_activity WHERE backend_type = 'checkpointer'),
  (SELECT oid::pg_catalog.text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))`

/**
 * Gives a function that throws `LifeboatError` unless this is still the same database of a server that has run since: a verdict on a
 * backup would be one on the server.
 */
export async function sameServer(database: QueryContext): Promise<() => Promise<void>> {
  const started = (): Promise<unknown[]> => queryJson(STARTED, z.array(z.union([z.number(), z.string(), z.null()])), database)
  const before = await started()
  return async () => {
    let now: unknown
    try {
      now = await started()
    } catch (cause) {
      database.signal?.throwIfAborted()
      throw interrupted('does not answer any more', cause)
    }
    if (JSON.stringify(now) !== JSON.stringify(before)) throw interrupted('was started again, or ended all sessions', undefined)
  }
}

function interrupted(what: string, cause: unknown): LifeboatError {
  return new LifeboatError(`the scratch server ${what} during the drill`, {
    hint: marked`Drill again. If it happens again, read the server's log: it may need more memory. Or give another in ‹scratch-url›.`,
    ...(cause !== undefined && { cause }),
  })
}
