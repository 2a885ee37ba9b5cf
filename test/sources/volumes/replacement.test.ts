import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { volumeFacts } from '../../../src/sources/files/facts.ts'
import { localSite, type Site } from '../../../src/sources/files/site.ts'
import { restoreVolume, type VolumeMode, type VolumeOutcome } from '../../../src/sources/volumes/restore.ts'
import { inPieces } from '../../support/bytes.ts'
import { quiet } from '../../support/quiet.ts'
import { contentsOf, readVolume, type ReadVolume } from '../../support/volume.ts'

let folder: string
let root: string
let target: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-replacement-'))
  root = path.join(folder, 'root')
  target = path.join(folder, 'target')
  mkdirSync(root)
  mkdirSync(target)
})
afterEach(() => rmSync(folder, { recursive: true }))

type Files = Record<string, string>

function write(top: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(top, name)), { recursive: true })
    writeFileSync(path.join(top, name), content)
  }
}

function restored(read: ReadVolume, mode: VolumeMode, { site = localSite(target, process.env), patterns = [], owners = 'number', meanwhile }: { site?: Site; patterns?: string[]; owners?: 'number' | 'none'; meanwhile?: () => Promise<void> } = {}): Promise<VolumeOutcome> {
  const { segments } = volumeFacts.parse(read.record.facts)
  const archives = [...read.streams].filter(([name]) => name.endsWith('.tar'))
  return restoreVolume({
    name: 'data', site, list: () => inPieces(read.streams.get('data.list')!), patterns, mode, owners, links: true, signal: new AbortController().signal, report: quiet,
    segments: archives.map(([, bytes], index) => ({ entries: segments[index]!.entries, size: bytes.length, bytes: () => piecesOf(bytes) })),
  })
  async function* piecesOf(bytes: Buffer) {
    await meanwhile?.()
    yield* inPieces(bytes)
  }
}

const old: Files = { same: 'old', 'both/same': 'old', 'both/old': 'old', 'old folder/x': 'old', 'old\nname': 'old', z: 'old' }
const fresh: Files = { same: 'new', 'both/same': 'new', 'both/new': 'new', 'new folder/x': 'new', 'new\nname': 'new', a: 'new' }

const works = (): string[] => readdirSync(target).filter((name) => name.startsWith('.lifeboat-restore-'))

/** Whether each of `files` is there with its content: in its place, or in one of these folders of the folder that a restore works in. */
function whole(files: Files, among: string[]): boolean {
  const tops = [target, ...works().flatMap((work) => among.map((name) => path.join(target, work, name)))]
  return Object.entries(files).every(([name, content]) => tops.some((top) => existsSync(path.join(top, name)) && readFileSync(path.join(top, name), 'utf8') === content))
}

// The first of the programs of a place ends the machine after so many: it does nothing, or a part of its work, its caller is killed, and no other begins any more.
const DYING = String.raw`#!/bin/sh
here=${'$'}{0%/*} name=${'$'}{0##*/}
PATH=REAL
[ ! -e "$here/dead" ] || exit 137
read -r left part < "$here/left"
echo "$((left - 1)) $part" > "$here/left"
[ "$left" -eq 0 ] || exec "$name" "$@"
: > "$here/dead"
if [ "$part" = part ]; then
  case $name in
    mv) if [ "$1" = -t ]; then mv "$1" "$2" -- "$4"; fi ;;
    rm) for last; do :; done; find "$last" -depth -mindepth 1 | head -n 3 | xargs -d '\n' rm -rf -- ;;
    tar) head -c 3000 | tar "$@" ;;
  esac
fi
case $(cat "/proc/$PPID/comm") in sh | dash | find) kill -9 "$PPID" ;; esac
exit 137
`

/** A place whose machine dies when it is to start its program number `after`. */
function dying(after: number, part: boolean): { site: Site; died: () => boolean } {
  const here = mkdtempSync(path.join(folder, 'dying-'))
  writeFileSync(path.join(here, 'run'), DYING.replace('REAL', `'${process.env['PATH']}'`), { mode: 0o755 })
  writeFileSync(path.join(here, 'left'), `${after} ${part ? 'part' : 'none'}\n`)
  for (const program of ['tar', 'mv', 'rm', ...(part ? [] : ['find', 'mkdir', 'sync', 'touch', 'cp', 'stat', 'chmod'])]) symlinkSync('run', path.join(here, program))
  return { site: localSite(target, { ...process.env, PATH: `${here}:${process.env['PATH']}` }), died: () => existsSync(path.join(here, 'dead')) }
}

test.each([['at', false], ['in the middle of', true]])('killed %s any step, a restore in place of what is there loses neither that nor the backup, and the next one ends well', async (_, part) => {
  write(root, fresh)
  chmodSync(root, 0o750)
  const read = await readVolume(root)
  const expected = contentsOf(root)
  const states = new Set<string>()
  let deaths = 0
  for (; ; deaths++) {
    rmSync(target, { recursive: true })
    mkdirSync(target)
    write(target, old)
    const { site, died } = dying(deaths, part)
    const ending = await restored(read, 'clean', { site }).catch((error: unknown) => error)
    if (!died()) {
      expect(ending).toMatchObject({ errors: [] })
      break
    }
    for (const work of works()) states.add(readdirSync(path.join(target, work)).toSorted().join(' '))
    const kept = (): boolean => whole(old, ['old']) || whole(fresh, ['whole', 'in'])
    expect([deaths, kept()]).toEqual([deaths, true])
    // A mode that removes nothing does not bring to its end what does.
    await expect(restored(read, 'empty')).rejects.toThrow(/is not empty|neither the backup nor what was there before/)
    expect([deaths, kept()]).toEqual([deaths, true])
    await restored(read, 'clean')
    expect([deaths, contentsOf(target)]).toEqual([deaths, expected])
  }
  expect(contentsOf(target)).toEqual(expected)
  for (const state of ['new', 'old time whole', 'in old time', 'old time top']) expect([...states]).toContain(state)
  expect(deaths).toBeGreaterThan(part ? 5 : 20)
}, 240_000)

test('killed at any step, a restore into an empty folder leaves it to the next one', async () => {
  write(root, fresh)
  const read = await readVolume(root)
  const expected = contentsOf(root)
  let [deaths, moved] = [0, 0]
  for (; ; deaths++) {
    rmSync(target, { recursive: true })
    mkdirSync(path.join(target, 'lost+found'), { recursive: true })
    const { site, died } = dying(deaths, false)
    await restored(read, 'empty', { site }).catch(() => undefined)
    if (!died()) break
    const there = readdirSync(target).filter((name) => name !== 'lost+found')
    try {
      await restored(read, 'empty')
    } catch (error) {
      expect(String(error)).toMatch(/is not empty|neither the backup nor what was there before/)
      expect(whole(fresh, ['whole', 'in'])).toBe(true)
      moved++
      await restored(read, 'clean')
    }
    const [has, meant] = [contentsOf(target), expected].map((lines) => lines.filter((line) => !/^\. d|lost\+found/.test(line)))
    expect([deaths, there, has]).toEqual([deaths, there, meant])
  }
  expect([deaths > 15, moved > 1]).toEqual([true, true])
}, 240_000)

test('lost+found of an empty folder is replaced by that of the backup, unless it has something in it', async () => {
  write(root, { 'lost+found/#1': 'of the backup' })
  const read = await readVolume(root)
  mkdirSync(path.join(target, 'lost+found'))
  await restored(read, 'empty')
  expect(contentsOf(target)).toEqual(contentsOf(root))
  rmSync(target, { recursive: true })
  write(target, { 'lost+found/#2': 'found' })
  await expect(restored(read, 'empty')).rejects.toThrow(/could not be replaced: rmdir: .*lost\+found.*not empty/)
  expect([readdirSync(target), readdirSync(path.join(target, 'lost+found'))]).toEqual([['lost+found'], ['#2']])
})

test.each(['clean', 'empty', 'overwrite'] as const)('of two restores at once into one folder, mode %s, the second is refused, and the first ends well', async (mode) => {
  write(root, fresh)
  const read = await readVolume(root)
  if (mode !== 'empty') write(target, old)
  const [began, goes] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const first = restored(read, mode, { meanwhile: async () => {
    began.resolve()
    await goes.promise
  } })
  await Promise.race([began.promise, first])
  await expect(restored(read, 'clean')).rejects.toMatchObject({ message: `another restore works in ${target}`, status: 2 })
  await expect(restored(read, 'overwrite')).rejects.toThrow('another restore works in')
  goes.resolve()
  await first
  if (mode === 'overwrite') expect(whole(fresh, [])).toBe(true)
  else expect(contentsOf(target)).toEqual(contentsOf(root))
  await restored(read, 'clean')
  expect(works()).toEqual([])
})

test('where there are no locks, a folder that a restore has just worked in stops the next one, and an old one does not', async () => {
  write(root, fresh)
  const read = await readVolume(root)
  const work = path.join(target, '.lifeboat-restore-0123abcd')
  mkdirSync(path.join(work, 'new'), { recursive: true })
  const here = path.join(folder, 'no-locks')
  mkdirSync(here)
  writeFileSync(path.join(here, 'flock'), '#!/bin/sh\nexit 66\n', { mode: 0o755 })
  const site = localSite(target, { ...process.env, PATH: `${here}:${process.env['PATH']}` })
  await expect(restored(read, 'clean', { site })).rejects.toThrow(/another restore may work in/)
  expect(works()).toEqual(['.lifeboat-restore-0123abcd'])
  utimesSync(work, 1, 1)
  await restored(read, 'clean', { site })
  expect(contentsOf(target)).toEqual(contentsOf(root))
})

test('killed while it extracts, an empty folder is one for the next restore', async () => {
  write(root, fresh)
  mkdirSync(path.join(target, '.lifeboat-restore-0123abcd/new'), { recursive: true })
  await restored(await readVolume(root), 'empty')
  expect(contentsOf(target)).toEqual(contentsOf(root))
})

test('if something cannot be moved away, nothing is changed', async () => {
  write(root, fresh)
  write(target, { ...old, 'both/mounted/below': 'old' })
  mkdirSync(path.join(target, 'mounted'))
  const before = contentsOf(target)
  const site = localSite(target, process.env, ['unshare', '--mount', 'sh', '-euc', `mount -t tmpfs none '${target}/mounted'; exec "$@"`, 'sh'])
  await expect(restored(await readVolume(root), 'clean', { site })).rejects.toThrow(/could not be replaced: mv: .*mounted.* busy/)
  expect(contentsOf(target).filter((line) => !line.startsWith('. d '))).toEqual(before.filter((line) => !line.startsWith('. d ')))
  expect(works()).toEqual([])
})

test('lost+found stays, and of a part that is restored the folder itself stays as it was', async () => {
  write(root, fresh)
  write(target, { 'lost+found/#123': 'found' })
  const read = await readVolume(root)
  await restored(read, 'empty')
  write(target, old)
  chmodSync(target, 0o751)
  await restored(read, 'clean', { patterns: ['/new folder/'] })
  expect(execFileSync('sh', ['-c', 'find . | sort'], { cwd: target, encoding: 'utf8' })).toBe('.\n./lost+found\n./lost+found/#123\n./new folder\n./new folder/x\n')
  expect(statSync(target).mode & 0o777).toBe(0o751)
})

test('a user who is not root replaces folders that may not be written', async () => {
  write(root, fresh)
  write(target, old)
  for (const top of [path.join(root, 'new folder'), path.join(target, 'old folder'), root]) chmodSync(top, 0o555)
  execFileSync('chown', ['-R', '65534:65534', target])
  chmodSync(folder, 0o755)
  const site = localSite(target, process.env, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'])
  execFileSync('chown', ['-R', '65534:65534', root])
  await restored(await readVolume(root), 'clean', { site, owners: 'none' })
  expect(contentsOf(target)).toEqual(contentsOf(root))
})

test('a backup leaves out what a restore left that was killed, and says so; in the middle of moving there is nothing to back up', async () => {
  write(root, { ...fresh, 'sub/.lifeboat-restore-0123abcd/new/half': 'x', '.lifeboat-restore-89abcdef': 'a file', '.lifeboat-restore-notes/x': 'x' })
  const warnings: string[] = []
  const report = { ...quiet, warning: (text: string) => void warnings.push(text) }
  const read = await readVolume(root, { report })
  expect(warnings).toEqual(['data: not in this backup, as a restore works there, or left it when it was killed: sub/.lifeboat-restore-0123abcd'])
  rmSync(path.join(root, 'sub/.lifeboat-restore-0123abcd'), { recursive: true })
  await restored(read, 'empty')
  expect(readdirSync(path.join(target, 'sub'))).toEqual([])
  const [there, meant] = [target, root].map((top) => contentsOf(top).filter((line) => line.includes(' f ')))
  expect(there).toEqual(meant)
  for (const name of ['whole', 'in']) {
    mkdirSync(path.join(root, '.lifeboat-restore-0123abcd', name), { recursive: true })
    // For any selection of the backup: some of it may be there still, and not be what it was.
    for (const patterns of [{ include: [], exclude: [] }, { include: ['/both/'], exclude: [] }, { include: [], exclude: ['.lifeboat-restore-*'] }]) {
      await expect(readVolume(root, { patterns })).rejects.toThrow(/is in the middle of a restore, .*\.lifeboat-restore-0123abcd$/)
    }
    rmSync(path.join(root, '.lifeboat-restore-0123abcd'), { recursive: true })
  }
})

test('how far a restore has come is no secret to who backs up, or there is no backup', async () => {
  write(root, { ...fresh, '.lifeboat-restore-0123abcd/whole/x': 'x' })
  chmodSync(path.join(root, '.lifeboat-restore-0123abcd'), 0o700)
  execFileSync('chmod', ['755', folder])
  const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  await expect(readVolume(root, { prefix, onUnreadable: 'warn' })).rejects.toThrow(/\.lifeboat-restore-0123abcd/)
})

test('a symbolic link in the folder that a killed restore seems to have left is not followed', async () => {
  write(root, fresh)
  const read = await readVolume(root)
  const outside = path.join(folder, 'outside')
  const work = path.join(target, '.lifeboat-restore-0123abcd')
  for (const [name, other] of [['in', 'time'], ['whole', 'old'], ['old', 'whole'], ['top', 'time']] as const) {
    mkdirSync(work, { recursive: true })
    write(target, old)
    write(outside, { secret: 'x' })
    chmodSync(outside, 0o710)
    const before = contentsOf(outside)
    symlinkSync(outside, path.join(work, name))
    mkdirSync(path.join(work, other))
    await expect(restored(read, 'clean')).rejects.toThrow(new RegExp(`could not be replaced: .*/${name} is a symbolic link`))
    expect([name, contentsOf(outside)]).toEqual([name, before])
    expect(whole(old, [])).toBe(true)
    rmSync(work, { recursive: true })
  }
})

test('a folder that another user may have made is not taken for the remains of a restore', async () => {
  write(root, fresh)
  write(target, { ...old, '.lifeboat-restore-0123abcd/whole/x': 'x' })
  execFileSync('chown', ['-R', '65534', path.join(target, '.lifeboat-restore-0123abcd')])
  await expect(restored(await readVolume(root), 'clean')).rejects.toThrow(/\.lifeboat-restore-0123abcd.* of another user/)
  expect(whole(old, [])).toBe(true)
})
