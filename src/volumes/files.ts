import type { Reader } from '../repository/reader.ts'
import type { SourceRecord } from '../repository/snapshot.ts'
import { decodeFiles, displayName, type ListedFile } from './file-list.ts'
import { volumeParts } from './verify.ts'

/** What a volume of a snapshot holds, in the order of its archive, names as people read them; the volume's own folder is `.`. Throws when its list cannot be read. */
export async function* filesOf(source: SourceRecord, reader: Reader): AsyncGenerator<ListedFile, void, void> {
  for await (const file of decodeFiles(reader.stream(volumeParts(source).list))) {
    yield { ...file, path: displayName(file.path) || '.', target: displayName(file.target) }
  }
}
