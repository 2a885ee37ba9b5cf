import { sortKey } from './entry.ts'
import { decodeFile, encodeFile, type ListedFile } from './file-list.ts'
import { SortedTexts } from './sorted-texts.ts'

/** A file, in the order of a scan. */
export interface SortedFile {
  file: ListedFile
  /** Index of the part of the archive that it is in. */
  part: number
}

/** The files of a list, whatever their number, in the order of a scan. */
export class SortedFiles implements Iterable<SortedFile> {
  readonly #texts = new SortedTexts()

  /** Reads a list that is in the order of the `parts` of an archive. */
  static async of(files: AsyncIterable<ListedFile>, parts: readonly { entries: number }[] = []): Promise<SortedFiles> {
    const sorted = new SortedFiles()
    let part = 0
    let left = parts[0]?.entries ?? Infinity
    for await (const file of files) {
      while (left === 0) left = parts[++part]?.entries ?? Infinity
      left--
      sorted.#texts.add(`${sortKey(file.path)}\0${part}\0${encodeFile(file)}`)
    }
    return sorted
  }

  *[Symbol.iterator](): Generator<SortedFile, void, void> {
    for (const text of this.#texts) {
      const [, part, line] = text.split('\0')
      yield { part: Number(part), file: decodeFile(line!.slice(0, -1)) }
    }
  }
}
