import { sourceSize, type SourceRecord } from '../../repository/snapshot.ts'
import { LEAST, lost } from '../loss.ts'
import type { Loss } from '../source-kind.ts'
import { type PostgresFacts, postgresFacts, type Table } from './facts.ts'

/** A database that lost more than half of its bytes, and tables that did or are gone, by the server's estimates. */
export function databaseLosses(old: SourceRecord, same: SourceRecord): Loss[] {
  const whole = lost('bytes', sourceSize(old), sourceSize(same))
  const [before, now] = [postgresFacts.safeParse(old.facts).data, postgresFacts.safeParse(same.facts).data]
  if (!before || !now) return whole
  const shrinkage = sourceSize(old) - sourceSize(same)
  const tables = new Map(now.tables.map((table) => [keyOf(table), table]))
  return [...whole, ...before.tables.flatMap((table) => tableLosses(table, tables.get(keyOf(table)), before, shrinkage))]
}

/** `shrinkage`: bytes that the archive of the database lost. */
function tableLosses(before: Table, now: Table | undefined, facts: PostgresFacts, shrinkage: number): Loss[] {
  const table = `${before.schema}.${before.name}`
  if (!now) {
    // Old partitions are dropped on purpose, day by day.
    const [measure, amount] = before.rows === null ? (['bytes', before.bytes] as const) : (['rows', before.rows] as const)
    return amount < LEAST[measure] || isPartition(before, facts) ? [] : [{ table, measure, before: amount, now: null }]
  }
  if (before.rows !== null && now.rows !== null) return lost('rows', before.rows, now.rows).map((loss) => ({ table, ...loss }))
  // A table has no estimates after TRUNCATE, and after a restore until it is analysed. Only in the first case is the archive smaller.
  return shrinkage < before.bytes / 4 ? [] : lost('bytes', before.bytes, now.bytes).map((loss) => ({ table, ...loss }))
}

function keyOf({ schema, name }: Table): string {
  return JSON.stringify([schema, name])
}

function isPartition({ schema, name }: Table, { entries }: PostgresFacts): boolean {
  return entries.some((entry) => entry.includes(` TABLE ATTACH ${schema} ${name} `))
}
