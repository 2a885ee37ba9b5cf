import { createHash, type Hash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { LineSet } from './line-set.ts'
import { END, SqlCutter } from './sql-cutter.ts'

/** Digests of the entries of an archive, by the comments before them: one text for each, as there may be hundreds of thousands. */
export interface Digests {
  /**
   * Digest and number of rows of each entry with that comment, and of a table the digest of its rows in any order: `7Hd…:15:1x.z2.5`.
   * Several have spaces between them, in their order.
   */
  readonly entries: ReadonlyMap<string, string>
  readonly count: number
  /** Of all tables. */
  readonly rows: number
  /** Of SQL. */
  readonly bytes: number
}

/** The header of what comes before the first entry: the settings of the session. */
const SETTINGS = ''

/** Digests the SQL of an archive while it passes. */
export async function digestsOf(sql: AsyncIterable<Buffer>): Promise<Digests> {
  const entries = new Map<string, string>()
  const total = { count: 0, rows: 0, bytes: 0 }
  let current = started(SETTINGS)
  const finish = (): void => {
    const { header, hash, rows, lines } = current
    const digest = `${hash.digest('base64').slice(0, 24)}:${rows}${lines ? `:${lines.digest()}` : ''}`
    const others = entries.get(header)
    entries.set(header, others === undefined ? digest : `${others} ${digest}`)
  }
  const cutter = new SqlCutter({
    entry(header) {
      finish()
      if (header !== END) total.count++
      current = started(header)
    },
    bytes(piece) {
      current.hash.update(piece)
      current.lines?.update(piece)
      total.bytes += piece.length
    },
    rows(count) {
      current.rows += count
      total.rows += count
    },
  })
  for await (const piece of sql) cutter.push(piece)
  cutter.end()
  finish()
  return { entries, ...total }
}

interface Started {
  header: string
  hash: Hash
  rows: number
  /** Of the rows of a table. */
  lines: LineSet | undefined
}

function started(header: string): Started {
  const lines = header.startsWith('-- Data for ') && header.includes('; Type: TABLE DATA; ') ? new LineSet() : undefined
  return { header, hash: createHash('sha256'), rows: 0, lines }
}

/** An entry that is not the same in both archives. */
export interface Difference {
  /** The comment before it, as in `Digests`. */
  header: string
  what: 'missing' | 'added' | 'changed'
  /** Rows of a table, if the numbers differ. */
  rows?: readonly [before: number, after: number]
}

/** Compares the archive of a backup with that of its restoration. `wording`: also definitions; otherwise names, rows and other data. */
export function differences(before: Digests, after: Digests, wording: boolean): Difference[] {
  const found: Difference[] = []
  for (const [header, digests] of before.entries) {
    const now = after.entries.get(header)
    if (now === undefined) found.push({ header, what: 'missing' })
    else if ((wording || isData(header)) && !isSame(digests, now)) {
      const rows = [rowsOf(digests), rowsOf(now)] as const
      found.push({ header, what: 'changed', ...(rows[0] !== rows[1] && { rows }) })
    }
  }
  for (const header of after.entries.keys()) if (!before.entries.has(header)) found.push({ header, what: 'added' })
  return found
}

/** Rows, large objects and the states of sequences. */
function isData(header: string): boolean {
  return header.startsWith('-- Data for ') || header.includes('; Type: SEQUENCE SET; ')
}

/** Rows that COPY loads may come in another order. */
function isSame(before: string, after: string): boolean {
  if (sorted(before) === sorted(after)) return true
  const [was, is] = [before, after].map((digest) => digest.split(':'))
  return !before.includes(' ') && was![2] !== undefined && Number(was![1]) > 0 && was!.slice(1).join() === is!.slice(1).join()
}

/** Entries with the same comment, as operators of the same name have, may come in another order. */
function sorted(digests: string): string {
  return digests.includes(' ') ? digests.split(' ').toSorted().join(' ') : digests
}

function rowsOf(digests: string): number {
  return digests.split(' ').reduce((sum, digest) => sum + Number(digest.split(':')[1]), 0)
}

/** `TABLE DATA public.orders`, for messages. */
export function entryName(header: string): string {
  if (header === SETTINGS) return 'the settings of the archive'
  const bytes = Buffer.from(header, 'latin1')
  const text = isUtf8(bytes) ? bytes.toString() : header
  const [, name, kind, schema] = /^-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*); Owner: /s.exec(text) ?? []
  if (name === undefined) return text.slice(0, 200)
  return `${kind} ${schema === '-' ? '' : `${schema}.`}${name}`
}
