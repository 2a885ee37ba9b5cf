import { ChildError } from '../child.ts'
import { LifeboatError } from '../error.ts'
import type { Place } from './place.ts'

/**
 * What a volume holds, in the order of its archive: each directory before what is in it, and that before its next sibling. An entry is one
 * string, compact enough for a million of them: its sort key, a zero, and what find knows of it (`metaOf`).
 */
export interface Scan {
  entries: string[]
  /** Of `entries`, those that changed within the last second: a further change might not show. */
  recent: Set<string>
  /** Of `entries`, those whose content this user may not read. */
  unreadable: Set<string>
  skipped: Skipped
}

export interface Skipped {
  sockets: number
  devices: number
  /** What lies on another file system that is mounted inside. */
  mounted: number
}

export interface Meta {
  /** `f`, `d`, `l` or `p`, as find has them. */
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

// Marks that say nothing about the content, then what tells whether it is the same as before.
const EXPRESSION = [
  '-printf', String.raw`%P\0%D `,
  '(', '-newerct', '1 second ago', '-printf', 'n', '-o', '-printf', 'o', ')',
  '(', '(', '-type', 'l', '-o', '-readable', ')', '(', '!', '-type', 'd', '-o', '-executable', ')', '-printf', 'r', '-o', '-printf', 'u', ')',
  '-printf', String.raw`%y %s %T@ %C@ %i %n %m %U %G %l\0`,
]

/** Lists a volume with GNU find. Throws when it is not there, or cannot be listed. */
export async function scan(place: Place, signal: AbortSignal): Promise<Scan> {
  const found: Scan = { entries: [], recent: new Set(), unreadable: new Set(), skipped: { sockets: 0, devices: 0, mounted: 0 } }
  const child = place.start('find', ['-H', place.root, '-xdev', '-ignore_readdir_race', ...EXPRESSION], { signal })
  child.end()
  let device: string | undefined
  let rest = ''
  try {
    for await (const bytes of child.stdout) {
      const text = rest + bytes.toString('latin1')
      let offset = 0
      for (;;) {
        const middle = text.indexOf('\0', offset)
        const end = middle < 0 ? -1 : text.indexOf('\0', middle + 1)
        if (end < 0) break
        const space = text.indexOf(' ', middle)
        device ??= text.slice(middle + 1, space)
        take(found, text.slice(offset, middle), text.slice(middle + 1, space) !== device, text.slice(space + 1, end))
        offset = end + 1
      }
      rest = text.slice(offset)
    }
  } catch (error) {
    if (!(error instanceof ChildError)) throw error
    explain(error, place, found)
  }
  if (found.entries.length === 0) throw new LifeboatError(`${place.where} could not be listed: find printed nothing`)
  found.entries.sort()
  return found
}

/** Slashes sort before all else, so that a directory stands right before what is in it; the byte they change places with may be in a name. */
export function sortKey(path: string): string {
  return /[/\u0001]/.test(path) ? path.replaceAll(/[/\u0001]/g, (character) => (character === '/' ? '\u0001' : '/')) : path
}

/** Relative to the volume's folder, latin1; the folder itself is the empty text. */
export function pathOf(entry: string): string {
  return sortKey(entry.slice(0, entry.indexOf('\0')))
}

export function metaOf(entry: string): Meta {
  const text = entry.slice(entry.indexOf('\0') + 1)
  const [type, size, mtime, , inode, links, mode, uid, gid] = text.split(' ', 9)
  const target = type === 'l' ? text.slice(text.split(' ', 9).join(' ').length + 1) : ''
  return { type: type!, size: type === 'f' ? Number(size) : 0, mtime: decimals(mtime!), inode: inode!, links: Number(links), mode: mode!, uid: uid!, gid: gid!, target }
}

/** find prints ten decimals, the last of them always 0. */
function decimals(time: string): string {
  return time.replace(/\.?0+$/, '')
}

function take(found: Scan, path: string, elsewhere: boolean, text: string): void {
  const type = text[2]!
  if (type === 's') found.skipped.sockets++
  else if (type === 'b' || type === 'c') found.skipped.devices++
  else if (elsewhere && type !== 'd') found.skipped.mounted++
  else {
    const entry = `${sortKey(path)}\0${text.slice(2)}`
    found.entries.push(entry)
    if (text[0] === 'n') found.recent.add(entry)
    if (text[1] === 'u' && (type === 'f' || type === 'd')) found.unreadable.add(entry)
    if (elsewhere) found.skipped.mounted++
  }
}

/** find ends badly for each directory that it may not read: they are marked. Anything else it complains of is thrown. */
function explain(error: ChildError, place: Place, found: Scan): void {
  const lines = error.exit.stderr.split('\n').filter((line) => line !== '')
  const foreseen = error.exit.status === 1 && lines.length > 0 && lines.every((line) => /^find: .*: Permission denied$/.test(line))
  if (foreseen && found.unreadable.size > 0) return
  const said = lines.slice(0, 3).join('; ')
  if (error.exit.failure) throw new LifeboatError(`${place.where} could not be listed: ${error.message}`, { cause: error, hint: 'Volumes are read with GNU find and GNU tar; install findutils and tar.' })
  throw new LifeboatError(`${place.where} could not be listed: ${said || error.message}`, {
    cause: error,
    hint: /No such file or directory/.test(said) ? 'Check the path: is it spelled right, and the disk mounted?' : /unrecognized|unknown predicate|invalid option/.test(said) ? 'GNU find is needed (findutils).' : 'Run as a user who may read all of it, or leave it out with exclude.',
  })
}
