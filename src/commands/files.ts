import { Reader } from '../repository/reader.ts'
import type { AuthenticSnapshot, SourceRecord } from '../repository/snapshot.ts'
import type { Store } from '../stores/store.ts'
import { decodeFiles, displayName, type ListedFile } from '../sources/files/file-list.ts'
import type { ShownFile } from './show/result.ts'

/** The files of a volume in a snapshot, read from the list that was stored beside them; none for a source that has no files. */
export async function* listedFiles({ streams }: Pick<SourceRecord, 'streams'>, { header, keys }: AuthenticSnapshot, store: Store): AsyncGenerator<ListedFile, void, void> {
  const list = streams.find(({ format }) => format === 'tar-list')
  if (list) yield* decodeFiles(new Reader(store, keys, header.chunks).stream(list))
}

/** The same for people and programs: names in UTF-8. */
export async function* filesOf(source: Pick<SourceRecord, 'streams'>, snapshot: AuthenticSnapshot, store: Store): AsyncGenerator<ShownFile, void, void> {
  for await (const file of listedFiles(source, snapshot, store)) yield shownFile(file)
}

export function shownFile({ path, type, size, mtime, target }: ListedFile): ShownFile {
  return { path: displayName(path), type, size, mtime, ...(target !== '' && (type === 'f' ? { etag: target } : { target: displayName(target) })) }
}
