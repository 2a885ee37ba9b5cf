import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { clientDirectory } from '../../support/client-programs.ts'
import { dispatched, refusal } from '../../support/dispatched.ts'
import { identity } from '../../support/engine.ts'
import { clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'

let server: Server
let folder: string
beforeAll(async () => {
  server = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-table-'))
  await server.createDatabase('shop')
  await server.sql(`
    CREATE SCHEMA "odd, one"; CREATE TYPE mood AS ENUM ('so so', 'fine');
    CREATE TABLE "odd, one"."ta""ble" ("a ""b"", c" text, "ünï" bytea, mood mood, list text[], n numeric, empty text);
    INSERT INTO "odd, one"."ta""ble" SELECT E'\\b\\f\\n\\r\\t\\v\\\\ "," ü' || g, decode(md5(g::text), 'hex'), 'so so', ARRAY['a,b', NULL, '"'], g / 7.0, CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE ' x' END FROM generate_series(1, 500) g;
    CREATE TABLE single (line text); INSERT INTO single VALUES (E'\\\\.'), (NULL), (''), ('\\N'), (E'a\\nb');
    CREATE TABLE nothing (id int);
    CREATE TABLE orders AS SELECT g AS id, repeat(md5(g::text), 30) AS text FROM generate_series(1, 3000) g;
    CREATE SCHEMA other; CREATE TABLE other.orders AS SELECT 7 AS id;
    SELECT lo_from_bytea(0, 'large')`, 'shop')
  await run('backup', { 'database-url': server.url('shop'), volumes: `files=${path.join(import.meta.dirname)}` })
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

const run = <C extends 'backup' | 'extract'>(command: C, more: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...more }, new Date(), {
    variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(folder, 'tmp') })
const psql = (...args: string[]): Buffer =>
  execFileSync(path.join(clientDirectory(17), 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', ...args], { env: { ...process.env, ...clientEnvironment(server, 'shop') }, maxBuffer: 1e9 })
const refused = (more: Record<string, string>): Promise<string> => refusal(run('extract', { snapshot: 'latest', source: 'shop', output: path.join(folder, 'none'), ...more }))
let files = 0
async function extracted(table: string, format: string): Promise<string> {
  const output = path.join(folder, `${++files}.${format}`)
  const { text } = await run('extract', { snapshot: 'latest', source: 'shop', table, format, output })
  expect(text).toContain(' of shop written to ')
  return output
}

test.each([
  ['["odd, one"."ta""ble"]', '[["odd, one", "ta\\"ble"]]', '"odd, one"."ta""ble"'], ['single', 'single', 'single'], ['nothing', 'public.nothing', 'nothing'],
  ['orders', 'public.orders', 'orders'], ['other.orders', 'other.orders', 'other.orders'],
])('%s as CSV is what COPY writes, and as SQL it fills the table again', async (_, table, sql) => {
  expect(readFileSync(await extracted(table, 'csv'), 'utf8')).toBe(psql('-c', `COPY ${sql} TO STDOUT (FORMAT csv, HEADER)`).toString())
  const before = psql('-c', `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${sql} t`).toString()
  psql('-c', `TRUNCATE ${sql}`, '-f', await extracted(table, 'sql'))
  expect(psql('-c', `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${sql} t`).toString()).toBe(before)
})

test('a table that is not there, that is there twice, of a volume, or with a path is refused', async () => {
  expect(await refused({ table: 'public.gone' })).toContain('shop has no rows of a table public.gone in this snapshot')
  expect(await refused({ table: 'orders' })).toContain('shop has several tables orders: other.orders, public.orders')
  expect(await refused({ table: 'x', source: 'files' })).toContain('files is of kind directory, which has no tables that can be extracted')
  expect(await refused({ table: 'public.orders, single' })).toContain('one table is extracted at a time')
})
