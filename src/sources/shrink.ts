import { formatBytes, formatCount, oneLine } from '../report/format.ts'
import { sourceSize, type SourceRecord } from '../repository/snapshot.ts'
import { kindIfKnown } from './known-kinds.ts'
import { lost } from './loss.ts'
import type { Loss } from './source-kind.ts'

/** Something that has less than half of what it had in the snapshot before, and where it is. */
export interface Shrunk extends Loss {
  /** Name and kind of the source; kind `set` is the whole backup, if no source can be compared. */
  source: string
  kind: string
}

/** Everything that lost more than half since the snapshot before, and sources and tables that are gone. Rows and bytes of tables are the server's estimates. */
export function shrunken(before: readonly SourceRecord[], now: readonly SourceRecord[]): Shrunk[] {
  return before.flatMap((old) => {
    const about = { source: old.name, kind: old.kind }
    const same = now.find(({ name, kind }) => name === old.name && kind === old.kind)
    if (!same) return [{ ...about, measure: 'bytes', before: sourceSize(old), now: null } satisfies Shrunk]
    const losses = kindIfKnown(old.kind)?.losses(old, same) ?? lost('bytes', sourceSize(old), sourceSize(same))
    return losses.map((loss) => ({ ...about, ...loss }))
  })
}

/** `the table public.orders of shop has about 0 rows, it had about 50,000 rows`. */
export function shrunkText({ source, kind, table, measure, before, now }: Shrunk): string {
  const name = oneLine(source)
  const whole = kind === 'set' ? 'the whole backup' : `the ${kindIfKnown(kind)?.noun ?? 'source'} ${name}`
  const about = table === undefined ? '' : 'about '
  const amount = (number: number): string => about + (measure === 'bytes' ? formatBytes(number) : formatCount(number, measure.slice(0, -1)))
  const thing = table === undefined ? whole : `the table ${oneLine(table)} of ${name}`
  return now === null ? `${thing} is not in this backup any more; it had ${amount(before)}` : `${thing} has ${amount(now)}, it had ${amount(before)}`
}
