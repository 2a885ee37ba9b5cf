import { rmSync } from 'node:fs'
import path from 'node:path'
import type { CopyResult } from '../../src/commands/copy/result.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
const passphrase = 'correct horse battery staple'
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 20000) g', 'shop')
  sandbox = await Sandbox.open(server.url('shop'), passphrase)
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})

test('a store is copied with its key, day by day, and restored when the first is gone', async () => {
  const other = `file:${path.join(sandbox.folder, 'elsewhere')}`
  const copy = async (): Promise<CopyResult> => JSON.parse((await sandbox.run('copy', { from: `file:${sandbox.store}`, destination: other, json: 'true' })).out)
  await sandbox.backup()
  const first = await copy()
  expect(first.snapshots).toEqual([expect.objectContaining({ outcome: 'copied' })])
  await server.sql('DELETE FROM orders WHERE id % 1000 = 0', 'shop')
  await sandbox.backup()
  const { snapshots, bytes } = await copy()
  expect(snapshots.map(({ outcome }) => outcome)).toEqual(['was there', 'copied'])
  expect(bytes).toBeLessThan(first.bytes / 2)

  rmSync(sandbox.store, { recursive: true })
  await sandbox.restore({ destination: other, 'database-url': server.url('restored'), mode: 'create' })
  const count = 'SELECT count(*), sum(hashtext(note)) FROM orders'
  expect(await server.sql(count, 'restored')).toBe(await server.sql(count, 'shop'))
})

test('a snapshot that cannot be copied is named, in outputs and summary too, and the status is 1', async () => {
  await sandbox.backup()
  const chunks = path.join(sandbox.store, 'chunks')
  rmSync(chunks, { recursive: true })
  const { status, outputs, summary, out } = await sandbox.run('copy', { from: `file:${sandbox.store}`, destination: `file:${path.join(sandbox.folder, 'third')}` }, { as: 'action' })
  expect(status).toBe(1)
  expect(outputs).toMatchObject({ outcome: 'failed', copied: '0' })
  expect(out).toMatch(/chunk .* is missing from file:/)
  expect(summary).toContain('❌ Lifeboat: 0 snapshots copied')
})
