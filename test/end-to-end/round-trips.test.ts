import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { compareDatabases } from '../support/compare-databases.ts'
import { changeDataset, loadDataset, loadIncompressible } from '../support/dataset.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { expectFailure, Sandbox } from './sandbox.ts'

const both = ['terminal', 'action'] as const
let cleanUp: (() => unknown)[]
beforeEach(() => (cleanUp = []))
afterEach(async () => {
  for (const clean of cleanUp) await clean()
})

async function open(databaseUrl: string, key?: string): Promise<Sandbox> {
  const sandbox = await Sandbox.open(databaseUrl, key)
  cleanUp.push(() => sandbox.close())
  return sandbox
}

describe.each([15, 17, 18] as const)('PostgreSQL %i', (major) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(major)
    await server.createDatabase('shop')
    await loadDataset(server, 'shop', { megabytes: 2 })
  })
  afterAll(() => server.stop())
  const expectEqual = async (a: string, b: string): Promise<void> => expect(await compareDatabases({ server, database: a }, { server, database: b })).toEqual([])

  test('a database comes back as it was: new, over another, with several jobs; before and after changes', async () => {
    const sandbox = await open(server.url('shop'))
    const first = await sandbox.backup({ verify: 'read' })
    await server.sql('CREATE DATABASE original TEMPLATE shop')

    const unchanged = await sandbox.backup()
    expect(unchanged.added).toBeLessThan(first.stored / 100)

    await changeDataset(server, 'shop')
    const changed = await sandbox.backup({ verify: 'read' })
    expect(changed.deltaChunks).toBeGreaterThan(0)
    expect(changed.added).toBeLessThan(first.stored / 2)

    const restored = await sandbox.restore({ 'database-url': server.url('new'), mode: 'create', snapshot: first.snapshot })
    expect(restored).toMatchObject({ snapshot: first.snapshot, errors: [], mode: 'create' })
    expect(restored.restored).toBe(restored.entries)
    await expectEqual('original', 'new')

    expect(await sandbox.restore({ 'database-url': server.url('new'), mode: 'clean', confirm: 'new' })).toMatchObject({ snapshot: changed.snapshot, errors: [] })
    await expectEqual('shop', 'new')

    await server.createDatabase('parallel')
    expect(await sandbox.restore({ 'database-url': server.url('parallel'), jobs: '3' })).toMatchObject({ errors: [], mode: 'empty' })
    await expectEqual('shop', 'parallel')
    expect((await sandbox.list()).filter(({ set }) => set === 'default')).toHaveLength(3)
  })
})

describe('a restored database', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(15)
    for (const name of ['shop', 'accounts']) await server.createDatabase(name)
    await loadDataset(server, 'shop', { megabytes: 0.3 })
    await server.sql('CREATE TABLE accounts AS SELECT g AS id FROM generate_series(1, 100) g', 'accounts')
  })
  afterAll(() => server.stop())
  let databases = 0
  const fresh = async (): Promise<string> => {
    const name = `target_${++databases}`
    await server.createDatabase(name)
    return name
  }
  const tables = (database: string): Promise<string> => server.sql(`SELECT string_agg(oid::regclass::text, ' ' ORDER BY 1) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information)'`, database)

  test('one of several databases, by its name; and none unless it is named', async () => {
    const sandbox = await open(server.url('shop'))
    const { sources } = await sandbox.backup({ 'database-url': `${server.url('shop')}\nbooks=${server.url('accounts')}` })
    expect(sources.map(({ name }) => name)).toEqual(['shop', 'books'])
    const target = await fresh()
    for (const as of both) expectFailure(await sandbox.run('restore', { 'database-url': server.url(target) }, { as }), 2, /has several databases: shop, books/, /(?:--|input )database/)
    expect(await sandbox.restore({ 'database-url': server.url(target), database: 'books' })).toMatchObject({ database: 'books', errors: [] })
    expect(await compareDatabases({ server, database: 'accounts' }, { server, database: target })).toEqual([])
    expect(await sandbox.restore({ 'database-url': server.url('another_shop'), database: 'shop', mode: 'create' })).toMatchObject({ errors: [] })
    expect(await compareDatabases({ server, database: 'shop' }, { server, database: 'another_shop' })).toEqual([])
  })

  test('only what the filters name; the schema alone, then the data into it', async () => {
    const sandbox = await open(server.url('shop'))
    await sandbox.backup()
    const some = await fresh()
    expect(await sandbox.restore({ 'database-url': server.url(some), schemas: 'audit' })).toMatchObject({ errors: [] })
    expect(await tables(some)).toBe('audit.log')
    const one = await fresh()
    expect(await sandbox.restore({ 'database-url': server.url(one), tables: 'words' })).toMatchObject({ errors: [] })
    expect(await tables(one)).toBe('words')
    const halves = await fresh()
    expect(await sandbox.restore({ 'database-url': server.url(halves), only: 'schema' })).toMatchObject({ errors: [] })
    expect(await server.sql('SELECT count(*) FROM orders', halves)).toBe('0')
    expect(await sandbox.restore({ 'database-url': server.url(halves), only: 'data' })).toMatchObject({ errors: [] })
    expect(await server.sql('SELECT count(*), sum(total) FROM orders', halves)).toBe(await server.sql('SELECT count(*), sum(total) FROM orders', 'shop'))
  })

  test('the snapshot that is asked for: the latest, an id, the newest not after a time', async () => {
    const sandbox = await open(server.url('accounts'))
    const made = []
    for (const id of [1001, 1002, 1003]) {
      await server.sql(`INSERT INTO accounts VALUES (${id})`, 'accounts')
      made.push(await sandbox.backup())
    }
    await sandbox.backup({ set: 'others' })
    const newest = async (snapshot: string): Promise<string> => {
      const target = await fresh()
      await sandbox.restore({ 'database-url': server.url(target), snapshot })
      return server.sql('SELECT max(id) FROM accounts', target)
    }
    expect(await newest('latest')).toBe('1003')
    for (const [index, { snapshot, time }] of made.entries()) {
      expect(await newest(snapshot)).toBe(String(1001 + index))
      expect(await newest(time)).toBe(String(1001 + index))
    }
    const target = await fresh()
    expectFailure(await sandbox.run('restore', { 'database-url': server.url(target), snapshot: '2020-01-01T00:00:00Z' }), 1, /has no snapshot as old as 2020-01-01 00:00:00 UTC in the set default/, /The oldest of 3 is/)
    expectFailure(await sandbox.run('restore', { 'database-url': server.url(target), snapshot: '20200101T000000Z-00000000' }), 1, /has no snapshot 20200101T000000Z-00000000/, /(?:lifeboat|cli\.js) list/)
    expect(await tables(target)).toBe('')
  })

  test('a database that is not empty stays as it is', async () => {
    const sandbox = await open(server.url('shop'))
    await sandbox.backup()
    const target = await fresh()
    await server.sql('CREATE TABLE precious AS SELECT 1 AS id', target)
    for (const as of both) {
      expectFailure(await sandbox.run('restore', { 'database-url': server.url(target) }, { as }), 1, /is not empty: it has table public\.precious/, /mode:? create/)
      expectFailure(await sandbox.run('restore', { 'database-url': server.url(target), mode: 'create' }, { as }), 1, /exists already/, /another name/)
    }
    expect(await tables(target)).toBe('precious')
  })

  test('by the owner of another recipient, with the stock program age', async () => {
    const { identity, recipient } = await newIdentity()
    const sandbox = await open(server.url('shop'))
    await sandbox.backup({ recipients: recipient })
    const file = path.join(sandbox.folder, 'identity.txt')
    writeFileSync(file, `${identity}\n`, { mode: 0o600 })
    const chunk = execFileSync('sh', ['-c', 'find "$1" -type f | head -1', 'sh', path.join(sandbox.store, 'chunks')], { encoding: 'utf8' }).trim()
    expect(execFileSync('age', ['-d', '-i', file, chunk]).length).toBeGreaterThan(0)
    expect(await sandbox.restore({ 'database-url': server.url('for_the_owner'), mode: 'create' })).toMatchObject({ errors: [] })
  })

  test('with a passphrase', async () => {
    const sandbox = await open(server.url('shop'), 'correct horse battery staple')
    await sandbox.backup({ verify: 'read' })
    await sandbox.backup()
    expect(await sandbox.restore({ 'database-url': server.url('unlocked'), mode: 'create' })).toMatchObject({ errors: [] })
    expect(await compareDatabases({ server, database: 'shop' }, { server, database: 'unlocked' })).toEqual([])
  })

  test('a backup with a write key, deduplicated, by the identity it came from', async () => {
    await server.createDatabase('noise')
    await loadIncompressible(server, 'noise', 8)
    const sandbox = await open(server.url('noise'))
    const first = await sandbox.backup()
    const writeKey = await writeKeyOf(sandbox.key, undefined)
    for (const as of both) {
      const { status, out, err, outputs } = await sandbox.run('backup', { 'encryption-key': writeKey, json: 'true' }, { as })
      expect(status).toBe(0)
      expect(as === 'terminal' ? err : out).toContain('a write key cannot read it back')
      expect(JSON.parse(outputs['result'] ?? out)).toMatchObject({ verified: 'none', deltaChunks: 0 })
      expect(JSON.parse(outputs['result'] ?? out).added).toBeLessThan(first.stored / 2)
    }
    expect(await sandbox.verify({ level: 'read' })).toMatchObject({ result: 'verified' })
    expect(await sandbox.restore({ 'database-url': server.url('from_the_writer'), mode: 'create' })).toMatchObject({ errors: [] })
    expect(await compareDatabases({ server, database: 'noise' }, { server, database: 'from_the_writer' })).toEqual([])
  })
})
