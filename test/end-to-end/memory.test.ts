import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Server, startServer } from '../support/postgres-server.ts'
import { Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
beforeAll(async () => {
  server = await startServer(15, { settings: { autovacuum: 'off', wal_level: 'minimal', max_wal_senders: '0' } })
  await server.createDatabase('shop')
  await server.sql(
    `CREATE TABLE big AS SELECT i, md5(i::text) || md5((i * 3)::text) || md5((i * 5)::text) || md5((i * 7)::text) || repeat(md5((i / 40)::text), 8) AS filler
     FROM generate_series(1, 260000) AS i;
     CREATE TABLE large AS SELECT i + 260000 AS i, filler FROM (SELECT i, md5((i * 11)::text) || md5((i * 13)::text) || md5((i * 17)::text) || md5((i * 19)::text) || repeat(md5((i / 50)::text), 8) AS filler
     FROM generate_series(1, 260000) AS i) AS rows;
     ANALYZE`,
    'shop',
  )
  sandbox = await Sandbox.open(server.url('shop'))
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})

const limit = 300 * 1024

/**
 * Has the program write its own peak of resident memory, in KiB, into a file when it exits. getrusage(2) would not do: its
 * figures are preserved across execve, so the peak it gives includes that of the process that started this one.
 */
function measured(): { variables: Record<string, string>; peak: () => number } {
  const file = path.join(sandbox.folder, 'peak')
  const hook = path.join(sandbox.folder, 'peak.cjs')
  // Required, not imported: importing starts threads before the program has made its settings.
  writeFileSync(
    hook,
    `const { readFileSync, writeFileSync } = require('node:fs')
     process.on('exit', () => writeFileSync(${JSON.stringify(file)}, /^VmHWM:\\s+(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]))`,
  )
  return { variables: { NODE_OPTIONS: `--require=${hook}` }, peak: () => Number(readFileSync(file, 'utf8')) }
}

test('200 MB are backed up whole, by several pg_dump, then as nothing but differences, read back and restored, within 300 MiB', async () => {
  const { variables, peak } = measured()
  const first = await sandbox.backup({ 'dump-jobs': '4' }, { variables })
  expect(first.size).toBeGreaterThan(200e6)
  expect(peak()).toBeGreaterThan(30 * 1024)
  expect(peak()).toBeLessThan(limit)

  await server.sql('DELETE FROM big WHERE i % 1000 = 0; DELETE FROM large WHERE i % 1000 = 0', 'shop')
  const second = await sandbox.backup({ 'dump-jobs': '4', verify: 'read' }, { variables })
  expect(second.deltaChunks).toBeGreaterThan(second.newChunks * 0.9)
  expect(second.added).toBeLessThan(first.added / 20)
  expect(peak()).toBeLessThan(limit)

  await sandbox.restore({ 'database-url': server.url('restored'), mode: 'create' }, { variables })
  expect(peak()).toBeLessThan(limit)
  const sum = 'SELECT count(*), sum(hashtext(filler)::bigint) FROM (TABLE big UNION ALL TABLE large) AS rows'
  expect(await server.sql(sum, 'restored')).toBe(await server.sql(sum, 'shop'))
})
