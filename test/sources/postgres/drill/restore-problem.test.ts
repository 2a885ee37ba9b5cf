import { missingIn, type RestoreError, restoreProblem } from '../../../../src/sources/postgres/drill/restore-problem.ts'
import { BadSource } from '../../../../src/sources/source.ts'

const sameMajor = { major: 17, dumpMajor: 17 }

test.each([
  ['COPY failed for table "t": ERROR:  invalid input value for enum public.e: "hunter2"\nCONTEXT:  COPY t, line 3, column c: "hunter2"', 'COPY failed for table "t": invalid input value for enum public.e (line 3, column c)'],
  ['COPY failed for table "t": ERROR:  value "hunter2" is out of range for type integer\nCONTEXT:  COPY t, line 1, column c: "hunter2"', 'COPY failed for table "t": a value is out of range for type integer (line 1, column c)'],
  ['COPY failed for table "t": ERROR:  malformed array literal: "hunter2"\nDETAIL:  x', 'COPY failed for table "t": malformed array literal'],
  ['COPY failed for table "t": ERROR:  "h" is not a valid binary digit\nCONTEXT:  COPY t, line 1, column b: "hunter2"', 'COPY failed for table "t": a value is not a valid binary digit (line 1, column b)'],
  ['COPY failed for table "t": ERROR:  invalid cidr value: "10.0.0.1/8"\nDETAIL:  Value has bits set to right of mask.\nCONTEXT:  COPY t, line 1, column c: "10.0.0.1/8"', 'COPY failed for table "t": invalid cidr value (line 1, column c)'],
  ['COPY failed for table "t": ERROR:  syntax error in tsvector: "hunter2:"\nCONTEXT:  COPY t, line 4, column v: "hunter2:"', 'COPY failed for table "t": syntax error in tsvector (line 4, column v)'],
  ['COPY failed for table "t": ERROR:  range lower bound must be less than or equal to range upper bound\nCONTEXT:  COPY t, line 1, column r: "[7,2)"', 'COPY failed for table "t": range lower bound must be less than or equal to range upper bound (line 1, column r)'],
  ['COPY failed for table "t": ERROR:  conflicting key value violates exclusion constraint "t_r_excl"\nDETAIL:  Key (r)=(7) conflicts\nCONTEXT:  COPY t, line 2', 'COPY failed for table "t": conflicting key value violates exclusion constraint "t_r_excl" (line 2)'],
  ['null value in column "d" of relation "t" violates not-null constraint: INSERT INTO t VALUES (\'hunter2\')', 'null value in column "d" of relation "t" violates not-null constraint'],
])('of the error %j no row is shown', (told, message) => {
  const problem = restoreProblem([{ told, step: 'rows' }], sameMajor)
  expect(problem).toBeInstanceOf(BadSource)
  expect(problem.message).toBe(`it cannot be restored: ${message}`)
})

test.each<[RestoreError['step'], string, string | undefined]>([
  ['constraints', 'relation "rates" does not exist\nLINE 1: x\nQUERY:  SELECT\nCONTEXT:  PL/pgSQL function public.f(integer) line 1 at RETURN: CREATE INDEX', 'rates'],
  ['definitions', 'function g(integer) does not exist\nHINT:  No function matches\nCONTEXT:  SQL function "f" during inlining', 'g('],
  ['constraints', 'type "kind" does not exist', 'kind'],
  // Perhaps of another version of an extension, or after an error before it.
  ['definitions', 'relation "public.rates" does not exist', undefined],
  ['definitions', 'column s.total_time does not exist', undefined],
  ['definitions', 'role "app" does not exist', undefined],
  ['definitions', 'collation "german" for encoding "UTF8" does not exist', undefined],
  ['constraints', 'relation "rates" does not exist\nCONTEXT:  PL/pgSQL function public.f(integer) line 1 at RAISE', undefined],
  ['views', 'relation "rates" does not exist\nCONTEXT:  PL/pgSQL function public.f(integer) line 1 at RETURN', undefined],
])('in the step of %s, the error %j is about the name %j without a schema', (step, told, name) => {
  expect(missingIn({ step, told })).toBe(name)
})

test('an error names its entry', () => {
  const told = 'relation "rates" does not exist\nCONTEXT:  SQL statement "hunter2": CREATE INDEX ti ON public.t USING btree (f(a, \'hunter2\'))'
  const error: RestoreError = { told, step: 'constraints' }
  expect(restoreProblem([error], { ...sameMajor, unqualified: true })).toMatchObject({ message: 'it cannot be restored with pg_restore: CREATE INDEX ti: relation "rates" does not exist' })
  expect(restoreProblem([error], sameMajor).message).toBe('the scratch server cannot take this database: CREATE INDEX ti: an error whose text may quote rows, so that it is not shown')
})

test('a missing role with a line end in its name is not the fault of the backup', () => {
  expect(restoreProblem([{ told: 'role "two\nlines" does not exist: ALTER TABLE t OWNER TO "two', step: 'definitions' }], sameMajor)).not.toBeInstanceOf(BadSource)
})

test('a bad row decides, whatever the server could not do for other tables', () => {
  const [full, bad]: [RestoreError, RestoreError] = [
    { told: 'COPY failed for table "a": ERROR:  could not extend file "base/1/2": No space left on device', step: 'rows' },
    { told: 'COPY failed for table "b": ERROR:  value too long for type character varying(3)\nCONTEXT:  COPY b, line 2, column c: "hunter2"', step: 'rows' },
  ]
  expect(restoreProblem([full], sameMajor)).not.toBeInstanceOf(BadSource)
  const problem = restoreProblem([full, bad], sameMajor)
  expect(problem).toBeInstanceOf(BadSource)
  expect(problem.message).toBe('it cannot be restored: COPY failed for table "b": value too long for type character varying(3) (line 2, column c), and 1 more errors')
})

const CHECK = 'check constraint "positive" of relation "t" is violated by some row: ALTER TABLE public.t'

test.each<[RestoreError['step'], string]>([
  ['constraints', CHECK],
  ['constraints', 'could not create unique index "t_pkey"\nDETAIL:  Key (id)=(1) is duplicated.: ALTER TABLE ONLY public.t'],
  ['constraints', 'insert or update on table "t" violates foreign key constraint "t_fkey"\nDETAIL:  x: ALTER TABLE ONLY public.t'],
  ['constraints', 'could not create exclusion constraint "t_r_excl"\nDETAIL:  Key (r)=([1,5)) conflicts with key (r)=([2,7)).: ALTER TABLE ONLY public.t'],
  ['rows', 'COPY failed for table "t": ERROR:  invalid input syntax for type json\nDETAIL:  Token "h" is invalid.\nCONTEXT:  JSON data, line 1: h...\nCOPY t, line 1, column js: "hunter2"'],
  ['constraints', 'could not create unique index "t_pkey"\nDETAIL:  Key (id)=(1) is duplicated.\nCONTEXT:  parallel worker: ALTER TABLE ONLY public.t'],
  ['rows', 'could not read from input file: end of file'],
  ['rows', 'unrecognized data block type (0) while searching archive'],
  ['definitions', 'entry ID 0 out of range -- perhaps a corrupt TOC'],
])('in the step of %s, the error %j is one of the backup', (step, told) => {
  expect(restoreProblem([{ told, step }], sameMajor)).toBeInstanceOf(BadSource)
})

test.each<[RestoreError['step'], string]>([
  ['rows', 'error returned by PQputCopyData: server closed the connection unexpectedly\n\tThis probably means'],
  ['rows', 'error returned by PQputCopyEnd: no connection to the server'],
  ['rows', 'COPY failed for table "t": FATAL:  terminating connection due to administrator command'],
  ['rows', 'COPY failed for table "t": ERROR:  an error that nobody knows'],
  ['definitions', 'could not execute query: server closed the connection unexpectedly\n\tThis probably means'],
  ['constraints', 'terminating connection because of crash of another server process\nDETAIL:  x'],
  ['constraints', 'connection to server on socket "/x/.s.PGSQL.5432" failed: FATAL:  the database system is in recovery mode'],
  // Any error that is not about rows, in any language.
  ['definitions', 'ein Fehler, den niemand kennt: CREATE TABLE public.t'],
  ['constraints', 'relation "settings" does not exist\nCONTEXT:  SQL function "f" during inlining: CREATE INDEX i'],
  ['last', 'must be owner of table t: CREATE EVENT TRIGGER'],
  // A view that has not been filled for a long time, and functions, which can say anything.
  ['views', 'invalid input syntax for type integer: "x": REFRESH MATERIALIZED VIEW public.v'],
  ['constraints', `${CHECK}\nCONTEXT:  PL/pgSQL function f(integer) line 1 at RAISE`],
  ['rows', 'COPY failed for table "aa": ERROR:  invalid input syntax for type integer: "none"\nCONTEXT:  PL/pgSQL function public.f(integer) line 1 at RETURN\nCOPY aa, line 1, column id: "1"'],
  ['rows', 'COPY failed for table "aa": ERROR:  invalid input syntax for type integer: "none"\nCONTEXT:  SQL function "f" statement 1\nCOPY aa, line 1, column id: "1"'],
  ['rows', 'could not read from input file: end of file\nCONTEXT:  PL/pgSQL function f(integer) line 1 at RAISE'],
])('in the step of %s, the error %j is not one of the backup', (step, told) => {
  expect(restoreProblem([{ told, step }], sameMajor)).not.toBeInstanceOf(BadSource)
})

test('of a value that an unknown type refuses, the hint says what it may mean', () => {
  const told = 'COPY failed for table "t": ERROR:  hunter2 is no point on earth\nCONTEXT:  COPY t, line 3, column place: "hunter2"'
  const problem = restoreProblem([{ told, step: 'rows' }], sameMajor)
  expect(problem).not.toBeInstanceOf(BadSource)
  expect(problem.hint).toContain('that value is bad, and so is the backup')
  expect(`${problem.message} ${problem.hint}`).not.toContain('hunter2')
})
