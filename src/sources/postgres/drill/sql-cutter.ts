import { InsertLines, type InsertPiece } from './insert-lines.ts'

/** Told what an archive's SQL consists of, in its order. Pieces are valid during the call only. */
export interface SqlSink {
  /** An entry begins: the comment that pg_restore writes before it, as latin1. */
  entry(header: string): void
  /** SQL, or rows, of the entry that began last; before the first entry, the settings of the session. `insert`: of INSERT statements. */
  bytes(piece: Buffer, insert?: InsertPiece): void
  /** Rows of a COPY, or one of an INSERT, ended. */
  rows(count: number): void
}

/** The longest beginning of a line that is looked at; longer lines are values. */
const LONGEST_HEAD = 1024 * 1024
const NEWLINE = 10
/** The header of the end, which is not an entry. */
export const END = '-- PostgreSQL database dump complete'
/** Before rows and the content of large objects. */
export const DATA = '-- Data for '
const HEADERS = ['-- Name: ', `${DATA}Name: `, END].map((text) => Buffer.from(text))
/** Comments and marks that differ between two runs. */
const PASSED_OVER = ['\\restrict ', '\\unrestrict ', '-- Dumped '].map((text) => Buffer.from(text))
const COPY = Buffer.from('COPY ')
const FROM_STDIN = Buffer.from(' FROM stdin;')
const END_OF_ROWS = Buffer.from('\\.')
const ACCESS_METHOD = Buffer.from('SET default_table_access_method = ')

/**
 * Cuts the SQL that pg_restore and pg_dump write into the entries of the archive, in bounded memory. A function whose text looks like such
 * a comment is cut there as well, in each archive that has it.
 */
export class SqlCutter {
  readonly #sink: SqlSink
  /** The beginning of a line whose end has not come. */
  #held: Buffer[] = []
  #heldBytes = 0
  /** Within a line of which the beginning was handed on. */
  #within = false
  /** Among rows; their number. */
  #rows: number | undefined
  #data = false
  #inserts = new InsertLines()
  #accessMethod = ''
  /** The line before set the access method, which says nothing of the entry that it follows; neither does the empty line after it. */
  #afterMethod = false

  constructor(sink: SqlSink) {
    this.#sink = sink
  }

  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) at = this.#rows !== undefined && this.#heldBytes === 0 ? this.#copied(bytes, at) : this.#line(bytes, at)
  }

  /** Hands on a last line without an end. */
  end(): void {
    if (this.#heldBytes > 0) this.#piece(this.#taken(Buffer.alloc(0)), false)
  }

  /** Reads up to the end of a line, and judges the line by its beginning. */
  #line(bytes: Buffer, at: number): number {
    const newline = bytes.indexOf(NEWLINE, at)
    const end = newline < 0 ? bytes.length : newline + 1
    const piece = bytes.subarray(at, end)
    if (this.#within) {
      this.#piece(piece, newline >= 0)
      this.#within = newline < 0
    } else if (newline < 0) {
      this.#held.push(Buffer.from(piece))
      this.#heldBytes += piece.length
      if (this.#heldBytes > LONGEST_HEAD) {
        this.#piece(this.#taken(Buffer.alloc(0)), false)
        this.#within = true
      }
    } else this.#whole(this.#taken(piece))
    return end
  }

  #taken(piece: Buffer): Buffer {
    const line = this.#heldBytes === 0 ? piece : Buffer.concat([...this.#held, piece])
    this.#held = []
    this.#heldBytes = 0
    return line
  }

  #whole(line: Buffer): void {
    const text = line.subarray(0, -1)
    const spare = this.#afterMethod && text.length === 0
    this.#afterMethod = false
    if (this.#rows !== undefined) this.#row(line)
    else if (this.#data && this.#inserts.has(line)) this.#piece(line, true)
    else if (HEADERS.some((header) => begins(text, header))) this.#begin(text.toString('latin1'))
    else if (begins(text, ACCESS_METHOD)) {
      this.#accessMethod = text.toString('latin1')
      this.#afterMethod = true
    } else if (!spare && !PASSED_OVER.some((known) => begins(text, known))) {
      this.#sink.bytes(line)
      if (this.#data && begins(text, COPY) && text.subarray(-FROM_STDIN.length).equals(FROM_STDIN)) this.#rows = 0
    }
  }

  /** A line that is not judged, or a part of one. */
  #piece(piece: Buffer, ended: boolean): void {
    if (!this.#data || !this.#inserts.has(piece)) return this.#sink.bytes(piece)
    const insert = this.#inserts.follow(piece, ended)
    this.#sink.bytes(piece, insert)
    if (insert.row) this.#sink.rows(1)
  }

  #begin(header: string): void {
    this.#inserts = new InsertLines()
    this.#data = header.startsWith(DATA)
    // The setting stays until it is changed: it is said once for many tables.
    const ofTable = /; Type: (?:TABLE|MATERIALIZED VIEW); Schema: /.test(header)
    this.#sink.entry(header)
    if (ofTable) this.#sink.bytes(Buffer.from(this.#accessMethod, 'latin1'))
  }

  /** Whole rows, many at a time, up to the end of the rows or of the bytes. */
  #copied(bytes: Buffer, from: number): number {
    let start = from
    if (this.#within) {
      const newline = bytes.indexOf(NEWLINE, from)
      this.#within = newline < 0
      if (newline >= 0) this.#rows!++
      start = newline < 0 ? bytes.length : newline + 1
    }
    for (;;) {
      const newline = bytes.indexOf(NEWLINE, start)
      if (newline < 0) break
      if (newline - start === 2 && bytes[start] === 92 && bytes[start + 1] === 46) {
        this.#sink.bytes(bytes.subarray(from, newline + 1))
        this.#ended()
        return newline + 1
      }
      this.#rows!++
      start = newline + 1
    }
    // A possible beginning of the end is held, and a longer row handed on.
    const rest = bytes.subarray(start)
    const held = rest.length > 0 && rest.length <= 2 && !this.#within ? rest.length : 0
    this.#within ||= rest.length > held
    this.#sink.bytes(bytes.subarray(from, bytes.length - held))
    if (held > 0) {
      this.#held.push(Buffer.from(rest))
      this.#heldBytes = held
    }
    return bytes.length
  }

  /** A row of which the beginning was held. */
  #row(line: Buffer): void {
    this.#sink.bytes(line)
    if (line.subarray(0, -1).equals(END_OF_ROWS)) this.#ended()
    else this.#rows!++
  }

  #ended(): void {
    this.#sink.rows(this.#rows!)
    this.#rows = undefined
  }
}

function begins(text: Buffer, prefix: Buffer): boolean {
  return text.length >= prefix.length && text.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}
