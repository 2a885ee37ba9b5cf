import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { contentOf, expectFailure, type Given, Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
let other: string
let writeKey: string
let before: Record<string, string>
beforeAll(async () => {
  server = await startServer(15)
  for (const name of ['shop', 'target']) await server.createDatabase(name)
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 1000) g', 'shop')
  await server.sql('CREATE TABLE precious AS SELECT 1 AS id', 'target')
  sandbox = await Sandbox.open(server.url('shop'))
  other = (await newIdentity()).identity
  writeKey = await writeKeyOf(sandbox.key, undefined)
  await sandbox.backup()
  before = contentOf(sandbox.store)
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})

const both = ['terminal', 'action'] as const

/** Nothing in the store or the target has changed, and no folder was made anywhere near. */
async function expectNothingDone(): Promise<void> {
  expect(contentOf(sandbox.store)).toEqual(before)
  expect(readdirSync(sandbox.folder).filter((name) => !name.startsWith('step-')).toSorted()).toEqual(['store', 'tmp'])
  expect(await server.sql(`SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`, 'target')).toBe('precious')
  expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'brand_new'`)).toBe('0')
}

describe.each(both)('inputs that are refused (%s)', (as) => {
  test.each<[what: string, given: Given, message: RegExp, hint: RegExp]>([
    ['a misspelled input', { 'pg-dump-arg': '--no-owner' }, /backup has no input "pg-dump-arg"; did you mean pg-dump-args\?/, as === 'action' ? /The inputs of backup are database-url, / : /See lifeboat backup --help/],
    ['an input of restore', { tables: 'orders' }, /backup has no input "tables"/, /input of restore.*pg-dump-args.*--table=orders/],
    ['an input of nothing', { colour: 'red' }, /backup has no input "colour"/, as === 'action' ? /The inputs of backup are/ : /See lifeboat backup --help/],
    ['a retention that is none', { retention: '7 dayly' }, /retention: "7" is not a rule/, /Expected .*for example: /],
    ['a misspelled rule of a retention', { retention: 'dayly=7' }, /retention: "dayly=7" is not a rule; did you mean daily=\?/, /[Ff]or example/],
    ['a retention of months', { retention: '3m' }, /retention: "3m" is not a rule/, /[Ff]or example/],
    ['a retention that keeps nothing', { retention: 'last=0' }, /retention: "last=0" does not give a number from 1 to 9999/, /[Ff]or example/],
    ['a tag with a blank', { tags: 'good, not good' }, /tags: "not good" is not a tag/, /[Ff]or example/],
    ['a set that is a path', { set: '../other' }, /set: "\.\.\/other" is not the name of a set/, /[Ff]or example/],
    ['a level of verification that does not exist', { verify: 'full' }, /verify: "full" is not one of /, /[Ff]or example/],
    ['a level of compression too high', { 'compression-level': '20' }, /compression-level: "20" is neither auto, nor fast, nor a whole number from 1 to 19/, /[Ff]or example/],
    ['no jobs', { jobs: '0' }, /jobs: "0" is not a whole number from 1 to 64/, /[Ff]or example/],
    ['half a job', { jobs: '1.5' }, /jobs: "1\.5" is not a whole number/, /[Ff]or example/],
    ['a lock timeout without a unit', { 'lock-timeout': '5' }, /lock-timeout: "5" is not a duration from 1s to 24h/, /[Ff]or example/],
    ['a time zone of nowhere', { timezone: 'Mars/Olympus' }, /timezone: "Mars\/Olympus" is not a time zone/, /[Ff]or example/],
    ['text that is not a recipient', { recipients: 'age1short' }, /recipients: "age1short" is not an age recipient/, /[Ff]or example/],
    ['pg_dump arguments that would break the archive', { 'pg-dump-args': '--format=plain' }, /pg-dump-args: .*--format/, /./],
    ['a destination of a kind that there is not', { destination: 'ftp://host/path' }, /destination: "ftp" is not a kind of destination/, /file:/],
    ['a destination without a kind', { destination: 'mnt/backups' }, /destination: the value is not a destination/, /file:/],
    ['no destination', { destination: '' }, /destination is (?:not given|artifact, .* not given)/, /file:/],
    ['a URL of another scheme', { 'database-url': 'mysql://u:hunter22@localhost/x' }, /mysql:\/\/ is not a PostgreSQL URL/, /postgres:\/\/user:password@host/],
    ['two databases of one name', { 'database-url': 'a=postgres:///x\na=postgres:///y' }, /two databases are named "a"/, /./],
    ['no database', { 'database-url': '' }, /database-url is not given, and DATABASE_URL is not set/, /postgres:\/\//],
    ['a URL without a database', { 'database-url': 'postgres://me@127.0.0.1:1/' }, /database-url names the server 127\.0\.0\.1:1, and no database of it/, /Add its name: postgres:\/\/user:password@127\.0\.0\.1:1\/DATABASE\. To back up all databases of the server, give/],
    ['no key', { 'encryption-key': '' }, /encryption-key is not given, and LIFEBOAT_ENCRYPTION_KEY is not set/, /age identity/],
    ['a passphrase that is too short', { 'encryption-key': 'fifteen letters' }, /the passphrase has 15 characters; at least 16 are needed/, /longer passphrase/],
    ['an identity with a slip of the pen', { 'encryption-key': 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD4' }, /damaged/, /checksum/],
    ['a recipient for a key', { 'encryption-key': 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p' }, /is a recipient, the public half/, /secret half/],
    ['patterns for the files of no volume', { exclude: '*.log' }, /exclude: there are patterns, and no volume/, /leave the patterns out/],
    ['half a write key', { 'encryption-key': 'lifeboat-write:age1abc' }, /the write key is malformed/, /whole line/],
  ])('%s', async (_, given, message, hint) => {
    const ending = await sandbox.run('backup', given, { as })
    expectFailure(ending, 2, message, hint)
    expect(JSON.stringify(ending)).not.toContain('hunter22')
    await expectNothingDone()
  })

  test.each<[what: string, given: Given, message: RegExp, hint: RegExp]>([
    ['a mode that does not exist', { mode: 'replace' }, /mode: "replace" is not one of empty, create, clean/, /[Ff]or example/],
    ['a snapshot that is no id', { snapshot: 'yesterday' }, /snapshot: "yesterday" is neither latest, nor the id of a snapshot, nor a date, time or age/, /[Ff]or example/],
    ['too many jobs', { jobs: '100' }, /jobs: "100" is not a whole number/, /[Ff]or example/],
    ['jobs in one transaction', { jobs: '2', mode: 'clean', confirm: 'target' }, /jobs/, /jobs/],
    ['data that is replaced without a confirmation', { mode: 'swap' }, /this replaces the database target, which nobody has confirmed/, /confirm:? target/],
    ['data of another database than was confirmed', { mode: 'clean', confirm: 'shop' }, /another name was given to confirm it: nothing was changed/, /confirm:? target/],
    ['an exchange back without a confirmation', { undo: 'true' }, /this exchanges the database target, which nobody has confirmed/, /confirm:? target/],
    ['neither yes nor no', { 'no-owner': 'yes' }, /no-owner: "yes" is neither true nor false/, /[Ff]or example/],
    ['no target', { 'database-url': '' }, /database-url, or target for a volume, is not given/, /postgres:\/\//],
    ['a target without a database', { 'database-url': 'postgres://me@127.0.0.1:1' }, /database-url names the server 127\.0\.0\.1:1, and no database of it/, /Add its name: postgres:\/\/user:password@127\.0\.0\.1:1\/DATABASE\. .*mode:? create.* all sources of the backup.*all/],
    ['tables of a volume', { 'database-url': '', volume: 'uploads', target: '/nowhere', tables: 'orders', only: 'data' }, /tables, only: a volume is restored, which has no such part/, /select a part of a volume/],
    ['files of a database', { paths: '*.jpg' }, /paths: a database is restored, which has no such part/, /select a part of a database/],
    ['a database the snapshot does not have', { database: 'accounts' }, /has no database accounts/, /Databases in this snapshot: shop/],
  ])('restore: %s', async (_, given, message, hint) => {
    expectFailure(await sandbox.run('restore', { 'database-url': server.url('target'), ...given }, { as }), 2, message, hint)
    await expectNothingDone()
  })
})

describe.each(both)('a key or a store that does not fit (%s)', (as) => {
  test.each<[what: string, command: 'restore' | 'verify', key: () => string, status: number, message: RegExp, hint: RegExp]>([
    ['restore with another key', 'restore', () => other, 1, /was written with the key [0-9a-f]{16}; the key given is [0-9a-f]{16}/, /the key that this snapshot was made with/],
    ['verify with another key', 'verify', () => other, 3, /was written with the key [0-9a-f]{16}; the key given is [0-9a-f]{16}/, /the key that this snapshot was made with/],
    ['restore with a passphrase for a store without one', 'restore', () => 'a passphrase long enough', 1, /has snapshots but no key file \(keys\/…\).* claim to be of the key [0-9a-f]{16}/, /If the store was made with an age identity \(AGE-SECRET-KEY-1…\), give that identity\. If it was made with a passphrase, put keys\//],
    ['restore with the write key', 'restore', () => writeKey, 1, /a write key cannot read snapshots\//, /Give the age identity or the passphrase/],
  ])('%s', async (_, command, key, status, message, hint) => {
    const target: Given = command === 'restore' ? { 'database-url': server.url('brand_new'), mode: 'create' } : {}
    expectFailure(await sandbox.run(command, { ...target, 'encryption-key': key() }, { as }), status, message, hint)
    await expectNothingDone()
  })

  test.each(['restore', 'verify', 'list'] as const)('%s of a folder that holds no store makes none', async (command) => {
    const empty = path.join(sandbox.folder, 'nothing')
    const target: Given = command === 'restore' ? { 'database-url': server.url('target') } : {}
    expectFailure(await sandbox.run(command, { destination: `file:${empty}`, ...target }, { as }), command === 'verify' ? 3 : 1, /there is no Lifeboat store in file:.*lifeboat\.json is missing/, /disk mounted/)
    await expectNothingDone()
  })
})

test('a backup with another key than the snapshots there are of goes beside them with a warning, and each key restores its own', async () => {
  const shared = await Sandbox.open(server.url('shop'))
  try {
    await shared.backup()
    const { status, err } = await shared.run('backup', { 'encryption-key': other })
    expect([status, err]).toEqual([0, expect.stringMatching(/^warning: 1 snapshot of set default was made with another key \([0-9a-f]{16}\); the key given is [0-9a-f]{16}: this backup cannot be opened with the other key/m)])
    for (const [index, key] of [shared.key, other].entries()) {
      const name = `of_key_${index}`
      expect((await shared.run('restore', { 'encryption-key': key, 'database-url': server.url(name), mode: 'create' })).status).toBe(0)
      expect(await server.sql('SELECT count(*) FROM orders', name)).toBe('1000')
    }
  } finally {
    shared.close()
  }
})

test('a wrong passphrase opens nothing, adds no key of its own, and the right one still does', async () => {
  const locked = await Sandbox.open(server.url('shop'), 'correct horse battery staple')
  const wrong = { 'encryption-key': 'correct horse battery stable' }
  try {
    await locked.backup()
    const before = contentOf(locked.store)
    for (const as of both) {
      for (const [command, given] of [['backup', wrong], ['restore', { ...wrong, 'database-url': server.url('target') }], ['verify', wrong], ['list', wrong]] as const) {
        expectFailure(await locked.run(command, given, { as }), command === 'verify' ? 3 : 1, /the passphrase does not open file:.*\(1 key file tried\)/, /trailing space/)
      }
    }
    expect(contentOf(locked.store)).toEqual(before)
    await locked.restore({ 'database-url': server.url('unlocked'), mode: 'create' })
    expect(await server.sql('SELECT count(*) FROM orders', 'unlocked')).toBe('1000')
  } finally {
    locked.close()
  }
})

describe.each(both)('a store of a newer format is refused and left alone (%s)', (as) => {
  const newer: Record<string, string> = { 'lifeboat.json': '{"format":"lifeboat/2"}\n', 'chunks/new-style': 'of a kind unknown today' }
  test.each(['backup', 'restore', 'verify', 'list'] as const)('by %s', async (command) => {
    const future = await Sandbox.open(server.url('shop'))
    try {
      for (const [name, text] of Object.entries(newer)) {
        mkdirSync(path.dirname(path.join(future.store, name)), { recursive: true })
        writeFileSync(path.join(future.store, name), text)
      }
      const before = contentOf(future.store)
      const target: Given = command === 'restore' ? { 'database-url': server.url('brand_new'), mode: 'create' } : {}
      expectFailure(await future.run(command, target, { as }), command === 'verify' ? 3 : 1, /lifeboat\.json has the format "lifeboat\/2"; this version of Lifeboat reads lifeboat\/1/, /or a newer one. Nothing was changed/)
      expect(contentOf(future.store)).toEqual(before)
      await expectNothingDone()
    } finally {
      future.close()
    }
  })
})
