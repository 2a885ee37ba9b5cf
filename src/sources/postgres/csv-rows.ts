import { LifeboatError } from '../../error.ts'
import type { Entry } from './contents.ts'

const LINE_END = 10
/** Characters after a backslash in the text format of COPY. */
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/** Turns rows in the text format of COPY into those of its CSV format with a header (PostgreSQL documentation, COPY). */
export class CsvRows {
  readonly #single: boolean
  #header: string
  #rest: Buffer = Buffer.alloc(0)
  #ended = false

  /** Throws if the rows are not written by COPY. */
  static of({ copy = '', schema, name }: Entry): CsvRows {
    const columns = /\((.*)\) FROM stdin;\s*$/s.exec(copy)?.[1]
    if (columns !== undefined)
      return new CsvRows([...columns.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(([word, quoted]) => quoted?.replaceAll('""', '"') ?? word))
    throw new LifeboatError(`the rows of ${schema}.${name} are not written by COPY, so that they cannot be written as CSV`, {
      hint: 'Write them as SQL.', status: 2,
    })
  }

  private constructor(columns: readonly string[]) {
    this.#single = columns.length === 1
    this.#header = `${columns.map((column) => this.#field(Buffer.from(column).toString('latin1'))).join(',')}\n`
  }

  /** The rows that end in these bytes; the first time after the header. */
  push(bytes: Buffer): Buffer {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const end = all.lastIndexOf(LINE_END) + 1
    this.#rest = Buffer.from(all.subarray(end))
    const lines = all.toString('latin1', 0, end).split('\n')
    lines.pop()
    let text = this.#header
    this.#header = ''
    for (const line of lines) {
      if (line === String.raw`\.`) this.#ended = true
      if (this.#ended) continue
      const fields = line.split('\t').map((field) => (field === String.raw`\N` ? '' : this.#field(plain(field))))
      text += `${fields.join(',')}\n`
    }
    return Buffer.from(text, 'latin1')
  }

  /** An empty field without quotation marks is NULL. */
  #field(text: string): string {
    const quoted = text === '' || /[",\r\n]/.test(text) || (this.#single && text === String.raw`\.`)
    return quoted ? `"${text.replaceAll('"', '""')}"` : text
  }
}

function plain(field: string): string {
  return field.includes('\\') ? field.replaceAll(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter) : field
}
