import { someLines } from '../report/format.ts'
import { kindIfKnown } from './known-kinds.ts'
import type { Amount, Remarks } from './source-kind.ts'

export type { Remarks }

/** The remarks on a source in a snapshot; none for a kind that this version does not know. */
export function remarksOf({ kind, facts }: { kind: string; facts?: unknown }): Remarks {
  return kindIfKnown(kind)?.remarks(facts) ?? {}
}

/** The number of tables or files in a source of a snapshot, if it is known. */
export function amountOf({ kind, facts }: { kind: string; facts?: unknown }): Amount | undefined {
  return kindIfKnown(kind)?.amount?.(facts)
}

/** More than anyone reads; the JSON result has them all. */
const MOST = 20

/** For headlines. */
export const inPart = (sources: readonly Remarks[]): string => (sources.some(({ partial }) => partial) ? ' in part' : '')

/**
 * A sentence for each thing that a backup lacks or its programs warned of: `app: in part: pg_dump ran with
 * --exclude-table-data=sessions`.
 */
export function remarkLines(sources: readonly ({ name: string } & Remarks)[]): string[] {
  const lines = sources.flatMap(({ name, partial = [], warnings = [] }) => [
    ...partial.map((text) => `${name}: in part: ${text}`),
    // A missing part is named once.
    ...warnings.filter((text) => !partial.includes(text)).map((text) => `${name}: warning: ${text}`),
  ])
  return someLines(lines, MOST)
}

/** A sentence for what patterns left out of each volume: `uploads: left out: 4 files (400 kB) by .lifeboatignore (1 pattern)`. */
export function leftOutLines(sources: readonly ({ name: string } & Remarks)[]): string[] {
  return someLines(sources.flatMap(({ name, leftOut = [] }) => leftOut.map((text) => `${name}: left out: ${text}`)), MOST)
}
