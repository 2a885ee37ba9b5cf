import { z } from 'zod'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { readSizes } from '../../../src/sources/postgres/dump/plan.ts'
import { readServerFacts, readTables, tablesSql } from '../../../src/sources/postgres/facts.ts'
import { queryJson, type QueryContext } from '../../../src/sources/postgres/query.ts'
import { requireNoRows } from '../../../src/sources/postgres/target.ts'
import { loadTables } from '../../support/dataset.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const client = { major: 17, directory: clientDirectory(17) }
const [FEW, MANY] = [500, 2000]
let server: Server
beforeAll(async () => {
  server = await startServer(17)
  for (const [database, count] of [['few', FEW], ['many', MANY]] as const) {
    await server.createDatabase(database)
    await loadTables(server, database, count)
  }
})
afterAll(() => server.stop())

const context = (database: string): QueryContext => ({ connection: parseDatabaseUrl(server.url(database), variables), client, variables })

interface Node {
  'Node Type': string
  'Actual Loops': number
  'Actual Rows': number
  Plans?: Node[]
}

/** The rows that all parts of the plan have gone through. */
const rowsIn = (node: Node): number => node['Actual Rows'] * node['Actual Loops'] + (node.Plans ?? []).reduce((sum, part) => sum + rowsIn(part), 0)
const node: z.ZodType<Node> = z.looseObject({ 'Node Type': z.string(), 'Actual Loops': z.number(), 'Actual Rows': z.number(), get Plans() { return z.array(node).optional() } })
const work = async (database: string): Promise<number> =>
  rowsIn((await queryJson(`EXPLAIN (ANALYZE, FORMAT json) ${tablesSql()}`, z.array(z.looseObject({ Plan: node })), context(database)))[0]!.Plan)

test('four times the tables are four times the work', async () => {
  const [few, many] = [await work('few'), await work('many')]
  expect(many / few).toBeLessThan((MANY / FEW) * 1.2)
  expect(await readTables(context('many'))).toHaveLength(MANY)
})

test('sizes are those that the catalog has of tables, their TOAST tables and the indexes of both', async () => {
  await server.createDatabase('sizes')
  await server.sql(`CREATE TABLE wide (id int PRIMARY KEY, note text); ALTER TABLE wide ALTER note SET STORAGE EXTERNAL;
    INSERT INTO wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 200) i; CREATE INDEX ON wide (md5(note)); VACUUM ANALYZE wide`, 'sizes')
  const pages = `SELECT sum(relpages) * 8192 FROM pg_class c WHERE oid = 'wide'::regclass OR oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'wide'::regclass)
    OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'wide'::regclass OR indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'wide'::regclass))`
  expect(await readTables(context('sizes'))).toEqual([{ schema: 'public', name: 'wide', rows: 200, bytes: Number(await server.sql(pages, 'sizes')), partitioned: false, rowSecurity: false }])
})

test('a TOAST table that was analysed, but never vacuumed, has the size of its tuples, and that of one never analysed is known as well', async () => {
  await server.createDatabase('toast')
  const statements = ['analysed', 'fresh'].map((name) => `CREATE TABLE ${name} (note text) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off); ALTER TABLE ${name} ALTER note SET STORAGE EXTERNAL;
    INSERT INTO ${name} SELECT repeat(md5(i::text), 1000) FROM generate_series(1, 400) i;`)
  await server.sql(`${statements.join('\n')} ANALYZE analysed`, 'toast')
  const size = Number(await server.sql(`SELECT pg_table_size('analysed')`, 'toast'))
  const about = (bytes: number) => expect(Math.abs(bytes / size - 1)).toBeLessThan(0.1)
  const tables = await readTables(context('toast'))
  expect(tables.map(({ name, rows }) => [name, rows])).toEqual([['analysed', 400], ['fresh', null]])
  about(tables[0]!.bytes)
  const { largest, unknown } = await readSizes([], context('toast'))
  expect(largest.map(({ name }) => name)).toEqual(['analysed', 'fresh'])
  for (const { bytes } of largest) about(bytes)
  expect(unknown).toBe(1)
  const { rowBytes } = await readServerFacts(context('toast'))
  expect(rowBytes).toBeGreaterThan(size * 1.8)

  // A role that may not read the statistics has estimates without them, and a backup.
  await server.sql(`CREATE ROLE reader LOGIN PASSWORD 'reader'; REVOKE EXECUTE ON FUNCTION pg_stat_get_live_tuples(oid) FROM PUBLIC`, 'toast')
  const reader = { ...context('toast'), connection: parseDatabaseUrl(server.url('toast', 'reader', 'reader'), variables) }
  expect((await readTables(reader)).map(({ name, rows, bytes }) => [name, rows, bytes < size / 10])).toEqual([['analysed', 400, true], ['fresh', null, true]])
  expect((await readSizes([], reader)).largest.map(({ name }) => name)).toEqual(['analysed'])
  expect((await readServerFacts(reader)).rowBytes).toBeLessThan(rowBytes - size * 1.8)
})

test('many tables are looked through for rows', async () => {
  await requireNoRows(context('many'))
  await server.sql(`INSERT INTO number_${MANY} VALUES (1); INSERT INTO number_7 VALUES (1); DELETE FROM number_7`, 'many')
  await expect(requireNoRows(context('many'))).rejects.toThrow(`is not empty: public.number_${MANY} has rows`)
  for (let table = 1; table <= 6; table++) await server.sql(`INSERT INTO number_${table} VALUES (1)`, 'many')
  await expect(requireNoRows(context('many'))).rejects.toThrow('and more tables have rows')
})
