import { LifeboatError } from '../../error.ts'
import { decodeFiles, displayName, type ListedFile } from './file-list.ts'
import type { StoredSource } from '../source-kind.ts'
import { type ScannedPath, selected } from './selection.ts'
import { SortedFiles } from './sorted-files.ts'
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
  const files = await SortedFiles.of(decodeFiles(list()), segments)
  const wanted = wantedPaths(matching(files, patterns))
  if (wanted.size === 0) {
    throw new LifeboatError(`no file of ${name} matches ${patterns.join(', ')}`, {
      hint: 'Patterns have the syntax of .gitignore: config/*.yml, *.jpg, /uploads/2026/.',
      status: 2,
    })
  }
  const counts = segments.map(() => 0)
  let size = 0
  for (const { file, part } of files) {
    if (!wanted.has(file.path)) continue
    if (part < counts.length) counts[part]!++
    size += file.size
  }
  return { wanted, counts, entries: wanted.size, size }
}

/** Those that match, and the folders that contain them. */
export function matching<T extends { file: ListedFile }>(files: Iterable<T>, patterns: readonly string[]): Generator<T, void, void> {
  return selected(files, ({ file }) => scanned(file), { include: patterns, exclude: [] })
}

function scanned({ path, type }: ListedFile): ScannedPath {
  return { path: displayName(path), directory: type === 'd' }
}

/** The paths of these files, and of those that they need. */
function wantedPaths(chosen: Iterable<{ file: ListedFile }>): Set<string> {
  const wanted = new Set<string>()
  for (const { file: { type, path, target } } of chosen) {
    wanted.add(path)
    // A hard link needs its file, and the folders that contain the file.
    if (type === 'h') for (const needed of [target, ...foldersOf(target)]) wanted.add(needed)
  }
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
