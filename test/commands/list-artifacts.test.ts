import { newestBackup } from '../../src/commands/backup/newest.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, identity, keys } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { ArtifactStores, terminalOf } from '../support/github/store.ts'
import { quiet } from '../support/quiet.ts'

const DAY = 86_400_000

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

async function backup(sources: Record<string, Buffer>): Promise<string> {
  const store = stores.open({ set: 'app' })
  await openOrMakeRepository(store)
  return (await backUp({ store, time: github.now() }, sources)).id
}

test('a snapshot in artifacts expires when the first artifact does that it needs, its own or an earlier one', async () => {
  const shop = noise('artifacts', 600_000)
  const first = await backup({ shop })
  github.offset += 10 * DAY
  const leaning = await backup({ shop, more: noise('more', 1000) })
  const alone = await backup({ other: noise('other', 1000) })
  const given = { variables: terminalOf(github), temporary: stores.temporary }
  const list = (raw: Record<string, string> = {}) => dispatched('list', { destination: 'artifact', token: github.token(), 'encryption-key': identity, ...raw }, github.now(), given)
  const { result, text, warnings } = await list()
  expect(warnings).toEqual([])
  const expires = Object.fromEntries(result.snapshots.map((snapshot) => [snapshot.id, snapshot.expires]))
  const [one, , three] = github.artifacts.map((artifact) => artifact.expires.toISOString())
  expect(expires).toEqual({ [first]: one, [leaning]: one, [alone]: three })
  expect(text).toMatch(new RegExp(`^${leaning} .*expires in (79|80) days`, 'm'))
  const shown = await dispatched('show', { destination: 'artifact', token: github.token(), 'encryption-key': identity, snapshot: alone }, github.now(), given)
  expect(shown.result.expires).toBe(three)
})

test('when the artifact that the newest depends on is deleted, check fails, and list, verify and a failed backup name the newest that is whole', async () => {
  const at = (): Date => new Date(github.now())
  const terminal = { variables: terminalOf(github), temporary: stores.temporary }
  const given = { destination: 'artifact', token: github.token(), 'encryption-key': identity }
  const kept = noise('kept', 600_000)
  const verified = async (set: string, sources: Record<string, Buffer>): Promise<string> => {
    github.offset += DAY
    const store = stores.open({ set })
    await openOrMakeRepository(store)
    const { id } = await backUp({ store, set, time: github.now() }, sources)
    const proof = stores.open({ set })
    await writeProof(proof, keys, { snapshot: id, set, time: github.now(), level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
    await proof.groups.commit([])
    return id
  }
  const whole = await verified('lean', { other: noise('other', 500_000), more: noise('less', 1000) })
  const before = new Set(github.live().map(({ id }) => id))
  await verified('lean', { kept })
  const leanedOn = github.live().filter(({ id }) => !before.has(id)).toSorted((a, b) => b.size - a.size)[0]!
  const newest = await verified('lean', { kept, more: noise('even more', 1000) })
  expect((await dispatched('check', { ...given, set: 'lean' }, at(), terminal)).result.problems).toEqual([])

  github.artifacts.splice(github.artifacts.indexOf(leanedOn), 1)
  const { result } = await dispatched('check', { ...given, set: 'lean' }, at(), terminal)
  expect(result.problems[0]).toMatch(new RegExp(`^set lean: snapshot ${newest} is damaged: .* missing.*; the newest that is whole and verified is ${whole}`))
  expect((await dispatched('list', { ...given, set: 'lean' }, at(), terminal)).result).toMatchObject({ restorable: whole })
  const environment = { ...terminal, signal: new AbortController().signal, report: quiet, now: at }
  expect(await newestBackup(parseInputs('backup', { ...given, set: 'lean', volumes: 'a=/b' }, terminal.variables), new Date(at().getTime() + DAY), environment)).toMatchObject({ snapshot: whole, unsound: [{ snapshot: newest }] })
  const { advice } = (await dispatched('verify', { ...given, set: 'lean', 'client-install': 'never' }, at(), terminal)).result
  expect(advice.at(-1)).toContain(`No other snapshot of set lean with kept, more is known to be whole. Snapshot ${whole} has all of more: `)
  expect(advice[0]).toContain('this result could not be kept')
})
