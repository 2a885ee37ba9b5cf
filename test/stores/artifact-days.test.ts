import { createHash, randomBytes } from 'node:crypto'
import { loadKnown } from '../../src/repository/known.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { Reader } from '../../src/repository/reader.ts'
import { openOrMakeRepository, openRepository } from '../../src/repository/repository.ts'
import { newSnapshotId, openManifest } from '../../src/repository/snapshot.ts'
import { Writer } from '../../src/repository/writer.ts'
import { artifactRetention } from '../../src/stores/artifact/retention.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { ChangingRows } from '../support/changing-rows.ts'
import { GitHub } from '../support/github/emulator.ts'
import { identity } from '../support/engine.ts'
import { ArtifactStores, terminalOf } from '../support/github/store.ts'

const DAY = 86_400_000
const SIZE = 12_000_000

let github: GitHub
let stores: ArtifactStores

beforeAll(async () => {
  github = await GitHub.start()
  stores = await ArtifactStores.in(github)
})
afterAll(async () => {
  await stores?.close()
  await github?.stop()
})

const onDamaged = (error: Error) => {
  throw error
}

/** As a backup job does it, with the real engine. Gives the snapshot's id. */
async function backUp(store: ArtifactStore, bytes: Buffer): Promise<string> {
  await openOrMakeRepository(store)
  const keys = await openKeys(identity, { store, recipients: [], create: true })
  const known = await loadKnown(store, keys, 'shop', onDamaged)
  const id = newSnapshotId(github.now(), randomBytes(4))
  const writer = new Writer({ store, keys, known, compression: 3, jobs: 2, mark: id.slice(-8), signal: new AbortController().signal, onDamaged })
  const record = await writer.stream('shop', 'pg_dump-custom', pieces(bytes), () => undefined)
  await writer.commit({ format: 'lifeboat/1', id, set: 'shop', time: github.now().toISOString(), tags: [] }, { sources: [{ name: 'shop', kind: 'postgres', streams: [record], facts: {} }], description: '', run: null, lifeboat: '0.0.0' })
  await store.groups.commit(writer.reused())
  await store.close()
  return id
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}

async function restore(store: ArtifactStore, id: string): Promise<string> {
  await openRepository(store)
  const keys = await openKeys(identity, { store, create: false })
  const snapshot = await findSnapshot(store, keys, 'shop', { kind: 'id', id })
  const manifest = await openManifest(snapshot)
  const hash = createHash('sha256')
  for await (const chunk of new Reader(store, keys, snapshot.header.chunks).stream(manifest.sources[0]!.streams[0]!)) hash.update(chunk)
  await store.close()
  return hash.digest('hex')
}

test('daily backups of a database store what changed, each is restored from another run, and content is stored again before it expires', async () => {
  const retention = artifactRetention(30, 90)
  const rows = new ChangingRows(SIZE, 'scattered')
  const made = new Map<string, string>()
  for (const day of [0, 1, 2, 3, 62]) {
    github.offset = day * DAY
    if (day > 0) rows.change(0.01)
    made.set(await backUp(stores.open({ retention }), rows.bytes), createHash('sha256').update(rows.bytes).digest('hex'))
  }
  const [whole, ...later] = github.artifacts.map(({ size }) => size)
  for (const size of later.slice(0, 3)) expect(size).toBeLessThan(whole! / 8)
  // 60 days after the first backup nothing may depend on it any more.
  expect(later[3]).toBeGreaterThan(whole! * 0.9)

  for (const [id, sha256] of made) expect({ id, sha256: await restore(stores.open({ variables: terminalOf(github) }), id) }).toEqual({ id, sha256 })
  github.offset = 91 * DAY
  const last = [...made].at(-1)!
  expect(await restore(stores.open(), last[0])).toBe(last[1])
  expect(stores.warnings).toEqual([])
})
