import { cutParts, type Extent, touches } from '../../repository/extent.ts'
import type { StreamRecord } from '../../repository/snapshot.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import type { DamagedSource } from '../source-kind.ts'
import { knownFiles, membersByHeaders } from './damaged-list.ts'
import { encodeFile, type ListedFile, shownName } from './file-list.ts'
import { findMembers, type Member, nameOf } from './find-members.ts'
import { BadTar } from './tar-headers.ts'
import { memberHead, paddedSize } from './tar-member.ts'
import { volumeParts } from './verify.ts'

/** A damaged volume, without its damaged parts: a list and archives as of a volume that has nothing else. */
export interface Salvaged {
  list: () => AsyncIterable<Buffer>
  segments: { entries: number; size: number; bytes: () => AsyncIterable<Buffer> }[]
  /** Files with a damaged byte, and hard links to them. */
  lost: LostFile[]
  /** Archives with members that are lost and whose names are not known, because the list of files is damaged as well. */
  unnamed: { archive: string; count: number }[]
  /** Members made again from the list of files, which has all but their extended attributes and ACLs. */
  remade: ListedFile[]
  /** Folders whose owner, mode and time are lost with their names: made for the files in them. */
  folders: ListedFile[]
}

export interface LostFile {
  file: ListedFile
  /** The file is kept, with zeros for these parts of it. */
  zeros?: Extent[]
}

/** An archive, and what is known of its members. */
interface Archive {
  record: StreamRecord
  holes: readonly Extent[]
  files: readonly (ListedFile | undefined)[]
  /** Undefined: all are there, wherever that is. */
  members?: readonly (Member | undefined)[]
}

/**
 * Finds what is whole of a volume. Folders, links, pipes and empty files whose headers are lost are made again from the list. Where the
 * list is damaged, the headers in an archive tell what it has, up to the first that is damaged.
 */
export async function salvageVolume(damaged: DamagedSource): Promise<Salvaged> {
  const { source, read, holes, keepDamaged } = damaged
  const { facts, list, archives } = volumeParts(source)
  const files = await knownFiles(damaged, list, facts.entries)
  const kept: ListedFile[] = []
  const salvaged: Salvaged = { list: () => linesOf(kept), segments: [], lost: [], unnamed: [], remade: [], folders: [] }
  const choice = new Choice(salvaged, kept, keepDamaged)
  let first = 0
  for (const [index, record] of archives.entries()) {
    const listed = files.slice(first, (first += facts.segments[index]!.entries))
    const bytes = (): AsyncIterable<Buffer> => read(record)
    const archive = await located({ record, holes: holes(record), files: listed }, bytes)
    const parts = choice.of(archive)
    if (parts.length === 0) continue
    const asItIs = archive.holes.length === 0 && parts.length === listed.length && parts.every((part) => 'place' in part)
    const members = archive.members ?? (asItIs ? [] : await findMembers(bytes(), record.size, [], listed.filter(isKnown)))
    const cut = asItIs ? [] : parts.map((part) => ('place' in part ? members[part.place]! : part))
    salvaged.segments.push({ entries: parts.length, size: record.size, bytes: asItIs ? bytes : () => cutParts(bytes(), cut) })
  }
  return salvaged
}

const isKnown = (file: ListedFile | undefined): file is ListedFile => file !== undefined

/** With the places of its members, if it is damaged or not all of them are listed. */
async function located(archive: Archive, bytes: () => AsyncIterable<Buffer>): Promise<Archive> {
  const { record, holes, files } = archive
  const listed = files.filter(isKnown)
  if (listed.length === files.length)
    return holes.length === 0 ? archive : { ...archive, members: await findMembers(bytes(), record.size, holes, listed) }
  const found = await membersByHeaders(bytes(), holes)
  if (found.length > files.length || (holes.length === 0 && found.length < files.length))
    throw new BadTar(`${record.name} has ${found.length} entries, recorded are ${files.length}`)
  return { ...archive, files: files.map((file, place) => found[place]?.file ?? file), members: found.map(({ member }) => member) }
}

/** A member of an archive, or one that is made again. */
type Chosen = { place: number } | { made: Buffer }

/** Decides about each member of a volume, in the order of its archives. */
class Choice {
  readonly #salvaged: Salvaged
  readonly #kept: ListedFile[]
  readonly #keepDamaged: boolean
  readonly #folders = new Set([''])
  /** Files that are kept: hard links can refer to them. */
  readonly #files = new Map<string, Extent[] | undefined>()

  constructor(salvaged: Salvaged, kept: ListedFile[], keepDamaged: boolean) {
    this.#salvaged = salvaged
    this.#kept = kept
    this.#keepDamaged = keepDamaged
  }

  of({ record, holes, files, members }: Archive): Chosen[] {
    const chosen: Chosen[] = []
    let unnamed = 0
    for (const [place, file] of files.entries()) {
      if (!file) {
        unnamed++
        continue
      }
      const member = members?.[place]
      const whole = members === undefined || (member !== undefined && !touches(member, holes))
      if (this.#isLost(file, whole ? 'whole' : member, holes)) continue
      for (const folder of this.#missingFolders(file)) chosen.push({ made: madeAgain(folder) })
      this.#kept.push(file)
      const made = !whole && file.size === 0
      if (made) this.#salvaged.remade.push(file)
      chosen.push(made ? { made: madeAgain(file) } : { place })
    }
    if (unnamed > 0) this.#salvaged.unnamed.push({ archive: record.name, count: unnamed })
    return chosen
  }

  /** `member`: where it is, if it is damaged and its headers are whole. */
  #isLost(file: ListedFile, member: Member | 'whole' | undefined, holes: readonly Extent[]): boolean {
    const { lost } = this.#salvaged
    if (file.type === 'h') {
      const there = this.#files.has(file.target)
      const zeros = this.#files.get(file.target)
      if (!there || zeros) lost.push({ file, ...(zeros && { zeros }) })
      return !there
    }
    const isWhole = member === 'whole' || file.size === 0
    const zeros = !isWhole && member && this.#keepDamaged ? zerosIn(file, member, holes) : undefined
    if (!isWhole) lost.push({ file, ...(zeros && { zeros }) })
    if (!isWhole && !zeros) return true
    if (file.type === 'd') this.#folders.add(file.path)
    else this.#files.set(file.path, zeros)
    return false
  }

  /** The folders of a member that no archive has any more. */
  #missingFolders({ path, uid, gid, mtime }: ListedFile): ListedFile[] {
    const names = path.split('/').slice(0, -1)
    const missing = names.map((_, depth) => names.slice(0, depth + 1).join('/')).filter((folder) => !this.#folders.has(folder))
    return missing.map((folder) => {
      const made = { type: 'd', mode: '755', uid, gid, size: 0, mtime, path: folder, target: '' }
      this.#folders.add(folder)
      this.#kept.push(made)
      this.#salvaged.folders.push(made)
      return made
    })
  }
}

/** The lost parts of a file; undefined for a sparse file, whose content is elsewhere in the archive than in the file. */
function zerosIn({ size }: ListedFile, { content, end }: Member, holes: readonly Extent[]): Extent[] | undefined {
  if (end - content !== paddedSize(size)) return undefined
  const parts = holes.map((hole) => ({ start: Math.max(0, hole.start - content), end: Math.min(size, hole.end - content) }))
  return parts.filter(({ start, end }) => start < end)
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
export function lostText({ file: { type, path, size, target }, zeros }: LostFile): string {
  const name = type === 'h' ? `link ${shownName(path)} to the file ${shownName(target)}` : `file ${shownName(path)} (${formatBytes(size)})`
  const places = zeros?.map(({ start, end }) => `${formatCount(end - start, 'byte')} from byte ${start.toLocaleString('en-US')} on`)
  return places ? `${name}: ${places.join(', ')}; zeros are in their place` : name
}
