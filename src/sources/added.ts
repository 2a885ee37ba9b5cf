import { formatBytes, formatCount, listedName } from '../report/format.ts'
import type { Extent } from '../repository/extent.ts'
import type { StoredExtent } from '../repository/writer.ts'

/** A part of a stream that is the data of a table. */
export interface TableExtent extends Extent {
  /** `schema.table`. */
  table: string
  /** Whether the backup before has the same bytes of it. */
  isSame?: boolean
}

/** The bytes that a backup added for the tables of a source: together those of the source. */
export type AddedByTable = {
  /** The tables with the most, most first. */
  most: { table: string; added: number }[]
  /** All other tables for which something was added: how many, and their bytes. */
  others: { tables: number; added: number }
  /** For everything that is in no table: definitions, large objects, roles. */
  rest: number
}

/** More than a result shows well. */
const MOST = 20

/**
 * Of each stream, the chunks that were put, and the places of its tables, both in its order; undefined if the places of one are not known.
 * The bytes of a chunk are divided by length, without the tables that are as before, unless nothing else is in it. `added`: bytes added
 * for the source.
 */
export function addedByTable(
  added: number, chunks: readonly (readonly StoredExtent[])[], places: readonly (readonly TableExtent[] | undefined)[],
): AddedByTable | undefined {
  const bytes = new Map<string, number>()
  for (const [index, extents] of chunks.entries()) {
    const tables = places[index]
    if (!tables) return undefined
    let next = 0
    for (const { start, end, stored } of extents) {
      while (next < tables.length && tables[next]!.end <= start) next++
      let last = next
      while (last < tables.length && tables[last]!.start < end) last++
      const own = tables.slice(next, last).map((one) => ({ ...one, start: Math.max(start, one.start), end: Math.min(end, one.end) }))
      const same = own.reduce((sum, one) => sum + (one.isSame ? one.end - one.start : 0), 0)
      const all = end - start
      const sharing = same < all ? all - same : all
      // Places are rounded, not shares, so that the shares add up.
      const upTo = (place: number): number => Math.round((stored * place) / sharing)
      let [place, at] = [0, start]
      for (const one of own) {
        const from = place + one.start - at
        place = from + (one.isSame && same < all ? 0 : one.end - one.start)
        at = one.end
        const share = upTo(place) - upTo(from)
        if (share > 0) bytes.set(one.table, (bytes.get(one.table) ?? 0) + share)
      }
    }
  }
  const tables = [...bytes].map(([table, added]) => ({ table, added })).toSorted((one, other) => other.added - one.added)
  const sum = (all: typeof tables): number => all.reduce((sum, one) => sum + one.added, 0)
  const others = tables.slice(MOST)
  return { most: tables.slice(0, MOST), others: { tables: others.length, added: sum(others) }, rest: added - sum(tables) }
}

/** `about 12.0 MB for public.orders, 2.0 kB for what is in no table (definitions, roles, large objects)`: chunks are divided by length. */
export function addedText({ most, others, rest }: AddedByTable, shown = most.length): string {
  const hidden = most.slice(shown)
  const more = { tables: others.tables + hidden.length, added: hidden.reduce((sum, { added }) => sum + added, others.added) }
  const parts = [
    ...most.slice(0, shown).map(({ table, added }) => `${formatBytes(added)} for ${listedName(table)}`),
    ...(more.tables > 0 ? [`${formatBytes(more.added)} for ${formatCount(more.tables, 'other table')}`] : []),
    ...(rest > 0 ? [`${formatBytes(rest)} for what is in no table (definitions, roles, large objects)`] : []),
  ]
  return `about ${parts.join(', ')}`
}
