import { createHash, hash, type Hash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { isRange, type ObjectCutter, objectCutter, type ObjectSink } from './large-objects.ts'
import { LineSet } from './line-set.ts'
import { inOrder, listsRoles } from './role-lists.ts'
import { DATA, END, SqlCutter } from './sql-cutter.ts'

/** Digests of the entries of an archive: short texts, as there may be hundreds of thousands. */
export interface Digests {
  /**
   * By `keyOf` of the comment before an entry: digest and number of rows of each entry with that comment, and of a table the digest of its
   * rows in any order: `7Hd…:15:1x.z2.5`. Several have spaces between them, in their order.
   */
  readonly entries: Map<string, string>
  readonly count: number
  /** Of all tables. */
  readonly rows: number
  /** Of SQL. */
  readonly bytes: number
}

/** The header of what comes before the first entry: the settings of the session. */
const SETTINGS = ''

/**
 * pg_dump writes this before rows that are loaded through the root of their partitions, which may put them into others (pg_dump.c:
 * dumpTableData). The rows of all partitions of a root have one digest.
 */
const THROUGH_ROOT = '-- load via partition root '
/** The lines between the header of an entry and its first own line. */
const COMMENT_END = new Set(['--\n', '\n'])
/** The digest of each entry of such rows. */
const IN_ROOT = 'root:0'

/** Digests the SQL of an archive while it passes. */
export async function digestsOf(sql: AsyncIterable<Buffer>): Promise<Digests> {
  const entries = new Map<string, string>()
  const total = await eachEntry(sql, (header, digest) => append(entries, keyOf(header), digest))
  return { entries, ...total }
}

/** 16 bytes as base64: the headers of hundreds of thousands of entries take too much memory. */
function keyOf(header: string): string {
  return hash('sha256', Buffer.from(header, 'latin1'), 'buffer').toString('base64', 0, 16)
}

function append(texts: Map<string, string>, key: string, text: string): void {
  const others = texts.get(key)
  texts.set(key, others === undefined ? text : `${others} ${text}`)
}

async function eachEntry(sql: AsyncIterable<Buffer>, take: (header: string, digest: string) => void): Promise<Omit<Digests, 'entries'>> {
  const total = { count: 0, rows: 0, bytes: 0 }
  const roots = new Map<string, Together>()
  const ranges = new Map<string, Together>()
  const digester = new Digester()
  const ofObjects = new Digester()
  const objects: ObjectSink = {
    piece: (bytes) => ofObjects.update(bytes),
    end(range) {
      const together = among(ranges, range)
      together.lines.update(Buffer.from(`${ofObjects.digest()}\n`))
      if (range.startsWith(DATA)) together.rows++
    },
  }
  let current = started(SETTINGS, objects)
  const finish = (): void => {
    const { header, rows, lines, root, held } = current
    if (held) digester.update(Buffer.from(inOrder(header, Buffer.concat(held).toString('latin1')), 'latin1'))
    const digest = digester.digest()
    if (isLeftOut(header)) return
    if (header !== SETTINGS && header !== END) total.count++
    if (current.objects) return
    if (root && lines) {
      const together = among(roots, root)
      together.rows += rows
      together.lines.add(lines)
    }
    take(header, root ? IN_ROOT : flat(`${digest}:${rows}${lines ? `:${lines.digest()}` : ''}`))
  }
  const cutter = new SqlCutter({
    entry(header) {
      finish()
      current = started(header, objects)
    },
    bytes(piece, insert) {
      total.bytes += piece.length
      if (current.objects) return current.objects.line(piece)
      if (current.lines && current.root === undefined && !COMMENT_END.has(piece.toString('latin1', 0, 3))) current.root = rootIn(piece)
      if (current.held) current.held.push(Buffer.from(piece))
      else digester.update(piece)
      if (insert) current.lines?.insert(piece, insert)
      else current.lines?.update(piece)
    },
    rows(count) {
      current.rows += count
      total.rows += count
    },
  })
  for await (const piece of sql) cutter.push(piece)
  cutter.end()
  finish()
  for (const [root, { rows, lines }] of roots)
    take(`${DATA}Name: ${root}; Type: TABLE DATA; Schema: -; Owner: `, `root:${rows}:${lines.digest()}`)
  for (const [range, { rows, lines }] of ranges) take(range, `objects:${rows}:${lines.digest()}`)
  return total
}

/** Several entries together have these rows, or large objects. */
interface Together {
  rows: number
  lines: LineSet
}

function among(all: Map<string, Together>, name: string): Together {
  const together = all.get(name) ?? { rows: 0, lines: new LineSet() }
  all.set(name, together)
  return together
}

/** User mappings are not restored: `listIds`. */
function isLeftOut(header: string): boolean {
  const type = header.slice(header.lastIndexOf('; Type: ')) // A name may have this text, too.
  return header.startsWith('-- Name: USER MAPPING ') && type.startsWith('; Type: USER MAPPING; Schema: -; Owner: ')
}

/** The same text in one piece: V8 keeps a text that is put together as its parts, in several times the memory. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function rootIn(line: Buffer): string {
  const text = line.toString('latin1')
  return text.startsWith(THROUGH_ROOT) ? text.slice(THROUGH_ROOT.length).trimEnd() : ''
}

interface Started {
  header: string
  rows: number
  /** Of the rows of a table. */
  lines: LineSet | undefined
  /** The root through which they are loaded, or an empty text; undefined before their first line. */
  root?: string
  /** The SQL of an entry that lists roles. */
  held: Buffer[] | undefined
  objects: ObjectCutter | undefined
}

function started(header: string, sink: ObjectSink): Started {
  const lines = header.startsWith(DATA) && header.includes('; Type: TABLE DATA; ') ? new LineSet() : undefined
  return { header, rows: 0, lines, held: listsRoles(header) ? [] : undefined, objects: objectCutter(header, sink) }
}

/** SHA-256 of one text after the other. A `Hash` of node holds memory until it is collected, so that only long texts get one. */
class Digester {
  readonly #held = Buffer.alloc(64 * 1024)
  #size = 0
  #long: Hash | undefined

  update(piece: Buffer): void {
    if (this.#long === undefined && this.#size + piece.length <= this.#held.length) this.#size += piece.copy(this.#held, this.#size)
    else {
      this.#long ??= createHash('sha256').update(this.#held.subarray(0, this.#size))
      this.#long.update(piece)
    }
  }

  /** Of the bytes since the last call. */
  digest(): string {
    const digest = this.#long?.digest() ?? hash('sha256', this.#held.subarray(0, this.#size), 'buffer')
    this.#size = 0
    this.#long = undefined
    return digest.toString('base64', 0, 18)
  }
}

/** An entry that is not the same in both archives. */
export interface Difference {
  /** The comment before it. */
  header: string
  what: 'missing' | 'added' | 'changed'
  /** Rows of a table, or large objects, if the numbers differ. */
  rows?: readonly [before: number, after: number]
}

/**
 * Compares the archive of a backup with `after`, that of its restoration. `wording`: also definitions; otherwise names, rows and other
 * data, and all of large objects, whose statements are the same in all majors. Takes the entries that are equal out of `before`. `again`:
 * the backup's archive, which is read once more if entries are missing.
 */
export async function differences(
  before: Digests,
  after: AsyncIterable<Buffer>,
  wording: boolean,
  again: () => AsyncIterable<Buffer>,
): Promise<Difference[]> {
  const { entries } = before
  const others = new Map<string, string>()
  await eachEntry(after, (header, digest) => {
    const key = keyOf(header)
    const known = entries.get(key)?.split(' ') ?? []
    const same = known.findIndex((one) => (!wording && !isData(header) && !isRange(header)) || isSame(one, digest))
    if (same < 0) append(others, header, digest)
    else if (known.length === 1) entries.delete(key)
    else entries.set(key, known.toSpliced(same, 1).join(' '))
  })
  const found: Difference[] = []
  for (const [header, now] of others) {
    const [key, is] = [keyOf(header), rowsOf(now)]
    const was = entries.get(key)
    if (was === undefined) found.push({ header, what: 'added' })
    else found.push({ header, what: 'changed', ...(rowsOf(was) !== is && { rows: [rowsOf(was), is] as const }) })
    entries.delete(key)
  }
  if (entries.size === 0) return found
  await eachEntry(again(), (header) => {
    if (entries.delete(keyOf(header))) found.push({ header, what: 'missing' })
  })
  return found
}

/** Rows, large objects and the states of sequences. */
function isData(header: string): boolean {
  return header.startsWith(DATA) || header.includes('; Type: SEQUENCE SET; ')
}

/** Rows may come in another order. */
function isSame(before: string, after: string): boolean {
  if (before === after) return true
  const [was, is] = [before, after].map((digest) => digest.split(':'))
  return was![2] !== undefined && Number(was![1]) > 0 && was!.slice(1).join() === is!.slice(1).join()
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
