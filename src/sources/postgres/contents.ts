import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'

/**
 * One entry of an archive's table of contents, as pg_dump wrote it: nothing is quoted. `kind` is `TABLE`, `FK CONSTRAINT`, `TABLE DATA` …;
 * `name` depends on it: `orders`, `orders own` for a policy, `COLUMN orders.total` for a comment.
 */
export interface Entry {
  id: number
  kind: string
  /** Empty for objects outside of schemas. */
  schema: string
  name: string
  owner: string
  tablespace: string
  /** Ids of the entries it depends on; the archive may not have all of them. */
  needs: readonly number[]
  /** A table that inherits from others; not a partition, which an entry of its own attaches. */
  inherits: boolean
  /** Rows of a partition that are inserted through the root table, which may put them into other partitions. */
  throughRoot?: true
  /** Rows as INSERT statements, which fire rules; COPY does not. */
  inserts?: true
  /** The SQL of entries of the database itself, of the settings of the whole archive, and of privileges. */
  definition?: string
  /** The COPY statement of rows, if the reader keeps them; absent for rows as INSERT statements. */
  copy?: string
}

/** An entry while it is read, with its SQL only where somebody asks for it. */
export type PassingEntry = Pick<Entry, 'id' | 'kind' | 'schema' | 'name' | 'owner'> & { readonly sql: () => string }

/** The table of contents has another form than those known here; a pg_restore of the version that made the archive reads it. */
export class UnknownFormat extends LifeboatError {}

/**
 * Reads the table of contents of a custom-format archive (pg_backup_archiver.c of PostgreSQL: ReadHead, ReadToc), because the output of
 * `pg_restore --list` is ambiguous for names with spaces and line ends.
 */
export class ContentsReader {
  readonly #changes: Changes | undefined
  readonly #copies: boolean
  readonly #keeps: (entry: PassingEntry) => boolean
  #passed: Buffer[] = []
  readonly #decode: { text: Decode } = { text: (bytes) => bytes.toString() }
  readonly #entries: Entry[] = []
  readonly #texts = new Map<string, string>()
  #rest: Buffer = Buffer.alloc(0)
  #format: Format | undefined
  #count = 0
  #hasFirst = false
  #read = 0

  /**
   * `changes`: `passed` gives what was read, with these changes. `keeps`: selects entries, of perhaps hundreds of thousands. `copies`:
   * keeps the COPY statements of rows.
   */
  constructor({
    changes,
    keeps = () => true,
    copies = false,
  }: { copies?: boolean; changes?: Changes; keeps?: (entry: PassingEntry) => boolean } = {}) {
    this.#changes = changes
    this.#keeps = keeps
    this.#copies = copies
  }

  /** False once it has read everything. Throws `LifeboatError` if the bytes are no table of contents. */
  push(bytes: Uint8Array): boolean {
    if (this.#complete) return false
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    while (!this.#complete && this.#step());
    if (!this.#complete && this.#rest.length > MOST_BYTES) throw unreadable(`an entry has more than ${MOST_BYTES} bytes`)
    return !this.#complete
  }

  /** The entries that are kept, in the order of the archive. */
  finish(): Entry[] {
    if (!this.#complete) throw unreadable('it ends too early')
    return this.#entries
  }

  /** The bytes read since the last call, and, once everything is read, all bytes after it. */
  passed(): Buffer {
    const passed = Buffer.concat(this.#complete ? [...this.#passed, this.#rest] : this.#passed)
    this.#passed = []
    if (this.#complete) this.#rest = Buffer.alloc(0)
    return passed
  }

  /** Whether `passed` has given the SQL that is to come first. */
  get hasFirst(): boolean {
    return this.#hasFirst
  }

  /** Bytes of an integer in the archive, without its sign; known once everything is read. */
  get integer(): number {
    return this.#format!.integer
  }

  /** Bytes after the table of contents, of those that were pushed; known once everything is read. */
  get after(): Buffer {
    return this.#rest
  }

  get #complete(): boolean {
    return this.#format !== undefined && this.#read === this.#count
  }

  /** Reads the head, or one entry; false if some of its bytes are still missing. */
  #step(): boolean {
    try {
      const cursor = new Cursor(this.#rest, this.#format)
      if (this.#format) this.#keep(this.#entry(cursor))
      else {
        ;[this.#format, this.#count] = readHead(cursor)
        if (this.#changes) this.#passed.push(this.#rest.subarray(0, cursor.at))
      }
      this.#rest = this.#rest.subarray(cursor.at)
      return true
    } catch (error) {
      if (error === MORE) return false
      throw error
    }
  }

  #keep(entry: Entry | undefined): void {
    this.#read++
    if (entry) this.#entries.push(entry)
  }

  /** Undefined for an entry that is not selected. */
  #entry(cursor: Cursor): Entry | undefined {
    const { minor } = this.#format!
    const id = cursor.int()
    cursor.int() // Whether it has data.
    cursor.skip() // The oids of the catalog and of the object.
    cursor.skip()
    const name = cursor.bytes()
    const kind = this.#shared(cursor.bytes())
    cursor.int() // The section.
    const before = cursor.at
    const sql = cursor.bytes()
    const drop = cursor.at
    cursor.skip() // How it is dropped.
    const copy = cursor.at
    const copied = cursor.bytes()
    const schema = cursor.bytes()
    const tablespace = cursor.bytes()
    if (minor >= 14) cursor.skip() // The table access method.
    if (minor >= 16) cursor.int() // The kind of relation.
    const owner = cursor.bytes()
    cursor.skip() // WITH OIDS, of servers before 12.
    const needs: number[] = []
    for (let need = cursor.bytes(); need !== undefined; need = cursor.bytes()) needs.push(Number(need.toString('latin1')))
    cursor.position()
    if (this.#changes?.dropless.has(id)) this.#pass(drop, '', copy, cursor.at)
    else if (this.#changes && kind === 'SEARCHPATH') {
      this.#pass(before, `${sql?.toString('latin1') ?? ''}${this.#changes.first}`, drop, cursor.at)
      this.#hasFirst = true
    } else if (this.#changes) this.#passed.push(this.#rest.subarray(0, cursor.at))
    if (kind === 'ENCODING') this.#decode.text = decoderOf(/'(\w+)'/.exec(sql?.toString('latin1') ?? '')?.[1] ?? 'UTF8')
    const text = (bytes: Buffer | undefined): string => (bytes === undefined ? '' : this.#decode.text(bytes))
    if (id < 0 || id > MOST_ENTRIES) throw unreadable(`it has an entry ${id}`)
    const passing = { id, kind, schema: this.#shared(schema), name: text(name), owner: this.#shared(owner), sql: () => text(sql) }
    if (!this.#keeps(passing)) return undefined
    const entry = {
      id, kind, name: text(name), schema: this.#shared(schema), owner: this.#shared(owner), tablespace: this.#shared(tablespace),
      needs: needs.slice(), // An array that grew has room for 16 more.
      inherits: kind.endsWith('TABLE') && sql !== undefined && sql.includes('\n)\nINHERITS ('),
      ...(kind === 'TABLE DATA' && !copied?.length && { inserts: true as const }),
      ...(this.#copies && copied?.length && { copy: text(copied) }),
      ...(kind === 'TABLE DATA' && sql?.includes('-- load via partition root ') && { throughRoot: true as const }),
    }
    return keepsSql(entry) ? { ...entry, definition: text(sql) } : entry
  }

  /** An entry of which one text, from `start` to `rest`, is replaced: a sign, the length, and the text. */
  #pass(start: number, text: string, rest: number, end: number): void {
    const bytes = Buffer.from(text, 'latin1')
    const length = Buffer.alloc(1 + this.#format!.integer)
    length.writeUInt32LE(bytes.length, 1)
    this.#passed.push(this.#rest.subarray(0, start), length, bytes, this.#rest.subarray(rest, end))
  }

  /** Many entries have the same schema, owner and kind: one text for all. */
  #shared(bytes: Buffer | undefined): string {
    const text = bytes === undefined ? '' : this.#decode.text(bytes)
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }
}

/** Changes of an archive's table of contents. */
export interface Changes {
  /** Ids of entries whose DROP statement is left out. */
  dropless: ReadonlySet<number>
  /** SQL that pg_restore runs before anything else, in the same transaction. ASCII only. */
  first: string
}

/**
 * The archive with changes. Only for a pg_restore that cannot seek, because positions in the file are no longer correct. pg_restore runs
 * the definition of the entry SEARCHPATH as it is, when it has begun its transaction.
 */
export async function* changed(archive: AsyncIterable<Buffer>, changes: Changes): AsyncGenerator<Buffer> {
  const reader = new ContentsReader({ changes, keeps: () => false })
  let reading = true
  for await (const piece of archive) {
    if (!reading) yield piece
    else {
      reading = reader.push(piece)
      if (!reading && !reader.hasFirst && changes.first !== '') throw unreadable('it does not set search_path')
      const passed = reader.passed()
      if (passed.length > 0) yield passed
    }
  }
}

/** Entries of the database itself: pg_restore leaves them out unless it creates the database. */
export function ofDatabase({ kind, name }: Pick<Entry, 'kind' | 'name'>): boolean {
  return (
    kind === 'DATABASE' || kind === 'DATABASE PROPERTIES' || (/^(?:ACL|COMMENT|SECURITY LABEL)$/.test(kind) && name.startsWith('DATABASE '))
  )
}

/** Settings of the session that restores. */
export function isSetting({ kind }: Pick<Entry, 'kind'>): boolean {
  return kind === 'ENCODING' || kind === 'STDSTRINGS' || kind === 'SEARCHPATH'
}

function keepsSql(entry: Entry): boolean {
  return ofDatabase(entry) || isSetting(entry) || namesRoles(entry)
}

/** Entries whose SQL names other roles than the owner. */
export function namesRoles({ kind }: Pick<Entry, 'kind'>): boolean {
  return /^(?:ACL|DEFAULT ACL|POLICY|USER MAPPING)$/.test(kind)
}

/** The largest size of an entry; functions and comments can have some megabytes. */
const MOST_BYTES = 128 * 1024 * 1024
const MOST_ENTRIES = 20_000_000

interface Format {
  minor: number
  /** Bytes of an integer, without its sign, and of a position in the file. */
  integer: number
  position: number
}

/** The bytes end in the middle of a value. */
const MORE = new Error('more bytes are needed')

class Cursor {
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
    if (length > MOST_BYTES) throw unreadable(`a text has more than ${MOST_BYTES} bytes`)
    if (length > 0) this.at += length
    if (this.at > this.#bytes.length) throw MORE
    return length
  }

  position(): void {
    for (let count = 0; count < 1 + this.#format!.position; count++) this.byte()
  }
}

function readHead(cursor: Cursor): [Format, entries: number] {
  const magic = Array.from({ length: 5 }, () => cursor.byte())
  if (Buffer.from(magic).toString('latin1') !== 'PGDMP') throw unreadable('it does not begin with PGDMP')
  const [major, minor] = [cursor.byte(), cursor.byte()]
  cursor.byte() // The revision.
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
  if (minor >= 15) cursor.byte() // The compression.
  else cursor.int(integer)
  for (let part = 0; part < 7; part++) cursor.int(integer) // The time.
  for (let text = 0; text < 3; text++) cursor.skip(integer) // Database, version of the server, version of pg_dump.
  const count = cursor.int(integer)
  if (count < 0 || count > MOST_ENTRIES) throw unreadable(`it has ${count} entries`)
  return [{ minor, integer, position }, count]
}

type Decode = (bytes: Buffer) => string

/** For the encodings of servers; bytes of an unknown one are read as Latin-1, which has a character for each. */
function decoderOf(encoding: string): Decode {
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

function unreadable(why: string): LifeboatError {
  return new LifeboatError(`the table of contents of the archive cannot be read: ${why}`, {
    hint: 'Verify the snapshot at level read; restore another one if it is damaged.',
  })
}
