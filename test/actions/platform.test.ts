import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { builtProgram } from '../end-to-end/built.ts'
import { type Action, actions } from '../../src/commands/all.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-platform-'))))
afterEach(() => rmSync(folder, { recursive: true }))

/** Starts an action under a Node that claims to run on another system or processor. */
function stepOn(platform: string, processor: string, command: Action): { status: number | null; stdout: string; output: string } {
  const output = path.join(folder, 'output')
  writeFileSync(output, '')
  const pretence = `for (const [name, value] of Object.entries(${JSON.stringify({ platform, arch: processor })})) Object.defineProperty(process, name, { value })`
  const { status, stdout } = spawnSync(process.execPath, [`--import=data:text/javascript,${encodeURIComponent(pretence)}`, path.join(builtProgram(), `${command}.js`)], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], RUNNER_TEMP: folder, GITHUB_OUTPUT: output, INPUT_DESTINATION: `file:${path.join(folder, 'store')}` },
  })
  return { status, stdout, output: readFileSync(output, 'utf8') }
}

test.each(actions)('the action %s fails at once on macOS, and touches nothing', (command) => {
  const { status, stdout, output } = stepOn('darwin', 'arm64', command)
  expect(status).toBe(2)
  expect(stdout).toContain(`::error title=Lifeboat ${command} failed::Lifeboat's actions run on Linux, x64 or arm64; this runner is macOS on arm64`)
  expect(stdout).toContain('runs-on: ubuntu-24.04')
  expect(output).toContain(command === 'verify' ? 'could not verify' : 'failed')
  expect(readdirSync(folder)).toEqual(['output'])
})

test('Windows and 32-bit processors are refused in the same way', () => {
  expect(stepOn('win32', 'x64', 'backup')).toMatchObject({ status: 2, stdout: expect.stringContaining('this runner is Windows on x64') })
  expect(stepOn('linux', 'arm', 'backup')).toMatchObject({ status: 2, stdout: expect.stringContaining('this runner is Linux on arm') })
})
