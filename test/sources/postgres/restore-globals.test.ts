import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { readGlobalsScript } from '../../../src/sources/postgres/roles-script.ts'
import { dispatched, refusal } from '../../support/dispatched.ts'
import { identity } from '../../support/engine.ts'
import { clientDirectory, clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'

let source: Server
let target: Server
let folder: string
const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }

beforeAll(async () => {
  ;[source, target] = await Promise.all([startServer(15), startServer(17)])
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-globals-'))
  await source.sql(`
    CREATE ROLE "the ""owner"";--" WITH CREATEDB CREATEROLE CONNECTION LIMIT 7 VALID UNTIL '2030-01-01';
    CREATE ROLE app WITH LOGIN PASSWORD 'a secret of app';
    CREATE ROLE readers NOINHERIT;
    CREATE ROLE ünïcode;
    GRANT readers TO app WITH ADMIN OPTION;
    GRANT pg_read_all_data TO readers;
    GRANT app TO "the ""owner"";--";
    COMMENT ON ROLE app IS E'it''s -- a\\n\\\\! comment; CREATE ROLE evil;';
    ALTER ROLE app SET search_path = "$user", public, 'a, b';
    ALTER ROLE app SET "app.tenant" = E'it''s \\\\ id'`)
  await source.createDatabase('shop')
  await source.sql(`CREATE TABLE orders AS SELECT 1 AS id; ALTER TABLE orders OWNER TO "the ""owner"";--"; GRANT SELECT ON orders TO readers; ALTER DATABASE shop OWNER TO app`, 'shop')
  await run('backup', { 'database-url': source.url('shop') })
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await Promise.all([source.stop(), target.stop()])
})

const run = <C extends 'backup' | 'restore'>(command: C, more: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...more }, new Date(), { variables, temporary: path.join(folder, 'tmp') })
const roles = (server: Server): string[] =>
  execFileSync(path.join(clientDirectory(17), 'pg_dumpall'), ['--roles-only'], { env: { ...process.env, ...clientEnvironment(server, 'postgres') }, encoding: 'utf8' })
    .split('\n').map((line) => line.replace(/ GRANTED BY .*/, ';').replace(/( WITH ADMIN (?:OPTION|TRUE))?(?: WITH|,) INHERIT (TRUE|FALSE)/, '$1'))
    .filter((line) => !/^(--|$|SET |\\|.*ROLE postgres)/.test(line)).toSorted()
const names = (server: Server): Promise<string> => server.sql(`SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'`)

test('without roles the restore fails and says how; with globals: roles they are made as they were, and those that exist stay', async () => {
  expect(await refusal(run('restore', { 'database-url': target.url('shop'), mode: 'create' }))).toMatch(/name roles that .* does not have/)
  await target.sql(`CREATE ROLE readers WITH LOGIN; COMMENT ON ROLE readers IS 'mine'`)
  const { result, text } = await run('restore', { 'database-url': target.url('shop'), mode: 'create', globals: 'roles' })
  expect(result).toMatchObject({ errors: [], madeGlobals: { roles: [`app`, 'the "owner";--', 'ünïcode'].toSorted(), tablespaces: [] } })
  expect(text).toContain('Created at the server first, because it lacked them: role app')
  // The existing role gets no other memberships.
  for (const name of [/ROLE app/, /owner/, /ünïcode/, /GRANT (?!pg_)/]) expect(roles(target).filter((line) => name.test(line))).toEqual(roles(source).filter((line) => name.test(line)))
  expect(await target.sql(`SELECT rolcanlogin, rolinherit, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'readers'`)).toBe('t|t|mine')
  expect(await target.sql(`SELECT rolpassword FROM pg_authid WHERE rolname = 'app'`)).toBe(await source.sql(`SELECT rolpassword FROM pg_authid WHERE rolname = 'app'`))
  expect(await target.sql(`SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'`)).toBe('app')
  const again = await run('restore', { 'database-url': target.url('shop2'), mode: 'create', globals: 'all' })
  expect(again.result).not.toHaveProperty('madeGlobals')
})

test('no text of a script is run that is not of the forms of pg_dumpall', async () => {
  const { statements, unknown } = readGlobalsScript([
    `-- comment; CREATE ROLE a;`, '\\restrict abc', 'SET standard_conforming_strings = on;', 'CREATE ROLE good;', `ALTER ROLE good WITH NOSUPERUSER LOGIN PASSWORD 'x';`,
    `CREATE ROLE bad IN ROLE postgres;`, `ALTER ROLE bad WITH SUPERUSER; DROP TABLE x;`, `ALTER ROLE bad RENAME TO worse;`, `GRANT good TO bad WITH ADMIN OPTION, EVIL TRUE;`,
    `ALTER ROLE bad SET a TO b;`, `DO $$ BEGIN END $$;`, `GRANT postgres TO good GRANTED BY postgres;`, '\\unrestrict abc',
  ].join('\n'), 17)
  expect(statements.map(({ sql }) => sql)).toEqual([
    'CREATE ROLE "good"', `ALTER ROLE "good" WITH NOSUPERUSER LOGIN PASSWORD  E'x'`, 'ALTER ROLE "bad" WITH SUPERUSER', 'GRANT "postgres" TO "good"',
  ])
  expect(unknown).toEqual(['CREATE ROLE bad', 'DROP TABLE x', 'ALTER ROLE bad', 'GRANT good TO', 'ALTER ROLE bad', 'DO $$ BEGIN'])
  expect(await names(source)).not.toContain('evil')
})

test('a role that may not create roles is told so, and nothing is restored', async () => {
  await target.sql(`CREATE ROLE simple LOGIN CREATEDB PASSWORD 'p'; DROP ROLE IF EXISTS ünïcode`)
  const url = new URL(target.url('shop3'))
  url.username = 'simple'
  url.password = 'p'
  expect(await refusal(run('restore', { 'database-url': url.href, mode: 'create', globals: 'roles' }))).toMatch(/this role may not create roles at /)
  expect(await target.sql(`SELECT count(*) FROM pg_database WHERE datname = 'shop3'`)).toBe('0')
})
