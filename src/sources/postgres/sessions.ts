import { z } from 'zod'
import { beginningOf } from '../../process/cut.ts'
import { oneLine } from '../../report/format.ts'

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

/** A query is shown without the values in it, and not at all if it may hold a password. */
export function sessionText({ pid, role, application, address, state, query, since }: Session): string {
  const hidden = query === null || query === '' || /password|secret|token/i.test(query)
  const shown = hidden ? '' : `: ${beginningOf(oneLine(withoutValues(query)), 80)}`
  const from = [application, address].filter((text) => text !== null && text !== '').join(' from ')
  const about = [pid === null ? '' : `pid ${pid}`, from, state ?? '', since === null ? '' : `since ${since}`].filter((text) => text !== '')
  return `${oneLine(role ?? 'unknown role')} (${oneLine(about.join(', '))})${shown}`
}

/** Strings, numbers and comments, which may be rows, as an ellipsis. The beginning of a query may end within one. */
function withoutValues(query: string): string {
  return query.replaceAll(
    /--[^\n]*|\/\*[^]*?(?:\*\/|$)|"(?:[^"]|"")*(?:"|$)|(\$(?:[A-Za-z_]\w*)?\$)[^]*?(?:\1|$)|'(?:[^'\\]|''|\\.)*(?:'|$)|\b\d[\w.]*/g,
    (found) => (found.startsWith('"') ? found : '…'),
  )
}
