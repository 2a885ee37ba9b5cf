import { type Extent, touches } from '../../repository/extent.ts'
import type { ListedFile } from './file-list.ts'
import { headOf, nameOf, targetOf, typeOf } from './listed-member.ts'
import { paddedSize } from './tar-member.ts'
import { BadTar, propertiesIn, TarHeaders } from './tar-headers.ts'

/** Where a member is in its archive: its headers, and its content with the padding. */
export interface Member extends Extent {
  /** Where its content begins. */
  content: number
  /**
   * Whether no member is known to end where it begins: its first header may be lost, or be the end of the content before it. Its content
   * is certain, its owner, extended attributes and ACLs are not.
   */
  headDoubtful?: true
}

interface Candidate extends Member {
  /** The place of the member in the list. */
  place: number
  /** Whether its mode, owner and time are the listed ones as well. */
  alike: boolean
  sparse: boolean
}

const BLOCK = 512
/** Each may keep an extended header, of 16 MiB at most; what content of a file looks like is up to its owner. */
const MOST_ATTEMPTS = 4

/**
 * The members of an archive whose headers no hole touches, for each in the list of its members; undefined for the others. A member is
 * accepted if the chain of members from the beginning of the archive, or back from its end, leads to it. Between two holes that hide
 * headers, it is accepted if it is as listed, overlaps no other, and those before and after it have room: content of a file can look like
 * a member. A sparse file, whose map is in its headers, is not found if these are doubtful.
 */
export async function findMembers(
  bytes: AsyncIterable<Buffer>, size: number, holes: readonly Extent[], listed: readonly ListedFile[],
): Promise<(Member | undefined)[]> {
  const candidates = await findCandidates(bytes, holes, listed)
  const found = placed(candidates, listed, size - 2 * BLOCK)
  return listed.map((_, place) => {
    const one = found.get(place)
    if (!one) return undefined
    const { start, content, end } = one
    const certain = one.alike && start === (place === 0 ? 0 : found.get(place - 1)?.end)
    return certain ? { start, content, end } : one.sparse ? undefined : { start, content, end, headDoubtful: true }
  })
}

/** Everything that looks like the headers of a listed member. */
async function findCandidates(bytes: AsyncIterable<Buffer>, holes: readonly Extent[], listed: readonly ListedFile[]): Promise<Candidate[]> {
  const places = new Map(listed.map((file, place) => [nameOf(file), place]))
  const candidates: Candidate[] = []
  let attempts: Attempt[] = []
  for await (const { block, start } of blocksOf(bytes)) {
    const inHole = touches({ start, end: start + BLOCK }, holes)
    if (inHole || (attempts.length === 0 && !isHeader(block))) {
      if (inHole) attempts = []
      continue
    }
    if (isHeader(block)) attempts = [...attempts.slice(1 - MOST_ATTEMPTS), new Attempt(start)]
    attempts = attempts.filter((attempt) => attempt.take(block))
    for (const { found } of attempts) {
      const place = found && places.get(found.name)
      if (found && place !== undefined && found.isListed(listed[place]!)) {
        const content = start + BLOCK
        const end = content + found.content
        candidates.push({ place, start: found.start, content, end, alike: found.isAlike(listed[place]!), sparse: found.sparse })
      }
    }
    attempts = attempts.filter(({ found }) => found === undefined)
  }
  return candidates
}

function isHeader(block: Buffer): boolean {
  return block.toString('latin1', 257, 262) === 'ustar'
}

async function* blocksOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<{ block: Buffer; start: number }, void, void> {
  let rest: Buffer = Buffer.alloc(0)
  let start = 0
  for await (const piece of bytes) {
    const all = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let at = 0
    for (; at + BLOCK <= all.length; at += BLOCK, start += BLOCK) yield { block: all.subarray(at, at + BLOCK), start }
    rest = Buffer.from(all.subarray(at))
  }
}

/** The member whose headers begin at a block, if there is one. */
class Attempt {
  found: FoundMember | undefined
  readonly #headers: TarHeaders

  constructor(start: number) {
    this.#headers = new TarHeaders(({ name, type, size, target }, head, attributes, content) => {
      const { mode, uid, gid, mtime } = propertiesIn(head.at(-1)!, attributes)
      this.found = {
        name, start, content, sparse: attributes.has('GNU.sparse.size'),
        isListed: (file) => typeOf(file) === type && file.size === size && target === targetOf(file),
        isAlike: (file) =>
          mode === file.mode && uid === file.uid && gid === file.gid && withoutZeros(mtime) === withoutZeros(file.mtime),
      }
    })
  }

  /** False once it is clear that there is none. */
  take(block: Buffer): boolean {
    try {
      this.#headers.push(block)
      return true
    } catch (error) {
      if (error instanceof BadTar) return false
      throw error
    }
  }
}

interface FoundMember {
  name: string
  start: number
  content: number
  sparse: boolean
  isListed: (file: ListedFile) => boolean
  isAlike: (file: ListedFile) => boolean
}

function withoutZeros(time: string): string {
  return time.includes('.') ? time.replace(/\.?0+$/, '') : time
}

/** Chooses among the candidates: one for each place at most. `until`: the end of the last member. */
function placed(candidates: readonly Candidate[], listed: readonly ListedFile[], until: number): Map<number, Candidate> {
  const byPlace = Map.groupBy(candidates, ({ place }) => place)
  const at = (place: number): Candidate[] => byPlace.get(place) ?? []
  const chosen = new Map<number, Candidate>()
  let [first, start] = [0, 0]
  for (let next = at(0).find((one) => one.start === 0); next; next = at(first).find((one) => one.start === start)) {
    chosen.set(first++, next)
    start = next.end
  }
  let [last, end] = [listed.length - 1, until]
  for (let before = lastAt(at, last, end); last >= first && before; before = lastAt(at, last, end)) {
    chosen.set(last--, before)
    end = before.start
  }
  for (const one of between(candidates, listed, { first, last, start, end })) chosen.set(one.place, one)
  return chosen
}

/** The candidate that ends there. */
function lastAt(at: (place: number) => Candidate[], place: number, end: number): Candidate | undefined {
  return oneOf(at(place).filter((one) => one.end === end), at(place - 1))
}

/**
 * Of candidates for the same place, which differ in their first header, the one that begins where one of those `before` ends; otherwise the
 * shortest. Undefined if several do, or if they differ in their content.
 */
function oneOf(those: readonly Candidate[], before: readonly Candidate[]): Candidate | undefined {
  if (those.some(({ content, end }) => content !== those[0]!.content || end !== those[0]!.end)) return undefined
  const next = those.filter(({ start }) => before.some(({ end }) => end === start))
  return next.length > 1 ? undefined : (next[0] ?? those.toSorted((a, b) => b.start - a.start)[0])
}

/**
 * The bytes that the headers of a member take at least; the list has no attributes. GNU tar has no extended header for control characters
 * in a name, and for no bytes of a link's target. A file with a target is an object of a bucket, whose extended header has its key.
 */
function leastHead(file: ListedFile): number {
  const plain = { ...file, path: file.path.replaceAll(/[^ -~\x80-\xff]/g, '_'), target: file.target.replaceAll(/[^ -~]/g, '_') }
  return headOf(plain, file.type === 'f' && file.target !== '' ? { 'LIFEBOAT.key': '' } : {}).length
}

function between(
  candidates: readonly Candidate[], listed: readonly ListedFile[], gap: { first: number; last: number } & Extent,
): Candidate[] {
  if (gap.first > gap.last) return []
  // A sparse file has fewer bytes than listed, and hides the others of a gap: with fewer for it, content that looks like a member has room.
  const room = [0]
  const heads = listed.map(leastHead)
  for (const [place, { size }] of listed.entries()) room.push(room.at(-1)! + heads[place]! + paddedSize(size))
  const fitting = candidates.filter(({ place, alike, start, content, end }) =>
    alike && place >= gap.first && place <= gap.last && content - start >= heads[place]! &&
    start >= gap.start + room[place]! - room[gap.first]! && end <= gap.end - (room[gap.last + 1]! - room[place + 1]!))
  const byPlace = Map.groupBy(fitting, ({ place }) => place)
  const wrong = new Set<Candidate>()
  const inOrder = [...byPlace].flatMap(([place, those]) => {
    const one = oneOf(those, byPlace.get(place - 1) ?? [])
    if (!one) for (const other of those) wrong.add(other)
    return one ?? those
  }).toSorted((a, b) => a.start - b.start)
  let widest: Candidate | undefined
  for (const one of inOrder) {
    if (widest && (one.start < widest.end || one.place <= widest.place)) {
      wrong.add(one)
      wrong.add(widest)
    }
    if (!widest || one.end > widest.end) widest = one
  }
  return inOrder.filter((one) => !wrong.has(one))
}
