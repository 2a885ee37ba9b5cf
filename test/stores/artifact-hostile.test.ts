import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { promisify } from 'node:util'
import type { GitHub, StoredArtifact } from '../support/github/emulator.ts'
import { type ArtifactStores, authenticator, withArtifacts } from '../support/github/store.ts'
import { type Files, manyFiles } from '../support/github/zip.ts'
import { ANY_SIZE } from '../support/bytes.ts'

let github: GitHub
let stores: ArtifactStores
let run = 5000

withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

const CHUNK = 'chunks/aa/one'
const bytes = Buffer.alloc(1000, 'one')
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

/** A signed artifact as a backup makes it. `claimed`: what its parts.json says of its files, where that is not true. */
async function genuine(files: Files, given: Partial<Parameters<GitHub['plant']>[0]> & { claimed?: Files } = {}): Promise<StoredArtifact> {
  const { claimed = files, ...rest } = given
  run++
  const objects = Object.entries(claimed).map(([key, content]) => [key, content.length, sha256(content)])
  const parts = authenticator.sign(JSON.stringify({ format: 'lifeboat-parts/1', name: 'lifeboat-shop', run, set: 'shop', objects, needs: [] }))
  return github.plant({ name: 'lifeboat-shop', run, files: { ...files, 'parts.json': parts }, ...rest })
}

async function keysOf(store = stores.open()): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  return keys
}

test('a chunk that is damaged in one artifact is read from another that has it', async () => {
  await genuine({ [CHUNK]: bytes })
  const damaged = await genuine({ [CHUNK]: Buffer.alloc(1000, 'two') }, { claimed: { [CHUNK]: bytes } })
  const store = stores.open()
  expect(await store.get(CHUNK, ANY_SIZE)).toEqual(bytes)
  expect(await store.get(CHUNK, ANY_SIZE)).toEqual(bytes)
  expect(stores.warnings).toEqual([expect.stringMatching(`^artifact lifeboat-shop \\(${damaged.id}\\) is damaged: chunks/aa/one in it is not what was put: its SHA-256 differs; artifact lifeboat-shop \\(\\d+\\) has it too, and is read instead`)])
})

test('a chunk with other bytes is refused although its checksum in the zip file is right', async () => {
  await genuine({ [CHUNK]: Buffer.alloc(1000, 'two') }, { claimed: { [CHUNK]: bytes } })
  await expect(stores.open().get(CHUNK, ANY_SIZE)).rejects.toThrow(/is damaged: chunks\/aa\/one in it is not what was put: its SHA-256 differs/)
})

test('files that parts.json does not list are not there', async () => {
  await genuine({ [CHUNK]: bytes, 'recover.sh': Buffer.from('poison') }, { claimed: { [CHUNK]: bytes } })
  expect(await keysOf()).toEqual([CHUNK])
})

test.each([
  ['a fork', 'evil/shop', false],
  ['a fork that was deleted since', null, false],
  ['the repository itself', 'octo/shop', true],
])('an artifact of a run of %s', async (_, head, counts) => {
  const artifact = await genuine({ [CHUNK]: bytes }, { ...(head !== null && { head }) })
  if (head === null) artifact.run.head = null
  expect(await keysOf()).toEqual(counts ? [CHUNK] : [])
  expect(stores.warnings.length).toBe(counts ? 0 : 1)
})

test('a server that does not name repositories: what is signed counts, what is not does not', async () => {
  await genuine({ [CHUNK]: bytes })
  await github.plant({ name: 'lifeboat-shop', head: 'evil/shop', files: { 'chunks/aa/two': bytes, 'parts.json': Buffer.from('\n{}') } })
  github.withoutRepositoryIds = true
  expect(await keysOf()).toEqual([CHUNK])
})

test('an artifact of which GitHub tells no run counts as not there: it may be a copy of one of another repository with the same key', async () => {
  const copy = await genuine({ [CHUNK]: bytes }, { repository: 'octo/other' })
  github.withoutRun = await github.plant({ name: copy.name, zip: await github.content(copy) })
  expect(await keysOf()).toEqual([])
  expect(stores.warnings).toEqual([expect.stringMatching(/^artifact lifeboat-shop \(\d+\) counts as not there: GitHub tells of no run that made it; it may be a copy of artifact lifeboat-shop of run \d+/)])
})

test("a backup in the run of a fork's pull request fails, for no other run would read it", async () => {
  const store = stores.open({ variables: github.startRun('octo/shop', 'evil/shop') })
  await store.put(CHUNK, bytes)
  await expect(store.groups.commit([])).rejects.toThrow(/is of the run of a fork's pull request: no other run will read it/)
  expect(await keysOf()).toEqual([])
})

test('names of forks do not make it ask for ever more names', async () => {
  await genuine({ [CHUNK]: bytes })
  for (let number = 2; number < 40; number++) await github.plant({ name: `lifeboat-shop.${number}`, head: 'evil/shop', files: {} })
  await keysOf()
  expect(github.calls.filter(({ name }) => name === 'GET artifacts').length).toBe(3)
})

test('of a run that made many, all are found with one more list, and names above those that backups take are left out', async () => {
  const artifact = await genuine({ [CHUNK]: bytes })
  for (let number = 2; number < 90; number++) github.artifacts.push({ ...artifact, id: 9000 + number, name: `lifeboat-shop.${number}` })
  github.artifacts.push({ ...artifact, id: 9999, name: 'lifeboat-shop.101' })
  await keysOf()
  expect(github.calls.filter(({ name }) => name.startsWith('GET') && name.endsWith('artifacts')).length).toBe(4)
  expect(github.calls.filter(({ path }) => path.includes('/artifacts/9999'))).toEqual([])
  expect(github.calls.filter(({ path }) => path.includes('/artifacts/9089/zip')).length).toBe(1)
})

test('of many runs that made many, names are asked for as far as backups take them, and no further', async () => {
  const artifact = await genuine({ [CHUNK]: bytes })
  for (let number = 2; number < 200; number++) {
    for (const id of [1, 2, 3, 4]) github.artifacts.push({ ...artifact, id: 9000 + 4 * number + id, run: { ...artifact.run, id }, name: `lifeboat-shop.${number}` })
  }
  await keysOf()
  expect(github.calls.filter(({ name }) => name.startsWith('GET') && name.endsWith('artifacts')).length).toBe(102)
})

test('without a key it is shown what the artifacts of the repository itself claim', async () => {
  await genuine({ [CHUNK]: bytes })
  await genuine({ 'chunks/aa/fork': bytes }, { head: 'evil/shop' })
  expect(await keysOf(stores.open({ key: null }))).toEqual([CHUNK])
})

test('once the key is known nothing is read again that was read before, and only what is signed is left', async () => {
  await genuine({ [CHUNK]: bytes })
  await github.plant({ name: 'lifeboat-shop', run: 1, files: { 'snapshots/shop/x': bytes, 'parts.json': Buffer.from(`\n${JSON.stringify({ format: 'lifeboat-parts/1', name: 'lifeboat-shop', run: 1, set: 'shop', objects: [['snapshots/shop/x', 1000, sha256(bytes)]], needs: [] })}`) } })
  const store = stores.open({ key: null })
  expect(await keysOf(store)).toEqual(['snapshots/shop/x', CHUNK])
  const asked = github.calls.length
  store.groups.authenticate(authenticator)
  expect(await keysOf(store)).toEqual([CHUNK])
  expect(github.calls.length).toBe(asked)
})

test('key files are tried in turns of the oldest and the newest artifact, four of each at most', async () => {
  for (let day = 1; day <= 4; day++) await github.plant({ name: 'lifeboat-shop', created: new Date(Date.now() - (100 - day) * 3_600_000), files: Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`keys/${day}-${index}`, bytes])) })
  const found: string[] = []
  for await (const { key } of stores.open({ key: null }).groups.candidates('keys/', ANY_SIZE)) found.push(key)
  expect(found).toEqual([1, 4, 2, 3].flatMap((day) => [0, 1, 2, 3].map((index) => `keys/${day}-${index}`)))
})

/** Lists a store in a process whose heap has room for a few large directories, not for sixteen; its result, and by how many MiB it grew. */
async function listWithLittleMemory(): Promise<{ keys: string[]; warnings: string[]; grew: number }> {
  const program = `
    import { readFileSync } from 'node:fs'
    import { ArtifactStore } from ${JSON.stringify(path.resolve('src/stores/artifact/store.ts'))}
    import { authenticatorOf } from ${JSON.stringify(path.resolve('src/repository/authenticator.ts'))}
    import { keys } from ${JSON.stringify(path.resolve('test/support/engine.ts'))}
    const { variables, token, temporary } = JSON.parse(process.env.GIVEN)
    const warnings = []
    const store = new ArtifactStore({ set: 'shop', token, variables, temporary, timeout: 60_000, retention: { artifact: 90, snapshot: 30, short: 0 },
      signal: new AbortController().signal, report: { info() {}, warning: (message) => warnings.push(message) }, now: () => new Date() })
    store.groups.authenticate(authenticatorOf(keys))
    const before = process.memoryUsage().rss
    const found = []
    for await (const { key } of store.list('')) found.push(key)
    await store.close()
    // Not maxRSS of getrusage: that begins with the memory of the process that started this one.
    const peak = Number(/^VmHWM:\\s*(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
    console.log(JSON.stringify({ keys: found, warnings, grew: peak / 1024 - before / 1024 ** 2 }))`
  const given = JSON.stringify({ variables: github.startRun(), token: github.token(), temporary: stores.temporary })
  // Threads that collect garbage come late on a busy machine.
  const { stdout } = await promisify(execFile)(
    process.execPath, ['--max-old-space-size=96', '--max-semi-space-size=8', '--single-threaded-gc', '--input-type=module', '--eval', program], { env: { PATH: process.env['PATH'], GIVEN: given } },
  )
  return JSON.parse(stdout)
}

test('sixteen artifacts with large directories take little memory, one after the other', async () => {
  const artifact = await github.plant({ name: 'lifeboat-shop', zip: manyFiles(60_000, 230) })
  for (let index = 0; index < 15; index++) github.artifacts.push({ ...artifact, id: 7000 + index })
  const { keys, warnings, grew } = await listWithLittleMemory()
  expect(keys).toEqual([])
  expect(warnings).toEqual([expect.stringMatching(/^16 artifacts count as not there: .*it has no parts.json/)])
  // Measured, with a load of 7 on two cores: 139 to 157; when they are not read one after the other, 187 to 227.
  expect(grew).toBeLessThan(175)
})
