import { performance } from 'node:perf_hooks'
import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import { secondsSince } from '../process/elapsed.ts'
import { type DamagedChunk, Reader } from '../repository/reader.ts'
import type { AuthenticSnapshot } from '../repository/snapshot.ts'
import type { Store } from '../stores/store.ts'
import { type Damage, keepDamage } from './verify/proof.ts'

/**
 * Does work with readers of a snapshot. When it ends, well or not, the damage that they met is recorded in the store as `verify` does:
 * a backup that did not know of it would rely on the same chunks.
 */
export async function recordingDamage<T>(
  snapshot: AuthenticSnapshot, store: Store, environment: Environment, work: (newReader: () => Reader) => Promise<T>,
): Promise<T> {
  const started = performance.now()
  const { keys, header: { id, set, chunks } } = snapshot
  const opened = new Set<number>()
  const damage = new Map<string, DamagedChunk>()
  try {
    return await work(() => new Reader(store, keys, chunks, opened, damage))
  } finally {
    if (damage.size > 0) {
      const bytes = [...opened].reduce((sum, index) => sum + chunks[index]![1], 0)
      const problems = [...damage.values()].map(messageOf)
      const seconds = secondsSince(started)
      const found: Damage = { snapshot: id, set, level: 'read', seconds, bytes, damaged: [...damage.keys()], problems }
      await keepDamage(found, store, keys, environment)
    }
  }
}
