import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inflateSync } from 'node:zlib'
import { Decrypter, Encrypter } from 'age-encryption'
import * as vectors from 'cctv-age'
import * as fc from 'fast-check'
import { newIdentity } from '../../../src/repository/keys.ts'
import { decrypt, encrypt } from '../../../src/repository/sealing/age.ts'
import { noise, sha256 } from '../../support/bytes.ts'

const SEGMENT = 64 * 1024
const MIB = 1024 * 1024

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-seal-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const own = await newIdentity()
const extra = await newIdentity()
const identityFile = path.join(folder, 'identity.txt')
writeFileSync(identityFile, `${own.identity}\n`, { mode: 0o600 })

const age = (input: Uint8Array, ...args: string[]): Buffer => execFileSync('age', args, { input, maxBuffer: 64 * MIB, stdio: ['pipe', 'pipe', 'pipe'] })

async function byLibrary(sealed: Uint8Array, identity: string): Promise<Uint8Array> {
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  return decrypter.decrypt(sealed)
}

const sizes = [0, 1, 16, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 1, 2 * SEGMENT, 2 * SEGMENT + 1, 3 * MIB + 17]

test.each(sizes)('%i bytes are the same to us, to the age program and to the library, in both directions', async (size) => {
  const plaintext = noise('sealed', size)
  const sealed = await encrypt(plaintext, [own.recipient])
  expect((await decrypt(sealed, own.identity)).equals(plaintext)).toBe(true)
  expect(age(sealed, '-d', '-i', identityFile).equals(plaintext)).toBe(true)
  expect(plaintext.equals(await byLibrary(sealed, own.identity))).toBe(true)

  expect((await decrypt(age(plaintext, '-r', own.recipient), own.identity)).equals(plaintext)).toBe(true)
  const encrypter = new Encrypter()
  encrypter.addRecipient(own.recipient)
  expect((await decrypt(await encrypter.encrypt(plaintext), own.identity)).equals(plaintext)).toBe(true)
})

test('an object that is sealed to several recipients opens with each of their identities, and with no other', async () => {
  const sealed = await encrypt(Buffer.from('content'), [own.recipient, extra.recipient])
  expect((await decrypt(sealed, own.identity)).toString()).toBe('content')
  expect((await decrypt(sealed, extra.identity)).toString()).toBe('content')
  await expect(decrypt(sealed, (await newIdentity()).identity)).rejects.toThrow()
})

const payloadOf = (sealed: Buffer) => sealed.subarray(sealed.indexOf('\n', sealed.indexOf('\n--- ') + 1) + 1)

test('no two seals of the same bytes share a header or a payload', async () => {
  const [one, two] = [await encrypt(noise('same', 100_000), [own.recipient]), await encrypt(noise('same', 100_000), [own.recipient])]
  expect(payloadOf(one).subarray(0, 16).equals(payloadOf(two).subarray(0, 16))).toBe(false)
  expect(payloadOf(one).subarray(16, 64).equals(payloadOf(two).subarray(16, 64))).toBe(false)
})

test('with a post-quantum identity bytes come back, and the library reads them', async () => {
  const hybrid = await newIdentity({ postQuantum: true })
  const plaintext = noise('hybrid', SEGMENT + 5)
  const sealed = await encrypt(plaintext, [hybrid.recipient])
  expect((await decrypt(sealed, hybrid.identity)).equals(plaintext)).toBe(true)
  expect(plaintext.equals(await byLibrary(sealed, hybrid.identity))).toBe(true)
})

test('more recipients than can be read again are refused', async () => {
  const { recipient } = await newIdentity({ postQuantum: true })
  await expect(encrypt(Buffer.from('x'), Array.from({ length: 180 }, () => recipient))).rejects.toThrow('180 recipients are too many')
})

interface Vector {
  name: string
  fields: Map<string, string>
  file: Buffer
}

function parseVector([name, bytes]: [string, Uint8Array]): Vector {
  const vector = Buffer.from(bytes)
  const end = vector.indexOf('\n\n')
  const fields = new Map(vector.toString('utf8', 0, end).split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]))
  const file = vector.subarray(end + 2)
  return { name, fields, file: fields.get('compressed') === 'zlib' ? inflateSync(file) : file }
}

describe('the CCTV vectors of age', () => {
  // Left out: armored files and files of a passphrase alone. Nothing that we seal is armored, and key files, the only objects under a passphrase,
  // are opened by the library, which runs these vectors itself.
  const given = Object.entries<Uint8Array>({ ...vectors }).filter(([, bytes]) => ArrayBuffer.isView(bytes)).map(parseVector)
  const applying = given.filter(({ fields }) => !fields.has('armored') && fields.has('identity'))
  const succeeding = applying.filter(({ fields }) => fields.get('expect') === 'success')
  const failing = applying.filter(({ fields }) => fields.get('expect') !== 'success')

  test('are all there', () => {
    expect(succeeding.length).toBeGreaterThanOrEqual(18)
    expect(failing.length).toBeGreaterThanOrEqual(60)
  })

  test.each(succeeding)('$name is read', async ({ fields, file }) => {
    expect(sha256(await decrypt(file, fields.get('identity')!))).toBe(fields.get('payload'))
  })

  test.each(failing)('$name is refused', async ({ fields, file }) => {
    await expect(decrypt(file, fields.get('identity')!)).rejects.toThrow()
  })
})

describe('a damaged seal', () => {
  const plaintext = noise('damaged', 2 * SEGMENT + 100)
  let sealed: Buffer
  let payload: number
  beforeAll(async () => {
    sealed = await encrypt(plaintext, [own.recipient, extra.recipient])
    payload = sealed.length - payloadOf(sealed).length
  })

  const flipped = (position: number, bit: number): Buffer => {
    const copy = Buffer.from(sealed)
    copy[position]! ^= 1 << bit
    return copy
  }

  test('gives no byte away with any bit of the header flipped', async () => {
    for (let position = 0; position < payload; position++) await expect(decrypt(flipped(position, position % 8), own.identity)).rejects.toThrow()
  })

  test('gives no byte away with a bit flipped around a border of segments', async () => {
    const segments = [0, 16, 16 + SEGMENT, 16 + SEGMENT + 16, 16 + 2 * (SEGMENT + 16), sealed.length - payload - 16, sealed.length - payload]
    const positions = segments.flatMap((border) => [-2, -1, 0, 1].map((step) => payload + border + step)).filter((position) => position >= payload && position < sealed.length)
    expect(positions.length).toBeGreaterThan(20)
    for (const position of positions) await expect(decrypt(flipped(position, position % 8), own.identity)).rejects.toThrow('its content was changed')
  })

  test('gives no byte away wherever it is cut off', async () => {
    const borders = [0, 1, payload - 1, payload, payload + 15, payload + 16, payload + 31, payload + 32, ...[1, 2].flatMap((count) => [-17, -16, -1, 0, 1, 15, 16, 17].map((step) => payload + 16 + count * (SEGMENT + 16) + step)), sealed.length - 1]
    for (const length of borders) await expect(decrypt(sealed.subarray(0, length), own.identity)).rejects.toThrow()
    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 1 }), async (length) => expect(decrypt(sealed.subarray(0, length), own.identity)).rejects.toThrow()), { numRuns: 50 })
  })

  test('gives no byte away with anything after its end, or with segments left out, doubled or exchanged', async () => {
    const start = payload + 16
    const [head, one, two, last] = [sealed.subarray(0, start), sealed.subarray(start, start + SEGMENT + 16), sealed.subarray(start + SEGMENT + 16, start + 2 * (SEGMENT + 16)), sealed.subarray(start + 2 * (SEGMENT + 16))]
    for (const others of [[one, two, last, Buffer.from('x')], [one, two, last, last], [one, last], [two, one, last], [one, one, last], [last], [one, two], []]) {
      await expect(decrypt(Buffer.concat([head, ...others]), own.identity)).rejects.toThrow()
    }
  })

  test('and bytes that never were one are refused', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => expect(decrypt(bytes, own.identity)).rejects.toThrow()))
    await expect(decrypt(Buffer.alloc(8 * MIB, '-'), own.identity)).rejects.toThrow('no end of the header')
  })
})
