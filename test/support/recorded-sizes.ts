import assert from 'node:assert/strict'
import type { ListedFile } from '../../src/sources/files/file-list.ts'
import { type MemberSizes, sizesOf } from '../../src/sources/files/member-sizes.ts'
import { TarHeaders } from '../../src/sources/files/tar-headers.ts'

/** Compares the recorded sizes of the members of an archive with their headers. */
export function requireSizes(tar: Buffer, listed: readonly ListedFile[], sizes: MemberSizes): void {
  const found: ReturnType<typeof sizesOf> = []
  const headers = new TarHeaders((_, head, attributes, content) =>
    found.push({ head: head.reduce((sum, piece) => sum + piece.length, 0), content, sparse: attributes.has('GNU.sparse.size') }))
  headers.push(tar)
  assert.deepEqual(sizesOf(listed, sizes), found)
  assert.equal(found.reduce((sum, { head, content }) => sum + head + content, 1024), tar.length)
}
