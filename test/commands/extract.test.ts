import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, openSync, ftruncateSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync, closeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { openOutput } from '../../src/commands/extract/output.ts'
import { chunkKey } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { entriesOf, identity } from '../support/engine.ts'
import { clientDirectory, type Server, startServer } from '../support/postgres-server.ts'

let server: Server
let folder: string
let snapshot: string
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  await server.sql('CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 3000) g', 'shop')
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-extract-'))
  const files = path.join(folder, 'files')
  mkdirSync(path.join(files, 'a'), { recursive: true })
  writeFileSync(path.join(files, 'a/first'), noise('first', 3_000_000))
  writeFileSync(path.join(files, 'a/ü * name'), 'odd')
  for (const [name, content] of [['w\\nz', 'backslash'], ['w\nz', 'a newline'], ['s\\057x', 'octal'], ['s\\x', 'other']] as const) writeFileSync(path.join(files, name), content)
  const latin1 = Buffer.concat([Buffer.from(`${files}/`), Buffer.from('lat\xe9in', 'latin1')])
  writeFileSync(latin1, 'latin1')
  linkSync(latin1, path.join(files, 'link to latin1'))
  linkSync(path.join(files, 'a/first'), path.join(files, 'b link'))
  symlinkSync('a/first', path.join(files, 'symbolic'))
  // Segments of their own.
  for (const name of ['large1', 'large2']) writeFileSync(path.join(files, name), noise(name, 33_000_000))
  const sparse = openSync(path.join(files, 'sparse'), 'w')
  writeSync(sparse, 'in the middle', 500_000)
  ftruncateSync(sparse, 1_000_000)
  closeSync(sparse)
  snapshot = (await run('backup', { 'database-url': server.url('shop'), volumes: `files=${files}`, exclude: '*.left' })).result.snapshot
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

class Collected extends Writable {
  readonly #pieces: Buffer[] = []
  override _write(piece: Buffer, _: string, done: () => void): void {
    this.#pieces.push(piece)
    setImmediate(done)
  }
  bytes = (): Buffer => Buffer.concat(this.#pieces)
}

const run = <C extends 'backup' | 'extract' | 'restore'>(command: C, raw: Record<string, string>, output?: Writable) => {
  const given = { variables: { PATH: `${clientDirectory(17)}:${process.env['PATH']}` }, temporary: path.join(folder, 'tmp'), ...(output && { output }) }
  return dispatched(command, { destination: `file:${folder}/store`, 'encryption-key': identity, ...raw }, new Date(), given)
}

async function extracted(source: string, part?: string): Promise<Buffer> {
  const output = new Collected()
  const { result } = await run('extract', { snapshot, source, ...(part !== undefined && { path: part }) }, output)
  expect(result.size).toBe(output.bytes().length)
  return output.bytes()
}

const original = (name: string): Buffer => readFileSync(path.join(folder, 'files', name))

test('a database is the archive that pg_restore reads, and globals.sql is a part of it', async () => {
  const file = path.join(folder, 'shop.dump')
  const { result, text } = await run('extract', { snapshot: 'latest', source: 'shop', output: file })
  expect(result).toMatchObject({ snapshot, source: 'shop', output: file, size: statSync(file).size })
  expect(text).toContain(`shop written to ${file}`)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(execFileSync(path.join(clientDirectory(17), 'pg_restore'), ['--data-only', '-f', '-', file]).toString()).toContain('\n3000\te93028bdc1aacdfb3687181f2031765d\n')
  expect((await extracted('shop', 'globals.sql')).toString()).toContain('CREATE ROLE postgres')
})

test('a volume is one tar, and each file of it is what was backed up', async () => {
  const tar = await extracted('files')
  const listed = execFileSync('tar', ['--list', '--quoting-style=literal', '--file=-'], { input: tar, maxBuffer: 1e9 }).toString()
  expect(listed.split('\n')).toEqual(expect.arrayContaining(['./', './a/', './a/first', './a/ü * name', './b link', './large1', './large2', './sparse', './symbolic']))
  for (const name of ['a/first', 'a/ü * name', 'b link', 'sparse', 'large2']) expect((await extracted('files', name)).equals(original(name))).toBe(true)
  expect((await extracted('files', './a/first')).equals(original('a/first'))).toBe(true)
})

test('a name that tar would read as another one is taken as it is', async () => {
  for (const name of ['w\\nz', 'w\nz', 's\\057x', 's\\x']) expect((await extracted('files', name)).toString()).toBe(original(name).toString())
  expect((await extracted('files', 'link to latin1')).toString()).toBe('latin1')
})

test.each([
  ['files', 'nothing', /files has no file nothing in this snapshot/],
  ['files', 'a/b.left', /has no file a\/b\.left in this snapshot[^]*The patterns of \S*exclude leave out a file of this name/],
  ['files', '../etc/passwd', /files has no file \.\.\/etc\/passwd/],
  ['files', 'a', /a in files is a folder, not a file/],
  ['files', 'symbolic', /symbolic in files is a symbolic link to a\/first/],
  ['shop', 'nothing', /the database shop has no nothing in this snapshot[^]*There are shop\.dump, globals\.sql/],
  ['elsewhere', undefined, /has no database or volume elsewhere[^]*It has shop, files/],
])('%s %s is refused, and no file is left', async (source, part, message) => {
  const output = path.join(folder, 'none')
  expect(await refusal(run('extract', { snapshot, source, ...(part !== undefined && { path: part }), output }))).toMatch(message)
  expect(readdirSync(folder).filter((name) => name.includes('none'))).toEqual([])
})

test('a file that exists is not replaced, and a terminal gets no data', async () => {
  const output = path.join(folder, 'mine')
  writeFileSync(output, 'mine')
  expect(await refusal(run('extract', { snapshot, source: 'shop', output }))).toContain('mine exists already')
  expect(readFileSync(output, 'utf8')).toBe('mine')
  symlinkSync('nowhere', path.join(folder, 'leads nowhere'))
  expect(await refusal(run('extract', { snapshot, source: 'shop', output: path.join(folder, 'leads nowhere') }))).toContain('leads nowhere exists already')
  const terminal = Object.assign(new Collected(), { isTTY: true })
  expect(await refusal(run('extract', { snapshot, source: 'shop' }, terminal))).toContain('standard output is a terminal')
  expect(await refusal(run('extract', { snapshot, source: 'shop' }))).toContain('standard output takes the result, not data')
  expect(terminal.bytes()).toHaveLength(0)
})

test('a file that is made meanwhile is not replaced', async () => {
  const output = path.join(folder, 'meanwhile')
  const opened = await openOutput(output, { signal: new AbortController().signal })
  await opened.write(Buffer.from('ours'))
  writeFileSync(output, 'mine')
  await expect(opened.finish()).rejects.toThrow('meanwhile exists already')
  await opened.close()
  expect(readFileSync(output, 'utf8')).toBe('mine')
  expect(readdirSync(folder).filter((name) => name.startsWith('.lifeboat'))).toEqual([])
})

test('a reader that goes away is an error, with the status that SIGPIPE has', async () => {
  const gone = new Writable({ write: (_, __, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })) })
  await expect(run('extract', { snapshot, source: 'files' }, gone)).rejects.toMatchObject({
    message: expect.stringMatching(/^standard output was closed before everything was written: .*EPIPE/), status: 141 })
})

test('damage is an error, leaves no file, and does not keep other files from being extracted', async () => {
  const store = path.join(folder, 'store')
  const damaged = (await entriesOf(new FileStore(store), snapshot)).filter(([, size]) => size > 500_000).at(-1)!
  rmSync(path.join(store, chunkKey(damaged[0], damaged[4])))
  const output = path.join(folder, 'broken')
  expect(await refusal(run('extract', { snapshot, source: 'files', output }))).toMatch(/chunk chunks\/\S+ is missing/)
  expect(readdirSync(folder).filter((name) => name.includes('broken'))).toEqual([])
  const outcomes = await Promise.all(['large1', 'large2'].map((name) => refusal(run('extract', { snapshot, source: 'files', path: name, output: path.join(folder, name) }))))
  expect(outcomes.filter((one) => /chunk chunks\/\S+ is missing/.test(one))).toHaveLength(1)
  expect(outcomes).toContain('nothing was refused')
  const [said] = outcomes.filter((one) => one !== 'nothing was refused')
  expect(said).toContain('No other snapshot of set default is whole and has files')
  const [, name] = new RegExp(`If a part of it is whole, .* zeros for the rest: \`lifeboat restore --snapshot ${snapshot} --volume files --paths /(large\\d) --target \\./rescued --keep-damaged\`\\.$`).exec(said!)!
  const target = path.join(folder, 'rescued')
  await run('restore', { snapshot, volume: 'files', paths: `/${name}`, target, 'keep-damaged': 'true' })
  const [rescued, whole] = [readFileSync(path.join(target, name!)), original(name!)]
  expect(rescued).toHaveLength(whole.length)
  const zeros = rescued.findIndex((byte, at) => byte !== whole[at])
  expect(zeros).toBeGreaterThan(1_000_000)
  expect(rescued.subarray(zeros, zeros + 500_000).every((byte) => byte === 0)).toBe(true)
})
