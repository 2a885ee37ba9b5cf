import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Command } from '../../src/commands/all.ts'
import { outputValues, redacted, runCommand, summaryOf, textOf } from '../../src/commands/run-command.ts'
import { inertJson } from '../../src/report/inert.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { readAuthentic } from '../../src/repository/catalog.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { encodeSnapshot, openManifest, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
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
    redacted(await runCommand(command, { destination: `file:${folder}`, 'encryption-key': identity, ...more }, environment), new Redaction())
  const [list, show] = [await run('list'), await run('show', { snapshot: id, set: 'app' })]
  const summary = summaryOf(list, { action: 'a/b', reference: 'v1', now: new Date() })
  const texts = [list, show].flatMap((outcome) => [inertJson(outcome.result), textOf(outcome, 'lifeboat')])
  for (const said of texts) expect(said).toContain('***')
  expect(summary).toContain('&#42;&#42;&#42;')
  for (const said of [...texts, summary, ...Object.values(outputValues(list))]) expect(said).not.toMatch(/AGE-SECRET-KEY|lifeboat-write:|Q{10}/i)
})
