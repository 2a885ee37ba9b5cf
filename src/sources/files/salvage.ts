import { cutParts, type Extent, type Part } from '../../repository/holes.ts'
import type { StreamRecord } from '../../repository/snapshot.ts'
import { formatBytes } from '../../report/format.ts'
import type { DamagedSource } from '../source-kind.ts'
import { decodeFiles, encodeFile, type ListedFile, shownName } from './file-list.ts'
import { memberHead } from './tar-member.ts'
import { volumeParts } from './verify.ts'
import { nameOf, wholeMembers } from './whole-members.ts'

/** A damaged volume, without its damaged parts: a list and archives as of a volume that has nothing else. */
export interface Salvaged {
  list: () => AsyncIterable<Buffer>
  segments: { entries: number; size: number; bytes: () => AsyncIterable<Buffer> }[]
  /** Members that are lost: files with a damaged byte, and hard links to them. */
  lost: ListedFile[]
  /** Members made again from the list of files, which has all but their extended attributes and ACLs. */
  remade: ListedFile[]
}

/**
 * Finds what is whole of a volume. Folders, links, pipes and empty files whose headers are lost are made again from the list. Undefined if
 * the list itself is damaged.
 */
export async function salvageVolume({ source, read, holes }: DamagedSource): Promise<Salvaged | undefined> {
  const { facts, list, archives } = volumeParts(source)
  if (holes(list).length > 0) return undefined
  const files: ListedFile[] = []
  for await (const file of decodeFiles(read(list), source.name)) files.push(file)
  const kept: ListedFile[] = []
  const salvaged: Salvaged = { list: () => linesOf(kept), segments: [], lost: [], remade: [] }
  const lost = new Set<string>()
  let first = 0
  for (const [index, archive] of archives.entries()) {
    const listed = files.slice(first, (first += facts.segments[index]!.entries))
    const bytes = (): AsyncIterable<Buffer> => read(archive)
    const damaged = holes(archive).length > 0
    const extents: (Extent | undefined)[] = damaged ? await wholeMembers(bytes(), archive.size, holes(archive), listed) : []
    const parts: Part[] = []
    let dropped = 0
    for (const [place, file] of listed.entries()) {
      const whole = !damaged || extents[place] !== undefined
      const gone = file.type === 'h' ? lost.has(file.target) : !whole && file.size > 0
      if (gone) {
        dropped++
        lost.add(file.path)
        salvaged.lost.push(file)
        continue
      }
      kept.push(file)
      if (!whole) salvaged.remade.push(file)
      parts.push(extents[place] ?? { made: madeAgain(file) })
    }
    if (parts.length === 0) continue
    // A link of a whole archive whose file is lost has to be left out as well.
    const cutOut = damaged || dropped > 0
    const cut = cutOut && !damaged ? await extentsIn(archive, bytes, listed, lost) : parts
    salvaged.segments.push({ entries: parts.length, size: archive.size, bytes: cutOut ? () => cutParts(bytes(), cut) : bytes })
  }
  return salvaged
}

/** Of a whole archive, its members but for hard links to files that are lost. */
async function extentsIn(
  archive: StreamRecord, bytes: () => AsyncIterable<Buffer>, listed: readonly ListedFile[], lost: ReadonlySet<string>,
): Promise<Extent[]> {
  const extents = await wholeMembers(bytes(), archive.size, [], listed)
  return extents.filter((extent, place): extent is Extent => extent !== undefined && !lost.has(listed[place]!.path))
}

async function* linesOf(files: readonly ListedFile[]): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < files.length; at += 1000) yield Buffer.from(files.slice(at, at + 1000).map(encodeFile).join(''), 'latin1')
}

function madeAgain(file: ListedFile): Buffer {
  const { type, mode, uid, gid, mtime, target } = file
  return memberHead({
    name: nameOf(file), type: MEMBER_TYPES[type]!, size: 0, mode, uid: String(uid), gid: String(gid), mtime,
    linked: type === 'h' ? `./${target}` : target,
  })
}

const MEMBER_TYPES: Readonly<Record<string, string>> = { f: '0', h: '1', l: '2', d: '5', p: '6' }

/** A member that is lost, as people read it: `file a/b.jpg (12.0 kB)`. */
export function lostText({ type, path, size, target }: ListedFile): string {
  return type === 'h' ? `link ${shownName(path)} to the file ${shownName(target)}` : `file ${shownName(path)} (${formatBytes(size)})`
}
