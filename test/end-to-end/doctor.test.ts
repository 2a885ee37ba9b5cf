import { existsSync, readdirSync } from 'node:fs'
import { newIdentity } from '../../src/repository/keys.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  await server.sql("CREATE TABLE orders (id int); CREATE ROLE reader LOGIN PASSWORD 'reader-password'", 'shop')
  sandbox = await Sandbox.open(server.url('shop'))
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})

test('where all is well it says so, and leaves nothing in the store', async () => {
  const { status, out } = await sandbox.run('doctor', { 'database-url': server.url('shop') })
  expect(status).toBe(0)
  expect(out).toMatch(/ok +put +100 kB in/)
  expect(out).toMatch(/ok +privileges +the role postgres may read every table and sequence/)
  expect(out).toMatch(/ok +key +the store is empty/)
  expect(out).toMatch(/ok +client +pg_dump 17 in/)
  expect(out).toMatch(/ok +space +[\d.]+ [GT]B free; a first backup of these databases usually stores up to [\d.]+ [kM]B/)
  expect(out).toMatch(/ok +encryption +in the clear, to a loopback address/)
  expect(out).toMatch(/\d+ checks: all is well$/m)
  expect(existsSync(`${sandbox.store}/doctor`) ? readdirSync(`${sandbox.store}/doctor`) : []).toEqual([])
})

test('every problem is told in one run, with what to do, and the status is 1', async () => {
  const urls = [server.url('shop', 'reader', 'reader-password'), `lost=${server.url('nowhere')}`, `refused=postgres://postgres:wrong-password@127.0.0.1:${server.port}/shop`]
  const given = { 'database-url': urls.join('\n'), destination: 'file:/proc/nowhere' }
  const { status, out, err, outputs, summary } = await sandbox.run('doctor', given, { as: 'action' })
  expect(status).toBe(1)
  expect(out).toMatch(/PROBLEM +put +cannot write/)
  expect(out).toContain('privileges: GRANT pg_read_all_data TO reader')
  expect(out).toContain('there is no database "nowhere"')
  expect(out).toContain('refused the password of user "postgres"')
  expect(outputs).toMatchObject({ outcome: 'failed', problems: '4' })
  expect(summary).toContain('❌ Lifeboat doctor')
  for (const text of [out, err, summary, outputs['result']!]) for (const secret of ['reader-password', 'wrong-password', server.password]) expect(text).not.toContain(secret)
})

test('a key that does not open the store is found out before it matters', async () => {
  await sandbox.backup()
  expect((await sandbox.run('doctor', { 'database-url': '' })).out).toMatch(/ok +key +opens the store/)
  for (const key of ['some other passphrase than that', (await newIdentity()).identity]) {
    const { status, out } = await sandbox.run('doctor', { 'encryption-key': key, 'database-url': '' })
    expect(status).toBe(1)
    expect(out).toMatch(/PROBLEM +key/)
  }
})
