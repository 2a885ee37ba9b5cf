import { SqlCutter } from './sql-cutter.ts'
import { rowShapes, textShapes } from './shape.ts'

/** The most of a line that is kept, to show its shape. */
const LONGEST_LINE = 64 * 1024

/** Where two texts of one entry begin to differ, its content replaced by its shape; undefined if they do not. */
export async function firstDifference(
  header: string,
  before: AsyncIterable<Buffer>,
  after: AsyncIterable<Buffer>,
): Promise<string | undefined> {
  const [one, other] = [linesOf(header, before), linesOf(header, after)]
  let columns: string | undefined
  try {
    for (let row = 0; ; row++) {
      const [a, b] = [await one.next(), await other.next()]
      if (a.done && b.done) return undefined
      const [was, is] = [textOf(a), textOf(b)]
      if (was === is) {
        if (header.startsWith('-- Data for ') && was?.startsWith('COPY ')) [columns, row] = [was, 0]
        continue
      }
      if (columns !== undefined) return `row ${row.toLocaleString('en-US')}: ${rowShapes(columns, was, is)}`
      return `line ${row + 1}: ${textShapes(was, is)}`
    }
  } finally {
    await Promise.all([one.return(), other.return()])
  }
}

function textOf(line: IteratorResult<Buffer, void>): string | undefined {
  return line.done ? undefined : line.value.toString('latin1')
}

/** The lines of one entry, or of all that have this comment before them. */
async function* linesOf(header: string, sql: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let [wanted, held] = [header === '', Buffer.alloc(0)]
  let pieces: Buffer[] = []
  const cutter = new SqlCutter({
    entry: (next) => void (wanted = next === header),
    bytes: (piece) => void (wanted && pieces.push(Buffer.from(piece))),
    rows: () => undefined,
  })
  for await (const bytes of sql) {
    cutter.push(bytes)
    if (pieces.length === 0) continue
    held = Buffer.concat([held, ...pieces])
    pieces = []
    let start = 0
    for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10, start)) {
      yield held.subarray(start, end)
      start = end + 1
    }
    held = Buffer.from(held.subarray(start))
    // A line without an end goes on in pieces: what differs is found in one of them.
    if (held.length > LONGEST_LINE) {
      yield held
      held = Buffer.alloc(0)
    }
  }
  if (held.length > 0) yield held
}
