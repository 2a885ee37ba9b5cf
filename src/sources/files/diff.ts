import { formatBytes, formatColumns, formatCount, oneLine } from '../../report/format.ts'
import { factsOf, type SourceRecord } from '../../repository/snapshot.ts'
import type { FilesDiff } from './shown-file.ts'
import type { StoredSource } from '../source-kind.ts'
import { type ComparedPart, compareFiles } from './compare.ts'
import { listedFiles, shownFile } from './describe.ts'
import { volumeFacts } from './facts.ts'
import { displayName, type ListedFile } from './file-list.ts'
import { leftOutFiles } from './left-out.ts'
import { SortedFiles } from './sorted-files.ts'

export type VolumeDifferences = { files?: FilesDiff }

/** Compares two sources that have lists of files, by these lists. */
export async function compareVolumes(before: StoredSource, after: StoredSource): Promise<VolumeDifferences> {
  if (![before, after].every(({ source }) => source.streams.some(({ format }) => format === 'tar-list'))) return {}
  const parts = partsOf(before.source, after.source)
  const from = await SortedFiles.of(listedFiles(before))
  const to = await SortedFiles.of(listedFiles(after), parts)
  const { added, removed, changed, ...unchanged } = await compareFiles(from, to, parts)
  const differing = changed.map(({ from, to, what }) => ({ path: displayName(to.path), type: to.type, from: from.size, to: to.size, what }))
  return { files: { ...unchanged, added: added.map(shownFile), removed: await removedFiles(removed, after.source), changed: differing } }
}

async function removedFiles(removed: readonly ListedFile[], { facts }: SourceRecord): Promise<FilesDiff['removed']> {
  const left = await leftOutFiles(removed, facts)
  return removed.map((file) => {
    const by = left.get(file)
    return { ...shownFile(file), ...(by && { leftOut: by }) }
  })
}

/** The parts of the newer archive; those with the same sum hold the same members with the same names. */
function partsOf(before: SourceRecord, after: SourceRecord): ComparedPart[] {
  const { segments } = factsOf(after, volumeFacts)
  const had = new Set(archivesOf(before))
  return archivesOf(after).map((sum, index) => ({ entries: segments[index]?.entries ?? 0, same: had.has(sum) }))
}

function archivesOf({ streams }: SourceRecord): string[] {
  return streams.filter(({ format }) => format === 'tar').map(({ sum }) => sum)
}

export function volumeDiffText({ files }: VolumeDifferences): string[] {
  if (!files) return []
  const { added, removed, changed, identical, alike } = files
  const rows = [
    ...removed.map(({ path, size, leftOut }) => ['-', formatBytes(size), leftOutText(leftOut), oneLine(path)]),
    ...added.map(({ path, size }) => ['+', formatBytes(size), '', oneLine(path)]),
    ...changed.map((file) => ['~', sizesText(file), propertiesText(file), oneLine(file.path) || 'the folder itself']),
  ]
  const left = removed.filter(({ leftOut }) => leftOut !== undefined).length
  const leftText = left > 0 ? ` (${number(left)} of them left out by patterns, and perhaps still there)` : ''
  const counts = [
    `${formatCount(added.length, 'entry', 'entries')} added, ${number(removed.length)} removed${leftText}, ` +
      `${number(changed.length)} changed`,
    ...(identical > 0 ? [`${number(identical)} identical`] : []),
    ...(alike > 0 ? [`${number(alike)} with the same size, time, mode and owner (content not compared)`] : []),
  ]
  return [`  ${counts.join('; ')}`, ...(rows.length > 0 ? [formatColumns(rows, '  ')] : [])]
}

function leftOutText(by: FilesDiff['removed'][number]['leftOut']): string {
  return by === undefined ? '' : `left out by ${by === 'ignoreFile' ? '.lifeboatignore' : by}`
}

/** With the same size, another time proves neither that the content differs nor that it does not. */
function propertiesText({ type, what }: FilesDiff['changed'][number]): string {
  const open = type === 'f' && !what.some((one) => one === 'kind' || one === 'size' || one === 'content')
  return what.map((one) => (one === 'time' && open ? 'time (content may differ)' : one)).join(', ')
}

function sizesText({ from, to }: { from: number; to: number }): string {
  return from === to ? formatBytes(to) : `${formatBytes(from)} -> ${formatBytes(to)}`
}

function number(count: number): string {
  return count.toLocaleString('en-US')
}
