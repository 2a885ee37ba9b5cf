import { z } from 'zod'
import type { Report } from '../../../environment.ts'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatSeconds, formatSome, oneLine } from '../../../report/format.ts'
import { lockTimedOut } from '../errors.ts'
import { OF_USERS, queryJson, type QueryContext } from '../query.ts'
import { session, sessionsWithLocks, sessionTexts } from '../sessions.ts'

/** Milliseconds after which a dump that has not begun is looked at: the first time, and from then on. */
const [FIRST, NEXT] = [2000, 60_000]
const MOST_NAMED = 5

const locked = z.strictObject({ tables: z.array(z.string()), sessions: z.array(session) })

/**
 * Waits until a dump has begun, which needs locks of its tables. The report gets the locked tables that readers wait for, with the sessions
 * that have locked them; so does the error if the dump waited in vain. `lockTimeout`: milliseconds.
 */
export async function tellingLocks<T>(
  begin: Promise<T>, name: string, { lockTimeout, report }: { lockTimeout: number; report: Report }, context: QueryContext,
): Promise<T> {
  let told = ''
  let timer: NodeJS.Timeout | undefined
  let looking = Promise.resolve()
  const look = async (): Promise<void> => {
    const who = await holders(true, context)
    if (who !== '' && who !== told && timer) report.info(`${name}: waiting for ${formatSeconds(lockTimeout / 1000)} at most${who}`)
    told = who
    timer &&= lookIn(NEXT)
  }
  const lookIn = (time: number): NodeJS.Timeout => setTimeout(() => void (looking = look()), time)
  timer = lookIn(FIRST)
  try {
    return await begin
  } catch (error) {
    const who = lockTimedOut(error) ? await holders(false, context) : ''
    if (!(error instanceof LifeboatError) || who === '') throw error
    const { where } = context.connection
    throw new LifeboatError(marked`a table at ${where} stayed locked by another session for longer than ‹lock-timeout›${who}`, {
      hint: error.hint, cause: error.cause,
    })
  } finally {
    clearTimeout(timer)
    timer = undefined
    await looking
  }
}

/** `: public.orders, by postgres (pid 4711, …): ALTER TABLE …`; empty if there are none, or if the server does not say. */
async function holders(waited: boolean, context: QueryContext): Promise<string> {
  // It only adds to a message: the backup goes on, or has failed already.
  const { tables, sessions } = await readLockedTables(waited, context).catch(() => ({ tables: [], sessions: [] }))
  return sessions.length === 0 ? '' : `: ${formatSome(tables.map(oneLine), MOST_NAMED)}, by${sessionTexts(sessions).slice(1)}`
}

/** Tables that are locked so that nobody can read them, or soon will be; `waited`: only those that readers wait for. */
export function readLockedTables(waited: boolean, context: QueryContext): Promise<z.infer<typeof locked>> {
  return queryJson(sql(waited), locked, context)
}

/** ACCESS EXCLUSIVE alone conflicts with the lock of a reader, who also waits behind those that wait for it. */
const sql = (waited: boolean): string => {
  const locks = `l.mode = 'AccessExclusiveLock'
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND l.relation IN (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${OF_USERS})
    ${waited ? `AND EXISTS (SELECT FROM pg_catalog.pg_locks w
      WHERE w.relation = l.relation AND w.database = l.database AND w.mode = 'AccessShareLock' AND NOT w.granted)` : ''}`
  return `SELECT pg_catalog.json_build_object(
    'tables', (SELECT coalesce(pg_catalog.json_agg(DISTINCT l.relation::pg_catalog.regclass::pg_catalog.text), '[]')
      FROM pg_catalog.pg_locks l WHERE ${locks}),
    'sessions', (${sessionsWithLocks(locks)}))`
}
