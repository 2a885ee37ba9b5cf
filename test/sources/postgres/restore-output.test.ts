import { atTerminal } from '../../../src/cli/spelling.ts'
import { LifeboatError } from '../../../src/error.ts'
import { marked, spelled } from '../../../src/marks.ts'
import { ChildError } from '../../../src/process/child.ts'
import { clientError } from '../../../src/sources/postgres/errors.ts'
import { hintFor, parseRestoreOutput, rolesHint, withoutRows } from '../../../src/sources/postgres/restore-output.ts'

const none = { noOwner: false, noPrivileges: false }

/** The hint about roles for a server. */
const roles = (stored: boolean): string =>
  rolesHint({ environment: { PGHOST: 'db one', PGPORT: '5433', PGUSER: 'admin', PGPASSWORD: 'hunter2' } }, '20261120T020000Z-5f3a9c1e', 'app', stored)

// Output of pg_restore 17, LC_ALL=C.
const printed = `pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
Command was: SET transaction_timeout = 0;
pg_restore: error: could not execute query: ERROR:  role "gone" does not exist
Command was: ALTER TABLE public.theirs OWNER TO gone;

pg_restore: error: could not execute query: ERROR:  syntax error
LINE 2: more
        ^
Command was: CREATE FUNCTION f()
  second line
pg_restore: warning: there are circular foreign-key constraints on this table:
pg_restore: detail: a
pg_restore: error: COPY failed for table "t": ERROR:  duplicate key value violates unique constraint "t_pkey"
DETAIL:  Key (id)=(1) already exists.
CONTEXT:  COPY t, line 1
pg_restore: warning: errors ignored on restore: 4
`

test('every error is one text, settings of newer servers apart', () => {
  expect(parseRestoreOutput(printed)).toEqual({
    errors: [
      'role "gone" does not exist: ALTER TABLE public.theirs OWNER TO gone;',
      'syntax error\nLINE 2: more\n        ^: CREATE FUNCTION f()',
      'COPY failed for table "t": duplicate key value violates unique constraint "t_pkey" (line 1)',
    ],
    warnings: ['there are circular foreign-key constraints on this table:'],
    finished: true,
    unknownSettings: ['transaction_timeout'],
  })
})

test.each([
  ['COPY failed for table "b": ERROR:  new row for relation "b" violates check constraint "b_check"\nDETAIL:  Failing row contains (1, hunter2).\nCONTEXT:  COPY b, line 1: "1\thunter2"',
    'COPY failed for table "b": new row for relation "b" violates check constraint "b_check" (line 1)'],
  ['COPY failed for table "b": ERROR:  invalid input syntax for type integer: "hun\nter"2"\nCONTEXT:  COPY b, line 3, column a: "hunter2"',
    'COPY failed for table "b": invalid input syntax for type integer (line 3, column a)'],
  ['COPY failed for table "b": ERROR:  value "hunter2" is out of range for type integer\nCONTEXT:  COPY b, line 3, column a: "hunter2"',
    'COPY failed for table "b": a value is out of range for type integer (line 3, column a)'],
  ['COPY failed for table "b": FEHLER:  doppelter Schlüsselwert verletzt Unique-Constraint »b_pkey«\nDETAIL:  Schlüssel »(a)=(hunter2)« existiert bereits.\nCONTEXT:  COPY b, Zeile 2',
    'COPY failed for table "b": an error whose text may quote rows, so that it is not shown'],
  ['COPY failed for table "b": ERROR:  could not extend file "base/5/16384": No space left on device\nHINT:  Check free disk space.\nCONTEXT:  COPY b, line 7: "hunter2"',
    'COPY failed for table "b": could not extend file "base/5/16384": No space left on device (line 7)'],
  ["could not execute query: ERROR:  new row for relation \"b\" violates check constraint \"b_check\"\nDETAIL:  Failing row contains (1, hunter2).\nCommand was: INSERT INTO public.b VALUES (1, 'hunter2');",
    'new row for relation "b" violates check constraint "b_check": INSERT INTO public.b'],
  ['could not execute query: ERROR:  invalid input syntax for type json\nDETAIL:  Token "hunter2" is invalid.\nCONTEXT:  JSON data, line 1: hunter2\nCommand was: CREATE INDEX i ON public.b USING btree (((a)::json));',
    'invalid input syntax for type json: CREATE INDEX i ON public.b USING btree (((a)::json));'],
  ['could not execute query: ERROR:  relation "rates" does not exist\nCONTEXT:  PL/pgSQL function public.f(integer) line 1 at RETURN\nCommand was: REFRESH MATERIALIZED VIEW public.m;',
    'relation "rates" does not exist\nCONTEXT:  PL/pgSQL function public.f(integer) line 1 at RETURN: REFRESH MATERIALIZED VIEW public.m;'],
  ['could not execute query: ERROR:  could not create unique index "b_pkey"\nDETAIL:  Key (a)=(hunter2) is duplicated.\nCommand was: ALTER TABLE ONLY public.b ADD PRIMARY KEY (a);',
    'could not create unique index "b_pkey": ALTER TABLE ONLY public.b ADD PRIMARY KEY (a);'],
])('no value of a row is in the text of an error: %j', (message, shown) => {
  expect(parseRestoreOutput(`pg_restore: error: ${message}\n`).errors).toEqual([shown])
})

function told(failed: ChildError): LifeboatError {
  const secrets = ['a hunter2']
  const error = clientError(withoutRows(failed, secrets), 'restore', { where: 'h/app', secrets })
  if (error instanceof LifeboatError) return error
  throw new Error('not explained')
}

const rows = `pg_restore: error: COPY failed for table "b": ERROR:  duplicate key value violates unique constraint "b_pkey"
DETAIL:  Key (a)=(hunter2) already exists.
CONTEXT:  COPY b, line 1
pg_restore: error: could not execute query: ERROR:  role "gone" does not exist
Command was: ALTER TABLE public.theirs OWNER TO gone;
`

test.each([
  [{ status: null, signal: 'SIGKILL' }, rows, 'pg_restore was ended by SIGKILL\nCOPY failed for table "b": duplicate key value violates unique constraint "b_pkey" (line 1)\n' +
    'role "gone" does not exist: ALTER TABLE public.theirs OWNER TO gone;', 'often the system when memory runs out'],
  [{ status: 127, signal: null }, '/usr/bin/pg_restore: error while loading shared libraries: libpq.so.5', 'pg_restore ended with exit status 127\n/usr/bin/pg_restore: error while loading', undefined],
  [{ status: 1, signal: null }, `${rows}pg_restore: error: could not read from input file: a hunter2`, 'has no role "gone"', 'Check the user name'],
] as const)('an error of a pg_restore that broke off with %j has no values of rows', (ending, stderr, shown, hint) => {
  const failed = new ChildError('pg_restore', { ...ending, stderr })
  const error = told(failed)
  expect(error.message).toContain(shown)
  expect(error.hint ?? '').toContain(hint ?? '')
  expect(`${error.message}${String(error.cause)}`).not.toContain('hunter2')
})

test.each([
  ['could not execute query: FATAL:  terminating connection due to administrator command\nserver closed the connection unexpectedly\n\tThis probably means', true],
  ['could not execute query: no connection to the server\nCommand was: CREATE TABLE public.a', true],
  ['COPY failed for table "a": FATAL:  terminating connection due to administrator command\nCONTEXT:  COPY a, line 1\nserver closed the connection unexpectedly', true],
  ['error returned by PQputCopyData: server closed the connection unexpectedly', true],
  ['could not execute query: ERROR:  server closed the connection unexpectedly\n\tThis probably means\nCONTEXT:  remote SQL command: SELECT', false],
  ['could not execute query: ERROR:  could not connect to server "other"\nDETAIL:  connection to server at "other" failed: server closed the connection unexpectedly', false],
])('pg_restore that goes on after it has lost its own session: %j is told as that, whatever failed before', (message, isLost) => {
  const stderr = `${rows}pg_restore: error: ${message}\npg_restore: error: could not execute query: ERROR:  x\npg_restore: warning: errors ignored on restore: 4\n`
  expect(parseRestoreOutput(stderr).lost !== undefined).toBe(isLost)
  const error = told(new ChildError('pg_restore', { status: 1, signal: null, stderr }))
  expect(error.message === 'the connection to h/app was cut').toBe(isLost)
})

test('silence is no error', () => {
  expect(parseRestoreOutput('')).toEqual({ errors: [], warnings: [], finished: false, unknownSettings: [] })
})

test('a statement that holds a password is not shown', () => {
  const { errors } = parseRestoreOutput(
    `pg_restore: error: could not execute query: ERROR:  server "s" does not exist\nCommand was: CREATE USER MAPPING FOR u SERVER s OPTIONS (\n    password 'hunter2'\n);\n`,
  )
  expect(errors).toEqual(['server "s" does not exist'])
})

test.each([
  ['role "gone" does not exist', marked`‹no-owner: true› and ‹no-privileges: true›`],
  ['must be owner of table t', marked`Restore as the owner of these tables, or into a new database (‹mode: create›).`],
  ['permission denied to create extension "x"', 'no-owner'],
  ['extension "postgis" is not available', 'Install the missing extension'],
  ['canceling statement due to lock timeout', marked`or restore the whole database with ‹mode: swap›.`],
  ['could not extend file: No space left on device', 'The disk of the target server'],
])('%s has a hint', (error, hint) => {
  expect(hintFor([error], roles(true), none)).toContain(hint)
})

test('missing roles are created with lines that work as they stand, where the backup has them', () => {
  expect(spelled(hintFor(['role "gone" does not exist'], roles(true), none)!, atTerminal('lifeboat'))).toMatch(
    /missing here \(gone\).*Read globals\.sql between them: .* roles that exist\..*\n {2}`lifeboat extract --snapshot 20261120T020000Z-5f3a9c1e --source app --path globals\.sql --output globals\.sql`\n {2}psql -h 'db one' -p 5433 -U admin -d postgres -f globals\.sql\nOr restore with --no-owner and --no-privileges\.$/,
  )
  expect(hintFor(['role "gone" does not exist'], roles(false), none)).not.toContain('globals.sql')
})

test('no hint recommends an input that was given', () => {
  for (const error of ['role "gone" does not exist', 'permission denied for table x']) {
    expect(hintFor([error], roles(true), { noOwner: true, noPrivileges: true })).not.toMatch(/no-owner|no-privileges/)
    expect(hintFor([error], roles(true), { noOwner: true, noPrivileges: false })).not.toMatch(/no-owner/)
  }
})

test('an error that nothing is known to help against has no hint', () => {
  expect(hintFor(['syntax error'], '', none)).toBeUndefined()
})
