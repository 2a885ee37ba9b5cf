import type { Extent } from '../../repository/extent.ts'
import type { PartlyRead } from '../source-kind.ts'
import type { PartData } from './archive-parts/archive-part.ts'
import { assembledData } from './archive-parts/part-data.ts'
import { type StoredArchive, type StoredPart, withParts } from './archive-parts/stored-archive.ts'
import { compared, placesOf, summedOf } from './block-sums.ts'

/** An archive of which only the blocks of some entries are read. */
export interface ArchiveBlocks {
  /** Bytes of the header and the table of contents. */
  readonly head: number
  /** Whether a sum of each block is recorded. If so, it is compared before the last bytes of the block are given. */
  readonly summed: boolean
  /** Bytes of the data of each entry that has some, by its id, in the order of the archive. */
  readonly sizes: ReadonlyMap<number, number>
  /** The archive with its head, and of its data only these blocks. Every chunk is checked; the sum of the whole archive is not. */
  readonly read: (wanted: (id: number) => boolean) => AsyncIterable<Buffer>
  /** The same without the head. */
  readonly data: (wanted: (id: number) => boolean) => AsyncIterable<Buffer>
}

/** The blocks of an archive by the places that its facts record; undefined if they record none, or not all of the archive. */
export function blocksOf({ source, readParts }: PartlyRead, archive: StoredArchive): ArchiveBlocks | undefined {
  const { main, parts } = archive
  const blocks = placesOf(source.facts, main.size)
  if (!blocks) return undefined
  const head: Extent = { start: 0, end: blocks[0]?.start ?? main.size }
  const summed = summedOf(source.facts, blocks, main.size)
  const sums = summed && new Map([summed.head, ...summed.blocks].map(({ start, sum }) => [start, sum]))
  const readMain = (extents: readonly Extent[]): AsyncIterable<Buffer> => {
    const bytes = readParts(main, extents)
    return sums ? compared(main.name, bytes, extents.map((extent) => ({ ...extent, sum: sums.get(extent.start)! }))) : bytes
  }
  const dataOf = ({ record, blocks }: StoredPart, wanted: (id: number) => boolean): PartData => {
    const own = blocks.filter(({ id }) => wanted(id))
    return { blocks: own, bytes: () => compared(record.name, readParts(record, own), own) }
  }
  return {
    head: head.end,
    summed: sums !== undefined,
    sizes: new Map([...blocks, ...parts.flatMap((part) => part.blocks)].map(({ id, start, end }) => [id, end - start])),
    read: (wanted) => {
      const own = readMain([head, ...blocks.filter(({ id }) => wanted(id))])
      return withParts(own, archive, (part) => dataOf(part, wanted))
    },
    async *data(wanted) {
      yield* readMain(blocks.filter(({ id }) => wanted(id)))
      for (const part of parts) yield* assembledData(dataOf(part, wanted))
    },
  }
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
