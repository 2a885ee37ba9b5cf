import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { decodeSnapshot, encodeSnapshot, openManifest, snapshotKey, type Manifest } from '../../../src/repository/snapshot.ts'
import { volumeFacts } from '../../../src/sources/files/facts.ts'
import { FileStore } from '../../../src/stores/file/store.ts'
import { ANY_SIZE } from '../../support/bytes.ts'
import { keys } from '../../support/engine.ts'
import { Volumes } from '../../support/volume.ts'

let folder: string
let volumes: Volumes
let id: string
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-verify-'))
  volumes = new Volumes(folder)
  const root = path.join(folder, 'root')
  mkdirSync(path.join(root, 'sub'), { recursive: true })
  for (const name of ['a', 'sub/b', 'large-1', 'large-2']) writeFileSync(path.join(root, name), `content of ${name}`)
  for (const name of ['large-1', 'large-2']) truncateSync(path.join(root, name), 40_000_000)
  linkSync(path.join(root, 'a'), path.join(root, 'hard'))
  id = (await volumes.backup({ volumes: `data=${root}`, verify: 'none' })).snapshot
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Writes the snapshot again with something else in its manifest, as only who has the key can. */
async function forge(change: (source: Manifest['sources'][number]) => void): Promise<void> {
  const store = new FileStore(volumes.store)
  const key = snapshotKey('default', id)
  const snapshot = await decodeSnapshot(key, await store.get(key, ANY_SIZE), keys)
  const content = await openManifest(snapshot)
  change(content.sources[0]!)
  const { manifest: _, ...header } = snapshot.header
  await store.put(key, await encodeSnapshot(header, content, keys))
}

test('a sound volume verifies at both levels, its entries counted', async () => {
  for (const level of ['list', 'read']) expect(await volumes.verify({ level })).toMatchObject({ result: 'verified', problems: [], sources: [{ name: 'data', kind: 'directory', entries: 7 }] })
})

test('segments in another order are told by their heads', async () => {
  await forge(({ streams }) => streams.splice(0, 2, streams[1]!, streams[0]!))
  expect(await volumes.verify({ level: 'list' })).toMatchObject({ result: 'failed', problems: [expect.stringMatching(/data\.0000\d\.tar has .* where .* is recorded/)] })
})

test('counts and sizes that are not those recorded are told', async () => {
  await forge((source) => void (source.facts = { ...volumeFacts.parse(source.facts), bytes: 0 }))
  expect(await volumes.verify({ level: 'list' })).toMatchObject({ result: 'failed', problems: [expect.stringContaining('the list of data has 7 entries, 4 of them files, of')] })
  await forge((source) => void (source.facts = { ...volumeFacts.parse(source.facts), bytes: 80_000_028, files: 5 }))
  expect(await volumes.verify({ level: 'list' })).toMatchObject({ result: 'failed', problems: [expect.stringMatching(/4 of them files.*recorded are 7, 5,/)] })
  await forge((source) => void (source.facts = { ...volumeFacts.parse(source.facts), files: 4 }))
  await forge((source) => void (source.facts = { ...volumeFacts.parse(source.facts), entries: 8 }))
  expect(await volumes.verify({ level: 'list' })).toMatchObject({ result: 'failed', problems: [expect.stringContaining('contradicts itself')] })
})

test('a damaged chunk is named', async () => {
  const chunks = readdirSync(path.join(volumes.store, 'chunks'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const damaged = chunks[0]!
  const file = path.join(damaged.parentPath, damaged.name)
  const bytes = readFileSync(file)
  bytes[bytes.length - 3]! ^= 1
  writeFileSync(file, bytes)
  const { result, problems } = await volumes.verify({ level: 'read' })
  expect([result, problems.join()]).toEqual(['failed', expect.stringContaining(damaged.name)])
})

test('a machine without tar cannot verify every byte, and says so', async () => {
  const bare = new Volumes(folder, { PATH: '/nonexistent' })
  expect(await bare.verify({ level: 'list' })).toMatchObject({ result: 'verified' })
  expect(await bare.verify({ level: 'read' })).toMatchObject({ result: 'could not verify', problems: [expect.stringContaining('there is no tar')] })
})
