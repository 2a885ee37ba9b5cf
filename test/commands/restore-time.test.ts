import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Command } from '../../src/commands/all.ts'
import { within } from '../../src/commands/within.ts'
import { FORMAT } from '../../src/repository/format.ts'
import { type Verification, writeProof } from '../../src/repository/proofs.ts'
import { keepRestoreTime, type RestoreTime } from '../../src/repository/restore-time.ts'
import { sign } from '../../src/repository/signed.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched } from '../support/dispatched.ts'
import { identity, keys, otherKeys } from '../support/engine.ts'

const HOUR = 3_600_000
const now = new Date('2026-12-01T12:00:00Z')
const ago = (hours: number): Date => new Date(now.getTime() - hours * HOUR)

let folder: string
let id: string
/** Bytes of the streams of each volume. */
let sizes: Record<string, number>
const at = (name: string): string => path.join(folder, name)
const store = () => new FileStore(at('store'))
const run = <C extends Command>(command: C, raw: Record<string, string>, when = now) =>
  dispatched(command, { destination: `file:${at('store')}`, 'encryption-key': identity, ...raw }, when, { variables: { PATH: process.env['PATH'] }, temporary: at('tmp') })

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-restore-time-'))
  for (const name of ['uploads', 'media']) {
    mkdirSync(at(name))
    writeFileSync(at(`${name}/file`), noise(name, 50_000))
  }
  const { result } = await run('backup', { volumes: `uploads=${at('uploads')}\nmedia=${at('media')}` }, ago(80))
  id = result.snapshot
  sizes = Object.fromEntries(result.sources.map(({ name, size }) => [name, size]))
})
afterEach(() => rmSync(folder, { recursive: true }))

let targets = 0
const restored = (more: Record<string, string> = {}, when = now) => run('restore', { volume: 'uploads', target: at(`new${++targets}`), ...more }, when)
const everything = () => run('restore', { all: 'true', map: `uploads=${at(`new${++targets}`)}\nmedia=${at(`new${++targets}`)}` })
const planned = (more: Record<string, string> = {}) => restored({ 'dry-run': 'true', ...more })
const kept = (): string[] => (existsSync(at('store/restores')) ? readdirSync(at('store/restores')) : [])
const UNKNOWN = 'How long it takes is not known: no drill or restore of this set was found.'

/** A restore that took 100 s for uploads and 250 s in all, of half as many bytes as there are now. */
const earlier = (more: Partial<RestoreTime> = {}): RestoreTime => ({
  time: ago(72).toISOString(), snapshot: id, mode: 'swap', machine: 'linux x64, 4 CPUs', seconds: 250,
  sources: [['media', 200], ['uploads', 100]].map(([name, seconds]) => ({ name: String(name), bytes: sizes[name!]! / 2, seconds: Number(seconds) })), ...more,
})

test('a restore of whole sources is timed, and a dry run tells the time of the last', async () => {
  expect((await planned()).text).toContain(UNKNOWN)
  const { result } = await restored({ 'pre-command': 'sleep 0.5' }, ago(3))
  const { result: { expected }, text } = await planned()
  expect(expected).toEqual({ of: 'restore', seconds: expect.any(Number), time: ago(3).toISOString(), snapshot: id, mode: 'empty', machine: expect.stringMatching(/CPU/) })
  // All that a user waited for, not only the time of the source itself.
  expect(expected!.seconds).toBeLessThanOrEqual(result.seconds)
  expect(expected!.seconds).toBeGreaterThan(0.5)
  expect(text).toMatch(/ {2}About \S+ s for the sources as a whole, as the restore of 2026-12-01 09:00:00 UTC took \(mode empty, on .* CPU.* of memory\)\.$/)
  // Only the newest is kept, whatever is pruned.
  await everything()
  await run('prune', { retention: 'last=1' })
  expect(kept()).toEqual(['default.json'])
  expect((await planned()).result.expected).toMatchObject({ time: now.toISOString() })
  // Nobody learns the names of sources from it.
  expect(readFileSync(at('store/restores/default.json'), 'latin1')).not.toContain('uploads')
})

test('the time is told for the sources that are restored, by their bytes, and only if all of them were restored', async () => {
  await keepRestoreTime(store(), keys, 'default', earlier())
  expect((await planned()).text).toContain('About 3 min 20 s for the sources as a whole, as the restore of 2026-11-28 12:00:00 UTC took (mode swap, on linux x64, 4 CPUs).')
  const both = { all: 'true', map: `uploads=${at('a')}\nmedia=${at('b')}`, 'dry-run': 'true' }
  expect((await run('restore', both)).text).toContain('About 8 min 20 s for the sources as a whole')
  // One after the other: 20 s of the 320 s are of neither.
  await keepRestoreTime(store(), keys, 'default', earlier({ seconds: 320 }))
  expect((await planned()).text).toContain('About 4 min 0 s for the sources as a whole')
  expect((await run('restore', both)).text).toContain('About 10 min 40 s for the sources as a whole')
  const { sources } = earlier()
  await keepRestoreTime(store(), keys, 'default', earlier({ sources: sources.slice(1), seconds: 100 }))
  expect((await planned()).text).toContain('About 3 min 20 s')
  expect((await run('restore', both)).text).toContain(UNKNOWN)
})

test('of a drill and a restore, the newer is told', async () => {
  await keepRestoreTime(store(), keys, 'default', earlier())
  const prove = async (hours: number, proof: Pick<Verification, 'level' | 'drill'> & Partial<Verification>): Promise<void> => void (await writeProof(store(), keys, {
    snapshot: id, set: 'default', time: ago(hours), result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null, ...proof }))
  const drill = (hours: number): Promise<void> => prove(hours, {
    level: 'drill', drill: { entries: 1, rows: 1, bytes: 1, seconds: { download: 12, restore: 30, compare: 1, checks: 1 }, machine: 'linux x64, 2 CPUs' } })
  await drill(73)
  expect((await planned()).text).toContain('About 3 min 20 s')
  await drill(71)
  const { text } = await planned()
  expect(text).toContain(`The drill of ${id} took 42 s to read and restore everything, on linux x64, 2 CPUs.`)
  expect(text).toMatch(/The data was not read now; a drill read it, 2026-\S+ \S+ UTC: `lifeboat verify --snapshot \S+ --level read` reads all of it\./)
  await prove(2, { level: 'read' })
  await prove(1, { level: 'list' })
  const read = await planned()
  expect(read.text).toMatch(/The data was not read now; a verification read it, 2026-12-01 10:00:00 UTC: /)
  expect(read.result).toMatchObject({ lastRead: { level: 'read', time: ago(2).toISOString() }, expected: { of: 'drill' } })
  // A later failure takes its place.
  await prove(0.5, { level: 'read', result: 'failed' })
  expect((await planned()).text).toContain('The data was not read: ')
})

test('nothing is kept of what restores nothing, a part, around damage, or not everything', async () => {
  await restored({ 'verify-only': 'true', target: '' })
  await planned()
  await restored({ paths: 'file' })
  await restored({ 'skip-damaged': 'true' })
  mkdirSync(at('full'))
  const { result } = await run('restore', {
    all: 'true', map: `uploads=${at('second')}\nmedia=${at('full')}`, 'pre-command': `touch ${at('full/mine')}` })
  expect(result).toMatchObject({ sources: [{ errors: [] }, { problem: expect.stringContaining('not empty') }] })
  expect(kept()).toEqual([])
})

test('a store that takes nothing changes nothing in the restore, and is not told', async () => {
  writeFileSync(at('store/restores'), 'in the way')
  const { result, text, warnings } = await restored()
  expect([result.errors, warnings, text.includes('restores')]).toEqual([[], [], false])
  await expect(within(1, () => new Promise(() => undefined))).rejects.toThrow('the store did not answer within 0.001 s')
  let aborted = false
  await expect(within(1, (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(aborted = true))))).rejects.toThrow('did not answer')
  expect(aborted).toBe(true)
})

test('a record that is forged, moved, malformed, too large or of the future is ignored with a warning; one of another key without', async () => {
  const file = at('store/restores/default.json')
  const ignored = async (why: string): Promise<void> => {
    const { text, warnings } = await planned()
    expect(text).toContain(UNKNOWN)
    expect(warnings).toEqual([`restores/default.json is ignored: ${why}`])
  }
  await keepRestoreTime(store(), keys, 'default', earlier())
  const genuine = readFileSync(file)
  const line = genuine.indexOf('\n') + 1
  writeFileSync(file, Buffer.concat([genuine.subarray(0, line), Buffer.from(genuine.subarray(line).toString().replace('"details":"', '"details":"AAAA'))]))
  await ignored('its signature (MAC) does not verify')
  writeFileSync(file, genuine.subarray(line))
  await ignored('it does not begin with the line of a signed object')
  // Genuine, of another kind: a MAC of the key is not enough.
  writeFileSync(file, sign(genuine.subarray(line), keys, 'runs'))
  await ignored('its signature (MAC) does not verify')
  writeFileSync(file, Buffer.alloc(70_000))
  const large = await planned()
  expect([large.text.includes(UNKNOWN), large.warnings.length]).toEqual([true, 1])
  await keepRestoreTime(store(), keys, 'other', earlier())
  renameSync(at('store/restores/other.json'), file)
  await ignored('it is of set other, moved here')
  for (const body of ['', '{}', JSON.stringify({ format: FORMAT, restored: 'default', details: 'AAAA', more: 1 })]) {
    writeFileSync(file, sign(body, keys, 'restore'))
    await ignored('it is malformed, or of a newer version')
  }
  await keepRestoreTime(store(), keys, 'default', { ...earlier(), seconds: -1 })
  await ignored('its details are malformed, or of a newer version')
  await keepRestoreTime(store(), keys, 'default', earlier({ time: ago(-1).toISOString() }))
  await ignored('it is dated in the future, 2026-12-01T13:00:00.000Z')
  await keepRestoreTime(store(), otherKeys, 'default', earlier())
  expect(await planned()).toMatchObject({ text: expect.stringContaining(UNKNOWN), warnings: [] })
  expect(statSync(file).size).toBeLessThan(2000)
})
