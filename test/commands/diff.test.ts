import { chmodSync, chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { diff } from '../../src/commands/diff/diff.ts'
import type { DiffResult } from '../../src/commands/diff/result.ts'
import type { FilesDiff } from '../../src/sources/files/shown-file.ts'
import { parseInputs } from '../../src/commands/all.ts'
import { diffText } from '../../src/commands/diff/report.ts'
import { noise } from '../support/bytes.ts'
import { identity } from '../support/engine.ts'
import { quiet } from '../support/quiet.ts'
import { Volumes } from '../support/volume.ts'

let folder: string
let root: string
let volumes: Volumes
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-diff-'))
  root = path.join(folder, 'root')
  mkdirSync(root)
  volumes = new Volumes(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

const backup = async (): Promise<string> => (await volumes.backup({ volumes: `data=${root}` })).snapshot

const environment = () => ({ variables: {}, signal: new AbortController().signal, report: quiet, temporary: folder, now: () => new Date() })

async function compared(from: string, to: string): Promise<{ result: DiffResult; files: FilesDiff; text: string }> {
  const result = await diff(parseInputs('diff', { destination: `file:${volumes.store}`, 'encryption-key': identity, from, to }, {}), environment())
  return { result, files: result.sources[0]!.files!, text: diffText(result, { timeZone: 'UTC', program: 'lifeboat', destination: '' }) }
}

const file = (name: string): string => path.join(root, name)
const bytes = (...name: number[]): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)])

test('chunks that are not the same, and are stored as differences, are told of', async () => {
  const content = noise('differences', 400_000)
  writeFileSync(file('large'), content)
  const older = await backup()
  writeFileSync(file('large'), Buffer.concat([content, Buffer.from('more')]))
  const { result, text } = await compared(older, await backup())
  const { sharedChunks, deltaChunks } = result.content
  expect(sharedChunks).toBe(0)
  expect(deltaChunks).toBeGreaterThan(0)
  expect(text).toMatch(new RegExp(`are the same chunks: 0 of \\d+; of the others, stored as differences from similar ones: ${deltaChunks}$`, 'm'))
})

test('a file that was rewritten with the same size, or whose mode, owner, time, kind or target is another, is not called unchanged', async () => {
  for (const name of ['rewritten', 'touched', 'mode', 'owner', 'kind', 'same', 'x1', 'rewritten in secret']) writeFileSync(file(name), 'as long')
  const time = new Date('2026-01-01T00:00:00Z')
  for (const name of ['rewritten', 'touched', 'rewritten in secret', 'same', 'x1']) utimesSync(file(name), time, time)
  symlinkSync('a', file('link'))
  linkSync(file('x1'), file('x2'))
  const older = await backup()
  for (const name of ['rewritten', 'rewritten in secret']) writeFileSync(file(name), 'another')
  utimesSync(file('touched'), new Date(), new Date())
  utimesSync(file('rewritten in secret'), time, time)
  chmodSync(file('mode'), 0o600)
  chownSync(file('owner'), 1234, 0)
  for (const name of ['kind', 'link', 'x2']) rmSync(file(name))
  mkdirSync(file('kind'))
  symlinkSync('b', file('link'))
  linkSync(file('same'), file('x2'))
  const { files, text } = await compared(older, await backup())
  const told = Object.fromEntries(files.changed.map(({ path, what }) => [path, what.join(' ')]))
  // The file that a hard link was to, and the one it is to, are as they were themselves.
  expect(told).toEqual({ '': 'time', kind: 'kind size mode time', link: 'target time', mode: 'mode', owner: 'owner', rewritten: 'time', touched: 'time', x2: 'target' })
  expect(files).toMatchObject({ added: [], removed: [], identical: 0, alike: 3 })
  expect(text).toMatch(/^ {2}~ {2}7 B +time \(content may differ\) +rewritten$/m)
  expect(text).toMatch(/^ {2}~ {2}7 B +mode +mode$/m)
  expect(text).toMatch(/^ {2}~ {2}0 B +target, time +link$/m)
  expect(text).toMatch(/^ {2}0 entries added, 0 removed, 8 changed; 3 with the same size, time, mode and owner \(content not compared\)$/m)
})

test('without names the newest two of the set are compared, and with one the newest with it; a set with one says so', async () => {
  const snapshots: string[] = []
  const again = async (set: string): Promise<void> => {
    writeFileSync(file('counted'), `${snapshots.length}`)
    snapshots.push((await volumes.backup({ volumes: `data=${root}`, set })).snapshot)
  }
  await again('app')
  await expect(diff(parseInputs('diff', { destination: `file:${volumes.store}`, 'encryption-key': identity, set: 'app' }, {}), environment())).rejects.toMatchObject({
    message: `set app has no snapshot before ${snapshots[0]} to compare it with`, hint: expect.stringContaining(snapshots[0]!),
  })
  for (const set of ['app', 'app', 'other', 'app', 'other']) await again(set)
  const sides = async (given: Record<string, string>): Promise<string[]> => {
    const { from, to } = await diff(parseInputs('diff', { destination: `file:${volumes.store}`, 'encryption-key': identity, set: 'app', ...given }, {}), environment())
    return [from.snapshot, to.snapshot]
  }
  expect(await sides({})).toEqual([snapshots[2], snapshots[4]])
  expect(await sides({ from: snapshots[0]! })).toEqual([snapshots[0], snapshots[4]])
  expect(await sides({ to: snapshots[2]! })).toEqual([snapshots[1], snapshots[2]])
  expect(await sides({ to: snapshots[5]! })).toEqual([snapshots[3], snapshots[5]])
  // The set is that of the snapshot which is named.
  expect(await sides({ from: snapshots[3]! })).toEqual([snapshots[3], snapshots[5]])
})

test('of files in parts of the archive that both have it says that they are identical', async () => {
  // Large files are parts of their own.
  for (const name of ['large 1', 'large 2']) {
    writeFileSync(file(name), name)
    truncateSync(file(name), 33_000_000)
  }
  writeFileSync(file('small'), 'small')
  const older = await backup()
  const again = await compared(older, await backup())
  expect([again.result.sources[0]!.identical, again.files.identical, again.files.alike]).toEqual([true, 4, 0])
  expect(again.text).toMatch(/\n {2}identical, byte for byte$/)
  writeFileSync(file('small'), 'SMALL')
  const { result, files, text } = await compared(older, await backup())
  expect(result.sources[0]!.identical).toBe(false)
  expect([files.identical, files.alike, files.changed.map(({ path }) => path)]).toEqual([2, 1, ['small']])
  expect(text).toMatch(/^ {2}0 entries added, 0 removed, 1 changed; 2 identical; 1 with the same size, time, mode and owner \(content not compared\)$/m)
})

test('a file that patterns of the newer backup leave out is not called removed alone; one that is gone is', async () => {
  mkdirSync(file('docs'))
  for (const name of ['docs/one', 'docs/two.txt', 'a.tmp', 'é.jpg', 'gone', 'kept']) writeFileSync(file(name), 'as long')
  const older = await backup()
  rmSync(file('gone'))
  writeFileSync(file('.lifeboatignore'), 'docs/\n')
  const newer = (await volumes.backup({ volumes: `data=${root}`, exclude: '*.tmp' })).snapshot
  const { files, text } = await compared(older, newer)
  expect(files.removed.map(({ path, leftOut }) => [path, leftOut])).toEqual([
    ['a.tmp', 'exclude'], ['docs', 'ignoreFile'], ['docs/one', 'ignoreFile'], ['docs/two.txt', 'ignoreFile'], ['gone', undefined],
  ])
  expect(text).toMatch(/^ {2}1 entry added, 5 removed \(4 of them left out by patterns, and perhaps still there\), 1 changed;/m)
  expect(text).toMatch(/^ {2}- {2}7 B +left out by \.lifeboatignore +docs\/one$/m)
  expect(text).toMatch(/^ {2}- {2}7 B +gone$/m)
  const chosen = (await volumes.backup({ volumes: `data=${root}`, include: '/kept' })).snapshot
  expect((await compared(newer, chosen)).files.removed.map(({ path, leftOut }) => [path, leftOut])).toEqual([['.lifeboatignore', 'include'], ['é.jpg', 'include']])
  // Of so many patterns, not all are recorded.
  writeFileSync(file('.lifeboatignore'), Array.from({ length: 101 }, (_, index) => `/docs/${index}`).join('\n'))
  rmSync(file('docs'), { recursive: true })
  expect((await compared(older, await backup())).files.removed.map(({ leftOut }) => leftOut)).toEqual(Array(4).fill(undefined))
})

test('files whose names look the same are told apart, and no name is obeyed', async () => {
  writeFileSync(bytes(0xff), '1')
  writeFileSync(file('::error::x\n::add-mask::y\u001b[2J\u202e'), '1')
  const older = await backup()
  writeFileSync(bytes(0xfe), '2')
  rmSync(file('::error::x\n::add-mask::y\u001b[2J\u202e'))
  const { files, text } = await compared(older, await backup())
  expect([files.added.length, files.removed.length]).toEqual([1, 1])
  expect(text).toMatch(/^ {2}- {2}1 B +::error::x ::add-mask::y\uFFFD\[2J\uFFFD$/m)
})
