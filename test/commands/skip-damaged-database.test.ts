import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { type AuthenticSnapshot, chunkKey, openManifest, type SourceRecord } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { noise } from '../support/bytes.ts'
import { dumpInParts, partOf } from '../support/archive-parts.ts'
import { backUp } from '../support/backup.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { clientEnvironment, type Server, startServer } from '../support/postgres-server.ts'
import { recover } from '../support/recover-script.ts'

let server: Server
let folder: string
let snapshot: AuthenticSnapshot
let source: SourceRecord
const TABLES = Array.from({ length: 12 }, (_, n) => `t${String(n).padStart(2, '0')}`)
const checksums = (database: string, tables: readonly string[]): Promise<string[]> =>
  Promise.all(tables.map((table) => server.sql(`SELECT count(*) || ' ' || coalesce(sum(hashtext(t::text)), 0) FROM ${table} t`, database)))

beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  for (const table of TABLES)
    await server.sql(`CREATE TABLE ${table} AS SELECT g AS id, md5('${table}' || g) || md5(g || '${table}') AS text FROM generate_series(1, 9000) g; ALTER TABLE ${table} ADD PRIMARY KEY (id)`, 'shop')
  await server.sql(`
    ALTER TABLE t03 ADD CONSTRAINT to_next FOREIGN KEY (id) REFERENCES t04 (id);
    CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM t03, t04 WHERE t03.id = t04.id;
    CREATE MATERIALIZED VIEW other AS SELECT count(*) FROM t11`, 'shop')
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-damaged-database-'))
  await run('backup', folder, { 'database-url': server.url('shop') })
  const store = new FileStore(path.join(folder, 'store'))
  snapshot = await findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'default', { kind: 'latest' })
  source = (await openManifest(snapshot)).sources[0]!
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

const run = <C extends 'backup' | 'restore' | 'verify' | 'list'>(command: C, at: string, raw: Record<string, string>) =>
  dispatched(command, { destination: `file:${at}/store`, 'encryption-key': identity, ...raw }, new Date(), {
    variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(at, 'tmp') })

/** Without one chunk of the archive, restored into the new database `rescued`. */
async function rescued(place: number, more: Record<string, string> = {}): Promise<{ result: RestoreResult; text: string }> {
  const copy = mkdtempSync(path.join(folder, 'copy-'))
  cpSync(path.join(folder, 'store'), path.join(copy, 'store'), { recursive: true })
  const [id, , , , mark] = snapshot.header.chunks[source.streams[0]!.chunks[place]!]!
  rmSync(path.join(copy, 'store', chunkKey(id, mark)))
  await server.sql('DROP DATABASE IF EXISTS rescued')
  try {
    return await run('restore', copy, { 'database-url': server.url('rescued'), mode: 'create', 'skip-damaged': 'true', ...more })
  } finally {
    rmSync(copy, { recursive: true })
  }
}

test('of a database with a lost chunk, every table whose rows are whole is restored, and the others are listed and empty', async () => {
  const places = [...source.streams[0]!.chunks.keys()]
  expect(places.length).toBeGreaterThan(4)
  const original = await checksums('shop', TABLES)
  const lostOnce = new Set<string>()
  for (const place of places.slice(1)) {
    const { result, text } = await rescued(place)
    expect(result.entries - result.restored).toBe(result.missing!.length)
    const lost = TABLES.filter((table) => result.missing!.includes(`rows of the table public.${table}`))
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThan(6)
    for (const table of lost) lostOnce.add(table)
    expect(await checksums('rescued', TABLES)).toEqual(TABLES.map((table, at) => (lost.includes(table) ? '0 0' : original[at])))
    const linked = lost.includes('t03') || lost.includes('t04')
    expect(result.missing!.includes('foreign key public.t03 to_next, which needs these rows')).toBe(linked)
    expect(result.missing!.includes('rows of the materialized view public.summary, which reads these rows')).toBe(linked)
    expect(await server.sql(`SELECT count(*) FROM pg_constraint WHERE conname = 'to_next'`, 'rescued')).toBe(linked ? '0' : '1')
    expect(result.errors).toEqual([])
    expect(text).toContain('Restored IN PART: shop into')
    expect(text).toContain('MISSING: damaged in the backup, so not restored, or only in part')
  }
  expect(lostOnce.size).toBeGreaterThan(8)
})

test('a dry run of a damaged database makes every check, and tells what would be left out', async () => {
  const last = source.streams[0]!.chunks.length - 1
  const { result: planned, text } = await rescued(last, { 'dry-run': 'true' })
  expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'rescued'`)).toBe('0')
  const { result } = await rescued(last)
  expect(planned).toMatchObject({ missing: result.missing, elsewhere: result.elsewhere, restored: 0, errors: [] })
  expect(planned.steps!.join('\n')).toMatch(/Make a database: CREATE DATABASE "rescued"[^]*\nRestore \d+ entries of the archive, /)
  expect(text).toMatch(/^Nothing was changed\. shop of snapshot \S+ can be restored in part into [^]*MISSING: damaged in the backup, so it would not be restored/)
  const touched = path.join(folder, 'touched')
  expect(await refusal(rescued(last, { 'database-url': server.url('shop'), 'pre-command': `touch ${touched}` }))).toContain('shop exists already')
  expect(await refusal(rescued(0, { 'dry-run': 'true' }))).toMatch(/damaged in its table of contents[^]*No other snapshot of set default is whole and has shop/)
  expect(readdirSync(folder)).not.toContain('touched')
})

test('of a database that is damaged in the newest snapshot alone, the one named has all rows, though its volume is damaged', async () => {
  const copy = mkdtempSync(path.join(folder, 'accounts-'))
  const volume = path.join(copy, 'uploads')
  mkdirSync(volume)
  writeFileSync(path.join(volume, 'file'), noise('uploads', 5000))
  await server.createDatabase('accounts')
  await server.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 9000) g`, 'accounts')
  const store = new FileStore(path.join(copy, 'store'))
  const backUp = async (): Promise<AuthenticSnapshot> => {
    const { result } = await run('backup', copy, { 'database-url': server.url('accounts'), volumes: `uploads=${volume}`, set: 'shop' })
    return findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'shop', { kind: 'id', id: result.snapshot })
  }
  const older = await backUp()
  await server.sql(`INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(9001, 18000) g`, 'accounts')
  const newer = await backUp()
  const lose = async (from: AuthenticSnapshot, name: string, isLost: (mark: string) => boolean): Promise<void> => {
    const { streams } = (await openManifest(from)).sources.find((one) => one.name === name)!
    const places = streams.flatMap(({ chunks }) => chunks).filter((place) => isLost(from.header.chunks[place]![4]))
    expect(places).not.toEqual([])
    for (const place of places) rmSync(path.join(copy, 'store', chunkKey(from.header.chunks[place]![0], from.header.chunks[place]![4])), { force: true })
  }
  await lose(newer, 'accounts', (mark) => mark === newer.header.id.slice(-8))
  await lose(older, 'uploads', () => true)
  const restoring = (more: Record<string, string>) => run('restore', copy, { 'database-url': server.url('again'), mode: 'create', set: 'shop', ...more })
  const named = new RegExp(`Snapshot ${older.header.id} has all of accounts \\(its uploads is damaged\\): \`lifeboat (restore --set shop --snapshot \\S+ --database accounts)\``)
  expect(await refusal(restoring({ database: 'accounts' }))).toMatch(named)
  expect(named.exec((await run('verify', copy, { set: 'shop' })).text)![1]).toBe(`restore --set shop --snapshot ${older.header.id} --database accounts`)
  await restoring({ snapshot: older.header.id, database: 'accounts' })
  expect(await server.sql('SELECT count(*) FROM orders', 'again')).toBe('9000')
  rmSync(copy, { recursive: true })
})

test('rows that are whole can be selected, and a selection without damage is complete', async () => {
  const last = source.streams[0]!.chunks.length - 1
  const { result } = await rescued(last, { tables: 't01' })
  expect(result).toMatchObject({ missing: [], errors: [] })
  expect(await checksums('rescued', ['t01'])).toEqual(await checksums('shop', ['t01']))
})

test('recover.sh and pg_restore bring the same tables back', async () => {
  const original = await checksums('shop', TABLES)
  const key = path.join(folder, 'identity.txt')
  writeFileSync(key, `${identity}\n`, { mode: 0o600 })
  const places = [...source.streams[0]!.chunks.keys()]
  const store = path.join(folder, 'store')
  const stream = `shop/${source.streams[0]!.name}`
  const left = (place: number, ...more: string[]) => {
    const [id, , , , mark] = snapshot.header.chunks[source.streams[0]!.chunks[place]!]!
    const chunk = path.join(store, chunkKey(id, mark))
    renameSync(chunk, `${chunk}.away`)
    try {
      const file = path.join(folder, `left-${place}.dump`)
      return { file, ...recover(store, ['extract', snapshot.header.id, stream, '-i', key, '-o', file, ...more]) }
    } finally {
      renameSync(`${chunk}.away`, chunk)
    }
  }
  for (const place of [places[2]!, places.at(-1)!]) {
    const { file, status, stderr } = left(place, '--skip-damaged')
    expect(stderr).toContain(`Restore it with: pg_restore -L ${file}.list`)
    const lost = TABLES.filter((table) => new RegExp(`MISSING: .* TABLE DATA public ${table} `).test(stderr))
    expect([status, lost.length > 0, lost.length < 6]).toEqual([1, true, true])
    await server.sql('DROP DATABASE IF EXISTS rescued')
    await server.createDatabase('rescued')
    const restored = spawnSync(path.join(clientDirectory(17), 'pg_restore'), ['-L', `${file}.list`, '-d', 'rescued', file], { env: { ...process.env, ...clientEnvironment(server, 'rescued') }, encoding: 'utf8' })
    for (const line of restored.stderr.split('\n').filter((one) => one.includes('error: '))) expect(line).toMatch(/to_next|violates foreign key|errors ignored/)
    expect(await checksums('rescued', TABLES)).toEqual(TABLES.map((table, at) => (lost.includes(table) ? '0 0' : original[at])))
    expect(await server.sql(`SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace`, 'rescued')).toBe('12')
  }
  const block = /(?:^ {4}.*\n)*^ {4}.*--skip-damaged.*\n(?:^ {4}.*\n)*/m.exec(readFileSync(path.join(store, 'RECOVERY.md'), 'utf8'))![0]
  const script = block.replaceAll('20261120T020000Z-5f3a9c1e', snapshot.header.id).replace('name=app', 'name=shop')
  const [id, , , , mark] = snapshot.header.chunks[source.streams[0]!.chunks.at(-1)!]!
  const chunk = path.join(store, chunkKey(id, mark))
  renameSync(chunk, `${chunk}.away`)
  execFileSync('/bin/sh', ['-euc', `store='${store}'\n${script}`], { cwd: folder, env: { ...process.env, ...clientEnvironment(server, 'postgres'), PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, stdio: 'pipe' })
  renameSync(`${chunk}.away`, chunk)
  expect(await checksums('left', TABLES.slice(0, 8))).toEqual(original.slice(0, 8))
  rmSync(path.join(folder, 'left'), { recursive: true })
  expect(left(0, '--skip-damaged')).toMatchObject({ status: 1, stderr: expect.stringContaining('its table of contents is damaged') })
  expect(left(places[3]!)).toMatchObject({ status: 1, stderr: expect.stringContaining('NOT restored') })
  expect(readdirSync(folder).filter((name) => name.startsWith('left-')).toSorted()).toEqual([places[2]!, places.at(-1)!].flatMap((place) => [`left-${place}.dump`, `left-${place}.dump.list`]).toSorted())
})

test('the commands of RECOVERY.md bring back what is left of a database with several archives, whichever of them is damaged', async () => {
  const original = await checksums('shop', TABLES)
  const dumped = await dumpInParts(server, 'shop', [partOf(...TABLES.slice(0, 6).map((table): [string, string] => ['public', table])), partOf(['public', 't11'])], 17)
  const place = mkdtempSync(path.join(folder, 'parts-'))
  const store = path.join(place, 'store')
  const { id } = await backUp({ folder: store, encryptionKey: identity, sources: { app: dumped.streams }, kind: { kind: 'postgres', facts: JSON.parse(JSON.stringify(dumped.facts)) } })
  writeFileSync(path.join(place, 'identity.txt'), `${identity}\n`)
  const keys = await openKeys(identity, { store: new FileStore(store), create: false, onDamaged: () => undefined })
  const made = await findSnapshot(new FileStore(store), keys, 'app', { kind: 'latest' })
  const { streams } = (await openManifest(made)).sources[0]!
  const block = /(?:^ {4}.*\n)*^ {4}.*--skip-damaged.*\n(?:^ {4}.*\n)*/m.exec(readFileSync(path.join(store, 'RECOVERY.md'), 'utf8'))![0]
  const script = `store=store\n${block.replaceAll('20261120T020000Z-5f3a9c1e', id)}`
  const env = { ...process.env, ...clientEnvironment(server, 'postgres'), PATH: `${clientDirectory(17)}:${process.env['PATH']}` }
  for (const [number, ofStream] of [[0, TABLES.slice(6, 11)], [1, TABLES.slice(0, 6)], [2, ['t11']]] as const) {
    const { chunks } = streams[number]!
    expect(chunks.length > 1 || number === 2).toBe(true)
    const [chunk, , , , mark] = made.header.chunks[chunks.at(-1)!]!
    const file = path.join(store, chunkKey(chunk, mark))
    renameSync(file, `${file}.away`)
    await server.sql('DROP DATABASE IF EXISTS "left"')
    const { stdout, stderr } = spawnSync(number === 1 ? 'bash' : 'dash', ['-c', script], { cwd: place, env, encoding: 'utf8' })
    renameSync(`${file}.away`, file)
    rmSync(path.join(place, 'left'), { recursive: true })
    const found = await checksums('left', TABLES)
    const lost = TABLES.filter((_, at) => found[at] === '0 0')
    expect(lost.length).toBeGreaterThan(0)
    for (const table of lost) expect([ofStream.some((one) => one === table), stderr]).toEqual([true, expect.stringMatching(number === 2 && chunks.length === 1 ? /NOT restored/ : new RegExp(`MISSING: .* TABLE DATA public ${table} `))])
    expect(found).toEqual(TABLES.map((table, at) => (lost.includes(table) ? '0 0' : original[at])))
    expect(stdout.includes('NOTHING is left of app.2.dump')).toBe(number === 2 && chunks.length === 1)
    expect(await server.sql(`SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace`, 'left')).toBe('12')
  }
})

test('a damaged table of contents, and modes that replace something, are refused, whatever is selected', async () => {
  expect(await refusal(rescued(0))).toMatch(/the archive of shop is damaged in its table of contents: nothing of it can be restored\nhint: No other snapshot of set default is whole and has shop/)
  for (const [mode, more] of [['clean', {}], ['clean', { tables: 't00' }], ['swap', {}]] as const) {
    expect(await refusal(rescued(1, { mode, ...more, confirm: 'shop', 'database-url': server.url('shop') }))).toContain(`shop is damaged, and with mode ${mode} would replace what is there`)
  }
  expect(await checksums('shop', ['t00'])).not.toEqual(['0 0'])
})

test('damage that a restore meets while pg_restore reads is known to the next backup', async () => {
  const copy = mkdtempSync(path.join(folder, 'copy-'))
  cpSync(path.join(folder, 'store'), path.join(copy, 'store'), { recursive: true })
  const { chunks } = source.streams[0]!
  const [id, , , , mark] = snapshot.header.chunks[chunks[Math.floor(chunks.length / 2)]!]!
  const file = path.join(copy, 'store', chunkKey(id, mark))
  const bytes = readFileSync(file)
  bytes[bytes.length - 100]! ^= 1
  writeFileSync(file, bytes)
  await server.sql('DROP DATABASE IF EXISTS rescued')
  expect(await refusal(run('restore', copy, { 'database-url': server.url('rescued'), mode: 'create' }))).toContain(`chunk ${chunkKey(id, mark)} in file:${copy}/store is damaged`)
  expect((await run('list', copy, {})).result.snapshots).toMatchObject([{ id: snapshot.header.id, verified: false, damage: expect.stringContaining(chunkKey(id, mark)) }])
  const { result } = await run('backup', copy, { 'database-url': server.url('shop'), 'check-reused': '0%', verify: 'none' })
  expect((await run('verify', copy, { snapshot: result.snapshot, level: 'read' })).result.result).toBe('verified')
})
