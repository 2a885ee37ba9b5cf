import { listedEntry } from '../../../src/sources/files/file-list.ts'
import { complaintsIn } from '../../../src/sources/volumes/complaints.ts'
import { Meanwhile } from '../../../src/sources/volumes/meanwhile.ts'
import { type ReadDifferences, differences } from '../../../src/sources/volumes/segment-reading.ts'

const entryOf = (path: string, type = 'f'): string => `${path.replaceAll('/', '\u0001')}\0- ${type} 1 1700000000.5 1700000000.5 7 1 644 0 0 `
const FOLDER = entryOf('a', 'd')
const [INSIDE, FILE, LINK] = [entryOf('a/x'), entryOf('b: c\\'), entryOf('z', 'l')]
const ENTRIES = [FOLDER, INSIDE, FILE, LINK]

test.each<[message: string, changed: string[], unreadable: string[]]>([
  ['', [], []],
  ['tar: ./a/x: file changed as we read it', [INSIDE], []],
  ['tar: ./a: Warning: Cannot flistxattr: Operation not permitted\ntar: ./a/x: File shrank by 5 bytes; padding with zeros', [INSIDE], []],
  ['tar: ./a/: Cannot open: Permission denied\ntar: ./z: Cannot stat: No such file or directory\ntar: Exiting with failure status due to previous errors', [LINK], [FOLDER]],
  ['tar: ./a: file changed as we read it', [FOLDER], []],
  [String.raw`tar: ./b\: c\\: Read error at byte 0, while reading 1 bytes: Input/output error`, [], [FILE]],
  ['tar: ./z: File removed before we read it\ntar: ./z: Cannot stat: Not a directory', [LINK, LINK], []],
])('a message of tar is about one entry: %s', (said, changed, unreadable) => {
  expect(complaintsIn(said, ENTRIES, '/srv')).toEqual({ changed, unreadable })
})

test.each([
  'tar: ./other: file changed as we read it',
  'tar: ./b: c\\: file changed as we read it',
  'tar: ./z: Something that is not known',
  'sh: line 1: tar: command not found',
])('any other message ends the backup: %s', (said) => {
  expect(() => complaintsIn(said, ENTRIES, '/srv')).toThrow(`/srv could not be read: ${said}`)
})

/** For each entry the type it was read with: as a capital letter, if it is not as listed; a dash: not read; all in the order of the entries. */
const readAs = (types: string) => ENTRIES.flatMap((entry, index) => {
  const type = types[index]!
  return type === '-' ? [] : [{ entry, file: listedEntry(entry, { type: type.toLowerCase() }), now: type === type.toLowerCase() ? entry : undefined }]
})

test.each<[what: string, types: string, Partial<ReadDifferences>]>([
  ['nothing', 'dffl', {}],
  ['a file is another one', 'dfFl', { doubtful: [FILE] }],
  ['a file is not there', 'df-l', { doubtful: [FILE], missing: [FILE] }],
  ['a file is a pipe', 'dfPl', { doubtful: [FILE] }],
  ['a file is a device', 'dfCl', { doubtful: [FILE], special: [FILE] }],
  ['a link is a folder', 'dffD', { doubtful: [LINK], exchanged: [LINK] }],
  ['a folder is a file', 'F-fl', { doubtful: [FOLDER, INSIDE], missing: [INSIDE], exchanged: [FOLDER], gone: [FOLDER] }],
  ['a folder is a link, through which its file was read', 'Lffl', { doubtful: [FOLDER, INSIDE], exchanged: [FOLDER], gone: [FOLDER], inGone: true }],
  ['a folder is not there', '--fl', { doubtful: [FOLDER, INSIDE], missing: [FOLDER, INSIDE], gone: [FOLDER] }],
  ['a folder was not there, and its file was', '-ffl', { doubtful: [FOLDER, INSIDE], missing: [FOLDER], gone: [FOLDER], inGone: true }],
  ['nothing is there', '----', { doubtful: ENTRIES, missing: ENTRIES, gone: [FOLDER] }],
])('between the list and the reading of a segment: %s', (_, types, expected) => {
  expect(differences(ENTRIES, readAs(types))).toEqual({ missing: [], special: [], exchanged: [], gone: [], inGone: false, doubtful: [], ...expected })
})

test('a name in a later segment gets content of its own if the file has changed, even if all its names were thought to be known', () => {
  const meanwhile = new Meanwhile()
  const [first = '', second = '', third = ''] = ['a', 'b', 'c'].map((name) => entryOf(name).replace(' 1 644', ' 2 644'))
  meanwhile.note([first], [{ entry: first, file: listedEntry(first, { size: 2 }), asListed: false, now: first.replace(' 1 ', ' 2 ') }])
  expect([...meanwhile.follow([{ entry: second, target: 'a' }, { entry: third, target: 'a' }])]).toEqual([{ entry: second }, { entry: third, target: 'b' }])
})
