import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import type { Command } from '../../src/commands/all.ts'
import { clientDirectory, type Server, startServer } from '../support/postgres-server.ts'
import { dispatched } from '../support/dispatched.ts'
import { backupSummary } from '../../src/commands/backup/summary.ts'
import { restoreSummary } from '../../src/commands/restore/report.ts'
import { verifySummary } from '../../src/commands/verify/report.ts'
import { listSummary } from '../../src/commands/list/report.ts'
import { checkHeadline, checkSummary } from '../../src/commands/check/report.ts'

const { identity } = await newIdentity()
const variables = { PATH: `${clientDirectory(17)}:${process.env.PATH ?? ''}`, HOME: process.env.HOME ?? '' }
const context = { action: 'o/lifeboat', reference: 'v1', destination: 'file:/b', timeZone: 'UTC', now: new Date() }
let server: Server
let folder: string
let destination: string
beforeAll(async () => {
  server = await startServer(17)
  await server.sql(`CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO reader`)
  for (const name of ['whole', 'sessions', 'audited', 'subscribed']) await server.createDatabase(name)
  await server.sql('CREATE TABLE "Audit, Log" AS SELECT 1 AS id', 'audited')
  await server.sql('CREATE TABLE sessions AS SELECT 1 AS id; CREATE TABLE users AS SELECT 1 AS id', 'sessions')
  await server.sql(`CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)`, 'subscribed')
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-partial-'))
  destination = `file:${folder}/store`
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

const run = <C extends Command>(command: C, raw: Record<string, string>, key: string | undefined = identity) =>
  dispatched(command, { destination, ...(key && { 'encryption-key': key }), ...raw }, new Date(), { variables, temporary: path.join(folder, 'temporary') })
const backup = (set: string, database: string, raw: Record<string, string> = {}, url = server.url(database)) => run('backup', { set, 'database-url': `${database}=${url}`, ...raw })

test('a backup of everything is not partial, for anyone', async () => {
  const { result, text } = await backup('whole', 'whole', { 'pg-dump-args': '--quote-all-identifiers -E UTF8' })
  expect(result.sources[0]).not.toHaveProperty('partial')
  expect(text).not.toContain('in part')
  expect((await run('list', { set: 'whole' })).text).not.toContain('PARTIAL')
  expect((await run('check', { set: 'whole' })).text).not.toContain('PARTIAL')
})

/** No command that is pasted puts a part in the place of a whole database. */
const OFFERED = /To restore (?:it|the newest) into a new database \(it is PARTIAL, and a database in whose place it is put loses the rest\), with [^]* --mode create$/

test('an exclusion that matches no table, or no schema, is warned of, and does not make the backup partial', async () => {
  const { result, warnings } = await backup('audited', 'audited', { 'pg-dump-args': `-T "Audit, Log" --exclude-table-data=nothing.*` })
  expect(warnings).toEqual(["audited: -T 'Audit, Log' matches no table: nothing was left out by it", 'audited: --exclude-table-data=nothing.* matches no table: nothing was left out by it'])
  expect(result.sources).toMatchObject([{ amount: { count: 1 } }])
  expect(result.sources[0]).not.toHaveProperty('partial')
  const schemas = await backup('audited', 'audited', { 'pg-dump-args': '--exclude-schema=realtime -N other*' })
  expect(schemas.warnings).toEqual(['audited: --exclude-schema=realtime matches no schema: nothing was left out by it', 'audited: -N other* matches no schema: nothing was left out by it'])
  expect(schemas.result.sources[0]).not.toHaveProperty('partial')
  const some = await backup('audited', 'audited', { 'pg-dump-args': '-N nothing --exclude-schema=pub?ic' })
  expect(some.result.sources).toMatchObject([{ amount: { count: 0 }, partial: ['pg_dump ran with --exclude-schema=pub?ic'] }])
  const quoted = await backup('audited', 'audited', { 'pg-dump-args': `-T '"Audit, Log"'` })
  expect(quoted.result.sources).toMatchObject([{ amount: { count: 0 }, partial: [`pg_dump ran with -T '"Audit, Log"'`] }])
})

test('a list recommends the newest backup that is complete, before newer ones that are partial', async () => {
  const { result: whole } = await backup('mixed', 'sessions')
  const { result: part } = await backup('mixed', 'sessions', { 'pg-dump-args': '-T users' })
  // The table that was left out is not counted.
  expect([whole, part].map(({ sources }) => sources[0]!.amount)).toEqual([{ count: 2, noun: 'table' }, { count: 1, noun: 'table' }])
  const { result, text } = await run('list', { set: 'mixed' })
  expect(result.restorable).toBe(whole.snapshot)
  expect(text).toMatch(new RegExp(`To restore the newest that is complete into a database that exists .* --snapshot ${whole.snapshot} --mode swap --confirm sessions$`, 's'))
})

describe('a backup without the rows of a table', () => {
  const lack = 'pg_dump ran with --exclude-table-data=sessions'
  beforeAll(async () => {
    const { result, text } = await backup('sessions', 'sessions', { 'pg-dump-args': '--exclude-table-data=sessions' })
    expect(result.sources).toMatchObject([{ name: 'sessions', partial: [lack] }])
    expect(text).toContain(`sessions: in part: ${lack}`)
    expect(text).toMatch(OFFERED)
    expect(backupSummary(result, context)).not.toContain('swap')
    expect(backupSummary(result, context)).toMatch(/^### ⚠️ Lifeboat: 1 database backed up in part and verified\n[^]*⚠️ sessions.* in part.*--exclude-table-data/)
  })

  test('is partial in a list, with every key and with none', async () => {
    const { result, text } = await run('list', { set: 'sessions' })
    expect(result.snapshots).toMatchObject([{ partial: true, sources: [{ partial: [lack] }] }])
    expect(text).toContain(`PARTIAL (sessions: ${lack})`)
    expect(text).toMatch(OFFERED)
    expect(listSummary(result, context)).toContain('PARTIAL')
    for (const key of [await writeKeyOf(identity, undefined), undefined]) {
      const { result, text } = await dispatched('list', { destination, set: 'sessions', ...(key !== undefined && { 'encryption-key': key }) })
      expect(result.snapshots).toMatchObject([{ partial: true }])
      expect(text).toContain('PARTIAL')
    }
  })

  test('is partial for show, verify and check', async () => {
    const shown = await run('show', { set: 'sessions' })
    expect(shown.result).toMatchObject({ partial: true, sources: [{ partial: [lack] }] })
    expect(shown.text).toContain('PARTIAL')
    expect(shown.text).toMatch(OFFERED)
    expect(shown.text).toContain(`sessions: in part: ${lack}`)
    const verified = await run('verify', { set: 'sessions' })
    expect(verified.result).toMatchObject({ result: 'verified', sources: [{ partial: [lack] }] })
    expect(verified.text).toContain(`sessions: in part: ${lack}`)
    expect(verifySummary(verified.result, context)).toMatch(/⚠️ sessions.* in part.*--exclude-table-data/)
    const checked = await run('check', { set: 'sessions' })
    expect(checked.result.sets).toMatchObject([{ verified: { partial: true } }])
    expect(checked.text).toMatch(/^PARTIAL +sessions +\S+, (?!.*PARTIAL)/)
    expect(checkHeadline(checked.result)).toMatch(/: all is fresh; backed up in part: sessions$/)
    expect(checkSummary(checked.result, context)).toMatch(/\| ⚠️ \| sessions \|.*partial/)
  })

  test('is partial for who restores it', async () => {
    const { result, text, warnings } = await run('restore', { set: 'sessions', mode: 'create', 'database-url': server.url('again') })
    expect(result).toMatchObject({ errors: [], backup: { partial: [lack] } })
    expect(warnings).toContain(`the backup of sessions is partial: ${lack}`)
    expect(text).toContain(`The backup of sessions: in part: ${lack}`)
    expect(restoreSummary(result, context)).toMatch(/The backup of sessions.* in part.*--exclude-table-data/)
  })
})

test("pg_dump's warnings of a backup that ended well are the backup's, and stay with the snapshot", async () => {
  const warning = 'subscriptions not dumped because current user is not a superuser'
  const { result, warnings, text } = await backup('subscribed', 'subscribed', {}, server.url('subscribed', 'reader', 'reader'))
  expect(warnings).toContain(`subscribed: ${warning}`)
  expect(result.sources[0]).toMatchObject({ warnings: [warning], partial: [warning] })
  expect(text).toContain(`subscribed: in part: ${warning}`)
  expect((await run('show', { set: 'subscribed' })).text).toContain(warning)
  expect((await run('list', { set: 'subscribed' })).text).toContain('PARTIAL')
})
