/** Bytes that are read in the time that even an empty database takes: to connect, to look at the store, to verify. */
const FIXED = 64 * 1024 * 1024

/**
 * Divides items over at most so many jobs: the longest first, each to the job that has the least to do (Graham, 1969: the longest job takes
 * at most 4/3 of the shortest possible time). No job is empty; the largest items of a job come first.
 */
export function divide<T extends { set: string; size: number }>(items: readonly T[], most: number): T[][] {
  const jobs = Array.from({ length: Math.min(most, items.length) }, (): { work: number; items: T[] } => ({ work: 0, items: [] }))
  for (const item of items.toSorted((a, b) => b.size - a.size || (a.set < b.set ? -1 : 1))) {
    const job = jobs.reduce((least, one) => (one.work < least.work ? one : least))
    job.items.push(item)
    job.work += item.size + FIXED
  }
  return jobs.map(({ items }) => items)
}
