import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { marked } from '../../src/marks.ts'
import { copySnapshot } from '../../src/repository/copy.ts'
import { CopiedDamage } from '../../src/repository/copy-damage.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { openKeys, writeKeyOf } from '../../src/repository/open-keys.ts'
import { loadKnown } from '../../src/repository/known.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { decodeSnapshot, type SnapshotHeader, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { ANY_SIZE, changed, noise, sha256 } from '../support/bytes.ts'
import { recover } from '../support/recover-script.ts'
import { Volumes } from '../support/volume.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-recipients-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const own = await newIdentity()
const extra = await newIdentity()
const third = await newIdentity()
const first = noise('recipients', 4_000_000)
const second = changed(first, 1_000_000, 'later')

let count = 0
const fresh = (): string => path.join(folder, `${++count}`)

function identityFile({ identity }: { identity: string }): string {
  const file = fresh()
  writeFileSync(file, `${identity}\n`, { mode: 0o600 })
  return file
}

const backUpTo = (store: string, bytes: Buffer, recipients: string[] = [], encryptionKey = own.identity): ReturnType<typeof backUp> =>
  backUp({ folder: store, encryptionKey, recipients, sources: { app: [{ name: 'app.dump', bytes }] }, time: new Date(Date.UTC(2026, 10, 20) + ++count * 1000) })

async function headerOf(store: string, id: string): Promise<SnapshotHeader> {
  const files = new FileStore(store)
  const key = snapshotKey('app', id)
  return (await decodeSnapshot(key, await files.get(key, ANY_SIZE), await openKeys(own.identity, { store: files, create: false }))).header
}

/** The stream of a snapshot as the store's own recover.sh gives it with the identity of an extra recipient alone. */
function recovered(store: string, id: string, by: { identity: string }) {
  const { status, stdout, stderr } = recover(store, ['extract', id, 'app/app.dump', '-i', identityFile(by), '--unauthenticated'])
  return { status, digest: sha256(stdout), stderr }
}

test('a recipient that is added opens the next backup with stock tools alone, though nothing had changed, and not those before', async () => {
  const store = fresh()
  const before = await backUpTo(store, first)
  const after = await backUpTo(store, first, [extra.recipient])
  expect(after.newChunks).toBeGreaterThan(0)
  expect(recovered(store, after.id, extra)).toMatchObject({ status: 0, digest: sha256(first) })
  expect(recovered(store, before.id, extra)).toMatchObject({ status: 1, stderr: expect.stringContaining('could not be opened with this key') })
  const { recipients, chunks } = await headerOf(store, after.id)
  expect(recipients).toEqual([[after.id.slice(-8), expect.stringMatching(/^[0-9a-f]{16}$/)]])
  expect(new Set(chunks.map((entry) => entry[4]))).toEqual(new Set([after.id.slice(-8)]))
  expect((await headerOf(store, before.id)).recipients).toEqual([])
})

test('it costs that once: the backups after it reuse what is sealed to everybody, and are built on as differences', async () => {
  const store = fresh()
  await backUpTo(store, first)
  const added = await backUpTo(store, first, [extra.recipient])
  const same = await backUpTo(store, first, [extra.recipient])
  expect(same.newChunks).toBe(0)
  const later = await backUpTo(store, second, [extra.recipient])
  expect(later.deltaChunks).toBeGreaterThan(0)
  for (const { id, bytes } of [{ id: same.id, bytes: first }, { id: later.id, bytes: second }]) expect(recovered(store, id, extra)).toMatchObject({ status: 0, digest: sha256(bytes) })
  expect((await headerOf(store, later.id)).recipients.map(([mark]) => mark)).toEqual([added.id.slice(-8), later.id.slice(-8)].toSorted())
})

test('a difference is never made from what the recipient cannot open', async () => {
  const store = fresh()
  await backUpTo(store, first)
  const { id, deltaChunks } = await backUpTo(store, second, [extra.recipient])
  expect(deltaChunks).toBe(0)
  expect(recovered(store, id, extra)).toMatchObject({ status: 0, digest: sha256(second) })
})

test('one that is taken away opens what was sealed to it, and a second one that is added opens all of the next backup', async () => {
  const store = fresh()
  const shared = await backUpTo(store, first, [extra.recipient])
  const without = await backUpTo(store, first)
  expect(without.newChunks).toBe(0)
  expect(recovered(store, without.id, extra)).toMatchObject({ status: 1 })
  const both = await backUpTo(store, first, [third.recipient, extra.recipient])
  expect(both.newChunks).toBe(shared.newChunks)
  for (const by of [extra, third]) expect(recovered(store, both.id, by)).toMatchObject({ status: 0, digest: sha256(first) })
})

test('a write key goes by the same tags, which an observer who knows the recipients cannot compute', async () => {
  const store = fresh()
  const shared = await backUpTo(store, first, [extra.recipient])
  const again = await backUpTo(store, first, [extra.recipient], await writeKeyOf(own.identity, undefined))
  expect(again.newChunks).toBe(0)
  const tag = (await headerOf(store, shared.id)).recipients[0]![1]!
  const other = await openKeys(third.identity, { store: new FileStore(store), recipients: [extra.recipient], create: false })
  expect(other.recipientTags).not.toEqual([tag])
  expect(sha256(Buffer.from(extra.recipient)).startsWith(tag)).toBe(false)
})

const warned = (count: string) => [expect.stringMatching(new RegExp(marked`^this backup cannot be opened by ${count} that can open snapshot \\d{8}T\\d{6}Z-[0-9a-f]{8}: ‹recipients› does not name (it|them) any more$`))]

test('a recipient that is left out is a warning, also where nothing had changed; one more, or none ever, is not', async () => {
  const place = fresh()
  const volumes = new Volumes(place)
  const file = path.join(place, 'data/file')
  mkdirSync(path.dirname(file), { recursive: true })
  const backup = async (recipients: string[], content: string): Promise<string[]> => {
    volumes.warnings.length = 0
    writeFileSync(file, noise(content, 300_000))
    await volumes.backup({ volumes: `data=${path.dirname(file)}`, ...(recipients.length > 0 && { recipients: recipients.join('\n') }) })
    return volumes.warnings.filter((warning) => warning.includes('cannot be opened'))
  }
  expect(await backup([], 'a')).toEqual([])
  expect(await backup([extra.recipient], 'a')).toEqual([])
  expect(await backup([extra.recipient, third.recipient], 'b')).toEqual([])
  expect(await backup([extra.recipient], 'c')).toEqual(warned('1 recipient'))
  expect(await backup([extra.recipient, third.recipient], 'd')).toEqual([])
  expect(await backup([], 'd')).toEqual(warned('2 recipients'))
  await backup([], 'e')
  expect(await backup([], 'f')).toEqual([])
})

test('how much is to be stored once more is known before the backup', async () => {
  const store = new FileStore(fresh())
  const [from] = [store.name.slice('file:'.length)]
  await backUpTo(from, first)
  const keys = await openKeys(own.identity, { store, recipients: [extra.recipient], create: false })
  const { unsealed } = await loadKnown(store, keys, 'app', () => undefined)
  expect(unsealed.bytes).toBe(first.length)
  expect((await loadKnown(store, await openKeys(own.identity, { store, create: false }), 'app', () => undefined)).unsealed.ids.size).toBe(0)
})

test('a copy of a snapshot in another store opens for the same recipients', async () => {
  const [from, to] = [fresh(), fresh()]
  const { id } = await backUpTo(from, first, [extra.recipient])
  const target = new FileStore(to)
  await openOrMakeRepository(target)
  const keys = await openKeys(own.identity, { store: target, create: false })
  await copySnapshot(snapshotKey('app', id), { damage: await CopiedDamage.of(new FileStore(from), target, keys, 'app', () => undefined), from: new FileStore(from), to: target, keys, signal: new AbortController().signal, now: () => new Date(), grace: 86_400_000, onDamaged: () => undefined, onBytes: () => undefined })
  expect(recovered(to, id, extra)).toMatchObject({ status: 0, digest: sha256(first) })
  // And is built on there.
  expect((await backUpTo(to, first, [extra.recipient])).newChunks).toBe(0)
})

test('a backup says before it begins, and in its result, what an added recipient costs; the next one says nothing', async () => {
  const place = fresh()
  const volumes = new Volumes(place)
  mkdirSync(path.join(place, 'data'), { recursive: true })
  writeFileSync(path.join(place, 'data/file'), noise('volume', 1_000_000))
  const backup = (recipients?: string) => volumes.backup({ volumes: `data=${path.join(place, 'data')}`, ...(recipients && { recipients }) })
  expect((await backup()).forRecipients).toBeUndefined()
  expect(volumes.warnings).toEqual([])
  const { forRecipients, newChunks } = await backup(extra.recipient)
  expect(forRecipients).toEqual({ chunks: newChunks, bytes: expect.any(Number) })
  expect(volumes.warnings).toEqual([expect.stringMatching(/^\d+ chunks? of the newest snapshot \(.* of data\) (is|are) not sealed to every recipient: what this backup needs of them is stored once more$/)])
  expect(await backup(extra.recipient)).toMatchObject({ newChunks: 0 })
  expect(volumes.warnings).toHaveLength(1)
})
