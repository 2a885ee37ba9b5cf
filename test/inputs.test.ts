import * as fc from 'fast-check'
import { HELPER_IMAGE } from '../src/sources/volumes/docker.ts'
import { LifeboatError } from '../src/error.ts'
import { marked } from '../src/marks.ts'
import { type Command, commands, inputsOf, parseInputs } from '../src/commands/all.ts'
import { parseDatabaseLine } from '../src/inputs/database-urls.ts'
import { parseInput } from '../src/inputs/parse.ts'
import { secretsGiven } from '../src/inputs/secrets.ts'
import { likelySecrets, Redaction } from '../src/report/redaction.ts'

const KEY = 'AGE-SECRET-KEY-1SOMETHINGTHATISNOTCHECKEDHERE'
const backup = { 'database-url': 'postgres://app:hunter22@db:5432/shop', 'encryption-key': KEY, destination: 'file:/mnt/backups' }
const ID = '20261120T020000Z-5f3a9c1e'
const NOBODY = { targets: [], secret: undefined }
const ACCESS = { token: undefined, ssh: { key: undefined, passphrase: undefined, password: undefined, knownHosts: undefined }, webdavToken: undefined, timeout: 300_000 }
const restore = { 'encryption-key': KEY, destination: 'file:/mnt/backups', 'database-url': 'postgres://app@db/new' }

function refusal(command: Command, raw: Record<string, string | undefined>, variables: Record<string, string> = {}): LifeboatError {
  return refusalOf(() => parseInputs(command, raw, variables))
}

function refusalOf(parse: () => unknown): LifeboatError {
  try {
    parse()
  } catch (error) {
    if (error instanceof LifeboatError) return error
    throw error
  }
  throw new Error('the value was accepted')
}

describe('secrets given to inputs that are not secret', () => {
  const identity = `AGE-SECRET-KEY-1${'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L'.repeat(2).slice(0, 58)}`
  const writeKey = `lifeboat-write:age1${'qpzry9x8gf2t'.repeat(4)}:${'Ab3_'.repeat(11).slice(1)}`
  const open = commands.flatMap((command) => inputsOf(command).filter(([, input]) => !input.secret).map(([name, input]) => ({ command, name, input })))

  test.each(open)('$command $name refuses keys, without a part of them', ({ name, input }) => {
    for (const key of [identity, writeKey, `age1abc, ${identity.toLowerCase()}`, `a=${writeKey}`]) {
      const error = refusalOf(() => parseInput(name, input, key))
      expect(error.message).toBe(`${name}: the value has a secret key in it, and this input is not kept secret`)
      expect(`${error.message} ${error.hint}`).not.toContain(key.slice(20, 28))
    }
  })

  test.each(open)('$command $name quotes no password of a URL, which is masked', ({ name, input }) => {
    for (const url of ['postgres://u:hunter2secret@h/db', `postgres://${'u'.repeat(30)}:hunter2${'x'.repeat(60)}@h/db`, 'x=s3://u:hunter2secret@h/db', '[postgres://u:hunter2secret@h/db']) {
      expect(secretsGiven([[name, input]], { [name]: url }, {}).some((secret) => secret.startsWith('hunter2'))).toBe(true)
      let error
      try {
        parseInput(name, input, url)
      } catch (caught) {
        error = caught
      }
      expect(error instanceof LifeboatError ? `${error.message} ${error.hint}` : '').not.toContain('hunter2')
    }
  })

  test('the name of an input is shown only if it can be one', () => {
    expect(refusal('list', { ...restore, 'postgres://u:hunter2@h/db': 'x' }).message).not.toContain('hunter2')
    expect(refusal('list', { 'postgres://u:hunter2@h/db': 'x' }).message).toBe('list has no input with the name given (not shown, because it may be a secret)')
  })

  const LONG = 'wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEY'
  const malformed = [
    `s3://b?secret-access-key=${LONG}&access-key-id=AKIAEXAMPLE`, `uploads = s3://b?access-key-id=AKIAEXAMPLE&secret-access-key=${LONG}`,
    `my vol=s3://b?secret-access-key=${LONG}`, `v=S3://b?access-key-id=AKIAEXAMPLE&secret-access-key=${LONG}`, `v=s3:b?secret-access-key=${LONG}`,
    `v=s3://b&secret-access-key=${LONG}`, `v=s3://b;secret_access_key=${LONG}`, `v=s3://b?path-style=x&secret-access-key=${LONG}`,
    `s3://b?endpoint=https%3A%2F%2Fu%3A${LONG}%40e`, `v=docker:secret-access-key=${LONG}`, `azblob://acc/c?account-key=${LONG}`,
    `v=azblob://acc/c?sv=1&sig=${LONG}`, `azblob://acc/c?sas=sv%3D1%26sig%3D${LONG}`, `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${LONG}`,
    `webdav://${LONG}@h/p`, `v=WebDAVs://${LONG}@h`, `webdavs://u:${LONG}@h/p?x=1`, `rclone:x,pass=${LONG}:p`, `v=rclone:x,pass=${LONG}`, `rclone::sftp,pass="${LONG}":p`,
    `ssh:u:${LONG}@h/p`, `v=ssh:/u:${LONG}@h/p`, `v = ssh://u:${LONG}@h/p`, `SFTP://u:${LONG}@h/p`, `u:${LONG}@h`, `secret-access-key=${LONG}`, `s3://b secret-access-key=${LONG}`,
  ]
  const places = (['backup', 'restore', 'list', 'copy'] as const).flatMap((command) =>
    inputsOf(command).filter(([name]) => /^(?:volumes|target|destination|from|to|ssh-tunnel)$/.test(name)).flatMap(([name, input]) => malformed.map((text) => ({ command, name, input, text }))),
  )

  test.each(places)('$command $name shows nothing of a long secret, and masks it: $text', ({ name, input, text }) => {
    expect(secretsGiven([[name, input]], { [name]: text }, {})).toContain(LONG)
    let shown = ''
    try {
      parseInput(name, input, text)
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error
      shown = `${error.message} ${error.hint}`
    }
    for (let at = 0; at + 5 <= LONG.length; at++) expect(shown).not.toContain(LONG.slice(at, at + 5))
  })

  test('the name of a volume, a path and ordinary text are no secrets', () => {
    for (const text of ['key=/srv/keys\ntoken=docker:tokens\nsecret=ssh://me@host/x', 'postgres:17.2-bookworm@sha256:abc', 'deploy@bastion.example.com:2222', 's3://b/p?region=eu-1&sse-kms-key-id=alias/backups', 's3://b/p?endpoint=http://127.0.0.1:9&region=x', 'api_key: select count(*) from keys'])
      expect(likelySecrets(text)).toEqual([])
  })

  test.each([
    ['retention', 'hunter22-hunter22', { 'encryption-key': 'hunter22-hunter22' }],
    ['grace', '7d hunter22', { 'database-url': 'postgres://u:hunter22@h/d' }],
    ['set', 'ghp_16C7e42F292c6912E7710c838347Ae178B4a!', {}],
    ['compression-level', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', {}],
    ['timeout', '0c838347ae178b4a16c7e42f292c69120c838347', {}],
    ['set', 'postgres://u:hunter22@h/d', {}],
    ['timezone', '550e8400-e29b-41d4-a716-446655440000', {}],
    ['timezone', 'sk-proj-abcdefghijkl-mnopqrstuvwxyz-12345678-abcdefgh', {}],
    ['timezone', 'xoxb-123456789012-1234567890123-abcdefghijklmnop', {}],
    ['timezone', '0a1b2c3d4e5f60718293a4b5', {}],
    ['timezone', 'SG.ab3.cd4.ef5.gh6ij7', {}],
    ['timezone', 'user:hunter2tulpe', {}],
    ['timezone', 'password hunter2tulpe', {}],
    ['timezone', 'password: hunter2tulpe', {}],
    ['timezone', '{"password":"hunter2tulpe"}', {}],
  ])('%s: a value that is a secret of another input, or looks like one, is not quoted: %s', (name, value, given) => {
    const { message } = refusal('backup', { ...backup, ...given, [name]: value })
    expect(message).toBe(`${name}: the value is invalid, and not shown, because it has a secret in it, or looks like one`)
  })

  test.each(['20261120T020000Z-5f3a9c1e-latest', 'production database of the shop in eu-central-1', 'Europe/Berlin-and-somewhere-else', 'production-database-of-the-shop-in-eu-central-1', 'db-1.internal.example.com:5432'])('%s is quoted in an error', (value) => {
    expect(refusal('backup', { ...backup, retention: value }).message).toContain(JSON.stringify(value.split(' ')[0]).slice(0, -1))
  })

  test.each(['{"plan":"x","databases":["a"],"password":"hunter2tulpe"}', 'tulpenzwiebel'])('a part and a plan are not quoted: %s', (text) => {
    for (const [command, given] of [['backup', { ...backup, part: text }], ['verdict', { ...restore, plan: text }]] as const) {
      const { message, hint } = refusal(command, given)
      expect(message).toMatch(/^(?:part|plan): it (?:is not|does not begin)/)
      expect(`${message} ${hint}`).not.toMatch(/tulpe/)
    }
  })

  test('a secret in JSON is masked', () => {
    expect(likelySecrets('{"plan":"x","api_token": "hunter2tulpe"}')).toContain('hunter2tulpe')
  })

  test('a key that is broken within its prefix is refused, and not quoted', () => {
    const { message } = refusal('backup', { ...backup, set: `AGE-SECRET-\n  KEY-1${'Q'.repeat(20)}` })
    expect(message).toBe('set: the value has a secret key in it, and this input is not kept secret')
  })

  test('a password without its @ that looks like a port and a database is not shown', () => {
    const { message, hint } = refusal('plan', { 'database-url': 'postgres://u:12345/hunter2tulpe' })
    expect(message).toBe('database-url: the URL names a database; databases are chosen on a server')
    expect(hint).not.toContain('tulpe')
    expect(refusal('plan', { 'database-url': 'a=postgres://h\nb=postgres://h/x' }).message).toContain('URL 2 of 2 names a database')
  })

  test('a truncated key is masked wherever it is printed', () => {
    expect(new Redaction().apply(`set: "${writeKey}"`)).toBe('set: "***"')
    expect(new Redaction().apply(`recipients: "${identity.slice(0, 60)}…" is not`)).toBe('recipients: "***…" is not')
  })
})

describe('inputs that are good', () => {
  test('a backup with the least given has the defaults', () => {
    expect(parseInputs('backup', backup, {})).toEqual({
      notify: NOBODY,
      report: { file: undefined, neutral: false },
      databases: { list: [{ name: 'shop', kind: 'postgres', url: 'postgres://app:hunter22@db:5432/shop' }], tunnel: undefined },
      volumes: { list: [], include: [], exclude: [] },
      files: { onUnreadable: 'fail', rescan: false },
      docker: { image: HELPER_IMAGE },
      hooks: { containers: [], mode: 'stop', before: '', after: '' },
      key: KEY,
      destinations: [{ kind: 'file', text: 'file:/mnt/backups', path: '/mnt/backups' }],
      destinationsRequired: 'all',
      create: false,
      set: 'default',
      recipients: [],
      tags: [],
      description: '',
      attest: false, verify: 'list',
      checkReused: undefined,
      artifacts: { stagingLimit: 2 * 1024 ** 3, fullEvery: undefined },
      onShrink: 'warn',
      retention: {},
      pruning: { minimumPart: 0.5, grace: 86_400_000 },
      dump: { arguments: '', lockTimeout: 300_000, allowPooler: false },
      scratch: { server: undefined, image: undefined, assertions: [], assertionsFile: undefined },
      restored: { command: undefined },
      sealing: { compression: 'auto', jobs: 1 },
      clientInstall: 'auto',
      access: ACCESS,
      timeZone: 'UTC',
    })
  })

  test.each([['auto', undefined], ['', undefined], ['4', 4]])('dump-jobs %j is %p', (given, jobs) => {
    expect(parseInputs('backup', { ...backup, 'dump-jobs': given }, {}).dump.jobs).toBe(jobs)
  })

  test('commas, spaces and a $ within a path stay what they are', () => {
    for (const text of ['file:/mnt/a, b', 'file:/mnt/my file: x', 'file:/mnt/$x', 'file:/mnt/artifacts, artifactory']) {
      expect(parseInputs('list', { destination: text }, {}).destination).toMatchObject({ text })
    }
    expect(parseInputs('backup', { ...backup, volumes: 'a=/x, y\nb=/my files' }, {}).volumes.list).toMatchObject([{ name: 'a' }, { name: 'b' }])
  })

  test('a restore with the least given has the defaults', () => {
    expect(parseInputs('restore', restore, {})).toEqual({
      notify: NOBODY,
      server: { database: { kind: 'postgres', url: 'postgres://app@db/new' }, tunnel: undefined },
      key: KEY,
      destination: { kind: 'file', text: 'file:/mnt/backups', path: '/mnt/backups' },
      set: 'default',
      snapshot: { kind: 'latest' },
      database: undefined,
      mode: 'empty',
      volume: { name: undefined, target: undefined },
      files: { paths: [] },
      folders: { owners: 'number' },
      docker: { image: HELPER_IMAGE },
      bucket: { rewrite: false, deleteExtra: false },
      objects: {
        schemas: [], tables: [], only: undefined, globals: undefined, noOwner: false, noPrivileges: false, noTablespaces: false, allowOlder: false, disableTriggers: false, dropOthers: false,
        databaseSettings: undefined, jobs: 1,
      },
      skipDamaged: undefined,
      all: { wanted: false, map: [] },
      hooks: { containers: [], mode: 'stop', before: '', after: '' },
      swap: { keepSettings: 'archive', lockTimeout: 60_000, terminate: false, keepOld: undefined, drill: false },
      safetyBackup: true,
      afterSwap: undefined,
      confirm: undefined,
      dryRun: false,
      verifyOnly: false,
      clientInstall: 'auto',
      access: ACCESS,
      timeZone: 'UTC',
    })
  })

  test('every default is a value that its own schema accepts, and every plain example too', () => {
    for (const command of commands) {
      for (const [name, input] of inputsOf(command)) {
        if (input.default !== undefined) expect([name, input.schema.safeParse(input.default).success]).toEqual([name, true])
        if (!/lifeboat key/.test(input.example)) expect([name, input.schema.safeParse(input.example).success]).toEqual([name, true])
      }
    }
  })

  test('tables are words, or JSON for names that have a comma, a space or a line end', () => {
    const tables = (text: string) => parseInputs('restore', { ...restore, tables: text }, {}).objects.tables
    expect(tables(' users, billing.orders\n words')).toEqual(['users', 'billing.orders', 'words'])
    expect(tables('["a, b ", ["dotted.schema", "two\\nlines"]]')).toEqual(['a, b ', ['dotted.schema', 'two\nlines']])
    expect(() => tables('["a, b "')).toThrow('begins with [ and is not a JSON array of names')
    expect(() => tables('[["a", "b", "c"]]')).toThrow('begins with [ and is not a JSON array of names')
    expect(parseInputs('restore', { ...restore, schemas: '["a, b"]' }, {}).objects.schemas).toEqual(['a, b'])
  })

  test('an empty string means not given, as GitHub passes it', () => {
    const empty = Object.fromEntries(inputsOf('backup').map(([name]) => [name, '']))
    expect(parseInputs('backup', { ...empty, ...backup }, {})).toEqual(parseInputs('backup', backup, {}))
  })

  test('environment variables stand in for the two secrets, and what is given comes first', () => {
    const variables = { DATABASE_URL: 'postgres://h/fromvariable', LIFEBOAT_ENCRYPTION_KEY: 'variable' }
    const { databases, key } = parseInputs('backup', { destination: 'file:/b', 'encryption-key': 'given' }, variables)
    expect(databases.list).toEqual([{ name: 'fromvariable', kind: 'postgres', url: 'postgres://h/fromvariable' }])
    expect(key).toBe('given')
  })

  test("libpq's own variables name no database to restore into", () => {
    expect(refusal('restore', { ...restore, 'database-url': '' }, { PGHOST: 'db', PGDATABASE: 'shop', PGUSER: 'postgres' }).message).toBe('database-url, or target for a volume, is not given, and DATABASE_URL is not set')
  })

  test("libpq's own variables name the database when no URL does", () => {
    const { databases } = parseInputs('backup', { ...backup, 'database-url': '' }, { PGHOST: 'db', PGDATABASE: 'shop' })
    expect(databases.list).toEqual([{ name: 'shop', kind: 'postgres', url: 'postgres:///shop' }])
  })

  test('several databases are named by their URL or by name=', () => {
    const text = 'postgres://u:p@one/app\n\n  billing = postgresql://u@[::1]:5433/app?sslmode=require \nold.app=postgres://h1:1,h2:2/x'
    expect(parseInputs('backup', { ...backup, 'database-url': text }, {}).databases.list).toEqual([
      { name: 'app', kind: 'postgres', url: 'postgres://u:p@one/app' },
      { name: 'billing', kind: 'postgres', url: 'postgresql://u@[::1]:5433/app?sslmode=require' },
      { name: 'old.app', kind: 'postgres', url: 'postgres://h1:1,h2:2/x' },
    ])
  })

  test('a volume and a database cannot both be named for a restore of one source', () => {
    expect(() => parseInputs('restore', { ...restore, volume: 'uploads', target: '/srv/x', database: 'shop' }, {})).toThrow('one source of the snapshot is restored at a time')
  })

  test.each([
    ['none', {}],
    ['30d', { within: 30 * 86_400_000 }],
    ['last=3 daily=7 weekly=4 monthly=12 yearly=7 within=4w', { last: 3, daily: 7, weekly: 4, monthly: 12, yearly: 7, within: 28 * 86_400_000 }],
    ['last=3,\n within=12h', { last: 3, within: 12 * 3_600_000 }],
  ])('retention %j is understood', (text, policy) => {
    expect(parseInputs('backup', { ...backup, retention: text }, {}).retention).toEqual(policy)
  })

  test.each([
    ['latest', { kind: 'latest' }],
    ['20261120T020000Z-5f3a9c1e', { kind: 'id', id: '20261120T020000Z-5f3a9c1e' }],
    ['2026-11-20T02:00:00+01:00', { kind: 'time', time: new Date('2026-11-20T01:00:00Z') }],
  ])('snapshot %j is understood', (text, choice) => {
    expect(parseInputs('restore', { ...restore, snapshot: text }, {}).snapshot).toEqual(choice)
  })

  test.each([
    ['64MiB', '1d', 64 * 1024 ** 2, 86_400_000],
    ['1024GiB', '10y', 1024 ** 4, 3650 * 86_400_000],
    ['2 GiB', 'never', 2 * 1024 ** 3, Infinity],
  ])('staging-limit %s and full-every %s are understood', (limit, every, stagingLimit, fullEvery) => {
    expect(parseInputs('backup', { ...backup, 'staging-limit': limit, 'full-every': every }, {}).artifacts).toEqual({ stagingLimit, fullEvery })
  })

  test('lists take commas and line ends, each word once', () => {
    const { tags } = parseInputs('backup', { ...backup, tags: 'nightly, release=1.4\nnightly' }, {})
    expect(tags).toEqual(['nightly', 'release=1.4'])
  })

  test('volumes are a name and a place each, and need no database', () => {
    const { volumes, databases } = parseInputs('backup', { ...backup, 'database-url': '', volumes: 'files=/srv/a=b\n app=docker:shop_uploads\n' }, {})
    expect([volumes.list, databases.list]).toEqual([[{ name: 'files', kind: 'directory', path: '/srv/a=b' }, { name: 'app', kind: 'docker', volume: 'shop_uploads' }], []])
  })

  test('verify-only needs no database', () => {
    expect(parseInputs('restore', { ...restore, 'database-url': undefined, 'verify-only': 'true' }, {}).server.database).toBeUndefined()
  })
})

test.each([
  ['postgres://u@h/d', { url: 'postgres://u@h/d' }],
  ['  app=postgres://u@h/d?a=b ', { name: 'app', url: 'postgres://u@h/d?a=b' }],
  ['postgres://u:p=q@h/d', { url: 'postgres://u:p=q@h/d' }],
  ['shop-2.eu = postgresql://h', { name: 'shop-2.eu', url: 'postgresql://h' }],
])('the line %s', (line, expected) => {
  expect(parseDatabaseLine(line)).toEqual(expected)
})

test('a line with an empty or strange name is refused', () => {
  for (const line of ['=postgres://h', 'a b=postgres://h', '-x=postgres://h']) expect(() => parseDatabaseLine(line)).toThrow(expect.objectContaining({ status: 2 }))
})

describe('inputs that are refused', () => {
  test.each<[string, Command, Record<string, string | undefined>]>([
    ['retention: "7" is not a rule; did you mean 7d (7 days) or last=7?; "dayly" is not a rule', 'backup', { retention: '7 dayly' }],
    [
      'retention: "keep-daily=7" is not a rule; did you mean daily=?; "weekly=many" does not give a number from 1 to 9999; last is given twice',
      'backup', { retention: 'keep-daily=7 weekly=many last=3 last=4' },
    ],
    ['database URL in line 2: nothing follows the name and =', 'backup', { 'database-url': 'a=postgres://u:hunter22@h/a\nbilling=' }],
    ['database URL: nothing follows the name and =', 'backup', { 'database-url': 'billing=' }],
    ['database URL in line 2: mysql:// is not a PostgreSQL URL', 'backup', { 'database-url': 'a=postgres://h/a\nmysql://u:hunter22@h/app' }],
    ['database-url: line 2: the URL is in quotation marks. Remove the quotation marks', 'backup', { 'database-url': 'a=postgres://h/a\nb="postgres://u:hunter22@h/a"' }],
    ['retention: "dayly=7" is not a rule; did you mean daily=?', 'backup', { retention: 'dayly=7' }],
    ['retention: "daily=seven" does not give a number from 1 to 9999', 'backup', { retention: 'daily=seven' }],
    ['retention: "last=0" does not give a number from 1 to 9999', 'backup', { retention: 'last=0' }],
    ['retention: last is given twice', 'backup', { retention: 'last=3 last=4' }],
    ['retention: "within=6m" does not give an age like 30d', 'backup', { retention: 'within=6m' }],
    ['retention: "none" is not a rule', 'backup', { retention: 'none last=3' }],
    ['tags: "not good" is not a tag', 'backup', { tags: 'good,not good' }],
    ['set: "../other" is not the name of a set', 'backup', { set: '../other' }],
    ['verify: "full" is not one of none, list, read, drill', 'backup', { verify: 'full' }],
    ['compression-level: "20" is neither auto, nor fast, nor a whole number from 1 to 19', 'backup', { 'compression-level': '20' }],
    ['compression-level: "best" is neither auto, nor fast, nor a whole number from 1 to 19', 'backup', { 'compression-level': 'best' }],
    ['dump-jobs: "many" is neither auto, nor a whole number from 1 to 8', 'backup', { 'dump-jobs': 'many' }],
    ['jobs: "4.0" is not a whole number from 1 to 64', 'backup', { jobs: '4.0' }],
    ['jobs: "0x4" is not a whole number from 1 to 64', 'backup', { jobs: '0x4' }],
    ['lock-timeout: "5 minutes" is not a duration from 1s to 24h', 'backup', { 'lock-timeout': '5 minutes' }],
    ['lock-timeout: "0s" is not a duration from 1s to 24h', 'backup', { 'lock-timeout': '0s' }],
    ...['63MiB', '1025GiB', '2GB', '2', '0GiB', '-1GiB', '1.5GiB'].map((value): [string, Command, Record<string, string>] => [`staging-limit: "${value}" is not a size from 64MiB to 1024GiB`, 'backup', { 'staging-limit': value }]),
    ...['23h', '0d', '11y', '7', 'Never', '1.5d'].map((value): [string, Command, Record<string, string>] => [`full-every: "${value}" is neither a duration from 1d to 10y nor never`, 'backup', { 'full-every': value }]),
    ['timezone: "Berlin" is not a time zone', 'backup', { timezone: 'Berlin' }],
    ['recipients: "bob@example.com" is not an age recipient', 'backup', { recipients: 'bob@example.com' }],
    ['description: 1001 characters are too many', 'backup', { description: 'x'.repeat(1001) }],
    ['destination: artifact stands alone: which artifacts they are follows from the repository and the set', 'backup', { destination: 'artifact:app' }],
    ['timeout: "0s" is not a duration from 1s to 24h', 'backup', { timeout: '0s' }],
    ['client-install: "yes" is not one of auto, never', 'restore', { 'client-install': 'yes' }],
    ['destination: the value is not a destination; a folder begins with / or ./', 'backup', { destination: '~/backups' }],
    ['destination: there are several destinations in one line. Where several can be given: one per line, or the option once for each', 'backup', { destination: '/a, /b' }],
    ['extract SNAPSHOT SOURCE PATH: source is not given', 'extract', { snapshot: 'latest' }],
    ['proof-level: "all" is not one of list, read, drill', 'check', { 'proof-level': 'all' }],
    ['destination: "folder" is not a kind of destination; a folder begins with / or ./', 'backup', { destination: 'folder:/mnt' }],
    ['destination: file: is not followed by a path', 'backup', { destination: 'file:' }],
    ['destination: "~/b" would be a folder named ~; write the whole path', 'backup', { destination: 'file:~/b' }],
    ...['file:/a, file:/b', 'file:/a,artifact', 'file:/a s3://b', 's3://a; s3://b'].map((destination): [string, Command, Record<string, string>] => [
      'destination: there are several destinations in one line. Where several can be given: one per line, or the option once for each', 'backup', { destination },
    ]),
    ['destination: "$HOME/b" would be a folder with a $ in its name: variables are not replaced here; write the whole path', 'backup', { destination: 'file:$HOME/b' }],
    ['volumes: there are several volumes in one line; write one per line, or the option once for each', 'backup', { volumes: 'a=/x, b=/y' }],
    ['volumes: there are several volumes in one line; write one per line, or the option once for each', 'backup', { volumes: 'a=/x b=docker:y' }],
    ['database-url: there are several URLs in one line. Write one per line', 'backup', { 'database-url': 'postgres://u:hunter22@h/a, b=postgres://h/b' }],
    ['database-url: the URL is in quotation marks. Remove the quotation marks', 'restore', { 'database-url': '"postgres://u:hunter22@h/a"' }],
    ['destination: there are 2 destinations, and one is needed here: give only one of them', 'list', { destination: 'file:/a\nfile:/b' }],
    ['destination: file:/a is there twice', 'backup', { destination: 'file:/a\nfile:/a' }],
    ['database-url: two databases are named "app"; put a different name= before each URL', 'backup', { 'database-url': 'postgres://h/app\npostgres://g/app' }],
    ['database URL: mysql:// is not a PostgreSQL URL', 'backup', { 'database-url': 'mysql://u:hunter22@h/app' }],
    ['database-url is not given, and DATABASE_URL is not set', 'backup', { 'database-url': undefined }],
    ['destination is artifact, the artifacts of a repository, but GITHUB_REPOSITORY and a token are not given', 'backup', { destination: '' }],
    ['encryption-key is not given, and LIFEBOAT_ENCRYPTION_KEY is not set', 'backup', { 'encryption-key': '' }],
    ['verify-only: "yes" is neither true nor false', 'restore', { 'verify-only': 'yes' }],
    ['no-owner: "True" is neither true nor false', 'restore', { 'no-owner': 'True' }],
    ['volumes: "/srv/files" does not begin with a name and =', 'backup', { volumes: '/srv/files' }],
    ['volumes: "s3:" does not begin with a name and =', 'backup', { volumes: 's3://b/p' }],
    ['volumes: line 2 does not begin with a name and =', 'backup', { volumes: 'a=/x\nwhat?' }],
    ['volumes: the name "uploads" is not followed by = and a location', 'backup', { volumes: 'uploads = /srv/files' }],
    ['volumes: the location is neither a path that begins with / or ./, nor docker: and the name of a volume, nor ssh://user@host/path, nor s3://bucket/prefix; write a folder of the working directory with ./ before its name', 'backup', { volumes: 'a=out2' }],
    ['backup has no input "database"', 'backup', { database: 'shop' }],
    ['volumes: "webdav:" is neither a path that begins with / or ./, nor docker: and the name of a volume, nor ssh://user@host/path, nor s3://bucket/prefix', 'backup', { volumes: 'a=webdav://h/x' }],
    ['volumes: the text after docker: is not the name of a Docker volume', 'backup', { volumes: 'a=docker:a/b' }],
    ['volumes: two volumes are named "a"', 'backup', { volumes: 'a=/x\na=/y' }],
    ['volumes: there is no user@ before the host', 'backup', { volumes: 'a=ssh://host/x' }],
    [marked`volumes: there is a password in it; give it as ‹ssh-password›`, 'backup', { volumes: 'a=ssh://me:hunter22@host/x' }],
    ['volumes: the host is not followed by a path: /srv/files, or /~/files for a folder where a login starts', 'backup', { volumes: 'a=ssh://me@host' }],
    ['volumes: the path has a part . or ..', 'backup', { volumes: 'a=ssh://me@host/srv/../etc' }],
    ['target: the host is neither a name nor an address', 'restore', { target: 'ssh://me@-oProxyCommand=x/y' }],
    ['ssh-tunnel: it is no URL, only user@host or user@host:port', 'backup', { 'ssh-tunnel': 'ssh://me@host' }],
    ['ssh-tunnel: it ends with the host or its port', 'doctor', { 'ssh-tunnel': 'me@host/srv' }],
    [marked`ssh-tunnel: there is a password in it; give it as ‹ssh-password›`, 'restore', { 'ssh-tunnel': 'me:hunter22@host' }],
    ['ssh-tunnel is given, but no database is connected to', 'backup', { 'ssh-tunnel': 'me@host', 'database-url': '', volumes: 'a=/x' }],
    ['ssh-tunnel is given, but no database is connected to', 'doctor', { 'ssh-tunnel': 'me@host', 'database-url': '' }],
    ['ssh-tunnel is given, but no database is connected to', 'restore', { 'ssh-tunnel': 'me@host', 'verify-only': 'true' }],
    ['ssh-tunnel is given, but no database is connected to', 'restore', { 'ssh-tunnel': 'me@host', volume: 'a', target: '/x' }],
    ['database-url, or target for a volume, is not given, and DATABASE_URL is not set', 'restore', { 'ssh-tunnel': 'me@host', 'database-url': '' }],
    ['a database and a volume are both named "shop"', 'backup', { volumes: 'shop=/x' }],
    ['mode: "replace" is not one of empty, create, clean, overwrite, swap', 'restore', { mode: 'replace' }],
    ['only: "rows" is not one of schema, data', 'restore', { only: 'rows' }],
    ['snapshot: "yesterday" is neither latest, nor the id of a snapshot, nor a date, time or age', 'restore', { snapshot: 'yesterday' }],
    ['snapshot: "2026-11-20T02:00:00" lacks its offset from UTC: 2026-11-20T02:00:00Z is that time in UTC', 'restore', { snapshot: '2026-11-20T02:00:00' }],
    ['database URL: there are 2 lines, and one database is restored at a time', 'restore', { 'database-url': 'postgres://a/b\npostgres://c/d' }],
    ['database-url, or target for a volume, is not given, and DATABASE_URL is not set', 'restore', { 'database-url': '' }],
    ['level: "all" is not one of list, read, drill', 'verify', { level: 'all' }],
    ['assert-sql: "orders" is not a name, a colon and a query', 'verify', { 'assert-sql': 'orders' }],
    ['scratch-url: only a drill needs a scratch server, and level is list', 'verify', { 'scratch-url': 'postgres://postgres:x@localhost/postgres' }],
    ['scratch-url and scratch-image are both given, and a drill needs one server', 'verify', { level: 'drill', 'scratch-url': 'postgres://postgres:x@localhost/postgres', 'scratch-image': 'postgres:17' }],
    ["the file of assert-sql-file cannot be read: ENOENT: no such file or directory, open '/nowhere/at/all'", 'verify', { level: 'drill', 'assert-sql-file': '/nowhere/at/all' }],
    ['assert-sql and assert-command: conditions are asked only in a drill, and level is read', 'verify', { level: 'read', 'assert-sql': 'x: SELECT true', 'assert-command': 'true' }],
    ['assert-sql-file: conditions are asked only in a drill, and verify is list', 'backup', { 'assert-sql-file': 'x.sql' }],
    ['drill is true, and verify is read: they contradict each other', 'backup', { drill: 'true', verify: 'read' }],
    ['drill is false, and verify is drill: they contradict each other', 'backup', { drill: 'false', verify: 'drill' }],
    ['attest: there is no verification to attest, as verify is none', 'backup', { attest: 'true', verify: 'none' }],
  ])('%s', (message, command, wrong) => {
    const given = Object.fromEntries(Object.entries(command === 'backup' ? backup : restore).filter(([name]) => inputsOf(command).some(([known]) => known === name)))
    const error = refusal(command, { ...given, ...wrong })
    expect(error.message).toBe(message)
    expect(error.status).toBe(2)
    expect(error.hint).toMatch(/./)
  })

  test('a password in the address of an SSH server is refused, and masked all the same', () => {
    const given = { volumes: 'a=/x\nb=ssh://me:hunter22@host/x', target: 'ssh://me:hunter23@host/x', 'ssh-tunnel': 'me:hunter24@host' }
    expect(secretsGiven([...inputsOf('backup'), ...inputsOf('restore')], given, {})).toEqual(expect.arrayContaining(['hunter22', 'hunter23', 'hunter24']))
  })

  test('several databases are restored from one URL, as the hint for several says', () => {
    const { hint } = refusal('restore', { ...restore, 'database-url': 'postgres://a/b\npostgres://c/d', all: 'true' })
    expect(hint).toMatch(/^Give one URL\. To restore all databases of a backup, give .*the URL of their server without the name of a database/)
  })

  test('the hint says what is expected and gives an example', () => {
    expect(refusal('backup', { ...backup, jobs: 'many' }).hint).toBe('Expected a whole number from 1 to 64; for example: 4.')
  })

  test('a misspelled name is answered with the nearest, and a strange one with none', () => {
    expect(refusal('backup', { ...backup, 'encription-key': 'x' }).message).toBe('backup has no input "encription-key"; did you mean encryption-key?')
    expect(refusal('backup', { ...backup, dburl: 'x' }).message).toBe('backup has no input "dburl"')
    expect(refusal('list', { ...restore, mode: 'x' }).message).toMatch(/^list has no input "database-url"/)
  })

  test('no error shows any part of a secret, however it is broken', () => {
    const secret = 'hunter22secret'
    const piece = fc.constantFrom('postgres://', 'postgresql://', 'mysql://', 'name=', 'na me=', '@', ':', '/', '?', '=', '%', '%zz', ' ', '\n', 'host', '[', ',', '&', '99999999')
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.constantFrom<Command>('backup', 'restore'), (pieces, command) => {
        const text = `postgres://user:${pieces.join('')}${secret}${pieces.join('')}@host/app`
        try {
          parseInputs(command, { 'encryption-key': KEY, destination: 'file:/b', 'database-url': text }, {})
        } catch (error) {
          if (!(error instanceof LifeboatError)) throw error
          expect(`${error.message} ${error.hint}`).not.toContain(secret)
        }
      }),
    )
  })
})

test('the secrets of a command are known before anything is checked', () => {
  expect(secretsGiven(inputsOf('backup'), { 'database-url': 'nonsense', tags: 'open' }, { LIFEBOAT_ENCRYPTION_KEY: 'k', DATABASE_URL: 'u' })).toEqual(['nonsense', 'u', 'k'])
})

// `init` asks for the repository.
test.each(commands.filter((command) => command !== 'init' && inputsOf(command).some(([name]) => name === 'destination')))('%s refuses artifacts outside of a repository', (command) => {
  const given: Record<string, string> = { ...backup, destination: 'artifact' }
  const raw = Object.fromEntries(inputsOf(command).flatMap(([name, input]) => (name in given || input.required ? [[name, given[name] ?? (input.list ? ID : input.example)]] : [])))
  expect(refusal(command, { ...raw, ...(command === 'restore' && { 'verify-only': 'true' }) }).message).toContain('destination is artifact, the artifacts of a repository, but GITHUB_REPOSITORY and a token are not given')
})
