import { createHash } from 'node:crypto'
import { formatBytes, formatCount } from '../../report/format.ts'
import type { Meta } from './entry.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { type VolumeFacts, volumeFacts } from './facts.ts'
import { displayName, type ListedFile } from './file-list.ts'
import { marked } from '../../marks.ts'
import { inTurns } from './sorted-texts.ts'
import { type LeftOutBy, type ScannedPath, scannedPath, type Selection, selecting } from './selection.ts'

export type LeftOut = NonNullable<VolumeFacts['leftOut']>

/** Adds an entry to the counts of what patterns left out. A store of backups, which is told by itself, is not counted. */
export function countLeftOut(
  counts: LeftOut, by: LeftOutBy, { type, size, unreadable }: Pick<Meta, 'type' | 'size' | 'unreadable'>,
): void {
  if (by === 'store' || (type === 'd' && !unreadable)) return
  const amount = counts[by] ??= { files: 0, bytes: 0, closed: 0 }
  if (type === 'd') amount.closed++
  else amount.files++
  amount.bytes += size
}

/** Patterns of that file which are kept, and characters of each: whoever writes into the volume writes that file. */
const [MOST_PATTERNS, LONGEST] = [100, 300]

/** Patterns of that file, for a selection. */
export function ignoreFileExclusions(patterns: readonly string[]): Selection['exclude'] {
  return patterns.map((pattern) => ({ pattern, mark: 'ignoreFile' }))
}

/** The facts of a volume's own file of patterns; none if it has no patterns. */
export function ignoreFileFacts(lines: readonly string[]): Pick<VolumeFacts, 'ignoreFile'> {
  const patterns = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (patterns.length === 0) return {}
  const digest = createHash('sha256').update(patterns.join('\n')).digest('hex')
  return { ignoreFile: { count: patterns.length, digest, patterns: patterns.slice(0, MOST_PATTERNS).map((one) => one.slice(0, LONGEST)) } }
}

/** Says for each reason how much was left out. */
export function leftOutTexts({ leftOut = {}, ignoreFile }: Pick<VolumeFacts, 'leftOut' | 'ignoreFile'>): string[] {
  const { include, exclude, ignoreFile: own } = leftOut
  return [
    ...(include ? [`${amountText(include)} that no pattern of include matches`] : []),
    ...(exclude ? [`${amountText(exclude)} by exclude`] : []),
    ...(own && ignoreFile ? [`${amountText(own)} by .lifeboatignore (${formatCount(ignoreFile.count, 'pattern')})`] : []),
  ]
}

function amountText({ files, bytes, closed }: NonNullable<LeftOut['include']>): string {
  const folders = closed > 0 ? [formatCount(closed, 'unreadable folder')] : []
  return [...(files > 0 || closed === 0 ? [`${formatCount(files, 'file')} (${formatBytes(bytes)})`] : []), ...folders].join(' and ')
}

/** The facts that tell by which patterns a backup was made. */
export type Patterned = Pick<VolumeFacts, 'patterns' | 'ignoreFile'>

/** The selection by the patterns of a backup; undefined if not all of them are recorded. */
export function recordedSelection({ patterns, ignoreFile }: Patterned): Selection | undefined {
  const own = ignoreFile?.patterns ?? []
  if (!patterns || own.length !== (ignoreFile?.count ?? 0) || own.some(({ length }) => length >= LONGEST)) return undefined
  return { include: patterns.include, exclude: [...ignoreFileExclusions(own), ...patterns.exclude] }
}

/** The patterns of a backup that would leave out a file of this name, as a hint names them; undefined also if not all are known. */
export function leavesOut(facts: Patterned, latin1: string): string | undefined {
  const selection = recordedSelection(facts)
  const names = displayName(latin1).split('/')
  if (!selection || names.some((name) => ['', '.', '..'].includes(name))) return undefined
  const around = names.map((_, index) => ({ path: names.slice(0, index + 1).join('/'), directory: index < names.length - 1 }))
  let reason: LeftOutBy | undefined
  const select = selecting((one: ScannedPath) => one, selection, (one, by) => {
    if (!one.directory) reason = by
  })
  for (const one of around) select(one)
  return reason && (reason === 'ignoreFile' ? '.lifeboatignore' : marked`‹${reason}›`)
}

/** The files that the patterns of a backup leave out, with the reason; none also if not all patterns are known. In the order of a scan. */
export async function leftOutFiles(files: readonly ListedFile[], facts: unknown): Promise<Map<ListedFile, keyof LeftOut>> {
  const left = new Map<ListedFile, keyof LeftOut>()
  const selection = recordedSelection(compared.safeParse(facts).data ?? {})
  if (!selection) return left
  const select = selecting<ListedFile>(scannedPath, selection, (file, by) => {
    if (by !== 'store') left.set(file, by)
  })
  await inTurns(files, (file) => {
    for (const chosen of select(file)) left.delete(chosen)
  })
  return left
}

const compared = volumeFacts.pick({ patterns: true, ignoreFile: true })

/** A sentence if the volume's own file of patterns is not as in the backup before; undefined also where that does not tell. */
export function ignoreFileChange(before: SourceRecord | undefined, { ignoreFile, leftOut }: VolumeFacts): string | undefined {
  const old = compared.safeParse(before?.facts).data
  if (!ignoreFile || !old?.patterns || old.ignoreFile?.digest === ignoreFile.digest) return undefined
  const amount = leftOut?.ignoreFile ? amountText(leftOut.ignoreFile) : 'nothing'
  return `.lifeboatignore ${old.ignoreFile ? 'has changed' : 'is new'} since the backup before, and leaves out ${amount}`
}
