import { LifeboatError } from '../../error.ts'
import { sortKey } from './entry.ts'
import { decodeFiles, displayName, type ListedFile } from './file-list.ts'
import type { StoredSource } from '../source-kind.ts'
import { type ScannedPath, selected } from './selection.ts'
import { volumeParts } from './verify.ts'

/** A volume as its streams have it. */
export interface ArchivedVolume {
  name: string
  list: () => AsyncIterable<Buffer>
  /** The archives of the volume, in order: the number of their members, their size, and their bytes. */
  segments: readonly { entries: number; size: number; bytes: () => AsyncIterable<Buffer> }[]
  /** Whether hard links come last, and change folders once more. */
  links: boolean
}

export function archivedVolume({ source, read }: StoredSource): ArchivedVolume {
  const { facts, list, archives } = volumeParts(source)
  const segments = archives.map((archive, index) => ({
    entries: facts.segments[index]!.entries, size: archive.size, bytes: () => read(archive),
  }))
  return { name: source.name, links: facts.links !== 0, list: () => read(list), segments }
}

export interface Choice {
  /** Paths, latin1; undefined means all. */
  wanted: ReadonlySet<string> | undefined
  /** For each segment, the number of wanted entries. */
  counts: number[]
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
  return { wanted: undefined, counts, entries: sum(counts), size: sum(segments.map(({ size }) => size)) }
}

async function chooseMatches({ list, segments, name }: ArchivedVolume, patterns: readonly string[]): Promise<Choice> {
  const files: ListedFile[] = []
  for await (const file of decodeFiles(list())) files.push(file)
  const wanted = wantedPaths(matching(files, patterns))
  if (wanted.size === 0) {
    throw new LifeboatError(`no file of ${name} matches ${patterns.join(', ')}`, {
      hint: 'Patterns have the syntax of .gitignore: config/*.yml, *.jpg, /uploads/2026/.',
      status: 2,
    })
  }
  const counts: number[] = []
  let start = 0
  for (const { entries } of segments) {
    counts.push(files.slice(start, start + entries).filter(({ path }) => wanted.has(path)).length)
    start += entries
  }
  return { wanted, counts, entries: wanted.size, size: sum(files.map(({ path, size }) => (wanted.has(path) ? size : 0))) }
}

/** Of the list of a volume, the files that match, and the folders that contain them. */
export function matching(files: readonly ListedFile[], patterns: readonly string[]): ListedFile[] {
  const sorted = files.map((file) => ({ file, key: sortKey(file.path) })).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  return selected(sorted, ({ file }) => scanned(file), { include: patterns, exclude: [] }).map(({ file }) => file)
}

function scanned({ path, type }: ListedFile): ScannedPath {
  return { path: displayName(path), directory: type === 'd' }
}

/** The paths of these files, and of those that they need. */
function wantedPaths(chosen: readonly ListedFile[]): Set<string> {
  const wanted = new Set(chosen.map(({ path }) => path))
  // A hard link needs its file, and the folders that contain the file.
  for (const { type, target } of chosen) if (type === 'h') for (const path of [target, ...foldersOf(target)]) wanted.add(path)
  // The volume's own folder is not changed if only a part is restored.
  wanted.delete('')
  return wanted
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
