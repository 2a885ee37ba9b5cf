import type { Format } from '../contents-form.ts'

/** The archive of one large table, whose rows the main archive does not have. */
export interface ArchivePart {
  /** Of the part, for messages. */
  stream: string
  schema: string
  name: string
  /** The id of its rows in the assembled archive: above every id in the main archive. */
  id: number
  /** The entry of its rows, as the part's own table of contents has it. */
  entry: Buffer
  /** Its bytes, read once when it is their turn. Absent: its rows are lost; a pg_restore that wants them fails. */
  bytes?: () => AsyncIterable<Buffer>
}

/** The form of a main archive, which that of each part must equal. */
export interface ArchiveForm extends Format {
  /** The SQL that sets the encoding of its texts. */
  encoding: string
}

/** `app.1.dump, the rows of public.orders`: for messages. */
export function shown({ stream, schema, name }: Pick<ArchivePart, 'stream' | 'schema' | 'name'>): string {
  return `${stream}, the rows of ${schema}.${name}`
}
