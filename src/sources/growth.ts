import type { SourceRecord } from '../repository/snapshot.ts'
import { kindIfKnown } from './known-kinds.ts'
import type { Sized } from './source-kind.ts'

/** A table or a volume, and its size in the snapshot before. */
export interface Growth extends Sized {
  source: string
  /** Null: it was not there. Absent: the snapshot before is unknown, or there is none. */
  before?: number | null
}

/** As many as a summary shows well. */
const MOST = 10

/** The largest tables and volumes, largest first. */
export function largestOf(before: readonly SourceRecord[] | undefined, now: readonly SourceRecord[]): Growth[] {
  const largest = now.flatMap((source) => sizesOf(source).map((sized) => ({ source, sized })))
    .toSorted((a, b) => b.sized.bytes - a.sized.bytes)
    .slice(0, MOST)
  const old = new Map(largest.map(({ source }) => [source, before && earlierSizes(before, source)]))
  return largest.map(({ source, sized }) => {
    const sizes = old.get(source)
    return { source: source.name, ...sized, ...(sizes && { before: sizes.get(sized.table) ?? null }) }
  })
}

function earlierSizes(before: readonly SourceRecord[], { name, kind }: SourceRecord): Map<string | undefined, number> {
  const same = before.find((old) => old.name === name && old.kind === kind)
  return new Map((same ? sizesOf(same) : []).map(({ table, bytes }) => [table, bytes]))
}

function sizesOf(source: SourceRecord): Sized[] {
  return kindIfKnown(source.kind)?.sizes(source) ?? []
}
