import { zstdCompressSync } from 'node:zlib'
import { encodeIndex, INDEX, parseIndex } from '../../src/stores/artifact/index-file.ts'
import { encodeParts } from '../../src/stores/artifact/parts.ts'
import type { ArtifactStore } from '../../src/stores/artifact/store.ts'
import { ANY_SIZE, sha256 } from '../support/bytes.ts'
import type { GitHub, StoredArtifact } from '../support/github/emulator.ts'
import { type ArtifactStores, authenticator, withArtifacts } from '../support/github/store.ts'
import { filesIn, type Files } from '../support/github/zip.ts'

const DAY = 86_400_000
let github: GitHub
let stores: ArtifactStores

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

const mark = (day: number) => day.toString(16).padStart(8, '0')
const snapshot = (day: number) => `snapshots/shop/202611${String(day).padStart(2, '0')}T020000Z-${mark(day)}.json.zst`
const chunk = (day: number, name = 'a') => `chunks/aa/${sha256(Buffer.from(name))}-${mark(day)}`
const proof = (day: number) => `proofs/shop/202611${String(day).padStart(2, '0')}T020000Z-${mark(day)}.20261130T020000Z-00000000.read-verified.${'0'.repeat(32)}.json`
const bytes = (text: string, length = 1000) => Buffer.alloc(length, text)

async function backUp(day: number, chunks: string[], needs: string[] = [], options: Parameters<ArtifactStores['open']>[0] = {}): Promise<ArtifactStore> {
  const store = stores.open(options)
  for (const key of chunks) await store.put(key, bytes(key))
  await store.put(snapshot(day), bytes(`snapshot ${day}`))
  await store.groups.commit(needs)
  return store
}

async function prove(day: number): Promise<void> {
  const store = stores.open()
  await store.put(proof(day), bytes(proof(day)))
  await store.groups.commit([])
}

async function keysOf(store: ArtifactStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys.toSorted()
}

/** How many artifacts a new run looks into to list the snapshots, and what it finds. */
async function listing(): Promise<{ looked: number; snapshots: string[] }> {
  github.calls.length = 0
  const snapshots = await keysOf(stores.open(), 'snapshots/')
  return { looked: github.calls.filter(({ name }) => name === 'GET artifacts/N/zip').length, snapshots }
}

/** Puts other files into an artifact, signed by whoever has the key. */
async function rewrite(artifact: StoredArtifact, change: (files: Files) => Promise<Files>): Promise<void> {
  const { 'parts.json': parts, ...files } = await change(await filesIn(await github.content(artifact)))
  const { needs } = JSON.parse(parts!.subarray(parts!.indexOf('\n') + 1).toString())
  const { name, run } = artifact
  const objects = Object.entries(files).map(([key, content]): [string, number, string] => [key, content.length, sha256(content)])
  const planted = await github.plant({ name, run: run.id, created: artifact.created, files: { ...files, 'parts.json': authenticator.sign(encodeParts({ name, run: run.id, set: 'shop', objects, needs })) } })
  github.artifacts.splice(github.artifacts.indexOf(planted), 1)
  Object.assign(artifact, { blob: planted.blob, size: planted.size, digest: planted.digest })
}

const three = [1, 2, 3].map((day) => snapshot(day))

test('only the newest artifact is looked into, and a proof after it needs one more', async () => {
  for (const day of [1, 2, 3]) await backUp(day, [chunk(day)], day > 1 ? [chunk(1)] : [])
  expect(await listing()).toEqual({ looked: 1, snapshots: three })
  await prove(3)
  expect(await listing()).toEqual({ looked: 2, snapshots: three })
  const store = stores.open()
  expect(await keysOf(store, 'proofs/')).toEqual([proof(3)])
  for (const day of [1, 2, 3]) expect(await store.get(chunk(day), ANY_SIZE)).toEqual(bytes(chunk(day)))
  expect(await store.groups.wholeness()).toEqual({ lost: [], newestWhole: snapshot(3) })
})

const unusable: Record<string, (index: Buffer) => Promise<Buffer | undefined>> = {
  'is missing': async () => undefined,
  'is no zstd': async () => Buffer.from('index'),
  'is of a newer form': async () => zstdCompressSync('{"format":"lifeboat-index/2"}'),
  'tells of artifacts that GitHub does not list so': async (index) => {
    const { base, artifacts } = await parseIndex(index)
    return encodeIndex({ base, artifacts: artifacts.map((one) => ({ ...one, size: one.size + 1, objects: [], marks: [] })) })
  },
}

test('where the index cannot be used, every artifact is looked into, and the next backup writes it again', async () => {
  for (const day of [1, 2, 3]) await backUp(day, [chunk(day)], day > 1 ? [chunk(1)] : [])
  const newest = github.artifacts.at(-1)!
  const index = (await filesIn(await github.content(newest)))[INDEX]!
  for (const [what, change] of Object.entries(unusable)) {
    await rewrite(newest, async (files) => {
      const changed = await change(index)
      const others = Object.entries(files).filter(([key]) => key !== INDEX)
      return Object.fromEntries([...others, ...(changed ? [[INDEX, changed] as const] : [])])
    })
    expect([what, await listing()]).toEqual([what, { looked: 3, snapshots: three }])
  }
  await backUp(4, [chunk(4)], [chunk(1)])
  expect(await listing()).toEqual({ looked: 1, snapshots: [...three, snapshot(4)] })
})

test('an index that was changed without the key is not used: its SHA-256 is signed', async () => {
  for (const day of [1, 2, 3]) await backUp(day, [chunk(day)])
  const newest = github.artifacts.at(-1)!
  const content = await github.content(newest)
  const index = (await filesIn(content))[INDEX]!
  content[content.indexOf(index) + index.length - 1]! ^= 1
  await github.replace(newest, content)
  expect(await listing()).toEqual({ looked: 3, snapshots: three })
})

test('an old artifact with its old index that is uploaded again hides nothing', async () => {
  for (const day of [1, 2, 3]) await backUp(day, [chunk(day)])
  await github.plant({ name: 'lifeboat-shop', zip: await github.content(github.artifacts[1]!) })
  expect((await listing()).snapshots).toEqual(three)
  expect(stores.warnings.at(-1)).toMatch(/is a copy of artifact lifeboat-shop/)
})

test('two backups at once do not know of each other, and the next one knows both', async () => {
  await backUp(1, [chunk(1)])
  const [second, third] = [stores.open(), stores.open()]
  for (const [store, day] of [[second, 2], [third, 3]] as const) {
    await keysOf(store, 'snapshots/')
    await store.put(chunk(day), bytes(chunk(day)))
    await store.put(snapshot(day), bytes(`snapshot ${day}`))
  }
  await second.groups.commit([chunk(1)])
  await third.groups.commit([chunk(1)])
  expect(await listing()).toEqual({ looked: 2, snapshots: three })
  await backUp(4, [chunk(4)])
  expect(await listing()).toEqual({ looked: 1, snapshots: [...three, snapshot(4)] })
})

test('an artifact that is deleted is missed without looking into the others', async () => {
  for (const day of [1, 2, 3]) await backUp(day, [chunk(day)], day > 1 ? [chunk(1)] : [])
  await backUp(4, [chunk(4)])
  github.artifacts.splice(0, 1)
  const store = stores.open()
  github.calls.length = 0
  expect(await store.groups.wholeness()).toEqual({ lost: [snapshot(3), snapshot(2)], newestWhole: snapshot(4) })
  expect(github.calls.filter(({ name }) => name === 'GET artifacts/N/zip').length).toBe(1)
})

test('a chunk that a copy has put once more saves the snapshots that need it, and a prune keeps it', async () => {
  await backUp(1, [chunk(1), chunk(1, 'b')])
  await backUp(2, [chunk(2)], [chunk(1)])
  await backUp(3, [chunk(3), chunk(1)], [])
  await backUp(4, [chunk(4)])
  github.artifacts.splice(0, 1)
  expect(await stores.open().groups.wholeness()).toEqual({ lost: [], newestWhole: snapshot(4) })
  expect(await stores.open().get(chunk(1), ANY_SIZE)).toEqual(bytes(chunk(1)))
  github.offset = 3 * DAY
  const released = await stores.open({ token: github.token('write') }).groups.release({ kept: new Set([snapshot(2), snapshot(4)]), grace: DAY, builtOn: 0, dryRun: false })
  expect(released.artifacts).toEqual([])
  expect(await stores.open().get(chunk(1), ANY_SIZE)).toEqual(bytes(chunk(1)))
})

/** A backup in eight parts of two chunks, three that need some of these, one of a copy that has two of them again, and an index of all. */
async function planted(): Promise<string[]> {
  const chunks = Array.from({ length: 18 }, (_, number) => chunk(1, `${number}`))
  await backUp(1, chunks, [], { stagingLimit: 16_000 })
  await backUp(2, [chunk(2)], [chunks[0]!, chunks[4]!])
  await backUp(3, [chunk(3)], [chunks[5]!, chunks[17]!, chunk(2)])
  await backUp(4, [chunk(4), chunks[4]!, chunks[6]!])
  await backUp(5, [chunk(5)], [chunks[6]!, chunks[4]!])
  await backUp(6, [chunk(6)])
  expect(github.artifacts.filter(({ name }) => name.includes('+')).length).toBe(8)
  return chunks
}

test('one lost part takes the same few requests, however many parts its backup has', async () => {
  const chunks = await planted()
  github.artifacts.splice(github.artifacts.findIndex(({ name }) => name === 'lifeboat-shop+3'), 1)
  const copy = github.artifacts.filter(({ name }) => name === 'lifeboat-shop')[3]!
  const looks = async (work: (store: ArtifactStore) => Promise<unknown>): Promise<number> => {
    github.calls.length = 0
    await work(stores.open())
    return github.calls.filter(({ name }) => name === 'GET artifacts/N/zip').length
  }
  for (const more of [false, true]) {
    // The newest, the backup that tells of all its parts, the copy, and those that need something of the lost one.
    expect(await looks(async (store) => expect((await store.groups.wholeness()).lost).toEqual([snapshot(3), snapshot(1)]))).toBe(5)
    expect(await looks((store) => expect(store.get(chunks[5]!, ANY_SIZE)).rejects.toThrow('was in artifact lifeboat-shop+3'))).toBe(5)
    expect(await looks(async (store) => expect(await store.get(chunks[4]!, ANY_SIZE)).toEqual(bytes(chunks[4]!)))).toBeLessThanOrEqual(4)
    // Its index is made without the part.
    if (!more) await backUp(7, [chunk(7)])
  }
  // Without the copy nothing else may have the chunks; its own are looked for once more, for the one that needs them.
  github.artifacts.splice(github.artifacts.indexOf(copy), 1)
  expect(await looks((store) => store.groups.wholeness())).toBe(3)
})

test('an index tells the same of a lost artifact, of any, as all artifacts do', async () => {
  await planted()
  const all = [...github.artifacts]
  for (const lost of all) {
    github.artifacts.splice(0, Infinity, ...all.filter((one) => one !== lost))
    const opened = stores.open()
    await keysOf(opened, 'chunks/')
    expect([lost.name, await stores.open().groups.wholeness()]).toEqual([lost.name, await opened.groups.wholeness()])
  }
})

test('the artifact of a proof has those that came before it, so that a prune deletes theirs after the grace, and no proof keeps a backup', async () => {
  for (const day of [1, 2, 3, 4]) {
    await backUp(day, [chunk(day)])
    await prove(day)
  }
  const release = (kept: number[]) => stores.open({ token: github.token('write') }).groups.release({ kept: new Set(kept.map((day) => snapshot(day))), grace: DAY, builtOn: 1, dryRun: false })
  expect((await release([1, 4])).deleted).toBe(0)
  github.offset = 2 * DAY
  await release([1, 4])
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([snapshot(1), snapshot(4)])
  const left = await keysOf(stores.open(), 'proofs/')
  expect(left).toEqual([1, 2, 3, 4].map(proof))
  for (const key of left) expect(await stores.open().get(key, ANY_SIZE)).toEqual(bytes(key))
  expect(github.live().length).toBe(3)
})

test('only so many proofs are uploaded again that it takes little', async () => {
  for (let day = 1; day <= 5; day++) {
    const store = await backUp(day, [])
    await store.put(proof(day), bytes(`${day}`, 12_000))
    await store.groups.commit([])
  }
  const held = await Promise.all(github.artifacts.map(async (artifact) => Object.keys(await filesIn(await github.content(artifact))).filter((key) => key.startsWith('proofs/')).length))
  expect(held).toEqual([0, 1, 0, 2, 0, 3, 0, 1, 0, 2])
  for (let day = 1; day <= 5; day++) expect(await stores.open().get(proof(day), ANY_SIZE)).toEqual(bytes(`${day}`, 12_000))
})

test('a prune leaves no gap in the names of a run', async () => {
  const variables = github.startRun()
  for (const day of [1, 2, 3, 4]) {
    const store = stores.open({ variables })
    await store.put(snapshot(day), bytes(`snapshot ${day}`))
    await store.groups.commit([])
  }
  github.offset = 2 * DAY
  const release = (kept: number[]) => stores.open({ token: github.token('write') }).groups.release({ kept: new Set(kept.map((day) => snapshot(day))), grace: DAY, builtOn: 0, dryRun: false })
  expect((await release([4])).artifacts.map(({ name }) => name)).toEqual(['lifeboat-shop'])
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([2, 3, 4].map((day) => snapshot(day)))
})

test('an artifact with a higher name is found by the index when one before it was deleted by hand', async () => {
  const variables = github.startRun()
  for (const day of [1, 2, 3, 4, 5]) await backUp(day, [chunk(day)], [], { variables })
  await backUp(6, [chunk(6)])
  github.artifacts.splice(2, 1)
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([1, 2, 4, 5, 6].map((day) => snapshot(day)))
  await backUp(7, [chunk(7)])
  expect(await listing()).toEqual({ looked: 1, snapshots: [1, 2, 4, 5, 6, 7].map((day) => snapshot(day)) })
})

test('a new snapshot builds on few artifacts: those that it needs most of, once there would be more than six', async () => {
  const objects = new Map<string, number>()
  for (let day = 1; day <= 7; day++) {
    const chunks = Array.from({ length: day }, (_, index) => chunk(day, `${index}`))
    await backUp(day, chunks, day > 1 ? [chunk(1, '0')] : [])
    for (const key of chunks) objects.set(key, 1000)
    const reusable = await stores.open().groups.reusable(objects, { few: true })
    const days = new Set([...reusable].map((key) => Number.parseInt(key.slice(-8), 16)))
    expect([...days].toSorted((a, b) => a - b)).toEqual(day <= 6 ? Array.from({ length: day }, (_, index) => index + 1) : [4, 5, 6, 7])
  }
  expect((await stores.open().groups.reusable(objects, { few: false })).size).toBe(28)
  expect((await stores.open().groups.reusable(new Map([[chunk(1, '0'), 999]]), { few: false })).size).toBe(0)
})
