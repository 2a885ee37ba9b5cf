import { crc32 } from 'node:zlib'
import { contentOf } from '../../../src/sources/postgres/block-sums.ts'
import { ContentsReader } from '../../../src/sources/postgres/contents.ts'
import { RowCounter } from '../../../src/sources/postgres/row-counter.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump } from '../../support/restoring.ts'

type Counted = ReturnType<RowCounter['finish']>

function countedIn(archive: Buffer, size = 65_536): Counted {
  const counter = new RowCounter()
  for (let at = 0; at < archive.length; at += size) counter.push(archive.subarray(at, at + size))
  return counter.finish()
}

const rowsIn = (counted: Counted): Record<string, number> => Object.fromEntries(counted.map(({ schema, name, rows }) => [`${schema}.${name}`, rows]))

describe.each([15, 17, 18] as const)('an archive of pg_dump %i', (major) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(major)
    await server.createDatabase('shop')
    await server.sql(String.raw`
      CREATE SCHEMA "a ""b";
      CREATE TABLE "a ""b"."t; x
      y" AS SELECT g FROM generate_series(1, 12345) g;
      CREATE TABLE odd (t text); INSERT INTO odd VALUES (E'a\nb'), (E'\\.'), (E'\\.\n\n'), (NULL), (''), (repeat('x', 9000) || E'\n' || repeat('y', 200000)), ('abc');
      CREATE TABLE first_is_long AS SELECT repeat(md5(g::text), 2000 / g) t FROM generate_series(1, 500) g;
      CREATE TABLE wide AS SELECT repeat(md5(g::text), 200) t FROM generate_series(1, 100) g;
      CREATE TABLE nothing (id int); CREATE TABLE no_column (); INSERT INTO no_column DEFAULT VALUES; INSERT INTO no_column DEFAULT VALUES;
      CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); INSERT INTO parts VALUES (1), (2), (3);
      SELECT lo_from_bytea(0, convert_to(repeat(E'line\n', 5000), 'UTF8')), lo_create(0)`, 'shop')
  })
  afterAll(() => server.stop())
  const expected = {
    'a "b.t; x\n      y': 12_345, 'public.odd': 7, 'public.first_is_long': 500, 'public.wide': 100, 'public.nothing': 0, 'public.no_column': 2, 'public.parts_1': 3,
  }

  test('has as many rows of each table as the server, whatever pieces it comes in', () => {
    const archive = dump(server, 'shop', major)
    const counted = countedIn(archive)
    expect(rowsIn(counted)).toEqual(expected)
    expect(counted.find(({ name }) => name === 'wide')!.bytes).toBe(100 * (200 * 32 + 1))
    for (const size of [1, 7, 4096, archive.length]) expect(countedIn(archive, size)).toEqual(counted)
  })

  test('has its data where it is recorded to be, without a gap, whatever pieces it comes in', () => {
    const archive = dump(server, 'shop', major)
    const contents = new ContentsReader()
    contents.push(archive)
    const head = archive.length - contents.after.length
    const withData = contents.finish().filter(({ kind }) => kind === 'TABLE DATA' || kind === 'BLOBS').map(({ id }) => id)
    for (const size of [1, 4096, archive.length]) {
      const counter = new RowCounter()
      for (let at = 0; at < archive.length; at += size) counter.push(archive.subarray(at, at + size))
      const places = counter.places()!
      expect(places.map(({ id }) => id)).toEqual(withData)
      expect(places.map(({ start }) => start)).toEqual([head, ...places.slice(0, -1).map(({ end }) => end)])
      expect(places.at(-1)!.end).toBe(archive.length)
      for (const { id, start } of places) expect(archive.readUInt32LE(start + 2)).toBe(id)
      // By the sum of its bytes, data is known whatever its id.
      const withoutIds = Buffer.from(archive)
      for (const { start } of places) withoutIds.writeUInt32LE(0, start + 2)
      expect(counter.tables()!.map(contentOf)).toEqual(counter.tables()!.map(({ start, end }) => `${end - start} ${crc32(withoutIds.subarray(start, end))}`))
      expect(counter.sums()).toEqual([{ start: 0, end: head }, ...places].map(({ start, end }) => crc32(archive.subarray(start, end))))
    }
    const cut = new RowCounter()
    cut.push(archive.subarray(0, archive.length - 10))
    expect(cut.places()).toBeUndefined()
  })

  test('is not counted where rows are INSERT statements, where it ends too early, or is no archive', () => {
    expect(countedIn(dump(server, 'shop', major, '--inserts'))).toEqual([])
    const archive = dump(server, 'shop', major)
    expect(countedIn(archive.subarray(0, archive.length - 10))).toEqual([])
    expect(countedIn(Buffer.from('no archive at all'))).toEqual([])
  })

  test('has the same count if a writer gathers rows in blocks of any size from 4 kB on', () => {
    const archive = dump(server, 'shop', major)
    for (const block of [4096, 5000, 65_536, 131_072, 1_000_000]) expect(rowsIn(countedIn(gathered(archive, block)))).toEqual(expected)
    // The first block is one row by chance: then the table is not counted.
    const { 'public.first_is_long': _, ...others } = expected
    expect(rowsIn(countedIn(gathered(archive, 64_001)))).toEqual(others)
  })
})

const length = (value: number): Buffer => Buffer.from([0, value & 255, (value >> 8) & 255, (value >> 16) & 255, value >> 24])

/** The same archive with the data of each entry in blocks of one size, but for the last. */
function gathered(archive: Buffer, block: number): Buffer {
  const contents = new ContentsReader()
  contents.push(archive)
  const start = archive.length - contents.passed().length
  const out: Buffer[] = [archive.subarray(0, start)]
  let at = start
  const number = (): number => archive.readUInt32LE((at += 5) - 4)
  const pieces = (): void => {
    const parts: Buffer[] = []
    for (let size = number(); size > 0; size = number()) parts.push(archive.subarray(at, (at += size)))
    const data = Buffer.concat(parts)
    for (let from = 0; from < data.length; from += block) {
      const part = data.subarray(from, from + block)
      out.push(length(part.length), part)
    }
    out.push(length(0))
  }
  while (at < archive.length) {
    const type = archive[at]!
    out.push(archive.subarray(at, at + 6))
    at += 6
    if (type === 1) pieces()
    else {
      for (let oid = number(); oid > 0; oid = number()) {
        out.push(length(oid))
        pieces()
      }
      out.push(length(0))
    }
  }
  return Buffer.concat(out)
}
