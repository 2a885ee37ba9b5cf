import type { Environment } from '../../environment.ts'
import { messageOf } from '../../error.ts'
import type { BackupInputs } from './inputs.ts'
import { fallbackText, type Newest, redactedNewest } from './newest-found.ts'
import { idOf, snapshotKeys } from '../../repository/catalog.ts'
import { openKeys } from '../../repository/open-keys.ts'
import { checkListing } from '../../repository/listing.ts'
import { openRepository } from '../../repository/repository.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { idTime, openManifest } from '../../repository/snapshot.ts'
import { newestGood } from '../../repository/wholeness.ts'
import { confirmedBy } from '../../sources/nouns.ts'
import { remarksOf } from '../../sources/remarks.ts'
import { type Destination, openStore } from '../../stores/destination.ts'
import { accessOf } from './access.ts'

type Wanted = Pick<BackupInputs, 'destinations' | 'access' | 'artifacts' | 'set' | 'retention' | 'key'>

/** For the summary of a backup that failed: the backup to fall back on. */
export async function fallback(inputs: Wanted, started: Date, environment: Environment): Promise<string> {
  const newest = await newestBefore(inputs, started, environment)
  return fallbackText(
    redactedNewest(newest, (text) => environment.report.redacted?.(text) ?? text),
    inputs.destinations[0].text,
    { timeZone: 'UTC', now: environment.now() },
  )
}

const limitMs = 5000

/** As `newestBackup`, within 5 s; never throws. */
export async function newestBefore(inputs: Wanted, before: Date, environment: Environment): Promise<Newest> {
  const { set } = inputs
  const controller = new AbortController()
  const { promise: late, resolve } = Promise.withResolvers<Newest>()
  // A timer of its own, because one of AbortSignal would not keep the process alive until then.
  const limit = setTimeout(() => {
    controller.abort()
    resolve({ set, unknown: `the store did not answer within ${limitMs / 1000} s` })
  }, limitMs)
  try {
    return await Promise.race([newestBackup(inputs, before, { ...environment, signal: controller.signal }), late])
  } catch (error) {
    return { set, unknown: messageOf(error) }
  } finally {
    clearTimeout(limit)
  }
}

/** Damaged ones among so many of the newest are passed over. */
const LOOKED_AT = 5

/**
 * The newest snapshot of a set that is whole, not known to be damaged, and older than `before`: what there is to fall back on when a backup
 * failed, which may have stored a snapshot that did not verify.
 */
export async function newestBackup(inputs: Wanted, before: Date, environment: Environment): Promise<Newest> {
  const answers = await Promise.allSettled(inputs.destinations.map((destination) => newestIn(destination, inputs, before, environment)))
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  // The destination with the newest snapshot decides.
  const [best] = found.toSorted((a, b) => ('time' in b ? b.time : '').localeCompare('time' in a ? a.time : ''))
  if (best) return best
  throw answers.find((answer) => answer.status === 'rejected')!.reason
}

async function newestIn(destination: Destination, inputs: Wanted, before: Date, environment: Environment): Promise<Newest> {
  const { set } = inputs
  const store = await openStore(destination, accessOf(inputs), environment)
  try {
    await openRepository(store)
    environment.signal.throwIfAborted()
    const there = await snapshotKeys(store, set)
    if (there.length === 0) await checkListing(store, set)
    const older = (keys: readonly string[]): string[] => keys.filter((key) => idOf(key).slice(0, 16) <= idTime(before))
    if (older(there).length === 0) return { set, none: 'empty' }
    const keys = await openKeys(inputs.key, { store, create: false })
    // Where anyone can add some, only those that are signed are left once the key is known.
    const snapshots = older(store.groups ? await snapshotKeys(store, set) : there)
    const proofs = await SetProofs.list(store, keys, set, () => undefined)
    const { good, unsound } = await newestGood(store, keys, snapshots, { proofs, verified: false, most: LOOKED_AT, before })
    if (!good) return { set, unsound, none: 'unsound' }
    const { id, time } = good.snapshot.header
    const sources = keys.identity === undefined ? undefined : (await openManifest(good.snapshot)).sources
    return {
      set, unsound, snapshot: id, time, ...(inputs.destinations.length > 1 && { destination: destination.text }),
      ...(sources && { sources: sources.map((source) => {
        const { partial } = remarksOf(source)
        return { name: source.name, kind: source.kind, ...confirmedBy(source), ...(partial && { partial }) }
      }) }),
    }
  } finally {
    await store.close()
  }
}
