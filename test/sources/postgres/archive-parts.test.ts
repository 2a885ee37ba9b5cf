import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { StreamRecord } from '../../../src/repository/snapshot.ts'
import { archiveOf, dataWithout, readArchive, withParts } from '../../../src/sources/postgres/archive-parts/stored-archive.ts'
import { asFormat15 } from '../../support/archive-form.ts'
import { type DumpedParts, dumpInParts, listed, partOf, storedParts, type TableName } from '../../support/archive-parts.ts'
import { all } from '../../support/bytes.ts'
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

const assemble = async (dumped: DumpedParts, sizes?: number[]): Promise<Buffer> => Buffer.concat(await all(readArchive(storedParts(dumped, sizes))))

function edited(bytes: Buffer, edit: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(bytes)
  edit(copy)
  return copy
}

/** Ids that no main archive has. */
const higher = (one: DumpedParts): DumpedParts => ({ ...one, facts: { ...one.facts, parts: one.facts.parts!.map((part) => ({ ...part, id: part.id + 10_000 })) } })

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
    const planned = [partOf(...TABLES.slice(0, 5)), { ...partOf(), largeObjects: true }, partOf(...TABLES.slice(5))]
    dumped = await dumpInParts(server, 'kinds', planned, client, [], format === '1.15' ? asFormat15 : undefined)
    expect([...dumped.streams[0]!.bytes.subarray(5, 7)].join('.')).toBe(format)
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
    const [whole, main] = [archive, dumped.streams[0]!.bytes].map((bytes) => listed(bytes, client).filter((line) => / TABLE DATA /.test(line)).length)
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
    for (const sizes of [[7], [1, 2, 3, 5, 8000]]) expect((await assemble(dumped, sizes)).equals(archive)).toBe(true)
  })
})

function refused({ name }: StreamRecord): never {
  throw new Error(`${name} was opened`)
}

describe('archives that contradict each other', () => {
  let server: Server
  let dumped: DumpedParts
  const placed = path.join(tmpdir(), `lifeboat-placed-${process.pid}.dump`)
  beforeAll(async () => {
    server = await startServer(17)
    await server.createDatabase('shop')
    await server.sql(`CREATE TABLE a AS SELECT g AS id, repeat('x', 5000) AS text FROM generate_series(1, 30) g; CREATE TABLE b AS SELECT 1 AS id; CREATE TABLE c AS SELECT 1 AS id;
      CREATE SCHEMA other; CREATE TABLE other.a AS SELECT 2 AS id`, 'shop')
    dumped = await dumpInParts(server, 'shop', [partOf(['public', 'a'], ['public', 'c']), partOf(['public', 'b'])], 17)
  })
  afterAll(async () => {
    rmSync(placed, { force: true })
    await server.stop()
  })

  const raw = (...args: string[]): Buffer =>
    execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--compress=0', ...args], { env: { ...process.env, ...clientEnvironment(server, 'shop') }, maxBuffer: 1e9 })
  /** One of the streams in another way. */
  const stream = (index: number, change: (bytes: Buffer) => Buffer): DumpedParts =>
    ({ ...dumped, streams: dumped.streams.map((one, at) => (at === index ? { ...one, bytes: change(one.bytes) } : one)) })
  type Part = NonNullable<DumpedParts['facts']['parts']>[number]
  const recorded = (change: (first: Part, second: Part) => Partial<Part>): DumpedParts => {
    const [first, second] = dumped.facts.parts!
    return { ...dumped, facts: { ...dumped.facts, parts: [{ ...first!, ...change(first!, second!) }, second!] } }
  }
  const entry = (change: (raw: Buffer, part: Part) => Buffer): DumpedParts => recorded((first) => ({
    entries: [{ ...first.entries[0]!, raw: change(Buffer.from(first.entries[0]!.raw, 'base64'), first).toString('base64') }, ...first.entries.slice(1)],
  }))

  test.each<[what: string, make: () => DumpedParts, message: RegExp]>([
    ['another byte in the table of contents of a part', () => stream(1, (bytes) => edited(bytes, (copy) => copy.writeUInt8(15, 6))), /^bytes 0 to \d+ of stream app\.1\.dump do not have the CRC-32/],
    ['another byte in the rows of a part', () => stream(1, (bytes) => edited(bytes, (copy) => copy.writeUInt8(0x79, copy.indexOf('1\txxx') + 50))), /of stream app\.1\.dump do not have the CRC-32/],
    ['two parts exchanged', () => ({ ...dumped, streams: [dumped.streams[0]!, { ...dumped.streams[2]!, name: 'app.1.dump' }, { ...dumped.streams[1]!, name: 'app.2.dump' }] }), /contradict each other/],
    ['half a part', () => stream(1, (bytes) => bytes.subarray(0, 20_000)), /contradict each other/],
    ['a part without its last bytes', () => stream(1, (bytes) => bytes.subarray(0, -5)), /contradict each other/],
    ['a part with more after its rows', () => stream(1, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])), /contradict each other/],
    ['an empty part', () => stream(1, () => Buffer.alloc(0)), /contradict each other/],
    ['no part', () => ({ ...dumped, streams: dumped.streams.toSpliced(1, 1) }), /app has 0 archives app\.1\.dump instead of one/],
    ['a part that is not recorded', () => ({ ...dumped, facts: { ...dumped.facts, parts: dumped.facts.parts!.slice(1) } }), /app has 2 main archives instead of one: app\.dump, app\.1\.dump/],
    ['places of data without their sums', () => recorded(({ sums }) => ({ sums: sums.slice(1) })), /contradict each other/],
    ['a table without a place', () => recorded(({ entries }) => ({ entries: [...entries, { ...entries[0]!, id: 99_999, name: 'd' }] })), /contradict each other/],
    ['the place of no table', () => recorded(({ data }) => ({ data: [[99_999, data[0]![1], data[0]![2]], ...data.slice(1)] })), /contradict each other/],
    ['a table twice', () => recorded((first, { entries }) => ({ entries: [{ ...first.entries[0]!, name: entries[0]!.name }, ...first.entries.slice(1)] })), /contradict each other/],
    ['ids of two parts that are the same', () => recorded((_, second) => ({ id: second.id - 1 })), /contradict each other/],
    ['an id that the main archive has', () => recorded(() => ({ id: 1 })), /the ids of the parts are not above all of its own/],
    ['the entry of another table', () => entry((_, { entries }) => Buffer.from(entries[1]!.raw, 'base64')), /the rows of public\.a: the entry that the snapshot records is TABLE DATA public\.c/],
    ['half an entry', () => entry((bytes) => bytes.subarray(0, 50)), /the entry that the snapshot records is malformed/],
    ['more than an entry', () => entry((bytes) => Buffer.concat([bytes, bytes])), /the entry that the snapshot records is malformed/],
    ['an entry without data', () => entry((bytes) => edited(bytes, (copy) => copy.writeUInt8(0, 6))), /the entry that the snapshot records has no data/],
    ['a main archive that does not define a table', () => stream(0, () => raw('--table=public.b', '--table=public.c', '--exclude-table-data=*')), /public\.a: the main archive does not define that table/],
    ['a main archive with the rows of a part', () => higher(stream(0, () => raw('--exclude-table-data=public.b'))), /public\.a: the main archive has rows of that table, too/],
    ['a main archive that ends in its table of contents', () => stream(0, (bytes) => bytes.subarray(0, 1500)), /cannot be read: it ends too early/],
    ['an empty main archive', () => stream(0, () => Buffer.alloc(0)), /cannot be read: it ends too early/],
    ['a main archive from a file, with places of its data', () => stream(0, () => {
      raw(`--file=${placed}`, '--exclude-table-data=public.a', '--exclude-table-data=public.b', '--exclude-table-data=public.c')
      return readFileSync(placed)
    }), /the main archive has places of its data/],
  ])('%s: refused', async (_, make, message) => {
    const made = make()
    for (const sizes of [[65536], [11]]) await expect(assemble(made, sizes)).rejects.toThrow(message)
  })

  test('rows that are lost are in the table of contents, and a pg_restore that wants them fails', async () => {
    const { source, read } = storedParts(dumped)
    const stored = archiveOf(source)
    const { main, parts } = stored
    const lost = parts[0]!.blocks[0]!.id
    const archive = Buffer.concat(await all(withParts(read(main), stored, (part) => dataWithout(part, () => read(part.record), new Set([lost])))))
    expect(listed(archive, 17)).toEqual(listed(await assemble(dumped), 17))
    const { status, stderr } = spawnSync(path.join(clientDirectory(17), 'pg_restore'), ['-f', '/dev/null'], { input: archive, encoding: 'utf8' })
    expect([status, stderr]).toEqual([1, expect.stringContaining(`could not find block ID ${lost} in archive`)])
    const { stdout } = spawnSync(path.join(clientDirectory(17), 'pg_restore'), ['--data-only', '--table=c', '-f', '-'], { input: archive, encoding: 'utf8' })
    expect(stdout).toContain('COPY public.c (id) FROM stdin;\n1\n')
  })

  test('the table of contents is read without any part', async () => {
    const { source, read } = storedParts(dumped)
    const pieces: Buffer[] = []
    await expect((async () => {
      for await (const piece of readArchive({ source, read: (stream) => (stream.name === 'app.dump' ? read(stream) : refused(stream)) })) pieces.push(piece)
    })()).rejects.toThrow('app.1.dump was opened')
    expect(listed(Buffer.concat(pieces), 17)).toHaveLength(listed(dumped.streams[0]!.bytes, 17).length + 3)
  })
})
