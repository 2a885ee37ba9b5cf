import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { inEach, storesOf } from '../stores/several.ts'
import { type Authenticator, DamagedObject, type Store } from '../stores/store.ts'
import { snapshotKeys } from './catalog.ts'
import { claimedKeys } from './claimed-keys.ts'
import { type KeyFile, keyFileCandidates, keyFiles, MOST_TRIED, openKeyFile, putKeyFile, whyNotTried } from './key-files.ts'
import {
  checkRecipient, deriveKeys, fingerprintOf, type Keys, newIdentity, parseEncryptionKey, recipientOf, writeSecretOf, wrongKey,
} from './keys.ts'
import { LIMITS } from './limits.ts'
import { authenticatorOf } from './authenticator.ts'

/** The write key of the key that opens `store`: it backs up, deduplicates and prunes, and can decrypt nothing. */
export async function writeKeyOf(encryptionKey: string, store: Store | undefined): Promise<string> {
  const key = parseEncryptionKey(encryptionKey)
  if (key.kind === 'write') throw wrongKey('the encryption key is a write key already', 'Give the identity or the passphrase it came from.')
  if (key.kind === 'passphrase' && !store) {
    throw wrongKey('a passphrase has a write key only together with its store', marked`Name the store with ‹destination›.`)
  }
  const identity = key.kind === 'identity' ? key.identity : (await unwrapIdentities(key.passphrase, store!, { create: false }))[0]
  return `lifeboat-write:${await recipientOf(identity)}:${writeSecretOf(identity).toString('base64url')}`
}

/**
 * The keys for a store. With a passphrase the identity comes from the store's `keys/`; `create` allows making it there on first use.
 * Throws when the key is malformed or opens nothing; key files that are bad are handed to `onDamaged`, and `onNewKey` is told of a new
 * identity.
 */
export async function openKeys(
  encryptionKey: string,
  options: { store: Store; recipients?: readonly string[]; create: boolean; onDamaged?: OnDamaged; onNewKey?: () => void },
): Promise<Keys> {
  const key = parseEncryptionKey(encryptionKey)
  const extra = (options.recipients ?? []).map(checkRecipient)
  if (key.kind === 'write') return admitted(deriveKeys(key.recipient, key.writeSecret, extra), undefined, options)
  const keysOf = async (identity: string): Promise<Keys> => ({
    ...deriveKeys(await recipientOf(identity), writeSecretOf(identity), extra), identity,
  })
  const [first, ...others] = key.kind === 'identity' ? [key.identity] : await unwrapIdentities(key.passphrase, options.store, options)
  const keys = { ...(await keysOf(first)), others: await Promise.all(others.map(keysOf)) }
  return admitted(keys, key.kind === 'passphrase' ? key.passphrase : undefined, options)
}

/** From here on a store to which others can add objects shows those alone that are signed with these keys. */
async function admitted(keys: Keys, passphrase: string | undefined, { store, create }: { store: Store; create: boolean }): Promise<Keys> {
  for (const one of storesOf(store)) one.groups?.authenticate(authenticatorOf(keys))
  if (create) await provideKeyFiles(store, keys, passphrase)
  return keys
}

/** The identities in the store's key files that the passphrase opens, in the order of their names: every writer takes the first. */
async function unwrapIdentities(
  passphrase: string, store: Store,
  { create, onDamaged = ignore, onNewKey = ignore }: { create: boolean; onDamaged?: OnDamaged; onNewKey?: () => void },
): Promise<[string, ...string[]]> {
  const identities = new Map<string, string>()
  let [found, tried, all] = [0, 0, 0]
  const onTooMany = (there: number): void => {
    all = there
    const which = 'those of the keys that the newest snapshots claim, then the oldest'
    onDamaged(new LifeboatError(`${store.name} has ${all} key files; only ${MOST_TRIED} are tried: ${which}`, { hint: TOO_MANY }))
  }
  const opened: Authenticator[] = []
  const authentic: Authenticator['authentic'] = (object) => opened.map((one) => one.authentic(object)).find((body) => body !== undefined)
  for await (const { key, fingerprint, read } of keyFileCandidates(store, onTooMany, authentic)) {
    found++
    // Opened with another of its files, which takes a second each.
    if (identities.has(fingerprint)) continue
    const bytes = await readTriable(key, store, read, onDamaged)
    if (!bytes) continue
    if (tried === MOST_TRIED) break
    tried++
    const identity = await identityIn(bytes, { key, fingerprint }, passphrase, store, onDamaged)
    if (identity === undefined) continue
    identities.set(fingerprint, identity)
    opened.push(authenticatorOf(deriveKeys(await recipientOf(identity), writeSecretOf(identity), [])))
  }
  const [first, ...others] = [...identities].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, identity]) => identity)
  if (first !== undefined) return [first, ...others]
  if (found === 0) {
    await refuseWhereSnapshotsAre(store)
    if (create) {
      const made = await wrapNewIdentity(passphrase, store)
      onNewKey()
      return made
    }
    throw new LifeboatError(`${store.name} has no key file, so a passphrase cannot open it, and the value given is not an age identity`, {
      hint: marked`Check ‹destination›; a store written with an age identity needs that identity.`,
    })
  }
  const count = all > 0 ? `${tried} of ${all} key files` : `${tried} key ${tried === 1 ? 'file' : 'files'}`
  throw new LifeboatError(`the passphrase does not open ${store.name} (${count} tried)`, {
    hint: all > 0 ? `${CHECK_PASSPHRASE} Or its key file is not among those tried. ${TOO_MANY}` : CHECK_PASSPHRASE,
  })
}

const CHECK_PASSPHRASE = 'Check the passphrase for a missing character or a trailing space.'
const TOO_MANY = marked`Delete the key files that are not yours: ‹lifeboat key list› shows them.`

/**
 * A lost key file must not look like a new store: with a new identity beside them, nobody would miss it, and the snapshots there are could
 * not be read.
 */
async function refuseWhereSnapshotsAre(store: Store): Promise<void> {
  // In artifacts each snapshot comes with the key file that it needs.
  const found = await inEach(store, async (one) => {
    const snapshots = one.groups ? [] : await snapshotKeys(one)
    return { one, snapshots, claims: await claimedKeys(one, snapshots) }
  })
  const locked = found.find(({ snapshots }) => snapshots.length > 0)
  if (!locked) return
  const { one, snapshots, claims } = locked
  const named = `${snapshots.slice(0, 3).join(', ')}${snapshots.length > 3 ? ` and ${snapshots.length - 3} more` : ''}`
  const files = claims.length === 0 ? 'keys/<fingerprint>.age' : claims.map((claim) => `keys/${claim}.age`).join(', ')
  const claimed = claims.length === 0 ? 'name no key' : `claim to be of the key ${claims.join(', ')}`
  throw new LifeboatError(
    `${one.name} has snapshots but no key file (keys/…): without it nothing there can be read with a passphrase. ` +
      `The newest ${claimed}: ${named}. The value given is not an age identity, so it was taken for a passphrase`,
    {
      hint:
        'If the store was made with an age identity (AGE-SECRET-KEY-1…), give that identity. ' +
        `If it was made with a passphrase, put ${files} back from a copy of the store. ` +
        'For a new start use another destination, or an identity as the key. Nothing was changed.',
    },
  )
}

type OnDamaged = (error: LifeboatError) => void

function ignore(): void {}

/**
 * The identity in a key file, undefined when the passphrase does not open it. A file that is bad, or not that of the identity it is named
 * after, is handed to `onDamaged`.
 */
export async function unwrapIdentity(
  store: Store, file: Pick<KeyFile, 'key' | 'fingerprint'>, passphrase: string, onDamaged: OnDamaged = ignore,
): Promise<string | undefined> {
  const bytes = await readTriable(file.key, store, () => store.get(file.key, LIMITS.keyFile), onDamaged)
  return bytes && identityIn(bytes, file, passphrase, store, onDamaged)
}

/** Undefined for a file that is not worth the work of trying it. */
async function readTriable(
  key: string, store: Store, read: () => Promise<Buffer | undefined>, onDamaged: OnDamaged,
): Promise<Buffer | undefined> {
  let [bytes, problem]: [Buffer | undefined, string | undefined] = [undefined, undefined]
  try {
    bytes = await read()
    problem = bytes && whyNotTried(bytes)
  } catch (error) {
    if (!(error instanceof DamagedObject)) throw error
    problem = error.message
  }
  if (problem !== undefined) onDamaged(badKeyFile(key, store, problem))
  return problem === undefined ? bytes : undefined
}

async function identityIn(
  bytes: Buffer, { key, fingerprint }: Pick<KeyFile, 'key' | 'fingerprint'>, passphrase: string, store: Store, onDamaged: OnDamaged,
): Promise<string | undefined> {
  const identity = await openKeyFile(bytes, passphrase)
  const actual = identity === undefined ? undefined : fingerprintOf(await recipientOf(identity))
  if (actual === undefined || actual === fingerprint) return identity
  onDamaged(badKeyFile(key, store, `it holds the identity with fingerprint ${actual}, not the one it is named after`))
  return undefined
}

function badKeyFile(key: string, store: Store, problem: string): LifeboatError {
  return new LifeboatError(`${key} in ${store.name} is passed over: ${problem}`, {
    hint: 'Someone without the key may have put it there, or damaged it. If it was yours, put it back from a copy of the store.',
  })
}

async function wrapNewIdentity(passphrase: string, store: Store): Promise<[string, ...string[]]> {
  const { identity, recipient } = await newIdentity()
  const shared = await inEach(store, async (one) => {
    if (!one.groups) await putKeyFile(one, fingerprintOf(recipient), identity, passphrase, false)
    return !one.groups
  })
  // Another first backup may have made one at the same moment; of those in the store now, the first is taken.
  return shared.includes(true) ? unwrapIdentities(passphrase, store, { create: false }) : [identity]
}

/**
 * Gives each group that this run adds (an artifact) its key files: made again from the passphrase; with another key, those that are there
 * and signed. A store beside it that has none gets them as well, so that one passphrase opens all of them.
 */
async function provideKeyFiles(store: Store, keys: Keys, passphrase: string | undefined): Promise<void> {
  if (!storesOf(store).some(({ groups }) => groups)) return
  await inEach(store, async (one) => {
    const there = await keyFiles(one)
    for (const { fingerprint, identity } of [keys, ...keys.others]) {
      const files = there.filter((file) => file.fingerprint === fingerprint)
      if (passphrase !== undefined && identity !== undefined && (one.groups || files.length === 0))
        await putKeyFile(one, fingerprint, identity, passphrase, false)
      else if (one.groups) for (const { key } of files) await one.put(key, await one.get(key, LIMITS.keyFile))
    }
  })
}
