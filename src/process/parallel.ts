/**
 * Calls `work` for all items, for at most `limit` at the same time; results in the order of the items. The first failure is thrown once all
 * have stopped.
 */
export async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next++
      try {
        results[index] = await work(items[index]!)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}

/** The same for items that come one after the other: each is asked for when fewer than `limit()` are being worked on. */
export async function asTheyCome<T, R>(items: AsyncIterable<T>, limit: () => number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  const running = new Set<Promise<void>>()
  let count = 0
  try {
    for await (const item of items) {
      const index = count++
      const task = work(item)
        .then((result) => void (results[index] = result), (error: unknown) => void failures.push(error))
        .finally(() => running.delete(task))
      running.add(task)
      while (running.size >= limit() && failures.length === 0) await Promise.race(running)
      if (failures.length > 0) break
    }
  } catch (error) {
    failures.push(error)
  }
  await Promise.all(running)
  if (failures.length > 0) throw failures[0]
  return results
}
