import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatSome } from '../../report/format.ts'
import type { Extent } from '../../repository/extent.ts'
import type { SourceRecord, StreamRecord } from '../../repository/snapshot.ts'
import type { PartlyRead, StoredSource } from '../source-kind.ts'
import { BadSource } from '../source.ts'
import { assembledIds, type PartEntry, tablesOf } from './archive-parts/archive-part.ts'
import { archiveOf, type StoredPart } from './archive-parts/stored-archive.ts'
import { ContentsReader, type Entry, type PassingEntry } from './contents.ts'
import { CsvRows } from './csv-rows.ts'
import { parentsOf } from './drill/statements.ts'
import { placeFacts } from './facts.ts'
import type { TableName } from './settings.ts'
import { tableElsewhere } from './table-elsewhere.ts'

/** How the rows of a table are written: as COPY … CSV HEADER writes them, or as SQL for psql. */
export type TableFormat = 'csv' | 'sql'

/**
 * The rows of one table in the archive of a database. Of its archives, tables of contents and these rows are read, or, where the
 * place of the rows is not recorded, all up to their end. No client program is needed. `into`: a schema that SQL makes the table in.
 */
export async function* extractTable(
  stored: PartlyRead, table: TableName, format: TableFormat, into?: string,
): AsyncGenerator<Buffer, void, void> {
  const { source } = stored
  const shown = typeof table === 'string' ? table : table.join('.')
  const defined = typeof table === 'string' ? table.split('.').at(-1)! : table[1]
  const { main, parts } = archiveOf(source)
  const head = await readHead(stored.read(main), shown, into === undefined ? undefined : defined)
  const found = choose({ ...head, parts }, table, source.name)
  const { entry, place, integer } = 'part' in found ? await placeInPart(stored, found) : {
    entry: found, place: { stream: main, ...placeInMain(source, main, found, head) }, integer: head.integer,
  }
  const csv = format === 'csv' ? CsvRows.of(entry) : undefined
  const elsewhere = into === undefined ? undefined : tableElsewhere(entry, head.definitions, into)
  const encoding = head.entries.find(({ kind }) => kind === 'ENCODING')?.definition ?? ''
  // In a transaction: psql takes the end of its input for the end of the rows, also where the rest is damaged.
  const { before, after } = elsewhere ?? { before: `\\set ON_ERROR_STOP on\nBEGIN;\n${entry.copy ?? ''}`, after: 'COMMIT;\n' }
  if (!csv) yield Buffer.from(`${encoding}\n${before}`)
  const rows = new TableData(entry.id, integer)
  for await (const piece of stored.readParts(place.stream, [place])) {
    // An archive that is not compressed has a block for each row: all that a piece has are given at once.
    const data = Buffer.concat([...rows.push(piece)])
    const text = csv ? csv.push(data) : data
    if (text.length > 0) yield text
    if (rows.ended) {
      if (!csv) yield Buffer.from(after)
      return
    }
  }
  throw new LifeboatError(`the archive of ${source.name} ends before the rows of the table`)
}

interface Head {
  entries: Entry[]
  /** The SQL of tables that have the name of the one that is wanted. */
  definitions: string[]
  /** The partitions of the one that is wanted. */
  partitions: string[]
  /** Bytes of an integer in the archive. */
  integer: number
  /** Size of the table of contents. */
  size: number
}

/** `wanted`: a table whose partitions are noted; `defined`: the name of tables whose definitions are. */
async function readHead(archive: AsyncIterable<Buffer>, wanted?: string, defined?: string): Promise<Head> {
  const definitions: string[] = []
  const partitions: string[] = []
  const keeps = (entry: PassingEntry): boolean => {
    const { kind, schema, name, sql } = entry
    const parents = wanted !== undefined && kind === 'TABLE ATTACH' ? parentsOf(entry).map(unquoted) : []
    if (parents.some((parent) => parent === wanted || parent.endsWith(`.${wanted}`)))
      partitions.push(`${schema}.${name}`)
    if (kind === 'TABLE' && defined !== undefined && (name === defined || name.endsWith(`.${defined}`))) definitions.push(sql())
    return kind === 'TABLE DATA' || kind === 'ENCODING'
  }
  const contents = new ContentsReader({ keeps, copies: true })
  let passed = 0
  for await (const piece of archive) {
    passed += piece.length
    if (!contents.push(piece)) break
  }
  return { entries: contents.finish(), definitions, partitions, integer: contents.integer, size: passed - contents.after.length }
}

/** The block of an entry in the main archive, or all data from the first block on. */
function placeInMain({ facts }: SourceRecord, { size: all }: StreamRecord, { id }: Entry, { size }: Head): Extent {
  const [, start = size, end = all] = placeFacts.safeParse(facts).data?.data?.find(([of]) => of === id) ?? []
  return { start, end }
}

/** The rows in a part. Throws if it does not have them where it should. */
async function placeInPart(
  { read }: StoredSource, { part: { record, blocks, ...part }, id, schema, name }: TableOfPart,
): Promise<{ entry: Entry; place: Extent & { stream: StreamRecord }; integer: number }> {
  const { entries, integer } = await readHead(read(record))
  const entry = entries.find((one) => one.id === id && one.kind === 'TABLE DATA' && one.schema === schema && one.name === name)
  const block = blocks.find((one) => one.id === assembledIds(part).get(id))
  if (!entry || !block) throw new BadSource(`${record.name} does not have the rows of ${schema}.${name}`)
  return { entry, place: { stream: record, start: block.start, end: block.end }, integer }
}

type TableOfPart = PartEntry & { part: StoredPart }

/** A name as SQL writes it, as it is. */
function unquoted(name: string): string {
  return name.replaceAll(/"((?:[^"]|"")+)"/g, (_, inner: string) => inner.replaceAll('""', '"'))
}

function choose(
  { entries, partitions, parts }: Pick<Head, 'entries' | 'partitions'> & { parts: readonly StoredPart[] }, table: TableName, source: string,
): Entry | TableOfPart {
  const ofParts = parts.flatMap((part) => tablesOf(part).map((entry) => ({ ...entry, part })))
  const tables: (Entry | TableOfPart)[] = [...entries.filter(({ kind }) => kind === 'TABLE DATA'), ...ofParts]
  const exact = tables.filter(({ schema, name }) =>
    typeof table === 'string' ? `${schema}.${name}` === table : schema === table[0] && name === table[1])
  const found = exact.length > 0 ? exact : tables.filter(({ name }) => name === table)
  if (found.length === 1) return found[0]!
  const shown = typeof table === 'string' ? table : table.join('.')
  if (found.length > 1)
    throw new LifeboatError(`${source} has several tables ${shown}: ${found.map(({ schema, name }) => `${schema}.${name}`).join(', ')}`, {
      hint: marked`Give ‹table› with its schema.`, status: 2,
    })
  if (partitions.length > 0)
    throw new LifeboatError(`${shown} in ${source} is partitioned, and its rows are in its partitions: ${formatSome(partitions, 20)}`, {
      hint: marked`Extract each of them, as ‹table›.`, status: 2,
    })
  throw new LifeboatError(`${source} has no rows of a table ${shown} in this snapshot`, {
    hint: marked`Names are case-sensitive, without quotation marks: public.orders. ‹lifeboat show› lists the tables.` +
      (shown.includes(',') ? ' One table is extracted at a time.' : ''),
    status: 2,
  })
}

const TABLE_ROWS = 1
const LARGE_OBJECTS = 3

type Step = 'type' | 'id' | 'length' | 'object' | 'data'

/** The data of one entry, out of the data after the table of contents of an uncompressed archive (data-blocks.ts has its form). */
class TableData {
  readonly #id: number
  readonly #integer: number
  #rest: Buffer = Buffer.alloc(0)
  #step: Step = 'type'
  #type = 0
  #wanted = false
  #left = 0
  ended = false

  constructor(id: number, integer: number) {
    this.#id = id
    this.#integer = integer
  }

  /** The pieces of the entry in these bytes. Throws if they are of another form. */
  *push(bytes: Buffer): Generator<Buffer, void, void> {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    while (!this.ended) {
      const left = all.length - at
      if (this.#step === 'data') {
        const took = Math.min(left, this.#left)
        if (this.#wanted && took > 0) yield all.subarray(at, at + took)
        at += took
        this.#left -= took
        if (this.#left > 0) break
        this.#step = 'length'
      } else {
        const size = this.#step === 'type' ? 1 : 1 + this.#integer
        if (left < size) break
        this.#take(this.#step === 'type' ? all[at]! : all.readUIntLE(at + 1, this.#integer), all[at]!)
        at += size
      }
    }
    this.#rest = Buffer.from(all.subarray(at))
  }

  /** Takes a type, or a number and its sign. */
  #take(value: number, sign: number): void {
    if (this.#step === 'type') {
      if (value !== TABLE_ROWS && value !== LARGE_OBJECTS) throw unknownForm()
      this.#type = value
      this.#step = 'id'
    } else if (this.#step === 'id') {
      this.#wanted = value === this.#id
      this.#step = this.#type === LARGE_OBJECTS ? 'object' : 'length'
    } else if (this.#step === 'object') this.#step = value === 0 ? 'type' : 'length'
    else if (sign !== 0) throw unknownForm()
    else if (value > 0) {
      this.#left = value
      this.#step = 'data'
    } else if (this.#type === LARGE_OBJECTS) this.#step = 'object'
    else {
      this.ended = this.#wanted
      this.#step = 'type'
    }
  }
}

function unknownForm(): LifeboatError {
  return new LifeboatError('the data of the archive has another form than pg_dump writes', {
    hint: 'Extract the whole archive, and use pg_restore --data-only --table.',
  })
}
