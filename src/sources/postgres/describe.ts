import { z } from 'zod'
import { formatBytes, formatColumns, formatCount, oneLine } from '../../report/format.ts'
import { addedText } from '../added.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import type { Remarks } from '../source-kind.ts'
import { ofLargeObjects, tablesOf } from './archive-parts/archive-part.ts'
import type { LargeTable } from './dump/plan.ts'
import { type PostgresFacts, postgresFacts, rowCount, type RowCount } from './facts.ts'

export type DatabaseDetails = {
  /** `entries` counts those of the archive. `parts`: archives with the rows of large tables. */
  database?: Omit<PostgresFacts, 'entries' | 'parts'> & { entries: number; parts?: ShownPart[] }
}

interface ShownPart {
  stream: string
  tables: LargeTable[]
  largeObjects: boolean
}

export function describeDatabase({ facts }: SourceRecord): DatabaseDetails {
  const database = postgresFacts.safeParse(facts).data
  if (!database) return {}
  const { entries, parts, ...others } = database
  const shown = parts && { parts: parts.map((part): ShownPart => ({
    stream: part.stream,
    tables: tablesOf(part).map(({ schema, name }) => ({ schema, name })),
    largeObjects: part.entries.some(ofLargeObjects),
  })) }
  return { database: { ...others, entries: entries.length, ...shown } }
}

/** Tables that are named. */
const MOST_ADDED = 10

export function databaseText({ database: described }: DatabaseDetails): string[] {
  if (!described) return []
  const {
    server, database, where, dumpVersion, encoding, collation, databaseSize, extensions, tables, entries, globals, parts = [], addedByTable,
  } = described
  const facts = [
    ['database', `${oneLine(database)}${databaseSize === null ? '' : `, ${formatBytes(databaseSize)} on the server`}`],
    ...(where === undefined ? [] : [['from', oneLine(where)]]),
    ['server', `PostgreSQL ${oneLine(server.version)}, ${oneLine(encoding)}, ${oneLine(collation)}; pg_dump ${oneLine(dumpVersion)}`],
    ['extensions', extensions.map(({ name, version }) => `${oneLine(name)} ${oneLine(version)}`).join(', ') || 'none'],
    [
      'globals',
      'reason' in globals ? `not in it: ${oneLine(globals.reason)}` : `in it, ${globals.passwords ? 'with' : 'without'} passwords of roles`,
    ],
    ['archive', formatCount(entries, 'entry', 'entries') + partsText(parts)],
    ...(addedByTable ? [['added', addedText(addedByTable, MOST_ADDED)]] : []),
  ]
  const largestFirst = tables.toSorted((a, b) => b.bytes - a.bytes)
  const rows = largestFirst.map(({ schema, name, rows, bytes, partitioned, archived }) => [
    `${oneLine(schema)}.${oneLine(name)}`, rowsText(rowCount({ rows, archived })), archived ? formatBytes(archived.bytes) : '',
    sizeText(rows, bytes, partitioned), partitioned ? 'partitioned' : '',
  ])
  return [
    formatColumns(facts, '  '),
    ...(rows.length > 0 ? [formatColumns([['TABLE', 'ROWS', 'IN THE ARCHIVE', 'ON THE SERVER', ''], ...rows], '    ')] : []),
  ]
}

function partsText(parts: readonly ShownPart[]): string {
  const tables = parts.reduce((sum, part) => sum + part.tables.length, 0)
  if (parts.length === 0) return ''
  const content = [
    ...(tables > 0 ? [formatCount(tables, 'large table', 'large tables')] : []),
    ...(parts.some(({ largeObjects }) => largeObjects) ? ['the large objects'] : []),
  ]
  return `; ${content.join(' and ')} in ${formatCount(parts.length, 'archive', 'archives')} beside it`
}

/** `1,234`, or `about 1,234` for an estimate. A table that was never analysed has none. */
export function rowsText({ rows, exact }: RowCount): string {
  return rows === null ? 'unknown' : `${exact ? '' : 'about '}${rows.toLocaleString('en-US')}`
}

/** The size of a table is an estimate of the same time as that of its rows, and wrong if there was none. */
function sizeText(rows: number | null, bytes: number, partitioned: boolean): string {
  if (partitioned) return formatBytes(bytes)
  return rows === null ? 'unknown' : `about ${formatBytes(bytes)}`
}

const remarked = postgresFacts.pick({ globals: true, warnings: true, omitted: true }).strip()

const original = z.object(postgresFacts.pick({ database: true }).shape)

/** The name of the database that was backed up. */
export function originalDatabase(facts: unknown): string | undefined {
  return original.safeParse(facts).data?.database
}

/** A list of snapshots asks this of each, so that only these facts are parsed. */
export function remarksOnDatabase(facts: unknown): Remarks {
  const { globals, warnings = [], omitted = [] } = remarked.safeParse(facts).data ?? {}
  const roles = globals && 'reason' in globals ? [`roles and tablespaces are not in it: ${globals.reason}`] : []
  const partial = [...omitted.map((omission) => (omission.startsWith('-') ? `pg_dump ran with ${omission}` : omission)), ...roles]
  return { ...(partial.length > 0 && { partial }), ...(warnings.length > 0 && { warnings: [...warnings] }) }
}
