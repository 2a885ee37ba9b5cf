import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { generateX25519Identity } from 'age-encryption'
import { putLabels } from '../../src/repository/labels.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { backUp as backUpOnce, digests, identity, keys, restored } from '../support/engine.ts'

let folder: string
let store: FileStore
/** Oldest first; each has a chunk that all have, and one of its own. */
let ids: string[]
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-forget-'))
  store = new FileStore(folder)
  ids = []
  for (const day of ['18', '19', '20']) {
    const sources = { shop: [{ name: 'shop.dump', bytes: noise('shared', 20_000) }, { name: 'own.dump', bytes: noise(day, 10_000) }] }
    ids.push((await backUp({ folder, encryptionKey: identity, time: new Date(`2026-11-${day}T02:00:00Z`), sources })).id)
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

const forget = (snapshots: readonly string[], raw: Record<string, string> = {}) => dispatched('forget', { destination: `file:${folder}`, 'encryption-key': identity, snapshots: snapshots.join('\n'), ...raw })
const objects = (): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
const verified = (id: string, result: 'verified' | 'failed' = 'verified') =>
  writeProof(store, keys, { set: 'app', snapshot: id, time: new Date('2026-11-20T03:00:00Z'), level: 'list', result, seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })

test('a snapshot is forgotten with its proofs and labels, its chunks stay, and it is told which only it needed', async () => {
  await verified(ids[0]!)
  await verified(ids[1]!)
  await putLabels(store, keys, 'app', ids[0]!, { pinned: false, tags: ['x'] })
  const before = objects()
  const { result, text } = await forget([ids[0]!])
  expect(result).toMatchObject({ forgotten: [{ snapshot: ids[0], set: 'app' }], freed: { objects: 1 } })
  expect(result.freed.bytes).toBeGreaterThan(10_000)
  expect(result.freed.bytes).toBeLessThan(11_000)
  expect(text).toContain('1 chunk (10.')
  const gone = before.filter((key) => !objects().includes(key))
  expect(gone.toSorted()).toEqual([`labels/app/${ids[0]}.json`, expect.stringMatching(new RegExp(`^proofs/app/${ids[0]}\\.`)), snapshotKey('app', ids[0]!)])
  expect(await restored(store, ids[1])).toEqual(digests({ shop: noise('19', 10_000) }))
})

test('the prune that it prints works as printed, and keeps every snapshot that is left', async () => {
  const words = (await forget([ids[0]!])).text.trim().split('\n').at(-1)!.trim().split(' ')
  const options = words.slice(words.indexOf('prune') + 1)
  const raw = Object.fromEntries(options.flatMap((word, index) => (index % 2 === 0 ? [[word.slice(2), options[index + 1]!]] : [])))
  const { result } = await dispatched('prune', { 'encryption-key': identity, ...raw })
  expect(result).toMatchObject({ set: 'app', kept: 2, deleted: 0, chunks: { obstacles: [] } })
})

test('the prune that it prints after the last snapshot works as printed, too', async () => {
  const { result, text } = await forget(ids, { force: 'true' })
  expect([result.left, result.freed.objects]).toEqual([0, 4])
  expect(text).toMatch(/has no snapshot left.*\n  \S+ prune --destination \S+ --set app --retention none --force$/)
  const pruned = await dispatched('prune', { destination: `file:${folder}`, 'encryption-key': identity, set: 'app', retention: 'none', force: 'true' })
  expect(pruned.result).toMatchObject({ set: 'app', kept: 0, deleted: 0, chunks: { obstacles: [] } })
})

test('two at once free what only they shared with each other', async () => {
  expect((await forget([ids[0]!, ids[1]!])).result.freed.objects).toBe(2)
})

test('the newest of a set, the only verified one and a pinned one are not forgotten, and nothing else with them', async () => {
  await verified(ids[0]!)
  await verified(ids[1]!, 'failed')
  await putLabels(store, keys, 'app', ids[1]!, { pinned: true, tags: null })
  const before = objects()
  expect(await refusal(forget([ids[1]!, ids[2]!]))).toMatch(`nothing was deleted: ${ids[2]} is the newest of set app; ${ids[1]} is pinned\nhint: Leave these out, or give --force, and these alone`)
  expect(await refusal(forget([ids[0]!]))).toContain(`no other verified snapshot of set app is whole: only ${ids[0]}`)
  expect(objects().toSorted()).toEqual(before.toSorted())
  expect((await forget(ids, { force: 'true' })).result.forgotten).toHaveLength(3)
  expect(objects().filter((key) => /^(snapshots|proofs|labels)\//.test(key))).toEqual([])
})

test('the only verified one that is complete is not forgotten as long as the others are partial', async () => {
  const { id } = await backUpOnce({ store, time: new Date('2026-11-21T02:00:00Z'), partial: true }, { shop: noise('part', 1000) })
  for (const one of [ids[1]!, id]) await verified(one)
  expect(await refusal(forget([ids[0]!, ids[1]!]))).toContain(`no other verified snapshot of set app is whole and complete: only ${ids[1]}`)
  await verified(ids[0]!)
  expect((await forget([ids[1]!])).result.left).toBe(3)
})

test('with another key than theirs, nobody knows which are good: none is forgotten', async () => {
  await verified(ids[0]!)
  const before = objects()
  const given = { 'encryption-key': await generateX25519Identity() }
  expect(await refusal(forget([ids[0]!], given)))
    .toContain(`nothing was deleted: ${ids[0]} was made with the key ${keys.fingerprint}, not with the one given, so it may be the only good one`)
  expect(objects().toSorted()).toEqual(before.toSorted())
  // Their key may be lost.
  expect((await forget([ids[0]!], { ...given, force: 'true' })).result.left).toBe(2)
})

test('an id that is not there, or that is none, deletes nothing', async () => {
  expect(await refusal(forget([ids[0]!, '20261120T020000Z-ffffffff']))).toContain('has no snapshot 20261120T020000Z-ffffffff; nothing was deleted')
  expect(await refusal(forget([ids[0]!, 'latest']))).toContain('snapshots: "latest" is not the id of a snapshot')
  expect(await refusal(forget([ids[0]!], { destination: 'artifact', token: 'x' }))).toContain('snapshots in artifacts cannot be forgotten one by one')
  expect(objects().filter((key) => key.startsWith('snapshots/'))).toHaveLength(3)
})

test('the newest that is damaged is told as that, with the way to put it back', async () => {
  writeFileSync(path.join(folder, snapshotKey('app', ids[2]!)), 'cut')
  expect(await refusal(forget([ids[2]!]))).toContain(
    `nothing was deleted: ${ids[2]} is the newest of set app and damaged, and comes back from another store that has it: \`lifeboat copy --from OTHER_STORE --set app --snapshot ${ids[2]}\``)
})

test('a damaged snapshot can be forgotten, and one that stays damaged is told to hold up pruning', async () => {
  writeFileSync(path.join(folder, snapshotKey('app', ids[0]!)), 'cut')
  writeFileSync(path.join(folder, snapshotKey('app', ids[1]!)), 'cut')
  const { result, warnings } = await forget([ids[0]!])
  expect(result.forgotten).toEqual([{ snapshot: ids[0], set: 'app' }])
  expect(warnings).toEqual(['1 snapshot of set app cannot be read, so a prune will keep all chunks'])
})
