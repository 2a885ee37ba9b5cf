import { randomBytes } from 'node:crypto'
import { Decrypter, Encrypter } from 'age-encryption'
import { inEach, SeveralStores } from '../stores/several.ts'
import type { Authenticator, Store } from '../stores/store.ts'
import { claimedKeys } from './claimed-keys.ts'
import { LIMITS } from './limits.ts'
import { passphraseIdentity, passphraseRecipient } from './sealing/passphrase.ts'

/** log2 of scrypt's N: 128 MiB and some tenths of a second, so that a backup stays within its memory. */
const SCRYPT_WORK_FACTOR = 17
/** The highest that is tried: 256 MiB for some two seconds. */
const MOST_WORK = 18
/** Key files that a passphrase is tried on: each takes a second or two. */
export const MOST_TRIED = 16

/** An identity under a passphrase, in a store's `keys/`. Each passphrase of an identity has a file of its own. */
export interface KeyFile {
  /** `keys/<fingerprint>.age`; a further one `keys/<fingerprint>-<8 random digits>.age`. */
  key: string
  fingerprint: string
  modified: Date
}

/** The fingerprint in the name of a key file; undefined for other names. */
function fingerprintIn(key: string): string | undefined {
  return /^keys\/([0-9a-f]{16})(-[0-9a-f]{8})?\.age$/.exec(key)?.[1]
}

/** In the order of their names, so that those of one identity follow each other. */
export async function keyFiles(store: Store): Promise<KeyFile[]> {
  const found: KeyFile[] = []
  for await (const { key, modified } of store.list('keys/')) {
    const fingerprint = fingerprintIn(key)
    if (fingerprint !== undefined) found.push({ key, fingerprint, modified })
  }
  return found.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

export type KeyFileCandidate = Pick<KeyFile, 'key' | 'fingerprint'> & { read: () => Promise<Buffer | undefined> }

/**
 * The key files that a passphrase is tried on, before anything is known of the keys: stores to which anyone can add files come last,
 * because they may have many files of one name. `onTooMany` gets the number of key files, if not all are tried; `authentic` knows the keys
 * that were found by then.
 */
export async function* keyFileCandidates(
  store: Store, onTooMany: (all: number) => void, authentic: Authenticator['authentic'],
): AsyncGenerator<KeyFileCandidate, void, void> {
  const found = await inEach(store, async (one) =>
    one.groups ? { candidates: one.groups.candidates('keys/', LIMITS.keyFile, authentic) } : { one, files: await keyFiles(one) },
  )
  const all = oldestOfEach(found.flatMap(({ files = [] }) => files))
  const tried = await triedKeyFiles(store, all)
  if (tried.length < all.length) onTooMany(all.length)
  for (const { key, fingerprint } of tried) {
    const holders = found.flatMap(({ one, files }) => (files?.some((file) => file.key === key) ? [one] : []))
    yield { key, fingerprint, read: () => readFromAny(holders, key) }
  }
  // A backup gives up a destination that fails when it begins to write.
  const reading = (read: () => Promise<Buffer | undefined>) => (): Promise<Buffer | undefined> =>
    store instanceof SeveralStores ? read().catch(() => undefined) : read()
  for (const { candidates } of found) {
    for await (const { key, read } of candidates ?? []) {
      const fingerprint = fingerprintIn(key)
      // The store itself reports a group that is not signed.
      const triable = reading(async () => read().then((bytes) => (bytes && whyNotTried(bytes) === undefined ? bytes : undefined)))
      if (fingerprint !== undefined) yield { key, fingerprint, read: triable }
    }
  }
}

/**
 * The file from the first store that gives it. Throws the failure of the first if none does: without the file another identity might be
 * taken.
 */
async function readFromAny(holders: readonly Store[], key: string): Promise<Buffer> {
  const failures: unknown[] = []
  for (const one of holders) {
    try {
      return await one.get(key, LIMITS.keyFile)
    } catch (error) {
      failures.push(error)
    }
  }
  throw failures[0]
}

/** Of files with the same name in several stores, the oldest; in the order of their names. */
function oldestOfEach(files: readonly KeyFile[]): KeyFile[] {
  const newestFirst = files.toSorted((a, b) => b.modified.getTime() - a.modified.getTime())
  return [...new Map(newestFirst.map((file) => [file.key, file])).values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

/**
 * Those of a store's key files that are tried, in the order of their names. If there are too many: first those of the keys that the newest
 * snapshots claim, then the oldest, because files of an attacker are newer, unless the attacker can set their times.
 */
export async function triedKeyFiles(store: Store, files: readonly KeyFile[]): Promise<KeyFile[]> {
  if (files.length <= MOST_TRIED) return [...files]
  const claims = (await inEach(store, async (one) => (one.groups ? [] : claimedKeys(one)))).flat()
  const rank = ({ key, fingerprint }: KeyFile): number => (claims.includes(fingerprint) ? (key === `keys/${fingerprint}.age` ? 0 : 1) : 2)
  const chosen = files.toSorted((a, b) => rank(a) - rank(b) || a.modified.getTime() - b.modified.getTime()).slice(0, MOST_TRIED)
  return files.filter((file) => chosen.includes(file))
}

/** Puts the identity under a passphrase; with `further`, beside the files that it has. Returns the key of the file. */
export async function putKeyFile(
  store: Store, fingerprint: string, identity: string, passphrase: string, further: boolean,
): Promise<string> {
  const encrypter = new Encrypter()
  encrypter.addRecipient(passphraseRecipient(passphrase, SCRYPT_WORK_FACTOR))
  const key = `keys/${fingerprint}${further ? `-${randomBytes(4).toString('hex')}` : ''}.age`
  await store.put(key, await encrypter.encrypt(`${identity}\n`))
  return key
}

/** Why a key file is not tried: it is malformed, or would take too much work. Undefined if it is tried. */
export function whyNotTried(bytes: Buffer): string | undefined {
  const [, work] = /^age-encryption\.org\/v1\n-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n/.exec(bytes.toString('latin1', 0, 100)) ?? []
  if (work === undefined) return 'it is not an age file under a passphrase'
  return Number(work) > MOST_WORK ? `its scrypt work factor is ${work}, and ${MOST_WORK} is the most` : undefined
}

/** The identity in a key file that is worth trying, or undefined when the passphrase does not open it. */
export async function openKeyFile(bytes: Buffer, passphrase: string): Promise<string | undefined> {
  const decrypter = new Decrypter()
  decrypter.addIdentity(passphraseIdentity(passphrase, MOST_WORK))
  try {
    return (await decrypter.decrypt(bytes, 'text')).trim()
  } catch {
    // Wrong passphrase and damaged file look alike to age; the caller says how many files it tried.
    return undefined
  }
}

/** Puts the key files of these identities into another store that has none of them, so that the same passphrases open both. */
export async function copyKeyFiles(from: Store, to: Store, fingerprints: ReadonlySet<string>): Promise<void> {
  await addKeyFiles(to, await readKeyFiles(from, ({ fingerprint }) => fingerprints.has(fingerprint)))
}

/** The wanted key files of a store, by key. */
export async function readKeyFiles(store: Store, wanted: (file: KeyFile) => boolean): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const { key } of await triedKeyFiles(store, (await keyFiles(store)).filter(wanted)))
    files.set(key, await store.get(key, LIMITS.keyFile))
  return files
}

/**
 * Puts the key files of identities of which a store has none; all of them if each group of objects has its own. Where an identity has one,
 * a passphrase that lacks its own may have been removed, and must not come back.
 */
export async function addKeyFiles(store: Store, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const there = new Set(store.groups ? [] : (await keyFiles(store)).map(({ fingerprint }) => fingerprint))
  for (const [key, bytes] of files) if (!there.has(fingerprintIn(key)!)) await store.put(key, bytes)
}
