import { type Extent, touches } from '../../repository/extent.ts'
import { membersByHeaders } from './damaged-list.ts'
import type { ListedFile } from './file-list.ts'
import { listedMember, targetOf } from './listed-member.ts'
import { type Member, type MemberSizes, sizesOf } from './member-sizes.ts'
import { BadTar, MOST_HEADER, TarHeaders } from './tar-headers.ts'
import { TAR_END } from './tar-member.ts'

/** An archive with holes, and what is recorded of it. */
export interface ListedArchive {
  bytes: () => AsyncIterable<Buffer>
  size: number
  holes: readonly Extent[]
  listed: readonly ListedFile[]
  /** Absent if they were too many. */
  sizes?: MemberSizes | undefined
}

/** Bytes of the headers of a member: two blocks, and the content of an extended one. */
const MOST_HEADS = MOST_HEADER + 1024

/**
 * The members of an archive, for each in the list of its members. Undefined for those whose headers and content are damaged, and for
 * sparse files with damaged headers, which have their map. The recorded sizes tell where each is. Where they do not agree with the
 * archive, only members up to the first damaged header are found: behind it, content of a file can look like a member.
 */
export async function findMembers(archive: ListedArchive): Promise<(Member | undefined)[]> {
  const { bytes, holes, listed } = archive
  const found = recordedMembers(archive)
  if (found && (await areThere(found, archive))) return found
  const chain = await membersByHeaders(bytes(), holes)
  return listed.map((file, place) => (chain[place] && isSame(chain[place].file, file) ? chain[place].member : undefined))
}

/** Undefined if the sizes are not those of the archive. */
function recordedMembers({ size, holes, listed, sizes }: ListedArchive): (Member | undefined)[] | undefined {
  if (!sizes) return undefined
  const known = sizesOf(listed, sizes)
  if (known.some(({ head }) => head > MOST_HEADS)) return undefined
  let end = 0
  const members = known.map(({ head, content: stored, sparse }): Member | undefined => {
    const start = end
    const content = start + head
    end = content + stored
    if (!touches({ start, end: content }, holes)) return { start, content, end }
    return sparse || touches({ start: content, end }, holes) ? undefined : { start: content, content, end, headLost: true }
  })
  return end === size - TAR_END.length ? members : undefined
}

/** Whether all headers that are whole are those of the listed members. */
async function areThere(members: readonly (Member | undefined)[], { bytes, listed }: ListedArchive): Promise<boolean> {
  const places = [...members.keys()].filter((place) => members[place] && !members[place].headLost)
  const heads = eachPart(bytes(), places.map((place) => ({ start: members[place]!.start, end: members[place]!.content })))
  let next = 0
  for await (const head of heads) {
    const place = places[next++]!
    if (!isHeadOf(head, listed[place]!, members[place]!)) return false
  }
  return next === places.length
}

function isHeadOf(bytes: Buffer, file: ListedFile, { content, end }: Member): boolean {
  let [isIt, entries] = [false, 0]
  const headers = new TarHeaders((entry, head, attributes, stored) => {
    isIt = isSame(listedMember(entry, head, attributes), file) && stored === end - content
    entries++
  })
  try {
    headers.push(bytes)
  } catch (error) {
    if (error instanceof BadTar) return false
    throw error
  }
  return isIt && entries === 1
}

/** A file with a target is an object of a bucket; its headers do not have that. */
function isSame(found: ListedFile, listed: ListedFile): boolean {
  return found.type === listed.type && found.path === listed.path && found.size === listed.size && targetOf(found) === targetOf(listed)
}

/** These parts of a stream, in its order, each as one buffer. None is empty. */
async function* eachPart(bytes: AsyncIterable<Buffer>, parts: readonly Extent[]): AsyncGenerator<Buffer, void, void> {
  let [offset, next] = [0, 0]
  let open: Buffer[] = []
  for await (const piece of bytes) {
    const end = offset + piece.length
    for (let part = parts[next]; part && part.start < end; part = parts[next]) {
      open.push(Buffer.from(piece.subarray(Math.max(0, part.start - offset), part.end - offset)))
      if (part.end > end) break
      yield Buffer.concat(open)
      open = []
      next++
    }
    if (next === parts.length) return
    offset = end
  }
}
