import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { chunkKey, decodeSnapshot } from '../../src/repository/snapshot.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { contentOf, type Ending, expectNoBackup, type Given, holding, type Options, Sandbox } from './sandbox.ts'
import { until } from '../support/until.ts'

let server: Server
let sandbox: Sandbox
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('shop')
  // The view is slow to fill only where the server has a role of this name: then a restore hangs in its midst.
  await server.sql(
    `CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 5000) g; CREATE SEQUENCE numbers;
     CREATE MATERIALIZED VIEW report AS SELECT 1 AS one, pg_sleep(CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'slow') THEN 3600 ELSE 0 END)::text AS slept`,
    'shop',
  )
})
afterAll(() => server.stop())
beforeEach(async () => {
  sandbox = await Sandbox.open(server.url('shop'))
})
afterEach(() => sandbox.close())

const signals = ['SIGINT', 'SIGTERM'] as const
type Signal = (typeof signals)[number]

const activity = (what: string): Promise<string> => server.sql(`SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${what}`)

/** Sends a signal once a condition holds. */
async function interrupt(command: 'backup' | 'restore' | 'verify', given: Given, signal: Signal, when: () => Promise<boolean>, options: Options = {}): Promise<Ending> {
  const { child, ended } = sandbox.start(command, given, options)
  await until(when)
  child.kill(signal)
  return ended
}

/** strace has the signal sent in the `count`th call of `call`; one thread makes them all, in order. */
async function interruptIn(call: string, count: number, signal: Signal, command: 'backup' | 'verify', given: Given = {}, only: string[] = []): Promise<Ending> {
  const under = ['strace', '-f', '--quiet=all', '-o', '/dev/null', ...only, '-e', `trace=${call}`, '-e', `inject=${call}:signal=${signal}:when=${count}`]
  return sandbox.run(command, given, { under, variables: { UV_THREADPOOL_SIZE: '1' } })
}

/** The warning of a run that did not wait any longer: a slow disk on a busy machine is enough. */
const NOT_ENDED = /^warning: the run was stopped without waiting for operations .*\n/m

/** `left`: the state that a restore says it leaves, and its hint. */
function expectInterrupted({ status, out, err }: Ending, saidBefore = '', left = ''): void {
  // A run before it may have been interrupted as well.
  const said = err.replace(/^\d+ chunks? \(.*\) of an interrupted backup were checked and used\n/, '').replace(NOT_ENDED, '')
  expect([status, out, said]).toEqual([130, '', `${saidBefore}error: interrupted${left}\n`])
}

const STATE = /(?<=^error: interrupted): ((no snapshot) of set \S+ was made; .*|snapshot (\S+) of set \S+ (?:was stored|may have been stored\nhint: .*))$/m

/** Takes the state of the store out of what a backup says at its end: the snapshot that it names, `no snapshot`, or undefined if it says nothing. */
function stateOf(ending: Ending): { ending: Ending; named: string | undefined } {
  const found = STATE.exec(ending.err)
  return { ending: { ...ending, err: ending.err.replace(STATE, '') }, named: found?.[2] ?? found?.[3] }
}

function snapshots(): string[] {
  return Object.keys(contentOf(sandbox.store)).filter((file) => file.startsWith('snapshots/'))
}

describe.each(signals)('%s stops a backup', (signal) => {
  test('that waits for a server to answer', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    if (address === null || typeof address === 'string') throw new Error('not a port')
    const reached = once(silent, 'connection')
    const given = { 'database-url': `postgres://me@127.0.0.1:${address.port}/shop?sslmode=disable&gssencmode=disable` }
    expectInterrupted(await interrupt('backup', given, signal, async () => Boolean(await reached)))
    silent.close()
    expect(contentOf(sandbox.store)).toEqual({})
  })

  test.each(['terminal', 'action'] as const)('that waits for a lock (%s)', async (as) => {
    const lock = await holding(server, 'shop', 'LOCK TABLE orders')
    const ending = await interrupt('backup', {}, signal, async () => (await activity(`application_name = 'pg_dump' AND wait_event_type = 'Lock'`)) === '1', { as })
    if (as === 'terminal') expectInterrupted(ending)
    else {
      expect([ending.status, ending.outputs]).toEqual([130, { outcome: 'failed' }])
      expect(ending.out).toContain('::error title=Lifeboat backup failed::interrupted')
      expect(ending.summary).toContain('**interrupted**')
    }
    await until(async () => (await activity(`application_name = 'pg_dump'`)) === '0')
    await lock.letGo()
    expectNoBackup(sandbox.store, {})
    await sandbox.expectHealthy()
  })

  test('that has read all tables and not yet the rest', async () => {
    const lock = await holding(server, 'shop', 'ALTER SEQUENCE numbers RENAME TO renamed')
    const { ending } = stateOf(await interrupt('backup', {}, signal, async () => (await activity(`application_name = 'pg_dump' AND wait_event_type = 'Lock' AND query LIKE '%FROM public.numbers%'`)) === '1'))
    expectInterrupted(ending)
    await lock.letGo()
    expectNoBackup(sandbox.store, {})
    await sandbox.expectHealthy()
  })
})

test.each([
  ['rename', 'SIGINT'],
  ['fsync', 'SIGTERM'],
] as const)('a backup that is interrupted in any %s by %s leaves no snapshot, or a whole one and says so', async (call, signal) => {
  // In half the time of a database; the store is written in the same way.
  const folder = path.join(sandbox.folder, 'files')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'one'), 'content')
  const files = { 'database-url': '', volumes: `files=${folder}` }
  let afterCommit = 0
  const states = new Set<string | undefined>()
  for (let count = 1; ; count++) {
    // Each in a store of its own: a backup uses what an interrupted one stored, and makes fewer of these calls then.
    rmSync(sandbox.store, { recursive: true, force: true })
    const { ending, named } = stateOf(await interruptIn(call, count, signal, 'backup', { ...files, verify: 'read' }))
    if (ending.status === 0) break
    const [added] = snapshots()
    states.add(added === undefined ? named : named && path.basename(added, '.json.zst') === named ? 'it' : 'another')
    const ended = !NOT_ENDED.test(ending.err)
    const id = added && path.basename(added, '.json.zst')
    const stored = `warning: snapshot ${id} was stored in file:${sandbox.store} before the interruption, and is whole; only its verification was not finished\n`
    expectInterrupted(ending, id && ended ? stored : '')
    if (id) {
      afterCommit++
      expect(await sandbox.verify({ level: 'read' })).toMatchObject({ snapshot: id, result: 'verified' })
    }
    if (ended) expect(readdirSync(path.join(sandbox.store, '.incoming'))).toEqual([])
  }
  expect(afterCommit).toBeGreaterThan(0)
  expect(states).toContain('no snapshot')
  expect(states).not.toContain('another')
  await sandbox.expectHealthy(files)
})

describe.each(signals)('%s', (signal) => {
  test('stops a verification', async () => {
    await sandbox.backup()
    const before = contentOf(sandbox.store)
    const [file] = snapshots()
    const { chunks } = (await decodeSnapshot(file!, readFileSync(path.join(sandbox.store, file!)), undefined)).header
    const [id, , , , mark] = chunks[0]!
    expectInterrupted(await interruptIn('openat', 1, signal, 'verify', { level: 'read' }, ['-P', path.join(sandbox.store, chunkKey(id, mark))]))
    expect(contentOf(sandbox.store)).toEqual(before)
    expect(await sandbox.verify({ level: 'read' })).toMatchObject({ result: 'verified' })
  })

  describe('stops a restore in its midst', () => {
    const target = `restored_${signal.toLowerCase()}`
    const rows = (): Promise<string> => server.sql('SELECT string_agg(id::text, $$,$$) FROM precious', target)
    const restoring = async (given: Given): Promise<Ending> => {
      await sandbox.backup()
      await server.sql('CREATE ROLE slow')
      const ending = await interrupt('restore', { 'database-url': server.url(target), ...given }, signal, async () => (await activity(`datname = '${target}' AND query LIKE 'REFRESH MATERIALIZED VIEW%' AND state = 'active'`)) === '1')
      await server.sql('DROP ROLE slow')
      return ending
    }
    const where = (): string => `127.0.0.1:${server.port}/${target}`
    const dropped = (): [string, string] => [`the new database ${where()} was dropped again\n`, `: the new database ${where()} was dropped again, and nothing else was changed`]
    const databases = (): Promise<string> => server.sql(`SELECT count(*) FROM pg_database WHERE datname = '${target}'`)
    afterEach(() => server.sql(`DROP DATABASE IF EXISTS ${target} WITH (FORCE)`))

    test('into a new database: it is gone, and can be made again', async () => {
      expectInterrupted(await restoring({ mode: 'create' }), ...dropped())
      expect(await databases()).toBe('0')
      expect((await sandbox.restore({ 'database-url': server.url(target), mode: 'create' })).errors).toEqual([])
    })

    test('with several jobs: the staged archive is removed', async () => {
      expectInterrupted(await restoring({ mode: 'create', jobs: '3' }), ...dropped())
      expect(await databases()).toBe('0')
    })

    test('in one transaction: everything is as it was', async () => {
      await server.createDatabase(target)
      await server.sql('CREATE TABLE precious AS SELECT 7 AS id; CREATE TABLE orders AS SELECT 8 AS id', target)
      const { err, ...ending } = await restoring({ mode: 'clean', confirm: target, 'safety-backup': 'false' })
      const plan = /^This restore into \S+ will:\n(?: {2}\d+\. .*\n)+/
      const [announced, rest] = [plan.exec(err)?.[0] ?? '', err.replace(plan, '')]
      expect(announced).toContain('Leave 1 table or view that the backup does not have as they are: public.precious.')
      expectInterrupted({ ...ending, err: rest }, '', `: ${where()} is as it was before: nothing was restored`)
      expect(await rows()).toBe('7')
      expect(await server.sql('SELECT id FROM orders', target)).toBe('8')
      expect((await sandbox.restore({ 'database-url': server.url(target), mode: 'clean', confirm: target, 'safety-backup': 'false' })).errors).toEqual([])
      expect(await server.sql('SELECT count(*) FROM orders', target)).toBe('5000')
    })

    test('into an empty database: it says what is there', async () => {
      await server.createDatabase(target)
      expectInterrupted(await restoring({}), '', `: ${where()} is partly restored: it has 1 table now; rows, indexes and constraints may be missing\nhint: Drop and create that database before you restore again.`)
    })

    test('beside a database (mode swap): that is as it was before, and the new one is gone', async () => {
      await server.createDatabase(target)
      await server.sql('CREATE TABLE precious AS SELECT 7 AS id', target)
      await sandbox.backup()
      await server.sql('CREATE ROLE slow')
      const ending = await interrupt('restore', { 'database-url': server.url(target), mode: 'swap', confirm: target }, signal, async () => (await activity(`datname LIKE 'lifeboat_new_%' AND query LIKE 'REFRESH MATERIALIZED VIEW%' AND state = 'active'`)) === '1')
      await server.sql('DROP ROLE slow')
      expectInterrupted({ ...ending, err: ending.err.replace(/^.*(?=error: interrupted)/s, '') }, '', `: ${where()} is as it was before; the new database was dropped again`)
      expect(await rows()).toBe('7')
      expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname LIKE 'lifeboat_new_%'`)).toBe('0')
    })

    test('that waits for others to leave (mode swap): the same', async () => {
      await server.createDatabase(target)
      const other = await holding(server, target, 'CREATE TABLE precious AS SELECT 7 AS id')
      await sandbox.backup()
      const { child, ended } = sandbox.start('restore', { 'database-url': server.url(target), mode: 'swap', confirm: target })
      const said = new Promise<void>((resolve) => child.stderr!.on('data', (text: Buffer) => { if (/exchanging the new database/.test(text.toString())) resolve() }))
      await said
      child.kill(signal)
      const { status, err } = await ended
      expect([status, err]).toEqual([130, expect.stringMatching(/error: interrupted: .* is as it was before; the new database was dropped again\n$/)])
      await other.letGo()
    })

    test('before anything is restored: nothing was changed', async () => {
      await sandbox.backup()
      const mark = path.join(sandbox.folder, 'started')
      const { child, ended } = sandbox.start('restore', { 'database-url': server.url(target), mode: 'create', 'pre-command': `touch ${mark}; exec sleep 600` })
      await until(async () => existsSync(mark))
      child.kill(signal)
      expectInterrupted(await ended, '', ': nothing was restored, and nothing was changed')
      expect(await databases()).toBe('0')
    })

    test('of every source: the state of each', async () => {
      await server.createDatabase(target)
      const files = path.join(sandbox.folder, 'files')
      mkdirSync(files)
      writeFileSync(path.join(files, 'one'), '1')
      await sandbox.backup({ volumes: `files=${files}` })
      await server.sql('CREATE ROLE slow')
      const into = path.join(sandbox.folder, 'into')
      const { child, ended } = sandbox.start('restore', { all: 'true', 'database-url': server.url(target), target: into })
      await until(async () => existsSync(path.join(into, 'one')) && readdirSync(into).length === 1 && (await activity(`datname = '${target}' AND query LIKE 'REFRESH MATERIALIZED VIEW%' AND state = 'active'`)) === '1')
      child.kill(signal)
      const { status, err } = await ended
      await server.sql('DROP ROLE slow')
      expect([status, err]).toEqual([130, expect.stringContaining(`error: interrupted: of the sources of the snapshot:\n- shop: ${where()} is partly restored: it has 1 table now; rows, indexes and constraints may be missing\n- files: ${into} `)])
      expect(err).toMatch(/^- files: \S+ (has the files of snapshot \S+|is completely restored)$/m)
    })
  })
})

const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

test('a second SIGINT ends a program that cannot stop yet, and its child with it', async () => {
  const lock = await holding(server, 'shop', 'LOCK TABLE orders')
  const { child, ended } = sandbox.start('backup', {}, { killed: true })
  await until(async () => (await activity(`application_name = 'pg_dump' AND wait_event_type = 'Lock'`)) === '1')
  const pid = Number.parseInt(sandbox.processes().find((line) => line.includes('--format=custom'))!, 10)
  // Stopped, it does not notice that it is asked to end.
  process.kill(pid, 'SIGSTOP')
  child.kill('SIGINT')
  // A machine that stands still for seconds may see it killed already, which is what comes after that.
  await until(() => {
    const status = statusOf(pid)
    return status === '' || /^ShdPnd:\s*0*[1-9a-f]/m.test(status)
  })
  child.kill('SIGINT')
  expect(await ended).toMatchObject({ status: 130, out: '' })
  await lock.letGo()
  expectNoBackup(sandbox.store, {})
  await sandbox.expectHealthy()
})
