import { LifeboatError } from '../../../error.ts'

/**
 * Throws `LifeboatError` if an archive has rows of foreign tables (--include-foreign-data): pg_restore would write them to their servers.
 * `entries`: as `pg_restore --list` prints them, with the table's oid as third number: `3421; 0 16388 TABLE DATA public orders owner`.
 */
export function refuseForeignRows(entries: readonly string[]): void {
  const foreign = new Set(entries.flatMap((entry) => /^\d+; \d+ (\d+) FOREIGN TABLE /.exec(entry)?.[1] ?? []))
  const count = entries.filter((entry) => foreign.has(/^\d+; \d+ (\d+) TABLE DATA /.exec(entry)?.[1] ?? '')).length
  if (count === 0) return
  throw new LifeboatError(`the backup has the rows of ${count} foreign tables, which a restore would write to other servers`, {
    hint: 'Verify it at level read. For drills, leave --include-foreign-data out of the arguments of pg_dump.' })
}
