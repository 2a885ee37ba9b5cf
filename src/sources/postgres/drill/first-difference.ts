import { createHash, type Hash } from 'node:crypto'
import { isRange, type ObjectCutter, objectCutter, type ObjectSink } from './large-objects.ts'
import { DATA, SqlCutter } from './sql-cutter.ts'
import { rowShapes, textShapes } from './shape.ts'

/** Bytes of the longest line whose shape is shown. */
const LONGEST_LINE = 8 * 1024 * 1024
/** Rows after a difference in which the same row is looked for: it may come in another order. */
const MOST_ROWS = 10_000
/** Bytes of rows that are kept meanwhile. */
const MOST_KEPT = 64 * 1024 * 1024

interface Line {
  /** Equal for equal lines. */
  key: string
  /** Undefined for a longer line than is kept. */
  text: string | undefined
}

/** Where two texts of one entry begin to differ, its content replaced by its shape; undefined if they do not, or if that is not clear. */
export async function firstDifference(
  header: string,
  before: AsyncIterable<Buffer>,
  after: AsyncIterable<Buffer>,
): Promise<string | undefined> {
  if (isRange(header)) return differentObject(header, await objectsOf(header, before), await objectsOf(header, after))
  const [one, other] = [linesOf(header, before), linesOf(header, after)]
  const next = async (): Promise<[Line | undefined, Line | undefined]> => {
    const [a, b] = await Promise.all([one.next(), other.next()])
    return [a.done ? undefined : a.value, b.done ? undefined : b.value]
  }
  try {
    for (let line = 1; ; line++) {
      const [was, is] = await next()
      if (!was && !is) return undefined
      if (was?.key !== is?.key) return `line ${line}: ${shown(was, is, textShapes)}`
      if (header.startsWith(DATA) && was?.text?.startsWith('COPY ')) return await differentRow(was.text, next)
    }
  } finally {
    await Promise.all([one.return(), other.return()])
  }
}

function shown(was: Line | undefined, is: Line | undefined, shapes: (was: string | undefined, is: string | undefined) => string): string {
  return [was, is].some((line) => line && line.text === undefined) ? 'a very long line differs' : shapes(was?.text, is?.text)
}

function differentObject(
  range: string, before: ReadonlyMap<number, string>, after: ReadonlyMap<number, string>,
): string | undefined {
  const ids = [...new Set([...before.keys(), ...after.keys()])].toSorted((a, b) => a - b)
  const id = ids.find((one) => before.get(one) !== after.get(one))
  if (id === undefined) return undefined
  // An object without privileges of its own is there all the same.
  if (range.includes('; Type: ACL; ')) return `the privileges of large object ${id}`
  if (!before.has(id)) return `large object ${id} is not in the backup`
  return after.has(id) ? `large object ${id}` : `large object ${id} is missing`
}

/** By the ids of the large objects in a range, digests of what an archive says of them. */
async function objectsOf(range: string, sql: AsyncIterable<Buffer>): Promise<Map<number, string>> {
  const objects = new Map<number, string>()
  let [hash, current] = [createHash('sha256'), undefined as ObjectCutter | undefined]
  const sink: ObjectSink = {
    piece: (bytes) => void hash.update(bytes),
    end(of, id) {
      // Privileges may come in another order.
      if (of === range) objects.set(id, [...(objects.get(id)?.split(' ') ?? []), hash.digest('base64')].toSorted().join(' '))
      hash = createHash('sha256')
    },
  }
  const cutter = new SqlCutter({
    entry: (header) => void (current = objectCutter(header, sink)),
    bytes: (piece) => current?.line(piece),
    rows: () => undefined,
  })
  for await (const bytes of sql) cutter.push(bytes)
  return objects
}

/** The rows of one side that the other has not had yet, by their keys, in their order. */
type Pending = Map<string, { row: number; line: Line }[]>

async function differentRow(columns: string, next: () => Promise<[Line | undefined, Line | undefined]>): Promise<string | undefined> {
  const sides: [Pending, Pending] = [new Map(), new Map()]
  let [since, kept] = [0, 0]
  for (let row = 1; ; row++) {
    const lines = await next()
    for (const [index, line] of lines.entries()) {
      if (!line) continue
      const [own, others] = index === 0 ? sides : [sides[1], sides[0]]
      kept += pair(line, row, own, others)
    }
    if (kept > MOST_KEPT) return undefined
    since = sides.every(({ size }) => size === 0) ? 0 : since + 1
    if (since <= MOST_ROWS && lines.some((line) => line)) continue
    const [was, is] = sides.map((side) => side.values().next().value?.[0])
    if (!was && !is) return undefined
    return `row ${(was ?? is)!.row.toLocaleString('en-US')}: ${shown(was?.line, is?.line, (a, b) => rowShapes(columns, a, b))}`
  }
}

/** Takes an equal row of the other side away, or keeps this one. Gives the bytes that are kept more, or fewer. */
function pair(line: Line, row: number, own: Pending, others: Pending): number {
  const bytes = line.key.length
  const equal = others.get(line.key)
  if (!equal) {
    own.set(line.key, [...(own.get(line.key) ?? []), { row, line }])
    return bytes
  }
  equal.shift()
  if (equal.length === 0) others.delete(line.key)
  return -bytes
}

/** The lines of one entry, or of all that have this comment before them. */
async function* linesOf(header: string, sql: AsyncIterable<Buffer>): AsyncGenerator<Line, void, void> {
  let wanted = header === ''
  let pieces: Buffer[] = []
  const cutter = new SqlCutter({
    entry: (next) => void (wanted = next === header),
    bytes: (piece) => void (wanted && pieces.push(Buffer.from(piece))),
    rows: () => undefined,
  })
  const held = new HeldLine()
  for await (const bytes of sql) {
    cutter.push(bytes)
    const taken = pieces
    pieces = []
    for (const piece of taken) yield* held.lines(piece)
  }
  yield* held.end()
}

/** A line whose end has not come. */
class HeldLine {
  #pieces: Buffer[] = []
  #bytes = 0
  /** Of a long line, of which nothing else is kept. */
  #hash: Hash | undefined

  *lines(piece: Buffer): Generator<Line> {
    let start = 0
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
      this.#add(piece.subarray(start, end))
      yield this.#take()
      start = end + 1
    }
    if (start < piece.length) this.#add(piece.subarray(start))
  }

  /** A last line without an end. */
  *end(): Generator<Line> {
    if (this.#bytes > 0) yield this.#take()
  }

  #add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes <= LONGEST_LINE) return
    this.#hash ??= createHash('sha256')
    for (const one of this.#pieces) this.#hash.update(one)
    this.#pieces = []
  }

  #take(): Line {
    const [bytes, hash] = [Buffer.concat(this.#pieces), this.#hash]
    this.#pieces = []
    this.#bytes = 0
    this.#hash = undefined
    if (hash) return { key: `long ${hash.update(bytes).digest('hex')}`, text: undefined }
    const text = bytes.toString('latin1')
    return { key: text, text }
  }
}
