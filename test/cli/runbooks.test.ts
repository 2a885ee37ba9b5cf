import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { shellWord } from '../../src/report/recipe.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { compareDatabases } from '../support/compare-databases.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { lifeboatEntry } from '../support/terminal-program.ts'
import { contentsOf } from '../support/volume.ts'

const text = readFileSync(path.join(import.meta.dirname, '../../docs/recovery.md'), 'utf8')

/** The blocks of shell commands under a heading. */
function blocksOf(heading: string): string[] {
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!)
}

const MIGRATION = 'Runbook: a bad migration, undone in two commands'
const GONE = 'Runbook: the server is gone'
const TABLE = 'Runbook: one table of last Tuesday, beside the one that is there'
const DAMAGED = 'Runbook: one store is damaged, another is whole'
const DAY = 86_400_000

let server: Server
let folder: string
const at = (name: string): string => path.join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-runbooks-'))
  mkdirSync(at('bin'))
  writeFileSync(at('bin/lifeboat'), `#!/bin/sh\nexec ${shellWord(process.execPath)} ${shellWord(lifeboatEntry())} "$@"\n`, { mode: 0o755 })
  mkdirSync(at('uploads/in'), { recursive: true })
  writeFileSync(at('uploads/in/file'), 'uploaded')
  server = await startServer(17)
  await server.sql(`CREATE ROLE app_owner LOGIN PASSWORD 'of app_owner'`)
  await server.createDatabase('app')
  await server.sql(`
    CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text); INSERT INTO orders OVERRIDING SYSTEM VALUE SELECT g, md5(g::text) FROM generate_series(1, 100) g;
    ALTER TABLE orders OWNER TO app_owner; ALTER DATABASE app SET timezone = 'Pacific/Auckland'`, 'app')
  await backUp(5 * DAY)
  await server.sql('DELETE FROM orders WHERE id <= 3', 'app')
  await backUp(2 * DAY)
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

const variables = { PATH: [clientDirectory(17), process.env['PATH']].join(path.delimiter) }

/** A backup as if it had been made that many milliseconds ago. */
async function backUp(ago: number): Promise<void> {
  await dispatched('backup', {
    destination: `file:${at('store')}`, 'encryption-key': identity, set: 'production', 'database-url': `app=${server.url('app')}`, volumes: `uploads=${at('uploads')}`,
  }, new Date(Date.now() - ago), { variables, temporary: at('tmp') })
}

/** Runs a block as it is written, with the variables that the page names; a day of the page is that of the first backup. */
async function run(block: string, more: Record<string, string> = {}): Promise<string> {
  const script = block.replaceAll('2026-11-17', new Date(Date.now() - 5 * DAY).toISOString().slice(0, 10)).replaceAll('/srv/app/uploads', at('new/uploads'))
  const { stdout } = await promisify(execFile)('/bin/sh', ['-ec', script], {
    cwd: folder,
    env: {
      PATH: [at('bin'), clientDirectory(17), process.env['PATH']].join(path.delimiter), HOME: folder, LIFEBOAT_ENCRYPTION_KEY: identity,
      LIFEBOAT_DESTINATION: `file:${at('store')}`, DATABASE_URL: server.url('app'), ...more,
    },
  })
  return stdout
}

test('every block of shell commands is part of a runbook', () => {
  const all = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!)
  expect([MIGRATION, GONE, TABLE, DAMAGED].flatMap(blocksOf)).toEqual(all)
})

test(MIGRATION, async () => {
  const [undone, back] = blocksOf(MIGRATION)
  expect(undone!.trim().split('\n')).toHaveLength(2)
  await server.sql(`ALTER TABLE orders DROP COLUMN note; DELETE FROM orders WHERE id > 50`, 'app')
  const printed = await run(undone!)
  expect(printed).toMatch(/^Restored: app into \S+\/app \(mode swap\)$/m)
  expect(printed).toMatch(/^ +took +.* checking the backup, .* waiting for the store, .* definitions and rows, .* indexes and keys, .* counting rows and ANALYZE, .* the exchange$/m)
  expect(printed).toMatch(/^ +now +\S+\/app has the content of snapshot /m)
  expect(printed).toMatch(/^ +before +The database from before is kept as app_before_\S+, at least until /m)
  expect(printed).toMatch(/^ +to go back +Exchange the two again: `.* restore --undo --terminate-connections --confirm app`/m)
  expect(await server.sql('SELECT count(*), max(length(note)) FROM orders', 'app')).toBe('97|32')
  expect(await run(back!)).toContain('is now the database that was kept as app_before_')
  expect(await server.sql('SELECT count(*) FROM orders', 'app')).toBe('47')
  await run(back!)
  expect(await server.sql('SELECT count(*) FROM orders', 'app')).toBe('97')
})

test(GONE, async () => {
  const fresh = await startServer(17)
  try {
    const [block] = blocksOf(GONE)
    const printed = await run(block!, { NEW_SERVER: fresh.url('').replace(/\/(\?|$)/, '$1') })
    expect(printed).toMatch(/^Restored: all 2 sources restored, from snapshot /)
    expect(printed).toMatch(/^ +before +There was none\.$/m)
    expect(printed).toMatch(/^ +before +It was empty, or did not exist\.$/m)
    expect(await compareDatabases({ server, database: 'app' }, { server: fresh, database: 'app' })).toEqual([])
    expect(await fresh.sql('SELECT tableowner FROM pg_tables WHERE tablename = $$orders$$', 'app')).toBe('app_owner')
    expect(await fresh.sql('SHOW timezone', 'app')).toBe('Pacific/Auckland')
    expect(contentsOf(at('new/uploads'))).toEqual(contentsOf(at('uploads')))
  } finally {
    await fresh.stop()
  }
})

test(TABLE, async () => {
  const [looked, back] = blocksOf(TABLE)
  const before = await server.sql('SELECT count(*), md5(string_agg(note, $$$$ ORDER BY id)) FROM orders', 'app')
  expect(await run(looked!)).toMatch(/\n +1 .*\(3 rows\)/s)
  expect(await server.sql('SELECT count(*), md5(string_agg(note, $$$$ ORDER BY id)) FROM orders', 'app')).toBe(before)
  await run(back!)
  expect(await server.sql('SELECT count(*) FROM orders', 'app')).toBe('100')
  expect(await server.sql(`SELECT count(*) FROM pg_namespace WHERE nspname = 'last_tuesday'`, 'app')).toBe('0')
})

test(DAMAGED, async () => {
  const [looked, repaired] = blocksOf(DAMAGED)
  cpSync(at('store'), at('other'), { recursive: true })
  const files = readdirSync(at('store/chunks'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => path.join(one.parentPath, one.name))
  rmSync(files[0]!)
  writeFileSync(files[1]!, readFileSync(files[1]!).fill(0, 50, 60))
  await expect(run(looked!)).rejects.toThrow('Command failed')
  const printed = await run(repaired!, { OTHER_STORE: `file:${at('other')}` })
  expect(printed).toContain('2 objects missing or damaged before and good now')
  expect(printed).toContain('Of 2 snapshots: 2 verified\n')
  for (const file of files) expect(readFileSync(file)).toEqual(readFileSync(file.replace(at('store'), at('other'))))
})
