import { z } from 'zod'
import { marked } from '../../marks.ts'
import type { Finding } from '../../report/finding.ts'
import { formatBytes, formatCount, formatSeconds } from '../../report/format.ts'
import { readLargeObjects } from './errors.ts'
import { connections, connectionsSql, freeOf, tightestLimit } from './free-connections.ts'
import { detectPooler, type Pooling, useInstead } from './pooler.ts'
import { OF_USERS, type QueryContext, queryJson } from './query.ts'

const names = z.array(z.string())

/** Facts that could keep a dump from being made, or from being whole. Names are `schema.table`, at most 20 of each sort. */
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
  /** Tables of which row-level security hides rows from this role. */
  hidden: names,
  /** How many large objects the role may not read. */
  unreadableLargeObjects: z.int(),
  /** Bytes on the server's disk, indexes included, which a dump leaves out. */
  size: z.int(),
  locks: z.array(z.strictObject({ table: z.string(), pid: z.int(), seconds: z.number() })),
  connections,
})

export type Diagnosis = z.infer<typeof diagnosis>

const tables = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE ${OF_USERS}`
const name = `pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)`
const some = (condition: string): string => {
  const found = `SELECT ${name} AS name ${tables} AND ${condition} ORDER BY 1 LIMIT 20`
  return `(SELECT coalesce(pg_catalog.json_agg(name ORDER BY name), '[]') FROM (${found}) AS s)`
}

const schemaUsable = "pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
const unreadable = `(
  (c.relkind IN ('r', 'p') AND NOT (${schemaUsable} AND pg_catalog.has_table_privilege(c.oid, 'SELECT')))
  OR (c.relkind = 'S' AND NOT (${schemaUsable} AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT'))))`

const sql = `SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version'),
  'user', current_user,
  'tls', (SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid() AND ssl),
  'local', pg_catalog.inet_server_addr() IS NULL,
  'port', pg_catalog.inet_server_port(),
  'standby', pg_catalog.pg_is_in_recovery(),
  'unreadable', ${some(unreadable)},
  'hidden', ${some(`c.relkind IN ('r', 'p') AND c.relrowsecurity AND pg_catalog.row_security_active(c.oid)`)},
  'unreadableLargeObjects', (
    SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata o
    WHERE pg_catalog.current_setting('lo_compat_privileges') = 'off'
      AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
      AND NOT EXISTS (
        SELECT FROM pg_catalog.aclexplode(coalesce(o.lomacl, pg_catalog.acldefault('L', o.lomowner))) a
        WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))),
  'size', pg_catalog.pg_database_size(pg_catalog.current_database()),
  'connections', ${connectionsSql},
  'locks', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', l.relation::pg_catalog.regclass::pg_catalog.text, 'pid', l.pid,
      'seconds', coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start), 0))), '[]')
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND l.relation >= 16384))`

/** Asks the server for these facts, and whether a pooler is in between. */
export async function diagnose(context: QueryContext): Promise<Diagnosis & Pooling> {
  return { ...(await queryJson(sql, diagnosis, context)), ...(await detectPooler(context)) }
}

type Facts = Diagnosis & Pooling
type Judgement = Omit<Finding, 'about'>

/**
 * The meaning of the facts for a backup; pure. `server` is the one that was connected to, `port` its port. `loopback`: its address is one
 * of this machine, or of the SSH server of a tunnel.
 */
export function judge(about: string, facts: Facts, server: string, port: number | undefined, loopback: boolean): Finding[] {
  const judgements = [
    good('connection', `PostgreSQL ${facts.version}, as ${facts.user}`),
    encryption(facts, loopback),
    session(facts, server, port),
    freedom(facts),
    privileges(facts),
    rowSecurity(facts),
    ...largeObjects(facts),
    locks(facts),
    ...standby(facts),
    size(facts),
  ]
  return judgements.map((judgement) => ({ about, ...judgement }))
}

function good(check: string, says: string): Judgement {
  return { check, state: 'good', says }
}

function warning(check: string, says: string, fix: string): Judgement {
  return { check, state: 'warning', says, fix }
}

function bad(check: string, says: string, fix: string): Judgement {
  return { check, state: 'bad', says, fix }
}

function encryption({ tls, local }: Facts, loopback: boolean): Judgement {
  if (tls !== null) return good('encryption', tls)
  if (local) return good('encryption', 'a local socket')
  if (loopback) return good('encryption', 'in the clear, to a loopback address')
  const fix = 'Unless the network is private, add sslmode=require to the URL, or better sslmode=verify-full.'
  return warning('encryption', 'the connection is in the clear', fix)
}

function session({ pooled, direct, partial, port: listens }: Facts, server: string, port: number | undefined): Judgement {
  if (pooled) {
    const fix = `${useInstead({ server }, direct)}: pg_dump needs a session.`
    return bad('session', 'sessions share server processes: this is a pooler in transaction mode', fix)
  }
  if (partial !== undefined) {
    const says = `a second session failed, so a pooler in transaction mode may be overlooked: ${partial}`
    return warning('session', says, 'If it is a pooler, use its session mode, or the direct URL.')
  }
  if (port === undefined || listens === null || listens === port) return good('session', 'one session, one server process')
  const says = `the server listens on port ${listens}, not on ${port}: a pooler, a proxy or a forwarded port is in between`
  return warning('session', says, 'If it is a pooler, use its session mode, or the direct URL.')
}

/** Connections that a backup needs, and those at which it is sure to have them though clients come and go. */
const [NEEDED, SPARE] = [2, 4]

/** The session that asked is one of those counted. A pooler may have more: it gave a second session at the same time, or did not. */
function freedom({ connections, single }: Facts): Judgement {
  const free = freeOf(connections)
  const needs = marked`a backup needs two, or with ‹dump-jobs› its number and three more`
  if (free < SPARE) {
    const limit = tightestLimit(connections)
    const says = `the role may have ${formatCount(free, 'connection')} now, by ${limit}, and a backup needs ${NEEDED}`
    const judgement = single && free < NEEDED ? bad : warning
    return judgement('connections', says, `Raise ${limit}, or close idle connections: ${needs}.`)
  }
  if (!single) return good('connections', `${free.toLocaleString('en-US')} are free`)
  return warning('connections', 'a second session got no connection', `If a pooler is in between, give it more: ${needs}.`)
}

function privileges({ user, unreadable }: Facts): Judgement {
  if (unreadable.length === 0) return good('privileges', `the role ${user} may read every table and sequence`)
  return bad('privileges', `the role ${user} may not read ${namesText(unreadable)}`, `GRANT pg_read_all_data TO ${user}`)
}

function rowSecurity({ user, hidden }: Facts): Judgement {
  if (hidden.length === 0) return good('row security', `hides nothing from the role ${user}`)
  const fix = `ALTER ROLE ${user} BYPASSRLS, or dump as the owner.`
  return bad('row security', `rows of ${namesText(hidden)} are hidden from the role ${user}`, fix)
}

function largeObjects({ user, unreadableLargeObjects }: Facts): Judgement[] {
  if (unreadableLargeObjects === 0) return []
  const says = `the role ${user} may not read ${formatCount(unreadableLargeObjects, 'large object')}`
  return [bad('large objects', says, readLargeObjects(user))]
}

function locks({ locks }: Facts): Judgement {
  if (locks.length === 0) return good('locks', 'no table is locked')
  const told = locks.slice(0, 5).map(({ table, pid, seconds }) => {
    return `${table} has been locked for ${formatSeconds(Math.round(seconds))} by process ${pid}`
  })
  return warning('locks', told.join('; '), marked`A dump waits for ‹lock-timeout› at most: end that session, or run at another time.`)
}

function standby({ standby }: Facts): Judgement[] {
  if (!standby) return []
  const says = 'this server is a standby, which cancels long queries that block replay'
  return [warning('standby', says, 'Set max_standby_streaming_delay or hot_standby_feedback there, or dump from the primary.')]
}

function size({ size }: Facts): Judgement {
  const smaller = 'a dump has no indexes, and of most dumps a first backup stores a quarter to a third'
  return good('size', `${formatBytes(size)} on the server's disk; ${smaller}`)
}

function namesText(names: readonly string[]): string {
  return names.length === 20 ? `${names.join(', ')} and perhaps others` : names.join(', ')
}
