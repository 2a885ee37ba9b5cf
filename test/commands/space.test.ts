import { reportSpace } from '../../src/commands/space.ts'
import { LifeboatError } from '../../src/error.ts'
import type { Store } from '../../src/stores/store.ts'
import { MemoryStore } from '../support/memory-store.ts'

async function said(free: (() => Promise<number | undefined>) | undefined, lastAdded: number | undefined): Promise<string[]> {
  const lines: string[] = []
  const report = { info: (line: string) => void lines.push(line), warning: (line: string) => void lines.push(`warning: ${line}`), progress: () => undefined, mask: () => undefined }
  const store: Store = Object.assign(new MemoryStore(), free && { free })
  await reportSpace(store, lastAdded, { report })
  return lines
}

test('free space is told, with a warning when what was added last would not fit', async () => {
  expect(await said(async () => 5_000_000, 4_000_000)).toEqual([expect.stringMatching(/^\S+ \S+ free in /)])
  expect(await said(async () => 5_000_000, undefined)).toHaveLength(1)
  expect(await said(async () => 5_000_000, 6_000_000)).toEqual([expect.stringMatching(/free in/), expect.stringMatching(/^warning: what the last backup added, .* would not fit into the .* free in /)])
})

test('a store that does not tell, or cannot just now, is passed over', async () => {
  expect(await said(undefined, 1)).toEqual([])
  expect(await said(async () => undefined, 1)).toEqual([])
  expect(await said(() => Promise.reject(new LifeboatError('in trouble')), 1)).toEqual([])
})
