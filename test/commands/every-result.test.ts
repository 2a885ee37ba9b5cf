import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Command, commands } from '../../src/commands/all.ts'
import { planOutput } from '../../src/commands/plan/outputs.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { dispatched } from '../support/dispatched.ts'
import { requireDocumented } from '../support/documented.ts'
import { runLifeboat } from '../support/terminal-program.ts'

let folder: string
let identity: string
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-results-'))
  identity = (await newIdentity()).identity
  mkdirSync(path.join(folder, 'data'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const given = (more: Record<string, string> = {}) => ({ destination: `file:${folder}/store`, 'encryption-key': identity, ...more })
const seen = new Set<Command>()

/** Runs a command of one volume; `dispatched` compares its result with the schema. */
async function run<C extends Command>(command: C, raw: Record<string, string>) {
  const { result } = await dispatched(command, raw, new Date(), { temporary: folder, variables: { PATH: process.env['PATH'], GITHUB_REPOSITORY: 'someone/something' } })
  seen.add(command)
  return result
}

test('the result of every command is as the schema in docs describes it, and has no other member', async () => {
  const volumes = `data=${folder}/data`
  const backUp = async (more: Record<string, string> = {}) => {
    writeFileSync(path.join(folder, 'data/file'), `${Math.random()}`)
    return run('backup', given({ volumes, ...more }))
  }
  const first = await backUp({ description: 'the first', tags: 'nightly' })
  const second = await backUp({ verify: 'read', retention: 'last=5', destination: `file:${folder}/store\nfile:${folder}/other` })
  const planned = await run('plan', { volumes })
  await run('verdict', given({ plan: planOutput(planned) }))
  await run('verify', given({ level: 'read', snapshot: 'all' }))
  await run('check', given({ 'max-age': '1h' }))
  await run('list', given({ retention: 'last=1' }))
  await run('show', given({ snapshot: second.snapshot, files: 'true' }))
  await run('diff', given({ from: first.snapshot, to: second.snapshot }))
  await run('extract', given({ snapshot: first.snapshot, source: 'data', path: 'file', output: `${folder}/file` }))
  await run('restore', given({ volume: 'data', target: `${folder}/restored`, 'dry-run': 'true' }))
  await run('restore', given({ volume: 'data', target: `${folder}/restored` }))
  await run('restore', given({ all: 'true', map: `data=${folder}/second` }))
  await run('doctor', given())
  await run('copy', given({ from: `file:${folder}/store`, destination: `file:${folder}/third` }))
  await run('pin', given({ snapshot: first.snapshot }))
  await run('unpin', given({ snapshot: first.snapshot }))
  await run('tag', given({ snapshot: first.snapshot, tags: 'kept' }))
  await run('stats', given())
  await run('prune', given({ retention: 'last=1', 'dry-run': 'true' }))
  await run('forget', given({ snapshots: first.snapshot, force: 'true' }))
  await run('key new', {})
  await run('key write', { 'encryption-key': identity })
  // These have a test file of their own that compares their results: key-files, init/init and cli/configuration.
  const others = ['key list', 'key add', 'key remove', 'init', 'config check']
  expect([...seen].toSorted()).toEqual(commands.filter((command) => !others.includes(command)).toSorted())
})

test.each([
  [1, 'a file that stands where the store should be', ['list', '--destination', 'file:/dev/null']],
  [2, 'an input that does not exist', ['backup', '--destnation', 'x']],
  [2, 'a command that does not exist', ['bakcup']],
  [3, 'a store that cannot be read', ['verify', '--destination', 'file:/dev/null']],
  [130, 'an interruption', ['backup', '--destination', 'file:FOLDER/new', '--volumes', 'data=FOLDER/data', '--pre-command', 'kill -INT $PPID; sleep 60']],
] as const)('an error with status %i is one object as the schema describes it: %s', async (status, _, args) => {
  const ended = await runLifeboat([...args.map((arg) => arg.replace('FOLDER', folder)), '--json'], { PATH: process.env['PATH'], LIFEBOAT_ENCRYPTION_KEY: identity })
  expect({ ...ended, error: JSON.parse(ended.out).error.status }).toMatchObject({ status, error: status })
})

test('a member that the schema lacks, and one that is missing, are found', () => {
  const label = { schema: 1, snapshot: 'a', set: 'app', time: '2026-11-20T02:00:00.000Z', pinned: true, tags: [] }
  expect(() => requireDocumented('pin', JSON.stringify(label))).not.toThrow()
  expect(() => requireDocumented('pin', JSON.stringify({ ...label, more: 1 }))).toThrow('Unrecognized key: "more"')
  expect(() => requireDocumented('pin', JSON.stringify({ ...label, tags: undefined }))).toThrow('tags')
  expect(() => requireDocumented('pin', JSON.stringify({ ...label, schema: undefined }))).toThrow('schema')
  expect(() => requireDocumented('pin', `warning: x\n${JSON.stringify(label)}`)).toThrow('something else than one object')
})
