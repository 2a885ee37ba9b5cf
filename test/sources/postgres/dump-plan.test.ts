import { divide } from '../../../src/sources/postgres/dump/plan.ts'

const MIB = 1024 * 1024
/** A database with tables of these sizes in MiB, and others that have the rest. */
const database = (sizes: number[], { rest = 0, tables = sizes.length, free = 90 } = {}) => ({
  free,
  tables,
  bytes: (sizes.reduce((sum, size) => sum + size, 0) + rest) * MIB,
  largest: sizes.map((size, index) => ({ schema: 'public', name: `t${index}`, bytes: size * MIB })),
})
const names = (plan: ReturnType<typeof divide>): string[] | string | undefined => ('why' in plan ? plan.why : plan.tables.map(({ name }) => name))

test('the largest tables get archives of their own, one for each pg_dump, until the rest is no larger than the share of one', () => {
  expect(divide(database([300, 300, 300, 300]), undefined, 4)).toEqual({
    tables: ['t0', 't1', 't2'].map((name) => ({ schema: 'public', name })),
  })
  expect(names(divide(database([500, 200, 100, 100, 100]), 4, 2))).toEqual(['t0', 't1', 't2'])
  expect(names(divide(database([1000], { rest: 10 }), 2, 2))).toEqual(['t0'])
  expect(names(divide(database(Array.from({ length: 90 }, () => 10)), 4, 2))).toHaveLength(3)
})

test('automatically, as many as there are processors, at least 2 and at most 8; never more than tables give work to', () => {
  const many = database(Array.from({ length: 40 }, () => 100))
  expect([1, 2, 4, 64].map((processors) => names(divide(many, undefined, processors))?.length)).toEqual([1, 1, 3, 7])
  expect(names(divide(many, 6, 2))).toHaveLength(5)
  expect(names(divide(database([1000, 10], { rest: 10 }), 8, 2))).toEqual(['t0'])
})

test('a table that is not worth a process stays in the main archive; with many tables each pg_dump takes longer, and more is needed', () => {
  expect(names(divide(database([100, 63, 63, 63]), undefined, 4))).toEqual(['t0'])
  expect(names(divide(database([60, 60, 60, 60, 60]), undefined, 4))).toBeUndefined()
  expect(names(divide(database([60, 60, 60, 60, 60]), 4, 4))).toHaveLength(3)
  expect(names(divide(database([0.5, 0.5]), 4, 4))).toBe('no table is large enough for an archive of its own')
  expect(names(divide(database([400, 400, 400], { tables: 50_000 }), 4, 4))).toBe('no table is large enough for an archive of its own')
  expect(names(divide(database([2000, 400, 400], { tables: 50_000 }), 4, 4))).toEqual(['t0'])
})

const parts = (free: number, jobs: number | undefined) => names(divide(database([300, 300, 300, 300], { free }), jobs, 4))

test('connections that the server cannot give are not counted on, one stays free, and half of them where nobody asked for more', () => {
  expect([parts(7, 4), parts(6, 4), parts(5, 4)].map((part) => part?.length)).toEqual([3, 2, 1])
  expect([parts(12, undefined), parts(10, undefined), parts(9, undefined)].map((part) => part?.length)).toEqual([3, 2, 1])
  expect([parts(4, 4), parts(7, undefined)]).toEqual(['the server has only 4 free connections', 'the server has only 7 free connections'])
  expect(parts(-2, undefined)).toBe('the server has only 0 free connections')
})
