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
  const olds = from[Symbol.iterator]()
  const result: FileComparison = { added: [], removed: [], changed: [], identical: 0, alike: 0 }
  let old = olds.next()
  for await (const { file, part } of inTurns(to)) {
    for (; !old.done && isBefore(old.value.file, file); old = olds.next()) result.removed.push(old.value.file)
    if (old.done || old.value.file.path !== file.path) {
      result.added.push(file)
      continue
    }
    const from = old.value.file
    const what = PROPERTIES.flatMap(([property, differs]) => (differs(from, file) ? [property] : []))
    if (what.length > 0) result.changed.push({ from, to: file, what })
    else if (parts[part]?.same) result.identical++
    else result.alike++
    old = olds.next()
  }
  for (; !old.done; old = olds.next()) result.removed.push(old.value.file)
  return result
}

/** By bytes, because paths that are not UTF-8 can look the same. */
function isBefore(one: ListedFile, other: ListedFile): boolean {
  return sortKey(one.path) < sortKey(other.path)
}
