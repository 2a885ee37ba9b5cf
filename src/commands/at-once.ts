import { availableParallelism } from 'node:os'

/** Each database takes memory for what is fetched ahead: with three the process stays below 300 MiB (docs/benchmarks.md). */
const MOST_AT_ONCE = 3

/** The number of databases of a snapshot that are restored or drilled at the same time. `left`: cores that are left to other work. */
export function databasesAtOnce(left = 0): number {
  return Math.max(1, Math.min(MOST_AT_ONCE, availableParallelism() - left))
}
