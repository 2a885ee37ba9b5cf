import * as fc from 'fast-check'
import { BufferPool, type Chunk, chunksOf, Cutter, MAXIMUM_ANCHORS, MAXIMUM_CHUNK, MINIMUM_CHUNK } from '../../src/repository/chunker.ts'
import { inPieces, noise, sha256 } from '../support/bytes.ts'
// The slow twin, written from docs/format.md alone.
import { cut } from '../support/plain-reader.ts'

const MIB = 1024 * 1024

interface Cut {
  length: number
  anchors: number[]
}

function tableOf(gear: Buffer): Int32Array {
  return Int32Array.from({ length: 256 }, (_, index) => gear.readInt32LE(index * 4))
}

const gear = noise('gear', 1024)
const table = tableOf(gear)
/** Half of all bytes leave no trace in the hash, so that runs of them make every byte an anchor. */
const halfEmpty = Buffer.concat([Buffer.alloc(512), noise('half', 512)])

async function cutStream(stream: AsyncIterable<Uint8Array>, words = table): Promise<Cut[]> {
  const cuts: Cut[] = []
  for await (const chunk of chunksOf(stream, words, new BufferPool(1))) {
    cuts.push({ length: chunk.bytes.length, anchors: [...chunk.anchors] })
    chunk.release()
  }
  return cuts
}

function cutByteByByte(bytes: Buffer, words: Int32Array): Cut[] {
  const cutter = new Cutter(words)
  const cuts: Cut[] = []
  let start = 0
  for (let end = 1; end <= bytes.length; end++) {
    const length = cutter.scan(bytes.subarray(start), end - start - 1, end - start)
    if (length === 0 && end < bytes.length) continue
    cuts.push({ length: end - start, anchors: [...cutter.finish()] })
    start = end
  }
  return cuts
}

/** Streams of stretches that are random, constant, periodic, or quiet under a half-empty table. */
const stretch = fc.record({
  kind: fc.constantFrom('random', 'constant', 'periodic', 'quiet'),
  size: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 900_000 })),
  seed: fc.integer({ min: 0, max: 255 }),
})
const stream = fc.array(stretch, { minLength: 1, maxLength: 5 }).map((stretches) =>
  Buffer.concat(
    stretches.map(({ kind, size, seed }) => {
      if (kind === 'constant') return Buffer.alloc(size, seed)
      if (kind === 'periodic') return Buffer.alloc(size, noise(`${seed}`, 1 + seed))
      const bytes = noise(`${seed}`, size)
      return kind === 'random' ? bytes : bytes.subarray(0, 20_000).map((byte) => byte & 127)
    }),
  ),
)

test('whole, in pieces of any size and byte by byte, a stream is cut as its slow twin cuts it', async () => {
  await fc.assert(
    fc.asyncProperty(stream, fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 6 }), fc.constantFrom(gear, halfEmpty), async (bytes, sizes, words) => {
      const expected = cut(bytes, words)
      expect(await cutStream(inPieces(bytes, [bytes.length]), tableOf(words))).toEqual(expected)
      expect(await cutStream(inPieces(bytes, sizes), tableOf(words))).toEqual(expected)
      expect(cutByteByByte(bytes, tableOf(words))).toEqual(expected)
    }),
    { numRuns: 8 },
  )
})

test('pieces of one byte, and empty ones between them, change nothing', async () => {
  const bytes = noise('bytes', MINIMUM_CHUNK + 60_000)
  const withEmptyOnes = async function* () {
    for await (const piece of inPieces(bytes, [1])) {
      yield piece
      yield Buffer.alloc(0)
    }
  }
  expect(await cutStream(withEmptyOnes())).toEqual(cut(bytes, gear))
})

test('a piece larger than any chunk is cut as its slow twin cuts it', async () => {
  const bytes = Buffer.concat([noise('large', 3 * MIB), Buffer.alloc(5 * MIB, 7)])
  expect(await cutStream(inPieces(bytes, [bytes.length]))).toEqual(cut(bytes, gear))
})

test('a table that makes every byte an anchor gives the smallest chunks and no more than 64 anchors', async () => {
  const bytes = noise('hostile', MINIMUM_CHUNK + 1000)
  const cuts = await cutStream(inPieces(bytes), new Int32Array(256))
  expect(cuts.map(({ length }) => length)).toEqual([MINIMUM_CHUNK, 1000])
  for (const { anchors } of cuts) {
    expect(anchors).toHaveLength(MAXIMUM_ANCHORS)
    expect(anchors).toEqual([...new Set(anchors)].toSorted((a, b) => a - b))
  }
})

test('a stream of zeros is cut at the maximum, and has at most one anchor', async () => {
  const cuts = await cutStream(inPieces(Buffer.alloc(2 * MAXIMUM_CHUNK + 5)))
  expect(cuts.map(({ length }) => length)).toEqual([MAXIMUM_CHUNK, MAXIMUM_CHUNK, 5])
  for (const { anchors } of cuts) expect(anchors.length).toBeLessThanOrEqual(1)
})

test('chunks put together are the stream, each but the last between minimum and maximum', async () => {
  const bytes = Buffer.concat([noise('a', 12 * MIB), Buffer.alloc(9 * MIB, 3), noise('b', 4 * MIB)])
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(inPieces(bytes, [100_000]), table, new BufferPool(1))) {
    chunks.push(Buffer.from(chunk.bytes))
    chunk.release()
  }
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  expect(chunks.length).toBeGreaterThan(8)
  for (const chunk of chunks.slice(0, -1)) {
    expect(chunk.length).toBeGreaterThanOrEqual(MINIMUM_CHUNK)
    expect(chunk.length).toBeLessThanOrEqual(MAXIMUM_CHUNK)
  }
})

async function contents(of: Buffer): Promise<Set<string>> {
  const found = new Set<string>()
  for await (const chunk of chunksOf(inPieces(of), table, new BufferPool(1))) {
    found.add(sha256(chunk.bytes))
    chunk.release()
  }
  return found
}

test('an insertion changes the chunks beside it alone', async () => {
  const bytes = noise('insertion', 24 * MIB)
  const longer = Buffer.concat([bytes.subarray(0, 10 * MIB), Buffer.from('inserted'), bytes.subarray(10 * MIB)])
  const before = await contents(bytes)
  const after = await contents(longer)
  expect(before.size).toBeGreaterThan(8)
  expect([...after].filter((content) => !before.has(content)).length).toBeLessThanOrEqual(3)
})

test('an empty stream has no chunks', async () => {
  expect(await cutStream(inPieces(Buffer.alloc(0)))).toEqual([])
})

/** Takes out what a pool has: all its buffers, when it is whole. */
function takeAll(pool: BufferPool, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const buffer = pool.take()
    if (buffer instanceof Promise) throw new Error('a buffer is missing from the pool')
    return buffer
  })
}

test('a pool hands out each of its buffers once, and to whoever waits as soon as one is given back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.boolean(), { maxLength: 60 }), async (count, takes) => {
      const pool = new BufferPool(count)
      const out = new Set<Buffer>()
      const hand = (buffer: Buffer): void => {
        expect(out.has(buffer)).toBe(false)
        out.add(buffer)
      }
      let waiting = 0
      const arrivals: Promise<void>[] = []
      for (const takesOne of takes) {
        if (takesOne) {
          const taken = pool.take()
          if (taken instanceof Promise) {
            waiting++
            const arrive = async () => {
              hand(await taken)
              waiting--
            }
            arrivals.push(arrive())
          } else hand(taken)
        } else {
          const [one] = out
          if (!one) continue
          out.delete(one)
          pool.give(one)
        }
        await Promise.resolve()
        await Promise.resolve()
        expect(out.size).toBeLessThanOrEqual(count)
        expect(waiting === 0 || out.size === count).toBe(true)
      }
      for (let left = waiting; left > 0; left--) {
        const [one] = out
        out.delete(one!)
        pool.give(one!)
        await Promise.resolve()
        await Promise.resolve()
      }
      await Promise.all(arrivals)
    }),
    { numRuns: 50 },
  )
})

test('two streams share a pool and never hold the same buffer', async () => {
  const pool = new BufferPool(3)
  const held = new Set<ArrayBufferLike>()
  const read = async (seed: string): Promise<void> => {
    const bytes = noise(seed, 8 * MIB)
    let offset = 0
    for await (const chunk of chunksOf(inPieces(bytes), table, pool)) {
      expect(held.has(chunk.bytes.buffer)).toBe(false)
      held.add(chunk.bytes.buffer)
      await new Promise(setImmediate)
      expect(chunk.bytes.equals(bytes.subarray(offset, offset + chunk.bytes.length))).toBe(true)
      offset += chunk.bytes.length
      held.delete(chunk.bytes.buffer)
      chunk.release()
    }
    expect(offset).toBe(bytes.length)
  }
  await Promise.all([read('one'), read('two')])
  expect(new Set(takeAll(pool, 3)).size).toBe(3)
})

async function releaseAll(chunks: AsyncIterable<Chunk>): Promise<void> {
  for await (const chunk of chunks) chunk.release()
}

test('a pool is whole again when the stream has ended, has failed, or was left early', async () => {
  const bytes = noise('pool', 5 * MIB)
  const breaks = async function* () {
    yield* inPieces(bytes)
    throw new Error('the source broke')
  }
  const ended = new BufferPool(2)
  await releaseAll(chunksOf(inPieces(bytes), table, ended))
  expect(new Set(takeAll(ended, 2)).size).toBe(2)

  const failed = new BufferPool(2)
  await expect(releaseAll(chunksOf(breaks(), table, failed))).rejects.toThrow('the source broke')
  expect(new Set(takeAll(failed, 2)).size).toBe(2)

  const left = new BufferPool(2)
  let sourceClosed = false
  const source = async function* () {
    try {
      yield* inPieces(bytes)
    } finally {
      sourceClosed = true
    }
  }
  for await (const chunk of chunksOf(source(), table, left)) {
    chunk.release()
    break
  }
  expect(new Set(takeAll(left, 2)).size).toBe(2)
  expect(sourceClosed).toBe(true)
})

test('a stream waits for a buffer to be given back, and reads nothing meanwhile', async () => {
  let read = 0
  const counted = async function* () {
    for await (const piece of inPieces(noise('slow', 20 * MIB))) {
      read += piece.length
      yield piece
    }
  }
  const chunks = chunksOf(counted(), table, new BufferPool(2))
  const held = [(await chunks.next()).value!, (await chunks.next()).value!]
  const third = chunks.next()
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  expect(read).toBeLessThanOrEqual(held[0]!.bytes.length + held[1]!.bytes.length + 2 * 65536)
  held[0]!.release()
  expect((await third).done).toBe(false)
  await chunks.return()
})
