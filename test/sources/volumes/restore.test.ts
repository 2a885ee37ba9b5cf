import { execFileSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { BadTar } from '../../../src/sources/files/tar-headers.ts'
import { encodeFile } from '../../../src/sources/files/file-list.ts'
import { localSite } from '../../../src/sources/files/site.ts'
import { restoreVolume, type VolumeRestore } from '../../../src/sources/volumes/restore.ts'
import { inPieces, noise } from '../../support/bytes.ts'
import { mounting } from '../../end-to-end/sandbox.ts'
import { crafted, evil, folderNamed, hard, link, type Member, top } from '../../support/crafted-tar.ts'
import { quiet } from '../../support/quiet.ts'
import { contentsOf, Volumes } from '../../support/volume.ts'

let folder: string
let target: string
let volumes: Volumes
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-restore-'))
  target = path.join(folder, 'target')
  volumes = new Volumes(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(root: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    writeFileSync(path.join(root, name), content)
  }
}

async function backedUp(files: Record<string, string | Buffer>): Promise<string> {
  const root = path.join(folder, 'root')
  write(root, files)
  await volumes.backup({ volumes: `data=${root}` })
  return root
}

const files = { 'a/1.jpg': 'one', 'a/2.txt': 'two', 'b/c/3.jpg': noise('3', 100_000), top: 'x' }

test('a volume comes back into a folder that is made for it, and not into one with something in it', async () => {
  const root = await backedUp(files)
  linkSync(path.join(root, 'b/c/3.jpg'), path.join(root, 'a/link'))
  await volumes.backup({ volumes: `data=${root}`, verify: 'read' })
  expect(await volumes.restore({ target })).toMatchObject({ volume: 'data', target, mode: 'empty', entries: 9, restored: 9, errors: [] })
  expect(contentsOf(target)).toEqual(contentsOf(root))
  await expect(volumes.restore({ target })).rejects.toThrow('is not empty')
  expect(await volumes.restore({ volume: 'data', 'verify-only': 'true' })).toMatchObject({ target: 'none', entries: 9, restored: 0 })
})

test('overwrite leaves what else is there, clean does not', async () => {
  const root = await backedUp(files)
  write(target, { 'a/1.jpg': 'changed', mine: 'mine', 'top/was/a/folder': 'x' })
  rmSync(path.join(target, 'top'), { recursive: true })
  await volumes.restore({ target, mode: 'overwrite' })
  expect([readFileSync(path.join(target, 'a/1.jpg'), 'utf8'), readFileSync(path.join(target, 'mine'), 'utf8')]).toEqual(['one', 'mine'])
  await volumes.restore({ target, mode: 'clean' })
  expect(contentsOf(target)).toEqual(contentsOf(root))
})

test('the plan of a restore in mode clean tells which files it removes that the patterns of the backup left out; without a safety backup they are a warning', async () => {
  const root = path.join(folder, 'root')
  write(root, { 'docs/kept.txt': 'x', 'docs/draft.tmp': 'four', 'cache/deep/1': 'one', 'logs/1.log': '1', 'é.log': '22', '.lifeboatignore': '*.tmp\n/logs/\n' })
  await volumes.backup({ volumes: `data=${root}`, exclude: 'cache/\né.*' })
  write(root, { 'cache/2': 'two' })
  rmSync(path.join(root, 'docs/kept.txt'))
  const clean = (more = {}) => volumes.restore({ target: root, mode: 'clean', 'dry-run': 'true', ...more })
  const lacked = 'Among them are files that the patterns of the snapshot leave out: 3 files (8 B) by exclude; 2 files (5 B) by .lifeboatignore (2 patterns).'
  const removing = (await clean()).steps!.at(-1)
  expect(removing).toMatch(/^Exchange it for the content that is there now, and remove that: 10 files and folders, /)
  expect(removing).toContain(`. ${lacked} The safety backup will have them.`)
  expect(volumes.warnings).toEqual([])
  expect((await clean({ 'safety-backup': 'false' })).steps!.at(-1)).toContain(`${lacked} No safety backup will have them.`)
  expect((await volumes.restore({ target: root, mode: 'overwrite', 'dry-run': 'true' })).steps!.join(' ')).not.toContain('patterns')
  await clean({ 'safety-backup': 'false', 'dry-run': 'false' })
  expect(volumes.warnings).toEqual(Array(2).fill(`${root}: of the files that this restore removes, no safety backup is made. ${lacked}`))
  expect([existsSync(path.join(root, 'cache')), readFileSync(path.join(root, 'docs/kept.txt'), 'utf8')]).toEqual([false, 'x'])
  expect((await clean()).steps!.join(' ')).not.toContain('patterns')
  write(root, { '.lifeboatignore': Array.from({ length: 101 }, (_, index) => `/none ${index}`).join('\n') })
  await volumes.backup({ volumes: `data=${root}` })
  expect((await clean()).steps!.at(-1)).toContain('Some of them may not be in the snapshot: the 101 patterns of its .lifeboatignore are not all recorded. The safety backup')
})

test('overwrite puts no folder in the place of a link or a file, and nothing else in the place of a folder: the plan and the restore refuse it', async () => {
  const root = await backedUp({ ...files, 'a/4.jpg': 'new', 'file/x': '', name: '' })
  mkdirSync(path.join(root, 'empty'))
  await volumes.backup({ volumes: `data=${root}` })
  write(folder, { 'elsewhere/1.jpg': 'newer' })
  write(target, { file: '', 'b/2.txt': '' })
  symlinkSync('../elsewhere', path.join(target, 'a'))
  symlinkSync('../elsewhere', path.join(target, 'empty'))
  mkdirSync(path.join(target, 'name'))
  const before = [contentsOf(target), contentsOf(path.join(folder, 'elsewhere'))]
  for (const [paths, told] of [
    ['/a/1.jpg', 'a is a symbolic link, in the backup a folder'],
    ['z\n/a/1.jpg\n/b', 'a is a symbolic link, in the backup a folder'],
    ['empty/', 'empty is a symbolic link, in the backup a folder'],
    ['x', 'file is a file, in the backup a folder'],
    ['/name', 'name is a folder, in the backup a file'],
    ['', 'a is a symbolic link, in the backup a folder; empty is a symbolic link, in the backup a folder; file is a file, in the backup a folder; name is a folder, in the backup a file'],
  ] as const) {
    for (const dry of ['true', 'false'])
      await expect(volumes.restore({ target, mode: 'overwrite', paths, 'dry-run': dry })).rejects.toMatchObject({ message: expect.stringMatching(new RegExp(`: in ${target}, ${told}$`)), status: 2 })
  }
  expect([contentsOf(target), contentsOf(path.join(folder, 'elsewhere'))]).toEqual(before)
  // A link in the place of a file is replaced, and comes back.
  mkdirSync(path.join(target, 'b/c'))
  symlinkSync('../../../elsewhere/1.jpg', path.join(target, 'b/c/3.jpg'))
  const { safety } = await volumes.restore({ target, mode: 'overwrite', paths: '3.jpg' })
  expect(contentsOf(path.join(target, 'b/c'))).toEqual(contentsOf(path.join(root, 'b/c')))
  await volumes.restore({ snapshot: safety!.snapshot, target, mode: 'overwrite', paths: '3.jpg' })
  expect(readFileSync(path.join(target, 'b/c/3.jpg'), 'utf8')).toBe('newer')
})

test('only what matches a pattern is restored, with the folders around it; a hard link whose file does not match becomes a file', async () => {
  const root = await backedUp(files)
  const sparse = path.join(root, 'b/a')
  writeFileSync(sparse, 'at the start')
  truncateSync(sparse, 5_000_000)
  execFileSync('setfattr', ['-n', 'user.of', '-v', 'it', sparse])
  mkdirSync(path.join(root, 'z'))
  const long = `${'long '.repeat(30)}\u00e9.jpg`
  for (const [file, link] of [['a/2.txt', 'b/link.jpg'], ['b/a', 'z/1.jpg'], ['b/a', `z/${long}`], ['b/c/3.jpg', 'z/4.jpg']] as const)
    linkSync(path.join(root, file), path.join(root, link))
  await volumes.backup({ volumes: `data=${root}` })
  for (const mode of ['empty', 'overwrite']) {
    if (mode === 'overwrite') {
      // The target has one file where the backup has two names, and another where it has a file that nobody selected.
      write(target, { 'a/2.txt': 'newer' })
      rmSync(path.join(target, 'b/link.jpg'))
      linkSync(path.join(target, 'a/2.txt'), path.join(target, 'b/link.jpg'))
    }
    expect(await volumes.restore({ target, mode, paths: '*.jpg\n!1*.jpg\nz/1.jpg' })).toMatchObject({ errors: [], entries: 8, restored: 8 })
    const all = execFileSync('sh', ['-c', 'find . -type f | sort'], { cwd: target, encoding: 'utf8' })
    expect(all).toBe(`${mode === 'overwrite' ? './a/2.txt\n' : ''}./b/c/3.jpg\n./b/link.jpg\n./z/1.jpg\n./z/4.jpg\n./z/${long}\n`)
    if (mode === 'overwrite') expect(readFileSync(path.join(target, 'a/2.txt'), 'utf8')).toBe('newer')
    expect(readFileSync(path.join(target, 'b/link.jpg'), 'utf8')).toBe('two')
    expect(readFileSync(path.join(target, 'z/1.jpg')).equals(readFileSync(sparse))).toBe(true)
    const at = (name: string) => statSync(path.join(target, name))
    expect([at('z/1.jpg').ino, at('z/4.jpg').ino]).toEqual([at(`z/${long}`).ino, at('b/c/3.jpg').ino])
    expect(at('z/1.jpg').blocks).toBeLessThan(1000)
    expect([at('z/1.jpg').mtimeMs, at('z').mtimeMs, at('b').mode]).toEqual([statSync(sparse).mtimeMs, statSync(path.join(root, 'z')).mtimeMs, statSync(path.join(root, 'b')).mode])
    expect(execFileSync('getfattr', ['-n', 'user.of', '--only-values', path.join(target, 'z', long)], { encoding: 'utf8' })).toBe('it')
  }
  const before = contentsOf(target)
  for (const dryRun of ['true', 'false']) {
    await expect(volumes.restore({ target, mode: 'clean', paths: 'z/', 'dry-run': dryRun })).rejects
      .toMatchObject({ message: 'mode clean with paths would remove every file that is not selected', status: 2 })
  }
  expect(contentsOf(target)).toEqual(before)
  await expect(volumes.restore({ target: `${target}-2`, paths: 'nothing*' })).rejects.toThrow('no file of data matches nothing*')
})

const check = (more: Record<string, string>) => volumes.restore({ volume: 'data', 'verify-only': 'true', ...more })

test('verify-only tells which files a restore would select, and refuses as one would', async () => {
  await backedUp(files)
  expect(await check({ paths: '*.jpg\n!1.jpg' })).toMatchObject({ mode: 'verify-only', entries: 8, restored: 0, selected: { entries: 3, names: ['b', 'b/c', 'b/c/3.jpg'] } })
  expect(await check({})).not.toHaveProperty('selected')
  await expect(check({ paths: 'nothing*' })).rejects.toMatchObject({ message: 'no file of data matches nothing*', status: 2 })
  await expect(check({ mode: 'swap' })).rejects.toMatchObject({ message: 'mode swap is for databases', status: 2 })
})

test('a volume does not begin to fill a disk that has no room for it', async () => {
  await backedUp({ large: noise('large', 3_000_000) })
  mkdirSync(target)
  const site = localSite(target, process.env, mounting('mount -t tmpfs -o size=2m none "$1"', target))
  const given: VolumeRestore = { ...archive(Buffer.alloc(0)), site, segments: [{ entries: 1, size: 3_000_000, bytes: () => inPieces(Buffer.alloc(0)) }] }
  await expect(restoreVolume(given)).rejects.toThrow(/has 2\.\d+ MB free, the restore needs about 3\.00 MB/)
})

test('owners are restored by number, by name, or left to whoever restores', async () => {
  const root = await backedUp({ file: 'x' })
  execFileSync('chown', ['daemon:1234', path.join(root, 'file')])
  await volumes.backup({ volumes: `data=${root}` })
  const owners = async (owners: string) => {
    await volumes.restore({ target: `${target}-${owners}`, owners })
    return execFileSync('stat', ['-c', '%U %g', `${target}-${owners}/file`], { encoding: 'utf8' }).trim()
  }
  expect([await owners('number'), await owners('name'), await owners('none')]).toEqual(['daemon 1234', 'daemon 1234', 'root 0'])
})

function archive(bytes: Buffer, entries = 99): VolumeRestore {
  return {
    name: 'data', site: localSite(target, process.env), list: () => inPieces(Buffer.alloc(0)), segments: [{ entries, size: bytes.length, bytes: () => inPieces(bytes) }],
    links: false, patterns: [], mode: 'overwrite', owners: 'number', signal: new AbortController().signal, report: quiet,
  }
}

describe('a hostile archive is refused, and nothing outside the target is touched:', () => {
  test.each<[string, RegExp, (outside: string) => Member[]]>([
    ['a name with ..', /outside the target/, () => [top, evil('./../outside/f')]],
    ['a name with .. further in', /outside the target/, () => [top, folderNamed('./d'), evil('./d/../../outside/f')]],
    ['an absolute name', /outside the target/, (outside) => [top, evil(`${outside}/f`)]],
    ['a name that does not begin with ./', /outside the target/, () => [top, evil('f')]],
    ['an empty part of a name', /outside the target/, () => [top, folderNamed('./d'), evil('.//d/f')]],
    ['a file below a symbolic link', /folder that it did not make/, (outside) => [top, link('./l', outside), evil('./l/f')]],
    ['a folder in place of the symbolic link before it', /twice or out of order/, (outside) => [top, link('./l', outside), folderNamed('./l'), evil('./l/f')]],
    ['a symbolic link in place of the folder before it', /twice or out of order/, (outside) => [top, folderNamed('./l'), link('./l', outside), evil('./l/f')]],
    ['a symbolic link in place of the folder itself', /in place of its folder/, (outside) => [link('./', outside), evil('./f')]],
    ['a hard link out of the tree', /not a file of the archive/, (outside) => [top, hard('./h', `${outside}/secret`)]],
    ['a hard link out of the tree by ..', /not a file of the archive/, () => [top, hard('./h', './../outside/secret')]],
    ['a hard link through a symbolic link', /not a file of the archive/, (outside) => [top, link('./l', outside), hard('./h', './l/secret')]],
    ['a file after a hard link', /out of order/, () => [top, evil('./f'), hard('./h', './f'), evil('./i')]],
    ['a device', /neither a file/, () => [top, { name: './n', type: 'character-device', devmajor: 1, devminor: 3 }]],
    ['a file there twice', /twice or out of order/, () => [top, evil('./f'), evil('./f')]],
    ['a file in a folder that the archive has not', /folder that it did not make/, () => [top, evil('./d/f')]],
  ])('%s', async (_, because, members) => {
    const outside = path.join(folder, 'outside')
    write(outside, { secret: 'as it was' })
    mkdirSync(target)
    await expect(restoreVolume(archive(await crafted(...members(outside))))).rejects.toThrow(because)
    expect(readdirSync(outside)).toEqual(['secret'])
    expect([readFileSync(path.join(outside, 'secret'), 'utf8'), statSync(path.join(outside, 'secret')).nlink]).toEqual(['as it was', 1])
  })

  test('a symbolic link that is put into the target after the checks is replaced, not followed', async () => {
    const outside = path.join(folder, 'outside')
    write(outside, { f: 'as it was' })
    write(target, { other: '' })
    const named = { mode: '755', uid: 0, gid: 0, size: 0, mtime: '1', target: '' }
    // A hard link whose file is not selected becomes a file.
    const listed = [['d', ''], ['d', 'd'], ['f', 'f'], ['h', 'd/link']].map(([type, name]) =>
      encodeFile({ ...named, type: type!, path: name!, target: type === 'h' ? 'f' : '' }))
    const given = archive(await crafted(top, folderNamed('./d'), evil('./f'), hard('./d/link', './f')), 4)
    const backUpTarget = async () => symlinkSync(outside, path.join(target, 'd'))
    const again = { ...given, links: true, patterns: ['link'], list: () => inPieces(Buffer.from(listed.join(''))), backUpTarget }
    await restoreVolume(again)
    expect([readdirSync(outside), readdirSync(path.join(target, 'd'))]).toEqual([['f'], ['link']])
    // One that is there when the restore begins is found, whatever its plan has found before.
    rmSync(path.join(target, 'd'), { recursive: true })
    await backUpTarget()
    await expect(restoreVolume(again)).rejects.toThrow('d is a symbolic link, in the backup a folder')
  })

  test('a hard link that would become a file below a symbolic link is refused', async () => {
    const outside = path.join(folder, 'outside')
    write(outside, { secret: 'as it was' })
    mkdirSync(target)
    const bytes = await crafted(top, evil('./f'), link('./l', outside), hard('./l/secret', './f'))
    const lines = [['d', '', ''], ['f', 'f', ''], ['l', 'l', outside], ['h', 'l/secret', 'f']].map(([type, name, to]) => `${type}\t644\t0\t0\t0\t0\t${name}\t${to}\n`)
    const given = { ...archive(bytes, 4), list: () => inPieces(Buffer.from(lines.join(''))), patterns: ['/l', '/l/secret'] }
    await expect(restoreVolume(given)).rejects.toThrow(/folder that it did not make/)
    expect(readFileSync(path.join(outside, 'secret'), 'utf8')).toBe('as it was')
  })

  test('an archive that ends in the middle of a file is an error', async () => {
    mkdirSync(target)
    const whole = await crafted(top, { name: './f', type: 'file', content: 'long '.repeat(2000) })
    await expect(restoreVolume(archive(whole.subarray(0, 4096)))).rejects.toThrow(BadTar)
  })
})
