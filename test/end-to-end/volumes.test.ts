import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Server, startServer } from '../support/postgres-server.ts'
import { noise } from '../support/bytes.ts'
import { contentsOf } from '../support/volume.ts'
import { Sandbox } from './sandbox.ts'
import { until } from '../support/until.ts'

let server: Server
let sandbox: Sandbox
let root: string
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 300) g', 'shop')
  sandbox = await Sandbox.open(server.url('shop'))
  root = path.join(sandbox.folder, 'uploads')
  mkdirSync(path.join(root, 'sub'), { recursive: true })
  writeFileSync(path.join(root, 'sub/file'), noise('file', 100_000))
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})
beforeEach(() => rmSync(sandbox.store, { recursive: true, force: true }))

test('a database and a volume of one backup are one snapshot, shown alike, and each comes back', async () => {
  const { status, summary, outputs } = await sandbox.run('backup', { volumes: `uploads=${root}`, verify: 'read' }, { as: 'action' })
  expect([status, outputs['outcome']]).toEqual([0, 'done'])
  expect(summary).toContain('### ✅ Lifeboat: 1 database and 1 volume backed up and verified')
  expect(summary).toMatch(/^\| `shop` \|[^]*^\| `uploads` \|/m)
  const [snapshot, ...more] = await sandbox.list()
  expect([snapshot?.sources?.map(({ name, kind }) => [name, kind]), more]).toEqual([[['shop', 'postgres'], ['uploads', 'directory']], []])
  expect((await sandbox.run('list')).out).toMatch(/shop, uploads/)

  const target = path.join(sandbox.folder, 'there')
  // No client program of PostgreSQL is needed for it.
  expect(await sandbox.restore({ volume: 'uploads', target })).toMatchObject({ snapshot: snapshot!.id, volume: 'uploads', entries: 3, restored: 3 })
  expect(contentsOf(target)).toEqual(contentsOf(root))
  await server.createDatabase('restored')
  expect(await sandbox.restore({ database: 'shop', 'database-url': server.url('restored') })).toMatchObject({ snapshot: snapshot!.id, database: 'shop', errors: [] })
  expect(await server.sql('SELECT count(*) FROM orders', 'restored')).toBe('300')
})

test('a restore in place of what is there that is killed leaves that as it was, and the next one ends well', async () => {
  truncateSync(path.join(root, 'sub/file'), 40_000_000)
  await sandbox.backup({ 'database-url': '', volumes: `uploads=${root}` })
  const target = path.join(sandbox.folder, 'target')
  mkdirSync(target)
  writeFileSync(path.join(target, 'old'), 'old')
  const works = (): string[] => readdirSync(target).filter((name) => name !== 'old')
  const { child, ended } = sandbox.start('restore', { volume: 'uploads', target, mode: 'clean', confirm: target }, { killed: true })
  await until(async () => works().length > 0)
  child.kill('SIGKILL')
  await ended
  expect([readdirSync(target).includes('old'), works()]).toEqual([true, [expect.stringMatching(/^\.lifeboat-restore-/)]])
  const { out, err } = await sandbox.run('restore', { volume: 'uploads', target, mode: 'clean', confirm: target })
  expect(err).toContain('the remains of a restore that was killed are removed')
  expect(out).toMatch(/^Restored: uploads into /)
  expect(contentsOf(target)).toEqual(contentsOf(root))
})
