import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseInputs } from '../../src/commands/all.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'

let server: Server
let folder: string
const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }
const at = (name: string): string => path.join(folder, name)

beforeAll(async () => {
  server = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-swap-drill-'))
  await server.sql('CREATE ROLE tenant; CREATE ROLE lender; CREATE ROLE reader')
  await server.createDatabase('source')
  await server.sql(`
    CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
    INSERT INTO orders (note) SELECT md5(g::text) FROM generate_series(1, 500) g;
    CREATE VIEW notes AS SELECT note FROM orders;
    ALTER VIEW notes OWNER TO tenant; GRANT SELECT ON orders TO tenant;
    ALTER DATABASE source SET work_mem = '17MB'; ALTER DATABASE source CONNECTION LIMIT 42;
    SELECT lo_create(1), lo_create(2); GRANT SELECT ON LARGE OBJECT 1, 2 TO lender WITH GRANT OPTION;
    SET SESSION AUTHORIZATION lender; GRANT SELECT ON LARGE OBJECT 1, 2 TO reader; RESET SESSION AUTHORIZATION;`, 'source')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})
beforeEach(async () => {
  await server.createDatabase('app')
  await server.sql('CREATE TABLE orders AS SELECT 0 AS id', 'app')
})
afterEach(async () => {
  for (const name of (await databases()).split(' ')) await server.sql(`DROP DATABASE "${name}" WITH (FORCE)`)
})

const databases = () => server.sql(`SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname ~ '^(app|lifeboat)'`)
const raw = (more: Record<string, string>): Record<string, string> => ({ destination: `file:${at('store')}`, 'encryption-key': identity, ...more })
const run = <C extends 'backup' | 'restore'>(command: C, more: Record<string, string>) => dispatched(command, raw(more), new Date(), { variables, temporary: at('tmp') })
const swap = (more: Record<string, string> = {}) => ({ 'database-url': server.url('app'), mode: 'swap', confirm: 'app', drill: 'true', ...more })
const refused = (more: Record<string, string>) => refusal(run('restore', swap(more)))
const backUp = () => run('backup', { 'database-url': `app=${server.url('source')}` })

test('a new database that is equal to the backup, entry by entry, takes the place of the target', async () => {
  await backUp()
  const { result } = await run('restore', swap())
  expect(result).toMatchObject({ errors: [], left: 'everything', took: { compare: expect.any(Number) }, swapped: { kept: expect.stringMatching(/^app_before_/) } })
  expect(await server.sql('SELECT count(*) FROM orders', 'app')).toBe('500')
  expect((await run('restore', swap({ 'dry-run': 'true' }))).result.steps).toContain('Compare the new database with the backup, entry by entry.')
})

test('one that differs is dropped again, and the target is as it was', async () => {
  // Columns of a child that its parent has too come first in the restored table: pg_dump and pg_restore alone change the order.
  await server.sql('CREATE TABLE parent (a int); CREATE TABLE child (b int, a int); INSERT INTO child VALUES (1, 2); ALTER TABLE child INHERIT parent', 'source')
  await backUp()
  await server.sql('DROP TABLE child, parent', 'source')
  const said = await refused({})
  expect(said).toMatch(/the new database differs from the backup, so nothing was exchanged and .*app is as it was: .*child/)
  expect([await databases(), await server.sql('SELECT count(*) FROM orders', 'app')]).toEqual(['app', '1'])
  await run('restore', swap({ drill: 'false' }))
  expect(await server.sql('SELECT a, b FROM child', 'app')).toBe('2|1')
})

test('options with which it cannot be equal are refused before anything is done', async () => {
  await backUp()
  expect(await refused({ 'no-owner': 'true' })).toMatch(/drill compares owners and privileges too, which (?:--)?no-owner leaves out/)
  expect(await databases()).toBe('app')
  expect(() => parseInputs('restore', raw(swap({ mode: 'clean' })), {})).toThrow('drill compares a database before it is exchanged, and mode is clean')
})
