import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Server, startServer } from '../support/postgres-server.ts'
import { until } from '../support/until.ts'
import { type Running, Sandbox } from './sandbox.ts'

const programs = path.join(import.meta.dirname, '../../node_modules/pg15/native/bin')
let server: Server
let sandbox: Sandbox
let variables: Record<string, string>
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 3000) g', 'shop')
  sandbox = await Sandbox.open(server.url('shop'))
  chmodSync(sandbox.folder, 0o755) // Root's scratch server runs as another user, who must get to its folder.
  variables = { PATH: `${sandbox.variables()['PATH']}:${programs}`, SECRET_OF_THE_JOB: 'secret' }
  await sandbox.backup()
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})

/** The process of the scratch server, once it runs. */
async function scratchServer({ child }: Running): Promise<number> {
  let pid = 0
  await until(async () => {
    if (child.exitCode !== null) throw new Error('the drill ended')
    const [run = ''] = readdirSync(sandbox.temporary)
    const staged = path.join(sandbox.temporary, run)
    const folder = readdirSync(staged).find((name) => name.startsWith('scratch-')) ?? 'none'
    const file = path.join(staged, folder, 'data/postmaster.pid')
    if (existsSync(file)) pid = Number(readFileSync(file, 'utf8').split('\n')[0])
    return pid > 0
  })
  return pid
}

function runs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres')
  } catch {
    return false
  }
}

/** Takes as long as a test needs: a condition that waits in the restored database. */
const slow = { 'level': 'drill', 'assert-sql': "slow: SELECT pg_sleep(600) IS NOT NULL" }

test('the scratch server has nothing of the environment of the job, and ends with a drill that is cancelled', async () => {
  const drill = sandbox.start('verify', slow, { variables })
  const pid = await scratchServer(drill)
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').map((entry) => entry.split('=')[0]!)
  expect(environment.filter((name) => name !== '' && name !== 'LIFEBOAT_RUN' && name !== 'RUNNER_TRACKING_ID').toSorted()).toEqual(['LC_ALL', 'PATH', 'PWD'])
  if (process.getuid!() === 0) expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\s+65534\s/m)
  expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^NoNewPrivs:\s+1$/m)
  drill.child.kill('SIGINT')
  const { status, err } = await drill.ended
  expect([status, err]).toEqual([130, expect.not.stringContaining('warning')])
  expect(runs(pid)).toBe(false)
})

test('the scratch server of a drill that is killed ends at once, and its folder goes with the next run', async () => {
  const drill = sandbox.start('verify', slow, { variables, killed: true })
  const pid = await scratchServer(drill)
  const kept = readdirSync(sandbox.temporary)
  drill.child.kill('SIGKILL')
  await until(async () => !runs(pid))
  expect(kept).toHaveLength(1)
  await drill.ended
})

test('a drill of an action says so in its outputs and its summary', async () => {
  const { status, outputs, summary } = await sandbox.run('verify', { level: 'drill' }, { as: 'action', variables })
  expect([status, outputs['outcome']]).toEqual([0, 'verified'])
  expect(summary).toContain('restored and compared')
  expect(summary).toContain('3,000 rows and ')
})
