import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { restoreProblem } from '../../../../src/sources/postgres/drill/restore-problem.ts'
import { BadSource } from '../../../../src/sources/source.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'

let server: Server
beforeAll(async () => (server = await startServer(17)))
afterAll(() => server.stop())

/** Types, and values that they refuse. */
const REFUSED: readonly (readonly [type: string, value: string])[] = [
  ['int', 'hunter2'], ['int', '99999999999'], ['smallint', '99999'], ['bigint', '99999999999999999999'], ['real', '1e99'], ['float8', '1e999'], ['numeric', 'hunter2'],
  ['numeric(3, 1)', '12345'], ['money', 'hunter2'], ['money', '99999999999999999999'], ['boolean', 'hunter2'], ['varchar(3)', 'hunter2'], ['char(3)', 'hunter2'],
  ['text', 'a\\xff'], ['text', 'a\tb'], ['bytea', '\\\\xhunter2'], ['bytea', '\\\\xabc'], ['bytea', 'hunter\\\\2'],
  ['date', 'hunter2'], ['date', '2026-13-45'], ['date', '9999999-01-01'], ['time', '25:61'], ['timestamptz', '2026-01-02 03:04 Mars/Hunter'], ['timestamptz', '2026-01-02 03:04+99'],
  ['timestamp', '999999-01-01'], ['interval', 'hunter2'], ['interval', '99999999999 years'],
  ['bit(7)', '101101 '], ['bit(7)', '10110'], ['bit varying(3)', '10110'], ['bit(4)', 'xg'],
  ['inet', 'hunter2'], ['cidr', '10.1.2.3/8'], ['macaddr', '08:00:2b:01:02:999'], ['macaddr8', 'hunter2'], ['uuid', 'hunter2'], ['pg_lsn', 'hunter2'], ['oid', 'hunter2'], ['tid', 'hunter2'],
  ['json', '{'], ['jsonb', '{'], ['jsonb', '"\\\\u0000"'], ['jsonpath', '$.'], ['jsonpath', '$ hunter2 ('], ['xml', '<a'],
  ['int[]', '{1'], ['int[]', '{x}'], ['int[]', '[5:1]={1}'], ['int4range', '[5'], ['int4range', '[81,57)'], ['int4multirange', '{[81,57)}'], ['int4multirange', '{'],
  ['tsvector', "'hunter2"], ['tsquery', "'aa' & & bb"], ['tsquery', '& hunter2'],
  ['point', 'hunter2'], ['line', '{0,0,1}'], ['polygon', 'hunter2'], ['path', 'hunter2'], ['box', 'hunter2'], ['circle', 'hunter2'], ['lseg', 'hunter2'],
  ['aclitem', 'hunter2'], ['colour', 'hunter2'], ['pair', '(1'], ['never_null', '\\N'], ['positive', '-1'], ['int NOT NULL', '\\N'], ['int CHECK (c > 0)', '-1'],
]
const DEFINITIONS = `CREATE TYPE colour AS ENUM ('red'); CREATE TYPE pair AS (a int, b int); CREATE DOMAIN never_null AS text NOT NULL;
  CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE ROLE nobody_here; CREATE FUNCTION said(text) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN RAISE EXCEPTION 'hunter2 may not be'; END$$; CREATE DOMAIN checked AS text CHECK (said(VALUE));
  CREATE FUNCTION secret(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE DOMAIN forbidden AS text CHECK (secret(VALUE));
  REVOKE EXECUTE ON FUNCTION secret FROM PUBLIC;`

/** Rows that are refused when constraints and indexes are made of them. */
const REFUSING = [
  'CREATE TABLE a AS SELECT 1 AS v FROM generate_series(1, 2); ALTER TABLE a ADD PRIMARY KEY (v)',
  'CREATE TABLE b AS SELECT 1 AS v FROM generate_series(1, 2); ALTER TABLE b ADD EXCLUDE (v WITH =)',
  'CREATE TABLE d AS SELECT 1 AS v; CREATE TABLE e (v int PRIMARY KEY); ALTER TABLE d ADD FOREIGN KEY (v) REFERENCES e',
  'CREATE TABLE f AS SELECT -1 AS v; ALTER TABLE f ADD CHECK (v > 0)',
  'CREATE TABLE g AS SELECT NULL::int AS v; ALTER TABLE g ALTER v SET NOT NULL',
  `CREATE TABLE h AS SELECT 'hunter2' AS v; CREATE INDEX ON h ((v::int))`,
  `CREATE TABLE i AS SELECT 'Mars/Hunter' AS v; CREATE INDEX ON i (timezone(v, timestamp '2026-01-02'))`,
  `CREATE TABLE j AS SELECT '"hunter2"'::jsonb AS v; CREATE INDEX ON j ((v::int))`,
  'CREATE TABLE k AS SELECT 0 AS v; CREATE INDEX ON k ((1 / v))',
  'CREATE TABLE l (v int) PARTITION BY LIST (v); CREATE TABLE l1 PARTITION OF l DEFAULT; INSERT INTO l VALUES (1); CREATE TABLE l2 PARTITION OF l FOR VALUES IN (1)',
]

/** The errors as pg_restore tells them, each with its SQLSTATE. */
function provoked(script: readonly string[], told: (index: number, message: string) => string): { state: string; told: string }[] {
  const input = `\\set VERBOSITY verbose\nSET lc_messages = 'C';\n${script.map((part, index) => `\\warn @${index}\n${part}`).join('')}`
  const psql = spawnSync(path.join(clientDirectory(17), 'psql'), ['-XqAt', '-f', '-', server.url('postgres')], { input, encoding: 'utf8' })
  return psql.stderr.split(/^@\d+\n/m).slice(1).map((text, index) => {
    const [, state = 'no error', message = text] = /ERROR: {2}(\w{5}): ([^]*?)\n(?:SCHEMA NAME|TABLE NAME|COLUMN NAME|DATATYPE NAME|CONSTRAINT NAME|LOCATION): /.exec(text) ?? []
    return { state, told: told(index, message) }
  })
}

const copy = ([type, value]: readonly [type: string, value: string], index: number): string => `CREATE TABLE r${index} (c ${type}); SET ROLE nobody_here;
RESET ROLE; COPY r${index} FROM stdin;\n${value}\n\\.\n`
const ofCopy = (index: number, message: string): string => `COPY failed for table "r${index}": ERROR:  ${message}`

test('each error of a row that PostgreSQL can be brought to is one of the backup, and shows nothing of the row', async () => {
  await server.sql(DEFINITIONS)
  const rows = provoked(REFUSED.map(copy), ofCopy).map((one) => ({ ...one, step: 'rows' as const }))
  const made = provoked(REFUSING.map((sql) => `${sql};\n`), (_, message) => message).map((one) => ({ ...one, step: 'constraints' as const }))
  expect([rows.length, made.length]).toEqual([REFUSED.length, REFUSING.length])
  const named = [...rows, ...made].map(({ state, told, step }) => ({ state, told, problem: restoreProblem([{ told, step }], { major: 17, dumpMajor: 17 }) }))
  expect(named.filter(({ state }) => !/^(?:22|23|42601)/.test(state))).toEqual([])
  expect(named.filter(({ problem }) => !(problem instanceof BadSource)).map(({ state, told }) => `${state} ${told}`)).toEqual([])
  expect(named.filter(({ problem }) => /hunter/i.test(problem.message)).map(({ problem }) => problem.message)).toEqual([])
})

test('a role or a right that the server lacks, and a function that says no, are not of the backup, whatever row they were met at', async () => {
  const values: [string, string][] = [['regrole', 'missing'], ['checked', 'x'], ['regtype', 'missing']]
  const script = values.map(([type, value], index) => `CREATE TABLE s${index} (c ${type});\nCOPY s${index} FROM stdin;\n${value}\n\\.\n`)
  const forbidden = 'CREATE TABLE s (c forbidden); GRANT INSERT ON s TO nobody_here; SET ROLE nobody_here;\nCOPY s FROM stdin;\nx\n\\.\n'
  const errors = provoked([...script, forbidden], ofCopy)
  expect(errors.map(({ state }) => state)).toEqual(['42704', 'P0001', '42704', '42501'])
  for (const { told } of errors) expect([told, restoreProblem([{ told, step: 'rows' }], { major: 17, dumpMajor: 17 }) instanceof BadSource]).toEqual([told, false])
})
