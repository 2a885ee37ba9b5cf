import { isDeepStrictEqual } from 'node:util'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { shown } from '../archive-parts/archive-part.ts'
import { readDataEntry } from '../archive-parts/data-entry.ts'
import type { PostgresFacts, Table } from '../facts.ts'
import { identifier } from '../query.ts'
import type { RowCounter } from '../row-counter.ts'
import type { DumpedArchive } from './archive-dump.ts'
import type { LargeTable } from './plan.ts'

/** The archive of one table. */
export interface DumpedPart extends LargeTable {
  stream: string
  archive?: DumpedArchive
}

/** The pattern of pg_dump that only this table matches: between quotes, nothing is special (PostgreSQL documentation, psql, "Patterns"). */
export function patternOf({ schema, name }: LargeTable): string {
  return `${identifier(schema)}.${identifier(name)}`
}

type ArchiveFacts = Pick<PostgresFacts, 'dumpVersion' | 'entries' | 'tables' | 'data' | 'parts'>

/** The facts of a main archive and those of single tables, which together are one. */
export function archiveFactsOf(
  { listing: { dumpVersion, entries }, rows }: DumpedArchive, parts: readonly DumpedPart[], tables: readonly Table[],
): ArchiveFacts {
  const places = rows.places()
  const contents = parts.length > 0 ? rows.contents() : undefined
  const recorded = parts.map((part, index) => recordedPart(part, contents, index))
  const archives = [rows, ...parts.flatMap(({ archive }) => archive?.rows ?? [])]
  return {
    tables: withArchived(tables, archives.flatMap((archive) => archive.finish())),
    dumpVersion,
    entries: [...entries, ...parts.flatMap(({ archive }) => archive?.listing.entries.filter(isRows) ?? [])],
    ...(places && { data: places.map(({ id, start, end }): [number, number, number] => [id, start, end]), sums: rows.sums() }),
    ...(recorded.length > 0 && { parts: recorded }),
  }
}

/** Throws if the two archives cannot be read as one, so that a backup that no restore could read is never stored. */
function recordedPart(
  part: DumpedPart, main: ReturnType<RowCounter['contents']>, index: number,
): NonNullable<PostgresFacts['parts']>[number] {
  const { stream, schema, name, archive } = part
  const [id, head] = [(main?.highest ?? 0) + 1 + index, archive?.head]
  if (!main || !head?.format) throw unfit(part, 'pg_dump wrote another form of archive than is known')
  if (!isDeepStrictEqual(main.format, head.format)) throw unfit(part, 'the archive has another form than the main archive')
  const rows = readDataEntry(head.entry, { ...head.format, encoding: head.encoding })
  if (rows.schema !== schema || rows.name !== name || !rows.hasData)
    throw unfit(part, `pg_dump wrote the rows of ${rows.schema}.${rows.name}`)
  if (main.rows.some((entry) => entry.schema === schema && entry.name === name))
    throw unfit(part, 'the main archive has rows of that table, too')
  return { stream, schema, name, id, entry: head.entry.toString('base64') }
}

function unfit(part: DumpedPart, why: string): LifeboatError {
  return new LifeboatError(`${shown(part)}: ${why}`, { hint: marked`Back up with ‹dump-jobs: 1›, and report it.` })
}

const isRows = (entry: string): boolean => /^\d+; \d+ \d+ TABLE DATA /.test(entry)

function withArchived(tables: readonly Table[], counted: ReturnType<RowCounter['finish']>): Table[] {
  const archived = new Map(counted.map(({ schema, name, rows, bytes }) => [JSON.stringify([schema, name]), { rows, bytes }]))
  return tables.map((table) => {
    const own = archived.get(JSON.stringify([table.schema, table.name]))
    return own ? { ...table, archived: own } : table
  })
}
