import { execFileSync } from 'node:child_process'
import path from 'node:path'
import * as fc from 'fast-check'
import { listArchive, parseWholeArchive, startListing } from '../../../src/sources/postgres/archive.ts'
import { clientEnvironment, parseDatabaseUrl } from '../../../src/sources/postgres/connection.ts'
import { loadSmall } from '../../support/dataset.ts'
import { clientDirectory, type Server, startServer } from '../../support/postgres-server.ts'

const variables = { PATH: process.env.PATH ?? '' }
const context = { client: { major: 17, directory: clientDirectory(17) }, variables }

let server: Server
let bytes: Buffer
beforeAll(async () => {
  server = await startServer(17)
  await server.createDatabase('shop')
  await loadSmall(server, 'shop')
  const env = clientEnvironment(parseDatabaseUrl(server.url('shop')), variables)
  bytes = execFileSync(path.join(clientDirectory(17), 'pg_dump'), ['--format=custom', '--compress=0'], { env })
})
afterAll(() => server.stop())

async function* pieces(bytes: Buffer, size = 4096): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
}

test('an archive is listed from its head, and no more is read than that', async () => {
  let read = 0
  async function* endless(): AsyncGenerator<Buffer> {
    for await (const piece of pieces(bytes)) {
      read += piece.length
      yield piece
    }
    for (;;) yield Buffer.alloc(65536)
  }
  const listing = await listArchive(endless(), context)
  expect(listing).toMatchObject({ dumpMajor: 17, serverVersion: expect.stringMatching(/^17/), dumpVersion: expect.stringMatching(/^17/) })
  expect(listing.entries).toContainEqual(expect.stringMatching(/^\d+; 1259 \d+ TABLE public orders postgres$/))
  expect(listing.entries.some((entry) => entry.startsWith(';'))).toBe(false)
  expect(read).toBeGreaterThan(0)
})

test('a list made while the bytes pass by is the same', async () => {
  const listing = startListing(context)
  let wanted = true
  for await (const piece of pieces(bytes)) if (wanted) wanted = await listing.push(piece)
  expect(await listing.finish()).toEqual(await listArchive(pieces(bytes), context))
})

test('a whole archive is parsed', async () => {
  await parseWholeArchive(pieces(bytes), context)
})

test('an archive is read to its very end, where its own check may throw', async () => {
  await expect(parseWholeArchive(checked(), context)).rejects.toThrow('the SHA-256 is another')
})

async function* checked(): AsyncGenerator<Buffer> {
  yield* pieces(bytes)
  throw new Error('the SHA-256 is another')
}

test('an archive cut anywhere does not parse', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async (length) => {
      await expect(parseWholeArchive(pieces(bytes.subarray(0, length)), context)).rejects.toThrow('pg_restore 17 cannot read the archive')
    }),
    { numRuns: 15 },
  )
})

test('bytes that are no archive are an error', async () => {
  for (const text of ['', 'PGDMP', 'SELECT 1;\n'.repeat(1000)]) {
    await expect(listArchive(pieces(Buffer.from(text)), context)).rejects.toThrow('pg_restore 17 cannot read the archive')
  }
})

test('an archive of a newer format is an error that says so', async () => {
  const old = { client: { major: 15, directory: clientDirectory(15) }, variables }
  await expect(listArchive(pieces(bytes), old)).rejects.toThrow(/the archive has format 1\.\d+, which pg_restore 15 cannot read/)
})

test('an interrupt ends the reading', async () => {
  const abort = new AbortController()
  async function* stalled(): AsyncGenerator<Buffer> {
    yield Buffer.from(bytes.subarray(0, 100))
    abort.abort(new Error('interrupted'))
    yield Buffer.from(bytes.subarray(100))
  }
  await expect(parseWholeArchive(stalled(), { ...context, signal: abort.signal })).rejects.toThrow('interrupted')
})
