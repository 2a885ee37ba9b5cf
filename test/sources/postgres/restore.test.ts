import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../../src/error.ts'
import { marked } from '../../../src/marks.ts'
import { parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import type { RestoreOutcome } from '../../../src/sources/postgres/restore-outcome.ts'
import type { RestoreOptions } from '../../../src/sources/postgres/restore-plan.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { loadIncompressible, loadSmall } from '../../support/dataset.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { clients, dump, inPieces, restoreInto, unrestorable } from '../../support/restoring.ts'
import { thrownBy } from '../../support/thrown.ts'

const told: string[] = []
let temporary: string
beforeEach(() => {
  told.splice(0)
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-restore-'))
})
afterEach(() => {
  const left = readdirSync(temporary)
  rmSync(temporary, { recursive: true })
  expect(left).toEqual([])
})

/** Leaves pg_restore the time to commit what it has, if it was given all of it. */
const lateDamage = async () => {
  await new Promise((resolve) => setTimeout(resolve, 500))
  damage()
}

const damage = () => {
  throw new LifeboatError('chunk chunks/aa/aabb is damaged')
}

const restore = (server: Server, database: string, bytes: Buffer, more: Partial<RestoreOptions> = {}): Promise<RestoreOutcome> => restoreInto(server, database, bytes, temporary, told, more)

describe.each([15, 17, 18] as const)('PostgreSQL %i', (major) => {
  let server: Server
  let bytes: Buffer
  beforeAll(async () => {
    server = await startServer(major)
    await server.createDatabase('shop')
    await loadSmall(server, 'shop')
    bytes = dump(server, 'shop', major)
  })
  afterAll(() => server.stop())
  const differences = (database: string) => compareDatabases({ server, database: 'shop' }, { server, database })

  test('an empty database gets everything', async () => {
    await server.createDatabase('empty')
    const outcome = await restore(server, 'empty', bytes)
    expect(outcome).toMatchObject({ errors: [], left: 'everything' })
    expect(outcome.entries).toBeGreaterThan(50)
    expect(outcome.restored).toBe(outcome.entries)
    expect(await differences('empty')).toEqual([])
  })

  test('a materialized view whose owner sees rows by a policy is filled with these', async () => {
    await server.sql('CREATE ROLE analyst')
    await server.createDatabase('policed')
    await server.sql(`CREATE TABLE customers (id int); INSERT INTO customers VALUES (1), (2); ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
      CREATE POLICY one ON customers TO analyst USING (id = 1); GRANT SELECT ON customers TO analyst;
      CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM customers WITH NO DATA; ALTER MATERIALIZED VIEW counted OWNER TO analyst; REFRESH MATERIALIZED VIEW counted`, 'policed')
    await server.createDatabase('policed_again')
    expect(await restore(server, 'policed_again', dump(server, 'policed', major))).toMatchObject({ errors: [], left: 'everything' })
    expect(await server.sql('SELECT n FROM counted', 'policed_again')).toBe('1')
    expect(await server.sql('SELECT count(*) FROM customers', 'policed_again')).toBe('2')
  })

  test('a database is made with encoding and locale of the archived one', async () => {
    await restore(server, `made "new"`, bytes, { mode: 'create' })
    expect(await differences(`made "new"`)).toEqual([])
    const made = `SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = `
    expect(await server.sql(`${made}'made "new"'`)).toBe(await server.sql(`${made}'shop'`))
  })

  test('an archive of a newer format is restored whole by its pg_restore, and nothing else is promised of it', async () => {
    await server.createDatabase('newer')
    // As if made by a later version: pg_restore reads it, the minor version in its head is one that is not known here.
    const newer = Buffer.from(bytes)
    const [minor] = newer.subarray(6)
    newer[6] = 99
    const directory = path.join(temporary, 'client')
    mkdirSync(directory)
    for (const name of ['psql', 'pg_dump', 'pg_dumpall']) writeFileSync(path.join(directory, name), `#!/bin/sh\nexec ${clientDirectory(major)}/${name} "$@"\n`, { mode: 0o755 })
    const program = `#!/bin/sh\n{ head -c 6; head -c 1 >/dev/null; printf '\\${minor!.toString(8)}'; cat; } | ${clientDirectory(major)}/pg_restore "$@"\n`
    writeFileSync(path.join(directory, 'pg_restore'), program, { mode: 0o755 })
    const more = { clients: [{ major, directory }] }
    expect(await restore(server, 'newer', newer, more)).toMatchObject({ errors: [], left: 'everything' })
    expect(await differences('newer')).toEqual([])
    expect(told.join('\n')).toContain('format 1.99')
    expect((await thrownBy(restore(server, 'newer', newer, { ...more, mode: 'clean' }))).message).toContain('format 1.99')
    expect((await thrownBy(restore(server, 'newer', newer, { ...more, tables: ['customers'] }))).message).toContain('format 1.99')
    expect(await differences('newer')).toEqual([])
    rmSync(directory, { recursive: true })
  })

  test('clean replaces what is there', async () => {
    await server.createDatabase('changed')
    await restore(server, 'changed', bytes)
    await server.sql(`DELETE FROM order_items; ALTER TABLE words ADD COLUMN more int; DROP VIEW open_orders; SELECT lo_unlink(oid) FROM pg_largeobject_metadata`, 'changed')
    expect(await differences('changed')).not.toEqual([])
    expect(await restore(server, 'changed', bytes, { mode: 'clean' })).toMatchObject({ errors: [], left: 'everything' })
    expect(await differences('changed')).toEqual([])
  })

  test('several jobs restore from a staged file that only we can read, and leave none', async () => {
    await server.createDatabase('parallel')
    let mode = 0
    const archive = inPieces(bytes, () => {
      const staged = readdirSync(temporary, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('archive.dump'))
      if (staged.length > 0) mode = statSync(path.join(temporary, staged[0]!)).mode & 0o777
    })
    expect(await restore(server, 'parallel', bytes, { jobs: 2, archive })).toMatchObject({ errors: [], left: 'everything' })
    expect(mode).toBe(0o600)
    expect(await differences('parallel')).toEqual([])
  })
})

describe('on one server', () => {
  let server: Server
  let bytes: Buffer
  let database: string
  let count = 0
  beforeAll(async () => {
    server = await startServer(17)
    await server.createDatabase('shop')
    await loadSmall(server, 'shop')
    bytes = dump(server, 'shop', 17)
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    database = `target${++count}`
    await server.createDatabase(database)
  })
  const sql = (text: string) => server.sql(text, database)
  const exists = async (name: string) => (await server.sql(`SELECT count(*) FROM pg_database WHERE datname = '${name}'`)) === '1'

  test.each([
    ['CREATE TABLE mine (id int)', 'table public.mine'],
    ['CREATE VIEW "my view" AS SELECT 1', 'view public."my view"'],
    ['CREATE SEQUENCE counter', 'sequence public.counter'],
    ['CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS $$SELECT 1$$', 'function public.f(integer)'],
    [`CREATE TYPE mood AS ENUM ('good')`, 'type public.mood'],
    ['CREATE SCHEMA other', 'schema other'],
    ['CREATE EXTENSION citext', 'extension citext'],
    ['SELECT lo_create(4711)', 'large object 4711'],
  ])('a database after %s is not empty, and stays as it is', async (statement, named) => {
    await sql(statement)
    const error = await thrownBy(restore(server, database, bytes))
    expect(error.message).toBe(`127.0.0.1:${server.port}/${database} is not empty: it has ${named}`)
    expect(error.hint).toMatch(new RegExp(marked`‹mode: swap›.*‹mode: create›.*‹mode: clean›`))
    expect(await sql(`SELECT count(*) FROM pg_class WHERE relname = 'orders'`)).toBe('0')
  })

  test('a database that exists is not created', async () => {
    expect((await thrownBy(restore(server, database, bytes, { mode: 'create' }))).message).toContain(`/${database} exists already`)
  })

  test('a database that does not exist is not restored into', async () => {
    expect((await thrownBy(restore(server, 'nowhere', bytes))).message).toContain('there is no database "nowhere"')
  })

  test('bytes that are no archive are an error before the target is touched', async () => {
    const error = await thrownBy(restore(server, 'never made', Buffer.from('something else'), { mode: 'create' }))
    expect(error.message).toContain('pg_restore 17 cannot read the archive')
    expect(await exists('never made')).toBe(false)
  })

  test('schemas, tables, and definitions alone can be selected', async () => {
    const names = () => sql(`SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname IN ('public', 'audit')`)
    const outcome = await restore(server, database, bytes, { tables: ['words', 'public.Sales Report'] })
    expect(outcome).toMatchObject({ errors: [], left: 'everything' })
    expect(await names()).toBe('"Sales Report" words')
    expect(await sql('SELECT count(*) FROM words')).toBe(await server.sql('SELECT count(*) FROM words', 'shop'))

    await sql('DROP TABLE words, "Sales Report"')
    await restore(server, database, bytes, { tables: ['words'], only: 'schema' })
    expect(await sql('SELECT count(*) FROM words')).toBe('0')

    expect(await restore(server, database, bytes, { tables: ['words'], only: 'data' })).toMatchObject({ entries: 1, errors: [] })
    expect(await sql('SELECT count(*) FROM words')).toBe(await server.sql('SELECT count(*) FROM words', 'shop'))
    expect((await thrownBy(restore(server, database, bytes, { tables: ['words'], only: 'data' }))).message).toContain('is not empty: public.words has rows')
  })

  test('a schema can be selected, and is made', async () => {
    expect(await restore(server, database, bytes, { schemas: ['audit'] })).toMatchObject({ errors: [], left: 'everything' })
    expect(await sql('SELECT count(*) FROM audit.log')).toBe(await server.sql('SELECT count(*) FROM audit.log', 'shop'))
  })

  test('a table of a schema that is not there yet can be selected', async () => {
    expect(await restore(server, database, bytes, { tables: ['audit.log'] })).toMatchObject({ errors: [], left: 'everything' })
    expect(await sql('SELECT count(*) FROM audit.log')).toBe(await server.sql('SELECT count(*) FROM audit.log', 'shop'))
  })

  test.each([
    [{ tables: ['wrods'] }, 'the archive has no table wrods'],
    [{ tables: ['audit.words'] }, 'the archive has no table audit.words'],
    [{ schemas: ['nope'] }, 'the archive has no entries in schema nope'],
    [{ mode: 'clean', only: 'data' }, 'only: data needs tables that are there already'],
    [{ mode: 'create', only: 'data' }, 'only: data needs tables that are there already'],
    [{ mode: 'clean', jobs: 4 }, 'mode clean restores in one transaction, which jobs: 4 cannot'],
  ] as const)('%j is refused', async (options, message) => {
    expect((await thrownBy(restore(server, database, bytes, options))).message).toContain(message)
    expect(await sql(`SELECT count(*) FROM pg_class WHERE relname = 'orders'`)).toBe('0')
  })

  describe('an archive damaged', () => {
    /** A larger one: pg_restore is in the middle of it when the damage is met. */
    let big: Buffer
    beforeAll(async () => {
      await server.createDatabase('noise')
      await loadIncompressible(server, 'noise', 6)
      await server.sql('CREATE TABLE last (id int); INSERT INTO last VALUES (1)', 'noise')
      big = dump(server, 'noise', 17)
    })
    const cases: [string, () => () => AsyncIterable<Buffer>][] = [
      ['in the middle', () => inPieces(big.subarray(0, big.length / 2), damage)],
      ['after its last byte', () => inPieces(big, lateDamage)],
    ]

    test.each(cases)('%s leaves no new database', async (_, archive) => {
      const error = await thrownBy(restore(server, 'half', big, { mode: 'create', archive: archive() }))
      expect(error.message).toBe('chunk chunks/aa/aabb is damaged')
      expect(await exists('half')).toBe(false)
    })

    test.each(cases)('%s leaves what clean would have replaced', async (_, archive) => {
      await restore(server, database, big)
      await sql('UPDATE last SET id = 2')
      const error = await thrownBy(restore(server, database, big, { mode: 'clean', archive: archive() }))
      expect(error.message).toBe('chunk chunks/aa/aabb is damaged')
      expect(await sql('SELECT id FROM last')).toBe('2')
      expect(await sql('SELECT count(*) FROM pg_largeobject_metadata')).toBe('6')
    })

    test.each(cases)('%s is an error in an empty database too, with a warning of what it holds', async (_, archive) => {
      const states: string[] = []
      const named = new URL(server.url(database))
      named.searchParams.set('application_name', 'theirs')
      const target = parseDatabaseUrl(named.href, { PATH: process.env['PATH'] })
      const error = await thrownBy(restore(server, database, big, { archive: archive(), target, leaves: (state) => void states.push(state) }))
      expect(error.message).toBe('chunk chunks/aa/aabb is damaged')
      // The server is asked, once no session of pg_restore is left.
      const where = `127.0.0.1:${server.port}/${database}`
      const tables = await sql(`SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`)
      expect(states).toEqual([`${where} may be partly restored`, tables === '0' ? `${where} is as it was before: without objects`
        : `${where} is partly restored: it has ${tables} table${tables === '1' ? '' : 's'} now; rows, indexes and constraints may be missing`])
      expect(told).toContain(`the restore broke off: 127.0.0.1:${server.port}/${database} may be partly restored`)
    })

    test.each(cases)('%s does not reach a parallel restore', async (_, archive) => {
      expect((await thrownBy(restore(server, database, big, { jobs: 2, archive: archive() }))).message).toBe('chunk chunks/aa/aabb is damaged')
      expect(await sql(`SELECT count(*) FROM pg_class WHERE relname = 'last'`)).toBe('0')
    })

    test('an interrupt ends the restore, drops the new database, and is the error', async () => {
      const abort = new AbortController()
      const archive = inPieces(big.subarray(0, big.length / 2), () => abort.abort(new Error('interrupted')))
      await expect(restore(server, 'half', big, { mode: 'create', archive, signal: abort.signal })).rejects.toThrow('interrupted')
      expect(await exists('half')).toBe(false)
    })

    test('a connection cut in the middle is an error', async () => {
      let cut = false
      const archive = inPieces(big, () => undefined)
      async function* cutting(): AsyncGenerator<Buffer> {
        let read = 0
        for await (const piece of archive()) {
          read += piece.length
          if (!cut && read > big.length / 2) {
            const ended = await server.sql(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name ~ '^pg_restore'`)
            cut = ended !== '0'
          }
          yield piece
        }
      }
      const error = await thrownBy(restore(server, database, big, { archive: cutting }))
      expect(cut).toBe(true)
      expect(error.message).toMatch(/^the connection to \S+ was cut$/)
    })
  })

  describe('an archive whose owner is missing', () => {
    let owned: Buffer
    beforeAll(async () => {
      await server.createDatabase('owned')
      await server.sql(`CREATE ROLE gone; CREATE TABLE theirs AS SELECT 1 AS id; CREATE TABLE also AS SELECT 2 AS id; ALTER TABLE theirs OWNER TO gone; GRANT SELECT ON also TO gone`, 'owned')
      owned = dump(server, 'owned', 17)
      await server.sql('DROP OWNED BY gone; DROP ROLE gone', 'owned')
    })

    test('every error is reported with what helps, and the rest is restored', async () => {
      const outcome = await restore(server, database, owned)
      expect(outcome.errors).toHaveLength(2)
      expect(outcome.errors[0]).toBe('role "gone" does not exist: ALTER TABLE public.theirs OWNER TO gone;')
      expect(outcome).toMatchObject({ entries: 5, restored: 3, left: 'part' })
      expect(outcome.hint).toContain(marked`‹no-owner: true› and ‹no-privileges: true›`)
      expect(outcome.hint).toMatch(/Drop and create that database before you restore again\.$/)
      expect(await sql('SELECT id FROM also')).toBe('2')
    })

    test('no-owner and no-privileges restore it whole', async () => {
      expect(await restore(server, database, owned, { noOwner: true, noPrivileges: true })).toMatchObject({ entries: 4, restored: 4, errors: [], left: 'everything' })
    })

    test('modes that restore all or nothing do not begin', async () => {
      await sql('CREATE TABLE also AS SELECT 7 AS id')
      await expect(restore(server, 'half', owned, { mode: 'create' })).rejects.toThrow(/does not have these roles, .*: gone$/)
      expect(await exists('half')).toBe(false)
      await expect(restore(server, database, owned, { mode: 'clean' })).rejects.toThrow(/does not have these roles, .*: gone$/)
      expect(await sql('SELECT id FROM also')).toBe('7')
    })
  })

  describe('an archive whose rows break a constraint', () => {
    let limited: Buffer
    beforeAll(async () => {
      await server.createDatabase('limited')
      await server.sql(unrestorable('also'), 'limited')
      limited = dump(server, 'limited', 17)
    })

    test('a database made for it is dropped again', async () => {
      const outcome = await restore(server, 'half', limited, { mode: 'create' })
      expect(outcome).toMatchObject({ restored: 0, left: 'dropped' })
      expect(outcome.errors).toHaveLength(1)
      expect(await exists('half')).toBe(false)
    })

    test('clean changes nothing', async () => {
      await sql('CREATE TABLE also AS SELECT 7 AS id')
      const outcome = await restore(server, database, limited, { mode: 'clean' })
      expect(outcome).toMatchObject({ restored: 0, left: 'unchanged' })
      expect(outcome.errors[0]).toContain('violates check constraint')
      expect(await sql('SELECT id FROM also')).toBe('7')
    })
  })

  test('a staging folder that cannot be written is an error that names it', async () => {
    const file = path.join(temporary, 'file')
    execFileSync('touch', [file])
    chmodSync(file, 0o400)
    await expect(restore(server, database, bytes, { jobs: 2, temporary: path.join(file, 'folder') })).rejects.toThrow(/ENOTDIR|EEXIST/)
    rmSync(file)
  })

  test('a wrong password is an error with its hint', async () => {
    const target = parseDatabaseUrl(server.url(database, 'postgres', 'wrong-password'))
    const error = await thrownBy(restore(server, database, bytes, { target }))
    expect(error.message).toContain('refused the password of user "postgres"')
  })
})

describe('between versions', () => {
  let old: Server
  let current: Server
  let oldBytes: Buffer
  let bytes: Buffer
  beforeAll(async () => {
    ;[old, current] = await Promise.all([startServer(15), startServer(17)])
    for (const server of [old, current]) {
      await server.createDatabase('shop')
      await loadSmall(server, 'shop')
    }
    oldBytes = dump(old, 'shop', 15)
    bytes = dump(current, 'shop', 17)
  })
  afterAll(() => Promise.all([old.stop(), current.stop()]))

  test('an older archive goes into a newer server with that one\'s own client', async () => {
    expect(await restore(current, 'from old', oldBytes, { mode: 'create', dumpMajor: 15 })).toMatchObject({ errors: [], left: 'everything' })
    expect(told).toEqual([])
  })

  test('a newer archive goes into an older server, whose ignorance of new settings is passed over', async () => {
    await old.createDatabase('older')
    expect(await restore(old, 'older', bytes, { dumpMajor: 17 })).toMatchObject({ errors: [], left: 'everything' })
    expect(told).toEqual([
      'restoring into a PostgreSQL 15 server with pg_restore 17',
      expect.stringMatching(/older has PostgreSQL 15, and the backup is of PostgreSQL 17: no definition was found that the older one does not know; bodies of functions were not looked at$/),
      'the target server does not know the setting transaction_timeout: passed over',
    ])
    expect(await old.sql('SELECT count(*) FROM orders', 'older')).toBe(await current.sql('SELECT count(*) FROM orders', 'shop'))
  })

  test('clean, which the unknown setting would end, is refused with the reason', async () => {
    const error = await thrownBy(restore(old, 'shop', bytes, { mode: 'clean', dumpMajor: 17 }))
    expect(error.message).toContain('pg_restore 17 sets transaction_timeout, which a PostgreSQL 15 server does not know')
  })

  test('an archive newer than every client is refused', async () => {
    const error = await thrownBy(restore(old, 'shop', bytes, { mode: 'clean', dumpMajor: 17, clients: clients.filter(({ major }) => major === 15) }))
    expect(error.message).toContain('the archive was made by pg_dump 17, and no pg_restore here is that new')
  })
})
