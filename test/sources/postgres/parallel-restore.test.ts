import { readFileSync } from 'node:fs'
import path from 'node:path'
import { LifeboatError } from '../../../src/error.ts'
import { compareDatabases } from '../../support/compare-databases.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump, inBlocks, inPieces, restoreInto, unrestorable } from '../../support/restoring.ts'
import { neverRead, stagingOfEachTest } from '../../support/staging-folder.ts'
import { thrownBy } from '../../support/thrown.ts'
import { until } from '../../support/until.ts'

const staging = stagingOfEachTest()

describe('on one server', () => {
  let server: Server
  let bytes: Buffer
  beforeAll(async () => {
    server = await startServer(17)
    await server.createDatabase('app')
    await server.sql(`
      CREATE TABLE a AS SELECT g AS id, repeat(md5(g::text), 40) AS text FROM generate_series(1, 20000) g; CREATE TABLE b AS TABLE a; CREATE TABLE c AS SELECT id FROM a;
      ${unrestorable('broken')} ALTER TABLE a ADD PRIMARY KEY (id); ALTER TABLE c ADD FOREIGN KEY (id) REFERENCES a`, 'app')
    bytes = dump(server, 'app', 17)
    await server.createDatabase('rows')
    await server.sql(readFileSync(path.join(import.meta.dirname, '../../support/dataset/loading.sql'), 'utf8'), 'rows')
  })
  afterAll(() => server.stop())
  const restore = (database: string, more: object) => restoreInto(server, database, bytes, staging.temporary, staging.told, { jobs: 3, blocks: inBlocks(bytes), archive: neverRead, ...more })

  test.each(['--no-sync', '--load-via-partition-root'])('several jobs restore the same database, of a dump with %s', async (option) => {
    const rows = dump(server, 'rows', 17, option)
    await server.sql('DROP DATABASE IF EXISTS rows_parallel')
    const outcome = await restoreInto(server, 'rows_parallel', rows, staging.temporary, staging.told, { mode: 'create', jobs: 3, blocks: inBlocks(rows), archive: neverRead })
    expect(outcome).toMatchObject({ errors: [], left: 'everything' })
    expect(await compareDatabases({ server, database: 'rows' }, { server, database: 'rows_parallel' })).toEqual([])
  })

  test('errors of single entries are collected, and the rest is restored', async () => {
    await server.createDatabase('errors')
    const one = await restore('errors', { jobs: 1, blocks: undefined, archive: inPieces(bytes) })
    await server.createDatabase('errors_parallel')
    const outcome = await restore('errors_parallel', {})
    expect(one.errors.length).toBe(1)
    expect({ ...outcome, phases: {} }).toEqual({ ...one, phases: {} })
    expect(outcome.phases?.indexes).toBeGreaterThanOrEqual(0)
    expect(await compareDatabases({ server, database: 'errors' }, { server, database: 'errors_parallel' })).toEqual([])
  })

  test('a part is restored by several jobs from its blocks alone', async () => {
    const read: number[] = []
    const outcome = await restore('part', { mode: 'create', tables: ['c'], blocks: inBlocks(bytes, ({ start, end }) => void read.push(end - start)) })
    expect(outcome).toMatchObject({ errors: [], left: 'everything', selection: { leftOut: [{ what: 'foreign key public.c c_id_fkey' }] } })
      expect(read.reduce((sum, size) => sum + size, 0)).toBeLessThan(bytes.length / 5)
    expect(await server.sql(`SELECT string_agg(relname, ',') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`, 'part')).toBe('c')
  })

  test('rows whose sum is not the recorded one are not committed, though every chunk of them is whole', async () => {
    const { sizes } = inBlocks(bytes)
    const [id] = [...sizes].toSorted(([, a], [, b]) => b - a)[0]!
    let end = 0
    for await (const _ of inBlocks(bytes, (part) => (end = part.end)).data((one) => one === id)) expect(end).toBeGreaterThan(0)
    const stored = Buffer.from(bytes)
    const digit = stored.lastIndexOf('7', end - 100)
    stored[digit] = '8'.charCodeAt(0)
    await server.createDatabase('summed')
    const { message } = await thrownBy(restore('summed', { jobs: 2, blocks: inBlocks(bytes, undefined, stored) }))
    expect(message).toMatch(/^bytes \d+ to \d+ of stream app\.dump do not have the CRC-32 recorded at backup time$/)
    expect(await server.sql('SELECT least((SELECT count(*) FROM a), (SELECT count(*) FROM b))', 'summed')).toBe('0')
    expect(staging.told).toContain(`the restore broke off: 127.0.0.1:${server.port}/summed may be partly restored`)
    // Without sums, the sum of the whole is what is compared: all of it is read, into a staged file.
    await server.createDatabase('staged')
    expect(await restore('staged', { blocks: { ...inBlocks(bytes), summed: false }, archive: inPieces(bytes) })).toMatchObject({ left: 'part' })
  })

  test.each(['damage', 'an interrupt', 'a session that is ended'])('%s ends all pg_restores, leaves no new database, and is the error', async (what) => {
    const abort = new AbortController()
    const good = inBlocks(bytes)
    const last = [...good.sizes.keys()][1]!
    const data = async function* (wanted: (id: number) => boolean): AsyncGenerator<Buffer> {
      for await (const piece of good.data(wanted)) {
        yield piece
        if (!wanted(last)) continue
        if (what === 'damage') throw new LifeboatError('chunk chunks/aa/aabb is damaged')
        if (what === 'an interrupt') abort.abort(new LifeboatError('interrupted'))
        else await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'half' AND pid <> pg_backend_pid()`)
      }
    }
    const { message } = await thrownBy(restore('half', { mode: 'create', blocks: { ...good, data }, signal: abort.signal }))
    expect(message).toMatch({ damage: /^chunk chunks\/aa\/aabb is damaged$/, 'an interrupt': /^interrupted$/ }[what] ?? /terminating connection|server closed the connection|connection/)
    expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'half'`)).toBe('0')
    expect(await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pg_restore%'`)).toBe('0')
  })

  test.each([1, 3])('with %i jobs, a session that is ended while it makes definitions is the error, and no rows are loaded', async (jobs) => {
    const database = `ended_${jobs}`
    await server.createDatabase(database)
    const asleep = `pg_stat_activity WHERE query LIKE '%pg_sleep(1000)' AND pid <> pg_backend_pid()`
    const making = server.sql('BEGIN; CREATE TABLE b (); SELECT pg_sleep(1000)', database).catch(() => 'ended by us below')
    await until(async () => (await server.sql(`SELECT count(*) FROM ${asleep} AND wait_event = 'PgSleep'`)) === '1')
    const restoring = thrownBy(restore(database, jobs === 1 ? { jobs, blocks: undefined, archive: inPieces(bytes) } : { jobs, blocks: { ...inBlocks(bytes), data: neverRead } }))
    const waiting = `pg_stat_activity WHERE application_name LIKE 'pg_restore%' AND wait_event_type = 'Lock'`
    await until(async () => (await server.sql(`SELECT count(*) FROM ${waiting}`)) === '1')
    await server.sql(`SELECT pg_terminate_backend(pid, 60000) FROM ${waiting}`)
    await server.sql(`SELECT pg_terminate_backend(pid) FROM ${asleep}`)
    await making
    expect(await restoring).toMatchObject({ message: `the connection to 127.0.0.1:${server.port}/${database} was cut`, hint: expect.stringContaining('try again') })
    expect(staging.told).toContain(`the restore broke off: 127.0.0.1:${server.port}/${database} may be partly restored`)
  })
})
