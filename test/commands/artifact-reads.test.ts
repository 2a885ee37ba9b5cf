import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { authenticatorOf } from '../../src/repository/authenticator.ts'
import { encodeParts, parseParts, type Parts } from '../../src/stores/artifact/parts.ts'
import { noise, sha256 } from '../support/bytes.ts'
import { refusal } from '../support/dispatched.ts'
import { keys } from '../support/engine.ts'
import { GitHub } from '../support/github/emulator.ts'
import { Jobs } from '../support/github/jobs.ts'

const FILES = 12
/** Bytes of each. */
const SIZE = 1_000_000
/** The requests that docs/stores.md promises, but for one for each artifact that is read. */
const MOST = 10

let github: GitHub
let jobs: Jobs

beforeAll(async () => {
  github = await GitHub.start()
})
afterAll(async () => {
  await github?.stop()
})
beforeEach(() => {
  github.reset()
  jobs = new Jobs(github, 'octo/shop')
  for (let number = 0; number < FILES; number++) change(number, 'first')
})
afterEach(() => {
  jobs.close()
})

function change(number: number, version: string): void {
  writeFileSync(path.join(jobs.data, `part ${number}`), noise(`${number} ${version}`, SIZE))
}

/** The calls of a command to the REST API, and the artifacts that it looked into. */
async function callsOf(work: () => Promise<unknown>): Promise<{ requests: number; artifacts: Set<string> }> {
  const before = github.calls.length
  await work()
  const calls = github.calls.slice(before).map((call) => call.path).filter((called) => called.startsWith('/repos/'))
  return { requests: calls.length, artifacts: new Set(calls.flatMap((called) => /artifacts\/(\d+)\/zip$/.exec(called)?.[1] ?? [])) }
}

async function needsOfNewest(): Promise<Parts['needs']> {
  const file = (await jobs.files())['parts.json']!
  return parseParts(file.subarray(file.indexOf('\n') + 1)).needs
}

/** A restore into an empty folder, compared. */
async function restored(): Promise<void> {
  const target = path.join(jobs.folder, 'restored')
  rmSync(target, { recursive: true, force: true })
  const { length } = github.artifacts
  await jobs.run('restore', { set: 'default', volume: 'files', target })
  expect(github.artifacts.length).toBe(length)
  for (const name of readdirSync(jobs.data)) expect(readFileSync(path.join(target, name)).equals(readFileSync(path.join(jobs.data, name)))).toBe(true)
}

const verified = async () => expect((await jobs.run('verify', { set: 'default', level: 'read' })).result.result).toBe('verified')

test('of backups that each changed another part, a restore or a verification makes ten requests, and one for each artifact that it needs', async () => {
  // A backup needs six others at most.
  for (let number = 0; number <= 6; number++) {
    github.offset += 3_600_000
    // Not the neighbour of one that was changed before: a chunk may have parts of both.
    if (number > 0) change(2 * number - 2, 'second')
    expect((await jobs.run('backup', { verify: 'none' })).status).toBe(0)
  }
  const needed = [jobs.newest().id, ...(await needsOfNewest()).map(({ artifact }) => artifact)].map(String)
  expect(needed.length).toBeGreaterThanOrEqual(6)
  for (const work of [restored, verified]) {
    const { requests, artifacts } = await callsOf(work)
    expect(needed.filter((id) => !artifacts.has(id))).toEqual([])
    expect(requests).toBeLessThanOrEqual(MOST + needed.length)
  }
})

/** A backup whose chunks are in parts, each in one of its own, and another that needs all of them: its index tells of them. */
async function plantParts(): Promise<number> {
  const folder = path.join(jobs.folder, 'store')
  mkdirSync(folder)
  await jobs.run('backup', { destination: `file:${folder}`, verify: 'none' })
  const objects = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(path.join(folder, name)).isFile())
  const set = 'default'
  const run = 500
  const { sign } = authenticatorOf(keys)
  const plant = async (name: string, names: readonly string[], needs: Parts['needs']) => {
    const files = Object.fromEntries(names.map((key) => [key, readFileSync(path.join(folder, key))]))
    const listed = names.map((key): Parts['objects'][number] => [key, files[key]!.length, sha256(files[key]!)])
    return github.plant({ name, run, created: new Date(github.now().getTime() - 60_000), files: { ...files, 'parts.json': sign(encodeParts({ name, run, set, objects: listed, needs })) } })
  }
  const needs: Parts['needs'] = []
  for (const [index, key] of objects.filter((name) => name.startsWith('chunks/')).entries()) {
    const name = `lifeboat-${set}+${index + 1}`
    const { id } = await plant(name, [key], [])
    needs.push({ artifact: id, name, run, expires: null, objects: [[key, statSync(path.join(folder, key)).size]] })
  }
  await plant(`lifeboat-${set}`, objects.filter((name) => name.startsWith('snapshots/')), needs)
  expect((await jobs.run('backup', { verify: 'none' })).status).toBe(0)
  expect((await needsOfNewest()).length).toBe(needs.length)
  return needs.length
}

test('of a backup in many parts, a command reads each part with one request, and without so many left it says so before it begins', async () => {
  const parts = await plantParts()
  expect(parts).toBeGreaterThan(8)
  for (const work of [restored, verified]) {
    const { requests, artifacts } = await callsOf(work)
    expect(artifacts.size).toBeGreaterThan(parts)
    expect(requests).toBeLessThanOrEqual(MOST + parts + 1)
  }
  const reset = Math.ceil(github.now().getTime() / 1000) + 600
  const target = path.join(jobs.folder, 'restored')
  rmSync(target, { recursive: true })
  const stored = github.artifacts.length
  const commands = [
    () => jobs.run('restore', { set: 'default', volume: 'files', target }),
    () => jobs.run('restore', { set: 'default', all: 'true', map: `files=${target}` }),
    () => jobs.run('verify', { set: 'default', level: 'read' }),
    () => jobs.run('verify', { set: 'default', level: 'drill' }),
    () => jobs.run('verify', { set: 'default', level: 'read', snapshot: 'all' }),
  ]
  for (const run of commands) {
    github.allowance = { left: 12 + parts, reset }
    const { length } = github.calls
    expect(await refusal(run())).toMatch(new RegExp(`GitHub allows only \\d+ more requests with this token for now, and this command may need \\d+\\n.*after ${new Date(reset * 1000).toISOString()}. Nothing was changed.`))
    // No part was looked into.
    expect(github.calls.slice(length).filter(({ name }) => name.endsWith('zip')).length).toBeLessThanOrEqual(3)
  }
  expect(() => statSync(target)).toThrow('ENOENT')
  expect(github.artifacts.length).toBe(stored)
  // A command that reads less needs fewer.
  github.allowance = { left: 12 + parts, reset }
  expect((await jobs.run('verify', { set: 'default', level: 'list' })).status).toBe(0)
  github.allowance = { left: 30 + parts, reset }
  await restored()
  github.allowance = undefined
  // A backup is there before it is read back.
  github.faults.push({ match: '/zip', skip: 6, times: 1000, kind: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${reset}` }, body: { message: 'API rate limit exceeded' } })
  expect(await refusal(jobs.run('backup', { verify: 'read' }))).toMatch(/snapshot \S+ was stored but could not be verified: .*GitHub allows no more requests/)
  github.faults.length = 0
  expect((await jobs.run('list', { set: 'default' })).result.snapshots.length).toBe(3)
})
