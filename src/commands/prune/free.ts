import type { Report } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import { carryDamage } from '../../repository/carry-damage.ts'
import { idOf, setOf, snapshotKeys } from '../../repository/catalog.ts'
import { collectGarbage, type Garbage, type GarbageOptions } from '../../repository/garbage.ts'
import type { Keys } from '../../repository/keys.ts'
import { SNAPSHOTS_BUILT_ON } from '../../repository/known.ts'
import type { References } from '../../repository/references.ts'
import type { Groups, Released, Store } from '../../stores/store.ts'
import type { PruneOptions } from './guards.ts'

/** Deletes the artifacts that no snapshot needs but these. One that could not be read stays, with all that it needs. */
export async function releaseArtifacts(
  store: Store, groups: Groups, going: readonly string[], { grace, dryRun }: PruneOptions, report: Report,
): Promise<Released> {
  const kept = new Set((await snapshotKeys(store)).filter((key) => !going.includes(key)))
  const released = await groups.release({ kept, grace, builtOn: SNAPSHOTS_BUILT_ON, dryRun })
  if (!released.permitted) {
    report.info('the token may not delete artifacts; they go when they expire, or with `permissions: actions: write`')
  }
  return released
}

/** Deletes these snapshots, and the chunks that nothing needs any more. */
export async function deleteUnneeded(
  store: Store, keys: Keys, references: References, going: readonly string[], options: GarbageOptions, report: Report,
): Promise<Garbage> {
  const beforeGoing = (gone: readonly string[]): Promise<void> => {
    return keepDamageKnown(store, keys, gone, references.snapshots.filter(({ key }) => !going.includes(key)), options.now)
  }
  const garbage = await refusing(
    () => collectGarbage(store, keys, references, new Set(going), { ...options, beforeGoing }),
    store,
    options.signal,
  )
  for (const obstacle of garbage.obstacles) {
    report.warning(
      `no chunks are deleted as long as it is not known what a snapshot needs: ${obstacle}`,
      'Put the object back from a copy of the store, use the version of Lifeboat that wrote it, or delete it: ' +
        marked`‹lifeboat forget ID›. If a snapshot that is not in the store is not needed any more, prune once with ‹force: true›.`,
    )
  }
  return garbage
}

/** The proofs of a snapshot go with it; damage that they tell of, of chunks that others need, is carried over to these. */
async function keepDamageKnown(
  store: Store, keys: Keys, gone: readonly string[], staying: References['snapshots'], now: () => Date,
): Promise<void> {
  for (const [set, keysOfSet] of Map.groupBy(gone, setOf)) {
    const others = staying.filter((snapshot) => snapshot.authentic && snapshot.set === set).map(({ key }) => key)
    await carryDamage(store, keys, set, { going: keysOfSet.map(idOf), staying: others }, now)
  }
}

/** A store may allow for puts and not for deletes: object lock, a missing permission. */
async function refusing<T>(work: () => Promise<T>, store: Store, signal: AbortSignal): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal.throwIfAborted()
    if (!(cause instanceof LifeboatError)) throw cause
    throw new LifeboatError(
      `pruning ${store.name} did not come to its end: ${messageOf(cause)}`,
      { cause, hint: `${cause.hint ?? ''} Every snapshot that is there is whole; run it again when that is fixed.`.trim() },
    )
  }
}
