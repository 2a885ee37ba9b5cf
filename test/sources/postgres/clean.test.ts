import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientEnvironment, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { dump, restoreInto, variables } from '../../support/restoring.ts'
import { thrownBy } from '../../support/thrown.ts'
import { until } from '../../support/until.ts'

const BACKED_UP = `
  CREATE TABLE customers (id int PRIMARY KEY);
  CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers);
  CREATE TABLE logs (at date) PARTITION BY RANGE (at);
  CREATE TABLE logs_2025 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  INSERT INTO customers VALUES (1), (2);
  INSERT INTO orders VALUES (1, 1), (2, 2);
  INSERT INTO logs VALUES ('2025-05-05');
  CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
  CREATE VIEW recent AS SELECT * FROM orders;`
const SINCE_THEN = `
  DELETE FROM orders WHERE id = 2;
  CREATE TABLE later (id int);
  INSERT INTO later VALUES (7);
  CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  INSERT INTO logs VALUES ('2026-02-02');`

describe.each([15, 17] as const)('mode clean on a server %i', (major) => {
  let server: Server
  let archive: Buffer
  let temporary: string
  const told: string[] = []
  const holders: ChildProcess[] = []
  beforeAll(async () => {
    server = await startServer(major, { settings: { max_prepared_transactions: '2' } })
    temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-clean-'))
    await server.createDatabase('source')
    await server.sql(BACKED_UP, 'source')
    archive = dump(server, 'source', major)
  })
  afterAll(async () => {
    await server.stop()
    rmSync(temporary, { recursive: true })
  })
  beforeEach(async () => {
    await server.createDatabase('app')
    await server.sql(`${BACKED_UP}${SINCE_THEN}`, 'app')
  })
  afterEach(async () => {
    for (const holder of holders.splice(0)) {
      if (holder.exitCode === null && holder.signalCode === null) {
        holder.kill()
        await once(holder, 'exit')
      }
    }
    await server.sql('DROP DATABASE app WITH (FORCE)')
  })

  const clean = (more = {}) => restoreInto(server, 'app', archive, temporary, told, { mode: 'clean', ...more })
  const content = () => server.sql('SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM later), (SELECT count(*) FROM logs)', 'app')

  /** A session that has run these statements, and waits for more. */
  async function session(statements: string): Promise<ChildProcess> {
    const env = { ...clientEnvironment(parseDatabaseUrl(server.url('app')), variables), PGAPPNAME: 'report' }
    const child = spawn(path.join(clientDirectory(17), 'psql'), ['-XqAt'], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    holders.push(child)
    child.stdin.write(`${statements};\n\\echo ready\n`)
    let printed = ''
    child.stdout.on('data', (bytes: Buffer) => void (printed += bytes.toString()))
    await until(() => printed.includes('ready'))
    return child
  }

  /** Reads a table as a client does, until `work` has ended; gives how often, and throws if one read has to wait. */
  async function readsDuring(work: Promise<unknown>): Promise<number> {
    let reads = 0
    const state = { ended: false }
    const watched = work.catch(() => undefined).then(() => void (state.ended = true))
    while (!state.ended) {
      await server.sql(`SET lock_timeout = '1s'; SELECT count(*) FROM customers; SELECT count(*) FROM totals`, 'app')
      reads++
      await sleep(50)
    }
    await watched
    return reads
  }

  test('others use tables all the time: it gives up after lock-timeout with their names and queries, and no reader has waited', async () => {
    await session('BEGIN; SELECT count(*) FROM orders')
    await session('BEGIN; SELECT count(*) FROM logs_2026')
    await session('BEGIN; SELECT * FROM totals')
    await session(`BEGIN; INSERT INTO orders VALUES (9, 1); PREPARE TRANSACTION 'left'`)
    await sleep(1200) // From then on their transactions count as long ones.
    const restored = clean({ lockTimeout: 2000 })
    const reads = readsDuring(restored)
    const error = await thrownBy(restored)
    await server.sql(`ROLLBACK PREPARED 'left'`, 'app')
    expect(await reads).toBeGreaterThan(1)
    expect(error.message).toMatch(/^others used tables of 127\.0\.0\.1:\d+\/app for longer than 2\.0 s, and nothing was changed: postgres \(/)
    expect(error.message).toMatch(/pid \d+, report from 127.0.0.1, idle in transaction, since 20\d\d-.* UTC\): SELECT/)
    for (const query of ['FROM orders', 'FROM logs_2026', 'FROM totals', 'prepared transaction']) expect(error.message).toContain(query)
    expect(error.hint).toContain('lock-timeout')
    expect(error.status).toBe(1)
    expect(await content()).toBe('1|1|2')
  })

  test('it goes on when the others have left, also while short transactions come and go', async () => {
    const holder = await session('BEGIN; SELECT count(*) FROM orders')
    const restored = clean()
    const reads = readsDuring(restored)
    await until(async () => (await server.sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_restore'`)) === '1')
    holder.stdin!.end()
    expect(await restored).toMatchObject({ errors: [], left: 'everything' })
    await reads
    expect(await content()).toBe('2|1|1')
  })

  test('a table that is not in the backup may be in use; partitions made after the backup are said to go', async () => {
    await session('BEGIN; INSERT INTO later VALUES (8)')
    const { planned } = await clean({ dryRun: true })
    expect(planned!.steps.join('\n')).toMatch(/Drop with their tables 1 partition that .*: public\.logs_2026\.\nLeave 1 table or view .*: public\.later\./)
    expect(await clean({ lockTimeout: 2000 })).toMatchObject({ errors: [], left: 'everything' })
    expect(await content()).toBe('2|1|1')
  })

  test('of a part, only the selected table and those that its keys name have to be free', async () => {
    await session('BEGIN; SELECT * FROM logs')
    await server.sql('DROP VIEW recent; DROP MATERIALIZED VIEW totals', 'app')
    expect(await clean({ tables: ['orders'], lockTimeout: 2000 })).toMatchObject({ errors: [], left: 'everything' })
    await session('BEGIN; SELECT * FROM customers')
    expect((await thrownBy(clean({ tables: ['orders'], lockTimeout: 500 }))).message).toContain('FROM customers')
  })
})
