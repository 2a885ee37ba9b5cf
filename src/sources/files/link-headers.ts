import { metaOf, pathOf } from './entry.ts'
import type { HardLink } from './hard-links.ts'
import { memberHead, TAR_END } from './tar-member.ts'

/** A tar of hard links alone (IEEE 1003.1, type `1`), whose files are in other archives. */
export function* linkArchive(links: Iterable<HardLink>): Generator<Buffer, void, void> {
  for (const { entry, target } of links) {
    const { mode, uid, gid, mtime } = metaOf(entry)
    yield memberHead({ name: `./${pathOf(entry)}`, type: '1', size: 0, mode, uid, gid, mtime, linked: `./${target}` })
  }
  yield TAR_END
}
