import type { ListedFile } from './file-list.ts'
import { type EntryType, propertiesIn, type TarEntry } from './tar-headers.ts'
import { memberHead } from './tar-member.ts'

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

/** The target of a listed link in an archive; empty for other members. */
export function targetOf({ type, target }: ListedFile): string {
  if (type === 'h') return `./${target}`
  return type === 'l' ? target : ''
}

/** The headers of a listed file, made from the list. `records`: more for the extended one. */
export function headOf(file: ListedFile, records: Readonly<Record<string, string>> = {}): Buffer {
  const { type, mode, uid, gid, size, mtime } = file
  return memberHead({
    name: nameOf(file), type: LETTERS_IN_HEADERS[type]!, size, mode, uid: String(uid), gid: String(gid), mtime, linked: targetOf(file),
    records,
  })
}

const LETTERS_IN_HEADERS: Readonly<Record<string, string>> = { f: '0', h: '1', l: '2', d: '5', p: '6' }

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
