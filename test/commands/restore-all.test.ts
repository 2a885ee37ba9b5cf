import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { atTerminal } from '../../src/cli/spelling.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { afterSwap, afterSwapText } from '../../src/commands/restore/after-swap.ts'
import { restoreAll } from '../../src/commands/restore/restore.ts'
import type { RestoreAllResult } from '../../src/commands/restore/result.ts'
import { spelled } from '../../src/marks.ts'
import type { RestoreTarget } from '../../src/sources/source-kind.ts'
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

test('map decides for databases too; everything that prevents the restore is told at once, before anything is changed', async () => {
  mkdirSync(at('full'))
  writeFileSync(at('full/mine'), '')
  const map = (app: string, uploads: string): string =>
    [`uploads=${at(uploads)}`, `media=${at('full')}`, `app=${target.url(app)}`, `Other-one=${target.url('app')}`].join('\n')
  const there = await databases()
  const said = await refusal(all({ mode: 'create', map: map('renamed', 'second'), 'pre-command': `touch ${at('touched')}` }))
  expect(said).toMatch(/the restore cannot start, and nothing was changed:\n1\. Other-one: \S+ exists already\n2\. media: \S+ is not empty[^]*\nhint: For 1: [^]*\nFor 2: /)
  expect([existsSync(at('touched')), existsSync(at('second')), await databases()]).toEqual([false, false, there])
})

test('a folder that is not empty, beside databases that are exchanged, is refused with a way that there is; the way back names the database', async () => {
  const given = { mode: 'swap', 'database-url': server(), confirm: 'app\nOther one' }
  const said = await refusal(all({ ...given, map: `uploads=${at('swap/uploads')}\nmedia=${at('full')}` }))
  expect(said).toMatch(/full is not empty[^]*With --all, the mode is that of every source: give this one a new folder in --map, [^]*databases with --database and --mode swap, this one with --volume, --target and --mode overwrite/)
  const { sources } = await all({ ...given, map: `uploads=${at('swap/uploads')}\nmedia=${at('swap/media')}` })
  const { host } = new URL(target.url('app'))
  expect(sources.map((one) => ('after' in one ? spelled(one.after!.back, atTerminal('lifeboat')) : ''))).toEqual([
    ...[['app', 'app'], ['Other one', "'Other one'"]].map(([name, word]) =>
      expect.stringContaining(`Exchange the two again, with --database-url for ${host}/${name}: \`lifeboat restore --undo --confirm ${word}\`. `)),
    `Empty ${at('swap/uploads')}.`, `Empty ${at('swap/media')}.`,
  ])
  for (const name of ['app', 'Other one']) {
    const undone = { undo: 'true', confirm: name, 'database-url': target.url(name) }
    for (const what of ['undo', 'forget-old'])
      expect(await refusal(run('restore', { ...undone, undo: 'false', [what]: 'true', 'old-database': 'of another' }))).toMatch(/of another is no database that .* Kept for it: .+_before_\S+ \(until/s)
    await run('restore', undone)
    await run('restore', { ...undone, undo: 'false', 'forget-old': 'true', 'keep-old': '0d' })
  }
})

test('sources whose targets are the same, or one in the other, by whatever names, are refused before anything is changed', async () => {
  mkdirSync(at('same'))
  symlinkSync(at('same'), at('link'))
  const there = await databases()
  const map = [`app=${target.url('one')}`, `Other-one=${target.url('one').replace('127.0.0.1', 'localhost')}`, `uploads=${at('same')}`, `media=${at('link/in/it')}`].join('\n')
  const said = await refusal(all({ mode: 'create', map }))
  for (const pair of ['app and Other-one', 'uploads and media']) expect(said).toContain(`the targets of ${pair} are the same, or one is in the other`)
  expect([await databases(), readdirSync(at('same'))]).toEqual([there, []])
})

test('undo tells which other databases are kept, and how to go back to one', async () => {
  const undone = { target: 'db:5432/app', back: 'app_before_2', since: '2026-11-23T03:01:00.000Z', others: [{ name: 'app_before_1', since: '2026-11-23T03:00:00.000Z' }] }
  const kept: RestoreTarget = {
    name: 'app', where: 'db:5432/app', replaces: true, require: () => undefined, restore: () => Promise.reject(new Error('not here')), close: () => Promise.resolve(),
    undo: ({ old }) => Promise.resolve({ ...undone, back: old ?? undone.back, swapped: { kept: 'app_before_3', until: '2026-11-30T03:02:00.000Z' } }), forgetOld: () => Promise.reject(new Error('not here')),
  }
  const given = parseInputs('restore', { undo: 'true', 'database-url': target.url('app'), confirm: 'app' }, variables)
  const result = await afterSwap(given.afterSwap!, kept, given, { variables, temporary: at('tmp'), signal: new AbortController().signal, report: quiet, now: () => new Date() })
  const text = spelled(afterSwapText(result, { program: 'lifeboat', destination: '', timeZone: 'UTC' }), atTerminal('lifeboat'))
  expect(text).toContain('Exchange the two again: `lifeboat restore --undo --confirm app`.')
  expect(text).toContain('One that was put aside earlier: `lifeboat restore --undo --old-database app_before_1 --confirm app`.')
  expect(text).toContain('Kept as well: app_before_1, which was put aside 2026-11-23 03:00:00 UTC.')
})

test('undo and forget-old are refused with hooks, and with everything that is for restores alone', async () => {
  const there = await databases()
  for (const [name, value] of [['verify-only', 'true'], ['pre-command', 'false'], ['all', 'true'], ['tables', 'orders'], ['skip-damaged', 'true']] as const)
    for (const what of ['undo', 'forget-old'])
      expect(await refusal(run('restore', { [what]: 'true', 'database-url': target.url('app'), confirm: 'app', [name]: value }))).toContain(`${name}: ${what} is for a database`)
  expect(await refusal(run('restore', { undo: 'true', 'forget-old': 'true', 'database-url': target.url('app'), confirm: 'app' }))).toContain('one is done at a time')
  expect(await refusal(run('restore', { 'old-database': 'app_before', 'database-url': target.url('app') }))).toContain('old-database is for undo and forget-old')
  expect(await databases()).toBe(there)
})

test('a failure after that does not keep the rest from being restored: one verdict', async () => {
  const map = ['second/uploads', 'second/media', 'renamed', 'taken'].map((place, index) =>
    `${['uploads', 'media', 'app', 'Other-one'][index]}=${index < 2 ? at(place) : target.url(place)}`).join('\n')
  const spoiled = `mkdir -p ${at('second/media')} && touch ${at('second/media/mine')} && psql -qc 'CREATE DATABASE taken' "$SPOILED"`
  const { result, text } = await dispatched('restore', raw({ all: 'true', mode: 'create', map, 'pre-command': spoiled }), new Date(), {
    variables: { ...variables, SPOILED: target.url('postgres') }, temporary: at('tmp') })
  expect(result).toMatchObject({ sources: [
    { database: 'app', errors: [], left: 'everything' }, { database: 'Other-one', problem: expect.stringMatching(/exists already/) },
    { volume: 'uploads', errors: [], restored: 3 }, { volume: 'media', problem: expect.stringMatching(/is not empty/) },
  ] })
  expect(text).toMatch(/^NOT all restored: 2 of 4 sources restored whole/)
  expect(text).toMatch(/NOT restored: media: \S+ is not empty/)
  expect(await compareDatabases({ server: source, database: 'app' }, { server: target, database: 'renamed' })).toEqual([])
  expect(readdirSync(at('second/media'))).toEqual(['mine'])
  // The command for all would be refused now: both are in the way, the restored and those that failed.
  const [begins, given] = [' Restored already: app, uploads. For', 'alone, with the other options of this run but --all and --map']
  expect(text).toContain(`${begins} Other-one ${given}, with --database-url for ${new URL(target.url('app')).host}/taken: ` +
    `\`lifeboat restore --snapshot ${result.snapshot} --database Other-one --globals roles --mode create\`.`)
  expect(text).toContain(`${begins} media ${given}: \`lifeboat restore --snapshot ${result.snapshot} --volume media --target ${at('second/media')} --mode empty\`.`)
  await target.sql('DROP DATABASE taken')
  const followed = { snapshot: result.snapshot, database: 'Other-one', globals: 'roles', mode: 'create', 'database-url': target.url('taken') }
  expect((await run('restore', followed)).result).toMatchObject({ database: 'Other-one', errors: [] })
}, 30_000)

test('a dry run of everything changes nothing, and tells the steps of each source in order', async () => {
  const there = await databases()
  const map = `uploads=${at('dry/uploads')}\nmedia=${at('full')}`
  const { text } = await run('restore', { all: 'true', mode: 'clean', 'database-url': server(), map, 'dry-run': 'true', 'pre-command': `touch ${at('touched')}` })
  expect(text).toMatch(/^Nothing was changed\. All 4 sources of snapshot \S+ can be restored\n\napp of snapshot .*\(mode clean\)\n  1\. /)
  expect(text).toMatch(/uploads of snapshot .* can be restored into .*dry.uploads \(mode clean\)\n  1\. Make .*dry\/uploads, which is not there\.\n  2\. Extract 3 files and folders, .* are free\.\n  3\. Move it to its place\./)
  expect(text).toMatch(/media of snapshot .*\n  1\. Back up \S+full into the store: .*\n  2\. Extract .*\n  3\. Exchange it for the content that is there now, and remove that: 1 file or folder, 0 B\./)
  expect(text).toMatch(/\nThe data was not read: `lifeboat verify --snapshot \S+ --level read` reads all of it\.\n/)
  expect(text).toMatch(/(About .* as the restore of .* \(mode swap, .*\)|How long it takes is not known: no drill or restore of this set was found)\.$/)
  expect([existsSync(at('touched')), existsSync(at('dry')), readdirSync(at('full')), await databases()]).toEqual([false, false, ['mine'], there])
})

test('everything that replaces data is confirmed, target by target', async () => {
  const more = { mode: 'clean', 'safety-backup': 'false', 'database-url': server(), map: `uploads=${at('full')}\nmedia=${at('dry/media')}` }
  expect(await refusal(all(more))).toMatch(/this replaces the database app, the database Other one, the data in \S+full, the data in \S+dry\/media, which nobody has confirmed/)
  expect(await refusal(all({ ...more, confirm: `app\n${at('full')}` }))).toMatch(/this replaces the database Other one, the data in \S+dry\/media, and another name was given/)
  expect(readdirSync(at('full'))).toEqual(['mine'])
  const asked: string[] = []
  const told: string[] = []
  const ask = async (question: string): Promise<string> => {
    asked.push(question)
    return ['app', 'Other one', at('full'), 'no'][asked.length - 1]!
  }
  const running = restoreAll(parseInputs('restore', raw({ all: 'true', ...more }), {}), {
    variables, temporary: at('tmp'), signal: new AbortController().signal, report: { ...quiet, info: (message) => void told.push(message) }, now: () => new Date(), ask,
    configuration: {
      origins: [
        { name: 'set', from: 'input', value: 'shop' }, { name: 'encryption-key', from: 'lifeboat.yml, line 2' },
        { name: 'terminate-connections', from: 'lifeboat.yml, line 7', value: 'true' }, { name: 'mode', from: 'default', value: 'empty' },
      ],
      file: { path: 'lifeboat.yml', inputs: [], variables: [], problems: [], warnings: [] },
    } })
  expect(await refusal(running)).toMatch(/the data in \S+dry\/media, and another name was given/)
  // The program tells first which data it replaces.
  const plan = told.indexOf(`This restore into ${at('full')} will:`)
  expect(told.slice(plan + 1, plan + 3)).toEqual([expect.stringMatching(/^ {2}1\. Extract /), expect.stringMatching(/^ {2}2\. Exchange it for the content that is there now, and remove that: 1 file/)])
  expect(told.at(-1)).toBe('Of this restore, lifeboat.yml gives: encryption-key (line 2), terminate-connections true (line 7)')
  expect(asked).toHaveLength(4)
  expect([readdirSync(at('full')), existsSync(at('dry'))]).toEqual([['mine'], false])
  const confirmed = await all({ ...more, confirm: `app\nOther one\n${at('full')}\n${at('dry/media')}` })
  expect(confirmed.sources).toMatchObject([{ errors: [] }, { errors: [] }, { errors: [] }, { errors: [] }])
  expect(contentsOf(at('full'))).toEqual(contentsOf(at('uploads')))
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
