import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { unmarked } from '../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import type { RestoreOutcome } from '../../../src/sources/postgres/restore-outcome.ts'
import type { RestoreOptions } from '../../../src/sources/postgres/restore-plan.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { clients, dump, restoreInto, unrestorable, variables } from '../../support/restoring.ts'
import { thrownBy } from '../../support/thrown.ts'

const told: string[] = []
let temporary: string
beforeEach(() => {
  told.splice(0)
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-database-'))
})
afterEach(() => {
  const left = readdirSync(temporary)
  rmSync(temporary, { recursive: true })
  expect(left).toEqual([])
})

let server: Server
let bytes: Buffer
beforeAll(async () => {
  server = await startServer(17)
  await server.sql('CREATE ROLE owner; CREATE ROLE app')
  await server.createDatabase('shop')
  await server.sql(`
    CREATE TABLE orders AS SELECT 1 AS id;
    COMMENT ON DATABASE shop IS 'the shop''s \\ one';
    ALTER DATABASE shop OWNER TO owner;
    ALTER DATABASE shop CONNECTION LIMIT 42;
    ALTER DATABASE shop SET work_mem = '17MB';
    ALTER DATABASE shop SET "app.tenant" = E'it''s \\\\! id';
    ALTER DATABASE shop SET search_path = public, "a, b";
    ALTER DATABASE shop SET default_transaction_read_only = on;
    ALTER ROLE app IN DATABASE shop SET statement_timeout = '5s';
    REVOKE ALL ON DATABASE shop FROM PUBLIC;
    GRANT CONNECT ON DATABASE shop TO app WITH GRANT OPTION;`, 'shop')
  bytes = dump(server, 'shop', 17)
})
afterAll(() => server.stop())

const restore = (database: string, more: Partial<RestoreOptions> = {}, archive = bytes): Promise<RestoreOutcome> => restoreInto(server, database, archive, temporary, told, more)
const exists = async (name: string) => (await server.sql(`SELECT count(*) FROM pg_database WHERE datname = '${name}'`)) === '1'
/** Everything that the server keeps of a database itself. */
const settings = (database: string) => server.sql(`
  SELECT datdba::regrole, datconnlimit, datacl, shobj_description(d.oid, 'pg_database'),
    (SELECT json_agg(json_build_array(setrole::regrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '${database}'`)

test('mode create applies the settings of the database under its new name, which are no entries that show, verify and a dry run count', async () => {
  const outcome = await restore(`copy "1"`, { mode: 'create' })
  expect(outcome).toMatchObject({ errors: [], databaseSettings: 'applied', left: 'everything' })
  expect(await settings('copy "1"')).toBe(await settings('shop'))
  // The table and its rows.
  expect([outcome.entries, outcome.restored]).toEqual([2, 2])
})

test('mode create leaves them out if told to, or if only a part is restored', async () => {
  expect(await restore('plain', { mode: 'create', databaseSettings: false })).toMatchObject({ databaseSettings: 'left as they are', entries: 2, restored: 2 })
  expect(await restore('part', { mode: 'create', tables: ['orders'] })).toMatchObject({ databaseSettings: 'left as they are' })
  expect(await settings('plain')).toBe('postgres|-1|||')
})

test.each(['empty', 'clean'] as const)('mode %s leaves them as the target has them, and applies them if told to', async (mode) => {
  await server.createDatabase(mode)
  expect(await restore(mode, { mode })).toMatchObject({ databaseSettings: 'left as they are', entries: 2, restored: 2 })
  expect(await settings(mode)).toBe('postgres|-1|||')
  await server.sql('DROP TABLE orders', mode)
  expect(await restore(mode, { mode, databaseSettings: true })).toMatchObject({ errors: [], databaseSettings: 'applied', entries: 2, restored: 2 })
  expect(await settings(mode)).toBe(await settings('shop'))
})

test('no-owner and no-privileges leave these out', async () => {
  await restore('unowned', { mode: 'create', noOwner: true, noPrivileges: true })
  expect(await settings('unowned')).toMatch(/^postgres\|42\|\|the shop's/)
})

test('roles that are missing are named before a database is made', async () => {
  await server.sql('ALTER ROLE app RENAME TO passing')
  try {
    const error = await thrownBy(restore('unmade', { mode: 'create' }))
    expect(error.message).toContain('the settings of the database name roles that')
    expect(error.message).toMatch(/: app$/)
    const hint = async (more: Partial<RestoreOptions>) => unmarked((await thrownBy(restore('unmade', { mode: 'create', ...more }))).hint ?? '')
    expect(await hint({})).toBe('Create the roles first.\nOr restore with ‹no-owner: true› and ‹no-privileges: true›, or leave the settings out with ‹database-settings: false›.')
    expect(await hint({ noPrivileges: true })).toBe('Create the roles first.\nOr restore with ‹no-owner: true›, or leave the settings out with ‹database-settings: false›.')
    expect(await exists('unmade')).toBe(false)
    expect((await restore('unmade', { mode: 'create', databaseSettings: false })).errors).toEqual([])
  } finally {
    await server.sql('ALTER ROLE passing RENAME TO app')
  }
})

test('a new database that could not be filled is said to be dropped, never to be as it was', async () => {
  await server.createDatabase('bad')
  await server.sql(unrestorable('orders'), 'bad')
  const outcome = await restore('half', { mode: 'create' }, dump(server, 'bad', 17))
  expect(outcome).toMatchObject({ left: 'dropped', restored: 0 })
  expect(await exists('half')).toBe(false)
})

test('a subscription is restored disabled, and does not keep a failed new database from being dropped', async () => {
  await server.createDatabase('subscribed')
  await server.sql(`CREATE SUBSCRIPTION "follow_me" CONNECTION 'host=127.0.0.1 dbname=nowhere' PUBLICATION p WITH (connect = false)`, 'subscribed')
  const archive = dump(server, 'subscribed', 17)
  await server.sql(`ALTER SUBSCRIPTION "follow_me" SET (slot_name = NONE); DROP SUBSCRIPTION "follow_me"`, 'subscribed')
  expect(await restore('following', { mode: 'create' }, archive)).toMatchObject({ errors: [] })
  expect(told).toContain('subscription "follow_me" was restored disabled')
  expect(await server.sql(`SELECT subenabled FROM pg_subscription`)).toBe('f')
  await server.sql(`ALTER SUBSCRIPTION "follow_me" SET (slot_name = NONE); DROP SUBSCRIPTION "follow_me"`, 'following')

  await server.sql(`CREATE ROLE no_subscriber LOGIN PASSWORD 'no_subscriber'; CREATE DATABASE unfollowing OWNER no_subscriber`)
  const target = parseDatabaseUrl(server.url('unfollowing', 'no_subscriber', 'no_subscriber'), variables)
  expect((await restore('unfollowing', { mode: 'empty', target }, archive)).errors).toContainEqual(expect.stringMatching(/^permission denied to create subscription/))
  expect(told.filter((line) => line.startsWith('subscription'))).toEqual(['subscription "follow_me" was restored disabled', 'subscription "follow_me" is disabled, if it was restored'])

  let readings = 0
  async function* damaged(): AsyncGenerator<Buffer> {
    yield archive
    if (++readings === 1) return // The first reading is for the list.
    // More bytes than the archive has, so that pg_restore is given all of it, and the damage is met when the subscription is made.
    yield Buffer.alloc(100)
    while ((await server.sql('SELECT count(*) FROM pg_subscription')) === '0') await server.sql('SELECT pg_sleep(0.05)')
    throw new Error('damaged')
  }
  await expect(restore('half', { mode: 'create', archive: damaged }, archive)).rejects.toThrow('damaged')
  expect(await exists('half')).toBe(false)
  expect(await server.sql('SELECT count(*) FROM pg_subscription')).toBe('0')
})

test('missing tablespaces are named before anything is touched; no-tablespaces does without', async () => {
  await server.sql(`SET allow_in_place_tablespaces = on; CREATE TABLESPACE "fast disk" LOCATION ''`)
  await server.sql(`CREATE DATABASE placed TABLESPACE "fast disk"`)
  await server.sql(`CREATE TABLE t (id int) TABLESPACE pg_default`, 'placed')
  const whole = dump(server, 'placed', 17)
  await server.sql('DROP DATABASE placed')
  await server.sql('DROP TABLESPACE "fast disk"')
  const error = await thrownBy(restore('placed again', { mode: 'create' }, whole))
  expect(error.message).toContain('does not have these tablespaces of the backup: fast disk')
  expect(error.hint).toContain('no-tablespaces')
  expect(await exists('placed again')).toBe(false)
  expect(await restore('placed again', { mode: 'create', noTablespaces: true }, whole)).toMatchObject({ errors: [], left: 'everything' })
})

test('an archive of PostgreSQL 14 is restored there, which does not know locale_provider', async () => {
  const old = await startServer(14)
  try {
    await old.createDatabase('old')
    await old.sql('CREATE TABLE t AS SELECT 1 AS id; ALTER DATABASE old SET work_mem = \'9MB\'', 'old')
    const archive = dump(old, 'old', 15)
    const outcome = await restoreInto(old, 'again', archive, temporary, told, { mode: 'create', dumpMajor: 15, clients: clients.filter(({ major }) => major === 15) })
    expect(outcome).toMatchObject({ errors: [], left: 'everything' })
    expect(await old.sql('SELECT id, current_setting(\'work_mem\') FROM t', 'again')).toBe('1|9MB')
  } finally {
    await old.stop()
  }
})
