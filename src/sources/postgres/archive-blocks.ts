import type { Extent } from '../../repository/extent.ts'
import type { PartlyRead } from '../source-kind.ts'
import type { ArchiveForm } from './archive-parts/archive-part.ts'
import { formOf } from './archive-parts/assembled.ts'
import { rowsOfPart } from './archive-parts/part-rows.ts'
import { type StoredArchive, type StoredPart, withParts } from './archive-parts/stored-archive.ts'
import { compared } from './block-sums.ts'
import { type Block } from './data-blocks.ts'
import { placeFacts } from './facts.ts'

/** An archive of which only the blocks of some entries are read. */
export interface ArchiveBlocks {
  /** Bytes of the header and the table of contents. */
  readonly head: number
  /** Whether a sum of each block is recorded. If so, it is compared before the last bytes of the block are given. */
  readonly summed: boolean
  /** Bytes of the data of each entry that has some, by its id, in the order of the archive. */
  readonly sizes: ReadonlyMap<number, number>
  /** The archive with its head, and of its data only these blocks. Every chunk is checked; the SHA-256 of the whole archive is not. */
  readonly read: (wanted: (id: number) => boolean) => AsyncIterable<Buffer>
  /** The same without the head. */
  readonly data: (wanted: (id: number) => boolean) => AsyncIterable<Buffer>
}

/** The blocks of an archive by the places that its facts record; undefined if they record none, or not all of the archive. */
export function blocksOf({ source, read, readParts }: PartlyRead, { main, parts }: StoredArchive): ArchiveBlocks | undefined {
  const blocks = placesOf(source.facts, main.size)
  if (!blocks) return undefined
  const ofParts = parts.map(({ id, record }) => [id, record.size] as const)
  const head: Extent = { start: 0, end: blocks[0]?.start ?? main.size }
  const sums = sumsOf(source.facts, [head, ...blocks])
  const readMain = (extents: readonly Extent[]): AsyncIterable<Buffer> => {
    const bytes = readParts(main, extents)
    return sums ? compared(main.name, bytes, extents.map((extent) => ({ ...extent, sum: sums.get(extent.start)! }))) : bytes
  }
  let form: Promise<ArchiveForm> | undefined
  const rowsOf = async function* (part: StoredPart): AsyncGenerator<Buffer, void, void> {
    form ??= formOf(readMain([head]), parts)
    yield* rowsOfPart(part, read(part.record), await form)
  }
  return {
    head: head.end,
    summed: sums !== undefined,
    sizes: new Map([...blocks.map(({ id, start, end }) => [id, end - start] as const), ...ofParts]),
    read: (wanted) => {
      const own = readMain([head, ...blocks.filter(({ id }) => wanted(id))])
      return withParts(own, parts, ({ id, record }) => (wanted(id) ? () => read(record) : undefined))
    },
    async *data(wanted) {
      yield* readMain(blocks.filter(({ id }) => wanted(id)))
      for (const part of parts) if (wanted(part.id)) yield* rowsOf(part)
    },
  }
}

/** The places that facts record, if each block begins where the one before ends, and the last one ends with the archive. */
export function placesOf(facts: unknown, size: number): Block[] | undefined {
  const blocks = placeFacts.safeParse(facts).data?.data?.map(([id, start, end]) => ({ id, start, end }))
  if (!blocks) return undefined
  const follow = blocks.every(({ start, end }, at) => start < end && (at === 0 ? start > 0 : start === blocks[at - 1]!.end))
  const end = blocks.at(-1)?.end ?? size
  return follow && end === size && new Set(blocks.map(({ id }) => id)).size === blocks.length ? blocks : undefined
}

/** The recorded sum of each of these parts of an archive, by its first byte. */
function sumsOf(facts: unknown, parts: readonly Extent[]): Map<number, number> | undefined {
  const sums = placeFacts.safeParse(facts).data?.sums
  return sums?.length === parts.length ? new Map(parts.map(({ start }, at) => [start, sums[at]!])) : undefined
}

/** The same without the blocks that are lost. */
export function withoutBlocks(blocks: ArchiveBlocks, lost: ReadonlySet<number>): ArchiveBlocks {
  return {
    head: blocks.head,
    summed: blocks.summed,
    sizes: new Map([...blocks.sizes].filter(([id]) => !lost.has(id))),
    read: (wanted) => blocks.read((id) => !lost.has(id) && wanted(id)),
    data: (wanted) => blocks.data((id) => !lost.has(id) && wanted(id)),
  }
}
