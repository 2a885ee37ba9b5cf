import type { FileProperty } from './shown-file.ts'
import type { ListedFile } from './file-list.ts'

/** The recorded properties in which two files differ. With the same size and another `time`, the content may or may not differ. */
function differingProperties(from: ListedFile, to: ListedFile): FileProperty[] {
  const properties: [FileProperty, boolean][] = [
    ['kind', from.type !== to.type],
    ['size', from.size !== to.size],
    ['content', from.type === 'f' && to.type === 'f' && from.target !== to.target],
    ['target', from.type === to.type && from.type !== 'f' && from.target !== to.target],
    ['mode', from.mode !== to.mode],
    ['owner', from.uid !== to.uid || from.gid !== to.gid],
    ['time', from.mtime !== to.mtime],
  ]
  return properties.flatMap(([property, differs]) => (differs ? [property] : []))
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

/** Compares two lists of files. Keeps only the files of `from` in memory; `to` is in the order of its `parts`. */
export async function compareFiles(
  from: AsyncIterable<ListedFile>,
  to: AsyncIterable<ListedFile>,
  parts: readonly ComparedPart[],
): Promise<FileComparison> {
  // The keys are bytes, because paths that are not UTF-8 can look the same.
  const left = new Map<string, ListedFile>()
  for await (const file of from) left.set(file.path, file)
  const result: FileComparison = { added: [], removed: [], changed: [], identical: 0, alike: 0 }
  const same = samenessOf(parts)
  for await (const file of to) {
    const old = left.get(file.path)
    const identical = same.next().value ?? false
    left.delete(file.path)
    if (!old) {
      result.added.push(file)
      continue
    }
    const what = differingProperties(old, file)
    if (what.length > 0) result.changed.push({ from: old, to: file, what })
    else if (identical) result.identical++
    else result.alike++
  }
  result.removed = [...left.values()]
  return result
}

/** For each file in turn, whether its part is the same. */
function* samenessOf(parts: readonly ComparedPart[]): Generator<boolean, undefined, void> {
  for (const { entries, same } of parts) for (let index = 0; index < entries; index++) yield same
}
