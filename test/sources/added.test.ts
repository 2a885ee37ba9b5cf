import * as fc from 'fast-check'
import { addedByTable, addedText, type TableExtent } from '../../src/sources/added.ts'
import type { StoredExtent } from '../../src/repository/writer.ts'

const table = (name: string, start: number, end: number): TableExtent => ({ table: `public.${name}`, start, end })

test('a chunk is of the tables whose data it has, by length, and the rest is of none', () => {
  const tables = [table('a', 100, 200), table('b', 200, 500), table('c', 900, 1000)]
  const chunks = [{ start: 0, end: 100, stored: 10 }, { start: 150, end: 250, stored: 50 }, { start: 400, end: 800, stored: 100 }]
  expect(addedByTable(165, [chunks, []], [tables, []])).toEqual({
    most: [{ table: 'public.b', added: 50 }, { table: 'public.a', added: 25 }], others: { tables: 0, added: 0 }, rest: 90,
  })
})

test('a table that is in several streams is one', () => {
  const chunks = [{ start: 0, end: 100, stored: 10 }]
  expect(addedByTable(20, [chunks, chunks], [[table('a', 0, 100)], [table('a', 50, 100)]])).toEqual({
    most: [{ table: 'public.a', added: 15 }], others: { tables: 0, added: 0 }, rest: 5,
  })
})

test('a table that is as before is charged nothing that something new in the same chunk may have cost', () => {
  const tables = [table('a', 100, 200), { ...table('b', 200, 500), isSame: true }, table('c', 500, 600), { ...table('d', 600, 1000), isSame: true }]
  const chunks = [{ start: 0, end: 300, stored: 100 }, { start: 400, end: 700, stored: 90 }, { start: 700, end: 1000, stored: 7 }]
  expect(addedByTable(200, [chunks], [tables])).toEqual({
    most: [{ table: 'public.c', added: 90 }, { table: 'public.a', added: 50 }, { table: 'public.d', added: 7 }], others: { tables: 0, added: 0 }, rest: 53,
  })
})

test('a name with a comma is not two in a list', () => {
  const most = [{ table: 'public.orders', added: 3000 }, { table: 'public.odd, table', added: 2000 }, { table: 'public.c', added: 10 }]
  const added = { most, others: { tables: 2, added: 5 }, rest: 7 }
  expect(addedText(added)).toBe('about 3.00 kB for public.orders, 2.00 kB for "public.odd, table", 10 B for public.c, 5 B for 2 other tables, 7 B for what is in no table (definitions, roles, large objects)')
  expect(addedText(added, 1)).toBe('about 3.00 kB for public.orders, 2.02 kB for 4 other tables, 7 B for what is in no table (definitions, roles, large objects)')
})

test('of many tables the twenty with the most are named', () => {
  const tables = Array.from({ length: 50_000 }, (_, index) => table(`t${index}`, index * 10, (index + 1) * 10))
  const chunks = tables.map(({ start, end }, index): StoredExtent => ({ start, end, stored: index + 1 }))
  const { most, others, rest } = addedByTable(1_250_025_007, [chunks], [tables])!
  expect([most.length, most[0], most[19]]).toEqual([20, { table: 'public.t49999', added: 50_000 }, { table: 'public.t49980', added: 49_981 }])
  expect([others, rest]).toEqual([{ tables: 49_980, added: (49_980 * 49_981) / 2 }, 7])
})

test('nothing is said where the tables of a stream are not known', () => {
  expect(addedByTable(10, [[], []], [[table('a', 0, 10)], undefined])).toBeUndefined()
})

test('it is the cost of each byte, added up, and adds up to all', () => {
  const extents = fc.uniqueArray(fc.nat(2000), { maxLength: 12 }).map((places) => places.toSorted((a, b) => a - b))
    .map((places) => places.slice(1).map((end, index) => ({ start: places[index]!, end }))).chain((all) => fc.subarray(all))
  const added = extents.chain((all) => fc.array(fc.nat(3000), { minLength: all.length, maxLength: all.length }).map((stored) => all.map((one, index) => ({ ...one, stored: stored[index]! }))))
  fc.assert(fc.property(extents, added, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (places, chunks, same) => {
    const tables = places.map(({ start, end }, index) => ({ ...table(`t${index}`, start, end), isSame: same[index]! }))
    const isSame = (byte: number): boolean => tables.some((one) => one.isSame && byte >= one.start && byte < one.end)
    const total = chunks.reduce((sum, { stored }) => sum + stored, 0)
    const { most, others, rest } = addedByTable(total, [chunks], [tables])!
    expect(most.reduce((sum, { added }) => sum + added, others.added + rest)).toBe(total)
    const costs = chunks.map(({ start, end, stored }) => {
      const all = Array.from({ length: end - start }, (_, index) => start + index)
      const fresh = all.filter((byte) => !isSame(byte))
      const sharing = fresh.length > 0 ? fresh : all
      return new Map(sharing.map((byte) => [byte, stored / sharing.length]))
    })
    for (const { table: name, start, end } of tables) {
      const bytes = costs.flatMap((cost) => [...cost]).reduce((sum, [byte, cost]) => sum + (byte >= start && byte < end ? cost : 0), 0)
      expect(Math.abs((most.find((one) => one.table === name)?.added ?? 0) - bytes)).toBeLessThanOrEqual(1 + chunks.length)
    }
  }))
})
