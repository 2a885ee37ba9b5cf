import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { parseDatabaseUrl } from '../../../../src/sources/postgres/connection.ts'
import type { Entry } from '../../../../src/sources/postgres/contents.ts'
import { NeededCollations, requireCollations } from '../../../../src/sources/postgres/drill/collations.ts'
import { serverCollationsOf } from '../../../../src/sources/postgres/drill/statements.ts'
import { dispatched } from '../../../support/dispatched.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { thrownBy } from '../../../support/thrown.ts'

const { identity } = await newIdentity()
const client = { major: 17, directory: clientDirectory(17) }
const variables = { PATH: [client.directory, process.env.PATH].join(path.delimiter), HOME: process.env.HOME ?? '' }
const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-collations-'))
let server: Server
/** Takes no ICU locale that its ICU does not know, and logs what is made there. */
let scratch: Server
beforeAll(async () => {
  server = await startedWithLocale('xx_XX.utf8')
  scratch = await startServer(17, { settings: { icu_validation_level: 'error', log_statement: 'ddl' } })
})
afterAll(async () => {
  await server.stop()
  await scratch.stop()
  rmSync(folder, { recursive: true })
})

/** A server with a locale that this machine lacks: that of C.utf8, under another name, in a folder of its own. */
async function startedWithLocale(name: string): Promise<Server> {
  chmodSync(folder, 0o755) // The server is another user.
  cpSync('/usr/lib/locale/C.utf8', path.join(folder, 'locales', name), { recursive: true })
  return startServer(17, { environment: { LOCPATH: path.join(folder, 'locales') } })
}

const run = (command: 'backup' | 'verify', raw: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...raw }, new Date(), { variables, temporary: path.join(folder, 'temporary') })

/** Drills a new database, and gives the result and the server's log of it. */
async function drill(set: string, sql: string) {
  await server.createDatabase(set)
  await server.sql(sql, set)
  await run('backup', { set, 'database-url': server.url(set) })
  const log = path.join(scratch.socketDirectory, 'log')
  const before = readFileSync(log).length
  const { result } = await run('verify', { set, level: 'drill', 'scratch-url': scratch.url('postgres') })
  return { result, log: readFileSync(log).subarray(before).toString() }
}

test('collations of every provider that the scratch server has are found equal, and texts that only look like one need none', async () => {
  const { result } = await drill('healthy', String.raw`
    CREATE COLLATION "of ""libc" (provider = libc, locale = 'C.utf8'); CREATE COLLATION mixed (provider = libc, lc_collate = 'C', lc_ctype = 'C.utf8');
    CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk', deterministic = false); CREATE COLLATION built (provider = builtin, locale = 'C.UTF-8');
    CREATE COLLATION ruled (provider = icu, locale = 'und', rules = E'&a < ä < b\u0301 <<< \'\'\'\' < \\\\'); CREATE COLLATION again (provider = libc, locale = 'C.utf8');
    CREATE DOMAIN d AS text COLLATE "de-x-icu"; CREATE TYPE r AS RANGE (subtype = text, collation = "C"); CREATE TYPE c AS (a text COLLATE "POSIX");
    CREATE TABLE t (a text COLLATE "unicode" CHECK (a <> 'COLLATE "nowhere"' COLLATE "C"), b text COLLATE german, "COLLATE nowhere" text COLLATE ruled);
    INSERT INTO t VALUES ('z', 'ä', 'b'), ('a', 'A', 'ä'); CREATE INDEX ON t (a COLLATE "ucs_basic", (b COLLATE "fr-x-icu"));
    CREATE VIEW v AS SELECT a COLLATE "en-x-icu" AS a, 'x COLLATE nowhere' AS b FROM t ORDER BY b COLLATE "of ""libc"; COMMENT ON VIEW v IS 'COLLATE "nowhere"';
    CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'x' COLLATE "nowhere"; END$$; CREATE POLICY p ON t USING (a COLLATE "C" > 'a')`)
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test('a locale that the scratch server lacks is found before anything is restored', async () => {
  const { result, log } = await drill('lacking', `
    CREATE ROLE foreigner; CREATE COLLATION fine (provider = libc, locale = 'C.utf8'); CREATE COLLATION foreign_one (provider = libc, locale = 'xx_XX.utf8');
    CREATE COLLATION pg_catalog."xx_XX" (provider = libc, locale = 'xx_XX.utf8'); CREATE COLLATION klingon (provider = icu, locale = 'xqz');
    CREATE TABLE t (a text COLLATE "xx_XX"); INSERT INTO t VALUES ('a')`)
  expect(result).toMatchObject({ result: 'could not verify', problems: [expect.stringMatching(
    /^the scratch server cannot take this database: it has no collation "xx_XX", which TABLE public.t names, it cannot make the collation public\.foreign_one \(could not create locale "xx_XX\.utf8": No such file or directory\), it cannot make the collation public\.klingon \(ICU locale "xqz" has unknown language "xqz"\)\. Give an image of a server that has the locale in .*scratch-image/,
  )] })
  expect(log).toMatch(/CREATE DATABASE "lifeboat_drill/)
  expect(log).not.toMatch(/CREATE (?:TABLE|SCHEMA|COLLATION public)|foreigner/)
  expect(await scratch.sql("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")).toBe('postgres\npostgres\ntemplate0\ntemplate1')
})

const entries: Entry[] = ['ENCODING', 'STDSTRINGS'].map((kind, id) => (
  { id, kind, schema: '', name: kind, owner: '', tablespace: '', needs: [], inherits: false, definition: `SET x = '${kind === 'ENCODING' ? 'UTF8' : 'on'}';\n` }))

/** That of collations with these options. */
function needing(options: readonly string[]): NeededCollations {
  const needed = new NeededCollations()
  for (const [id, text] of options.entries())
    needed.add({ id, kind: 'COLLATION', schema: 's', name: `c${id}`, owner: 'o', sql: () => `CREATE COLLATION s.c${id} (${text});\n` })
  return needed
}

test('thousands of different ones are tried, and nothing stays', async () => {
  const options = Array.from({ length: 2000 }, (_, index) => `provider = icu, locale = 'und', rules = '&a < x${'x'.repeat(index % 100)}y${index}'`)
  options[1234] = `provider = icu, locale = 'und', rules = '&['`
  const connection = parseDatabaseUrl(scratch.url('postgres'), variables)
  const { message } = await thrownBy(requireCollations(needing(options), entries, 17, { connection, client, variables }))
  expect(message).toMatch(/^the scratch server cannot take this database: it cannot make the collation s\.c1234 \(could not open collator for locale "und" with rules "&\[": [^,]*\)$/)
  expect(await scratch.sql('SELECT count(*) FROM pg_collation WHERE oid >= 16384')).toBe('0')
})

test.each([
  `provider = libc, locale = 'C'); DROP TABLE users; SELECT (1`, `provider = libc, locale = 'C'); DROP TABLE users; --`, `provider = evil, locale = 'C'`, `provider = libc locale = 'C'`,
  `provider = libc, locale = current_user`, `provider = libc, locale = E'\\'`, `provider = libc, locale = 'C',`, `"provider" = libc`, `provider = libc, owner = 'x'`, '',
])('%j is not what pg_dump writes, and is not tried', async (options) => {
  const nowhere = parseDatabaseUrl('postgres://nobody@127.0.0.1:1/none', variables)
  const long = `provider = icu, locale = 'und', rules = '${'x'.repeat(10_000)}'`
  await requireCollations(needing([options, long]), entries, 17, { connection: nowhere, client, variables })
})

test.each([
  ['TABLE', 'CREATE TABLE "public"."t" (\n    "a" "text" COLLATE "pg_catalog"."de_DE",\n    b text COLLATE public.german, c text COLLATE "My Own".x\n);', ['de_DE']],
  ['VIEW', `CREATE VIEW v AS\n SELECT (a COLLATE "a ""b"), E'\\\\'' COLLATE "x" ', ' COLLATE "x" ' COLLATE c;`, ['a "b', 'c']],
  ['TYPE', 'CREATE TYPE r AS RANGE (\n    subtype = text,\n    multirange_type_name = m,\n    collation = pg_catalog."C"\n);', ['C']],
  ['FUNCTION', 'CREATE FUNCTION f() AS $$ COLLATE "x" $$;', []],
])('of a %s made by %j the collations of the server are told from others', (kind, sql, names) => {
  expect([...serverCollationsOf({ id: 1, kind, schema: 's', name: 'n', owner: 'o', sql: () => sql })]).toEqual(names)
})
