import { RecordedEntries } from '../../../src/sources/postgres/archive-parts/recorded-entries.ts'
import type { StoredArchive } from '../../../src/sources/postgres/archive-parts/stored-archive.ts'

const stream = { name: 'app.dump', format: 'pg_dump-custom', size: 1, sum: '', chunks: [] }
const rows = (id: number, name: string): string => `${id}; 0 17000 TABLE DATA public ${name} o`
const main = ['3; 1259 17000 TABLE public a o', '4; 1259 17001 TABLE public b o', '9; 2606 17002 CONSTRAINT public a a_pkey o']
const part = (id: number, ...names: string[]) => ({
  stream: `app.${id}.dump`, id, entries: names.map((name, index) => ({ id: 5 + index, kind: 'TABLE DATA', schema: 'public', name, raw: Buffer.alloc(0) })), record: stream,
  head: { start: 0, end: 1, sum: 0 }, blocks: [],
})
/** As `pg_restore --list` orders them, and with the ids that the assembled archive gives the parts. */
const listed = [main[0]!, main[1]!, rows(20, 'a'), rows(21, 'b'), main[2]!]
const inParts: StoredArchive = {
  main: stream, parts: [part(20, 'a'), part(21, 'b')], dumpMajor: 17, entries: [...main, rows(5, 'a'), rows(6, 'b')], size: 3,
}

function verdict(archive: StoredArchive, lines: readonly string[]): () => void {
  const recorded = new RecordedEntries(archive)
  for (const line of lines) recorded.passes(line)
  return () => recorded.require()
}

test('the entries that were recorded are found, of one archive and of parts under other ids', () => {
  verdict({ ...inParts, parts: [], entries: main }, main)()
  verdict(inParts, listed)()
})

test.each<[string, (lines: readonly string[]) => readonly string[], string]>([
  ['one is missing', (lines) => lines.slice(1), 'missing: 1259 17000 TABLE public a o'],
  ['the last is missing', (lines) => lines.slice(0, -1), 'missing: 2606 17002 CONSTRAINT public a a_pkey o'],
  ['the rows of a part are missing', (lines) => lines.toSpliced(2, 1), 'missing: 0 17000 TABLE DATA public a o'],
  ['there is one more', (lines) => [...lines, '10; 1259 17003 TABLE public c o'], 'unexpected: 1259 17003 TABLE public c o'],
  ['there is one more in the place of rows', (lines) => lines.with(2, rows(5, 'a')), 'missing: 0 17000 TABLE DATA public a o; unexpected: 0 17000 TABLE DATA public a o'],
  ['one has another name', (lines) => lines.with(1, '4; 1259 17001 TABLE public c o'), 'missing: 1259 17001 TABLE public b o; unexpected: 1259 17001 TABLE public c o'],
  ['two are in another order', (lines) => [lines[1]!, lines[0]!, ...lines.slice(2)], 'they are in another order'],
  ['parts are exchanged', (lines) => lines.with(2, rows(20, 'b')).with(3, rows(21, 'a')), 'they are in another order'],
  ['there is none', () => [], 'missing: 1259 17000 TABLE public a o, 1259 17001 TABLE public b o, 2606 17002 CONSTRAINT public a a_pkey o and 2 more'],
])('an archive is refused in which %s', (_, change, differences) => {
  const lines = change(listed)
  expect(verdict(inParts, lines)).toThrow(new Error(`app.dump lists ${lines.length} entries that are not the 5 recorded at backup time: ${differences}`))
})
