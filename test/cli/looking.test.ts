import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { DiffResult } from '../../src/commands/diff/result.ts'
import type { ListResult } from '../../src/commands/list/result.ts'
import type { ShowResult } from '../../src/commands/show/result.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { shellWord } from '../../src/report/recipe.ts'
import { FORMAT } from '../../src/repository/format.ts'
import { encodeSnapshot, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { identity, keys } from '../support/engine.ts'
import { startServer, type Server } from '../support/postgres-server.ts'
import { type Ended, lifeboatEntry, runLifeboat } from '../support/terminal-program.ts'

const HOSTILE = 'b\n\u001b[2J.txt'

let server: Server
let folder: string
let key: string
let store: string
/** The older one, and the newer one. */
let ids: [string, string]
beforeAll(async () => {
  key = (await newIdentity()).identity
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-looking-'))
  store = `file:${path.join(folder, 'store')}`
  const files = path.join(folder, 'files')
  mkdirSync(path.join(files, 'sub'), { recursive: true })
  writeFileSync(path.join(files, 'a.txt'), 'a'.repeat(1000))
  writeFileSync(path.join(files, 'sub', HOSTILE), 'b')
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 2000) g; CREATE TABLE gone AS SELECT 1 AS x; ANALYZE', 'shop')
  const made = ['backup', '--set', 'app', '--volumes', `files=${files}`, '--tags', 'nightly', '--description', 'before <the> release', '--json']
  const older: { snapshot: string } = JSON.parse((await lifeboat(made)).out)
  await server.sql('INSERT INTO orders SELECT generate_series(2001, 3000); DROP TABLE gone; CREATE TABLE fresh (id int PRIMARY KEY); CREATE EXTENSION pgcrypto; ANALYZE', 'shop')
  writeFileSync(path.join(files, 'a.txt'), 'a'.repeat(2000))
  writeFileSync(path.join(files, 'c'), 'c')
  const newer: { snapshot: string } = JSON.parse((await lifeboat(made)).out)
  ids = [older.snapshot, newer.snapshot]
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

const lifeboat = (args: readonly string[], variables: Record<string, string> = {}): Promise<Ended> =>
  runLifeboat(args, { PATH: process.env['PATH'], TMPDIR: folder, LIFEBOAT_DESTINATION: store, LIFEBOAT_ENCRYPTION_KEY: key, DATABASE_URL: server.url('shop'), ...variables })

test('show tells what is in a snapshot: tables, extensions, versions, files, chunks, proofs', async () => {
  const { status, out, err } = await lifeboat(['show', 'latest', '--set', 'app', '--files'])
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain(`Snapshot ${ids[1]} of set app in ${store}\n`)
  expect(out).toMatch(/^ {2}about {3}before <the> release$/m)
  expect(out).toMatch(/^ {2}server +PostgreSQL 15\.\S+, UTF8, /m)
  expect(out).toMatch(/^ {2}extensions +pgcrypto 1\.3, plpgsql 1\.0$/m)
  expect(out).toMatch(/^ {4}public\.orders +3,000 /m)
  expect(out).toMatch(/^ {2}f +2\.00 kB +\S+ \S+ +a\.txt$/m)
  expect(out).toMatch(/^ {2}f +1 B +\S+ \S+ +sub\/b \uFFFD\[2J\.txt$/m)
  expect(out).toMatch(/^ {2}verified {2}list {2}.*lifeboat 0\.1\.0, pg_restore 15/m)
  expect(out).toMatch(/signature verified; sealed to 1 recipient$/m)
  const shown: ShowResult = JSON.parse((await lifeboat(['show', ids[0], '--files', '--json'])).out)
  expect(shown).toMatchObject({ id: ids[0], verified: true, tags: ['nightly'], recipients: 1, sources: [{ name: 'shop', database: { entries: 4 } }, { name: 'files', volume: { files: 2, bytes: 1001 } }] })
  expect(shown.sources![1]!.files!.map(({ path, size }) => `${size} ${path}`).toSorted()).toEqual(['0 ', '0 sub', `1 sub/${HOSTILE}`, '1000 a.txt'])
  expect(shown.newChunks).toBe(shown.chunks)
})

test('without a key show tells what anyone can read, and says so', async () => {
  const { status, out } = await lifeboat(['show', ids[0]], { LIFEBOAT_ENCRYPTION_KEY: '' })
  expect(status).toBe(0)
  expect(out).toContain('signature NOT checked: this is what the store claims')
  expect(out).toContain('Its content can be read only with the key that it was made with.')
  expect(out).not.toContain('orders')
  expect(out).not.toContain('release')
})

test('diff tells what was added, removed and changed between two snapshots, and what they share', async () => {
  const { status, out, err } = await lifeboat(['diff', ...ids])
  expect([status, err]).toEqual([0, ''])
  for (const line of [
    /^ {2}\+ {2}extension pgcrypto +1\.3$/m, /^ {2}- {2}table public\.gone +1 rows, /m, /^ {2}\+ {2}table public\.fresh +0 rows, /m, /^ {2}~ {2}table public\.orders +2,000 -> 3,000 rows, /m,
    /^ {2}\+ {2}entry +CONSTRAINT public fresh fresh_pkey postgres$/m, /^ {2}- {2}entry +TABLE DATA public gone postgres$/m,
    /^ {2}\+ {2}1 B +c$/m, /^ {2}~ {2}1\.00 kB -> 2\.00 kB +size, time +a\.txt$/m, /^ {2}1 entry added, 0 removed, 2 changed; 2 with the same size, time, mode and owner \(content not compared\)$/m,
    /^ {2}Rows of tables were counted, not compared: values may differ\. /m,
  ]) expect(out).toMatch(line)
  expect(out).not.toContain('entry  TABLE public orders')

  const same: DiffResult = JSON.parse((await lifeboat(['diff', ids[1], 'latest', '--set', 'app', '--json'])).out)
  expect(same.content.sharedBytes).toBe(same.content.bytes)
  expect(same.sources).toMatchObject([
    { name: 'shop', database: { settings: [], tables: { added: [], removed: [], changed: [] }, entries: { added: [], removed: [] } } },
    { name: 'files', identical: true, files: { added: [], removed: [], changed: [], identical: 5, alike: 0 } },
  ])
  expect((await lifeboat(['diff', ids[1], 'latest', '--set', 'app'])).out).toMatch(/^files \(directory\): \d+\.\d+ kB\n {2}identical, byte for byte$/m)
})

test('a pin is made, listed, and prevents forget; stats count; force forgets', async () => {
  const pinned = await lifeboat(['pin', ids[0]])
  expect(pinned).toMatchObject({ status: 0, err: '', out: expect.stringContaining(`Snapshot ${ids[0]} of set app is pinned, tagged #nightly.`) })
  expect((await lifeboat(['tag', ids[0], 'kept', 'release=1', '--remove', 'nightly'])).out).toContain('is pinned, tagged #kept #release=1')
  expect((await lifeboat(['list'])).out).toMatch(new RegExp(`^${ids[0]} .* list \\d+ s ago  shop, files  pinned  #kept #release=1  before <the> release$`, 'm'))
  const refused = await lifeboat(['forget', ids[0]])
  expect(refused).toMatchObject({ status: 1, out: '', err: `error: nothing was deleted: ${ids[0]} is pinned\nhint: Leave these out, or give --force, and these alone: with it, nothing stops the deletion of any of them.\n` })
  expect((await lifeboat(['stats'])).out).toMatch(/^2 snapshots of .* take .*\n/)
  expect((await lifeboat(['forget', ids[0], '--force'])).status).toBe(0)
  const left: ListResult = JSON.parse((await lifeboat(['list', '--json'])).out)
  expect(left.snapshots.map(({ id }) => id)).toEqual([ids[1]])
})

test('a list of more than 64 KiB arrives whole through a pipe', async () => {
  const long = path.join(folder, 'long')
  await backUp({ folder: long, encryptionKey: identity, time: new Date('2026-11-20T00:00:00Z'), sources: {} })
  for (let index = 0; index < 100; index++) {
    const id = `20261119T000000Z-${String(index).padStart(8, '0')}`
    const header = { format: FORMAT, id, set: 'app', time: '2026-11-19T00:00:00.000Z', key: keys.fingerprint, tags: [], size: 0, added: 0, chunks: [] } as const
    await new FileStore(long).put(snapshotKey('app', id), await encodeSnapshot({ ...header, tags: [], recipients: [], chunks: [] }, { sources: [], anchors: [], spent: [], description: 'x'.repeat(1000), run: null, lifeboat: '0' }, keys))
  }
  // A pipe of the shell's: those that Node makes for its children are sockets, which take more.
  const env = { PATH: process.env['PATH'], LIFEBOAT_DESTINATION: `file:${long}`, LIFEBOAT_ENCRYPTION_KEY: identity }
  const program = [process.execPath, lifeboatEntry()].map(shellWord).join(' ')
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `${program} list --json | cat`], { env })
  const listed: ListResult = JSON.parse(stdout)
  expect(listed.snapshots).toHaveLength(101)
  expect(stdout.length).toBeGreaterThan(100_000)
})
