import { randomBytes } from 'node:crypto'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { z } from 'zod'
import { LifeboatError } from '../../src/error.ts'
import { type Keys, newIdentity } from '../../src/repository/keys.ts'
import { openKeys, writeKeyOf } from '../../src/repository/open-keys.ts'
import { encrypt } from '../../src/repository/sealing/age.ts'
import { compress } from '../../src/repository/sealing/zstd.ts'
import { type ChunkEntry, chunkKey, DamagedSnapshot, decodeSnapshot, encodeSnapshot, factsOf, type Manifest, newSnapshotId, openManifest, type SnapshotHeader, snapshotKey } from '../../src/repository/snapshot.ts'
import { sign } from '../../src/repository/signed.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { sha256 } from '../support/bytes.ts'
import { thrownBy } from '../support/thrown.ts'

const nowhere = new FileStore('/nowhere/at/all')
const { identity } = await newIdentity()
const keys = await openKeys(identity, { store: nowhere, create: false })
const otherKeys = await openKeys((await newIdentity()).identity, { store: nowhere, create: false })
const writeKeys = await openKeys(await writeKeyOf(identity, undefined), { store: nowhere, create: false })

const id = '20261120T020000Z-5f3a9c1e'
const key = snapshotKey('app', id)
const chunk = (name: string, size: number, base: number | null = null): ChunkEntry => [sha256(Buffer.from(name)), size, size + 300, base, '5f3a9c1e']
const given: Omit<SnapshotHeader, 'manifest'> = {
  format: 'lifeboat/1', id, set: 'app', time: '2026-11-20T02:00:00.000Z', key: keys.fingerprint, tags: ['nightly', 'v=1'], size: 3000, added: 1500, recipients: [['5f3a9c1e', '0123456789abcdef']],
  chunks: [chunk('one', 1000), chunk('two', 2000, 0)],
}
const content: Manifest = {
  sources: [{ name: 'app', kind: 'postgres', streams: [{ name: 'app.dump', format: 'pg_dump-custom', size: 3000, sum: sha256(Buffer.from('x')), chunks: [0, 1] }], facts: { entries: ['a', 'ü'] } }],
  anchors: ['AQAAAA==', ''],
  spent: [0, 700],
  description: 'a description\nof two lines',
  run: null,
  lifeboat: '1.0.0',
}

const object = await encodeSnapshot(given, content, keys)
const first = object.subarray(0, object.indexOf('\n') + 1)
const line = zstdDecompressSync(object.subarray(first.length)).toString('utf8')
const [, , mac = ''] = first.toString().trim().split(' ')

/** A snapshot object of any header, its MAC made with the key as an honest writer would; and one with the MAC of another header. */
const signed = (text: string | Buffer, by: Keys = keys): Buffer => sign(zstdCompressSync(text), by, 'snapshot')
const unsigned = (text: string): Buffer => Buffer.concat([first, zstdCompressSync(text)])

test('a snapshot comes back as it was put, with its manifest', async () => {
  const snapshot = await decodeSnapshot(key, object, keys)
  expect(snapshot.header).toEqual({ ...given, manifest: expect.any(String) })
  expect(snapshot).toMatchObject({ key, keys: { fingerprint: keys.fingerprint } })
  expect(await openManifest(snapshot)).toEqual(content)
  expect(line).not.toContain('app.dump')
})

test('without a key its header can be read, and is not authenticated', async () => {
  expect(await decodeSnapshot(key, object, undefined)).toEqual({ key, header: expect.objectContaining(given) })
})

test('a write key verifies the MAC and cannot open the manifest', async () => {
  const snapshot = await decodeSnapshot(key, object, writeKeys)
  expect((await thrownBy(openManifest(snapshot))).message).toBe(`a write key cannot read ${key}: that needs the age identity or the passphrase`)
})

test('under another key it is refused, with the names of both', async () => {
  const error = await thrownBy(decodeSnapshot(key, object, otherKeys))
  expect(error.message).toBe(`${key} was written with the key ${keys.fingerprint}; the key given is ${otherKeys.fingerprint}`)
  expect(error).not.toBeInstanceOf(DamagedSnapshot)
})

test('every edit of a character by someone without the key is refused', async () => {
  const characters = ['0', 'f', '"', '}', ' ', '\\', 'é']
  for (let position = 0; position < line.length; position++) {
    // Of the long base64 and hex stretches a sample will do.
    if (position > 700 && position % 23 !== 0) continue
    const character = characters[position % characters.length]!
    if (line[position] === character) continue
    const edited = `${line.slice(0, position)}${character}${line.slice(position + 1)}`
    const { message } = await thrownBy(decodeSnapshot(key, unsigned(edited), keys))
    expect(message).toContain('its signature (MAC) does not verify')
    expect(message).toContain(key)
  }
})

test('characters taken out, put in, or a MAC that is edited are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(line.length - 1), fc.string({ maxLength: 5 }), async (position, inserted) => {
      fc.pre(inserted !== line[position])
      await thrownBy(decodeSnapshot(key, unsigned(line.slice(0, position) + inserted + line.slice(position + 1)), keys))
    }),
  )
  for (let position = 0; position < 64; position++) {
    const edited = `${mac.slice(0, position)}${mac[position] === '0' ? '1' : '0'}${mac.slice(position + 1)}`
    const spoilt = Buffer.concat([Buffer.from(first.toString().replace(mac, edited)), object.subarray(first.length)])
    expect((await thrownBy(decodeSnapshot(key, spoilt, keys))).message).toContain('its signature (MAC) does not verify')
  }
})

test('the MAC of another kind of object is not that of a snapshot', async () => {
  for (const kind of ['labels', 'proof', 'trash', 'parts'] as const) {
    const { message } = await thrownBy(decodeSnapshot(key, sign(object.subarray(first.length), keys, kind), keys))
    expect(message).toContain('its signature (MAC) does not verify')
  }
})

test('bytes that are no UTF-8 are not mistaken for those they are shown as', async () => {
  const edited = Buffer.concat([Buffer.from(line.slice(0, line.indexOf('nightly'))), Buffer.from('night'), Buffer.from([0xff]), Buffer.from(line.slice(line.indexOf('nightly') + 7))])
  await thrownBy(decodeSnapshot(key, signed(edited), keys))
  await thrownBy(decodeSnapshot(key, signed(edited), undefined))
})

test('a snapshot that was moved to another name or set is refused', async () => {
  for (const elsewhere of [snapshotKey('other', id), snapshotKey('app', '20261121T020000Z-5f3a9c1e')]) {
    const error = await thrownBy(decodeSnapshot(elsewhere, object, keys))
    expect(error.message).toBe(`${elsewhere} is not a whole snapshot: it is snapshot ${id} of set app, moved here`)
  }
})

test('an object of another format is damaged here, for lifeboat.json says which format the store has', async () => {
  const newer = Buffer.from('lifeboat/2 whatever follows\n')
  for (const by of [keys, undefined]) {
    const error = await thrownBy(by ? decodeSnapshot(key, newer, by) : decodeSnapshot(key, newer, undefined))
    expect(error).toBeInstanceOf(DamagedSnapshot)
    expect(error.message).toBe(`${key} is not a whole snapshot: it does not begin with the line of a signed object of lifeboat/1`)
  }
})

const { header } = await decodeSnapshot(key, object, keys)
const without = (name: string) => Object.fromEntries(Object.entries(header).filter(([field]) => field !== name))
const chunks = (...entries: unknown[]) => ({ ...header, chunks: entries })
const one = given.chunks[0]!
const two = given.chunks[1]!

test.each<[string, unknown]>([
  ...Object.keys(header).filter((name) => name !== 'format').map((name): [string, unknown] => [`no ${name}`, without(name)]),
  ['an unknown field', { ...header, extra: 1 }],
  ['a field of another type', { ...header, size: '3000' }],
  ['a negative size', { ...header, added: -1 }],
  ['a fraction', { ...header, size: 1.5 }],
  ['a size beyond exact numbers', { ...header, size: 2 ** 60 }],
  ['a set that leads elsewhere', { ...header, set: '../app' }],
  ['an id of another shape', { ...header, id: '2026' }],
  ['a time of another shape', { ...header, time: 'yesterday' }],
  ['a tag with a line feed', { ...header, tags: ['a\nb'] }],
  ['a manifest that is no base64', { ...header, manifest: '***' }],
  ['a list', [header]],
  ['a number', 7],
  ['a chunk with too few fields', chunks(one.slice(0, 4))],
  ['a chunk with too many fields', chunks([...one, 1])],
  ['a chunk without a size', chunks([one[0], 0, 1, null, one[4]])],
  ['a chunk larger than any', chunks([one[0], 8 * 1024 * 1024 + 1, 1, null, one[4]])],
  ['a chunk whose id is no id', chunks(['../../etc/passwd', 1, 1, null, one[4]])],
  ['a chunk whose mark leads elsewhere', chunks([one[0], 1, 1, null, '/../../x'])],
  ['a base out of range', chunks(one, [...two.slice(0, 3), 2, two[4]])],
  ['a base that is a fraction', chunks(one, [...two.slice(0, 3), 0.5, two[4]])],
  ['a chunk that is its own base', chunks([...one.slice(0, 3), 0, one[4]])],
  ['chunks that are bases of each other', chunks([...one.slice(0, 3), 1, one[4]], two)],
  ['a base that is a difference', chunks(one, two, [...chunk('three', 5).slice(0, 3), 1, one[4]])],
])('a header with %s is refused, even with the right MAC', async (_, value) => {
  const error = await thrownBy(decodeSnapshot(key, signed(JSON.stringify(value)), keys))
  expect(error.message.startsWith(key)).toBe(true)
  expect(error.message.length).toBeLessThan(400)
  await thrownBy(decodeSnapshot(key, signed(JSON.stringify(value)), undefined))
})

test('a snapshot that would not be read is not written either', async () => {
  await expect(encodeSnapshot({ ...given, chunks: [one, two, chunk('three', 5, 1)] }, content, keys)).rejects.toThrow('base')
  await expect(encodeSnapshot({ ...given, set: 'a/b' }, content, keys)).rejects.toThrow('set')
})

test('a message shows nothing that a terminal would obey', async () => {
  const odd = signed(JSON.stringify({ ...header, ['\u001b[2J\u009b31m\u202e']: 1 }))
  const { message } = await thrownBy(decodeSnapshot(key, odd, undefined))
  expect(message).not.toMatch(/\p{C}/u)
})

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['no zstd', Buffer.from('not a snapshot')],
  ['half of one', object.subarray(0, object.length / 2)],
  ['all but its last byte', object.subarray(0, -1)],
  ['a frame alone', object.subarray(first.length)],
  ['a line alone', first],
  ['a line without its end', first.subarray(0, -1)],
  ['an empty text', signed('')],
  ['half of the header', signed(line.slice(0, line.length / 2))],
  ['a line with capitals', Buffer.concat([Buffer.from(first.toString().toUpperCase()), object.subarray(first.length)])],
  ['a line with two spaces', Buffer.concat([Buffer.from(first.toString().replace(' ', '  ')), object.subarray(first.length)])],
  ['lines alone', signed(Buffer.alloc(50 * 1024 * 1024, '\n'))],
  ['deep nesting', signed('['.repeat(100_000))],
])('a snapshot object that is %s is refused as damaged', async (_, bytes) => {
  expect(await thrownBy(decodeSnapshot(key, bytes, keys))).toBeInstanceOf(DamagedSnapshot)
  expect(await thrownBy(decodeSnapshot(key, bytes, undefined))).toBeInstanceOf(DamagedSnapshot)
})

/** The text of the header with other chunks. */
function outline(chunks: string): string {
  return line.replace(/"chunks":\[.*\],"manifest"/, `"chunks":[${chunks}],"manifest"`)
}

describe('reading a snapshot that is not authenticated is bounded', () => {
  const entry = `["${'a'.repeat(64)}",1,1,null,"5f3a9c1e"]`

  test('a frame that holds more than 8 times its bytes is refused before it is decompressed, unless its MAC verifies', async () => {
    const large = outline(Array.from({ length: 5000 }, () => entry).join(','))
    const error = await thrownBy(decodeSnapshot(key, signed(large), undefined))
    expect(error).toBeInstanceOf(DamagedSnapshot)
    expect(error.message).toContain('more than the')
    expect((await decodeSnapshot(key, signed(large), keys)).header.chunks).toHaveLength(5000)
  })

  test('an honest header compresses by far less', async () => {
    const many = Array.from({ length: 3000 }, (_, index): ChunkEntry => [sha256(Buffer.from(`${index}`)), 2_000_000, 400_000, null, '5f3a9c1e'])
    const honest = await encodeSnapshot({ ...given, chunks: many }, { ...content, sources: [], anchors: many.map(() => ''), spent: many.map(() => 0) }, keys)
    const text = zstdDecompressSync(honest.subarray(first.length))
    expect(text.length / honest.length).toBeLessThan(4)
    expect((await decodeSnapshot(key, honest, undefined)).header.chunks).toHaveLength(3000)
  })

  test.each<[string, (text: string) => string]>([
    ['white space', (text) => text.replace(',"set"', ', "set"')],
    ['members in another order', (text) => text.replace(/"size":\d+,"added":\d+/, '"added":1,"size":1')],
    ['a member that occurs twice', (text) => text.replace('"size":', '"size":1,"size":')],
    ['a member written with an escape', (text) => text.replace('"set":"app"', '"set":"\\u0061pp"')],
    ['nesting', () => outline('[['.repeat(20_000))],
    ['many members', (text) => text.replace('{', `{${Array.from({ length: 3000 }, (_, index) => `"${index}":1,`).join('')}`)],
    ['lists where numbers belong', (text) => text.replace(/"size":\d+/, '"size":[]')],
    ['a number that begins with a zero', (text) => text.replace(/"size":(\d+)/, '"size":0$1')],
    ['a comma after the last chunk', (text) => text.replace('],"manifest"', ',],"manifest"')],
    ['no comma between chunks', (text) => text.replace('],["', ']["')],
    ['a comma after the last tag', (text) => text.replace(/"tags":\[("[^\]]*)?\]/, '"tags":["a",]')],
    ['no comma between tags', (text) => text.replace(/"tags":\[[^\]]*\]/, '"tags":["a""b"]')],
    ['a comma after the last recipient', (text) => text.replace(/"recipients":\[.*?\],"chunks"/, '"recipients":[["00000000","0123456789abcdef"],],"chunks"')],
    ['a manifest that is no base64', (text) => text.replace(/"manifest":"../, '"manifest":"\\n')],
    ['padding in the middle of the manifest', (text) => text.replace(/"manifest":"../, '"manifest":"==')],
    ['many tags', (text) => text.replace('"tags":[', `"tags":[${'"a",'.repeat(200)}`)],
  ])('a header with %s is refused without being parsed, and with the right MAC as well', async (_, edit) => {
    const edited = edit(line)
    expect(edited).not.toBe(line)
    for (const by of [keys, undefined]) {
      const error = await thrownBy(by ? decodeSnapshot(key, signed(edited), by) : decodeSnapshot(key, signed(edited), undefined))
      expect(error.message).toBe(`${key} is not a whole snapshot: its header is malformed, or of a newer version`)
    }
  })
})

test('random bytes cause a LifeboatError, and no other error', async () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.json(),
    fc.record({ format: fc.constantFrom('lifeboat/1', 'x', null, 7), id: fc.anything(), key: fc.anything(), chunks: fc.anything() }).map((value) => JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? 7 : one))),
  )
  await fc.assert(
    fc.asyncProperty(texts, fc.boolean(), async (text, right) => {
      await thrownBy(decodeSnapshot(key, right ? signed(text) : unsigned(text), keys))
      await thrownBy(decodeSnapshot(key, unsigned(text), undefined))
    }),
    { numRuns: 200 },
  )
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => void (await thrownBy(decodeSnapshot(key, bytes, keys)))))
  await fc.assert(
    fc.asyncProperty(fc.nat(object.length - 1), fc.nat(7), async (position, bit) => {
      const damaged = Buffer.from(object)
      damaged[position]! ^= 1 << bit
      try {
        // A flipped bit in the frame's header may leave the content as it was.
        expect((await decodeSnapshot(key, damaged, keys)).header).toEqual(header)
      } catch (error) {
        expect(error).toBeInstanceOf(LifeboatError)
      }
    }),
  )
})

/** A snapshot with a manifest of someone who has the key but not our program. */
async function withManifest(json: unknown): Promise<Buffer> {
  const sealed = await encrypt(compress(Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)), 3), keys.recipients)
  return signed(JSON.stringify({ ...header, manifest: sealed.toString('base64') }))
}

const source = content.sources[0]!
const stream = source.streams[0]!
const streams = (...list: unknown[]) => ({ ...content, sources: [{ ...source, streams: list }] })

test.each<[string, unknown, RegExp]>([
  ['that is no JSON', 'sources', /cannot be read/],
  ['with an unknown field', { ...content, extra: 1 }, /cannot be read/],
  ['without spent', { ...content, spent: undefined }, /cannot be read/],
  ['with a source whose kind is not a name', { ...content, sources: [{ ...source, kind: 'My SQL' }] }, /cannot be read/],
  ['with a stream whose format is not a name', streams({ ...stream, format: '\u001b[2J' }), /cannot be read/],
  ['with a negative index', streams({ ...stream, chunks: [-1] }), /cannot be read/],
  ['with an index out of range', streams({ ...stream, chunks: [0, 2] }), /contradicts/],
  ['whose chunks are not of the size of the stream', streams({ ...stream, chunks: [0] }), /contradicts/],
  ['whose streams are not of the size of the snapshot', streams(stream, { ...stream, name: 'b' }), /contradicts/],
  ['with anchors for other chunks', { ...content, anchors: [''] }, /contradicts/],
  ['with spent for other chunks', { ...content, spent: [0, 0, 0] }, /contradicts/],
])('a manifest %s is refused', async (_, json, message) => {
  const snapshot = await decodeSnapshot(key, await withManifest(json), keys)
  const error = await thrownBy(openManifest(snapshot))
  expect(error).toBeInstanceOf(DamagedSnapshot)
  expect(error.message).toMatch(message)
  expect(error.message).toContain(key)
})

test('a manifest that does not decrypt, or is not zstd, is refused', async () => {
  const sealed = [randomBytes(500), await encrypt(Buffer.from('not zstd'), keys.recipients), await encrypt(compress(Buffer.from('{}'), 3), otherKeys.recipients)]
  for (const bytes of sealed) {
    const snapshot = await decodeSnapshot(key, signed(JSON.stringify({ ...header, manifest: bytes.toString('base64') })), keys)
    expect(await thrownBy(openManifest(snapshot))).toBeInstanceOf(DamagedSnapshot)
  }
})

test('ids sort by time and end in the mark; chunks lie under the first two digits of theirs', () => {
  expect(newSnapshotId(new Date('2026-11-20T02:00:00.987Z'), Buffer.from('5f3a9c1e', 'hex'))).toBe(id)
  expect(snapshotKey('app', id)).toBe(`snapshots/app/${id}.json.zst`)
  expect(chunkKey('ab'.repeat(32), '5f3a9c1e')).toBe(`chunks/ab/${'ab'.repeat(32)}-5f3a9c1e`)
})

test('facts that are not those of the kind are an error that says which, and how to get the streams all the same', () => {
  const of = { name: 'app', kind: 'postgres', streams: [], facts: { server: { major: '17' } } } satisfies Manifest['sources'][number]
  expect(factsOf({ ...of, facts: { major: 17 } }, z.object({ major: z.int() }))).toEqual({ major: 17 })
  expect(() => factsOf(of, z.object({ server: z.object({ major: z.int() }) }))).toThrow('the facts of the source app are not those of a postgres source: server.major: ')
})
