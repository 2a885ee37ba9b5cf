import type { Entry } from './contents.ts'
import { nameOf } from './selection.ts'

/**
 * The entries without those whose data is lost (ids), and without those that need it: foreign keys of and to these tables, and the rows of
 * materialized views that read them. The tables themselves stay, without rows. `missing` names everything that is left out.
 */
export function withoutLost(entries: readonly Entry[], lost: ReadonlySet<number>): { rest: Entry[]; missing: string[] } {
  const gone = entries.filter(({ id }) => lost.has(id))
  const tables = new Set(gone.map(({ schema, name }) => `${schema}\0${name}`))
  const isEmpty = ({ kind, schema, name }: Entry): boolean => kind === 'TABLE' && tables.has(`${schema}\0${name}`)
  const empty = new Set(entries.filter(isEmpty).map(({ id }) => id))
  const readers = dependentsOf(entries, empty)
  const rest: Entry[] = []
  const missing: string[] = []
  for (const entry of entries) {
    const why = lost.has(entry.id)
      ? rowsOf(entry)
      : entry.kind === 'FK CONSTRAINT' && entry.needs.some((id) => empty.has(id))
        ? `foreign key ${entry.schema}.${entry.name}, which needs these rows`
        : entry.kind === 'MATERIALIZED VIEW DATA' && entry.needs.some((id) => readers.has(id))
          ? `rows of the materialized view ${entry.schema}.${entry.name}, which reads these rows`
          : undefined
    if (why === undefined) rest.push(entry)
    else missing.push(why)
  }
  return { rest, missing }
}

function rowsOf(entry: Entry): string {
  return entry.kind === 'TABLE DATA' ? `rows of the table ${entry.schema}.${entry.name}` : entry.kind === 'BLOBS'
    ? 'large objects' : nameOf(entry)
}

/** Ids of these entries and of all that depend on them, by whatever way. */
function dependentsOf(entries: readonly Entry[], of: ReadonlySet<number>): Set<number> {
  const found = new Set(of)
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const { id, needs } of entries) if (!found.has(id) && needs.some((need) => found.has(need))) found.add(id)
  }
  return found
}
