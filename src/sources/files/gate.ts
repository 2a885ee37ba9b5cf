import { shownName } from './file-list.ts'
import { MemberOrder } from './member-order.ts'
import { BadTar, type TarEntry, TarHeaders } from './tar-headers.ts'
import { withRecord } from './tar-member.ts'

/** Of the wanted entries: all; those that are no hard links; the moved files; the hard links. */
export type Passing = 'all' | 'own' | 'moved' | 'links'

/**
 * Checks an archive on its way to the tar that extracts it. Only members that cannot leave the target pass: names without `..`, in a
 * `MemberOrder`.
 */
export class Gate {
  readonly #wanted: ReadonlySet<string> | undefined
  readonly #moved: ReadonlyMap<string, string>
  /** New paths of moved files, which are hard links in the archive. */
  readonly #becomeFiles: ReadonlySet<string>
  readonly #headers: TarHeaders
  readonly #order = new MemberOrder()
  #through: Buffer[] = []
  #open = false
  passed = 0
  /** The entries of the next archives that pass. */
  pass: Passing = 'all'

  /**
   * All entries pass, or those whose paths (latin1) are `wanted`. `onEntry` is called with each that passes. `moved`: files that are not
   * wanted, with the paths that they get in place of their own with `moved`, and that hard links to them refer to.
   */
  constructor(
    wanted?: ReadonlySet<string>, onEntry: (entry: TarEntry) => void = () => undefined, moved: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#wanted = wanted
    this.#moved = moved
    this.#becomeFiles = new Set(moved.values())
    const keep = (bytes: Buffer): void => {
      if (this.#open && wanted) this.#through.push(bytes)
    }
    this.#headers = new TarHeaders((entry, head) => {
      const renamed = this.#renamed(entry)
      this.#open = (this.pass !== 'moved' || renamed !== entry) && this.#passes(renamed)
      if (this.#open) onEntry(renamed)
      for (const piece of renamed === entry ? head : headOf(renamed, head)) keep(piece)
    }, keep)
  }

  /**
   * Gives the part of the archive's next bytes that passes. Throws BadTar at the first entry that must not pass; at most a part of its
   * headers has passed by then, which tar ignores.
   */
  push(bytes: Buffer): Buffer {
    this.#through = []
    this.#headers.push(bytes)
    return this.#wanted === undefined ? bytes : Buffer.concat(this.#through)
  }

  /** Throws BadTar if the archive is truncated. */
  end(): void {
    this.#headers.end()
  }

  /** The entry with the name that it gets, or its target. */
  #renamed(entry: TarEntry): TarEntry {
    if (this.#moved.size === 0) return entry
    const name = this.pass === 'moved' && entry.type === 'file' ? this.#moved.get(pathIn(entry.name) ?? '') : undefined
    if (name !== undefined) return { ...entry, name: `./${name}` }
    const target = entry.type === 'link' ? this.#moved.get(pathIn(entry.target) ?? '') : undefined
    return target === undefined ? entry : { ...entry, target: `./${target}` }
  }

  #isMeant(path: string, type: TarEntry['type']): boolean {
    if (this.pass === 'moved') return type === 'file' && this.#becomeFiles.has(path)
    if (this.#becomeFiles.has(path) || (this.pass !== 'all' && (this.pass === 'links') !== (type === 'link'))) return false
    return this.#wanted === undefined || this.#wanted.has(path)
  }

  #passes(entry: TarEntry): boolean {
    const path = pathIn(entry.name)
    const refuse = (why: string): never => {
      throw new BadTar(`the archive has ${shownName(entry.name)}, ${why}: nothing more of it can be restored`, {
        hint: 'Someone with the key made this archive to do harm, another program wrote it, or Lifeboat has a fault: please report it. ' +
          'Restore another snapshot.',
      })
    }
    if (path === undefined) return refuse('which would lie outside the target')
    if (entry.type === 'other') return refuse('which is neither a file, a folder, a link nor a pipe')
    if (!this.#isMeant(path, entry.type)) return false
    const link = entry.type === 'link' ? { target: pathIn(entry.target), name: entry.target } : undefined
    const member = { path, isDirectory: entry.type === 'directory', ...(link && { link }) }
    const why = this.#order.refusal(member, this.pass === 'moved')
    if (why !== undefined) return refuse(why)
    this.passed++
    return true
  }
}

/** Headers of a member that was renamed, or whose target was. */
function headOf({ name, type, target }: TarEntry, head: readonly Buffer[]): Buffer[] {
  return type === 'link' ? withRecord(head, 'linkpath', target) : withRecord(head, 'path', name)
}

/** The path that `./a/b` or `./a/b/` names below the target; undefined for any other name. */
function pathIn(name: string): string | undefined {
  if (name === '.' || name === './') return ''
  const [first, ...parts] = name.split('/')
  if (parts.at(-1) === '') parts.pop()
  const inside =
    first === '.' && parts.length > 0 && parts.every((part) => part !== '' && part !== '.' && part !== '..') && !name.includes('\0')
  return inside ? parts.join('/') : undefined
}
