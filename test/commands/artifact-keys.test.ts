import { Encrypter } from 'age-encryption'
import { newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { identity } from '../support/engine.ts'
import { refusal } from '../support/dispatched.ts'
import { GitHub } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'
import type { Files } from '../support/github/zip.ts'
import { ArtifactStores } from '../support/github/store.ts'

const PASSPHRASE = 'five words that nobody guesses'

let github: GitHub
let jobs: Jobs
beforeAll(async () => {
  github = await GitHub.start()
  jobs = new Jobs(github, 'octo/shop', PASSPHRASE)
  expect(await jobs.run('backup')).toMatchObject({ status: 0, warnings: [] })
})
afterAll(async () => {
  jobs?.close()
  await github?.stop()
})

function keyFilesIn(files: Files): [string, Buffer][] {
  return Object.entries(files).filter(([name]) => name.startsWith('keys/'))
}

test('a backup with a passphrase writes the key file again, and it opens later backups when all earlier ones are gone', async () => {
  const before = keyFilesIn(await jobs.files())
  expect(before).toHaveLength(1)
  jobs.change()
  const { result } = await jobs.run('backup')
  expect(result.added).toBeLessThan(result.size / 2)
  const again = keyFilesIn(await jobs.files())
  expect(again.map(([key]) => key)).toEqual(before.map(([key]) => key))
  expect(again).not.toEqual(before)
})

test('a backup with the write key of it passes the signed key file on, byte for byte, and nobody else’s', async () => {
  const stores = await ArtifactStores.in(github)
  const writeKey = await writeKeyOf(PASSPHRASE, stores.open({ key: null, set: 'default' }))
  await stores.close()
  const before = keyFilesIn(await jobs.files())
  await github.plant({ name: 'lifeboat-default', files: { ...(await jobs.files()), [before[0]![0]]: Buffer.from('poison') } })
  jobs.change()
  const planted = github.artifacts.at(-1)!
  const { status, warnings } = await jobs.run('backup', { 'encryption-key': writeKey })
  github.artifacts.splice(github.artifacts.indexOf(planted), 1)
  expect([status, warnings]).toEqual([0, [expect.stringMatching(/is a copy of artifact/), expect.stringMatching(/a write key cannot read it back/)]])
  expect(keyFilesIn(await jobs.files())).toEqual(before)
  await jobs.restore()
})

test('twenty artifacts with key files of the right name under other passphrases keep nobody from a restore', async () => {
  const [name] = keyFilesIn(await jobs.files())[0]!
  const encrypter = new Encrypter()
  encrypter.setPassphrase('a passphrase of somebody else')
  encrypter.setScryptWorkFactor(10)
  const files = { 'keys/0000000000000000.age': Buffer.from('no key file'), [name]: Buffer.from(await encrypter.encrypt('AGE-SECRET-KEY-1')) }
  for (let number = 0; number < 20; number++) await github.plant({ name: 'lifeboat-default', files })
  const { warnings } = await jobs.restore()
  expect(warnings).toEqual([expect.stringMatching(/^20 artifacts count as not there: artifact lifeboat-default \(\d+\) is not a backup: it has no parts.json; /)])
})

test('a wrong passphrase is told so, with the number of key files it was tried on', async () => {
  expect(await refusal(jobs.run('list', { 'encryption-key': 'another passphrase altogether' }))).toMatch(/the passphrase does not open artifact:octo\/shop\/lifeboat-\* \(\d+ key files tried\)/)
})

test('where the only artifact with a key file cannot be read, no second identity is made', async () => {
  const lone = new Jobs(github, 'octo/lone', PASSPHRASE)
  await lone.run('backup', { verify: 'none' })
  github.faults.push({ match: '/zip', kind: 404, repository: 'octo/lone', times: 10 })
  expect(await refusal(lone.run('backup'))).toMatch(/^error: artifact lifeboat-default \(\d+\) cannot be read, and may have the only key file/)
  github.faults.length = 0
  // Once is no more than a hiccup.
  github.faults.push({ match: '/zip', kind: 404, repository: 'octo/lone' })
  await lone.run('backup', { verify: 'none' })
  expect((await lone.run('list')).result.snapshots).toHaveLength(2)
  lone.close()
})

test('two first backups at the same time, each with an identity of its own, stay readable with the passphrase', async () => {
  const twins = new Jobs(github, 'octo/twins', PASSPHRASE)
  await twins.run('backup', { verify: 'none' })
  const [first] = keyFilesIn(await twins.files())[0]!
  const hidden = github.artifacts.splice(github.artifacts.indexOf(twins.newest()), 1)
  // Of the two, writers take the one that comes first by its name: that of the older backup.
  for (;;) {
    await twins.run('backup', { verify: 'none' })
    if (keyFilesIn(await twins.files())[0]![0] > first) break
    github.artifacts.splice(github.artifacts.indexOf(twins.newest()), 1)
  }
  github.artifacts.unshift(...hidden)
  twins.change()
  await twins.run('backup', { verify: 'none' })
  const { result, warnings } = await twins.run('list')
  expect([result.snapshots.length, warnings]).toEqual([3, []])
  twins.close()
})

describe('with the key of somebody else', () => {
  let other: string
  /** Advice that would hurt good backups. */
  const HARMFUL = /run .*backup|delete/i
  const OTHER = /^error: artifact:octo\/rotated\/lifeboat-\S+ has 2 snapshots, but none of them was made with the key given \([0-9a-f]{16}\)\. They name the key [0-9a-f]{16}\nhint: Is this the key of these backups\? Give the one that they were made with as LIFEBOAT_ENCRYPTION_KEY/
  beforeAll(async () => {
    other = (await newIdentity()).identity
    const owner = new Jobs(github, 'octo/rotated', identity)
    for (let day = 0; day < 2; day++) {
      owner.change()
      expect(await owner.run('backup')).toMatchObject({ status: 0, warnings: [] })
    }
    owner.close()
  })

  test('every command that reads says that there are backups, and none of this key; doctor calls it a problem', async () => {
    const stranger = new Jobs(github, 'octo/rotated', other)
    const set = 'default'
    for (const run of [
      () => stranger.run('list'), () => stranger.run('list', { set }), () => stranger.run('verify'), () => stranger.run('verify', { snapshot: 'all' }), () => stranger.run('check'),
      () => stranger.run('check', { set }), () => stranger.run('restore', { volume: 'files', target: `${stranger.folder}/to` }), () => stranger.run('show'), () => stranger.run('stats'),
      () => stranger.run('prune', { retention: 'last=1' }), () => stranger.run('copy', { from: 'artifact', destination: `file:${stranger.folder}/copy` }),
    ]) {
      const said = await refusal(run())
      expect(said).toMatch(OTHER)
      expect(said).not.toMatch(HARMFUL)
    }
    const { status, result, warnings } = await stranger.run('doctor')
    expect(status).toBe(1)
    expect(result.checks.find(({ check }) => check === 'key')).toMatchObject({ state: 'bad', says: expect.stringMatching(/has 2 snapshots, but none of them was made with the key given/) })
    expect(warnings).toEqual([expect.stringMatching(/^\d artifacts count as not there: .*it is not signed with the key given \([0-9a-f]{16}\), it names the key [0-9a-f]{16}.*Then keep them, and give that key as/)])
    for (const warning of warnings) expect(warning).not.toMatch(HARMFUL)
    stranger.close()
  })

  test('a backup goes through, and warns that it cannot be opened with the key of the others, as in a folder', async () => {
    const stranger = new Jobs(github, 'octo/rotated', other)
    stranger.change()
    const { status, result, warnings, text } = await stranger.run('backup')
    expect([status, result.otherKey]).toEqual([0, { snapshots: 2, fingerprints: [expect.stringMatching(/^[0-9a-f]{16}$/)] }])
    expect(warnings.filter((one) => /^2 snapshots of set default were made with another key \([0-9a-f]{16}\); the key given is [0-9a-f]{16}: this backup cannot be opened/.test(one))).toHaveLength(1)
    expect(text).toMatch(/WARNING: 2 snapshots of set default were made with another key/)
    expect(text).not.toMatch(/first of its set/)
    stranger.close()
  })

  test('a check of all sets names the one whose backups are all of another key', async () => {
    const owner = new Jobs(github, 'octo/rotated', identity)
    expect(await owner.run('backup', { set: 'second', 'encryption-key': other })).toMatchObject({ status: 0 })
    const { status, result } = await owner.run('check')
    expect([status, result.sets.map(({ set }) => set), result.problems]).toEqual([1, ['default', 'second'], [
      expect.stringMatching(/^set second: its snapshot was not made with the key given: it names the key [0-9a-f]{16}; the key given is [0-9a-f]{16}$/),
    ]])
    owner.close()
  })
})
