import { formatBytes, formatCount, formatShare, oneLine } from '../../report/format.ts'
import { code, table } from '../../report/markdown.ts'
import type { AddedByTable } from '../../sources/added.ts'
import type { Growth } from '../../sources/growth.ts'
import type { BackupResult } from './result.ts'

/** The largest tables and volumes and their growth, in Markdown; nothing where no size is known. */
export function largestTable(largest: readonly Growth[]): string[] {
  if (largest.length === 0) return []
  const compared = largest.some(({ before }) => before !== undefined)
  const rows = largest.map(({ source, table: name, bytes, before }) => [
    name === undefined ? code(source) : `${code(name)} of ${code(source)}`,
    formatBytes(bytes),
    ...(compared ? [growthText(bytes, before)] : []),
  ])
  const figures = ['Size at the source', ...(compared ? ['Since the backup before'] : [])]
  return [table(['Largest tables and volumes', ...figures], rows, figures)]
}

/** As many as a summary shows well: the other list of tables stands above it. */
const MOST_ADDED = 5

/** The tables for which most was added, in Markdown; nothing where nothing was added for tables. */
export function addedTable({ sources, added }: Pick<BackupResult, 'sources' | 'added'>): string[] {
  const rows = sources.flatMap(({ name, addedByTable }) => (addedByTable?.most ?? []).map((one) => ({ ...one, source: name })))
    .toSorted((one, other) => other.added - one.added)
    .slice(0, MOST_ADDED)
    .map((one) => [`${code(one.table)} of ${code(one.source)}`, formatBytes(one.added), formatShare(one.added, added)])
  return rows.length === 0 ? [] : [table(['Most was added for', 'Added', 'Of all that was added'], rows, 2)]
}

/** `12.0 MB added for public.orders, 3.0 MB for public.events, 1.0 MB for 7 other tables, 2.0 kB for what is in no table`. */
export function addedText({ most, others, rest }: AddedByTable, shown = most.length): string {
  const hidden = most.slice(shown)
  const more = { tables: others.tables + hidden.length, added: hidden.reduce((sum, { added }) => sum + added, others.added) }
  const parts = [
    ...most.slice(0, shown).map(({ table, added }) => [added, oneLine(table)] as const),
    ...(more.tables > 0 ? [[more.added, formatCount(more.tables, 'other table')] as const] : []),
    ...(rest > 0 ? [[rest, 'what is in no table'] as const] : []),
  ]
  return parts.map(([bytes, what], index) => `${formatBytes(bytes)}${index === 0 ? ' added' : ''} for ${what}`).join(', ')
}

/** `+12.0 MB`; `new` for what the backup before did not have. */
function growthText(bytes: number, before: number | null | undefined): string {
  if (before === undefined) return ''
  if (before === null) return 'new'
  if (bytes === before) return 'as before'
  return `${bytes > before ? '+' : '\u2212'}${formatBytes(Math.abs(bytes - before))}`
}
