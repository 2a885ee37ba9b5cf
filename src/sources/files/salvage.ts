import { cutParts, type Part } from '../../repository/extent.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import type { DamagedSource } from '../source-kind.ts'
import { knownFiles, membersByHeaders } from './damaged-list.ts'
import { encodeFile, Lines, type ListedFile, shownName } from './file-list.ts'
import { findMembers } from './find-members.ts'
import { type Decided, KeptMembers, type LocatedArchive, type LostFile } from './kept-members.ts'
import type { Member, MemberSizes } from './member-sizes.ts'
import { BadTar } from './tar-headers.ts'
import { volumeParts } from './verify.ts'

/** A damaged volume, without its damaged parts: a list and archives as of a volume that has nothing else. */
export interface Salvaged extends Decided {
  list: () => AsyncIterable<Buffer>
  segments: { entries: number; size: number; bytes: () => AsyncIterable<Buffer> }[]
}

/**
 * Finds what is whole of a volume, one archive after the other: there may be millions of files. Folders, links, pipes and empty files whose
 * headers are lost are made again from the list, and so are headers of files that may be incomplete. Where the list is damaged, the headers
 * in an archive tell what it has, up to the first that is damaged.
 */
export async function salvageVolume(damaged: DamagedSource): Promise<Salvaged> {
  const { source, read, holes, keepDamaged } = damaged
  const { facts, list, archives } = volumeParts(source)
  const lines = new Lines()
  const salvaged: Salvaged = { list: () => lines.bytes(), segments: [], lost: [], unnamed: [], remade: 0, folders: [] }
  const choice = new KeptMembers(salvaged, { links: facts.links !== 0, keepDamaged })
  const files = knownFiles(damaged, list, facts.entries)
  for (const [index, record] of archives.entries()) {
    const listed = await taken(files, facts.segments[index]!.entries)
    const bytes = (): AsyncIterable<Buffer> => read(record)
    const { sizes } = facts.segments[index]!
    const archive = await located({ record, holes: holes(record), files: listed }, bytes, sizes)
    const { parts, kept } = choice.of(archive)
    if (parts.length === 0) continue
    for (const file of kept) lines.add(encodeFile(file))
    const asItIs = archive.holes.length === 0 && parts.length === listed.length && parts.every((part) => 'place' in part)
    const members = archive.members ??
      (asItIs ? [] : await findMembers({ bytes, size: record.size, holes: [], listed: listed.filter(isKnown), sizes }))
    const cut = asItIs ? [] : joined(parts.flatMap((part) => ('place' in part ? bytesOf(members[part.place]!, part.head) : part)))
    salvaged.segments.push(asItIs
      ? { entries: parts.length, size: record.size, bytes }
      : { entries: parts.length, size: sizeOf(cut), bytes: () => cutParts(bytes(), cut) })
  }
  await files.next() // The end of the list is checked as well.
  return salvaged
}

async function taken<T>(all: AsyncGenerator<T, void, void>, count: number): Promise<T[]> {
  const some: T[] = []
  while (some.length < count) {
    const { value, done } = await all.next()
    if (done) break
    some.push(value)
  }
  return some
}

/** A member, with other headers if they are given. */
function bytesOf({ start, content, end }: Member, head: Buffer | undefined): Part[] {
  return head ? [{ made: head }, { start: content, end }] : [{ start, end }]
}

/** The same bytes in fewer parts. */
function joined(parts: readonly Part[]): Part[] {
  const fewer: Part[] = []
  for (const part of parts) {
    const last = fewer.at(-1)
    if (last && !('made' in last) && !('made' in part) && last.end === part.start) last.end = part.end
    else fewer.push('made' in part ? part : { start: part.start, end: part.end })
  }
  return fewer
}

function sizeOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + ('made' in part ? part.made.length : part.end - part.start), 0)
}

const isKnown = (file: ListedFile | undefined): file is ListedFile => file !== undefined

/** With the places of its members, if it is damaged or not all of them are listed. */
async function located(
  archive: LocatedArchive, bytes: () => AsyncIterable<Buffer>, sizes: MemberSizes | undefined,
): Promise<LocatedArchive> {
  const { record, holes, files } = archive
  const listed = files.filter(isKnown)
  if (listed.length === files.length)
    return holes.length === 0 ? archive : { ...archive, members: await findMembers({ bytes, size: record.size, holes, listed, sizes }) }
  const found = await membersByHeaders(bytes(), holes)
  if (found.length > files.length || (holes.length === 0 && found.length < files.length))
    throw new BadTar(`${record.name} has ${found.length} entries, recorded are ${files.length}`)
  return { ...archive, files: files.map((file, place) => found[place]?.file ?? file), members: found.map(({ member }) => member) }
}

/** A member that is lost, as people read it: `file a/b.jpg (12.0 kB)`. */
export function lostText({ file: { type, path, size, target }, zeros }: LostFile): string {
  const name = type === 'h' ? `link ${shownName(path)} to the file ${shownName(target)}` : `file ${shownName(path)} (${formatBytes(size)})`
  const places = zeros?.map(({ start, end }) => `${formatCount(end - start, 'byte')} from byte ${start.toLocaleString('en-US')} on`)
  return places ? `${name}: ${places.join(', ')}; zeros are in their place` : name
}
