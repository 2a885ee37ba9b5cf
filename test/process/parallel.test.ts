import { inParallel } from '../../src/process/parallel.ts'

test('work in parallel keeps the order of results and the limit, and a failure stops what has not begun', async () => {
  let running = 0
  let most = 0
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    return item * 2
  }
  expect(await inParallel([1, 2, 3, 4, 5], 2, work)).toEqual([2, 4, 6, 8, 10])
  expect(most).toBe(2)
  const begun: number[] = []
  const failing = async (item: number): Promise<void> => {
    begun.push(item)
    if (item === 2) throw new Error('the second')
  }
  await expect(inParallel([1, 2, 3, 4], 1, failing)).rejects.toThrow('the second')
  expect(begun).toEqual([1, 2])
})
