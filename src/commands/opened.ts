import type { Environment } from '../environment.ts'
import type { SnapshotChoice } from '../repository/catalog.ts'
import { type Keys, openKeys } from '../repository/keys.ts'
import { openRepository } from '../repository/repository.ts'
import { openStore, type StoreInputs } from '../stores/open.ts'
import type { Store } from '../stores/store.ts'

/** The inputs of a store to look for snapshots in: one that is named by its id may be of any set. */
export function lookedIn<I extends { set: string }>(inputs: I, ...choices: SnapshotChoice[]): Omit<I, 'set'> & { set: string | undefined } {
  return { ...inputs, set: choices.some(({ kind }) => kind === 'id') ? undefined : inputs.set }
}

/** Opens a store that is there already, for as long as `work` takes, and its keys; where no key is given, and none is required, `keys` is undefined. */
export async function withStore<T>(inputs: StoreInputs & { 'encryption-key': string }, environment: Environment, work: (store: Store, keys: Keys) => Promise<T>): Promise<T>
export async function withStore<T>(inputs: StoreInputs & { 'encryption-key': string | undefined }, environment: Environment, work: (store: Store, keys: Keys | undefined) => Promise<T>): Promise<T>
export async function withStore<T>(inputs: StoreInputs & { 'encryption-key': string | undefined }, environment: Environment, work: (store: Store, keys: never) => Promise<T>): Promise<T> {
  const store = await openStore(inputs, environment)
  try {
    await openRepository(store)
    const key = inputs['encryption-key']
    const keys = key === undefined ? undefined : await openKeys(key, { store, create: false })
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- undefined only where the signature that was called allows for it
    return await work(store, keys as never)
  } finally {
    await store.close()
  }
}
