import { sortKey } from './entry.ts'
import type { ListedFile } from './file-list.ts'
import type { FileProperty } from './shown-file.ts'
import type { SortedFile } from './sorted-files.ts'
import { inTurns } from './sorted-texts.ts'

type Differs = (from: ListedFile, to: ListedFile) => boolean

/** The recorded properties. With the same size and another `time`, the content may or may not differ. */
const PROPERTIES: readonly [FileProperty, Differs][] = [
  ['kind', (from, to) => from.type !== to.type],
  ['size', (from, to) => from.size !== to.size],
  ['content', (from, to) => from.type === 'f' && to.type === 'f' && from.target !== to.target],
  ['target', (from, to) => from.type === to.type && from.type !== 'f' && from.target !== to.target],
  ['mode', (from, to) => from.mode !== to.mode],
  ['owner', (from, to) => from.uid !== to.uid || from.gid !== to.gid],
  ['time', (from, to) => from.mtime !== to.mtime],
]

/** Whether all recorded properties of two files are the same. */
export function isAlike(from: ListedFile, to: ListedFile): boolean {
  return !PROPERTIES.some(([, differs]) => differs(from, to))
}

/** One part of a volume's archive: how many of the listed files are in it, and whether the other snapshot has the same bytes. */
export interface ComparedPart {
  entries: number
  same: boolean
}

export interface FileComparison {
  added: ListedFile[]
  removed: ListedFile[]
  changed: { from: ListedFile; to: ListedFile; what: FileProperty[] }[]
  /** In parts of the archive that both snapshots have, byte for byte: nothing of these files is different. */
  identical: number
  /** Recorded with the same kind, size, target, mode, owner and time; their content is not compared. */
  alike: number
}

/** Compares the files of two lists. `parts`: of the archive of `to`. */
export async function compareFiles(
  from: Iterable<SortedFile>, to: Iterable<SortedFile>, parts: readonly ComparedPart[] = [],
): Promise<FileComparison> {
  const result: FileComparison = { added: [], removed: [], changed: [], identical: 0, alike: 0 }
  await inTurns(byPath(from, to), ({ from, to }) => {
    if (!from) result.added.push(to.file)
    else if (!to) result.removed.push(from.file)
    else {
      const what = PROPERTIES.flatMap(([property, differs]) => (differs(from.file, to.file) ? [property] : []))
      if (what.length > 0) result.changed.push({ from: from.file, to: to.file, what })
      else if (parts[to.part]?.same) result.identical++
      else result.alike++
    }
  })
  return result
}

type Pair = { from: SortedFile; to?: SortedFile } | { from?: undefined; to: SortedFile }

/** The files of two lists, those of the same path together. */
function* byPath(from: Iterable<SortedFile>, to: Iterable<SortedFile>): Generator<Pair, void, void> {
  const olds = from[Symbol.iterator]()
  let old = olds.next()
  for (const one of to) {
    for (; !old.done && isBefore(old.value.file, one.file); old = olds.next()) yield { from: old.value }
    if (old.done || old.value.file.path !== one.file.path) yield { to: one }
    else {
      yield { from: old.value, to: one }
      old = olds.next()
    }
  }
  for (; !old.done; old = olds.next()) yield { from: old.value }
}

/** By bytes, because paths that are not UTF-8 can look the same. */
function isBefore(one: ListedFile, other: ListedFile): boolean {
  return sortKey(one.path) < sortKey(other.path)
}
