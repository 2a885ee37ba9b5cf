import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { dump } from '../../support/restoring.ts'

let server: Server
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-killed-'))
  mkdirSync(path.join(folder, 'programs'))
  server = await startServer(17)
  await server.createDatabase('source')
  await server.sql(`CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g; COMMENT ON DATABASE source IS 'new'`, 'source')
  writeFileSync(path.join(folder, 'archive'), dump(server, 'source', 17))
  await server.createDatabase('app')
  await server.sql(`CREATE TABLE orders AS SELECT 0 AS id; COMMENT ON DATABASE app IS 'old'`, 'app')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

/** Client programs that kill the program when the `at`th of them is started. `goesOn`: that one does its work nevertheless. */
function programs(at: number, goesOn: boolean): void {
  writeFileSync(path.join(folder, 'count'), '0')
  for (const name of ['psql', 'pg_restore', 'pg_dump']) {
    const file = path.join(folder, 'programs', name)
    writeFileSync(file, `#!/bin/sh
n=$(($(cat '${folder}/count') + 1))
echo $n > '${folder}/count'
${goesOn ? `case "$*" in *'RENAME TO'*) kill -KILL $PPID; '${clientDirectory(17)}/${name}' "$@"; echo > '${folder}/ended'; exit 1 ;; esac` : ''}
if [ $n = ${at} ]; then kill -KILL $PPID; exit 1; fi
exec '${clientDirectory(17)}/${name}' "$@"
`)
    chmodSync(file, 0o755)
  }
}

function run(): { status: number | null; out: string; err: string } {
  const ended = spawnSync(process.execPath, [
    '--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, '../../support/swap-process.ts'),
    server.url('app'), path.join(folder, 'archive'), path.join(folder, 'programs'), path.join(folder, 'temporary'),
  ], { encoding: 'utf8', env: { PATH: process.env.PATH } })
  return { status: ended.status, out: ended.stdout, err: ended.stderr }
}

const list = async () => (await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '^(app|lifeboat)' ORDER BY 1`)).split('\n')
const state = async (database: string) =>
  [await server.sql('SELECT count(*), max(id) FROM orders', database), await server.sql(`SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '${database}'`)]

test('a restore that is killed at any step leaves the old database, and the next one removes what it left', async () => {
  const left: number[] = []
  let at = 1
  for (; ; at++) {
    programs(at, false)
    const { status, err } = run()
    if (status === 0) break
    expect([status, err]).toEqual([null, ''])
    expect(await state('app')).toEqual(['1|0', 'old'])
    const names = await list()
    left.push(names.length - 1)
    expect(names.filter((name) => name !== 'app' && !name.startsWith('lifeboat_new_'))).toEqual([])
  }
  // Two programs start before the first change at least; no more than one database is ever left, because each run removes the last one's.
  expect(left.slice(0, 3)).toEqual([0, 0, 0])
  expect(Math.max(...left)).toBe(1)
  expect(left.length).toBeGreaterThan(10)
  const [app, kept = '', ...more] = await list()
  expect([app, more]).toEqual(['app', []])
  expect(await state('app')).toEqual(['100|100', 'new'])
  expect(await state(kept)).toEqual(['1|0', expect.stringContaining('Lifeboat keeps this database')])
})

test('killed while the databases are exchanged, it has exchanged both or none', async () => {
  const before = await list()
  programs(0, true)
  expect(run().status).toBe(null)
  while (!existsSync(path.join(folder, 'ended'))) await new Promise((resolve) => setTimeout(resolve, 20))
  const made = (await list()).filter((name) => !before.includes(name))
  expect(made).toEqual([expect.stringMatching(/^(lifeboat_new|app_before)_/)])
  expect(await state('app')).toEqual(['100|100', 'new'])
  programs(0, false)
  expect(run()).toMatchObject({ status: 0, err: '' })
  expect((await list()).filter((name) => name.startsWith('lifeboat_new_'))).toEqual([])
})
