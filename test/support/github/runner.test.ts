import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseFileCommands, runStep, startStep } from './runner.ts'

let work: string
beforeEach(() => {
  work = mkdtempSync(path.join(tmpdir(), 'runner-'))
})
afterEach(() => {
  rmSync(work, { recursive: true })
})

function program(text: string): string {
  const file = path.join(work, 'step.mjs')
  writeFileSync(file, text)
  return file
}

test('a step gets its inputs, variables and state, and its outputs, state and summary come back', async () => {
  const main = program(`
    import { appendFileSync as append } from 'node:fs'
    const { env } = process
    append(env.GITHUB_OUTPUT, 'given<<END\\n' + [env['INPUT_ENCRYPTION-KEY'], env.GITHUB_RUN_ID, env.STATE_folder].join('\\n') + '\\nEND\\n')
    append(env.GITHUB_STATE, 'folder=' + env.RUNNER_TEMP + '\\n')
    append(env.GITHUB_STEP_SUMMARY, '# done\\n')
    console.log('on stdout'); console.error('on stderr'); process.exitCode = 3`)
  const result = await runStep(work, { main, inputs: { 'encryption-key': 'key' }, variables: { GITHUB_RUN_ID: '7' }, state: { folder: 'f' } })
  expect(result).toMatchObject({ status: 3, signal: null, outputs: { given: 'key\n7\nf' }, state: { folder: path.join(work, '_temp') }, summary: '# done\n' })
  expect(result.log).toContain('on stdout')
  expect(result.log).toContain('on stderr')
})

test('nothing of the environment of the tests reaches a step but PATH and HOME', async () => {
  process.env['RUNNER_TEST_SECRET'] = 'x'
  try {
    const { log } = await runStep(work, { main: program('console.log(Object.keys(process.env).join(" "))') })
    expect(log).not.toContain('RUNNER_TEST_SECRET')
  } finally {
    delete process.env['RUNNER_TEST_SECRET']
  }
})

test('a cancelled step gets SIGINT first', async () => {
  const step = await startStep(work, { main: program(`process.on('SIGINT', () => { console.log('interrupted'); process.exit(1) }); setInterval(() => {}, 1000); console.log('ready')`) })
  await step.logged(/ready/)
  step.cancel()
  expect(await step.result).toMatchObject({ status: 1, log: 'ready\ninterrupted\n' })
})

test('file commands are parsed as the runner does, and what it refuses is an error', () => {
  expect(parseFileCommands('a=1\nb<<X\nline\nc=2\nX\nd=x=y\n')).toEqual({ a: '1', b: 'line\nc=2', d: 'x=y' })
  expect(() => parseFileCommands('a<<X\nline\n')).toThrow(/miss the end/)
  expect(() => parseFileCommands('nothing\n')).toThrow(/refuse the line/)
})
