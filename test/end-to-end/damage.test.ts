import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { identityToRecipient } from 'age-encryption'
import type { VerifyResult } from '../../src/commands/verify/result.ts'
import { writeKeyOf } from '../../src/repository/open-keys.ts'
import { chunkKey, type ChunkEntry, decodeSnapshot } from '../../src/repository/snapshot.ts'
import { clientDirectory } from '../support/client-programs.ts'
import { changeDataset, loadDataset } from '../support/dataset.ts'
import { type Server, startServer } from '../support/postgres-server.ts'
import { builtProgram } from './built.ts'
import { contentOf, expectFailure, type Given, mounting, type Options, Sandbox } from './sandbox.ts'

let server: Server
let sandbox: Sandbox
/** Ids and files of the two snapshots of the store that every test damages a copy of, and what the second one lists. */
let ids: string[]
let files: string[]
let chunks: ChunkEntry[]
let store: string
let given: Given
let copies = 0
beforeAll(async () => {
  server = await startServer(15)
  await server.createDatabase('shop')
  await loadDataset(server, 'shop', { megabytes: 8 })
  sandbox = await Sandbox.open(server.url('shop'))
  const first = await sandbox.backup()
  await changeDataset(server, 'shop')
  const second = await sandbox.backup({ tags: 'second' })
  expect(second.deltaChunks).toBeGreaterThan(1)
  ids = [first.snapshot, second.snapshot]
  files = ids.map((id) => `snapshots/default/${id}.json.zst`)
  chunks = (await decodeSnapshot(files[1]!, readFileSync(path.join(sandbox.store, files[1]!)), undefined)).header.chunks
})
afterAll(async () => {
  sandbox.close()
  await server.stop()
})
beforeEach(() => {
  store = path.join(sandbox.folder, `copy-${++copies}`)
  cpSync(sandbox.store, store, { recursive: true })
  given = { destination: `file:${store}` }
})
afterEach(async () => {
  rmSync(store, { recursive: true })
  expect(await server.sql(`SELECT count(*) FROM pg_database WHERE datname = 'brand_new'`)).toBe('0')
})

const both = ['terminal', 'action'] as const
const objectOf = ([id, , , , mark]: ChunkEntry): string => path.join(store, chunkKey(id, mark))
const difference = (): ChunkEntry => chunks.find((chunk) => chunk[3] !== null)!
const base = (): ChunkEntry => chunks[difference()[3]!]!
/** A chunk that only the tail of the archive needs: level list does not read it. */
const inTheMiddle = (): ChunkEntry => chunks.findLast((chunk) => chunk[1] > 500_000 && chunk !== base())!

function flipBit(file: string): void {
  const bytes = readFileSync(file)
  bytes[bytes.length - 100]! ^= 1
  writeFileSync(file, bytes)
}

async function verify(level: 'list' | 'read', more: Given = {}, options: Options = {}): Promise<VerifyResult & { status: number | null }> {
  const { status, out } = await sandbox.run('verify', { ...given, level, json: 'true', ...more }, options)
  return { ...JSON.parse(out), status }
}

/** Verification finds it, and a restore refuses before it touches anything. */
async function expectRefused(level: 'list' | 'read', problem: RegExp): Promise<void> {
  const found = await verify(level)
  expect(found).toMatchObject({ status: 1, result: 'failed', snapshot: ids[1] })
  expect(found.problems.join('\n')).toMatch(problem)
  const named = { ...given, snapshot: ids[1]! }
  const target = { ...named, 'database-url': server.url('brand_new'), mode: 'create' }
  for (const as of both) expectFailure(await sandbox.run('restore', target, { as }), 1, problem, /./)
}

/** The next backup stores chunks that are known to be damaged again, although nothing has changed in the database. */
async function expectHealed(): Promise<void> {
  const { snapshot } = await sandbox.backup({ ...given, verify: 'read' })
  expect(await verify('read')).toMatchObject({ status: 0, result: 'verified', snapshot })
}

describe('a chunk', () => {
  test.each<[what: string, chunk: () => ChunkEntry]>([['stored whole, that others are differences from', () => base()], ['stored as a difference', () => difference()]])(
    '%s is truncated, or missing: it is named, nothing is restored, and the next backup heals it',
    async (_, chunk) => {
      truncateSync(objectOf(chunk()), chunk()[2] - 1)
      await expectRefused('list', new RegExp(`chunk chunks/../${chunk()[0]}-\\S+ in file:\\S+ (is damaged: it )?has ${chunk()[2] - 1} bytes instead of ${chunk()[2]}`))
      await expectHealed()
      rmSync(objectOf(chunk()))
      expect((await verify('list', { snapshot: ids[1]! })).problems.join('\n')).toMatch(new RegExp(`chunk chunks/../${chunk()[0]}-\\S+ is missing from file:`))
      await expectHealed()
    },
  )

  test('with a flipped bit is found where it is read, and by verification at level read everywhere', async () => {
    flipBit(objectOf(inTheMiddle()))
    expect(await verify('list')).toMatchObject({ status: 0, result: 'verified' })
    await expectRefused('read', new RegExp(`chunk chunks/../${inTheMiddle()[0]}-\\S+ in file:\\S+ is damaged`))
    await expectHealed()
  })

  test.each(both)('with a flipped bit fails a backup that reads everything back (%s), and the next one heals it', async (as) => {
    const damaged = chunks.filter((_, index) => chunks.some(([, , , base]) => base === index)).slice(-2)
    for (const chunk of damaged) flipBit(objectOf(chunk))
    const failed = await sandbox.run('backup', { ...given, verify: 'read', 'check-reused': '0%' }, { as })
    expectFailure(failed, 1, /snapshot \S+ was stored but does not verify: chunk chunks\/\S+ in file:\S+ is damaged/, /run the backup again: it stores again what was found damaged/i)
    for (const [id] of damaged) expect(`${failed.err}${failed.out}`).toContain(id)
    await expectHealed()
  })

  test('found damaged is stored again even by a runner whose key reads nothing', async () => {
    flipBit(objectOf(inTheMiddle()))
    expect(await verify('read')).toMatchObject({ status: 1 })
    const { snapshot } = await sandbox.backup({ ...given, 'encryption-key': await writeKeyOf(sandbox.key, undefined), verify: 'none' })
    expect(await verify('read')).toMatchObject({ status: 0, result: 'verified', snapshot })
  })

  test('that differences are made from, with a flipped bit, is told of and done without', async () => {
    flipBit(objectOf(base()))
    await server.sql('UPDATE orders SET total = total + 1 WHERE id % 50 = 0', 'shop')
    const { err } = await sandbox.run('backup', { ...given, verify: 'none' })
    expect(err).toMatch(new RegExp(`warning: chunk chunks/../${base()[0]}-\\S+ in file:\\S+ is damaged`))
  })

  test('swapped with another of the snapshot is named, and so is the other', async () => {
    const [one, two] = [objectOf(base()), objectOf(difference())]
    renameSync(one, `${one}.tmp`)
    renameSync(two, one)
    renameSync(`${one}.tmp`, two)
    await expectRefused('list', /bytes instead of/)
    expect((await verify('list')).problems.filter((problem) => / in file:\S+ (is damaged: it )?has \d+ bytes instead of /.test(problem))).toHaveLength(2)
    await expectHealed()
  })

  test('replaced by one of the same size that age and zstd find nothing wrong with is not believed', async () => {
    const entry = inTheMiddle()
    const recipient = await identityToRecipient(sandbox.key)
    const sealed = (bytes: number): Buffer => execFileSync('age', ['-r', recipient], { input: zstdCompressSync(randomBytes(bytes)) })
    let length = entry[2] - sealed(entry[2]).length + entry[2]
    let forged = sealed(length)
    while (forged.length !== entry[2]) forged = sealed((length += entry[2] - forged.length))
    writeFileSync(objectOf(entry), forged)
    await expectRefused('read', new RegExp(`chunk chunks/../${entry[0]}-\\S+ in file:\\S+ is damaged`))
  })

  test('that cannot be fetched says nothing about the backup: could not verify, status 3', async () => {
    const under = ['strace', '-f', '--quiet=all', '-o', '/dev/null', '-P', objectOf(inTheMiddle()), '-e', 'trace=openat', '-e', 'inject=openat:error=EIO']
    const found = await verify('read', {}, { under })
    expect(found).toMatchObject({ status: 3, result: 'could not verify' })
    expect(found.problems.join('\n')).toMatch(/cannot read chunks\/\S+ from file:\S+: EIO/)
  })

  test('that no thread can open, because the machine can start none, says nothing about the backup either, and nothing is recorded', async () => {
    const thread = path.join(builtProgram(), 'thread.js')
    const under = ['strace', '-f', '--quiet=all', '-o', '/dev/null', '-P', thread, '-e', 'trace=openat', '-e', 'inject=openat:error=EMFILE']
    const found = await verify('read', {}, { under })
    expect(found).toMatchObject({ status: 3, result: 'could not verify', damaged: [] })
    expect(found.problems.join('\n')).toMatch(/a thread that seals and opens chunks failed: .*EMFILE.* This says nothing about the backups/)
    const target = { ...given, 'database-url': server.url('brand_new'), mode: 'create', 'skip-damaged': 'true' }
    const refused = await sandbox.run('restore', target, { under })
    expectFailure(refused, 3, /a thread that seals and opens chunks failed: .*Allow more processes/, /./)
    expect(refused.err).not.toMatch(/damaged:|is recorded/)
    expect(await verify('list')).toMatchObject({ status: 0, result: 'verified' })
  })
})

test('a pg_restore that something ends says nothing about the backup: could not verify, status 3', async () => {
  const deadly = path.join(sandbox.folder, 'deadly')
  writeFileSync(deadly, '#!/bin/sh\nkill -KILL $$\n')
  chmodSync(deadly, 0o755)
  const under = mounting('mount --bind "$1" "$2"', deadly, path.join(clientDirectory(15), 'pg_restore'))
  const found = await verify('read', {}, { under })
  expect(found).toMatchObject({ status: 3, result: 'could not verify' })
  expect(found.problems.join('\n')).toMatch(/pg_restore.*SIGKILL/)
})

/** Changes what anyone can read of the newest snapshot, as someone without the key would. */
function edit(change: (header: Record<string, unknown>) => unknown): void {
  const file = path.join(store, files[1]!)
  const object = readFileSync(file)
  const header = JSON.parse(zstdDecompressSync(object.subarray(93)).toString())
  writeFileSync(file, Buffer.concat([object.subarray(0, 93), zstdCompressSync(JSON.stringify(change(header)))]))
}

/** The newest snapshot is refused by its id; as the latest, it fails a verification, and is passed over with a warning otherwise; check fails; the one before it is as good as ever. */
async function expectOnlyThisOne(problem: RegExp): Promise<void> {
  const before = contentOf(store)
  const named = { ...given, snapshot: ids[1]! }
  const target = { ...named, 'database-url': server.url('brand_new'), mode: 'create' }
  for (const as of both) {
    expectFailure(await sandbox.run('verify', named, { as }), 1, problem, /Other snapshots are not affected/)
    expectFailure(await sandbox.run('restore', target, { as }), 1, problem, /Other snapshots are not affected/)
  }
  const checked = await sandbox.run('check', { ...given, json: 'true' })
  expect([checked.status, JSON.parse(checked.out).problems]).toEqual([1, [expect.stringMatching(problem)]])
  const listed = await sandbox.run('list', { ...given, json: 'true' })
  expect(listed.err).toMatch(problem)
  expect(JSON.parse(listed.out).snapshots.map(({ id }: { id: string }) => id)).toEqual([ids[0]])
  expect(contentOf(store)).toEqual(before)
  const latest = await sandbox.run('verify', { ...given, json: 'true' })
  expect(latest.err).toMatch(problem)
  expect(JSON.parse(latest.out)).toMatchObject({ result: 'failed', snapshots: [{ snapshot: ids[1], result: 'failed' }, { snapshot: ids[0], result: 'verified' }] })
  expect(await verify('read', { snapshot: ids[0]! })).toMatchObject({ status: 0, result: 'verified' })
  const next = await sandbox.run('backup', { ...given, verify: 'read' })
  expect(next.err).toMatch(problem)
  expect(next.status).toBe(0)
}

describe('a snapshot', () => {
  test.each<[what: string, change: (header: Record<string, unknown>) => unknown]>([
    ['its tags', (header) => ({ ...header, tags: ['third'] })],
    ['its time', (header) => ({ ...header, time: '2020-01-01T00:00:00.000Z' })],
    ['its list of chunks', (header) => ({ ...header, chunks: chunks.map(([id, size, ...rest]) => [id, size + 1, ...rest]) })],
  ])('edited by someone without the key: %s', async (_, change) => {
    edit(change)
    await expectOnlyThisOne(new RegExp(`${ids[1]}\\.json\\.zst is not a whole snapshot: its signature \\(MAC\\) does not verify`))
  })

  test('replaced by an older one of the same store', async () => {
    cpSync(path.join(store, files[0]!), path.join(store, files[1]!))
    await expectOnlyThisOne(new RegExp(`${ids[1]}\\.json\\.zst is not a whole snapshot: it is snapshot ${ids[0]} of set default, moved here`))
  })

  test('cut short', async () => {
    truncateSync(path.join(store, files[1]!), 200)
    await expectOnlyThisOne(new RegExp(`${ids[1]}\\.json\\.zst is not a whole snapshot: its signature \\(MAC\\) does not verify`))
  })

  test('moved to another set is refused there', async () => {
    mkdirSync(path.join(store, 'snapshots/other'))
    cpSync(path.join(store, files[1]!), path.join(store, 'snapshots/other', path.basename(files[1]!)))
    expectFailure(await sandbox.run('verify', { ...given, set: 'other' }), 1, new RegExp(`snapshots/other/${ids[1]}\\.json\\.zst is not a whole snapshot: it is snapshot ${ids[1]} of set default, moved here`), /./)
    expect(await verify('list')).toMatchObject({ status: 0, snapshot: ids[1] })
  })
})
