import { asTheyCome, inParallel } from '../../src/process/parallel.ts'

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

test('items that come one after the other are asked for when there is room, and after a failure no more', async () => {
  let [asked, running, most] = [0, 0, 0]
  const items = async function* (): AsyncGenerator<number> {
    while (asked < 6) yield ++asked
  }
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++running)
    // The later it begins, the sooner it ends.
    for (let turn = 10; turn > item; turn--) await new Promise((resolve) => setImmediate(resolve))
    running--
    return item * 2
  }
  expect(await asTheyCome(items(), () => 3, work)).toEqual([2, 4, 6, 8, 10, 12])
  expect(most).toBe(3)

  asked = 0
  const ended: number[] = []
  const failing = async (item: number): Promise<void> => {
    if (item === 2) throw new Error('the second')
    await new Promise((resolve) => setTimeout(resolve, 20))
    ended.push(item)
  }
  await expect(asTheyCome(items(), () => 3, failing)).rejects.toThrow('the second')
  // One more was asked for at most while the second failed.
  expect([2, 3, 4]).toContain(asked)
  expect(ended).toEqual([1, 3, 4].slice(0, asked - 1))

  ended.length = 0
  await expect(asTheyCome(broken(), () => 3, failing)).rejects.toThrow('no more items')
  expect(ended).toEqual([1])
})

async function* broken(): AsyncGenerator<number> {
  yield 1
  throw new Error('no more items')
}
