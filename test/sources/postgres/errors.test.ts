import { ChildError } from '../../../src/process/child.ts'
import { LifeboatError } from '../../../src/error.ts'
import { marked } from '../../../src/marks.ts'
import { clientError, lockTableIsFull, lockTimedOut, noConnectionIsFree, refusal } from '../../../src/sources/postgres/errors.ts'

const connection = { where: 'db.example:5432/app', secrets: ['postgres://u:hunter2@db.example/app', 'hunter2'] }
const failed = (stderr: string, exit: Partial<ChildError['exit']> = {}) => new ChildError('pg_dump', { status: 1, signal: null, stderr, ...exit })

function explained(stderr: string): LifeboatError {
  const error = clientError(failed(stderr), 'dump', connection)
  if (error instanceof LifeboatError) return error
  throw new Error('not explained')
}

test.each([['backup', '"backup"'], ['App-1', '"App-1"'], ['postgres.project', 'the_role'], [undefined, 'the_role']])('a hint to grant something names the role %s', (PGUSER, role) => {
  const environment: Record<string, string> = PGUSER === undefined ? {} : { PGUSER }
  const error = clientError(failed('ERROR:  permission denied for table orders'), 'dump', { ...connection, environment })
  expect(error).toMatchObject({ hint: `As a superuser run GRANT pg_read_all_data TO ${role}; then the role can read every table and sequence, but not the large objects of other roles.` })
})

// Messages of PostgreSQL's programs, LC_ALL=C; those that tests with real servers provoke are not repeated here.
test.each([
  [
    'pg_dump: error: connection to server at "db.example" (2a05:d014::1), port 5432 failed: Network is unreachable\n\tIs the server running on that host and accepting TCP/IP connections?',
    'cannot connect to db.example:5432/app: network unreachable',
    'session pooler',
  ],
  ['psql: error: connection to server at "db.example" (10.0.0.1), port 5432 failed: timeout expired', 'no answer', 'firewall'],
  ['psql: error: connection to server at "db.example" (10.0.0.1), port 5432 failed: Connection timed out', 'no answer', 'firewall'],
  ['psql: error: connection to server on socket "/tmp/.s.PGSQL.5432" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?', 'no such socket', 'PGHOST'],
  ['FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "app", no encryption', 'without encryption', 'sslmode=require'],
  ['FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "app", SSL off', 'without encryption', 'sslmode=require'],
  ['FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "app", SSL encryption', 'no pg_hba.conf entry for host "10.0.0.1"', 'Allow this address'],
  ['psql: error: connection to server failed: ERROR: connection is insecure (try using `sslmode=require`)', 'encrypted connections only', 'sslmode=require'],
  ['psql: error: connection to server failed: SSL error: certificate verify failed', 'cannot trust the certificate', 'sslrootcert'],
  ['psql: error: root certificate file "/root/.postgresql/root.crt" does not exist', 'cannot trust the certificate', 'sslrootcert'],
  ['psql: error: fe_sendauth: no password supplied', 'wants a password and none was given', 'PGPASSWORD'],
  ['FATAL:  role "u" does not exist', 'has no role "u"', 'user name'],
  ['FATAL:  database "d" does not exist', 'there is no database "d"', marked`for a restore, ‹mode: create› makes it`],
  ['FATAL:  sorry, too many clients already', 'has no free connection', 'max_connections'],
  ['FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute', 'has no free connection', 'max_connections'],
  ['FATAL:  Timed-out waiting to acquire database connection', 'has no free connection', 'a backup needs two'],
  ['FATAL:  could not get connection from the pool', 'has no free connection', 'a backup needs two'],
  [`pg_dumpall: error: could not connect to database "keepalives='1'"`, 'has no free connection', 'a backup needs two'],
  ['pg_dump: error: server version: 17.5; pg_dump version: 15.14\npg_dump: error: aborting because of server version mismatch', 'the server is PostgreSQL 17.5, newer than pg_dump 15.14', 'postgresql-client-17'],
  ['pg_dump: error: query failed: ERROR:  prepared statement "pgbouncer_1" does not exist', 'pooler in transaction mode', 'session pooler'],
  ['psql: error: FATAL:  unsupported startup parameter in options: search_path', 'pooler in transaction mode', 'session pooler'],
  ['pg_dump: error: query failed: ERROR:  permission denied for sequence orders_id_seq\npg_dump: detail: Query was: SELECT last_value', 'permission denied for sequence orders_id_seq', 'pg_read_all_data'],
  ['pg_dump: error: query failed: ERROR:  permission denied for function pg_postmaster_start_time', 'permission denied for function', 'GRANT EXECUTE ON FUNCTION pg_postmaster_start_time TO'],
  ['pg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\nERROR: could not write to file "base/pgsql_tmp/x": No space left on device', 'a disk is full', 'Free space'],
  ['pg_dump: error: query failed: server closed the connection unexpectedly', 'the connection to db.example:5432/app was cut', 'try again'],
  ['pg_dump: error: query failed: FATAL:  terminating connection due to administrator command', 'was cut', 'try again'],
])('%j', (stderr, message, hint) => {
  const error = explained(stderr)
  expect(error.message).toContain(message)
  expect(error.hint).toContain(hint)
})

test('the parameters that pg_dumpall calls a database are left out', () => {
  expect(explained(`pg_dumpall: error: could not connect to database "keepalives_idle='60'"`).cause).toMatchObject({ message: 'pg_dumpall: error: could not connect to database' })
})

test('servers and poolers say in these words that no connection is free', () => {
  for (const said of ['sorry, too many clients already', 'Timed-out waiting to acquire database connection', 'could not get connection from the pool'])
    expect(noConnectionIsFree(explained(`FATAL:  ${said}`))).toBe(true)
  expect(noConnectionIsFree(explained('FATAL:  role "u" does not exist'))).toBe(false)
})

test('a message that no rule knows passes through', () => {
  expect(explained('pg_dump: error: something new\npg_dump: detail: more').message).toBe(
    'dumping db.example:5432/app: pg_dump ended with exit status 1\npg_dump: error: something new\npg_dump: detail: more',
  )
})

test('the query that pg_dump repeats hides no error, however long it is', () => {
  const query = `pg_dump: detail: Query was: SELECT\n${Array.from({ length: 50 }, (_, column) => `t.column_${column},`).join('\n')}\nFROM t`
  const memory = 'pg_dump: error: query failed: ERROR:  out of shared memory\nHINT:  You might need to increase "max_locks_per_transaction".'
  expect(lockTableIsFull(explained(`${memory}\n${query}`))).toBe(true)
  expect(explained(`pg_dump: error: query failed: ERROR:  something new\n${query}\npg_dump: detail: more`).message).toBe(
    'dumping db.example:5432/app: pg_dump ended with exit status 1\npg_dump: error: query failed: ERROR:  something new\n' +
      'pg_dump: detail: Query was: SELECT\npg_dump: detail: more',
  )
  const locks = `pg_dump: detail: Query was: LOCK TABLE ${Array.from({ length: 5000 }, (_, table) => `public.orders_of_${table}`).join(', ')} IN ACCESS SHARE MODE`
  const waited = explained(`pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout\n${locks}`)
  expect(lockTimedOut(waited)).toBe(true)
  expect(waited.message).toMatch(/lock-timeout.* \(among: LOCK TABLE public\.orders_of_0, .{100,300}\)$/)
})

test('of a long message the end is kept', () => {
  const lines = explained(Array.from({ length: 1000 }, (_, line) => `line ${line}`).join('\n')).message.split('\n')
  expect(lines).toHaveLength(21)
  expect(lines.at(-1)).toBe('line 999')
})

test('no secret of the connection is left in it', () => {
  const error = explained('invalid dsn "postgres://u:hunter2@db.example/app" with hunter2')
  expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain('hunter2')
})

test('an error that is no failure of a program is returned unchanged', () => {
  const error = new Error('interrupted')
  expect(clientError(error, 'dump', connection)).toBe(error)
})

test('a refusal is the answer of a server, nothing else', () => {
  expect(refusal(failed('pg_dumpall: error: query failed: ERROR:  permission denied for table pg_authid\npg_dumpall: detail: Query was: x'), connection)).toBe(
    'permission denied for table pg_authid',
  )
  expect(refusal(failed('pg_dumpall: error: query failed: FEHLER:  keine Berechtigung\npg_dumpall: detail: Query was: x'), connection)).toBe('keine Berechtigung')
  expect(refusal(failed('pg_dumpall: error: query failed: FATAL:  terminating connection due to administrator command'), connection)).toBeUndefined()
  expect(refusal(failed('pg_dumpall: error: query failed: server closed the connection unexpectedly'), connection)).toBeUndefined()
  expect(refusal(failed('pg_dumpall: error: query failed: ERROR:  x', { status: null, signal: 'SIGKILL' }), connection)).toBeUndefined()
  expect(refusal(new Error('interrupted'), connection)).toBeUndefined()
})
