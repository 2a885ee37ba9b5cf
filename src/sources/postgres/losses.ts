import { z } from 'zod'
import { sourceSize, type SourceRecord } from '../../repository/snapshot.ts'
import { LEAST, lost } from '../loss.ts'
import type { Amount, Loss, Sized, SizedSource } from '../source-kind.ts'
import { type PostgresFacts, postgresFacts, type Table } from './facts.ts'
import type { CountedRows } from './row-counter.ts'

/** A database that lost more than half of its bytes, and tables that did or are gone, by what the archive has of them or by estimates. */
export function databaseLosses(old: SourceRecord, same: SourceRecord): Loss[] {
  const whole = lost('bytes', sourceSize(old), sourceSize(same))
  const [before, now] = [postgresFacts.safeParse(old.facts).data, postgresFacts.safeParse(same.facts).data]
  if (!before || !now) return whole
  const shrinkage = sourceSize(old) - sourceSize(same)
  const tables = new Map(now.tables.map((table) => [keyOf(table), table]))
  const isExpected = expectedToGo(before, now)
  return [...whole, ...before.tables.flatMap((table) => {
    const same = tables.get(keyOf(table))
    const losses = same ? tableLosses(table, same, shrinkage) : isExpected(table) ? [] : lossOfAll(table)
    return losses.map((loss) => ({ table: `${table.schema}.${table.name}`, ...loss }))
  })]
}

/** `shrinkage`: bytes that the archive of the database lost. */
function tableLosses(before: Table, now: Table, shrinkage: number): Loss[] {
  if (before.archived && now.archived) {
    const { rows, bytes } = now.archived
    return [...lost('rows', before.archived.rows, rows), ...lost('bytes', before.archived.bytes, bytes)].slice(0, 1).map(exactly)
  }
  if (before.rows !== null && now.rows !== null) return lost('rows', before.rows, now.rows)
  // A table has no estimates after TRUNCATE, and after a restore until it is analysed. Only in the first case is the archive smaller.
  return shrinkage < before.bytes / 4 ? [] : lost('bytes', before.bytes, now.bytes)
}

/** A table is not dropped every day: one row in the archive is enough. By estimates, it must be a large one. */
function lossOfAll({ rows, bytes, archived }: Table): Loss[] {
  if (archived) return archived.rows === 0 ? [] : [exactly({ measure: 'rows', before: archived.rows, now: null })]
  const [measure, before] = rows === null ? (['bytes', bytes] as const) : (['rows', rows] as const)
  return before < LEAST[measure] ? [] : [{ measure, before, now: null }]
}

function exactly(loss: Loss): Loss {
  return { ...loss, exact: true }
}

function keyOf({ schema, name }: Table): string {
  return JSON.stringify([schema, name])
}

/**
 * Tells of each table that is gone whether nothing is lost with it, or it is one of many that are made and dropped by their age. To be
 * asked once for each: a new table is the new name of one.
 */
function expectedToGo(before: PostgresFacts, now: PostgresFacts): (table: Table) => boolean {
  const partitions = new Set(before.entries.flatMap(attached).map(family))
  const isPartition = (table: Table): boolean => partitions.has(family(nameOf(table)))
  const left = new Set(now.tables.map((table) => family(nameOf(table))))
  const old = new Set(before.tables.map(keyOf))
  const made = now.tables.flatMap((table) => (!old.has(keyOf(table)) && table.archived ? [table.archived] : []))
  const unmatched = Map.groupBy(made, amountOf)
  return (table) => {
    // Its partitions have its rows.
    if (table.partitioned) return true
    const { archived } = table
    const isSmall = archived !== undefined && archived.rows < LEAST.rows && archived.bytes < LEAST.bytes
    // Partitions are dropped by their age, also some time after they were detached.
    if ((isPartition(table) || isSmall) && left.has(family(nameOf(table)))) return true
    return archived !== undefined && unmatched.get(amountOf(archived))?.pop() !== undefined
  }
}

/** The names that an entry of a partition may mean: spaces separate schema, name and owner, which may have some, and up to 63 bytes. */
function attached(entry: string): string[] {
  const words = / TABLE ATTACH (.{0,200})/.exec(entry)?.[1]?.split(' ') ?? []
  return words.map((_, end) => words.slice(0, end).join(' '))
}

function nameOf({ schema, name }: Table): string {
  return `${schema} ${name}`
}

/** Equal for tables whose names differ only in numbers: `log_2026_11_01`. */
function family(name: string): string {
  return name.replaceAll(/\d+/g, '0')
}

function amountOf({ rows, bytes }: CountedRows): string {
  return `${rows} ${bytes}`
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

/** Of each table that has rows of its own: a partitioned one has none. */
export function tableSizes({ facts }: SizedSource): Sized[] {
  const { tables = [] } = sized.safeParse(facts).data ?? {}
  return tables.filter(({ partitioned }) => !partitioned)
    .map(({ schema, name, bytes, archived }) => ({ table: `${schema}.${name}`, bytes, ...(archived && { archived }) }))
}
