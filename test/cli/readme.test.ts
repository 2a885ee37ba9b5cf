import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { commands as known } from '../../src/commands/all.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { shellWord } from '../../src/report/recipe.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { startServer, type Server } from '../support/postgres-server.ts'
import { lifeboatEntry } from '../support/terminal-program.ts'

const root = path.join(import.meta.dirname, '../..')
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md')).toSorted().map((name) => `docs/${name}`)].filter((page) => existsSync(path.join(root, page)))
const textOf = (page: string): string => readFileSync(path.join(root, page), 'utf8')

/** The shell commands of a page, a list of lines for each block. */
function shellBlocks(page: string): string[][] {
  return [...textOf(page).matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!.split('\n').map((line) => line.trim()).filter((line) => line !== ''))
}

// test/commands/init runs the first.
const [start = [], installation = []] = shellBlocks('README.md')
// runbooks.test.ts runs those of docs/recovery.md, which depend on each other.
const lines = pages.filter((page) => page !== 'docs/recovery.md').flatMap((page) => shellBlocks(page).filter((_, index) => page !== 'README.md' || index > 1).flatMap((block) => block.map((line) => ({ page, line }))))
/** A line without the variable before the program. */
const bare = (line: string): string => line.replace(/^DATABASE_URL='[^']*' /, '')
const commands = lines.filter(({ line }) => bare(line).startsWith('lifeboat '))
const recovery = shellBlocks('docs/restore.md').flat().filter((line) => !line.startsWith('lifeboat '))

let server: Server
let folder: string
let key: string
let snapshots: string[]
beforeAll(async () => {
  key = (await newIdentity()).identity
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-readme-'))
  mkdirSync(path.join(folder, 'bin'))
  writeFileSync(path.join(folder, 'bin/lifeboat'), `#!/bin/sh\nexec ${shellWord(process.execPath)} ${shellWord(lifeboatEntry())} "$@"\n`, { mode: 0o755 })
  server = await startServer(15)
  await server.createDatabase('empty_database')
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT 1 AS id', 'shop')
  snapshots = [await backedUp(), await backedUp()]
  await run('lifeboat backup --set production')
  mkdirSync(path.join(folder, 'configured'))
  cpSync(path.join(root, 'workflows-examples/lifeboat.yml'), path.join(folder, 'configured/lifeboat.yml'))
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => `file:${path.join(folder, name)}`

/** The id of a new snapshot of the database. */
async function backedUp(): Promise<string> {
  return z.looseObject({ snapshot: z.string() }).parse(JSON.parse(await run('lifeboat backup --json'))).snapshot
}

/** Runs a line as it is written, but with the program of the sources, on a store of the test and with ids of snapshots in it. */
async function run(line: string, more: { directory?: string; variables?: Record<string, string> } = {}): Promise<string> {
  let next = 0
  const command = line
    .replace(/^DATABASE_URL='[^']*'/, () => `DATABASE_URL=${shellWord(server.url('empty_database'))}`)
    .replace(/--confirm app$/, '--confirm empty_database')
    .replaceAll(/file:\/mnt\/(\w+)/g, (_, name: string) => shellWord(at(name)))
    .replaceAll(/\b202611(?:19|20)T0217\d\dZ-[0-9a-f]{8}\b/g, () => snapshots[next++]!)
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], {
    cwd: more.directory ?? folder,
    env: {
      PATH: [path.join(folder, 'bin'), clientDirectory(15), process.env['PATH']].join(path.delimiter),
      HOME: folder,
      LIFEBOAT_ENCRYPTION_KEY: key, LIFEBOAT_DESTINATION: at('backups'), LIFEBOAT_NEW_PASSPHRASE: 'one passphrase more', LIFEBOAT_OLD_PASSPHRASE: 'one passphrase more',
      DATABASE_URL: server.url(line.startsWith('lifeboat restore ') ? 'empty_database' : 'shop'),
      ...more.variables,
    },
  })
  return stdout
}

/** The commands in these lines, each once, in alphabetical order. */
function words(shown: readonly string[]): string[] {
  return [...new Set(shown.map(bare).map((line) => line.split(' ').slice(1, /^lifeboat (?:key|config) /.test(line) ? 3 : 2).join(' ')))].toSorted()
}

test('README and docs show every command, the README those that a new user needs', () => {
  // plan and verdict are steps of a workflow: docs/scale.md shows the example, which examples-run.test.ts runs.
  const ofWorkflows = ['plan', 'verdict']
  expect(words([...start.map((line) => line.replace(/^npx @OWNER\//, '')), ...installation.slice(-1), ...commands.map(({ line }) => line)])).toEqual([...known].filter((name) => !ofWorkflows.includes(name)).toSorted())
  const shown = words(shellBlocks('README.md').flat().map((line) => line.replace(/^npx @OWNER\//, '')).filter((line) => bare(line).startsWith('lifeboat ')))
  expect(shown).toEqual(['backup', 'check', 'doctor', 'init', 'key new', 'list', 'restore', 'verify'])
})

test.each(commands)('$page: $line', async ({ line }) => {
  expect(await run(line, line.startsWith('lifeboat config ') ? { directory: path.join(folder, 'configured') } : {})).not.toBe('')
})

test('the commands that change a passphrase, one after the other', async () => {
  const passphrase = shellBlocks('docs/keys.md').slice(-2).flat()
  expect(passphrase.map((line) => line.replace(/=.*/, ''))).toEqual(['export LIFEBOAT_NEW_PASSPHRASE', 'lifeboat key add', 'lifeboat key list', 'export LIFEBOAT_ENCRYPTION_KEY', 'export LIFEBOAT_OLD_PASSPHRASE', 'lifeboat key remove'])
  const variables = { LIFEBOAT_ENCRYPTION_KEY: 'the old passphrase', LIFEBOAT_DESTINATION: at('passphrases') }
  await run('lifeboat backup', { variables })
  await run(passphrase.join(' && '), { variables })
  await expect(run('lifeboat list', { variables })).rejects.toThrow('the passphrase does not open')
  expect(await run('lifeboat list', { variables: { ...variables, LIFEBOAT_ENCRYPTION_KEY: 'the new passphrase' } })).toContain('1 snapshot in')
})

test('the installation from a clone gives the program', async () => {
  expect(installation.at(-1)).toBe('lifeboat key new')
  const directory = path.join(folder, 'installation')
  mkdirSync(directory)
  const script = installation.join(' && ').replace('https://github.com/OWNER/lifeboat', `${shellWord(`file://${root}`)} lifeboat`)
  const prefix = path.join(directory, 'prefix')
  const PATH = [path.join(prefix, 'bin'), process.env['PATH']].join(path.delimiter)
  const printed = await run(script, { directory, variables: { PATH, npm_config_prefix: prefix, npm_config_offline: 'true', npm_config_fund: 'false' } })
  expect(printed).toMatch(/^AGE-SECRET-KEY-1/m)
})

test('the commands for roles, with extract and psql', async () => {
  expect(recovery.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['psql -h'])
  const directory = path.join(folder, 'roles')
  mkdirSync(directory)
  await run('lifeboat extract latest shop globals.sql --output globals.sql', { directory })
  const { hostname, port, username, password } = new URL(server.url('postgres'))
  const given: Record<string, string> = { HOST: hostname, PORT: port, USER: username }
  const script = recovery.map((line) => line.replaceAll(/\b(?:HOST|PORT|USER)\b/g, (name) => given[name]!)).join(' && ')
  await run(script, { directory, variables: { PGPASSWORD: decodeURIComponent(password) } })
  expect(readFileSync(path.join(directory, 'globals.sql'), 'utf8')).toContain('CREATE ROLE')
})

test('every shell command of README and docs is run by a test', () => {
  const others = lines.filter(({ page, line }) => !bare(line).startsWith('lifeboat ') && !(page === 'docs/restore.md' && recovery.includes(line)))
  // The variables are set by `run`; the npm scripts are run by `npm test` itself and by the tests of the demo; attestations are verified by GitHub.
  expect(others.filter(({ line }) => !/^(npx @OWNER\/lifeboat init$|export [A-Z_]+='|npm (run [a-z:]+|test)$|gh attestation verify )/.test(line))).toEqual([])
})

test('the npm scripts that README and docs name exist', () => {
  const { scripts } = z.looseObject({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(textOf('package.json')))
  const named = (page: string): string[] => [...textOf(page).matchAll(/npm (?:run ([a-z][a-z0-9:-]*)|(test)\b)/g)].map((match) => match[1] ?? match[2]!)
  expect(named('README.md')).toEqual(expect.arrayContaining(['demo', 'test', 'build', 'generate']))
  for (const name of pages.flatMap(named)) expect(Object.keys(scripts)).toContain(name)
})

test('the README has the two commands that a new user runs, and at most 200 lines', () => {
  expect(shellBlocks('README.md')).toContainEqual(['npm run demo', 'npm test'])
  expect(textOf('README.md').split('\n').length).toBeLessThanOrEqual(200)
})

test.each(pages)('the files that %s links to exist', (page) => {
  const links = [...textOf(page).matchAll(/(?:\]\(|src(?:set)?=")([^)#:\s"]+)(?:#[^)]*)?[)"]/g)].map((match) => match[1]!)
  if (page === 'README.md') expect(links.length).toBeGreaterThan(20)
  for (const link of links) expect([link, existsSync(path.join(root, path.dirname(page), link))]).toEqual([link, true])
})
