import { Cursor, decoderOf, encodingOf, type Format, intBytes, MORE, textBytes, unreadable } from '../contents-form.ts'
import type { ArchiveForm } from './archive-part.ts'

/** An entry in a table of contents, cut at the id, and at the dependencies. */
export interface EntryBytes {
  kind: string
  schema: string
  name: string
  /** Whether there is a block of data for it. */
  hasData: boolean
  needs: readonly number[]
  /** Its bytes after its id, up to its dependencies. */
  body: Buffer
  /** Whether it has data, whose place a dump to a pipe does not know. */
  place: Buffer
}

const NO_MORE = -1

/** Reads the bytes of one entry. Throws if they are not exactly one. */
export function readEntry(raw: Buffer, form: ArchiveForm): EntryBytes {
  const cursor = new Cursor(raw, form)
  const decode = decoderOf(encodingOf(form.encoding))
  const text = (): string => decode(cursor.bytes() ?? Buffer.alloc(0))
  try {
    cursor.int() // Its id.
    const start = cursor.at
    const hasData = cursor.int() === 1
    cursor.skip() // The oids of the catalog and of the table.
    cursor.skip()
    const name = text()
    const kind = text()
    cursor.int() // The section.
    cursor.skip() // The SQL, how it is dropped, and the COPY statement.
    cursor.skip()
    cursor.skip()
    const schema = text()
    cursor.skip() // The tablespace.
    if (form.minor >= 14) cursor.skip() // The table access method.
    if (form.minor >= 16) cursor.int() // The kind of relation.
    cursor.skip() // The owner, and WITH OIDS.
    cursor.skip()
    const body = raw.subarray(start, cursor.at)
    const needs: number[] = []
    for (let need = cursor.bytes(); need !== undefined; need = cursor.bytes()) needs.push(Number(need.toString('latin1')))
    const place = raw.subarray(cursor.at)
    cursor.position()
    if (cursor.at !== raw.length) throw unreadable('more bytes follow an entry')
    return { kind, schema, name, hasData, needs, body, place }
  } catch (error) {
    throw error === MORE ? unreadable('an entry ends too early') : error
  }
}

/** The bytes of an entry in another archive: under this id, and with these dependencies. */
export function movedEntry({ body, place }: EntryBytes, id: number, needs: readonly number[], format: Format): Buffer {
  return Buffer.concat([intBytes(id, format), body, ...needs.map((need) => textBytes(`${need}`, format)), intBytes(NO_MORE, format), place])
}
