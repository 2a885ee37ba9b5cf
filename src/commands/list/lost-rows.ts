import { sizesOf } from '../../sources/growth.ts'
import { LEAST, lost } from '../../sources/loss.ts'
import type { SizedSource } from '../../sources/source-kind.ts'
import type { TableLoss } from '../../report/page/facts.ts'

/** Counts of all sets together that are remembered: with more of them, nothing is said. 8 bytes each. */
const MOST_COUNTS = 5_000_000
/** As many tables of a set as anyone reads. */
const MOST = 10

/** A snapshot, and the rows of each table by the number of the table; NaN: not there, or not counted. */
interface Counted {
  id: string
  time: string
  rows: Float64Array
}

/** A table, and its number among those of its set. */
interface Numbered {
  number: number
  source: string
  table: string
}

/** The rows that each snapshot has of each table, as its backup counted them. */
export class RowCounts {
  readonly #sets = new Map<string, { tables: Map<string, Numbered>; snapshots: Counted[] }>()
  #counts = 0

  /** Looks at the content of a snapshot; in any order. */
  note({ id, set, time }: { id: string; set: string; time: string }, sources: readonly SizedSource[]): void {
    if (this.#counts > MOST_COUNTS) return
    const { tables, snapshots } = this.#sets.get(set) ?? { tables: new Map<string, Numbered>(), snapshots: [] }
    this.#sets.set(set, { tables, snapshots })
    const counts: number[] = []
    for (const source of sources) {
      for (const { table, archived } of sizesOf(source)) {
        if (table === undefined || !archived) continue
        const key = JSON.stringify([source.name, table])
        const { number } = tables.get(key) ?? { number: tables.size }
        tables.set(key, { number, source: source.name, table })
        counts[number] = archived.rows
      }
    }
    const rows = Float64Array.from({ length: tables.size }, (_, number) => counts[number] ?? NaN)
    snapshots.push({ id, time, rows })
    this.#counts += rows.length
  }

  /**
   * Tables that lost more than half of their rows, where no snapshot that stays has at least half of what they had. `stays`: whether the
   * policy keeps a snapshot; undefined for one that cannot be relied on.
   */
  leaving(stays: (id: string) => boolean | undefined): TableLoss[] {
    if (this.#counts > MOST_COUNTS) return []
    return [...this.#sets].flatMap(([set, { tables, snapshots }]) => {
      const newestFirst = snapshots.toSorted((a, b) => b.time.localeCompare(a.time))
      const sound = newestFirst.map((one) => ({ ...one, stays: stays(one.id) })).filter((one) => one.stays !== undefined)
      const found = [...tables.values()].flatMap(({ number, source, table }) => {
        const now = newestFirst[0]!.rows[number] ?? NaN
        const last = sound.find(({ rows }) => lost('rows', rows[number] ?? 0, now).length > 0)
        const before = last?.rows[number] ?? 0
        if (!last || sound.some((one) => one.stays && one.rows[number]! >= Math.max(LEAST.rows, before / 2))) return []
        return [{ set, source, table, rows: { before, now }, snapshot: last.id, time: last.time }]
      })
      return found.toSorted((a, b) => b.rows.before - b.rows.now - (a.rows.before - a.rows.now)).slice(0, MOST)
    })
  }
}
