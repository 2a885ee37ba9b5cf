import { parentOf, sortKey } from './entry.ts'
import { shownName } from './file-list.ts'

interface OrderedMember {
  /** Below the target, latin1; the target itself is the empty text. */
  path: string
  isDirectory: boolean
  /** Of a hard link: the path of its file; undefined if it is outside. */
  link?: { target: string | undefined; name: string }
}

/**
 * The members of an archive, as they may follow each other: in the order of a scan and hard links after all others, each in a folder that
 * was made before, nothing twice, hard links to files of the archive only. So no link can be followed.
 */
export class MemberOrder {
  readonly #folders = new Set([''])
  /** The folder that the last member was in. */
  #parent = ''
  #last: string | undefined
  #lastLink: string | undefined

  /** Takes the next one, or says why it must not follow. `again`: it may come after those that it would precede. */
  refusal({ path, isDirectory, link }: OrderedMember, again = false): string | undefined {
    const key = sortKey(path)
    if (link) {
      if (this.#lastLink !== undefined && key <= this.#lastLink) return 'which is out of order'
      this.#lastLink = key
      const { target, name } = link
      if (target === undefined || !this.#folders.has(parentOf(target)) || this.#folders.has(target))
        return `a hard link to ${shownName(name)}, which is not a file of the archive`
    } else if (!again) {
      if (this.#lastLink !== undefined || (this.#last !== undefined && key <= this.#last)) return 'which is there twice or out of order'
      this.#last = key
    }
    const parent = parentOf(path)
    if (path !== '' && parent !== this.#parent && !this.#folders.has(parent)) return 'in a folder that it did not make'
    this.#parent = parent
    if (this.#folders.has(path) && path !== '') return 'which is there twice'
    if (path === '' && !isDirectory) return 'in place of its folder'
    if (isDirectory) this.#folders.add(path)
    return undefined
  }
}
