import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Command } from '../../src/commands/all.ts'
import { outputValues, redacted, summaryOf, textOf } from '../../src/commands/run-command.ts'
import { runDocumented } from '../support/documented.ts'
import { inertJson } from '../../src/report/inert.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { readAuthentic } from '../../src/repository/catalog.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { encodeSnapshot, openManifest, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { backUp, identity, keys } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-stored-keys-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('keys that someone wrote into a description, a name or a tag are shown by no command, in no form', async () => {
  const stored = [(await newIdentity()).identity, `AGE-SECRET-KEY-PQ-1${'Q'.repeat(50)}`, `lifeboat-write:age1${'q'.repeat(58)}:${'A'.repeat(43)}`]
  const store = new FileStore(folder)
  writeFileSync(path.join(folder, 'lifeboat.json'), '{"format":"lifeboat/1"}')
  const { id } = await backUp({ store }, { app: Buffer.from('content') })
  const key = snapshotKey('app', id)
  const snapshot = await readAuthentic(store, key, keys)
  const content = await openManifest(snapshot)
  const sources = content.sources.map((source) => ({ ...source, name: `app ${stored[1]}` }))
  await store.put(key, await encodeSnapshot(snapshot.header, { ...content, description: `key: ${stored[0]}, ${stored[2]}`, sources }, keys))
  await putLabels(store, keys, 'app', id, { pinned: false, tags: [`AGE-SECRET-KEY-1${'Q'.repeat(30)}`] })
  const environment = { variables: {}, signal: new AbortController().signal, report: quiet, temporary: path.join(folder, 'tmp'), now: () => new Date() }
  const run = async <C extends Command>(command: C, more: Record<string, string> = {}) =>
    redacted(await runDocumented(command, { destination: `file:${folder}`, 'encryption-key': identity, ...more }, environment), new Redaction())
  const [list, show] = [await run('list'), await run('show', { snapshot: id, set: 'app' })]
  const summary = summaryOf(list, { action: 'a/b', reference: 'v1', now: new Date() })
  const texts = [list, show].flatMap((outcome) => [inertJson(outcome.result), textOf(outcome, 'lifeboat')])
  for (const said of texts) expect(said).toContain('***')
  expect(summary).toContain('&#42;&#42;&#42;')
  for (const said of [...texts, summary, ...Object.values(outputValues(list))]) expect(said).not.toMatch(/AGE-SECRET-KEY|lifeboat-write:|Q{10}/i)
})

test('doctor says of how many sets it tried no snapshot', async () => {
  const at = path.join(folder, 'many sets')
  const store = new FileStore(at)
  await openOrMakeRepository(store)
  for (let index = 0; index < 22; index++) await backUp({ store, set: `set-${index}` }, { app: Buffer.from('content') })
  const { result } = await dispatched('doctor', { destination: `file:${at}`, 'encryption-key': identity }, new Date())
  expect(result.checks.find(({ check }) => check === 'key')).toMatchObject({ state: 'good', says: 'opens the store; of 2 more sets no snapshot was tried' })
})

describe('a set whose snapshots were made with another key', () => {
  const at = path.join(folder, 'changed')
  const now = new Date('2026-11-20T12:00:00Z')
  const given = (key: string, more: Record<string, string> = {}) => ({ destination: `file:${at}`, 'encryption-key': key, ...more })
  let other: string
  beforeAll(async () => {
    mkdirSync(path.join(folder, 'changed-volume'))
    writeFileSync(path.join(folder, 'changed-volume/file'), 'content')
    const store = new FileStore(at)
    await openOrMakeRepository(store)
    for (const hours of [9, 8, 7]) await backUp({ store, time: new Date(now.getTime() - hours * 3_600_000) }, { app: Buffer.from('content') })
    other = (await newIdentity()).identity
  })

  test('list warns of it first, stats and check fail, and check could not determine their age', async () => {
    const listed = await dispatched('list', given(other), now)
    const given16 = expect.stringMatching(/^[0-9a-f]{16}$/)
    expect(listed.result.otherKey).toEqual({ given: given16, fingerprints: [keys.fingerprint] })
    const none = `file:${at} has 3 snapshots, but none of them was made with the key given (${listed.result.otherKey!.given}). They name the key ${keys.fingerprint}`
    expect(listed.warnings).toEqual([none])
    expect(listed.result.snapshots.map(({ pinned }) => pinned)).toEqual([false, false, false])
    expect(await refusal(dispatched('stats', given(other), now))).toContain(none)
    expect((await dispatched('list', given(identity), now)).text).not.toContain('made with the key given')
    expect((await dispatched('list', { destination: `file:${at}` }, now)).text).not.toContain('made with the key given')
    expect(await refusal(dispatched('check', given(other), now))).toMatch(/set app: none of its newest 3 snapshots was made with the key given: .* was written with the key [^]*Give the key that these backups are made with/)
  })

  test('a backup with another key is made all the same, with one warning, and its result says so; doctor says so with either key, and without the set', async () => {
    const { result, text, warnings } = await dispatched('backup', given(other, { set: 'app', volumes: `files=${path.join(folder, 'changed-volume')}`, 'client-install': 'never' }), now, { variables: process.env, temporary: path.join(folder, 'tmp') })
    expect(result.otherKey).toEqual({ snapshots: 3, fingerprints: [keys.fingerprint] })
    expect(warnings.filter((warning) => warning.includes('key'))).toEqual([expect.stringMatching(new RegExp(`^3 snapshots of set app were made with another key \\(${keys.fingerprint}\\); the key given is [0-9a-f]{16}: this backup cannot be opened with the other key, nor those with this one$`))])
    expect(text).toContain(`WARNING: 3 snapshots of set app were made with another key (${keys.fingerprint})`)
    expect((await dispatched('list', given(identity), now)).result.otherKey).toBeUndefined()
    const told = async (key: string): Promise<unknown> => (await dispatched('doctor', given(key), now)).result.checks.find(({ check }) => check === 'key')
    expect(await told(other)).toMatchObject({ state: 'warning', says: `opens only 1 of 4 snapshots that were tried: 3 made with the key ${keys.fingerprint}` })
    expect(await told(identity)).toMatchObject({ state: 'warning', says: expect.stringMatching(/^opens only 3 of 4 snapshots that were tried: 1 made with the key [0-9a-f]{16}, with the newest of set app$/) })
  })

  test('a restore of the latest, a verification as well, names the older one that it takes', async () => {
    const { warnings } = await dispatched('verify', given(identity, { set: 'app', level: 'list' }), now)
    expect(warnings).toEqual([expect.stringMatching(/^snapshots\/app\/.* was written with the key [0-9a-f]{16}; the key given is [0-9a-f]{16}; snapshot 20261120T050000Z-[0-9a-f]{8} is taken in its place$/)])
  })
})
