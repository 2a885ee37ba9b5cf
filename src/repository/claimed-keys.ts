import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import { splitSigned } from './signed.ts'

/** Snapshots that are looked at, the bytes that are read of each at most, and the keys that are enough. */
const LOOKED_AT = 20
const MOST_READ = 32 * 1024 ** 2
const ENOUGH = 4

/** Fingerprints of the keys that the newest snapshots of all sets claim to be of: their first lines, for which nothing vouches. */
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
