import { createHash } from 'node:crypto'
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { artifactRetention } from '../../src/stores/artifact/retention.ts'
import { SNAPSHOTS_BUILT_ON } from '../../src/repository/known.ts'
import { type ArtifactStore, LostPart } from '../../src/stores/artifact/store.ts'
import { DamagedObject, NotFound } from '../../src/stores/store.ts'
import { LifeboatError } from '../../src/error.ts'
import type { GitHub } from '../support/github/emulator.ts'
import { type ArtifactStores, authenticator, terminalOf, withArtifacts } from '../support/github/store.ts'
import { ANY_SIZE } from '../support/bytes.ts'
import { thrownBy } from '../support/thrown.ts'

const DAY = 86_400_000
let github: GitHub
let stores: ArtifactStores

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})
afterEach(() => {
  expect(github.faults.splice(0)).toEqual([])
})

const snapshot = (day: number, set = 'shop') => `snapshots/${set}/202611${String(day).padStart(2, '0')}T020000Z-0000000${day % 10}.json.zst`
const bytes = (text: string, length = 1000) => Buffer.alloc(length, text)
const sha256 = (text: string) => createHash('sha256').update(bytes(text)).digest('hex')

/** One backup: puts the objects, the snapshot last, and commits. */
async function backUp(day: number, chunks: string[], needs: string[] = [], store: ArtifactStore = stores.open()): Promise<ArtifactStore> {
  await store.put('lifeboat.json', Buffer.from('{}'))
  for (const chunk of chunks) await store.put(chunk, bytes(chunk))
  await store.put(snapshot(day), bytes(`snapshot ${day}`))
  await store.groups.commit(needs)
  return store
}

async function keysOf(store: ArtifactStore, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys.toSorted()
}

test('another run reads what one puts and commits, byte for byte, and a terminal with a token too', async () => {
  await backUp(1, ['chunks/aa/one', 'chunks/bb/two'])
  for (const store of [stores.open(), stores.open({ variables: terminalOf(github) }), stores.open({ set: undefined })]) {
    expect(await keysOf(store)).toEqual(['chunks/aa/one', 'chunks/bb/two', 'lifeboat.json', snapshot(1)])
    expect(await store.get('chunks/aa/one', ANY_SIZE)).toEqual(bytes('chunks/aa/one'))
    expect(await store.get('lifeboat.json', ANY_SIZE)).toEqual(Buffer.from('{}'))
    await expect(store.get('chunks/aa/none', ANY_SIZE)).rejects.toThrow(NotFound)
    await expect(store.get('chunks/aa/one', bytes('chunks/aa/one').length - 1)).rejects.toThrow(DamagedObject)
  }
})

test('the artifact is named after the set, and holds what this backup put, the small objects of the store, and where the rest is', async () => {
  await backUp(1, ['chunks/aa/one'])
  await backUp(2, ['chunks/bb/two'], ['chunks/aa/one'])
  expect(github.artifacts.map(({ name }) => name)).toEqual(['lifeboat-shop', 'lifeboat-shop'])
  const content = (await github.content(github.artifacts[1]!)).toString('latin1')
  expect(content).toContain('lifeboat.json')
  expect(content).not.toContain('chunks/aa/one'.repeat(20))
  const parts: unknown = JSON.parse(/\{"format":"lifeboat-parts\/1".*\]\}\]\}/.exec(content)![0])
  expect(parts).toMatchObject({
    name: 'lifeboat-shop', run: github.artifacts[1]!.run.id, set: 'shop',
    objects: expect.arrayContaining([['chunks/bb/two', 1000, sha256('chunks/bb/two')], ['lifeboat.json', 2, expect.any(String)], [snapshot(2), 1000, expect.any(String)]]),
    needs: [{ artifact: github.artifacts[0]!.id, name: 'lifeboat-shop', run: github.artifacts[0]!.run.id, expires: github.artifacts[0]!.expires.toISOString(), objects: [['chunks/aa/one', 1000]] }],
  })
})

test('before the commit nothing is uploaded, and closing discards what was put', async () => {
  const store = stores.open()
  await store.put('chunks/aa/one', bytes('one'))
  expect(await store.get('chunks/aa/one', ANY_SIZE)).toEqual(bytes('one'))
  expect(await keysOf(store)).toEqual(['chunks/aa/one'])
  await store.close()
  expect(github.calls.filter(({ path }) => path.includes('CreateArtifact'))).toEqual([])
  expect(readdirSync(stores.temporary)).toEqual([])
})

test('a backup that put nothing commits nothing', async () => {
  await stores.open().groups.commit([])
  expect(github.artifacts).toEqual([])
})

test('only what a backup adds is staged, and nothing stays on disk after the commit', async () => {
  await backUp(1, ['chunks/aa/one'])
  const store = stores.open()
  await store.put('chunks/bb/two', bytes('two'))
  expect(readdirSync(stores.temporary, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual(['two'])
  await store.put(snapshot(2), bytes('snapshot'))
  await store.groups.commit(['chunks/aa/one'])
  expect(readdirSync(stores.temporary)).toEqual([])
})

test('further backups of the same run get names of their own, and all are found', async () => {
  const variables = github.startRun()
  for (const day of [1, 2, 3, 4, 5]) await backUp(day, [`chunks/aa/${day}`], [], stores.open({ variables }))
  expect(github.artifacts.filter(({ final }) => final).map(({ name }) => name)).toEqual(['lifeboat-shop', 'lifeboat-shop.2', 'lifeboat-shop.3', 'lifeboat-shop.4', 'lifeboat-shop.5'])
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([1, 2, 3, 4, 5].map((day) => snapshot(day)))
})

test('a store that makes many backups tries no name twice, and says when none is left', async () => {
  const store = stores.open()
  for (const day of [1, 2, 3]) await backUp(day, [], [], store)
  expect(github.calls.filter(({ name }) => name === 'CreateArtifact')).toHaveLength(3)
  const artifact = github.artifacts[0]!
  for (let number = 4; number <= 100; number++) github.artifacts.push({ ...artifact, id: 9000 + number, name: `lifeboat-shop.${number}` })
  const error = await thrownBy(backUp(4, [], [], store))
  expect(error.message).toBe('this run has no name left for this backup: all are taken up to lifeboat-shop.100')
  expect(github.calls.filter(({ name }) => name === 'CreateArtifact')).toHaveLength(4)
})

test('without a token the artifacts of the same run are read, those of others are not, and a warning says so', async () => {
  const variables = github.startRun()
  await backUp(1, ['chunks/aa/one'], [], stores.open({ variables, token: undefined }))
  const same = stores.open({ variables, token: undefined })
  expect(await same.get('chunks/aa/one', ANY_SIZE)).toEqual(bytes('chunks/aa/one'))
  expect(await keysOf(stores.open({ token: undefined }))).toEqual([])
  expect(stores.warnings[0]).toMatch(/only the artifacts of this run are seen.*actions: read/)
})

test('more artifacts than fit on a page are listed, and those of other workflows are left alone', async () => {
  for (let number = 0; number < 150; number++) {
    github.artifacts.push({ id: 10_000 + number, name: `build-${number}`, run: { id: 1, backend: 'x', repository: 'octo/shop', head: 'octo/shop' }, blob: 'none', size: 10, digest: `sha256:${'0'.repeat(64)}`, created: new Date(), expires: new Date(Date.now() + DAY), final: true })
  }
  github.artifacts.reverse()
  await backUp(1, ['chunks/aa/one'])
  github.artifacts.reverse()
  expect(await keysOf(stores.open({ set: undefined }), 'chunks/')).toEqual(['chunks/aa/one'])
  expect(github.calls.some(({ path }) => path.startsWith('/blobs/') && path.endsWith('/none'))).toBe(false)
})

test('to list snapshots only ends of artifacts are read, to get a chunk only that chunk', async () => {
  const store = stores.open()
  await store.put('chunks/aa/large', Buffer.alloc(3_000_000, 'x'))
  await store.put('chunks/aa/small', bytes('small'))
  await store.put(snapshot(1), bytes('snapshot'))
  await store.groups.commit([])
  github.calls.length = 0
  const other = stores.open()
  expect(await keysOf(other, 'snapshots/')).toEqual([snapshot(1)])
  expect(await other.get('chunks/aa/small', ANY_SIZE)).toEqual(bytes('small'))
  const blobs = github.calls.filter(({ path }) => path.startsWith('/blobs/'))
  expect(new Set(blobs.map(({ status }) => status))).toEqual(new Set([206]))
  // On a busy machine a request may be repeated, and the client may put the large file last, so that parts.json takes a read of its own.
  const ranges = [...new Set(blobs.map(({ range }) => range))].map((range) => /(\d+)-(\d+)/.exec(range!)!.slice(1).map(Number))
  expect(ranges.length).toBeLessThan(4)
  expect(ranges.reduce((sum, [from, to]) => sum + to! - from!, 0)).toBeLessThan(600_000)
})

test('where ranges are not answered the whole artifact is fetched once, checked, and removed in the end', async () => {
  await backUp(1, ['chunks/aa/one', 'chunks/bb/two'])
  github.ignoreRanges = true
  github.calls.length = 0
  const store = stores.open()
  expect(await Promise.all([store.get('chunks/aa/one', ANY_SIZE), store.get('chunks/bb/two', ANY_SIZE)])).toEqual([bytes('chunks/aa/one'), bytes('chunks/bb/two')])
  expect(github.calls.filter(({ path }) => path.startsWith('/blobs/')).length).toBe(2)
  await store.close()
  expect(readdirSync(stores.temporary)).toEqual([])
})

test('a whole download with another digest is refused, and leaves no file', async () => {
  await backUp(1, ['chunks/aa/one'])
  github.ignoreRanges = true
  github.artifacts[0]!.digest = `sha256:${'ab'.repeat(32)}`
  const store = stores.open()
  expect(await keysOf(store)).toEqual([])
  expect(stores.warnings).toEqual([expect.stringMatching(/artifact lifeboat-shop \(\d+\) is damaged: its digest is sha256:[0-9a-f]{64}, GitHub recorded sha256:(ab)+/)])
  expect(readdirSync(stores.temporary)).toEqual([])
})

test('a flipped bit in a chunk is found when the chunk is read', async () => {
  await backUp(1, ['chunks/aa/one'])
  const content = await github.content(github.artifacts[0]!)
  content[content.indexOf('chunks/aa/onechunks') + 20]! ^= 1
  await github.replace(github.artifacts[0]!, content)
  const error = await thrownBy(stores.open().get('chunks/aa/one', ANY_SIZE))
  expect(error).toBeInstanceOf(DamagedObject)
  expect(error.message).toMatch(/artifact lifeboat-shop \(\d+\) is damaged: chunks\/aa\/one in it is not what was put: its checksum \(CRC-32\) differs/)
})

test.each([['by a byte', 1], ['by half', 600], ['to nothing', 1_000_000]])('an artifact truncated %s is reported, and not taken for a backup', async (_, missing) => {
  await backUp(1, ['chunks/aa/one'])
  const content = await github.content(github.artifacts[0]!)
  await github.replace(github.artifacts[0]!, content.subarray(0, Math.max(0, content.length - missing)))
  await backUp(2, ['chunks/bb/two'])
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([snapshot(2)])
  expect([...new Set(stores.warnings)]).toEqual([expect.stringMatching(/artifact lifeboat-shop \(\d+\) is truncated/)])
})

test('an artifact of that name that is no backup is reported and left alone', async () => {
  await backUp(1, ['chunks/aa/one'])
  const content = await github.content(github.artifacts[0]!)
  for (let at = content.indexOf('parts.json'); at >= 0; at = content.indexOf('parts.json', at + 1)) content.write('other.json', at)
  await github.replace(github.artifacts[0]!, content)
  expect(await keysOf(stores.open())).toEqual([])
  expect(stores.warnings).toEqual([expect.stringContaining('is not a backup: it has no parts.json')])
})

const partsOf = (parts: object, key = authenticator): Record<string, Buffer> => ({ 'parts.json': key.sign(JSON.stringify(parts)) })

test('a newer kind of artifact that is signed stops everything, so that nothing wrong is concluded from it', async () => {
  await backUp(1, ['chunks/aa/one'])
  await github.plant({ name: 'lifeboat-shop', files: partsOf({ format: 'lifeboat-parts/2' }) })
  const error = await thrownBy(keysOf(stores.open()))
  expect(error.message).toMatch(/lifeboat-parts\/2; this version of Lifeboat reads lifeboat-parts\/1/)
})

test('a file that vanishes between staging and upload is an error, not a smaller artifact', async () => {
  const store = stores.open()
  await store.put('chunks/aa/one', bytes('one'))
  await store.put('chunks/aa/two', bytes('two'))
  rmSync(staged('two'))
  await store.put(snapshot(1), bytes('snapshot'))
  const error = await thrownBy(store.groups.commit([]))
  expect(error.message).toMatch(/two/)
  await store.close()
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([])
})

test('a staged file that is no longer what was put is an error', async () => {
  const store = stores.open()
  await store.put('chunks/aa/one', bytes('one'))
  truncateSync(staged('one'), 10)
  await store.put(snapshot(1), bytes('snapshot'))
  expect((await thrownBy(store.groups.commit([]))).message).toMatch(/artifact lifeboat-shop \(\d+\) lacks 1 of the 3 objects put, chunks\/aa\/one among them/)
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([])
})

test('GitHub must report exactly what was sent', async () => {
  const store = stores.open()
  await store.put(snapshot(1), bytes('snapshot'))
  github.claimedDigest = `sha256:${'00'.repeat(32)}`
  const error = await thrownBy(store.groups.commit([]))
  expect(error.message).toMatch(/is not what was uploaded: GitHub has \d+ bytes, sha256:0{64}; sent were \d+ bytes, sha256:/)
})

test('an artifact that GitHub lists a little late is waited for', async () => {
  const store = stores.open()
  await store.put(snapshot(1), bytes('snapshot'))
  github.hiddenListings = 2
  await store.groups.commit([])
  expect(await keysOf(stores.open(), 'snapshots/')).toEqual([snapshot(1)])
})

test('a backup does not commit when what it builds on was deleted while it ran', async () => {
  await backUp(1, ['chunks/aa/one'])
  const store = stores.open()
  await keysOf(store)
  github.artifacts.length = 0
  await store.put(snapshot(2), bytes('snapshot'))
  const error = await thrownBy(store.groups.commit(['chunks/aa/one']))
  expect(error.message).toBe('chunks/aa/one, which this backup builds on, was deleted while it ran')
  expect(github.artifacts).toEqual([])
})

test('objects carry the day they expire, and the store says until when a new snapshot needs them', async () => {
  await backUp(1, ['chunks/aa/one'])
  const store = stores.open()
  for await (const { expires } of store.list('chunks/')) expect(expires).toEqual(github.artifacts[0]!.expires)
  expect(Math.round((store.groups.neededUntil().getTime() - github.now().getTime()) / DAY)).toBe(30)
})

test('a shorter retention than asked for is reported', async () => {
  github.maximumRetentionDays = 7
  await backUp(1, ['chunks/aa/one'], [], stores.open({ variables: { ...github.startRun(), GITHUB_RETENTION_DAYS: '' } }))
  expect(stores.warnings).toEqual([expect.stringContaining('GitHub keeps artifact lifeboat-shop for 7 days, not for the 90 asked for')])
})

test('a retention that artifacts cannot give is reported with what they can', async () => {
  await backUp(1, ['chunks/aa/one'], [], stores.open({ retention: artifactRetention(90, 90) }))
  expect(stores.warnings).toEqual([expect.stringMatching(/sure to be whole for 60 days, 30 fewer than the retention asks for: GitHub keeps artifacts for 90/)])
})

test('a part that has expired: the error says which snapshots are lost and which is the newest whole one', async () => {
  await backUp(1, ['chunks/aa/old'])
  github.offset = 80 * DAY
  await backUp(2, ['chunks/bb/two'], ['chunks/aa/old'])
  await backUp(3, ['chunks/cc/three'])
  await backUp(4, ['chunks/dd/four'], ['chunks/aa/old', 'chunks/cc/three'])
  github.offset = 100 * DAY
  const store = stores.open()
  const error = await store.get('chunks/aa/old', ANY_SIZE).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(LostPart)
  expect(String(error)).toMatch(/chunks\/aa\/old was in artifact lifeboat-shop \(\d+\), which has expired or was deleted; it was to expire on .*Snapshots lost with it: 20261104T020000Z-00000004, 20261102T020000Z-00000002; the newest whole snapshot is 20261103T020000Z-00000003/)
  expect(await store.groups.wholeness()).toEqual({ lost: [snapshot(4), snapshot(2)], newestWhole: snapshot(3) })
})

const released = { grace: DAY, builtOn: SNAPSHOTS_BUILT_ON, dryRun: false }

test('releasing deletes the artifacts that nothing kept needs, and only those', async () => {
  for (const day of [1, 2, 3, 4, 5, 6]) {
    github.offset = day * DAY
    await backUp(day, [`chunks/aa/${day}`], day > 1 ? ['chunks/aa/1'] : [])
  }
  github.offset = 30 * DAY
  const [first, second, third, ...rest] = github.artifacts.map(({ id }) => id)
  const kept = new Set([4, 5, 6].map((day) => snapshot(day)))
  const dry = await stores.open({ token: github.token('write') }).groups.release({ ...released, kept, dryRun: true })
  expect(new Set(dry.artifacts.map(({ id }) => id))).toEqual(new Set([second, third]))
  // The first has no snapshot that is kept, but they depend on a chunk of it.
  expect(dry.staying).toMatchObject([{ id: first, name: 'lifeboat-shop', neededBy: [6, 5, 4].map((day) => snapshot(day)) }])
  expect(github.artifacts.length).toBe(6)
  const store = stores.open({ token: github.token('write') })
  expect(await store.groups.release({ ...released, kept })).toMatchObject({ deleted: 2, permitted: true })
  expect(github.artifacts.map(({ id }) => id)).toEqual([first, ...rest])
  expect(await store.get('chunks/aa/1', ANY_SIZE)).toEqual(bytes('chunks/aa/1'))
  expect((await store.groups.wholeness()).lost).toEqual([])
})

test('unneeded artifacts stay for as long as the grace says', async () => {
  for (const day of [1, 2, 3, 4, 5]) {
    github.offset = day * DAY
    await backUp(day, [`chunks/aa/${day}`])
  }
  github.offset = 6 * DAY
  for (const [grace, count] of [[DAY / 2, 2], [1.5 * DAY, 1], [6 * DAY, 0]] as const) {
    const { artifacts } = await stores.open().groups.release({ ...released, grace, kept: new Set(), dryRun: true })
    expect(artifacts).toHaveLength(count)
  }
})

test('without actions: write it tells that nothing can be deleted', async () => {
  for (const day of [1, 2, 3, 4]) await backUp(day, [`chunks/aa/${day}`])
  github.offset = 30 * DAY
  const oldest = github.artifacts[0]!.id
  expect(await stores.open().groups.release({ ...released, kept: new Set([2, 3, 4].map((day) => snapshot(day))) })).toMatchObject({ artifacts: [{ id: oldest, name: 'lifeboat-shop' }], deleted: 0, permitted: false })
  expect(github.artifacts.length).toBe(4)
})

test('an artifact of another set under a similar name is never deleted', async () => {
  const store = stores.open({ set: 'shop.2' })
  await store.put(snapshot(1, 'shop.2'), bytes('theirs'))
  await store.groups.commit([])
  for (const day of [1, 2, 3, 4]) await backUp(day, [`chunks/aa/${day}`])
  github.offset = 30 * DAY
  await stores.open({ token: github.token('write') }).groups.release({ ...released, kept: new Set([snapshot(4)]) })
  expect(github.artifacts[0]!.name).toBe('lifeboat-shop.2')
})

test('the storage is used up: the error says what to do', async () => {
  github.faults.push({ match: 'CreateArtifact', kind: 403, body: { code: 'resource_exhausted', msg: 'insufficient usage to create artifact' } })
  const error = await thrownBy(backUp(1, ['chunks/aa/one']))
  expect(error.message).toBe('artifact lifeboat-shop was not uploaded: the storage for artifacts is used up')
  expect(error.hint).toMatch(/Delete artifacts.*another destination/)
})

test.each(['https://github.example.com', 'https://ghe.com.example.org'])('%s has no artifacts of this kind: the other destinations are named', (server) => {
  const open = () => stores.open({ variables: { ...github.startRun(), GITHUB_SERVER_URL: server } })
  expect(open).toThrow(/not available on GitHub Enterprise Server/)
  expect(open).toThrow(expect.objectContaining({ hint: expect.stringContaining('file:, s3:') }))
})

test.each(['https://github.com', 'https://acme.ghe.com', ''])('%s has them', (server) => {
  expect(() => stores.open({ variables: { ...github.startRun(), GITHUB_SERVER_URL: server } })).not.toThrow()
})

test('a token without actions: read is told which permission to give', async () => {
  const error = await thrownBy(keysOf(stores.open({ token: github.token('none') })))
  expect(error.message).toMatch(/may not read the artifacts of this repository/)
  expect(error.hint).toContain('permissions: actions: read')
})

test('a wrong token, and a repository that the token does not see', async () => {
  expect((await thrownBy(keysOf(stores.open({ token: 'ghs_wrong' })))).message).toMatch(/wrong or has expired \(status 401\)/)
  expect((await thrownBy(keysOf(stores.open({ token: github.token('read', 'octo/other') })))).message).toMatch(/knows no repository octo\/shop, or the token may not see it/)
})

test('at a terminal: without token or repository it says what to set, and putting is refused', async () => {
  expect(() => stores.open({ variables: {}, token: undefined })).toThrow(/there is no token, and this is not a step of a workflow/)
  expect(() => stores.open({ variables: {} })).toThrow(/GITHUB_REPOSITORY is not set to owner\/name/)
  expect((await thrownBy(stores.open({ variables: terminalOf(github) }).put('lifeboat.json', Buffer.from('{}')))).message).toBe('artifacts can be written only by a step of a workflow')
})

test('an uploaded object is not deleted by itself, a staged one is', async () => {
  const store = await backUp(1, ['chunks/aa/one'])
  await store.put('chunks/aa/two', bytes('two'))
  await store.delete('chunks/aa/two')
  await store.delete('chunks/aa/nothing')
  expect(await keysOf(store, 'chunks/')).toEqual(['chunks/aa/one'])
  expect((await thrownBy(store.delete('chunks/aa/one'))).hint).toMatch(/deleted as a whole/)
})

test('one file per object is staged, readable by nobody else, whatever is put at the same time', async () => {
  const store = stores.open()
  await Promise.all([1, 2, 3, 4, 5, 6].map((number) => store.put('shared/key', Buffer.alloc(100_000 + number, `${number}`))))
  const content = await store.get('shared/key', ANY_SIZE)
  expect(content).toEqual(Buffer.alloc(content.length, `${content.length - 100_000}`))
  for (const entry of readdirSync(stores.temporary, { recursive: true, withFileTypes: true })) {
    expect(statSync(path.join(entry.parentPath, entry.name)).mode & 0o077).toBe(0)
  }
})

test('a folder that cannot be staged in is named, with what to do', async () => {
  const store = stores.open({ temporary: '/dev/null/nowhere' })
  const error = await thrownBy(store.put('chunks/aa/one', bytes('one')))
  expect(error.message).toMatch(/^cannot stage chunks\/aa\/one in \/dev\/null\/nowhere.*ENOTDIR/)
  expect(error.hint).toMatch(/Free some space.*RUNNER_TEMP/)
})

test('an interrupt ends an upload at once', async () => {
  const controller = new AbortController()
  const store = stores.open({ signal: controller.signal })
  await store.put(snapshot(1), bytes('snapshot'))
  github.faults.push({ match: 'CreateArtifact', kind: 'stall' })
  const committed = thrownBy(store.groups.commit([]))
  while (!github.calls.some(({ path }) => path.includes('CreateArtifact'))) await new Promise((resolve) => setTimeout(resolve, 5))
  controller.abort(new LifeboatError('interrupted'))
  expect((await committed).message).toBe('interrupted')
})

test('an interrupt that comes before an upload begins lets it not begin', async () => {
  const controller = new AbortController()
  const sign = (body: string) => {
    controller.abort(new LifeboatError('interrupted'))
    return authenticator.sign(body)
  }
  const store = stores.open({ signal: controller.signal, key: { ...authenticator, sign } })
  await store.put(snapshot(1), bytes('snapshot'))
  expect((await thrownBy(store.groups.commit([]))).message).toBe('interrupted')
  expect(github.calls.filter(({ name }) => name === 'CreateArtifact')).toEqual([])
})

function staged(name: string): string {
  const found = readdirSync(stores.temporary, { recursive: true, encoding: 'utf8' }).find((file) => path.basename(file) === name)
  return path.join(stores.temporary, found!)
}
