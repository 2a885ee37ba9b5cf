import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../src/repository/keys.ts'
import { compareDatabases, databaseDiffText, type DatabaseDiff } from '../../../src/sources/postgres/compare.ts'
import { dispatched } from '../../support/dispatched.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'

const { identity } = await newIdentity()
const variables = { PATH: [clientDirectory(17), process.env.PATH].join(path.delimiter) }
let server: Server
let folder: string
beforeAll(async () => {
  server = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-definitions-'))
  await server.createDatabase('app')
  await server.sql('CREATE ROLE clerk; CREATE ROLE auditor')
  await server.sql(`
    CREATE TABLE t (id int PRIMARY KEY, v varchar(10)); INSERT INTO t VALUES (1, 'a'); CREATE TABLE owned (id serial);
    CREATE TABLE same (id int CHECK (id > 0), at timestamptz DEFAULT now()); COMMENT ON TABLE same IS 'two\nlines'; GRANT SELECT ON same TO clerk;
    CREATE VIEW w AS SELECT id FROM same; CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql AS 'SELECT n';
    CREATE FUNCTION f(n text) RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT lo_from_bytea(4711, 'x')`, 'app')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

const run = <C extends 'backup' | 'diff'>(command: C, raw: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...raw }, new Date(), { variables, temporary: `${folder}/temporary` })
const backup = async (): Promise<string> => (await run('backup', { set: 'app', 'database-url': server.url('app') })).result.snapshot
async function compared(from: string, to: string) {
  const { result, text } = await run('diff', { set: 'app', from, to })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the member of this kind
  return { ...(result.sources[0]!['database'] as DatabaseDiff), text }
}

test('every definition that changed is named, and no other', async () => {
  const older = await backup()
  await server.sql(`INSERT INTO t VALUES (2, 'b'); SELECT nextval('owned_id_seq'); SELECT lo_put(4711, 0, 'yy')`, 'app')
  const rows = await backup()
  const nothing = await compared(older, rows)
  expect(nothing.entries).toEqual({ added: [], removed: [], changed: [] })
  expect(nothing.text).not.toContain('were not compared:')
  await server.sql(`
    CREATE OR REPLACE VIEW w AS SELECT id FROM same WHERE id > 1; CREATE OR REPLACE FUNCTION f(n int) RETURNS int LANGUAGE sql AS 'SELECT n + 1';
    ALTER TABLE t ALTER v TYPE varchar(20); GRANT INSERT ON same TO clerk; ALTER TABLE owned OWNER TO auditor; COMMENT ON TABLE same IS 'three\nlines';
    CREATE INDEX added ON t (v)`, 'app')
  const { entries, text } = await compared(rows, await backup())
  expect(entries).toEqual({
    added: ['INDEX public added postgres'], removed: [], changed: expect.arrayContaining([
      'VIEW public w', 'FUNCTION public f(integer)', 'TABLE public t', 'ACL public TABLE same', 'TABLE public owned', 'SEQUENCE public owned_id_seq',
      'COMMENT public TABLE same',
    ]),
  })
  // The default of a serial column belongs to the owner of its table.
  expect(entries.changed!.filter((entry) => !/^(?:SEQUENCE OWNED BY|DEFAULT) public owned/.test(entry))).toHaveLength(7)
  expect(text).toMatch(/^ {2}~ +entry +VIEW public w$/m)
  expect(text).not.toContain('Definitions')
})

test('archives that cannot be read say so, and what else is known is compared', async () => {
  const older = await backup()
  await server.sql('ALTER TABLE t ALTER v TYPE text', 'app')
  const newer = await backup()
  const chunks = readdirSync(path.join(folder, 'store/chunks'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const { parentPath, name } of chunks) truncateSync(path.join(parentPath, name), statSync(path.join(parentPath, name)).size - 1)
  const { entries, text } = await compared(older, newer)
  expect(entries).toMatchObject({ added: [], removed: [], changed: null, uncompared: expect.stringMatching(/^chunk .* bytes instead of /) })
  expect(text).toMatch(/^ {2}Definitions \(columns, views, functions, privileges\) were not compared: chunk /m)
})

const facts = {
  server: { major: 17, version: '17.5' }, database: 'app', encoding: 'UTF8', collation: 'C', extensions: [], databaseSize: null, tables: [],
  dumpVersion: '17.5', entries: [], globals: { reason: 'none' },
  session: { TimeZone: 'UTC', bytea_output: 'hex', lc_monetary: 'C', quote_all_identifiers: 'off', standard_conforming_strings: 'on' },
}

const stored = (more: object) => ({
  source: { name: 'app', kind: 'postgres', streams: [], facts: { ...facts, ...more } }, read: (): never => { throw new Error('nothing is read') },
})

test.each([
  [{ server: { major: 16, version: '16.9' } }, 'the servers, PostgreSQL 16 and 17, may word equal ones in two ways'],
  [{ dumpVersion: '18.0' }, 'pg_dump 18 and 17 may word equal ones in two ways'],
  [{ session: { ...facts.session, quote_all_identifiers: 'on' } }, 'the setting quote_all_identifiers of the two backups differs'],
])('definitions that may be worded in two ways are not compared: %j', async (other, why) => {
  const found = await compareDatabases(stored(other), stored({}))
  expect(found.database!.entries).toMatchObject({ changed: null, uncompared: expect.stringContaining(why) })
  expect(databaseDiffText(found).join('\n')).toContain(`were not compared: ${why}`)
})
