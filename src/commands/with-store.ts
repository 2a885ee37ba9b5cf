import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import type { AccessInputs } from '../inputs/store.ts'
import { formatLapse } from '../report/format.ts'
import { warningOf } from '../report/warnings.ts'
import type { Looking, SnapshotChoice } from '../repository/catalog.ts'
import type { Keys } from '../repository/keys.ts'
import { openKeys } from '../repository/open-keys.ts'
import { requireSnapshotOfKey } from '../repository/other-key.ts'
import { differingProblem, differingRecoveryFiles } from '../repository/recovery.ts'
import { openRepository } from '../repository/repository.ts'
import { timeOfId } from '../repository/snapshot.ts'
import { type Destination, openStore } from '../stores/destination.ts'
import type { Store } from '../stores/store.ts'

/** A store, the way to it, and the set that is read; undefined reads every set. */
export interface StoreToOpen {
  destination: Destination
  access: AccessInputs
  set?: string | undefined
}

/** The set to look for snapshots in: one that is named by its id may be of any set. */
export function setFor(set: string, ...choices: SnapshotChoice[]): string | undefined {
  return choices.some(({ kind }) => kind === 'id') ? undefined : set
}

/** Milliseconds by which a snapshot may be older than the time that it was chosen by, without a word. */
const A_DAY = 86_400_000

/** How commands look for a snapshot: each that is passed over is a warning. */
export function lookingAs(environment: Environment): Looking {
  const { report } = environment
  return {
    now: environment.now(),
    onPassedOver: warningOf(report),
    onTaken(id, time) {
      const made = timeOfId(id)
      if (time.getTime() - Date.parse(made) < A_DAY) return
      const before = formatLapse(made, time.toISOString())
      report.info(`the newest snapshot not after ${time.toISOString().slice(0, 16)}Z is ${id}, made ${before} before it`)
    },
  }
}

/** Opens an existing store, for as long as `work` takes, and its keys, which are undefined if no key is given. */
export async function withStore<T>(
  given: StoreToOpen & { key: string },
  environment: Environment,
  work: (store: Store, keys: Keys) => Promise<T>,
): Promise<T>
export async function withStore<T>(
  given: StoreToOpen & { key: string | undefined },
  environment: Environment,
  work: (store: Store, keys: Keys | undefined) => Promise<T>,
): Promise<T>
export async function withStore<T>(
  given: StoreToOpen & { key: string | undefined },
  environment: Environment,
  work: (store: Store, keys: never) => Promise<T>,
): Promise<T> {
  const { destination, access, set, key } = given
  const store = await openStore(destination, { ...access, set }, environment)
  try {
    await openRepository(store)
    const keys = key === undefined ? undefined : await openKeys(key, { store, create: false, onDamaged: warningOf(environment.report) })
    if (keys) await requireSnapshotOfKey(store, keys)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- undefined only where the signature that was called allows for it
    return await work(store, keys as never)
  } finally {
    await store.close()
  }
}

/**
 * Warns where the recovery files of a store differ from the program's. A store that cannot be asked is what the command itself finds
 * out.
 */
export async function compareRecoveryFiles(store: Store, { report, signal }: Environment): Promise<void> {
  if (store.groups) return
  try {
    const differing = await differingRecoveryFiles(store)
    if (differing.length > 0) warningOf(report)(differingProblem(store, differing))
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LifeboatError)) throw error
    report.warning(`RECOVERY.md and recover.sh in ${store.name} could not be compared: ${error.message}`, error.hint)
  }
}
