import { shownName } from './file-list.ts'
import { sortKey } from './entry.ts'
import { BadTar, type TarEntry, TarHeaders } from './tar-headers.ts'

/**
 * Checks an archive on its way to the tar that extracts it. Only members that cannot leave the target pass: names without `..`, each in a
 * folder that the archive itself has made before, nothing twice, so that no link can be followed; hard links to files of the archive only.
 */
export class Gate {
  readonly #wanted: ReadonlySet<string> | undefined
  readonly #headers: TarHeaders
  readonly #folders = new Set([''])
  #through: Buffer[] = []
  #open = false
  #last: string | undefined
  #lastLink: string | undefined
  passed = 0

  /** All entries pass, or those whose paths (latin1) are `wanted`. `onEntry` is called with each that passes. */
  constructor(wanted?: ReadonlySet<string>, onEntry: (entry: TarEntry) => void = () => undefined) {
    this.#wanted = wanted
    const keep = (bytes: Buffer): void => {
      if (this.#open && wanted) this.#through.push(bytes)
    }
    this.#headers = new TarHeaders((entry, head) => {
      this.#open = this.#passes(entry)
      if (this.#open) onEntry(entry)
      for (const piece of head) keep(piece)
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

  #passes(entry: TarEntry): boolean {
    const path = pathIn(entry.name)
    const refuse = (why: string): never => {
      throw new BadTar(`the archive has ${shownName(entry.name)}, ${why}: nothing more of it can be restored`, {
        hint: 'Someone who has the key made this archive to do harm, or another program wrote it. Restore another snapshot.',
      })
    }
    if (path === undefined) return refuse('which would lie outside the target')
    if (entry.type === 'other') return refuse('which is neither a file, a folder, a link nor a pipe')
    if (this.#wanted !== undefined && !this.#wanted.has(path)) return false
    const key = sortKey(path)
    if (entry.type === 'link') {
      if (this.#lastLink !== undefined && key <= this.#lastLink) return refuse('which is out of order')
      this.#lastLink = key
      const target = pathIn(entry.target)
      if (target === undefined || !this.#folders.has(parentOf(target)) || this.#folders.has(target))
        return refuse(`a hard link to ${shownName(entry.target)}, which is not a file of the archive`)
    } else {
      if (this.#lastLink !== undefined || (this.#last !== undefined && key <= this.#last))
        return refuse('which is there twice or out of order')
      this.#last = key
    }
    if (path !== '' && !this.#folders.has(parentOf(path))) return refuse('in a folder that it did not make')
    if (this.#folders.has(path) && path !== '') return refuse('which is there twice')
    if (path === '' && entry.type !== 'directory') return refuse('in place of its folder')
    if (entry.type === 'directory') this.#folders.add(path)
    this.passed++
    return true
  }
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

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
