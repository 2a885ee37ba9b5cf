import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import { splitSigned } from './signed.ts'

/** The number of snapshots that are looked at, the most bytes that are read of each, and the number of keys that is enough. */
const LOOKED_AT = 20
const MOST_READ = 32 * 1024 ** 2
const ENOUGH = 4

/** Fingerprints of the keys that the newest snapshots of all sets claim to be of. Their first lines are not authenticated. */
export async function claimedKeys(store: Store, snapshots?: readonly string[]): Promise<string[]> {
  const claims = new Set<string>()
  for (const key of (snapshots ?? (await snapshotKeys(store))).slice(0, LOOKED_AT)) {
    const claim = await claimOf(store, key)
    if (claim !== undefined) claims.add(claim)
    if (claims.size === ENOUGH) break
  }
  return [...claims]
}

async function claimOf(store: Store, key: string): Promise<string | undefined> {
  try {
    return splitSigned(await store.get(key, MOST_READ))?.key
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedObject) return undefined
    throw error
  }
}
