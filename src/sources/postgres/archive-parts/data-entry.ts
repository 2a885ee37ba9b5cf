import { Cursor, decoderOf, encodingOf, type Format, intBytes, MORE, textBytes, unreadable } from '../contents-form.ts'
import type { ArchiveForm } from './archive-part.ts'

/** The entry of rows in a table of contents, cut at the id, and at the dependencies. */
export interface DataEntry {
  kind: string
  schema: string
  name: string
  /** Whether there is a block of data for it. */
  hasData: boolean
  /** Its bytes after its id, up to its dependencies. */
  body: Buffer
}

/** Reads the bytes of one entry. Throws if they are not exactly one. */
export function readDataEntry(raw: Buffer, form: ArchiveForm): DataEntry {
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
    while (cursor.skip() >= 0);
    cursor.position()
    if (cursor.at !== raw.length) throw unreadable('more bytes follow an entry')
    return { kind, schema, name, hasData, body }
  } catch (error) {
    throw error === MORE ? unreadable('an entry ends too early') : error
  }
}

const NO_MORE = -1
/** The data is somewhere after the table of contents. */
const UNKNOWN_PLACE = 1

/** The bytes of an entry in another archive: under this id, and depending on this table alone, as rows do. */
export function withPlace({ body }: DataEntry, { id, table }: { id: number; table: number }, format: Format): Buffer {
  const place = Buffer.alloc(1 + format.position)
  place[0] = UNKNOWN_PLACE
  return Buffer.concat([intBytes(id, format), body, textBytes(`${table}`, format), intBytes(NO_MORE, format), place])
}
