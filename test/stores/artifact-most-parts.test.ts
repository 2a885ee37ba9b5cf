import type { GitHub } from '../support/github/emulator.ts'
import { type ArtifactStores, withArtifacts } from '../support/github/store.ts'
import { thrownBy } from '../support/thrown.ts'
import { until } from '../support/until.ts'

let github: GitHub
let stores: ArtifactStores
withArtifacts((emulated, opened) => {
  github = emulated
  stores = opened
})

test('a backup that adds more than 499 parts fails, says how much that is and what to do, and is no backup', async () => {
  const store = stores.open({ stagingLimit: 8 * 1024 ** 2 })
  const put = (number: number) => store.put(`chunks/aa/${number}`, Buffer.alloc(700_000, number))
  for (const number of [1, 2]) await put(number)
  await put(3)
  await until(() => github.live().length === 2)
  expect(github.live().map(({ name }) => name)).toEqual(['lifeboat-shop+1', 'lifeboat-shop+2'])
  // As if 496 more had been begun: the names are taken.
  const [{ run } = { run: undefined! }] = github.live()
  for (let number = 3; number < 499; number++) github.artifacts.push({ ...github.artifacts[0]!, run, id: 50_000 + number, name: `lifeboat-shop+${number}`, final: false })
  await put(4)
  await until(() => github.live().length === 3)
  expect(github.live().at(-1)!.name).toBe('lifeboat-shop+499')
  const error = await thrownBy(
    (async () => {
      for (let number = 5; number < 500; number++) await put(number)
    })(),
  )
  expect(error.message).toBe('this backup adds too much for artifacts: more than 499 parts of 2 MiB')
  expect(error.hint).toMatch(/^Raise .*staging-limit.*, a quarter of which is the size of a part, as far as the disk has room; or use another destination/)
  for await (const { key } of stores.open().list('snapshots/')) expect(key).toBe('none')
})
