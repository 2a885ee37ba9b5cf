import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { volumeFacts } from '../../../src/sources/files/facts.ts'
import { localSite, type Site } from '../../../src/sources/files/site.ts'
import { restoreVolume, type VolumeMode, type VolumeOutcome } from '../../../src/sources/volumes/restore.ts'
import { targetFolder } from '../../../src/sources/volumes/target.ts'
import { type Attack, actingBefore, asOther, OTHER, swap } from '../../support/other-user.ts'
import { quiet } from '../../support/quiet.ts'
import { contentsOf, readVolume, type ReadVolume } from '../../support/volume.ts'

let folder: string
let target: string
let outside: string
let attack: Attack
let read: ReadVolume
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-other-'))
  chmodSync(folder, 0o755)
  target = path.join(folder, 'home/target')
  outside = path.join(folder, 'outside')
  attack = { target, outside, kind: 'links' }
  for (const name of ['a/b/deep', 'a/file', 'z/file', 'top']) write(path.join(folder, 'root', name), name.padEnd(30_000))
  chown(path.join(folder, 'root'))
  read = await readVolume(path.join(folder, 'root'))
  // As hostile as it can be for what follows a link into it.
  for (const name of ['new/a/b', 'whole/a', 'in/a', 'old/a', 'top', 'a/b', 'z']) write(path.join(outside, name, 'kept'), 'kept')
  chmodSync(path.join(outside, 'old'), 0o555)
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(file: string, content: string): void {
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, content)
}

function chown(name: string): void {
  execFileSync('chown', ['-hR', `${OTHER}:${OTHER}`, name])
}

/** The target belongs to the other user, and so do the files in it, as those of an application do. */
function prepare(mode: VolumeMode): void {
  rmSync(path.dirname(target), { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  if (mode !== 'empty') for (const name of ['a/old', 'old/a/file', 'z/file']) write(path.join(target, name), 'old')
  chown(attack.kind === 'target' ? path.dirname(target) : target)
}

/** `between` is called before each 20 KiB of the archive, which is two records of tar. */
function restored(mode: VolumeMode, { variables = process.env, between, patterns = [], prefix = [] }: { variables?: NodeJS.ProcessEnv; between?: () => Promise<void>; patterns?: string[]; prefix?: readonly string[] } = {}): Promise<VolumeOutcome> {
  const { segments } = volumeFacts.parse(read.record.facts)
  const archives = [...read.streams].filter(([name]) => name.endsWith('.tar'))
  const slowly = async function* (bytes: Buffer): AsyncGenerator<Buffer, void, void> {
    for (let start = 0; start < bytes.length; start += 20_480) {
      await between?.()
      yield Buffer.from(bytes.subarray(start, start + 20_480))
    }
  }
  return restoreVolume({
    name: 'data', site: localSite(target, variables, prefix), list: () => slowly(read.streams.get('data.list')!), patterns, mode, owners: 'number', links: true,
    signal: new AbortController().signal, report: quiet, segments: archives.map(([, bytes], index) => ({ entries: segments[index]!.entries, size: bytes.length, bytes: () => slowly(bytes) })),
  })
}

test.each<[VolumeMode]>([['empty'], ['clean'], ['overwrite']])('nothing lands outside in mode %s, whatever the owner of the target does while tar extracts', async (mode) => {
  prepare(mode)
  const before = contentsOf(outside)
  let acts = 0
  const between = async (): Promise<void> => {
    // tar has had the time to make what it was given so far.
    await sleep(5)
    swap(attack)
    acts++
  }
  await restored(mode, { between }).catch(() => undefined)
  expect(contentsOf(outside)).toEqual(before)
  if (mode !== 'overwrite') expect(acts).toBeGreaterThan(4)
})

test.each<[VolumeMode, Attack['kind'], number]>([['empty', 'links', 2], ['clean', 'own', 1], ['clean', 'target', 3]])(
  'nothing lands or changes outside in mode %s, whichever program of it the owner of the target comes before (%s, one in %d)',
  async (mode, kind, step) => {
    attack = { ...attack, kind }
    const before = contentsOf(outside)
    let [after, failed] = [0, 0]
    for (; ; after += step) {
      prepare(mode)
      const { path: PATH, acted } = actingBefore(after, path.join(folder, `acting-${after}`), attack)
      await restored(mode, { variables: { ...process.env, PATH } }).catch(() => failed++)
      expect([after, contentsOf(outside)]).toEqual([after, before])
      if (!acted()) break
    }
    expect([after > 20, failed > 5]).toEqual([true, true])
  },
  180_000,
)

describe('root restores with mode overwrite', () => {
  const refused = /^root does not restore over folders that other users can write/

  test('only over folders that are its own, and that no group can write', async () => {
    prepare('overwrite')
    await expect(restored('overwrite')).rejects.toThrow(new RegExp(`${refused.source}: ${target} belongs to the user with the number ${OTHER}$`))
    expect(contentsOf(target).filter((line) => line.includes('deep'))).toEqual([])
    execFileSync('chown', ['-R', '0:0', target])
    for (const mode of [0o775, 0o757, 0o1777]) {
      chmodSync(path.join(target, 'a'), mode)
      await expect(restored('overwrite')).rejects.toThrow(new RegExp(`${refused.source}: a in ${target} is writable for its group or for all$`))
    }
    chmodSync(path.join(target, 'a'), 0o755)
    expect(await restored('overwrite')).toMatchObject({ errors: [] })
    expect(readFileSync(path.join(target, 'a/b/deep'), 'utf8').trim()).toBe('a/b/deep')
  })

  test('where it restores a part, over the folders of that part', async () => {
    prepare('overwrite')
    execFileSync('chown', ['0:0', target, path.join(target, 'z')])
    await expect(restored('overwrite', { patterns: ['/a/file'] })).rejects.toThrow(refused)
    expect(await restored('overwrite', { patterns: ['/z/'] })).toMatchObject({ errors: [] })
  })

  test('and the user the folders belong to does so everywhere', async () => {
    prepare('overwrite')
    const [program, ...args] = asOther
    expect(await restored('overwrite', { prefix: [program!, ...args] })).toMatchObject({ errors: [] })
    expect(contentsOf(path.join(target, 'a'))).toEqual(expect.arrayContaining([expect.stringContaining('./old f'), expect.stringContaining('./file f 30000')]))
  })
})

const site = (variables: NodeJS.ProcessEnv = process.env, prefix: readonly string[] = []): Site => localSite('/', variables, prefix)
const reach = (given: string, from = site()): Promise<string> => targetFolder(given, from, new AbortController().signal)
const home = (): string => path.join(folder, 'home')

test('root is refused, with what to do, where the file system keeps no owners', async () => {
  prepare('empty')
  // As a network file system that takes root for somebody else.
  const here = path.join(folder, 'squashed')
  mkdirSync(here)
  writeFileSync(path.join(here, 'mkdir'), `#!/bin/sh\nPATH='${process.env['PATH']}'\nmkdir "$@" && for last; do :; done && chown ${OTHER} "$last"\n`, { mode: 0o755 })
  await expect(restored('empty', { variables: { ...process.env, PATH: `${here}:${process.env['PATH']}` } })).rejects.toMatchObject({ message: expect.stringMatching(/ is not root's alone: /), hint: expect.stringContaining('restore elsewhere') })
  expect(readdirSync(target)).toEqual([])
})

describe('on the way to the target', () => {
  test('root follows a symbolic link only where no other user can change it', async () => {
    mkdirSync(path.join(home(), 'real'), { recursive: true })
    for (const [name, to] of [['absolute', `${home()}/real`], ['relative', './real/../real']] as const) symlinkSync(to, path.join(home(), name))
    symlinkSync('absolute', path.join(home(), 'twice'))
    symlinkSync('loop', path.join(home(), 'loop'))
    for (const name of ['absolute', 'relative', 'twice']) expect(await reach(`${home()}/${name}/new  one/*/x`)).toBe(`${home()}/real/new  one/*/x`)
    await expect(reach(`${home()}/loop`)).rejects.toThrow(/too many symbolic links/)
    // Of a folder that all can write to, the links of root alone; of one of another user, none.
    chmodSync(home(), 0o1777)
    expect(await reach(`${home()}/twice`)).toBe(`${home()}/real`)
    execFileSync('chown', ['-h', String(OTHER), `${home()}/twice`])
    for (const [prepare, name] of [[[], 'twice'], [['chmod', '777', home()], 'absolute'], [['chmod', '775', home()], 'absolute'], [['chown', String(OTHER), home()], 'absolute']] as const) {
      if (prepare.length > 0) execFileSync(prepare[0]!, prepare.slice(1))
      await expect(reach(`${home()}/${name}/made`)).rejects.toMatchObject({ message: expect.stringMatching(new RegExp(`nothing can be restored into .*/${name} is a symbolic link that another user can change$`)), hint: expect.stringContaining('without links') })
    }
    expect(existsSync(`${home()}/real/made`)).toBe(false)
    // Their own are followed by users who restore for themselves.
    expect(await reach(`${home()}/twice`, site(process.env, asOther))).toBe(`${home()}/real`)
  })

  test('no folder is made elsewhere, whichever program its owner comes before', async () => {
    attack = { target: home(), outside, kind: 'links' }
    const before = contentsOf(outside)
    for (let after = 0; ; after++) {
      rmSync(home(), { recursive: true, force: true })
      mkdirSync(path.join(home(), 'there'), { recursive: true })
      chown(home())
      const { path: PATH, acted } = actingBefore(after, path.join(folder, `acting-${after}`), attack)
      await reach(`${home()}/there/new/one`, site({ ...process.env, PATH })).catch(() => undefined)
      expect([after, contentsOf(outside)]).toEqual([after, before])
      if (!acted()) break
      expect(after).toBeLessThan(200)
    }
  })

  test('a file is no target', async () => {
    await expect(reach(`${folder}/root/top`)).rejects.toThrow(/nothing can be restored into .*: mkdir: /)
    await expect(reach(`${folder}/root/top`, site(process.env, asOther))).rejects.toThrow(/nothing can be restored into .*: mkdir: /)
  })
})
