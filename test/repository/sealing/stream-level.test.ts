import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { StreamLevel } from '../../../src/repository/sealing/stream-level.ts'
import { compress } from '../../../src/repository/sealing/zstd.ts'
import { FileStore } from '../../../src/stores/file/store.ts'
import { noise, rows } from '../../support/bytes.ts'
import { digests, restored, Run } from '../../support/engine.ts'

/** Chunks by what they compress to, of 1000 bytes, at the levels 1 and 3; the levels at which they are stored, and how many at both. */
function levelsOf(chunks: readonly (readonly [number, number])[]): { levels: number[]; tried: number } {
  let [current, compressions] = [chunks[0]!, 0]
  const stream = new StreamLevel('auto', (_, level) => {
    compressions++
    return Buffer.alloc(level === 1 ? current[0] : current[1])
  })
  const levels = chunks.map((sizes) => {
    current = sizes
    return stream.compress(Buffer.alloc(1000)).level
  })
  return { levels, tried: compressions - chunks.length }
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

describe('auto', () => {
  test.each<[string, [number, number], number]>([
    ['smaller at level 3 by 2 %', [300, 294], 3],
    ['smaller at level 3 by less', [300, 295], 1],
    ['of the same size', [1000, 1000], 1],
    ['smaller at level 1', [300, 301], 1],
  ])('a stream whose chunks are %s', (_, sizes, level) => {
    const { levels, tried } = levelsOf(times(100, sizes))
    expect(levels.slice(3)).toEqual(times(97, level))
    expect(tried).toBe(3)
  })

  test('a chunk that was tried is stored at the level at which it is smaller', () => {
    expect(levelsOf([[300, 299], [300, 301], [300, 200]]).levels).toEqual([3, 1, 3])
  })

  test('when chunks compress to much more or less, both levels are tried again, with the chunk after that', () => {
    const { levels, tried } = levelsOf([...times<[number, number]>(50, [300, 250]), ...times<[number, number]>(50, [500, 510])])
    expect(levels).toEqual([...times(51, 3), ...times(49, 1)])
    expect(tried).toBe(6)
  })

  test('small differences from chunk to chunk are no reason to try', () => {
    expect(levelsOf(Array.from({ length: 500 }, (_, index): [number, number] => [300, index % 2 === 0 ? 240 : 265])).tried).toBe(3)
  })

  test('chunks that change all the time are tried less and less often', () => {
    const { tried } = levelsOf(Array.from({ length: 1000 }, (_, index): [number, number] => (index % 2 === 0 ? [300, 200] : [900, 600])))
    expect(tried).toBeLessThan(75)
  })
})

test('fast takes the bytes that a negative level makes', () => {
  const chunk = rows('fast', 300_000)
  const { bytes, level } = new StreamLevel('fast').compress(chunk)
  expect(level).toBeLessThan(-1)
  expect(bytes.equals(compress(chunk, level))).toBe(true)
  expect(bytes.length).toBeGreaterThan(compress(chunk, 1).length)
})

test('each stream of a backup has its level, and comes back', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-levels-'))
  try {
    const store = new FileStore(folder)
    const run = await Run.begin({ store, compression: 'auto', jobs: 1 })
    const sources = { rows: rows('auto', 12_000_000), noise: noise('auto', 12_000_000) }
    for (const [name, bytes] of Object.entries(sources)) await run.source(name, bytes)
    await run.commit()
    const { levels, newChunks, deltaChunks } = run.writer
    expect(new Set(levels.keys())).toEqual(new Set([1, 3]))
    expect([...levels.values()].reduce((sum, chunks) => sum + chunks, 0)).toBe(newChunks - deltaChunks)
    expect(await restored(store)).toEqual(digests(sources))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
