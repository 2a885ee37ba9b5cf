import { Encrypter } from 'age-encryption'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
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
