import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chunkId, chunkSum } from '../../../src/repository/sums.ts'
import { newIdentity } from '../../../src/repository/keys.ts'
import type { Compression } from '../../../src/repository/sealing/stream-level.ts'
import { seal, unseal } from '../../../src/repository/sealing/threads.ts'
import { changed, noise, rows, sha256 } from '../../support/bytes.ts'

const MIB = 1024 * 1024
const own = await newIdentity()
const extra = await newIdentity()
const keys = { idKey: noise('id key', 32) }
const how = { compression: 3, stream: 0, recipients: [own.recipient, extra.recipient], threads: 2 }

/** As the chunker hands them out. */
function shared(bytes: Buffer): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes.length)).fill(bytes)
}

test('many chunks at a time come back whole, for each recipient, and are what the age and zstd programs read', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-threads-'))
  try {
    writeFileSync(path.join(folder, 'identity'), `${own.identity}\n`, { mode: 0o600 })
    const chunks = [1, 100, 65_536, 300_000, 2 * MIB, 4 * MIB].flatMap((size) => [noise(`chunk of ${size}`, size), rows(`chunk of ${size}`, size)])
    const opened = await Promise.all(
      chunks.map(async (chunk) => {
        const { sealed, level } = await seal(shared(chunk), how)
        expect(level).toBe(3)
        writeFileSync(path.join(folder, sha256(chunk)), sealed)
        return Promise.all([own, extra].map(({ identity }) => unseal(Buffer.from(sealed), { identity, ...keys, size: chunk.length })))
      }),
    )
    for (const [index, chunk] of chunks.entries()) {
      expect(opened[index]!.map(({ plaintext, id }) => [sha256(plaintext), id])).toEqual([own, extra].map(() => [sha256(chunk), chunkId(chunkSum(chunk), keys)]))
      const compressed = execFileSync('age', ['-d', '-i', path.join(folder, 'identity'), path.join(folder, sha256(chunk))], { maxBuffer: 8 * MIB })
      expect(sha256(execFileSync('zstd', ['-dcq'], { input: compressed, maxBuffer: 8 * MIB }))).toBe(sha256(chunk))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a chunk becomes a difference where that is smaller than expected of the chunk, or than the chunk is, and is stored alone where it is not', async () => {
  const base = rows('base', MIB)
  const chunk = changed(base, 50_000, 'since')
  const from = (other: Buffer, expected: number, compression: Compression = 3) => seal(shared(chunk), { ...how, compression, difference: { base: Buffer.from(other), matches: compression === 'fast' ? 'long' : 'search', expected } })
  const alone = await seal(shared(chunk), how)
  const [small, compared, fast, refused] = [await from(base, alone.sealed.length), await from(base, 10), await from(base, 10, 'fast'), await from(noise('other', MIB), 10)]
  expect([small.level, compared.level, fast.level, refused.level]).toEqual([undefined, undefined, undefined, 3])
  expect(compared.sealed.length).toBeLessThanOrEqual(small.sealed.length)
  expect(small.sealed.length * 5).toBeLessThan(alone.sealed.length)
  expect(refused.sealed.length).toBe(alone.sealed.length)
  // A base is there for the next one too.
  const opened = { identity: own.identity, ...keys, size: chunk.length }
  for (let turn = 0; turn < 2; turn++) expect(sha256((await unseal(Buffer.from(small.sealed), { ...opened, base })).plaintext)).toBe(sha256(chunk))
  await expect(unseal(small.sealed, opened)).rejects.toThrow()
})

test('where the search for a difference finds too little, the first matches are tried; long matches alone are found anywhere in the base', async () => {
  const base = Buffer.from(Array.from({ length: 400_000 }, (_, row) => `${row}\tabc\n`).join('')).subarray(0, 4_000_000)
  const chunk = Buffer.concat([base.subarray(0, -30), Buffer.alloc(30, 'x')])
  const from = (expected: number, matches: 'search' | 'long' = 'search') => seal(shared(chunk), { ...how, difference: { base: Buffer.from(base), matches, expected } })
  const [searched, first, long] = [await from(1_000_000), await from(1000), await from(1_000_000, 'long')]
  expect([searched.level, first.level, long.level]).toEqual([undefined, undefined, undefined])
  for (const { sealed } of [first, long]) expect(sealed.length * 4).toBeLessThan(searched.sealed.length)
})

test('damaged chunks are refused, also those larger than announced, and the next chunk is served all the same', async () => {
  const chunk = rows('damaged', 200_000)
  const { sealed } = await seal(shared(chunk), how)
  const opened = (bytes: Buffer, size = chunk.length) => unseal(Buffer.from(bytes), { identity: own.identity, ...keys, size })
  for (const position of [0, 30, sealed.length - 40_000, sealed.length - 1]) {
    const copy = Buffer.from(sealed)
    copy[position]! ^= 1
    await expect(opened(copy)).rejects.toThrow()
  }
  await expect(opened(sealed.subarray(0, -1))).rejects.toThrow()
  await expect(opened(sealed, chunk.length - 1)).rejects.toThrow()
  await expect(unseal(Buffer.from(sealed), { identity: (await newIdentity()).identity, ...keys, size: chunk.length })).rejects.toThrow()
  expect(sha256((await opened(sealed)).plaintext)).toBe(sha256(chunk))
})

test('threads do not keep a process that has nothing else to do', () => {
  const sources = path.join(import.meta.dirname, '../../../src/repository')
  const script = `
    import { newIdentity } from '${sources}/keys.ts'
    import { seal } from '${sources}/sealing/threads.ts'
    const { recipient } = await newIdentity()
    const { sealed } = await seal(Buffer.from(new SharedArrayBuffer(1000)), { compression: 3, stream: 0, recipients: [recipient], threads: 1 })
    console.log(sealed.length)`
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8', timeout: 30_000, env: { PATH: process.env['PATH'] } })
  expect(Number(printed)).toBeGreaterThan(200)
})
