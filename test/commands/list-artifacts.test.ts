import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { backUp, identity } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { ArtifactStores, terminalOf } from '../support/github/store.ts'

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
