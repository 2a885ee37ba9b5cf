import { LifeboatError } from '../../../error.ts'
import { BadSource } from '../../source.ts'
import { type AddedEntries, ContentsReader, POST_DATA, type RawEntry } from '../contents.ts'
import type { Format } from '../contents-form.ts'
import { type ArchiveForm, type ArchivePart, shown } from './archive-part.ts'
import { type DataEntry, readDataEntry, withPlace } from './data-entry.ts'
import { rowsOfPart } from './part-rows.ts'

/** An entry ends with the place of its data: this if it is not known, as in every archive that is written to a pipe. */
const KNOWN_PLACE = 2

/**
 * One custom-format archive out of the main archive and those of single tables: the entries of their rows come before the first entry that
 * needs all rows, and depend on their tables, as `pg_restore --jobs` expects; the rows follow those of the main archive. Passes through in
 * bounded memory. A part is opened only when its rows come, so that the table of contents is read without any. Throws BadSource for a part
 * that contradicts the main archive, or does not have exactly its rows.
 */
export async function* assembled(main: AsyncIterable<Buffer>, parts: readonly ArchivePart[]): AsyncGenerator<Buffer, void, void> {
  const added = new PartEntries(parts)
  const contents = new ContentsReader({ changes: { dropless: new Set(), first: '', added }, keeps: () => false })
  let reading = true
  for await (const piece of main) {
    if (!reading) yield piece
    else {
      reading = contents.push(piece)
      const passed = contents.passed()
      if (passed.length > 0) yield passed
    }
  }
  contents.finish()
  for (const part of parts) if (part.bytes) yield* rowsOfPart(part, part.bytes(), added.form!)
}

/** Reads the table of contents of a main archive. Throws as `assembled` does for recorded entries that contradict it. */
export async function formOf(main: AsyncIterable<Buffer>, parts: readonly ArchivePart[]): Promise<ArchiveForm> {
  const added = new PartEntries(parts)
  const contents = new ContentsReader({ changes: { dropless: new Set(), first: '', added }, keeps: () => false })
  for await (const piece of main) {
    const reading = contents.push(piece)
    contents.passed()
    if (!reading) break
  }
  contents.finish()
  return added.form!
}

/** The entries of the parts' rows, in the order of the parts. */
class PartEntries implements AddedEntries {
  readonly #parts: readonly ArchivePart[]
  readonly #least: number
  readonly #wanted: ReadonlySet<string>
  /** The ids of the tables in the main archive that have a part. */
  readonly #tables = new Map<string, number>()
  readonly #ofTables = new Set<string>()
  #encoding = ''
  #placed = false
  form: ArchiveForm | undefined

  constructor(parts: readonly ArchivePart[]) {
    this.#parts = parts
    this.#least = Math.min(...parts.map(({ id }) => id))
    this.#wanted = new Set(parts.map(keyOf))
  }

  get count(): number {
    return this.#parts.length
  }

  before(entry: RawEntry, format: Format): Buffer | undefined {
    const { id, kind, section, raw, sql } = entry
    if (id >= this.#least) throw new BadSource(`the main archive has an entry ${id}: the ids of the parts are not above all of its own`)
    if (raw[raw.length - format.position - 1] === KNOWN_PLACE)
      throw new BadSource('the main archive has places of its data, which a dump to a pipe does not know')
    if (kind === 'ENCODING') this.#encoding = sql()
    const key = keyOf(entry)
    if (this.#wanted.has(key)) {
      if (kind === 'TABLE') this.#tables.set(key, id)
      if (kind === 'TABLE DATA') this.#ofTables.add(key)
    }
    return section === POST_DATA && !this.#placed ? this.last(format) : undefined
  }

  last(format: Format): Buffer {
    if (this.#placed) return Buffer.alloc(0)
    this.#placed = true
    this.form = { ...format, encoding: this.#encoding }
    return Buffer.concat(this.#parts.map((part) => this.#entryOf(part, this.form!)))
  }

  #entryOf(part: ArchivePart, form: ArchiveForm): Buffer {
    const table = this.#tables.get(keyOf(part))
    if (table === undefined) throw new BadSource(`${shown(part)}: the main archive does not define that table`)
    if (this.#ofTables.has(keyOf(part))) throw new BadSource(`${shown(part)}: the main archive has rows of that table, too`)
    const entry = recordedEntry(part, form)
    if (entry.schema !== part.schema || entry.name !== part.name || entry.kind !== 'TABLE DATA')
      throw new BadSource(`${shown(part)}: the entry that the snapshot records is ${entry.kind} ${entry.schema}.${entry.name}`)
    if (!entry.hasData) throw new BadSource(`${shown(part)}: the entry that the snapshot records has no data`)
    return withPlace(entry, { id: part.id, table }, form)
  }
}

function recordedEntry(part: ArchivePart, form: ArchiveForm): DataEntry {
  try {
    return readDataEntry(part.entry, form)
  } catch (cause) {
    if (cause instanceof LifeboatError) throw new BadSource(`${shown(part)}: the entry that the snapshot records is malformed`, { cause })
    throw cause
  }
}

function keyOf({ schema, name }: { schema: string; name: string }): string {
  return `${schema}\0${name}`
}
