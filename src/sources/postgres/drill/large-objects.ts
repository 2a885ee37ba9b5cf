/**
 * pg_dump 17 and newer puts up to 1,000 large objects with the same owner and privileges into one entry (pg_dump.c: getLOs). A restored
 * database may have them in other groups: privileges that equal those of a new object become none, and options leave privileges out. So
 * large objects are compared by ranges of their ids.
 */

/** Ids in a range: there are at most 65,536 ranges. */
const RANGE = 65_536
const GROUP = /^-- (?:Data for )?Name: (?:(?:LARGE OBJECTS? )?[\d.]+|BLOBS); Type: (BLOBS?|BLOB METADATA|ACL); Schema: -; Owner: (.*)$/
/** The header of another entry ends with this, whose name may be anything. */
const OTHER = /; Type: .*; Schema: .*; Owner: /
/** In privileges, this tells who grants what follows, if that is not the owner. */
const GRANTOR = /^(?:RE)?SET SESSION AUTHORIZATION\b/
/** These lines say nothing of an object. */
const OF_GROUP = /^(?:--.*|BEGIN;|COMMIT;)?\n$/
const ID = /^SELECT pg_catalog\.lo_(?:create|open)\('(\d+)'|\bON LARGE OBJECT (\d+) |^ALTER LARGE OBJECT (\d+) /
const CLOSED = 'SELECT pg_catalog.lo_close('
const RANGE_NAME = /^-- (?:Data for )?Name: (?:LARGE OBJECTS )?\d+\.\.\d+; Type: (?:BLOBS|BLOB METADATA|ACL); Schema: -; Owner: $/
/** Bytes at the beginning of a line that tell what it is; the rest is content. */
const HEAD = 1024

/** Takes a statement about a large object, or all of its content, in pieces; `end` ends it. `range`: like the comment of an entry. */
export interface ObjectSink {
  piece(bytes: Buffer): void
  end(range: string, id: number): void
}

/** Whether a name is that of a range. */
export function isRange(header: string): boolean {
  return RANGE_NAME.test(header)
}

/** Undefined unless the comment before an entry says that it is of large objects: of their data, of themselves, or of their privileges. */
export function objectCutter(header: string, sink: ObjectSink): ObjectCutter | undefined {
  const [, kind, owner = ''] = GROUP.exec(header) ?? []
  if (kind === undefined || OTHER.test(owner)) return undefined
  return new ObjectCutter(kind === 'BLOB' ? 'BLOB METADATA' : kind, sink)
}

/** Cuts the lines of such an entry into what they say of each object. */
export class ObjectCutter {
  readonly #kind: string
  readonly #sink: ObjectSink
  #id = 0
  #grantor = ''

  constructor(kind: string, sink: ObjectSink) {
    this.#kind = kind
    this.#sink = sink
  }

  line(bytes: Buffer): void {
    const text = bytes.toString('latin1', 0, HEAD)
    if (OF_GROUP.test(text)) return
    const id = ID.exec(text)?.slice(1).find((one) => one !== undefined)
    if (id !== undefined) this.#id = Number(id)
    if (GRANTOR.test(text)) {
      this.#grantor = text === 'RESET SESSION AUTHORIZATION;\n' ? '' : text
      return
    }
    if (this.#grantor !== '') this.#sink.piece(Buffer.from(this.#grantor, 'latin1'))
    this.#sink.piece(bytes)
    if (this.#kind !== 'BLOBS' || text.startsWith(CLOSED)) this.#sink.end(this.#range(), this.#id)
  }

  #range(): string {
    const first = Math.floor(this.#id / RANGE) * RANGE
    const name = `${this.#kind === 'ACL' ? 'LARGE OBJECTS ' : ''}${first}..${first + RANGE - 1}`
    return `-- ${this.#kind === 'BLOBS' ? 'Data for ' : ''}Name: ${name}; Type: ${this.#kind}; Schema: -; Owner: `
  }
}
