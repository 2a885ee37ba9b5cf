import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { newIdentity } from '../../src/repository/keys.ts'
import { shellWord } from '../../src/report/recipe.ts'
import { startServer, type Server } from '../support/postgres-server.ts'

const root = path.join(import.meta.dirname, '../..')
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const shell = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => match[1]!.split('\n').map((line) => line.trim()).filter((line) => line !== ''))
const commands = shell.filter((line) => line.startsWith('node dist/cli.js '))

let server: Server
let folder: string
let key: string
beforeAll(async () => {
  key = (await newIdentity()).identity
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-readme-'))
  server = await startServer(15)
  await server.createDatabase('new_database')
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT 1 AS id', 'shop')
  await run('node dist/cli.js backup --destination file:/mnt/backups')
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => shellWord(`file:${path.join(folder, name)}`)

/** Runs a line of the README as it stands, but on a store of the test's own and from the sources. */
async function run(line: string): Promise<string> {
  const program = `${shellWord(process.execPath)} ${shellWord(path.join(import.meta.dirname, 'lifeboat.ts'))}`
  const command = line.replace('node dist/cli.js', program).replace('file:/mnt/backups', at('store')).replace('file:/mnt/copies', at('copies'))
  const target = server.url(line.includes(' restore ') ? 'new_database' : 'shop')
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], { env: { PATH: process.env['PATH'], LIFEBOAT_ENCRYPTION_KEY: key, LIFEBOAT_NEW_PASSPHRASE: 'one passphrase more', LIFEBOAT_OLD_PASSPHRASE: 'one passphrase more', DATABASE_URL: target } })
  return stdout
}

test('the README shows every command', () => {
  const words = commands.map((line) => line.split(' ').slice(2, line.includes(' key ') ? 4 : 3).join(' '))
  expect([...new Set(words)].toSorted()).toEqual(['backup', 'check', 'copy', 'doctor', 'key add', 'key list', 'key new', 'key remove', 'key write', 'list', 'pin', 'prune', 'restore', 'show', 'stats', 'tag', 'verify'])
})

test.each(commands)('%s', async (line) => {
  expect(await run(line)).not.toBe('')
})

test('its npm scripts exist', () => {
  const { scripts } = z.looseObject({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')))
  const named = [...readme.matchAll(/npm (?:run )?(demo|test|build|generate)\b/g)].map((match) => match[1]!)
  expect(named.length).toBeGreaterThan(3)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
})

test('the files it links to exist', () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => match[1]!)
  expect(links.length).toBeGreaterThan(5)
  for (const link of links) expect(readFileSync(path.join(root, link), 'utf8')).not.toBe('')
})
