import { metaOf, parentOf, pathOf, sortKey } from '../files/entry.ts'
import { type ListedFile, listedEntry } from '../files/file-list.ts'
import type { BucketObject } from './bucket.ts'
import { keyOfPath, pathOfKey, plainPathOf } from './keys.ts'

/** Change it with every change that makes other archive bytes of the same objects. */
const VERSION = 'b1'

/** Objects as entries (src/sources/files/entry.ts), with the folders that contain them, in the order of an archive. */
export function entriesOf(objects: readonly BucketObject[]): string[] {
  const folders = new Set([''])
  for (const { key } of objects) for (let path = parentOf(plainPathOf(key)); !folders.has(path); path = parentOf(path)) folders.add(path)
  const files = objects.map((object) => entryOf(object, pathOfKey(object.key, (path) => folders.has(path))))
  return [...[...folders].map((path) => `${sortKey(path)}\0- d 0 0.000 ${VERSION} - 1 755 0 0 `), ...files].toSorted()
}

/** The ETag takes the field of the inode, which distinguishes files that are otherwise equal. */
export function entryOf({ size, modified, etag }: BucketObject, path: string): string {
  const inode = /^[\u0021-\u007e]+$/.test(etag) ? etag : '-'
  return `${sortKey(path)}\0- f ${size} ${(modified.getTime() / 1000).toFixed(3)} ${VERSION} ${inode} 1 644 0 0 `
}

export function keyOf(entry: string): string {
  return keyOfPath(pathOf(entry))
}

/** Empty if the service has none. */
export function etagOf(entry: string): string {
  const { inode } = metaOf(entry)
  return inode === '-' ? '' : inode
}

/** As the list of files has it. */
export function listedObject(entry: string): ListedFile {
  return listedEntry(entry, { target: etagOf(entry) })
}

export function isObjectEntry(entry: string): boolean {
  return metaOf(entry).type === 'f'
}
