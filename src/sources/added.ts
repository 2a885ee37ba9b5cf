import type { Extent } from '../repository/extent.ts'
import type { StoredExtent } from '../repository/writer.ts'

/** A part of a stream that is the data of a table. */
export interface TableExtent extends Extent {
  /** `schema.table`. */
  table: string
}

/** The bytes that a backup added for the tables of a source: together those of the source. */
export interface AddedByTable {
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
 * Tables that share a chunk share its bytes by length. `added`: bytes added for the source.
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
      // Places are rounded, not shares, so that the shares add up.
      const upTo = (place: number): number => Math.round((stored * (place - start)) / (end - start))
      while (next < tables.length && tables[next]!.end <= start) next++
      for (let at = next; at < tables.length && tables[at]!.start < end; at++) {
        const own = tables[at]!
        const share = upTo(Math.min(end, own.end)) - upTo(Math.max(start, own.start))
        if (share > 0) bytes.set(own.table, (bytes.get(own.table) ?? 0) + share)
      }
    }
  }
  const tables = [...bytes].map(([table, added]) => ({ table, added })).toSorted((one, other) => other.added - one.added)
  const sum = (all: typeof tables): number => all.reduce((sum, one) => sum + one.added, 0)
  const others = tables.slice(MOST)
  return { most: tables.slice(0, MOST), others: { tables: others.length, added: sum(others) }, rest: added - sum(tables) }
}
