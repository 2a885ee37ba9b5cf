import { LifeboatError } from '../error.ts'
import { NotFound, type Store } from '../stores/store.ts'
import { idOf, setOf, snapshotIfWhole, snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'
import { LIMITS } from './limits.ts'
import { checkListing } from './listing.ts'
import { type Proof, proofKeys, readProof, readVerdict } from './proofs.ts'
import { decodeSnapshot } from './snapshot.ts'

/** How new what a set has is. Times are ISO 8601. */
export interface Freshness {
  set: string
  /** The newest snapshot there is, verified or not. */
  newest: string | undefined
  /** The newest snapshot that can be relied on: the last proof of it that says anything says verified, and its own signature holds. */
  verified: { snapshot: string; time: string; level: Proof['level'] } | undefined
  /** Why the newest snapshot is not even readable (another key, damage), where none is verified. */
  unreadable?: string
  /** The newest proof of this level, or a higher one, that says verified, of whichever snapshot. */
  proof: { snapshot: string; time: string; level: Proof['level'] } | undefined
}

const LEVELS: readonly Proof['level'][] = ['list', 'read', 'drill']

/** Of each set there is, or of the one asked for. `level`: of the proof looked for. Only as many objects are read as it takes to find both, newest first. */
export async function freshnessOf(store: Store, keys: Keys, set: string | undefined, level: Proof['level'], onDamaged: (error: LifeboatError) => void): Promise<Freshness[]> {
  const listed = await snapshotKeys(store, set)
  if (listed.length === 0) await checkListing(store, set)
  const bySet = Map.groupBy(listed, setOf)
  const found: Freshness[] = []
  for (const [name, snapshots] of bySet) found.push(await ofSet(store, keys, name, snapshots, level, onDamaged))
  return found.toSorted((a, b) => (a.set < b.set ? -1 : 1))
}

async function ofSet(store: Store, keys: Keys, set: string, snapshots: readonly string[], level: Proof['level'], onDamaged: (error: LifeboatError) => void): Promise<Freshness> {
  const named = await proofKeys(store, { set })
  const read = new Map<string, Promise<Proof | undefined>>()
  const proofAt = (key: string): Promise<Proof | undefined> => {
    const proof = read.get(key) ?? readProof(store, key, keys, onDamaged)
    read.set(key, proof)
    return proof
  }
  const [newest] = snapshots
  const verified = await newestVerified(store, keys, snapshots, named, proofAt)
  const unreadable = newest !== undefined && !verified ? await whyUnreadable(store, keys, newest) : undefined
  return {
    set,
    newest: newest && idOf(newest),
    verified,
    ...(unreadable !== undefined && { unreadable }),
    proof: await newestProof(named, level, proofAt),
  }
}

async function whyUnreadable(store: Store, keys: Keys, key: string): Promise<string | undefined> {
  try {
    await decodeSnapshot(key, await store.get(key, LIMITS.snapshot), keys)
    return undefined
  } catch (error) {
    if (!(error instanceof LifeboatError || error instanceof NotFound)) throw error
    return error.message
  }
}

type ProofAt = (key: string) => Promise<Proof | undefined>
type Named = ReadonlyMap<string, readonly string[]>

async function newestVerified(store: Store, keys: Keys, snapshots: readonly string[], named: Named, proofAt: ProofAt): Promise<Freshness['verified']> {
  for (const key of snapshots) {
    const verdict = await readVerdict(named.get(idOf(key)) ?? [], proofAt)
    if (verdict?.result !== 'verified') continue
    const snapshot = await snapshotIfWhole(store, key, keys)
    if (snapshot) return { snapshot: snapshot.header.id, time: snapshot.header.time, level: verdict.level }
  }
  return undefined
}

async function newestProof(named: Named, level: Proof['level'], proofAt: ProofAt): Promise<Freshness['proof']> {
  for (const key of [...named.values()].flat().toSorted((a, b) => (nameOf(a) < nameOf(b) ? 1 : -1))) {
    const proof = await proofAt(key)
    if (proof?.result === 'verified' && LEVELS.indexOf(proof.level) >= LEVELS.indexOf(level)) return { snapshot: proof.snapshot, time: proof.time, level: proof.level }
  }
  return undefined
}

/** Begins with the time. */
function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}
