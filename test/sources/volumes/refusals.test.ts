import { backupText } from '../../../src/commands/backup/report.ts'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { marked } from '../../../src/marks.ts'
import { volumeFacts } from '../../../src/sources/files/facts.ts'
import { localSite } from '../../../src/sources/files/site.ts'
import { restoreVolume, type VolumeRestore } from '../../../src/sources/volumes/restore.ts'
import { inPieces, noise } from '../../support/bytes.ts'
import { quiet } from '../../support/quiet.ts'
import { readVolume, Volumes } from '../../support/volume.ts'

let folder: string
let root: string
let target: string
let volumes: Volumes
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-refusals-'))
  root = path.join(folder, 'root')
  target = path.join(folder, 'target')
  mkdirSync(root)
  writeFileSync(path.join(root, 'a.txt'), 'a')
  writeFileSync(path.join(root, 'b.log'), 'b')
  volumes = new Volumes(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

test('which volume is meant has to be clear, and the mode one for volumes', async () => {
  await volumes.backup({ volumes: `one=${root}\ntwo=${root}` })
  await expect(volumes.restore({ target })).rejects.toMatchObject({ message: expect.stringMatching(/has several volumes: one, two$/), status: 2 })
  await expect(volumes.restore({ volume: 'three', target })).rejects.toMatchObject({ message: expect.stringMatching(/has no volume three$/), hint: expect.stringMatching(/^Volumes in this snapshot: one, two\. If an older snapshot has it/) })
  await expect(volumes.restore({ 'verify-only': 'true' })).rejects.toMatchObject({
    message: expect.stringMatching(/has no database$/),
    hint: marked`‹database-url› is for databases; this snapshot has only the volumes one, two. To restore one of them, give a folder, Docker volume or bucket as ‹target›.`,
  })
  await expect(volumes.restore({ volume: 'one', target, mode: 'create' })).rejects.toThrow('mode create is for databases')
  expect(existsSync(target)).toBe(false)
})

test('no restore deletes a store of backups, or writes into one', async () => {
  // The place that a volume with the store in it came from.
  mkdirSync(path.join(root, 'deep/er'), { recursive: true })
  const nested = new Volumes(path.join(root, 'deep/er'))
  await nested.backup({ volumes: `app=${root}` })
  const contents = () => new Set(readdirSync(root, { recursive: true }).map(String))
  const before = contents()
  for (const [mode, into] of [['clean', root], ['clean', nested.store], ['overwrite', nested.store], ['overwrite', path.join(nested.store, 'chunks')], ['empty', path.join(nested.store, 'new')]] as const) {
    await expect(nested.restore({ target: into, mode })).rejects.toMatchObject({ message: expect.stringMatching(/lies in a store of backups, "/), status: 2 })
  }
  rmSync(path.join(nested.store, 'new'), { recursive: true, force: true })
  expect(contents()).toEqual(before)
  // A safety backup would write into what it backs up.
  expect(await nested.restore({ target: root, mode: 'overwrite', 'safety-backup': 'false' })).toMatchObject({ errors: [] })
  // A file of that name alone is no store.
  mkdirSync(target)
  writeFileSync(path.join(target, 'lifeboat.json'), '{}')
  expect(await nested.restore({ target, mode: 'clean' })).toMatchObject({ errors: [] })
})

test('a volume is restored whatever has become of the rest of its snapshot', async () => {
  const other = path.join(folder, 'other')
  mkdirSync(other)
  writeFileSync(path.join(other, 'large'), noise('large', 3_000_000))
  const chunks = (): string[] => readdirSync(path.join(volumes.store, 'chunks'), { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [path.join(entry.parentPath, entry.name)] : []))
  await volumes.backup({ volumes: `one=${root}` })
  const first = chunks()
  await volumes.backup({ volumes: `one=${root}\ntwo=${other}` })
  for (const chunk of chunks()) if (!first.includes(chunk)) rmSync(chunk)
  expect(await volumes.restore({ volume: 'one', 'verify-only': 'true' })).toMatchObject({ entries: 3 })
  expect(await volumes.restore({ volume: 'one', target })).toMatchObject({ restored: 3 })
  await expect(volumes.restore({ volume: 'two', target: `${target}-2` })).rejects.toThrow(/does not verify, so nothing was restored: .*missing/)
  expect(existsSync(`${target}-2`)).toBe(false)
})

test('patterns are for all volumes, or for the one they name', async () => {
  await volumes.backup({ volumes: `one=${root}\ntwo=${root}`, exclude: 'one=*.log', include: 'two=*.log' })
  for (const volume of ['one', 'two']) await volumes.restore({ volume, target: `${target}-${volume}` })
  expect([readdirSync(`${target}-one`), readdirSync(`${target}-two`)]).toEqual([['a.txt'], ['b.log']])
})

test('a pattern for a volume that there is not is refused; one for files with an = in their names is none for a volume', async () => {
  const given = { volumes: `uploads=${root}` }
  await expect(async () => volumes.backup({ ...given, include: 'upload=*.txt' })).rejects.toMatchObject({
    message: 'include: there is no volume upload for the pattern "*.txt"; there is: uploads', hint: expect.stringContaining('Write uploads=PATTERN'), status: 2,
  })
  await expect(async () => volumes.backup({ ...given, exclude: '*.tmp\nyear=2025/' })).rejects.toMatchObject({ hint: expect.stringContaining('write **/year=…') })
  mkdirSync(path.join(root, 'year=2025'))
  writeFileSync(path.join(root, 'year=2025/file'), 'old')
  expect((await volumes.backup({ ...given, exclude: '**/year=2025/\nuploads=b.*' })).sources).toMatchObject([{ amount: { count: 1, noun: 'file' } }])
  expect(volumes.warnings).toEqual([])
})

test('a volume without a file is a warning, and every backup tells how many files it has', async () => {
  const empty = path.join(folder, 'empty')
  const own = path.join(folder, 'own')
  for (const made of [empty, own]) mkdirSync(made)
  writeFileSync(path.join(own, '.lifeboatignore'), '*')
  const result = await volumes.backup({ volumes: `one=${root}\ntwo=${root}\nthree=${empty}\nfour=${own}`, include: 'two=*.jpg' })
  expect(volumes.warnings).toEqual([
    'volume two: 0 files; left out: 2 files (2 B) that no pattern of include matches', 'volume three: 0 files',
    'volume four: 0 files; left out: 1 file (1 B) by .lifeboatignore (1 pattern)',
  ])
  expect(volumes.hints).toEqual(Array(3).fill(expect.stringMatching(/^The backup has nothing of it\. .* and the file \.lifeboatignore in it\.$/)))
  expect(volumes.infos).toContain('two: left out: 2 files (2 B) that no pattern of include matches')
  expect(backupText(result, { program: 'lifeboat', destination: `file:${volumes.store}`, timeZone: 'UTC' })).toMatch(/\n  one +2 files .*\n  two +0 files .*\n  three +0 files /)
})

test('a store that lies in a volume is left out of it; a volume that lies in a store is refused', async () => {
  volumes = new Volumes(path.join(root, 'sub [1]'))
  mkdirSync(path.join(root, 'sub [1]'))
  symlinkSync(root, path.join(folder, 'link'))
  for (const name of [root, path.join(folder, 'link')]) await volumes.backup({ volumes: `data=${name}` })
  await volumes.restore({ target })
  expect([readdirSync(target), readdirSync(path.join(target, 'sub [1]'))]).toEqual([['a.txt', 'b.log', 'sub [1]'], []])
  await expect(volumes.backup({ volumes: `data=${volumes.store}` })).rejects.toThrow(/the volume data is the store/)
  await expect(volumes.backup({ volumes: `data=${volumes.store}/chunks` })).rejects.toThrow(/the volume data lies in the store/)
})

test('a .lifeboatignore that is no file, or cannot be read, is no list of patterns', async () => {
  const warnings: string[] = []
  const report = { ...quiet, warning: (text: string) => void warnings.push(text) }
  for (const [make, noun] of [['mkfifo', 'pipe'], ['mkdir', 'folder']] as const) {
    execFileSync(make, [path.join(root, '.lifeboatignore')])
    expect(volumeFacts.parse((await readVolume(root, { report })).record.facts)).toMatchObject({ entries: 4 })
    expect(warnings.splice(0)).toEqual([`data: .lifeboatignore is a ${noun}, and leaves nothing out`])
    rmSync(path.join(root, '.lifeboatignore'), { recursive: true })
  }
  writeFileSync(path.join(root, '.lifeboatignore'), '*.log\n', { mode: 0o600 })
  execFileSync('chmod', ['755', folder])
  const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  await expect(readVolume(root, { prefix, onUnreadable: 'warn' })).rejects.toThrow(/\.lifeboatignore of .* could not be read: .*Permission denied/)
  // A user who writes in a volume can neither block its backups, nor make them take all memory.
  execFileSync('mkfifo', [path.join(folder, 'pipe')])
  const secrets = path.join(folder, 'secrets') // A backup as root could read what he cannot.
  writeFileSync(secrets, 'password\n')
  for (const other of [path.join(folder, 'pipe'), '/dev/zero', '/dev/tty', folder, secrets]) {
    rmSync(path.join(root, '.lifeboatignore'), { force: true })
    symlinkSync(other, path.join(root, '.lifeboatignore'))
    await expect(readVolume(root)).rejects.toThrow(/\.lifeboatignore of .* could not be read: it is a symbolic link, which is not followed/)
  }
  rmSync(path.join(root, '.lifeboatignore'))
  writeFileSync(path.join(root, '.lifeboatignore'), '')
  truncateSync(path.join(root, '.lifeboatignore'), 2 ** 40)
  await expect(readVolume(root)).rejects.toThrow(/sh printed more than a mebibyte for /)
})

test('a volume that is not a folder is named before anything is stored', async () => {
  await expect(volumes.backup({ volumes: `data=${root}/missing` })).rejects.toThrow(/missing cannot be backed up: ENOENT/)
  await expect(volumes.backup({ volumes: `data=${root}/a.txt` })).rejects.toThrow(/a\.txt cannot be backed up: it is not a folder/)
  expect(existsSync(volumes.store)).toBe(false)
})

test('another tar than that of GNU is named', async () => {
  const programs = path.join(folder, 'programs')
  mkdirSync(programs)
  writeFileSync(path.join(programs, 'tar'), '#!/bin/sh\necho bsdtar 3.6.2 - libarchive 3.6.2\n', { mode: 0o755 })
  const other = new Volumes(folder, { PATH: `${programs}:${process.env['PATH']}` })
  await expect(other.backup({ volumes: `data=${root}` })).rejects.toThrow(/the tar for .* is not GNU tar: bsdtar 3\.6\.2/)
})

async function restoreOf(more: Partial<VolumeRestore>): Promise<VolumeRestore> {
  const read = await readVolume(root)
  const { segments } = volumeFacts.parse(read.record.facts)
  const bytes = read.streams.get('data.00001.tar')!
  mkdirSync(target)
  return {
    name: 'data', site: localSite(target, process.env), list: () => inPieces(read.streams.get('data.list')!), segments: [{ entries: segments[0]!.entries, size: bytes.length, bytes: () => inPieces(bytes) }],
    links: false, patterns: [], mode: 'clean', owners: 'number', signal: new AbortController().signal, report: quiet, ...more,
  }
}

test('an archive that has not as many entries as are recorded is an error, and what was there before stays', async () => {
  const given = await restoreOf({})
  writeFileSync(path.join(target, 'old'), 'old')
  await expect(restoreVolume({ ...given, segments: given.segments.map((segment) => ({ ...segment, entries: segment.entries + 1 })) })).rejects.toThrow('the archive of data has other entries than its list')
  expect(readdirSync(target)).toEqual(['old'])
})

test('an attribute that tar cannot restore is an error: in place of what is there nothing is changed, elsewhere it is told', async () => {
  execFileSync('chown', ['-R', '12345', path.join(root, 'a.txt')])
  const site = localSite(target, process.env, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'])
  // Names of owners are in the archive alone: that they cannot be restored is known only once tar has tried.
  const given = await restoreOf({ site, owners: 'name' })
  execFileSync('chown', ['65534:65534', target])
  execFileSync('chmod', ['755', folder])
  writeFileSync(path.join(target, 'old'), 'old')
  await expect(restoreVolume(given)).rejects.toThrow(/is as it was before: tar reported errors: tar: .*Cannot change ownership/)
  expect([readdirSync(target), readFileSync(path.join(target, 'old'), 'utf8')]).toEqual([['old'], 'old'])
  expect((await restoreVolume({ ...given, mode: 'overwrite' })).errors.join()).toMatch(/\.\/a\.txt: Cannot change ownership to uid 12345/)
  expect(await restoreVolume({ ...given, owners: 'none' })).toMatchObject({ errors: [] })
})

test('owners that a user cannot restore are refused before anything is written; its own are restored', async () => {
  const site = localSite(target, process.env, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'])
  execFileSync('chown', ['-R', '65534:65534', root])
  execFileSync('chmod', ['755', folder])
  const own = await restoreOf({ site, mode: 'empty' })
  execFileSync('chown', ['65534:65534', target])
  expect(await restoreVolume(own)).toMatchObject({ errors: [] })
  expect(readdirSync(target)).toEqual(['a.txt', 'b.log'])
  rmSync(target, { recursive: true })

  execFileSync('chown', ['12345', path.join(root, 'b.log')])
  const given = await restoreOf({ site, mode: 'empty' })
  execFileSync('chown', ['65534:65534', target])
  await expect(restoreVolume(given)).rejects.toMatchObject({ message: expect.stringContaining('the user with the number 12345'), hint: expect.stringContaining(marked`‹owners: none›`), status: 2 })
  expect(readdirSync(target)).toEqual([])
  expect(await restoreVolume({ ...given, patterns: ['/a.txt'] })).toMatchObject({ errors: [] })
  rmSync(path.join(target, 'a.txt'))
  expect(await restoreVolume({ ...given, owners: 'none' })).toMatchObject({ errors: [] })
})

const log = (): string => readFileSync(path.join(folder, 'log'), 'utf8')

describe('post-command', () => {
  test('runs when all is read, after pre-command, and when the backup fails', async () => {
    const given = { 'pre-command': `echo before >> ${folder}/log`, 'post-command': `echo after >> ${folder}/log` }
    await volumes.backup({ volumes: `data=${root}`, ...given })
    expect(log()).toBe('before\nafter\n')
    writeFileSync(path.join(root, 'large'), Buffer.alloc(1000))
    const controller = new AbortController()
    volumes.onProgress = () => controller.abort(new Error('enough'))
    await expect(volumes.backup({ volumes: `data=${root}`, ...given }, controller.signal)).rejects.toThrow('enough')
    expect(log()).toBe('before\nafter\nbefore\nafter\n')
    await expect(volumes.backup({ volumes: `data=${root}`, ...given, 'pre-command': 'echo no >&2; exit 4' })).rejects.toThrow(/pre-command ended with exit status 4: no/)
    expect(log()).toBe('before\nafter\nbefore\nafter\nafter\n')
    await expect(volumes.backup({ volumes: `data=${root}`, ...given, 'pre-command': 'echo hunter22secret >&2; printf %995s end >&2; exit 4' })).rejects.toThrow(/exit status 4: +end$/)
  })

  test('that fails makes the step fail, and what has been read is stored all the same', async () => {
    expect((await volumes.backup({ volumes: `data=${root}`, 'post-command': 'exit 3' })).notResumed).toMatch(/post-command ended with exit status 3/)
    await volumes.restore({ target })
    expect(readdirSync(target)).toEqual(['a.txt', 'b.log'])
  })

  test('that fails is told of also when the snapshot cannot be stored afterwards', async () => {
    const command = `rm -rf ${volumes.store}/snapshots; echo > ${volumes.store}/snapshots; exit 3`
    await expect(volumes.backup({ volumes: `data=${root}`, 'post-command': command })).rejects.toThrow('snapshots')
    expect(volumes.warnings.join('\n')).toContain('post-command ended with exit status 3')
  })
})
