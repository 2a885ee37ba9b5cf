import { jest } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sourceKinds } from '../../../src/sources/all.ts'
import type { Progress, Report } from '../../../src/environment.ts'
import { identity } from '../../support/engine.ts'
import { quiet } from '../../support/quiet.ts'
import { sqlite, type SqliteSettings } from './sqlite.ts'

// A line in the list of kinds. Everything that reads the list is imported after it.
jest.unstable_mockModule('../../../src/sources/all.ts', () => ({ sourceKinds: [...sourceKinds, sqlite] }))
// The group of its options, and its line in the list of them.
const { backupOptions } = await import('../../../src/inputs/kind-options.ts')
const { group } = await import('../../../src/inputs/group.ts')
const { names } = await import('../../../src/inputs/schemas.ts')
Object.assign(backupOptions, {
  sqlite: group(
    { 'sqlite-without': { help: 'Leaves out these tables.', expected: 'names of tables', example: 'sessions', schema: names, default: '', list: true } },
    (values): SqliteSettings => ({ without: values['sqlite-without'] }),
  ),
})
const { dispatched, refusal } = await import('../../support/dispatched.ts')
const { inputsOf } = await import('../../../src/commands/all.ts')

let folder: string
let file: string
let run: <C extends Parameters<typeof dispatched>[0]>(command: C, raw?: Record<string, string>, report?: Report) => ReturnType<typeof dispatched<C>>
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-toy-'))
  file = path.join(folder, 'shop.db')
  execute(file, 'CREATE TABLE orders (id INTEGER); CREATE TABLE people (name TEXT); INSERT INTO orders VALUES (1), (2)')
  const common = { destination: `file:${folder}/store`, 'encryption-key': identity, set: 'app' }
  run = (command, raw = {}, report) => dispatched(command, { ...common, ...raw }, new Date(), { temporary: path.join(folder, 'temporary'), ...(report && { report }) })
})
afterEach(() => rmSync(folder, { recursive: true }))

function execute(database: string, sql: string): void {
  const open = new DatabaseSync(database)
  open.exec(sql)
  open.close()
}

test('the inputs for volumes have the texts of each kind', () => {
  for (const [command, name] of [['backup', 'volumes'], ['restore', 'target']] as const) {
    const { help, expected } = inputsOf(command).find(([input]) => input === name)![1]
    for (const { form, pattern } of [...sourceKinds, sqlite].filter(({ noun }) => noun === 'volume')) {
      expect(help).toContain(pattern)
      expect(expected).toContain(form)
    }
  }
})

test('a kind in a folder of its own, and a line in the list, is backed up, verified, shown, compared and restored', async () => {
  const first = await run('backup', { volumes: `shop=sqlite:${file}` })
  expect(first.result).toMatchObject({ verified: 'list', sources: [{ name: 'shop', kind: 'sqlite' }] })
  execute(file, 'INSERT INTO orders VALUES (3), (4), (5); DELETE FROM people')
  const second = await run('backup', { volumes: `shop=sqlite:${file}` })
  expect([first, second].map(({ text }) => text.split('\n')[0])).toEqual([expect.stringMatching(/^Backed up shop to file:.*, set app, the first of its set$/), expect.stringMatching(/, set app$/)])

  const verified = await run('verify', { level: 'read' })
  expect(verified.result).toMatchObject({ result: 'verified', sources: [{ name: 'shop', kind: 'sqlite', entries: 2 }], versions: { sqlite: process.versions.sqlite } })
  expect(verified.text).toMatch(/shop +verified +.*, 2 tables$/m)

  const shown = await run('show')
  expect(shown.result.sources).toMatchObject([{ name: 'shop', kind: 'sqlite', tables: { orders: 5, people: 0 }, streams: [{ format: 'sqlite' }] }])
  expect(shown.text).toMatch(/^ {2}table orders of 5 rows$/m)

  const compared = await run('diff', { from: first.result.snapshot, to: second.result.snapshot })
  expect(compared.result.sources).toMatchObject([{ name: 'shop', kind: 'sqlite', identical: false, tables: { orders: 3, people: 0 } }])
  expect(compared.text).toMatch(/^ {2}table orders: \+3 rows$/m)

  const target = path.join(folder, 'restored.db')
  const checked = await run('restore', { volume: 'shop', 'verify-only': 'true' })
  expect(checked.result).toMatchObject({ volume: 'shop', mode: 'verify-only', entries: 2, restored: 0 })
  const restored = await run('restore', { volume: 'shop', snapshot: first.result.snapshot, target: `sqlite:${target}` })
  expect(restored.result).toMatchObject({ volume: 'shop', target, entries: 2, restored: 2, errors: [] })
  const database = new DatabaseSync(target)
  expect(database.prepare('SELECT count(*) AS rows FROM orders').get()).toMatchObject({ rows: 2 })
  database.close()
  expect(await refusal(run('restore', { volume: 'shop', target: `sqlite:${target}` }))).toContain(`${target} is there already`)
})

test('an option of the kind is an input of the command, and reaches the kind without another file', async () => {
  expect(inputsOf('backup').map(([name]) => name)).toContain('sqlite-without')
  await run('backup', { volumes: `shop=sqlite:${file}`, 'sqlite-without': 'people' })
  expect((await run('show')).result.sources).toMatchObject([{ tables: { orders: 2 } }])
  expect((await run('show')).result.sources).not.toMatchObject([{ tables: { people: expect.anything() } }])
})

test('of several sources one is restored, and the others are named', async () => {
  const made = await run('backup', { volumes: `shop=sqlite:${file}\ncopy=sqlite:${file}` })
  expect(made.text).toMatch(/^ {2}lifeboat restore .* --all --map shop=.\/shop --map copy=.\/copy$/m)
  const checked = await run('restore', { volume: 'shop', 'verify-only': 'true' })
  expect(checked.result.others).toEqual({ databases: [], volumes: ['copy'] })
  expect(checked.text).toContain('The snapshot also has: volume copy.')
})

test('the progress of a source counts its own bytes alone', async () => {
  const shown: Progress[] = []
  const report = { ...quiet, progress: (progress: Progress) => void shown.push(progress) }
  const { result: { sources } } = await run('backup', { volumes: `shop=sqlite:${file}\ncopy=sqlite:${file}` }, report)
  await run('verify', { level: 'read' }, report)
  for (const { name, size, added } of sources) {
    const last = (activity: string): Progress | undefined => shown.findLast((one) => one.activity === `${activity} ${name}`)
    expect(last('verifying')).toMatchObject({ done: size, total: size })
    expect(last('backing up')!.stored).toBeLessThanOrEqual(added)
  }
})

test('a source is not restored into a target of a kind that cannot take it', async () => {
  await run('backup', { volumes: `shop=sqlite:${file}` })
  expect(await refusal(run('restore', { volume: 'shop', target: `${folder}/elsewhere` }))).toMatch(/^error: the source shop is of the kind sqlite, which is not restored into a folder$/m)
})
