import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Extent, touches } from '../../src/repository/extent.ts'
import { Reader } from '../../src/repository/reader.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { findSnapshot } from '../../src/repository/catalog.ts'
import { type AuthenticSnapshot, chunkKey, openManifest, type SourceRecord, type StreamRecord, timeOfId } from '../../src/repository/snapshot.ts'
import { dryText } from '../../src/commands/restore/plan-report.ts'
import type { RestoreResult } from '../../src/commands/restore/result.ts'
import { knownFiles } from '../../src/sources/files/damaged-list.ts'
import type { ListedFile } from '../../src/sources/files/file-list.ts'
import { lostText } from '../../src/sources/files/salvage.ts'
import { oneLine } from '../../src/report/format.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { atTerminal } from '../../src/cli/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { noise } from '../support/bytes.ts'
import { dispatched, refusal } from '../support/dispatched.ts'
import { identity } from '../support/engine.ts'
import { contentsOf, Volumes } from '../support/volume.ts'

let folder: string
let root: string
let snapshot: AuthenticSnapshot
let archive: StreamRecord
let list: StreamRecord
/** The bytes of the archive, and the members in it as `tar --list` knows them. */
let members: { name: string; start: number; end: number }[]

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-damaged-'))
  root = path.join(folder, 'root')
  for (let number = 0; number < 150; number++) {
    const place = path.join(root, `d${number % 7}`, `e${number % 3}`)
    mkdirSync(place, { recursive: true })
    writeFileSync(path.join(place, `file ${number} ü`), noise(`file ${number}`, number % 10 === 0 ? 300_000 : 20_000))
  }
  writeFileSync(path.join(root, 'empty'), '')
  symlinkSync('d1/e1', path.join(root, 'd2/symbolic'))
  linkSync(path.join(root, 'd0/e0/file 0 ü'), path.join(root, 'hard link'))
  // Older copies of everything, in a tar: content that looks like members of the archive.
  execFileSync('tar', ['--create', '--format=posix', '--file=d3/nested.tar', './d4', './d5'], { cwd: root })
  const volumes = new Volumes(folder)
  await volumes.backup({ volumes: `data=${root}` })
  const store = new FileStore(volumes.store)
  snapshot = await findSnapshot(store, await openKeys(identity, { store, create: false, onDamaged: () => undefined }), 'default', { kind: 'latest' })
  const [source] = (await openManifest(snapshot)).sources
  archive = source!.streams.find(({ format }) => format === 'tar')!
  list = source!.streams.find(({ format }) => format === 'tar-list')!
  const pieces: Buffer[] = []
  for await (const piece of new Reader(store, snapshot.keys, snapshot.header.chunks).stream(archive)) pieces.push(piece)
  members = membersOf(Buffer.concat(pieces))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** As tar itself says where they are, with their headers. */
function membersOf(tar: Buffer): { name: string; start: number; end: number }[] {
  const listed = execFileSync('tar', ['--list', '--block-number', '--ignore-zeros', '--quoting-style=literal', '--file=-'], { input: tar, maxBuffer: 1e9 }).toString()
  const found = [...listed.matchAll(/^block (\d+): (?!\*\*)(.*)$/gm)].map(([, block, name]) => ({ name: name!, start: Number(block) * 512 }))
  // tar gives the block of a member's own header; an extended one takes two blocks here.
  const members = found.map(({ name, start }) => ({ name, start: start > 0 && tar[start - 1024 + 156] === 0x78 ? start - 1024 : start }))
  return members.map((member, index) => ({ ...member, end: members[index + 1]?.start ?? tar.length - 1024 }))
}

/** A copy of the store without these of the archive's chunks, and perhaps without the list. */
function damagedCopy(lost: readonly number[], withoutList = false): { copy: string; volumes: Volumes } {
  const copy = mkdtempSync(path.join(folder, 'copy-'))
  const volumes = new Volumes(copy)
  cpSync(path.join(folder, 'store'), volumes.store, { recursive: true })
  for (const place of [...lost.map((one) => archive.chunks[one]!), ...(withoutList ? list.chunks : [])]) {
    const [id, , , , mark] = snapshot.header.chunks[place]!
    rmSync(path.join(volumes.store, chunkKey(id, mark)), { force: true })
  }
  return { copy, volumes }
}

/** Such a copy, restored with skip-damaged. */
async function restored(lost: readonly number[], more: Record<string, string> = {}, withoutList = false): Promise<{ result: RestoreResult; target: string } & Pick<Volumes, 'warnings' | 'infos'>> {
  const { copy, volumes } = damagedCopy(lost, withoutList)
  const target = path.join(copy, 'target')
  return { result: await volumes.restore({ target, 'skip-damaged': 'true', ...more }), target, warnings: volumes.warnings, infos: volumes.infos }
}

/** The slow twin: the files that a hole touches. */
function touched(lost: readonly number[]): string[] {
  return members.filter((member) => touches(member, holesOf(lost))).map(({ name }) => name.slice(2))
}

function holesOf(lost: readonly number[]): Extent[] {
  const lostIds = new Set(lost.map((place) => archive.chunks[place]!))
  let at = 0
  return archive.chunks.flatMap((index) => {
    const start = at
    at += snapshot.header.chunks[index]![1]
    return lostIds.has(index) ? [{ start, end: at }] : []
  })
}

function expectRest(result: RestoreResult, target: string, expected: readonly string[]): void {
  const files = expected.filter((name) => name !== '' && !name.endsWith('/') && !['empty', 'd2/symbolic', 'hard link'].includes(name))
  if (expected.includes('d0/e0/file 0 ü')) files.push('hard link')
  expect((result.missing ?? []).map((text) => /^(?:file|link) (.*?) (?:\(|to the file )/.exec(text)![1]!).toSorted()).toEqual(files.toSorted())
  expect(result.errors).toEqual([])
  for (const name of files) expect(existsSync(path.join(target, name))).toBe(false)
  const without = (lines: string[]): string[] => lines.filter((line) => !files.some((name) => line.includes(`./${Buffer.from(name).toString('latin1')}`))).map((line) => line.replace(/^(\S+ \S+ f) .*$/, '$1'))
  const whole = (lines: string[]): string[] => without(lines).filter((line) => !/hard link|file 0 /.test(line))
  expect(whole(contentsOf(target))).toEqual(whole(contentsOf(root)))
}

test('of a volume with one lost chunk, whichever it is, everything that the chunk does not touch comes back, and the rest is listed', async () => {
  expect(archive.chunks.length).toBeGreaterThan(5)
  for (const place of archive.chunks.keys()) {
    const { result, target } = await restored([place])
    expectRest(result, target, touched([place]))
    rmSync(path.dirname(target), { recursive: true })
  }
})

test('one file is extracted if no chunk that is lost has a part of it or of a header before it, and refused otherwise', async () => {
  const last = archive.chunks.length - 1
  const files = members.filter(({ name }, index) => index % 40 === 5 && !name.endsWith('/')).map(({ name }) => name.slice(2))
  for (const lost of [[0], [2, last - 1], [last]]) {
    const { copy, volumes } = damagedCopy(lost)
    const gone = touched(lost)
    const first = members.findIndex(({ start, end }) => touches({ start, end: Math.min(end, start + 1536) }, holesOf(lost)))
    const hidden = first < 0 ? [] : members.slice(first).map(({ name }) => name.slice(2))
    for (const name of [...files, ...gone.filter((one) => one.includes('/file ')).slice(0, 1), 'hard link']) {
      const output = path.join(copy, 'output')
      const given = { destination: `file:${volumes.store}`, 'encryption-key': identity, snapshot: 'latest', source: 'data', path: name, output }
      const said = await refusal(dispatched('extract', given, new Date()))
      const isGone = [...gone, ...hidden].includes(name === 'hard link' ? 'd0/e0/file 0 ü' : name)
      expect([lost, name, said]).toEqual([lost, name, isGone ? expect.stringMatching(/^error: chunk chunks\/\S+ is missing/) : 'nothing was refused'])
      expect([name, existsSync(output) && readFileSync(output).equals(readFileSync(path.join(root, name)))]).toEqual([name, !isGone])
      rmSync(output, { force: true })
    }
    rmSync(copy, { recursive: true })
  }
})

test('a file that cannot be extracted as the list is damaged is restored by the command of the hint', async () => {
  const { copy, volumes } = damagedCopy([], true)
  const [name, target] = ['d1/e1/file 1 ü', path.join(copy, 'rescued')]
  const given = { destination: `file:${volumes.store}`, 'encryption-key': identity, snapshot: 'latest', source: 'data', path: name, output: path.join(copy, 'output') }
  expect(await refusal(dispatched('extract', given, new Date()))).toContain(`--volume data --paths '/${name}' --target ./rescued --keep-damaged\`.`)
  await volumes.restore({ volume: 'data', paths: `/${name}`, target, 'keep-damaged': 'true' })
  expect(readFileSync(path.join(target, name)).equals(readFileSync(path.join(root, name)))).toBe(true)
  rmSync(copy, { recursive: true })
})

test('a dry run tells what would be restored and what left out, and makes nothing', async () => {
  const place = Math.floor(archive.chunks.length / 2)
  const planned = await restored([place], { 'dry-run': 'true' })
  const made = await restored([place])
  const { entries, missing, elsewhere } = made.result
  expect(missing!.length).toBeGreaterThan(0)
  expect(planned.result).toMatchObject({ entries, missing, elsewhere, restored: 0, errors: [] })
  expect(planned.result.steps).toEqual([
    expect.stringMatching(/^Make .*target, which is not there\.$/), expect.stringContaining(`Extract ${made.result.restored} files and folders, `), 'Move it to its place.',
  ])
  expect(readdirSync(path.dirname(planned.target))).not.toContain('target')
  const text = dryText({ ...planned.result, steps: planned.result.steps! }, { program: 'lifeboat', destination: 'file:/b', timeZone: 'UTC' })
  expect(text).toMatch(/^Nothing was changed\. data of snapshot \S+ can be restored in part into [^]*MISSING: damaged in the backup, so it would not be restored, or only in part/)
  expect(text).toContain(`  - ${missing![0]}\n`)
  expect(await refusal(restored([place], { 'dry-run': 'true', mode: 'clean' }))).toContain('with mode clean would replace what is there')
  expect(await refusal(restored([...archive.chunks.keys()], { 'dry-run': 'true' }, true))).toMatch(/nothing of data is whole[^]*No other snapshot of set default/)
})

test('every check of the target is made before anything is changed, and all that is found is told at once', async () => {
  const target = path.join(folder, 'target of checks')
  mkdirSync(target)
  writeFileSync(path.join(target, 'mine'), 'mine')
  const touched = path.join(folder, 'touched')
  expect(await refusal(restored([1], { target, 'pre-command': `touch '${touched}'` }))).toContain('is not empty')
  expect(existsSync(touched)).toBe(false)
  const { infos } = await restored([1], { target, mode: 'overwrite', confirm: target })
  expect(infos.join('\n')).toMatch(/This restore into .* will:\n[^]*Files of the same names are replaced[^]*MISSING: damaged in the backup, so it would not be restored/)
})

test('with several lost chunks, nothing is restored that is not as it was, and nearly everything between them comes back', async () => {
  const all = [...archive.chunks.keys()]
  for (const lost of [[1, 4], [0, 2, 5], all.filter((place) => place % 2 === 0), all]) {
    const { result, target } = await restored(lost)
    const lostNames = (result.missing ?? []).map((text) => /^(?:file|link) (.*?) (?:\(|to the file )/.exec(text)![1]!)
    for (const name of touched(lost).filter((one) => one.startsWith('d') && one.endsWith(' ü'))) expect(lostNames).toContain(name)
    const there = execFileSync('find', ['.', '-type', 'f', '-printf', '%P\\n'], { cwd: target, encoding: 'utf8' }).split('\n').filter((name) => name !== '')
    for (const name of there) expect(readFileSync(path.join(target, name)).equals(readFileSync(path.join(root, name)))).toBe(true)
    expect(there.filter((name) => lostNames.includes(name))).toEqual([])
    expect(there.length + lostNames.length).toBe(153)
    // The folder itself is a member as well; the hard link is in an archive of its own.
    expect([result.entries, result.restored]).toEqual([members.length + 1, members.length + 1 - lostNames.length])
    rmSync(path.dirname(target), { recursive: true })
  }
})

test('it says what is missing and where else it is, with status 1; paths that are whole are complete', async () => {
  const place = [...archive.chunks.keys()].find((one) => touched([one]).some((name) => name.endsWith(' ü')))!
  const [lostFile] = touched([place]).filter((name) => name.endsWith(' ü'))
  const { result } = await restored([place])
  expect(result.missing!.some((text) => text.startsWith(`file ${lostFile} (`))).toBe(true)
  expect(result.elsewhere).toContain('No other snapshot of set default is whole and has data')
  const whole = members.find(({ name }) => name.endsWith(' ü') && !touched([place]).includes(name.slice(2)))!.name.slice(1)
  const part = await restored([place], { paths: whole })
  expect(part.result).toMatchObject({ missing: [], errors: [] })
  expect(readdirSync(part.target)).toHaveLength(1)
  expect(await refusal(restored([place], { paths: `/${lostFile}` }))).toMatch(/nothing of data that matches \/d\S+ \d+ ü is whole: file d[^]*\nhint: No other snapshot of set default/)
})

test('if no other snapshot of the set will do, one that a restore made of what it replaced is named, with its origin', async () => {
  const copy = mkdtempSync(path.join(folder, 'copy-'))
  const volumes = new Volumes(copy)
  cpSync(path.join(folder, 'store'), volumes.store, { recursive: true })
  const target = path.join(copy, 'target')
  mkdirSync(target)
  writeFileSync(path.join(target, 'mine'), noise('mine', 3000))
  const { safety } = await volumes.restore({ target: path.relative('.', target), mode: 'clean' })
  const [id, , , , mark] = snapshot.header.chunks[archive.chunks[1]!]!
  rmSync(path.join(volumes.store, chunkKey(id, mark)))
  const made = timeOfId(safety!.snapshot).replace('T', ' ').replace('.000Z', ' UTC')
  const origin = `what ${target} had before the restore of ${snapshot.header.id}`
  const safe = `Snapshot ${safety!.snapshot} of set default.safety, made ${made}, is whole and has data: ${origin}. That may be another server, and wrong data: give it as `
  const { elsewhere } = await volumes.restore({ target: path.join(copy, 'other'), 'skip-damaged': 'true' })
  expect(spelled(elsewhere!, atTerminal('lifeboat'))).toBe(`No other snapshot of set default is whole and has data. ${safe}--snapshot with a new target first, and look at it.`)
  expect((await volumes.verify({ level: 'read' })).advice.at(-1)).toContain(safe)
  // The way back is that target's alone; over what another has, it comes with a warning.
  const back = { snapshot: safety!.snapshot, mode: 'clean', 'dry-run': 'true' }
  for (const into of [target, path.join(copy, 'new')]) await volumes.restore({ ...back, target: into, ...(into !== target && { mode: 'empty' }) })
  expect(volumes.warnings.filter((text) => text.includes('safety backup'))).toEqual([])
  mkdirSync(path.join(copy, 'production'))
  await volumes.restore({ ...back, target: path.join(copy, 'production') })
  expect(volumes.warnings.at(-1)).toBe(`snapshot ${safety!.snapshot} is a safety backup of another target than ${copy}/production: it is ${origin}`)
})

test('names of missing files are shown so that each is another, and none is obeyed by a terminal', () => {
  const names = ['a b', 'a\tb', 'a\nb', 'a  b', 'a\u00a0b', 'a\\nb', 'a\u009b31mb', 'a\u202eb', 'ü b']
  const shown = names.map((name) => lostText({ file: { type: 'f', mode: '644', uid: 0, gid: 0, mtime: '0', target: '', path: Buffer.from(name).toString('latin1'), size: 1 } }))
  expect(shown).toEqual(['a b', 'a\\x09b', 'a\\x0ab', 'a \\x20b', 'a\\xc2\\xa0b', 'a\\x5cnb', 'a\\xc2\\x9b31mb', 'a\\xe2\\x80\\xaeb', 'ü b'].map((name) => `file ${name} (1 B)`))
  expect(shown.map(oneLine)).toEqual(shown)
})

test('with keep-damaged, a damaged file is kept with zeros for the lost bytes, whose places are listed', async () => {
  let kept = 0
  for (const place of archive.chunks.keys()) {
    const { result, target } = await restored([place], { 'keep-damaged': 'true' })
    for (const text of result.missing ?? []) {
      const [, name] = /^(?:file|link) (.*?) (?:\(|to the file )/.exec(text)!
      const file = path.join(target, name!)
      const zeros = [...text.matchAll(/([\d,]+) bytes? from byte ([\d,]+) on/g)].map(([, size, start]) => ({ start: Number(start!.replaceAll(',', '')), size: Number(size!.replaceAll(',', '')) }))
      expect(existsSync(file)).toBe(zeros.length > 0)
      if (zeros.length === 0) continue
      kept++
      const expected = readFileSync(path.join(root, name!))
      for (const { start, size } of zeros) {
        expect(start + size).toBeLessThanOrEqual(expected.length)
        expected.fill(0, start, start + size)
      }
      expect(readFileSync(file).equals(expected)).toBe(true)
    }
    expect(result.errors).toEqual([])
    rmSync(path.dirname(target), { recursive: true })
  }
  expect(kept).toBeGreaterThan(archive.chunks.length / 2)
})

test('without the list of files, everything comes back if the archives are whole, and otherwise all before the damage; the rest is counted', async () => {
  const { result, target, warnings } = await restored([], {}, true)
  expect(result).toMatchObject({ missing: [], errors: [] })
  expect(contentsOf(target)).toEqual(contentsOf(root))
  expect(warnings).toContain('the list of the files of data is damaged: the archives tell what they have')
  expect(await refusal(restored([0], {}, true))).toMatch(/nothing of data is whole[^]*No other snapshot of set default/)
  const { result: part, target: there } = await restored([Math.floor(archive.chunks.length / 2)], {}, true)
  const found = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%y %P\\n'], { cwd: there, encoding: 'utf8' }).trim().split('\n')
  const files = found.filter((line) => line.startsWith('f ')).map((line) => line.slice(2))
  expect(files.length).toBeGreaterThan(20)
  for (const name of files) expect(readFileSync(path.join(there, name)).equals(readFileSync(path.join(root, name)))).toBe(true)
  const unnamed = part.missing!.flatMap((text) => /^([\d,]+) files?, links or folders of data\.\d+\.tar, with their names/.exec(text)?.[1] ?? [])
  expect(unnamed).toHaveLength(1)
  // The folder itself is a member as well; the hard link is in an archive of its own.
  expect(1 + found.length + Number(unnamed[0]) + part.missing!.length - 1).toBe(members.length + 1)
  expect(part.elsewhere).toContain('No other snapshot of set default')
})

test('of a damaged list, the lines before the first and after the last damage are known', async () => {
  const lines = Array.from({ length: 50 }, (_, number) => `f\t644\t0\t0\t${number}\t1.5\tname ${number}\t\n`)
  const whole = Buffer.from(lines.join(''))
  const record = { name: 'data.list', format: 'tar-list', size: whole.length, sum: '', chunks: [] } satisfies StreamRecord
  for (let start = 0; start < whole.length; start += 31) {
    for (const size of [1, 60, 500]) {
      const hole = { start, end: Math.min(whole.length, start + size) }
      const bytes = Buffer.from(whole).fill(0, hole.start, hole.end)
      const read = async function* () {
        for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
      }
      const source = { name: 'data', kind: 'directory', streams: [record], facts: {} } satisfies SourceRecord
      const known: (ListedFile | undefined)[] = []
      for await (const file of knownFiles({ source, snapshot: '', read, readParts: read, holes: () => [hole], keepDamaged: false }, record, 50)) known.push(file)
      let at = 0
      const expected = lines.map((line, number) => {
        const from = at
        at += line.length
        // A line that begins where the damage ends may be the rest of another.
        return from < hole.end && at > hole.start ? undefined : from === hole.end && from > 0 ? 'perhaps' : number
      })
      expect(known).toHaveLength(50)
      for (const [number, file] of known.entries()) if (expected[number] !== 'perhaps') expect(file?.size).toBe(expected[number])
    }
  }
})

test('a damaged volume never replaces content, and a backup that is whole is restored as ever', async () => {
  const target = path.join(folder, 'mine')
  mkdirSync(target, { recursive: true })
  writeFileSync(path.join(target, 'mine'), 'mine')
  expect(await refusal(restored([0], { target, mode: 'clean' }))).toContain('data is damaged, and with mode clean would replace what is there')
  expect(await refusal(restored([0], { target, mode: 'overwrite', 'keep-damaged': 'true' }))).toContain('files with zeros would replace those that are there')
  expect(await refusal(restored([0], { target }))).toContain('is not empty')
  expect(readdirSync(target)).toEqual(['mine'])
  const { result, target: whole } = await restored([])
  expect(result).not.toHaveProperty('missing')
  expect(contentsOf(whole)).toEqual(contentsOf(root))
})

test('without it, nothing is restored, and the error says what is whole and how to get the rest', async () => {
  const copy = mkdtempSync(path.join(folder, 'copy-'))
  const volumes = new Volumes(copy)
  const other = path.join(copy, 'other')
  mkdirSync(other)
  writeFileSync(path.join(other, 'file'), noise('other', 5000))
  const both = (): Promise<unknown> => volumes.backup({ volumes: `data=${root}\nother=${other}` })
  await both()
  writeFileSync(path.join(other, 'file'), noise('changed', 5000))
  await both()
  const store = new FileStore(volumes.store)
  const keys = await openKeys(identity, { store, create: false, onDamaged: () => undefined })
  const newest = await findSnapshot(store, keys, 'default', { kind: 'latest' })
  const { sources } = await openManifest(newest)
  const [id, , , , mark] = newest.header.chunks[sources[1]!.streams[0]!.chunks[0]!]!
  rmSync(path.join(volumes.store, chunkKey(id, mark)))
  const target = path.join(copy, 'target')
  const said = await refusal(volumes.restore({ target, volume: 'other' }))
  expect(said).toMatch(/does not verify, so nothing was restored/)
  expect(said).toMatch(new RegExp(`Of snapshot ${newest.header.id}, data is whole\\.`))
  expect(said).toMatch(/Snapshot \S+ is the newest other one that is whole and has other: give it as --snapshot/)
  expect(said).toContain('--skip-damaged')
  expect(existsSync(target)).toBe(false)
  // With all, a source of which nothing is whole does not keep the other from being restored.
  for (const { chunks } of sources[1]!.streams) for (const place of chunks) {
    const [key, , , , last] = newest.header.chunks[place]!
    rmSync(path.join(volumes.store, chunkKey(key, last)), { force: true })
  }
  const all = (more: Record<string, string>) => dispatched('restore', {
    destination: `file:${volumes.store}`, 'encryption-key': identity, all: 'true', 'skip-damaged': 'true', map: `data=${path.join(copy, 'to data')}\nother=${path.join(copy, 'to other')}`, ...more,
  }, new Date(), { variables: { PATH: process.env['PATH'] }, temporary: path.join(copy, 'tmp') })
  const { text } = await all({ 'dry-run': 'true' })
  expect(text).toMatch(/^Nothing was changed\. 1 of 2 sources of snapshot \S+ can be restored whole\n\ndata of snapshot [^]*\n\nother cannot be restored: nothing of other is whole\n {2}Snapshot \S+ is the newest other one/)
  expect([existsSync(path.join(copy, 'to data')), existsSync(path.join(copy, 'to other'))]).toEqual([false, false])
  expect((await all({})).text).toMatch(/^NOT all restored: 1 of 2 sources restored whole[^]*\nNOT restored: other: nothing of other is whole/)
  expect(contentsOf(path.join(copy, 'to data'))).toEqual(contentsOf(root))
})
