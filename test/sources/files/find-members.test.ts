import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cutParts, type Extent, touches } from '../../../src/repository/extent.ts'
import { DamagedChunk } from '../../../src/repository/reader.ts'
import { extractFromVolume } from '../../../src/sources/files/extraction.ts'
import { emptyFacts } from '../../../src/sources/files/facts.ts'
import { encodeFile, type ListedFile } from '../../../src/sources/files/file-list.ts'
import { findMembers, type Member } from '../../../src/sources/files/find-members.ts'
import { listedMember } from '../../../src/sources/files/listed-member.ts'
import { salvageVolume } from '../../../src/sources/files/salvage.ts'
import { TarHeaders } from '../../../src/sources/files/tar-headers.ts'
import { memberHead, TAR_END } from '../../../src/sources/files/tar-member.ts'
import { all, inPieces, noise } from '../../support/bytes.ts'
import { quiet } from '../../support/quiet.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-members-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Files, or what a symbolic link points at, in a folder of their own. */
function made(name: string, files: Readonly<Record<string, Buffer | string>>, time = 1_600_000_000.25): string {
  const root = path.join(folder, name)
  mkdirSync(root)
  for (const [file, content] of Object.entries(files)) {
    if (typeof content === 'string') symlinkSync(content, path.join(root, file))
    else writeFileSync(path.join(root, file), content)
    if (typeof content !== 'string') utimesSync(path.join(root, file), time, time)
  }
  return root
}

/** As a backup of a volume makes it. */
function tarOf(root: string, ...more: string[]): Buffer {
  const options = ['--create', '--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime', '--sort=name', ...more]
  return execFileSync('tar', [...options, '--numeric-owner', '--directory', root, '--file=-', '.'], { maxBuffer: 1e9, env: { ...process.env, LC_ALL: 'C' } })
}

/** The list of an archive, the places of its members, and its size up to the end of the two blocks of zeros. */
function read(tar: Buffer): { files: ListedFile[]; members: Member[]; size: number } {
  const files: ListedFile[] = []
  const members: Member[] = []
  let start = 0
  const headers = new TarHeaders((entry, head, attributes, padded) => {
    const content = start + head.reduce((sum, piece) => sum + piece.length, 0)
    files.push(listedMember(entry, head, attributes))
    members.push({ start, content, end: content + padded })
    start = content + padded
  })
  headers.push(tar)
  return { files, members, size: start + TAR_END.length }
}

function without(tar: Buffer, holes: readonly Extent[]): Buffer {
  const copy = Buffer.from(tar)
  for (const { start, end } of holes) copy.fill(0, start, end)
  return copy
}

const searched = (tar: Buffer, holes: readonly Extent[], files: readonly ListedFile[], size: number): Promise<(Member | undefined)[]> =>
  findMembers(inPieces(without(tar, holes).subarray(0, size)), size, holes, files)

const long = 'x'.repeat(120)
test.each<[string, Record<string, Buffer | string>, number, string[]]>([
  ['times in whole seconds', { a: noise('a', 700), b: noise('b', 100) }, 1_600_000_000, []],
  ['times with decimals', { a: noise('a', 700), b: noise('b', 100) }, 1_600_000_000.25, []],
  ['names that are no ASCII', { 'ü': noise('a', 700), 'ß': noise('b', 100) }, 1_600_000_000, []],
  ['names with control characters', { 'a\nb': noise('a', 700), 'b\x7f\t': noise('b', 100) }, 1_600_000_000, []],
  ['long names', { [long]: noise('a', 700), [`${long}ü`]: noise('b', 100) }, 1_600_000_000, []],
  ['links to names that are long, no ASCII, or have control characters', { a: long, b: 'ü', c: 'a\nb', d: `${long}ü` }, 1_600_000_000.25, []],
  ['large user ids', { a: noise('a', 700), b: noise('b', 100) }, 1_600_000_000, ['--owner=:3000000', '--group=:3000000']],
])('between two holes, every member is found: %s', async (name, some, time, options) => {
  const tar = tarOf(made(name, { '0': Buffer.alloc(10), ...some, '~': Buffer.alloc(10) }, time), ...options)
  const { files, members, size } = read(tar)
  const holes = [{ start: members[1]!.start, end: members[1]!.end }, { start: members.at(-1)!.start, end: size }]
  const expected = members.map((member) => (touches(member, holes) ? undefined : member))
  expect((await searched(tar, holes, files, size)).map((member) => member && { start: member.start, end: member.end }))
    .toEqual(expected.map((member) => member && { start: member.start, end: member.end }))
})

/** An object of a bucket, as a backup writes it. */
function object(name: string, size: number): Buffer {
  const head = memberHead({ name: `./${name}`, type: '0', size, mode: '644', uid: '0', gid: '0', mtime: '1600000000', linked: '', records: { 'LIFEBOAT.key': name } })
  return Buffer.concat([head, noise(name, size), Buffer.alloc((512 - (size % 512)) % 512)])
}

test('between two holes, the objects of a bucket are found, whose ETags are in the list alone', async () => {
  const tar = Buffer.concat([object('a', 100), object('b', 900), object('c', 20), object('d', 70), TAR_END])
  const { files, members, size } = read(tar)
  const listed = files.map((file) => ({ ...file, target: 'etag' }))
  const found = await searched(tar, [{ start: 0, end: members[0]!.end }, { start: members[3]!.start, end: size }], listed, size)
  expect(found.map((member) => member?.start)).toEqual([undefined, members[1]!.start, members[2]!.start, undefined])
})

/** A file as GNU tar writes it. `sparse`: its first bytes are content, the rest a hole. */
function file(name: string, { time = '1600000000', uid = '1000', xattr = '', sparse = false }): Buffer {
  const size = sparse ? 1_000_000 : 700
  const map = { 'GNU.sparse.size': `${size}`, 'GNU.sparse.numblocks': '1', 'GNU.sparse.offset': '0', 'GNU.sparse.numbytes': '700' }
  const records = { ...(xattr && { 'SCHILY.xattr.user.k': xattr }), ...(sparse && map) }
  const head = memberHead({ name: `./${name}`, type: '0', size: 700, mode: '4755', uid, gid: '0', mtime: time, linked: '', records })
  return Buffer.concat([head, noise(name, 700), Buffer.alloc(324)])
}

const archiveOf = (some: readonly Parameters<typeof file>[1][]): Buffer =>
  Buffer.concat([...some.map((kind, place) => file(String.fromCharCode(97 + place), kind)), TAR_END])

describe('a member right behind a hole, which may hide a part of its headers', () => {
  const kinds = [
    {}, { xattr: 'v' }, { xattr: 'v'.repeat(1500) }, { uid: '3000000' }, { uid: '3000000', time: '1600000000.25', xattr: 'v' }, { time: '1600000000.25' },
    // A whole member, less its last header, in the extended header.
    { xattr: `${'\0'.repeat(512 - 37)}${memberHead({ name: './b', type: '0', size: 700, mode: '4755', uid: '0', gid: '0', mtime: '0', linked: '' }).toString('latin1')}` },
  ]
  test.each([
    ['the last one of the archive', [...kinds, ...kinds, { sparse: true }, ...kinds], false],
    ['before another one', [...kinds, ...kinds, ...kinds], true],
  ])('has its content, and its head only if it is whole: %s', async (_, some, another) => {
    const tar = archiveOf(some)
    const { files, members, size } = read(tar)
    const others = another ? [{ start: members.at(-1)!.start, end: size }] : []
    let doubtful = 0
    for (let end = 512; end < members.at(-2)!.start; end += 512) {
      const holes = [{ start: 0, end }, ...others]
      for (const [place, found] of (await searched(tar, holes, files, size)).entries()) {
        const member = members[place]!
        if (found && !found.headDoubtful) expect([end, place, found]).toEqual([end, place, member])
        if (found?.headDoubtful) expect([end, place, { ...found, start: 0 }]).toEqual([end, place, { ...member, start: 0, headDoubtful: true }])
        if (found?.headDoubtful) doubtful++
        const isLost = touches(member, holes) || ('sparse' in some[place]! && members[place - 1]!.start < end)
        if (!found) expect([end, place, isLost]).toEqual([end, place, true])
      }
    }
    expect(doubtful).toBeGreaterThan(30)
  })

  test('gets its owner and mode from the list, and is counted', async () => {
    const tar = archiveOf(kinds)
    const { files, members, size } = read(tar)
    const streams = [{ format: 'tar', name: 'a.tar', size, sum: '', chunks: [] }, { format: 'tar-list', name: 'a.list', size: 0, sum: '', chunks: [] }]
    const facts = { ...emptyFacts('/a'), entries: files.length, segments: [{ entries: files.length, digest: '' }] }
    const end = members[3]!.content - 512
    const bytes = without(tar, [{ start: 0, end }]).subarray(0, size)
    const readStream = ({ format }: { format: string }): AsyncIterable<Buffer> => inPieces(format === 'tar' ? bytes : Buffer.from(files.map(encodeFile).join(''), 'latin1'))
    const { segments, lost, remade } = await salvageVolume({
      source: { kind: 'directory', name: 'data', facts, streams }, snapshot: '', read: readStream, readParts: readStream, keepDamaged: false,
      holes: ({ format }) => (format === 'tar' ? [{ start: 0, end }] : []),
    })
    expect([lost.map((one) => one.file.path), remade, segments.length]).toEqual([['a', 'b', 'c'], 1, 1])
    const restored = Buffer.concat([...(await all(segments[0]!.bytes())), TAR_END])
    expect(restored.length).toBe(segments[0]!.size + TAR_END.length)
    expect(read(restored).files).toEqual(files.slice(3))
    expect(restored.subarray(read(restored).members[0]!.content).subarray(0, 700)).toEqual(noise('d', 700))
  })
})

const conf = (admin: string): Buffer => Buffer.from(`admin=${admin}`.padEnd(1001, '#'))

describe('a file whose content has a member like another one of the volume, and whose headers are lost with those of that one', () => {
  const time = 1_600_000_000.25
  let tar: Buffer
  let parts: ReturnType<typeof read>
  let holes: Extent[]
  beforeAll(() => {
    const other = read(tarOf(made('other', { 'conf.ini': conf('mallory') }, time))).members[1]!
    const inside = execFileSync('tar', ['--create', '--format=posix', '--pax-option=delete=atime,delete=ctime', '--numeric-owner', '--file=-', './conf.ini'], { cwd: path.join(folder, 'other') })
    const content = Buffer.concat([noise('before', 512 * 300), inside.subarray(0, other.end - other.start), noise('after', 512 * 300)])
    const small = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`z${String(index).padStart(3, '0')}`, noise(`z${index}`, 100)]))
    tar = tarOf(made('attacked', { 'conf.ini': conf('alice'), 'photo.bin': content, ...small }, time))
    parts = read(tar)
    const { files, members, size } = parts
    const place = (name: string): number => files.findIndex((file) => file.path === name)
    holes = [{ start: 0, end: members[place('photo.bin')]!.content }, { start: members[place('z100')]!.start, end: size }]
  })

  test('is not taken for it, and the members behind it are found', async () => {
    const { files, members, size } = parts
    const found = await searched(tar, holes, files, size)
    const names = files.flatMap(({ path }, place) => (found[place] ? [path] : []))
    expect(names).toEqual(Array.from({ length: 100 }, (_, index) => `z${String(index).padStart(3, '0')}`))
    for (const [place, member] of found.entries()) if (member) expect(member).toMatchObject(members[place]!)
  })

  // Its listed size does not tell on which side of a member the archive has fewer bytes.
  test('is not taken for it either where a sparse file is before them', async () => {
    const { files: [, conf, photo, ...small] } = parts
    const member = (place: number): Buffer => tar.subarray(parts.members[place]!.start, parts.members[place]!.end)
    const archive = Buffer.concat([member(0), file('a', {}), file('b', { sparse: true }), member(1), member(2), member(3), member(4), TAR_END])
    const { files, members, size } = read(archive)
    expect(files.map(({ path }) => path)).toEqual(['', 'a', 'b', conf!.path, photo!.path, small[0]!.path, small[1]!.path])
    const around = [{ start: 0, end: members[1]!.end }, { start: members[3]!.start, end: members[4]!.content }, { start: members[6]!.start, end: size }]
    expect((await searched(archive, around, files, size))[3]).toBeUndefined()
  })

  test.each(['conf.ini', 'photo.bin', 'z050'])('makes the extraction of %s fail: what is before it is not certain', async (name) => {
    await expect(extracted(name, holes)).rejects.toThrow('chunk 1 is missing')
  })

  test('a file behind damaged content is extracted', async () => {
    const { files, members } = parts
    const photo = members[files.findIndex((file) => file.path === 'photo.bin')]!
    const inPhoto = [{ start: photo.content + 512, end: photo.end - 512 }]
    expect(await extracted('z050', inPhoto)).toEqual(noise('z50', 100))
    expect(await extracted('conf.ini', inPhoto)).toEqual(conf('alice'))
    await expect(extracted('photo.bin', inPhoto)).rejects.toThrow('chunk 1 is missing')
  })

  async function extracted(name: string, holes: readonly Extent[]): Promise<Buffer> {
    const { files, size } = parts
    const list = Buffer.from(files.map(encodeFile).join(''), 'latin1')
    const streams = [{ format: 'tar', name: 'a.tar', size, sum: '', chunks: [] }, { format: 'tar-list', name: 'a.list', size: list.length, sum: '', chunks: [] }]
    const facts = { ...emptyFacts('/a'), entries: files.length, segments: [{ entries: files.length, digest: '' }] }
    const bytes = without(tar, holes).subarray(0, size)
    const checked = async function* (from: Extent): AsyncGenerator<Buffer, void, void> {
      const hole = holes.find((hole) => touches(from, [hole]))
      yield* cutParts(inPieces(bytes), [{ start: from.start, end: hole ? Math.max(from.start, hole.start) : from.end }])
      if (hole) throw new DamagedChunk('chunks/1', 'chunk 1 is missing')
    }
    const stored = {
      source: { kind: 'directory', name: 'data', facts, streams },
      read: ({ format }: { format: string }) => (format === 'tar' ? checked({ start: 0, end: size }) : inPieces(list)),
      readParts: (_: unknown, parts: readonly Extent[]) => checked(parts[0]!),
      readAround: (_: unknown, known: Extent[]) => {
        known.push(...holes)
        return inPieces(bytes)
      },
    }
    return Buffer.concat(await all(extractFromVolume(stored, name, { variables: process.env, signal: new AbortController().signal, report: quiet })))
  }
})
