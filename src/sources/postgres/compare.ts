import { formatBytes, formatColumns, oneLine } from '../../report/format.ts'
import type { StoredSource } from '../source-kind.ts'
import { changedDefinitions } from './definitions.ts'
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
  /**
   * Entries of the archive (`INDEX public orders_pkey app`), those of tables among them. `changed`: those whose owner or SQL differs,
   * without their owners; null if they were not compared, for the reason `uncompared`.
   */
  entries: { added: string[]; removed: string[]; changed: string[] | null; uncompared?: string }
}

interface TableSize {
  name: string
  rows: number | null
  bytes: number
  exact: boolean
}

export async function compareDatabases(before: StoredSource, after: StoredSource): Promise<DatabaseDifferences> {
  const [from, to] = [before, after].map(({ source }) => postgresFacts.safeParse(source.facts).data)
  if (!from || !to) return {}
  const listed = compareEntries(from.entries, to.entries)
  const definitions = otherWording(from, to) ?? (await changedDefinitions(before, after))
  const entries = typeof definitions === 'string'
    ? { ...listed, changed: null, uncompared: definitions }
    : {
        added: surplus(listed.added, definitions.map(({ entry, to: owner }) => `${entry} ${owner}`)),
        removed: surplus(listed.removed, definitions.map(({ entry, from: owner }) => `${entry} ${owner}`)),
        changed: definitions.filter(({ data }) => !data).map(({ entry }) => entry),
      }
  return { database: { settings: compareSettings(from, to), tables: compareTables(from, to), entries } }
}

/** Why equal definitions may be worded in two ways. */
function otherWording(from: PostgresFacts, to: PostgresFacts): string | undefined {
  const [dumped, dumps] = [from, to].map(({ dumpVersion }) => Number.parseInt(dumpVersion, 10))
  if (from.server.major !== to.server.major)
    return `the servers, PostgreSQL ${from.server.major} and ${to.server.major}, may word equal ones in two ways`
  if (dumped !== dumps) return `pg_dump ${dumped} and ${dumps} may word equal ones in two ways`
  const [before, after] = [from, to].map(({ session = {} }) => new Map(Object.entries(session)))
  const setting = [...before!].find(([name, value]) => after!.has(name) && after!.get(name) !== value)?.[0]
  return setting && `the setting ${setting} of the two backups differs, so that equal ones may be worded in two ways`
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

function compareEntries(from: readonly string[], to: readonly string[]): Pick<DatabaseDiff['entries'], 'added' | 'removed'> {
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
    ...(entries.changed ?? []).map((entry) => ['~', 'entry', oneLine(entry)]),
  ]
  const definitions = entries.changed ? ', and definitions' : ''
  return [
    rows.length === 0
      ? `  the same versions and settings, tables, numbers of rows and sizes, entries of the archive${definitions}`
      : formatColumns(rows, '  '),
    ...(entries.changed ? [] : [
      `  Definitions (columns, views, functions, privileges) were not compared: ${oneLine(entries.uncompared ?? '')}.`,
    ]),
    // A source that is the same, byte for byte, does not come here.
    '  Rows of tables were counted, not compared: values may differ. ' +
      'Where a number is "about", it and the size are estimates of the server.',
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
