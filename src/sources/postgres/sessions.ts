import { performance } from 'node:perf_hooks'
import { z } from 'zod'
import { beginningOf } from '../../process/cut.ts'
import type { Report } from '../../environment.ts'
import { formatSeconds, formatSome, oneLine } from '../../report/format.ts'

/** A session of somebody else, or a prepared transaction, which has no pid. The server tells a role only of its own sessions. */
export const session = z.strictObject({
  pid: z.int().nullable(),
  role: z.string().nullable(),
  application: z.string().nullable(),
  address: z.string().nullable(),
  state: z.string().nullable(),
  query: z.string().nullable(),
  /** The begin of its transaction: `2026-11-22 07:32:44 UTC`. */
  since: z.string().nullable(),
})

export type Session = z.infer<typeof session>

const time = (column: string): string => `pg_catalog.to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since`

/** The columns of pg_stat_activity for a `Session`. */
export const SESSION = `pid, usename AS role, application_name AS application, pg_catalog.host(client_addr) AS address, state,
        pg_catalog.left(query, 200) AS query, ${time('xact_start')}`

/** Those of pg_prepared_xacts. */
export const PREPARED = `NULL, owner, NULL, NULL, 'prepared transaction', gid, ${time('prepared')}`

/** A query for the JSON of the sessions of clients, and prepared transactions, that have locks. `locks`: a condition for pg_locks l. */
export function sessionsWithLocks(locks: string): string {
  const found = `pg_catalog.pg_locks l WHERE ${locks}`
  return `SELECT coalesce(pg_catalog.json_agg(s), '[]') FROM (
      SELECT ${SESSION} FROM pg_catalog.pg_stat_activity
      WHERE pid IN (SELECT l.pid FROM ${found}) AND backend_type IS DISTINCT FROM 'autovacuum worker'
      UNION ALL SELECT ${PREPARED} FROM pg_catalog.pg_prepared_xacts
      WHERE transaction IN (SELECT x.transactionid FROM pg_catalog.pg_locks x WHERE x.locktype = 'transactionid'
        AND x.virtualtransaction IN (SELECT l.virtualtransaction FROM ${found} AND l.pid IS NULL))) AS s`
}

/** `postgres (pid 4711, psql from 127.0.0.1, idle in transaction, since 2026-11-22 07:32:44 UTC)`. */
function nameOf({ pid, role, application, address, state, since }: Session): string {
  const from = [application, address].filter((text) => text !== null && text !== '').join(' from ')
  const about = [pid === null ? '' : `pid ${pid}`, from, state ?? '', since === null ? '' : `since ${since}`].filter((text) => text !== '')
  return `${oneLine(role ?? 'unknown role')} (${oneLine(about.join(', '))})`
}

const MOST_NAMED = 5

/** Sessions without their queries. */
export function sessionNames(sessions: readonly Session[]): string {
  return formatSome(sessions.map(nameOf), MOST_NAMED)
}

/** Sessions with their queries, to be read after a sentence; empty if there are none. */
export function sessionTexts(sessions: readonly Session[]): string {
  return sessions.length === 0 ? '' : `: ${formatSome(sessions.map(sessionText), MOST_NAMED)}`
}

/** A query is shown without the values in it, and not at all if it may hold a password. */
function sessionText(session: Session): string {
  const { query } = session
  const hidden = query === null || query === '' || /password|secret|token/i.test(query)
  return `${nameOf(session)}${hidden ? '' : `: ${beginningOf(oneLine(withoutValues(query)), 80)}`}`
}

/** Milliseconds between two lines about those who are waited for. */
const TELL = 10_000

/** Tells for whom a restore waits: at once, and after a while if they are others then. `until`: read after "waiting". */
export function tellsWaiting(until: string, lockTimeout: number, report: Report): (sessions: readonly Session[]) => void {
  let told = { who: '', at: -Infinity }
  return (sessions) => {
    const who = sessionNames(sessions)
    if (who === '' || who === told.who || performance.now() - told.at < TELL) return
    told = { who, at: performance.now() }
    report.info(`waiting ${until}, for ${formatSeconds(lockTimeout / 1000)} at most: ${who}`)
  }
}

/** Strings, numbers and comments, which may be rows, as an ellipsis. The beginning of a query may end within one. */
function withoutValues(query: string): string {
  return query.replaceAll(
    /--[^\n]*|\/\*[^]*?(?:\*\/|$)|"(?:[^"]|"")*(?:"|$)|(\$(?:[A-Za-z_]\w*)?\$)[^]*?(?:\1|$)|'(?:[^'\\]|''|\\.)*(?:'|$)|\b\d[\w.]*/g,
    (found) => (found.startsWith('"') ? found : '…'),
  )
}
