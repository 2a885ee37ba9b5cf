import { existsSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { deflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { setsSummary } from '../../src/commands/backup/sets-report.ts'
import type { SetsResult } from '../../src/commands/backup/sets-result.ts'
import { divide } from '../../src/commands/plan/divide.ts'
import { matrixOf, planOutput, requirePassable } from '../../src/commands/plan/outputs.ts'
import { planSummary } from '../../src/commands/plan/report.ts'
import type { PlannedItem, PlanResult } from '../../src/commands/plan/result.ts'
import { ownSet } from '../../src/commands/sets/set-names.ts'
import { choiceOf, databaseChoice, isChosen } from '../../src/inputs/chosen-databases.ts'
import { encodePlan, plan as planSchema } from '../../src/inputs/plan.ts'
import { setName } from '../../src/repository/snapshot.ts'
import { locationOf } from '../../src/sources/postgres/location.ts'
import { parseDatabaseUrl } from '../../src/sources/postgres/connection.ts'
import { whyNot } from '../../src/sources/postgres/server-databases.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { type Server, startServer } from '../support/postgres-server.ts'

const odd = 'Odd, "na\'me"\nü $(x) `y` <b>|*'

let server: Server
let folder: string
beforeAll(async () => {
  server = await startServer(17)
  for (const name of ['app', 'App', 'crm', 'test_1', 'closed', odd]) await server.createDatabase(name)
  await server.sql(`CREATE TABLE orders AS SELECT generate_series(1, 50000) AS id`, 'app')
  await server.sql(`ALTER DATABASE closed ALLOW_CONNECTIONS false; CREATE ROLE lesser LOGIN PASSWORD 'some-password'; REVOKE CONNECT ON DATABASE crm FROM PUBLIC`)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-plan-'))
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

const url = (): string => server.url('').replace(/\/$/, '')
const environment = () => ({ variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(folder, 'tmp') })
const plan = (given: Record<string, string>) => dispatched('plan', { 'database-url': url(), ...given }, new Date(), environment())
const items = (result: PlanResult): PlannedItem[] => result.jobs.flatMap(({ items }) => items)

test('the databases of a server are found with their sizes, templates and those that cannot be connected to are left out, and volumes are measured', async () => {
  const volume = path.join(folder, 'files')
  mkdirSync(volume)
  for (const name of ['a', 'b.log']) writeFileSync(path.join(volume, name), 'x'.repeat(1000))
  const { result, text, warnings } = await plan({ databases: '*, !test_*', volumes: `files=${volume}`, exclude: '*.log', 'max-jobs': '3' })
  expect(items(result).map(({ name }) => name).toSorted()).toEqual(['App', odd, 'app', 'crm', 'files', 'postgres'])
  expect(items(result).find(({ name }) => name === 'files')).toEqual({ set: 'volume.files', noun: 'volume', name: 'files', size: 1000 })
  expect(result.jobs.map(({ job, items }) => [job, items[0]!.name])[0]).toEqual(['1 of 3', 'app'])
  expect(result.leftOut.map(({ name, why }) => `${name} ${why}`)).toEqual(['closed accepts no connections', 'template0 is a template', 'template1 is a template'])
  expect([result.notChosen, warnings]).toEqual([1, []])
  expect(text).not.toContain(odd)
  for (const value of [matrixOf(result), planOutput(result), JSON.stringify(result), text]) expect(value).not.toContain(server.password)
  const include: { databases: string[]; volumes: string[] }[] = JSON.parse(matrixOf(result)).include
  expect(include.flatMap(({ databases }) => databases)).toContain(odd)
  expect(include.flatMap(({ volumes }) => volumes)).toEqual(['files'])
})

test('databases that the role may not connect to are a warning, and stand first in the summary', async () => {
  const { result, warnings } = await plan({ 'database-url': server.url('', 'lesser', 'some-password').replace(/\/$/, '') })
  expect(items(result).map(({ name }) => name)).not.toContain('crm')
  expect(warnings).toEqual(['database "crm" is left out: it may not be connected to by this role'])
  expect(planSummary(result)).toMatch(/^### ⚠️ [^]*\*\*In no backup:\*\*[^]*crm may not be connected to by this role[^]*\| Job \|/)
})

test.each([
  [{ databases: 'nothing*' }, /there is nothing to back up/],
  [{ databases: 'app, nothere' }, /there is no database "nothere"/],
  [{ databases: 'eu=app' }, /there is no server eu for eu=app/],
  [{ databases: '[1]' }, /is not a JSON array of names/],
  [{ databases: '[]' }, /there is no name in the array/],
  [{ databases: ',' }, /there is no pattern in it/],
  [{ 'max-jobs': '257' }, /whole number from 1 to 256/],
])('%j is refused', async (given, message) => {
  expect(await refusal(plan(given))).toMatch(message)
})

test('a URL that names a database is refused, and is not shown', async () => {
  const refused = await refusal(plan({ 'database-url': server.url('app') }))
  expect(refused).toMatch(/names a database; databases are chosen on a server/)
  expect(refused).not.toContain(server.password)
})

test('a plan that has a secret of the step in it is refused, because GitHub would drop the output', async () => {
  const running = dispatched('plan', { 'database-url': url() }, new Date(), {
    ...environment(), report: { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined, findsSecret: (text) => text.includes('test_1') },
  })
  expect(await refusal(running)).toMatch(/equal to a secret of this step/)
})

test('backup with databases gives each its own set, goes on after one that fails, and says which are new, gone or damaged; verdict binds to the run', async () => {
  const store = { destination: `file:${folder}/store`, 'encryption-key': identity }
  const backup = async (given: Record<string, string>): Promise<{ result: SetsResult; text: string; warnings: string[] }> => {
    const { result, ...rest } = await dispatched('backup', { ...store, 'database-url': url(), ...given }, new Date(), environment())
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of databases in sets of their own
    return { result: result as unknown as SetsResult, ...rest }
  }
  const verdict = async (result: PlanResult) => dispatched('verdict', { ...store, plan: planOutput(result), 'database-url': url(), databases: '*, !crm' }, new Date(), environment())
  const names = JSON.stringify(['App', 'app', odd, 'test_1'])
  const { result: planned } = await plan({ databases: names, 'max-jobs': '1' })
  const [part] = JSON.parse(matrixOf(planned)).include

  // Another run, with another plan, and without one.
  const other = await plan({ databases: 'app', 'max-jobs': '1' })
  await backup({ part: JSON.stringify(JSON.parse(matrixOf(other.result)).include[0]) })
  const elsewhere = await backup({ databases: 'test_1' })
  expect(elsewhere.result.sets).toMatchObject([{ set: 'test_1', name: 'test_1', backup: { set: 'test_1', first: true } }])
  const before = await verdict(planned)
  expect(before.result).toMatchObject({ done: 0, missing: 4, failed: 0, unplanned: ['postgres'] })
  expect(before.result.sets.filter(({ snapshot }) => snapshot !== undefined).map(({ set }) => set).toSorted()).toEqual(['app', 'test_1'])

  await server.sql('ALTER DATABASE test_1 RENAME TO gone')
  const { result, text, warnings } = await backup({ part: JSON.stringify({ ...part, volumes: [] }) })
  await server.sql('ALTER DATABASE gone RENAME TO test_1')
  expect(result.sets.filter(({ problem }) => problem === undefined).map(({ set }) => set).toSorted()).toEqual(['app', ownSet('database', 'App'), ownSet('database', odd)].toSorted())
  expect(result.sets.filter(({ problem }) => problem !== undefined)).toMatchObject([{ set: 'test_1', problem: 'the database of the plan is not on its server any more' }])
  expect(text).toContain('FAILED: test_1 is not backed up: the database of the plan is not on its server any more')
  expect(warnings.join()).not.toContain(server.password)
  const partly = await verdict(planned)
  expect(partly.result).toMatchObject({ done: 3, missing: 1, failed: 0, oldest: { set: 'test_1' } })
  expect(partly.text).toContain('set test_1 (job 1 of 1) was not backed up by this run: its newest, ')

  await backup({ part: JSON.stringify({ ...part, databases: ['test_1'] }) })
  expect((await verdict(planned)).result).toMatchObject({ done: 4, missing: 0, failed: 0 })
  // The data under an odd name is that of this database.
  const listed = await dispatched('list', { ...store, set: ownSet('database', odd) })
  expect(listed.result.snapshots).toMatchObject([{ tags: [`plan:${planned.plan}`, 'plan:verify=list'] }])
  // As if the job had been killed after its commit.
  rmSync(path.join(folder, 'store', 'proofs', 'app'), { recursive: true })
  const killed = await verdict(planned)
  expect(killed.result).toMatchObject({ done: 3, unverified: 1, missing: 0, failed: 0 })
  expect(killed.text).toMatch(/3 of 4 sets backed up by this run: 1 not verified[^]*set app \(job 1 of 1\): snapshot \S+ is not verified: it was to be verified at level list, and was not/)
})

test('a database that a restore put aside is left out and named, unless it is given by its full name', async () => {
  const store = { destination: `file:${folder}/aside`, 'encryption-key': identity }
  await dispatched('backup', { ...store, 'database-url': url(), databases: 'app' }, new Date('2026-11-22T07:30:00Z'), environment())
  const restore = { 'database-url': server.url('app'), confirm: 'app' }
  await dispatched('restore', { ...store, ...restore, set: 'app', mode: 'swap' }, new Date('2026-11-22T07:32:44Z'), environment())
  const aside = 'app_before_20261122_073244'
  const { result, text, warnings } = await plan({ databases: 'app*' })
  expect([items(result).map(({ name }) => name), warnings]).toEqual([['app'], []])
  expect(text).toContain(`${aside} was put aside by a restore of app, and is kept until 2026-11-29`)
  expect(items((await plan({ databases: aside })).result).map(({ name }) => name)).toEqual([aside])
  // One that somebody uses under another name is a database as any other.
  await server.sql(`ALTER DATABASE ${aside} RENAME TO app_old`)
  expect(items((await plan({ databases: 'app*' })).result).map(({ name }) => name).toSorted()).toEqual(['app', 'app_old'])
  await server.sql('DROP DATABASE app_old')
})

test.each([
  [{ databases: '*', part: '{"plan":"20261120T020000Z-5f3a9c1e","databases":[],"volumes":["a"]}' }, 'databases and part are both given'],
  [{ databases: '*', set: 'shop' }, 'set: shop is given, but with databases each database has a set of its own'],
  [{ part: '{"plan":"20261120T020000Z-5f3a9c1e","databases":[],"volumes":["a"]}' }, 'part: there is no volume a'],
  [{ part: '{"plan":"20261120T020000Z-5f3a9c1e","databases":[["eu","a"]],"volumes":[]}' }, 'there is no server eu'],
  [{ databases: '*', tags: 'a, plan:x' }, 'a tag begins with plan:'],
  [{ part: '{}' }, 'is not an item of the matrix of a plan'],
  [{ part: '{"plan":"20261120T020000Z-5f3a9c1e","databases":[],"volumes":[]}' }, 'neither a database nor a volume'],
])('backup refuses %j', async (given, message) => {
  expect(await refusal(dispatched('backup', { 'database-url': 'postgres://u@h', destination: 'file:/b', 'encryption-key': identity, ...given }))).toContain(message)
})

test('a volume in the store is refused before anything is backed up', async () => {
  const store = path.join(folder, 'none')
  const running = dispatched('backup', { destination: `file:${store}`, 'encryption-key': identity, 'database-url': url(), databases: 'app', volumes: `in=${store}/in` }, new Date(), environment())
  expect(await refusal(running)).toContain('the volume in lies in the store')
  expect(existsSync(store)).toBe(false)
})

test('variables of the job about a database do not touch a plan, a verdict or a part of volumes alone', async () => {
  const volume = mkdtempSync(path.join(folder, 'volume-'))
  const given = { destination: `file:${folder}/volumes`, 'encryption-key': identity }
  const run = environment()
  const variables = { ...run.variables, DATABASE_URL: server.url('app'), PGDATABASE: 'app', PGHOST: 'nowhere' }
  const { result, warnings } = await dispatched('plan', { volumes: `a=${volume}` }, new Date(), { ...run, variables })
  expect([items(result).map(({ set }) => set), warnings]).toEqual([['volume.a'], []])
  const [item] = JSON.parse(matrixOf(result)).include
  await dispatched('backup', { ...given, volumes: `a=${volume}`, part: JSON.stringify(item) }, new Date(), { ...run, variables })
  const verdict = await dispatched('verdict', { ...given, plan: planOutput(result) }, new Date(), { ...run, variables })
  expect(verdict.result).toMatchObject({ done: 1, sets: [{ verified: 'list' }] })
  expect(await refusal(dispatched('plan', { volumes: `a=${volume}`, databases: 'app' }, new Date(), { ...run, variables }))).toContain('database-url is not given')
})

test('databases that are left out of a backup are in its text and summary, and one that is missed is a warning', () => {
  const leftOut = [{ name: 'crm', why: 'may not be connected to by this role', expected: false }, { name: 'template0', server: 'eu', why: 'is a template', expected: true }]
  const result = { sets: [], leftOut, size: 0, added: 0, seconds: 1 }
  expect(setsSummary(result)).toMatch(/^### ⚠️ [^]*\*\*In no backup:\*\*\n\n- ⚠️ crm may not [^]*Left out as well: template0 of eu is a template\./)
  expect(setsSummary({ ...result, leftOut: leftOut.slice(1) })).toMatch(/^### ✅/)
})

const chosen = (text: string, server: string, name: string): boolean => isChosen(databaseChoice.parse(text), server, name)

test('patterns choose databases: exclusions win, * and ? match anything, a name before = is a server, a JSON array has names', () => {
  expect(['app', 'app_1', 'xapp'].map((name) => chosen('app*', 's', name))).toEqual([true, true, false])
  expect(['a1', 'a12', 'a\n'].map((name) => chosen('a?', 's', name))).toEqual([true, false, true])
  expect(['x', 'test_1'].map((name) => chosen('!test_*', 's', name))).toEqual([true, false])
  expect([['eu', 'a'], ['us', 'a'], ['us', 'b']].map(([of, name]) => chosen('eu=*, us=b', of!, name!))).toEqual([true, false, true])
  expect([['eu', 'a'], ['us', 'a']].map(([of, name]) => chosen('*, eu=!a', of!, name!))).toEqual([false, true])
  expect(['a*', 'ab', 'x,y'].map((name) => chosen('["a*", "x,y", ["eu", "z"]]', 's', name))).toEqual([true, false, true])
  expect(chosen('A.b', 's', 'Axb')).toBe(false)
  expect(['ab', 'axb', 'abb', 'ax', 'aab*'].map((name) => chosen('a**b', 's', name))).toEqual([true, true, true, false, false])
  expect(['é😀', '😀'].map((name) => chosen('?😀', 's', name))).toEqual([true, false])
  expect(isChosen(choiceOf([]), 's', 'a')).toBe(false)
})

test('patterns are compared as a regular expression would, and many stars take no time', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 8 })
  fc.assert(fc.property(word, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (glob, name) => {
    fc.pre(/[*?]/.test(glob))
    expect(chosen(glob, 's', name)).toBe(new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name))
  }))
  expect(chosen(`${'*a'.repeat(30)}*b`, 's', 'a'.repeat(63))).toBe(false)
})

test('sets are names of sets, the same each time, and no two databases or volumes have the same one', () => {
  expect([ownSet('database', 'app'), ownSet('eu', 'app.v2'), ownSet('volume', 'files')]).toEqual(['app', 'eu.app.v2', 'volume.files'])
  const scope = fc.constantFrom('database', 'volume', 'eu', 'eu.app', 'EU')
  const name = fc.oneof(fc.constantFrom('app', 'App', 'a.b', 'volume.files', 'eu.app', 'app.2', 'app-0123456789abcdef', 'é', '\n', 'x'.repeat(63), '-', '..'), fc.string({ minLength: 1, maxLength: 63 }), fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }))
  const made = new Map<string, string>()
  fc.assert(fc.property(scope, name, (scope, name) => {
    const set = ownSet(scope, name)
    expect(setName.safeParse(set).success).toBe(true)
    const of = made.get(set.toLowerCase()) ?? JSON.stringify([scope, name])
    expect(of).toBe(JSON.stringify([scope, name]))
    made.set(set.toLowerCase(), of)
  }), { numRuns: 2000 })
})

test('the work is divided: everything once, no job empty, and the longest job takes at most 4/3 of the least possible', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 10 ** 12 }), { minLength: 1, maxLength: 200 })
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 256 }), (sizes, most) => {
    const jobs = divide(sizes.map((size, index) => ({ set: `s${index}`, size })), most)
    expect(jobs.length).toBe(Math.min(most, sizes.length))
    expect(jobs.flat().map(({ set }) => set).toSorted()).toEqual(sizes.map((_, index) => `s${index}`).toSorted())
    expect(jobs.every((job) => job.length > 0)).toBe(true)
    const fixed = 64 * 1024 * 1024
    const works = jobs.map((job) => job.reduce((sum, { size }) => sum + size + fixed, 0))
    const least = Math.max(Math.max(...sizes) + fixed, works.reduce((sum, work) => sum + work, 0) / jobs.length)
    // By less than the largest item, for items that are many: the bound on the optimum is not the optimum itself.
    expect(Math.max(...works)).toBeLessThanOrEqual(least * 2)
    if (sizes.length >= 10 * most && Math.max(...sizes) + fixed < least / 2) expect(Math.max(...works)).toBeLessThanOrEqual((least * 4) / 3)
  }))
  expect(divide([7, 6, 5, 4, 3, 2, 1].map((size) => ({ set: `${size}`, size: size * 10 ** 12 })), 2).map((job) => job.map(({ set }) => set).join())).toEqual(['7,4,3', '6,5,2,1'])
  expect(divide(Array.from({ length: 12 }, (_, index) => ({ set: `${index}`, size: 0 })), 4).map((job) => job.length)).toEqual([3, 3, 3, 3])
})

const planOf = (count: number, jobs: number, name: (index: number) => string): PlanResult => {
  const all = Array.from({ length: count }, (_, index): PlannedItem => ({ set: ownSet('database', name(index)), noun: 'database', name: name(index), size: 1 }))
  return {
    plan: '20261120T020000Z-5f3a9c1e', time: '2026-11-20T02:00:00.000Z', size: count, leftOut: [], notChosen: 0,
    jobs: divide(all, jobs).map((items, index) => ({ job: `${index + 1} of ${jobs}`, size: items.length, items })),
  }
}

test('a plan of 10,000 databases fits through GitHub, and one that does not fit says so', () => {
  const report = { report: { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined } }
  expect(() => requirePassable(planOf(10_000, 256, (index) => `tenant_${index}_${(index * 2654435761 % 2 ** 32).toString(16)}`), report)).not.toThrow()
  expect(() => requirePassable(planOf(10_000, 1, (index) => `tenant_${index}`), report)).toThrow('the share of one job is too large')
  expect(() => requirePassable(planOf(40_000, 256, (index) => `tenant_${index}`), report)).toThrow('the plan is too large for GitHub')
})

test('a plan that was encoded is read again, and anything else is refused', () => {
  const plan = { id: '20261120T020000Z-5f3a9c1e', time: '2026-11-20T02:00:00.000Z', jobs: [['a', 'b'], ['c']] }
  expect(planSchema.parse(encodePlan(plan))).toEqual(plan)
  for (const jobs of [[], [[]], [['a'], []], [['a'], ['b', 'a']]]) {
    const text = `plan1.${deflateRawSync(JSON.stringify({ ...plan, jobs })).toString('base64url')}`
    expect(planSchema.safeParse(text).success).toBe(false)
  }
  for (const text of ['', 'plan1.', 'plan2.abc', encodePlan(plan).slice(0, -4), 'plan1.AAAA']) expect(planSchema.safeParse(text).success).toBe(false)
})

test.each(['app', 'ü', 'a/b?c#d', "x y'z", 'a%41', 'a\nb'])('the URL of database %j of a server names this database, and keeps everything else', (name) => {
  for (const url of ['postgres://u:p%40@h:1', 'postgres://u:p%40@h:1/', 'postgresql://u@h:1?sslmode=require', 'postgres://u@h:1/?sslmode=require', 'postgres:///', 'postgres://u@[::1]:5,h:6/?connect_timeout=3']) {
    const [server, database] = [parseDatabaseUrl(url), parseDatabaseUrl(locationOf({ kind: 'postgres', url }, name).url)]
    const { PGDATABASE, ...others } = database.environment
    expect([PGDATABASE, others]).toEqual([name, server.environment])
  }
})

test('a name that is not UTF-8, and a database that was dropped in part, are left out', () => {
  const row = { name: 'app', bytes: 3, template: false, allowed: true, invalid: false, permitted: true, size: 1 }
  expect(whyNot(row)).toBeUndefined()
  expect(whyNot({ ...row, name: 'Ã©', bytes: 2 })).toMatchObject({ why: 'has a name that is not UTF-8', expected: false })
  expect(whyNot({ ...row, invalid: true })).toMatchObject({ expected: false })
  expect(choiceOf(['a', ['eu', 'b']]).include).toEqual([{ text: 'a' }, { server: 'eu', text: 'b' }])
})
