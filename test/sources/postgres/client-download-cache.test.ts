import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type AptRepository, makePackage, makeTalkingClient, startRepository } from '../../support/apt-repository.ts'
import { type CacheService, startCacheService } from '../../support/cache-service.ts'
import { makeMachine, type Machine } from '../../support/client-machine.ts'

let packages: string
let distribution: AptRepository
let project: AptRepository
let service: CacheService
let machine: Machine
const before = { ...process.env }

beforeAll(async () => {
  packages = mkdtempSync(path.join(tmpdir(), 'lifeboat-packages-'))
  distribution = await startRepository()
  project = await startRepository()
  const libpq = await makePackage(packages, { name: 'libpq5', version: '17.1-1', scripts: { 'usr/lib/x86_64-linux-gnu/libpq.so.5': '' } })
  await project.publish('bookworm-pgdg', [await makeTalkingClient(packages, 17, { depends: 'libpq5 (>= 17)' }), libpq])
  await distribution.publish('bookworm', [await makeTalkingClient(packages, 15)])
})
afterAll(async () => {
  await distribution.stop()
  await project.stop()
  rmSync(packages, { recursive: true })
})

beforeEach(async () => {
  distribution.reset()
  project.reset()
  service = await startCacheService()
  machine = makeMachine(distribution, project, service.variables)
  // The toolkit's client is told by the process's environment alone.
  Object.assign(process.env, service.variables, { RUNNER_TEMP: machine.variables.RUNNER_TEMP, GITHUB_WORKSPACE: machine.folder })
})
afterEach(async () => {
  process.env = { ...before }
  machine.remove()
  await service.stop()
})

const requests = () => [...distribution.requests(), ...project.requests()]

/** The state of a hosted runner at the start of a job: nothing kept. */
function freshRunner(): void {
  rmSync(machine.toolCache, { recursive: true })
  rmSync(machine.variables.RUNNER_TEMP!, { recursive: true })
}

/** Every file of the kept mirror. */
function mirrored(): string[] {
  const root = path.join(machine.variables.RUNNER_TEMP!, readdirSync(machine.variables.RUNNER_TEMP!).find((name) => name.startsWith('lifeboat-postgresql-client-17'))!)
  return readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [path.join(entry.parentPath, entry.name)] : []))
}

/** Puts other files than were saved into the cache, under the very same key. */
async function poison(change: (file: string, bytes: Buffer) => Buffer): Promise<void> {
  const files = mirrored()
  for (const file of files) writeFileSync(file, change(file, readFileSync(file)))
  const [key] = service.keys()
  service.clear()
  const { saveCache } = await import('@actions/cache')
  await saveCache([files[0]!.slice(0, files[0]!.indexOf('/', machine.variables.RUNNER_TEMP!.length + 1))], key!)
  expect(service.keys()).toEqual([key])
}

test.each([
  ["the distribution's", 15],
  ["the PostgreSQL project's", 17],
])('a second run on another runner downloads nothing from %s archive', async (_, major) => {
  const first = await machine.provide(major)
  expect(service.keys()).toEqual([expect.stringMatching(new RegExp(`^lifeboat-postgresql-client-${major}-debian-12-\\w+-\\d{4}-\\d\\d-${major}\\.1-1$`))])
  freshRunner()
  requests()
  expect(await machine.provide(major)).toEqual(first)
  expect(requests()).toEqual([])
  expect(machine.warnings).toEqual([])
})

test('in another month the archives are asked again', async () => {
  await machine.provide(17)
  freshRunner()
  requests()
  await machine.provide(17, { now: () => new Date(Date.now() + 32 * 24 * 3600 * 1000) })
  expect(requests()).not.toEqual([])
  expect(service.keys()).toHaveLength(2)
})

const flip = (bytes: Buffer) => Buffer.from(bytes.map((byte, at) => (at === bytes.length - 100 ? byte ^ 1 : byte)))

test.each([
  ['a package with a flipped bit', (file: string, bytes: Buffer) => (file.endsWith('.deb') ? flip(bytes) : bytes)],
  ['another package', (file: string, bytes: Buffer) => (file.endsWith('.deb') ? readFileSync(path.join(packages, readdirSync(packages).find((name) => name.includes('client-15'))!)) : bytes)],
  ['an index with another checksum', (file: string, bytes: Buffer) => (file.endsWith('Packages') ? Buffer.from(bytes.toString().replace(/SHA256: ./g, 'SHA256: 0')) : bytes)],
  ['a release file with a flipped bit', (file: string, bytes: Buffer) => (file.endsWith('Release') ? flip(bytes) : bytes)],
  ['a release file without a signature', (file: string, bytes: Buffer) => (file.endsWith('Release') ? Buffer.from(bytes.toString().split('-----BEGIN PGP SIGNATURE')[0]!) : bytes)],
])('an entry of the cache that holds %s is refused, and the programs are fetched again', async (_, change) => {
  const first = await machine.provide(17)
  await poison(change)
  freshRunner()
  requests()
  expect(await machine.provide(17)).toEqual(first)
  expect(machine.warnings).toEqual([expect.stringContaining("the entry in GitHub's cache is refused: ")])
  expect(requests()).not.toEqual([])
})

test('an entry of the cache that is signed by someone else is refused', async () => {
  const first = await machine.provide(17)
  const forger = await startRepository()
  try {
    const evil = await makeTalkingClient(mkdtempSync(path.join(packages, 'evil-')), 17, { says: '17.666' })
    await forger.publish('bookworm-pgdg', [evil])
    const answers = new Map<string, Buffer>()
    for (const file of mirrored()) {
      const inside = file.slice(file.search(/\/(?:dists|pool)\//))
      const response = await fetch(`${forger.uri}${inside}`)
      answers.set(file, response.ok ? Buffer.from(await response.arrayBuffer()) : Buffer.alloc(0))
    }
    await poison((file) => answers.get(file)!)
  } finally {
    await forger.stop()
  }
  freshRunner()
  expect(await machine.provide(17)).toEqual(first)
  expect(machine.warnings).toEqual([expect.stringMatching(/the entry in GitHub's cache is refused: .*(NO_PUBKEY|not signed|Missing key)/)])
})

test('a cache service that fails is no more than a warning', async () => {
  service.fail(403)
  expect((await machine.provide(17)).major).toBe(17)
  expect(requests()).not.toEqual([])
})

test('a cache service that never answers is given up after its time limit', async () => {
  service.fail('never')
  expect((await machine.provide(17, { places: { cacheLimit: 1000 } })).major).toBe(17)
  expect(machine.warnings).toEqual(["the PostgreSQL client programs could not be restored from GitHub's cache: no answer within 1 s"])
})

describe('one call of the cache service that is never answered', () => {
  const restoring = ['GetCacheEntryDownloadURL', 'GET blob']
  const saving = ['CreateCacheEntry', 'PUT blob', 'FinalizeCacheEntryUpload']

  test('these are all there are', async () => {
    await machine.provide(17)
    freshRunner()
    await machine.provide(17)
    expect([...new Set(service.calls)].toSorted()).toEqual([...restoring, ...saving].toSorted())
  })

  test.each(saving)('%s: the programs are there all the same', async (call) => {
    service.fail('never', call)
    expect((await machine.provide(17, { places: { cacheLimit: 1000 } })).major).toBe(17)
    expect(machine.warnings).toEqual(["the PostgreSQL client programs could not be saved to GitHub's cache: no answer within 1 s"])
  })

  test.each(restoring)('%s: the programs are fetched', async (call) => {
    await machine.provide(17)
    freshRunner()
    service.fail('never', call)
    expect((await machine.provide(17, { places: { cacheLimit: 1000 } })).major).toBe(17)
    expect(machine.warnings).toEqual(["the PostgreSQL client programs could not be restored from GitHub's cache: no answer within 1 s"])
  })
})
