import { ContentsReader, type Entry } from '../../../src/sources/postgres/contents.ts'
import { type Block, DataBlocks } from '../../../src/sources/postgres/data-blocks.ts'
import type { Extent } from '../../../src/repository/extent.ts'
import { type Server, startServer } from '../../support/postgres-server.ts'
import { dump } from '../../support/restoring.ts'

let server: Server
beforeAll(async () => {
  server = await startServer(18)
  await server.createDatabase('rows')
  await server.sql(`
    DO $$ BEGIN FOR n IN 1..30 LOOP
      EXECUTE format('CREATE TABLE t%s AS SELECT g AS id, repeat(md5(g::text), 1 + g %% 9) AS text FROM generate_series(1, %s) g', n, n * n % 23);
    END LOOP; END $$`, 'rows')
  await server.createDatabase('objects')
  await server.sql(`
    CREATE TABLE a AS SELECT g AS id, md5(g::text) FROM generate_series(1, 300) g;
    CREATE TABLE b AS TABLE a; CREATE TABLE c AS TABLE a;
    SELECT lo_from_bytea(0, decode(repeat('00', 100) || repeat(md5(g::text), 900), 'hex')) FROM generate_series(1, 5) g`, 'objects')
})
afterAll(() => server.stop())

interface Archive {
  bytes: Buffer
  start: number
  integer: number
  entries: Entry[]
}

function archiveOf(database: string, ...more: string[]): Archive {
  const bytes = dump(server, database, 18, ...more)
  const contents = new ContentsReader()
  contents.push(bytes)
  const entries = contents.finish().filter(({ kind }) => kind === 'TABLE DATA' || kind === 'BLOBS')
  return { bytes, start: bytes.length - contents.after.length, integer: contents.integer, entries }
}

function found({ bytes, start, integer, entries }: Archive, holes: readonly Extent[], piece = 777): Block[] {
  const holed = Buffer.from(bytes)
  for (const hole of holes) holed.fill(0, hole.start, hole.end)
  const blocks = new DataBlocks(entries, { start, integer, holes })
  for (let at = start; at < holed.length; at += piece) blocks.push(holed.subarray(at, at + piece))
  return blocks.finish()
}

/** Of no entry is a byte in a hole accepted, and only entries in or right after a hole are lost. */
function check(archive: Archive, holes: readonly Extent[], piece: number): void {
  const all = found(archive, [])
  const whole = found(archive, holes, piece)
  const isTouched = (extent: Extent): boolean => holes.some(({ start, end }) => start < extent.end && end > extent.start)
  expect(whole.filter(isTouched)).toEqual([])
  for (const block of whole) expect(all).toContainEqual(block)
  const lost = all.filter(({ id }) => !whole.some((block) => block.id === id))
  const wanted = all.filter((block, place) => isTouched(block) || (all[place - 1] !== undefined && isTouched(all[place - 1]!)))
  for (const block of lost) expect(wanted).toContainEqual(block)
}

test.each([['rows', []], ['rows', ['--inserts']], ['objects', []]] as const)('without damage, every block of %s %s is found', (database, more) => {
  const archive = archiveOf(database, ...more)
  expect(found(archive, []).map(({ id }) => id)).toEqual(archive.entries.map(({ id }) => id))
  expect(found(archive, [], 1)).toEqual(found(archive, []))
  expect(found(archive, []).at(-1)!.end).toBe(archive.bytes.length)
})

test.each([['COPY', []], ['INSERT', ['--inserts']]])('rows as %s: whatever is lost, all other tables are found', (_, more) => {
  const archive = archiveOf('rows', ...more)
  const length = archive.bytes.length - archive.start
  for (let number = 0; number < 300; number++) {
    const start = archive.start + ((number * 7919) % length)
    const other = archive.start + ((number * 104729) % length)
    const holes = [{ start, end: Math.min(archive.bytes.length, start + 1 + ((number * 31) % 3000)) }]
    if (number % 3 === 0 && other > holes[0]!.end) holes.push({ start: other, end: Math.min(archive.bytes.length, other + 100) })
    check(archive, holes, number % 2 === 0 ? 1000 : 113)
  }
})

test('bytes of a large object are never taken for rows', () => {
  const archive = archiveOf('objects')
  const all = found(archive, [])
  const objects = archive.entries.filter(({ kind }) => kind === 'BLOBS').map(({ id }) => id)
  const [first] = all.filter(({ id }) => objects.includes(id))
  // Content of an object that looks like all the data of the tables, and the hole hides its beginning.
  const tables = archive.bytes.subarray(all[1]!.start, first!.start)
  const forged = Buffer.from(archive.bytes)
  Buffer.concat([Buffer.alloc(5), tables]).copy(forged, first!.start + 200)
  const hole = { start: all[1]!.start + 10, end: first!.start + 150 }
  const whole = found({ ...archive, bytes: forged }, [hole])
  expect(whole.map(({ id }) => id)).toEqual([all[0]!.id])
  // A hole in a table alone: all that follows, up to the end, is found.
  expect(found(archive, [{ start: all[0]!.start + 50, end: all[0]!.start + 60 }]).map(({ id }) => id)).toEqual(all.slice(1).map(({ id }) => id))
})
