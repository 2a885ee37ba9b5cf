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

/**
 * Everything that lost more than half since the snapshot before, and sources and tables that are gone. Rows of tables are
 * estimates, unless they were counted.
 */
export function shrunken(before: readonly SourceRecord[], now: readonly SourceRecord[]): Shrunk[] {
  return before.flatMap((old) => {
    const about = { source: old.name, kind: old.kind }
    const same = now.find(({ name, kind }) => name === old.name && kind === old.kind)
    if (!same) return [{ ...about, measure: 'bytes', before: sourceSize(old), now: null } satisfies Shrunk]
    const losses = kindIfKnown(old.kind)?.losses(old, same) ?? lost('bytes', sourceSize(old), sourceSize(same))
    return losses.map((loss) => ({ ...about, ...loss }))
  })
}
