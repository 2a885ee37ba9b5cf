import { LifeboatError } from '../../../error.ts'
import { BadSource } from '../../source.ts'
import { type AddedEntries, ContentsReader, POST_DATA, type RawEntry } from '../contents.ts'
import type { Format } from '../contents-form.ts'
import {
  type ArchiveForm, type ArchivePart, assembledIds, isData, ofLargeObjects, type PartData, type PartEntry, shown, tablesOf,
} from './archive-part.ts'
import { type EntryBytes, movedEntry, readEntry } from './entry-bytes.ts'
import { assembledData, INTEGER } from './part-data.ts'

/** An entry ends with the place of its data: this if it is not known, as in every archive that is written to a pipe. */
const KNOWN_PLACE = 2

/**
 * One custom-format archive out of the main archive and its parts: their entries come before the first entry that needs all rows, and rows
 * depend on their tables, as `pg_restore --jobs` expects; the data follows that of the main archive. Passes through in bounded memory. A
 * part is opened only when its data comes, so that the table of contents is read without any; a pg_restore that wants data which `dataOf`
 * does not give fails. Throws BadSource for a part that contradicts the main archive.
 */
export async function* assembled<P extends ArchivePart>(
  main: AsyncIterable<Buffer>, parts: readonly P[], dataOf: (part: P) => PartData,
): AsyncGenerator<Buffer, void, void> {
  const contents = new ContentsReader({ changes: { dropless: new Set(), first: '', added: new PartEntries(parts) }, keeps: () => false })
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
  for (const part of parts) yield* assembledData(dataOf(part))
}

/** The entries of the parts, in their order. */
class PartEntries implements AddedEntries {
  readonly #parts: readonly ArchivePart[]
  readonly #least: number
  readonly #wanted: ReadonlySet<string>
  /** The ids of the tables in the main archive that have their rows in a part. */
  readonly #tables = new Map<string, number>()
  readonly #ofTables = new Set<string>()
  readonly #objects: ArchivePart | undefined
  #encoding = ''
  #placed = false

  constructor(parts: readonly ArchivePart[]) {
    this.#parts = parts
    this.#least = Math.min(...parts.map(({ id }) => id))
    this.#wanted = new Set(parts.flatMap((part) => tablesOf(part).map(keyOf)))
    this.#objects = parts.find(({ entries }) => entries.some(ofLargeObjects))
  }

  get count(): number {
    return this.#parts.reduce((sum, { entries }) => sum + entries.length, 0)
  }

  before(entry: RawEntry, format: Format): Buffer | undefined {
    const { id, kind, section, raw, sql } = entry
    if (format.integer !== INTEGER)
      throw new BadSource(`the main archive has integers of ${format.integer} bytes, and its parts have others`)
    if (id >= this.#least) throw new BadSource(`the main archive has an entry ${id}: the ids of the parts are not above all of its own`)
    if (raw[raw.length - format.position - 1] === KNOWN_PLACE)
      throw new BadSource('the main archive has places of its data, which a dump to a pipe does not know')
    if (this.#objects && ofLargeObjects(entry)) throw new BadSource(`${this.#objects.stream}: the main archive has large objects, too`)
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
    const form = { ...format, encoding: this.#encoding }
    return Buffer.concat(this.#parts.flatMap((part) => {
      const ids = assembledIds(part)
      return part.entries.map((entry) => this.#entryOf(part, entry, ids, form))
    }))
  }

  #entryOf({ stream }: ArchivePart, recorded: PartEntry, ids: ReadonlyMap<number, number>, form: ArchiveForm): Buffer {
    const isTable = recorded.kind === 'TABLE DATA'
    const table = this.#tables.get(keyOf(recorded))
    if (isTable && table === undefined) throw new BadSource(`${shown(stream, recorded)}: the main archive does not define that table`)
    if (isTable && this.#ofTables.has(keyOf(recorded)))
      throw new BadSource(`${shown(stream, recorded)}: the main archive has rows of that table, too`)
    const entry = recordedEntry(stream, recorded, form)
    if (entry.schema !== recorded.schema || entry.name !== recorded.name || entry.kind !== recorded.kind)
      throw new BadSource(`${shown(stream, recorded)}: the entry that the snapshot records is ${entry.kind} ${entry.schema}.${entry.name}`)
    if (entry.hasData !== isData(recorded))
      throw new BadSource(`${shown(stream, recorded)}: the entry that the snapshot records has no data`)
    return movedEntry(entry, ids.get(recorded.id)!, isTable ? [table!] : entry.needs.flatMap((need) => ids.get(need) ?? []), form)
  }
}

function recordedEntry(stream: string, recorded: PartEntry, form: ArchiveForm): EntryBytes {
  try {
    return readEntry(recorded.raw, form)
  } catch (cause) {
    if (cause instanceof LifeboatError)
      throw new BadSource(`${shown(stream, recorded)}: the entry that the snapshot records is malformed`, { cause })
    throw cause
  }
}

function keyOf({ schema, name }: { schema: string; name: string }): string {
  return `${schema}\0${name}`
}
