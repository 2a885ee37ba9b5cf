import { jest } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sourceKinds } from '../../../src/sources/all.ts'
import { identity } from '../../support/engine.ts'
import { sqliteDatabase } from './sqlite-database.ts'

// A line in the list of kinds. Everything that reads the list is imported after it.
jest.unstable_mockModule('../../../src/sources/all.ts', () => ({ sourceKinds: [...sourceKinds, sqliteDatabase] }))
const { dispatched, refusal } = await import('../../support/dispatched.ts')
const { inputsOf, parseInputs } = await import('../../../src/commands/all.ts')
const { secretsGiven } = await import('../../../src/inputs/secrets.ts')

let folder: string
let url: string
let run: <C extends Parameters<typeof dispatched>[0]>(command: C, raw?: Record<string, string>) => ReturnType<typeof dispatched<C>>
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-toy-'))
  url = `sqlite://${folder}/shop.db`
  execute(`${folder}/shop.db`, 'CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1), (2)')
  const common = { destination: `file:${folder}/store`, 'encryption-key': identity, set: 'app' }
  run = (command, raw = {}) => dispatched(command, { ...common, ...raw }, new Date(), { temporary: path.join(folder, 'temporary') })
})
afterEach(() => rmSync(folder, { recursive: true }))

function execute(database: string, sql: string): void {
  const open = new DatabaseSync(database)
  open.exec(sql)
  open.close()
}

test('a second kind of database goes through database-url, backup, verify, show, diff, doctor and restore', async () => {
  const first = await run('backup', { 'database-url': url })
  expect(first.result).toMatchObject({ verified: 'list', sources: [{ name: 'shop', kind: 'sqlite' }] })
  expect(first.text).toMatch(/^Backed up shop to file:/)
  execute(`${folder}/shop.db`, 'INSERT INTO orders VALUES (3)')
  const second = await run('backup', { 'database-url': url })

  const verified = await run('verify', { level: 'read' })
  expect(verified.result).toMatchObject({ result: 'verified', sources: [{ name: 'shop', kind: 'sqlite', entries: 1 }] })
  const shown = await run('show')
  expect(shown.result.sources).toMatchObject([{ name: 'shop', kind: 'sqlite', tables: { orders: 3 } }])
  const compared = await run('diff', { from: first.result.snapshot, to: second.result.snapshot })
  expect(compared.result.sources).toMatchObject([{ name: 'shop', tables: { orders: 1 } }])
  const doctor = await run('doctor', { 'database-url': `postgres-like=${url}` })
  expect(doctor.result.checks).toContainEqual({ about: 'postgres-like', check: 'file', state: 'good', says: 'is a file of SQLite' })

  const target = `${folder}/restored.db`
  const restored = await run('restore', { 'database-url': `sqlite://${target}` })
  expect(restored.result).toMatchObject({ database: 'shop', target, entries: 1, restored: 1, errors: [] })
  expect(restored.text).toMatch(/^Restored: shop into /)
  const database = new DatabaseSync(target)
  expect(database.prepare('SELECT count(*) AS rows FROM orders').get()).toMatchObject({ rows: 3 })
  database.close()
})

test('the inputs for databases have the texts of each kind', () => {
  for (const command of ['backup', 'restore', 'doctor'] as const) {
    const { help, expected } = inputsOf(command).find(([input]) => input === 'database-url')![1]
    for (const { form, pattern } of [...sourceKinds, sqliteDatabase].filter(({ noun }) => noun === 'database')) {
      expect(help).toContain(pattern)
      expect(expected).toContain(form)
    }
  }
})

const given = (text: string) => ({ 'encryption-key': identity, destination: 'file:/b', 'database-url': text })

test('databases of two kinds are backed up together, each named by its kind or by name=', () => {
  const { list } = parseInputs('backup', given('postgres://h/app\nsqlite:///srv/shop.db\nold=sqlite:///srv/old'), {}).databases
  expect(list).toEqual([
    { name: 'app', kind: 'postgres', url: 'postgres://h/app' },
    { name: 'shop', kind: 'sqlite', path: '/srv/shop.db' },
    { name: 'old', kind: 'sqlite', path: '/srv/old' },
  ])
})

test("without an input, the variables of a kind's own programs name the database", () => {
  expect(parseInputs('backup', given(''), { SQLITE_FILE: '/srv/shop.db' }).databases.list).toEqual([{ name: 'shop', kind: 'sqlite', path: '/srv/shop.db' }])
})

test.each([
  ['mysql://u:hunter22@h/app', 'database URL: mysql:// is neither a PostgreSQL URL, nor an SQLite URL'],
  ['h:5432/hunter22', 'database URL: neither a PostgreSQL URL, nor an SQLite URL'],
  ['sqlite://hunter22', 'database URL: the path of an SQLite URL does not begin with /'],
  ['postgres://u:hunter22@h/app, sqlite:///srv/shop.db', 'database-url: there are several URLs in one line. Write one per line'],
  ['sqlite:///srv/shop.db b=postgres://u:hunter22@h/app', 'database-url: there are several URLs in one line. Write one per line'],
])('%s is refused with the forms that there are, and no secret', async (text, message) => {
  const refused = await refusal(run('backup', { 'database-url': text }))
  expect(refused).toContain(`error: ${message}\nhint: `)
  expect(refused).not.toContain('hunter22')
})

test('the hint for an unknown scheme has the pattern of each kind', async () => {
  const refused = await refusal(run('backup', { 'database-url': 'mysql://h/app' }))
  expect(refused).toMatch(/^hint: Write postgres:\/\/user:password@host:port\/database \(.*\) or sqlite:\/\/\/path \(a file of SQLite\)\.$/m)
})

test('the secrets that a kind names are masked, also in a malformed line with a name', () => {
  expect(secretsGiven(inputsOf('backup'), given('shop=sqlite:no/path?key=hunter22'), {})).toContain('hunter22')
})
