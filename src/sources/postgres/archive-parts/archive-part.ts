import type { Format } from '../contents-form.ts'
import type { Block } from '../data-blocks.ts'

/** An archive with the rows of some large tables, or the large objects, which the main archive does not have. */
export interface ArchivePart {
  stream: string
  /** The id of its first entry in the assembled archive, above every id in the main archive; those of the others follow. */
  id: number
  entries: readonly PartEntry[]
}

/** An entry in the table of contents of a part. */
export interface PartEntry {
  /** In the part. */
  id: number
  kind: string
  schema: string
  name: string
  /** As it is in the part. */
  raw: Buffer
}

/** Data of a part: blocks, under their ids in the assembled archive, and the bytes of these, read once when it is their turn. */
export interface PartData {
  blocks: readonly Block[]
  bytes: () => AsyncIterable<Buffer>
}

/** The form of a main archive, which that of each part must equal. */
export interface ArchiveForm extends Format {
  /** The SQL that sets the encoding of its texts. */
  encoding: string
}

/** The id of each entry of a part in the assembled archive, by that in the part. */
export function assembledIds({ id: first, entries }: ArchivePart): ReadonlyMap<number, number> {
  return new Map(entries.map(({ id }, index) => [id, first + index]))
}

/** The tables of a part. */
export function tablesOf<T extends Pick<PartEntry, 'kind'>>({ entries }: { entries: readonly T[] }): T[] {
  return entries.filter(({ kind }) => kind === 'TABLE DATA')
}

/** Whether an entry has a block of data. */
export function isData({ kind }: Pick<PartEntry, 'kind'>): boolean {
  return kind === 'TABLE DATA' || kind === 'BLOBS'
}

/** Whether an entry is of large objects: their data, their definitions, or a comment, privileges or labels of theirs. */
export function ofLargeObjects({ kind, name }: Pick<PartEntry, 'kind' | 'name'>): boolean {
  return /^BLOB(?:S| METADATA)?$/.test(kind) || (/^(?:ACL|COMMENT|SECURITY LABEL)$/.test(kind) && /^LARGE OBJECTS? /.test(name))
}

/** `app.1.dump, the rows of public.orders`: for messages. */
export function shown(stream: string, { kind, schema, name }: Pick<PartEntry, 'kind' | 'schema' | 'name'>): string {
  return `${stream}, ${kind === 'TABLE DATA' ? `the rows of ${schema}.${name}` : `${kind} ${name}`}`
}
