import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const script = path.join(import.meta.dirname, '../../scripts/setup.sh')
let programs: string
beforeEach(() => {
  programs = mkdtempSync(path.join(tmpdir(), 'lifeboat-setup-'))
})
afterEach(() => rmSync(programs, { recursive: true }))

/** Runs setup.sh on a machine with these of our programs alone, and others that print what is given. */
function setup(mode: string, real: string[], pretended: Record<string, string> = {}) {
  for (const name of ['bash', 'dirname', 'uname', 'id', ...real]) if (!(name in pretended)) symlinkSync(found(name), path.join(programs, name))
  // Nothing may be installed from within a test.
  for (const [name, output] of Object.entries({ npm: '', ...pretended })) {
    writeFileSync(path.join(programs, name), `#!/bin/sh\necho '${output}'\n`)
    chmodSync(path.join(programs, name), 0o755)
  }
  const { status, stdout, stderr } = spawnSync('/bin/bash', [script, mode], { env: { PATH: programs }, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

function found(name: string): string {
  return spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' }).stdout.trim()
}

const forTests = ['age', 'zstd', 'jq', 'strace', 'git', 'chromium', 'gpg', 'xz', 'openssl', 'ssh-keygen', 'rclone', 'shellcheck', 'setfacl', 'getfattr', 'docker', 'node']

test('a machine that has everything is left alone, without a word', () => {
  expect(setup('test', forTests)).toEqual({ status: 0, output: '' })
})

test('without apt-get, the missing packages are named', () => {
  const { status, output } = setup('test', forTests.filter((name) => name !== 'age' && name !== 'jq'))
  expect(output).toContain('not Debian or Ubuntu')
  expect(output).toContain('install these packages and run this again: age jq\n')
  expect(status).toBe(1)
})

test('without root and sudo, the command to run as root is given', () => {
  const { status, output } = setup('test', forTests.filter((name) => name !== 'strace'), { id: '1000', 'apt-get': 'must not be called' })
  expect(output).toContain('neither root nor sudo')
  expect(output).toContain('as root: apt-get install strace\n')
  expect(output).not.toContain('must not be called')
  expect(status).toBe(1)
})

test('another kind of machine is told that it is one', () => {
  const { status, output } = setup('demo', forTests, { uname: 'Darwin' })
  expect(output).toContain('x86-64 Linux only, this is Darwin')
  expect(status).toBe(1)
})

test('an unknown mode is wrong usage', () => {
  expect(setup('everything', [])).toEqual({ status: 2, output: 'usage: scripts/setup.sh test|demo|bench\n' })
})
