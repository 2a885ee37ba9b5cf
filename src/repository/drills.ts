import type { LifeboatError } from '../error.ts'
import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { idOf, readAuthentic } from './catalog.ts'
import type { Keys } from './keys.ts'
import { isGood, type ProofDetails, readableDetails, readProof, type Verdict } from './proofs.ts'
import type { SetProofs } from './set-proofs.ts'
import { DamagedSnapshot, OtherKey } from './snapshot.ts'
import { whyNotWhole } from './wholeness.ts'

/** The amount that a drill compared, the seconds of its parts, and the machine. */
export type DrillFigures = NonNullable<ProofDetails['drill']>

/** The figures of a drill; undefined if the key cannot decrypt them, or if they cannot be read, which `onDamaged` is told. */
export async function drillFigures(
  store: Store, { object }: Pick<Verdict, 'object'>, keys: Keys, onDamaged: (error: LifeboatError) => void,
): Promise<DrillFigures | undefined> {
  const proof = await readProof(store, object, keys, onDamaged)
  return proof && (await readableDetails(proof, keys, onDamaged))?.drill
}

/** The last drill that came to a result. `proofs`: of one snapshot, newest first. */
export function lastDrill<P extends Pick<Verdict, 'level' | 'result'>>(proofs: readonly P[]): P | undefined {
  return proofs.find(({ level, result }) => level === 'drill' && result !== 'could not verify')
}

/** Whether that drill verified the snapshot. */
export function isDrilled(proofs: readonly Pick<Verdict, 'level' | 'result'>[]): boolean {
  return lastDrill(proofs)?.result === 'verified'
}

/** Ids of the newest `most` of these snapshots (keys, newest first) that were drilled and are whole. */
export async function newestDrilled(
  store: Store, keys: Keys, snapshots: readonly string[], { proofs, most }: { proofs: SetProofs; most: number },
): Promise<Set<string>> {
  const found = new Set<string>()
  for (const key of snapshots) {
    if (found.size === most) break
    const id = idOf(key)
    const [verdict, own] = [await proofs.verdict(id), await proofs.of([id])]
    if (verdict && isGood(verdict) && isDrilled(own) && (await isWhole(store, key, keys, proofs))) found.add(id)
  }
  return found
}

async function isWhole(store: Store, key: string, keys: Keys, proofs: SetProofs): Promise<boolean> {
  try {
    const snapshot = await readAuthentic(store, key, keys)
    return (await whyNotWhole(store, snapshot, await proofs.damagedSince(new Date(snapshot.header.time)))) === undefined
  } catch (error) {
    if ([NotFound, DamagedSnapshot, DamagedObject, OtherKey].some((kind) => error instanceof kind)) return false
    throw error
  }
}
