import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inWorkflow } from '../../src/actions/spelling.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { restore as command } from '../../src/commands/restore/command.ts'
import { restore, restoreAll } from '../../src/commands/restore/restore.ts'
import { failureOutputs } from '../../src/commands/run-command.ts'
import type { Environment } from '../../src/environment.ts'
import { spelled } from '../../src/marks.ts'
import { type Failure, failureOf, failureSummary, failureText, redactedFailure } from '../../src/report/failure.ts'
import { context } from '../support/example-summaries.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'
import { thrownBy } from '../support/thrown.ts'

let folder: string
const at = (name: string): string => path.join(folder, name)
const raw = (more: Record<string, string>): Record<string, string> => ({ destination: `file:${at('store')}`, 'encryption-key': identity, ...more })
const given = (more: Record<string, string>) => parseInputs('restore', raw(more), {})
const environment = (more: Partial<Environment> = {}): Environment => (
  { variables: { PATH: process.env['PATH'] }, temporary: at('tmp'), signal: new AbortController().signal, now: () => new Date(), report: { ...quiet, info }, ...more })
const safeties = () => readdirSync(at('store/snapshots/default.safety')).map((name) => name.replace('.json.zst', ''))

/** A backup of two folders; both targets have something. */
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-failed-'))
  for (const name of ['uploads', 'media', 'live', 'live2']) mkdirSync(at(name))
  writeFileSync(at('uploads/big'), randomBytes(300_000))
  writeFileSync(at('media/small'), 'of the backup')
  for (const target of ['live', 'live2']) writeFileSync(at(`${target}/mine`), 'mine')
  await dispatched('backup', raw({ volumes: `uploads=${at('uploads')}\nmedia=${at('media')}` }), new Date(), { ...environment() })
})
/** Damages the content of the first once its target is backed up. */
const info = (message: string): void => {
  if (!message.includes('has the content from before') || !message.includes('uploads')) return
  const chunks = readdirSync(at('store/chunks'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const [largest] = chunks.map(({ parentPath, name }) => path.join(parentPath, name)).toSorted((a, b) => statSync(b).size - statSync(a).size)
  const bytes = readFileSync(largest!)
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(largest!, bytes)
}
afterEach(() => rmSync(folder, { recursive: true }))

const one = () => given({ volume: 'uploads', target: at('live'), mode: 'overwrite', confirm: at('live') })
const workflow = (text: string): string => spelled(text, inWorkflow)

test('a restore that fails after its safety backup tells the state of the target and the id of the backup, everywhere', async () => {
  const failure: Failure = failureOf(await thrownBy(restore(one(), environment())))
  const [id] = safeties()
  const state = `${at('live')} is partly restored: some files may be those of the backup, others as they were before`
  expect(failure.message).toMatch(/damaged/)
  expect(redactedFailure(failure, (text) => text).left).toEqual([
    { source: 'uploads', state, safety: { snapshot: id, set: 'default.safety', until: expect.stringMatching(/Z$/) }, back: expect.any(String) }])
  const back = `Snapshot ${id} of set default.safety has the content from before. Restore it: \`lifeboat restore --snapshot ${id} --volume uploads --target ${at('live')} --mode overwrite --confirm ${at('live')}\`. Files that it did not have stay: remove them by hand.`
  expect(spelled(failureText(failure), atTerminal('lifeboat'))).toContain(`\nnow: ${state}\nbefore: ${back}`)
  const outputs = failureOutputs('restore', failure)
  expect(outputs).toMatchObject({ 'safety-snapshot-id': id, state: expect.stringContaining(`now: ${state}\nbefore: Snapshot ${id}`) })
  expect(failureSummary('restore', failure)).toContain(`- before&#58; Snapshot ${id}`)
})

test('a restore that fails before that leaves nothing, and says no more', async () => {
  writeFileSync(at('store/snapshots/default.safety'), 'in the way')
  const failure = failureOf(await thrownBy(restore(one(), environment())))
  expect(failure.message).toMatch(/the safety backup of the target failed, so nothing was restored/)
  expect(failure).not.toHaveProperty('left')
  expect(failureOutputs('restore', failure)).toEqual({})
})

test('with all, the part that failed has both in its result, and the others are restored', async () => {
  const inputs = given({ all: 'true', mode: 'overwrite', map: `uploads=${at('live')}\nmedia=${at('live2')}`, confirm: `${at('live')}\n${at('live2')}` })
  const result = await restoreAll(inputs, environment())
  const [failed, good] = result.sources
  expect(failed).toMatchObject({ volume: 'uploads', problem: expect.stringMatching(/damaged/), state: expect.stringContaining('is partly restored'), safety: { set: 'default.safety' } })
  expect(good).toMatchObject({ volume: 'media', errors: [], safety: { set: 'default.safety' } })
  const ids = result.sources.map((part) => part.safety!.snapshot)
  expect(command.outputs['safety-snapshot-id'].value(result)).toBe(ids.join('\n'))
  expect(command.outputs.state.value(result)).toMatch(new RegExp(`^now: .*live is partly restored.*\nbefore: Snapshot ${ids[0]} .*\n.*live2 has the files`))
  const [problem] = command.problems(result)
  expect(workflow(problem!)).toMatch(/^uploads: .*; now: .* is partly restored: .*; before: Snapshot /)
  const text = command.text(result, { ...context, program: 'lifeboat' })
  expect(workflow(text)).toContain(
    `Restored already: media. For uploads alone, with the other options of this run but the input all and the input map: the action restore with \`snapshot: ${result.snapshot}\`, ` +
      `\`volume: uploads\`, \`target: ${at('live')}\`, \`mode: overwrite\`, \`confirm: ${at('live')}\`.`)
  expect(text).toMatch(/NOT restored: uploads: [^]*\n {2}now {5}.*partly restored.*\n {2}before {2}Snapshot /)
  expect(command.summary(result, context)).toMatch(/- \*\*Before:\*\* Snapshot /)
})

test('a restore that is interrupted after its safety backup names it too', async () => {
  const controller = new AbortController()
  const stop = (message: string): void => {
    if (message.includes('has the content from before')) controller.abort(new Error('stop'))
  }
  const error = await thrownBy(restore(one(), environment({ signal: controller.signal, report: { ...quiet, info: stop } })))
  const { left } = failureOf(error)
  expect(left).toMatchObject([{ source: 'uploads', safety: { snapshot: safeties()[0] } }])
  // An interruption tells the state itself.
  const state = 'as it was before'
  expect(failureText({ message: `interrupted: ${state}`, causes: [], status: 130, left: [{ source: 'a', state, back: 'Snapshot 1.' }] })).toBe(`error: interrupted: ${state}\nbefore: Snapshot 1.`)
})
