import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ArchivePart } from '../../../src/sources/postgres/archive-parts/archive-part.ts'
import { assembled } from '../../../src/sources/postgres/archive-parts/assembled.ts'
import { asFormat15 } from '../../support/archive-form.ts'
import { type DumpedParts, dumpInParts, listed, type TableName } from '../../support/archive-parts.ts'
import { all, inPieces } from '../../support/bytes.ts'
import { clientDirectory } from '../../support/client-programs.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'

const kinds = readFileSync(path.join(import.meta.dirname, '../../support/dataset/kinds.sql'), 'utf8')
const LONG = 'ein sehr langer Name mit ünïcødé, "Anführung" und . Punkt'
const odd = `
  CREATE SCHEMA "odd. ""schema"" $x"; SET search_path = "odd. ""schema"" $x";
  CREATE TABLE "${LONG.replaceAll('"', '""')}" ("a ""b"", c" text, "ü.n" int GENERATED ALWAYS AS IDENTITY);
  INSERT INTO "${LONG.replaceAll('"', '""')}" SELECT CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN E'\\\\.' ELSE repeat(E'x\\n\\t\\\\', g * 300) END FROM generate_series(1, 50) g;
  CREATE TABLE "line
end" (id serial PRIMARY KEY, "other" int REFERENCES "line
end"); INSERT INTO "line
end" (other) SELECT 1 FROM generate_series(1, 20);
  CREATE TABLE "empty*?" (id int)`
const TABLES: readonly TableName[] = [
  ['all_kinds', 'plain'], ['all_kinds', 'parts_2025_one'], ['all_kinds', 'parts_rest'], ['all_kinds', 'hashed_1'], ['all_kinds', 'parent'], ['all_kinds', 'child'],
  ['all_kinds', 'referring'], ['all_kinds', 'unlogged'], ['all_kinds', 'other_method'], ['odd. "schema" $x', LONG], ['odd. "schema" $x', 'line\nend'], ['odd. "schema" $x', 'empty*?'],
]

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-parts-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const given = ({ parts }: DumpedParts, sizes: number[] = [65536]): ArchivePart[] =>
  parts.map(({ archive, ...part }) => ({ ...part, bytes: () => inPieces(archive, sizes) }))
const assemble = async (dumped: DumpedParts, parts: ArchivePart[] = given(dumped), sizes: number[] = [65536]): Promise<Buffer> =>
  Buffer.concat(await all(assembled(inPieces(dumped.main, sizes), parts)))

function edited(bytes: Buffer, edit: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(bytes)
  edit(copy)
  return copy
}

const FORMS = [[14, 15, '1.14'], [17, 17, '1.15'], [17, 17, '1.16'], [18, 18, '1.16']] as const
describe.each(FORMS)('PostgreSQL %i, dumped by pg_dump %i in format %s', (major, client, format) => {
  let server: Server
  let dumped: DumpedParts
  let archive: Buffer
  let file: string
  beforeAll(async () => {
    server = await startServer(major, { settings: { wal_level: 'logical' } })
    await server.sql('CREATE ROLE kinds_owner; CREATE ROLE kinds_reader')
    await server.createDatabase('kinds')
    await server.sql(kinds, 'kinds')
    await server.sql(odd, 'kinds')
    dumped = dumpInParts(server, 'kinds', TABLES, client, [], format === '1.15' ? asFormat15 : undefined)
    expect([...dumped.main.subarray(5, 7)].join('.')).toBe(format)
    archive = await assemble(dumped)
    file = path.join(folder, `${major}.dump`)
    writeFileSync(file, archive)
  })
  afterAll(() => server.stop())

  let databases = 0
  const restored = async (restore: string[], { input, into }: { input?: Buffer; into?: string } = {}): Promise<string> => {
    const database = into ?? `restored_${++databases}`
    if (into === undefined) await server.createDatabase(database)
    const { status, stderr } = spawnSync(path.join(clientDirectory(client), 'pg_restore'), [`--dbname=${database}`, ...restore], {
      env: { ...process.env, ...clientEnvironment(server, database) }, ...(input && { input }), encoding: 'utf8', maxBuffer: 1e9 })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return database
  }
  const expectEqual = async (database: string): Promise<void> =>
    expect(await compareDatabases({ server, database: 'kinds' }, { server, database })).toEqual([])

  test('the parts have rows that the main archive does not have', () => {
    const [whole, main] = [archive, dumped.main].map((bytes) => listed(bytes, client).filter((line) => / TABLE DATA /.test(line)).length)
    expect(whole).toBe(main! + TABLES.length)
  })

  test('it is restored from a pipe, and replaced from a file in one transaction', async () => {
    const database = await restored([], { input: archive })
    await expectEqual(database)
    // pg_restore alone drops neither subscriptions nor keys of partitions in a transaction.
    await restored(['--clean', '--if-exists', '--single-transaction', '--schema=odd. "schema" $x', file], { into: database })
    await expectEqual(database)
  })

  test('it is restored from a file by several jobs, and by a list', async () => {
    await expectEqual(await restored(['--jobs=4', file]))
    const list = path.join(folder, `${major}.list`)
    writeFileSync(list, listed(archive, client).map((line) => `${/^\d+/.exec(line)![0]};\n`).join(''))
    await expectEqual(await restored([`--use-list=${list}`], { input: archive }))
  })

  test('pieces of any size give the same bytes', async () => {
    for (const sizes of [[7], [1, 2, 3, 5, 8000]]) expect((await assemble(dumped, given(dumped, sizes), sizes)).equals(archive)).toBe(true)
    expect(await assemble({ ...dumped, parts: [] })).toEqual(dumped.main)
  })
})

describe('archives that contradict each other', () => {
  let server: Server
  let dumped: DumpedParts
  beforeAll(async () => {
    server = await startServer(17)
    await server.createDatabase('shop')
    await server.sql(`CREATE TABLE a AS SELECT g AS id, repeat('x', 5000) AS text FROM generate_series(1, 30) g; CREATE TABLE b AS SELECT 1 AS id; CREATE TABLE c AS SELECT 1 AS id;
      CREATE SCHEMA other; CREATE TABLE other.a AS SELECT 2 AS id`, 'shop')
    dumped = dumpInParts(server, 'shop', [['public', 'a'], ['public', 'b']], 17)
  })
  afterAll(() => server.stop())

  const [noRows, twoTables] = [['--exclude-table-data=*'], ['--data-only', '--table=public.a', '--table=public.b']]
  const raw = (...args: string[]): Buffer => dumpInParts(server, 'shop', [], 17, args).main
  const one = (part: number, change: (part: DumpedParts['parts'][number]) => Partial<DumpedParts['parts'][number]>): DumpedParts =>
    ({ main: dumped.main, parts: dumped.parts.map((one, index) => (index === part ? { ...one, ...change(one) } : one)) })

  test.each<[what: string, make: () => DumpedParts, message: RegExp]>([
    ['a part of another version', () => one(0, ({ archive }) => ({ archive: edited(archive, (copy) => copy.writeUInt8(15, 6)) })), /^app\.1\.dump, the rows of public\.a: /],
    ['a part that is compressed', () => one(0, ({ archive }) => ({ archive: edited(archive, (copy) => copy.writeUInt8(1, 11)) })), /has another form .* than the main archive/],
    ['a part of another encoding', () => one(0, ({ archive }) => ({ archive: edited(archive, (copy) => copy.write("'WIN1'", copy.indexOf("'UTF8'"))) })), /has another encoding than/],
    ['a part without rows', () => one(0, () => ({ archive: raw('--data-only', '--table=public.a', ...noRows) })), /rows of 0 tables instead of one/],
    ['a part with two tables', () => one(0, () => ({ archive: raw(...twoTables) })), /rows of 2 tables instead of one/],
    ['the rows of another table', () => one(0, () => ({ archive: dumped.parts[1]!.archive })), /other rows than those that the snapshot records/],
    ['the rows of a table of that name', () => one(0, () => ({ archive: raw('--data-only', '--table=other.a') })), /other rows than those that the snapshot records/],
    ['the entry of another table', () => one(0, () => ({ entry: dumped.parts[1]!.entry })), /the entry that the snapshot records is TABLE DATA public\.b/],
    ['half an entry', () => one(0, ({ entry }) => ({ entry: entry.subarray(0, 50) })), /the entry that the snapshot records is malformed/],
    ['more than an entry', () => one(0, ({ entry }) => ({ entry: Buffer.concat([entry, entry]) })), /the entry that the snapshot records is malformed/],
    ['an entry without data', () => one(0, ({ entry }) => ({ entry: edited(entry, (copy) => copy.writeUInt8(0, 6)) })), /the entry that the snapshot records has no data/],
    ['a table that main does not define', () => ({ ...dumped, main: raw('--table=public.b', '--table=public.c', ...noRows) }), /public\.a: the main archive does not define that table/],
    ['a table whose rows main has', () => ({ main: raw(), parts: dumped.parts.map((part) => ({ ...part, id: part.id + 10_000 })) }), /public\.a: the main archive has rows of that table, too/],
    ['an id that main has', () => one(0, () => ({ id: 1 })), /the ids of the parts are not above all of its own/],
    ['a part that ends in its table of contents', () => one(0, ({ archive }) => ({ archive: archive.subarray(0, 300) })), /public\.a: the archive ends too early/],
    ['a part that ends before its rows', () => one(0, ({ archive }) => ({ archive: archive.subarray(0, archive.length - 150_000) })), /public\.a: the archive ends too early/],
    ['a part that ends in its rows', () => one(0, ({ archive }) => ({ archive: archive.subarray(0, 20_000) })), /public\.a: the archive ends too early/],
    ['a part without the end of its rows', () => one(0, ({ archive }) => ({ archive: archive.subarray(0, archive.length - 5) })), /public\.a: the archive ends too early/],
    ['a part with more after its rows', () => one(0, ({ archive }) => ({ archive: Buffer.concat([archive, Buffer.alloc(1)]) })), /public\.a: more data follows the rows/],
    ['a part that is empty', () => one(0, () => ({ archive: Buffer.alloc(0) })), /public\.a: the archive ends too early/],
    ['a part that is no archive', () => one(0, () => ({ archive: Buffer.alloc(1000, 'x') })), /public\.a: .* cannot be read: it does not begin with PGDMP/],
    ['other data in a part', () => one(0, ({ archive }) => ({ archive: edited(archive, (copy) => copy.writeUInt8(3, copy.indexOf('1\txxx') - 11)) })), /public\.a: other data comes first/],
    ['a main archive that ends in its table of contents', () => ({ ...dumped, main: dumped.main.subarray(0, 1500) }), /cannot be read: it ends too early/],
    ['an empty main archive', () => ({ ...dumped, main: Buffer.alloc(0) }), /cannot be read: it ends too early/],
  ])('%s is refused', async (_, make, message) => {
    const made = make()
    for (const sizes of [[65536], [11]]) await expect(assemble(made, given(made, sizes), sizes)).rejects.toThrow(message)
  })

  test('a main archive from a file, with places of its data, is refused', async () => {
    const file = path.join(folder, 'placed.dump')
    execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--compress=0', '--exclude-table-data=public.a', '--exclude-table-data=public.b', `--file=${file}`], { env: { ...process.env, ...clientEnvironment(server, 'shop') } })
    await expect(assemble({ ...dumped, main: readFileSync(file) })).rejects.toThrow('the main archive has places of its data')
  })

  test('rows that are lost are in the table of contents, and a pg_restore that wants them fails', async () => {
    const parts = given(dumped).map(({ bytes, ...part }, index) => ({ ...part, ...(index === 1 && { bytes }) }))
    const archive = await assemble(dumped, parts)
    expect(listed(archive, 17)).toEqual(listed(await assemble(dumped), 17))
    const { status, stderr } = spawnSync(path.join(clientDirectory(17), 'pg_restore'), ['-f', '/dev/null'], { input: archive, encoding: 'utf8' })
    expect([status, stderr]).toEqual([1, expect.stringContaining(`could not find block ID ${dumped.parts[0]!.id} in archive`)])
  })

  test('the table of contents is read without any part', async () => {
    const parts = given(dumped).map((part) => ({ ...part, bytes: () => { throw new Error('a part was opened') } }))
    const pieces: Buffer[] = []
    await expect((async () => {
      for await (const piece of assembled(inPieces(dumped.main, [65536]), parts)) pieces.push(piece)
    })()).rejects.toThrow('a part was opened')
    expect(listed(Buffer.concat(pieces), 17)).toHaveLength(listed(dumped.main, 17).length + 2)
  })
})
