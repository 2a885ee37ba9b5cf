import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { clientEnvironment, parseDatabaseUrl } from '../../../../src/sources/postgres/connection.ts'
import { type Head, stageHead } from '../../../../src/sources/postgres/drill/head.ts'
import { loadTables } from '../../../support/dataset.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { usedHeap } from '../../../support/used-heap.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const reading = { client: { major: 17, directory: clientDirectory(17) }, variables }
const folder = mkdtempSync(path.join(os.tmpdir(), 'lifeboat-head-'))
let server: Server
beforeAll(async () => {
  server = await startServer(17)
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

async function headOf(database: string): Promise<Head> {
  const env = clientEnvironment(parseDatabaseUrl(server.url(database)), variables)
  const archive = execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--schema-only'], { env, maxBuffer: 2 ** 27 })
  return stageHead((async function* () {
    for (let at = 0; at < archive.length; at += 65_536) yield archive.subarray(at, at + 65_536)
  })(), reading, folder)
}

test('an entry takes little memory, whatever its name and definition are', async () => {
  const tables = 1000
  await server.createDatabase('many')
  await loadTables(server, 'many', tables)
  await (await headOf('many')).remove() // Things that are made once do not count.
  const start = usedHeap()
  const head = await headOf('many')
  const used = usedHeap() - start
  expect(head.alike.size).toBeGreaterThan(2 * tables)
  expect(used / head.alike.size).toBeLessThan(100)
  await head.remove()
  expect(readdirSync(folder)).toEqual([])
})

test('it tells the kind, owner and pass of each entry, its extensions, and the roles that entries name', async () => {
  await server.createDatabase('varied')
  await server.sql(`
    CREATE ROLE maker; CREATE ROLE "a ""reader"""; CREATE ROLE other; CREATE EXTENSION amcheck;
    CREATE TABLE t (id int); ALTER TABLE t OWNER TO maker; GRANT SELECT ON t TO "a ""reader""", PUBLIC; COMMENT ON TABLE t IS 'of other';
    CREATE POLICY p ON t TO other USING (true); CREATE MATERIALIZED VIEW m AS SELECT 1; CREATE TABLE u (id int)`, 'varied')
  const { alike, entries, roles, remove } = await headOf('varied')
  await remove()
  const found = [...new Set([...alike.values()].map(({ kind, owner, pass }) => `${kind} ${owner} ${pass}`))]
  expect(found).toEqual(expect.arrayContaining(['TABLE maker main', 'TABLE postgres main', 'ACL maker privileges', 'COMMENT maker main', 'ENCODING  main']))
  expect(new Set(alike.values()).size).toBe(found.length)
  expect(entries.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['ENCODING', 'EXTENSION']))
  expect(entries.map(({ kind }) => kind)).not.toContain('TABLE')
  expect(roles).toEqual(expect.arrayContaining(['postgres', 'maker', 'a "reader"', 'other']))
  expect(roles).not.toContain('public')
})
