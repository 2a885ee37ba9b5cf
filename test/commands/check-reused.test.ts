import { jest } from '@jest/globals'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { backupSummary } from '../../src/commands/backup/summary.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { type ChunkEntry, chunkKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { changed, noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { entriesOf, identity } from '../support/engine.ts'

let folder: string
/** A store with one backup of a volume that never changes. */
let original: string
let first: string
let damagedEntry: ChunkEntry
let minutes = 0
const now = (): Date => new Date(Date.parse('2026-11-20T02:00:00Z') + ++minutes * 60_000)

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-reused-'))
  original = path.join(folder, 'original')
  mkdirSync(path.join(folder, 'volume'))
  writeFileSync(path.join(folder, 'volume/file'), noise('never changes', 3_000_000))
  // Files that were modified a moment ago are read again in any case.
  const past = new Date('2026-01-01T00:00:00Z')
  for (const name of ['volume/file', 'volume']) utimesSync(path.join(folder, name), past, past)
  first = (await backup({}, original)).result.snapshot
  // Past the first chunks, which level list reads.
  damagedEntry = (await entriesOf(new FileStore(original), first)).filter(([, size]) => size > 500_000).at(-1)!
})
afterAll(() => rmSync(folder, { recursive: true }))

let root: string
let count = 0
beforeEach(() => {
  root = path.join(folder, `store-${++count}`)
  cpSync(original, root, { recursive: true })
})

const environment = () => ({ variables: process.env, temporary: path.join(folder, 'tmp') })
function backup(raw: Record<string, string> = {}, store = root) {
  return dispatched('backup', { destination: `file:${store}`, 'encryption-key': identity, set: 'app', volumes: `files=${folder}/volume`, 'client-install': 'never', ...raw }, now(), environment())
}
const given = (store = root) => ({ destination: `file:${store}`, 'encryption-key': identity, set: 'app' })
const key = (): string => chunkKey(damagedEntry[0], damagedEntry[4])

function flipBit(store = root, object = key()): void {
  const file = path.join(store, object)
  const bytes = readFileSync(file)
  bytes[bytes.length - 100]! ^= 1
  writeFileSync(file, bytes)
}

const verified = async (snapshot: string, store = root) => (await dispatched('verify', { ...given(store), snapshot, level: 'read' }, now(), environment())).result.result

test('a backup reads back the data it reuses: a damaged chunk is reported and stored again in the same backup, and earlier ones are known to be damaged', async () => {
  flipBit()
  const { result, text, warnings } = await backup()
  expect(result.checked).toMatchObject({ damaged: 1 })
  expect(result.newChunks).toBe(1)
  expect(warnings).toEqual([expect.stringContaining(`chunk ${key()} in file:${root} is damaged`)])
  expect(text).toMatch(/checked +\d chunks of earlier backups read back, .*: 1 object DAMAGED/)
  expect(backupSummary(result, { action: 'a/b', reference: 'v1', destination: 'file:/b', timeZone: 'UTC', now: now() })).toMatch(/❌ Checked: .* DAMAGED/)
  const listed = (await dispatched('list', given(), now())).result
  expect(listed.snapshots).toMatchObject([{ id: result.snapshot, verified: true }, { id: first, verified: false, damage: expect.stringContaining(key()) }])
  expect(listed.restorable).toBe(result.snapshot)
  expect(await verified(result.snapshot)).toBe('verified')
  expect(await verified(first)).toBe('failed')
})

test.each([['found by that backup', false], ['known before', true]])('something shrank, and the backup before is damaged, as is %s: the hint to keep it says so', async (_, before) => {
  flipBit()
  if (before) expect(await verified(first)).toBe('failed')
  const hints: string[] = []
  const report = { info: () => undefined, warning: (_: string, hint = '') => void hints.push(spelled(hint, atTerminal('lifeboat'))), progress: () => undefined, mask: () => undefined }
  const raw = { destination: `file:${root}`, 'encryption-key': identity, set: 'app', volumes: `renamed=${folder}/volume`, 'client-install': 'never', retention: 'last=3' }
  await dispatched('backup', raw, now(), { ...environment(), report })
  const place = `--destination file:${root} --set app`
  const told = `Snapshot ${first} is DAMAGED: \`lifeboat verify ${place} --snapshot ${first} --level read\` tells which of its sources are whole, and \`lifeboat list ${place}\` names the newest snapshot that is whole.`
  expect(hints.filter((hint) => hint.includes(`lifeboat pin ${first}`))).toEqual([expect.stringContaining(told), expect.stringContaining(told)])
})

test('without damage every chunk of a small backup is read, and nothing is stored again', async () => {
  const { result, text, warnings } = await backup()
  const entries = await entriesOf(new FileStore(original), first)
  expect(result.checked).toEqual({ chunks: entries.length, bytes: entries.reduce((sum, [, , stored]) => sum + stored, 0), damaged: 0 })
  expect([result.newChunks, warnings]).toEqual([0, []])
  expect(text).toMatch(/checked +\d chunks of earlier backups read back, .*: none damaged/)
})

const listedBy = async (snapshot: string): Promise<string[]> => (await entriesOf(new FileStore(root), snapshot)).map(([id, , , , mark]) => chunkKey(id, mark))
/** Volumes that never change, the chunks of the second being differences from those of the first. */
const unchanged = (): string => `files=${folder}/volume\ncopy=${folder}/copy`
/** A volume like these, which no backup has stored yet. */
const similar = (): string => `similar=${folder}/similar`

describe('a base that is found damaged while a difference is made from it', () => {
  let base: string
  let dependants: string[]

  beforeAll(async () => {
    const content = noise('never changes', 3_000_000)
    const past = new Date('2026-01-01T00:00:00Z')
    for (const [name, place] of [['copy', 400_000], ['similar', 250_000]] as const) {
      mkdirSync(path.join(folder, name))
      writeFileSync(path.join(folder, name, 'file'), changed(content, place, name))
      for (const one of [path.join(name, 'file'), name]) utimesSync(path.join(folder, one), past, past)
    }
  })

  beforeEach(async () => {
    const { snapshot } = (await backup({ volumes: unchanged() })).result
    const entries = await entriesOf(new FileStore(root), snapshot)
    const bases = new Set(entries.flatMap(([, , , base]) => base ?? []))
    base = ''
    for (const index of bases) if (entries[index]![1] > 500_000) base = chunkKey(entries[index]![0], entries[index]![4])
    dependants = entries.flatMap(([id, , , from, mark]) => (from !== null && chunkKey(entries[from]![0], entries[from]![4]) === base ? [chunkKey(id, mark)] : []))
    expect([base, dependants.length]).toEqual([expect.stringMatching(/^chunks/), 1])
    flipBit(root, base)
  })

  const raw = { verify: 'read', 'check-reused': '0%' }

  test.each([
    ['after the backup has listed it and its dependants', () => `${unchanged()}\n${similar()}`, 1],
    ['before the backup lists it', () => `${similar()}\n${unchanged()}`, 0],
  ])('%s: the backup stores its content again, and verifies', async (_, volumes, again) => {
    const { result, warnings } = await backup({ ...raw, volumes: volumes() })
    expect(warnings.filter((text) => text.includes('the sources are read once more'))).toHaveLength(again)
    expect(warnings).toContainEqual(expect.stringContaining(`chunk ${base} in file:${root} is damaged`))
    expect(result).toMatchObject({ verified: 'read', checked: { damaged: 1 } })
    const listed = await listedBy(result.snapshot)
    expect([base, ...dependants].filter((key) => listed.includes(key))).toEqual([])
    expect((await dispatched('show', { ...given(), snapshot: result.snapshot }, now())).result.newChunks).toBe(result.newChunks)
    expect(await verified(result.snapshot)).toBe('verified')
    const { result: next } = await backup({ ...raw, volumes: volumes() })
    expect([next.newChunks, await verified(next.snapshot)]).toEqual([0, 'verified'])
  })

  test('also where nothing is to be verified, and commands around the reading run once', async () => {
    const log = path.join(folder, `hooks-${count}`)
    const { result } = await backup({ ...raw, verify: 'none', volumes: `${unchanged()}\n${similar()}`, 'pre-command': `echo before >> ${log}`, 'post-command': `echo after >> ${log}` })
    expect(await verified(result.snapshot)).toBe('verified')
    expect(readFileSync(log, 'utf8')).toBe('before\nafter\n')
  })

  test('if damage is found in each of three readings, no snapshot is stored, and the damage is kept in a proof', async () => {
    const get: FileStore['get'] = Reflect.get(FileStore.prototype, 'get')
    const harming = jest.spyOn(FileStore.prototype, 'get').mockImplementation(async function (this: FileStore, key, most) {
      const bytes = await get.call(this, key, most)
      if (key.startsWith('chunks/')) bytes[bytes.length - 100]! ^= 1
      return bytes
    })
    let refused: string
    try {
      refused = await refusal(backup({ ...raw, volumes: `${unchanged()}\n${similar()}` }))
    } finally {
      harming.mockRestore()
    }
    expect(refused).toMatch(/the new snapshot would need chunks\/.*, which is damaged: no snapshot was stored/)
    const { snapshots } = (await dispatched('list', given(), now())).result
    expect(snapshots).toHaveLength(2)
    expect(snapshots[0]).toMatchObject({ verified: false, damage: expect.stringContaining('chunks/') })
    const { result } = await backup({ ...raw, volumes: `${unchanged()}\n${similar()}` })
    expect(await verified(result.snapshot)).toBe('verified')
  })

  test('the sample waits for the base of whatever it chooses: every dependant is stored again', async () => {
    const { result } = await backup({ volumes: unchanged(), verify: 'read' })
    expect(result).toMatchObject({ verified: 'read', checked: { damaged: 1 } })
    const listed = await listedBy(result.snapshot)
    expect([base, ...dependants].filter((key) => listed.includes(key))).toEqual([])
  })
})

test('with 0% nothing is read back', async () => {
  flipBit()
  const { result, warnings } = await backup({ 'check-reused': '0%' })
  expect(result).toMatchObject({ checked: { chunks: 0, bytes: 0, damaged: 0 }, newChunks: 0 })
  expect(warnings).toEqual([])
})

test('a write key reads nothing back, and says so', async () => {
  flipBit()
  const { result, text } = await backup({ 'encryption-key': await writeKeyOf(identity, undefined) })
  expect(result.checked).toBeUndefined()
  expect(text).toContain('a write key cannot read it back')
})

test('with several destinations each is read, and a chunk that is damaged in one of them is stored again in all', async () => {
  const other = `${root}-other`
  cpSync(original, other, { recursive: true })
  flipBit(other)
  const { result, warnings } = await backup({ destination: `file:${root}\nfile:${other}` })
  expect(result.checked).toMatchObject({ damaged: 1 })
  expect(warnings).toEqual([expect.stringContaining(`chunk ${key()} in file:${other} is damaged`)])
  for (const store of [root, other]) expect(await verified(result.snapshot, store)).toBe('verified')
  expect((await dispatched('list', given(), now())).result.snapshots.map(({ damage }) => damage)).toEqual([undefined, undefined])
  expect((await dispatched('list', given(other), now())).result.snapshots[1]).toMatchObject({ damage: expect.stringContaining(key()) })
})
