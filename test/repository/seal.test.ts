import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inflateSync, zstdCompressSync } from 'node:zlib'
import { Decrypter, Encrypter } from 'age-encryption'
import * as vectors from 'cctv-age'
import * as fc from 'fast-check'
import { newIdentity } from '../../src/repository/keys.ts'
import { canBeBase, compress, decompress, decrypt, encrypt } from '../../src/repository/seal.ts'
import { changed, noise, rows, sha256 } from '../support/bytes.ts'

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

test('what is sealed to several recipients opens with each of their identities, and with no other', async () => {
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
}, 120_000)

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
  }, 120_000)

  test('gives no byte away with a bit flipped around a border of segments', async () => {
    const segments = [0, 16, 16 + SEGMENT, 16 + SEGMENT + 16, 16 + 2 * (SEGMENT + 16), sealed.length - payload - 16, sealed.length - payload]
    const positions = segments.flatMap((border) => [-2, -1, 0, 1].map((step) => payload + border + step)).filter((position) => position >= payload && position < sealed.length)
    expect(positions.length).toBeGreaterThan(20)
    for (const position of positions) await expect(decrypt(flipped(position, position % 8), own.identity)).rejects.toThrow()
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

function file(name: string, bytes: Buffer): string {
  writeFileSync(path.join(folder, name), bytes)
  return path.join(folder, name)
}

const zstd = (...args: string[]): Buffer => execFileSync('zstd', ['-q', '-d', '-c', ...args], { maxBuffer: 64 * MIB })

describe('compression', () => {
  const base = rows('base', 2 * MIB)
  const later = changed(base, 50_000, 'changed since')

  test('gives back any bytes, with and without a base', async () => {
    const bytes = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 2000 }), fc.integer({ min: 1, max: 300_000 }).map((size) => rows(`${size}`, size)))
    await fc.assert(
      fc.asyncProperty(bytes, bytes, fc.integer({ min: 1, max: 6 }), async (content, other, level) => {
        expect((await decompress(await compress(content, level), content.length)).equals(content)).toBe(true)
        if (!canBeBase(Buffer.from(other))) return
        expect((await decompress(await compress(content, level, other), content.length, other)).equals(content)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('with a base takes little more than what changed', async () => {
    const alone = await compress(later, 3)
    const difference = await compress(later, 1, base)
    expect(difference.length * 20).toBeLessThan(alone.length)
  })

  test('with a base of noise finds its beginning again, however large; with one that repeats itself, by searching', async () => {
    for (const size of [MIB, 2 * MIB, 4 * MIB - 4096]) {
      const noisy = noise('base', size)
      expect((await compress(changed(noisy, 100_000, 'since'), 3, noisy)).length).toBeLessThan(size / 100)
      const repetitive = rows('base', size)
      const content = changed(repetitive, 50_000, 'since')
      const searched = await compress(content, 3, repetitive, true)
      expect(searched.length * 20).toBeLessThan((await compress(content, 3)).length)
      expect((await decompress(searched, content.length, repetitive)).equals(content)).toBe(true)
    }
  })

  test('is read by the zstd program, differences with -D, and the frame names its content size', async () => {
    const baseFile = file('base', base)
    for (const [name, content] of Object.entries({ later, short: Buffer.from('x'), other: noise('other', 4 * MIB) })) {
      const [alone, difference] = [file(`${name}.zst`, await compress(content, 3)), file(`${name}.diff.zst`, await compress(content, 1, base))]
      expect(zstd(alone).equals(content)).toBe(true)
      expect(zstd('-D', baseFile, difference).equals(content)).toBe(true)
      expect(execFileSync('zstd', ['-lv', difference], { stdio: 'pipe' }).toString()).toContain(`(${content.length} B)`)
    }
  })

  test('of a difference does not come back with another base', async () => {
    const difference = await compress(later, 1, base)
    const wrong = changed(base, 10_000, 'not the base')
    const result = await decompress(difference, later.length, wrong).catch(() => undefined)
    expect(result?.equals(later) ?? false).toBe(false)
  })

  test('is bounded: what would be larger than announced is refused', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * MIB))
    expect(bomb.length).toBeLessThan(10_000)
    const before = process.memoryUsage().arrayBuffers
    await expect(decompress(bomb, 100_000)).rejects.toThrow()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB)
    await expect(decompress(await compress(Buffer.alloc(1001), 1), 1000)).rejects.toThrow()
  })

  test('that is cut off fails, or gives fewer bytes than announced', async () => {
    const compressed = await compress(later.subarray(0, 100_000), 3)
    for (const length of [0, 1, 4, 10, compressed.length - 1]) {
      const result = await decompress(compressed.subarray(0, length), 100_000).catch(() => undefined)
      expect(result?.length ?? 0).toBeLessThan(100_000)
    }
  })
})

test('what zstd would take for a structured dictionary, or is too short for one, cannot be a base', () => {
  expect(canBeBase(Buffer.from('37a430ec000000000000', 'hex'))).toBe(false)
  expect(canBeBase(Buffer.alloc(8))).toBe(false)
  expect(canBeBase(Buffer.alloc(9))).toBe(true)
})
