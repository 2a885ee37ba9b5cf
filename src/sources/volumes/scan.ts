import { ChildError, collectBytes, feed } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { metaOf, pathOf, sortKey } from '../files/entry.ts'
import { displayName } from '../files/file-list.ts'
import type { Site } from '../files/site.ts'
import { SortedTexts } from '../files/sorted-texts.ts'

/**
 * The entries of a volume (src/sources/files/entry.ts), in the order of its archive: each directory before its content, and its content
 * before its next sibling.
 */
export interface Scan {
  entries: SortedTexts
  skipped: Skipped
  /** Paths of some of the devices, and of what is on other file systems. */
  left: { devices: string[]; mounted: string[] }
}

export interface Skipped {
  sockets: number
  devices: number
  /** Entries on another file system that is mounted inside. */
  mounted: number
}

const FIELDS = String.raw` %y %s %T@ %C@ %i %n %m %U %G %l\0`

// The path, marks, and the fields that show whether it has changed.
const EXPRESSION = [
  '-printf', String.raw`%D %P\0-`,
  // The clock of a file system may advance later. A program that writes through mmap(2) sets the ctime only if the page was clean before,
  // as it is half a minute later at the latest (Linux, vm.dirty_expire_centisecs).
  '(', '(', '-newerct', '1 second ago', '-o', '-type', 'f', '-newerct', '1 minute ago', ')', '-printf', 'r', '-o', '-true', ')',
  '(', '(', '-type', 'l', '-o', '-readable', ')', '(', '!', '-type', 'd', '-o', '-executable', ')', '-o', '-printf', 'u', ')',
  '-printf', FIELDS,
]

/** At most so many are named. */
const MOST_LEFT = 5

/** Two paths, of 4096 bytes on Linux, and a few numbers. */
const MOST_ENTRY = 64 * 1024

/** Lists a volume with GNU find. Throws if it is missing, or cannot be listed. */
export async function scan(site: Site, signal: AbortSignal): Promise<Scan> {
  const found: Found = {
    entries: new SortedTexts(), closed: false, skipped: { sockets: 0, devices: 0, mounted: 0 }, left: { devices: [], mounted: [] },
  }
  const child = site.start('find', ['-H', site.root, '-xdev', '-ignore_readdir_race', ...EXPRESSION], { signal })
  child.end()
  let device: string | undefined
  let rest = Buffer.alloc(0)
  try {
    for await (const bytes of child.stdout) {
      const buffer = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      let offset = 0
      for (;;) {
        const middle = buffer.indexOf(0, offset)
        const end = middle < 0 ? -1 : buffer.indexOf(0, middle + 1)
        if (end < 0) break
        const space = buffer.indexOf(0x20, offset)
        const on = buffer.toString('latin1', offset, space)
        device ??= on
        swap(buffer, space + 1, middle)
        take(found, buffer.toString('latin1', space + 1, end), on !== device)
        offset = end + 1
      }
      rest = Buffer.from(buffer.subarray(offset))
      if (rest.length > MOST_ENTRY)
        throw new LifeboatError(`${site.where} could not be listed: find printed an entry of more than ${MOST_ENTRY} bytes`)
    }
  } catch (error) {
    if (!(error instanceof ChildError)) throw error
    checkComplaints(error, site, found)
  }
  if (found.entries.count === 0) throw new LifeboatError(`${site.where} could not be listed: find printed nothing`)
  return found
}

/** The entries of these paths (latin1) as they are now, by their paths; those that are not there any more are missing. */
export async function listAgain(site: Site, paths: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
  const script = `cd -P -- "$0"; find "$@" -maxdepth 0 -printf '%p\\0-${FIELDS}' || :`
  const child = site.start('xargs', ['-0', 'sh', '-euc', script, site.root], { signal })
  const feeding = feed(child, paths.map((path) => Buffer.from(`./${path}\0`, 'latin1')))
  feeding.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  const printed = await collectBytes(child, paths.length * MOST_ENTRY)
  await feeding
  const texts = printed.toString('latin1').split('\0')
  const entries = new Map<string, string>()
  for (let index = 0; index + 1 < texts.length; index += 2) {
    const path = texts[index]!.slice('./'.length)
    entries.set(path, `${sortKey(path)}\0${texts[index + 1]!}`)
  }
  return entries
}

interface Found extends Scan {
  /** Whether some entries cannot be read. */
  closed: boolean
}

/** The same as `sortKey`, in place. */
function swap(buffer: Buffer, start: number, end: number): void {
  for (let index = start; index < end; index++) {
    if (buffer[index] === 0x2f) buffer[index] = 1
    else if (buffer[index] === 1) buffer[index] = 0x2f
  }
}

function take(found: Found, entry: string, elsewhere: boolean): void {
  const { type, unreadable } = metaOf(entry)
  if (type === 's') found.skipped.sockets++
  else if (type === 'b' || type === 'c') leave(found, 'devices', entry)
  else if (elsewhere && type !== 'd') leave(found, 'mounted', entry)
  else {
    found.entries.add(entry)
    found.closed ||= unreadable
    if (elsewhere) leave(found, 'mounted', entry)
  }
}

function leave({ skipped, left }: Scan, why: keyof Scan['left'], entry: string): void {
  skipped[why]++
  if (left[why].length < MOST_LEFT) left[why].push(displayName(pathOf(entry)))
}

/** find fails if it may not read a directory; these are marked. Every other complaint is thrown. */
function checkComplaints(error: ChildError, site: Site, found: Found): void {
  const lines = error.exit.stderr.split('\n').filter((line) => line !== '')
  const foreseen = error.exit.status === 1 && lines.length > 0 && lines.every((line) => /^find: .*: Permission denied$/.test(line))
  if (foreseen && found.closed) return
  const said = lines.slice(0, 3).join('; ')
  // The exit status of shells, env and Docker for a missing program.
  if (error.exit.failure || error.exit.status === 127)
    throw new LifeboatError(`${site.where} could not be listed: ${said || error.message}`, {
      cause: error,
      hint: 'Volumes are read with GNU find and GNU tar; install findutils and tar.',
    })
  throw new LifeboatError(`${site.where} could not be listed: ${said || error.message}`, {
    cause: error,
    hint: /No such file or directory/.test(said)
      ? 'Check the path: is it spelled right, and the disk mounted?'
      : /unrecognized|unknown predicate|invalid option/.test(said)
        ? 'GNU find is needed (findutils).'
        : marked`Run as a user who may read all of it, or leave it out with ‹exclude›.`,
  })
}
