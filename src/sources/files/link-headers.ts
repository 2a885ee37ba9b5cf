import { type ListedFile, listedEntry } from './file-list.ts'
import type { HardLink } from './hard-links.ts'
import { headOf } from './listed-member.ts'
import type { CollectedSizes } from './member-sizes.ts'
import { TAR_END } from './tar-member.ts'

/** Hard links as the list has them. */
export function* listedLinks(links: Iterable<HardLink>): Generator<ListedFile, void, void> {
  for (const { entry, target } of links) yield listedEntry(entry, { type: 'h', size: 0, target })
}

/** A tar of hard links alone (IEEE 1003.1, type `1`), whose files are in other archives. `sizes` gets theirs. */
export function* linkArchive(links: Iterable<HardLink>, sizes: CollectedSizes): Generator<Buffer, void, void> {
  for (const link of listedLinks(links)) {
    const head = headOf(link)
    sizes.add(link, head.length)
    yield head
  }
  yield TAR_END
}
