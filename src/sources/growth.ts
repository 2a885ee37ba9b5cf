import type { SourceRecord } from '../repository/snapshot.ts'
import { kindIfKnown } from './known-kinds.ts'
import type { Sized, SizedSource } from './source-kind.ts'

/** A table or a volume, and its size in the snapshot before. */
export interface Growth extends Omit<Sized, 'archived'> {
  source: string
  /** Null: it was not there. Absent: the snapshot before is unknown, or there is none. */
  before?: number | null
}

/** As many as a summary shows well. */
const MOST = 10

/** The largest tables and volumes, largest first. */
export function largestOf(before: readonly SourceRecord[] | undefined, now: readonly SourceRecord[]): Growth[] {
  const largest = now.flatMap((source) => sizesOf(source).map((sized) => ({ source, sized })))
    .filter(({ sized: { table, bytes } }) => table === undefined || bytes > 0)
    .toSorted((a, b) => b.sized.bytes - a.sized.bytes)
    .slice(0, MOST)
  const old = new Map(largest.map(({ source }) => [source, before && earlierSizes(before, source)]))
  return largest.map(({ source, sized: { table, bytes } }) => {
    const sizes = old.get(source)
    return { source: source.name, ...(table !== undefined && { table }), bytes, ...(sizes && { before: sizes.get(table) ?? null }) }
  })
}

function earlierSizes(before: readonly SourceRecord[], { name, kind }: SourceRecord): Map<string | undefined, number> {
  const same = before.find((old) => old.name === name && old.kind === kind)
  return new Map((same ? sizesOf(same) : []).map(({ table, bytes }) => [table, bytes]))
}

/** The sizes of what a source holds, as far as its facts tell. */
export function sizesOf(source: SizedSource): Sized[] {
  return kindIfKnown(source.kind)?.sizes(source) ?? []
}
