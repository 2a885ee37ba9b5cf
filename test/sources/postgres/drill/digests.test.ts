import { execFileSync } from 'node:child_process'
import path from 'node:path'
import * as fc from 'fast-check'
import { clientEnvironment, parseDatabaseUrl } from '../../../../src/sources/postgres/connection.ts'
import { type Difference, differences, digestsOf, entryName } from '../../../../src/sources/postgres/drill/digests.ts'
import { LineSet } from '../../../../src/sources/postgres/drill/line-set.ts'
import { firstDifference } from '../../../../src/sources/postgres/drill/first-difference.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { usedHeap } from '../../../support/used-heap.ts'

let server: Server
let before: Buffer
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('template')
  await server.sql(`
    CREATE ROLE reader;
    CREATE TABLE orders (id serial PRIMARY KEY, note text, total numeric, CHECK (total > 0));
    INSERT INTO orders (note, total) SELECT CASE WHEN g % 7 = 0 THEN NULL ELSE 'note ' || g END, g FROM generate_series(1, 50) g;
    CREATE TABLE others (id int);
    CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
    CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int); CREATE OPERATOR === (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text);
    SELECT lo_from_bytea(4711, 'a large object'), lo_from_bytea(4712, 'another object'), lo_create(70000);
    CREATE ROLE lender; GRANT SELECT ON LARGE OBJECT 4712 TO reader; GRANT SELECT ON LARGE OBJECT 70000 TO lender WITH GRANT OPTION;
    SET ROLE lender; GRANT SELECT ON LARGE OBJECT 70000 TO reader; RESET ROLE; GRANT SELECT ON orders TO reader; COMMENT ON COLUMN orders.note IS 'a comment'`, 'template')
  before = plain('template')
})
afterAll(() => server.stop())

function plain(database: string, ...more: string[]): Buffer {
  const env = clientEnvironment(parseDatabaseUrl(server.url(database)), { PATH: process.env.PATH })
  return execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=plain', '--no-tablespaces', ...more], { env, maxBuffer: 2 ** 24 })
}

async function* pieces(bytes: Buffer, size = 65536): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function compared(was: Buffer | string, is: Buffer | string, wording = true): Promise<Difference[]> {
  const one = Buffer.from(was)
  return differences(await digestsOf(pieces(one)), pieces(Buffer.from(is)), wording, () => pieces(one))
}

test('a dump and another of the same database are equal, whatever the pieces are', async () => {
  const whole = await digestsOf(pieces(before))
  expect(whole).toMatchObject({ rows: 50, count: before.toString().match(/^-- (?:Data for )?Name: /gm)!.length })
  expect(await compared(before, plain('template'))).toEqual([])
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 300 }), async (size) => {
    expect(await digestsOf(pieces(before, size))).toEqual(whole)
  }), { numRuns: 20 })
})

test.each([
  ['a row is changed', `UPDATE orders SET note = 'secret' WHERE id = 50`, 'TABLE DATA public.orders', 'row 50: column note has 6 bytes instead of 7 bytes'],
  ['a value is gone', `UPDATE orders SET note = NULL WHERE id = 50`, 'TABLE DATA public.orders', 'row 50: column note has NULL instead of 7 bytes'],
  ['a row is missing', 'DELETE FROM orders WHERE id = 50', 'TABLE DATA public.orders', 'row 50: it is missing after the restore'],
  ['a row is added', `INSERT INTO orders VALUES (99, 'x', 1)`, 'TABLE DATA public.orders', 'row 51: there is one more after the restore'],
  ['a sequence is behind', `SELECT setval('orders_id_seq', 3)`, 'SEQUENCE SET public.orders_id_seq', /^line \d+: .*, 99, xxxx\);" became .*, 9, xxxx/],
  ['a large object is cut', `SELECT lowrite(lo_open(4711, 131072), 'A')`, 'BLOBS 0..65535', 'large object 4711'],
  ['a large object is added', `SELECT lo_create(4713)`, 'BLOBS 0..65535', 'large object 4713 is not in the backup'],
  ['a large object is missing', `SELECT lo_unlink(4712)`, 'BLOBS 0..65535', 'large object 4712 is missing'],
  ['the content of two large objects is exchanged', `SELECT lo_put(4711, 0, lo_get(4712)), lo_put(4712, 0, 'a large object')`, 'BLOBS 0..65535', 'large object 4711'],
  ['a large object has another owner', 'ALTER LARGE OBJECT 4711 OWNER TO reader', 'BLOB METADATA 0..65535', 'large object 4711'],
  ['a privilege of a large object is another', 'REVOKE SELECT ON LARGE OBJECT 4712 FROM reader; GRANT UPDATE ON LARGE OBJECT 4712 TO reader', 'ACL LARGE OBJECTS 0..65535', 'the privileges of large object 4712'],
  ['a privilege of a large object has another grantor', 'SET ROLE lender; REVOKE SELECT ON LARGE OBJECT 70000 FROM reader; RESET ROLE; GRANT SELECT ON LARGE OBJECT 70000 TO reader', 'ACL LARGE OBJECTS 65536..131071', 'the privileges of large object 70000'],
  ['a definition is changed', 'ALTER TABLE orders ALTER total SET NOT NULL', 'TABLE public.orders', /xxxx.*NOT NULL/],
  ['a privilege is lost', 'REVOKE SELECT ON orders FROM reader', 'ACL public.TABLE orders', undefined],
  ['a table is missing', 'DROP TABLE others', 'TABLE public.others', undefined],
  ['a comment is changed', `COMMENT ON COLUMN orders.note IS 'secret'`, 'COMMENT public.COLUMN orders.note', /OMMENT ON COLUMN/],
  ['one of two functions is changed', `CREATE OR REPLACE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 3'`, 'FUNCTION public.f(text)', /SELECT 9/],
  ['one of two operators is gone', 'DROP OPERATOR === (text, text)', 'OPERATOR public.===', /^line \d+: /],
  ['a constraint is gone', 'ALTER TABLE orders DROP CONSTRAINT orders_pkey', 'CONSTRAINT public.orders orders_pkey', undefined],
])('it is found that %s, by its shape', async (_, change, name, shape) => {
  await server.sql('CREATE DATABASE changed TEMPLATE template')
  try {
    await server.sql(change, 'changed')
    const after = plain('changed')
    const found = await compared(before, after)
    const difference = found.find(({ header }) => entryName(header) === name)
    expect(difference).toBeDefined()
    const told = await firstDifference(difference!.header, pieces(before), pieces(after))
    if (shape === undefined) expect(difference!.what).toBe('missing')
    else expect(told).toEqual(typeof shape === 'string' ? shape : expect.stringMatching(shape))
    expect(told ?? '').not.toMatch(/secret|note \d/)
  } finally {
    await server.sql('DROP DATABASE changed')
  }
})

test('large objects in other groups are the same', async () => {
  await server.sql('CREATE DATABASE grouped TEMPLATE template')
  try {
    // Privileges that are those of a new object make a group of their own.
    await server.sql('GRANT SELECT ON LARGE OBJECT 4711 TO reader; REVOKE SELECT ON LARGE OBJECT 4711 FROM reader; SELECT lo_create(4713)', 'grouped')
    const of = plain('grouped')
    expect(of.toString()).toContain('-- Name: 4713; Type: BLOB METADATA')
    await server.sql('UPDATE pg_largeobject_metadata SET lomacl = NULL WHERE oid = 4711', 'grouped')
    const together = plain('grouped')
    expect(together.toString()).toMatch(/-- Name: 4711\.\.4713; Type: BLOB METADATA/)
    expect(await compared(of, together)).toEqual([])
  } finally {
    await server.sql('DROP DATABASE grouped')
  }
})

const objectsOf = (range: string, ids: readonly number[]): string => `--\n-- Name: ${range}; Type: BLOB METADATA; Schema: -; Owner: a; Type: b\n--\n\n` +
  ids.map((id) => `SELECT pg_catalog.lo_create('${id}');\n`).join('')
const grantTo = (role: string): string => `--\n-- Name: LARGE OBJECT 6; Type: ACL; Schema: -; Owner: o\n--\n\nGRANT SELECT ON LARGE OBJECT 6 TO "${role}";\n`

test('roles of large objects may have any name', async () => {
  expect(await compared(objectsOf('1', [1]) + objectsOf('2', [2]), objectsOf('1..2', [1, 2]))).toEqual([])
  expect(await compared(grantTo('a\nb'), grantTo('a\nc'))).toMatchObject([{ what: 'changed' }])
})

test('a name that looks like a group of large objects hides nothing', async () => {
  const header = '--\n-- Data for Name: 1; Type: BLOBS; Schema: -; Owner: o; Type: TABLE DATA; Schema: public; Owner: o\n--\n\n'
  expect(await compared(`${header}BEGIN;\n`, `${header}COMMIT;\n`)).toMatchObject([{ what: 'changed' }])
})

test('with another major, only names, rows and other data count', async () => {
  const text = before.toString()
  const reworded = text.replace('CHECK ((total', 'CHECK (((total')
  expect(await compared(before, reworded)).toMatchObject([{ what: 'changed' }])
  expect(await compared(before, reworded, false)).toEqual([])
  expect(await compared(before, text.replace(/\n50\t.*\n/, '\n'), false)).toMatchObject([{ what: 'changed', rows: [50, 49] }])
  for (const [was, is] of [['OBJECT 4711 OWNER TO postgres', 'OBJECT 4711 OWNER TO reader'], ['SELECT ON LARGE OBJECT 4712', 'ALL ON LARGE OBJECT 4712']] as const) {
    expect(text).toContain(was)
    expect(await compared(before, text.replace(was, is), false)).toMatchObject([{ what: 'changed' }])
  }
})

test('the order of rows does not matter, but each of them does', async () => {
  const text = before.toString()
  const swapped = text.replace(/\n(10\t.*)\n(11\t.*)\n/, '\n$2\n$1\n')
  expect(swapped).not.toBe(text)
  expect(await compared(before, swapped)).toEqual([])
  for (const other of [swapped.replace('\n10\tnote 10', '\n10\tnote 11'), swapped.replace('\n10\tnote 10', '\n10\tnote 01'),
    swapped.replace(/\n10\tnote 10(.*)\n/, '\n10\tnote 11$1\n').replace('\n11\tnote 11', '\n11\tnote 10')]) {
    expect(other).not.toBe(swapped)
    expect(await compared(before, other)).toMatchObject([{ what: 'changed' }])
  }
})

const table = '-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: o'
/** A table with a long value in each row. */
const tableOf = (rows: readonly string[]): Buffer =>
  Buffer.from(`--\n${table}\n--\n\nCOPY public.t (id, v) FROM stdin;\n${rows.map((row) => `${row}\n`).join('')}\\.\n\n\n`)

test.each([
  ['long', 160_000, undefined, 'row 12: column v has 159,999 bytes instead of 160,000 bytes'],
  ['in another order', 20, [4, 3], 'row 12: column v has 19 bytes instead of 20 bytes'],
  ['longer than is kept', 9_000_000, undefined, 'row 12: a very long line differs'],
])('the row that differs is shown, also where rows are %s, in any pieces', async (_, length, swap, told) => {
  const rows = Array.from({ length: 30 }, (_, row) => `${row + 1}\t${String.fromCharCode(97 + (row % 26)).repeat(row === 11 ? length : length % 1_000_000)}`)
  const changed = rows.with(11, rows[11]!.slice(0, -1))
  if (swap) [changed[swap[0]!], changed[swap[1]!]] = [rows[swap[1]!]!, rows[swap[0]!]!]
  for (const size of [65_536, 100_003]) {
    expect(await firstDifference(table, pieces(tableOf(rows), size), pieces(tableOf(changed), size + 1))).toBe(told)
    expect(await firstDifference(table, pieces(tableOf(rows), size), pieces(tableOf(rows), size + 1))).toBeUndefined()
  }
})

/** Partitions of a root. */
const rootOf = (parts: readonly string[][]): Buffer => Buffer.from(parts.map((rows, part) =>
  `--\n-- Data for Name: h${part}; Type: TABLE DATA; Schema: public; Owner: o\n--\n\n-- load via partition root public.h\n\n` +
  `COPY public.h (c) FROM stdin;\n${rows.map((row) => `${row}\n`).join('')}\\.\n\n\n`).join(''))

test('rows that are loaded through the root of their partitions are compared together, and each of them counts', async () => {
  const both = rootOf([['a', '-- load via partition root public.x'], ['c']])
  expect(await digestsOf(pieces(both))).toMatchObject({ rows: 3, count: 2 })
  expect(await digestsOf(pieces(both, 7))).toEqual(await digestsOf(pieces(both)))
  expect(await compared(both, rootOf([['c'], ['-- load via partition root public.x', 'a']]))).toEqual([])
  expect(await compared(both, rootOf([['a'], ['c']]))).toMatchObject([{ what: 'changed', rows: [3, 2] }])
  const [found] = await compared(both, rootOf([['a', '-- load via partition root public.x'], ['d']]))
  expect([found!.what, entryName(found!.header)]).toEqual(['changed', 'TABLE DATA public.h'])
})

function digest(parts: Buffer[]): string {
  const lines = new LineSet()
  for (const part of parts) lines.update(part)
  return lines.digest()
}

const sorted = (lines: Buffer[]): string => lines.map((line) => line.toString('hex')).toSorted().join()

test('the digest of lines is that of each line, in any order and in any pieces', () => {
  const line = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10)))
  fc.assert(fc.property(fc.array(line, { maxLength: 20 }), fc.array(line, { maxLength: 20 }), fc.nat(200), (lines, others, cut) => {
    const [joined, reversed, different] = [lines, lines.toReversed(), others].map((some) => Buffer.concat(some.flatMap((one) => [one, Buffer.from('\n')])))
    expect(digest([joined!.subarray(0, cut), joined!.subarray(cut)])).toBe(digest([reversed!]))
    expect(digest([different!]) === digest([joined!])).toBe(sorted(lines) === sorted(others))
  }))
})

test('the order of entries does not matter', async () => {
  const text = before.toString()
  const entries = text.split(/^(?=-- (?:Data for )?Name: |-- PostgreSQL database dump complete)/m)
  const first = entries.findIndex((entry) => entry.startsWith('-- Data for '))
  const other = [...entries.slice(0, first), ...entries.slice(first, -1).toReversed(), entries.at(-1)!].join('')
  expect(await compared(before, other)).toEqual([])
})

async function* manyEntries(count: number): AsyncGenerator<Buffer> {
  for (let table = 0; table < count; table++)
    yield Buffer.from(`--\n-- Name: a_table_with_a_name_${table}; Type: TABLE; Schema: public; Owner: postgres\n--\n\nCREATE TABLE a_${table} ();\n\n\n`)
}

test('an entry takes little memory, and none once it is found again', async () => {
  const [count, start] = [50_000, usedHeap()]
  const digests = await digestsOf(manyEntries(count))
  expect((usedHeap() - start) / count).toBeLessThan(200)
  expect(await differences(digests, manyEntries(count), true, () => manyEntries(0))).toEqual([])
  expect(digests.entries.size).toBe(0)
})

test.each([['--inserts'], ['--rows-per-insert=3'], ['--column-inserts', '--rows-per-insert=4', '--on-conflict-do-nothing']])(
  'rows as INSERT statements (%s) may come in another order, and line ends in them end no row', async (...how) => {
    for (const database of ['inserts', 'changed']) await server.createDatabase(database)
    const rows = `(1, E'a\\nb'), (2, E'c\\nd'), (3, E'it''s; \\n-- Data for Name: x; Type: TABLE DATA; Schema: s; Owner: o\\n;'),
      (4, E'\\nCOPY x FROM stdin;\\n"'), (5, E'\\nINSERT INTO x VALUES (1);\\n'), (6, ''), (7, repeat(E'long\\n', 3000) || repeat('x', 70000)), (8, NULL)`
    const made = 'CREATE TABLE t (id int, "the \'"" note" text); CREATE VIEW last AS SELECT 1'
    try {
      await server.sql(`${made}; INSERT INTO t VALUES ${rows}`, 'inserts')
      await server.sql(`${made}; INSERT INTO t SELECT * FROM (VALUES ${rows}) AS v (id, note) ORDER BY id DESC`, 'changed')
      const was = plain('inserts', ...how)
      const whole = await digestsOf(pieces(was))
      expect(whole).toMatchObject({ rows: 8, count: 3 })
      for (const size of [7, 1001]) expect(await digestsOf(pieces(was, size))).toEqual(whole)
      expect(await compared(was, plain('changed', ...how))).toEqual([])
      await server.sql(`UPDATE t SET "the '"" note" = CASE id WHEN 1 THEN E'a\\nd' ELSE E'c\\nb' END WHERE id < 3`, 'changed')
      expect(await compared(was, plain('changed', ...how))).toMatchObject([{ what: 'changed' }])
    } finally {
      for (const database of ['inserts', 'changed']) await server.sql(`DROP DATABASE ${database}`)
    }
  })

const named = (name: string, kind: string, text: string): string => `--\n-- Name: ${name}; Type: ${kind}; Schema: -; Owner: o\n--\n\n${text}\n\n\n`

test('a table whose name looks like a user mapping is compared, and a user mapping is not', async () => {
  const hostile = 'USER MAPPING x; Type: USER MAPPING; Schema: -; Owner: '
  expect(await compared(named(hostile, 'TABLE', 'CREATE TABLE a (id int);'), named(hostile, 'TABLE', 'CREATE TABLE a (id text);'))).toHaveLength(1)
  const mapping = 'USER MAPPING o SERVER s'
  expect(await compared(named(mapping, 'USER MAPPING', 'CREATE USER MAPPING a;'), named(mapping, 'USER MAPPING', 'CREATE USER MAPPING b;'))).toEqual([])
})
