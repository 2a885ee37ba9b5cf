import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { LifeboatError } from '../../../src/error.ts'
import { changed, ContentsReader, type Entry } from '../../../src/sources/postgres/contents.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'
import { dump, inPieces, loadTenants } from '../../support/restoring.ts'

const isDrop = (line: string) => /^ALTER TABLE IF EXISTS .* DROP CONSTRAINT IF EXISTS (?!of_)(?!.*_fkey;)/.test(line)
/** As an archive has it: sign, then the lowest byte first. */
const number = (value: number) => Buffer.from([0, value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255])

function read(bytes: Buffer, size: number): Entry[] {
  const reader = new ContentsReader()
  for (let at = 0; at < bytes.length; at += size) if (!reader.push(bytes.subarray(at, at + size))) break
  return reader.finish()
}

describe.each([15, 17, 18] as const)('an archive of pg_dump %i', (major) => {
  let server: Server
  let bytes: Buffer
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-contents-'))
    server = await startServer(major)
    await loadTenants(server, 'shop')
    bytes = dump(server, 'shop', major)
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await server.stop()
  })
  const pgRestore = (archive: Buffer, ...parameters: string[]): string => {
    const file = path.join(folder, 'archive')
    writeFileSync(file, archive)
    return execFileSync(path.join(clientDirectory(major), 'pg_restore'), [...parameters, file], { encoding: 'utf8' })
  }

  const statements = (archive: Buffer) => pgRestore(archive, '--clean', '--if-exists', '--schema-only', '-f', '-').split('\n').filter((line) => !/^\\(un)?restrict /.test(line))

  test('has the entries and dependencies that pg_restore lists', () => {
    const lines = pgRestore(bytes, '--list', '--verbose').split('\n').filter((line) => line !== '' && !/^;(?!\tdepends)/.test(line))
    const listed = lines.flatMap((line, at) => (line.startsWith(';') ? [] : [[line, lines[at + 1]?.match(/^;\tdepends on: (.*)/)?.[1] ?? ''] as const]))
    const entries = read(bytes, 1000)
    const ours = entries.map(({ id, kind, schema, name, owner, needs }) => [
      new RegExp(`^${id}; \\d+ \\d+ ${[kind, schema || '-', name.replaceAll('\n', ' '), owner].join(' ').replaceAll(/[^\w ]/g, '\\$&')}$`), needs.join(' ')] as const)
    expect(ours).toHaveLength(listed.length)
    for (const [at, [pattern, needs]] of ours.entries()) {
      expect(listed[at]![0]).toMatch(pattern)
      expect(listed[at]![1]).toBe(needs)
    }
  })

  test('is the same in pieces of every size', () => {
    const whole = read(bytes, bytes.length)
    fc.assert(fc.property(fc.integer({ min: 1, max: 5000 }), (size) => expect(read(bytes, size)).toEqual(whole)), { numRuns: 20 })
  })

  test('without some DROP statements is otherwise the same archive', async () => {
    const constraints = new Set(read(bytes, 4096).filter(({ kind }) => kind === 'CONSTRAINT').map(({ id }) => id))
    const pieces: Buffer[] = []
    for await (const piece of changed(inPieces(bytes)(), { dropless: constraints, first: 'SELECT 1;\n' })) pieces.push(piece)
    const before = statements(bytes)
    expect(before.some(isDrop)).toBe(true)
    expect(statements(Buffer.concat(pieces))).toEqual(before.filter((line) => !isDrop(line)).flatMap((line) => (line.includes("set_config('search_path', ''") ? [line, 'SELECT 1;'] : [line])))
  })

  test('cut or changed anywhere is an error of ours, or is read', () => {
    const head = bytes.subarray(0, 60_000)
    fc.assert(fc.property(fc.nat(head.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
      const changed = Buffer.from(cut ? head.subarray(0, at) : head)
      if (!cut) changed[at] = byte
      try {
        read(changed, 4096)
      } catch (error) {
        expect(error).toBeInstanceOf(LifeboatError)
      }
    }), { numRuns: 300 })
  })
})

test('bytes that promise more than they have are refused at once', () => {
  const head = Buffer.from('PGDMP\x01\x10\x00\x04\x08\x01\x00', 'latin1')
  const reader = new ContentsReader()
  expect(() => reader.push(Buffer.concat([head, ...Array.from({ length: 7 }, () => number(0)), number(0x7fffffff)]))).toThrow('a text has more than')
  expect(() => new ContentsReader().push(Buffer.from('PGDMP\x01\x11\x00\x04\x08\x01', 'latin1'))).toThrow('the archive has format 1.17')
  expect(() => new ContentsReader().push(Buffer.from('not an archive'))).toThrow('it does not begin with PGDMP')
})
