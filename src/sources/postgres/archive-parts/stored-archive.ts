import { cutParts } from '../../../repository/extent.ts'
import { factsOf, type SourceRecord, type StreamRecord } from '../../../repository/snapshot.ts'
import type { StoredSource } from '../../source-kind.ts'
import { BadSource } from '../../source.ts'
import { compared, placesOf, type Summed, summedOf } from '../block-sums.ts'
import { corrected } from '../contents.ts'
import type { Block } from '../data-blocks.ts'
import { archiveFacts } from '../facts.ts'
import { type ArchivePart, assembledIds, isData, type PartData } from './archive-part.ts'
import { assembled } from './assembled.ts'

/** The archive of a database, and the facts that a restore needs. */
export interface StoredArchive {
  /** The archive of pg_dump; without the rows of the parts, if there are some. */
  main: StreamRecord
  parts: readonly StoredPart[]
  dumpMajor: number
  /** The lines of `pg_restore --list`: those of the main archive, and then those of each part. */
  entries: readonly string[]
  /** Bytes of all. */
  size: number
}

export interface StoredPart extends ArchivePart {
  record: StreamRecord
  /** All before its data. */
  head: Summed
  /** Its data, under the ids of the assembled archive. */
  blocks: readonly (Block & Summed)[]
}

/** Throws if a record has no archive, or contradicts itself: rows must never be missing without a word. */
export function archiveOf(source: SourceRecord): StoredArchive {
  const archives = source.streams.filter(isArchive)
  if (archives.length === 0) throw new BadSource(`the database ${source.name} has no archive in this snapshot`)
  const { dumpVersion, entries, parts: recorded = [] } = factsOf(source, archiveFacts)
  const parts = recorded.map((facts): StoredPart => {
    const { stream, id } = facts
    const part = { stream, id, entries: facts.entries.map(({ raw, ...entry }) => ({ ...entry, raw: Buffer.from(raw, 'base64') })) }
    const records = archives.filter(({ name }) => name === part.stream)
    const [record, ...others] = records
    if (!record || others.length > 0) throw new BadSource(`${source.name} has ${records.length} archives ${stream} instead of one`)
    const ids = assembledIds(part)
    const blocks = placesOf(facts, record.size)?.flatMap((block) => {
      const own = ids.get(block.id)
      return own === undefined ? [] : { ...block, id: own }
    })
    const summed = blocks && summedOf(facts, blocks, record.size)
    if (!summed || blocks.length !== part.entries.filter(isData).length) throw contradicting(source)
    return { ...part, record, ...summed }
  })
  const mains = archives.filter(({ name }) => !parts.some(({ stream }) => stream === name))
  if (mains.length !== 1)
    throw new BadSource(`${source.name} has ${mains.length} main archives instead of one: ${mains.map(({ name }) => name).join(', ')}`)
  const ofParts = parts.flatMap((part) => part.entries)
  const ids = new Set(parts.flatMap((part) => [...assembledIds(part).values()]))
  const names = new Set(ofParts.map(({ kind, schema, name }) => `${kind}\0${schema}\0${name}`))
  const streams = new Set(parts.map(({ stream }) => stream))
  if (ids.size < ofParts.length || names.size < ofParts.length || streams.size < parts.length || ofParts.length > entries.length)
    throw contradicting(source)
  const size = archives.reduce((sum, archive) => sum + archive.size, 0)
  return { main: mains[0]!, parts, dumpMajor: Number.parseInt(dumpVersion, 10), entries, size }
}

function contradicting({ name }: SourceRecord): BadSource {
  return new BadSource(`the parts of the archive of ${name} contradict each other`)
}

export function isArchive({ format }: StreamRecord): boolean {
  return format === 'pg_dump-custom'
}

/** The whole archive of a database as pg_restore reads it. Of the parts, none is opened for its table of contents. */
export function readArchive({ source, read }: StoredSource, archive = archiveOf(source)): AsyncIterable<Buffer> {
  return withParts(read(archive.main), archive, (part) => ({ blocks: part.blocks, bytes: () => dataOf(part, read(part.record)) }))
}

/** The same, with the bytes of the main archive and the data of each part as they are given. */
export function withParts(
  main: AsyncIterable<Buffer>, { parts, entries }: Pick<StoredArchive, 'parts' | 'entries'>, data: (part: StoredPart) => PartData,
): AsyncIterable<Buffer> {
  const archive = parts.length === 0 ? main : assembled(main, parts, data)
  return grantsInGroups(entries) ? corrected(archive) : archive
}

/** Whether pg_dump made groups of large objects that have privileges. `entries`: the lines of `pg_restore --list`. */
export function grantsInGroups(entries: readonly string[]): boolean {
  return entries.some((line) => line.includes(' ACL - LARGE OBJECTS '))
}

/** The data in a whole part. */
async function* dataOf({ record, head, blocks }: StoredPart, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let passed = 0
  for await (const piece of compared(record.name, bytes, [head, ...blocks])) {
    const data = passed < head.end ? piece.subarray(Math.min(piece.length, head.end - passed)) : piece
    passed += piece.length
    if (data.length > 0) yield data
  }
}

/** The data of a part that is not touched by holes. */
export function dataWithout({ record, blocks }: StoredPart, bytes: () => AsyncIterable<Buffer>, lost: ReadonlySet<number>): PartData {
  const whole = blocks.filter(({ id }) => !lost.has(id))
  return { blocks: whole, bytes: () => compared(record.name, cutParts(bytes(), whole), whole) }
}

/** Reads the table of contents of a part. Throws DamagedSnapshot if it is not the one that is recorded. */
export async function requireHead({ record, head }: StoredPart, bytes: AsyncIterable<Buffer>): Promise<void> {
  let passed = 0
  for await (const piece of compared(record.name, bytes, [head])) if ((passed += piece.length) >= head.end) return
}
