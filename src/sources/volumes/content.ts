import { formatCount } from '../../report/format.ts'
import { countLeftOut, type LeftOut, leftOutTexts, type Patterned, recordedSelection } from '../files/left-out.ts'
import { EVERY_FILE, scannedPath, selecting } from '../files/selection.ts'
import type { Site } from '../files/site.ts'
import { PATTERN } from './replacement.ts'

/** Everything in a folder. */
export interface Content {
  count: number
  bytes: number
  /** A sentence for files that a snapshot does not have, because its patterns leave them out. Absent: there are none. */
  lacked?: string
}

/** `chosenBy`: the patterns of the snapshot. */
export async function contentOf(site: Site, chosenBy: Patterned = {}, signal: AbortSignal): Promise<Content> {
  const child = site.start('sh', ['-c', LIST, 'sh', site.root, PATTERN], { signal })
  child.end()
  const content = { count: 0, bytes: 0 }
  const leftOut: LeftOut = {}
  const selection = recordedSelection(chosenBy)
  const select = selecting<Found>(scannedPath, selection ?? EVERY_FILE, ({ type, size }, by) =>
    countLeftOut(leftOut, by, { type, size: type === 'f' ? size : 0, unreadable: false }))
  let rest = ''
  for await (const piece of child.stdout) {
    const lines = (rest + piece.toString('latin1')).split('\0')
    rest = lines.pop()!.slice(0, MOST_LINE)
    for (const line of lines) {
      const found = foundIn(line)
      content.count++
      content.bytes += found.size
      select(found)
    }
  }
  const lacked = selection ? lackedText(leftOut, chosenBy) : unknownText(chosenBy)
  return { ...content, ...(lacked !== undefined && { lacked }) }
}

/** The machine may be hostile. Longer paths do not come from a folder that a backup can have. */
const MOST_LINE = 64 * 1024

/** Each folder before its content. Folders that this user may not read are counted as one. */
const LIST = String.raw`find -H "$1" -mindepth 1 -name "$2" -prune -o -mindepth 1 -printf '%y %s %P\0' 2>/dev/null || :`

interface Found {
  type: string
  size: number
  path: string
}

function foundIn(line: string): Found {
  const [type = '', size = ''] = line.split(' ', 2)
  return { type, size: Number(size) || 0, path: line.slice(type.length + size.length + 2) }
}

function lackedText(leftOut: LeftOut, { ignoreFile }: Patterned): string | undefined {
  const texts = leftOutTexts({ leftOut, ignoreFile })
  return texts.length === 0 ? undefined : `Among them are files that the patterns of the snapshot leave out: ${texts.join('; ')}.`
}

function unknownText({ patterns, ignoreFile }: Patterned): string | undefined {
  if (!patterns || !ignoreFile) return undefined
  const count = formatCount(ignoreFile.count, 'pattern')
  return `Some of them may not be in the snapshot: the ${count} of its .lifeboatignore are not all recorded.`
}
