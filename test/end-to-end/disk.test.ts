import { chmodSync, cpSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { loadIncompressible } from '../support/dataset.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { contentOf, expectFailure, expectNoBackup, mounting, Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
let before: Record<string, string>
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g', 'shop')
  await server.createDatabase('large')
  await loadIncompressible(server, 'large', 12)
  sandbox = await Sandbox.open(server.url('shop'))
  await sandbox.backup()
})
afterAll(async () => {
  await sandbox.expectHealthy()
  sandbox.close()
  await server.stop()
})
beforeEach(() => (before = contentOf(sandbox.store)))
afterEach(async () => void (await sandbox.backup()))

const both = ['terminal', 'action'] as const
const large = (): { 'database-url': string } => ({ 'database-url': server.url('large') })

test.each(both)('a store on a full disk: the backup fails, and those already there are whole (%s)', async (as) => {
  // The file system is gone with the program, so what it held is copied out in between.
  const after = path.join(sandbox.folder, `after-${as}`)
  const script = `
    mkdir "$2"; mount -t tmpfs -o size=6m none "$2"; cp -a "$1/." "$2"; mkdir "$3"; store=$2 copy=$3; shift 3
    status=0; "$@" || status=$?; cp -a "$store/." "$copy"; exit $status; set --`
  const small = path.join(sandbox.folder, `small-${as}`)
  const under = mounting(script, sandbox.store, small, after)
  const ending = await sandbox.run('backup', { ...large(), destination: `file:${small}` }, { as, under })
  expectFailure(ending, 1, /cannot write chunks\/\S+ to file:\S+: ENOSPC/, /The disk is full\. Free some space or choose another destination; the backups already there are whole/)
  expectNoBackup(after, before)
  expect(readdirSync(path.join(after, '.incoming'))).toEqual([])
})

test.each(both)('no room to stage the table of contents of an archive: nothing is restored, and the new database is gone (%s)', async (as) => {
  await sandbox.backup({ ...large(), set: 'large' })
  const under = mounting('mount -t tmpfs -o size=4k none "$1"', sandbox.temporary)
  const ending = await sandbox.run('restore', { set: 'large', 'database-url': server.url('brand_new'), mode: 'create', jobs: '2' }, { as, under })
  expectFailure(ending, 1, /cannot stage the archive in \S+: ENOSPC/, /set (?:--jobs 1|`jobs: 1`)/)
  expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'brand_new'`)).toBe('0')
})

test.each(both)('a store that is mounted read-only (%s)', async (as) => {
  const under = mounting('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', sandbox.store)
  expectFailure(await sandbox.run('backup', {}, { as, under }), 1, /cannot write \S+ to file:\S+: EROFS/, /mounted read-only; remount it/)
  expect(contentOf(sandbox.store)).toEqual(before)
  const listed = await sandbox.run('list', {}, { as, under })
  expect([listed.status, listed.err]).toEqual([0, ''])
})

test.each(both)('a store that one may not write to (%s)', async (as) => {
  const locked = path.join(sandbox.folder, `locked-${as}`)
  cpSync(sandbox.store, locked, { recursive: true })
  const folders = [locked, ...readdirSync(locked, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => path.join(entry.parentPath, entry.name))]
  for (const folder of folders) chmodSync(folder, 0o555)
  // Root may write anywhere, but for this capability.
  const under = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override'] : []
  expectFailure(await sandbox.run('backup', { destination: `file:${locked}` }, { as, under }), 1, /cannot write \S+ to file:\S+: EACCES/, /the right to read and write there/)
  expect(contentOf(locked)).toEqual(before)
  for (const folder of folders) chmodSync(folder, 0o755)
})

test.each(both)('a destination whose path is a file (%s)', async (as) => {
  const file = path.join(sandbox.store, 'lifeboat.json')
  expectFailure(await sandbox.run('backup', { destination: `file:${file}/store` }, { as }), 1, /cannot write \S+ to file:\S+: (?:ENOTDIR|EEXIST)/, /name a folder/)
  expect(contentOf(sandbox.store)).toEqual(before)
})

test('a folder for staging that cannot be made', async () => {
  const nowhere = path.join(sandbox.folder, 'missing/tmp')
  mkdirSync(path.dirname(nowhere))
  chmodSync(path.dirname(nowhere), 0o555)
  const under = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override'] : []
  const ending = await sandbox.run('restore', { 'database-url': server.url('brand_new'), mode: 'create' }, { variables: { TMPDIR: nowhere }, under })
  expectFailure(ending, 1, /cannot make a folder for staging: EACCES/, /TMPDIR/)
  expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'brand_new'`)).toBe('0')
})
