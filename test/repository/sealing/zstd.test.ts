import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { contentSizeOf } from '../../../src/repository/sealing/frame.ts'
import { canBeBase, compress, decompress, decompressUpTo, difference } from '../../../src/repository/sealing/zstd.ts'
import { changed, noise, rows } from '../../support/bytes.ts'

const MIB = 1024 * 1024

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-zstd-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, bytes: Buffer): string {
  writeFileSync(path.join(folder, name), bytes)
  return path.join(folder, name)
}

const zstd = (...args: string[]): Buffer => execFileSync('zstd', ['-q', '-d', '-c', ...args], { maxBuffer: 64 * MIB })

/** The decompressed bytes, or nothing if they are refused. */
function ofDamaged(decompressed: () => Buffer): Buffer | undefined {
  try {
    return decompressed()
  } catch {
    return undefined
  }
}

describe('compression', () => {
  const base = rows('base', 2 * MIB)
  const later = changed(base, 50_000, 'changed since')

  test('gives back any bytes, with and without a base', () => {
    const bytes = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 2000 }), fc.integer({ min: 1, max: 300_000 }).map((size) => rows(`${size}`, size)))
    fc.assert(
      fc.property(bytes, bytes, fc.constantFrom(-3, 1, 2, 3, 6), (content, other, level) => {
        expect(decompress(compress(content, level), content.length).equals(content)).toBe(true)
        if (!canBeBase(Buffer.from(other))) return
        expect(decompress(difference(content, other), content.length, other).equals(content)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('with a base takes little more than what changed', () => {
    const alone = compress(later, 3)
    for (const matches of ['first', 'long'] as const) expect(difference(later, base, matches).length * 20).toBeLessThan(alone.length)
  })

  test('with a base of noise finds its beginning again, however large; with one that repeats itself, by searching', () => {
    for (const size of [MIB, 2 * MIB, 4 * MIB - 4096]) {
      const noisy = noise('base', size)
      expect(difference(changed(noisy, 100_000, 'since'), noisy).length).toBeLessThan(size / 100)
      const repetitive = rows('base', size)
      const content = changed(repetitive, 50_000, 'since')
      const searched = difference(content, repetitive, 'search')
      expect(searched.length * 20).toBeLessThan(compress(content, 3).length)
      expect(decompress(searched, content.length, repetitive).equals(content)).toBe(true)
    }
  })

  test('is read by the zstd program, differences with -D, and the frame names its content size', () => {
    const baseFile = file('base', base)
    for (const [name, content] of Object.entries({ later, short: Buffer.from('x'), other: noise('other', 4 * MIB) })) {
      const [alone, fast, from, fastFrom] = [file(`${name}.zst`, compress(content, 3)), file(`${name}.fast.zst`, compress(content, -3)), file(`${name}.diff.zst`, difference(content, base)), file(`${name}.fast.diff.zst`, difference(content, base, 'long'))]
      for (const whole of [alone, fast]) expect(zstd(whole).equals(content)).toBe(true)
      for (const one of [from, fastFrom]) expect(zstd('-D', baseFile, one).equals(content)).toBe(true)
      expect(execFileSync('zstd', ['-lv', from], { stdio: 'pipe' }).toString()).toContain(`(${content.length} B)`)
    }
  })

  test('of a difference does not come back with another base', () => {
    const from = difference(later, base)
    const wrong = changed(base, 10_000, 'not the base')
    expect(ofDamaged(() => decompress(from, later.length, wrong))?.equals(later) ?? false).toBe(false)
  })

  test('is bounded: what would be larger than announced is refused', () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * MIB))
    expect(bomb.length).toBeLessThan(10_000)
    const before = process.memoryUsage().arrayBuffers
    expect(() => decompress(bomb, 100_000)).toThrow()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB)
    expect(() => decompress(compress(Buffer.alloc(1001), 1), 1000)).toThrow()
  })

  test('that is cut off fails, or gives fewer bytes than announced', () => {
    const compressed = compress(later.subarray(0, 100_000), 3)
    for (const length of [0, 1, 4, 10, compressed.length - 1]) {
      expect(ofDamaged(() => decompress(compressed.subarray(0, length), 100_000))?.length ?? 0).toBeLessThan(100_000)
    }
  })
})

test('a chunk that zstd would take for a structured dictionary, or that is too short for one, cannot be a base', () => {
  expect(canBeBase(Buffer.from('37a430ec000000000000', 'hex'))).toBe(false)
  expect(canBeBase(Buffer.alloc(8))).toBe(false)
  expect(canBeBase(Buffer.alloc(9))).toBe(true)
})

describe('exactly one frame with a content size', () => {
  const content = noise('one frame', 100_000)
  const frame = compress(content, 3)
  const streamed = execFileSync('zstd', ['-c'], { input: content })
  const skippable = Buffer.concat([Buffer.from('504d2a1804000000', 'hex'), Buffer.from('skip')])

  test.each<[string, Buffer]>([
    ['a frame and a byte', Buffer.concat([frame, Buffer.from([0])])],
    ['two frames', Buffer.concat([frame, frame])],
    ['a frame and an empty one', Buffer.concat([frame, compress(Buffer.alloc(0), 3)])],
    ['a skippable frame before it', Buffer.concat([skippable, frame])],
    ['a skippable frame after it', Buffer.concat([frame, skippable])],
    ['a frame without its end', frame.subarray(0, -1)],
    ['a frame without a content size', streamed],
    ['nothing', Buffer.alloc(0)],
    ['its first five bytes', frame.subarray(0, 5)],
  ])('%s is refused before anything is decompressed', async (_, bytes) => {
    expect(() => contentSizeOf(bytes)).toThrow(/zstd frame/)
    expect(() => decompress(bytes, content.length)).toThrow(/zstd frame/)
    await expect(decompressUpTo(bytes, content.length)).rejects.toThrow(/zstd frame/)
  })

  test('the content size is known of every frame that is written, and of those of stock zstd', () => {
    for (const size of [0, 1, 255, 256, 65_791, 65_792, 3_000_000]) {
      const bytes = noise('sized', size)
      expect([1, 3, 19].map((level) => contentSizeOf(compress(bytes, level)))).toEqual([size, size, size])
      if (size > 100) expect(contentSizeOf(difference(bytes, noise('base', size)))).toBe(size)
      expect(contentSizeOf(execFileSync('zstd', ['-c', `--stream-size=${size}`], { input: bytes, maxBuffer: 2 ** 24 }))).toBe(size)
    }
  })

  test('a frame that holds another size than it says is refused', async () => {
    const lying = Buffer.from(frame)
    lying.writeUInt32LE(99_999, 5 + (lying[4]! & 0x20 ? 0 : 1))
    expect(contentSizeOf(lying)).toBe(99_999)
    await expect(decompressUpTo(lying, 200_000)).rejects.toThrow()
    expect(() => decompress(lying, 99_999)).toThrow()
  })

  test('a frame that says it holds half a gigabyte is refused by that alone', async () => {
    const bomb = execFileSync('sh', ['-c', 'head -c 536870912 /dev/zero | zstd -c -3 --stream-size=536870912'], { maxBuffer: 2 ** 24 })
    expect(bomb.length).toBeLessThan(60_000)
    const before = process.memoryUsage.rss()
    await expect(decompressUpTo(bomb, 8 * bomb.length + 65_536)).rejects.toThrow('536,870,912 bytes, more than')
    expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 1024 * 1024)
  })
})
