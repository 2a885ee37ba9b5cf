import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keepProofs } from '../../src/commands/verify/proof.ts'
import type { SnapshotVerified } from '../../src/commands/verify/result.ts'
import type { Environment } from '../../src/environment.ts'
import { readProofs } from '../../src/repository/proofs.ts'
import { authenticatorOf } from '../../src/repository/authenticator.ts'
import { openStore, parseDestination } from '../../src/stores/destination.ts'
import { GitHub } from '../support/github/emulator.ts'
import { terminalOf } from '../support/github/store.ts'
import { keys } from '../support/engine.ts'

let github: GitHub
let folder: string
const warnings: string[] = []
beforeAll(async () => (github = await GitHub.start()))
afterAll(() => github.stop())
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-proof-'))
  warnings.length = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const found: SnapshotVerified = {
  snapshot: '20261120T020000Z-00000001', set: 'shop', time: '2026-11-20T02:00:00.000Z', level: 'read', result: 'verified', problems: [], damaged: [], good: [], chunks: 3, bytes: 1000, seconds: 2.5, sources: [], versions: { lifeboat: '1.0.0', pg_restore: '17' },
}

function environment(variables: Record<string, string> = {}): Environment {
  const report = { info: () => undefined, warning: (message: string) => void warnings.push(message), progress: () => undefined, mask: () => undefined }
  return { variables, signal: new AbortController().signal, report, temporary: path.join(folder, 'tmp'), now: () => github.now() }
}

test.each([['of the set', 'shop'], ['of every set, as for a snapshot named by its id', undefined]])('a step of a workflow adds a small artifact for the proof, whether the store was opened as one %s', async (_, set) => {
  github.artifacts.length = 0
  const access = { set, token: github.token(), timeout: 30_000 }
  const step = environment(github.startRun())
  const store = await openStore(parseDestination('artifact'), access, step)
  store.groups!.authenticate(authenticatorOf(keys))
  await keepProofs([found], store, keys, step)
  await store.close()
  expect(warnings).toEqual([])
  expect(github.live().map(({ name }) => name)).toEqual(['lifeboat-shop'])
  expect(github.live()[0]!.size).toBeLessThan(5000)
  expect(github.live()[0]!.expires.getTime() - github.now().getTime()).toBeGreaterThan(89 * 86_400_000)

  const terminal = environment(terminalOf(github))
  const reader = await openStore(parseDestination('artifact'), access, terminal)
  const proofs = await readProofs(reader, keys, { onDamaged: (error) => void warnings.push(error.message) })
  expect(proofs.get(found.snapshot)).toMatchObject([{ level: 'read', result: 'verified' }])
  await keepProofs([found], reader, keys, terminal)
  expect(warnings).toEqual([expect.stringMatching(/^the result of this verification was not kept in artifact:octo\/shop\/\S+: artifacts can be written only by a step of a workflow$/)])
  await reader.close()
})

test('that a proof cannot be stored is a warning', async () => {
  const store = await openStore(parseDestination('file:/dev/null/store'), { set: 'shop', timeout: 30_000 }, environment())
  await keepProofs([found], store, keys, environment())
  expect(warnings).toEqual([expect.stringMatching(/^the result of this verification was not kept in file:\/dev\/null\/store: cannot write proofs\//)])
})
