import { ArchiveStreams } from '../../../src/sources/files/archive-streams.ts'
import { choose } from '../../../src/sources/files/choice.ts'
import { compareFiles } from '../../../src/sources/files/compare.ts'
import { emptyFacts } from '../../../src/sources/files/facts.ts'
import { encodeFile, type ListedFile } from '../../../src/sources/files/file-list.ts'
import { withTargets } from '../../../src/sources/files/hard-links.ts'
import { CollectedSizes } from '../../../src/sources/files/member-sizes.ts'
import { segmentsOf } from '../../../src/sources/files/segments.ts'
import { type SortedFile, SortedFiles } from '../../../src/sources/files/sorted-files.ts'
import { SortedTexts } from '../../../src/sources/files/sorted-texts.ts'
import { memoryOf } from '../../support/used-heap.ts'

const MANY = 100_000

/** Numbers in no order, each once: a generator of full period (Knuth, TAOCP 2, 3.2.1.2). */
function* shuffled(count: number): Generator<number> {
  for (let index = 0, number = 1; index < 2 ** 17; index++, number = (number * 5 + 12_345) % 2 ** 17) if (number < count) yield number
}

const entryOf = (path: string, meta = ''): string => `${path.replaceAll('/', '\u0001')}\0- f 10 1700000000.5 1700000000.5 ${meta} 644 0 0 `
const pathAt = (index: number): string => `folder ${index % 100}/a file with a name as long as many are ${index}`
const fileAt = (index: number): ListedFile =>
  ({ type: 'f', mode: '644', uid: 0, gid: 0, size: 10, mtime: '1700000000.5', path: pathAt(index), target: '' })

function entriesWith(meta: string): SortedTexts {
  const entries = new SortedTexts()
  for (let index = 0; index < MANY; index++) entries.add(entryOf(pathAt(index), meta))
  return entries
}

function* filesOf(at: (index: number) => ListedFile): Generator<SortedFile> {
  for (let index = 0; index < MANY; index++) yield { file: at(index), part: 0 }
}

function* membersInOrder(): Generator<ListedFile> {
  yield { ...fileAt(0), type: 'd', path: '' }
  for (let index = 0; index < MANY; index++) yield { ...fileAt(index), path: String(index).padStart(6, '0') }
}

const listBytes = () => Buffer.from(Array.from({ length: MANY }, (_, index) => encodeFile(fileAt(index))).join(''), 'latin1')

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield item
}

test('the entries of a volume need few bytes of memory each, however many there are', async () => {
  const used = await memoryOf(async (measure) => {
    const entries = new SortedTexts()
    for (const number of shuffled(MANY)) entries.add(entryOf(pathAt(number), `${number} 1`))
    let read = 0
    for (const segment of segmentsOf(await withTargets(entries))) {
      read += segment.entries.length
      expect(segment.links).toEqual([])
      expect(segment.entries.length).toBeLessThanOrEqual(20_000)
      if (read < MANY / 2) measure()
    }
    expect(read).toBe(MANY)
  })
  // As strings each took 150.
  expect(used / MANY).toBeGreaterThan(5)
  expect(used / MANY).toBeLessThan(75)
})

test('of the names of a file the first is the file, wherever the others are', async () => {
  const names: [string, string][] = [['a/2', '7 3'], ['a/10', '7 3'], ['b', '8 2'], ['c', '9 1'], ['a\u0001z', '8 2'], ['z', '7 3'], ['elsewhere', '5 2']]
  const entries = new SortedTexts()
  for (const [path, meta] of names) entries.add(entryOf(path, meta).replace('a\u0001z', 'a/z'))
  const found = [...(await withTargets(entries))].map(({ entry, target }) => [entry.slice(0, entry.indexOf('\0')), target])
  expect(found).toEqual([
    ['a\u000110', undefined], ['a\u00012', 'a/10'], ['a/z', undefined], ['b', 'a\u0001z'], ['c', undefined], ['elsewhere', undefined], ['z', 'a/10'],
  ])
  expect([...segmentsOf(await withTargets(entries))].map(({ entries: { length }, links }) => [length, links.map(({ target }) => target)])).toEqual([
    [4, ['a/10', 'a\u0001z', 'a/10']],
  ])
})

test('of files with very many names no segment has more links than fit into memory', async () => {
  const links = Array.from({ length: MANY - 1 }, (_, index) => ({ entry: entryOf(pathAt(index + 1), '7 9'), target: pathAt(0) }))
  const segments = [...segmentsOf([{ entry: entryOf(pathAt(0), '7 9') }, ...links])]
  expect(segments.flatMap((segment) => segment.links)).toEqual(links)
  expect(segments.map(({ entries, links }) => [entries.length, links.length])).toEqual([[1, 20_000], [0, 20_000], [0, 20_000], [0, 20_000], [0, 19_999]])
})

test.each<[string, number, () => Promise<unknown>]>([
  ['to find the further names of files', 2, async () => withTargets(entriesWith('7 2'))],
  ['to compare lists', 1, async () => compareFiles(filesOf(fileAt), filesOf(fileAt))],
  ['to compare lists, one of which has nothing any more', 1, async () => compareFiles(filesOf(fileAt), [])],
  ['to choose files of a list', 2, async () => choose({ name: 'data', links: false, list: () => each([listBytes()]), segments: [] }, ['* are 17'])],
  ['to list what was read', 1, async () => new ArchiveStreams('data', emptyFacts('/srv'), undefined).add(membersInOrder(), '', new CollectedSizes())],
])('%s, passes over many entries let the rest of the program have a turn after each thousand', async (_, passes, work) => {
  let turns = 0
  let next = setImmediate(function again() {
    turns++
    next = setImmediate(again)
  })
  await work()
  clearImmediate(next)
  expect(turns).toBeGreaterThanOrEqual((passes * MANY) / 1000 - passes)
})

test('a choice of a few of many files needs few bytes of memory for the others', async () => {
  const used = await memoryOf(async (measure) => {
    const list = async function* () {
      for (let at = 0; at < MANY; at += 500) {
        yield Buffer.from(Array.from({ length: 500 }, (_, index) => encodeFile(fileAt(at + index))).join(''), 'latin1')
        if (at + 500 === MANY) measure()
      }
    }
    const segments = [{ entries: 50_000, size: 1, bytes: () => each([]) }, { entries: 50_000, size: 1, bytes: () => each([]) }]
    const choice = await choose({ name: 'data', links: false, list, segments }, ['* are 17', '/folder 5/* 70005'])
    expect(choice).toEqual({ wanted: new Set([pathAt(17), pathAt(70_005)]), moved: new Map(), readings: [{ pass: 'all', counts: [1, 1] }], entries: 2, size: 20 })
  })
  // As objects each took 300.
  expect(used / MANY).toBeGreaterThan(5)
  expect(used / MANY).toBeLessThan(150)
})

test('lists of files are compared in any order, and told apart by part', async () => {
  const from = await SortedFiles.of(each([4, 1, 3, 2].map(fileAt)))
  const to = await SortedFiles.of(each([{ ...fileAt(3), mode: '600' }, fileAt(5), fileAt(2), fileAt(1)]), [{ entries: 3 }, { entries: 1 }])
  const parts = [{ entries: 3, same: true }, { entries: 1, same: false }]
  expect(await compareFiles(from, to, parts)).toEqual({
    added: [fileAt(5)], removed: [fileAt(4)], changed: [{ from: fileAt(3), to: { ...fileAt(3), mode: '600' }, what: ['mode'] }], identical: 1, alike: 1,
  })
})

test('texts of any bytes come back in their order, as often as they are read', () => {
  const texts = [...shuffled(MANY)].map((number) => `${String.fromCharCode(number % 256)}\0\n${'x'.repeat(number % 97)}${number}`)
  const sorted = new SortedTexts()
  for (const text of texts) sorted.add(text)
  const expected = texts.toSorted()
  expect(sorted.count).toBe(MANY)
  for (let time = 0; time < 2; time++) expect([...sorted]).toEqual(expected)
  sorted.add('') // One more after it was read.
  expect([...sorted]).toEqual(['', ...expected])
  expect([...new SortedTexts()]).toEqual([])
})

test.each<[string, Partial<ListedFile>[], RegExp]>([
  ['a file in a folder that is not there', [{ path: '', type: 'd' }, { path: 'a/b' }], /would have a\/b, in a folder that it did not make$/],
  ['a file twice', [{ path: '', type: 'd' }, { path: 'a' }, { path: 'a' }], /would have a, which is there twice or out of order$/],
  ['a hard link to a file in no folder', [{ path: '', type: 'd' }, { path: 'z', type: 'h', target: 'a/b' }], /would have z, a hard link to a\/b, which is not a file of the archive$/],
])('%s ends the backup, as no restore would go on there', async (_, members, message) => {
  const archive = new ArchiveStreams('data', emptyFacts('/srv'), undefined)
  const [last, ...before] = members.map((member) => ({ ...fileAt(1), ...member })).toReversed()
  await archive.add(before.toReversed(), '', new CollectedSizes())
  await expect(archive.add([last!], '', new CollectedSizes())).rejects.toThrow(message)
})
