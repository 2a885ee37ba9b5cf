const [QUOTE, DOUBLE_QUOTE, COMMA, SEMICOLON] = [39, 34, 44, 59]
const INSERT = Buffer.from('INSERT INTO ')
/** The ends of a row: which one it has depends on its place in a statement of several rows. */
const ENDS = [' ON CONFLICT DO NOTHING;\n', ';\n', ',\n'].map((text) => Buffer.from(text))

/** A piece of a line of INSERT statements. */
export interface InsertPiece {
  /** Its bytes without the end of the row. */
  size: number
  /** A line of the SQL ends with it: not within a text or a name. */
  ends: boolean
  /** A row ends with it. */
  row: boolean
}

/** Follows the INSERT statements that pg_dump writes: a row ends a line, and texts and names have line ends, too. */
export class InsertLines {
  #within = false
  #quote = 0
  #last = 0

  /** Whether a line belongs to such a statement. */
  has(line: Buffer): boolean {
    return this.#within || line.subarray(0, INSERT.length).equals(INSERT)
  }

  /** `ended`: a line end is its last byte. */
  follow(piece: Buffer, ended: boolean): InsertPiece {
    this.#within = true
    for (const byte of piece) {
      // A quote in a text is written twice: the text ends and begins again.
      if (this.#quote === 0 ? byte === QUOTE || byte === DOUBLE_QUOTE : byte === this.#quote) this.#quote = this.#quote === 0 ? byte : 0
    }
    const ends = ended && this.#quote === 0
    this.#last = piece.at(ended ? -2 : -1) ?? this.#last
    if (!ends) return { size: piece.length, ends, row: false }
    this.#within = this.#last !== SEMICOLON
    const end = ENDS.find((one) => piece.subarray(-one.length).equals(one))
    return { size: piece.length - (end?.length ?? 0), ends, row: this.#last === SEMICOLON || this.#last === COMMA }
  }
}
