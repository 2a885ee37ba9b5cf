import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { backup } from '../../src/commands/backup/command.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { redacted, statusOf } from '../../src/commands/run-command.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { identity } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'
import { dispatched } from '../support/dispatched.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-not-resumed-'))
  mkdirSync(path.join(folder, 'files'))
  writeFileSync(path.join(folder, 'files/a'), 'content')
})
afterAll(() => rmSync(folder, { recursive: true }))

const PART = '{"plan":"20261120T020000Z-5f3a9c1e","databases":[],"volumes":["files"]}'
const raw = () => ({ 'encryption-key': identity, destination: `file:${folder}/store`, volumes: `files=${folder}/files`, 'post-command': 'echo hunter22 >&2; exit 3' })
const environment = () => ({ variables: { PATH: process.env['PATH'] }, temporary: path.join(folder, 'tmp'), signal: new AbortController().signal, report: quiet, now: () => new Date() })

test.each([
  ['the snapshot', {}],
  ['those of all sets', { part: PART }],
])('when post-command fails, the step fails with the reason, and %s exist and are named', async (_, more) => {
  const result = await backup.run(parseInputs('backup', { ...raw(), ...more }, {}), environment())
  const exists = 'sets' in result ? 'the backups exist' : `snapshot ${result.snapshot} exists`
  const reason = `${exists}, but the steps after reading failed: post-command ended with exit status 3: hunter22. Undo by hand what pre-command did.`
  expect(backup.problems(result)).toEqual([reason])
  expect([backup.status(result), backup.outputs.outcome.value(result)]).toEqual([1, 'failed'])
  const id = backup.outputs['snapshot-id'].value(result)
  expect(id).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/)
  const text = backup.text(result, { program: 'lifeboat', destination: `file:${folder}/store`, timeZone: 'UTC' })
  expect(text).toContain(`FAILED: ${reason}`)
  expect(text).toContain(id)
  const summary = backup.summary(result, { action: 'a/b', reference: 'v1', destination: `file:${folder}/store`, timeZone: 'UTC', now: new Date() })
  expect(summary).toMatch(/^### ❌ [^]*❌ (?:the backups exist|snapshot \S+ exists), but /)
  expect(summary).not.toContain('Not backed up')

  const redaction = new Redaction({ spelling: atTerminal('lifeboat') })
  redaction.add('hunter22')
  const clean = redacted({ command: 'backup', result, shown: { destination: '', timeZone: 'UTC' } }, redaction)
  expect(JSON.stringify(clean.result)).not.toContain('hunter22')
  expect(statusOf(clean)).toBe(1)

  const [set] = 'sets' in result ? result.sets.map((one) => one.set) : ['default']
  const verified = await dispatched('verify', { 'encryption-key': identity, destination: `file:${folder}/store`, set: set!, level: 'read' }, new Date(), environment())
  expect(verified.result).toMatchObject({ result: 'verified', snapshot: id })
})
