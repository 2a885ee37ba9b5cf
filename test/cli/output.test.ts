import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempDisposableSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { noise } from '../support/bytes.ts'
import { identity } from '../support/engine.ts'
import { lifeboatEntry, runLifeboat } from '../support/terminal-program.ts'

const lifeboat = (...args: string[]) => runLifeboat(args, { PATH: process.env['PATH'] })

const run = (redirection: string): Promise<unknown> =>
  promisify(execFile)('bash', ['-o', 'pipefail', '-c', `"$0" "$1" backup --help ${redirection}`, process.execPath, lifeboatEntry()])

test('output that is lost, as on a full disk, is a failure; a reader that has read enough is none', async () => {
  await expect(run('> /dev/full')).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: standard output could not be written: .*ENOSPC[^]*\nhint: /) })
  await run('| head -1')
})

test('an extract whose reader has read enough ends without a message, and not as if it were complete', async () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), 'lifeboat-output-'))
  const files = path.join(folder.path, 'files')
  mkdirSync(files)
  writeFileSync(path.join(files, 'large'), noise('large', 3_000_000))
  const variables = { PATH: process.env['PATH'], TMPDIR: folder.path, LIFEBOAT_ENCRYPTION_KEY: identity, LIFEBOAT_DESTINATION: `file:${path.join(folder.path, 'store')}` }
  expect(await runLifeboat(['backup', '--volumes', `files=${files}`], variables)).toMatchObject({ status: 0 })
  const script = '"$0" "$1" extract latest files large | head -c 3; echo "; ${PIPESTATUS[0]}"'
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', script, process.execPath, lifeboatEntry()], { env: variables, encoding: 'latin1' })
  expect([stdout.slice(3), stderr]).toEqual(['; 141\n', ''])
  const output = path.join(folder.path, 'extracted')
  expect(await runLifeboat(['extract', 'latest', 'files', 'large', '-o', output], variables)).toMatchObject({ status: 0 })
  expect(statSync(output).size).toBe(3_000_000)
})

test('a run that failed waits as well for a pipe that has no room', async () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), 'lifeboat-output-'))
  const file = path.join(folder.path, 'lifeboat.yml')
  writeFileSync(file, Array.from({ length: 2000 }, (_, key) => `no-such-input-${key}: 1\n`).join(''))
  const script = '"$0" "$1" config check --json --config "$2" | (head -c 1; sleep 1; cat); echo "${PIPESTATUS[0]}"'
  const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, lifeboatEntry(), file])
  const [json, status] = stdout.trim().split('\n')
  expect([json!.length > 1 << 16, status]).toEqual([true, '1'])
  expect(JSON.parse(json!)).toBeDefined()
})

test('a switch with a value, an unknown command and a second word are told what is near, and nothing else', async () => {
  expect((await lifeboat('list', '--json=false')).err).toMatch(/^error: list: .*--json/)
  expect((await lifeboat('bakcup')).err).toBe('error: Unknown command "bakcup"; did you mean backup?\nhint: See lifeboat --help.\n')
  expect((await lifeboat('snapshots')).err).toBe('error: Unknown command "snapshots"; did you mean list?\nhint: See lifeboat --help.\n')
  expect((await lifeboat('key', 'lst')).err).toBe('error: Unknown command "key lst"; did you mean key list?\nhint: See lifeboat key --help.\n')
  expect((await lifeboat('wibblewobble')).err).toContain('backup, restore, verify')
})
