import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseInputs } from '../../src/commands/all.ts'
import { restoreAll } from '../../src/commands/restore/restore-all.ts'
import type { RestoreAllResult } from '../../src/commands/restore/result.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { compareDatabases } from '../support/compare-databases.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { quiet } from '../support/quiet.ts'
import { contentsOf } from '../support/volume.ts'

let source: Server
let target: Server
let folder: string
const at = (name: string): string => path.join(folder, name)
const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }

beforeAll(async () => {
  ;[source, target] = await Promise.all([startServer(17), startServer(17)])
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-all-'))
  for (const [name, rows] of [['app', 3000], ['Other one', 20]] as const) {
    await source.createDatabase(name)
    await source.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) FROM generate_series(1, ${rows}) g`, name)
  }
  for (const name of ['uploads', 'media']) {
    mkdirSync(at(`${name}/in`), { recursive: true })
    writeFileSync(at(`${name}/in/file`), name)
  }
  await run('backup', { 'database-url': `${source.url('app')}\n${source.url('Other one')}`, volumes: `uploads=${at('uploads')}\nmedia=${at('media')}` })
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await Promise.all([source.stop(), target.stop()])
})

const raw = (more: Record<string, string>): Record<string, string> => ({ destination: `file:${at('store')}`, 'encryption-key': identity, ...more })
const run = <C extends 'backup' | 'restore'>(command: C, more: Record<string, string>) =>
  dispatched(command, raw(more), new Date(), { variables, temporary: at('tmp') })
const all = async (more: Record<string, string>): Promise<RestoreAllResult> =>
  restoreAll(parseInputs('restore', raw({ all: 'true', ...more }), {}), {
    variables, temporary: at('tmp'), signal: new AbortController().signal, report: quiet, now: () => new Date() })
const databases = async (): Promise<string> => target.sql(`SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'`)
const server = (): string => target.url('').replace(/\/(\?|$)/, '$1')

test('every database and volume of a snapshot comes back with one command, with hooks around it', async () => {
  const { text } = await run('restore', {
    all: 'true', mode: 'create', 'database-url': server(), map: `uploads=${at('new/uploads')}\nmedia=${at('new/media')}`,
    'pre-command': `echo before >> ${at('log')}; test ! -e ${at('new')}`, 'post-command': `echo after >> ${at('log')}; test -e ${at('new/media/in/file')}`,
  })
  expect(text).toMatch(/^Restored: all 4 sources restored, from snapshot /)
  expect(await databases()).toBe('Other one app')
  for (const database of ['app', 'Other one']) expect(await compareDatabases({ server: source, database }, { server: target, database })).toEqual([])
  for (const name of ['uploads', 'media']) expect(contentsOf(at(`new/${name}`))).toEqual(contentsOf(at(name)))
  expect(readFileSync(at('log'), 'utf8')).toBe('before\nafter\n')
})

test('map decides for databases too, and what fails does not keep the rest from being restored: one verdict', async () => {
  mkdirSync(at('full'))
  writeFileSync(at('full/mine'), '')
  const map = [`uploads=${at('second/uploads')}`, `media=${at('full')}`, `app=${target.url('renamed')}`, `Other-one=${target.url('app')}`].join('\n')
  const { sources } = await all({ mode: 'create', map })
  expect(sources).toMatchObject([
    { database: 'app', errors: [], left: 'everything' }, { database: 'Other-one', problem: expect.stringMatching(/exists already/) },
    { volume: 'uploads', errors: [], restored: 3 }, { volume: 'media', problem: expect.stringMatching(/is not empty/) },
  ])
  const { text } = await run('restore', { all: 'true', mode: 'create', map: map.replaceAll('second', 'third').replace('/renamed', '/again') })
  expect(text).toMatch(/^NOT all restored: 2 of 4 sources restored whole/)
  expect(text).toMatch(/NOT restored: media: \S+ is not empty/)
  expect(await compareDatabases({ server: source, database: 'app' }, { server: target, database: 'renamed' })).toEqual([])
  expect(readdirSync(at('full'))).toEqual(['mine'])
})

test.each<[string, Record<string, string>, RegExp]>([
  ['sources without a target', { 'database-url': 'postgres://x@127.0.0.1:1/one' }, /there is no target for app, Other-one, uploads, media: nothing was restored/],
  ['a target without a source', { map: 'nothing=/srv/nothing' }, /map names nothing, and the snapshot has app, Other-one, uploads, media/],
  ['a target of another sort', { map: 'app=/srv/app' }, /map has as the target of app a volume, and it is a database/],
  ['a part', { tables: 'orders', map: 'app=/srv/app' }, /tables: with all, every source of the snapshot is restored whole/],
  ['the same source twice', { map: 'app=/srv/app\napp=/srv/b' }, /there are two targets for "app"/],
  ['what is no target', { map: 'app=secret' }, /the target of "app" is neither/],
])('%s: refused before anything is done', async (_, more, message) => {
  const said = await refusal(all({ mode: 'create', 'pre-command': `touch ${at('touched')}`, ...more }))
  expect(said).toMatch(message)
  expect(said).not.toContain('secret')
  expect(existsSync(at('touched'))).toBe(false)
})

test('a pre-command that fails, and damage anywhere, keep everything from being restored', async () => {
  const more = { mode: 'create', map: `uploads=${at('none/u')}\nmedia=${at('none/m')}\napp=${target.url('none1')}\nOther-one=${target.url('none2')}` }
  expect(await refusal(all({ ...more, 'pre-command': 'echo no >&2; exit 3', 'post-command': `touch ${at('post')}` }))).toMatch(/pre-command .*no[^]*Nothing was restored/)
  expect(existsSync(at('none'))).toBe(false)
  expect(existsSync(at('post'))).toBe(true)
  const verified = await all({ 'verify-only': 'true' })
  expect(verified).toMatchObject({ mode: 'verify-only', sources: [{ target: 'none' }, { target: 'none' }, { target: 'none' }, { target: 'none' }] })
  const chunks = readdirSync(at('store/chunks'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const { parentPath, name } of chunks.slice(0, 1)) rmSync(path.join(parentPath, name))
  expect(await refusal(all(more))).toMatch(/does not verify, so nothing was restored[^]*Of snapshot \S+, .* whole/)
  expect(await databases()).not.toContain('none')
  expect(existsSync(at('none'))).toBe(false)
})
