import type { SourceRecord } from '../../src/repository/snapshot.ts'
import { shrunken } from '../../src/sources/shrink.ts'
import type { Json } from '../../src/sources/source.ts'

const source = (name: string, kind: SourceRecord['kind'], size: number, facts: Json = {}): SourceRecord => ({ name, kind, facts, streams: [{ name: `${name}.x`, format: 'tar', size, sum: '0'.repeat(64), chunks: [] }] })

const volume = (files: number, bytes: number): SourceRecord => source('uploads', 'directory', bytes, { where: '/srv', entries: files, files, bytes, skipped: { sockets: 0, devices: 0, mounted: 0 }, changed: [], unreadable: [], segments: [] })

const table = (name: string, rows: number | null, bytes: number) => ({ schema: 'public', name, rows, bytes, partitioned: false, rowSecurity: false })
const database = (size: number, tables: ReturnType<typeof table>[], entries: string[] = []): SourceRecord =>
  source('shop', 'postgres', size, { server: { major: 17, version: '17.5' }, database: 'shop', encoding: 'UTF8', collation: 'C', databaseSize: null, extensions: [], tables, dumpVersion: '17.5', entries, globals: { reason: 'none' } })

const MB = 1_000_000
const counted = (one: ReturnType<typeof table>, rows: number, bytes = rows * 10) => ({ ...one, archived: { rows, bytes } })
const small = (name: string, rows: number, bytes?: number) => counted(table(name, rows, 8192), rows, bytes)
const attached = (...names: string[]): string[] => names.map((name) => `3500; 0 0 TABLE ATTACH public ${name} shop`)
const partitioned = { ...table('events', null, 0), partitioned: true }
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
  ['a partition that is gone', database(9 * MB, [table('orders 2025', 50_000, MB), table('orders 2026', 7, MB)], attached('orders 2025', 'orders 2026')), database(9 * MB, [table('orders 2026', 7, MB)]), []],
  ['a table of few large rows that was emptied', database(9 * MB, [small('photos', 40, 7 * MB)]), database(9 * MB, [small('photos', 0, 0)]), [{ table: 'public.photos', measure: 'bytes', before: 7 * MB, now: 0, exact: true }]],
  ['a table that has its rows, but half of their bytes went', database(9 * MB, [small('photos', 5000, 7 * MB)]), database(9 * MB, [small('photos', 5000, 3 * MB)]), [{ table: 'public.photos', measure: 'bytes', before: 7 * MB, now: 3 * MB }]],
  ['a table that lost rows and bytes, which is told once', database(9 * MB, [small('photos', 5000, 7 * MB)]), database(9 * MB, [small('photos', 0, 0)]), [{ table: 'public.photos', measure: 'rows', before: 5000, now: 0 }]],
  ['a queue of few rows and less than 1 MB that was emptied', database(9 * MB, [small('queue', 999, 0.9 * MB)]), database(9 * MB, [small('queue', 0, 0)]), []],
  ['a table of one row that is gone', database(9 * MB, [small('settings', 1)]), database(9 * MB, [small('others', 1, 11)]), [{ table: 'public.settings', measure: 'rows', before: 1, now: null, exact: true }]],
  ['a table without rows that is gone', database(9 * MB, [small('drafts', 0)]), database(9 * MB, []), []],
  ['a table that was renamed', database(9 * MB, [small('photos', 40, 7 * MB)]), database(9 * MB, [small('pictures', 40, 7 * MB)]), []],
  ['a table that is gone, and another has always had as many rows', database(9 * MB, [small('a', 40), small('b', 40)]), database(9 * MB, [small('b', 40)]), [{ table: 'public.a', now: null }]],
  ['a small table of many that differ by their date', database(9 * MB, [small('log_2026_11_01', 50), small('log_2026_11_02', 60)]), database(9 * MB, [small('log_2026_11_02', 60)]), []],
  ['a large table of many that differ by their date', database(9 * MB, [small('log_2026_11_01', 50, MB), small('log_2026_11_02', 60)]), database(9 * MB, [small('log_2026_11_02', 60)]), [{ table: 'public.log_2026_11_01', now: null }]],
  ['a partition that was detached before it was dropped', database(9 * MB, [small('events_1', 50_000), small('events_2', 50_000)], attached('events_2')), database(9 * MB, [small('events_2', 50_000)], attached('events_2')), []],
  ['all partitions, with their table', database(9 * MB, [partitioned, small('events_1', 50_000), small('events_2', 7)], attached('events_1', 'events_2')), database(9 * MB, []), [{ table: 'public.events_1', before: 50_000, now: null }, { table: 'public.events_2', before: 7, now: null }]],
  ['all partitions of a table that stays', database(9 * MB, [partitioned, small('events_1', 50_000), small('events_2', 7)], attached('events_1', 'events_2')), database(9 * MB, [partitioned]), [{ table: 'public.events_1', before: 50_000, now: null }, { table: 'public.events_2', before: 7, now: null }]],
  ['an old partition, on the day on which a partitioned table is renamed', database(9 * MB, [partitioned, small('events_1', 50_000), small('log_1', 60_000), small('log_2', 8)], attached('events_1', 'log_1', 'log_2')), database(9 * MB, [{ ...partitioned, name: 'history' }, small('history_1', 50_000), small('log_2', 8)], attached('history_1', 'log_2')), []],
  ['two tables of the same amount, of which one was renamed', database(9 * MB, [small('settings_a', 3), small('settings_b', 3)]), database(9 * MB, [small('settings_c', 3)]), [{ table: 'public.settings_b', before: 3, now: null }]],
  ['a partitioned table of which the partitions stay', database(9 * MB, [partitioned, small('events_1', 50_000)], attached('events_1')), database(9 * MB, [small('events_1', 50_000)]), []],
  ['a table that was truncated: it has no estimates any more, and the archive is smaller', database(9 * MB, [table('orders', 50_000, 4 * MB)]), database(6 * MB, [table('orders', null, 0)]), [{ table: 'public.orders', measure: 'bytes', before: 4 * MB, now: 0 }]],
  ['a database restored into a new server and not analysed: there are no estimates, and the archive is as large', database(9 * MB, [table('orders', 50_000, 4 * MB)]), database(9 * MB, [table('orders', null, 0)]), []],
  ['a table that was never analysed', database(9 * MB, [table('orders', null, 0)]), database(9 * MB, [table('orders', 100, 0)]), []],
])('%s', (_, before, now, expected) => {
  expect(found(before, now)).toEqual(expected.map((one) => expect.objectContaining(one)))
})

test('a source that is not in the backup any more counts whatever its size, one that is new does not', () => {
  expect(shrunken([volume(1, 10)], [database(MB, [])])).toEqual([{ source: 'uploads', kind: 'directory', measure: 'bytes', before: 10, now: null }])
})
