import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { chunkKey, openManifest } from '../../src/repository/snapshot.ts'
import { type PostgresFacts, postgresFacts } from '../../src/sources/postgres/facts.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { type DumpedParts, dumpInParts, partOf } from '../support/archive-parts.ts'
import { backUp } from '../support/backup.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { compareDatabases } from '../support/compare-databases.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { clientEnvironment, type Server, startServer } from '../support/postgres-server.ts'

let server: Server
let scratch: Server
let folder: string
let dumped: DumpedParts
let facts: PostgresFacts
/** A snapshot of one archive. */
let whole: string
beforeAll(async () => {
  server = await startServer(17)
  scratch = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-archive-parts-'))
  chmodSync(folder, 0o777)
  await server.createDatabase('shop')
  await server.sql(`CREATE ROLE lender; CREATE ROLE "SET SESSION AUTHORIZATION;"; CREATE ROLE reader;
    CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text); INSERT INTO customers (name) SELECT md5(g::text) FROM generate_series(1, 2000) g;
    CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, text text); INSERT INTO orders SELECT g, g % 2000 + 1, md5(g::text) || md5((-g)::text) FROM generate_series(1, 12000) g;
    CREATE TABLE "the ""items""" (id serial PRIMARY KEY, "order" int REFERENCES orders, note text); INSERT INTO "the ""items""" ("order", note) SELECT g, repeat(md5(g::text), 3) FROM generate_series(1, 6000) g;
    CREATE TABLE notes AS SELECT g AS id FROM generate_series(1, 3000) g;
    CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM orders; SELECT lo_from_bytea(4711, 'large');
    SELECT lo_create(4712), lo_create(4713); ALTER LARGE OBJECT 4712 OWNER TO lender; ALTER LARGE OBJECT 4713 OWNER TO lender;
    GRANT SELECT ON LARGE OBJECT 4712, 4713 TO "SET SESSION AUTHORIZATION;" WITH GRANT OPTION;
    SET SESSION AUTHORIZATION "SET SESSION AUTHORIZATION;"; GRANT SELECT ON LARGE OBJECT 4712, 4713 TO reader`, 'shop')
  whole = (await run('backup', { set: 'whole', 'database-url': server.url('shop') })).result.snapshot
  const store = new FileStore(path.join(folder, 'store'))
  const snapshot = await findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'whole', { kind: 'latest' })
  dumped = await dumpInParts(server, 'shop', [partOf(['public', 'orders']), { ...partOf(['public', 'notes'], ['public', 'the "items"']), largeObjects: true }], 17)
  const { data: _, ...others } = postgresFacts.parse((await openManifest(snapshot)).sources[0]!.facts)
  facts = { ...others, ...dumped.facts, globals: { reason: 'none' } }
  for (const set of ['parts', 'whole']) await stored(set, dumped, facts)
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
  await scratch.stop()
})

async function stored(set: string, { streams }: DumpedParts, recorded: object): Promise<void> {
  await backUp({ folder: path.join(folder, 'store'), encryptionKey: identity, set, sources: { shop: streams }, kind: { kind: 'postgres', facts: JSON.parse(JSON.stringify(recorded)) } })
}
const run = <C extends 'backup' | 'restore' | 'verify' | 'show' | 'extract' | 'diff'>(command: C, raw: Record<string, string>, at = folder) =>
  dispatched(command, { destination: `file:${at}/store`, 'encryption-key': identity, ...raw }, new Date(), {
    variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(at, 'tmp') })
const equal = async (database: string): Promise<void> =>
  expect(await compareDatabases({ server, database: 'shop' }, { server, database })).toEqual([])
const databases = (name: string): Promise<string> => server.sql(`SELECT count(*) FROM pg_database WHERE datname = '${name}'`)
const rowsOf = (table: string, database: string): Promise<string> => server.sql(`SELECT count(*) FROM ${table}`, database)

/** A copy of the store, in which the first chunk of a stream is lost, or has another byte. */
async function damaged(name: string, how: 'lost' | 'changed'): Promise<string> {
  const copy = mkdtempSync(path.join(folder, 'copy-'))
  cpSync(path.join(folder, 'store'), path.join(copy, 'store'), { recursive: true })
  const store = new FileStore(path.join(copy, 'store'))
  const snapshot = await findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'parts', { kind: 'latest' })
  const stream = (await openManifest(snapshot)).sources[0]!.streams.find((one) => one.name === name)!
  const [id, , , , mark] = snapshot.header.chunks[stream.chunks.at(-1)!]!
  const file = path.join(copy, 'store', chunkKey(id, mark))
  const bytes = readFileSync(file)
  if (how === 'lost') rmSync(file)
  else writeFileSync(file, bytes.fill(bytes.at(-40)! ^ 1, bytes.length - 40, bytes.length - 39))
  return copy
}

test.each<Record<string, string>>([{}, { jobs: '3' }])('a new database gets all rows, with %j', async (more) => {
  const { result, text } = await run('restore', { set: 'parts', 'database-url': server.url('new'), mode: 'create', ...more })
  expect(result).toMatchObject({ errors: [], restored: result.entries })
  await equal('new')
  expect(text).not.toContain('MISSING')
  if (more['jobs'] === undefined) {
    await server.sql('DELETE FROM "the ""items"""; DROP MATERIALIZED VIEW summary', 'new')
    await run('restore', { set: 'parts', 'database-url': server.url('new'), mode: 'clean', confirm: 'new', 'safety-backup': 'false' })
    await equal('new')
  }
  await server.sql('DROP DATABASE new')
})

test('a table, and a database without it, are restored', async () => {
  for (const [tables, mine] of [['orders,customers', '12000'], ['customers', undefined]] as const) {
    await run('restore', { set: 'parts', 'database-url': server.url('few'), mode: 'create', tables })
    expect(await rowsOf('customers', 'few')).toBe('2000')
    if (mine !== undefined) expect(await rowsOf('orders', 'few')).toBe(mine)
    await server.sql('DROP DATABASE few')
  }
})

test('it is verified at every level', async () => {
  for (const level of ['list', 'read', 'drill']) {
    const { result } = await run('verify', { set: 'parts', level, ...(level === 'drill' && { 'scratch-url': scratch.url('postgres') }) })
    expect(result).toMatchObject({ result: 'verified', problems: [] })
    if (level === 'drill') expect(result.sources[0]!.drill).toMatchObject({ rows: 23_000, wording: true })
  }
})

test('a backup by several pg_dump is drilled', async () => {
  await server.sql('ANALYZE', 'shop')
  await run('backup', { set: 'made', 'database-url': server.url('shop'), 'dump-jobs': '4' })
  expect((await run('show', { set: 'made', snapshot: 'latest' })).text).toMatch(/entries; \d large tables? in \d archives? beside it/)
  const { result } = await run('verify', { set: 'made', level: 'drill', 'scratch-url': scratch.url('postgres') })
  expect(result).toMatchObject({ result: 'verified', problems: [] })
})

test('the result says for which tables bytes were added, in one archive and in several', async () => {
  await server.sql('CREATE DATABASE grown TEMPLATE shop')
  await server.sql('ANALYZE', 'grown')
  for (const jobs of ['1', '3']) {
    const backUpAgain = async () => run('backup', { set: `grown-${jobs}`, 'database-url': server.url('grown'), 'dump-jobs': jobs })
    const first = (await backUpAgain()).result.sources[0]!
    expect(first.addedByTable!.most.map(({ table }) => table)).toEqual(expect.arrayContaining(['public.orders', 'public.the "items"']))
    await server.sql(`UPDATE orders SET text = md5(random()::text) || md5(random()::text) WHERE id BETWEEN 3000 AND 9000`, 'grown')
    // pg_dump gives all data other ids after that.
    await server.sql(`CREATE FUNCTION added_${jobs}() RETURNS int LANGUAGE sql AS 'SELECT 1'`, 'grown')
    const { result, text } = await backUpAgain()
    const { added, addedByTable } = result.sources[0]!
    const { most, others, rest } = addedByTable!
    // No other has changed.
    expect(most.map(({ table }) => table)).toEqual(['public.orders'])
    // 64 random digits in hexadecimal for each row; in one archive, what is beside it in a chunk is as before.
    expect(most[0]!.added).toBeGreaterThan(6000 * 16)
    expect(most[0]!.added).toBeLessThan(12_000 * 64)
    expect(most.reduce((sum, one) => sum + one.added, others.added + rest)).toBe(added)
    expect(text).toMatch(/grown: added about [\d.]+ kB for public\.orders/)
    const shown = await run('show', { set: `grown-${jobs}`, snapshot: 'latest' })
    expect(shown.text).toMatch(/^ +added +about [\d.]+ kB for public\.orders, /m)
    expect(shown.result.sources![0]).toMatchObject({ database: { addedByTable } })
    expect((await backUpAgain()).result.sources[0]!.addedByTable?.most ?? []).toEqual([])
  }
  // Each of several databases, too, each into a set of its own.
  await server.sql('ANALYZE', 'shop')
  const { result } = await run('backup', { databases: '*, !postgres', 'database-url': server.url('').replace(/\/$/, ''), 'dump-jobs': '3' })
  expect(result).toMatchObject({ sets: ['grown', 'shop'].map((set) => ({ set, backup: { complete: true } })) })
  for (const set of ['grown', 'shop']) expect((await run('show', { set, snapshot: 'latest' })).text).toMatch(/entries; \d large tables? in \d archives? beside it/)
  await server.sql('DROP DATABASE grown')
})

test('it is shown with its parts, and one archive has the same entries', async () => {
  const { result, text } = await run('show', { set: 'parts', snapshot: 'latest' })
  expect(JSON.stringify(result)).toContain('"parts":[{"stream":"app.1.dump","tables":[{"schema":"public","name":"orders"}],"largeObjects":false},{"stream":"app.2.dump","tables":[{"schema":"public","name":"notes"},{"schema":"public","name":"the \\"items\\""}],"largeObjects":true}]')
  expect(text).toContain(`${facts.entries.length} entries; 3 large tables and the large objects in 2 archives beside it`)
  const { text: differences } = await run('diff', { set: 'whole', from: whole, to: 'latest' })
  expect(differences).toContain('the same versions and settings, tables, numbers of rows and sizes, entries of the archive, and definitions')
})

test('it is extracted as one archive, and its large tables alone', async () => {
  const file = path.join(folder, 'shop.dump')
  for (const more of [{}, { path: 'app.dump' }] as Record<string, string>[]) {
    rmSync(file, { force: true })
    await run('extract', { set: 'parts', snapshot: 'latest', source: 'shop', output: file, ...more })
    await server.createDatabase('extracted')
    execFileSync(path.join(clientDirectory(17), 'pg_restore'), ['--exit-on-error', '--dbname=extracted', '--jobs=2', file], { env: { ...process.env, ...clientEnvironment(server, 'extracted') } })
    await equal('extracted')
    await server.sql('DROP DATABASE extracted')
  }
  const csv = path.join(folder, 'items.csv')
  await run('extract', { set: 'parts', snapshot: 'latest', source: 'shop', table: 'the "items"', format: 'csv', output: csv })
  const psql = execFileSync(path.join(clientDirectory(17), 'psql'), ['-XAtqc', 'COPY "the ""items""" TO STDOUT (FORMAT csv, HEADER)'], { env: { ...process.env, ...clientEnvironment(server, 'shop') }, maxBuffer: 1e9 })
  expect(readFileSync(csv).equals(psql)).toBe(true)
})

describe.each([['lost', 'app.1.dump', 'orders'], ['changed', 'app.2.dump', 'the "items"']] as const)(
  'with a chunk that is %s in %s', (how, stream, table) => {
    let copy: string
    beforeAll(async () => {
      copy = await damaged(stream, how)
    })
    const chunk = /chunk \S+ (?:is missing from|in \S+ is damaged)|chunks? .*(?:missing|damaged)/

    test('it is not verified', async () => {
      for (const level of how === 'lost' ? ['list', 'read'] : ['read']) expect((await run('verify', { set: 'parts', level }, copy)).result).toMatchObject({ result: 'failed' })
      expect((await run('verify', { set: 'parts', level: 'drill', 'scratch-url': scratch.url('postgres') }, copy)).result).toMatchObject({ result: 'failed' })
    })

    test('no database is restored from it, and none is changed', async () => {
      for (const jobs of ['1', '2']) expect(await refusal(run('restore', { set: 'parts', 'database-url': server.url('none'), mode: 'create', jobs }, copy))).toMatch(chunk)
      expect(await databases('none')).toBe('0')
      await server.createDatabase('kept')
      await server.sql('CREATE TABLE orders AS SELECT 1 AS mine', 'kept')
      expect(await refusal(run('restore', { set: 'parts', 'database-url': server.url('kept'), mode: 'clean', confirm: 'kept', 'safety-backup': 'false' }, copy))).toMatch(chunk)
      expect(await server.sql('SELECT mine FROM orders', 'kept')).toBe('1')
      await server.sql('DROP DATABASE kept')
    })

    test('nothing is extracted of it but other tables', async () => {
      const output = path.join(copy, 'none')
      expect(await refusal(run('extract', { set: 'parts', snapshot: 'latest', source: 'shop', output }, copy))).toMatch(chunk)
      expect(await refusal(run('extract', { set: 'parts', snapshot: 'latest', source: 'shop', table, format: 'csv', output }, copy))).toMatch(chunk)
      expect(existsSync(output)).toBe(false)
      await run('extract', { set: 'parts', snapshot: 'latest', source: 'shop', table: 'customers', format: 'csv', output }, copy)
      expect(readFileSync(output, 'utf8').split('\n')).toHaveLength(2002)
      rmSync(output)
      const [other, rows] = table === 'orders' ? ['the "items"', 6000] : ['orders', 12_000]
      await run('extract', { set: 'parts', snapshot: 'latest', source: 'shop', table: other, format: 'csv', output }, copy)
      expect(readFileSync(output, 'utf8').split('\n')).toHaveLength(rows + 2)
    })

    test('with skip-damaged, everything else is restored, and the rows are named', async () => {
      const { result, text } = await run('restore', { set: 'parts', 'database-url': server.url('rescued'), mode: 'create', 'skip-damaged': 'true' }, copy)
      const lost = table === 'orders'
        ? ['rows of the table public.orders', 'foreign key public.the "items" the "items"_order_fkey, which needs these rows', 'foreign key public.orders orders_customer_fkey, which needs these rows', 'rows of the materialized view public.summary, which reads these rows']
        : ['large objects', 'large objects', 'rows of the table public.notes', 'rows of the table public.the "items"', 'foreign key public.the "items" the "items"_order_fkey, which needs these rows']
      expect(result.missing!.toSorted()).toEqual(lost.toSorted())
      expect(result.errors).toEqual([])
      expect(text).toContain('Restored IN PART')
      expect([await rowsOf('customers', 'rescued'), await rowsOf('orders', 'rescued'), await rowsOf('"the ""items"""', 'rescued')])
        .toEqual(table === 'orders' ? ['2000', '0', '6000'] : ['2000', '12000', '0'])
      await server.sql('DROP DATABASE rescued')
    })
  })

test.each<[what: string, make: () => [DumpedParts, object], message: RegExp]>([
  ['does not name its parts', () => [dumped, { ...facts, parts: undefined }], /shop has 3 main archives instead of one/],
  ['names one part of two', () => [dumped, { ...facts, parts: facts.parts!.slice(1) }], /shop has 2 main archives instead of one: app\.dump, app\.1\.dump/],
  ['lacks the stream of a part', () => [{ ...dumped, streams: dumped.streams.toSpliced(1, 1) }, facts], /shop has 0 archives app\.1\.dump instead of one/],
  ['names a part twice', () => [dumped, { ...facts, parts: [facts.parts![0], facts.parts![0]] }], /shop has 2 main archives|contradict each other/],
  ['names another table', () => [dumped, { ...facts, parts: facts.parts!.map((part) => ({ ...part, entries: part.entries.map((entry) => ({ ...entry, name: 'other' })) })) }], /contradict each other/],
  ['has the streams of two parts exchanged', () => [{ ...dumped, streams: dumped.streams.map((stream, index) => ({ ...stream, bytes: dumped.streams[[0, 2, 1][index]!]!.bytes })) }, facts], /contradict each other/],
])('a record that %s is refused by everything', async (what, make, message) => {
  const set = what.replaceAll(' ', '-')
  const [archives, recorded] = make()
  await stored(set, archives, recorded)
  for (const level of ['list', 'read']) {
    const { result } = await run('verify', { set, level })
    expect(result).toMatchObject({ result: 'failed' })
    expect(result.problems.join('\n')).toMatch(message)
  }
  expect(await refusal(run('restore', { set, 'database-url': server.url('none'), mode: 'create' }))).toMatch(message)
  expect(await databases('none')).toBe('0')
  expect(await refusal(run('extract', { set, snapshot: 'latest', source: 'shop', output: path.join(folder, 'none') }))).toMatch(message)
  expect(existsSync(path.join(folder, 'none'))).toBe(false)
})
