import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { snapshotIfAuthentic, snapshotKeys } from '../../repository/catalog.ts'
import { type KeyFile, keyFiles, MOST_TRIED, putKeyFile, triedKeyFiles } from '../../repository/key-files.ts'
import { type Keys, parseEncryptionKey } from '../../repository/keys.ts'
import { openKeys, unwrapIdentity } from '../../repository/open-keys.ts'
import { recoveryFiles } from '../../repository/recovery.ts'
import type { Store } from '../../stores/store.ts'
import { withStore } from '../with-store.ts'
import type { KeyAddInputs, KeyListInputs, KeyRemoveInputs } from './inputs.ts'
import type { KeyAddResult, KeyListResult, KeyRemoveResult } from './result.ts'

/** Lets another passphrase open the store, beside those that do. Only small files are written: the objects stay as they are. */
export async function keyAdd(inputs: KeyAddInputs, environment: Environment): Promise<KeyAddResult> {
  const passphrase = passphraseOf(inputs.passphrase, 'new-passphrase')
  return within(inputs, environment, async (store) => {
    const keys = await openKeys(inputs.key, { store, create: false })
    const own = [keys, ...keys.others]
    const files = await keyFiles(store)
    if (own.some(({ identity }) => identity === undefined)) {
      throw new LifeboatError(
        'a write key holds no identity that could be put under a passphrase',
        { hint: 'Give the identity, or a passphrase that opens the store.', status: 2 },
      )
    }
    for (const one of own) await requireOfStore(store, one, files)
    if (files.length + own.length > MOST_TRIED) {
      throw new LifeboatError(
        `${store.name} has ${files.length} key files, and no more than ${MOST_TRIED} are tried`,
        { hint: marked`Remove one that is not needed any more: ‹lifeboat key list›, ‹lifeboat key remove›.` },
      )
    }
    const added: string[] = []
    for (const { fingerprint, identity } of own) {
      const those = files.filter((file) => file.fingerprint === fingerprint)
      if (!(await filesOpenedBy(passphrase, store, those)).length) {
        added.push(await putKeyFile(store, fingerprint, identity!, passphrase, those.length > 0))
      }
    }
    // The script in a store that an earlier version made knows of one file for each identity.
    if (added.length > 0) for (const { key, bytes } of recoveryFiles()) await store.put(key, bytes)
    return { store: store.name, added }
  })
}

/**
 * Takes key files away: those that a passphrase opens, or one by its name. The remaining files must open everything that the removed
 * ones did, with the key given, unless that is forced.
 */
export async function keyRemove(inputs: KeyRemoveInputs, environment: Environment): Promise<KeyRemoveResult> {
  const { name, force } = inputs
  const old = inputs.passphrase === undefined ? undefined : passphraseOf(inputs.passphrase, 'old-passphrase')
  if ((name === undefined) === (old === undefined)) {
    throw new LifeboatError(
      name === undefined
        ? marked`neither ‹old-passphrase› nor the name of a key file is given`
        : marked`‹old-passphrase› and the name of a key file are both given`,
      { hint: marked`Give one of them. ‹lifeboat key list› shows the names.`, status: 2 },
    )
  }
  return within(inputs, environment, async (store) => {
    const files = await keyFiles(store)
    const going = old === undefined
      ? files.filter(({ key }) => key === `keys/${name}` || key === name)
      : await filesOpenedBy(old, store, files)
    if (going.length === 0) {
      throw new LifeboatError(
        old === undefined
          ? `${store.name} has no key file ${name}`
          : `the old passphrase opens none of the ${files.length} key files of ${store.name}`,
        { hint: marked`‹lifeboat key list› shows those there are. Nothing was changed.` },
      )
    }
    const left = files.filter((file) => !going.includes(file))
    if (!force) await requireWayIn(store, going, left, inputs.key)
    for (const { key } of going) await store.delete(key)
    return { store: store.name, removed: going.map(({ key }) => key), left: left.map(({ key }) => key) }
  })
}

/** The key files of a store, and which of them the key given opens. */
export async function keyList(inputs: KeyListInputs, environment: Environment): Promise<KeyListResult> {
  const key = inputs.key === undefined ? undefined : parseEncryptionKey(inputs.key)
  return within(inputs, environment, async (store) => {
    const files = await keyFiles(store)
    const ours = key?.kind === 'passphrase' ? new Set(await filesOpenedBy(key.passphrase, store, files)) : undefined
    return {
      store: store.name,
      keys: files.map((file) => ({
        name: file.key.slice('keys/'.length),
        fingerprint: file.fingerprint,
        modified: file.modified.toISOString(),
        ...(ours && { opens: ours.has(file) }),
      })),
    }
  })
}

async function within<T>(
  inputs: Pick<KeyListInputs, 'destination' | 'access'>,
  environment: Environment,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  if (inputs.destination.immutable) {
    const why = 'every artifact holds the key file it was made with, and none can be written again'
    throw new LifeboatError(`passphrases of backups in artifacts cannot be changed: ${why}`, {
      hint:
        'To change the passphrase, back up to a new set with a new one, and delete the artifacts of the old set when you no longer ' +
        'need them. With an identity as the key there is nothing to change.',
      status: 2,
    })
  }
  return withStore({ ...inputs, key: undefined }, environment, work)
}

function passphraseOf(text: string, name: string): string {
  const key = parseEncryptionKey(text)
  if (key.kind === 'passphrase') return key.passphrase
  throw new LifeboatError(
    `${name} is ${key.kind === 'identity' ? 'an age identity' : 'a write key'}, not a passphrase`,
    { hint: 'Give a passphrase of at least 16 characters.', status: 2 },
  )
}

async function filesOpenedBy(passphrase: string, store: Store, files: readonly KeyFile[]): Promise<KeyFile[]> {
  const those: KeyFile[] = []
  for (const file of await triedKeyFiles(store, files)) if ((await unwrapIdentity(store, file, passphrase)) !== undefined) those.push(file)
  return those
}

/** Snapshots looked at for the key of a store. */
const LOOKED_AT = 20

/** An identity of another store would be of no use here, and whoever added it might rely on it. */
async function requireOfStore(store: Store, own: Keys, files: readonly KeyFile[]): Promise<void> {
  const { fingerprint } = own
  if (files.some((file) => file.fingerprint === fingerprint)) return
  const snapshots = (await snapshotKeys(store)).slice(0, LOOKED_AT)
  for (const key of snapshots) if (await snapshotIfAuthentic(store, key, own)) return
  throw new LifeboatError(
    `no snapshot of ${store.name} is of the key given, ${fingerprint}`,
    { hint: 'Give the key that the backups in this store are made with, after the first backup. Nothing was changed.' },
  )
}

/** Every identity behind the files that go must be had from the key given: itself, or as a passphrase of a file that is left. */
async function requireWayIn(
  store: Store,
  going: readonly KeyFile[],
  left: readonly KeyFile[],
  encryptionKey: string | undefined,
): Promise<void> {
  if (encryptionKey === undefined) throw stuck('no key is given that will open the store afterwards')
  const key = parseEncryptionKey(encryptionKey)
  const fingerprints = new Set(going.map(({ fingerprint }) => fingerprint))
  const remaining = new Set<string>()
  if (key.kind === 'passphrase') for (const { fingerprint } of await filesOpenedBy(key.passphrase, store, left)) remaining.add(fingerprint)
  else if (key.kind === 'identity') remaining.add((await keysOf(encryptionKey, store)).fingerprint)
  const lost = [...fingerprints].find((fingerprint) => !remaining.has(fingerprint))
  if (lost !== undefined) throw stuck(`the key given would not open what is sealed to ${lost} afterwards`)
}

function keysOf(identity: string, store: Store): Promise<Keys> {
  return openKeys(identity, { store, create: false })
}

function stuck(problem: string): LifeboatError {
  return new LifeboatError(
    `${problem}, so nothing was removed`,
    {
      hint:
        marked`Give the key that stays (an identity, or a passphrase that was added) as ‹encryption-key›, ` +
        marked`which shows that it opens the backups; or give ‹force: true›.`,
    },
  )
}
