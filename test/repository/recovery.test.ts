import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type Keys, newIdentity } from '../../src/repository/keys.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { recoveryFiles } from '../../src/repository/recovery.ts'
import { encrypt } from '../../src/repository/sealing/age.ts'
import { compress } from '../../src/repository/sealing/zstd.ts'
import { sign } from '../../src/repository/signed.ts'
import { decodeSnapshot, encodeSnapshot, openManifest, snapshotKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { type DumpedParts, dumpInParts, partOf } from '../support/archive-parts.ts'
import { backUp } from '../support/backup.ts'
import { ANY_SIZE } from '../support/bytes.ts'
import { run } from '../support/client-programs.ts'
import { dispatched } from '../support/dispatched.ts'
import { compareDatabases } from '../support/compare-databases.ts'
import { changeDataset, loadDataset } from '../support/dataset.ts'
import { PlainReader } from '../support/plain-reader.ts'
import { clientDirectory, clientEnvironment, type Server, startServer } from '../support/postgres-server.ts'
import { plainEnvironment, recover, recoverOnTerminal } from '../support/recover-script.ts'
import { mounting } from '../end-to-end/sandbox.ts'
import { contentsOf, Volumes } from '../support/volume.ts'

const sources = path.join(import.meta.dirname, '../../src/repository/recovery')
const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-recovery-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fresh = (() => {
  let count = 0
  return (name: string) => path.join(folder, `${++count}-${name}`)
})()

/** Bytes that no compressor makes smaller, the same for the same seed. */
function noise(seed: string, size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, index) => createHash('sha256').update(`${seed} ${index}`).digest())
  return Buffer.concat(blocks).subarray(0, size)
}

function identityFile(identity: string): string {
  const file = fresh('identity.txt')
  writeFileSync(file, `# a comment, as age-keygen writes one\n${identity}\n`, { mode: 0o600 })
  return file
}

const passphrase = 'correct horse battery staple'
/** A fixed one, since where a stream is cut depends on it. */
const identity = 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD3'
const first = noise('first', 5_000_000)
const second = Buffer.from(first)
for (let position = 1000; position < second.length; position += 400_000) second.write('changed since', position)
const globals = Buffer.from('CREATE ROLE shop;\n')

/** A store with two snapshots, the second with differences: a copy of one made once, for the tests to damage. */
let original: { folder: string; key: string; extraKey: string; ids: string[] }
beforeAll(async () => {
  const extra = await newIdentity()
  const store = fresh('store')
  const given = { folder: store, encryptionKey: identity, recipients: [extra.recipient] }
  const one = await backUp({ ...given, time: new Date('2026-11-19T02:00:00Z'), sources: { app: [{ name: 'app.dump', bytes: first }] } })
  const two = await backUp({
    ...given,
    time: new Date('2026-11-20T02:00:00Z'),
    sources: { app: [{ name: 'app.dump', bytes: second }, { name: 'globals.sql', format: 'sql', bytes: globals }], empty: [{ name: 'app.dump', bytes: Buffer.alloc(0) }] },
  })
  expect(two.deltaChunks).toBeGreaterThan(0)
  original = { folder: store, key: identityFile(identity), extraKey: identityFile(extra.identity), ids: [one.id, two.id] }
})

function copyOfStore(): string {
  const copy = fresh('copy')
  cpSync(original.folder, copy, { recursive: true })
  return copy
}

const blocks = (text: string): string[] => text.match(/(?:^ {4}.*\n)+/gm)!

/** The commands of a part of RECOVERY.md, after those that make the folder for the work beside the store, which is in a folder alone. */
function blocksOf(store: string, from: string, until: string): string[] {
  const text = readFileSync(path.join(store, 'RECOVERY.md'), 'utf8')
  return [blocks(text.split('## 2.')[0]!).at(-1)!, ...blocks(text.split(from)[1]!.split(until)[0]!)]
}

/** Runs them beside the store; gives what they print. The key is in the private folder by then. */
function runBlocks(store: string, blocks: readonly string[], snapshot: string, environment: NodeJS.ProcessEnv = plainEnvironment): string {
  const ending = pasteBlocks(store, ['set -e', ...blocks], snapshot, environment)
  if (ending.status !== 0) throw new Error(ending.stdout + ending.stderr)
  return ending.stdout
}

/** The same, but a command that fails ends nothing, as on a terminal. */
function pasteBlocks(store: string, blocks: readonly string[], snapshot: string, environment: NodeJS.ProcessEnv = plainEnvironment, shell = '/bin/sh') {
  const key = `printf '%s\\n' '${identity}' > identity.txt\n`
  const commands = blocks.map((block) => block.replace(/^ *store=.*\n/m, `$&${key}`)).join('\n').replaceAll('20261120T020000Z-5f3a9c1e', snapshot)
  const [set] = readdirSync(path.join(store, 'snapshots'))
  return spawnSync(shell, ['-c', commands.replaceAll('/snapshots/production/', `/snapshots/${set}/`)], {
    cwd: path.dirname(store), env: environment, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8',
  })
}

/** The commands of section 6 that write the streams of a source, and those that extract a volume. */
function byHand(store: string): { streams: string[]; volume: string } {
  const [work, ...rest] = blocksOf(store, '## 6.', '\u0000')
  const streams = rest.filter((block) => !block.includes('chunks/AA') && !block.includes('tar --extract'))
  return { streams: [work!, ...streams], volume: rest.find((block) => block.includes('tar --extract'))! }
}

/** A new place for a store of this name, so that nothing but it is beside it. */
function place(): string {
  const folder = fresh('place')
  mkdirSync(folder)
  return path.join(folder, 'store')
}

/** The id in a chunk file's name. */
const named = (file: string): string => path.basename(file).slice(0, 64)

interface Difference {
  /** Files of a chunk stored as a difference, and of its base. */
  chunk: string
  base: string
}

function difference(store: string): Difference {
  const { chunks } = new PlainReader(store, original.key).header(`app/${original.ids[1]}`)
  const file = ([id, , , , mark]: (typeof chunks)[number]) => path.join(store, 'chunks', id.slice(0, 2), `${id}-${mark}`)
  const chunk = chunks.find((entry) => entry[3] !== null)!
  return { chunk: file(chunk), base: file(chunks[chunk[3]!]!) }
}

/** recover.sh fails with such a message, and leaves no file under the wanted name or any other. */
function expectRefused(store: string, because: RegExp, key = original.key, environment: NodeJS.ProcessEnv = plainEnvironment): void {
  const target = fresh('refused')
  mkdirSync(target)
  const { status, stderr } = recover(store, ['extract', original.ids[1]!, 'app/app.dump', '-i', key, '-o', path.join(target, 'app.dump')], environment)
  expect(stderr).toMatch(because)
  expect(status).toBe(1)
  expect(readdirSync(target)).toEqual([])
}

test('RECOVERY.md and docs/recovery.md name the SHA-256 of recover.sh (else run scripts/embed-recovery.ts)', () => {
  const digest = createHash('sha256').update(readFileSync(path.join(sources, 'recover.sh'))).digest('hex')
  for (const file of [path.join(sources, 'RECOVERY.md'), path.join(import.meta.dirname, '../../docs/recovery.md')]) {
    expect(readFileSync(file, 'utf8').match(/\b[0-9a-f]{64}\b/g)).toEqual([digest])
  }
})

test('the bundle carries recover.sh and RECOVERY.md as they are (else run scripts/embed-recovery.ts)', () => {
  for (const { key, bytes } of recoveryFiles()) expect(bytes.toString()).toBe(readFileSync(path.join(sources, key), 'utf8'))
})

test('recover.sh pleases shellcheck', () => {
  execFileSync('shellcheck', ['--shell=sh', path.join(sources, 'recover.sh')])
})

test('without arguments recover.sh says how to use it', () => {
  const { status, stderr } = recover(original.folder, [])
  expect(status).toBe(2)
  expect(stderr).toMatch(/usage: recover\.sh list[^]*extract SNAPSHOT STREAM/)
})

test('recover.sh lists snapshots without a key and their streams with one', () => {
  const listed = recover(original.folder, ['list'])
  expect(listed.stderr).toBe('')
  const lines = listed.stdout.toString().trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toMatch(new RegExp(`^${original.ids[0]} +2026-11-19T02:00:00.000Z +5 MB +app`))
  expect(lines[2]).toMatch(new RegExp(`^${original.ids[1]} +2026-11-20T02:00:00.000Z +5 MB +app`))
  const streams = recover(original.folder, ['streams', original.ids[1]!, '-i', original.key])
  expect(streams.stdout.toString()).toMatch(/5000000 +pg_dump-custom +app\/app\.dump\n +18 +sql +app\/globals\.sql\n +0 +pg_dump-custom +empty\/app\.dump\n$/)
})

test('recover.sh gives back every stream of a copied store, differences included, to a file and to standard output', () => {
  const copy = copyOfStore()
  const file = fresh('app.dump')
  const toFile = recover(copy, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.key, '-o', file])
  expect(toFile).toMatchObject({ status: 0, stderr: expect.stringContaining('as recorded at the backup') })
  expect(readFileSync(file).equals(second)).toBe(true)
  const output = (id: string, stream: string) => recover(copy, ['extract', id, stream, '-i', original.key]).stdout
  expect(output(original.ids[0]!, 'app.dump').equals(first)).toBe(true)
  expect(output(original.ids[1]!, 'globals.sql').equals(globals)).toBe(true)
  expect(recover(copy, ['extract', original.ids[1]!, 'empty/app.dump', '-i', original.key])).toMatchObject({ status: 0, stdout: Buffer.alloc(0) })
})

test('a reader written from docs/format.md alone gives back the same', () => {
  const reader = new PlainReader(original.folder, original.key)
  expect(reader.snapshots()).toEqual(original.ids.map((id) => `app/${id}`))
  expect(reader.streams(`app/${original.ids[0]}`)[0]!.bytes.equals(first)).toBe(true)
  const streams = reader.streams(`app/${original.ids[1]}`)
  expect(streams.map(({ source, name }) => `${source}/${name}`)).toEqual(['app/app.dump', 'app/globals.sql', 'empty/app.dump'])
  expect(streams[0]!.bytes.equals(second)).toBe(true)
})

test('the commands of RECOVERY.md for recovery by hand do as it says', () => {
  const store = place()
  cpSync(original.folder, store, { recursive: true })
  const { chunk, base } = difference(store)
  const relative = (file: string): string => path.relative(store, file)
  // The block for a chunk that stands alone does not fit this one, which is a difference.
  const blocks = blocksOf(store, '## 6.', '\u0000').filter((block) => (block.includes(' -D base') || !block.includes('chunks/AA')) && !block.includes('tar --extract'))
  const named = blocks.map((block) => block.replaceAll('chunks/AA/ID-MARK', relative(chunk)).replaceAll('chunks/BB/BASEID-BASEMARK', relative(base)))
  const printed = runBlocks(store, named, original.ids[1]!)
  expect(printed).toContain(`../store/snapshots/app/${original.ids[1]}.json.zst\n`)
  expect(printed).toContain('"source 0: app: app.dump, globals.sql"\n"source 1: empty: app.dump"\n')
  expect(printed).toMatch(/^as recorded: app\.dump\nas recorded: globals\.sql\nall 2 streams are as recorded\n$/m)
  const work = path.join(path.dirname(store), 'recovery')
  expect(readFileSync(path.join(work, 'files/app.dump')).equals(second)).toBe(true)
  expect(readFileSync(path.join(work, 'files/globals.sql')).equals(globals)).toBe(true)
  expect(readFileSync(path.join(work, 'files/.streams'), 'utf8')).toBe('app.dump\nglobals.sql\n')
  expect(second.includes(readFileSync(path.join(work, 'chunk')))).toBe(true)
  expect(statSync(work).mode & 0o777).toBe(0o700)
})

test.each(['dash', 'bash'])('by hand, in %s, a damaged stream is called damaged, and so is one whose name is a path', async (shell) => {
  const store = place()
  cpSync(original.folder, store, { recursive: true })
  const paste = (snapshot: string) => {
    const { status, stdout } = pasteBlocks(store, byHand(store).streams, snapshot, plainEnvironment, shell)
    return { status, said: stdout.replace(/^[^]*\]\n/, '') }
  }
  const work = path.join(path.dirname(store), 'recovery')
  const files = () => readdirSync(path.join(work, 'files')).toSorted()
  const { chunk } = difference(store)
  renameSync(chunk, `${chunk}.away`)
  expect(paste(original.ids[1]!)).toEqual({ status: 1, said: 'DAMAGED: app.dump.unchecked\nas recorded: globals.sql\nDAMAGED: only 1 of 2 streams are as recorded\n' })
  expect(files()).toEqual(['.streams', 'app.dump.unchecked', 'globals.sql'])
  renameSync(`${chunk}.away`, chunk)
  expect(paste(original.ids[1]!)).toEqual({ status: 0, said: 'as recorded: app.dump\nas recorded: globals.sql\nall 2 streams are as recorded\n' })
  renameSync(chunk, `${chunk}.away`)
  expect(paste(original.ids[1]!).status).toBe(1)
  expect(files()).toEqual(['.streams', 'app.dump.unchecked', 'globals.sql'])
  rmSync(work, { recursive: true })
  expect(paste('20200101T000000Z-00000000')).toMatchObject({ status: 1, said: expect.stringContaining('DAMAGED: only 0 of ') })

  rmSync(work, { recursive: true })
  const { id } = await backUp({ folder: store, encryptionKey: identity, sources: { app: ['../escaped', '.', '/etc/x', 'a\nb', '-x', 'good.dump', 'streams'].map((name) => ({ name, bytes: globals })) } })
  expect(paste(id)).toEqual({ status: 1, said: 'as recorded: good.dump\nas recorded: streams\nDAMAGED: only 2 of 7 streams are as recorded\n' })
  expect(files()).toEqual(['.streams', 'good.dump', 'streams'])
  expect(readdirSync(work)).not.toContain('escaped')
})

test('the key is compared with the store before anything else', async () => {
  const store = place()
  cpSync(original.folder, store, { recursive: true })
  expect(runBlocks(store, blocksOf(store, '## 2.', '## 3.'), original.ids[1]!)).toBe('This is the key: 2 of 2 snapshots were made with it.\n')
  const { key } = new PlainReader(store, original.key).header(`app/${original.ids[1]}`)
  const foreign = await newIdentity()
  const refused = recover(store, ['key', '-i', identityFile(foreign.identity)])
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(new RegExp(`This is not the key, nor that of an extra recipient\\. The 2 snapshots were made with: ${key}\\. \\S+ has: [0-9a-f]{16}`)) })
  expect(recover(store, ['key', '-i', original.extraKey])).toMatchObject({ status: 0, stdout: Buffer.from(`This is the key of an extra recipient: add --unauthenticated to the commands. The newest snapshot that it opens is ${original.ids[1]}.\n`) })
  // Newer ones were made without it: one of the same set counts, and neither one that is damaged nor one of another set.
  const without = (set: string, day: number) => backUp({ folder: store, encryptionKey: identity, set, time: new Date(`2026-11-${day}T02:00:00Z`), sources: { app: [{ name: 'app.dump', bytes: globals }] } })
  const [, { id }] = [await without('app', 21), await without('app', 22), await without('zone', 21)]
  writeFileSync(path.join(store, 'snapshots/app', `${id}.json.zst`), readFileSync(path.join(store, 'snapshots/app', `${id}.json.zst`)).subarray(0, 200))
  expect(recover(store, ['key', '-i', original.extraKey])).toMatchObject({ status: 0, stdout: Buffer.from(`This is the key of an extra recipient: add --unauthenticated to the commands. The newest snapshot that it opens is ${original.ids[1]}; newer ones of its set that were made without it: 1.\n`) })
  expect(recover(store, ['list'])).toMatchObject({ status: 1, stderr: expect.stringContaining(`snapshots/app/${id}.json.zst is no readable`) })
  // Of several keys in one file, one is enough; and both stores of a folder are told apart.
  const both = identityFile(`${foreign.identity}\n${identity}`)
  expect(recover(store, ['key', '-i', both]).stdout.toString()).toContain('This is the key')
  expect(recover(store, ['key'])).toMatchObject({ status: 2, stderr: expect.stringContaining('usage: recover.sh key -i IDENTITY') })
})

test('nothing decrypted is left when the reader of the messages is gone', () => {
  const temporary = fresh('tmp')
  mkdirSync(temporary)
  const script = 'sh "$0" extract "$@" 2>&1 | true'
  spawnSync('sh', ['-c', script, path.join(original.folder, 'recover.sh'), original.ids[1]!, 'app/app.dump', '-i', original.key], { env: { ...plainEnvironment, TMPDIR: temporary } })
  expect(readdirSync(temporary)).toEqual([])
})

test('temporary files are in a private folder beside the store, and TMPDIR is named if there is no room', () => {
  const store = place()
  cpSync(original.folder, store, { recursive: true })
  const beside = path.dirname(store)
  const programs = fresh('programs')
  mkdirSync(programs)
  const log = fresh('log')
  writeFileSync(path.join(programs, 'age'), `#!/bin/sh\nls -ld '${beside}'/lifeboat-recover.* >> '${log}'\nexec /usr/bin/age "$@"\n`, { mode: 0o755 })
  const { TMPDIR: _, ...environment } = plainEnvironment
  const file = fresh('app.dump')
  const { status, stderr } = recover(store, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.key, '-o', file], { ...environment, PATH: `${programs}:${plainEnvironment.PATH}` })
  expect([status, stderr]).toEqual([0, expect.stringMatching(/5 MB to write, \d+ MB are free in [^]*as recorded at the backup; \d+ s, \d+\.\d MB\/s/)])
  for (const line of readFileSync(log, 'utf8').trim().split('\n')) expect(line).toMatch(/^drwx------/)
  expect(readdirSync(beside)).toEqual(['store'])

  const none = recover(store, ['list'], { ...environment, TMPDIR: '/nonexistent' })
  expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('cannot make a folder in /nonexistent: set TMPDIR') })
})

test('a full temporary folder is told from a damaged store, in volumes too, and a full disk before anything is written', async () => {
  const folder = fresh('full')
  const root = path.join(folder, 'root')
  mkdirSync(root, { recursive: true })
  writeFileSync(path.join(root, 'file'), noise('full', 3_000_000))
  const volumes = new Volumes(folder)
  const { snapshot } = await volumes.backup({ volumes: `uploads=${root}` })
  const run = (size: string, args: string[]): { status: number | null; stderr: string } => {
    const temporary = fresh('tmp')
    mkdirSync(temporary)
    const target = path.join(temporary, 'in')
    const [command, ...rest] = mounting(`mount -t tmpfs -o size=${size} none "$1"`, temporary)
    return spawnSync(command!, [...rest, '/bin/sh', path.join(volumes.store, 'recover.sh'), ...args.map((word) => word.replace('TARGET', target))], { env: { ...plainEnvironment, TMPDIR: args[0] === 'volume' ? temporary : plainEnvironment.TMPDIR }, encoding: 'utf8' })
  }
  const key = identityFile(identity)
  for (const size of ['300k', '1m', '1500k']) {
    const target = fresh('target')
    const { status, stderr } = run(size, ['volume', snapshot, 'uploads', '-i', key, '-o', target])
    expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining('set TMPDIR to a folder with room')])
    expect(status).not.toBe(0)
    expect(stderr).not.toMatch(/damaged|MISSING/)
  }
  const small = run('1m', ['extract', snapshot, 'uploads/uploads.00001.tar', '-i', key, '-o', 'TARGET'])
  expect([small.status, small.stderr]).toEqual([1, expect.stringMatching(/3 MB to write, 1 MB are free in [^]*has too little room: give -o a place with 3 MB/)])
})

test('with a passphrase, age asks for it on the terminal, each time or once for the identity', async () => {
  const store = fresh('passphrase')
  const { id } = await backUp({ folder: store, encryptionKey: passphrase, sources: { app: [{ name: 'app.dump', bytes: first }] } })
  const file = fresh('app.dump')
  const asked = await recoverOnTerminal(store, ['extract', id, 'app.dump', '-o', file], passphrase)
  expect(asked.status).toBe(0)
  expect(asked.printed).not.toContain('AGE-SECRET-KEY')
  expect(readFileSync(file).equals(first)).toBe(true)

  const identity = fresh('identity.txt')
  expect((await recoverOnTerminal(store, ['identity', '-o', identity], passphrase)).status).toBe(0)
  expect(readFileSync(identity, 'utf8')).toMatch(/^AGE-SECRET-KEY-1[0-9A-Z]+\n$/)
  expect(recover(store, ['extract', id, 'app.dump', '-i', identity]).stdout.equals(first)).toBe(true)

  const wrong = await recoverOnTerminal(store, ['identity', '-o', fresh('wrong')], 'not the passphrase')
  expect(wrong).toMatchObject({ status: 1, printed: expect.stringMatching(/keys\/[0-9a-f]{16}\.age could not be opened: a wrong passphrase/) })
})

test('the key of an extra recipient opens everything, after a word that it cannot tell who wrote it', () => {
  expectRefused(original.folder, /was made with the key [0-9a-f]{16}, which .* does not hold[^]*add --unauthenticated/, original.extraKey)
  const outcome = recover(original.folder, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.extraKey, '--unauthenticated'])
  expect(outcome.stderr).toMatch(/warning: the MAC of snapshot .* cannot be checked/)
  expect(outcome.stdout.equals(second)).toBe(true)
})

test('a foreign key is refused with the name of the right one', async () => {
  const foreign = identityFile((await newIdentity()).identity)
  expectRefused(original.folder, /was made with the key [0-9a-f]{16}, which .* does not hold/, foreign)
  const insisting = recover(original.folder, ['streams', original.ids[1]!, '-i', foreign, '--unauthenticated'])
  expect(insisting).toMatchObject({ status: 1, stderr: expect.stringContaining('could not be opened with this key') })
})

test('a chunk that is missing, truncated, damaged or swapped is named, and no file is left', () => {
  let store = copyOfStore()
  let { chunk, base } = difference(store)
  rmSync(chunk)
  expectRefused(store, new RegExp(`chunk ${named(chunk)} is missing: chunks/.*\n.*NOT restored`))

  store = copyOfStore()
  ;({ base } = difference(store))
  rmSync(base)
  expectRefused(store, new RegExp(`chunk ${named(base)} is missing`))

  store = copyOfStore()
  ;({ base } = difference(store))
  truncateSync(base, 100_000)
  expectRefused(store, new RegExp(`chunk ${named(base)} is damaged: .* has 100000 bytes, [0-9]+ were stored`))

  store = copyOfStore()
  ;({ chunk } = difference(store))
  const bytes = readFileSync(chunk)
  bytes[bytes.length - 20]! ^= 1
  writeFileSync(chunk, bytes)
  expectRefused(store, new RegExp(`chunk ${named(chunk)} is damaged: age does not open`))

  store = copyOfStore()
  const entries = new PlainReader(store, original.key).header(`app/${original.ids[1]}`).chunks
  ;({ base } = difference(store))
  const other = entries.find((entry) => entry[3] === null && entry[0] !== named(base))!
  copyFileSync(path.join(store, 'chunks', other[0].slice(0, 2), `${other[0]}-${other[4]}`), base)
  expectRefused(store, new RegExp(`chunk ${named(base)} is damaged`))
})

test('a chunk that another one of the same size was sealed for is told by its id', async () => {
  const store = copyOfStore()
  const { base } = difference(store)
  const [, size, storedSize] = new PlainReader(store, original.key).header(`app/${original.ids[1]}`).chunks.find(([id]) => base.includes(id))!
  const { recipients } = await openKeys(identity, { store: new FileStore(store), recipients: [(await newIdentity()).recipient], create: false })
  const forged = await encrypt(compress(noise('forged', size), 3), recipients)
  expect(forged.length).toBe(storedSize)
  writeFileSync(base, forged)
  expectRefused(store, new RegExp(`chunk ${path.basename(base).slice(0, 64)} is damaged: .* holds the bytes of another chunk`))
})

test('of a database, a stream of any name that a file can have is written, beside the list of all of them', async () => {
  const store = place()
  const streams = ['app.dump', 'streams', 'streams.list'].map((name) => ({ name, format: name === 'app.dump' ? 'pg_dump-custom' as const : 'sql' as const, bytes: noise(name, 2000) }))
  const { id } = await backUp({ folder: store, encryptionKey: identity, sources: { app: streams } })
  const target = path.join(path.dirname(store), 'files')
  expect(recover(store, ['database', id, 'app', '-i', original.key, '-o', target])).toMatchObject({ status: 0 })
  for (const { name, bytes } of streams) expect(readFileSync(path.join(target, name)).equals(bytes)).toBe(true)
  expect(readFileSync(path.join(target, '.streams'), 'utf8')).toBe('app.dump\nstreams\nstreams.list\n')
})

test('a stream that is not the one recorded is not handed over', async () => {
  const store = copyOfStore()
  const files = new FileStore(store)
  const keys = await openKeys(identity, { store: files, create: false })
  const key = snapshotKey('app', original.ids[1]!)
  const snapshot = await decodeSnapshot(key, await files.get(key, ANY_SIZE), keys)
  const content = await openManifest(snapshot)
  const { manifest: _, ...header } = snapshot.header
  content.sources[0]!.streams[0]!.sum = '0'.repeat(64)
  await files.put(key, await encodeSnapshot(header, content, keys))
  expectRefused(store, /app\/app\.dump was NOT restored: its sum is [0-9a-f]{64}, the manifest says 0{64}\. The snapshot contradicts itself: try an earlier one \(recover\.sh list prints them\)\. Section 6 of RECOVERY\.md writes/)
})

test('a snapshot of a backup that read its sources again, which names the marks of its earlier readings, is read', async () => {
  const store = copyOfStore()
  const files = new FileStore(store)
  const keys = await openKeys(identity, { store: files, create: false })
  const key = snapshotKey('app', original.ids[1]!)
  const snapshot = await decodeSnapshot(key, await files.get(key, ANY_SIZE), keys)
  const { manifest: _, ...header } = snapshot.header
  await files.put(key, await encodeSnapshot(header, { ...(await openManifest(snapshot)), marks: ['01234567'] }, keys))
  expect(recover(store, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.key]).stdout.equals(second)).toBe(true)
})

/** Changes the header the way somebody can who has the store but no key, and the old MAC stays; or, with `keys`, somebody who has it. */
function editHeader(store: string, edit: (header: Record<string, unknown>) => void, keys?: Keys): void {
  const id = original.ids[1]!
  const file = path.join(store, 'snapshots/app', `${id}.json.zst`)
  const object = readFileSync(file)
  const header = JSON.parse(zstdDecompressSync(object.subarray(93)).toString())
  edit(header)
  const frame = zstdCompressSync(JSON.stringify(header))
  writeFileSync(file, keys ? sign(frame, keys, 'snapshot') : Buffer.concat([object.subarray(0, 93), frame]))
}

test('a snapshot that was edited, moved or truncated is not believed', () => {
  let store = copyOfStore()
  editHeader(store, (header) => (header.tags = ['edited']))
  expectRefused(store, /was changed after it was made, by damage or by someone without the key: its MAC is wrong/)

  store = copyOfStore()
  mkdirSync(path.join(store, 'snapshots/other'))
  renameSync(path.join(store, 'snapshots/app', `${original.ids[1]}.json.zst`), path.join(store, 'snapshots/other', `${original.ids[1]}.json.zst`))
  expectRefused(store, /snapshots\/other\/.* is no readable lifeboat\/1 snapshot: damaged, out of place/)
  expect(recover(store, ['list'])).toMatchObject({ status: 1, stderr: expect.stringContaining('snapshots/other/') })

  store = copyOfStore()
  truncateSync(path.join(store, 'snapshots/app', `${original.ids[1]}.json.zst`), 300)
  expectRefused(store, /its MAC is wrong/)
  truncateSync(path.join(store, 'snapshots/app', `${original.ids[1]}.json.zst`), 90)
  expectRefused(store, /is no readable lifeboat\/1 snapshot: damaged/)

  rmSync(path.join(store, 'snapshots/app', `${original.ids[1]}.json.zst`))
  expectRefused(store, /snapshot .* is not in /)
})

test('--unauthenticated is for the keys of others: with the key that the snapshot names, its MAC decides', async () => {
  const store = copyOfStore()
  editHeader(store, (header) => (header.tags = ['edited']))
  const forged = recover(store, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.key, '--unauthenticated'])
  expect(forged).toMatchObject({ status: 1, stdout: Buffer.alloc(0), stderr: expect.stringContaining('its MAC is wrong') })
  const tools = fresh('without-age-keygen')
  mkdirSync(tools)
  for (const name of readdirSync('/usr/bin')) if (name !== 'age-keygen') symlinkSync(path.join('/usr/bin', name), path.join(tools, name))
  const blind = recover(store, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.key, '--unauthenticated'], { ...plainEnvironment, PATH: tools })
  expect(blind).toMatchObject({ status: 1, stdout: Buffer.alloc(0), stderr: expect.stringContaining('age-keygen is not installed') })
})

test('headers out of range, with unknown members, or made to break out of the store are refused, even with the right MAC', async () => {
  const keys = await openKeys(identity, { store: new FileStore(original.folder), create: false })
  const edits: ((header: Record<string, any>) => void)[] = [
    (header) => (header.added = -1),
    (header) => (header.extra = true),
    (header) => (header.format = 'lifeboat/2'),
    (header) => (header.set = '../app'),
    (header) => (header.chunks[0][0] = '../../../etc/passwd'),
    (header) => (header.chunks[0][1] = 8 * 1024 * 1024 + 1),
    (header) => (header.chunks.find((entry: unknown[]) => entry[3] !== null)[3] = 99_999),
    (header) => (header.chunks[0][4] = '0/../../'),
    (header) => (header.tags = ['two\nlines']),
    (header) => (header.id = `${header.id}\n`),
  ]
  for (const edit of edits) {
    const store = copyOfStore()
    editHeader(store, edit, keys)
    expectRefused(store, /is no readable lifeboat\/1 snapshot/)
  }
})

test('names of streams cannot reach the terminal or the file system', async () => {
  const store = fresh('names')
  const { id } = await backUp({ folder: store, encryptionKey: identity, sources: { '../../up': [{ name: 'a\u001b[31m\tb\n', bytes: globals }] } })
  const key = identityFile(identity)
  const { stdout } = recover(store, ['streams', id, '-i', key])
  expect(stdout.toString()).toMatch(/ {2}\.\.\/\.\.\/up\/a\?\[31m\?b\?\n$/)
  const outcome = recover(store, ['extract', id, '../../up/a\u001b[31m\tb\n', '-i', key])
  expect(outcome.stdout.equals(globals)).toBe(true)
})

test('a store of another format, a missing program, an existing file and a wrong argument are named', () => {
  const store = copyOfStore()
  writeFileSync(path.join(store, 'lifeboat.json'), '{"format":"lifeboat/2"}')
  expectRefused(store, /lifeboat\.json does not say \{"format":"lifeboat\/1"\}/)

  const programs = fresh('programs')
  mkdirSync(programs)
  for (const name of readdirSync('/usr/bin')) if (name !== 'zstd') symlinkSync(path.join('/usr/bin', name), path.join(programs, name))
  expectRefused(original.folder, /zstd is not installed/, original.key, { ...plainEnvironment, PATH: programs })

  const existing = fresh('existing')
  writeFileSync(existing, 'mine')
  const outcome = recover(original.folder, ['extract', original.ids[1]!, 'globals.sql', '-i', original.key, '-o', existing])
  expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining('exists already') })
  expect(readFileSync(existing, 'utf8')).toBe('mine')

  expect(recover(original.folder, ['extract', original.ids[1]!, 'nothing', '-i', original.key])).toMatchObject({ status: 1, stderr: expect.stringContaining('has no stream of that name') })
  expect(recover(original.folder, ['extract', '../x', 'app.dump', '-i', original.key])).toMatchObject({ status: 2, stderr: expect.stringContaining('is no snapshot id') })
  expect(recover(original.folder, ['streams', original.ids[1]!])).toMatchObject({ status: 2, stderr: expect.stringContaining('give the key with -i FILE') })
})

test('recover.sh leaves nothing behind, not even when it fails', () => {
  const temporary = fresh('tmp')
  mkdirSync(temporary)
  const store = copyOfStore()
  const environment = { ...plainEnvironment, TMPDIR: temporary }
  expect(recover(store, ['extract', original.ids[1]!, 'app/app.dump', '-i', original.key], environment).status).toBe(0)
  rmSync(difference(store).base)
  expectRefused(store, /is missing/, original.key, environment)
  expect(readdirSync(temporary)).toEqual([])
})

test('a volume comes back with the commands of RECOVERY.md, hard links across segments included', async () => {
  const folder = fresh('volume')
  mkdirSync(path.join(folder, 'root/sub'), { recursive: true })
  const root = path.join(folder, 'root')
  for (const name of ['one', 'sub/two']) {
    writeFileSync(path.join(root, name), name)
    truncateSync(path.join(root, name), 34_000_000)
  }
  linkSync(path.join(root, 'one'), path.join(root, 'sub/link'))
  const volumes = new Volumes(folder)
  const { snapshot } = await volumes.backup({ volumes: `uploads=${root}` })
  runBlocks(volumes.store, blocksOf(volumes.store, '**A volume**', '## 5.'), snapshot)
  expect(contentsOf(path.join(folder, 'recovery/uploads'))).toEqual(contentsOf(root))

  rmSync(path.join(folder, 'recovery'), { recursive: true })
  const { streams, volume } = byHand(volumes.store)
  expect(runBlocks(volumes.store, [...streams, volume], snapshot)).toMatch(/\nall 6 streams are as recorded\nall 5 files and folders are there\n$/)
  expect(contentsOf(path.join(folder, 'recovery/uploads'))).toEqual(contentsOf(root))
  rmSync(path.join(folder, 'recovery/files/uploads.00002.tar'))
  const partial = spawnSync('bash', ['-c', `files=files; rm -r uploads\n${volume}`], { cwd: path.join(folder, 'recovery'), encoding: 'utf8' })
  expect(partial).toMatchObject({ status: 1, stdout: expect.stringMatching(/^NOT all is there: [1-4] of 5\n$/) })
})

test('of a damaged volume, everything that the damage does not touch comes back, the rest is named, and the status is 1', async () => {
  const folder = fresh('damaged')
  const root = path.join(folder, 'root')
  for (let number = 0; number < 120; number++) {
    const place = path.join(root, `d ${number % 5}`)
    mkdirSync(place, { recursive: true })
    writeFileSync(path.join(place, `file ${number} ü -> x`), noise(`${number}`, number % 4 === 0 ? 300_000 : 9_000))
  }
  symlinkSync('d 1', path.join(root, 'd 2/symbolic'))
  // Copies of everything in a tar: content that looks like members of the archive.
  execFileSync('tar', ['--create', '--format=posix', '--file=nested.tar', './d 3', './d 4'], { cwd: root })
  const volumes = new Volumes(folder)
  const { snapshot } = await volumes.backup({ volumes: `uploads=${root}` })
  const key = identityFile(identity)
  const { chunks } = new PlainReader(volumes.store, key).header(`default/${snapshot}`)
  const files = execFileSync('find', ['.', '-type', 'f', '-printf', '%p\n'], { cwd: root, encoding: 'utf8' }).trim().split('\n').toSorted()
  const large = chunks.filter(([, size]) => size > 100_000).map(([id, , , , mark]) => path.join(volumes.store, 'chunks', id.slice(0, 2), `${id}-${mark}`))
  expect(large.length).toBeGreaterThan(3)
  let holes = 0
  for (const lost of [[large[0]!], [large.at(-1)!], [large[1]!, large[3]!]]) {
    for (const file of lost) renameSync(file, `${file}.away`)
    const target = fresh('target')
    const { status, stderr } = recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', target])
    expect([status, stderr]).toEqual([1, expect.stringMatching(/uploads is restored in \S+ in part: everything that is missing is named above/)])
    const there = execFileSync('find', ['.', '-type', 'f', '-printf', '%p\n'], { cwd: target, encoding: 'utf8' }).trim().split('\n')
    const missing = [...stderr.matchAll(/^recover\.sh: MISSING: (.*[^/])$/gm)].map(([, name]) => name!).filter((name) => !name.includes('symbolic'))
    expect([...there, ...missing].toSorted()).toEqual(files)
    expect(there.length).toBeGreaterThan(files.length / 3)
    for (const name of there) expect(readFileSync(path.join(target, name)).equals(readFileSync(path.join(root, name)))).toBe(true)

    const withZeros = fresh('target')
    const kept = recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', withZeros, '--keep-damaged'])
    expect(kept.status).toBe(1)
    for (const [, name, places] of kept.stderr.matchAll(/^recover\.sh: MISSING: (\.\/.*?)(: .*)?$/gm)) {
      if (name!.endsWith('/') || name!.includes('symbolic')) continue
      expect(existsSync(path.join(withZeros, name!))).toBe(places !== undefined)
      if (places === undefined) continue
      const expected = readFileSync(path.join(root, name!))
      for (const [, size, start] of places.matchAll(/(\d+) bytes from byte (\d+) on/g)) expected.fill(0, Number(start), Number(start) + Number(size))
      expect(readFileSync(path.join(withZeros, name!)).equals(expected)).toBe(true)
      holes++
    }
    for (const name of there) expect(readFileSync(path.join(withZeros, name)).equals(readFileSync(path.join(root, name)))).toBe(true)
    for (const file of lost) renameSync(`${file}.away`, file)
  }
  expect(holes).toBeGreaterThan(0)

  // Without the list: everything if the archives are whole, and else all before the damage.
  const reader = new PlainReader(volumes.store, key)
  const list = reader.streams(`default/${snapshot}`).find(({ name }) => name.endsWith('.list'))!
  const ofList = chunks.filter(([, size]) => size === list.bytes.length).map(([id, , , , mark]) => path.join(volumes.store, 'chunks', id.slice(0, 2), `${id}-${mark}`))
  expect(ofList).toHaveLength(1)
  renameSync(ofList[0]!, `${ofList[0]!}.away`)
  const unlisted = fresh('target')
  expect(recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', unlisted])).toMatchObject({ status: 0, stderr: expect.stringMatching(/the list of the files of uploads is damaged[^]*uploads is whole in/) })
  expect(contentsOf(unlisted)).toEqual(contentsOf(root))
  renameSync(large[3]!, `${large[3]!}.away`)
  const beginning = fresh('target')
  const { status, stderr } = recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', beginning])
  const [, unnamed] = /MISSING: (\d+) files, links or folders of uploads\/uploads\.\d+\.tar, with their names/.exec(stderr)!
  const found = execFileSync('find', ['.', '-printf', '%y %p\n'], { cwd: beginning, encoding: 'utf8' }).trim().split('\n')
  expect([status, found.length + Number(unnamed)]).toEqual([1, list.bytes.toString('latin1').trimEnd().split('\n').length])
  for (const name of found.filter((line) => line.startsWith('f ')).map((line) => line.slice(2))) expect(readFileSync(path.join(beginning, name)).equals(readFileSync(path.join(root, name)))).toBe(true)
  expect(found.length).toBeGreaterThan(10)
  renameSync(`${large[3]!}.away`, large[3]!)
  renameSync(`${ofList[0]!}.away`, ofList[0]!)
  const target = fresh('target')
  expect(recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', target])).toMatchObject({ status: 0, stderr: expect.stringContaining('uploads is whole in') })
  expect(contentsOf(target)).toEqual(contentsOf(root))
})

test('files with control characters and backslashes in their names come back from a damaged volume, and no name reaches the terminal as it is', async () => {
  const folder = fresh('names')
  const root = path.join(folder, 'root')
  mkdirSync(root, { recursive: true })
  const odd = ['line\nend', 'tab\there', 'back\\slash', 'x\\x41', 'bell\x07', 'red\x1b[31m', 'c1\u009b31m', 'rtl\u202egpj', 'ünï code', 'del\x7f']
  for (const name of odd) writeFileSync(path.join(root, name), `of ${name}`)
  const raw = Buffer.concat([Buffer.from(`${root}/raw`), Buffer.from([0xff, 0x0a])])
  writeFileSync(raw, 'raw')
  symlinkSync('to\n\\x', path.join(root, 'link -> \t'))
  const hostile = 'large\u009b31m\u202e'
  for (const name of [hostile, 'other', 'third', 'fourth']) writeFileSync(path.join(root, name), noise(name, 2_000_000))
  linkSync(path.join(root, 'third'), path.join(root, 'zz'))
  // tar pads times that have fewer digits.
  for (const [name, time] of Object.entries({ other: 1_700_000_000.25, fourth: 1_700_000_000 })) utimesSync(path.join(root, name), time, time)
  const volumes = new Volumes(folder)
  const { snapshot } = await volumes.backup({ volumes: `uploads=${root}` })
  const key = identityFile(identity)
  const { chunks } = new PlainReader(volumes.store, key).header(`default/${snapshot}`)
  const large = chunks.filter(([, size]) => size > 100_000).map(([id, , , , mark]) => path.join(volumes.store, 'chunks', id.slice(0, 2), `${id}-${mark}`))
  expect(large.length).toBeGreaterThan(3)
  const all = readdirSync(root, 'latin1').toSorted()
  const came = new Set<string>()
  let [said, linked] = ['', false]
  // The member after a damaged one is missing as well, and chunks are in the order of their ids: which chunk is whose differs from run to run.
  for (const lost of large) {
    renameSync(lost, `${lost}.away`)
    const target = fresh('target')
    const { status, stderr } = recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', target])
    expect(status).toBe(1)
    said += stderr
    for (const name of readdirSync(target, 'latin1')) came.add(name)
    if (stderr.includes('MISSING: ./third')) {
      expect(stderr).toContain('MISSING: ./zz link to ./third\n')
      const kept = recover(volumes.store, ['volume', snapshot, 'uploads', '-i', key, '-o', fresh('target'), '--keep-damaged']).stderr
      expect(/MISSING: .\/zz link to .\/third(.*)/.exec(kept)?.[1]).toBe(/MISSING: .\/third(.*)/.exec(kept)![1])
      linked = true
    }
    renameSync(`${lost}.away`, lost)
    if (came.size === all.length && linked && said.includes('MISSING: ./large')) break
  }
  expect([...came].toSorted()).toEqual(all)
  expect(linked).toBe(true)
  expect(said).toContain('MISSING: ./large?31m?\n')
  // eslint-disable-next-line no-control-regex
  expect(said).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/)
})

/** All that belongs to the database itself, and the roles of its server. */
const rest = (one: Server): Promise<string> => one.sql(`SELECT json_agg(json_build_array(datname, pg_get_userbyid(datdba), datconnlimit, datacl::text, datcollate,
  (SELECT json_agg(json_build_array(setrole::regrole, setconfig)) FROM pg_db_role_setting WHERE setdatabase = d.oid),
  (SELECT json_agg(json_build_array(rolname, rolpassword, rolcanlogin) ORDER BY rolname) FROM pg_authid WHERE rolname !~ '^(pg_|postgres$)'),
  (SELECT json_agg(json_build_array(roleid::regrole, member::regrole)) FROM pg_auth_members WHERE member > 16000))) FROM pg_database d WHERE datname = 'app'`)

describe('a PostgreSQL database', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(15)
  })
  afterAll(() => server?.stop())

  /** pg_dump's output; throws unless it ended well. */
  async function* dump(database: string): AsyncGenerator<Buffer, void, void> {
    const program = path.join(clientDirectory(15), 'pg_dump')
    const child = spawn(program, ['--format=custom', '--compress=0'], { env: { ...process.env, ...clientEnvironment(server, database) }, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'close')
    yield* child.stdout as AsyncIterable<Buffer>
    expect(await ended).toEqual([0, null])
  }

  test('comes back on a fresh server with the commands of RECOVERY.md, with its roles, owner, privileges and settings', async () => {
    const [old, fresher] = await Promise.all([startServer(17), startServer(17)])
    try {
      await old.sql(`CREATE ROLE owner; CREATE ROLE app LOGIN PASSWORD 'of app'; GRANT owner TO app`)
      await old.createDatabase('app')
      await old.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) FROM generate_series(1, 2000) g; ALTER TABLE orders OWNER TO owner; GRANT SELECT ON orders TO app;
        ALTER DATABASE app OWNER TO owner; ALTER DATABASE app SET work_mem = '17MB'; ALTER DATABASE app CONNECTION LIMIT 42; GRANT CREATE ON DATABASE app TO app; ALTER ROLE app IN DATABASE app SET statement_timeout = '5s'`, 'app')
      const store = place()
      const variables = { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }
      const { result } = await dispatched('backup', { destination: `file:${store}`, 'encryption-key': identity, 'database-url': old.url('app') }, new Date(), { variables, temporary: fresh('tmp') })
      rmSync(path.join(store, 'lifeboat.json'))
      const again = /`(printf [^`]* > store\/lifeboat\.json)`/.exec(readFileSync(path.join(store, 'RECOVERY.md'), 'utf8'))![1]!
      const env = { ...plainEnvironment, ...clientEnvironment(fresher, 'postgres'), PATH: `${clientDirectory(17)}:${plainEnvironment.PATH}` }
      const [work, ...blocks] = [...blocksOf(store, '## 2.', '**A volume**')]
      runBlocks(store, [`${again}\n${work}`, ...blocks], result.snapshot, env)
      expect(await compareDatabases({ server: old, database: 'app' }, { server: fresher, database: 'app' })).toEqual([])
      expect(await rest(fresher)).toBe(await rest(old))
    } finally {
      await Promise.all([old.stop(), fresher.stop()])
    }
  })

  describe('with the rows of large tables in archives of their own', () => {
    let store: string
    let id: string
    let dumped: DumpedParts
    const key = identityFile(identity)
    const streams = () => [...dumped.streams, { name: 'globals.sql', format: 'sql', bytes: Buffer.from('CREATE ROLE of_globals;\n') }]
    beforeAll(async () => {
      await server.createDatabase('app')
      await server.sql(`CREATE SCHEMA "odd ""one"; CREATE TABLE orders (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (2 * id) STORED); INSERT INTO orders SELECT generate_series(1, 3000);
        CREATE TABLE "odd ""one"."the items" (id serial PRIMARY KEY, "order" int REFERENCES orders); INSERT INTO "odd ""one"."the items" ("order") SELECT generate_series(1, 2000);
        CREATE TABLE notes AS SELECT g AS id FROM generate_series(1, 500) g;
        CREATE TABLE small AS SELECT 1 AS id; CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM orders; SELECT lo_from_bytea(77, 'large');
        CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END'; CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION t()`, 'app')
      dumped = await dumpInParts(server, 'app', [partOf(['public', 'orders'], ['public', 'notes']), { ...partOf(['odd "one', 'the items']), largeObjects: true }], 15)
      store = place()
      ;({ id } = await backUp({ folder: store, encryptionKey: identity, sources: { app: streams() }, kind: { kind: 'postgres', facts: JSON.parse(JSON.stringify(dumped.facts)) } }))
    })

    test('comes back with the commands of RECOVERY.md', async () => {
      const fresher = await startServer(15)
      try {
        const env = { ...plainEnvironment, ...clientEnvironment(fresher, 'postgres'), PATH: `${clientDirectory(15)}:${plainEnvironment.PATH}` }
        // The source has another name than the database; only the places that the page names are changed.
        const other = place()
        const facts = JSON.parse(JSON.stringify(dumped.facts).replaceAll('"app.', '"big.'))
        const renamed = streams().map((stream) => ({ ...stream, name: stream.name.replace(/^app\./, 'big.') }))
        const made = await backUp({ folder: other, encryptionKey: identity, sources: { big: renamed }, kind: { kind: 'postgres', facts } })
        const commands = blocksOf(other, '## 2.', '**A volume**').map((block) => block.replace(/(?<=recover.sh" database \S+ )app /, 'big ').replace('name=app', 'name=big'))
        const printed = runBlocks(other, commands, made.id, env)
        expect(printed.match(/(?:NOT restored|loaded): .*/g)).toEqual(['loaded: files/big.1.dump', 'loaded: files/big.2.dump'])
        expect(await compareDatabases({ server, database: 'app' }, { server: fresher, database: 'app' })).toEqual([])
        expect(await fresher.sql(`SELECT count(*) FROM pg_roles WHERE rolname = 'of_globals'`)).toBe('1')

        // The same files by hand; and a part that is missing is said to be.
        rmSync(path.join(path.dirname(other), 'recovery'), { recursive: true })
        await fresher.sql('DROP DATABASE app')
        const intoNew = blocksOf(other, '## 4.', '**A volume**').at(-1)!.replace('name=app', 'name=big')
        expect(runBlocks(other, [...byHand(other).streams, intoNew], made.id, env)).toMatch(/all 4 streams are as recorded\n[^]*\nloaded: files\/big\.1\.dump\nloaded: files\/big\.2\.dump\n/)
        expect(await compareDatabases({ server, database: 'app' }, { server: fresher, database: 'app' })).toEqual([])
        const work = path.join(path.dirname(other), 'recovery')
        rmSync(path.join(work, 'files/big.1.dump'))
        await fresher.sql('DROP DATABASE app')
        const partial = spawnSync('/bin/sh', ['-c', intoNew], { cwd: work, env, encoding: 'utf8' })
        expect(partial.stdout).toMatch(/\nNOT restored: files\/big\.1\.dump\nloaded: files\/big\.2\.dump\n/)
      } finally {
        await fresher.stop()
      }
    })

    test('is listed with its tables, and whoever takes the main archive alone is told', () => {
      expect(recover(store, ['streams', id, '-i', key]).stdout.toString()).toMatch(/ app\/app\.dump\n.* app\/app\.1\.dump, the rows of public\.notes, the rows of public\.orders\n.* app\/app\.2\.dump, the rows of odd "one\.the items, large objects\n.* app\/globals\.sql\n$/)
      const warning = 'WARNING: rows of large tables, or large objects, are not in this archive, but in archives of their own: app/app.1.dump, app/app.2.dump.'
      const [main, part] = ['app/app.dump', 'app/app.1.dump'].map((name) => recover(store, ['extract', id, name, '-i', key, '-o', fresh('x.dump')]))
      expect(main).toMatchObject({ status: 0, stderr: expect.stringContaining(warning) })
      expect(part).toMatchObject({ status: 0, stderr: expect.not.stringContaining('WARNING') })
    })

    test('is written whole or not at all', async () => {
      const damagedStore = place()
      cpSync(store, damagedStore, { recursive: true })
      const { chunks } = new PlainReader(damagedStore, key).header(`app/${id}`)
      const file = ([chunk, , , , mark]: (typeof chunks)[number]): string => path.join(damagedStore, 'chunks', chunk.slice(0, 2), `${chunk}-${mark}`)
      const target = path.join(path.dirname(damagedStore), 'app')
      expect(chunks).toHaveLength(4)
      for (const place of chunks.keys()) {
        const lost = file(chunks[place]!)
        renameSync(lost, `${lost}.away`)
        expect(recover(damagedStore, ['database', id, 'app', '-i', key, '-o', target])).toMatchObject({ status: 1, stderr: expect.stringMatching(/NOT restored\. If an object of the store is damaged or missing, try an earlier snapshot \(recover\.sh list prints them\); section 5 of RECOVERY\.md gets out/) })
        expect(readdirSync(path.dirname(damagedStore))).toEqual(['store'])
        if (place === 1) {
          const left = recover(damagedStore, ['extract', id, 'app/app.1.dump', '-i', key, '-o', target, '--skip-damaged'])
          expect(left).toMatchObject({ status: 1, stderr: expect.stringContaining('stream app/app.1.dump was NOT restored: its table of contents is damaged') })
        }
        renameSync(`${lost}.away`, lost)
      }
      for (const given of [streams().filter(({ name }) => name !== 'app.1.dump'), [...streams(), { name: 'other.dump', bytes: dumped.streams[0]!.bytes }], [...streams(), { name: '../x', format: 'sql', bytes: Buffer.alloc(0) }]]) {
        const { id: other } = await backUp({ folder: damagedStore, encryptionKey: identity, sources: { app: given }, kind: { kind: 'postgres', facts: JSON.parse(JSON.stringify(dumped.facts)) } })
        expect(recover(damagedStore, ['database', other, 'app', '-i', key, '-o', target])).toMatchObject({ status: 1, stderr: expect.stringContaining('app is NOT whole in snapshot') })
      }
      expect(recover(damagedStore, ['database', id, 'none', '-i', key, '-o', target])).toMatchObject({ status: 2, stderr: expect.stringContaining('has no database of that name') })
      expect(recover(damagedStore, ['database', id, 'app', '-i', key, '-o', target])).toMatchObject({ status: 0 })
      expect(readdirSync(target).toSorted()).toEqual(['.streams', 'app.1.dump', 'app.2.dump', 'app.dump', 'globals.sql'])
      expect(readFileSync(path.join(target, 'app.2.dump')).equals(dumped.streams[2]!.bytes)).toBe(true)
    })
  })

  test('comes back whole, twice, with nothing but recover.sh, age, zstd, jq and pg_restore', async () => {
    await server.createDatabase('shop')
    await loadDataset(server, 'shop', { megabytes: 8 })
    await server.sql('CREATE DATABASE shop_before TEMPLATE shop')
    const store = fresh('database')
    const one = await backUp({ folder: store, encryptionKey: identity, sources: { shop: [{ name: 'shop.dump', bytes: dump('shop') }] } })
    await changeDataset(server, 'shop')
    const two = await backUp({ folder: store, encryptionKey: identity, sources: { shop: [{ name: 'shop.dump', bytes: dump('shop') }] } })
    expect(two.deltaChunks).toBeGreaterThan(0)

    const key = identityFile(identity)
    for (const [id, live, restored] of [[one.id, 'shop_before', 'restored_before'], [two.id, 'shop', 'restored']] as const) {
      const file = fresh('shop.dump')
      expect(recover(store, ['extract', id, 'shop/shop.dump', '-i', key, '-o', file])).toMatchObject({ status: 0 })
      await server.createDatabase(restored)
      await run(path.join(clientDirectory(15), 'pg_restore'), ['--exit-on-error', '-d', restored, file], { env: clientEnvironment(server, restored) })
      expect(await compareDatabases({ server, database: live }, { server, database: restored })).toEqual([])
    }
  })
})

test.each(['size=4k', 'size=8k', 'size=12k', 'size=16k', 'size=20k', 'nr_inodes=3', 'nr_inodes=4', 'nr_inodes=5', 'nr_inodes=6', 'nr_inodes=7'])(
  'a temporary folder without room (%s) makes no snapshot look damaged',
  (options) => {
    const temporary = fresh('tmp')
    mkdirSync(temporary)
    const [command, ...args] = mounting(`mount -t tmpfs -o ${options} none "$1"`, temporary)
    const ending = spawnSync(command!, [...args, '/bin/sh', path.join(original.folder, 'recover.sh'), 'list'], { env: { ...plainEnvironment, TMPDIR: temporary }, encoding: 'utf8' })
    expect(ending.stderr).not.toContain('is no readable')
    if (ending.status === 0) expect(ending.stdout.match(/^\d{8}T/gm)).toHaveLength(2)
    else expect(ending.stderr).toMatch(/cannot write to|No space left on device/)
  },
)
