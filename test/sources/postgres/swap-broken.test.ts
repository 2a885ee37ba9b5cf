import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newName } from '../../../src/sources/postgres/swap/names.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump } from '../../support/restoring.ts'
import { swapInto } from '../../support/swapping.ts'
import { thrownBy } from '../../support/thrown.ts'
import { until } from '../../support/until.ts'

/** Of new databases. */
const LIMIT = 0x6c696665
const told: string[] = []
let temporary: string
let server: Server
let archive: Buffer
beforeAll(async () => {
  temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-swap-'))
  server = await startServer(17)
  await server.createDatabase('source')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 5000) g', 'source')
  archive = dump(server, 'source', 17)
  await server.createDatabase('app')
  await server.sql('CREATE TABLE orders AS SELECT 0 AS id', 'app')
})
afterAll(async () => {
  rmSync(temporary, { recursive: true })
  await server.stop()
})
beforeEach(() => void told.splice(0))

const names = async () => (await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '^(app|lifeboat)' ORDER BY 1`)).split('\n')
const untouched = async () => expect([await names(), await server.sql('SELECT count(*), max(id) FROM orders', 'app')]).toEqual([['app'], '1|0'])
const kills = async () => void process.kill(Number(await restoring('pid')), 'SIGKILL')
const restoring = (what: string) => server.sql(`SELECT ${what} FROM pg_stat_activity WHERE datname ~ '^lifeboat_new' AND application_name ~ '^pg_restore'`)

/** The archive, in whose middle something happens when pg_restore works; `rest` comes after it. */
function broken(happens: () => unknown, rest: () => AsyncIterable<Buffer>): () => AsyncGenerator<Buffer> {
  let readings = 0
  return async function* () {
    if (readings++ === 0) {
      yield archive // Its table of contents is read.
      return
    }
    yield* [archive.subarray(0, -1000), Buffer.alloc(0)]
    await until(async () => (await restoring('count(*)')) !== '0')
    await happens()
    yield* rest()
  }
}

async function* endlessly(): AsyncGenerator<Buffer> {
  for (;; await sleep(20)) yield Buffer.alloc(0)
}

async function* theRest(): AsyncGenerator<Buffer> {
  yield archive.subarray(-1000)
}

test('a restore whose lock is lost ends before the exchange, and leaves the target as it was', async () => {
  const ends = () => server.sql(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`)
  const error = await thrownBy(swapInto(server, 'app', archive, temporary, told, {}, { archive: broken(ends, endlessly) }))
  expect(error.message).toMatch(/^the lock that keeps other restores away was lost: its session at 127\.0\.0\.1:\d+\/postgres ended$/)
  expect(told.at(-1)).toMatch(/app is as it was before; the new database was dropped again$/)
  await untouched()
})

test('a new database that is in use is not dropped by another restore', async () => {
  const left = newName('app')
  await server.sql(`CREATE DATABASE ${left} CONNECTION LIMIT ${LIMIT}`)
  const using = server.sql('SELECT pg_sleep(60)', left).catch(() => undefined)
  await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE datname = '${left}'`)) === '1')
  const failing = () => thrownBy(swapInto(server, 'app', archive, temporary, told, { rows: [{ schema: 'public', name: 'orders', rows: 1 }] }))
  expect((await failing()).message).toMatch(/^the restored tables do not have the rows/)
  expect(told).toContainEqual(expect.stringContaining(`an interrupted restore left the database ${left}, which could not be dropped`))
  expect(await names()).toEqual(['app', left])
  await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${left}'`)
  await using
  await failing()
  await untouched()
})

test('when the server breaks off, the new database is dropped as soon as it answers again', async () => {
  const error = await thrownBy(swapInto(server, 'app', archive, temporary, told, {}, { archive: broken(kills, theRest) }))
  expect(error.message).toMatch(/^the connection to 127\.0\.0\.1:\d+\/lifeboat_new_\w+ was cut$/)
  expect(told.at(-1)).toMatch(/app is as it was before; the new database was dropped again$/)
  await untouched()
})

test('a new database that cannot be dropped is named, with the state of the target', async () => {
  const made = { name: '' }
  const keeps = async () => {
    made.name = await restoring('datname')
    await server.sql(`ALTER DATABASE ${made.name} IS_TEMPLATE true`)
    throw new Error('damaged')
  }
  const error = await thrownBy(swapInto(server, 'app', archive, temporary, told, {}, { archive: broken(keeps, theRest) }))
  expect(error.message).toMatch(/^the restore failed \(damaged\): 127\.0\.0\.1:\d+\/app is as it was before, but the new database "lifeboat_new_\w+" could not be dropped: .*template/s)
  expect(error.hint).toBe('The next restore with mode swap into the same target drops a new database that was left.')
  await server.sql(`ALTER DATABASE ${made.name} IS_TEMPLATE false`)
  await server.sql(`DROP DATABASE ${made.name}`)
  await untouched()
})
