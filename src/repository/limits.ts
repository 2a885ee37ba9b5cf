/**
 * Bytes that an object of each kind may have in a store; no more than these are read of it, and a larger one counts as damaged.
 * docs/format.md has them too. A chunk may have what its snapshot lists.
 */
export const LIMITS = {
  marker: 1024,
  recovery: 256 * 1024,
  keyFile: 64 * 1024,
  labels: 64 * 1024,
  proof: 4 * 1024 ** 2,
  trash: 8 * 1024 ** 2,
  runs: 64 * 1024,
  restore: 64 * 1024,
  snapshot: 128 * 1024 ** 2,
} as const
