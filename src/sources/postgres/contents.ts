import {
  Cursor, type Decode, decoderOf, encodingOf, type Format, intBytes, MORE, MOST_ENTRY_BYTES, MOST_ENTRIES, readHead, textBytes, unreadable,
} from './contents-form.ts'

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

/** The same, with its section (of the data, before it, after it) and its bytes, which are valid while it passes. */
export type RawEntry = PassingEntry & { readonly section: number; readonly raw: Buffer }

/** The section of indexes, keys, triggers and everything else that comes after all rows (pg_backup.h of PostgreSQL). */
export const POST_DATA = 4

/**
 * Reads the table of contents of a custom-format archive (pg_backup_archiver.c of PostgreSQL: ReadHead, ReadToc), because the output of
 * `pg_restore --list` is ambiguous for names with spaces and line ends.
 */
export class ContentsReader {
  readonly #changes: Changes | undefined
  readonly #copies: boolean
  readonly #keeps: (entry: RawEntry) => boolean
  #passed: Buffer[] = []
  readonly #decode: { text: Decode } = { text: (bytes) => bytes.toString() }
  readonly #entries: Entry[] = []
  readonly #texts = new Map<string, string>()
  #rest: Buffer = Buffer.alloc(0)
  #format: Format | undefined
  #count = 0
  #highest = 0
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
  }: { copies?: boolean; changes?: Changes; keeps?: (entry: RawEntry) => boolean } = {}) {
    this.#changes = changes
    this.#keeps = keeps
    this.#copies = copies
  }

  /** False once it has read everything. Throws `LifeboatError` if the bytes are no table of contents. */
  push(bytes: Uint8Array): boolean {
    if (this.#complete) return false
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    while (!this.#complete && this.#step());
    if (!this.#complete && this.#rest.length > MOST_ENTRY_BYTES) throw unreadable(`an entry has more than ${MOST_ENTRY_BYTES} bytes`)
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

  /** The highest id that an entry has or depends on, of those that were read. */
  get highest(): number {
    return this.#highest
  }

  /** The form of the archive; known once its head is read. */
  get format(): Format | undefined {
    return this.#format
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
        const { added } = this.#changes ?? {}
        const count = added ? intBytes(this.#count + added.count, this.#format) : Buffer.alloc(0)
        if (this.#changes) this.#passed.push(this.#rest.subarray(0, cursor.at - count.length), count)
      }
      if (this.#complete && this.#changes?.added) this.#passed.push(this.#changes.added.last(this.#format))
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
    const section = cursor.int()
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
    const raw = this.#rest.subarray(0, cursor.at)
    if (kind === 'ENCODING') this.#decode.text = decoderOf(encodingOf(sql?.toString('latin1') ?? ''))
    const text = (bytes: Buffer | undefined): string => (bytes === undefined ? '' : this.#decode.text(bytes))
    if (id < 0 || id > MOST_ENTRIES) throw unreadable(`it has an entry ${id}`)
    this.#highest = needs.reduce((highest, need) => Math.max(highest, need), Math.max(this.#highest, id))
    const passing = {
      id, kind, schema: this.#shared(schema), name: text(name), owner: this.#shared(owner), sql: () => text(sql), section, raw,
    }
    const added = this.#changes?.added?.before(passing, this.#format!)
    if (added) this.#passed.push(added)
    if (this.#changes?.dropless.has(id)) this.#pass(drop, '', copy, cursor.at)
    else if (this.#changes && kind === 'SEARCHPATH') {
      this.#pass(before, `${sql?.toString('latin1') ?? ''}${this.#changes.first}`, drop, cursor.at)
      this.#hasFirst = true
    } else if (this.#changes && isOfGroup(kind, text(name)))
      this.#pass(before, withGrantors(sql?.toString('latin1') ?? ''), drop, cursor.at)
    else if (this.#changes) this.#passed.push(raw)
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
    this.#passed.push(this.#rest.subarray(0, start), textBytes(text, this.#format!), this.#rest.subarray(rest, end))
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
  /** Entries that it does not have yet. */
  added?: AddedEntries
}

export interface AddedEntries {
  count: number
  /** Called for each entry, before it passes; gives the bytes of the entries to put before it. */
  before: (entry: RawEntry, form: Format) => Buffer | undefined
  /** Gives the bytes of those to put after the last. */
  last: (form: Format) => Buffer
}

/** Whether an entry has the privileges of several large objects, of which pg_dump 17 and newer make groups. */
function isOfGroup(kind: string, name: string): boolean {
  return kind === 'ACL' && name.startsWith('LARGE OBJECTS ')
}

/**
 * pg_restore 17 and 18 repeat each statement of such an entry for each object, and put its id after `LARGE OBJECT`. A statement that names
 * the grantor has no such words, and becomes `SET SESSION AUTHORIZATION bob1001(null);` (IssueACLPerBlob in pg_backup_archiver.c). A
 * comment with these words before it prevents that.
 */
function withGrantors(sql: string): string {
  const statements = /("[^"]*")|(?:RE)?SET SESSION AUTHORIZATION\b/g
  return sql.replaceAll(statements, (text, quoted?: string) => quoted ?? `--LARGE OBJECT 1\n${text}`)
}

/** The archive, in which pg_restore finds who grants privileges on large objects of a group. */
export function corrected(archive: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return changed(archive, { dropless: new Set(), first: '' })
}

/**
 * The archive with changes, and corrected. If it has places of its data, which an archive that was written to a pipe lacks, it is only for
 * a pg_restore that cannot seek. pg_restore runs the definition of the entry SEARCHPATH as it is, when it has begun its transaction.
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
