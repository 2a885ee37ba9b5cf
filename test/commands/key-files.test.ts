import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { textOf } from '../../src/commands/run-command.ts'
import { runDocumented } from '../support/documented.ts'
import type { Environment } from '../../src/environment.ts'
import { marked } from '../../src/marks.ts'
import type { KeyAddResult, KeyListResult, KeyRemoveResult } from '../../src/commands/key-files/result.ts'
import { failureOf, failureText } from '../../src/report/failure.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { openKeys, writeKeyOf } from '../../src/repository/open-keys.ts'
import { openManifest } from '../../src/repository/snapshot.ts'
import { Reader } from '../../src/repository/reader.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { all, noise } from '../support/bytes.ts'
import { identity } from '../support/engine.ts'
import { recover, recoverOnTerminal } from '../support/recover-script.ts'

const [first, second, third] = ['the first passphrase', 'the second passphrase', 'the third passphrase']
const bytes = noise('kept', 300_000)
const sources = { app: [{ name: 'app.dump', bytes }] }

let folder: string
let store: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-key-files-'))
  store = path.join(folder, 'store')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }
const environment = (): Environment => ({ variables: {}, signal: new AbortController().signal, report, temporary: path.join(folder, 'tmp'), now: () => new Date() })

async function key(word: 'add', raw: Record<string, string>): Promise<KeyAddResult & { text: string }>
async function key(word: 'remove', raw: Record<string, string>): Promise<KeyRemoveResult & { text: string }>
async function key(word: 'list', raw?: Record<string, string>): Promise<KeyListResult & { text: string }>
async function key(word: 'add' | 'remove' | 'list', raw: Record<string, string> = {}): Promise<object> {
  const outcome = await runDocumented(`key ${word}`, { destination: `file:${store}`, ...raw }, environment())
  return { ...outcome.result, text: textOf(outcome, 'lifeboat') }
}

async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(() => 'nothing was refused', (error: unknown) => failureText(failureOf(error)))
}

const files = (): string[] => readdirSync(path.join(store, 'keys')).toSorted()

/** The content, read back with a key. */
async function readWith(encryptionKey: string, id: string): Promise<Buffer> {
  const reading = new FileStore(store)
  const snapshot = await findSnapshot(reading, await openKeys(encryptionKey, { store: reading, create: false }), 'app', { kind: 'id', id })
  const manifest = await openManifest(snapshot)
  return Buffer.concat(await all(new Reader(reading, snapshot.keys, snapshot.header.chunks).stream(manifest.sources[0]!.streams[0]!)))
}

test('a passphrase is exchanged: the new one reads old snapshots and makes new ones, the old one opens nothing, and no data is written again', async () => {
  const before = await backUp({ folder: store, encryptionKey: first, sources, time: new Date('2026-11-20T02:00:00Z') })
  const data = (): string[] => ['chunks', 'snapshots'].flatMap((name) => readdirSync(path.join(store, name), { recursive: true }).map(String)).toSorted()
  const untouched = data()
  const [original] = files()

  const added = await key('add', { 'encryption-key': first, 'new-passphrase': second })
  expect(added.added).toEqual([expect.stringMatching(new RegExp(`^keys/${original!.slice(0, 16)}-[0-9a-f]{8}\\.age$`))])
  expect(files()).toHaveLength(2)
  expect((await readWith(second, before.id)).equals(bytes)).toBe(true)
  expect(await key('add', { 'encryption-key': second, 'new-passphrase': first })).toMatchObject({ added: [], text: expect.stringContaining('opens file:') })

  const removed = await key('remove', { 'encryption-key': second, 'old-passphrase': first })
  expect(removed).toMatchObject({ removed: [`keys/${original}`], left: added.added, text: expect.stringContaining('can still read its content') })
  expect(await refusal(readWith(first, before.id))).toContain('the passphrase does not open')
  expect((await readWith(second, before.id)).equals(bytes)).toBe(true)
  expect(data()).toEqual(untouched)

  const after = await backUp({ folder: store, encryptionKey: second, sources, time: new Date('2026-11-21T02:00:00Z') })
  expect(after.newChunks).toBe(0)
  expect(files()).toEqual(added.added.map((name) => path.basename(name)))

  // Without Lifeboat as well.
  const file = path.join(folder, 'identity.txt')
  expect((await recoverOnTerminal(store, ['identity', '-o', file], second)).status).toBe(0)
  expect(recover(store, ['extract', before.id, 'app.dump', '-i', file]).stdout.equals(bytes)).toBe(true)
})

test('recover.sh asks for each passphrase of the key until one opens it', async () => {
  const { id } = await backUp({ folder: store, encryptionKey: first, sources })
  await key('add', { 'encryption-key': first, 'new-passphrase': second })
  for (const passphrase of [first, second]) {
    const out = path.join(folder, `${passphrase}.dump`)
    expect(await recoverOnTerminal(store, ['extract', id, 'app.dump', '-o', out], passphrase)).toMatchObject({ status: 0 })
  }
  expect((await recoverOnTerminal(store, ['extract', id, 'app.dump', '-o', path.join(folder, 'no')], third)).status).toBe(1)
})

test('the list has names, keys, times, and which a passphrase opens', async () => {
  await backUp({ folder: store, encryptionKey: first, sources })
  await key('add', { 'encryption-key': first, 'new-passphrase': second })
  const { keys } = await key('list')
  expect(keys.map(({ name }) => name)).toEqual(files())
  expect(keys[0]).toEqual({ name: files()[0], fingerprint: files()[0]!.slice(0, 16), modified: expect.stringMatching(/^\d{4}-.*Z$/) })
  const { keys: tried, text } = await key('list', { 'encryption-key': second })
  expect([tried.filter(({ opens }) => opens).length, tried.length]).toEqual([1, 2])
  expect(text).toMatch(/^NAME +KEY +WRITTEN +OPENS WITH THE KEY GIVEN\n/)
})

test('the last way in stays, unless it is forced away', async () => {
  await backUp({ folder: store, encryptionKey: first, sources })
  const [original] = files()
  const hint = 'hint: Give the key that stays'
  const ways: Record<string, string>[] = [{ 'old-passphrase': first }, { name: original! }]
  for (const raw of ways) {
    expect(await refusal(key('remove', raw))).toMatch(new RegExp(`no key is given that will open the store afterwards, so nothing was removed\n${hint}`))
    expect(await refusal(key('remove', { ...raw, 'encryption-key': first }))).toMatch(new RegExp(`the key given would not open what is sealed to ${original!.slice(0, 16)} afterwards`))
  }
  await key('add', { 'encryption-key': first, 'new-passphrase': second })
  expect(await refusal(key('remove', { 'old-passphrase': first, 'encryption-key': first }))).toContain('would not open')
  expect(await refusal(key('remove', { 'old-passphrase': third, 'encryption-key': first }))).toContain('opens none of the 2 key files')
  expect(await refusal(key('remove', { name: original!, 'encryption-key': (await newIdentity()).identity }))).toContain('would not open')
  expect(await refusal(key('remove', { name: 'none.age', 'encryption-key': first }))).toContain('has no key file none.age')
  expect(await refusal(key('remove', { 'encryption-key': first }))).toContain(marked`neither ‹old-passphrase› nor the name of a key file is given`)
  expect(files()).toHaveLength(2)
  expect((await key('remove', { name: original!, 'encryption-key': second })).left).toHaveLength(1)
  expect((await key('remove', { 'old-passphrase': second, force: 'true' })).left).toEqual([])
})

test('an identity gets a passphrase, and stays a way in when that is taken away', async () => {
  const { id } = await backUp({ folder: store, encryptionKey: identity, sources })
  expect((await key('list')).text).toContain('has no key file: its key is an identity')
  const { added } = await key('add', { 'encryption-key': identity, 'new-passphrase': second })
  expect(added).toEqual([expect.stringMatching(/^keys\/[0-9a-f]{16}\.age$/)])
  expect((await readWith(second, id)).equals(bytes)).toBe(true)
  expect((await key('remove', { 'encryption-key': identity, 'old-passphrase': second })).left).toEqual([])
})

test('passphrases that cannot be added, and why', async () => {
  await backUp({ folder: store, encryptionKey: identity, sources })
  const added = (raw: Record<string, string>) => refusal(key('add', { 'encryption-key': identity, 'new-passphrase': second, ...raw }))
  expect(await added({ 'encryption-key': (await newIdentity()).identity })).toMatch(/no snapshot of file:\S+ is of the key given/)
  expect(await added({ 'encryption-key': await writeKeyOf(identity, undefined) })).toContain('a write key holds no identity')
  expect(await added({ 'new-passphrase': 'too short' })).toContain('at least 16 are needed')
  expect(await added({ 'new-passphrase': identity })).toContain('new-passphrase is an age identity, not a passphrase')
  expect(await refusal(runDocumented('key add', { destination: 'artifact', 'encryption-key': identity, 'new-passphrase': second }, { ...environment(), variables: { ACTIONS_RUNTIME_TOKEN: 'x' } }))).toContain('passphrases of backups in artifacts cannot be changed')
  expect((await key('list')).keys).toEqual([])
})
