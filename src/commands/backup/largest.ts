import { formatBytes, formatShare } from '../../report/format.ts'
import { code, table } from '../../report/markdown.ts'
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

/** `+12.0 MB`; `new` for what the backup before did not have. */
function growthText(bytes: number, before: number | null | undefined): string {
  if (before === undefined) return ''
  if (before === null) return 'new'
  if (bytes === before) return 'as before'
  return `${bytes > before ? '+' : '\u2212'}${formatBytes(Math.abs(bytes - before))}`
}
