import { hash } from 'node:crypto'
import { type Extent, touches } from '../../repository/extent.ts'
import type { StreamRecord } from '../../repository/snapshot.ts'
import type { ListedFile } from './file-list.ts'
import { headOf } from './listed-member.ts'
import type { Member } from './member-sizes.ts'
import { paddedSize } from './tar-member.ts'

export interface LostFile {
  file: ListedFile
  /** The file is kept, with zeros for these parts of it. */
  zeros?: Extent[]
}

/** An archive, and what is known of its members. */
export interface LocatedArchive {
  record: StreamRecord
  holes: readonly Extent[]
  files: readonly (ListedFile | undefined)[]
  /** Undefined: all are there, wherever that is. */
  members?: readonly (Member | undefined)[]
}

/** A member of an archive, or one that is made again; with `head`, the headers alone. */
export type KeptMember = { place: number; head?: Buffer } | { made: Buffer }

/** Everything that is not restored as it was; filled while the archives are looked at. */
export interface Decided {
  /** Files with a damaged byte, and hard links to them. */
  lost: LostFile[]
  /** Archives with members that are lost and whose names are not known, because the list of files is damaged as well. */
  unnamed: { archive: string; count: number }[]
  /** Number of members whose headers are made again from the list of files, which has all but extended attributes and ACLs. */
  remade: number
  /** Folders whose owner, mode and time are lost with their names: made for the files in them. */
  folders: ListedFile[]
}

/** Decides about each member of a volume, in the order of its archives. */
export class KeptMembers {
  readonly #salvaged: Decided
  readonly #links: boolean
  readonly #keepDamaged: boolean
  readonly #folders = new Paths()
  /** Files that are there: hard links can refer to them. */
  readonly #files = new Paths()
  /** The lost parts of files that are kept without them. */
  readonly #zeros = new Map<string, Extent[]>()

  constructor(salvaged: Decided, { links, keepDamaged }: { links: boolean; keepDamaged: boolean }) {
    this.#salvaged = salvaged
    this.#links = links
    this.#keepDamaged = keepDamaged
    this.#folders.add('')
  }

  /** The members that are restored, in the order of their archive, and their lines. */
  of({ record, holes, files, members }: LocatedArchive): { parts: KeptMember[]; kept: ListedFile[] } {
    const parts: KeptMember[] = []
    const kept: ListedFile[] = []
    let unnamed = 0
    for (const [place, file] of files.entries()) {
      if (!file) {
        unnamed++
        continue
      }
      const member = members?.[place]
      const whole = members === undefined || (member !== undefined && !touches(member, holes))
      if (this.#isLost(file, whole ? 'whole' : member, holes)) continue
      for (const folder of this.#missingFolders(file)) {
        kept.push(folder)
        parts.push({ made: headOf(folder) })
      }
      kept.push(file)
      const remade = member?.headLost || (!whole && file.size === 0)
      if (remade) this.#salvaged.remade++
      parts.push(!remade ? { place } : file.size === 0 ? { made: headOf(file) } : { place, head: headOf(file) })
    }
    if (unnamed > 0) this.#salvaged.unnamed.push({ archive: record.name, count: unnamed })
    return { parts, kept }
  }

  /** `member`: where it is, if it is damaged and its headers are whole. */
  #isLost(file: ListedFile, member: Member | 'whole' | undefined, holes: readonly Extent[]): boolean {
    const { lost } = this.#salvaged
    if (file.type === 'h') {
      const there = this.#files.has(file.target)
      const zeros = this.#zeros.get(file.target)
      if (!there || zeros) lost.push({ file, ...(zeros && { zeros }) })
      return !there
    }
    const isWhole = member === 'whole' || file.size === 0
    const zeros = !isWhole && member && this.#keepDamaged ? zerosIn(file, member, holes) : undefined
    if (!isWhole) lost.push({ file, ...(zeros && { zeros }) })
    if (!isWhole && !zeros) return true
    if (zeros) this.#zeros.set(file.path, zeros)
    if (file.type === 'd') this.#folders.add(file.path)
    else if (this.#links) this.#files.add(file.path)
    return false
  }

  /** The folders of a member that no archive has any more. */
  #missingFolders({ path, uid, gid, mtime }: ListedFile): ListedFile[] {
    const names = path.split('/').slice(0, -1)
    const missing: ListedFile[] = []
    // A folder that is there has all that contain it.
    for (; !this.#folders.has(names.join('/')); names.pop())
      missing.unshift({ type: 'd', mode: '755', uid, gid, size: 0, mtime, path: names.join('/'), target: '' })
    for (const folder of missing) this.#folders.add(folder.path)
    this.#salvaged.folders.push(...missing)
    return missing
  }
}

/** A set of paths, in few bytes for each: the digests tell them apart. */
class Paths {
  readonly #digests = new Set<number>()
  /** Files of the same folder follow each other. */
  #last: string | undefined

  add(path: string): void {
    this.#digests.add(digestOf(path))
  }

  has(path: string): boolean {
    if (path === this.#last) return true
    const has = this.#digests.has(digestOf(path))
    if (has) this.#last = path
    return has
  }
}

/** 48 bits of a path. */
function digestOf(path: string): number {
  return Number.parseInt(hash('sha256', path).slice(0, 12), 16)
}

/** The lost parts of a file; undefined for a sparse file, whose content is elsewhere in the archive than in the file. */
function zerosIn({ size }: ListedFile, { content, end }: Member, holes: readonly Extent[]): Extent[] | undefined {
  if (end - content !== paddedSize(size)) return undefined
  const parts = holes.map((hole) => ({ start: Math.max(0, hole.start - content), end: Math.min(size, hole.end - content) }))
  return parts.filter(({ start, end }) => start < end)
}
