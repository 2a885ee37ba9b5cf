import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { forgetOld, undoSwap } from '../../../src/sources/postgres/swap/after-swap.ts'
import { keptName } from '../../../src/sources/postgres/swap/names.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump, inPieces, unrestorable } from '../../support/restoring.ts'
import { afterSwapOptions, swapInto } from '../../support/swapping.ts'
import { thrownBy } from '../../support/thrown.ts'

const told: string[] = []
let temporary: string
let server: Server
let archive: Buffer
beforeAll(async () => {
  server = await startServer(17, { settings: { max_prepared_transactions: '2', allow_in_place_tablespaces: 'on' } })
  await server.sql('CREATE ROLE owner')
  await server.createDatabase('source')
  await server.sql(`
    CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g;
    COMMENT ON DATABASE source IS 'of the backup';
    ALTER DATABASE source OWNER TO owner;
    ALTER DATABASE source CONNECTION LIMIT 42;
    ALTER DATABASE source SET work_mem = '17MB';`, 'source')
  archive = dump(server, 'source', 17)
})
afterAll(() => server.stop())
beforeEach(async () => {
  told.splice(0)
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-swap-'))
  await server.createDatabase('app')
  await server.sql(`CREATE TABLE orders AS SELECT 0 AS id; CREATE TABLE later (id int); COMMENT ON DATABASE app IS 'mine'; ALTER DATABASE app SET work_mem = '5MB'`, 'app')
})
afterEach(async () => {
  const left = readdirSync(temporary)
  rmSync(temporary, { recursive: true })
  const made = (await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '^(app|lifeboat)'`)).split('\n')
  for (const name of made) await server.sql(`DROP DATABASE "${name}" WITH (FORCE)`)
  expect(left).toEqual([])
})

const swap = (more = {}, options = {}) => swapInto(server, 'app', archive, temporary, told, more, options)
const after = (more = {}) => afterSwapOptions(server, 'app', more)
const at = (time: string) => ({ now: () => new Date(time) })
const names = async () => (await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '^(app|lifeboat)' ORDER BY 1`)).split('\n')
const about = (database: string) => server.sql(`SELECT datdba::regrole, datconnlimit, shobj_description(d.oid, 'pg_database'),
  (SELECT string_agg(s, ' ') FROM pg_db_role_setting, unnest(setconfig) s WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '${database}'`)
const rows = (database: string) => server.sql('SELECT count(*), max(id) FROM orders', database)
const counted = [{ schema: 'public', name: 'orders', rows: 100 }]
const untouched = async () => expect([await names(), await rows('app'), await about('app')]).toEqual([['app'], '1|0', 'postgres|-1|mine|work_mem=5MB'])

test('the target gets a new database with the settings of the backup, and the old one is kept as it was; undo exchanges back', async () => {
  const outcome = await swap({ rows: counted, now: () => new Date('2026-11-22T07:32:44Z') })
  const kept = 'app_before_20261122_073244'
  expect(outcome).toMatchObject({ errors: [], left: 'everything', databaseSettings: 'applied', swapped: { kept, until: '2026-11-29T07:32:44.000Z', pause: expect.any(Number) } })
  expect(outcome.restored).toBe(outcome.entries)
  expect(await names()).toEqual(['app', kept])
  expect([await rows('app'), await about('app')]).toEqual(['100|100', 'owner|42|of the backup|work_mem=17MB'])
  expect(await rows(kept)).toBe('1|0')
  expect(await about(kept)).toMatch(/^postgres\|-1\|Lifeboat keeps this database, which was app until 2026-11-22/)

  expect(await undoSwap(after({ ...at('2026-11-22T08:00:00Z'), dryRun: true }))).toEqual({ target: expect.stringMatching(/\/app$/), back: kept, since: '2026-11-22T07:32:44.000Z', others: [], steps: [
    expect.stringMatching(/^Wait until nobody else is connected to \S+\/app, for \S+ s at most\.$/),
    expect.stringMatching(new RegExp(`^Exchange it for ${kept}, which was put aside 2026-11-22 07:32.* in one transaction\\. The database that is there now is kept as app_before_DATE_TIME, at least until 2026-11-29 08:00`)),
  ] })
  expect([await names(), await rows('app')]).toEqual([['app', kept], '100|100'])

  const undone = await undoSwap(after(at('2026-11-22T08:00:00Z')))
  expect(undone).toMatchObject({ back: kept, since: '2026-11-22T07:32:44.000Z', swapped: { kept: 'app_before_20261122_080000' } })
  expect([await rows('app'), await about('app')]).toEqual(['1|0', 'postgres|-1|mine|work_mem=5MB'])
  expect(await names()).toEqual(['app', 'app_before_20261122_080000'])

  // And forward again, with the comment that the backup has. Its owner is not that of the target: the mark could be anybody's.
  expect((await thrownBy(undoSwap(after()))).message).toMatch(/^app_before_20261122_080000 claims to be the one from before .*, but belongs to owner and not to postgres$/)
  await server.sql('ALTER DATABASE app_before_20261122_080000 OWNER TO postgres')
  await undoSwap(after({ now: () => new Date('2026-11-22T09:00:00Z') }))
  expect([await rows('app'), await about('app')]).toEqual(['100|100', 'postgres|42|of the backup|work_mem=17MB'])
})

test('keep-settings: target gives the new database those of the old one', async () => {
  await swap({ keepSettings: 'target' })
  expect([await rows('app'), await about('app')]).toEqual(['100|100', 'postgres|-1|mine|work_mem=5MB'])
})

test('tablespace and privileges come from the backup, or with keep-settings: target from the target', async () => {
  const placed = (database: string) => server.sql(`SELECT spcname, datacl FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = '${database}'`)
  await server.sql(`CREATE TABLESPACE fast LOCATION ''`)
  await server.sql('CREATE DATABASE app_placed TABLESPACE fast')
  await server.sql('REVOKE ALL ON DATABASE app_placed FROM PUBLIC; GRANT CONNECT ON DATABASE app_placed TO owner')
  const was = await placed('app_placed')
  await swapInto(server, 'app', dump(server, 'app_placed', 17), temporary, told)
  expect(was).toMatch(/^fast\|.*owner=c\//)
  expect(await placed('app')).toBe(was)
  await swap({ keepSettings: 'target' })
  expect([await placed('app'), await rows('app')]).toEqual([was, '100|100'])
})

test('forget-old drops what is kept, as its time is over, and nothing that only looks like it', async () => {
  await swap({ now: () => new Date('2026-11-01T00:00:00Z'), keepOld: 86_400_000 })
  await swap({ now: () => new Date('2026-11-02T00:00:00Z'), keepOld: 86_400_000 })
  await swap({ now: () => new Date('2026-11-03T00:00:00Z'), keepOld: 86_400_000 })
  const [first, second, third] = ['app_before_20261101_000000', 'app_before_20261102_000000', 'app_before_20261103_000000'] as const
  // A copy with the comment of another, one of that name by hand, and one that somebody gave a name of his own.
  await server.sql(`CREATE DATABASE app_copy; CREATE DATABASE app_before_20250101_000000; ALTER DATABASE ${second} RENAME TO app_mine`)
  await server.sql(`SELECT format('COMMENT ON DATABASE app_copy IS %L', shobj_description((SELECT oid FROM pg_database WHERE datname = '${first}'), 'pg_database')) \\gexec`)
  const there = await names()
  expect(await forgetOld(after({ ...at('2026-11-03T12:00:00Z'), dryRun: true }))).toMatchObject({ dropped: [], kept: [{ name: third }], steps: [expect.stringMatching(`^Drop the database ${first}, which was put aside 2026-11-01 00:00`)] })
  expect(await names()).toEqual(there)
  const forgotten = await forgetOld(after(at('2026-11-03T12:00:00Z')))
  expect(forgotten).toEqual({ target: expect.any(String), dropped: [first], kept: [{ name: third, until: '2026-11-04T00:00:00.000Z' }], errors: [] })
  expect(await names()).toEqual(['app', 'app_before_20250101_000000', third, 'app_copy', 'app_mine'])
  expect(await forgetOld(after({ keepOld: 0 }))).toMatchObject({ dropped: [third], kept: [] })
  expect(await rows('app')).toBe('100|100')
})

test('after two restores, undo goes back and forward between the last two, and to an earlier one by its name', async () => {
  const [first, second, third] = ['app_before_20261123_030000', 'app_before_20261123_030100', 'app_before_20261123_030200']
  await swap({ keepSettings: 'target', ...at('2026-11-23T03:00:00Z') })
  await server.sql('CREATE TABLE of_the_first ()', 'app')
  await swap({ keepSettings: 'target', ...at('2026-11-23T03:01:00Z') })
  const tables = (database: string) => server.sql(`SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace`, database)
  expect(await undoSwap(after(at('2026-11-23T03:02:00Z')))).toMatchObject({ back: second, swapped: { kept: third }, others: [{ name: first, since: '2026-11-23T03:00:00.000Z' }] })
  expect([await tables('app'), await tables(third)]).toEqual(['of_the_first orders', 'orders'])
  // Both kept databases have been exchanged for the one that is there now.
  expect(await undoSwap(after(at('2026-11-23T03:03:00Z')))).toMatchObject({ back: third, swapped: { kept: 'app_before_20261123_030300' } })
  expect(await tables('app')).toBe('orders')
  const unknown = await thrownBy(undoSwap(after({ old: 'source' })))
  expect(unknown.message).toMatch(/^source is no database that a restore with mode swap has put aside for .*app$/)
  expect(unknown.hint).toContain(`Kept for it: app_before_20261123_030300 (until 2026-11-23T03:03:00.000Z app), ${first} (`)
  expect(await undoSwap(after({ old: first, ...at('2026-11-23T03:04:00Z') }))).toMatchObject({ back: first, others: [{ name: 'app_before_20261123_030300', since: '2026-11-23T03:03:00.000Z' }] })
  expect([await rows('app'), await about('app')]).toEqual(['1|0', 'postgres|-1|mine|work_mem=5MB'])
  // The next undo is forward again; the one that is named is dropped, and no other.
  expect(await forgetOld(after({ old: 'app_before_20261123_030300', keepOld: 0 }))).toMatchObject({ dropped: ['app_before_20261123_030300'], kept: [] })
  expect(await undoSwap(after(at('2026-11-23T03:05:00Z')))).toMatchObject({ back: 'app_before_20261123_030400', others: [] })
  expect((await thrownBy(forgetOld(after({ old: 'source', keepOld: 0 })))).message).toContain('source is no database')
})

test('undo believes no claim of another owner, also if it is named, or newer than that of Lifeboat', async () => {
  const { swapped } = await swap()
  await server.sql(`DROP ROLE IF EXISTS mallory; CREATE ROLE mallory LOGIN; CREATE DATABASE app_evil OWNER mallory`)
  const mark = await server.sql(`SELECT split_part(shobj_description(oid, 'pg_database'), E'\\n', 2)::jsonb || jsonb_build_object('name', 'app_evil', 'at', '9999-12-22T00:00:00Z',
    'oid', (SELECT oid::int8 FROM pg_database WHERE datname = 'app_evil')) FROM pg_database WHERE datname = '${swapped!.kept}'`)
  await server.sql(`SET ROLE mallory; COMMENT ON DATABASE app_evil IS E'x\\n${mark}'`)
  expect((await thrownBy(undoSwap(after({ old: 'app_evil' })))).message).toMatch(/^app_evil claims to be the one from before .*, but belongs to mallory/)
  expect(await rows('app')).toBe('100|100')
  expect(await undoSwap(after())).toMatchObject({ back: swapped!.kept, others: [] })
  expect(await rows('app')).toBe('1|0')
})

test('undo refuses a database that no exchange made, a dry run of it as well', async () => {
  for (const dryRun of [true, false]) expect((await thrownBy(undoSwap(after({ dryRun })))).message).toMatch(/^no restore with mode swap has put a database aside for .*app/)
  await untouched()
  await swap()
  await server.sql('ALTER DATABASE app RENAME TO app_other')
  await server.createDatabase('app')
  expect((await thrownBy(undoSwap(after()))).message).toContain('is not the database that the last restore with mode swap made')
})

test('if others are connected for longer than lock-timeout, they are named and nothing has changed', async () => {
  const staying = server.sql(`SET application_name = 'shop worker'; SELECT pg_sleep(60)`, 'app').catch(() => undefined)
  while ((await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND datname = 'app'`)) === '0');
  const error = await thrownBy(swap({ lockTimeout: 500 }))
  expect(error.message).toMatch(/^others used the database app for longer than .*, and nothing was exchanged: postgres \(pid \d+, shop worker from 127\.0\.0\.1, active, since [^)]+\): SELECT pg_sleep\(…\)/)
  expect(error.hint).toContain('terminate-connections')
  const [warned, waiting] = [told.find((line) => line.startsWith('others are connected')), told.find((line) => line.startsWith('waiting'))]
  expect(warned).toMatch(/^others are connected to the database app now: postgres \(pid \d+, shop worker from 127\.0\.0\.1, active, since [^)]+\)$/)
  expect(waiting).toMatch(/^waiting until nobody else uses the database app, for 0\.5 s at most: postgres \(pid \d+, shop worker [^)]+\)$/)
  await untouched()
  const { swapped } = await swap({ terminate: true })
  await staying
  expect(await rows('app')).toBe('100|100')
  expect(await rows(swapped!.kept)).toBe('1|0')
})

test('a restore with errors, with other rows than were counted, or of a damaged archive leaves the target as it was', async () => {
  await server.sql('ALTER ROLE owner RENAME TO passing')
  expect((await thrownBy(swap())).message).toContain('the settings of the database name roles that')
  await server.sql('ALTER ROLE passing RENAME TO owner')
  await untouched()
  expect((await thrownBy(swap({ rows: [{ ...counted[0]!, rows: 101 }] }))).message).toContain('public.orders has 100 instead of 101 rows')
  expect((await thrownBy(swap({ rows: [...counted, { schema: 'x', name: 'y', rows: 0 }] }))).message).toContain('x.y has no table instead of 0 rows')
  await untouched()
  let readings = 0
  const damaged = inPieces(archive, () => {
    if (++readings > 1) throw new Error('damaged')
  })
  await expect(swap({}, { archive: damaged })).rejects.toThrow('damaged')
  await untouched()
  await server.sql(unrestorable('bad'), 'source')
  const bad = dump(server, 'source', 17)
  await server.sql('DROP TABLE bad; DROP FUNCTION fine', 'source')
  expect(await swapInto(server, 'app', bad, temporary, told)).toMatchObject({ left: 'unchanged', restored: 0, errors: [expect.stringContaining('violates check constraint')] })
  await untouched()
})

test('parts, missing targets and the databases of the server itself are refused', async () => {
  expect((await thrownBy(swap({}, { tables: ['orders'] }))).message).toContain('mode swap exchanges whole databases')
  expect((await thrownBy(swapInto(server, 'app_none', archive, temporary, told))).message).toMatch(/^there is no database .*app_none to exchange/)
  expect((await thrownBy(swapInto(server, 'postgres', archive, temporary, told))).message).toContain('mode swap cannot rename postgres')
  await untouched()
})

test('prepared transactions of the target are named, and replication that stays with the old database is warned of', async () => {
  await server.sql(`BEGIN; CREATE TABLE half (id int); PREPARE TRANSACTION 'half done'`, 'app')
  expect((await thrownBy(swap({ terminate: true }))).message).toBe('app has prepared transactions, with which it cannot be renamed: half done')
  await server.sql(`ROLLBACK PREPARED 'half done'`, 'app')
  await untouched()
  await server.sql(`CREATE SUBSCRIPTION follows CONNECTION 'host=127.0.0.1 dbname=nowhere' PUBLICATION p WITH (connect = false)`, 'app')
  const { swapped } = await swap()
  expect(told).toContain('subscriptions go on in the database that is put aside: follows')
  await server.sql('ALTER SUBSCRIPTION follows SET (slot_name = NONE); DROP SUBSCRIPTION follows', swapped!.kept)
})

test('a role that is no superuser exchanges what it owns, and is refused what it does not', async () => {
  await server.sql(`CREATE ROLE plain LOGIN CREATEDB PASSWORD 'plain'; ALTER DATABASE app OWNER TO plain; ALTER TABLE orders OWNER TO plain`, 'app')
  const archived = dump(server, 'app', 17)
  const { parseDatabaseUrl } = await import('../../../src/sources/postgres/connection.ts')
  const target = parseDatabaseUrl(server.url('app', 'plain', 'plain'))
  await server.sql('DROP TABLE later; ', 'app')
  expect(await swapInto(server, 'app', archived, temporary, told, {}, { target, noOwner: true })).toMatchObject({ errors: [], left: 'everything' })
  await server.sql('ALTER DATABASE app OWNER TO postgres')
  expect((await thrownBy(swapInto(server, 'app', archived, temporary, told, {}, { target, noOwner: true }))).message).toMatch(/may not rename/)
})

test('names of kept databases fit into 63 bytes, keep whole characters, and are free', () => {
  const time = new Date('2026-11-22T07:32:44.123Z')
  expect(keptName('app', time, new Set())).toBe('app_before_20261122_073244')
  expect(keptName('app', time, new Set(['app_before_20261122_073244']))).toBe('app_before_20261122_073245')
  const long = keptName('é'.repeat(31), time, new Set())
  expect(long).toBe(`${'é'.repeat(20)}_before_20261122_073244`)
  expect(Buffer.byteLength(keptName('x'.repeat(63), time, new Set()))).toBe(63)
})
