import { formatBytes, formatColumns, oneLine } from '../../report/format.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { rowsText } from './describe.ts'
import { type PostgresFacts, postgresFacts, type Table } from './facts.ts'

export type DatabaseDifferences = { database?: DatabaseDiff }

interface Changed<T> {
  from: T
  to: T
}

export interface DatabaseDiff {
  /** Versions, encoding and extensions that differ, by name; null if there was or is none. */
  settings: (Changed<string | null> & { name: string })[]
  /**
   * `schema.table`. Rows and bytes are those in the archives if both were counted (`exact`), else the server's estimates; rows are null if
   * it had none. Tables with the same figures are left out, whether or not their content is the same.
   */
  tables: Record<'added' | 'removed', TableSize[]> & {
    changed: { name: string; rows: Changed<number | null>; bytes: Changed<number>; exact: boolean }[]
  }
  /** Entries of the archive (`INDEX public orders_pkey app`), those of tables among them. */
  entries: { added: string[]; removed: string[] }
}

interface TableSize {
  name: string
  rows: number | null
  bytes: number
  exact: boolean
}

export function compareDatabases(before: SourceRecord, after: SourceRecord): DatabaseDifferences {
  const [from, to] = [postgresFacts.safeParse(before.facts).data, postgresFacts.safeParse(after.facts).data]
  if (!from || !to) return {}
  return {
    database: { settings: compareSettings(from, to), tables: compareTables(from, to), entries: compareEntries(from.entries, to.entries) },
  }
}

function compareSettings(from: PostgresFacts, to: PostgresFacts): DatabaseDiff['settings'] {
  const [before, after] = [settingsOf(from), settingsOf(to)]
  const settings = [...new Set([...before.keys(), ...after.keys()])].map((name) => ({
    name,
    from: before.get(name) ?? null,
    to: after.get(name) ?? null,
  }))
  return settings.filter(({ from, to }) => from !== to)
}

function settingsOf({ server, dumpVersion, encoding, collation, extensions }: PostgresFacts): Map<string, string> {
  return new Map([
    ['server', server.version],
    ['pg_dump', dumpVersion],
    ['encoding', encoding],
    ['collation', collation],
    ...extensions.map(({ name, version }): [string, string] => [`extension ${name}`, version]),
  ])
}

function compareTables(from: PostgresFacts, to: PostgresFacts): DatabaseDiff['tables'] {
  const [before, after] = [tablesOf(from), tablesOf(to)]
  const changed = [...after].flatMap(([name, table]) => {
    const old = before.get(name)
    if (!old) return []
    const exact = old.archived !== undefined && table.archived !== undefined
    const [was, is] = [sizeOf(old, exact), sizeOf(table, exact)]
    return was.rows === is.rows && was.bytes === is.bytes
      ? []
      : [{ name, rows: { from: was.rows, to: is.rows }, bytes: { from: was.bytes, to: is.bytes }, exact }]
  })
  return { added: without(after, before), removed: without(before, after), changed }
}

function without(tables: ReadonlyMap<string, Table>, others: ReadonlyMap<string, Table>): TableSize[] {
  return [...tables].filter(([name]) => !others.has(name)).map(([name, table]) => ({ name, ...sizeOf(table, true) }))
}

function tablesOf({ tables }: PostgresFacts): Map<string, Table> {
  return new Map(tables.map((table) => [`${table.schema}.${table.name}`, table]))
}

/** By the archive, if it is wanted and was counted. */
function sizeOf({ rows, bytes, archived }: Table, exact: boolean): Omit<TableSize, 'name'> {
  return exact && archived ? { ...archived, exact: true } : { rows, bytes, exact: false }
}

function compareEntries(from: readonly string[], to: readonly string[]): DatabaseDiff['entries'] {
  const [before, after] = [from.map(withoutNumbers), to.map(withoutNumbers)]
  return { added: surplus(after, before), removed: surplus(before, after) }
}

/** Lines of `pg_restore --list` begin with numbers that differ from dump to dump. */
function withoutNumbers(entry: string): string {
  return entry.replace(/^\d+; \d+ \d+ /, '')
}

/** Those of `texts` that are not in `others`, each as often as it occurs more often. */
function surplus(texts: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const text of others) counts.set(text, (counts.get(text) ?? 0) + 1)
  return texts.filter((text) => {
    const left = counts.get(text) ?? 0
    counts.set(text, left - 1)
    return left <= 0
  })
}

/** Only the sign distinguishes an added table from a removed one, so it comes first. */
export function databaseDiffText({ database }: DatabaseDifferences): string[] {
  if (!database) return []
  const { settings, tables, entries } = database
  const rows = [
    ...settings.map(({ name, from, to }) => [
      signOf(from, to),
      oneLine(name),
      [from, to]
        .filter((text) => text !== null)
        .map(oneLine)
        .join(' -> '),
    ]),
    ...tables.removed.map((table) => ['-', `table ${oneLine(table.name)}`, sized(table)]),
    ...tables.added.map((table) => ['+', `table ${oneLine(table.name)}`, sized(table)]),
    ...tables.changed.map(({ name, rows, bytes, exact }) => [
      '~',
      `table ${oneLine(name)}`,
      `${changedText(rows, (count) => rowsText({ rows: count, exact }))} rows, ${changedText(bytes, formatBytes)}`,
    ]),
    ...entries.removed.map((entry) => ['-', 'entry', oneLine(entry)]),
    ...entries.added.map((entry) => ['+', 'entry', oneLine(entry)]),
  ]
  return [
    rows.length === 0
      ? '  the same versions and settings, tables, numbers of rows and sizes, and entries of the archive'
      : formatColumns(rows, '  '),
    '  Definitions (columns, views, functions, privileges) were not compared.',
    '  Rows of tables were counted, not compared; where a number is "about", it and the size are estimates of the server.',
  ]
}

function sized({ rows, bytes, exact }: TableSize): string {
  return `${rowsText({ rows, exact })} rows, ${formatBytes(bytes)}`
}

function signOf(from: string | null, to: string | null): string {
  return from === null ? '+' : to === null ? '-' : '~'
}

function changedText<T>({ from, to }: Changed<T>, format: (value: T) => string): string {
  return from === to ? format(to) : `${format(from)} -> ${format(to)}`
}
