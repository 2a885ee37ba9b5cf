import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type VolumeFacts, volumeFacts } from '../../../src/sources/files/facts.ts'
import { decodeFiles } from '../../../src/sources/files/file-list.ts'
import { metaOf, pathOf } from '../../../src/sources/files/entry.ts'
import { Gate } from '../../../src/sources/files/gate.ts'
import { localSite } from '../../../src/sources/files/site.ts'
import { TarHeaders } from '../../../src/sources/files/tar-headers.ts'
import { scan } from '../../../src/sources/volumes/scan.ts'
import { atTerminal } from '../../../src/cli/spelling.ts'
import { leavesOut } from '../../../src/sources/files/left-out.ts'
import { spelled } from '../../../src/marks.ts'
import type { SourceRecord } from '../../../src/repository/snapshot.ts'
import { all, inPieces, noise } from '../../support/bytes.ts'
import { quiet } from '../../support/quiet.ts'
import { thrownBy } from '../../support/thrown.ts'
import { archiveOf, contentsOf, readVolume, type ReadVolume } from '../../support/volume.ts'

let folder: string
let root: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-volume-'))
  root = path.join(folder, 'root')
  mkdirSync(root)
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    writeFileSync(path.join(root, name), content)
  }
}

/** Files that have just changed are always read again. Here this takes a second, as of folders, in place of a minute. */
const SOON = { prefix: ['sh', '-c', 'for one; do shift; [ "$one" != "1 minute ago" ] || one="1 second ago"; set -- "$@" "$one"; done; exec "$@"', 'sh'] }
const settled = () => sleep(1100)

const factsOf = ({ record }: ReadVolume): VolumeFacts => volumeFacts.parse(record.facts)
const listOf = async ({ streams }: ReadVolume): Promise<string[]> => (await all(decodeFiles(inPieces(streams.get('data.list')!)))).map(({ type, path }) => `${type} ${path}`)

const filesListed = async (patterns: { include: string[]; exclude: string[] }) =>
  (await listOf(await readVolume(root, { patterns }))).filter((line) => line.startsWith('f')).map((line) => Buffer.from(line, 'latin1').toString())

function extracted(archive: Buffer): string {
  const target = mkdtempSync(path.join(folder, 'out-'))
  execFileSync('tar', ['-xpi', '--numeric-owner', '--delay-directory-restore', '--xattrs', '--xattrs-include=*', '--acls', '-C', target], { input: archive, env: { ...process.env, LC_ALL: 'C' } })
  return target
}

test('everything that a file system has comes back from the archives with tar -xi', async () => {
  write({ 'a/deep/file': 'content', 'a-b/file': 'x', 'empty/.keep': '', [`${'long '.repeat(40)}/${'name'.repeat(50)}`]: 'long' })
  execFileSync('sh', ['-euc', String.raw`
    mkdir "$(printf 'not \377 utf-8')"; echo x > "$(printf 'not \377 utf-8/\001\303\251')"; printf x > "$(printf 'line\nend')"
    truncate -s 30M sparse; echo end >> sparse; mkfifo pipe; setfattr -n user.note -v hello a/deep/file; setfacl -m u:1234:r a/deep/file; setfacl -d -m g:99:rx a
    chmod 4750 a-b/file; chown 1234:70000 a-b/file; chown 3000000:3000000 a-b; chmod 555 empty`], { cwd: root })
  execFileSync('touch', ['-d', '1969-12-31 23:59:58.5 UTC', path.join(root, 'empty/.keep')])
  symlinkSync('/nowhere/at all', path.join(root, 'a/link'))
  linkSync(path.join(root, 'a/deep/file'), path.join(root, 'a-b/hard'))
  linkSync(path.join(root, 'a/deep/file'), path.join(root, `hard ${'long'.repeat(40)} é`))
  utimesSync(path.join(root, 'a'), 1, 1_234_567_890.123_456)
  const server = createServer().unref().listen(path.join(root, 'socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  const read = await readVolume(root)
  const target = extracted(archiveOf(read))
  expect(contentsOf(target)).toEqual(contentsOf(root))
  for (const [name, bytes] of read.streams) {
    // Two blocks of zeros end each, whatever tar adds to its last record.
    const headers = new TarHeaders(() => undefined)
    if (name.endsWith('.tar')) headers.push(bytes)
    expect([name, bytes.length]).toEqual([name, name.endsWith('.tar') ? headers.zerosAt! + 1024 : bytes.length])
  }
  expect(statSync(path.join(target, 'sparse')).blocks).toBeLessThan(100)
  expect(statSync(path.join(target, 'a-b/hard')).ino).toBe(statSync(path.join(target, 'a/deep/file')).ino)
  expect(factsOf(read)).toMatchObject({ skipped: { sockets: 1, devices: 0 }, changed: [], unreadable: [] })
  // By tar's header and by what find prints of what came back, the time is the same.
  const listed = await all(decodeFiles(inPieces(read.streams.get('data.list')!)))
  expect(listed.find((file) => file.path === 'empty/.keep')?.mtime).toBe('-1.5')
  expect((await all(decodeFiles(inPieces((await readVolume(target)).streams.get('data.list')!)))).map(({ mtime }) => mtime)).toEqual(listed.map(({ mtime }) => mtime))
  const [entries] = [...(await scan(localSite(root, process.env), new AbortController().signal)).entries].filter((entry) => pathOf(entry) === 'empty/.keep')
  expect(metaOf(entries!).mtime).toBe('-1.5')
  server.close()
})

test('the archive of the same files is the same bytes in another folder, at another time, in another order of creation', async () => {
  const make = (files: string[]) => {
    rmSync(root, { recursive: true })
    mkdirSync(root)
    for (const name of files) write({ [name]: `content of ${name}` })
    execFileSync('sh', ['-c', 'truncate -s 10M sparse; echo x >> sparse; find . -exec touch -h -d 2020-01-01T00:00:00.5 {} +'], { cwd: root })
  }
  make(['b/1', 'a', 'c/d/e'])
  const one = await readVolume(root)
  make(['c/d/e', 'a', 'b/1'])
  const two = await readVolume(root)
  expect([...two.streams].map(([name, bytes]) => [name, bytes.toString('latin1')])).toEqual([...one.streams].map(([name, bytes]) => [name, bytes.toString('latin1')]))
})

test('an unchanged segment is not read again, one with an edit is; ctime shows an edit that keeps size and mtime', async () => {
  write({ 'large-1': '1', 'large-2': '2', 'small/a': 'a', 'small/b': 'b' })
  for (const name of ['large-1', 'large-2']) truncateSync(path.join(root, name), 33 * 2 ** 20)
  const first = await readVolume(root, SOON)
  expect(factsOf(first).segments.every(({ digest }) => digest === '')).toBe(true)
  await settled()
  // The first has the folder itself alone.
  expect(factsOf(await readVolume(root)).segments.map(({ digest }) => digest !== '')).toEqual([true, false, false, false])
  const second = await readVolume(root, { ...SOON, before: first.record })
  expect(second.reused).toEqual([])
  expect([...second.streams.keys()]).toEqual(['data.00001.tar', 'data.00002.tar', 'data.00003.tar', 'data.00004.tar', 'data.list'])
  const third = await readVolume(root, { ...SOON, before: second.record })
  expect(third.reused).toEqual(['data.00001.tar', 'data.00002.tar', 'data.00003.tar', 'data.00004.tar'])
  expect(third.streams.get('data.list')).toEqual(second.streams.get('data.list'))
  expect(factsOf(second).segments.map(({ sizes }) => sizes)).toEqual([
    { heads: [], sparse: [] }, { heads: [], sparse: [[0, 4096]] }, { heads: [], sparse: [[0, 4096]] }, { heads: [], sparse: [] },
  ])
  expect(factsOf(third).segments).toEqual(factsOf(second).segments)

  const { mtime, atime } = statSync(path.join(root, 'small/b'))
  writeFileSync(path.join(root, 'small/b'), 'B')
  utimesSync(path.join(root, 'small/b'), atime, mtime)
  const fourth = await readVolume(root, { ...SOON, before: third.record })
  expect(fourth.reused).toEqual(['data.00001.tar', 'data.00002.tar', 'data.00003.tar'])
  expect(readFileSync(path.join(extracted(fourth.streams.get('data.00004.tar')!), 'small/b'), 'utf8')).toBe('B')
  expect((await readVolume(root, { ...SOON, before: third.record, rescan: true })).reused).toEqual([])
})

test('one more file moves no other boundary, so that all other segments are known', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `d${String(index).padStart(2, '0')}/f`)
  write(Object.fromEntries(names.map((name) => [name, name])))
  for (const name of names) truncateSync(path.join(root, name), 6 * 2 ** 20)
  await settled()
  const before = await readVolume(root, SOON)
  const segments = factsOf(before).segments.length
  expect(segments).toBeGreaterThan(2)
  write({ 'd07-new/f': 'new' })
  const after = await readVolume(root, { ...SOON, before: before.record })
  // The root folder's own entry has changed, which is in the first.
  expect(after.reused.length).toBeGreaterThanOrEqual(segments - 2)
  expect(contentsOf(extracted(Buffer.concat([archiveOf(before), archiveOf(after)])))).toEqual(contentsOf(root))
})

/** Has tar itself run a script in the volume with every fourth record it writes: in the middle of a large file, however fast its output is read. */
function whileReading(script: string): { prefix: string[] } {
  const file = path.join(folder, 'while-reading')
  writeFileSync(file, `#!/bin/sh\ncd '${root}'\n${script}\n`, { mode: 0o755 })
  return { prefix: ['env', `TAR_OPTIONS=--checkpoint=4 --checkpoint-action=exec=${file}`] }
}

test('a file that changes while it is read is read again, and recorded when it changes again', async () => {
  write({ log: noise('log', 2 * 2 ** 20), other: 'x' })
  const once = await readVolume(root, whileReading('[ -e ../edited ] || printf more >> log; : > ../edited'))
  expect([once.again, factsOf(once).changed]).toEqual([1, []])
  expect(contentsOf(extracted(archiveOf(once)))).toEqual(contentsOf(root))

  const always = await readVolume(root, whileReading('printf more >> log'))
  expect([always.again, factsOf(always)]).toEqual([1, expect.objectContaining({ changed: ['log'], entries: 3, segments: [expect.objectContaining({ entries: 3, digest: '' })] })])
  extracted(archiveOf(always))
})

/** Has a script run in the volume after it was listed, and before it is read for the first time. */
function beforeReading(script: string, again = ':'): { prefix: string[] } {
  const done = path.join(folder, 'done')
  const run = `if ! [ -e ${done} ]; then : > ${done}; cd ${root}; ${script}; elif ! [ -e ${done}.again ]; then : > ${done}.again; cd ${root}; ${again}; fi`
  return { prefix: ['sh', '-euc', `case "$1 $2" in "tar --create") ${run} ;; esac; exec "$@"`, 'sh'] }
}

/** A line for each entry, as a list has it. */
const found = (target: string): string[] => execFileSync('find', ['.', '-printf', String.raw`%y %m %U %G %T@ %P %l\n`], { cwd: target, encoding: 'latin1' })
  .slice(0, -1).split('\n').map((line) => line.replace(/(\.\d*?)0+ /, '$1 ')).toSorted()

/** Without the folders whose times show what was made and removed besides. */
const withoutTimes = (lines: string[]): string[] => lines.filter((line) => !/^\. d |^\.\/5(\/x)? d /.test(line))

/** Without the numbers of names of files. */
const withoutLinks = (lines: string[]): string[] => lines.map((line) => line.replace(/^(\S+ f .*) \d+ $/, '$1'))

const LARGE = 33 * 2 ** 20
test.each<[what: string, script: string, { changed?: string[]; besides?: string[]; again?: string; parted?: true }]>([
  ['the first name of a file is removed', 'rm 1/first', { changed: ['1/first'] }],
  ['the first name is another file', 'echo new > new; mv new 1/first', { changed: ['1/first'] }],
  ['the first name of a file with its others in later segments is removed', 'rm 2/first', { changed: ['2/first'] }],
  ['so is the second, which got its content', 'rm 2/first 4/second', { changed: ['2/first', '4/second'] }],
  ['a file of several names is longer, and has one more', 'echo more >> 1/first; chmod 640 1/first; ln 1/first extra', { besides: ['./extra'] }],
  ['so is one with its others in later segments', 'echo more >> 2/first; chmod 640 2/first', { changed: ['2/first', '4/second', '5/third'], parted: true }],
  ['a file of several names is longer, and one of them another file', 'echo more >> 1/first; echo new > new; mv new 1/second', { changed: ['1/first', '1/second', '1/third'], parted: true }],
  ['so is one that has another name instead', 'echo more >> 1/first; ln 1/first extra; echo new > new; mv new 1/second', { changed: ['1/first', '1/second', '1/third'], besides: ['./extra'], parted: true }],
  ['so is one with its others in later segments, and another name instead of one', 'echo more >> 2/first; ln 2/first extra; echo new > new; mv new 5/third', { changed: ['2/first', '4/second', '5/third'], besides: ['./extra'], parted: true }],
  ['the first name of a file is another one with the same content and times', 'cp -p 1/first new; chmod 640 new; mv new 1/first', { changed: ['1/first'] }],
  ['all names but the last are other files', 'for name in 1/first 1/second; do echo new > new; mv new $name; done', { changed: ['1/first', '1/second'] }],
  ['all names are removed', 'rm 2/first 4/second 5/third', { changed: ['2/first', '4/second', '5/third'] }],
  ['a file is longer, with other rights, and a link leads elsewhere', 'echo more >> 1/other; chmod 640 1/other; ln -sfn 5 link', {}],
  ['a file is a link or a pipe', 'rm 1/other 5/x; ln -s nowhere 1/other; mkfifo 5/x', {}],
  ['a folder gets a file', 'echo new > 5/new', { besides: ['./5/new'] }],
  ['a folder is a link to one with the same names', 'mv 5 6; ln -s 6 5', { changed: ['5'], besides: ['./6', './6/third', './6/x'] }],
  ['a folder is a file', 'rm -r 5; echo file > 5', { changed: ['5', '5/x'] }],
  ['a folder is removed', 'rm -r 5', { changed: ['5', '5/x'] }],
  ['a folder is away for a moment', 'mv 5 ../away', { again: 'mv ../away 5' }],
  ['a folder with the first name of a file is a link to where it is', 'mv 2 7; ln -s 7 2', { changed: ['2'], besides: ['./7'] }],
  ['so is one that ends a segment', 'mv 3 7; ln -s 7 3', { changed: ['3'], besides: ['./7'] }],
  ['two folders are links to where they are, and the others are not', 'mv 2 7; mv 4 8; ln -s 7 2; ln -s 8 4', { changed: ['2', '4'], besides: ['./7', './8'] }],
  ['a file is a folder', 'rm 5/x; mkdir 5/x; echo in > 5/x/in', { changed: ['5/x'], besides: ['./5/x/in'] }],
])('between the list and the reading, %s: what is there comes back, and the list is true', async (_, script, { changed = [], besides = [], again, parted }) => {
  write({ '1/first': 'one', '1/other': 'other', '2/first': 'two', '3/large': '', '3/small': 'small', '5/x': 'x' })
  mkdirSync(path.join(root, '4'))
  truncateSync(path.join(root, '3/large'), LARGE)
  for (const [name, file] of [['1/second', '1/first'], ['1/third', '1/first'], ['4/second', '2/first'], ['5/third', '2/first']]) linkSync(path.join(root, file!), path.join(root, name!))
  symlinkSync('1', path.join(root, 'link'))
  const read = await readVolume(root, beforeReading(script, again))
  for (const name of besides) rmSync(path.join(root, name), { recursive: true, force: true })
  const gate = new Gate()
  gate.push(archiveOf(read))
  gate.end()
  const target = extracted(archiveOf(read))
  const [got, expected] = [target, root].map((one) => withoutTimes(contentsOf(one)))
  expect(parted ? withoutLinks(got!) : got).toEqual(parted ? withoutLinks(expected!) : expected)
  expect(factsOf(read)).toMatchObject({ unreadable: [] })
  expect(factsOf(read).changed.toSorted()).toEqual(changed)
  const listed = await all(decodeFiles(inPieces(read.streams.get('data.list')!)))
  expect(listed.map((file) => `${file.type === 'h' ? 'f' : file.type} ${file.mode} ${file.uid} ${file.gid} ${file.mtime} ${file.path} ${file.type === 'h' ? '' : file.target}`).toSorted()).toEqual(found(target))
  // The next backup reads such a segment again.
  expect(factsOf(read).segments.some(({ digest }) => digest === '')).toBe(true)
})

test('a segment is read four times at most, however many names of a file have become other files', async () => {
  write({ 0: 'one' })
  for (const name of ['1', '2', '3', '4', '5']) linkSync(path.join(root, '0'), path.join(root, name))
  const read = await readVolume(root, beforeReading('for name in *; do echo new > new; mv new $name; done'))
  expect([read.again, factsOf(read).changed]).toEqual([3, ['0', '1', '2', '3', '4', '5']])
  expect(withoutTimes(contentsOf(extracted(archiveOf(read))))).toEqual(withoutTimes(contentsOf(root)))
})

test('no path can have tar seem to say something of another file', async () => {
  const forged = 'z: file changed as we read it\ntar: ./important: Cannot open: Permission denied\ntar: ./z'
  write({ [forged]: noise('log', 2 * 2 ** 20), important: 'x', z: 'x', 'with \\ and \t: \u00e9': noise('odd', 2 * 2 ** 20) })
  const always = await readVolume(root, { onUnreadable: 'warn', ...whileReading(`find . -size +1M -exec sh -c 'for one; do printf more >> "$one"; done' sh {} +`) })
  expect(factsOf(always)).toMatchObject({ unreadable: [], changed: expect.arrayContaining([forged, 'with \\ and \t: \u00e9']), files: 4 })
  expect(contentsOf(extracted(archiveOf(always))).filter((line) => line.startsWith('./important f '))).toHaveLength(1)
})

test('a file that shrinks or vanishes while it is read leaves no hole and no false length', async () => {
  write({ a: noise('a', 2 * 2 ** 20), gone: 'x', z: 'last' })
  const read = await readVolume(root, whileReading('rm -f gone; truncate -s 100 a'))
  expect(read.again).toBe(1)
  expect(contentsOf(extracted(archiveOf(read)))).toEqual(contentsOf(root))
  expect(await listOf(read)).toEqual(['d ', 'f a', 'f z'])
  expect(factsOf(read).changed).toEqual(['gone'])
})

test('a safety backup fails with the name of whatever it would leave out, and of what changes meanwhile', async () => {
  const everything = (more = {}) => readVolume(root, { everything: true, ...more })
  write({ a: noise('a', 2 * 2 ** 20), '.lifeboatignore': '*' })
  expect(await listOf(await everything())).toEqual(['d ', 'f .lifeboatignore', 'f a'])
  await expect(everything(whileReading('printf more >> a'))).rejects.toThrow(/^something writes in .*: these changed or vanished.*: a$/)
  await expect(everything(whileReading('mkdir -p later/deep; touch later/deep/new'))).rejects.toThrow(/^something writes in .* backed up: (\.|later.*)$/)
  rmSync(path.join(root, 'later'), { recursive: true })
  mkdirSync(path.join(root, 'inner/.lifeboat-restore-0123abcd'), { recursive: true })
  await expect(everything()).rejects.toThrow(/a restore works in .*, or left this when it was killed: inner\/\.lifeboat-restore-0123abcd$/)
  rmSync(path.join(root, 'inner/.lifeboat-restore-0123abcd'), { recursive: true })
  const within = (script: string) => ({ prefix: ['unshare', '-rm', 'sh', '-c', `cd ${root}; ${script}; exec "$@"`, 'sh'] })
  await expect(everything(within('mount -t tmpfs none inner'))).rejects.toThrow(/^other file systems are mounted in .*, which a backup of it leaves out: inner$/)
  if (process.getuid!() !== 0) return
  execFileSync('mknod', [path.join(root, 'null'), 'c', '1', '3'])
  await expect(everything()).rejects.toThrow(/ has devices, which a backup of it leaves out: null$/)
})

test('patterns of inputs and of .lifeboatignore leave out what they match', async () => {
  write({ '.lifeboatignore': '*.tmp\n# no\n/cache/\n!keep.tmp\n', 'a.tmp': '', 'keep.tmp': '', 'cache/x': '', 'sub/cache/x': '', 'sub/b.jpg': '', 'sub/c.log': '', 'sub/é.jpg': '' })
  expect(await filesListed({ include: [], exclude: ['*.log'] })).toEqual(['f .lifeboatignore', 'f keep.tmp', 'f sub/b.jpg', 'f sub/cache/x', 'f sub/é.jpg'])
  expect(await filesListed({ include: ['*.jpg', 'sub/cache/'], exclude: ['b.*'] })).toEqual(['f sub/cache/x', 'f sub/é.jpg'])
})

test('files that patterns leave out are counted by the reason, as are folders that may not be read; those of a store are not', async () => {
  write({ '.lifeboatignore': '# caches\n/cache/\n\n*.tmp\n', 'a.tmp': 'xx', 'cache/x': 'xxx', 'cache/deep/y': 'x', 'one.log': 'x', 'closed/z': 'x', 'store/chunk': 'x', kept: 'x' })
  chmodSync(path.join(root, 'closed'), 0o700)
  chmodSync(folder, 0o755)
  const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const read = (patterns: { include: string[]; exclude: string[] }) => readVolume(root, { prefix, patterns, stores: ['/store/'] })
  expect(factsOf(await read({ include: [], exclude: ['*.log', '/closed/'] }))).toMatchObject({
    patterns: { include: [], exclude: ['*.log', '/closed/'] }, ignoreFile: { count: 2, patterns: ['/cache/', '*.tmp'] },
    leftOut: { exclude: { files: 1, bytes: 1, closed: 1 }, ignoreFile: { files: 3, bytes: 6, closed: 0 } },
  })
  const { leftOut } = factsOf(await read({ include: ['/kept'], exclude: [] }))
  expect(leftOut).toEqual({ include: { files: 2, bytes: expect.any(Number), closed: 1 }, ignoreFile: { files: 3, bytes: 6, closed: 0 } })
  // There may be such a file in it.
  await expect(read({ include: ['kept'], exclude: [] })).rejects.toThrow(/could not be read: closed/)
})

const warned = async (before?: SourceRecord) => {
  const warnings: string[] = []
  const hints: string[] = []
  const warning = (text: string, hint = ''): void => {
    warnings.push(text)
    hints.push(spelled(hint, atTerminal('lifeboat', 'file:store')))
  }
  const { record } = await readVolume(root, { ...(before && { before }), report: { ...quiet, warning } })
  return { record, warnings, hints }
}

test('the patterns that leave a file of a name out are told: not where the file would be there, or its name is none', async () => {
  write({ 'docs/f1': 'x', '.lifeboatignore': '# tmp\n*.tmp\n!kept.tmp\n/docs/\n' })
  const { patterns, ignoreFile } = volumeFacts.parse((await warned()).record.facts)
  const by = (name: string, more: Partial<NonNullable<typeof patterns>> = {}) => {
    const told = leavesOut({ patterns: { ...patterns!, ...more }, ignoreFile }, name)
    return told && spelled(told, atTerminal('lifeboat', 'file:store'))
  }
  expect(['docs/f1', 'a/draft.tmp', 'kept.tmp', 'other', '../docs/f1', ''].map((name) => by(name))).toEqual(['.lifeboatignore', '.lifeboatignore', ...Array(4)])
  expect([by('a/b.log', { exclude: ['*.log'] }), by('other', { include: ['/a/'] }), by('a/other', { include: ['/a/'] })]).toEqual(['--exclude', '--include', undefined])
})

test('a .lifeboatignore that is new or has other patterns than in the backup before is a warning', async () => {
  write({ f1: 'x', f2: 'xx', f3: 'x' })
  const none = await warned()
  write({ '.lifeboatignore': 'f1\nf2\n' })
  expect((await warned()).warnings).toEqual([])
  const made = await warned(none.record)
  expect(made.warnings).toEqual(['data: .lifeboatignore is new since the backup before, and leaves out 2 files (3 B)'])
  expect(made.hints).toEqual([expect.stringContaining('`lifeboat show --destination file:store` with --set has the patterns.')])
  write({ '.lifeboatignore': '# the same\nf1\nf2\n' })
  expect((await warned(made.record)).warnings).toEqual([])
  write({ '.lifeboatignore': '*\n' })
  expect((await warned(made.record)).warnings).toEqual(['data: .lifeboatignore has changed since the backup before, and leaves out 4 files (6 B)'])
  // A snapshot of an earlier version does not tell.
  const { ignoreFile: _, patterns: __, leftOut: ___, ...old } = volumeFacts.parse(none.record.facts)
  expect((await warned({ ...none.record, facts: old })).warnings).toEqual([])
})

test('a file that may not be read fails the backup before anything is stored, or is left out with a word', async () => {
  write({ open: 'x', closed: 'x', 'locked/inside': 'x' })
  chmodSync(path.join(root, 'closed'), 0o600)
  chmodSync(path.join(root, 'locked'), 0o700)
  chmodSync(folder, 0o755)
  const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const warnings: string[] = []
  await expect(readVolume(root, { prefix })).rejects.toThrow(/has 2 files that could not be read: closed, locked/)
  const read = await readVolume(root, { prefix, onUnreadable: 'warn', report: { info: () => undefined, warning: (text) => warnings.push(text), progress: () => undefined, mask: () => undefined } })
  expect(await listOf(read)).toEqual(['d ', 'f open'])
  expect(warnings.join()).toMatch(/not in this backup, as they could not be read: closed, locked/)
})

test('files whose paths are longer than the system opens are told as that, in a short message', async () => {
  write({ file: 'x' })
  execFileSync('bash', ['-euc', 'for i in {1..22}; do mkdir "$0"; cd -P "$0"; done; echo x > file', 'd'.repeat(200)], { cwd: root })
  const { message, hint } = await thrownBy(readVolume(root))
  expect(message).toMatch(/has (?:a file|\d files) that could not be read: d{200}\/d{99}…/)
  expect(message.length).toBeLessThan(5 * 400)
  expect(hint).toContain('Paths of more than 4,096 bytes cannot be opened')
  execFileSync('rm', ['-r', path.join(root, 'd'.repeat(200))])
})

test('mounted file systems and devices are not read, and both are counted', async () => {
  write({ 'mnt/below': 'hidden', file: 'x' })
  execFileSync('mknod', [path.join(root, 'device'), 'c', '1', '3'])
  const prefix = ['unshare', '--mount', 'sh', '-euc', `mount -t tmpfs none ${root}/mnt; echo x > ${root}/mnt/inside; exec "$@"`, 'sh']
  const read = await readVolume(root, { prefix })
  expect(await listOf(read)).toEqual(['d ', 'f file', 'd mnt'])
  expect(factsOf(read).skipped).toEqual({ sockets: 0, devices: 1, mounted: 1 })
})

test('a folder that is not there, or is none, is named', async () => {
  write({ file: 'x' })
  await expect(readVolume(path.join(root, 'missing'))).rejects.toThrow(/missing could not be listed: find: .*No such file/)
  await expect(readVolume(path.join(root, 'file'))).rejects.toThrow(/is not a folder/)
})
