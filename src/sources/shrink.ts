import { type PostgresFacts, postgresFacts } from './postgres/facts.ts'
import { sourceSize, type SourceRecord } from '../repository/snapshot.ts'
import { volumeFacts } from './files/facts.ts'

/** Something that has less than half of what it had in the snapshot before. */
export interface Shrunk {
  /** Name and kind of the source; kind `set` is the whole backup, where no source can be compared. */
  source: string
  kind: SourceRecord['kind'] | 'set'
  /** `schema.table`, where it is one table of a database. */
  table?: string
  measure: 'rows' | 'bytes' | 'files'
  before: number
  /** Null: it is not there any more. */
  now: number | null
}

/** What had less than this is not compared: rows and files come and go. */
export const LEAST = { rows: 1000, bytes: 1_000_000, files: 10 } as const

/** Everything that lost more than half since the snapshot before, and sources and tables that are gone. Rows and bytes of tables are the server's estimates. */
export function shrunken(before: readonly SourceRecord[], now: readonly SourceRecord[]): Shrunk[] {
  return before.flatMap((old) => {
    const about = { source: old.name, kind: old.kind }
    const same = now.find(({ name, kind }) => name === old.name && kind === old.kind)
    if (!same) return [{ ...about, measure: 'bytes', before: sourceSize(old), now: null } satisfies Shrunk]
    return [...(old.kind === 'postgres' ? databaseLoss(old, same) : volumeLoss(old, same))].map((loss) => ({ ...about, ...loss }))
  })
}

type Loss = Omit<Shrunk, 'source' | 'kind'>

function lost(measure: Loss['measure'], before: number, now: number): Loss[] {
  return before >= LEAST[measure] && now < before / 2 ? [{ measure, before, now }] : []
}

function volumeLoss(old: SourceRecord, same: SourceRecord): Loss[] {
  const [before, now] = [volumeFacts.safeParse(old.facts).data, volumeFacts.safeParse(same.facts).data]
  if (!before || !now) return lost('bytes', sourceSize(old), sourceSize(same))
  return [...lost('files', before.files, now.files), ...lost('bytes', before.bytes, now.bytes)].slice(0, 1)
}

function databaseLoss(old: SourceRecord, same: SourceRecord): Loss[] {
  const whole = lost('bytes', sourceSize(old), sourceSize(same))
  const [before, now] = [postgresFacts.safeParse(old.facts).data, postgresFacts.safeParse(same.facts).data]
  if (!before || !now) return whole
  const shrinkage = sourceSize(old) - sourceSize(same)
  const tables = new Map(now.tables.map((table) => [nameOf(table), table]))
  return [...whole, ...before.tables.flatMap((table) => tableLoss(table, tables.get(nameOf(table)), before, shrinkage))]
}

type Table = PostgresFacts['tables'][number]

/** `shrinkage`: bytes that the archive of the database lost. */
function tableLoss(before: Table, now: Table | undefined, facts: PostgresFacts, shrinkage: number): Loss[] {
  const table = `${before.schema}.${before.name}`
  if (!now) {
    // Old partitions are dropped day by day, as is meant.
    const [measure, amount] = before.rows === null ? (['bytes', before.bytes] as const) : (['rows', before.rows] as const)
    return amount < LEAST[measure] || isPartition(before, facts) ? [] : [{ table, measure, before: amount, now: null }]
  }
  if (before.rows !== null && now.rows !== null) return lost('rows', before.rows, now.rows).map((loss) => ({ table, ...loss }))
  // Emptied by TRUNCATE, or restored and not analysed yet: a table has no estimates in both cases, but only in the first is the archive smaller.
  return shrinkage < before.bytes / 4 ? [] : lost('bytes', before.bytes, now.bytes).map((loss) => ({ table, ...loss }))
}

function nameOf({ schema, name }: Table): string {
  return JSON.stringify([schema, name])
}

function isPartition({ schema, name }: Table, { entries }: PostgresFacts): boolean {
  return entries.some((entry) => entry.includes(` TABLE ATTACH ${schema} ${name} `))
}
