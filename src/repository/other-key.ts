import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { storesOf } from '../stores/several.ts'
import type { HiddenSnapshots, Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import type { Keys } from './keys.ts'

/** In stores whose objects lie in groups, a group of another key does not count: with a wrong key such a store looks empty. */
export async function allHidden(store: Store): Promise<HiddenSnapshots[]> {
  return (await Promise.all(storesOf(store).map(async ({ groups }) => groups?.ofOtherKeys() ?? []))).flat()
}

export async function hiddenIn(store: Store, set: string): Promise<Omit<HiddenSnapshots, 'set'> | undefined> {
  const found = (await allHidden(store)).find((one) => one.set === set)
  return found && { snapshots: found.snapshots, fingerprints: found.fingerprints }
}

/** Fingerprints that are named at most: anyone can claim any. */
const MOST_NAMED = 3

export function keysText(fingerprints: readonly string[]): string {
  const named = fingerprints.slice(0, MOST_NAMED).join(', ')
  return `the key ${named}${fingerprints.length > MOST_NAMED ? ` and ${fingerprints.length - MOST_NAMED} more` : ''}`
}

/** Throws if no snapshot of the key given is there, and some that are hidden from it. */
export async function requireSnapshotOfKey(store: Store, keys: Keys): Promise<void> {
  const hidden = await allHidden(store)
  if (hidden.length === 0 || (await snapshotKeys(store)).length > 0) return
  const count = hidden.reduce((sum, { snapshots }) => sum + snapshots, 0)
  throw noneOfKey(store, count, keys, [...new Set(hidden.flatMap((one) => one.fingerprints))])
}

/** The error for a store, or a set, whose snapshots name other keys. */
export function noneOfKey(store: Pick<Store, 'name'>, count: number, keys: Keys, fingerprints: readonly string[]): LifeboatError {
  const [many, was, they] = count === 1 ? ['', 'it was not', 'It names'] : ['s', 'none of them was', 'They name']
  return new LifeboatError(
    `${store.name} has ${count} snapshot${many}, but ${was} made with the key given (${keys.fingerprint}). ` +
      `${they} ${keysText(fingerprints)}`,
    {
      hint:
        marked`Is this the key of these backups? Give the one that they were made with as ‹encryption-key›; with this one nothing can be ` +
        'said about them. The identity of an extra recipient opens them with recover.sh (RECOVERY.md).',
    },
  )
}
