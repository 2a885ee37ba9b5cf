import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import type { Progress, Report } from '../../../../src/environment.ts'
import { newIdentity } from '../../../../src/repository/keys.ts'
import { FileStore } from '../../../../src/stores/file/store.ts'
import { backUp } from '../../../support/backup.ts'
import { dispatched } from '../../../support/dispatched.ts'
import { clientDirectory, type Server, startServer } from '../../../support/postgres-server.ts'
import { dump } from '../../../support/restoring.ts'
import { until } from '../../../support/until.ts'

const { identity } = await newIdentity()
const programs = path.join(import.meta.dirname, '../../../../node_modules/pg17/native/bin')
const variables = { PATH: [clientDirectory(17), programs, process.env.PATH].join(path.delimiter), HOME: process.env.HOME ?? '' }
let server: Server
let scratch: Server
let folder: string
beforeAll(async () => {
  server = await startServer(17)
  scratch = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-drill-'))
  chmodSync(folder, 0o777) // Root's scratch server runs as another user, who must get to its folder.
  await server.createDatabase('app')
  await server.sql(`CREATE ROLE clerk; CREATE TABLE t (n int); INSERT INTO t VALUES (424242); ALTER TABLE t OWNER TO clerk`, 'app')
  await server.createDatabase('other')
  await server.sql('CREATE TABLE u AS SELECT generate_series(1, 50) AS n; ALTER TABLE u OWNER TO clerk', 'other')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
  await scratch.stop()
})

const temporary = (): string => path.join(folder, 'temporary')
const common = (): Record<string, string> => ({ destination: `file:${folder}/store`, 'encryption-key': identity })
const verify = (set: string, raw: Record<string, string> = {}, given: { report?: Report; signal?: AbortSignal } = {}) =>
  dispatched('verify', { ...common(), set, level: 'drill', ...raw }, new Date(), { variables, temporary: temporary(), ...given })
const silent: Report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }

/** The first read of a chunk waits for the second, which another source must make: each begins with one chunk. */
async function whileTheyMeet<T>(work: () => Promise<T>): Promise<T> {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object
  const { get } = FileStore.prototype
  let reads = 0
  FileStore.prototype.get = async function (...parameters) {
    if (parameters[0].startsWith('chunks/')) {
      reads++
      await until(() => reads > 1)
    }
    return get.apply(this, parameters)
  }
  try {
    return await work()
  } finally {
    FileStore.prototype.get = get
  }
}

test('two databases are drilled side by side, each in a server of its own, with one verdict and one progress', async () => {
  await dispatched('backup', { ...common(), set: 'two', 'database-url': `app=${server.url('app')}\nother=${server.url('other')}` }, new Date(), { variables, temporary: temporary() })
  const told: Progress[] = []
  const drill = () => verify('two', {}, { report: { ...silent, progress: (progress) => void told.push({ ...progress }) } })
  const { result } = availableParallelism() > 1 ? await whileTheyMeet(drill) : await drill()
  expect(result).toMatchObject({
    result: 'verified', problems: [], sources: [{ name: 'app', drill: { rows: 1 } }, { name: 'other', drill: { rows: 50 } }],
  })
  expect(new Set(told.map(({ activity }) => activity))).toEqual(new Set(['drilling 2 databases']))
  expect(told.at(-1)).toMatchObject({ done: result.bytes, total: result.bytes })
  expect(readdirSync(temporary())).toEqual([])
})

test('one that differs is found, and the other is verified all the same', async () => {
  const bytes = dump(server, 'app', 17)
  const broken = Buffer.from(bytes.toString('latin1').replace('424242', ' 24242'), 'latin1')
  const listed = execFileSync(path.join(clientDirectory(17), 'pg_restore'), ['--list'], { input: bytes }).toString()
  const entries = listed.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
  const session = { TimeZone: 'GMT', bytea_output: 'hex', lc_monetary: 'C.UTF-8', quote_all_identifiers: 'off', standard_conforming_strings: 'on' }
  const facts = {
    server: { major: 17, version: '17.10' }, database: 'app', encoding: 'UTF8', collation: 'C.UTF-8', extensions: [], superuser: 'postgres',
    databaseSize: null, tables: [], dumpVersion: '17.5', entries, globals: { reason: 'none' }, arguments: [], session,
  }
  const sources = { broken: [{ name: 'a.dump', bytes: broken }], good: [{ name: 'b.dump', bytes }] }
  await backUp({ folder: path.join(folder, 'store'), encryptionKey: identity, set: 'half', sources, kind: { kind: 'postgres', facts } })
  // At a server that both use at the same time.
  const { result } = await verify('half', { 'scratch-url': scratch.url('postgres') })
  expect(result).toMatchObject({
    result: 'failed', sources: [
      { name: 'broken', result: 'failed', problems: [expect.stringMatching(/^TABLE DATA public.t differs after the restore/)] },
      { name: 'good', result: 'verified', problems: [], drill: { rows: 1 } },
    ],
  })
  expect(await scratch.sql(`SELECT count(*) FROM pg_roles WHERE rolname = 'clerk' OR rolname LIKE 'lifeboat%'`)).toBe('0')
})

test('an interruption ends both, and nothing of them is left', async () => {
  const controller = new AbortController()
  let started = 0
  const info = (message: string): void => {
    if (message.endsWith('starting a scratch server') && ++started === Math.min(2, availableParallelism())) controller.abort(new Error('interrupted'))
  }
  await expect(verify('two', {}, { report: { ...silent, info }, signal: controller.signal })).rejects.toThrow('interrupted')
  expect(readdirSync(temporary())).toEqual([])
})
