import { isDeepStrictEqual } from 'node:util'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatSome } from '../../../report/format.ts'
import { isData, ofLargeObjects, tablesOf } from '../archive-parts/archive-part.ts'
import { INTEGER } from '../archive-parts/part-data.ts'
import type { PostgresFacts, Table } from '../facts.ts'
import { identifier } from '../query.ts'
import type { RowCounter } from '../row-counter.ts'
import type { DumpedArchive } from './archive-dump.ts'
import type { LargeTable, PartPlan } from './plan.ts'

/** The archive of some large tables, or of the large objects. */
export interface DumpedPart extends PartPlan {
  stream: string
  archive?: DumpedArchive
}

/** The pattern of pg_dump that only this table matches: between quotes, nothing is special (PostgreSQL documentation, psql, "Patterns"). */
function patternOf({ schema, name }: LargeTable): string {
  return `${identifier(schema)}.${identifier(name)}`
}

/** Of pg_dump, for the main archive. */
export function argumentsOfMain(parts: readonly PartPlan[]): string[] {
  const tables = parts.flatMap((part) => part.tables.map((table) => `--exclude-table-data=${patternOf(table)}`))
  return parts.some(({ largeObjects }) => largeObjects) ? ['--no-blobs', ...tables] : tables
}

/**
 * Large objects come with their owners, privileges and comments, although the rest is only data. Without schemas there are no tables:
 * with 50,000 tables, pg_dump takes 0.4 s of CPU time for it, and 2.6 s for `--exclude-table=*.*`, of which it makes a list.
 */
export function argumentsOfPart({ tables, largeObjects }: PartPlan): string[] {
  const selected = tables.length > 0 ? tables.map((table) => `--table=${patternOf(table)}`) : ['--exclude-schema=*']
  return ['--data-only', '--strict-names', ...selected, ...(largeObjects ? ['--blobs'] : [])]
}

type ArchiveFacts = Pick<PostgresFacts, 'dumpVersion' | 'entries' | 'tables' | 'data' | 'sums' | 'parts'>
type PartFacts = NonNullable<PostgresFacts['parts']>[number]

/** The facts of a main archive and of its parts, which together are one. */
export function archiveFactsOf(
  { listing: { dumpVersion, entries }, rows }: DumpedArchive, parts: readonly DumpedPart[], tables: readonly Table[],
): ArchiveFacts {
  const contents = parts.length > 0 ? rows.contents() : undefined
  let next = (contents?.highest ?? 0) + 1
  const recorded = parts.map((part) => {
    const facts = recordedPart(part, contents, next)
    next += facts.entries.length
    return facts
  })
  const archives = [rows, ...parts.flatMap(({ archive }) => archive?.rows ?? [])]
  return {
    tables: withArchived(tables, archives.flatMap((archive) => archive.finish())),
    dumpVersion,
    entries: [...entries, ...parts.flatMap(listedEntries)],
    ...placesOf(rows),
    ...(recorded.length > 0 && { parts: recorded }),
  }
}

function placesOf(rows: RowCounter): Pick<PartFacts, 'data' | 'sums'> | undefined {
  const places = rows.places()
  return places && { data: places.map(({ id, start, end }): [number, number, number] => [id, start, end]), sums: rows.sums() }
}

/** The lines of `pg_restore --list` without those of settings. */
function listedEntries({ archive }: DumpedPart): string[] {
  const ids = new Set(archive?.head?.entries.map(({ id }) => id))
  return archive?.listing.entries.filter((line) => ids.has(Number.parseInt(line, 10))) ?? []
}

/** `id`: that of its first entry. Throws if the two archives cannot be read as one, so that such a backup is never stored. */
function recordedPart(part: DumpedPart, main: ReturnType<RowCounter['contents']>, id: number): PartFacts {
  const { stream, archive } = part
  const { head } = archive ?? {}
  const places = archive && placesOf(archive.rows)
  if (!main || !head?.format || !places || head.format.integer !== INTEGER)
    throw unfit(part, 'pg_dump wrote another form of archive than is known')
  if (!isDeepStrictEqual(main.format, head.format) || main.encoding !== head.encoding)
    throw unfit(part, 'the archive has another form than the main archive')
  const wrong = difference(head.entries, part)
  if (wrong.length > 0) throw unfit(part, `pg_dump wrote other rows: ${formatSome(wrong, MOST_NAMED)}`)
  if (places.data.length !== head.entries.filter(isData).length) throw unfit(part, 'the archive has no rows of some of them')
  const twice = tablesOf(head).filter((table) => main.rows.some((entry) => isSame(entry, table)))
  if (twice.length > 0) throw unfit({ ...part, tables: twice }, 'the main archive has rows of that table, too')
  return { stream, id, entries: head.entries.map(({ raw, ...entry }) => ({ ...entry, raw: raw.toString('base64') })), ...places }
}

const MOST_NAMED = 10

/** Entries that were not asked for, and tables that are missing. The plan has no table that pg_dump was told to leave out. */
function difference(entries: readonly (LargeTable & { kind: string })[], { tables, largeObjects }: PartPlan): string[] {
  const wanted = (entry: LargeTable & { kind: string }): boolean =>
    entry.kind === 'TABLE DATA' ? tables.some((table) => isSame(entry, table)) : largeObjects && ofLargeObjects(entry)
  const unasked = entries.filter((entry) => !wanted(entry))
  const rows = tablesOf({ entries })
  const missing = tables.filter((table) => !rows.some((entry) => isSame(entry, table)))
  return [
    ...unasked.map(({ kind, schema, name }) => `${kind} ${schema}.${name}`), ...missing.map(({ schema, name }) => `not ${schema}.${name}`),
  ]
}

function isSame(a: LargeTable, b: LargeTable): boolean {
  return a.schema === b.schema && a.name === b.name
}

function unfit({ stream, tables, largeObjects }: DumpedPart, why: string): LifeboatError {
  const names = [...tables.map(({ schema, name }) => `the rows of ${schema}.${name}`), ...(largeObjects ? ['large objects'] : [])]
  return new LifeboatError(`${stream}, ${formatSome(names, MOST_NAMED)}: ${why}`, {
    hint: marked`Back up with ‹dump-jobs: 1›, and report it.`,
  })
}

function withArchived(tables: readonly Table[], counted: ReturnType<RowCounter['finish']>): Table[] {
  const archived = new Map(counted.map(({ schema, name, rows, bytes }) => [JSON.stringify([schema, name]), { rows, bytes }]))
  return tables.map((table) => {
    const own = archived.get(JSON.stringify([table.schema, table.name]))
    return own ? { ...table, archived: own } : table
  })
}
