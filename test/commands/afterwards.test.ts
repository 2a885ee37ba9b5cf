import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { restore as command } from '../../src/commands/restore/command.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import { inWorkflow } from '../../src/actions/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { context } from '../support/example-summaries.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { startRecorder } from '../support/recorder.ts'

let server: Server
let folder: string
let id: string
const at = (name: string): string => path.join(folder, name)
const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }
const run = <C extends 'backup' | 'restore'>(command: C, more: Record<string, string>) =>
  dispatched(command, { destination: `file:${at('store')}`, 'encryption-key': identity, ...more }, new Date(), { variables, temporary: at('tmp') })

beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('source')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g; CREATE TABLE others (); CREATE SCHEMA old; CREATE TABLE old.orders ()', 'source')
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-afterwards-'))
  mkdirSync(at('uploads'))
  writeFileSync(at('uploads/kept'), 'of the backup')
  await server.sql('CREATE ROLE seller; ALTER TABLE others OWNER TO seller', 'source')
  id = (await run('backup', { 'database-url': `app=${server.url('source')}`, volumes: `uploads=${at('uploads')}` })).result.snapshot
  await server.sql('ALTER TABLE others OWNER TO postgres; DROP ROLE seller', 'source')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

/** The sentences of a result, which the text, the summary and the output `state` have too. */
async function afterOf(more: Record<string, string>): Promise<{ result: RestoreResult; state: string }> {
  const { result, text } = await run('restore', more)
  const { now, before, back } = result.after!
  for (const [label, sentence] of [['now', now], ['before', before]] as const) {
    expect(text).toContain(`${label} `)
    expect(text).toContain(sentence)
  }
  const state = spelled(command.outputs.state.value(result), inWorkflow)
  expect(state).toBe(spelled(`${now} Before: ${before} To go back: ${back}`, inWorkflow))
  const summary = command.summary(result, context)
  for (const label of ['Now', 'Before', 'To go back']) expect(summary).toContain(`- **${label}:** `)
  return { result, state }
}

test('clean tells which objects are those of the backup, and where those from before are', async () => {
  await server.createDatabase('app')
  await server.sql('CREATE TABLE orders AS SELECT 7 AS id; CREATE TABLE later ()', 'app')
  const clean = { 'database-url': server.url('app'), mode: 'clean', confirm: 'app', 'no-owner': 'true' }
  const kept = await afterOf(clean)
  expect(kept.result).toMatchObject({ errors: [], left: 'everything' })
  expect(kept.state).toMatch(new RegExp(`/app, the objects that the backup has are as in snapshot ${id}, of .*; all others are as before\\. Before: The content from before is in snapshot (\\S+) of set \\S+, a safety backup that is kept until .*\\. To go back: Restore it into the same target: .*`))
  expect(kept.state).toContain(`\`snapshot: ${kept.result.safety!.snapshot}\``)
  expect(kept.result.after!.leftOut).toContain('owners')
  const { state } = await afterOf({ ...clean, 'safety-backup': 'false' })
  expect(state).toContain('Before: These objects, with other rows perhaps. They were replaced, and this restore keeps no copy. To go back: Restore a backup from before this restore.')
  await server.sql('DROP DATABASE app')
})

test('a part of the objects is restored: the target has a part of the backup', async () => {
  await server.createDatabase('part')
  const { result, state } = await afterOf({ 'database-url': server.url('part') })
  expect(result).toMatchObject({ left: 'part', errors: [expect.stringContaining('role "seller" does not exist')] })
  expect(state).toMatch(new RegExp(`/part has a part of snapshot ${id}, of .*\\. Before: A database without objects, .* To go back: Drop the database and make it again, .*`))
  expect(command.summary(result, context)).toMatch(/^### ❌ Lifeboat: `app` restored with 1 error$/m)
})

test('rows alone: the way back is not to drop the database', async () => {
  await server.createDatabase('service')
  await server.sql('CREATE TABLE orders (id int); CREATE TABLE visitors AS SELECT 1 AS id', 'service')
  const given = { 'database-url': server.url('service'), only: 'data', tables: 'public.orders' }
  const planned = spelled(command.summary((await run('restore', { ...given, 'dry-run': 'true' })).result, context), inWorkflow)
  expect(planned).toMatch(/^The data was not read: the action verify with `snapshot: \S+`, `level: read` reads all of it\.$/m)
  const { state } = await afterOf(given)
  expect(state).toMatch(/everything else is as before\. Before: Tables without rows\. To go back: Empty the tables that were loaded: TRUNCATE, without CASCADE, which empties others too\.$/)
  expect(await server.sql('SELECT count(*) FROM orders', 'service')).toBe('100')
})

test('tables alone: the plan tells what is read, the end what is there, and a target that is not empty is not offered to be exchanged', async () => {
  await server.createDatabase('few')
  const some = { 'database-url': server.url('few'), tables: 'public.orders', 'no-owner': 'true' }
  const planned = await run('restore', { ...some, 'dry-run': 'true' })
  expect(planned.result.steps).toEqual([expect.stringMatching(/^Restore 2 entries of the archive, of which \S+ k?B of \S+ kB are read, with 1 connection\.$/)])
  const { result, state } = await afterOf(some)
  expect(state).toMatch(new RegExp(`/few has the selected objects of snapshot ${id}, of `))
  expect(result.after!.leftOut).toContain('objects that were not selected')
  const refused = await refusal(run('restore', some))
  expect(refused).toContain('--mode clean drops and makes again what is selected')
  expect(refused).not.toContain('swap')
  await server.sql('DROP DATABASE few')
})

test('a new database that is dropped again, and a transaction that is undone, leave nothing of the backup', async () => {
  await server.createDatabase('full')
  await server.sql('CREATE TABLE orders AS SELECT 7 AS id; CREATE VIEW shown AS SELECT id FROM orders', 'full')
  const given = { 'database-url': server.url('full'), mode: 'clean', confirm: 'full', 'no-owner': 'true', 'safety-backup': 'false' }
  const { result, state } = await afterOf(given)
  expect(result).toMatchObject({ left: 'unchanged', restored: 0 })
  expect(state).toMatch(/\/full is as it was before\. Before: The same\. To go back: Nothing was changed\.$/)
  expect(command.summary(result, context)).toMatch(/^### ❌ Lifeboat: `app` not restored: \d+ errors?$/m)
})

test('a volume: overwrite keeps other files, clean does not, and both say where the old ones are', async () => {
  const target = at('target')
  mkdirSync(target)
  writeFileSync(path.join(target, 'mine'), 'mine')
  const volume = { volume: 'uploads', target, confirm: target }
  expect((await afterOf({ ...volume, mode: 'overwrite' })).state).toMatch(new RegExp(`${target} has the files of snapshot ${id}; all other files are as before\\. Before: The content from before is in snapshot \\S+ of set \\S+, a safety`))
  expect((await afterOf({ ...volume, mode: 'overwrite', 'safety-backup': 'false' })).state).toContain('Before: Files with the same names were replaced, and this restore keeps no copy. To go back: Restore a backup')
  const some = await afterOf({ ...volume, mode: 'overwrite', paths: 'kept' })
  expect(some.state).toContain(`${target} has the selected files of snapshot ${id}; all other files are as before.`)
  expect(some.result.after!.leftOut).toEqual(['files that do not match paths'])
  expect((await afterOf({ ...volume, mode: 'clean' })).state).toContain(`${target} has the files of snapshot ${id}, and no others.`)
})

test('a message about a restore says which part was restored, how, and where the content from before is; undo has one of its own, and the way back repeats how sessions were treated', async () => {
  const recorder = await startRecorder()
  try {
    await server.createDatabase('told')
    await server.sql('CREATE TABLE orders AS SELECT 7 AS id', 'told')
    const given = { 'database-url': server.url('told'), confirm: 'told', notify: `webhook:${recorder.url}/ on always` }
    let text = ''
    const message = async (more: Record<string, string>): Promise<string> => {
      recorder.seen.length = 0
      ;({ text } = await run('restore', { ...given, ...more }))
      return JSON.parse(recorder.seen[0]!.body).message
    }
    const into = String.raw`into \S+/told`
    const safety = String.raw`; the content from before is in snapshot \S+ of set \S+\.safety$`
    const part = { tables: 'public.orders', mode: 'clean', 'no-owner': 'true' }
    expect(await message({ ...part, 'dry-run': 'true' })).toMatch(new RegExp(`^Nothing was changed\\. table public\\.orders of app of snapshot ${id} can be restored ${into} \\(mode clean\\)$`))
    // A part cannot be exchanged.
    expect(text).toMatch(/ Clients that read or write these tables wait meanwhile\.$/m)
    await message({ mode: 'clean', 'no-owner': 'true', 'dry-run': 'true' })
    expect(text).toContain(' wait meanwhile; with mode swap they do not.')
    expect(await message(part)).toMatch(new RegExp(`^table public\\.orders of app of snapshot ${id} restored ${into} \\(mode clean\\)${safety}`))
    const swap = { mode: 'swap', 'no-owner': 'true', 'terminate-connections': 'true' }
    const kept = /kept as (told_before_\S+)$/
    const swapped = await message(swap)
    expect(swapped).toMatch(new RegExp(`^app of snapshot ${id} restored ${into} \\(mode swap\\); the database from before is ${kept.source}`))
    // Inputs that the step of a workflow has for its restores.
    const goBack = /^ {2}to go back +Exchange the two again: `lifeboat restore --undo --terminate-connections --confirm told`\./m
    expect(text).toMatch(goBack)
    const back = { undo: 'true', 'terminate-connections': 'true', database: 'app', snapshot: id, mode: 'swap', drill: 'true' }
    expect(await message({ ...back, 'dry-run': 'true' })).toMatch(new RegExp(`^Nothing was changed\\. \\S+/told can be exchanged back for ${kept.exec(swapped)![1]}$`))
    expect(await message(back)).toMatch(new RegExp(`^Exchanged back: \\S+/told is now the database that was kept as ${kept.exec(swapped)![1]}; the one that was there is ${kept.source}`))
    expect(text).toMatch(goBack)
    for (const name of (await server.sql(`SELECT datname FROM pg_database WHERE datname LIKE 'told%'`)).split('\n')) await server.sql(`DROP DATABASE ${name}`)
  } finally {
    await recorder.close()
  }
})

const check = (more: Record<string, string>) => run('restore', { 'verify-only': 'true', ...more })

test('verify-only applies the selection, tells what it selects, and changes nothing', async () => {
  const { result, text } = await check({ tables: 'others, public.orders' })
  expect(result).toMatchObject({ mode: 'verify-only', restored: 0, selected: { entries: 4, names: ['public.orders', 'public.others'] } })
  expect(result).not.toHaveProperty('after')
  expect(text).toContain('in the archive, 4 of them selected')
  expect(text).toContain('A restore would select: public.orders, public.others.')
  expect((await check({ schemas: 'old' })).result.selected).toEqual({ entries: 3, names: ['old.orders'] })
  expect((await check({ only: 'data' })).result.selected).toMatchObject({ names: ['old.orders', 'public.orders', 'public.others'] })
  expect((await check({})).result).not.toHaveProperty('selected')
  for (const [more, message] of [
    [{ tables: 'nothere' }, 'the archive has no table nothere'],
    [{ schemas: 'nothere' }, 'the archive has no entries in schema nothere'],
    [{ paths: '*.jpg' }, 'paths: a database is restored, which has no such part'],
    [{ mode: 'overwrite' }, 'mode overwrite is for volumes'],
    [{ mode: 'swap', tables: 'orders' }, 'mode swap exchanges whole databases'],
    [{ volume: 'uploads', paths: 'nix.txt' }, 'no file of uploads matches nix.txt'],
    [{ volume: 'uploads', tables: 'orders' }, 'tables: a volume is restored, which has no such part'],
  ] as const) {
    expect(await refusal(check(more))).toContain(message)
    await expect(check(more)).rejects.toMatchObject({ status: 2 })
  }
})
