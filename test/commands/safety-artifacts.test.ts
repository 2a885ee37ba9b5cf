import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { terminalOf } from '../support/github/store.ts'

const DAY = 86_400_000
let github: GitHub
let folder: string
const at = (name: string): string => path.join(folder, name)
beforeAll(async () => {
  github = await GitHub.start()
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-safety-'))
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await github.stop()
})

/** In a workflow run of its own; or at a terminal, which has the token alone. */
const run = <C extends 'backup' | 'restore' | 'list' | 'prune'>(command: C, more: Record<string, string>, variables: Record<string, string> = github.startRun()) =>
  dispatched(command, { destination: 'artifact', token: github.token(), 'encryption-key': identity, ...more }, github.now(), { variables, temporary: at('tmp') })

test('in a workflow the safety backup is an artifact of its own, which expires after its time; at a terminal none can be made', async () => {
  const uploads = mkdtempSync(at('uploads-'))
  writeFileSync(path.join(uploads, 'file'), 'of the backup')
  const { result: { snapshot } } = await run('backup', { volumes: `uploads=${uploads}` })
  writeFileSync(path.join(uploads, 'file'), 'mine')
  const back = { volume: 'uploads', target: uploads, mode: 'overwrite', confirm: uploads }
  expect(await refusal(run('restore', back, terminalOf(github)))).toMatch(/the safety backup of the target failed, so nothing was restored: [^]*--safety-backup false/)
  expect(readFileSync(path.join(uploads, 'file'), 'utf8')).toBe('mine')

  const { result: { safety } } = await run('restore', back)
  expect(readFileSync(path.join(uploads, 'file'), 'utf8')).toBe('of the backup')
  const made = github.artifacts.filter(({ name }) => name === 'lifeboat-default.safety')
  expect(made).toHaveLength(1)
  const days = (made[0]!.expires.getTime() - github.now().getTime()) / DAY
  expect(days).toBeGreaterThan(6.9)
  expect(days).toBeLessThan(15)

  const { result } = await run('list', {})
  expect([result.restorable, result.snapshots.map(({ id, until }) => [id, until])]).toEqual([snapshot, [[safety!.snapshot, safety!.until], [snapshot, undefined]]])
  expect((await run('prune', { retention: 'last=1' })).result.snapshots.map(({ id }) => id)).toEqual([snapshot])
  await run('restore', { ...back, mode: 'clean', snapshot: safety!.snapshot, 'safety-backup': 'false' })
  expect(readFileSync(path.join(uploads, 'file'), 'utf8')).toBe('mine')
})
