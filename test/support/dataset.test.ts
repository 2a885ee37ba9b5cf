import path from 'node:path'
import { clientDirectory, run } from './client-programs.ts'
import { compareDatabases } from './compare-databases.ts'
import { changeDataset, loadDataset, loadIncompressible, loadSmall } from './dataset.ts'
import { clientEnvironment, startServer } from './postgres-server.ts'
import type { Server } from './postgres-server.ts'

let server: Server
beforeAll(async () => {
  server = await startServer(17)
})
afterAll(() => server.stop())

async function copyOf(database: string, name: string): Promise<{ server: Server; database: string }> {
  await server.sql(`CREATE DATABASE "${name}" TEMPLATE "${database}"`)
  return { server, database: name }
}

test('the same seed gives the same database on a server of another major, changes included; another seed does not', async () => {
  const old = await startServer(16)
  try {
    for (const place of [old, server]) {
      await place.createDatabase('seeded')
      await loadDataset(place, 'seeded', { megabytes: 1 })
      await changeDataset(place, 'seeded')
    }
    expect(await compareDatabases({ server: old, database: 'seeded' }, { server, database: 'seeded' })).toEqual([])
    await server.createDatabase('other seed')
    await loadDataset(server, 'other seed', { megabytes: 1, seed: 9 })
    await changeDataset(server, 'other seed')
    expect(await compareDatabases({ server, database: 'seeded' }, { server, database: 'other seed' })).not.toEqual([])
  } finally {
    await old.stop()
  }
})

test('changes insert, update and delete about the fractions asked for', async () => {
  await server.createDatabase('changing')
  await loadDataset(server, 'changing', { megabytes: 4 })
  const before = await copyOf('changing', 'before')
  await changeDataset(server, 'changing', { insertFraction: 0.1, updateFraction: 0.02, deleteFraction: 0.01 })
  const ids = async (database: string) => new Set((await server.sql('SELECT id, status FROM orders', database)).split('\n'))
  const [old, now] = [await ids(before.database), await ids('changing')]
  expect([...now].filter((order) => !old.has(order)).length / old.size).toBeCloseTo(0.1 + 0.02 * 0.75, 1)
  expect([...old].filter((order) => !now.has(order)).length / old.size).toBeCloseTo(0.01 + 0.02 * 0.75, 1)
  const differing = await compareDatabases(before, { server, database: 'changing' })
  const names = ['public.events', 'public.documents', 'public.customers', 'public.order_items', 'public.files', 'public.measurements_2026_02', 'audit.log', 'public.monthly_sales']
  for (const name of names) expect(differing.join('\n')).toContain(`table ${name}:`)
  expect(differing.join('\n')).toMatch(/large object \d+:/)
})

test.each([14, 16, 18] as const)('PostgreSQL %i takes the small data set of about a thousand rows', async (major) => {
  const other = await startServer(major)
  try {
    await other.createDatabase('small')
    await loadSmall(other, 'small')
    const rows = Number(await other.sql("SELECT sum(reltuples) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace", 'small'))
    expect(rows).toBeGreaterThan(800)
    expect(rows).toBeLessThan(1800)
  } finally {
    await other.stop()
  }
})

test('a dump of the incompressible data is as large as asked for, and gzip gains nothing', async () => {
  await server.createDatabase('noise')
  await loadIncompressible(server, 'noise', 3)
  const file = path.join('/tmp', `noise-${server.port}`)
  const script = '"$1" --format=custom --compress=0 >"$2"; gzip -c "$2" >"$2.gz"; stat -c %s "$2" "$2.gz"; rm "$2" "$2.gz"'
  const sizes = await run('sh', ['-c', script, 'sh', path.join(clientDirectory(17), 'pg_dump'), file], { env: clientEnvironment(server, 'noise') })
  for (const size of sizes.trim().split('\n')) expect(Number(size) / 2 ** 20).toBeCloseTo(3, 1)
})

describe('compareDatabases', () => {
  beforeAll(async () => {
    await server.createDatabase('original')
    await loadSmall(server, 'original')
  })

  test('finds a dumped and restored database equal to its original', async () => {
    await server.createDatabase('restored')
    const script = '"$1/pg_dump" --format=custom | "$1/pg_restore" --exit-on-error --dbname=restored'
    await run('sh', ['-c', script, 'sh', clientDirectory(17)], { env: clientEnvironment(server, 'original') })
    expect(await compareDatabases({ server, database: 'original' }, { server, database: 'restored' })).toEqual([])
  })

  test.each([
    ['a changed value', 'UPDATE orders SET total = total + 0.01 WHERE id = 1', /^table public\.orders: /],
    ['a missing row in a partition', 'DELETE FROM measurements_2026_03 WHERE ctid = (SELECT min(ctid) FROM measurements_2026_03)', /^table public\.measurements_2026_03: /],
    ['a row too many', 'INSERT INTO order_items SELECT order_id, 99, sku, quantity, price, size FROM order_items LIMIT 1', /^table public\.order_items: /],
    ['an empty text that was NULL', 'UPDATE notes SET note = coalesce(note, $$$$)', /^table public\.notes: /],
    ['a materialized view', 'UPDATE orders SET total = 1; REFRESH MATERIALIZED VIEW monthly_sales', /^table public\.monthly_sales: /],
    ['a byte of a large object', "SELECT lo_put(oid, 5, '\\x00') FROM pg_largeobject_metadata LIMIT 1", /^large object 70000\d: /],
    ['a missing large object', 'SELECT lo_unlink(min(oid::bigint)::oid) FROM pg_largeobject_metadata', /^large object 700001: .* ≠ missing$/],
    ['a sequence that moved', "SELECT nextval('invoice_numbers')", /^sequence public\.invoice_numbers: 7654321 ≠ 7654328$/],
    ['a missing index', 'DROP INDEX orders_unshipped', /^definition only in the first: CREATE INDEX orders_unshipped /],
    ['a policy switched off', 'ALTER TABLE notes DISABLE ROW LEVEL SECURITY', /^definition only in the first: ALTER TABLE public\.notes ENABLE/],
    ['a comment', "COMMENT ON SCHEMA audit IS 'else'", /^definition only in the first: COMMENT ON SCHEMA audit/],
    ['a new table', 'CREATE TABLE extra ()', /^definition only in the second: CREATE TABLE public\.extra/],
  ])('notices %s', async (what, statement, expected) => {
    const changed = await copyOf('original', `with ${what}`)
    await server.sql(statement, changed.database)
    expect(await compareDatabases({ server, database: 'original' }, changed)).toContainEqual(expect.stringMatching(expected))
  })
})
