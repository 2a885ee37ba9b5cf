import { LifeboatError } from '../../error.ts'
import { decodeFiles, type ListedFile } from './file-list.ts'
import type { Passing } from './gate.ts'
import type { Patterned } from './left-out.ts'
import type { StoredSource } from '../source-kind.ts'
import { BadTar } from './tar-headers.ts'
import { scannedPath, selecting } from './selection.ts'
import { type SortedFile, SortedFiles } from './sorted-files.ts'
import { inTurns } from './sorted-texts.ts'
import { volumeParts } from './verify.ts'

/** A volume as its streams have it. */
export interface ArchivedVolume {
  name: string
  list: () => AsyncIterable<Buffer>
  /** The archives of the volume, in order: the number of their members, their size, and their bytes. */
  segments: readonly { entries: number; size: number; bytes: () => AsyncIterable<Buffer> }[]
  /** Whether hard links come last, and change folders once more. */
  links: boolean
  /** The patterns by which it was backed up. Absent: some of it is damaged, and it never replaces content. */
  chosenBy?: Patterned
}

export function archivedVolume({ source, read }: StoredSource): ArchivedVolume {
  const { facts, list, archives } = volumeParts(source)
  const segments = archives.map((archive, index) => ({
    entries: facts.segments[index]!.entries, size: archive.size, bytes: () => read(archive),
  }))
  return { name: source.name, links: facts.links !== 0, list: () => read(list), segments, chosenBy: facts }
}

export interface Choice {
  /** Paths, latin1; undefined means all. */
  wanted: ReadonlySet<string> | undefined
  /** Files that are not wanted, but some hard links to them: for each, the path of the first of these, which becomes a file of its own. */
  moved: ReadonlyMap<string, string>
  /** How the segments are read, in order: for each segment, the number of entries that pass. */
  readings: { pass: Passing; counts: number[] }[]
  entries: number
  /** Approximate bytes on disk. */
  size: number
}

/** Which entries and segments a restore needs, by the list of files. */
export async function choose(volume: ArchivedVolume, patterns: readonly string[]): Promise<Choice> {
  return patterns.length === 0 ? everything(volume) : chooseMatches(volume, patterns)
}

function everything({ segments }: ArchivedVolume): Choice {
  const counts = segments.map(({ entries }) => entries)
  const size = sum(segments.map((segment) => segment.size))
  return { wanted: undefined, moved: new Map(), readings: [{ pass: 'all', counts }], entries: sum(counts), size }
}

async function chooseMatches({ list, segments, name }: ArchivedVolume, patterns: readonly string[]): Promise<Choice> {
  const files = await SortedFiles.of(decodeFiles(list()), segments)
  const { wanted, moved } = await chosenPaths(files, patterns)
  if (wanted.size === 0) {
    throw new LifeboatError(`no file of ${name} matches ${patterns.join(', ')}`, {
      hint: 'Patterns have the syntax of .gitignore: config/*.yml, *.jpg, /uploads/2026/.',
      status: 2,
    })
  }
  const becomeFiles = new Set(moved.values())
  const counts = { own: segments.map(() => 0), moved: segments.map(() => 0), links: segments.map(() => 0) }
  let size = 0
  let found = 0
  await inTurns(files, ({ file: { path, type, size: bytes }, part }) => {
    const isMoved = moved.has(path)
    if (isMoved && type === 'f') found++
    if (!isMoved && !wanted.has(path)) return
    size += bytes
    if (part < segments.length && !becomeFiles.has(path)) counts[isMoved ? 'moved' : type === 'h' ? 'links' : 'own'][part]!++
  })
  if (found < moved.size) throw new BadTar(`the list of ${name} has hard links to what is no file of it`)
  // The folders of a moved file's new name come first, links to it last: its segment may be read twice.
  const readings: Choice['readings'] = moved.size === 0
    ? [{ pass: 'all', counts: segments.map((_, part) => counts.own[part]! + counts.links[part]!) }]
    : (['own', 'moved', 'links'] as const).map((pass) => ({ pass, counts: counts[pass] }))
  return { wanted, moved, readings, entries: wanted.size, size }
}

/** To be called with each file of a list: gives it, if it matches, after the folders that contain it. */
export function matching<T extends { file: ListedFile }>(patterns: readonly string[]): (file: T) => readonly T[] {
  return selecting(({ file }) => scannedPath(file), { include: patterns, exclude: [] })
}

/** The paths of the files that match, and the files that only their hard links have. */
async function chosenPaths(files: SortedFiles, patterns: readonly string[]): Promise<Pick<Choice, 'moved'> & { wanted: Set<string> }> {
  const match = matching<SortedFile>(patterns)
  const wanted = new Set<string>()
  const moved = new Map<string, string>()
  await inTurns(files, (one) => {
    for (const { file: { type, path, target } } of match(one)) {
      wanted.add(path)
      if (type === 'h' && !moved.has(target)) moved.set(target, path)
    }
  })
  for (const target of moved.keys()) if (wanted.has(target)) moved.delete(target)
  // The volume's own folder is not changed if only a part is restored.
  wanted.delete('')
  return { wanted, moved }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
