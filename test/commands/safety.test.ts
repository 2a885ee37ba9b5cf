import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jest } from '@jest/globals'
import { type Command, parseInputs } from '../../src/commands/all.ts'
import { restore, restoreAll } from '../../src/commands/restore/restore.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { type Server, startServer } from '../support/postgres-server.ts'

const DAY = 86_400_000
let server: Server
let folder: string
const at = (name: string): string => path.join(folder, name)
const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }
const now = new Date()

beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('source')
  await server.sql('CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g', 'source')
})
afterAll(() => server.stop())
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-safety-'))
  mkdirSync(at('uploads'))
  writeFileSync(at('uploads/kept'), 'of the backup')
  await run('backup', { 'database-url': `app=${server.url('source')}`, volumes: `uploads=${at('uploads')}` })
  await server.createDatabase('app')
  await server.sql('CREATE TABLE orders AS SELECT 0 AS id; CREATE TABLE later (id int)', 'app')
})
afterEach(async () => {
  rmSync(folder, { recursive: true })
  for (const name of (await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '^(app|lifeboat)'`)).split('\n'))
    await server.sql(`DROP DATABASE "${name}" WITH (FORCE)`)
})

const raw = (more: Record<string, string>): Record<string, string> => ({ destination: `file:${at('store')}`, 'encryption-key': identity, ...more })
const run = <C extends Command>(command: C, more: Record<string, string>, when = now) =>
  dispatched(command, raw(more), when, { variables, temporary: at('tmp') })
const into = (more: Record<string, string> = {}) => ({ 'database-url': server.url('app'), mode: 'clean', confirm: 'app', ...more })
const rows = () => server.sql('SELECT count(*), max(id) FROM orders', 'app')
const safeties = () => {
  try {
    return readdirSync(at('store/snapshots/default.safety')).map((name) => name.replace('.json.zst', ''))
  } catch {
    return []
  }
}

test('the database that a restore replaces is backed up first, and comes back with the command that the result says', async () => {
  const { text, result: restored } = await run('restore', into())
  expect(await rows()).toBe('100|100')
  const [id] = safeties()
  expect(restored.safety).toEqual({ snapshot: id, set: 'default.safety', until: new Date(now.getTime() + 7 * DAY).toISOString() })
  expect(text).toMatch(new RegExp(`before is in snapshot ${id} of set default.safety, a safety backup that is kept until `))
  expect(text).toContain(`Restore it into the same target: \`lifeboat restore --snapshot ${id} --mode swap --confirm app\``)
  expect((await run('list', { set: 'default.safety' })).text.match(/kept until/g)).toHaveLength(1)
  expect((await run('list', { set: 'default.safety', retention: 'last=3' })).text.match(/kept until/g)).toHaveLength(1)
  const where = `127.0.0.1:${server.port}`
  const shown = (await run('show', { snapshot: id! })).text
  expect(shown).toMatch(new RegExp(`about +what ${where}/app had before the restore of ${restored.snapshot}\n[^]* from +${where}/app\n`))
  expect((await run('restore', into({ mode: 'swap', snapshot: id! }))).warnings).toEqual([])
  expect(await rows()).toBe('1|0')
  // A server of trials has its safety backups in the same set.
  const { warnings } = await run('restore', { 'database-url': server.url('source'), mode: 'clean', confirm: 'source', snapshot: id!, 'dry-run': 'true' })
  expect(warnings[0]).toBe(`snapshot ${id} is a safety backup of another target than ${where}/source: it is what ${where}/app had before the restore of ${restored.snapshot}`)
  // Nothing that was made after the backup is left out.
  expect(await server.sql('SELECT count(*) FROM later', 'app')).toBe('0')
  // The swap keeps the database from before, and needs no safety backup.
  expect(safeties()).toEqual([id])
})

test('the way back from a restore of tables is of those that the target had, with their schemas and the name that confirms it; the others are to be removed', async () => {
  const events = 'CREATE TABLE events (id int) PARTITION BY LIST (id); CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1)'
  await server.sql(`CREATE TABLE photos (id int PRIMARY KEY); CREATE TABLE "Audit, Log" (id int PRIMARY KEY REFERENCES photos);
    CREATE TABLE items (log int REFERENCES "Audit, Log"); CREATE VIEW seen AS SELECT * FROM photos; INSERT INTO photos VALUES (1); INSERT INTO "Audit, Log" VALUES (1);
    CREATE TABLE logs (id int) PARTITION BY LIST (id); CREATE TABLE a_log PARTITION OF logs FOR VALUES IN (1);
    ${events}; CREATE SEQUENCE tickets START 500; CREATE SEQUENCE coupons; CREATE TABLE owner (id serial, other int GENERATED ALWAYS AS IDENTITY); CREATE SCHEMA fresh; CREATE TYPE fresh.kind AS ENUM ('one'); CREATE TABLE fresh.one (kind fresh.kind)`, 'source')
  const { result: { snapshot } } = await run('backup', { 'database-url': `app=${server.url('source')}` })
  await server.sql('DROP SCHEMA fresh CASCADE; DROP VIEW seen; DROP TABLE photos, "Audit, Log", items, logs, events, owner; DROP SEQUENCE tickets, coupons', 'source')
  await server.sql(`CREATE TABLE "Audit, Log" AS SELECT 2 AS id; CREATE SCHEMA other; CREATE TABLE other.orders AS SELECT 5 AS id; ${events}; INSERT INTO events VALUES (1); CREATE SEQUENCE tickets START 7; CREATE TABLE owner (id serial, other int GENERATED ALWAYS AS IDENTITY)`, 'app')
  const relations = `SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'v', 'p', 'S') AND oid >= 16384`
  const before = await server.sql(relations, 'app')
  const planned = (await run('restore', into({ snapshot, tables: '["photos", "orders", "Audit, Log"]', 'dry-run': 'true' }))).text
  expect(planned).toMatch(/drop the objects of \S+ that are selected \("public\.Audit, Log", public\.orders; not there: public\.photos\), and restore/)
  const first = (await run('restore', into({ snapshot, tables: '["photos", "seen", "orders", "Audit, Log", "items", "logs", "events", "one", "owner", "tickets", "coupons"]' }))).result
  expect(await rows()).toBe('100|100')
  const back = spelled(first.after!.back, atTerminal('lifeboat'))
  const [, statements, words] = /^First remove the schemas, tables, views and sequences that the target did not have, with the SQL `(.*)` Then restore the safety backup into the same target: `lifeboat restore (.*)`\.$/.exec(back)!
  expect(statements).toBe('DROP SCHEMA IF EXISTS "fresh" CASCADE; DROP TABLE IF EXISTS "public"."logs", "public"."items", "public"."photos" CASCADE; DROP VIEW IF EXISTS "public"."seen" CASCADE; DROP SEQUENCE IF EXISTS "public"."coupons" CASCADE;')
  // Partitions come with their table.
  const tables = '[["public","Audit, Log"],["public","events"],["public","orders"],["public","owner"],["public","tickets"]]'
  expect(words).toBe(`--snapshot ${safeties()[0]} --mode clean --tables '${tables}' --confirm app`)
  await server.sql(statements!, 'app')
  await run('restore', into({ snapshot: safeties()[0]!, tables }))
  expect([await rows(), await server.sql(relations, 'app'), await server.sql(`SELECT count(*) + nextval('tickets') FROM events`, 'app')]).toEqual(['1|0', before, '8'])
  expect(await server.sql(`SELECT count(*) FROM pg_namespace WHERE nspname = 'fresh'`, 'app')).toBe('0')
  // The target has none of them.
  const { after } = (await run('restore', into({ snapshot, tables: 'photos' }))).result
  expect(after!.back).toBe('The target had none of the selected tables: run DROP TABLE IF EXISTS "public"."photos" CASCADE;')
})

test('the way back from a restore of a schema leaves its other tables as they are, and names with odd spaces are not taken for others', async () => {
  await server.sql('CREATE SCHEMA s; CREATE TABLE s.one AS SELECT 1 AS id; CREATE TABLE s.two (id int); CREATE TABLE "a  b" (id int)', 'source')
  const { result: { snapshot } } = await run('backup', { 'database-url': `app=${server.url('source')}` })
  await server.sql('DROP SCHEMA s CASCADE; DROP TABLE "a  b"', 'source')
  await server.sql('CREATE SCHEMA s; CREATE TABLE s.one AS SELECT 7 AS id; CREATE TABLE s.newer (id int); CREATE VIEW outside AS SELECT count(*) FROM s.newer; CREATE TABLE "a b" (id int)', 'app')
  const { after, safety } = (await run('restore', into({ snapshot, schemas: 's', tables: '[["public","a  b"]]' }))).result
  await server.sql('INSERT INTO s.newer VALUES (1)', 'app')
  const [, statements, tables] = /with the SQL `(.*)` Then restore the safety backup into the same target: `.* --mode clean --tables '(.*)' --confirm app`\.$/.exec(spelled(after!.back, atTerminal('lifeboat')))!
  expect([statements, tables]).toEqual([String.raw`DROP TABLE IF EXISTS "public".U&"a\+000020\+000020b", "s"."two" CASCADE;`, '[["s","one"]]'])
  await server.sql(statements!, 'app')
  await run('restore', into({ snapshot: safety!.snapshot, tables: tables! }))
  expect(await server.sql(`SELECT (SELECT id FROM s.one), (SELECT * FROM outside), to_regclass('"a b"'), to_regclass('"a  b"'), to_regclass('s.two')`, 'app')).toBe('7|1|"a b"||')
})

test('the commands that are shown confirm a restore by the name of the database, where the source has another one', async () => {
  const [set, report] = ['one', at('page.html')]
  const { text, result: { snapshot } } = await run('backup', { set, 'database-url': `app=${server.url('source')}` })
  const shown = [text, ...(await Promise.all([run('list', { set, report }), run('show', { snapshot }), run('verify', { set, level: 'read' })])).map((one) => one.text)]
  for (const one of [...shown, readFileSync(report, 'utf8')]) expect(/--confirm (\w+)/.exec(one)?.[1]).toBe('source')
  // The data of a safety backup is that of a target.
  await run('restore', { ...into({ set, mode: 'clean' }) })
  const safety = { set: 'one.safety' }
  for (const one of [await run('list', safety), await run('show', { ...safety, snapshot: 'latest' })]) expect(one.text).toMatch(/--mode swap --confirm app\b/)
})

test('it is no backup of the set: latest, check, list and the policy pass over it, and prune drops it when its time is over', async () => {
  // A time that is shorter than a week is none for the only way back.
  const { result: { safety } } = await run('restore', into({ 'keep-old': '2d' }))
  expect(safety!.until).toBe(new Date(now.getTime() + 7 * DAY).toISOString())
  expect((await run('restore', into({ snapshot: 'latest', 'keep-old': '9d' }))).result).toMatchObject({ set: 'default' })
  const [first, second] = safeties()
  const { result: listed } = await run('list', {})
  expect(listed.snapshots.filter(({ until }) => until !== undefined)).toMatchObject([
    { id: expect.any(String), set: 'default.safety', tags: ['safety'] }, { set: 'default.safety', tags: ['safety'] }])
  expect([listed.restorable, safeties().length]).toEqual([listed.snapshots.find(({ set }) => set === 'default')!.id, 2])
  const later = new Date(now.getTime() + 8 * DAY)
  const { result: checked } = await run('check', { 'max-age': '30d' }, later)
  expect(checked.sets.map(({ set }) => set)).toEqual(['default'])
  const { result: kept } = await run('prune', { retention: 'last=1' }, new Date(now.getTime() + DAY))
  expect(kept).toMatchObject({ deleted: 0, kept: 1, safetyBackups: 2 })
  const { result: pruned } = await run('prune', { retention: 'last=1' }, later)
  expect(pruned.snapshots.filter(({ keep }) => !keep)).toMatchObject([{ reasons: ['safety backup whose time is over'] }])
  expect(safeties().length).toBe(1)
  expect([first, second]).toContain(safeties()[0])
  // Also the newest of them, and with it the set.
  await run('prune', { retention: 'last=1' }, new Date(now.getTime() + 10 * DAY))
  expect(safeties()).toEqual([])
  expect((await run('list', {}, later)).result.snapshots).toMatchObject([{ set: 'default' }])
})

test('a pin keeps a safety backup for longer', async () => {
  await run('restore', into())
  await run('pin', { snapshot: safeties()[0]! })
  await run('prune', { retention: 'last=1' }, new Date(now.getTime() + 30 * DAY))
  expect(safeties().length).toBe(1)
})

test('nothing is restored if it fails; without it, if nobody wants it; and none is made of an empty target', async () => {
  const work = () => refusal(restore(parseInputs('restore', raw(into()), {}), environment()))
  writeFileSync(at('store/snapshots/default.safety'), 'in the way')
  expect(await work()).toMatch(/the safety backup of the target failed, so nothing was restored: [^]*--safety-backup false/)
  expect(await rows()).toBe('1|0')
  await run('restore', into({ 'safety-backup': 'false' }))
  expect(await rows()).toBe('100|100')
  rmSync(at('store/snapshots/default.safety'))
  await server.sql('DROP TABLE orders, later', 'app')
  expect((await run('restore', into())).result).not.toHaveProperty('safety')
  expect(safeties()).toEqual([])
})
const environment = () => ({ variables, temporary: at('tmp'), signal: new AbortController().signal, now: () => now, report: { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined } })

test('nothing is restored if the store does not give back what the safety backup put there', async () => {
  const target = at('live')
  const volume = () => run('restore', { volume: 'uploads', target, mode: 'clean', confirm: target })
  mkdirSync(target)
  const mine = noise('mine', 12_000_000)
  writeFileSync(path.join(target, 'mine'), mine)
  // One chunk in the middle, which no list needs.
  let chunks = 0
  const lies = jest.spyOn(FileStore.prototype, 'put').mockImplementation(async (key, bytes) => {
    const wrong = Buffer.from(bytes)
    if (key.startsWith('chunks/') && ++chunks === 3) wrong[wrong.length - 1]! ^= 1
    mkdirSync(path.dirname(at(`store/${key}`)), { recursive: true })
    writeFileSync(at(`store/${key}`), wrong)
  })
  try {
    expect(await refusal(volume())).toMatch(/the safety backup of the target failed, so nothing was restored: /)
  } finally {
    lies.mockRestore()
  }
  expect(chunks).toBeGreaterThan(4)
  expect([readdirSync(target), readFileSync(path.join(target, 'mine')).equals(mine)]).toEqual([['mine'], true])
})

test('a file of the target that says what to leave out of its backups leaves nothing out of the safety backup', async () => {
  const target = at('live')
  mkdirSync(target)
  writeFileSync(path.join(target, '.lifeboatignore'), '*\n')
  writeFileSync(path.join(target, 'precious'), 'mine')
  const volume = (more = {}) => run('restore', { volume: 'uploads', target, mode: 'clean', confirm: target, ...more })
  const { result: { safety } } = await volume()
  expect(readdirSync(target)).toEqual(['kept'])
  await volume({ snapshot: safety!.snapshot, 'safety-backup': 'false' })
  expect(readdirSync(target).toSorted()).toEqual(['.lifeboatignore', 'precious'])
})

test('swap backs up only what it does not keep, and a dry run says so', async () => {
  const { result: dry } = await run('restore', into({ 'dry-run': 'true' }))
  expect(dry.steps?.[0]).toMatch(/^Back up .*a safety backup/)
  const swap = into({ mode: 'swap', 'keep-old': '0d' })
  expect((await run('restore', { ...swap, 'dry-run': 'true' })).result.steps?.[0]).toMatch(/^Back up/)
  expect(safeties()).toEqual([])
  const { result: { swapped }, text } = await run('restore', { ...swap, 'keep-old': '1d' })
  expect(text).toMatch(new RegExp(`Not in the backup, so only ${swapped!.kept} has it: .*public.later`))
  expect(safeties()).toEqual([])
  await run('restore', swap)
  expect(safeties().length).toBe(1)
})

test('the content of a folder is backed up before clean and overwrite, and not before empty', async () => {
  const target = at('live')
  const volume = (mode: string, more = {}) => run('restore', { volume: 'uploads', target, mode, confirm: target, ...more })
  await volume('clean')
  expect(safeties()).toEqual([])
  for (const mode of ['clean', 'overwrite']) {
    writeFileSync(path.join(target, 'kept'), 'mine')
    writeFileSync(path.join(target, 'other'), 'too')
    const { result: { safety } } = await volume(mode)
    expect(readFileSync(path.join(target, 'kept'), 'utf8')).toBe('of the backup')
    const back = await volume('clean', { snapshot: safety!.snapshot })
    expect(back.text).toContain('safety backup')
    expect([readFileSync(path.join(target, 'kept'), 'utf8'), readFileSync(path.join(target, 'other'), 'utf8')]).toEqual(['mine', 'too'])
  }
  expect(safeties().length).toBe(4)
  // The way back from files that were restored over others is theirs: newer ones stay.
  writeFileSync(path.join(target, 'kept'), 'mine')
  const { result: { after, safety } } = await volume('overwrite', { paths: '/kept\n/it\'s' })
  const words = `--snapshot ${safety!.snapshot} --volume uploads --target ${target} --mode overwrite --paths /kept --paths '/it'\\''s' --confirm ${target}`
  expect(spelled(after!.back, atTerminal('lifeboat'))).toBe(`Restore it: \`lifeboat restore ${words}\`.`)
})

test('the way back from a restore of paths names the files that the target did not have, and has no command if it had none; the file of a hard link stays', async () => {
  const target = at('live')
  for (const name of ['a', 'd/b', 'd/e/c', 'd/k']) {
    mkdirSync(path.dirname(at(`uploads/${name}`)), { recursive: true })
    if (name === 'd/b') linkSync(at('uploads/a'), at('uploads/d/b'))
    else writeFileSync(at(`uploads/${name}`), 'old')
  }
  const { result: { snapshot } } = await run('backup', { volumes: `uploads=${at('uploads')}` })
  mkdirSync(path.join(target, 'd'), { recursive: true })
  for (const name of ['a', 'd/k']) writeFileSync(path.join(target, name), 'newer')
  const backOf = async (more: Record<string, string>) => {
    const { result } = await run('restore', { volume: 'uploads', target, mode: 'overwrite', confirm: target, ...more })
    return [spelled(result.after!.back, atTerminal('lifeboat')), result.safety!] as const
  }
  expect((await backOf({ snapshot, paths: '/d/b' }))[0]).toBe('The target had none of the selected files: remove them by hand (d/b).')
  expect([readFileSync(path.join(target, 'a'), 'utf8'), readFileSync(path.join(target, 'd/b'), 'utf8')]).toEqual(['newer', 'old'])
  rmSync(path.join(target, 'd/b'))
  const [back, safety] = await backOf({ snapshot, paths: '/d' })
  expect(back).toMatch(/^Restore it: `lifeboat restore .* --paths \/d .*`\. Files that it did not have stay: remove them by hand \(d\/b, d\/e\)\.$/)
  expect(safety.added).toEqual(['d/b', 'd/e'])
  await backOf({ snapshot: safety.snapshot, paths: '/d' })
  expect(readFileSync(path.join(target, 'd/k'), 'utf8')).toBe('newer')
  // More of them than are read in a line are in the result.
  for (let number = 0; number < 202; number++) writeFileSync(at(`uploads/n${number}`), '')
  const { result: { snapshot: later } } = await run('backup', { volumes: `uploads=${at('uploads')}` })
  const [many, { added }] = await backOf({ snapshot: later, paths: '/n*' })
  expect([many, added!.length]).toEqual([expect.stringMatching(/, n97 and 2 more; safety\.added of --json names all of them\)\.$/), 202])
})

test('with all, each target that is replaced is backed up, under the name of its source', async () => {
  const target = at('live')
  mkdirSync(target)
  writeFileSync(path.join(target, 'mine'), '')
  const given = { all: 'true', mode: 'clean', 'database-url': server.url('app'), target, confirm: `app\n${target}` }
  const { sources } = await restoreAll(parseInputs('restore', raw(given), {}), environment())
  expect(sources).toMatchObject([{ database: 'app', safety: { set: 'default.safety' } }, { volume: 'uploads', safety: { set: 'default.safety' } }])
  expect(safeties().toSorted()).toEqual(sources.map((one) => ('safety' in one ? one.safety!.snapshot : '')).toSorted())
  // The URL of a restore of everything may be that of the server alone.
  const { host } = new URL(server.url('app'))
  expect(sources.map((one) => ('after' in one ? spelled(one.after!.back, atTerminal('lifeboat')) : ''))[0]).toMatch(
    new RegExp(`^Restore it into the same target, with --database-url for ${host}/app: \`lifeboat restore --snapshot \\S+ --mode swap --confirm app\`\\.$`))
})

test('a set of safety backups is nobody else’s', async () => {
  expect(() => parseInputs('backup', raw({ 'database-url': server.url('app'), set: 'app.safety' }), {})).toThrow('is the name of a set of safety backups')
})

test('a role that cannot read everything makes no safety backup, and restores nothing', async () => {
  await server.sql(`CREATE ROLE limited LOGIN PASSWORD 'of the role'; ALTER TABLE orders OWNER TO limited; GRANT CREATE ON SCHEMA public TO limited`, 'app')
  const url = new URL(server.url('app'))
  url.username = 'limited'
  url.password = 'of the role'
  const said = await refusal(run('restore', into({ 'database-url': url.href, 'no-owner': 'true', tables: 'orders' })))
  expect(said).toMatch(/the safety backup of the target failed, so nothing was restored: [^]*permission denied for table later/)
  expect([await rows(), safeties()]).toEqual(['1|0', []])
  await server.sql('REASSIGN OWNED BY limited TO CURRENT_USER; DROP OWNED BY limited; DROP ROLE limited', 'app')
})

test('a run that is interrupted while it backs up the target has changed nothing, and the next one goes on', async () => {
  const controller = new AbortController()
  const info = (message: string): void => {
    if (message.includes('backing up what the target has')) controller.abort()
  }
  const given = { ...environment(), signal: controller.signal, report: { ...environment().report, info } }
  expect(await refusal(restore(parseInputs('restore', raw(into()), {}), given))).not.toContain('safety backup of the target failed')
  expect([await rows(), safeties()]).toEqual(['1|0', []])
  await run('restore', into())
  expect([await rows(), safeties().length]).toEqual(['100|100', 1])
})
