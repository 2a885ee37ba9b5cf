import { divide } from '../../../src/sources/postgres/dump/plan.ts'

const MIB = 1024 * 1024
/** A database with tables of these sizes in MiB, and others that have the rest. */
const database = (sizes: number[], { rest = 0, tables = sizes.length, free = 90, objects = 0, unknown = 0, needsOrder = false } = {}) => ({
  needsOrder,
  free,
  tables,
  unknown,
  bytes: (sizes.reduce((sum, size) => sum + size, 0) + rest + objects) * MIB,
  largeObjects: objects * MIB,
  largest: sizes.map((size, index) => ({ schema: 'public', name: `t${index}`, bytes: size * MIB })),
})
const names = (plan: ReturnType<typeof divide>): string[][] | string | undefined => ('why' in plan ? plan.why : plan.parts.map(({ tables }) => tables.map(({ name }) => name)))

test('the largest tables are distributed over as many archives as there are pg_dump, and each has the same to do', () => {
  expect(divide(database([300, 300, 300, 300]), undefined, 4)).toEqual({ parts: ['t0', 't1', 't2'].map((name) => ({ tables: [{ schema: 'public', name }], largeObjects: false })) })
  expect(names(divide(database([500, 200, 100, 100, 100]), 4, 2))).toEqual([['t0'], ['t1'], ['t2', 't4']])
  expect(names(divide(database([60, 50, 40, 30, 20, 10]), 2, 2))).toEqual([['t0', 't3', 't4']])
  expect(names(divide(database([1000], { rest: 10 }), 2, 2))).toEqual([['t0']])
})

const objects = (plan: ReturnType<typeof divide>) => 'parts' in plan && plan.parts.map(({ tables, largeObjects }) => [...tables.map(({ name }) => name), ...(largeObjects ? ['objects'] : [])])

test('large objects are in the archive of their share, alone or with tables', () => {
  expect(objects(divide(database([300, 300], { objects: 900 }), 3, 2))).toEqual([['objects'], ['t0']])
  expect(objects(divide(database([300, 300, 200], { objects: 200, rest: 300 }), 3, 2))).toEqual([['t0', 't2'], ['t1', 'objects']])
  expect(objects(divide(database([], { objects: 900, rest: 800 }), 2, 2))).toEqual([['objects']])
  expect(objects(divide(database([900], { objects: 10 }), 2, 2))).toEqual([['t0']])
})

test.each([2, 3, 4, 8])('of 40 equal tables, %i archives have the same number, and of any others none has more than its share and the largest table', (jobs) => {
  for (const size of [() => 100, (index: number) => 100 - index, (index: number) => 1000 / (1 + index), (index: number) => 1.5 ** (20 - index)]) {
    const found = database(Array.from({ length: 40 }, (_, index) => size(index)), { rest: 50 })
    const plan = divide(found, jobs, 2)
    if ('why' in plan) throw new Error(plan.why)
    const sizes = plan.parts.map(({ tables }) => tables.reduce((sum, { name }) => sum + found.largest[Number(name.slice(1))]!.bytes, 0))
    const main = found.bytes - sizes.reduce((sum, bytes) => sum + bytes, 0)
    expect(Math.max(main, ...sizes)).toBeLessThanOrEqual(found.bytes / jobs + found.largest[0]!.bytes)
    const numbers = plan.parts.map(({ tables }) => tables.length)
    if (size(39) === 100) expect(Math.max(...numbers) - Math.min(...numbers)).toBeLessThanOrEqual(1)
  }
})

test('tables that grow a little stay where they are', () => {
  const sizes = Array.from({ length: 40 }, (_, index) => 100 + index / 20)
  const planned = names(divide(database(sizes), 4, 2))
  for (let day = 1; day <= 3; day++) expect(names(divide(database(sizes.map((size, index) => size + ((index * 7) % 10) * 0.1 * day)), 4, 2))).toEqual(planned)
})

test('automatically, as many as there are processors, at least 2 and at most 8; never more than tables give work to', () => {
  const many = database(Array.from({ length: 40 }, () => 100))
  expect([1, 2, 4, 64].map((processors) => names(divide(many, undefined, processors))?.length)).toEqual([1, 1, 3, 7])
  expect(names(divide(many, 6, 2))).toHaveLength(5)
  expect(names(divide(database([1000, 10], { rest: 10 }), 8, 2))).toEqual([['t0']])
  expect(names(divide(database([1000, 10], { rest: 10 }), undefined, 8))).toEqual([['t0']])
})

test('rows that are not worth a process stay in the main archive; with many tables each pg_dump takes longer, and more is needed', () => {
  expect(names(divide(database([100, 63, 63, 63]), undefined, 4))).toEqual([['t0'], ['t1', 't3']])
  expect(names(divide(database([60, 60]), undefined, 4))).toBeUndefined()
  expect(names(divide(database([60, 60, 60, 60, 60]), 4, 4))).toHaveLength(3)
  expect(names(divide(database([0.5, 0.5]), 4, 4))).toBe('no tables are large enough for an archive of their own')
  expect(names(divide(database([400, 400, 400], { tables: 50_000 }), 4, 4))).toEqual([['t0', 't2']])
  expect(names(divide(database([100, 100, 100], { tables: 50_000 }), 4, 4))).toBe('no tables are large enough for an archive of their own')
  expect(names(divide(database([2000, 400, 400], { tables: 50_000 }), 4, 4))).toEqual([['t0']])
})

test('the reason for one archive names tables whose size the server does not know', () => {
  expect([1, 2].map((unknown) => names(divide(database([0.5, 0.5], { unknown }), 4, 4)))).toEqual(['1 table', '2 tables'].map((tables) => `the server does not know the size of ${tables} (VACUUM ANALYZE finds it out), and no others are large enough`))
})

test('rows that need those of other tables are in one archive', () => {
  expect(names(divide(database([300, 300], { needsOrder: true }), 2, 2))).toBe('CHECK constraints or generated columns call functions, which may look into other tables')
})

const parts = (free: number, jobs: number | undefined) => names(divide(database([300, 300, 300, 300], { free }), jobs, 4))

test('connections that the server cannot give are not counted on, one stays free, and half of them where nobody asked for more', () => {
  expect([parts(7, 4), parts(6, 4), parts(5, 4)].map((part) => part?.length)).toEqual([3, 2, 1])
  expect([parts(12, undefined), parts(10, undefined), parts(9, undefined)].map((part) => part?.length)).toEqual([3, 2, 1])
  expect([parts(4, 4), parts(7, undefined)]).toEqual(['the server has only 4 free connections', 'the server has only 7 free connections'])
  expect([parts(-2, undefined), parts(1, undefined)]).toEqual(['the server has only 0 free connections', 'the server has only 1 free connection'])
})
