import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { backup } from '../../src/commands/backup/backup.ts'
import { check } from '../../src/commands/check/check.ts'
import { checkText } from '../../src/commands/check/report.ts'
import { doctor } from '../../src/commands/doctor/doctor.ts'
import { forget } from '../../src/commands/forget/forget.ts'
import { label } from '../../src/commands/label/label.ts'
import { list } from '../../src/commands/list/list.ts'
import { keepProofs } from '../../src/commands/verify/proof.ts'
import { prune, pruneAfterBackup } from '../../src/commands/prune/prune.ts'
import type { SnapshotVerified } from '../../src/commands/verify/result.ts'
import type { Environment } from '../../src/environment.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import type { Keys } from '../../src/repository/keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { proofKeys, writeProof } from '../../src/repository/proofs.ts'
import { LIMITS } from '../../src/repository/limits.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { WebdavStore } from '../../src/stores/webdav/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { thrownBy } from '../support/thrown.ts'
import { backUp, identity, keys, otherKeys } from '../support/engine.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-missing-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const DAY = 86_400_000
/** The store's own times are of now, and so must be the clock for chunks to be old. */
let now = Date.now() + 2 * DAY
const ids: Record<'app' | 'shop', string[]> = { app: [], shop: [] }
const original = path.join(folder, 'original')

async function prove(store: Store, set: string, snapshot: string, by: Keys = keys): Promise<void> {
  await writeProof(store, by, { snapshot, set, time: new Date(now), level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
}

beforeAll(async () => {
  const store = new FileStore(original)
  await openOrMakeRepository(store)
  for (const set of ['app', 'shop'] as const) {
    for (let night = 3; night > 0; night--) {
      const { id } = await backUp({ store, set, time: new Date(now - night * DAY) }, { data: noise(`${set} ${night}`, 2000) })
      ids[set].unshift(id)
      await prove(store, set, id)
    }
  }
})

let root: string
let count = 0
let warnings: string[] = []
beforeEach(() => {
  now = Date.now() + 2 * DAY
  warnings = []
  root = path.join(folder, `${++count}`)
  cpSync(original, root, { recursive: true })
})

const environment = (): Environment => ({
  variables: {}, signal: new AbortController().signal, temporary: path.join(folder, 'tmp'), now: () => new Date(now),
  report: { info: () => undefined, warning: (message) => void warnings.push(message), progress: () => undefined, mask: () => undefined },
})
const given = (more: Record<string, string>) => ({ destination: `file:${root}`, 'encryption-key': identity, set: 'app', ...more })
const runPrune = (more: Record<string, string> = {}) => prune(parseInputs('prune', given({ retention: 'last=2', ...more }), {}), environment())
const move = (what: string): void => renameSync(path.join(root, what), path.join(folder, `moved-${count}`))
const objects = (kind: string): string[] => (readdirSync(root).includes(kind) ? readdirSync(path.join(root, kind), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name) : [])

/** Prunes over days, as a schedule does. */
async function daily(more: Record<string, string> = {}): Promise<string[]> {
  const endings: string[] = []
  for (let day = 0; day < 4; day++) {
    endings.push(await runPrune(more).then(() => 'pruned', (error: Error) => error.message))
    now += 2 * DAY
  }
  return endings
}

test('a store whose snapshots were moved away loses no chunk by prunes, and no command calls it empty', async () => {
  const before = objects('chunks')
  move('snapshots')
  expect(new Set(await daily())).toEqual(new Set([expect.stringMatching(/^file:\S+ holds proofs of snapshots that it does not have: snapshots\/app\/\S+ and 5 more$/)]))
  expect(objects('chunks')).toEqual(before)
  expect(objects('trash')).toEqual([])
  const inputs = given({})
  await expect(list(parseInputs('list', { destination: inputs.destination }, {}), environment())).rejects.toThrow('lists proofs, but no snapshot')
  await expect(list(parseInputs('list', inputs, {}), environment())).rejects.toThrow('lists proofs of the set app, but none of its snapshots')
  await expect(check(parseInputs('check', { ...inputs, 'max-age': '1d' }, {}), environment())).rejects.toThrow('lists proofs of the set app, but none')
  await expect(findSnapshot(new FileStore(root), keys, 'app', { kind: 'latest' })).rejects.toThrow('lists proofs of the set app, but none')
  await expect(findSnapshot(new FileStore(root), keys, 'app', { kind: 'id', id: ids.app[0]! })).rejects.toThrow('lists proofs, but no snapshot')
  renameSync(path.join(folder, `moved-${count}`), path.join(root, 'snapshots'))
  expect(await runPrune()).toMatchObject({ deleted: 1 })
})

test('a backup without retention warns once of a set that lost its snapshots, and check fails from then on and names them', async () => {
  move('snapshots')
  const volume = path.join(folder, `volume-${count}`)
  mkdirSync(volume)
  writeFileSync(path.join(volume, 'file'), 'content')
  const back = async () => backup(parseInputs('backup', { ...given({}), volumes: `v=${volume}`, 'client-install': 'never' }, {}), { ...environment(), variables: { PATH: process.env['PATH'] ?? '' } })
  await back()
  expect(warnings).toEqual([`file:${root} holds proofs of snapshots that it does not have: ${snapshotKey('app', ids.app[2]!)} and 2 more`])
  const missing = (set: 'app' | 'shop') => expect.stringContaining(`set ${set}: the store has proofs of snapshots that it does not have: ${ids[set][2]} and 2 more`)
  const checked = await check(parseInputs('check', { ...given({}), 'max-age': '1d' }, {}), environment())
  expect(checked.problems).toEqual([missing('app')])
  const everySet = await check(parseInputs('check', { destination: `file:${root}`, 'encryption-key': identity, 'max-age': '1d' }, {}), environment())
  expect(everySet.problems).toEqual([missing('app'), missing('shop'), expect.stringContaining('set shop: no snapshot is verified and whole')])
  for (const id of ids.app) renameSync(path.join(folder, `moved-${count}`, 'app', `${id}.json.zst`), path.join(root, 'snapshots/app', `${id}.json.zst`))
  warnings = []
  now += 60_000
  await back()
  expect(warnings).toEqual([])
  expect((await check(parseInputs('check', { ...given({}), 'max-age': '1d' }, {}), environment())).problems).toEqual([])
})

const problemsOf = async () => (await check(parseInputs('check', { ...given({}), 'max-age': '3000d' }, {}), environment())).problems.map((problem) => spelled(problem, atTerminal('lifeboat')))

test('check names a prune that accepts the loss: it deletes no snapshot that is there, and check does not miss them any more', async () => {
  const [, gone, ...left] = ids.app
  move(snapshotKey('app', gone!))
  expect(await problemsOf()).toEqual([expect.stringContaining('; put them back, from another store that has them: `lifeboat copy --from OTHER_STORE --set app`; or, if they are not needed any more, once: `lifeboat prune --set app --retention none --force`')])
  const refused = await thrownBy(runPrune({ retention: 'last=1' }))
  expect(spelled(refused.hint!, atTerminal('lifeboat'))).toContain(`Put them back, from another store that has them: \`lifeboat copy --from OTHER_STORE --destination file:${root}\`; or, `)
  expect(spelled(refused.hint!, atTerminal('lifeboat'))).toContain(`once: \`lifeboat prune --destination file:${root} --set app --retention none --force\``)
  const found = await check(parseInputs('check', { ...given({}), 'max-age': '3000d' }, {}), environment())
  expect(checkText(found, { destination: `file:${root}`, timeZone: 'UTC' })).toMatch(/^MISSING +app /)
  expect(await runPrune({ retention: 'none', force: 'true' })).toMatchObject({ deleted: 0, kept: left.length + 1 })
  expect(await problemsOf()).toEqual([])
})

test('if the newest is missing, the one that is taken in its place is named, and no verification of it is good', async () => {
  const [newest, older] = ids.app
  const said = `${snapshotKey('app', newest!)} is missing: file:${root} has a proof of it, but not the snapshot; snapshot ${older} is taken in its place`
  const show = async (more: Record<string, string> = {}) => (await dispatched('show', given(more), new Date(now))).warnings
  const verify = async () => dispatched('verify', given({ level: 'list' }), new Date(now))
  expect(await show()).toEqual([])
  move(snapshotKey('app', newest!))
  expect(await show()).toEqual([said])
  expect(await show({ snapshot: older! })).toEqual([])
  expect(await show({ snapshot: new Date(now - 1.5 * DAY).toISOString() })).toEqual([])
  const { result, warnings } = await verify()
  expect(warnings).toEqual([said])
  expect(result).toMatchObject({ result: 'failed', snapshots: [{ snapshot: newest, result: 'failed' }, { snapshot: older }] })
  const listed = await dispatched('list', given({}), new Date(now))
  expect(listed.result).toMatchObject({ restorable: older, unsound: [{ snapshot: newest }] })
  expect(listed.text).toContain(`Snapshot ${newest} is DAMAGED: it is missing, and the store has a proof of it.`)
  // A proof that someone without the key put there says nothing.
  for (const proof of (await proofKeys(new FileStore(root), { set: 'app' })).get(newest!)!) rmSync(path.join(root, proof))
  await prove(new FileStore(root), 'app', newest!, otherKeys)
  expect(await show()).toEqual([])
})

const keyOf = async (destination: string) => (await doctor(parseInputs('doctor', { destination, 'encryption-key': identity, 'client-install': 'never' }, {}), environment())).checks.find(({ check: one }) => one === 'key')

test('doctor calls a store empty before its first backup, and not one whose snapshots are gone', async () => {
  const fresh = path.join(folder, 'fresh')
  expect(await keyOf(`file:${fresh}`)).toMatchObject({ state: 'good', says: expect.stringContaining('empty') })
  await openOrMakeRepository(new FileStore(fresh))
  expect(await keyOf(`file:${fresh}`)).toMatchObject({ state: 'good', says: expect.stringContaining('empty') })
  move('snapshots')
  expect(await keyOf(`file:${root}`)).toMatchObject({ state: 'bad', says: expect.stringContaining('lists proofs, but no snapshot') })
})

test('without proofs the chunks alone tell that snapshots are missing; forced, a prune deletes them', async () => {
  const before = objects('chunks')
  rmSync(path.join(root, 'proofs'), { recursive: true })
  move('snapshots')
  expect(new Set(await daily())).toEqual(new Set([`file:${root} lists chunks, but no snapshot`]))
  await expect(list(parseInputs('list', given({}), {}), environment())).rejects.toThrow('lists chunks, but no snapshot')
  expect(objects('chunks')).toEqual(before)
  expect(await daily({ force: 'true' })).toEqual(Array.from({ length: 4 }, () => 'pruned'))
  expect(objects('chunks')).toEqual([])
})

test('the snapshots of one set are missing: the prunes of all sets refuse, and do so no more once forced', async () => {
  const before = objects('chunks')
  move('snapshots/shop')
  expect(new Set(await daily())).toEqual(new Set([`file:${root} holds proofs of snapshots that it does not have: ${snapshotKey('shop', ids.shop[2]!)} and 2 more`]))
  expect(objects('chunks')).toEqual(before)
  expect(await runPrune({ 'dry-run': 'true' })).toMatchObject({ deleted: 1 })
  expect(warnings).toEqual([expect.stringContaining('this would be refused: ')])
  await runPrune({ force: 'true' })
  expect(await daily()).toEqual(Array.from({ length: 4 }, () => 'pruned'))
  expect(objects('chunks')).toHaveLength(2)
})

test('a backup does not prune a store that does not list what was just stored, or lacks what it had', async () => {
  const inputs = parseInputs('backup', { ...given({ retention: 'last=1' }), 'database-url': 'postgres://u@h/db' }, {})
  const after = (id: string) => pruneAfterBackup(new FileStore(root), keys, { ...inputs, destination: `file:${root}` }, id, 'list', environment())
  expect(await after('20261120T000000Z-00000000')).toEqual({ skipped: `file:${root} does not list snapshots/app/20261120T000000Z-00000000.json.zst, which was just stored` })
  move('snapshots')
  const { id } = await backUp({ store: new FileStore(root), time: new Date(now) }, { data: noise('new', 2000) })
  expect(await after(id)).toEqual({ skipped: expect.stringMatching(/holds proofs of snapshots that it does not have/) })
  expect(objects('chunks')).toHaveLength(7)
})

test('snapshots that were deleted by prunes and by forget are not missed', async () => {
  await runPrune()
  const store = new FileStore(root)
  // A verification of one of them ends only now.
  const found = { snapshot: ids.app[2]!, set: 'app', level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {} } as const
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as much of a result as a proof is made of
  await keepProofs([found as unknown as SnapshotVerified], store, keys, environment())
  now += 2 * DAY
  await forget(parseInputs('forget', { destination: `file:${root}`, 'encryption-key': identity, snapshots: ids.shop.join(','), force: 'true' }, {}), environment())
  expect(await daily()).toEqual(Array.from({ length: 4 }, () => 'pruned'))
  expect(objects('chunks')).toHaveLength(2)
})

test('snapshots of another key that are not listed lose no chunk and no proof to a prune with this key, unless it is forced', async () => {
  const store = new FileStore(root)
  const { id } = await backUp({ store, set: 'theirs', keys: otherKeys, time: new Date(now - DAY) }, { data: noise('theirs', 2000) })
  await prove(store, 'theirs', id, otherKeys)
  const before = objects('chunks')
  move('snapshots/theirs')
  expect(await daily()).toEqual(Array.from({ length: 4 }, () => 'pruned'))
  expect(warnings).toContainEqual(expect.stringContaining(`${snapshotKey('theirs', id)} is not in the store, but a proof of another key names it`))
  expect(objects('chunks')).toEqual(before)
  expect((await proofKeys(store, { set: 'theirs' })).get(id)).toHaveLength(1)
  await daily({ force: 'true' })
  expect((await proofKeys(store, { set: 'theirs' })).get(id)).toBeUndefined()
  expect(objects('chunks').length).toBeLessThan(before.length - 1)
})

test('a pinned snapshot that was never verified and is not listed loses no chunk, and keeps its pin', async () => {
  const store = new FileStore(root)
  const { id } = await backUp({ store, set: 'app', time: new Date(now - 10 * DAY) }, { data: noise('pinned', 2000) })
  await label(store, keys, 'app', { kind: 'id', id }, () => ({ pinned: true, tags: null }), () => undefined)
  const before = objects('chunks')
  const file = snapshotKey('app', id)
  move(file)
  expect(await daily()).toEqual(Array.from({ length: 4 }, () => 'pruned'))
  expect(warnings).toContainEqual(expect.stringContaining(`${file} is not in the store, but it is pinned`))
  expect(objects('chunks')).toEqual(before)
  renameSync(path.join(folder, `moved-${count}`), path.join(root, file))
  expect(await runPrune({ retention: 'last=1' })).toMatchObject({ snapshots: expect.arrayContaining([expect.objectContaining({ id, keep: true })]) })
})

test('forged proofs and pins of snapshots that never existed stop no prune', async () => {
  const store = new FileStore(root)
  await putLabels(store, otherKeys, 'app', '20200101T000000Z-00000003', { pinned: true, tags: null })
  await prove(store, 'app', '20200101T000000Z-00000000', otherKeys)
  // Genuine bytes in the name of another snapshot.
  for (const key of (await proofKeys(store, { set: 'app' })).get(ids.app[0]!)!) {
    await store.put(key.replace(ids.app[0]!, '20200101T000000Z-00000002'), await store.get(key, LIMITS.proof))
  }
  expect(await runPrune()).toMatchObject({ deleted: 1 })
  // A proof of another key cannot be checked, so no chunk is deleted until somebody has looked.
  expect(warnings).toEqual(['00000002', '00000003', '00000000'].map((end) => expect.stringContaining(`20200101T000000Z-${end}`)))
})

test('of a WebDAV server that gives objects and answers PROPFIND with 404, nothing is said to be empty, and nothing is pruned', async () => {
  const server = createServer((request, response) => {
    const file = path.join(root, path.normalize(decodeURIComponent(request.url!)))
    try {
      if (request.method !== 'GET') throw new Error('not found')
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(readFileSync(file))
    } catch {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  try {
    const destination = `webdav://127.0.0.1:${address.port}/`
    await expect(list(parseInputs('list', { destination }, {}), environment())).rejects.toThrow('has lifeboat.json, but does not list it')
    await expect(runPrune({ destination })).rejects.toThrow('has lifeboat.json, but does not list it')
    const store = new WebdavStore({ text: 'it', base: `http://127.0.0.1:${address.port}/`, user: undefined, password: undefined, token: undefined, timeout: 5000, signal: environment().signal })
    await expect(findSnapshot(store, keys, 'app', { kind: 'latest' })).rejects.toThrow('does not list it')
  } finally {
    server.close()
    server.closeAllConnections()
  }
})
