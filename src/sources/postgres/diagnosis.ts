import { z } from 'zod'
import type { Finding } from '../../report/finding.ts'
import { formatBytes, formatCount, formatSeconds } from '../../report/format.ts'
import { detectPooler, type Pooling, useInstead } from './pooler.ts'
import { type QueryContext, queryJson } from './query.ts'

const names = z.array(z.string())

/** What could keep a dump from being made, or from being whole. Names are `schema.table`, at most 20 of each kind. */
const diagnosis = z.strictObject({
  version: z.string(),
  user: z.string(),
  /** The protocol, `TLSv1.3`; null for a connection in the clear. */
  tls: z.string().nullable(),
  /** Through a Unix socket, where nobody can listen. */
  local: z.boolean(),
  /** The port the server itself listens on, as it says; null on a socket. */
  port: z.int().nullable(),
  standby: z.boolean(),
  unreadable: names,
  /** Of which row-level security hides rows from this role. */
  hidden: names,
  /** Large objects that are another role's. */
  foreignLargeObjects: z.int(),
  superuser: z.boolean(),
  /** Bytes on the server's disk, indexes included, which a dump leaves out. */
  size: z.int(),
  locks: z.array(z.strictObject({ table: z.string(), pid: z.int(), seconds: z.number() })),
})

export type Diagnosis = z.infer<typeof diagnosis>

const tables = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'`
const name = `pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)`
const some = (condition: string): string =>
  `(SELECT coalesce(pg_catalog.json_agg(name ORDER BY name), '[]') FROM (SELECT ${name} AS name ${tables} AND ${condition} ORDER BY 1 LIMIT 20) AS s)`

const sql = `SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version'),
  'user', current_user,
  'tls', (SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid() AND ssl),
  'local', pg_catalog.inet_server_addr() IS NULL,
  'port', pg_catalog.inet_server_port(),
  'standby', pg_catalog.pg_is_in_recovery(),
  'unreadable', ${some(`((c.relkind IN ('r', 'p') AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')))
    OR (c.relkind = 'S' AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT'))))`)},
  'hidden', ${some(`c.relkind IN ('r', 'p') AND c.relrowsecurity AND pg_catalog.row_security_active(c.oid)`)},
  'foreignLargeObjects', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata WHERE NOT pg_catalog.pg_has_role(lomowner, 'USAGE')),
  'superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'size', pg_catalog.pg_database_size(pg_catalog.current_database()),
  'locks', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('table', l.relation::pg_catalog.regclass::pg_catalog.text, 'pid', l.pid,
      'seconds', coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start), 0))), '[]')
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND l.relation >= 16384))`

/** Asks the server for all of it, and whether a pooler is in between. */
export async function diagnose(context: QueryContext): Promise<Diagnosis & Pooling> {
  return { ...(await queryJson(sql, diagnosis, context)), ...(await detectPooler(context)) }
}

/** What the facts mean for a backup; pure. `server` is the one that was connected to, `port` its port. */
export function judge(about: string, facts: Diagnosis & Pooling, server: string, port: number | undefined): Finding[] {
  const check = (name: string, state: Finding['state'], says: string, fix?: string): Finding => ({ about, check: name, state, says, ...(fix !== undefined && { fix }) })
  const role = `the role ${facts.user}`
  return [
    check('connection', 'good', `PostgreSQL ${facts.version}, as ${facts.user}`),
    facts.tls !== null || facts.local
      ? check('encryption', 'good', facts.tls ?? 'a local socket')
      : check('encryption', 'warning', 'the connection is in the clear', 'Unless the network is private, add sslmode=require to the URL, or better sslmode=verify-full.'),
    facts.pooled
      ? check('session', 'bad', 'sessions share server processes: this is a pooler in transaction mode', `${useInstead({ server }, facts.direct)}: pg_dump needs a session.`)
      : port !== undefined && facts.port !== null && facts.port !== port
        ? check('session', 'warning', `the server listens on port ${facts.port}, not on ${port}: a pooler, a proxy or a forwarded port is in between`, 'If it is a pooler, use its session mode, or the direct URL.')
        : check('session', 'good', 'one session, one server process'),
    facts.unreadable.length > 0
      ? check('privileges', 'bad', `${role} may not read ${list(facts.unreadable)}`, `GRANT pg_read_all_data TO ${facts.user}`)
      : check('privileges', 'good', `${role} may read every table and sequence`),
    facts.hidden.length > 0
      ? check('row security', 'bad', `rows of ${list(facts.hidden)} are hidden from ${role}`, `ALTER ROLE ${facts.user} BYPASSRLS, or dump as the owner.`)
      : check('row security', 'good', `hides nothing from ${role}`),
    ...(facts.foreignLargeObjects > 0 && !facts.superuser
      ? [check('large objects', 'warning', `${formatCount(facts.foreignLargeObjects, 'large object')} of other roles may not be readable`, 'Dump as their owner or a superuser, or GRANT SELECT ON LARGE OBJECT.')]
      : []),
    facts.locks.length > 0
      ? check('locks', 'warning', facts.locks.slice(0, 5).map(({ table, pid, seconds }) => `${table} has been locked for ${formatSeconds(Math.round(seconds))} by process ${pid}`).join('; '), 'A dump waits for lock-timeout at most: end that session, or run at another time.')
      : check('locks', 'good', 'no table is locked'),
    ...(facts.standby ? [check('standby', 'warning', 'this server is a standby, which cancels long queries that stand in the way of replay', 'Set max_standby_streaming_delay or hot_standby_feedback there, or dump from the primary.')] : []),
    check('size', 'good', `${formatBytes(facts.size)} on the server's disk; a dump is smaller, for it has no indexes, and a first backup stores a quarter to a third of that`),
  ]
}

function list(names: readonly string[]): string {
  return names.length === 20 ? `${names.join(', ')} and perhaps others` : names.join(', ')
}
