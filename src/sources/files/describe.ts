import { formatBytes, formatCount, oneLine } from '../../report/format.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import type { ShownFile } from './shown-file.ts'
import type { Remarks, StoredSource } from '../source-kind.ts'
import { type VolumeFacts, volumeFacts } from './facts.ts'
import { leftOutTexts } from './left-out.ts'
import { decodeFiles, displayName, type ListedFile } from './file-list.ts'

export type VolumeDetails = { volume?: Omit<VolumeFacts, 'segments'> }

export function describeVolume({ facts }: SourceRecord): VolumeDetails {
  const described = volumeFacts.safeParse(facts).data
  if (!described) return {}
  const { segments: _, ...volume } = described
  return { volume }
}

export function volumeText({ volume }: VolumeDetails): string[] {
  if (!volume) return []
  const { files, bytes, where, changed, unreadable, patterns, ignoreFile } = volume
  return [
    `  ${formatCount(files, 'file')} of ${formatBytes(bytes)} from ${oneLine(where)}`,
    ...namesText('changed while it was read', changed),
    ...namesText('could not be read', unreadable),
    ...namesText('patterns of include', patterns?.include ?? []),
    ...namesText('patterns of exclude', patterns?.exclude ?? []),
    ...namesText('patterns of .lifeboatignore', ignoreFile?.patterns ?? []),
  ]
}

function namesText(what: string, paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`  ${what}: ${paths.map(oneLine).join(', ')}`]
}

const remarked = volumeFacts.pick({ unreadable: true, ignoreFile: true, leftOut: true })

/** A list of snapshots asks this of each, so that only these facts are parsed. */
export function remarksOnVolume(facts: unknown): Remarks {
  const { data } = remarked.safeParse(facts)
  if (!data) return {}
  const leftOut = leftOutTexts(data)
  return {
    ...(data.unreadable.length > 0 && { partial: [`files could not be read: ${data.unreadable.map(oneLine).join(', ')}`] }),
    ...(leftOut.length > 0 && { leftOut }),
  }
}

/** The files of a volume, read from the list that was stored beside its archive. */
export async function* listedFiles({ source, read }: StoredSource): AsyncGenerator<ListedFile, void, void> {
  const list = source.streams.find(({ format }) => format === 'tar-list')
  if (list) yield* decodeFiles(read(list), source.name)
}

/** The same for people and programs: names in UTF-8. */
export async function* shownFiles(stored: StoredSource): AsyncGenerator<ShownFile, void, void> {
  for await (const file of listedFiles(stored)) yield shownFile(file)
}

export function shownFile({ path, type, size, mtime, target }: ListedFile): ShownFile {
  const pointed = target === '' ? {} : type === 'f' ? { etag: target } : { target: displayName(target) }
  return { path: displayName(path), type, size, mtime, ...pointed }
}
