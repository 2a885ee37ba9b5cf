import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jest } from '@jest/globals'
import { placesOf } from '../../src/sources/postgres/block-sums.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { chunkKey, openManifest } from '../../src/repository/snapshot.ts'
import { postgresFacts } from '../../src/sources/postgres/facts.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'

let server: Server
let folder: string
const gets = jest.spyOn(FileStore.prototype, 'get')
beforeAll(async () => {
  server = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-restore-reads-'))
  await server.createDatabase('shop')
  const rows = `SELECT g AS id, md5(g::text) || md5((g + 1000000)::text) AS text FROM generate_series(1, 120000) g`
  await server.sql(`
    CREATE TABLE a AS ${rows}; CREATE TABLE b AS SELECT id, text FROM a LIMIT 3000; CREATE TABLE c AS SELECT id, reverse(text) AS text FROM a;
    CREATE TABLE d AS SELECT id FROM b; CREATE TABLE e AS SELECT id, upper(text) AS text FROM a; SELECT lo_from_bytea(0, decode(repeat('00ff', 50000), 'hex'));
    ALTER TABLE b ADD PRIMARY KEY (id); ALTER TABLE d ADD FOREIGN KEY (id) REFERENCES b (id); CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM b`, 'shop')
  await run('backup', { 'database-url': server.url('shop') })
})
afterAll(async () => {
  gets.mockRestore()
  rmSync(folder, { recursive: true })
  await server.stop()
})

const context = () => ({ variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(folder, 'tmp') })
const run = <C extends 'backup' | 'restore'>(command: C, more: Record<string, string>) =>
  dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...more }, new Date(), context())
const contentOf = (database: string, table: string): Promise<string> => server.sql(`SELECT count(*) || ' ' || sum(hashtext(t::text)) FROM ${table} t`, database)

async function restored(more: Record<string, string>) {
  await server.sql('DROP DATABASE IF EXISTS part')
  gets.mockClear()
  const { result, text } = await run('restore', { 'database-url': server.url('part'), mode: 'create', ...more })
  const chunks = gets.mock.calls.map(([key]) => key).filter((key) => key.startsWith('chunks/'))
  const bytes = chunks.reduce((sum, key) => sum + statSync(path.join(folder, 'store', key)).size, 0)
  return { result, text, chunks: new Set(chunks), requests: chunks.length, bytes }
}

async function archive() {
  const store = new FileStore(path.join(folder, 'store'))
  const snapshot = await findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'default', { kind: 'latest' })
  const source = (await openManifest(snapshot)).sources[0]!
  const stream = source.streams[0]!
  const { chunks } = snapshot.header
  return { source, stream, chunks, keys: stream.chunks.map((place) => chunkKey(chunks[place]![0], chunks[place]![4])) }
}

test.each(['1', '2'])('of a part, the table of contents and the chunks with its data are read; with jobs: %s', async (jobs) => {
  const all = await restored({ jobs })
  expect(all.result.read).toBeUndefined()
  const part = await restored({ tables: 'b', jobs })
  expect(part.result).toMatchObject({ errors: [], restored: part.result.entries, size: all.result.size })
  expect(await contentOf('part', 'b')).toBe(await contentOf('shop', 'b'))
  expect(part.result.read).toBeLessThan(all.result.size / 40)
  expect(part.chunks.size).toBeLessThan(all.chunks.size / 2)
  // Two for the list that was verified, the table of contents twice, and the rows, which lie in up to three.
  expect(part.requests).toBeLessThanOrEqual(7)
  expect(part.bytes).toBeLessThan(all.bytes / 2)
  expect(part.text).toMatch(/Only the selected part of the archive was read, \S+ \S+ of \S+ \S+, and every chunk of it was\s+checked\. Other chunks, and the sum of the whole archive, were not\./)
  expect(all.text).not.toContain('sum of the whole archive')
})

test.each<[string, Record<string, string>, string[]]>([
  ['tables far apart', { tables: 'd, b' }, ['b', 'd']], ['no rows at all', { only: 'schema' }, []], ['a whole schema', { schemas: 'public' }, ['a', 'b', 'c', 'd', 'e']],
])('%s', async (_, part, filled) => {
  const { result } = await restored(part)
  expect(result.errors).toEqual([])
  expect(result.read).toBeLessThan(result.size)
  for (const table of filled) expect(await contentOf('part', table)).toBe(await contentOf('shop', table))
  const others = ['a', 'b', 'c', 'd', 'e'].filter((table) => !filled.includes(table))
  if ('only' in part) for (const table of others) expect(await server.sql(`SELECT count(*) FROM ${table}`, 'part')).toBe('0')
  expect(await server.sql('SELECT count(*) FROM pg_largeobject_metadata', 'part')).toBe('0')
})

test('rows are replaced in one transaction from the chunks that have them; a damaged one leaves the target as it was', async () => {
  await restored({})
  const { source, stream, chunks, keys } = await archive()
  const again = (more: Record<string, string>) => ({ 'database-url': server.url('part'), confirm: 'part', mode: 'clean', tables: 'c', 'safety-backup': 'false', ...more })
  await server.sql('DELETE FROM c WHERE id > 5', 'part')
  const { result } = await run('restore', again({}))
  expect(result).toMatchObject({ errors: [], left: 'everything' })
  expect(result.read).toBeLessThan(result.size / 2)
  expect(await contentOf('part', 'c')).toBe(await contentOf('shop', 'c'))

  // The chunk in the middle of the rows of c has its size, and other bytes.
  const id = Number(postgresFacts.parse(source.facts).entries.find((line) => line.includes(' TABLE DATA public c '))!.split(';')[0])
  const { start, end } = placesOf(source.facts, stream.size)!.find((block) => block.id === id)!
  let at = 0
  const within = keys.filter((_, index) => {
    const from = at
    at += chunks[stream.chunks[index]!]![1]
    return from > start && at < end
  })
  expect(within.length).toBeGreaterThan(0)
  const file = path.join(folder, 'store', within.at(-1)!)
  await server.sql('DELETE FROM c WHERE id > 5', 'part')
  const before = await contentOf('part', 'c')
  const whole = readFileSync(file)
  try {
    writeFileSync(file, Buffer.concat([whole.subarray(0, -1), Buffer.from([whole.at(-1)! ^ 1])]))
    expect(await refusal(run('restore', again({})))).toContain(`chunk ${within.at(-1)!} in`)
    expect(await contentOf('part', 'c')).toBe(before)
    // Another part does not need it.
    const { result, warnings } = await run('restore', again({ tables: 'e' }))
    expect(result).toMatchObject({ errors: [], left: 'everything' })
    expect(warnings).toEqual([expect.stringMatching(/^snapshot \S+ is damaged, perhaps not in the selected objects: .* known to be damaged/)])
    expect(await refusal(run('restore', again({ tables: 'c' })))).toContain(`chunk ${within.at(-1)!} in`)
    expect(await contentOf('part', 'c')).toBe(before)
    // Nor is a part left where a failure would leave one.
    await server.sql('CREATE DATABASE empty')
    for (const jobs of ['1', '2']) {
      expect(await refusal(run('restore', { 'database-url': server.url('empty'), mode: 'empty', tables: 'b, c', jobs }))).toContain(`chunk ${within.at(-1)!} in`)
      expect(await server.sql(`SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`, 'empty')).toBe('0')
    }
    expect((await run('restore', { 'database-url': server.url('empty'), mode: 'empty', tables: 'e' })).result).toMatchObject({ errors: [], left: 'everything' })
    expect(await contentOf('empty', 'e')).toBe(await contentOf('shop', 'e'))
  } finally {
    writeFileSync(file, whole)
  }
  expect(readdirSync(path.join(folder, 'tmp'))).toEqual([])
})

const places = (data: unknown) => placesOf({ data }, 100)

test('places that contradict themselves are not used', () => {
  expect(places([[7, 10, 40], [8, 40, 100]])).toEqual([{ id: 7, start: 10, end: 40 }, { id: 8, start: 40, end: 100 }])
  expect(places([])).toEqual([])
  for (const wrong of [[[7, 10, 40], [8, 41, 100]], [[7, 10, 40], [8, 40, 99]], [[7, 10, 40], [7, 40, 100]], [[7, 0, 100]], [[7, 10, 10], [8, 10, 100]], undefined, 'none'])
    expect(places(wrong)).toBeUndefined()
})
