import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findSnapshot } from '../../../src/repository/catalog.ts'
import { openKeys } from '../../../src/repository/open-keys.ts'
import { Reader } from '../../../src/repository/reader.ts'
import { openManifest, type SourceRecord } from '../../../src/repository/snapshot.ts'
import { postgresFacts } from '../../../src/sources/postgres/facts.ts'
import { extractTable } from '../../../src/sources/postgres/extract-table.ts'
import { FileStore } from '../../../src/stores/file/store.ts'
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
    CREATE TABLE noise AS SELECT g AS id, string_agg(md5(g || ' ' || h), '') FROM generate_series(1, 20000) g, generate_series(1, 12) h GROUP BY g;
    CREATE TABLE parents (id int); CREATE TABLE children () INHERITS (parents); INSERT INTO children VALUES (1);
    CREATE TABLE kept (id serial PRIMARY KEY, mood mood DEFAULT 'so so', "a ;(b" text DEFAULT E'it''s ;)\\\\' CHECK ("a ;(b" <> ')'), twice int GENERATED ALWAYS AS (2 * 3) STORED) WITH (fillfactor = 70);
    ALTER TABLE kept REPLICA IDENTITY FULL; INSERT INTO kept (id) SELECT g FROM generate_series(1, 5) g;
    CREATE TABLE zz_last AS SELECT g AS id FROM generate_series(1, 200) g;
    CREATE TABLE "Whole" (id int) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF "Whole" FOR VALUES FROM (0) TO (9); CREATE TABLE other.part_2 PARTITION OF "Whole" DEFAULT;
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
  ['a name with a comma, as show lists it,', 'odd, one.ta"ble', '"odd, one"."ta""ble"'],
])('%s as CSV is what COPY writes, and as SQL it fills the table again', async (_, table, sql) => {
  expect(readFileSync(await extracted(table, 'csv'), 'utf8')).toBe(psql('-c', `COPY ${sql} TO STDOUT (FORMAT csv, HEADER)`).toString())
  const before = psql('-c', `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${sql} t`).toString()
  psql('-c', `TRUNCATE ${sql}`, '-f', await extracted(table, 'sql'))
  expect(psql('-c', `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${sql} t`).toString()).toBe(before)
})

test.each([
  ['["odd, one"."ta""ble"]', '[["odd, one", "ta\\"ble"]]', '"odd, one"."ta""ble"', 'scratch."ta""ble"'],
  ['kept', 'public.kept', 'kept', 'scratch.kept'],
])('%s as SQL comes back in a schema of its own, and the table that is there is not touched', async (_, table, sql, copy) => {
  const state = () => psql('-c', `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${sql} t`, '-c', `SELECT relreplident, reloptions, xmin FROM pg_class WHERE oid = '${sql.replaceAll("'", "''")}'::regclass`).toString()
  const before = state()
  const output = path.join(folder, `${++files}.sql`)
  await run('extract', { snapshot: 'latest', source: 'shop', table, format: 'sql', 'into-schema': 'scratch', output })
  psql('-f', output)
  expect(state()).toBe(before)
  expect(psql('-c', `(TABLE ${sql} EXCEPT ALL TABLE ${copy}) UNION ALL (TABLE ${copy} EXCEPT ALL TABLE ${sql})`, '-c', `SELECT count(*) > 0 FROM ${copy}`).toString()).toBe('t\n')
  // A second time the table is there: psql stops before it reads a row as a command.
  expect(() => psql('-f', output)).toThrow('already exists')
})

test('a table that only its parents define, or without SQL, is not made elsewhere', async () => {
  expect(await refused({ table: 'children', format: 'sql', 'into-schema': 'scratch' })).toContain('the definition of public.children is not one that can be made in another schema')
  expect(await refused({ table: 'kept', 'into-schema': 'scratch' })).toContain('into-schema is for the rows of a table as SQL')
})

test('only the chunks with the table of contents and the rows are read; all up to the rows in a snapshot that does not record their place', async () => {
  const store = new FileStore(path.join(folder, 'store'))
  const keys = await openKeys(identity, { store, create: false, onDamaged: () => undefined })
  const snapshot = await findSnapshot(store, keys, 'default', { kind: 'latest' })
  const shop = (await openManifest(snapshot)).sources.find(({ name }) => name === 'shop')!
  const archive = shop.streams[0]!
  const places = archive.chunks
  const { chunks } = snapshot.header
  expect(places.length).toBeGreaterThan(5)
  const rows = async (facts: SourceRecord['facts'], table: string): Promise<{ text: string; read: number[] }> => {
    const reader = new Reader(store, snapshot.keys, chunks)
    let text = ''
    const stored = { source: { ...shop, facts }, read: reader.stream.bind(reader), readParts: reader.parts.bind(reader) }
    for await (const piece of extractTable(stored, table, 'csv')) text += piece.toString()
    return { text, read: [...reader.opened].map((index) => places.indexOf(index)).toSorted((a, b) => a - b) }
  }
  const { data, ...old } = postgresFacts.parse(shop.facts)
  for (const table of ['zz_last', 'public.single']) {
    const now = await rows(shop.facts, table)
    const before = await rows(old, table)
    expect(now.text).toBe(before.text)
    expect(before.read.length).toBe(before.read.at(-1)! + 1)
    const start = now.read.find((place) => place > 0)!
    expect(now.read).toEqual([0, ...now.read.slice(1).map((_, index) => start + index)])
    expect(now.read.length).toBeLessThan(4)
  }
  expect((await rows(old, 'zz_last')).read.length).toBeGreaterThan(5)
  const moved = data!.map(([id, from, to]): [number, number, number] => [id, from + 1, to])
  await expect(rows({ ...old, data: moved }, 'zz_last')).rejects.toThrow('another form than pg_dump writes')
})

test('a table that is not there, that is there twice, of a volume, or with a path is refused', async () => {
  expect(await refused({ table: 'public.gone' })).toContain('shop has no rows of a table public.gone in this snapshot')
  expect(await refused({ table: 'orders' })).toContain('shop has several tables orders: other.orders, public.orders')
  for (const table of ['public.Whole', 'Whole', '[["public", "Whole"]]'])
    expect(await refused({ table })).toMatch(/Whole in shop is partitioned, and its rows are in its partitions: (other\.part_2, public\.part_1|public\.part_1, other\.part_2)\n/)
  expect(await refused({ table: 'x', source: 'files' })).toContain('files is of kind directory, which has no tables that can be extracted')
  expect(await refused({ table: 'public.orders, single' })).toMatch(/no rows of a table public\.orders, single in this snapshot\n.*One table is extracted at a time\./)
  expect(await refused({ table: '["public.orders", "single"]' })).toContain('is not one table')
})
