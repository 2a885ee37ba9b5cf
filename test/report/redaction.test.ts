import * as fc from 'fast-check'
import { redacted } from '../../src/commands/run-command.ts'
import { Redaction, secretsIn } from '../../src/report/redaction.ts'

function redact(secret: string, text: string): string {
  const redaction = new Redaction()
  for (const part of secretsIn(secret)) redaction.add(part)
  return redaction.apply(text)
}

test('a URL is replaced whole, and its password wherever else it stands', () => {
  const url = 'postgres://app:p%40ss%2Fword@db.example.com/shop'
  expect(redact(`shop=${url}`, `dumping ${url}: FATAL: password p@ss/word (p%40ss%2Fword) of app is wrong`)).toBe('dumping ***: FATAL: password *** (***) of app is wrong')
})

test('a password in the parameters of a URL is one as well', () => {
  expect(redact('postgres://app@db/shop?sslmode=require&password=hunter%2022', 'hunter 22 or hunter%2022')).toBe('*** or ***')
})

test('a password that should have been percent-encoded is still found', () => {
  expect(redact('postgres://app:pa@ss/word@db/shop', 'wrong: pa@ss/word')).toBe('wrong: ***')
})

test('each line is a secret, also one that begins with # and may be a passphrase', () => {
  expect(redact('# created: today\nAGE-SECRET-KEY-1ABC\n', 'AGE-SECRET-KEY-1ABC; # created: today')).toBe('***; ***')
  expect(redact('#hunter22secret', 'the password #hunter22secret is wrong')).toBe('the password *** is wrong')
})

test.each([
  ['postgres://u:Zk9qW7vTn3/db', 'Zk9qW7vTn3'],
  ['postgres://u:Zk9q%40W7v/db', 'Zk9q@W7v'],
  ['postgresql://h:Zk9qW7vTn3', 'Zk9qW7vTn3'],
])('a password without its @ is one as well: %s', (url, password) => {
  expect(redact(url, `wrong: ${password}`)).toBe('wrong: ***')
})

test('a port is no secret', () => {
  for (const url of ['postgres://h:5432/db', 'postgres://h:5432,g:5433/db', 'postgres://[::1]:5432', 'postgres://me@h:5432/db?x=y', 's3://h:9000/b', 's3://b/p?endpoint=http://h:9&region=x'])
    expect(secretsIn(url)).toEqual([url])
})

test('a secret that contains another leaves nothing behind, whichever is known first', () => {
  const redaction = new Redaction()
  redaction.add('secret')
  redaction.add('secret and more')
  expect(redaction.apply('a secret and more')).toBe('a ***')
})

test('each secret is passed on once, and none that is too short to hide', () => {
  const told: string[] = []
  const redaction = new Redaction({ announce: (secret) => told.push(secret) })
  for (const secret of ['long enough', 'long enough', 'abc', '']) redaction.add(secret)
  expect(told).toEqual(['long enough', 'long%20enough', 'bG9uZyBlbm91Z2g'])
  expect(redaction.apply('abc')).toBe('abc')
})

test('a secret is found as JSON, as part of a URL, in base64, and as HTTP sends it with its user', () => {
  const password = 'p"w\\ö/d&é'
  const spelled = [JSON.stringify(password).slice(1, -1), encodeURIComponent(password), Buffer.from(password).toString('base64'), Buffer.from(`app:${password}`).toString('base64')]
  const url = `postgres://app:${encodeURIComponent(password)}@db/shop`
  expect(spelled.map((text) => redact(url, text).replace(/=+$/, ''))).toEqual(['***', '***', '***', '***'])
})

test('no password of four characters or more survives, as it is or encoded, whatever it is made of', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 4, unit: 'grapheme-ascii' }).filter((password) => password.trim() === password && !'postgres://user:@host/app***'.includes(password)), (password) => {
      const url = `postgres://user:${encodeURIComponent(password)}@host/app`
      expect(redact(url, `<${password}> <${encodeURIComponent(password)}> <${url}>`)).toBe('<***> <***> <***>')
    }),
  )
})

test('a result without a key to a store is the same object, and of one with a key only the parts around the key are copied', () => {
  const [key, clean] = [`AGE-SECRET-KEY-1${'Q'.repeat(50)}`, { files: [{ path: 'a', size: 1, gone: undefined }, { path: 'b', at: new Date(0) }], none: null }]
  expect(new Redaction().applyToResult(clean)).toBe(clean)
  const found = new Redaction().applyToResult({ clean, list: ['x', { [key]: `in ${key}` }], said: key })
  expect(found).toEqual({ clean, list: ['x', { '***': 'in ***' }], said: '***' })
  expect(found.clean).toBe(clean)
})

test('the words of programs and stores in a result are redacted, names are not', () => {
  const redaction = new Redaction()
  redaction.add('hunter22')
  redaction.add('shop')
  const said = 'AccessDenied: the key hunter22 may not'
  const chunks = { trashed: { objects: 0, bytes: 0 }, waiting: { objects: 0, bytes: 0 }, deleted: { objects: 0, bytes: 0 }, obstacles: [said] }
  const pruned = { set: 'shop', dryRun: false, kept: 1, deleted: 0, snapshots: [], seconds: 1, chunks }
  const backedUp = {
    snapshot: '20261121T225020Z-21bc0b5f', set: 'shop', time: '2026-11-21T22:50:20.000Z', size: 1, stored: 1, added: 1, chunks: 1, newChunks: 1, deltaChunks: 0, levels: [], seconds: 1,
    shrunk: [], onShrink: 'warn' as const, verified: 'list' as const, complete: true, recent: [], recentTotal: { snapshots: 1, size: 1, unique: 1, stored: 1, objects: 1, differences: { objects: 0, stored: 0, alone: 0 } }, largest: [],
    sources: [{ name: 'shop', kind: 'postgres', size: 1, added: 1, seconds: 1, warnings: [said] }],
    destinations: [{ name: 's3://b', verified: 'list' as const, prune: { skipped: said } }, { name: 's3://c', verified: 'list' as const, prune: pruned }],
  }
  const shown = { destination: 's3://b', timeZone: 'UTC' }
  const results = [redacted({ command: 'prune', result: pruned, shown }, redaction).result, redacted({ command: 'backup', result: backedUp, shown }, redaction).result]
  expect(JSON.stringify(results)).not.toContain('hunter22')
  expect(JSON.stringify(results).match(/AccessDenied: the key \*\*\* may not/g)).toHaveLength(4)
  expect(results[1]).toMatchObject({ set: 'shop', sources: [{ name: 'shop', kind: 'postgres' }] })
})
