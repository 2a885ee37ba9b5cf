import { performance } from 'node:perf_hooks'
import type { Environment } from '../environment.ts'
import { messageOf } from '../error.ts'
import { markedCommand } from '../marks.ts'
import { secondsSince } from '../process/elapsed.ts'
import { formatSome } from '../report/format.ts'
import type { Keys } from '../repository/keys.ts'
import { isAtLeast } from '../repository/levels.ts'
import { proveSnapshot } from '../repository/proofs.ts'
import { DamagedChunk, Reader } from '../repository/reader.ts'
import { SetProofs } from '../repository/set-proofs.ts'
import { type AuthenticSnapshot, type DamagedSnapshot, timeOfId } from '../repository/snapshot.ts'
import type { Store } from '../stores/store.ts'
import { VERSION } from '../version.ts'
import { putTogether } from './verify/proof.ts'
import type { SnapshotVerified } from './verify/result.ts'

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
  const damage = new Map<string, DamagedChunk | DamagedSnapshot>()
  try {
    return await work(() => new Reader(store, keys, chunks, opened, damage))
  } finally {
    if (damage.size > 0) {
      const bytes = [...opened].reduce((sum, index) => sum + chunks[index]![1], 0)
      const problems = [...damage.values()].map(messageOf)
      const seconds = secondsSince(started)
      const damaged = [...damage.values()].flatMap((error) => (error instanceof DamagedChunk ? [error.key] : []))
      await keepDamage({ snapshot: id, set, level: 'read', seconds, bytes, damaged, problems }, store, keys, environment)
    }
  }
}

/** Damage that another command than `verify` met in a snapshot. */
export type Damage = Pick<SnapshotVerified, 'snapshot' | 'set' | 'level' | 'seconds' | 'bytes' | 'damaged' | 'problems'>

/**
 * Stores a proof of damage, as of a verification that failed, so that `list`, `check`, `prune` and the next backup know of it; none if the
 * proofs of the store say the same already. Never throws: the command tells of the damage itself.
 */
export async function keepDamage(damage: Damage, store: Store, keys: Keys, environment: Environment): Promise<void> {
  const { report, run } = environment
  const { snapshot, set, level, seconds, bytes, damaged, problems } = damage
  const verification = {
    snapshot, set, level, seconds, bytes, damaged, problems,
    time: environment.now(), result: 'failed', versions: { lifeboat: VERSION }, run: run?.url ?? null,
  } as const
  try {
    // If the proofs cannot be looked at, it is better recorded twice.
    if (await isKnown(damage, store, keys).catch(() => false)) return
    await putTogether(store, set, async (own) => proveSnapshot(own, keys, verification))
    const next = damaged.length === 0 ? '' : '; the next backup stores again what it needs of it'
    report.info(`the damage of snapshot ${snapshot} is recorded in ${store.name}: ${formatSome(problems, 1)}${next}`)
  } catch (error) {
    report.warning(
      `the damage of snapshot ${snapshot} was not recorded in ${store.name}: ${messageOf(error)}`,
      'A backup that does not know of it may rely on the same chunks: before you back up again, run ' +
        `${markedCommand('verify', { set, snapshot, level: 'read' })} where the store can be written to, which records it.`,
    )
  }
}

/**
 * Whether the snapshot failed its last verification, at this level or a higher one, and its damaged objects are known to be damaged: where
 * none is, whether that verification found none either. Throws if the proofs cannot be listed.
 */
async function isKnown({ snapshot, set, level, damaged }: Damage, store: Store, keys: Keys): Promise<boolean> {
  // Proofs that cannot be read have been told of, or count for nothing.
  const proofs = await SetProofs.list(store, keys, set, () => undefined)
  const verdict = await proofs.verdict(snapshot)
  if (verdict?.result !== 'failed' || !isAtLeast(verdict.level, level)) return false
  const known = await proofs.damagedSince(new Date(timeOfId(snapshot)))
  return damaged.length > 0 ? damaged.every((key) => known.has(key)) : verdict.damaged.length === 0
}
