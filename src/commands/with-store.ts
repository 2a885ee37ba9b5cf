import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { warningOf } from '../report/report.ts'
import type { Looking, SnapshotChoice } from '../repository/catalog.ts'
import { type Keys, openKeys } from '../repository/keys.ts'
import { differingProblem, differingRecoveryFiles } from '../repository/recovery.ts'
import { openRepository } from '../repository/repository.ts'
import { type Destination, openStore } from '../stores/destination.ts'
import type { Store } from '../stores/store.ts'
import { storeAccess, type StoreInputs } from './store-access.ts'

/** The inputs that say where a store is, and how to reach it. */
type StorePlace = StoreInputs & { destination: Destination }

/** The inputs of a store to look for snapshots in: one that is named by its id may be of any set. */
export function lookedIn<I extends { set: string }>(inputs: I, ...choices: SnapshotChoice[]): Omit<I, 'set'> & { set: string | undefined } {
  return { ...inputs, set: choices.some(({ kind }) => kind === 'id') ? undefined : inputs.set }
}

/** How commands look for a snapshot: what is passed over is a warning. */
export function lookingAs(environment: Environment): Looking {
  return { now: environment.now(), onPassedOver: warningOf(environment.report) }
}

/** Opens a store that is there already, for as long as `work` takes, and its keys; where no key is given, and none is required, `keys` is undefined. */
export async function withStore<T>(inputs: StorePlace & { 'encryption-key': string }, environment: Environment, work: (store: Store, keys: Keys) => Promise<T>): Promise<T>
export async function withStore<T>(inputs: StorePlace & { 'encryption-key': string | undefined }, environment: Environment, work: (store: Store, keys: Keys | undefined) => Promise<T>): Promise<T>
export async function withStore<T>(inputs: StorePlace & { 'encryption-key': string | undefined }, environment: Environment, work: (store: Store, keys: never) => Promise<T>): Promise<T> {
  const store = await openStore(inputs.destination, storeAccess(inputs), environment)
  try {
    await openRepository(store)
    const key = inputs['encryption-key']
    const keys = key === undefined ? undefined : await openKeys(key, { store, create: false, onDamaged: warningOf(environment.report) })
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- undefined only where the signature that was called allows for it
    return await work(store, keys as never)
  } finally {
    await store.close()
  }
}

/** Warns where the recovery files of a store differ from the program's. A store that cannot be asked is what the command itself finds out. */
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
