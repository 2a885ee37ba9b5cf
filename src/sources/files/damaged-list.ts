import { cutParts, type Extent } from '../../repository/extent.ts'
import type { StreamRecord } from '../../repository/snapshot.ts'
import type { DamagedSource } from '../source-kind.ts'
import { decodeFiles, type ListedFile } from './file-list.ts'
import { listedMember } from './listed-member.ts'
import type { Member } from './member-sizes.ts'
import { TarHeaders } from './tar-headers.ts'

/** The members of a volume, as far as its list is whole: undefined for those whose lines are, or may be, damaged. */
export async function* knownFiles(
  { source, read, holes }: DamagedSource, list: StreamRecord, entries: number,
): AsyncGenerator<ListedFile | undefined, void, void> {
  const lost = holes(list)
  if (lost.length === 0) {
    yield* decodeFiles(read(list), source.name)
    return
  }
  const linesOf = (part: Extent): AsyncIterable<ListedFile> => decodeFiles(wholeLines(read(list), part), source.name)
  const rest = { start: lost.at(-1)!.end, end: list.size }
  let known = 0
  for await (const _ of linesOf(rest)) known++
  for await (const file of linesOf({ start: 0, end: lost[0]!.start })) {
    known++
    yield file
  }
  for (; known < entries; known++) yield undefined
  yield* linesOf(rest)
}

/** The lines that are all in a part of the list. The first that it has is none, unless it is the first of the list. */
async function* wholeLines(bytes: AsyncIterable<Buffer>, part: Extent): AsyncGenerator<Buffer, void, void> {
  let begun = part.start === 0
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of cutParts(bytes, [part])) {
    let all = Buffer.concat([rest, piece])
    if (!begun) {
      const end = all.indexOf(10)
      begun = end >= 0
      all = all.subarray(begun ? end + 1 : all.length)
    }
    const end = all.lastIndexOf(10) + 1
    yield all.subarray(0, end)
    rest = Buffer.from(all.subarray(end))
  }
}

/** The members from the beginning of an archive up to the first damaged header, as their headers tell. */
export async function membersByHeaders(
  bytes: AsyncIterable<Buffer>, holes: readonly Extent[],
): Promise<{ file: ListedFile; member: Member }[]> {
  const found: { file: ListedFile; member: Member }[] = []
  let start = 0
  const headers = new TarHeaders((entry, head, attributes, padded) => {
    const content = start + head.reduce((sum, piece) => sum + piece.length, 0)
    found.push({ file: listedMember(entry, head, attributes), member: { start, content, end: content + padded } })
    start = content + padded
  })
  let at = 0
  for await (const piece of bytes) {
    const from = at
    let pushed = from
    at += piece.length
    for (const hole of holes.filter(({ start, end }) => start < at && end > from)) {
      headers.push(piece.subarray(pushed - from, Math.max(0, hole.start - from)))
      pushed = Math.max(from, hole.start)
      // Unless the hole is in the content of one member alone, the place of the next is not certain.
      if (start < hole.end) return found
    }
    headers.push(piece.subarray(pushed - from))
  }
  return found
}
