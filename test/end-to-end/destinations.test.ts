import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { BackupResult } from '../../src/commands/backup/result.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { contentOf, Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
let places: { one: string; other: string }
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 30000) g', 'shop')
})
afterAll(() => server.stop())
beforeEach(async () => {
  sandbox = await Sandbox.open(server.url('shop'))
  places = { one: path.join(sandbox.folder, 'one'), other: path.join(sandbox.folder, 'other') }
})
afterEach(() => sandbox.close())

const both = (): string => `file:${places.one}\nfile:${places.other}`
const backup = async (given: Record<string, string> = {}): Promise<BackupResult> => JSON.parse((await sandbox.run('backup', { json: 'true', destination: both(), ...given })).out)
const verified = async (place: string): Promise<string> => (await sandbox.verify({ destination: `file:${place}`, level: 'read' })).result
const snapshots = async (place: string): Promise<string[]> => (await sandbox.list({ destination: `file:${place}` })).map(({ id }) => id)

test('each of several destinations gets the same objects', async () => {
  const first = await backup()
  expect(first).toMatchObject({ complete: true, verified: 'list', destinations: [{ name: `file:${places.one}`, verified: 'list' }, { name: `file:${places.other}`, verified: 'list' }] })
  await server.sql('DELETE FROM orders WHERE id % 1000 = 1', 'shop')
  const second = await backup()
  expect(second.added).toBeLessThan(first.added / 2)
  const [one, other] = [contentOf(places.one), contentOf(places.other)].map((content) => Object.entries(content).filter(([file]) => !file.includes('proofs/')).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  expect(other).toEqual(one)
  rmSync(places.one, { recursive: true })
  await sandbox.restore({ destination: `file:${places.other}`, 'database-url': server.url('restored'), mode: 'create' })
  const sum = 'SELECT count(*), sum(hashtext(note)) FROM orders'
  expect(await server.sql(sum, 'restored')).toBe(await server.sql(sum, 'shop'))
})

test('a destination that is out of reach: the others get the backup, the step fails and says so; when it is back, it gets everything', async () => {
  const first = await backup()
  // As where a disk is not mounted: the folder cannot be made.
  renameSync(places.other, `${places.other}.away`)
  writeFileSync(places.other, 'in the way')
  const { status, out, err, outputs, summary } = await sandbox.run('backup', { destination: both() }, { as: 'action' })
  expect(status).toBe(1)
  expect(out + err).toContain(`file:${places.other} failed; the backup continues without it`)
  expect(outputs['outcome']).toBe('failed')
  expect(summary).toContain('❌ Lifeboat: 1 database backed up and verified, in 1 of 2 destinations')
  expect(await verified(places.one)).toBe('verified')
  expect((await sandbox.run('backup', { destination: both(), 'destinations-required': 'one' })).status).toBe(0)
  expect(await snapshots(places.one)).toHaveLength(3)

  rmSync(places.other)
  renameSync(`${places.other}.away`, places.other)
  const last = await backup()
  expect(last.complete).toBe(true)
  // It builds on the first, the newest that both have.
  expect(last.added).toBeLessThan(first.added / 2)
  for (const place of [places.one, places.other]) expect(await verified(place)).toBe('verified')
  expect(await snapshots(places.other)).toEqual([last.snapshot, first.snapshot])
})

test('a chunk that one destination has lost is put into both again', async () => {
  const { snapshot } = await backup()
  const chunks = path.join(places.other, 'chunks')
  for (const file of readdirSync(chunks, { recursive: true, withFileTypes: true })) if (file.isFile()) rmSync(path.join(file.parentPath, file.name))
  const again = await backup()
  expect(again.complete).toBe(true)
  expect(again.newChunks).toBeGreaterThan(0)
  expect(await verified(places.other)).toBe('verified')
  expect(await snapshots(places.other)).toContain(snapshot)
})

test('a new destination gets the key file of the store beside it, so that the same passphrase opens it', async () => {
  sandbox.close()
  sandbox = await Sandbox.open(server.url('shop'), 'correct horse battery staple')
  places = { one: path.join(sandbox.folder, 'one'), other: path.join(sandbox.folder, 'other') }
  await backup({ destination: `file:${places.one}` })
  await backup()
  expect(readdirSync(path.join(places.other, 'keys'))).toEqual(readdirSync(path.join(places.one, 'keys')))
  expect(await verified(places.other)).toBe('verified')
})

test('a passphrase that was removed from one of the destinations does not come back with a backup or a copy; where the new one is missing, that is said', async () => {
  const [old, replacement] = ['correct horse battery staple', 'another horse, another staple']
  sandbox.close()
  sandbox = await Sandbox.open(server.url('shop'), old)
  places = { one: path.join(sandbox.folder, 'one'), other: path.join(sandbox.folder, 'other') }
  const { one, other } = { one: `file:${places.one}`, other: `file:${places.other}` }
  const files = () => [places.one, places.other].map((place) => readdirSync(path.join(place, 'keys')).toSorted())
  await backup()
  await sandbox.run('key add', { destination: one, 'new-passphrase': replacement })
  await sandbox.run('key remove', { destination: one, 'old-passphrase': old, 'encryption-key': replacement })
  const [added, original] = files().flat()
  const renewed = { 'encryption-key': replacement }
  const warning = `the passphrase opens no key file of ${other}`
  expect((await sandbox.run('backup', { destination: both(), ...renewed })).err).toContain(warning)
  expect((await sandbox.run('copy', { from: one, destination: other, ...renewed })).err).toContain(warning)
  await sandbox.run('key add', { destination: other, 'new-passphrase': replacement })
  for (const raw of [{ from: other, destination: one, ...renewed }, { from: other, destination: one }]) expect((await sandbox.run('copy', raw)).status).toBe(0)
  const { status, err } = await sandbox.run('backup', { destination: both(), ...renewed })
  expect([status, err.includes('opens no key file')]).toEqual([0, false])
  expect(files()).toEqual([[added], [expect.stringContaining('.age'), original]])
  expect((await sandbox.run('list', { destination: one })).err).toContain('the passphrase does not open')
})

test('where no destination can be written to, nothing is there and the error is that of a destination', async () => {
  for (const place of Object.values(places)) writeFileSync(place, 'in the way')
  const { status, err } = await sandbox.run('backup', { destination: both() })
  expect(status).toBe(1)
  expect(err).toMatch(/^error: cannot .* file:/m)
})

test('the same destination twice is refused', async () => {
  const { status, err } = await sandbox.run('backup', { destination: `file:${places.one}\nfile:${places.one}` })
  expect([status, existsSync(places.one)]).toEqual([2, false])
  expect(err).toContain('is there twice')
})

test('a destination that fails in the middle has no snapshot of that backup', async () => {
  await backup()
  // Nothing new can be made in its folder of snapshots.
  const folder = path.join(places.other, 'snapshots/default')
  const before = readdirSync(folder)
  rmSync(folder, { recursive: true })
  mkdirSync(folder, { mode: 0o500 })
  chmodSync(folder, 0o500)
  writeFileSync(path.join(places.other, '.incoming-is-a-file'), '')
  rmSync(path.join(places.other, '.incoming'), { recursive: true })
  writeFileSync(path.join(places.other, '.incoming'), 'in the way')
  const { status } = await sandbox.run('backup', { destination: both() })
  expect(status).toBe(1)
  expect(readdirSync(folder)).toEqual([])
  expect(before).toHaveLength(1)
  expect(await verified(places.one)).toBe('verified')
})
