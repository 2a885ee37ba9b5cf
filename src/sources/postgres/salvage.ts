import { cutParts, type Extent, touches } from '../../repository/extent.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { NothingWhole } from '../nothing-whole.ts'
import type { DamagedSource } from '../source-kind.ts'
import { archiveOf, dataWithout, withParts } from './archive-parts/stored-archive.ts'
import { ContentsReader, type Entry } from './contents.ts'
import { DataBlocks } from './data-blocks.ts'
import { placeFacts } from './facts.ts'

/** An archive without the data that is lost. */
export interface SalvagedArchive {
  bytes: () => AsyncIterable<Buffer>
  /** Ids of the entries whose data is lost. */
  lost: Set<number>
}

/**
 * Everything that is whole in the archive of a database; undefined if nothing is lost. Of a part, the table of contents is not needed.
 * Throws NothingWhole if that of the main archive is damaged.
 */
export async function salvageArchive(
  { source, read, holes }: Pick<DamagedSource, 'source' | 'read' | 'holes'>,
): Promise<SalvagedArchive | undefined> {
  const archive = archiveOf(source)
  const { main, parts } = archive
  if ([main, ...parts.map(({ record }) => record)].every((record) => holes(record).length === 0)) return undefined
  const whole = holes(main).length > 0 ? await salvageMain(source, () => read(main), holes(main)) : undefined
  const ofParts = parts.flatMap(({ record, blocks }) => blocks.filter((block) => touches(block, holes(record))))
  const lost = new Set([...(whole?.lost ?? []), ...ofParts.map(({ id }) => id)])
  return {
    bytes: () => withParts(whole?.bytes() ?? read(main), archive, (part) => dataWithout(part, () => read(part.record), lost)),
    lost,
  }
}

/** Finds the data that is whole in an archive with holes, by the places that the facts record, or else by the data itself. */
async function salvageMain(
  { name, facts }: SourceRecord, bytes: () => AsyncIterable<Buffer>, holes: readonly Extent[],
): Promise<SalvagedArchive> {
  const recorded = placeFacts.safeParse(facts).data?.data?.map(([id, start, end]) => ({ id, start, end }))
  const contents = new ContentsReader()
  let blocks: DataBlocks | undefined
  let withData: Entry[] = []
  let [passed, head] = [0, 0]
  for await (const piece of bytes()) {
    passed += piece.length
    if (blocks && recorded) break
    if (blocks) blocks.push(piece)
    else if (holes.some(({ start }) => start < passed)) throw noContents(name)
    else if (!contents.push(piece)) {
      const { after } = contents
      head = passed - after.length
      // A hole that begins in this piece would have been noticed: the first data is after the contents.
      withData = contents.finish().filter(({ kind }) => kind === 'TABLE DATA' || kind === 'BLOBS')
      blocks = new DataBlocks(withData, { start: head, integer: contents.integer, holes })
      blocks.push(after)
    }
  }
  if (!blocks) throw noContents(name)
  const whole = recorded?.filter((block) => !touches(block, holes)) ?? blocks.finish()
  const kept = new Set(whole.map(({ id }) => id))
  const parts: Extent[] = [{ start: 0, end: head }, ...whole]
  return { bytes: () => cutParts(bytes(), parts), lost: new Set(withData.map(({ id }) => id).filter((id) => !kept.has(id))) }
}

function noContents(name: string): NothingWhole {
  return new NothingWhole(`the archive of ${name} is damaged in its table of contents: nothing of it can be restored`)
}
