import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { dispatched } from '../../../support/dispatched.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { type Ended, runLifeboat } from '../../../support/terminal-program.ts'
import { until } from '../../../support/until.ts'

const { identity } = await newIdentity()
const variables = { PATH: [clientDirectory(17), process.env.PATH].join(path.delimiter), HOME: process.env.HOME ?? '' }
let server: Server
let scratch: Server
let folder: string
let untouched: string
beforeAll(async () => {
  server = await startServer(17)
  scratch = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-leftovers-'))
  chmodSync(folder, 0o777)
  await server.sql('CREATE ROLE keeper')
  for (const set of ['first', 'second', 'third']) {
    await server.createDatabase(set)
    await server.sql('CREATE TABLE t (id int); ALTER TABLE t OWNER TO keeper; INSERT INTO t VALUES (1)', set)
    await dispatched('backup', { ...access(set), 'database-url': server.url(set) }, new Date(), { variables, temporary: path.join(folder, 'temporary') })
  }
  // Roles and databases of others, with names as drills give them.
  await scratch.sql('CREATE ROLE lifeboat_loader_00000001')
  await scratch.createDatabase('lifeboat_drill_00000001')
  untouched = await names()
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
  await scratch.stop()
})

const access = (set: string) => ({ set, destination: `file:${folder}/store`, 'encryption-key': identity })
const names = () => scratch.sql('SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')
const drills = async () => (await scratch.sql(`SELECT datname FROM pg_database WHERE datname ~ '^lifeboat_drill' AND datname <> 'lifeboat_drill_00000001' ORDER BY 1`)).split('\n').filter((name) => name !== '')

/** Those that keep other drills away. */
const LOCKS = `pg_locks WHERE locktype = 'advisory' AND classid = x'6c626472'::int`

/** A drill in a process of its own, which waits until something is done to it. */
function drillUntil(set: string, done: (kill: (signal: NodeJS.Signals) => void) => Promise<void>): Promise<Ended> {
  const inputs = { ...access(set), level: 'drill', 'scratch-url': scratch.url('postgres'), 'assert-sql': `waits: SELECT true AS ${set} FROM pg_sleep(1000)` }
  const { 'encryption-key': key, ...rest } = inputs
  const options = Object.entries(rest).flatMap(([name, value]) => [`--${name}`, value])
  const running = async () => (await scratch.sql(`SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%true AS ${set} FROM pg_sleep%' AND pid <> pg_backend_pid()`)) === '1'
  return runLifeboat(['verify', ...options], { ...variables, LIFEBOAT_ENCRYPTION_KEY: key, TMPDIR: folder }, { during: async (kill) => {
    await until(running)
    await done(kill)
  } })
}

test('a killed drill is cleared away by the next one, which leaves a running one alone; an interrupted one clears itself away', async () => {
  await drillUntil('first', async (kill) => kill('SIGKILL'))
  const [killed, ...others] = await drills()
  expect([killed, others]).toEqual([expect.stringMatching(/^lifeboat_drill_/), []])
  // Until then it is taken for one that is running.
  await until(async () => (await scratch.sql(`SELECT count(*) FROM ${LOCKS}`)) === '0')
  const { status } = await drillUntil('second', async (kill) => {
    expect(await drills()).not.toContain(killed)
    const [running] = await drills()
    const { result } = await dispatched('verify', { ...access('third'), level: 'drill', 'scratch-url': scratch.url('postgres') }, new Date(), { variables, temporary: path.join(folder, 'temporary') })
    expect(result).toMatchObject({ result: 'verified', problems: [] })
    expect(await drills()).toEqual([running])
    expect(await names()).toContain('keeper')
    kill('SIGINT')
  })
  expect(status).toBe(130)
  expect(await names()).toBe(untouched)
})

test('a drill ends when its lock is lost, because the next one would take it for killed', async () => {
  const { status, out } = await drillUntil('first', async () => {
    await scratch.sql(`SELECT pg_terminate_backend(pid) FROM ${LOCKS}`)
  })
  expect({ status, out }).toEqual({ status: 3, out: expect.stringMatching(/the lock that keeps other drills away was lost: its session at .* ended/) })
  expect(await names()).toBe(untouched)
})
