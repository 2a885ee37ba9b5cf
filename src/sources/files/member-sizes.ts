import { z } from 'zod'
import type { Extent } from '../../repository/extent.ts'
import type { ListedFile } from './file-list.ts'
import { nameOf, targetOf } from './listed-member.ts'
import { paddedSize } from './tar-member.ts'

/** Where a member is in its archive: its headers, and its content with the padding. */
export interface Member extends Extent {
  /** Where its content begins. */
  content: number
  /** Its headers are damaged, its content is whole: it begins with that. Its extended attributes and ACLs are lost. */
  headLost?: true
}

/**
 * With more sizes than this a segment records none: a reader of a damaged one then goes by its headers, up to the first damaged one. The
 * facts of a volume are in memory as a whole, and a million recorded sizes would take 500 MiB.
 */
const MOST_SIZES = 500

const size = z.tuple([z.int().min(0), z.int().min(0)])

/**
 * The bytes of members in an archive where the list of files does not tell them, by the places of the members: so it is certain where each
 * is, and no content of a file can pass for one (docs/format.md, 4.1).
 */
export const memberSizes = z.object({
  /** Of their headers, where these are not the usual ones. */
  heads: z.array(size).max(MOST_SIZES),
  /** Of the content of sparse files, with its padding. */
  sparse: z.array(size).max(MOST_SIZES),
})

export type MemberSizes = z.infer<typeof memberSizes>

export interface MemberSize {
  head: number
  content: number
  sparse: boolean
}

const BLOCK = 512
/** An extended header of at most 512 bytes. */
const EXTENDED = 2 * BLOCK

/**
 * The bytes of the headers that a listed member has usually. Times with decimals, long names, those that are no ASCII, and objects of a
 * bucket, which have an ETag, need extended headers.
 */
function usualHead(file: ListedFile): number {
  const isObject = file.type === 'f' && file.target !== ''
  const isExtended = file.mtime.includes('.') || isObject || isLong(nameOf(file)) || isLong(targetOf(file))
  return isExtended ? BLOCK + EXTENDED : BLOCK
}

function isLong(name: string): boolean {
  return name.length > 100 || /[\u0080-\u00ff]/.test(name)
}

/** Collects the sizes of the members of an archive, one after the other. `file`: as it is listed. */
export class CollectedSizes {
  readonly #heads: MemberSizes['heads'] = []
  readonly #sparse: MemberSizes['sparse'] = []
  #count = 0

  add(file: ListedFile, head: number, sparse?: { content: number }): void {
    if (head !== usualHead(file) && this.#heads.length <= MOST_SIZES) this.#heads.push([this.#count, head])
    if (sparse && this.#sparse.length <= MOST_SIZES) this.#sparse.push([this.#count, sparse.content])
    this.#count++
  }

  /** Those that the snapshot records; undefined if they are too many. */
  get recorded(): MemberSizes | undefined {
    const [heads, sparse] = [this.#heads, this.#sparse]
    return Math.max(heads.length, sparse.length) > MOST_SIZES ? undefined : { heads, sparse }
  }
}

/** The sizes of the listed members of an archive. */
export function sizesOf(listed: readonly ListedFile[], sizes: MemberSizes): MemberSize[] {
  const heads = new Map(sizes.heads)
  const sparse = new Map(sizes.sparse)
  return listed.map((file, place) => ({
    head: heads.get(place) ?? usualHead(file),
    content: sparse.get(place) ?? paddedSize(file.type === 'f' ? file.size : 0),
    sparse: sparse.has(place),
  }))
}
