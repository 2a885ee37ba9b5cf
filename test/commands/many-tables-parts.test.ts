import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { clientDirectory } from '../support/client-programs.ts'
import { loadTables } from '../support/dataset.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'

const TABLES = 50_000
let server: Server
let folder: string
beforeAll(async () => {
  // Each pg_dump, and the session with the snapshot, locks every table.
  server = await startServer(17, { settings: { max_locks_per_transaction: '3000', max_connections: '100' } })
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-many-tables-'))
  chmodSync(folder, 0o777)
  await server.createDatabase('many')
  await loadTables(server, 'many', TABLES)
  const large = ['one', 'two', 'three'].map((name, index) => `CREATE TABLE ${name} (id int, note text); INSERT INTO ${name} SELECT i, md5(i::text) FROM generate_series(1, ${1000 * (index + 1)}) i;`)
  // Sizes that are worth a pg_dump beside so many tables.
  await server.sql(`${large.join('\n')} ANALYZE one, two, three; UPDATE pg_class SET relpages = 100000 WHERE relname IN ('one', 'two', 'three')`, 'many')
}, 900_000)
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

const run = <C extends 'backup' | 'restore' | 'verify' | 'show'>(command: C, raw: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, set: 'many', ...raw }, new Date(), {
    variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(folder, 'tmp') })

test('50,000 tables are backed up by three pg_dump, verified, and one of a part and one of the main archive are restored', async () => {
  await run('backup', { 'database-url': server.url('many'), 'dump-jobs': '3' })
  expect((await run('show', { snapshot: 'latest' })).text).toMatch(/entries; 2 large tables in 2 archives beside it/)
  expect((await run('verify', { level: 'read' })).result).toMatchObject({ result: 'verified', problems: [] })
  await run('restore', { 'database-url': server.url('few'), mode: 'create', tables: `three,number_${TABLES}` })
  expect(await server.sql(`SELECT count(*), sum(id), min(note) FROM three`, 'few')).toBe(await server.sql(`SELECT count(*), sum(id), min(note) FROM three`, 'many'))
  expect(await server.sql(`SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`, 'few')).toBe('2')
}, 900_000)
