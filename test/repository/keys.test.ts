import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Decrypter, Encrypter } from 'age-encryption'
import { marked } from '../../src/marks.ts'
import { failureOf, failureText } from '../../src/report/failure.ts'
import { findSnapshot, snapshotKeys } from '../../src/repository/catalog.ts'
import { fingerprintOf, type Keys, newIdentity, parseEncryptionKey } from '../../src/repository/keys.ts'
import { openKeys, writeKeyOf } from '../../src/repository/open-keys.ts'
import { loadKnown } from '../../src/repository/known.ts'
import { chunkId, chunkSum } from '../../src/repository/sums.ts'
import { openChunk, Reader } from '../../src/repository/reader.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { openManifest } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { NotFound, type Store } from '../../src/stores/store.ts'
import { SeveralStores } from '../../src/stores/several.ts'
import { backUp } from '../support/backup.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'
import { through } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const freshFolder = (): string => path.join(folder, `store-${++count}`)

const identity = 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD3'
const recipient = 'age1544g2pkz768ea2p6l74ae4jrv95t5a88x8rkk9qxxpt7y4tm7smqhr84x3'
const writeKey = `lifeboat-write:${recipient}:0L2VEjieA7lMcwdI_TuMexap_3c6ByA9WmgLiMLa7R4`
const passphrase = 'correct horse battery staple'

const nowhere = new FileStore('/nowhere/at/all')

async function failure(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => 'nothing was thrown',
    (reason: unknown) => reason,
  )
  return failureText(failureOf(error))
}

describe('an encryption key', () => {
  test('is an age identity, also with the comments of age-keygen, in lower case, or with blanks around it', () => {
    for (const text of [identity, `# created: 2026\n# public key: ${recipient}\n${identity}\n`, `  ${identity.toLowerCase()}\r\n`]) {
      expect(parseEncryptionKey(text)).toEqual({ kind: 'identity', identity })
    }
  })

  test('is a passphrase, of which every blank counts but not the line end', () => {
    expect(parseEncryptionKey(`  ${passphrase} \n`)).toEqual({ kind: 'passphrase', passphrase: `  ${passphrase} ` })
    for (const text of ['åäöåäöåäöåäöåäöå', 'q2J8x0Zt5r1QbFhVn7kLw3aYcU6sEoPd4gTiMjXvB9A=', '"quoted" at its beginning', 'it ends in a quotation mark"'])
      expect(parseEncryptionKey(text)).toEqual({ kind: 'passphrase', passphrase: text })
  })

  test('is a write key', () => {
    expect(parseEncryptionKey(` ${writeKey}\n`)).toMatchObject({ kind: 'write', recipient })
  })

  const damaged = identity.replace(/3$/, '4')
  test.each<[string, string, RegExp]>([
    ['nothing', '', /encryption key is empty/],
    ['only comments', '# none\n\n', /encryption key is empty/],
    ['the name of a file', '/home/backup/lifeboat/key.txt', /looks like the name of a file; the content of the file is needed/],
    ['a short passphrase', 'fifteen letters', /the passphrase has 15 characters; at least 16 are needed/],
    ['characters that are two code units each', '𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞', /has 10 characters/],
    ['two identities', `${identity}\n${identity}`, /holds several lines/],
    ['an identity and something else', `${identity}\nsomething`, /holds several lines/],
    ['an identity with a wrong checksum', damaged, /looks like an age identity but is damaged/],
    ['half an identity', identity.slice(0, 40), /looks like an age identity but is damaged/],
    ['an identity with a character that bech32 does not have', identity.replace('8', 'B'), /looks like an age identity but is damaged/],
    ['a damaged post-quantum identity', 'AGE-SECRET-KEY-PQ-1QQQQ', /looks like an age identity but is damaged/],
    ['an identity of a plugin', 'AGE-PLUGIN-YUBIKEY-1XYZ', /is of an age plugin/],
    ['a recipient', recipient, /is a recipient, the public half/],
    ['a write key that lacks its end', writeKey.slice(0, -1), /the write key is malformed/],
    ['a write key and something else', `${writeKey}\n${writeKey}`, /the write key is malformed/],
    ['a write key of a damaged recipient', writeKey.replace('x3:', 'x4:'), /is not an age recipient/],
    ['an identity in quotation marks', `'${identity}'`, /contains an age identity, but other text is around it/],
    ['an identity after a word', `key: ${identity}`, /contains an age identity, but other text is around it/],
    ['an identity after the name of its variable', `LIFEBOAT_ENCRYPTION_KEY=${identity}`, /contains an age identity, but other text/],
    ['an identity that lacks its beginning', identity.slice(4), /contains an age identity, .* its beginning is missing/],
    ['a write key in quotation marks', `"${writeKey}"`, /contains a write key, but other text is around it/],
    ['a passphrase in quotation marks', `"${passphrase}"`, /the encryption key is in quotation marks/],
    ['a passphrase after the name of its variable', `LIFEBOAT_ENCRYPTION_KEY=${passphrase}`, /begins with the name of a variable/],
    ['an expression of a workflow', '${{ secrets.LIFEBOAT_ENCRYPTION_KEY }}', /is an expression of a workflow/],
    ['one character many times', 'a'.repeat(24), /is one character, repeated/],
  ])('that is %s is refused with a message that holds no secret', async (_, text, message) => {
    const said = await failure(openKeys(text, { store: nowhere, create: false }))
    expect(said).toMatch(message)
    expect(said).toContain('hint: ')
    for (const secret of text.split('\n').filter((line) => line.length > 12 && line !== recipient)) expect(said.toUpperCase()).not.toContain(secret.toUpperCase())
    expect(said).not.toContain('0L2VEjieA7lMcwdI')
  })

  test('opens no store with a recipient that is none, and does not repeat what may be a secret', async () => {
    const refused = (given: string) => failure(openKeys(identity, { store: nowhere, recipients: [given], create: false }))
    expect(await refused(recipient.replace(/3$/, '4'))).toContain(`${recipient.replace(/3$/, '4')} is not an age recipient`)
    expect(await refused(identity)).toContain('is not an age recipient')
    expect(await refused(identity)).not.toContain(identity)
  })
})

const secretsOf = ({ fingerprint, recipients, idKey, macKeys, gear }: Keys) => ({ fingerprint, recipients, idKey, macKeys, gear })

test('recipients of a post-quantum key and of an ordinary one are not mixed', async () => {
  const ordinary = await newIdentity()
  const postQuantum = await newIdentity({ postQuantum: true })
  const options = { store: new FileStore('/nonexistent'), create: false }
  await expect(openKeys(ordinary.identity, { ...options, recipients: [postQuantum.recipient] })).rejects.toThrow(/is post-quantum and the encryption key is not/)
  await expect(openKeys(postQuantum.identity, { ...options, recipients: [ordinary.recipient] })).rejects.toThrow(/is not post-quantum, as the encryption key is/)
})

describe('derived values', () => {
  test('of an identity and of its write key are the same, but the write key reads nothing', async () => {
    const own = await openKeys(identity, { store: nowhere, create: false })
    const written = await writeKeyOf(identity, undefined)
    expect(written).toBe(writeKey)
    const writer = await openKeys(written, { store: nowhere, create: false })
    expect(secretsOf(writer)).toEqual(secretsOf(own))
    expect(own.identity).toBe(identity)
    expect(writer.identity).toBeUndefined()
  })

  test('of another identity are all others', async () => {
    const [own, other] = [await openKeys(identity, { store: nowhere, create: false }), await openKeys((await newIdentity()).identity, { store: nowhere, create: false })]
    expect(other.fingerprint).not.toBe(own.fingerprint)
    expect(other.idKey.equals(own.idKey)).toBe(false)
    const derived = [own, other].flatMap(({ idKey, macKeys }) => [idKey, ...Object.values(macKeys)]).map((key) => key.toString('hex'))
    expect(new Set(derived).size).toBe(derived.length)
    expect(other.gear).not.toEqual(own.gear)
  })

  test('know their own recipient first, and each of the extra ones once', async () => {
    const extra = await newIdentity()
    const keys = await openKeys(identity, { store: nowhere, recipients: [extra.recipient, recipient, extra.recipient], create: false })
    expect(keys.recipients).toEqual([recipient, extra.recipient])
  })

  test('come from a post-quantum identity as well', async () => {
    const hybrid = await newIdentity({ postQuantum: true })
    const keys = await openKeys(hybrid.identity, { store: nowhere, create: false })
    expect(keys.fingerprint).toBe(createHash('sha256').update(hybrid.recipient).digest('hex').slice(0, 16))
    const writer = await openKeys(await writeKeyOf(hybrid.identity, undefined), { store: nowhere, create: false })
    expect(secretsOf(writer)).toEqual(secretsOf(keys))
  })
})

test('a write key comes from an identity, or from a passphrase and its store', async () => {
  expect(await failure(writeKeyOf(writeKey, undefined))).toContain('is a write key already')
  expect(await failure(writeKeyOf(passphrase, undefined))).toContain('only together with its store')
})

/** Puts a wrapped identity under a key of its own making, with less work than we take. */
async function wrap(inner: string, phrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  encrypter.setPassphrase(phrase)
  encrypter.setScryptWorkFactor(5)
  return encrypter.encrypt(`${inner}\n`)
}

const keyFiles = (root: string): string[] => readdirSync(path.join(root, 'keys')).toSorted()

const both = (...stores: Store[]): Store => new SeveralStores(stores, new AbortController().signal, () => undefined)

/** Lists key files, and does not give them. */
function silent(store: Store): Store {
  return through(store, (operation, key, perform) => {
    if (operation === 'get' && key.startsWith('keys/')) throw new Error('the connection was lost')
    return perform()
  })
}

describe('a passphrase', () => {
  test('opens several stores while one of them does not give the key file; where none gives it, that is said', async () => {
    const [left, right] = [new FileStore(freshFolder()), new FileStore(freshFolder())]
    const made = await openKeys(passphrase, { store: both(left, right), create: true })
    expect((await openKeys(passphrase, { store: both(silent(left), right), create: true })).fingerprint).toBe(made.fingerprint)
    expect(await failure(openKeys(passphrase, { store: both(silent(left), silent(right)), create: true }))).toContain('the connection was lost')
  })

  test('makes a key file on first use, which opens again, is an age file, and gives a write key', async () => {
    const root = freshFolder()
    const store = new FileStore(root)
    let told = 0
    const made = await openKeys(passphrase, { store, create: true, onNewKey: () => void told++ })
    await openKeys(passphrase, { store, create: true, onNewKey: () => void told++ })
    expect(told).toBe(1)
    expect(keyFiles(root)).toEqual([`${made.fingerprint}.age`])
    const again = await openKeys(passphrase, { store, create: true })
    expect(again).toEqual(made)
    expect(keyFiles(root)).toHaveLength(1)

    const decrypter = new Decrypter()
    decrypter.addPassphrase(passphrase)
    expect(await decrypter.decrypt(await store.get(`keys/${made.fingerprint}.age`, ANY_SIZE), 'text')).toBe(`${made.identity}\n`)
    expect((await store.get(`keys/${made.fingerprint}.age`, ANY_SIZE)).toString('latin1')).toMatch(/^age-encryption.org\/v1\n-> scrypt [A-Za-z0-9+/]{22} 17\n/)

    const writer = await openKeys(await writeKeyOf(passphrase, store), { store, create: false })
    expect(writer.idKey.equals(made.idKey)).toBe(true)
  })

  test('that is wrong opens nothing, and makes no second key file', async () => {
    const root = freshFolder()
    const store = new FileStore(root)
    await store.put(`keys/${fingerprintOf(recipient)}.age`, await wrap(identity, passphrase))
    const said = await failure(openKeys(`${passphrase} `, { store, create: true }))
    expect(said).toContain('the passphrase does not open')
    expect(said).toContain('(1 key file tried)')
    expect(said).not.toContain(passphrase)
    expect(keyFiles(root)).toHaveLength(1)
  })

  test('finds no key in a store without one, and makes none where none may be made', async () => {
    const root = freshFolder()
    expect(await failure(openKeys(passphrase, { store: new FileStore(root), create: false }))).toContain('has no key file')
    expect(existsSync(root)).toBe(false)
  })

  test('passes over a key file that was renamed, replaced, truncated, is none, or takes too much work, and names it', async () => {
    const root = freshFolder()
    const store = new FileStore(root)
    const warnings: string[] = []
    const open = (): Promise<Keys> => openKeys(passphrase, { store, create: true, onDamaged: ({ message }) => void warnings.push(message.replaceAll(` in ${store.name}`, '')) })
    const costly = Buffer.from(await wrap(identity, passphrase)).toString('latin1').replace(/^(.*\n-> scrypt \S+) 5\n/, '$1 22\n')
    const planted: Record<string, [Uint8Array, string?]> = {
      'keys/0000000000000001.age': [await wrap(identity, passphrase), `it holds the identity with fingerprint ${fingerprintOf(recipient)}, not the one it is named after`],
      'keys/0000000000000002.age': [(await wrap(identity, passphrase)).subarray(0, 40), 'it is not an age file under a passphrase'],
      'keys/0000000000000003.age': [Buffer.from(costly, 'latin1'), 'its scrypt work factor is 22, and 18 is the most'],
      'keys/0000000000000004.age': [Buffer.alloc(100_000, 'x'), 'keys/0000000000000004.age has more than the 65,536 bytes that it may have'],
      'keys/0000000000000005.age': [await wrap('another identity', 'another passphrase altogether')],
    }
    for (const [key, [bytes]] of Object.entries(planted)) await store.put(key, bytes)
    const said = await failure(open())
    expect(said).toContain('does not open')
    warnings.length = 0
    await store.put(`keys/${fingerprintOf(recipient)}.age`, await wrap(identity, passphrase))
    const started = performance.now()
    expect((await open()).identity).toBe(identity)
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(warnings).toEqual(Object.entries(planted).flatMap(([key, [, problem]]) => (problem === undefined ? [] : [`${key} is passed over: ${problem}`])))
  })

  test('is tried with the 16 oldest key files alone', async () => {
    const root = freshFolder()
    const store = new FileStore(root)
    const warnings: string[] = []
    await store.put(`keys/${fingerprintOf(recipient)}.age`, await wrap(identity, passphrase))
    utimesSync(path.join(root, `keys/${fingerprintOf(recipient)}.age`), 1, 1)
    const other = await wrap('another identity', 'another passphrase altogether')
    for (let index = 0; index < 40; index++) await store.put(`keys/00000000000000${String(index).padStart(2, '0')}.age`, other)
    const keys = await openKeys(passphrase, { store, create: false, onDamaged: ({ message }) => void warnings.push(message) })
    expect(keys.identity).toBe(identity)
    expect(warnings).toEqual([`${store.name} has 41 key files; only 16 are tried: those of the keys that the newest snapshots claim, then the oldest`])
  })

  const sources = { app: [{ name: 'app.dump', bytes: noise('of a passphrase', 50_000) }] }

  test('makes no new identity beside snapshots, of any set and in any destination: without the lost key file nothing there can be read', async () => {
    const [root, empty] = [freshFolder(), freshFolder()]
    await backUp({ folder: root, encryptionKey: passphrase, set: 'other', sources })
    const [lost] = keyFiles(root)
    const bytes = readFileSync(path.join(root, 'keys', lost!))
    rmSync(path.join(root, 'keys'), { recursive: true })
    const store = new FileStore(root)
    for (const [where, create] of [[store, true], [store, false], [both(new FileStore(empty), store), true]] as const) {
      const said = await failure(openKeys(passphrase, { store: where, create }))
      expect(said).toContain(`${store.name} has snapshots but no key file (keys/…): without it nothing there can be read`)
      expect(said).toContain(`claim to be of the key ${lost!.slice(0, 16)}: snapshots/other/`)
      expect(said).toContain(`put keys/${lost} back from a copy`)
    }
    expect([existsSync(path.join(root, 'keys')), existsSync(path.join(empty, 'keys'))]).toEqual([false, false])
    await store.put(`keys/${lost}`, bytes)
    expect((await openKeys(passphrase, { store, create: true })).fingerprint).toBe(lost!.slice(0, 16))
  })

  test('makes none beside the snapshots of an identity, which go on; a forged one that stops the first backup is named, and gone is gone', async () => {
    const root = freshFolder()
    await backUp({ folder: root, encryptionKey: identity, sources })
    const store = new FileStore(root)
    expect(await failure(openKeys(passphrase, { store, create: true }))).toContain(`claim to be of the key ${fingerprintOf(recipient)}`)
    await backUp({ folder: root, encryptionKey: identity, sources })

    const honest = new FileStore(freshFolder())
    const forged = 'snapshots/app/20261120T020000Z-00000000.json.zst'
    await honest.put(forged, Buffer.from('no snapshot'))
    const said = await failure(openKeys(passphrase, { store: honest, create: true }))
    expect(said).toContain(`The newest name no key: ${forged}`)
    expect(said).toContain('is not an age identity, so it was taken for a passphrase')
    expect(said).not.toContain('delete them')
    await honest.delete(forged)
    expect((await openKeys(passphrase, { store: honest, create: true })).identity).toBeDefined()
  })

  test('is tried first with the key files that the newest snapshots name, however old the others are said to be', async () => {
    const root = freshFolder()
    await backUp({ folder: root, encryptionKey: passphrase, sources })
    const [own] = keyFiles(root)
    const store = new FileStore(root)
    const other = await wrap('another identity', 'another passphrase altogether')
    const fingerprints = Array.from({ length: 16 }, (_, index) => `00000000000000${String(index).padStart(2, '0')}`)
    const further = fingerprints.map((digits) => `${own!.slice(0, 16)}-${digits.slice(8)}`)
    for (const name of [...fingerprints, ...further]) {
      await store.put(`keys/${name}.age`, other)
      utimesSync(path.join(root, `keys/${name}.age`), 1, 1)
    }
    expect((await openKeys(passphrase, { store, create: true })).fingerprint).toBe(own!.slice(0, 16))
    const said = await failure(openKeys(`${passphrase} `, { store, create: true }))
    expect(said).toContain('(16 of 33 key files tried)')
    expect(said).toContain(marked`‹lifeboat key list› shows them`)
    expect(keyFiles(root)).toHaveLength(33)
  })

  test('shows nothing of a key file that opens and holds no identity', async () => {
    const root = freshFolder()
    const store = new FileStore(root)
    await store.put(`keys/${fingerprintOf(recipient)}.age`, await wrap('no identity at all', passphrase))
    const said = await failure(openKeys(passphrase, { store, create: true }))
    expect(said).not.toContain('no identity at all')
  })

  test('of age alone unwraps the identity that age-keygen would print', async () => {
    const root = freshFolder()
    const keys = await openKeys(passphrase, { store: new FileStore(root), create: true })
    expect(execFileSync('age-keygen', ['-y'], { input: keys.identity! }).toString().trim()).toBe(keys.recipients[0])
  })
})

/** Two first backups at the same time: the second sees no key file as long as the first has not put its own, and puts its own then. */
async function raceOfFirstBackups(root: string): Promise<[Keys, Keys]> {
  const real = new FileStore(root)
  await openOrMakeRepository(real)
  const seen = Promise.withResolvers<void>()
  let looked = false
  // Its first look at the keys comes before the other's put, its put after the other has gone on.
  const late: Store = {
    name: real.name,
    get: (key, most) => real.get(key, most),
    head: (key) => real.head(key),
    delete: (key) => real.delete(key),
    close: () => real.close(),
    async *list(prefix) {
      const found = await all(real.list(prefix))
      if (!looked) seen.resolve()
      looked = true
      yield* found
    },
    async put(key, bytes) {
      await firstIsOn
      await real.put(key, bytes)
    },
  }
  const second = openKeys(passphrase, { store: late, create: true })
  await seen.promise
  const first = openKeys(passphrase, { store: real, create: true })
  const firstIsOn = first
  return [await first, await second]
}

test('when two first backups race, both snapshots can be read, and the next backup of the set succeeds', async () => {
  const root = freshFolder()
  const [first, second] = await raceOfFirstBackups(root)
  expect(readdirSync(path.join(root, 'keys'))).toHaveLength(2)
  const opened = await openKeys(passphrase, { store: new FileStore(root), create: false })
  expect([opened.fingerprint, ...opened.others.map((keys) => keys.fingerprint)].toSorted()).toEqual(readdirSync(path.join(root, 'keys')).map((name) => name.slice(0, 16)).toSorted())
  expect([first.fingerprint, second.fingerprint]).toContain(opened.fingerprint)

  const bytes = noise('raced', 1_500_000)
  const given = (encryptionKey: string, time: string) => ({ folder: root, encryptionKey, time: new Date(time), sources: { app: [{ name: 'app.dump', bytes }] } })
  // Each backup of the race, under one of the two identities; then one with the passphrase on top of both.
  for (const [place, keys] of [opened, ...opened.others].entries()) await backUp({ ...given(keys.identity!, `2026-11-20T0${place}:00:00Z`), set: `set${place}` })
  for (const [place] of [opened, ...opened.others].entries()) {
    const store = new FileStore(root)
    const snapshot = await findSnapshot(store, opened, `set${place}`, { kind: 'latest' })
    const { sources } = await openManifest(snapshot)
    expect(Buffer.concat(await all(new Reader(store, snapshot.keys, snapshot.header.chunks).stream(sources[0]!.streams[0]!))).equals(bytes)).toBe(true)
    await backUp({ ...given(passphrase, `2026-11-20T1${place}:00:00Z`), set: `set${place}` })
    expect(await snapshotKeys(store, `set${place}`)).toHaveLength(2)
  }
})

test('a chunk has the same id under the identity and the write key, and the write key opens none', async () => {
  const root = freshFolder()
  await backUp({ folder: root, encryptionKey: identity, sources: { app: [{ name: 'app.dump', bytes: noise('chunk', 100_000) }] } })
  const store = new FileStore(root)
  const writer = await openKeys(writeKey, { store, create: false })
  const known = await loadKnown(store, writer, 'app', (error) => {
    throw error
  })
  const chunk = known.get(chunkId(chunkSum(noise('chunk', 100_000)), writer))!
  expect(chunk.size).toBe(100_000)
  await expect(openChunk(store, writer, [chunk.id, chunk.size, chunk.storedSize, null, chunk.mark])).rejects.toThrow()
  await expect(openManifest(await findSnapshot(store, writer, 'app', { kind: 'latest' }))).rejects.toThrow('a write key cannot read')
  await expect(store.get('keys/none', ANY_SIZE)).rejects.toThrow(NotFound)
})
