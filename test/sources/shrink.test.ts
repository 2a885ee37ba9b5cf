import type { SourceRecord } from '../../src/repository/snapshot.ts'
import { shrunken } from '../../src/sources/shrink.ts'
import type { Json } from '../../src/sources/source.ts'

const source = (name: string, kind: SourceRecord['kind'], size: number, facts: Json = {}): SourceRecord => ({ name, kind, facts, streams: [{ name: `${name}.x`, format: 'tar', size, sha256: '0'.repeat(64), chunks: [] }] })

const volume = (files: number, bytes: number): SourceRecord => source('uploads', 'directory', bytes, { where: '/srv', entries: files, files, bytes, skipped: { sockets: 0, devices: 0, mounted: 0 }, changed: [], unreadable: [], segments: [] })

const table = (name: string, rows: number | null, bytes: number) => ({ schema: 'public', name, rows, bytes, partitioned: false, rowSecurity: false })
const database = (size: number, tables: ReturnType<typeof table>[], entries: string[] = []): SourceRecord =>
  source('shop', 'postgres', size, { server: { major: 17, version: '17.5' }, database: 'shop', encoding: 'UTF8', collation: 'C', databaseSize: null, extensions: [], tables, dumpVersion: '17.5', entries, globals: { reason: 'none' } })

const MB = 1_000_000
const counted = (one: ReturnType<typeof table>, rows: number) => ({ ...one, archived: { rows, bytes: rows * 10 } })
const found = (before: SourceRecord, now: SourceRecord) => shrunken([before], [now])

test.each<[string, SourceRecord, SourceRecord, object[]]>([
  ['a volume that lost its files', volume(2000, 5 * MB), volume(0, 0), [{ source: 'uploads', measure: 'files', before: 2000, now: 0 }]],
  ['a volume of few files that lost its bytes', volume(3, 5 * MB), volume(3, MB), [{ measure: 'bytes', before: 5 * MB, now: MB }]],
  ['a volume that lost exactly half', volume(2000, 5 * MB), volume(1000, 2.5 * MB), []],
  ['a volume that grew', volume(2000, 5 * MB), volume(3000, 6 * MB), []],
  ['a tiny volume', volume(9, 1000), volume(0, 0), []],
  ['a database', database(10 * MB, []), database(MB, []), [{ source: 'shop', kind: 'postgres', measure: 'bytes', before: 10 * MB, now: MB }]],
  ['a tiny database', database(MB / 2, []), database(1000, []), []],
  ['a table that lost rows', database(9 * MB, [table('orders', 50_000, MB)]), database(9 * MB, [table('orders', 20_000, MB)]), [{ table: 'public.orders', measure: 'rows', before: 50_000, now: 20_000 }]],
  ['a table of which most rows went, though the estimates are still the same', database(9 * MB, [counted(table('orders', 50_000, MB), 8000)]), database(9 * MB, [counted(table('orders', 50_000, MB), 3000)]), [{ table: 'public.orders', measure: 'rows', before: 8000, now: 3000, exact: true }]],
  ['a table that has its rows, though the estimates went', database(9 * MB, [counted(table('orders', 50_000, MB), 8000)]), database(9 * MB, [counted(table('orders', 10, MB), 8000)]), []],
  ['a table that is gone, and was counted', database(9 * MB, [counted(table('orders', null, MB), 8000)]), database(9 * MB, []), [{ table: 'public.orders', before: 8000, now: null, exact: true }]],
  ['a tiny table', database(9 * MB, [table('flags', 900, MB)]), database(9 * MB, [table('flags', 0, 0)]), []],
  ['a table that is gone', database(9 * MB, [table('orders', 50_000, MB)]), database(9 * MB, []), [{ table: 'public.orders', measure: 'rows', before: 50_000, now: null }]],
  ['a partition that is gone', database(9 * MB, [table('orders 2026', 50_000, MB)], ['3500; 0 0 TABLE ATTACH public orders 2026 shop']), database(9 * MB, []), []],
  ['a table that was truncated: it has no estimates any more, and the archive is smaller', database(9 * MB, [table('orders', 50_000, 4 * MB)]), database(6 * MB, [table('orders', null, 0)]), [{ table: 'public.orders', measure: 'bytes', before: 4 * MB, now: 0 }]],
  ['a database restored into a new server and not analysed: there are no estimates, and the archive is as large', database(9 * MB, [table('orders', 50_000, 4 * MB)]), database(9 * MB, [table('orders', null, 0)]), []],
  ['a table that was never analysed', database(9 * MB, [table('orders', null, 0)]), database(9 * MB, [table('orders', 100, 0)]), []],
])('%s', (_, before, now, expected) => {
  expect(found(before, now)).toEqual(expected.map((one) => expect.objectContaining(one)))
})

test('a source that is not in the backup any more counts whatever its size, one that is new does not', () => {
  expect(shrunken([volume(1, 10)], [database(MB, [])])).toEqual([{ source: 'uploads', kind: 'directory', measure: 'bytes', before: 10, now: null }])
})
