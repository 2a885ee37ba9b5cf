import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'

/** The table of contents has another form than those known here; a pg_restore of the version that made the archive reads it. */
export class UnknownFormat extends LifeboatError {}

/** The largest size of an entry; functions and comments can have some megabytes. */
export const MOST_ENTRY_BYTES = 128 * 1024 * 1024
export const MOST_ENTRIES = 20_000_000

export interface Format {
  minor: number
  revision: number
  /** Bytes of an integer, without its sign, and of a position in the file. */
  integer: number
  position: number
  compression: number
}

/** The bytes end in the middle of a value. */
export const MORE = new Error('more bytes are needed')

export class Cursor {
  at = 0
  readonly #bytes: Buffer
  readonly #format: Format | undefined

  constructor(bytes: Buffer, format: Format | undefined) {
    this.#bytes = bytes
    this.#format = format
  }

  byte(): number {
    if (this.at >= this.#bytes.length) throw MORE
    return this.#bytes[this.at++]!
  }

  int(size = this.#format?.integer ?? 4): number {
    const sign = this.byte()
    if (this.at + size > this.#bytes.length) throw MORE
    const value = this.#bytes.readUIntLE(this.at, Math.min(size, 6))
    this.at += size
    if (value > 0x7fffffff) throw unreadable('a number is too large')
    return sign === 0 ? value : -value
  }

  /** Undefined is SQL's NULL. The bytes are valid until the next piece of the archive is read. */
  bytes(): Buffer | undefined {
    const length = this.skip()
    return length < 0 ? undefined : this.#bytes.subarray(this.at - length, this.at)
  }

  /** Skips a text; gives its length, or less than 0 for NULL. */
  skip(size?: number): number {
    const length = this.int(size)
    if (length > MOST_ENTRY_BYTES) throw unreadable(`a text has more than ${MOST_ENTRY_BYTES} bytes`)
    if (length > 0) this.at += length
    if (this.at > this.#bytes.length) throw MORE
    return length
  }

  /** The place of the data: whether it is known, not known yet, or there is none, and the place. */
  position(): void {
    for (let count = 0; count < 1 + this.#format!.position; count++) this.byte()
  }
}

export function readHead(cursor: Cursor): [Format, entries: number] {
  const magic = Array.from({ length: 5 }, () => cursor.byte())
  if (Buffer.from(magic).toString('latin1') !== 'PGDMP') throw unreadable('it does not begin with PGDMP')
  const [major, minor] = [cursor.byte(), cursor.byte()]
  const revision = cursor.byte()
  const [integer, position, format] = [cursor.byte(), cursor.byte(), cursor.byte()]
  // pg_dump 12 to 15 write 1.14, 16 writes 1.15, 17 and 18 write 1.16.
  if (major !== 1 || minor < 12 || minor > 16) {
    throw new UnknownFormat(
      `the archive has format ${major}.${minor}; Lifeboat reads the table of contents of formats 1.12 to 1.16 (pg_dump 10 to 18)`,
      {
        hint: marked`Restore everything with ‹mode: empty›, for which pg_restore is enough; or use a newer version of Lifeboat.`,
      },
    )
  }
  if (format !== 1 || integer < 4 || integer > 6 || position < 4 || position > 8) throw unreadable('it is not a custom-format archive')
  const compression = minor >= 15 ? cursor.byte() : cursor.int(integer)
  for (let part = 0; part < 7; part++) cursor.int(integer) // The time.
  for (let text = 0; text < 3; text++) cursor.skip(integer) // Database, version of the server, version of pg_dump.
  const count = cursor.int(integer)
  if (count < 0 || count > MOST_ENTRIES) throw unreadable(`it has ${count} entries`)
  return [{ minor, revision, integer, position, compression }, count]
}

/** A number as the archive has it: a sign, and the integer. */
export function intBytes(value: number, { integer }: Pick<Format, 'integer'>): Buffer {
  const bytes = Buffer.alloc(1 + integer)
  bytes[0] = value < 0 ? 1 : 0
  bytes.writeUInt32LE(Math.abs(value), 1)
  return bytes
}

/** A text as the archive has it, after its length. ASCII only. */
export function textBytes(text: string, format: Pick<Format, 'integer'>): Buffer {
  return Buffer.concat([intBytes(text.length, format), Buffer.from(text, 'latin1')])
}

/** The encoding that the SQL of the entry ENCODING sets. */
export function encodingOf(sql: string): string {
  return /'(\w+)'/.exec(sql)?.[1] ?? 'UTF8'
}

export type Decode = (bytes: Buffer) => string

/** For the encodings of servers; bytes of an unknown one are read as Latin-1, which has a character for each. */
export function decoderOf(encoding: string): Decode {
  if (encoding === 'UTF8') return (bytes) => bytes.toString()
  const label = LABELS[encoding] ?? (/^WIN125\d$/.test(encoding) ? encoding.replace('WIN', 'windows-') : undefined)
  if (label === undefined) return (bytes) => bytes.toString('latin1')
  const decoder = new TextDecoder(label)
  return (bytes) => decoder.decode(bytes)
}

/** Names that PostgreSQL's encodings have in the WHATWG's Encoding Standard. */
const LABELS: Readonly<Record<string, string>> = {
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
  WIN866: 'ibm866',
  WIN874: 'windows-874',
  EUC_JP: 'euc-jp',
  EUC_KR: 'euc-kr',
  EUC_CN: 'gbk',
}

export function unreadable(why: string): LifeboatError {
  return new LifeboatError(`the table of contents of the archive cannot be read: ${why}`, {
    hint: 'Verify the snapshot at level read; restore another one if it is damaged.',
  })
}
