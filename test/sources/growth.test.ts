import type { SourceRecord } from '../../src/repository/snapshot.ts'
import { largestOf } from '../../src/sources/growth.ts'
import type { Json } from '../../src/sources/source.ts'

const source = (name: string, kind: string, facts: Json): SourceRecord => ({ name, kind, facts, streams: [] })
const volume = (name: string, bytes: number): SourceRecord =>
  source(name, 'directory', { where: '/srv', entries: 1, files: 1, bytes, skipped: { sockets: 0, devices: 0, mounted: 0 }, changed: [], unreadable: [], segments: [] })
const database = (name: string, tables: Record<string, number>): SourceRecord =>
  source(name, 'postgres', { tables: Object.entries(tables).map(([table, bytes]) => ({ schema: 'public', name: table, rows: 1, bytes, partitioned: bytes === 0, rowSecurity: false })) })

test('the largest tables and volumes come first, with their sizes in the snapshot before', () => {
  const before = [database('shop', { orders: 40, flags: 2 }), volume('uploads', 33)]
  const now = [database('shop', { flags: 2, orders: 50, events: 7, partitioned: 0 }), volume('uploads', 30), volume('avatars', 1)]
  expect(largestOf(before, now)).toEqual([
    { source: 'shop', table: 'public.orders', bytes: 50, before: 40 },
    { source: 'uploads', bytes: 30, before: 33 },
    { source: 'shop', table: 'public.events', bytes: 7, before: null },
    { source: 'shop', table: 'public.flags', bytes: 2, before: 2 },
    { source: 'avatars', bytes: 1, before: null },
  ])
})

test('tables of the same name in two databases are compared each with its own', () => {
  const before = [database('a', { orders: 1 }), database('b', { orders: 2 })]
  expect(largestOf(before, [database('a', { orders: 10 }), database('b', { orders: 20 })]).map(({ source, before }) => [source, before])).toEqual([['b', 2], ['a', 1]])
})

test('without a snapshot before nothing is said about growth, and ten are enough', () => {
  const many = database('shop', Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`t${index}`, index + 1])))
  const largest = largestOf(undefined, [many])
  expect(largest.map(({ bytes }) => bytes)).toEqual([50, 49, 48, 47, 46, 45, 44, 43, 42, 41])
  expect(largest.some((one) => 'before' in one)).toBe(false)
})

test('facts of another shape, and kinds that are not known, have no sizes', () => {
  expect(largestOf([], [source('shop', 'postgres', { tables: 'none' }), source('x', 'of the future', {})])).toEqual([])
})
