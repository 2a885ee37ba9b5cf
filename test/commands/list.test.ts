import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { listText } from '../../src/commands/list/report.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { FORMAT } from '../../src/repository/format.ts'
import { encodeSnapshot, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { backUp } from '../support/backup.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity, keys } from '../support/engine.ts'

const now = new Date('2026-11-20T12:00:00Z')
const days = ['2026-11-16', '2026-11-17', '2026-11-18', '2026-11-19', '2026-11-20'].map((day) => new Date(`${day}T02:00:00Z`))

let folder: string
let store: FileStore
/** Of set app, oldest first, and one of set other. */
let ids: string[]
let other: string
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-list-'))
  store = new FileStore(folder)
  const sources = { shop: [{ name: 'shop.dump', bytes: noise('list', 100_000) }] }
  ids = []
  for (const time of days) ids.push((await backUp({ folder, encryptionKey: identity, time, sources })).id)
  other = (await backUp({ folder, encryptionKey: identity, time: new Date('2026-11-19T03:00:00Z'), set: 'other', sources: { billing: [{ name: 'billing.dump', bytes: noise('other', 50_000) }] } })).id
  const proof = { set: 'app', seconds: 1, bytes: 100, damaged: [], problems: [], versions: {}, run: null }
  await writeProof(store, keys, { ...proof, snapshot: ids[3]!, time: new Date('2026-11-19T02:01:00Z'), level: 'list', result: 'verified' })
  await writeProof(store, keys, { ...proof, snapshot: ids[3]!, time: new Date('2026-11-19T09:00:00Z'), level: 'drill', result: 'verified' })
  await writeProof(store, keys, { ...proof, snapshot: ids[3]!, time: new Date('2026-11-20T09:00:00Z'), level: 'read', result: 'could not verify' })
  await writeProof(store, keys, { ...proof, snapshot: ids[2]!, time: new Date('2026-11-18T09:00:00Z'), level: 'read', result: 'failed' })
  await putLabels(store, keys, 'app', ids[0]!, { pinned: true, tags: ['before-2.0'] })
})
afterAll(() => rmSync(folder, { recursive: true }))

const list = (raw: Record<string, string> = {}, key: string | undefined = identity) => dispatched('list', { destination: `file:${folder}`, ...(key && { 'encryption-key': key }), ...raw }, now)

test('each snapshot is listed with its age, its sources, its labels, and how it was verified and drilled and when', async () => {
  const { result, text, warnings } = await list({ set: 'app' })
  expect(warnings).toEqual([])
  expect(result.snapshots.map(({ id }) => id)).toEqual(ids.toReversed())
  expect(result.snapshots[1]).toMatchObject({
    verified: true, authentic: true, pinned: false, sources: [{ name: 'shop', kind: 'postgres', size: 100_000 }], run: null,
    proofs: [
      { level: 'read', result: 'could not verify', time: '2026-11-20T09:00:00.000Z' },
      { level: 'drill', result: 'verified', time: '2026-11-19T09:00:00.000Z' },
      { level: 'list', result: 'verified', time: '2026-11-19T02:01:00.000Z' },
    ],
  })
  expect(result.snapshots[2]).toMatchObject({ verified: false })
  expect(result.snapshots[4]).toMatchObject({ pinned: true, tags: ['before-2.0'] })
  const rows = text.split('\n')
  expect(rows[2]).toMatch(/ {2}34 h .* read COULD NOT VERIFY 3 h ago, drill 27 h ago, list 33 h ago {2}shop$/)
  expect(rows[3]).toContain('read FAILED 2 days ago')
  expect(rows[5]).toMatch(/ {2}shop {2}pinned {2}#before-2\.0$/)
})

test('at a terminal the newest is last, and columns are left out until the table fits; columns chooses them', async () => {
  const { result, text } = await list({ set: 'app' })
  const at = (width: number) => listText(result, { program: 'lifeboat', destination: 'file:/b', timeZone: 'UTC', width }).split('\n\n')[0]!.split('\n')
  expect(at(500).slice(1)).toEqual(text.split('\n\n')[0]!.split('\n').slice(1).toReversed())
  expect(at(140)[0]).toMatch(/^SNAPSHOT +TIME +AGE +SIZE +VERIFIED +CONTENT/)
  for (const width of [140, 120, 80, 40]) expect(Math.max(...at(width).map((line) => line.length))).toBeLessThanOrEqual(width)
  expect(at(40).at(-1)).toMatch(new RegExp(`^${ids[4]} .*…$`))
  expect(at(120)[0]).toMatch(/^SNAPSHOT +AGE +SIZE +VERIFIED +CONTENT/)
  expect(at(120).at(-2)).toMatch(/ read COULD NOT VERIFY 3 h ago, drill 27 h ago {2}shop/)
  const { result: both } = await list()
  const narrow = listText(both, { program: 'lifeboat', destination: 'file:/b', timeZone: 'UTC', width: 80 }).split('\n\n')[0]!.split('\n')
  expect(narrow[0]).toMatch(/^SNAPSHOT +SET +VERIFIED/)
  expect(narrow.find((line) => line.startsWith(other))).toMatch(/^\S+ +other /)
  expect((await list({ set: 'app', columns: 'age, snapshot' })).text.split('\n').slice(0, 2)).toEqual(['AGE     SNAPSHOT', `10 h    ${ids[4]}`])
  expect(await refusal(list({ columns: 'name' }))).toContain('columns: "name" is not one of snapshot, time, age, set, size, added, verified, notes')
})

test('at a terminal a long name of a set leaves room for what was verified, and a long command has a line for each option', async () => {
  const { result } = await list()
  const [long, longer] = ['database-of-the-customer-in-frankfurt-1', 'database-of-the-customer-in-frankfurt-2']
  const sources = ['uploads', 'avatars', 'invoices'].map((name) => ({ name, kind: 'directory', size: 1 }))
  const snapshots = result.snapshots.map((one) => ({ ...one, sources, set: one.set === 'app' ? long : longer }))
  const context = { program: 'lifeboat', destination: 'file:/b', timeZone: 'UTC' }
  const [table] = listText({ ...result, snapshots: snapshots.filter(({ damage }) => damage === undefined) }, { ...context, width: 80 }).split('\n\n')
  const lines = table!.split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(lines[0]).toMatch(/^SNAPSHOT +SET +VERIFIED/)
  expect(lines.find((line) => line.startsWith(other))).toMatch(/^\S+ {2}database…kfurt-2 /)
  expect(lines.find((line) => line.startsWith(ids[3]!))).toContain('database…kfurt-1  read COULD NOT VERIFY 3 h ago')
  const one = { ...result, snapshots: snapshots.filter(({ set }) => set === long) }
  const command = (width?: number): string[] => listText(one, { ...context, ...(width !== undefined && { width }) }).split(' set:\n')[1]!.split('\n')
  expect(command()).toHaveLength(1)
  expect(command(300)).toEqual(command())
  const options = ['--destination file:/b', `--set ${long}`, `--snapshot ${ids[4]}`, '--all', '--map uploads=./uploads', '--map avatars=./avatars', '--map invoices=./invoices']
  expect(command(80)).toEqual(['  lifeboat restore \\', ...options.map((option, at) => `    ${option}${at < options.length - 1 ? ' \\' : ''}`)])
})

test('a list of a set that does not exist names the sets of the store', async () => {
  const { result, text } = await list({ set: 'nope' })
  expect(result).toMatchObject({ snapshots: [], missing: { set: 'nope', sets: ['app', 'other'] } })
  expect(text).toMatch(/set nope has no snapshots; there are: app, other\.$/)
})

test('of several sets no one restore is shown: the newest of all says nothing about the others', async () => {
  expect((await list({ set: 'app' })).text).toContain(`--snapshot ${ids[4]}`)
  const { text } = await list()
  expect(text).toMatch(/`lifeboat list.*` with --set shows how to restore the newest of a set\.$/i)
  expect(text).not.toContain('lifeboat restore')
})

test('a list can be of one tag, of one source, of a time', async () => {
  const listed = async (raw: Record<string, string>): Promise<string[]> => (await list(raw)).result.snapshots.map(({ id }) => id)
  expect(await listed({ tag: 'before-2.0' })).toEqual([ids[0]])
  expect(await listed({ source: 'billing' })).toEqual([other])
  expect(await listed({ since: '2026-11-19T02:30:00Z' })).toEqual([ids[4], other])
  expect(await listed({ until: '2026-11-17T02:00:00Z' })).toEqual([ids[1], ids[0]])
  expect(await listed({ since: '2026-11-17T02:00:00.000Z', until: '2d', set: 'app' })).toEqual([ids[2], ids[1]])
  expect(await listed({ since: '2026-11-17', until: '2026-11-18', set: 'app' })).toEqual([ids[2], ids[1]])
  expect(await refusal(list({ since: '7d', until: '30d' }))).toContain('--since is later than --until, so no snapshot is between them')
  expect(await refusal(list({ since: 'yesterday' }))).toContain('since: "yesterday" is neither a date, nor a time with its offset from UTC, nor an age like 7d')
  expect(await refusal(list({ source: 'billing' }, ''))).toContain('which sources a snapshot has is known only with a key that can decrypt')
})

test('with a policy each is listed with the reasons to keep it or to let it go, filters or not', async () => {
  const { result, text } = await list({ set: 'app', retention: 'last=2 within=36h', until: '2026-11-19T12:00:00Z' })
  expect(result.snapshots.map(({ id, retention }) => [id, retention!.keep, retention!.reasons])).toEqual([
    [ids[3], true, ['newest verified', 'last 2 of 2', 'within 36h']],
    [ids[2], false, ['not of the last 2', 'older than 36h']],
    [ids[1], false, ['not of the last 2', 'older than 36h']],
    [ids[0], true, ['pinned']],
  ])
  expect(text).toContain('to go: not of the last 2, older than 36h')
  const aged = (await list({ set: 'app', retention: '3d' })).result.snapshots
  expect(aged.map(({ expires }) => expires)).toEqual([undefined, undefined, '2026-11-21T02:00:00.000Z', undefined, undefined])
})

test('without a key the list shows what the store claims, and says that it is not authenticated', async () => {
  const { result, text } = await list({ set: 'app' }, '')
  expect(result.snapshots).toHaveLength(5)
  expect(result.snapshots[4]).toMatchObject({ authentic: false, pinned: true, tags: ['before-2.0'], size: 100_000 })
  expect(result.snapshots[4]!.sources).toBeUndefined()
  expect(text).toContain(`key ${keys.fingerprint}, not checked`)
})

test('Markdown has the same, and no name or description in it is markup or moves a cursor', async () => {
  const hostile = 'a|b\n\u001b[2J<script>\u202e[x](y)'
  const id = '20261115T000000Z-0000000a'
  const content = { sources: [{ name: hostile, kind: 'postgres' as const, streams: [], facts: {} }], anchors: [], spent: [], description: hostile, lifeboat: '0', run: { repository: 'a/b', workflow: hostile, id: '1', attempt: '1', url: `javascript:alert(1)//${hostile}` } }
  const object = await encodeSnapshot({ format: FORMAT, id, set: 'hostile', time: '2026-11-15T00:00:00.000Z', key: keys.fingerprint, tags: [], size: 0, added: 0, recipients: [], chunks: [] }, content, keys)
  await store.put(snapshotKey('hostile', id), object)
  const { text } = await list({ set: 'hostile', format: 'markdown' })
  const row = text.split('\n').find((line) => line.includes(id))!
  expect(row.split(' | ')).toHaveLength(8)
  for (const character of ['<', '>', '[', ']', '\u001b', '\u202e']) expect(row).not.toContain(character)
  const plain = (await list({ set: 'hostile' })).text
  expect(plain.split('\n')[1]).toMatch(/a\|b \uFFFD\[2J<script>\uFFFD\[x\]\(y\)/)
  expect((await list({ set: 'app', format: 'markdown' })).text).toContain('| pinned | before-2&#46;0 |')
})

test('a damaged snapshot, a proof and a label that were edited are reported, and the rest is listed', async () => {
  const copy = mkdtempSync(path.join(tmpdir(), 'lifeboat-list-'))
  try {
    const sources = { shop: [{ name: 'shop.dump', bytes: noise('list', 1000) }] }
    const [older, newer] = [await backUp({ folder: copy, encryptionKey: identity, time: days[0]!, sources }), await backUp({ folder: copy, encryptionKey: identity, time: days[1]!, sources })]
    writeFileSync(path.join(copy, snapshotKey('app', newer.id)), 'cut')
    await putLabels(new FileStore(copy), keys, 'app', older.id, { pinned: true, tags: null })
    const labels = path.join(copy, 'labels', 'app', `${older.id}.json`)
    writeFileSync(labels, readFileSync(labels, 'utf8').replace('true', 'false'))
    await writeProof(new FileStore(copy), keys, { set: 'app', snapshot: older.id, time: now, level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
    const proofs = path.join(copy, 'proofs', 'app')
    const [proof] = readdirSync(proofs)
    writeFileSync(path.join(proofs, proof!), readFileSync(path.join(proofs, proof!), 'utf8').replace('"failed"', '"verified"'))
    renameSync(path.join(proofs, proof!), path.join(proofs, proof!.replace('-failed', '-verified')))
    const { result, warnings } = await dispatched('list', { destination: `file:${copy}`, 'encryption-key': identity }, now)
    expect(result.snapshots).toMatchObject([{ id: older.id, pinned: true, verified: false, proofs: [] }])
    expect(warnings.toSorted()).toEqual([expect.stringContaining(`labels/app/${older.id}.json cannot be believed`), expect.stringContaining(`proofs/app/${older.id}.`), expect.stringContaining(`snapshots/app/${newer.id}.json.zst is not a whole snapshot`)])
    const lost = await backUp({ folder: copy, encryptionKey: identity, set: 'lost', time: days[0]!, sources })
    writeFileSync(path.join(copy, snapshotKey('lost', lost.id)), 'cut')
    const told = async (raw: Record<string, string>) =>
      (await dispatched('list', { destination: `file:${copy}`, 'encryption-key': identity, ...raw }, now)).text.split('\n').filter((line) => line.includes('DAMAGED'))
    const line = expect.stringMatching(new RegExp(`^Snapshot ${lost.id} is DAMAGED: .* is not a whole snapshot`))
    expect([await told({}), await told({ set: 'lost' })]).toEqual([[expect.stringContaining(newer.id), line], [line]])
  } finally {
    rmSync(copy, { recursive: true })
  }
})

test('a snapshot of another key is listed as far as anyone can read it, and a write key reads no sources', async () => {
  const foreign = await newIdentity()
  const theirs = (await dispatched('list', { destination: `file:${folder}`, 'encryption-key': foreign.identity, set: 'app' }, now)).result.snapshots
  expect(theirs.map(({ authentic, key, sources }) => [authentic, key, sources])).toEqual(ids.map(() => [false, keys.fingerprint, undefined]))
  const seen = (await list({ set: 'app' }, await writeKeyOf(identity, undefined))).result.snapshots
  expect(seen.map(({ authentic, sources }) => [authentic, sources])).toEqual(ids.map(() => [true, undefined]))
})

test('the recommended snapshot is called the newest only if it is, and else what it is the newest of', async () => {
  const place = mkdtempSync(path.join(tmpdir(), 'lifeboat-list-newest-'))
  const made = async (day: string, encryptionKey = identity): Promise<string> =>
    (await backUp({ folder: place, encryptionKey, time: new Date(`${day}T02:00:00Z`), set: 'app', sources: { shop: [{ name: 'shop.dump', bytes: noise('newest', 1000) }] } })).id
  const recommended = async (): Promise<string> => (await dispatched('list', { destination: `file:${place}`, 'encryption-key': identity }, now)).text
  try {
    const ours = await made('2026-11-18')
    expect(await recommended()).toMatch(new RegExp(`^To restore the newest into [^]*--snapshot ${ours}`, 'm'))
    await made('2026-11-19', (await newIdentity()).identity)
    expect(await recommended()).toMatch(new RegExp(`^To restore the newest that this key opens into [^]*--snapshot ${ours}`, 'm'))
    await made('2026-11-25')
    expect(await recommended()).toMatch(new RegExp(`^To restore the newest that this key opens and that is not dated in the future into [^]*--snapshot ${ours}`, 'm'))
  } finally {
    rmSync(place, { recursive: true })
  }
})
