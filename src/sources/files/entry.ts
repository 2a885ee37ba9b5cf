/*
 * An entry of a volume: one string, which sorts and compresses well. It is its sort key, a zero, and the fields that `find` printed for it:
 * marks, type, size, modification time, change time, inode, number of links, mode, user, group, and the target of a symbolic link.
 */

export interface Meta {
  /** It changed just before it was listed: another change might not show. */
  recent: boolean
  /** This user may not read its content. */
  unreadable: boolean
  /** `f`, `d`, `l` or `p`, as find prints them. */
  type: string
  size: number
  /** Seconds since 1970, with up to nine decimals. */
  mtime: string
  inode: string
  links: number
  /** Octal. */
  mode: string
  uid: string
  gid: string
  /** Of a symbolic link; latin1. */
  target: string
}

/**
 * Exchanges slashes and the byte 1, so that slashes sort before all else and a directory comes right before its content. Its own inverse.
 */
export function sortKey(path: string): string {
  if (!path.includes('\u0001')) return path.replaceAll('/', '\u0001')
  if (!path.includes('/')) return path.replaceAll('\u0001', '/')
  return path.split('/').map((part) => part.replaceAll('\u0001', '/')).join('\u0001')
}

export function sortKeyOf(entry: string): string {
  return entry.slice(0, entry.indexOf('\0'))
}

/** Whether an entry is somewhere in a folder. */
export function isIn(entry: string, folder: string): boolean {
  return entry.startsWith(`${sortKeyOf(folder)}\u0001`)
}

/** The path of the folder that a path is in. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** Relative to the volume's folder, latin1; the folder itself is the empty text. */
export function pathOf(entry: string): string {
  return sortKey(sortKeyOf(entry))
}

export function metaOf(entry: string): Meta {
  return new Fields(entry)
}

/** Splits the fields only when they are listed: a backup asks for type, size and number of links several times. */
class Fields implements Meta {
  readonly #text: string
  readonly #marks: string
  readonly type: string
  #split: string[] | undefined

  constructor(entry: string) {
    const start = entry.indexOf('\0') + 1
    const end = entry.indexOf(' ', start)
    this.#marks = entry.slice(start, end)
    this.#text = entry.slice(end + 1)
    this.type = this.#text.slice(0, this.#text.indexOf(' '))
  }

  get recent(): boolean {
    return this.#marks.includes('r')
  }

  get unreadable(): boolean {
    return this.#marks.includes('u') && (this.type === 'f' || this.type === 'd')
  }

  get size(): number {
    return this.type === 'f' ? Number(this.#field(1)) : 0
  }

  get mtime(): string {
    return decimals(this.#fields[2]!)
  }

  get inode(): string {
    return this.#fields[4]!
  }

  get links(): number {
    return Number(this.#field(5))
  }

  get mode(): string {
    return this.#fields[6]!
  }

  get uid(): string {
    return this.#fields[7]!
  }

  get gid(): string {
    return this.#fields[8]!
  }

  get target(): string {
    return this.type === 'l' ? this.#text.slice(this.#fields.join(' ').length + 1) : ''
  }

  /** One of them, without splitting all. */
  #field(index: number): string {
    let start = 0
    for (let skipped = 0; skipped < index; skipped++) start = this.#text.indexOf(' ', start) + 1
    return this.#text.slice(start, this.#text.indexOf(' ', start))
  }

  get #fields(): string[] {
    return (this.#split ??= this.#text.split(' ', 9))
  }
}

/** find prints ten decimals, the last of them always 0. Before 1970 it prints whole seconds, rounded down, and then what is to be added. */
function decimals(time: string): string {
  const [, seconds = '', fraction = ''] = time.startsWith('-') ? (/^-(\d+)\.(\d{9})/.exec(time) ?? []) : []
  const rest = 1_000_000_000 - Number(fraction)
  const exact = fraction === '' || rest === 1_000_000_000 ? time : `-${BigInt(seconds) - 1n}.${String(rest).padStart(9, '0')}`
  return exact.replace(/\.?0+$/, '')
}
