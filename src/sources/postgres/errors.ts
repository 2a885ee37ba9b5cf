import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { beginningOf } from '../../process/cut.ts'
import { installHint } from './clients.ts'
import type { Connection } from './connection.ts'

type Explanation = { problem: string; hint: string }
/** A pattern of PostgreSQL's own messages (LC_ALL=C), its problem and its hint. `where`: host:port/database; `role`: an SQL name. */
type Rule = [pattern: RegExp, describe: (match: RegExpExecArray, where: string, role: string) => Explanation]

const lost = new RegExp(
  ['server closed the connection unexpectedly', 'terminating connection due to', 'SSL connection has been closed unexpectedly',
    'connection to server was lost', 'could not receive data from server', 'could not send data to server',
    'no connection to the server'].join('|'),
)

/** `postmaster.c`: what a server says that starts, ends, or recovers. */
const RESTARTING = /the database system is (?:starting up|shutting down|in recovery mode|not (?:yet )?accepting connections)/

/** PostgreSQL's words, then those of pgbouncer, Supavisor and Odyssey. */
const noFreeConnection = new RegExp(
  ['too many clients already', 'remaining connection slots are reserved', 'too many connections for', 'no more connections allowed',
    'query_wait_timeout', 'max clients reached', 'too many (?:tcp )?connections',
    // RDS Proxy, pgcat.
    'timed-out waiting to acquire database connection', 'could not get connection from the pool',
    // It names no reason: psql was asked for it, and found none (globals.ts).
    'pg_dumpall: error: could not connect to database'].join('|'), 'i',
)

const LOCK_TIMEOUT =
  /canceling statement due to lock timeout|could not obtain lock|canceling statement due to statement timeout[^]*LOCK TABLE/
const FULL_LOCK_TABLE = /max_locks_per_transaction/
const NO_SNAPSHOT = /invalid snapshot identifier|could not import the requested snapshot|snapshot ".*" does not exist/

const transactionPooler = new RegExp(
  ['prepared statement ".*" (?:already exists|does not exist)', 'unsupported startup parameter', 'transaction pool',
    'transaction blocks not allowed in statement pooling'].join('|'),
  'i',
)

/** No predefined role may read all large objects. `role`: as an SQL name. */
export function readLargeObjects(role: string): string {
  return 'Dump as a superuser, or as a member of all owners of large objects. Or run this in psql as a superuser, again when there are ' +
    `new ones: SELECT format('GRANT SELECT ON LARGE OBJECT %s TO ${role}', oid) FROM pg_largeobject_metadata \\gexec`
}

// The first that matches wins: causes before their consequences.
const rules: Rule[] = [
  [
    /server version: (\S+).*; pg_dump version: (\S+)/,
    (m) => ({
      problem: `the server is PostgreSQL ${m[1]}, newer than pg_dump ${m[2]}`,
      hint: installHint(Number.parseInt(m[1]!, 10)),
    }),
  ],
  [
    /password authentication failed for user "(.*?)"/,
    (m, where) => ({
      problem: `${where} refused the password of user "${m[1]}"`,
      hint: 'Check user name and password of the URL; special characters of a password must be percent-encoded (%40 for @, %2F for /).',
    }),
  ],
  [
    /no password supplied|empty password returned/,
    (_, where) => ({
      problem: `${where} wants a password and none was given`,
      hint: 'Put it into the URL (postgres://user:password@host/database) or into PGPASSWORD.',
    }),
  ],
  [
    /role "(.*?)" does not exist/,
    (m, where) => ({
      problem: `${where} has no role "${m[1]}"`,
      hint: 'Check the user name of the URL.',
    }),
  ],
  [
    /database "(.*?)" does not exist/,
    (m, where) => ({
      problem: `there is no database "${m[1]}" at ${where}`,
      hint: marked`Check the end of the URL: postgres://user:password@host:5432/database; or, for a restore, ‹mode: create› makes it.`,
    }),
  ],
  [
    RESTARTING,
    (m, where) => ({
      problem: `${where} takes no connections: ${m[0]}`,
      hint: 'Wait until the server has started, and try again.',
    }),
  ],
  [
    /could not translate host name "(.*?)" to address/,
    (m) => ({
      problem: `unknown host "${m[1]}"`,
      hint: 'Check the host of the URL; a host of a private network is not known to hosted runners.',
    }),
  ],
  [
    /Network is unreachable|Cannot assign requested address/,
    (_, where) => ({
      problem: `cannot connect to ${where}: network unreachable`,
      hint:
        "If this host has only an IPv6 address, hosted runners cannot reach it: use the URL of the provider's session pooler " +
        '(Supabase: port 5432 of the pooler host), or a self-hosted runner.',
    }),
  ],
  [
    /Connection refused/,
    (_, where) => ({
      problem: `cannot connect to ${where}: connection refused`,
      hint: 'No server listens there: check host and port, and that the server is started and reachable from here.',
    }),
  ],
  [
    /No such file or directory\s+Is the server running locally/,
    (_, where) => ({
      problem: `cannot connect to ${where}: there is no such socket`,
      hint: 'Give a host in the URL or PGHOST, or check the socket directory.',
    }),
  ],
  [
    /timeout expired|Connection timed out|No route to host/,
    (_, where) => ({
      problem: `cannot connect to ${where}: no answer`,
      hint: "A firewall may drop the connection: allow this machine's address, or raise connect_timeout in the URL.",
    }),
  ],
  [
    /no pg_hba\.conf entry for .*(?:no encryption|SSL off)/,
    (_, where) => ({
      problem: `${where} does not accept this user from here without encryption`,
      hint: 'Add sslmode=require to the URL, or an entry to pg_hba.conf.',
    }),
  ],
  [
    /no pg_hba\.conf entry for (.*)/,
    (m, where) => ({
      problem: `${where} does not accept this connection: no pg_hba.conf entry for ${m[1]}`,
      hint: "Allow this address, user and database in pg_hba.conf or in the provider's network settings.",
    }),
  ],
  [
    /server does not support SSL, but SSL was required/,
    (_, where) => ({
      problem: `${where} does not offer encryption, and the URL requires it`,
      hint: 'Enable SSL at the server, or (inside a private network only) use sslmode=prefer.',
    }),
  ],
  [
    /(?:SSL\/TLS|SSL) (?:connection )?(?:is )?required|connection is insecure/i,
    (_, where) => ({
      problem: `${where} accepts encrypted connections only`,
      hint: 'Add sslmode=require to the URL.',
    }),
  ],
  [
    /certificate verify failed|root certificate file ".*" does not exist|server certificate for ".*" .*does not match host name/,
    (m, where) => ({
      problem: `cannot trust the certificate of ${where}: ${m[0]}`,
      hint: "Give the provider's root certificate with sslrootcert=FILE, or sslrootcert=system.",
    }),
  ],
  [
    noFreeConnection,
    (_, where) => ({
      problem: `${where} has no free connection`,
      hint:
        'Run at a quieter time, raise max_connections or the CONNECTION LIMIT of the role or database, or close idle connections; a ' +
        marked`backup needs two, or with ‹dump-jobs› its number and three more; a restore needs one more than ‹jobs›.`,
    }),
  ],
  [
    transactionPooler,
    (m, where) => ({
      problem: `${where} seems to be a pooler in transaction mode, or in statement mode: ${m[0]}`,
      hint: 'Use the direct URL or the session pooler (Supabase: port 5432, not 6543): pg_dump needs a session.',
    }),
  ],
  [
    /permission denied to create database/,
    (_, where, role) => ({
      problem: `this role may not create a database at ${where}`,
      hint: marked`Run ALTER ROLE ${role} CREATEDB, or create the database yourself and restore with ‹mode: empty›.`,
    }),
  ],
  [
    /query would be affected by row-level security policy for table "(.*?)"/,
    (m, _, role) => ({
      problem: `row-level security hides rows of table "${m[1]}" from this role; a backup without them would be incomplete`,
      hint: `Use a role that sees all rows: ALTER ROLE ${role} BYPASSRLS, or the owner of the table.`,
    }),
  ],
  [
    /permission denied for large object (\d+)/,
    (m, where, role) => ({
      problem: `permission denied for large object ${m[1]} at ${where}`,
      hint: readLargeObjects(role),
    }),
  ],
  [
    /permission denied for function "?([^"\n]+)"?/,
    (m, where, role) => ({
      problem: `permission denied for function ${m[1]} at ${where}`,
      hint: `As a superuser run in that database GRANT EXECUTE ON FUNCTION ${m[1]} TO ${role}.`,
    }),
  ],
  [
    /permission denied for (table|sequence|schema|view|materialized view|foreign table) "?([^"\n]+)"?/,
    (m, where, role) => ({
      problem: `permission denied for ${m[1]} ${m[2]} at ${where}`,
      hint: `As a superuser run GRANT pg_read_all_data TO ${role}; then the role can read every table and sequence, but not the large ` +
        'objects of other roles.',
    }),
  ],
  // pg_dump keeps --lock-wait-timeout with statement_timeout.
  [
    LOCK_TIMEOUT,
    (_, where) => ({
      problem: marked`a table at ${where} stayed locked by another session for longer than ‹lock-timeout›`,
      hint: marked`Run when no migration or ALTER TABLE does, or raise ‹lock-timeout›.`,
    }),
  ],
  [
    NO_SNAPSHOT,
    (_, where) => ({
      problem: `${where} does not have the snapshot that the other pg_dump of this backup use`,
      hint: marked`Several servers may be behind this address: give that of one of them, or ‹dump-jobs: 1›.`,
    }),
  ],
  [
    FULL_LOCK_TABLE,
    (_, where) => ({
      problem: `${where} has too small a lock table for this many tables`,
      hint: 'Raise max_locks_per_transaction at the server.',
    }),
  ],
  [
    /No space left on device/,
    (m, where) => ({
      problem: `a disk is full at ${where}: ${m[0]}`,
      hint: 'Free space at the server.',
    }),
  ],
  [
    /due to conflict with recovery/,
    (_, where) => ({
      problem: `${where} is a standby, and ended a query of this run to follow its primary`,
      hint: 'Set hot_standby_feedback there, or raise max_standby_streaming_delay; or use the URL of the primary.',
    }),
  ],
  [
    lost,
    (_, where) => ({
      problem: `the connection to ${where} was cut`,
      hint: 'The server restarted, ended the session (as a standby does to follow its primary), or the network failed: look into its ' +
        'log and try again.',
    }),
  ],
]

export type Activity = 'query' | 'dump' | 'restore'
const doing: Record<Activity, string> = { query: 'asking', dump: 'dumping', restore: 'restoring into' }

/**
 * The failure of a client program as an error for the user. Errors other than a `ChildError` (an interruption, a LifeboatError) are
 * returned unchanged. Messages without a rule are kept, with every secret of the connection removed.
 */
export function clientError(
  error: unknown,
  activity: Activity,
  connection: Pick<Connection, 'where' | 'secrets'> & Partial<Pick<Connection, 'environment'>>,
): unknown {
  if (!(error instanceof ChildError)) return error
  const stderr = withoutParameters(withoutQueries(blot(error.exit.stderr, connection.secrets)))
  const cause = new Error(lastLines(stderr) || error.message)
  // A signal has no reason among the messages.
  for (const [pattern, describe] of error.exit.signal === null ? rules : []) {
    const match = pattern.exec(stderr)
    if (!match) continue
    const { problem, hint } = describe(match, connection.where, roleOf(connection.environment))
    return new LifeboatError(`${problem}${named(stderr)}`, { hint, cause })
  }
  const text = lastLines(stderr)
  return new LifeboatError(`${doing[activity]} ${connection.where}: ${error.message}${text && `\n${text}`}`, {
    hint: hintForEnding(error, stderr),
    cause,
  })
}

/** The role as an SQL name. A user with other characters may be that of a pooler (`postgres.project`), which is no role. */
function roleOf(environment: Connection['environment'] = {}): string {
  const user = environment['PGUSER'] ?? ''
  return /^[A-Za-z0-9_-]+$/.test(user) ? `"${user}"` : 'the_role'
}

/** Whether an error that `clientError` gave, or the text of one, tells of a connection that could not be made or was cut. */
export function connectionFailed(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const text = `${error.message}\n${error.cause instanceof Error ? error.cause.message : ''}`
  return (
    lost.test(text) ||
    /Connection refused|Connection reset|Broken pipe|SSL SYSCALL error|could not send|timeout expired/.test(text)
  )
}

/** Whether the server may answer soon: an error that `clientError` gave says that it restarts, or broke off. */
export function comesBack(error: unknown): boolean {
  return connectionFailed(error) || (error instanceof Error && RESTARTING.test(error.message))
}

/** Whether an error that `clientError` gave says that the server has no connection to give, or did not accept one in time. */
export function noConnectionIsFree(error: unknown): boolean {
  if (!(error instanceof LifeboatError && error.cause instanceof Error)) return false
  return noFreeConnection.test(error.cause.message) || /timeout expired|Connection timed out/.test(error.cause.message)
}

/** Whether an error that `clientError` gave says that another session had locked a table for too long. */
export function lockTimedOut(error: unknown): boolean {
  return error instanceof LifeboatError && error.cause instanceof Error && LOCK_TIMEOUT.test(error.cause.message)
}

/** Whether an error that `clientError` gave says that the server can lock no more tables. */
export function lockTableIsFull(error: unknown): boolean {
  return error instanceof LifeboatError && error.cause instanceof Error && FULL_LOCK_TABLE.test(error.cause.message)
}

/** Whether an error that `clientError` gave says that the server does not have the snapshot that pg_dump should take over. */
export function snapshotIsMissing(error: unknown): boolean {
  return error instanceof LifeboatError && error.cause instanceof Error && NO_SNAPSHOT.test(error.cause.message)
}

/** For a program that a signal ended, directly or by its own handler. */
function hintForEnding({ exit, program }: ChildError, stderr: string): string | undefined {
  if (exit.signal === null && !/terminated by user/.test(stderr)) return undefined
  return `Something on this machine ended ${program}, often the system when memory runs out: look into its log (dmesg), then try again.`
}

/**
 * The server's own words when it refused a query of a client program (no privilege, an object it lacks); undefined for every other failure.
 * The word before the message follows the server's language: ERROR, FEHLER. FATAL is FATAL, and the end of the connection.
 */
export function refusal(error: unknown, connection: Pick<Connection, 'secrets'>): string | undefined {
  if (!(error instanceof ChildError) || error.exit.status === null) return undefined
  return /query failed: (?!FATAL|PANIC)[^\s:]+: {2}(.*)/.exec(blot(error.exit.stderr, connection.secrets))?.[1]
}

/** A text without the secrets in it, but for those too short to be told from other text. */
export function blot(text: string, secrets: readonly string[]): string {
  return secrets
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, secret) => (secret.length > 3 ? text.replaceAll(secret, '***') : text), text)
}

/** The table a failed LOCK TABLE or COPY names, which the message itself may not. */
function named(stderr: string): string {
  const statement = /(?:LOCK TABLE|COPY) ((?:"(?:[^"]|"")+"|[^\s("]+)+)[^\n]*/.exec(stderr)
  if (!statement || !/lock timeout|could not obtain lock|statement timeout/.test(stderr)) return ''
  return ` (among: ${beginningOf(statement[0], 300)})`
}

/** A failed query can be longer than every message: its first line tells enough. */
function withoutQueries(stderr: string): string {
  const query = /^((?:pg_\w+: )?(?:detail: )?(?:(?:Query|Command) was|STATEMENT): .*)(?:\n(?!pg_\w+: ).*)*/gm
  return stderr.replaceAll(query, (_, beginning: string) => beginningOf(beginning, 1000))
}

/** pg_dumpall calls the parameters of a connection a database. */
function withoutParameters(stderr: string): string {
  return stderr.replaceAll(/^(pg_dumpall: error: could not connect to database) ".*"$/gm, '$1')
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-20).join('\n')
}
