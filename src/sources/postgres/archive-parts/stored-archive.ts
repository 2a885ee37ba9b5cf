import { factsOf, type SourceRecord, type StreamRecord } from '../../../repository/snapshot.ts'
import type { StoredSource } from '../../source-kind.ts'
import { BadSource } from '../../source.ts'
import { archiveFacts } from '../facts.ts'
import { type ArchivePart, shown } from './archive-part.ts'
import { assembled } from './assembled.ts'

/** The archive of a database, and the facts that a restore needs. */
export interface StoredArchive {
  /** The archive of pg_dump; without the rows of the parts, if there are some. */
  main: StreamRecord
  parts: readonly StoredPart[]
  dumpMajor: number
  /** The lines of `pg_restore --list`: those of the main archive, and one for each part. */
  entries: readonly string[]
  /** Bytes of all. */
  size: number
}

export interface StoredPart extends Omit<ArchivePart, 'bytes'> {
  record: StreamRecord
}

/** Throws if a record has no archive, or contradicts itself: rows must never be missing without a word. */
export function archiveOf(source: SourceRecord): StoredArchive {
  const archives = source.streams.filter(isArchive)
  if (archives.length === 0) throw new BadSource(`the database ${source.name} has no archive in this snapshot`)
  const { dumpVersion, entries, parts: recorded = [] } = factsOf(source, archiveFacts)
  const parts = recorded.map(({ stream, schema, name: table, id, entry }): StoredPart => {
    const part = { stream, schema, name: table, id }
    const records = archives.filter(({ name }) => name === part.stream)
    if (records.length === 1) return { ...part, entry: Buffer.from(entry, 'base64'), record: records[0]! }
    throw new BadSource(`${source.name} has ${records.length} archives instead of one with ${shown(part)}`)
  })
  const mains = archives.filter(({ name }) => !parts.some(({ stream }) => stream === name))
  if (mains.length !== 1)
    throw new BadSource(`${source.name} has ${mains.length} main archives instead of one: ${mains.map(({ name }) => name).join(', ')}`)
  const tables = parts.map(({ schema, name }) => `${schema}\0${name}`)
  const unlike = [parts.map(({ stream }) => stream), parts.map(({ id }) => `${id}`), tables]
  if (unlike.some((texts) => new Set(texts).size < parts.length) || parts.length > entries.length)
    throw new BadSource(`the parts of the archive of ${source.name} contradict each other`)
  const size = archives.reduce((sum, archive) => sum + archive.size, 0)
  return { main: mains[0]!, parts, dumpMajor: Number.parseInt(dumpVersion, 10), entries, size }
}

export function isArchive({ format }: StreamRecord): boolean {
  return format === 'pg_dump-custom'
}

/** The whole archive of a database as pg_restore reads it. Of the parts, none is opened for its table of contents. */
export function readArchive({ source, read }: StoredSource, { main, parts } = archiveOf(source)): AsyncIterable<Buffer> {
  return withParts(read(main), parts, (part) => () => read(part.record))
}

/** The same, with the bytes of the main archive and of each part as they are given; undefined for rows that are lost. */
export function withParts(
  main: AsyncIterable<Buffer>, parts: readonly StoredPart[], bytesOf: (part: StoredPart) => ArchivePart['bytes'] | undefined,
): AsyncIterable<Buffer> {
  if (parts.length === 0) return main
  return assembled(main, parts.map((part) => {
    const bytes = bytesOf(part)
    return { ...part, ...(bytes && { bytes }) }
  }))
}
