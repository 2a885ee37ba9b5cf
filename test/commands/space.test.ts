import { spaceIn } from '../../src/commands/space.ts'
import { LifeboatError } from '../../src/error.ts'
import type { Store } from '../../src/stores/store.ts'
import { MemoryStore } from '../support/memory-store.ts'

async function found(free: (() => Promise<number | undefined>) | undefined, lastAdded: number | undefined): Promise<{ free: number | undefined; warnings: string[] }> {
  const warnings: string[] = []
  const report = { info: () => undefined, warning: (line: string) => void warnings.push(line), progress: () => undefined, mask: () => undefined }
  const store: Store = Object.assign(new MemoryStore(), free && { free })
  return { free: await spaceIn(store, lastAdded, { report }), warnings }
}

test('free space is told, with a warning when what was added last would not fit', async () => {
  expect(await found(async () => 5_000_000, 4_000_000)).toEqual({ free: 5_000_000, warnings: [] })
  expect(await found(async () => 5_000_000, undefined)).toEqual({ free: 5_000_000, warnings: [] })
  expect(await found(async () => 5_000_000, 6_000_000)).toEqual({
    free: 5_000_000,
    warnings: [expect.stringMatching(/^what the last backup added, .* would not fit into the .* that are free in /)],
  })
})

test('a store that does not tell, or cannot just now, is passed over', async () => {
  for (const free of [undefined, async () => undefined, () => Promise.reject(new LifeboatError('in trouble'))]) expect(await found(free, 1)).toEqual({ free: undefined, warnings: [] })
})
