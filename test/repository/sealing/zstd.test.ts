import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { canBeBase, compress, decompress } from '../../../src/repository/sealing/zstd.ts'
import { changed, noise, rows } from '../../support/bytes.ts'

const MIB = 1024 * 1024

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-zstd-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, bytes: Buffer): string {
  writeFileSync(path.join(folder, name), bytes)
  return path.join(folder, name)
}

const zstd = (...args: string[]): Buffer => execFileSync('zstd', ['-q', '-d', '-c', ...args], { maxBuffer: 64 * MIB })

/** What comes out, or nothing where it is refused. */
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
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 6 }), (content, other, level) => {
        expect(decompress(compress(content, level), content.length).equals(content)).toBe(true)
        if (!canBeBase(Buffer.from(other))) return
        expect(decompress(compress(content, level, other), content.length, other).equals(content)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('with a base takes little more than what changed', () => {
    const alone = compress(later, 3)
    const difference = compress(later, 1, base)
    expect(difference.length * 20).toBeLessThan(alone.length)
  })

  test('with a base of noise finds its beginning again, however large; with one that repeats itself, by searching', () => {
    for (const size of [MIB, 2 * MIB, 4 * MIB - 4096]) {
      const noisy = noise('base', size)
      expect(compress(changed(noisy, 100_000, 'since'), 3, noisy).length).toBeLessThan(size / 100)
      const repetitive = rows('base', size)
      const content = changed(repetitive, 50_000, 'since')
      const searched = compress(content, 3, repetitive, true)
      expect(searched.length * 20).toBeLessThan(compress(content, 3).length)
      expect(decompress(searched, content.length, repetitive).equals(content)).toBe(true)
    }
  })

  test('is read by the zstd program, differences with -D, and the frame names its content size', () => {
    const baseFile = file('base', base)
    for (const [name, content] of Object.entries({ later, short: Buffer.from('x'), other: noise('other', 4 * MIB) })) {
      const [alone, difference] = [file(`${name}.zst`, compress(content, 3)), file(`${name}.diff.zst`, compress(content, 1, base))]
      expect(zstd(alone).equals(content)).toBe(true)
      expect(zstd('-D', baseFile, difference).equals(content)).toBe(true)
      expect(execFileSync('zstd', ['-lv', difference], { stdio: 'pipe' }).toString()).toContain(`(${content.length} B)`)
    }
  })

  test('of a difference does not come back with another base', () => {
    const difference = compress(later, 1, base)
    const wrong = changed(base, 10_000, 'not the base')
    expect(ofDamaged(() => decompress(difference, later.length, wrong))?.equals(later) ?? false).toBe(false)
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

test('what zstd would take for a structured dictionary, or is too short for one, cannot be a base', () => {
  expect(canBeBase(Buffer.from('37a430ec000000000000', 'hex'))).toBe(false)
  expect(canBeBase(Buffer.alloc(8))).toBe(false)
  expect(canBeBase(Buffer.alloc(9))).toBe(true)
})
