import { Reader } from '../repository/reader.ts'
import type { AuthenticSnapshot, SourceRecord } from '../repository/snapshot.ts'
import type { Store } from '../stores/store.ts'
import { decodeFiles, displayName } from '../volumes/file-list.ts'
import type { ShownFile } from './results.ts'

/** The files of a volume in a snapshot, read from the list that was stored beside them; none for a source that has no files. */
export async function* filesOf({ streams }: Pick<SourceRecord, 'streams'>, { header, keys }: AuthenticSnapshot, store: Store): AsyncGenerator<ShownFile, void, void> {
  const list = streams.find(({ format }) => format === 'tar-list')
  if (!list) return
  for await (const { path, type, size, mtime, target } of decodeFiles(new Reader(store, keys, header.chunks).stream(list))) {
    yield { path: displayName(path), type, size, mtime, ...(target !== '' && (type === 'f' ? { etag: target } : { target: displayName(target) })) }
  }
}
