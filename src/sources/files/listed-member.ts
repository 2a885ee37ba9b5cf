import type { ListedFile } from './file-list.ts'
import { type EntryType, propertiesIn, type TarEntry } from './tar-headers.ts'

/** Types of members of an archive, by their letters in a list of files. */
const TYPES: ReadonlyMap<string, EntryType> = new Map([['f', 'file'], ['d', 'directory'], ['l', 'symlink'], ['h', 'link'], ['p', 'fifo']])
const LETTERS = new Map([...TYPES].map(([letter, type]) => [type, letter]))

/** The type of a listed file in an archive. */
export function typeOf({ type }: ListedFile): EntryType | undefined {
  return TYPES.get(type)
}

/** The name of a listed file in an archive. */
export function nameOf({ path, type }: ListedFile): string {
  return `./${path}${type === 'd' && path !== '' ? '/' : ''}`
}

/** The path of a member of an archive. */
export function pathOfMember({ name }: TarEntry): string {
  return name.replace(/\/$/, '').replace(/^\.(?:\/|$)/, '')
}

/**
 * A member as a list of files has it, by its headers: its own is the last of `head`; `attributes`: of the extended one.
 * The type is empty if no list has it.
 */
export function listedMember(entry: TarEntry, head: readonly Buffer[], attributes: ReadonlyMap<string, string>): ListedFile {
  const { type, size, target } = entry
  return {
    type: LETTERS.get(type) ?? '', ...propertiesIn(head.at(-1)!, attributes), size, path: pathOfMember(entry),
    target: type === 'link' ? target.slice(2) : target,
  }
}
