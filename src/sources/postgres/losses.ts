import { z } from 'zod'
import { sourceSize, type SourceRecord } from '../../repository/snapshot.ts'
import { LEAST, lost } from '../loss.ts'
import type { Amount, Loss, Sized, SizedSource } from '../source-kind.ts'
import { type PostgresFacts, postgresFacts, rowCount, type Table } from './facts.ts'

/** A database that lost more than half of its bytes, and tables that did or are gone, by their rows in the archive or by estimates. */
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
    const { rows, exact } = rowCount(before)
    const [measure, amount] = rows === null ? (['bytes', before.bytes] as const) : (['rows', rows] as const)
    return amount < LEAST[measure] || isPartition(before, facts) ? [] : [{ table, measure, before: amount, now: null, ...(exact && EXACT) }]
  }
  if (before.archived && now.archived)
    return lost('rows', before.archived.rows, now.archived.rows).map((loss) => ({ table, ...loss, ...EXACT }))
  if (before.rows !== null && now.rows !== null) return lost('rows', before.rows, now.rows).map((loss) => ({ table, ...loss }))
  // A table has no estimates after TRUNCATE, and after a restore until it is analysed. Only in the first case is the archive smaller.
  return shrinkage < before.bytes / 4 ? [] : lost('bytes', before.bytes, now.bytes).map((loss) => ({ table, ...loss }))
}

const EXACT = { exact: true } as const

function keyOf({ schema, name }: Table): string {
  return JSON.stringify([schema, name])
}

function isPartition({ schema, name }: Table, { entries }: PostgresFacts): boolean {
  return entries.some((entry) => entry.includes(` TABLE ATTACH ${schema} ${name} `))
}

const counted = z.object({ entries: z.array(z.string()) })

/** Entries of `pg_restore --list`; 1259 is the oid of pg_class, which is the same everywhere. */
const [TABLE, TABLE_DATA] = [/^\d+; 1259 \d+ TABLE /, /^\d+; \d+ \d+ TABLE DATA /]

/** Tables in the archive: of one without definitions, those of which it has the rows. */
export function amountOfTables(facts: unknown): Amount | undefined {
  const { data } = counted.safeParse(facts)
  const count = (entry: RegExp): number => data!.entries.filter((line) => entry.test(line)).length
  return data && { count: count(TABLE) || count(TABLE_DATA), noun: 'table' }
}

const sized = postgresFacts.pick({ tables: true }).strip()

/** Of each table on the server, by its estimates. A partitioned table has no size of its own. */
export function tableSizes({ facts }: SizedSource): Sized[] {
  const { tables = [] } = sized.safeParse(facts).data ?? {}
  return tables.filter(({ bytes }) => bytes > 0)
    .map(({ schema, name, bytes, archived }) => ({ table: `${schema}.${name}`, bytes, ...(archived && { rows: archived.rows }) }))
}
