import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cutParts, type Extent, touches } from '../../../src/repository/extent.ts'
import { DamagedChunk } from '../../../src/repository/reader.ts'
import { extractFromVolume } from '../../../src/sources/files/extraction.ts'
import { emptyFacts } from '../../../src/sources/files/facts.ts'
import { encodeFile, type ListedFile } from '../../../src/sources/files/file-list.ts'
import { findMembers } from '../../../src/sources/files/find-members.ts'
import { listedMember } from '../../../src/sources/files/listed-member.ts'
import { CollectedSizes, type Member, type MemberSizes } from '../../../src/sources/files/member-sizes.ts'
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
  utimesSync(root, time, time)
  return root
}

/** As a backup of a volume makes it. */
function tarOf(root: string, ...more: string[]): Buffer {
  const options = ['--create', '--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime', '--sort=name', ...more]
  return execFileSync('tar', [...options, '--numeric-owner', '--directory', root, '--file=-', '.'], { maxBuffer: 1e9, env: { ...process.env, LC_ALL: 'C' } })
}

interface Read {
  files: ListedFile[]
  members: Member[]
  sizes: MemberSizes
  size: number
}

/** The list of an archive, the places of its members, the sizes that are recorded, and its own up to the end of the two blocks of zeros. */
function read(tar: Buffer): Read {
  const files: ListedFile[] = []
  const sizes = new CollectedSizes()
  const members: Member[] = []
  let start = 0
  const headers = new TarHeaders((entry, head, attributes, padded) => {
    const content = start + head.reduce((sum, piece) => sum + piece.length, 0)
    const file = listedMember(entry, head, attributes)
    files.push(file)
    sizes.add(file, content - start, attributes.has('GNU.sparse.size') ? { content: padded } : undefined)
    members.push({ start, content, end: content + padded })
    start = content + padded
  })
  headers.push(tar)
  return { files, members, sizes: sizes.recorded!, size: start + TAR_END.length }
}

function without(tar: Buffer, holes: readonly Extent[]): Buffer {
  const copy = Buffer.from(tar)
  for (const { start, end } of holes) copy.fill(0, start, end)
  return copy
}

const searched = (tar: Buffer, holes: readonly Extent[], { files, sizes, size }: Omit<Read, 'members' | 'sizes'> & { sizes?: MemberSizes }): Promise<(Member | undefined)[]> =>
  findMembers({ bytes: () => inPieces(without(tar, holes).subarray(0, size)), size, holes, listed: files, sizes })

/** Where members must be found: their headers and all their content, or their content alone, are in no hole. */
function expectedIn({ members, sizes }: Read, holes: readonly Extent[]): (Member | undefined)[] {
  return members.map(({ start, content, end }, place) => {
    if (!touches({ start, end: content }, holes)) return { start, content, end }
    const isSparse = sizes.sparse.some(([one]) => one === place)
    return isSparse || touches({ start: content, end }, holes) ? undefined : { start: content, content, end, headLost: true }
  })
}

const long = 'x'.repeat(120)
test.each<[string, Record<string, Buffer | string>, number, string[], number?]>([
  ['times in whole seconds', { a: noise('a', 700), b: noise('b', 100) }, 1_600_000_000, []],
  ['times with decimals', { a: noise('a', 700), b: noise('b', 100) }, 1_600_000_000.25, []],
  ['names that are no ASCII', { 'ü': noise('a', 700), 'ß': noise('b', 100) }, 1_600_000_000, []],
  ['names with control characters', { 'a\nb': noise('a', 700), 'b\x7f\t': noise('b', 100) }, 1_600_000_000, []],
  ['long names', { [long]: noise('a', 700), [`${long}ü`]: noise('b', 100) }, 1_600_000_000, []],
  ['links to names that are long, no ASCII, or have control characters', { a: long, b: 'ü', c: 'a\nb', d: `${long}ü` }, 1_600_000_000.25, []],
  ['large user ids', { a: noise('a', 700), b: noise('b', 100) }, 1_600_000_000, ['--owner=:3000000', '--group=:3000000'], 5],
])('between two holes, every member is found: %s', async (name, some, time, options, heads = 0) => {
  const tar = tarOf(made(name, { '0': Buffer.alloc(10), ...some, '~': Buffer.alloc(10) }, time), ...options)
  const parts = read(tar)
  const { members, size } = parts
  const holes = [{ start: members[1]!.start, end: members[1]!.end }, { start: members.at(-1)!.start, end: size }]
  expect(await searched(tar, holes, parts)).toEqual(expectedIn(parts, holes))
  // The list tells the others.
  expect(parts.sizes.heads).toHaveLength(heads)
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
  const sizes = new CollectedSizes()
  for (const [place, { start, content }] of members.entries()) sizes.add(listed[place]!, content - start)
  expect(sizes.recorded!.heads).toEqual([])
  const found = await searched(tar, [{ start: 0, end: members[0]!.end }, { start: members[3]!.start, end: size }], { files: listed, sizes: sizes.recorded!, size })
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

describe('a member beside holes', () => {
  const kinds = [
    {}, { xattr: 'v' }, { sparse: true }, { xattr: 'v'.repeat(1500) }, { uid: '3000000' }, { uid: '3000000', time: '1600000000.25', xattr: 'v' }, { time: '1600000000.25' },
    { sparse: true, xattr: 'v'.repeat(1500) },
    // A whole member, less its last header, in the extended header.
    { xattr: `${'\0'.repeat(512 - 37)}${memberHead({ name: './b', type: '0', size: 700, mode: '4755', uid: '0', gid: '0', mtime: '0', linked: '' }).toString('latin1')}` },
  ]
  test('is found where it is, with its headers only if all of them are whole', async () => {
    const tar = archiveOf([...kinds, ...kinds])
    const parts = read(tar)
    const { members, size } = parts
    let lost = 0
    for (let start = 0; start < members[4]!.start; start += 512) {
      for (const from of [start, 0]) {
        for (const others of [[], [{ start: members.at(-6)!.start + 512, end: size }]]) {
          const holes = [{ start: from, end: start + 512 }, ...others]
          const found = await searched(tar, holes, parts)
          expect([holes, found]).toEqual([holes, expectedIn(parts, holes)])
          lost += found.filter((one) => one?.headLost).length
        }
      }
    }
    expect(lost).toBeGreaterThan(30)
  })

  test('gets its owner and mode from the list, and is counted', async () => {
    const tar = archiveOf(kinds)
    const { files, members, sizes, size } = read(tar)
    const streams = [{ format: 'tar', name: 'a.tar', size, sum: '', chunks: [] }, { format: 'tar-list', name: 'a.list', size: 0, sum: '', chunks: [] }]
    const facts = { ...emptyFacts('/a'), entries: files.length, segments: [{ entries: files.length, digest: '', sizes }] }
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
    const { files, members } = parts
    const found = await searched(tar, holes, parts)
    const names = files.flatMap(({ path }, place) => (found[place]?.headLost === undefined && found[place] ? [path] : []))
    expect(names).toEqual(Array.from({ length: 100 }, (_, index) => `z${String(index).padStart(3, '0')}`))
    for (const [place, member] of found.entries()) if (member) expect(member).toMatchObject({ content: members[place]!.content, end: members[place]!.end })
    expect(files.flatMap(({ path }, place) => (found[place]?.headLost ? [path] : []))).toEqual(['photo.bin'])
  })

  test('is not taken for it either where a sparse file is before them', async () => {
    const { files: [, conf, photo, ...small] } = parts
    const member = (place: number): Buffer => tar.subarray(parts.members[place]!.start, parts.members[place]!.end)
    const archive = Buffer.concat([member(0), file('a', {}), file('b', { sparse: true }), member(1), member(2), member(3), member(4), TAR_END])
    const whole = read(archive)
    const { files, members, size } = whole
    expect(files.map(({ path }) => path)).toEqual(['', 'a', 'b', conf!.path, photo!.path, small[0]!.path, small[1]!.path])
    const around = [{ start: 0, end: members[1]!.end }, { start: members[3]!.start, end: members[4]!.content }, { start: members[6]!.start, end: size }]
    const found = await searched(archive, around, whole)
    expect([found[2], found[3], found[4], found[5]]).toEqual([members[2], undefined, { ...members[4], start: members[4]!.content, headLost: true }, members[5]])
  })

  // These take bytes that the list does not tell: as if there were room for the member in the content.
  test.each([['extended attributes', { xattr: 'v'.repeat(3000) }], ['maps', { sparse: true }]])('is not taken for it either where files with large %s are behind them', async (_, kind) => {
    const [conf, photo] = [1, 2].map((place) => tar.subarray(parts.members[place]!.start, parts.members[place]!.end))
    const many = Array.from({ length: 200 }, (_, index) => file(`z${index + 100}`, kind))
    const archive = Buffer.concat([conf!, photo!, ...many, TAR_END])
    const all = read(archive)
    const around = [{ start: 0, end: all.members[1]!.content }, { start: all.members[150]!.start, end: all.size }]
    expect(await searched(archive, around, all)).toEqual(expectedIn(all, around))
  })

  test.each<[string, (sizes: MemberSizes) => MemberSizes | undefined]>([
    ['are not recorded', () => undefined],
    ['are those of another archive', ({ heads }) => ({ heads, sparse: [[3, 1024]] })],
    ['contradict a header', ({ heads }) => ({ heads: [...heads, [3, 1024], [4, 2048]], sparse: [] })],
    ['say that a head is larger than any', ({ heads }) => ({ heads: [...heads, [0, 1e9]], sparse: [] })],
    ['are no sizes of anything', () => ({ heads: [[0, 1e300], [7777, 3]], sparse: [[1, 1], [1, 7]] })],
  ])('is not taken for it where the sizes %s: only members up to the first lost header are found', async (_, wrong) => {
    const { files, members, size, sizes } = parts
    const given = wrong(sizes)
    const lied = { files, size, ...(given && { sizes: given }) }
    expect((await searched(tar, holes, lied)).filter((one) => one)).toEqual([])
    const later = [{ start: members[100]!.start, end: members[100]!.content }]
    expect(await searched(tar, later, lied)).toEqual(members.map((member, place) => (place < 100 ? member : undefined)))
  })

  test('gets no other bytes where no whole header is behind wrong sizes', async () => {
    const { files, members, sizes, size } = parts
    const last = members.length - 2
    const heads = members.slice(last).map(({ start, content }) => ({ start, end: content }))
    const wrong: MemberSizes = { heads: [...sizes.heads, [last, 2048]], sparse: [] }
    expect((await searched(tar, heads, { files, size, sizes })).slice(last)).toEqual(expectedIn(parts, heads).slice(last))
    expect((await searched(tar, heads, { files, size, sizes: wrong })).slice(last)).toEqual([undefined, undefined])
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

test('more sizes than the facts of a volume have room for are not recorded', () => {
  const sizes = new CollectedSizes()
  const file: ListedFile = { ...read(object('a', 100)).files[0]!, target: '' }
  for (let count = 0; count < 500; count++) sizes.add(file, 4096)
  expect(sizes.recorded?.heads).toHaveLength(500)
  for (let count = 0; count < 100_000; count++) sizes.add(file, 4096)
  expect(sizes.recorded).toBeUndefined()
})
